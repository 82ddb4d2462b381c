/* api.h: what the public functions share: the handles, and how structs that carry their size pass the border.
 *
 * The functions here and beside check arguments and join the rooms; computing happens in the rooms. */
#ifndef OCLM_API_API_H
#define OCLM_API_API_H

#include "core/text.h"
#include "generation/config.h"
#include "generation/run.h"
#include "model/forward.h"
#include "tokenizer/chat/chat.h"
#include "tokenizer/tokenizer.h"

struct oclm_model {
    model_model *inside;
    gen_defaults defaults; /* of generation_config.json */
    oclm_plan   *plan;     /* by which it was loaded; NULL without a device_map */
};

struct oclm_tokenizer {
    tok_tokenizer *inside;
    tok_templates  templates; /* for conversations; may be none */
};

/* Options come in: `options` (may be NULL) is copied over `mine`, which already holds this version's defaults. A caller built
 * against an older header passes a shorter struct, and the rest stays default; one built against a newer header is refused.
 * `mine` and `options` start with their struct_size; `size` is this version's. `type` names it in messages. */
oclm_status api_options_read(const void *options, void *mine, size_t size, const char *type);
/* Options leave by an _init: as much of `mine` as the caller has room for. */
void        api_options_write(const void *mine, size_t size, void *options, size_t struct_size);

/* Results: `result` is the caller's struct with its struct_size set; as much of `mine` is copied as it has room for. */
oclm_status api_result_check(const void *result, size_t size, const char *type);
void        api_result_write(const void *mine, size_t size, void *result);

/* OCLM_ERR_ARGUMENT naming the argument, for a pointer that must not be NULL. */
oclm_status api_missing(const char *function, const char *argument);

/* The caller's options for the hub, checked; the defaults where there are none. */
oclm_status api_hub_options_read(const oclm_hub_options *options, oclm_hub_options *mine);

/* The folder of a model: a folder of that name, else the hub's, of which `parts` are fetched (where the options say nothing else). `mine`:
 * the options, checked, for what they say beyond that. */
oclm_status api_find_model(const char *name, const oclm_hub_options *hub, uint32_t parts, core_text *folder, oclm_hub_options *mine);

/* What oclm_generate_options_init() writes. */
extern const oclm_generate_options api_generate_defaults;

/* Checks `count` ids against the vocabulary: which one is outside, and the range. */
oclm_status api_check_ids(const oclm_model *model, const int32_t *ids, size_t count);

#endif
