/* map_given.c: a device map that names modules. As in transformers the longest name that fits counts; unlike there, a name ends at a dot, so that
 * "model.layers.1" is not model.layers.10. What transformers lets pass and then computes on two devices, a layer or tied weights, stays whole. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/text.h"
#include "model/planner.h"
#include "model/spellings.h"

#define SHOWN 8u /* names in a message */

/* A name without "language_model", which some files and classes have around a language model. */
static void plain_name(const char *name, char plain[MODEL_NAME_SIZE])
{
    static const char part[] = "language_model";
    const size_t      length = strlen(part);
    const char       *at = strstr(name, part);
    if (at == NULL || (at != name && at[-1] != '.') || (at[length] != '.' && at[length] != '\0'))
        (void)snprintf(plain, MODEL_NAME_SIZE, "%s", name);
    else if (at[length] == '\0')
        (void)snprintf(plain, MODEL_NAME_SIZE, "%.*s", (int)(at == name ? 0 : at - name - 1), name);
    else
        (void)snprintf(plain, MODEL_NAME_SIZE, "%.*s%s", (int)(at - name), name, at + length + 1);
}

/* Is a module `outer`, or in it? */
static bool is_within(const char *name, const char *outer)
{
    const size_t length = strlen(outer);
    return length == 0 || (strncmp(name, outer, length) == 0 && (name[length] == '\0' || name[length] == '.'));
}

typedef struct given {
    const model_plan_facts *f;
    char                  (*names)[MODEL_NAME_SIZE]; /* of entries */
    bool                   *known;                   /* [entry_count]: it fits something */
} given;

static uint32_t where_of(const model_map_entry *entry)
{
    return entry->place.kind == MODEL_ON_CPU ? MODEL_HOST : entry->place.kind == MODEL_ON_DISK ? MODEL_DISK : entry->place.device;
}

/* The entry that counts for a module; NULL: none does. */
static const model_map_entry *find_entry(const given *g, const char *module)
{
    const model_map_entry *best = NULL;
    size_t                 length = 0;
    char                   name[MODEL_NAME_SIZE];
    plain_name(module, name);
    for (size_t i = 0; i < g->f->entry_count; i++) {
        if (!is_within(name, g->names[i]))
            continue;
        g->known[i] = true;
        if (best == NULL || strlen(g->names[i]) >= length) {
            best = &g->f->entries[i];
            length = strlen(g->names[i]);
        }
    }
    return best;
}

/* Is there something in a layer that `tail` is the name of, or that is in what it names? By the names of a file's tensors, up to the number of an
 * expert or a head. */
static bool is_in_layers(const model_family *family, const char *tail)
{
    for (size_t i = 0; i < family->name_count; i++) {
        const char *layer = strstr(family->names[i].pattern, "{i}.");
        if (family->names[i].role < MODEL_FIRST_LAYER_ROLE || layer == NULL)
            continue;
        const char  *inner = layer + strlen("{i}.");
        const size_t plain = strcspn(inner, "{"), length = strlen(tail);
        const size_t compared = length < plain ? length : plain;
        if (strncmp(inner, tail, compared) == 0 && (length > plain || inner[length] == '.' || inner[length] == '\0'))
            return true;
    }
    return false;
}

/* Entries for what is inside a layer: all say the same, and the same as what counts for the layer, or it would be split. */
static oclm_status look_inside(const given *g, const char *layer, const model_map_entry **entry)
{
    char a[24], b[24], name[MODEL_NAME_SIZE];
    plain_name(layer, name);
    for (size_t i = 0; i < g->f->entry_count; i++) {
        const model_map_entry *inner = &g->f->entries[i];
        if (strcmp(g->names[i], name) == 0 || !is_within(g->names[i], name))
            continue;
        g->known[i] = g->known[i] || is_in_layers(g->f->family, g->names[i] + strlen(name) + 1);
        if (*entry == NULL)
            *entry = inner;
        if (where_of(*entry) != where_of(inner))
            return core_fail(OCLM_ERR_ARGUMENT, "device_map: \"%s\" goes to %s, but \"%s\" to %s: a layer is not split; name \"%s\" alone",
                             inner->module, model_where_name(g->f, where_of(inner), a), (*entry)->module,
                             model_where_name(g->f, where_of(*entry), b), layer);
    }
    return OCLM_OK;
}

/* What goes with another module, whatever the map says. */
static void tell_parted(const given *g, const char *module, uint32_t wanted, const char *with, uint32_t goes, const char *why, oclm_log_level level)
{
    char a[24], b[24];
    if (wanted != goes && wanted != MODEL_NOWHERE)
        core_log(level, "device_map: \"%s\" goes where \"%s\" goes, to %s, not to %s: %s", module, with, model_where_name(g->f, goes, a),
                 model_where_name(g->f, wanted, b), why);
}

