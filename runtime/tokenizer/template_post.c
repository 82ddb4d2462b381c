/* template_post.c: the TemplateProcessing post-processor: lists of special tokens and places for the texts.
 *
 *     "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
 *     "pair": [..., {"Sequence": {"id": "B", "type_id": 1}}],
 *     "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
 *
 * Ids come from "ids", never from the vocabulary. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/post_process.h"

typedef struct template_step {
    tok_step   step;
    tok_layout single, pair; /* a group for each part of the template; TOK_PART_A and _B are the first and second text */
} template_step;

static oclm_status post_process(const tok_step *step, const tok_layout *in, bool add_special_tokens, tok_layout *out)
{
    const template_step *self = (const template_step *)step;
    const tok_layout *template = in->groups == 2 ? &self->pair : &self->single;
    oclm_status status = OCLM_OK;
    if (in->groups != 1 && in->groups != 2)
        return OCLM_ERR_UNSUPPORTED; /* told by whoever uses the layout */
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < template->count && status == OCLM_OK; i++) {
        const tok_part *part = &template->parts[i];
        if (part->id >= 0 && !add_special_tokens)
            continue;
        out->groups += part->group != last;
        last = part->group;
        status = part->id >= 0 ? tok_layout_add(out, part->id, part->type_id)
                               : tok_layout_add_group(out, in, part->id == TOK_PART_A ? 0 : 1, part->type_id);
    }
    return status;
}

static void free_template(tok_step *step)
{
    tok_layout_deinit(&((template_step *)step)->single);
    tok_layout_deinit(&((template_step *)step)->pair);
    core_free(step);
}

/* Adds the ids of a special token that the template names. */
static oclm_status add_special(tok_layout *list, const cJSON *specials, const char *name, uint32_t type_id, const char *where)
{
    const cJSON *ids = core_json_member(core_json_member(specials, name), "ids");
    const cJSON *id;
    if (!cJSON_IsArray(ids))
        return core_fail(OCLM_ERR_FORMAT, "%s: the template names \"%s\", but its \"special_tokens\" have no ids for it",
                         where, name);
    cJSON_ArrayForEach(id, ids)
    {
        if (!core_json_is_whole(id, 0, TOK_MAX_ID))
            return core_fail(OCLM_ERR_FORMAT, "%s: an id of special token \"%s\" is not a whole number from 0 to %d", where,
                             name, TOK_MAX_ID);
        const oclm_status status = tok_layout_add(list, (int32_t)id->valuedouble, (int32_t)type_id);
        if (status != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static oclm_status read_part(tok_layout *list, const cJSON *part, const cJSON *specials, const char *key, const char *where)
{
    const cJSON *special = core_json_member(part, "SpecialToken"), *sequence = core_json_member(part, "Sequence");
    const cJSON *object = special != NULL ? special : sequence;
    const char  *name = NULL;
    uint32_t     type_id = 0;
    oclm_status  status;
    if ((status = core_json_get_string(object, "id", where, &name)) != OCLM_OK ||
        (status = core_json_get_u32(object, "type_id", where, 0, INT32_MAX, &type_id)) != OCLM_OK)
        return status;
    if (name == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: a part of its \"%s\" is neither a SpecialToken nor a Sequence with an \"id\"",
                         where, key);
    list->groups++;
    if (special != NULL)
        return add_special(list, specials, name, type_id, where);
    if (strcmp(name, "A") == 0)
        return tok_layout_add(list, TOK_PART_A, (int32_t)type_id);
    if (strcmp(name, "B") == 0 && strcmp(key, "pair") == 0)
        return tok_layout_add(list, TOK_PART_B, (int32_t)type_id);
    return core_fail(OCLM_ERR_FORMAT, "%s: its \"%s\" uses sequence \"%s\"; a single text is \"A\", a pair \"A\" and \"B\"",
                     where, key, name);
}

static oclm_status read_parts(tok_layout *list, const cJSON *config, const char *key, const char *where)
{
    const cJSON *parts = core_json_member(config, key), *specials = core_json_member(config, "special_tokens"), *part;
    oclm_status  status = OCLM_OK;
    if (!cJSON_IsArray(parts))
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"%s\" is not a list", where, key);
    cJSON_ArrayForEach(part, parts)
    {
        if ((status = read_part(list, part, specials, key, where)) != OCLM_OK)
            return status;
    }
    return status;
}

oclm_status tok_template_make(const cJSON *config, const char *where, tok_step **step)
{
    oclm_status    status;
    template_step *made = core_alloc_zero(1, sizeof *made, "a post-processor");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.post_process = post_process;
    made->step.free = free_template;
    if ((status = read_parts(&made->single, config, "single", where)) == OCLM_OK &&
        (status = read_parts(&made->pair, config, "pair", where)) == OCLM_OK)
        *step = &made->step;
    else
        free_template(&made->step);
    return status;
}
