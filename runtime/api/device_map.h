/* device_map.h: what oclm_model_options.device_map and max_memory say, read against the devices there are: which of them are to be opened, with
 * which budgets, and what model_plan() is asked then. The texts end here: model/ knows numbers alone. */
#ifndef OCLM_API_DEVICE_MAP_H
#define OCLM_API_DEVICE_MAP_H

#include "device/discovery.h"
#include "model/plan.h"

typedef struct api_device_map {
    bool               given;   /* false: one device, nothing to plan */
    size_t            *indexes; /* [count] of the list's devices, in the order in which they are opened and filled */
    uint64_t          *budgets; /* [count] bytes; 0: the default */
    uint32_t           count;
    model_plan_options plan;    /* its lists belong to this struct; without rates */
    char             **modules; /* [plan.entry_count] the entries' names */
} api_device_map;

/* Reads the options. On failure `map` is empty.
 * Errors: OCLM_ERR_ARGUMENT (which option, which value, what there is), OCLM_ERR_NO_DEVICE (a device that is not there; which there are),
 *         OCLM_ERR_MEMORY. JSON that is none is an argument too. */
oclm_status api_device_map_read(const dev_list *list, const oclm_model_options *options, api_device_map *map);
void        api_device_map_free(api_device_map *map); /* leaves it empty */

/* "10GiB", "1.5GB", "8000Mb": as transformers' max_memory. OCLM_ERR_ARGUMENT naming `key`. */
oclm_status api_size_read(const char *key, const char *text, uint64_t *bytes);

#endif
