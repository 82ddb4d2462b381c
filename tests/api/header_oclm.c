/* oclm.h stands on its own as C11, and needs no OpenCL header. */
#include <oclm/oclm.h>

#if defined(CL_SUCCESS)
#error "oclm.h includes OpenCL"
#endif

oclm_status header_is_usable(const char *path);
oclm_status header_is_usable(const char *path)
{
    oclm_model *model;
    oclm_model_options options;
    oclm_model_options_init(&options, sizeof options);
    return oclm_model_load(path, &options, &model);
}
