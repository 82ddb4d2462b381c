/* opening.c: opens the devices of a model, plans for them and loads onto them. */
#include "api/opening.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/log.h"
#include "device/memory.h"
#include "device/profile.h"

#define MOST_PLANS 8 /* of a model whose devices' drivers refuse what they said they had */

/* One device, as ever. */
static oclm_status open_one(api_opening *opening)
{
    const oclm_model_options *o = opening->options;
    const dev_open_options    open = { .spec = o->device, .budget_bytes = opening->map.count > 0 ? opening->map.budgets[0] : o->max_device_bytes,
                                       .matmul = o->matmul };
    const oclm_status         status = opening->context ? dev_open_on(opening->context, opening->queue, &open, opening->devices) : dev_open(&open, opening->devices);
    opening->count = status == OCLM_OK;
    return status;
}

/* Those of the map, by their indexes. */
static oclm_status open_several(api_opening *opening)
{
    const api_device_map *map = &opening->map;
    dev_open_options     *open = core_alloc_zero(map->count, sizeof *open, "devices to open");
    char                (*specs)[24] = core_alloc_zero(map->count, sizeof *specs, "devices to open");
    oclm_status           status = open && specs ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < map->count && status == OCLM_OK; i++) {
        (void)snprintf(specs[i], sizeof specs[i], "%zu", map->indexes[i]);
        open[i] = (dev_open_options){ .spec = specs[i], .budget_bytes = map->budgets[i], .matmul = opening->options->matmul };
    }
    if (status == OCLM_OK && (status = dev_open_several(open, map->count, opening->devices)) == OCLM_OK)
        opening->count = map->count;
    core_free(open);
    core_free(specs);
    return status;
}

/* Whether "cpu" is better served by the processor's own device is a matter of rates: measured once on each device, and remembered. */
static oclm_status measure(api_opening *opening)
{
    bool processor = false;
    if (opening->count < 2)
        return OCLM_OK;
    for (uint32_t i = 0; i < opening->count; i++)
        processor |= dev_get_traits(opening->devices[i])->info.type == OCLM_DEVICE_CPU;
    if (!processor)
        return OCLM_OK;
    if (!(opening->rates = core_alloc_zero(opening->count, sizeof *opening->rates, "rates of devices")))
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < opening->count; i++) {
        dev_rates         rates;
        const oclm_status status = dev_measure_rates(opening->devices[i], &rates);
        if (status != OCLM_OK)
            return status;
        opening->rates[i] = (model_rates){ .copy = rates.in, .read = rates.own };
    }
    opening->map.plan.rates = opening->rates;
    return OCLM_OK;
}

static oclm_status read_map(api_opening *opening)
{
    const oclm_model_options *o = opening->options;
    dev_list                 *list;
    oclm_status               status = OCLM_OK;
    if (!o->device_map && !o->max_memory)
        return OCLM_OK; /* nobody asks which devices there are */
    if ((status = dev_list_new(&list)) == OCLM_OK) {
        status = api_device_map_read(list, o, &opening->map);
        dev_list_free(list);
    }
    return status;
}

oclm_status api_open(const oclm_model_options *options, api_opening *opening)
{
    oclm_status status;
    opening->options = options;
    if ((status = read_map(opening)) != OCLM_OK)
        return status;
    const uint32_t most = opening->map.count > 0 ? opening->map.count : 1;
    if (!(opening->devices = core_alloc_zero(most, sizeof(dev_device *), "a model's devices")))
        return OCLM_ERR_MEMORY;
    if (!opening->map.given)
        return open_one(opening);
    return (status = open_several(opening)) == OCLM_OK ? measure(opening) : status;
}

