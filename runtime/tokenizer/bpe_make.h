/* bpe_make.h: a BPE model from files that have no merges: only tokens, in the order in which they should come to be. */
#ifndef OCLM_TOKENIZER_BPE_MAKE_H
#define OCLM_TOKENIZER_BPE_MAKE_H

#include "tokenizer/bpe.h"

/* The order of the merges that make one and the same token. */
typedef enum tok_cut_order { TOK_CUTS_BY_IDS, TOK_CUTS_SHORT_LEFT_FIRST, TOK_CUTS_LONG_LEFT_FIRST } tok_cut_order;

typedef struct tok_merge_order {
    const int32_t *ids; /* [count] the tokens that merges make, those merged first before others */
    size_t count;
    const bool *parts; /* [highest id + 1] which tokens may be a part of a merge; NULL: all */
    tok_cut_order  cuts;
    uint32_t       first_rank; /* ranks below it are taken */
} tok_merge_order;

/* Adds a merge for every cut of each token into two tokens of the vocabulary. The ids must be indexed
 * (tok_vocab_index_ids). */
oclm_status tok_bpe_find_merges(tok_bpe *bpe, const tok_merge_order *order, const char *origin);

/* The ids of the vocabulary from the lowest to the highest; free with core_free(). */
oclm_status tok_vocab_ids(const tok_vocab *vocab, int32_t **ids, size_t *count);

#endif
