/* devices.c: the list of OpenCL devices. */
#include "api/api.h"
#include "device/discovery.h"

struct oclm_device_list {
    dev_list *inside;
};

oclm_status oclm_device_list_new(oclm_device_list **list)
{
    oclm_device_list *made;
    oclm_status       status;
    if (!list)
        return api_missing("oclm_device_list_new", "list");
    *list = NULL;
    if (!(made = core_alloc_zero(1, sizeof *made, "a list of devices")))
        return OCLM_ERR_MEMORY;
    if ((status = dev_list_new(&made->inside)) != OCLM_OK)
        core_free(made);
    else
        *list = made;
    return status;
}

size_t oclm_device_list_count(const oclm_device_list *list)
{
    return list ? list->inside->count : 0;
}

oclm_status oclm_device_list_get(const oclm_device_list *list, size_t index, oclm_device_info *info)
{
    oclm_status status;
    if (!list)
        return api_missing("oclm_device_list_get", "list");
    if ((status = api_result_check(info, sizeof *info, "oclm_device_info")) != OCLM_OK)
        return status;
    if (index >= list->inside->count)
        return core_fail(OCLM_ERR_ARGUMENT, "device index %zu: the list has %zu devices", index, list->inside->count);
    api_result_write(&list->inside->entries[index].info, sizeof *info, info);
    return OCLM_OK;
}

void oclm_device_list_free(oclm_device_list *list)
{
    if (!list)
        return;
    dev_list_free(list->inside);
    core_free(list);
}
