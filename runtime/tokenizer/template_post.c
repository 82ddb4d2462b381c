/* template_post.c: the TemplateProcessing post-processor: a list of special tokens and places for the text.
 *
 *     "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
 *     "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
 *
 * Ids come from "ids", never from the vocabulary. */
#include "tokenizer/template_post.h"

#include <string.h>

#include "tokenizer/pipeline.h"

#define THE_TEXT (-1) /* among the ids of a template */

typedef struct template_step {
    tok_step step;
    tok_ids  single; /* ids of special tokens, THE_TEXT where the text belongs */
} template_step;

static oclm_status post_process(const tok_step *step, const tok_ids *ids, bool add_special_tokens, tok_ids *out)
{
    const tok_ids *single = &((const template_step *)step)->single;
    oclm_status    status = OCLM_OK;
    for (size_t i = 0; i < single->count && status == OCLM_OK; i++) {
        if (single->data[i] == THE_TEXT)
            status = tok_ids_append(out, ids->data, ids->count);
        else if (add_special_tokens)
            status = tok_ids_add(out, single->data[i]);
    }
    return status;
}

static void free_template(tok_step *step)
{
    tok_ids_free(&((template_step *)step)->single);
    core_free(step);
}

/* Adds the ids of a special token that the template names. */
static oclm_status add_special(tok_ids *list, const cJSON *specials, const char *name, const char *where)
{
    const cJSON *ids = core_json_member(core_json_member(specials, name), "ids");
    const cJSON *id;
    if (!cJSON_IsArray(ids))
        return core_fail(OCLM_ERR_FORMAT, "%s: the template names \"%s\", but its \"special_tokens\" have no ids for it", where, name);
    cJSON_ArrayForEach(id, ids) {
        if (!cJSON_IsNumber(id) || !(id->valuedouble >= 0 && id->valuedouble <= TOK_MAX_ID) ||
            id->valuedouble != (double)(int32_t)id->valuedouble)
            return core_fail(OCLM_ERR_FORMAT, "%s: an id of special token \"%s\" is not a whole number from 0 to %d", where, name,
                             TOK_MAX_ID);
        const oclm_status status = tok_ids_add(list, (int32_t)id->valuedouble);
        if (status != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static oclm_status read_part(tok_ids *list, const cJSON *part, const cJSON *specials, const char *where)
{
    const cJSON *special = core_json_member(part, "SpecialToken"), *sequence = core_json_member(part, "Sequence");
    const char  *name = NULL;
    oclm_status  status = core_json_get_string(special != NULL ? special : sequence, "id", where, &name);
    if (status != OCLM_OK)
        return status;
    if (name == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: a part of its \"single\" is neither a SpecialToken nor a Sequence with an \"id\"", where);
    if (special != NULL)
        return add_special(list, specials, name, where);
    if (strcmp(name, "A") != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"single\" uses sequence \"%s\"; a single text is \"A\"", where, name);
    return tok_ids_add(list, THE_TEXT);
}

oclm_status tok_template_make(const cJSON *config, const char *where, tok_step **step)
{
    const cJSON   *parts = core_json_member(config, "single"), *specials = core_json_member(config, "special_tokens"), *part;
    template_step *made;
    oclm_status    status = OCLM_OK;
    if (!cJSON_IsArray(parts))
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"single\" is not a list", where);
    if ((made = core_alloc_zero(1, sizeof *made, "a post-processor")) == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.post_process = post_process;
    made->step.free = free_template;
    cJSON_ArrayForEach(part, parts) {
        if ((status = read_part(&made->single, part, specials, where)) != OCLM_OK) {
            free_template(&made->step);
            return status;
        }
    }
    *step = &made->step;
    return OCLM_OK;
}
