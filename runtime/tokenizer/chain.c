/* chain.c: from a component of tokenizer.json to its steps, for every stage alike. */
#include <string.h>

#include "tokenizer/pipeline.h"

static void free_step(tok_step *step)
{
    if (step != NULL && step->free != NULL)
        step->free(step);
    else
        core_free(step);
}

void tok_chain_deinit(tok_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        free_step(chain->steps[i]);
    core_free(chain->steps);
    chain->steps = NULL;
    chain->count = 0;
}

oclm_status tok_step_copy(const void *made, size_t bytes, tok_step **step)
{
    *step = core_copy(made, bytes, "a step of a tokenizer");
    return *step != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

oclm_status tok_chain_add(tok_chain *chain, tok_step *step, const char *where)
{
    tok_step **steps;
    if (chain->count == TOK_MAX_STEPS) {
        free_step(step);
        return core_fail(OCLM_ERR_FORMAT, "%s: more than the %d steps allowed", where, TOK_MAX_STEPS);
    }
    if ((steps = core_realloc_array(chain->steps, chain->count + 1, sizeof *steps, "a tokenizer's steps")) == NULL) {
        free_step(step);
        return OCLM_ERR_MEMORY;
    }
    chain->steps = steps;
    steps[chain->count++] = step;
    return OCLM_OK;
}

static oclm_status unsupported(const tok_stage *stage, const char *type, const char *where)
{
    core_text known = CORE_TEXT_INIT;
    oclm_status status = core_text_add_string(&known, "Sequence");
    for (size_t i = 0; i < stage->count && status == OCLM_OK; i++)
        status = core_text_printf(&known, ", %s", stage->components[i].type);
    if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: type \"%s\" is not supported; a %s may be %s", where, type,
                           stage->key, known.data);
    core_text_free(&known);
    return status;
}

/* `where` is the component's place, such as "tokenizer.json: pre_tokenizer.pretokenizers[1]". */
static oclm_status read_component(tok_chain *chain, const tok_stage *stage, const cJSON *config, const char *where)
{
    const char *type = NULL;
    tok_step *step = NULL;
    oclm_status status;
    if (!cJSON_IsObject(config))
        return core_fail(OCLM_ERR_FORMAT, "%s: is not an object with a \"type\"", where);
    if ((status = core_json_get_string(config, "type", where, &type)) != OCLM_OK)
        return status;
    if (type == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: has no \"type\"", where);
    if (strcmp(type, "Sequence") == 0) {
        const cJSON *list = core_json_member(config, stage->sequence);
        const cJSON *member;
        size_t index = 0;
        if (!cJSON_IsArray(list))
            return core_fail(OCLM_ERR_FORMAT, "%s: its \"%s\" is not a list", where, stage->sequence);
        cJSON_ArrayForEach(member, list)
        { /* as deep as CORE_JSON_MAX_DEPTH */
            core_text place = CORE_TEXT_INIT;
            if ((status = core_text_printf(&place, "%s.%s[%zu]", where, stage->sequence, index++)) == OCLM_OK)
                status = read_component(chain, stage, member, place.data);
            core_text_free(&place);
            if (status != OCLM_OK)
                return status;
        }
        return OCLM_OK;
    }
    for (size_t i = 0; i < stage->count; i++) {
        if (strcmp(type, stage->components[i].type) != 0)
            continue;
        if ((status = stage->components[i].make(config, where, &step)) != OCLM_OK || step == NULL)
            return status;
        return tok_chain_add(chain, step, where);
    }
    return unsupported(stage, type, where);
}

oclm_status tok_chain_read_text(tok_chain *chain, const tok_stage *stage, const char *json, const char *origin)
{
    cJSON      *tree;
    oclm_status status = core_json_parse(json, strlen(json), origin, &tree);
    if (status == OCLM_OK)
        status = tok_chain_read(chain, stage, tree, origin);
    cJSON_Delete(tree);
    return status;
}

oclm_status tok_chain_read(tok_chain *chain, const tok_stage *stage, const cJSON *config, const char *origin)
{
    core_text where = CORE_TEXT_INIT;
    oclm_status status;
    if (config == NULL || cJSON_IsNull(config))
        return OCLM_OK;
    chain->present = true;
    if ((status = core_text_printf(&where, "%s: %s", origin, stage->key)) == OCLM_OK)
        status = read_component(chain, stage, config, where.data);
    core_text_free(&where);
    return status;
}
