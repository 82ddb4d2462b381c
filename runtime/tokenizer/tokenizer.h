/* tokenizer.h: text to ids and back, exactly as Hugging Face's tokenizers does.
 *
 * The stages of spec order: added tokens are cut out of the raw text, each other piece is normalised, cut by normalised added
 * tokens, pre-tokenised, and given to the model; the post-processor adds special tokens. */
#ifndef OCLM_TOKENIZER_TOKENIZER_H
#define OCLM_TOKENIZER_TOKENIZER_H

#include "core/text.h"

typedef struct tok_tokenizer tok_tokenizer; /* immutable once open: shared between threads */

/* A growing array of ids. */
typedef struct tok_ids {
    int32_t *data;
    size_t   count, capacity;
} tok_ids;
#define TOK_IDS_INIT { NULL, 0, 0 }
oclm_status tok_ids_add(tok_ids *ids, int32_t id);
void        tok_ids_free(tok_ids *ids);

/* Opens the tokenizer of a model folder (or a GGUF file): tokenizer.json, else what sources.c lists; with tokenizer_config.json. */
oclm_status tok_open(const char *folder, tok_tokenizer **tokenizer);
/* The same from memory: a tokenizer.json's text. `origin` names it in messages. */
oclm_status tok_open_json(const char *text, size_t length, const char *origin, tok_tokenizer **tokenizer);
/* The same of any format, told by the file's name. */
oclm_status tok_open_bytes(const char *data, size_t length, const char *name, tok_tokenizer **tokenizer);
void        tok_close(tok_tokenizer *tokenizer);

size_t      tok_vocab_size(const tok_tokenizer *tokenizer); /* highest id + 1 */
int32_t     tok_id_of(const tok_tokenizer *tokenizer, const char *text, size_t length); /* of a token as written; -1 if none */
const char *tok_token(const tok_tokenizer *tokenizer, int32_t id); /* as the vocabulary writes it; NULL if none */
bool        tok_is_special(const tok_tokenizer *tokenizer, int32_t id);

/* Adds the ids of `text` to `ids`. */
oclm_status tok_encode(const tok_tokenizer *tokenizer, const char *text, size_t length, bool add_special_tokens, tok_ids *ids);
/* The two halves of it, so that truncation can come between: the ids of a text alone, and what belongs around one text or
 * two (`b` NULL: one). `type_ids` and `special_mask` (1: a special token) get a value for each id; either may be NULL. */
oclm_status tok_encode_text(const tok_tokenizer *tokenizer, const char *text, size_t length, tok_ids *ids);
oclm_status tok_post_process(const tok_tokenizer *tokenizer, const tok_ids *a, const tok_ids *b, bool add_special_tokens,
                             tok_ids *ids, tok_ids *type_ids, tok_ids *special_mask);
/* Ids of texts, and the bytes of its text that each covers. */
typedef struct tok_encoded {
    tok_ids    ids;
    oclm_span *spans; /* [ids.count] if they were asked for */
    size_t     span_count, span_capacity;
} tok_encoded;
#define TOK_ENCODED_INIT { TOK_IDS_INIT, NULL, 0, 0 }
void        tok_encoded_free(tok_encoded *encoded);
/* As tok_encode_text(), with all choices. `split_special`: special tokens that occur in the text are text. */
oclm_status tok_encode_spans(const tok_tokenizer *tokenizer, const char *text, size_t length, bool split_special, bool spans,
                             tok_encoded *encoded);
/* How many special tokens are added to a text, or to a pair: what truncation leaves room for. */
size_t      tok_num_added_tokens(const tok_tokenizer *tokenizer, bool pair);
/* Adds the text of `ids` to `out`; unknown ids are skipped. */
oclm_status tok_decode(const tok_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens, core_text *out);

/* Streaming decode: the reference's DecodeStream, but it never fails and can be flushed. */
typedef struct tok_stream tok_stream;
oclm_status tok_stream_new(const tok_tokenizer *tokenizer, bool skip_special_tokens, tok_stream **stream);
void        tok_stream_free(tok_stream *stream);
oclm_status tok_stream_push(tok_stream *stream, int32_t id, const char **text, size_t *length);
oclm_status tok_stream_flush(tok_stream *stream, const char **text, size_t *length);

#endif
