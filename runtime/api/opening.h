/* opening.h: the devices of a model on their way from the options to model_load(). */
#ifndef OCLM_API_OPENING_H
#define OCLM_API_OPENING_H

#include "api/plan.h"

typedef struct api_opening {
    const oclm_model_options *options;
    cl_context       context; /* the caller's; NULL: oclm's own */
    cl_command_queue queue;
    api_device_map   map;     /* what the options say of several devices */
    model_rates     *rates;   /* [count]; NULL: nobody has to compare devices */
    dev_device     **devices; /* [count]; NULL once they belong to a model */
    uint32_t         count;
} api_opening;

/* Opens what device_map, or else `device`, names; or one device on the caller's queue. `opening` starts all zero, keeps `options`, and is to be
 * ended also after a failure. Errors: as api_device_map_read() and dev_open(). */
oclm_status api_open(const oclm_model_options *options, api_opening *opening);
oclm_status api_open_on(cl_context context, cl_command_queue queue, const oclm_model_options *options, api_opening *opening);
void        api_opening_end(api_opening *opening); /* closes what no model took over */

/* With a device_map: where everything goes, told to the log. Else `*plan` is NULL. OCLM_ERR_DEVICE_MEMORY where it does not fit. */
oclm_status api_opening_plan(api_opening *opening, const char *folder, const model_load_options *how, oclm_plan **plan);
/* Loads by the plan, where there is one; the devices are the model's then. A driver that gives less than the plan relied on lowers its device's
 * budget: then a new plan takes the place of `*plan`, a warning says so, and all is loaded anew. What does not fit is told with what would. */
oclm_status api_opening_load(api_opening *opening, const char *folder, const model_load_options *how, oclm_plan **plan, model_model **model);

#endif
