/* device_map.c: reads device_map and max_memory, and chooses the devices to open: those that are named, or for computed maps all that there are. */
#include "api/device_map.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "core/platform.h"

#define MOST_ENTRIES 10000u
#define MOST_TEXT ((size_t)4 << 20)

/* Where an entry of a map goes: to the host, to files, or to a device of the list. */
typedef struct target {
    model_place_kind kind;
    size_t           index;
} target;

typedef struct reading {
    const dev_list *list;
    const oclm_model_options *options;
    api_device_map *map;
    target         *targets;   /* [map->plan.entry_count] */
    uint64_t       *limits;    /* [list->count] of max_memory; MODEL_UNLISTED */
    bool           *open;      /* [list->count] */
    bool            limited;   /* max_memory is there */
    size_t          limit_count; /* devices it names */
} reading;

static const char words[] = "\"auto\", \"balanced\", \"balanced_low_0\", \"sequential\", \"cpu\", \"disk\"";

/* ---- Devices */

/* "-1": transformers' own special case, and everybody's idea of the processor. */
static bool is_negative(const char *spec) { return spec[0] == '-' && isdigit((unsigned char)spec[1]); }

/* `where`: the option, and its part, for messages. */
static oclm_status find_device(const reading *r, const char *where, const char *spec, size_t *index)
{
    if (!*spec)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: a device's name is empty; give an index, \"platform:device\", part of a name, \"cpu\" or \"disk\"", where);
    if (is_negative(spec))
        return core_fail(OCLM_ERR_ARGUMENT, "%s: device %.40s: devices count from 0 on (oclm devices lists them); the host's memory is \"cpu\"", where, spec);
    const oclm_status status = dev_list_choose(r->list, spec, index);
    return status == OCLM_OK ? OCLM_OK : core_fail_in(status, "%s", where);
}

static oclm_status read_target(const reading *r, const char *where, const char *spec, target *t)
{
    *t = (target){ strcmp(spec, "cpu") == 0 ? MODEL_ON_CPU : strcmp(spec, "disk") == 0 ? MODEL_ON_DISK : MODEL_ON_DEVICE, 0 };
    return t->kind == MODEL_ON_DEVICE ? find_device(r, where, spec, &t->index) : OCLM_OK;
}

/* ---- device_map */

