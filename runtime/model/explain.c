/* explain.c: a placement in words: a row for each module or run of layers, and why it ends where it does. */
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "model/planner.h"

const char *model_where_name(const model_plan_facts *f, uint32_t where, char into[24])
{
    if (where < MODEL_HOST)
        (void)snprintf(into, 24, "device %u", f->sites[where].number);
    else
        (void)snprintf(into, 24, "%s", where == MODEL_HOST ? "cpu" : "disk");
    return into;
}

/* ---- Reasons */

static oclm_status add_bytes(core_text *text, uint64_t bytes, const char *what)
{
    char number[32];
    return bytes > 0 ? core_text_printf(text, ", %s %s", core_format_bytes(bytes, number), what) : OCLM_OK;
}

static oclm_status add_share(core_text *text, const model_plan_facts *f, const model_share *share, uint32_t where)
{
    char        name[24], number[32];
    oclm_status status = core_text_printf(text, "%s: ", model_where_name(f, where, name));
    if (status != OCLM_OK)
        return status;
    status = share->budget == UINT64_MAX ? core_text_add_string(text, "no limit")
                                         : core_text_printf(text, "%s budget", core_format_bytes(share->budget, number));
    if (status != OCLM_OK || (status = add_bytes(text, share->cache, "KV")) != OCLM_OK ||
        (status = add_bytes(text, share->workspace, "workspace")) != OCLM_OK || (status = add_bytes(text, share->visiting, "for visiting layers")) != OCLM_OK ||
        (status = core_text_printf(text, ", %s used", core_format_bytes(share->used, number))) != OCLM_OK)
        return status;
    return share->next > 0 ? core_text_printf(text, ", the next needs %s", core_format_bytes(share->next, number)) : OCLM_OK;
}

/* Whether units of the host are read there or copied to a device. */
static oclm_status add_rates(core_text *text, const model_plan_facts *f, const model_place *place)
{
    const model_plan_site *site = &f->sites[place->device];
    char                   number[32];
    if (place->kind != MODEL_ON_DEVICE)
        return core_text_printf(text, "; visits device %u", site->number);
    return site->rates.read > 0.0 ? core_text_printf(text, "; device %u, on the host's processor, reads %s a second", site->number,
                                                     core_format_bytes((uint64_t)site->rates.read, number))
                                  : core_text_printf(text, "; device %u is on the host's processor", site->number);
}

static oclm_status explain(const model_plan_facts *f, const model_placement *p, uint32_t where, const model_place *place, char **why)
{
    core_text          text = CORE_TEXT_INIT;
    const model_share *share = where < MODEL_HOST ? &p->devices[where] : where == MODEL_DISK ? &p->disk
                               : place->kind == MODEL_ON_DEVICE ? &p->devices[place->device] : &p->host;
    oclm_status        status = add_share(&text, f, share, where);
    if (status == OCLM_OK && where >= MODEL_HOST)
        status = add_rates(&text, f, place);
    if (status == OCLM_OK)
        *why = core_text_take(&text, NULL);
    core_text_free(&text);
    return status == OCLM_OK && *why == NULL ? OCLM_ERR_MEMORY : status;
}

/* ---- Rows */

/* All modules of a unit that is no layer: "model.norm, lm_head". */
static oclm_status name_unit(const model_tree *t, uint32_t unit, core_text *text)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < t->modules.count && status == OCLM_OK; i++) {
        if (t->unit[i] == unit)
            status = core_text_printf(text, "%s%s", text->length > 0 ? ", " : "", t->modules.at[i].name);
    }
    return status;
}

static oclm_status name_row(const model_tree *t, uint32_t unit, uint32_t count, char **modules)
{
    core_text      text = CORE_TEXT_INIT;
    const uint32_t layer = unit - MODEL_UNIT_LAYERS;
    oclm_status    status = unit < MODEL_UNIT_LAYERS ? name_unit(t, unit, &text) : core_text_add_string(&text, t->modules.at[t->node[unit]].name);
    if (status == OCLM_OK && count > 1)
        status = core_text_printf(&text, "-%u", layer + count - 1);
    if (status == OCLM_OK)
        *modules = core_text_take(&text, NULL);
    core_text_free(&text);
    return status == OCLM_OK && *modules == NULL ? OCLM_ERR_MEMORY : status;
}

/* Units in the order of a pass. */
static uint32_t unit_at(const model_tree *t, uint32_t i)
{
    return i == 0 ? MODEL_UNIT_EMBEDDING : i + 1 == t->unit_count ? MODEL_UNIT_HEAD : MODEL_UNIT_LAYERS + i - 1;
}

static oclm_status add_row(const model_plan_facts *f, const uint32_t *where, uint32_t unit, uint32_t count, model_placement *p)
{
    model_place_row *row = &p->rows[p->row_count++];
    row->place = model_place_of(p, unit);
    row->units = count;
    row->was_cpu = where[unit] == MODEL_HOST && row->place.kind == MODEL_ON_DEVICE;
    for (uint32_t i = unit; i < unit + count; i++) {
        row->weight_bytes += f->units[i].bytes;
        row->cache_bytes += f->cache[i];
    }
    const oclm_status status = name_row(f->tree, unit, count, &row->modules);
    return status == OCLM_OK ? explain(f, p, where[unit], &row->place, &row->why) : status;
}

/* A reason that a later row tells as well is left to that. */
static void drop_repeated(model_placement *p)
{
    for (size_t i = 0; i + 1 < p->row_count; i++) {
        bool later = false;
        for (size_t j = i + 1; j < p->row_count && !later; j++)
            later = strcmp(p->rows[i].why, p->rows[j].why) == 0;
        if (later)
            p->rows[i].why[0] = '\0';
    }
}

oclm_status model_explain(const model_plan_facts *f, const uint32_t *where, model_placement *p)
{
    const uint32_t units = f->tree->unit_count;
    oclm_status    status = OCLM_OK;
    p->rows = core_alloc_zero(units, sizeof *p->rows, "the rows of a plan");
    if (p->rows == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0, count; i < units && status == OCLM_OK; i += count) {
        const uint32_t unit = unit_at(f->tree, i);
        count = 1;
        while (unit >= MODEL_UNIT_LAYERS && unit + count < units && where[unit + count] == where[unit])
            count++;
        status = add_row(f, where, unit, count, p);
    }
    if (status == OCLM_OK)
        drop_repeated(p);
    return status;
}
