/* words.h: ids to text, told in whole words: what transformers' TextStreamer prints, and when. */
#ifndef OCLM_TOKENIZER_WORDS_H
#define OCLM_TOKENIZER_WORDS_H

#include "tokenizer/tokenizer.h"

typedef struct tok_words tok_words; /* one at a time; the tokenizer must outlive it */

oclm_status tok_words_new(const tok_tokenizer *tokenizer, bool skip_special_tokens, tok_words **words);
void        tok_words_free(tok_words *words); /* accepts NULL */
/* The next ids of the text: one, or several that came at once. `*text` is what to print now, perhaps "", until the next call: up to the end where the text
 * ends in LF or a CJK character, else up to the last space. */
oclm_status tok_words_push(tok_words *words, const int32_t *ids, size_t count, const char **text, size_t *length);
/* What is left; a new text may begin then. */
oclm_status tok_words_flush(tok_words *words, const char **text, size_t *length);

#endif
