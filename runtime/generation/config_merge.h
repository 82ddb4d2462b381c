/* config_merge.h: one value for each option, and where it came from. */
#ifndef OCLM_GENERATION_CONFIG_MERGE_H
#define OCLM_GENERATION_CONFIG_MERGE_H

#include <stddef.h>

#include "generation/config_fields.h"

#define GEN_MAX_FIELDS 64

typedef enum gen_source { GEN_FROM_NOBODY, GEN_FROM_MODEL, GEN_FROM_FILE, GEN_FROM_CALL } gen_source;

typedef struct gen_merged {
    oclm_generate_options value;   /* fallbacks filled in; what has none is unset. Lists are those of the call and of the files */
    uint8_t               source[GEN_MAX_FIELDS];
    const gen_call       *call;
    gen_defaults          file;    /* options->generation_config; all unset without one */
    uint32_t              refused; /* of both files */
    uint32_t              greedy_top_k; /* what top_k was before greedy search switched it off: contrastive search asks for it */
} gen_merged;

/* Free it also after a failure. Errors: of the file; OCLM_ERR_ARGUMENT: a list of the call that is NULL and has a count. */
oclm_status gen_merge(const gen_call *call, gen_merged *merged);
void        gen_merged_free(gen_merged *merged);

#define GEN_SOURCE(merged, member) gen_source_of(merged, offsetof(oclm_generate_options, member))
#define GEN_ORIGIN(merged, member, buffer) gen_origin_of(merged, offsetof(oclm_generate_options, member), buffer)
gen_source  gen_source_of(const gen_merged *merged, size_t offset);
/* " (from generation_config.json)", "" where the call said it. */
const char *gen_origin_of(const gen_merged *merged, size_t offset, char buffer[96]);

/* Checks ranges, and warns of what has no effect in the mode that do_sample and num_beams ask for, which are checked first; what has none is
 * then off. Errors: OCLM_ERR_ARGUMENT: option, value, range, origin. */
oclm_status gen_check_fields(gen_merged *merged);
/* Refuses what files ask for and oclm does not have. `mode`: what else was decided. Warns of what has no effect. */
oclm_status gen_check_refused(const gen_merged *merged, gen_mode_kind mode);

#endif
