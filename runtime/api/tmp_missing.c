#include "api/tmp_missing.h"
oclm_status dev_open_several(const dev_open_options *options, size_t count, dev_device **devices)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < count; i++)
        if ((status = dev_open(&options[i], &devices[i])) != OCLM_OK)
            while (i-- > 0) dev_close(devices[i]);
    return status;
}
oclm_status dev_measure_rates(dev_device *device, dev_rates *rates) { (void)device; *rates = (dev_rates){0}; return OCLM_OK; }
