/* fake_icd_use.h: loads fake_icd.c's driver; to be called before anything else asks for OpenCL. */
#ifndef OCLM_TESTS_DEVICE_FAKE_ICD_USE_H
#define OCLM_TESTS_DEVICE_FAKE_ICD_USE_H

#include <dlfcn.h>
#include <stdlib.h>

#include "device/fake_icd.h"

static fake_icd_set fake_devices;

static inline bool fake_icd_load(void)
{
    union {
        void        *address;
        fake_icd_set function;
    } set;
    setenv("OCL_ICD_VENDORS", FAKE_ICD_FOLDER, 1); /* the loader looks once */
    unsetenv("OCL_ICD_FILENAMES");
    unsetenv("OCLM_DEVICE");
    void *driver = dlopen(FAKE_ICD, RTLD_NOW);
    if (!driver || !(set.address = dlsym(driver, "fake_icd_set_devices"))) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    fake_devices = set.function;
    return true;
}

#endif
