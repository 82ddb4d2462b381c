/* bert_post.c: two post-processors with a fixed layout.
 *
 *     BertProcessing     [CLS] A [SEP]            [CLS] A [SEP] B [SEP], the second text with type id 1
 *     RobertaProcessing  <s> A </s>               <s> A </s></s> B </s>, all with type id 0
 *
 * Both write their tokens as "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]; only the ids count. */
#include "tokenizer/pipeline.h"
#include "tokenizer/post_process.h"

typedef struct bert_step {
    tok_step step;
    int32_t  cls, sep;
    bool     roberta;
    bool     trims, prefix_space; /* Roberta's trim_offsets, add_prefix_space */
} bert_step;

/* One text with what belongs around it; `group` 0 is the first. */
static oclm_status add_text(const bert_step *self, const tok_layout *in, uint32_t group, bool add_special_tokens,
                            tok_layout *out)
{
    const int32_t type_id = self->roberta || group == 0 ? 0 : 1;
    oclm_status   status = OCLM_OK;
    if (add_special_tokens && (group == 0 || self->roberta))
        status = tok_layout_add(out, group == 0 ? self->cls : self->sep, 0);
    const size_t before = out->count;
    if (status == OCLM_OK)
        status = tok_layout_add_group(out, in, group, self->roberta ? 0 : -1);
    for (size_t i = before; i < out->count && add_special_tokens; i++)
        out->parts[i].special = false; /* only its own are, to the reference */
    if (status == OCLM_OK && add_special_tokens)
        status = tok_layout_add(out, self->sep, type_id);
    return status;
}

static oclm_status post_process(const tok_step *step, const tok_layout *in, bool add_special_tokens, tok_layout *out)
{
    oclm_status status = OCLM_OK;
    for (uint32_t group = 0; group < in->groups && status == OCLM_OK; group++) {
        out->groups++;
        status = add_text((const bert_step *)step, in, group, add_special_tokens, out);
    }
    return status;
}

bool tok_roberta_post_trims(const tok_step *step, bool *prefix_space)
{
    if (step->does.post_process != post_process)
        return false;
    *prefix_space = ((const bert_step *)step)->prefix_space;
    return ((const bert_step *)step)->trims;
}

static oclm_status read_token(const cJSON *config, const char *name, const char *where, int32_t *id)
{
    const cJSON *pair = core_json_member(config, name), *value = cJSON_GetArrayItem(pair, 1);
    if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 || !cJSON_IsString(cJSON_GetArrayItem(pair, 0)) ||
        !core_json_is_whole(value, 0, TOK_MAX_ID))
        return core_fail(OCLM_ERR_FORMAT,
                         "%s: its \"%s\" is not a token and its id, such as [\"[SEP]\", 102], with an id from 0 to %d", where,
                         name, TOK_MAX_ID);
    *id = (int32_t)value->valuedouble;
    return OCLM_OK;
}

static oclm_status make(const cJSON *config, const char *where, bool roberta, tok_step **step)
{
    bert_step   made = { { { NULL }, NULL }, 0, 0, roberta, roberta, roberta };
    oclm_status status;
    if ((status = read_token(config, "cls", where, &made.cls)) != OCLM_OK ||
        (status = read_token(config, "sep", where, &made.sep)) != OCLM_OK)
        return status;
    if (roberta && ((status = core_json_get_bool(config, "trim_offsets", where, &made.trims)) != OCLM_OK ||
                    (status = core_json_get_bool(config, "add_prefix_space", where, &made.prefix_space)) != OCLM_OK))
        return status;
    made.step.does.post_process = post_process;
    return tok_step_copy(&made, sizeof made, step);
}

oclm_status tok_bert_post_make(const cJSON *config, const char *where, tok_step **step)
{
    return make(config, where, false, step);
}

oclm_status tok_roberta_post_make(const cJSON *config, const char *where, tok_step **step)
{
    return make(config, where, true, step);
}
