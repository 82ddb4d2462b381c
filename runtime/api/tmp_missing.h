#include "device/device.h"
typedef struct dev_rates { double own, in, out; } dev_rates;
oclm_status dev_measure_rates(dev_device *device, dev_rates *rates);
oclm_status dev_open_several(const dev_open_options *options, size_t count, dev_device **devices);
