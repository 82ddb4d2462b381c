/* gguf.h: the tensors that one GGUF file declares. Inside the room. */
#ifndef OCLM_CHECKPOINT_GGUF_H
#define OCLM_CHECKPOINT_GGUF_H

#include "checkpoint/files.h"

/* Adds the tensors of a mapped file, whose key-values `gguf` holds, each checked against the file and all of them against each other. `file`
 * goes into each tensor; messages begin with gguf->origin. On failure the table is still to be deinitialised.
 * Errors: OCLM_ERR_FORMAT, OCLM_ERR_UNSUPPORTED (a type oclm does not read, named), OCLM_ERR_MEMORY. */
oclm_status ckpt_gguf_read(const core_gguf *gguf, const core_map *map, uint32_t file, ckpt_table *table);

#endif