static oclm_status make_entries(reading *r, size_t count)
{
    model_plan_options *plan = &r->map->plan;
    plan->kind = MODEL_MAP_GIVEN;
    plan->entries = core_alloc_zero(count, sizeof *plan->entries, "a device map");
    r->map->modules = core_alloc_zero(count, sizeof *r->map->modules, "a device map");
    r->targets = core_alloc_zero(count, sizeof *r->targets, "a device map");
    plan->entry_count = count;
    return plan->entries && r->map->modules && r->targets ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status read_whole(reading *r, const char *spec)
{
    char        where[240];
    oclm_status status = make_entries(r, 1);
    if (status != OCLM_OK)
        return status;
    if (!(r->map->modules[0] = core_copy_string("", "a device map")))
        return OCLM_ERR_MEMORY;
    if (is_negative(spec))
        (void)snprintf(where, sizeof where, "device_map");
    else
        (void)snprintf(where, sizeof where, "device_map is \"%.60s\", which is none of %s and no JSON", spec, words);
    return read_target(r, where, spec, &r->targets[0]);
}

static bool is_repeated(const cJSON *item, const cJSON *first)
{
    for (; first != item; first = first->next)
        if (strcmp(first->string, item->string) == 0)
            return true;
    return false;
}

static oclm_status read_entry(reading *r, size_t at, const cJSON *item)
{
    char where[120], number[16];
    (void)snprintf(where, sizeof where, "device_map: \"%.80s\"", item->string);
    if (!(r->map->modules[at] = core_copy_string(item->string, "a device map")))
        return OCLM_ERR_MEMORY;
    if (cJSON_IsString(item))
        return read_target(r, where, item->valuestring, &r->targets[at]);
    if (!core_json_is_whole(item, INT32_MIN, INT32_MAX)) {
        (void)core_json_wrong(item, item->string, "device_map", "the index of a device, or \"cpu\", \"disk\", \"platform:device\" or part of a device's name");
        return OCLM_ERR_ARGUMENT;
    }
    (void)snprintf(number, sizeof number, "%.0f", item->valuedouble);
    return read_target(r, where, number, &r->targets[at]);
}

/* A JSON object of an option. */
static oclm_status read_object(const char *option, const char *text, const char *like, cJSON **tree)
{
    const size_t length = strlen(text);
    *tree = NULL;
    if (length > MOST_TEXT)
        return core_fail(OCLM_ERR_ARGUMENT, "%s has %zu bytes; at most %zu are read", option, length, MOST_TEXT);
    oclm_status status = core_json_parse(text, length, option, tree);
    if (status == OCLM_OK && (!cJSON_IsObject(*tree) || !(*tree)->child))
        status = core_fail(OCLM_ERR_ARGUMENT, "%s: \"%.60s\" is %s; give one as %s", option, text, cJSON_IsObject(*tree) ? "an empty object" : "no JSON object", like);
    else if (status == OCLM_ERR_FORMAT) /* what is wrong, but not the way out, which is a file's */
        status = core_fail(OCLM_ERR_ARGUMENT, "%.*s; give JSON such as %s", (int)strcspn(oclm_last_error(), ";"), oclm_last_error(), like);
    for (const cJSON *item = status == OCLM_OK ? (*tree)->child : NULL; item; item = item->next)
        if (is_repeated(item, (*tree)->child))
            return core_fail(OCLM_ERR_ARGUMENT, "%s: \"%.80s\" stands there twice; keep one", option, item->string);
    return status;
}

static oclm_status read_map(reading *r, const char *text)
{
    cJSON      *tree;
    size_t      at = 0;
    oclm_status status = read_object("device_map", text, "{\"model\": 0, \"lm_head\": \"cpu\"}", &tree);
    if (status == OCLM_OK && cJSON_GetArraySize(tree) > (int)MOST_ENTRIES)
        status = core_fail(OCLM_ERR_ARGUMENT, "device_map has %d entries; at most %u are read: name whole parts, as \"model.layers.0\"", cJSON_GetArraySize(tree), MOST_ENTRIES);
    if (status == OCLM_OK)
        status = make_entries(r, (size_t)cJSON_GetArraySize(tree));
    for (const cJSON *item = status == OCLM_OK ? tree->child : NULL; item && status == OCLM_OK; item = item->next)
        status = read_entry(r, at++, item);
    cJSON_Delete(tree);
    return status;
}

static oclm_status read_device_map(reading *r, const char *text)
{
    static const struct { const char *word; model_map_kind kind; } computed[] = {
        { "auto", MODEL_MAP_BALANCED }, { "balanced", MODEL_MAP_BALANCED }, { "balanced_low_0", MODEL_MAP_BALANCED_LOW_0 },
        { "sequential", MODEL_MAP_SEQUENTIAL },
    };
    for (size_t i = 0; i < COUNT(computed); i++)
        if (strcmp(text, computed[i].word) == 0) {
            r->map->plan.kind = computed[i].kind;
            return OCLM_OK;
        }
    if (text[0] == '{' || text[0] == '[')
        return read_map(r, text);
    if (!*text)
        return core_fail(OCLM_ERR_ARGUMENT, "device_map is empty; give one of %s, a device, or JSON; NULL is one device", words);
    return read_whole(r, text);
}

/* ---- max_memory */

static oclm_status read_limit(const cJSON *item, uint64_t *bytes)
{
    if (cJSON_IsString(item))
        return api_size_read(item->string, item->valuestring, bytes);
    if (!core_json_is_whole(item, 0, 0x1p62)) {
        (void)core_json_wrong(item, item->string, "max_memory", "a whole number of bytes, or text such as \"10GiB\", \"1.5GB\" or \"800MB\"");
        return OCLM_ERR_ARGUMENT;
    }
    *bytes = (uint64_t)item->valuedouble;
    return OCLM_OK;
}

static oclm_status read_limit_of(reading *r, const cJSON *item)
{
    uint64_t    bytes;
    size_t      index;
    oclm_status status = read_limit(item, &bytes);
    if (status != OCLM_OK || strcmp(item->string, "disk") == 0)
        return status;
    if (strcmp(item->string, "cpu") == 0) {
        r->map->plan.host_given = true;
        r->map->plan.host_limit = bytes;
        return OCLM_OK;
    }
    if ((status = find_device(r, "max_memory", item->string, &index)) != OCLM_OK)
        return status;
    if (r->limits[index] != MODEL_UNLISTED)
        return core_fail(OCLM_ERR_ARGUMENT, "max_memory: \"%.60s\" is device %zu, which stands there already; keep one", item->string, index);
    r->limits[index] = bytes;
    r->limit_count++;
    return OCLM_OK;
}

static oclm_status read_max_memory(reading *r, const char *text)
{
    cJSON      *tree;
    oclm_status status = read_object("max_memory", text, "{\"0\": \"2GiB\", \"cpu\": \"8GiB\"} (one size for each device is max_device_bytes)", &tree);
    r->limited = true;
    for (const cJSON *item = status == OCLM_OK ? tree->child : NULL; item && status == OCLM_OK; item = item->next)
        status = read_limit_of(r, item);
    cJSON_Delete(tree);
    return status;
}

/* ---- Which devices */

/* Those for computed maps: named by max_memory, or all that are worth it. Where max_memory names none, the best computes for the host. */
static oclm_status open_all(reading *r)
{
    size_t *indexes, count;
    bool    any = false;
    for (size_t i = 0; i < r->list->count; i++)
        any |= r->open[i] = r->limits[i] != MODEL_UNLISTED && r->limits[i] > 0;
    if (any)
        return OCLM_OK;
    if (!(indexes = core_alloc_array(r->list->count, sizeof *indexes, "a list of devices")))
        return OCLM_ERR_MEMORY;
    count = dev_list_several(r->list, indexes);
    for (size_t i = 0; i < (r->limited && count > 0 ? 1 : count); i++)
        r->open[indexes[i]] = true;
    core_free(indexes);
    return count > 0 ? OCLM_OK : dev_list_choose(r->list, NULL, &count); /* which says what to install */
}

/* Those of a given map; and where all is on the host or on disk, the one that computes. */
static oclm_status open_named(reading *r)
{
    bool        any = false, host = false;
    size_t      index;
    oclm_status status;
    for (size_t i = 0; i < r->map->plan.entry_count; i++) {
        host |= r->targets[i].kind == MODEL_ON_CPU;
        if (r->targets[i].kind == MODEL_ON_DEVICE)
            any = r->open[r->targets[i].index] = true;
    }
    if (!any) {
        if ((status = dev_list_choose(r->list, NULL, &index)) != OCLM_OK)
            return status;
        r->open[index] = true;
    }
    for (size_t i = 0; i < r->list->count && host; i++) { /* it may be faster than the way to another device */
        const oclm_device_info *info = &r->list->entries[i].info;
        if (info->type == OCLM_DEVICE_CPU && !info->unusable) {
            r->open[i] = true;
            host = false;
        }
    }
    return OCLM_OK;
}

/* Everything as the plan wants it: positions among the opened devices in place of indexes of the list. */
static oclm_status arrange(reading *r)
{
    api_device_map     *map = r->map;
    model_map_entry    *entries = (model_map_entry *)(uintptr_t)map->plan.entries; /* this struct's own */
    uint64_t           *limits;
    for (size_t i = 0; i < r->list->count; i++)
        map->count += r->open[i];
    map->indexes = core_alloc_array(map->count, sizeof *map->indexes, "a list of devices");
    map->budgets = core_alloc_array(map->count, sizeof *map->budgets, "a list of devices");
    limits = core_alloc_array(map->count, sizeof *limits, "a list of devices");
    map->plan.device_limits = limits;
    if (!map->indexes || !map->budgets || !limits)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0, at = 0; i < r->list->count; i++) {
        if (!r->open[i])
            continue;
        const bool listed = r->limits[i] != MODEL_UNLISTED;
        map->indexes[at] = i;
        map->budgets[at] = listed && r->limits[i] > 0 ? r->limits[i] : r->options->max_device_bytes;
        limits[at] = r->limits[i];
        for (size_t e = 0; e < map->plan.entry_count; e++)
            if (r->targets[e].kind == MODEL_ON_DEVICE && r->targets[e].index == i)
                entries[e].place = (model_place){ MODEL_ON_DEVICE, (uint32_t)at };
        at++;
    }
    for (size_t e = 0; e < map->plan.entry_count; e++) {
        entries[e].module = map->modules[e];
        if (r->targets[e].kind != MODEL_ON_DEVICE)
            entries[e].place = (model_place){ r->targets[e].kind, 0 };
    }
    if (!r->limited) {
        map->plan.device_limits = NULL;
        core_free(limits);
    }
    return OCLM_OK;
}

