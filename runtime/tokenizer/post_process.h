/* post_process.h: the post-processors that have a file of their own. Each makes a layout of another (layout.h). */
#ifndef OCLM_TOKENIZER_POST_PROCESS_H
#define OCLM_TOKENIZER_POST_PROCESS_H

#include "core/json.h"

struct tok_step;

oclm_status tok_template_make(const cJSON *config, const char *where, struct tok_step **step);  /* template_post.c */
oclm_status tok_bert_post_make(const cJSON *config, const char *where, struct tok_step **step); /* bert_post.c */
oclm_status tok_roberta_post_make(const cJSON *config, const char *where, struct tok_step **step);

/* Whether the post-processor leaves white space at the ends of tokens out of their offsets; *prefix_space: not one that
 * ByteLevel's add_prefix_space put in front. */
bool tok_post_trims(const struct tok_step *step, bool *prefix_space);
bool tok_roberta_post_trims(const struct tok_step *step, bool *prefix_space);

#endif
