/* clean_up.h: transformers' clean_up_tokenization: spaces before punctuation and contractions go. */
#ifndef OCLM_TOKENIZER_CLEAN_UP_H
#define OCLM_TOKENIZER_CLEAN_UP_H

#include "core/text.h"

/* Of the text from byte `begin` on. It only gets shorter. */
void tok_clean_up(core_text *text, size_t begin);

#endif
