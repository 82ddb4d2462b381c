/* fake_icd.h: an OpenCL driver without hardware, loaded through the real ICD loader, so that tests meet machines we do not have:
 * two drivers for one card, a platform without devices, a device that does not open, memory that fails at first use. */
#ifndef OCLM_TESTS_DEVICE_FAKE_ICD_H
#define OCLM_TESTS_DEVICE_FAKE_ICD_H

#include "device/opencl.h"

#define FAKE_PLATFORMS 3 /* "Fake A", "Fake B", "Fake rusticl" */
#define FAKE_DEVICES   8 /* at most */

typedef struct fake_device {
    int            platform; /* 0 to FAKE_PLATFORMS - 1 */
    const char    *name;
    cl_device_type type;
    bool           unified;
    cl_ulong       global_mem, max_alloc;
    const char    *extensions;
    const char    *version;   /* NULL: "OpenCL 3.0 fake" */
    cl_uint        pci[4];    /* domain, bus, device, function; told with cl_khr_pci_bus_info, and without its domain with
                                 cl_amd_device_attribute_query */
    unsigned char  uuid, driver_uuid; /* repeated 16 times; told with cl_khr_device_uuid */
    bool           unavailable;
    cl_int         open_error; /* of clCreateContext */
    size_t         real_bytes; /* a byte beyond it fails when it is first written; 0: none does */
} fake_device;

/* Exported by the driver: what the machine has from now on. */
typedef void (*fake_icd_set)(const fake_device *devices, size_t count);

#endif
