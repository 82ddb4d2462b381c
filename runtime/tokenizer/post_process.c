/* post_process.c: the table of post-processors. */
#include "tokenizer/post_process.h"

#include "tokenizer/pipeline.h"

/* It corrects offsets only: no step. */
static oclm_status make_byte_level(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    *step = NULL;
    return OCLM_OK;
}

static const tok_component components[] = {
    { "BertProcessing", tok_bert_post_make },
    { "ByteLevel", make_byte_level },
    { "RobertaProcessing", tok_roberta_post_make },
    { "TemplateProcessing", tok_template_make },
};
const tok_stage tok_post_processors = { "post_processor", "processors", components, COUNT(components) };
