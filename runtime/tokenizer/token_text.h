/* token_text.h: what each token adds to a text behind others: what is matched where strings cross tokens.
 *
 * Decoding a token alone would not tell: the first token of a text loses its space, and half a character becomes U+FFFD. So a token is decoded
 * behind a text that is known, or, where tokens are bytes, stands for its bytes. The rule is that of transformers' StopStringCriteria. */
#ifndef OCLM_TOKENIZER_TOKEN_TEXT_H
#define OCLM_TOKENIZER_TOKEN_TEXT_H

#include "tokenizer/tokenizer.h"

typedef struct tok_token_texts tok_token_texts; /* immutable once made; the tokenizer must outlive it */

/* Costs nothing where the tokenizer has its tokens' texts at hand, as most do; else each token is decoded once. */
oclm_status tok_token_texts_new(const tok_tokenizer *tokenizer, tok_token_texts **texts);
void        tok_token_texts_free(tok_token_texts *texts); /* accepts NULL */
/* Are the texts bytes, of which one token may hold a part of a character? Else each is whole UTF-8. */
bool        tok_token_texts_are_bytes(const tok_token_texts *texts);
/* May be empty, and hold NULs; NULL if there is no such token. */
const char *tok_token_text(const tok_token_texts *texts, int32_t id, size_t *length);

#endif
