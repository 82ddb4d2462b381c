/* post_process.c: the table of post-processors. */
#include "tokenizer/pipeline.h"
#include "tokenizer/template_post.h"

/* It corrects offsets, which oclm does not keep: no step. */
static oclm_status make_byte_level(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    *step = NULL;
    return OCLM_OK;
}

static const tok_component components[] = {
    { "ByteLevel", make_byte_level },
    { "TemplateProcessing", tok_template_make },
};
const tok_stage tok_post_processors = { "post_processor", "processors", components, COUNT(components) };
