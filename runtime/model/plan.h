/* plan.h: decides where each module of a model goes: as a map says, or as transformers' device_map="auto" and its like would, with the cache,
 * activations and everything else that a device must hold counted in. Nothing is loaded or allocated on a device. */
#ifndef OCLM_MODEL_PLAN_H
#define OCLM_MODEL_PLAN_H

#include "core/text.h"
#include "model/model.h"
#include "model/placement.h"

typedef enum model_map_kind {
    MODEL_MAP_BALANCED,       /* "auto" and "balanced" */
    MODEL_MAP_BALANCED_LOW_0,
    MODEL_MAP_SEQUENTIAL,
    MODEL_MAP_GIVEN           /* entries */
} model_map_kind;

/* A module's name, which stands for all below it, and its place; of MODEL_ON_CPU and MODEL_ON_DISK the device is chosen here. The name "" is
 * the whole model. The longest name that fits a module counts. */
typedef struct model_map_entry {
    const char *module;
    model_place place;
} model_map_entry;

#define MODEL_UNLISTED UINT64_MAX

/* What was measured of a device, in bytes a second; 0: unknown. */
typedef struct model_rates {
    double copy; /* from the host to its memory */
    double read; /* of its memory by kernels */
} model_rates;

typedef struct model_plan_options {
    model_map_kind         kind;
    const model_map_entry *entries;        /* MODEL_MAP_GIVEN */
    size_t                 entry_count;
    const uint64_t        *device_limits;  /* [device count] of max_memory: bytes, or MODEL_UNLISTED: not to be used (by kinds other than
                                              MODEL_MAP_GIVEN). NULL: each device's budget; devices on the host's processor then only
                                              serve where there are no others, or in place of "cpu" */
    bool                   host_given;     /* max_memory says "cpu"; false: 90 % of what the host has free, or, with device_limits, nothing */
    uint64_t               host_limit;
    uint32_t               context_length; /* positions to leave room for; 0: min(max_position_embeddings, 4096) */
    bool                   quantized_cache;
    const model_rates     *rates;          /* [device count]; NULL: unknown. Whether "cpu" is the host feeding a device, or a device on the
                                              host's processor: then the faster */
} model_plan_options;

/* Plans for the weights of a folder (or a GGUF file) as `load` asks for them.
 *   devices   all open, in the order in which they are filled
 *   placement free with model_placement_free(), also after OCLM_ERR_DEVICE_MEMORY: then `choices`, `devices`, `rows` tell what is too
 *             much and what would fit
 * Errors: OCLM_ERR_ARGUMENT (a map that leaves modules out: which; that splits a layer, or parts what must be together), OCLM_ERR_DEVICE_MEMORY
 *         (device, needed, available, and choices), those of model_inspect(). */
oclm_status model_plan(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *load,
                       const model_plan_options *options, model_placement *placement);

/* Adds "; what fits: 8 bits (..), with 1.5 GiB; .." for the choices that do; `told`: how many. Errors: OCLM_ERR_MEMORY. */
oclm_status model_tell_choices(const model_placement *placement, core_text *text, size_t *told);

#endif
