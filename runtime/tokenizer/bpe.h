/* bpe.h: byte pair encoding. A piece starts as one symbol per character (or byte); the neighbouring pair with the lowest
 * rank becomes one symbol, again and again. */
#ifndef OCLM_TOKENIZER_BPE_H
#define OCLM_TOKENIZER_BPE_H

#include "tokenizer/hash.h"
#include "tokenizer/model.h"

/* ---- Merges (bpe_merge.c): pairs of ids, their rank, what they become. One open-addressing table of integers. */
typedef struct tok_merge {
    uint64_t pair; /* (left id + 1) << 32 | right id; 0: an empty slot */
    uint32_t rank; /* place in the file: lower is merged first */
    int32_t  result;
} tok_merge;

typedef struct tok_merges {
    tok_merge *slots;
    uint64_t  *filter;     /* bits: is there a merge of the pair, perhaps? */
    size_t     slot_count; /* a power of two; at most 5/8 are in use */
    size_t     count;
} tok_merges;

#define TOK_MAX_MERGES 0x0FFFFFFF
#define TOK_SHORT_WORD 64 /* symbols: longer ones are merged with a heap. On words never seen before: 24 is 14 % slower, 96 no faster */

/* The same pair again takes the later rank. `reserve` is a guess at how many will come. */
oclm_status tok_merges_add(tok_merges *merges, int32_t left, int32_t right, uint32_t rank, int32_t result, size_t reserve);
/* Asks memory for the place of a merge that is about to be added. */
void        tok_merges_prefetch(const tok_merges *merges, int32_t left, int32_t right);
void        tok_merges_deinit(tok_merges *merges);
/* Merges until no pair has a merge, in place; returns how many symbols are left, or SIZE_MAX: no memory. */
size_t      tok_merges_apply(const tok_merges *merges, int32_t *symbols, size_t count, struct tok_scratch *scratch);

/* ---- Cuts (bpe_cut.c): between which characters no merge ever joins anything. */
#define TOK_JOINT_NEAR 0x180 /* characters below have bits of their own */
#define TOK_JOINT_FAR ((size_t)1 << 20) /* bits for all others, by hash */
#define TOK_JOINT_BITS (TOK_JOINT_NEAR * TOK_JOINT_NEAR + TOK_JOINT_FAR)
#define TOK_CHAR_IDS 0x10000

typedef struct tok_cuts {
    uint64_t *joints;   /* [TOK_JOINT_BITS / 64] */
    int32_t  *char_ids; /* [TOK_CHAR_IDS] of tokens that are one character; -1: none */
    bool      ready;    /* else words are not cut */
} tok_cuts;

oclm_status tok_cuts_prepare(tok_cuts *cuts, const tok_vocab *vocab, const tok_merges *merges);
void        tok_cuts_deinit(tok_cuts *cuts);

static inline size_t tok_joint_bit(uint32_t left, uint32_t right)
{
    if (left < TOK_JOINT_NEAR && right < TOK_JOINT_NEAR)
        return (size_t)left * TOK_JOINT_NEAR + right;
    const uint64_t hash = tok_hash_mix(((uint64_t)left << 32 | right) * TOK_HASH_ODD);
    return TOK_JOINT_NEAR * TOK_JOINT_NEAR + (size_t)(hash >> 8) % TOK_JOINT_FAR;
}

static inline bool tok_may_join(const tok_cuts *cuts, uint32_t left, uint32_t right)
{
    const size_t bit = tok_joint_bit(left, right);
    return cuts->joints[bit / 64] >> (bit % 64) & 1;
}

/* ---- The model */
typedef struct tok_bpe {
    tok_model  model;
    tok_merges merges;
    tok_cuts   cuts;
    tok_vocab  whole;           /* pieces that are one token, as they come: most pieces need only this */
    size_t     longest;         /* of them, in bytes */
    bool       bytes;           /* pieces are bytes, not byte characters */
    bool       fuse_unk, byte_fallback, ignore_merges;
    char      *unk_token, *prefix, *suffix; /* NULL: none */
    int32_t    unk_id;          /* -1: none, or not in the vocabulary */
    bool       all_bytes;       /* `bytes`, and each single byte is a token */
    int32_t    byte_ids[256];   /* if `bytes`: of single bytes; -1: not in the vocabulary */
    int32_t    fallback_ids[256]; /* of <0x00> to <0xFF>; -1 */
} tok_bpe;

oclm_status tok_bpe_new(tok_bpe **bpe);
/* model.spans (bpe_spans.c) */
oclm_status tok_bpe_spans(const tok_model *model, struct tok_scratch *scratch, const char *text, size_t length, const int32_t *ids,
                          size_t count, oclm_span *spans);
/* The model object of a tokenizer.json. */
oclm_status tok_bpe_read(core_json_reader *reader, tok_model **model);
/* ---- Merges by their texts (bpe_batch.c): init, add all, end. `where` is for messages. */
#define TOK_MERGE_BATCH 32

typedef struct tok_batched {
    uint32_t left, right, result; /* lengths in the batch's text, where they follow one another; the result only if it is written otherwise */
    uint32_t rank;
} tok_batched;

typedef struct tok_merge_batch {
    tok_bpe    *bpe;
    const char *where;
    core_text   text;
    tok_batched merges[TOK_MERGE_BATCH];
    size_t      count;
    size_t      last_result; /* entry in the vocabulary: where the next result is likely to be */
} tok_merge_batch;

void        tok_merge_batch_init(tok_merge_batch *batch, tok_bpe *bpe, const char *where);
oclm_status tok_merge_batch_add(tok_merge_batch *batch, const char *left, size_t left_length, const char *right, size_t right_length,
                                uint32_t rank);
oclm_status tok_merge_batch_add_line(tok_merge_batch *batch, const char *line, size_t length, uint32_t rank); /* "left right" */
oclm_status tok_merge_batch_end(tok_merge_batch *batch);
void        tok_merge_batch_deinit(tok_merge_batch *batch);
/* One merge, "left right". `where` is for messages. */
oclm_status tok_bpe_add_line(tok_bpe *bpe, const char *line, size_t length, uint32_t rank, const char *where);

#endif
