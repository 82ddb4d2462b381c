/* pipeline.h: what the parts of a tokenizer are to one another.
 *
 * A text flows: added tokens are cut out (added_tokens.h), each piece between them is normalised, cut again, pre-tokenised
 * step by step, and each last piece becomes ids in the model. Post-processors then add special tokens.
 *
 * A component of tokenizer.json is a tok_step made from its JSON object; a stage's steps form a chain. To add a component,
 * write a file that makes its step and one row in the stage's table (normalize.c, pre_tokenize.c, post_process.c, decode.c;
 * models: model.c). Steps are immutable once made: what a call writes lives in its tok_scratch. */
#ifndef OCLM_TOKENIZER_PIPELINE_H
#define OCLM_TOKENIZER_PIPELINE_H

#include "core/json.h"
#include "core/platform.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/layout.h"
#include "tokenizer/model.h"
#include "tokenizer/normal.h"
#include "tokenizer/special.h"
#include "tokenizer/strings.h"
#include "tokenizer/tokenizer.h"

typedef struct tok_run     tok_run; /* one call of tok_encode() */
typedef struct tok_scratch tok_scratch;
typedef struct tok_step    tok_step;

/* ---- Steps and chains */

#define TOK_MAX_STEPS 64 /* in one chain; real files have up to 6 */

/* Each component's own struct begins with this. Its stage decides which function it has. */
struct tok_step {
    union {
        /* Writes the normal form of `text` to `out`, which is empty. */
        oclm_status (*normalize)(const tok_step *step, const char *text, size_t length, tok_normal *out);
        /* Splits a piece; hands each part to tok_run_piece(run, index + 1, ...). `index` is the step's own place. */
        oclm_status (*split)(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length);
        /* Puts special tokens around the groups of `in`; `out` is empty. Called at load, for texts and for pairs.
         * OCLM_ERR_UNSUPPORTED, without a message: it cannot take so many groups. */
        oclm_status (*post_process)(const tok_step *step, const tok_layout *in, bool add_special_tokens, tok_layout *out);
        /* Turns a list of token strings into another; `out` is empty. */
        oclm_status (*decode)(const tok_step *step, const tok_strings *in, tok_strings *out);
    } does;
    void (*free)(tok_step *step); /* NULL: core_free() */
};

typedef struct tok_chain {
    tok_step **steps;
    size_t     count;
    bool       present; /* the file has such a component, even if it is one without steps */
} tok_chain;

/* One component of a stage. `make` gets its JSON object and where it stands, for messages; *step stays NULL where the
 * component has no effect on ids or text. */
typedef struct tok_component {
    const char *type;
    oclm_status (*make)(const cJSON *config, const char *where, tok_step **step);
} tok_component;

typedef struct tok_stage {
    const char          *key;      /* in tokenizer.json: "pre_tokenizer" */
    const char          *sequence; /* the member list of its Sequence: "pretokenizers" */
    const tok_component *components;
    size_t               count;
} tok_stage;

extern const tok_stage tok_normalizers, tok_pre_tokenizers, tok_post_processors, tok_decoders;

/* Adds the steps of a component to the chain; those of a Sequence one by one. `config` may be NULL (none). */
oclm_status tok_chain_read(tok_chain *chain, const tok_stage *stage, const cJSON *config, const char *origin);
/* The same from JSON of our own. */
oclm_status tok_chain_read_text(tok_chain *chain, const tok_stage *stage, const char *json, const char *origin);
/* One step, which the chain frees, also where it fails. `where` is for messages. */
/* A step that is all in one struct, which it begins: a copy of that. */
oclm_status tok_step_copy(const void *made, size_t bytes, tok_step **step);
oclm_status tok_chain_add(tok_chain *chain, tok_step *step, const char *where);
void        tok_chain_deinit(tok_chain *chain);

/* ---- The whole */

/* How ids become text (decode_join.c): by lists of strings through every decoder, or by joining texts that are ready. */
typedef enum tok_joining {
    TOK_JOIN_NOT,
    TOK_JOIN,          /* text */
    TOK_JOIN_FALLBACK, /* text and bytes: ByteFallback */
    TOK_JOIN_BYTES     /* bytes: ByteLevel */
} tok_joining;

#define TOK_JOIN_BLOCK 16 /* bytes that may be read and written beyond a token's */

typedef struct tok_token_bytes {
    uint32_t start, length; /* in tok_tokenizer.bytes */
    int16_t  byte;          /* TOK_JOIN_FALLBACK: the byte it stands for; else -1 */
    bool     known, special;
} tok_token_bytes;

