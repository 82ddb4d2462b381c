/* template_post.h: special tokens around the text, by a template. */
#ifndef OCLM_TOKENIZER_TEMPLATE_POST_H
#define OCLM_TOKENIZER_TEMPLATE_POST_H

#include "core/json.h"

struct tok_step;

oclm_status tok_template_make(const cJSON *config, const char *where, struct tok_step **step);

#endif
