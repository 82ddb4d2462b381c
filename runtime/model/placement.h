/* placement.h: which device computes what of a model, and where the weights for it live. Planned by plan.h, followed by loading, states and
 * passes. Plain numbers and texts: knows no device. */
#ifndef OCLM_MODEL_PLACEMENT_H
#define OCLM_MODEL_PLACEMENT_H

#include "core/memory.h"

typedef enum model_place_kind { MODEL_ON_DEVICE, MODEL_ON_CPU, MODEL_ON_DISK } model_place_kind;

typedef struct model_place {
    model_place_kind kind;
    uint32_t         device; /* index into the model's devices: where it is computed. MODEL_ON_CPU and MODEL_ON_DISK: its weights live in
                                host memory or in a file, and visit that device */
} model_place;

/* Modules in a row that share a place, for tables. */
typedef struct model_place_row {
    char       *modules;      /* as transformers calls them: "model.embed_tokens", "model.layers.0-11" */
    uint32_t    units;        /* how many modules that is */
    model_place place;
    bool        was_cpu;      /* the plan says "cpu", and that is place.device, an OpenCL device on the host's processor */
    uint64_t    weight_bytes; /* where place says */
    uint64_t    cache_bytes;  /* of keys, values and states: on place.device, whatever place.kind is */
    char       *why;          /* why this place and not the one before: "chosen by the map", "device 0: 2.0 GiB budget, 307.2 MiB KV,
                                 204.8 MiB workspace, 1.5 GiB used, next layer needs 143.4 MiB"; "" where there is nothing to say */
} model_place_row;

/* What one device is asked for, or the host (all but `weights` is 0 then), or the disk. used + left == budget. */
typedef struct model_share {
    uint64_t budget;    /* most that may be used; UINT64_MAX: not limited */
    uint64_t weights;   /* that live there */
    uint64_t visiting;  /* slots for weights that come from the host or the disk */
    uint64_t cache;     /* keys, values and states for context_length positions */
    uint64_t workspace; /* activations, logits, tables, scratch, what weights are loaded through */
    uint64_t used, left;
    uint64_t next;      /* what the first module that found no room here asked for; 0: all did */
} model_share;

/* A way to make a model fit that does not, the least painful first. */
typedef struct model_choice {
    char    *words;   /* "in 8 bits (load_in_8bit, --load-in-8bit)" */
    uint64_t bytes;   /* what the model then needs of the devices */
    bool     fits;
} model_choice;

typedef struct model_placement {
    uint32_t     device_count, layer_count, context_length;
    model_place  embedding; /* embed_tokens, with learned positions, project_in, the embedding's norm, layers' inputs */
    model_place  head;      /* lm_head with the final norm and project_out; where the embedding is, if that serves as head */
    model_place *layers;    /* [layer_count] */
    char        *map;       /* JSON: transformers' hf_device_map, collapsed as there: {"model.embed_tokens": 0, "lm_head": "cpu"} */
    model_place_row *rows;
    size_t       row_count;
    model_share *devices;   /* [device_count] */
    model_share  host, disk;
    model_choice *choices;  /* only where the plan does not fit */
    size_t       choice_count;
} model_placement;

/* Leaves it empty; accepts an empty one (all zero). */
void model_placement_free(model_placement *placement);

#endif
