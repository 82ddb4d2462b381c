/* unknown_type.c: what to say of a model_type that no family has: which there are, and which of them read every key of this config.json
 * that means anything to any family. That is a fact about keys; whether the model computes the same nobody can tell from here. */
#include "model/unknown_type.h"

#include <string.h>

#include "core/memory.h"

#define MAX_ALIKE 6  /* families named in a message */
#define MAX_KEYS 200 /* of a config.json that are tried */

/* Whether the family can make sense of the tree. Messages it writes on the way are of no interest. */
static bool reads(const model_family *family, const cJSON *config, model_architecture *scratch)
{
    memset(scratch, 0, sizeof *scratch);
    return family->read_config(config, "", scratch) == OCLM_OK;
}

/* Whether a family looks at a key: it stumbles over nonsense there. `item` is changed and restored. */
static bool looks_at(const model_family *family, const cJSON *config, cJSON *item, model_architecture *scratch)
{
    static char  nonsense[] = "?";
    const cJSON  kept = *item;
    item->type = cJSON_String;
    item->valuestring = nonsense;
    item->child = NULL;
    const bool stumbles = !reads(family, config, scratch);
    item->type = kept.type;
    item->valuestring = kept.valuestring;
    item->child = kept.child;
    return stumbles;
}

static size_t count_families(void)
{
    size_t count = 0;
    while (model_family_at(count) != NULL)
        count++;
    return count;
}

/* Fills looked[family][key] and tells for each key whether any family looks at it. */
static void try_keys(cJSON *config, size_t families, bool *looked, bool *any, model_architecture *scratch)
{
    for (size_t f = 0; f < families; f++) {
        const model_family *family = model_family_at(f);
        const bool          usable = reads(family, config, scratch);
        size_t              k = 0;
        for (cJSON *item = config->child; item != NULL && k < MAX_KEYS; item = item->next, k++) {
            looked[f * MAX_KEYS + k] = usable && item->type != cJSON_NULL && looks_at(family, config, item, scratch);
            any[k] |= looked[f * MAX_KEYS + k];
        }
    }
}

static bool looks_at_all(const bool *looked, const bool *any)
{
    bool all = true, one = false;
    for (size_t k = 0; k < MAX_KEYS; k++) {
        all = all && (looked[k] || !any[k]);
        one = one || looked[k];
    }
    return all && one;
}

static oclm_status list_alike(const bool *looked, const bool *any, size_t families, core_text *list)
{
    oclm_status status = OCLM_OK;
    size_t      count = 0;
    for (size_t f = 0; f < families && status == OCLM_OK; f++) {
        if (!looks_at_all(looked + f * MAX_KEYS, any))
            continue;
        if (count++ < MAX_ALIKE)
            status = core_text_printf(list, "%s%s", count > 1 ? ", " : "", model_family_at(f)->model_type);
    }
    if (status == OCLM_OK && count > MAX_ALIKE)
        status = core_text_printf(list, " and %zu more", count - MAX_ALIKE);
    return status;
}

static oclm_status find_alike(const cJSON *config, core_text *list)
{
    const size_t        families = count_families();
    cJSON              *copy = cJSON_Duplicate(config, true); /* keys take nonsense in turn */
    bool               *looked = core_alloc_zero(families * MAX_KEYS + MAX_KEYS, sizeof *looked, "keys of families");
    model_architecture *scratch = core_alloc_zero(1, sizeof *scratch, "an architecture");
    oclm_status         status = looked == NULL || scratch == NULL ? OCLM_ERR_MEMORY : OCLM_OK;
    if (copy == NULL)
        status = core_fail(OCLM_ERR_MEMORY, "no memory for a copy of the configuration");
    if (status == OCLM_OK) {
        try_keys(copy, families, looked, looked + families * MAX_KEYS, scratch);
        status = list_alike(looked, looked + families * MAX_KEYS, families, list);
    }
    core_free(scratch);
    core_free(looked);
    cJSON_Delete(copy);
    return status;
}

oclm_status model_refuse_type(const cJSON *config, const char *model_type, const char *origin)
{
    core_text   supported = CORE_TEXT_INIT, alike = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; model_family_at(i) != NULL && status == OCLM_OK; i++)
        status = core_text_printf(&supported, "%s%s", i > 0 ? ", " : "", model_family_at(i)->model_type);
    if (status == OCLM_OK)
        status = find_alike(config, &alike);
    if (status == OCLM_OK && model_type == NULL)
        status = core_fail(OCLM_ERR_FORMAT, "%s has no \"model_type\", which tells how to read a model; supported are %s", origin, supported.data);
    else if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: model_type \"%.60s\" is not supported%s%s%s; supported are %s", origin, model_type,
                           alike.length > 0 ? "; its keys are all known to " : "", alike.length > 0 ? alike.data : "",
                           alike.length > 0 ? ", which does not mean that it computes the same" : "", supported.data);
    core_text_free(&supported);
    core_text_free(&alike);
    return status;
}
