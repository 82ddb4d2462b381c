/* decode.h: ids to text. */
#ifndef OCLM_TOKENIZER_DECODE_H
#define OCLM_TOKENIZER_DECODE_H

#include "tokenizer/pipeline.h"

/* Fills `decoded`, once everything else is there. */
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

/* What an id is to the first decoder: an added token's searched form, else the vocabulary's string; NULL if there is none. */
const char *tok_decode_string(const tok_tokenizer *tokenizer, int32_t id, size_t *length);
/* Runs the decoders from `first` on over lists[0], with lists[1] to work in; `*result` is one of them. */
oclm_status tok_decode_steps(const tok_chain *chain, size_t first, tok_strings lists[2], tok_strings **result);

/* ---- Joining (decode_join.c): where the first decoders look at each token alone, what they make of it is ready at load. */
oclm_status tok_decode_join_prepare(tok_tokenizer *tokenizer);
oclm_status tok_decode_join(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                            bool skip_special_tokens, core_text *out);

/* ---- Decoders: the step of each begins with this. */
typedef enum tok_decoder_kind {
    TOK_DECODER_OTHER,
    TOK_DECODER_PER_TOKEN, /* what becomes of a token depends on it alone, and on whether it is the first */
    TOK_DECODER_BYTE_FALLBACK,
    TOK_DECODER_BYTE_LEVEL,
    TOK_DECODER_FUSE
} tok_decoder_kind;

typedef struct tok_decoder {
    tok_step         step;
    tok_decoder_kind kind;
} tok_decoder;

/* Those that have no row in decode.c's own file. decode_steps.c: */
oclm_status tok_decode_byte_level_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_byte_fallback_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_fuse_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_replace_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_strip_make(const cJSON *config, const char *where, tok_step **step);
bool        tok_decode_strips_first_spaces(const tok_step *step); /* is the step a Strip that takes nothing but spaces in front? */
/* decode_words.c: */
oclm_status tok_decode_metaspace_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_wordpiece_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_bpe_make(const cJSON *config, const char *where, tok_step **step);
oclm_status tok_decode_ctc_make(const cJSON *config, const char *where, tok_step **step);

/* The byte that a token <0xHH> stands for, or -1. */
int tok_byte_of_token(const char *text, size_t length);
/* What is made of a run of such tokens, given its bytes: text if it is valid UTF-8 as a whole, else one U+FFFD per byte. They
 * are the end of `text`, from `begin` on. */
oclm_status tok_finish_bytes(core_text *text, size_t begin);

/* Undoes spaces before punctuation and contractions: " ." is ".", " n't" is "n't". `contract`: " do not" becomes " don't", too. Adds
 * to `out`. */
oclm_status tok_clean_up(const char *text, size_t length, bool contract, core_text *out);

#endif
