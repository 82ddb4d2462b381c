/* plan.c: what goes where and why, for programs: the placement of model/plan.h with the devices' names. */
#include "api/plan.h"

#include <string.h>

#include "api/api.h"
#include "core/log.h"

static oclm_status note_devices(oclm_plan *plan, dev_device *const *devices, uint32_t count)
{
    plan->indexes = core_alloc_array(count, sizeof *plan->indexes, "a plan's devices");
    plan->names = core_alloc_zero(count, sizeof *plan->names, "a plan's devices");
    if (!plan->indexes || !plan->names)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        const oclm_device_info *info = &dev_get_traits(devices[i])->info;
        plan->indexes[i] = info->index;
        if (!(plan->names[i] = core_copy_string(info->name, "a device's name")))
            return OCLM_ERR_MEMORY;
    }
    return OCLM_OK;
}

oclm_status api_plan_make(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *load, const model_plan_options *asked,
                          oclm_plan **plan)
{
    static const model_map_entry whole = { "", { MODEL_ON_DEVICE, 0 } };
    const model_plan_options     one = { .kind = MODEL_MAP_GIVEN, .entries = &whole, .entry_count = 1 };
    oclm_plan                   *made = core_alloc_zero(1, sizeof *made, "a plan");
    oclm_status                  status;
    *plan = NULL;
    if (!made)
        return OCLM_ERR_MEMORY;
    status = model_plan(folder, devices, count, load, asked ? asked : &one, &made->placement);
    if (status == OCLM_ERR_DEVICE_MEMORY && made->placement.row_count > 0)
        status = (made->problem = core_copy_string(oclm_last_error(), "a message")) ? OCLM_OK : OCLM_ERR_MEMORY;
    if (status == OCLM_OK)
        status = note_devices(made, devices, count);
    if (status == OCLM_OK)
        *plan = made;
    else
        oclm_plan_free(made);
    return status;
}

void oclm_plan_free(oclm_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; plan->names && i < plan->placement.device_count; i++)
        core_free(plan->names[i]);
    core_free(plan->names);
    core_free(plan->indexes);
    core_free(plan->problem);
    model_placement_free(&plan->placement);
    core_free(plan);
}

static const char *place_words(const oclm_plan *plan, const model_place_row *row, core_text *text)
{
    const size_t device = plan->indexes[row->place.device];
    core_text_clear(text);
    if (row->place.kind == MODEL_ON_DEVICE)
        (void)core_text_printf(text, "device %zu (%s)%s", device, plan->names[row->place.device], row->was_cpu ? ", which is faster than \"cpu\"" : "");
    else
        (void)core_text_printf(text, "%s, computed by device %zu (%s)", row->place.kind == MODEL_ON_CPU ? "cpu" : "disk", device, plan->names[row->place.device]);
    return text->data ? text->data : "";
}

void api_plan_log(const oclm_plan *plan)
{
    core_text text = CORE_TEXT_INIT;
    char      weights[32], cache[32];
    for (size_t i = 0; i < plan->placement.row_count; i++) {
        const model_place_row *row = &plan->placement.rows[i];
        core_log(OCLM_LOG_INFO, "device_map: %s: %s of weights, %s of cache on %s%s%s", row->modules, core_format_bytes(row->weight_bytes, weights),
                 core_format_bytes(row->cache_bytes, cache), place_words(plan, row, &text), *row->why ? "; " : "", row->why);
    }
    core_text_free(&text);
}

/* ---- Asking */

const char *oclm_plan_problem(const oclm_plan *plan) { return plan ? plan->problem : NULL; }
const char *oclm_plan_device_map(const oclm_plan *plan) { return plan ? plan->placement.map : NULL; }
uint32_t    oclm_plan_context_length(const oclm_plan *plan) { return plan ? plan->placement.context_length : 0; }
size_t      oclm_plan_row_count(const oclm_plan *plan) { return plan ? plan->placement.row_count : 0; }
size_t      oclm_plan_share_count(const oclm_plan *plan) { return plan ? (size_t)plan->placement.device_count + 2 : 0; }
size_t      oclm_plan_choice_count(const oclm_plan *plan) { return plan ? plan->placement.choice_count : 0; }

static oclm_status check(const char *function, const oclm_plan *plan, size_t index, size_t count, const char *what)
{
    if (!plan)
        return api_missing(function, "plan");
    return index < count ? OCLM_OK : core_fail(OCLM_ERR_ARGUMENT, "%s: index %zu: the plan has %zu %s", function, index, count, what);
}

oclm_status oclm_plan_get_row(const oclm_plan *plan, size_t index, oclm_plan_row *row)
{
    oclm_status status = check("oclm_plan_get_row", plan, index, oclm_plan_row_count(plan), "rows");
    if (status != OCLM_OK || (status = api_result_check(row, sizeof *row, "oclm_plan_row")) != OCLM_OK)
        return status;
    const model_place_row *found = &plan->placement.rows[index];
    const oclm_plan_row    mine = { .modules = found->modules, .place = (oclm_place)found->place.kind, .device_index = plan->indexes[found->place.device],
                                    .device_name = plan->names[found->place.device], .cpu_device = found->was_cpu, .weight_bytes = found->weight_bytes,
                                    .kv_bytes = found->cache_bytes, .why = found->why };
    api_result_write(&mine, sizeof mine, row);
    return OCLM_OK;
}

oclm_status oclm_plan_get_share(const oclm_plan *plan, size_t index, oclm_plan_share *share)
{
    oclm_status status = check("oclm_plan_get_share", plan, index, oclm_plan_share_count(plan), "shares");
    if (status != OCLM_OK || (status = api_result_check(share, sizeof *share, "oclm_plan_share")) != OCLM_OK)
        return status;
    const model_placement *p = &plan->placement;
    const bool             device = index < p->device_count, host = index == p->device_count;
    const model_share     *found = device ? &p->devices[index] : host ? &p->host : &p->disk;
    const oclm_plan_share  mine = { .place = device ? OCLM_PLACE_DEVICE : host ? OCLM_PLACE_CPU : OCLM_PLACE_DISK,
                                    .device_index = device ? plan->indexes[index] : 0, .device_name = device ? plan->names[index] : NULL,
                                    .budget_bytes = found->budget, .weight_bytes = found->weights, .visiting_bytes = found->visiting,
                                    .kv_bytes = found->cache, .workspace_bytes = found->workspace, .used_bytes = found->used, .left_bytes = found->left };
    api_result_write(&mine, sizeof mine, share);
    return OCLM_OK;
}

oclm_status oclm_plan_get_choice(const oclm_plan *plan, size_t index, oclm_plan_choice *choice)
{
    oclm_status status = check("oclm_plan_get_choice", plan, index, oclm_plan_choice_count(plan), "choices");
    if (status != OCLM_OK || (status = api_result_check(choice, sizeof *choice, "oclm_plan_choice")) != OCLM_OK)
        return status;
    const model_choice     found = plan->placement.choices[index];
    const oclm_plan_choice mine = { .words = found.words, .bytes = found.bytes, .fits = found.fits };
    api_result_write(&mine, sizeof mine, choice);
    return OCLM_OK;
}
