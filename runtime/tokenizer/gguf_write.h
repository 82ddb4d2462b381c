/* gguf_write.h: a tokenizer into a GGUF file. */
#ifndef OCLM_TOKENIZER_GGUF_WRITE_H
#define OCLM_TOKENIZER_GGUF_WRITE_H

#include "core/gguf_write.h"
#include "tokenizer/tokenizer.h"

/* Adds the keys "tokenizer.ggml.*" of the folder's tokenizer, which is open, with `count` tokens: as many as the embedding has rows.
 * Errors: OCLM_ERR_UNSUPPORTED (no byte pair encoding), OCLM_ERR_MEMORY. */
oclm_status tok_gguf_write(const tok_tokenizer *tokenizer, const char *folder, uint64_t count, core_gguf_writer *writer);

#endif
