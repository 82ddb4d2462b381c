/* planner.h: from what a model needs and what devices have to a placement: pure arithmetic, the same for the same numbers. plan.c asks models
 * and devices for those. Inside the model room.
 *
 * A device holds its units, their cache, what a pass works with, and, where units live in host memory or a file, room for those that visit it.
 * transformers counts weights alone. Here a layer weighs what its weights and its cache take, and a device has what its budget leaves after
 * the rest; with these sizes and limits placing is transformers' (assign.h). Where units are left over for the host or the disk, the device that they
 * visit gives room for them and for their cache, which moves further units out, until all holds. */
#ifndef OCLM_MODEL_PLANNER_H
#define OCLM_MODEL_PLANNER_H

#include "model/assign.h"
#include "model/plan.h"
#include "model/tree.h"

typedef struct model_plan_site {
    uint32_t    number;        /* what its user calls it */
    uint64_t    budget;        /* bytes that may be used */
    uint64_t    most_buffer;   /* bytes of one buffer; 0: no limit. Keys of a layer are one, and so are its values */
    bool        listed;        /* may be filled; else it serves only where a map names it, or in place of "cpu" */
    bool        is_host;       /* computes on the host's processor */
    bool        in_place;      /* what visits it is read where it lies, in the host's memory: nothing is copied */
    uint64_t    alignment;     /* else: each matrix that visits begins at a multiple */
    uint64_t    workspace;     /* of a pass over the whole model, without a cache */
    uint64_t    staging;       /* what loading takes besides, and keeps */
    model_rates rates;
} model_plan_site;

typedef struct model_plan_facts {
    const model_tree         *tree;       /* whose units weigh what they and their cache take */
    const model_family       *family;     /* what is in a layer */
    const model_unit_size    *units;      /* [unit_count] */
    const uint64_t           *cache;      /* [unit_count]: of layers */
    const uint32_t           *reads;      /* [unit_count]: the unit whose cache a layer reads, mostly its own; NULL: always that */
    uint64_t                  rows_bytes; /* what rows of an embedding take that is not on the device */
    const model_plan_site    *sites;
    uint32_t                  site_count;
    uint64_t                  host_limit;
    model_map_kind            kind;
    const model_map_entry    *entries;
    size_t                    entry_count;
} model_plan_facts;

/* Plans; rows and choices are left out. `placement` is to be freed in any case.
 *   short_of   MODEL_NOWHERE: all fits. Else the site, or MODEL_HOST, that is asked for more than it has; or, where it has enough, for a larger buffer
 * Errors: OCLM_ERR_ARGUMENT (of a map), OCLM_ERR_MEMORY. */
oclm_status model_place_units(const model_plan_facts *facts, model_placement *placement, uint32_t *short_of);

/* MODEL_MAP_GIVEN: where each unit goes [unit_count]: a site, MODEL_HOST or MODEL_DISK. Warns in the log of names that fit nothing, and where
 * what must be together was parted (map_given.c). */
oclm_status model_map_given(const model_plan_facts *facts, uint32_t *where);

/* Rows and reasons, from all the rest and where each unit goes [unit_count] (explain.c). Errors: OCLM_ERR_MEMORY. */
oclm_status model_explain(const model_plan_facts *facts, const uint32_t *where, model_placement *placement);

/* "device 0", "cpu", "disk" */
const char *model_where_name(const model_plan_facts *facts, uint32_t where, char into[24]);

#endif
