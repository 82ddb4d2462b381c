/* special.h: the special tokens that have a name, and what else tokenizer_config.json says about a tokenizer.
 *
 * A chat template sees them as `bos_token` and so on; padding needs `pad_token`. tokenizer.json does not know the
 * names: they are in tokenizer_config.json and special_tokens_map.json (settings_read.c). */
#ifndef OCLM_TOKENIZER_SPECIAL_H
#define OCLM_TOKENIZER_SPECIAL_H

#include "tokenizer/tokenizer.h"

typedef enum tok_special_name {
    TOK_BOS,
    TOK_EOS,
    TOK_UNK,
    TOK_SEP,
    TOK_PAD,
    TOK_CLS,
    TOK_MASK,
    TOK_SPECIAL_COUNT
} tok_special_name;

/* A special token by its name. False, and nothing is written, where the tokenizer has none. `text` is NUL-ended and
 * lives as long as the tokenizer; `length` and `id` may be NULL. */
bool tok_special(const tok_tokenizer *tokenizer, tok_special_name which, const char **text, size_t *length,
                 int32_t *id);

/* All names that are set, as a chat template gets them: the seven above first, in that order, then what a model adds,
 * such as "image_token". `key` is "bos_token". `index` < tok_special_named(). */
size_t tok_special_named(const tok_tokenizer *tokenizer);
const char *tok_special_at(const tok_tokenizer *tokenizer, size_t index, const char **text, size_t *length,
                           int32_t *id);

/* Whether padding goes to the left, as the files or the tokenizer's class say. */
bool tok_pads_left(const tok_tokenizer *tokenizer);
/* The longest text the model takes, in tokens; 0: the files tell none. */
uint64_t tok_max_length(const tok_tokenizer *tokenizer);

/* ---- Inside the tokenizer */

typedef struct tok_named_token {
    char *key;  /* "bos_token" */
    char *text; /* NUL-ended */
    size_t length;
    int32_t id; /* -1 until the tokenizer is complete */
} tok_named_token;

/* What tokenizer_config.json calls an id ("added_tokens_decoder"). */
typedef struct tok_rename {
    char *text;
    size_t length;
    int32_t id;
} tok_rename;

#define TOK_MAX_NAMED 64 /* real tokenizers have up to 15 */

typedef struct tok_settings {
    tok_named_token named[TOK_MAX_NAMED];
    size_t named_count;
    tok_rename *renames; /* SentencePiece's models: placeholders that were given a name */
    size_t rename_count;
    uint64_t model_max_length; /* tokens; 0: the files tell none */
    bool pad_left;             /* padding_side */
    bool truncate_left;        /* truncation_side */
    bool split_special_tokens;
    bool clean_up_spaces; /* when decoding */
    bool legacy;     /* of SentencePiece's models: a space in front of every text between added tokens, not of the first alone */
    bool raw_tokens; /* added tokens of the settings are matched in the raw text: SentencePiece's models */
    bool class_adds_eos; /* the tokenizer's class puts EOS behind each text */
    bool fill_gaps; /* ids that no file names, below one it names, get "<|reserved_token_7|>": tiktoken's files */
} tok_settings;

/* "bos_token" and so on. */
extern const char *const tok_special_keys[TOK_SPECIAL_COUNT];
/* Where a key stands among them; TOK_SPECIAL_COUNT: it is none of the seven. */
size_t tok_special_order(const char *key);

/* Names a token; a later one takes the place of an earlier of the same key. */
oclm_status tok_settings_name(tok_settings *settings, const char *key, const char *text, size_t length);
/* The key has no token from now on. */
void tok_settings_unname(tok_settings *settings, const char *key);
/* The named token of that key, or NULL. */
const tok_named_token *tok_settings_find(const tok_settings *settings, const char *key);
/* Once the tokenizer knows all its tokens. */
void tok_settings_find_ids(tok_settings *settings, const tok_tokenizer *tokenizer);
void tok_settings_deinit(tok_settings *settings);

#endif
