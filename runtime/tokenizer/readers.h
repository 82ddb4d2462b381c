/* readers.h: files that hold a vocabulary, other than tokenizer.json. Each reads into a tokenizer that is empty, which
 * the caller completes or frees. `path` is for messages. */
#ifndef OCLM_TOKENIZER_READERS_H
#define OCLM_TOKENIZER_READERS_H

#include "tokenizer/tokenizer.h"

/* tiktoken's lines (tiktoken.c). Told from a SentencePiece file by the first line. */
bool tok_is_tiktoken(const char *text, size_t length);
oclm_status tok_tiktoken_read(const char *text, size_t length, const char *path, tok_tokenizer *tokenizer);

/* Mistral's tekken.json (tekken.c). */
oclm_status tok_tekken_read(const char *text, size_t length, const char *path, tok_tokenizer *tokenizer);

/* A GGUF file (gguf.c). */
oclm_status tok_gguf_read(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer);

/* A SentencePiece model (sentencepiece.c). */
oclm_status tok_sentencepiece_read(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer);

#endif
