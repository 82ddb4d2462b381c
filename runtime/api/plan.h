/* plan.h: a plan as a program sees it, and how loading makes and follows one. */
#ifndef OCLM_API_PLAN_H
#define OCLM_API_PLAN_H

#include "api/device_map.h"

struct oclm_plan {
    model_placement placement;
    char           *problem;  /* NULL: it fits */
    size_t         *indexes;  /* [placement.device_count] as oclm_device_list has them */
    char          **names;    /* likewise */
};

/* Plans for devices that are open. A plan that does not fit is made too: `problem` is its message, which is this thread's as well.
 *   asked   NULL: all on the one device
 * Errors: as model_plan(), without OCLM_ERR_DEVICE_MEMORY. */
oclm_status api_plan_make(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *load, const model_plan_options *asked,
                          oclm_plan **plan);
/* Tells the log, a line for each row. */
void        api_plan_log(const oclm_plan *plan);

#endif
