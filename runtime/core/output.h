/* output.h: a file that is written piece by piece and is there whole or not at all: it gets its name when all of it is on the disk. */
#ifndef OCLM_CORE_OUTPUT_H
#define OCLM_CORE_OUTPUT_H

#include "core/status.h"

typedef struct core_output core_output;

/* Makes a file beside `path`, whose folder must be there. Errors: OCLM_ERR_NOT_FOUND, OCLM_ERR_IO: the path and why. */
oclm_status core_output_begin(const char *path, core_output **output);
oclm_status core_output_add(core_output *output, const void *data, size_t bytes);
/* Makes the file so long; what is added next still follows what was added before. Until then there are zeros. */
oclm_status core_output_lengthen(core_output *output, uint64_t bytes);
/* Where it is until it has its name: to read it. Valid as long as `output`. */
const char *core_output_path(const core_output *output);
/* Gives it its name, over what stands there. `output` is freed, also where this fails. */
oclm_status core_output_end(core_output *output);
void        core_output_drop(core_output *output); /* removes what was written; accepts NULL */

#endif