oclm_status api_open_on(cl_context context, cl_command_queue queue, const oclm_model_options *options, api_opening *opening)
{
    opening->options = options;
    opening->context = context;
    opening->queue = queue;
    if (options->device_map || options->max_memory)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_model_load_on: %s is \"%.60s\", but the model has the one device of the queue; leave it NULL (max_device_bytes is that "
                         "device's budget), or load with oclm_model_load(), which opens devices itself",
                         options->device_map ? "device_map" : "max_memory", options->device_map ? options->device_map : options->max_memory);
    if (!(opening->devices = core_alloc_zero(1, sizeof(dev_device *), "a model's device")))
        return OCLM_ERR_MEMORY;
    return open_one(opening);
}

void api_opening_end(api_opening *opening)
{
    for (uint32_t i = 0; opening->devices && i < opening->count; i++)
        dev_close(opening->devices[i]);
    core_free(opening->devices);
    core_free(opening->rates);
    api_device_map_free(&opening->map);
}

oclm_status api_opening_plan(api_opening *opening, const char *folder, const model_load_options *how, oclm_plan **plan)
{
    oclm_status status;
    *plan = NULL;
    if (!opening->map.given)
        return OCLM_OK;
    if ((status = api_plan_make(folder, opening->devices, opening->count, how, &opening->map.plan, plan)) != OCLM_OK)
        return status;
    if ((*plan)->problem)
        return core_fail(OCLM_ERR_DEVICE_MEMORY, "%s", (*plan)->problem);
    api_plan_log(*plan);
    return OCLM_OK;
}

/* The weights did not fit on the one device: what would fit is worth its headers read again. Where that is not known, the message stays. */
static oclm_status tell_choices(api_opening *opening, const char *folder, const model_load_options *how)
{
    core_text   text = CORE_TEXT_INIT;
    oclm_plan  *plan = NULL;
    size_t      told;
    const bool  kept = core_text_add_string(&text, oclm_last_error()) == OCLM_OK;
    if (kept && api_plan_make(folder, opening->devices, 1, how, NULL, &plan) == OCLM_OK)
        (void)model_tell_choices(&plan->placement, &text, &told);
    if (kept)
        (void)core_fail(OCLM_ERR_DEVICE_MEMORY, "%s", text.data);
    oclm_plan_free(plan);
    core_text_free(&text);
    return OCLM_ERR_DEVICE_MEMORY;
}

/* Once, by the plan. */
static oclm_status load(api_opening *opening, const char *folder, const model_load_options *how, const oclm_plan *plan, model_model **model)
{
    model_load_options mine = *how;
    oclm_status        status;
    if (plan) {
        mine.placement = &plan->placement;
        mine.offload_folder = opening->options->offload_folder;
        mine.host_bytes = opening->map.plan.host_given ? opening->map.plan.host_limit : 0;
    }
    if ((status = model_load(folder, opening->devices, opening->count, &mine, model)) == OCLM_OK)
        opening->count = 0; /* they are the model's */
    return status;
}

/* Budgets become what drivers gave. False: no driver refused anything. */
static bool lower_budgets(const api_opening *opening)
{
    bool refused = false;
    for (uint32_t i = 0; i < opening->count; i++) {
        const uint64_t given = dev_memory_refused_at(opening->devices[i]);
        if (given == UINT64_MAX)
            continue;
        dev_memory_lower(opening->devices[i], given);
        refused = true;
    }
    return refused;
}

oclm_status api_opening_load(api_opening *opening, const char *folder, const model_load_options *how, oclm_plan **plan, model_model **model)
{
    oclm_status status = load(opening, folder, how, *plan, model);
    if (status == OCLM_ERR_DEVICE_MEMORY && !*plan)
        return tell_choices(opening, folder, how);
    for (int plans = 1; plans < MOST_PLANS && status == OCLM_ERR_DEVICE_MEMORY && lower_budgets(opening); plans++) {
        core_log(OCLM_LOG_WARNING, "%s: what was loaded is freed, and the model is placed anew with no more than the driver gave", oclm_last_error());
        oclm_plan_free(*plan);
        if ((status = api_opening_plan(opening, folder, how, plan)) != OCLM_OK)
            break;
        status = load(opening, folder, how, *plan, model);
    }
    return status;
}
