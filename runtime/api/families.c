/* families.c: the list of model families. */
#include "api/api.h"
#include "model/architecture.h"

size_t oclm_family_count(void)
{
    size_t count = 0;
    while (model_family_at(count) != NULL)
        count++;
    return count;
}

oclm_status oclm_family_get(size_t index, oclm_family_info *info)
{
    const model_family *family = model_family_at(index);
    oclm_status         status = api_result_check(info, sizeof *info, "oclm_family_info");
    if (status != OCLM_OK)
        return status;
    if (family == NULL)
        return core_fail(OCLM_ERR_ARGUMENT, "family index %zu: there are %zu families", index, oclm_family_count());
    const oclm_family_info mine = { sizeof mine, family->model_type, family->class_name, family->limits };
    api_result_write(&mine, sizeof mine, info);
    return OCLM_OK;
}
