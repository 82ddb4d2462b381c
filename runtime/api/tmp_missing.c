#include "api/tmp_missing.h"
#include "model/plan.h"
oclm_status dev_open_several(const dev_open_options *options, size_t count, dev_device **devices)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < count; i++)
        if ((status = dev_open(&options[i], &devices[i])) != OCLM_OK)
            while (i-- > 0) dev_close(devices[i]);
    return status;
}
oclm_status dev_measure_rates(dev_device *device, dev_rates *rates) { (void)device; *rates = (dev_rates){0}; return OCLM_OK; }
oclm_status model_plan(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *load,
                       const model_plan_options *options, model_placement *placement)
{ (void)folder; (void)devices; (void)count; (void)load; (void)options; (void)placement; return core_fail(OCLM_ERR_UNSUPPORTED, "no plan"); }
void model_placement_free(model_placement *placement) { (void)placement; }
