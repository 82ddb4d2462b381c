/* decode.h: ids to text. */
#ifndef OCLM_TOKENIZER_DECODE_H
#define OCLM_TOKENIZER_DECODE_H

#include "tokenizer/pipeline.h"

/* Fills `token_bytes`, once everything else is there. */
oclm_status tok_decode_prepare(tok_tokenizer *tokenizer);

/* True if decoding leaves the id out. */
static inline bool tok_is_skipped(const tok_tokenizer *tokenizer, int32_t id, bool skip_special_tokens)
{
    return id < 0 || (size_t)id >= tokenizer->vocab_size || !tokenizer->token_bytes[id].known ||
           (skip_special_tokens && tokenizer->token_bytes[id].special);
}

/* As tok_decode(), with scratch memory at hand. */
oclm_status tok_decode_with(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                            bool skip_special_tokens, core_text *out);

/* The decoders that have a file of their own (decode_steps.c). */
oclm_status tok_decode_byte_level_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_byte_fallback_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_fuse_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_replace_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_strip_make(const cJSON *config, const char *where, tok_step **step);
/* Is the step ByteLevel? */
bool        tok_decode_is_byte_level(const tok_step *step);

#endif