/* max_memory without a map: the one device's budget. */
static oclm_status arrange_one(reading *r)
{
    size_t      index;
    oclm_status status = dev_list_choose(r->list, r->options->device, &index);
    if (status != OCLM_OK)
        return status;
    if (r->limit_count != 1 || r->limits[index] == MODEL_UNLISTED || r->map->plan.host_given)
        return core_fail(OCLM_ERR_ARGUMENT, "max_memory names %s, but without a device_map device %zu is used alone; add device_map \"auto\" (--device-map auto), or name "
                         "that device only", r->limit_count == 0 ? "no device" : "other places", index);
    if (r->limits[index] == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "max_memory gives device %zu nothing, and without a device_map it is used alone", index);
    r->open[index] = true;
    return arrange(r);
}

/* ---- All of it */

static oclm_status check_options(const oclm_model_options *o)
{
    if (o->device_map && o->device)
        return core_fail(OCLM_ERR_ARGUMENT, "device is \"%.60s\" and device_map is \"%.60s\"; choose one (a device is a device_map too)", o->device, o->device_map);
    if (o->max_memory && o->max_device_bytes)
        return core_fail(OCLM_ERR_ARGUMENT, "max_memory and max_device_bytes (%" PRIu64 ") are both given; choose one", o->max_device_bytes);
    return OCLM_OK;
}

