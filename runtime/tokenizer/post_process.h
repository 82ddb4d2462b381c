/* post_process.h: the post-processors that have a file of their own. Each makes a layout of another (layout.h). */
#ifndef OCLM_TOKENIZER_POST_PROCESS_H
#define OCLM_TOKENIZER_POST_PROCESS_H

#include "core/json.h"

struct tok_step;

oclm_status tok_template_make(const cJSON *config, const char *where, struct tok_step **step);  /* template_post.c */
oclm_status tok_bert_post_make(const cJSON *config, const char *where, struct tok_step **step); /* bert_post.c */
oclm_status tok_roberta_post_make(const cJSON *config, const char *where, struct tok_step **step);

#endif