static oclm_status add_missing(core_text *missing, uint32_t *count, const char *name)
{
    if ((*count)++ >= SHOWN)
        return OCLM_OK;
    return core_text_printf(missing, "%s%s", missing->length > 0 ? ", " : "", name);
}

/* Where each node of a unit goes, the unit's first one first: the others follow. */
static oclm_status place_nodes(const given *g, uint32_t *where, core_text *missing, uint32_t *missing_count)
{
    const model_tree *t = g->f->tree;
    oclm_status       status = OCLM_OK;
    for (uint32_t unit = 0; unit < t->unit_count; unit++)
        where[unit] = MODEL_NOWHERE;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < t->modules.count && status == OCLM_OK; i++) {
            const uint32_t unit = t->unit[i];
            const char    *name = t->modules.at[i].name;
            const bool     first = unit != MODEL_NO_UNIT && t->node[unit] == i;
            if (unit == MODEL_NO_UNIT || first != (pass == 0))
                continue;
            const model_map_entry *entry = find_entry(g, name);
            if (unit >= MODEL_UNIT_LAYERS && (status = look_inside(g, name, &entry)) != OCLM_OK)
                break;
            if (entry == NULL && !(t->tied && unit == MODEL_UNIT_HEAD && first))
                status = add_missing(missing, missing_count, name);
            else if (entry == NULL)
                continue; /* the embedding's */
            else if (first)
                where[unit] = where_of(entry);
            else if (where[unit] != MODEL_NOWHERE)
                tell_parted(g, name, where_of(entry), t->modules.at[t->node[unit]].name, where[unit], "they are computed together", OCLM_LOG_INFO);
        }
    }
    return status;
}

/* Names that fit nothing: parts that oclm does not load are none of them. */
static void tell_unknown(const given *g)
{
    const model_modules *m = &g->f->tree->modules;
    for (size_t i = 0; i < g->f->entry_count; i++) {
        char name[MODEL_NAME_SIZE + 1];
        bool known = g->known[i];
        (void)snprintf(name, sizeof name, "%s.", g->names[i]);
        for (uint32_t node = 0; node < m->count && !known; node++) { /* modules without weights */
            char plain[MODEL_NAME_SIZE];
            plain_name(m->at[node].name, plain);
            known = strcmp(plain, g->names[i]) == 0;
        }
        if (!known && !model_name_is_foreign(name))
            core_log(OCLM_LOG_WARNING, "device_map: \"%s\" names no module of this model, which has %s, %s and so on", g->f->entries[i].module,
                     m->at[g->f->tree->node[MODEL_UNIT_EMBEDDING]].name, m->at[g->f->tree->node[MODEL_UNIT_LAYERS]].name);
    }
}

static oclm_status read_map(given *g, uint32_t *where)
{
    const model_tree *t = g->f->tree;
    core_text         missing = CORE_TEXT_INIT;
    uint32_t          count = 0;
    oclm_status       status = OCLM_OK;
    for (size_t i = 0; i < g->f->entry_count; i++)
        plain_name(g->f->entries[i].module, g->names[i]);
    status = place_nodes(g, where, &missing, &count);
    if (status == OCLM_OK)
        tell_unknown(g);
    if (status == OCLM_OK && count > 0 && count <= SHOWN)
        status = core_fail(OCLM_ERR_ARGUMENT, "device_map says nothing of %s; name a place for each, or with \"\" for all that has none", missing.data);
    else if (status == OCLM_OK && count > 0)
        status = core_fail(OCLM_ERR_ARGUMENT, "device_map says nothing of %s and %u more; name a place for each, or with \"\" for all that has none",
                           missing.data, count - SHOWN);
    if (status == OCLM_OK && t->tied) {
        tell_parted(g, t->modules.at[t->node[MODEL_UNIT_HEAD]].name, where[MODEL_UNIT_HEAD], t->modules.at[t->node[MODEL_UNIT_EMBEDDING]].name,
                    where[MODEL_UNIT_EMBEDDING], "their weights are the same", OCLM_LOG_WARNING);
        where[MODEL_UNIT_HEAD] = where[MODEL_UNIT_EMBEDDING];
    }
    core_text_free(&missing);
    return status;
}

oclm_status model_map_given(const model_plan_facts *facts, uint32_t *where)
{
    given       g = { .f = facts };
    oclm_status status = OCLM_ERR_MEMORY;
    g.names = core_alloc_array(facts->entry_count, sizeof *g.names, "the names of a device map");
    g.known = core_alloc_zero(facts->entry_count, sizeof *g.known, "the names of a device map");
    if (g.names != NULL && g.known != NULL)
        status = read_map(&g, where);
    core_free(g.names);
    core_free(g.known);
    return status;
}