static const char *trimmed(const char *text) { return text ? text + strspn(text, " \t\r\n") : NULL; }

/* Python's None, as JSON has it and as Python prints it. */
static bool is_none(const char *text) { return !text || strcmp(text, "null") == 0 || strcmp(text, "None") == 0; }

oclm_status api_device_map_read(const dev_list *list, const oclm_model_options *options, api_device_map *map)
{
    const char *text = trimmed(options->device_map), *memory = trimmed(options->max_memory);
    reading     r = { .list = list, .options = options, .map = map };
    oclm_status status;
    memset(map, 0, sizeof *map);
    map->plan.context_length = options->context_length;
    map->given = !is_none(text);
    if (!map->given && is_none(memory))
        return OCLM_OK;
    r.limits = core_alloc_array(list->count, sizeof *r.limits, "a list of devices");
    r.open = core_alloc_zero(list->count, sizeof *r.open, "a list of devices");
    status = r.limits && r.open ? check_options(options) : OCLM_ERR_MEMORY;
    for (size_t i = 0; status == OCLM_OK && i < list->count; i++)
        r.limits[i] = MODEL_UNLISTED;
    if (status == OCLM_OK && !is_none(memory))
        status = read_max_memory(&r, memory);
    if (status == OCLM_OK && !map->given)
        status = arrange_one(&r);
    else if (status == OCLM_OK && (status = read_device_map(&r, text)) == OCLM_OK) {
        status = map->plan.kind == MODEL_MAP_GIVEN ? open_named(&r) : open_all(&r);
        if (status == OCLM_OK)
            status = arrange(&r);
    }
    core_free(r.targets);
    core_free(r.limits);
    core_free(r.open);
    if (status != OCLM_OK)
        api_device_map_free(map);
    return status;
}

void api_device_map_free(api_device_map *map)
{
    for (size_t i = 0; map->modules && i < map->plan.entry_count; i++)
        core_free(map->modules[i]);
    core_free(map->modules);
    core_free((void *)(uintptr_t)map->plan.entries);
    core_free((void *)(uintptr_t)map->plan.device_limits);
    core_free(map->indexes);
    core_free(map->budgets);
    memset(map, 0, sizeof *map);
}