struct tok_tokenizer {
    tok_chain  normalizer, pre_tokenizer, post_processor, decoder;
    tok_layout layouts[4];       /* what the post-processor makes: 1 with special tokens, 2 of a pair, 3 both (layout.h) */
    size_t     added_tokens[2];  /* special tokens added to a text, to a pair: what truncation leaves room for */
    tok_model *model;
    tok_added  added;
    tok_settings settings;       /* of tokenizer_config.json and its siblings */
    bool       traces;           /* a pre-tokenizer asks where its pieces come from */
    size_t     vocab_size;       /* highest id + 1 */
    tok_joining joining;
    size_t     per_token, tail;  /* then: how many decoders look at each token alone; the first for the whole text */
    core_text  bytes;            /* then: of all tokens, as they are where they are not a text's first */
    tok_token_bytes *token_bytes; /* [vocab_size]; `known` and `special` hold for every decoder */
    core_mutex  *lock;           /* guards `idle` */
    tok_scratch *idle;           /* scratch memory no call uses now */
};

oclm_status tok_open_files(const char *vocab_path, const char *merges_path, tok_tokenizer *tokenizer); /* vocab_files.c */
oclm_status tok_read_json(const char *text, size_t length, const char *origin, tok_tokenizer *tokenizer); /* file.c */

/* ---- Scratch: what calls write to, kept and reused. Each belongs to one call at a time. */

#define TOK_CACHE_SLOTS 32768 /* a power of two */

/* A piece and its ids in one cache line of 64 bytes; `length` 0 is empty. */
typedef struct tok_cached_piece {
    uint8_t length, count;
    char    text[26];
    int32_t ids[9];
} tok_cached_piece;

struct tok_scratch {
    tok_scratch      *next;           /* in tok_tokenizer.idle */
    tok_normal        normal;         /* normalised text */
    tok_normal        step_text[TOK_MAX_STEPS]; /* what a pre-tokenizer at that place rewrote */
    tok_ids           ids;            /* of the text so far */
    tok_ids           symbols;        /* BPE's */
    void             *memory;         /* the model's, through tok_scratch_memory() */
    size_t            memory_bytes;
    tok_strings       strings[2];     /* for decoders */
    core_text         text;           /* decoded bytes */
    tok_cached_piece *cache;          /* [TOK_CACHE_SLOTS]; NULL until the first text is encoded */
};

oclm_status tok_scratch_new(tok_scratch **scratch);
void        tok_scratch_free(tok_scratch *scratch);
oclm_status tok_scratch_take(const tok_tokenizer *tokenizer, tok_scratch **scratch);
void        tok_scratch_give(const tok_tokenizer *tokenizer, tok_scratch *scratch);
void        tok_scratch_free_all(tok_tokenizer *tokenizer);
/* At least so many bytes, aligned for any type, contents undefined. NULL: no memory. */
void       *tok_scratch_memory(tok_scratch *scratch, size_t bytes);

/* The text that pieces point into now, and where in the original each of its bytes comes from (normal.h). */
typedef struct tok_frame {
    const char     *text;
    const uint32_t *sources; /* NULL: from the byte at the same place, or untraced */
    size_t          offset;  /* to add */
} tok_frame;

/* What `encode` makes of a piece, from the cache if it was asked before. `encode` is a pure function of the piece, and the same for
 * one tokenizer, or gives the same ids. */
oclm_status tok_encode_cached(const tok_model *model, tok_encode_function *encode, tok_scratch *scratch, const char *text,
                              size_t length, tok_ids *ids);

struct tok_run {
    const tok_tokenizer *tokenizer;
    tok_scratch         *scratch;
    tok_ids             *ids;
    bool                 traced; /* rewritten texts keep their sources */
    bool                 split_special; /* special tokens in the text are text */
    const char          *text;   /* the original */
    tok_frame            frame;
    size_t               length;     /* of `text` */
    tok_encoded         *encoded;    /* gets offsets; NULL: they are not asked for */
    size_t               first_span; /* of this text, in it */
};

/* Where in the original text the byte at `p`, of a piece, comes from. Only for traced runs, or where nothing was rewritten. */
static inline size_t tok_run_source(const tok_run *run, const char *p)
{
    const size_t at = (size_t)(p - run->frame.text);
    return (run->frame.sources != NULL ? run->frame.sources[at] : at) + run->frame.offset;
}

/* For a pre-tokenizer that rewrites its piece: empties `own`, to be filled with sources that count from the piece's beginning.
 * tok_run_enter() then makes it the text that pieces point into; the caller puts the frame it returns back afterwards. */
void      tok_run_rewrite(const tok_run *run, tok_normal *own);
tok_frame tok_run_enter(tok_run *run, tok_normal *own, const char *piece);

/* Gives a piece to the pre-tokenizer at `index`, or to the model after the last. Empty pieces vanish. */
oclm_status tok_run_piece(tok_run *run, size_t index, const char *text, size_t length);

oclm_status tok_ids_reserve(tok_ids *ids, size_t more);
oclm_status tok_ids_append(tok_ids *ids, const int32_t *data, size_t count);

#endif
