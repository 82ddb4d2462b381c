/* post_process.c: the table of post-processors. */
#include "tokenizer/post_process.h"

#include "tokenizer/pipeline.h"

/* ByteLevel corrects offsets only. */
typedef struct byte_level_post {
    tok_step step;
    bool trims, prefix_space;
} byte_level_post;

static oclm_status leave(const tok_step *step, const tok_layout *in, bool add_special_tokens, tok_layout *out)
{
    oclm_status status = OCLM_OK;
    (void)step;
    (void)add_special_tokens;
    for (uint32_t group = 0; group < in->groups && status == OCLM_OK; group++) {
        out->groups++;
        status = tok_layout_add_group(out, in, group, -1);
    }
    out->added = 0; /* by this one */
    return status;
}

bool tok_post_trims(const tok_step *step, bool *prefix_space)
{
    const byte_level_post *self = (const byte_level_post *)step;
    if (step->does.post_process != leave)
        return tok_roberta_post_trims(step, prefix_space);
    *prefix_space = self->prefix_space;
    return self->trims;
}

static oclm_status make_byte_level(const cJSON *config, const char *where, tok_step **step)
{
    byte_level_post made = { { { .post_process = leave }, NULL }, true, true };
    oclm_status status;
    if ((status = core_json_get_bool(config, "trim_offsets", where, &made.trims)) != OCLM_OK ||
        (status = core_json_get_bool(config, "add_prefix_space", where, &made.prefix_space)) != OCLM_OK)
        return status;
    return tok_step_copy(&made, sizeof made, step);
}

static const tok_component components[] = {
    { "BertProcessing", tok_bert_post_make },
    { "ByteLevel", make_byte_level },
    { "RobertaProcessing", tok_roberta_post_make },
    { "TemplateProcessing", tok_template_make },
};
const tok_stage tok_post_processors = { "post_processor", "processors", components, COUNT(components) };
