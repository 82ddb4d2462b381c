/* assign.h: which module goes where under given limits, exactly as transformers 5.23 computes device_map="auto", "balanced", "balanced_low_0" and
 * "sequential" (get_balanced_memory() and infer_auto_device_map() in integrations/accelerate.py). Pure arithmetic over a tree of modules. */
#ifndef OCLM_MODEL_ASSIGN_H
#define OCLM_MODEL_ASSIGN_H

#include "model/modules.h"

/* Where a module goes: a device's number, or one of these. */
#define MODEL_HOST (UINT32_MAX - 2)
#define MODEL_DISK (UINT32_MAX - 1)
#define MODEL_NOWHERE UINT32_MAX /* in maps: not an entry of the map; what it has inside, or is inside of, is */

typedef struct model_limit {
    uint32_t where;
    uint64_t bytes;
} model_limit;

typedef struct model_filling {
    uint64_t used;     /* by modules placed there */
    uint64_t reserved; /* kept free for a visiting layer when the place was left */
    uint64_t next;     /* bytes of what found no room and made the place be left; 0: it was not left */
} model_filling;

/* Lowers the limits of all devices but the last with memory, so that each gets a fair share.
 *   limits   devices in ascending order, then MODEL_HOST and MODEL_DISK where given
 *   low_0    device 0 gets what the others cannot take */
void model_balance(const model_modules *modules, bool low_0, model_limit *limits, size_t count);

/* Fills one place after the other. The disk takes what is left, whether limits name it or not.
 *   map      [modules->count]: where each goes, at the nodes that went as a whole; else MODEL_NOWHERE
 *   fillings [count], of each limit; NULL: not wanted
 * Errors: OCLM_ERR_MEMORY. */
oclm_status model_assign(const model_modules *modules, const model_limit *limits, size_t count, uint32_t *map, model_filling *fillings);

/* Makes one entry of all entries within a module where they go to one place, as accelerate's clean_device_map(). */
void model_collapse(const model_modules *modules, uint32_t *map);

#endif
