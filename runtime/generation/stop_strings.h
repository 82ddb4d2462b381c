/* stop_strings.h: whether a sequence of tokens has just completed one of the strings it shall stop at.
 *
 * The rule is transformers' StopStringCriteria: the texts of the tokens are put together, and a string counts that ends inside the last one. It
 * may begin in the prompt, and the last token may run past its end. A token's text is what it adds behind others, or its bytes. */
#ifndef OCLM_GENERATION_STOP_STRINGS_H
#define OCLM_GENERATION_STOP_STRINGS_H

#include "tokenizer/tokenizer.h"

typedef struct gen_stop_strings gen_stop_strings; /* immutable once made; the tokenizer must outlive it */

/* Errors: OCLM_ERR_ARGUMENT (an empty string; one that no token can end: which), OCLM_ERR_MEMORY. */
oclm_status gen_stop_strings_new(const tok_tokenizer *tokenizer, const char *const *strings, uint32_t count, gen_stop_strings **stop);
void        gen_stop_strings_free(gen_stop_strings *stop); /* accepts NULL */
/* Does one of the strings end inside the last of the ids? `before`: ids that stand before `ids`, such as the prompt; looked at as far back as needed. */
bool        gen_stop_strings_hit(const gen_stop_strings *stop, const int32_t *before, size_t before_count, const int32_t *ids, size_t count);

#endif
