/* bpe_make.h: a BPE model from files that have no merges: only tokens, in the order in which they should come to be. */
#ifndef OCLM_TOKENIZER_BPE_MAKE_H
#define OCLM_TOKENIZER_BPE_MAKE_H

#include "tokenizer/bpe.h"

typedef struct tok_merge_order {
    const int32_t *ids; /* [count] the tokens that merges make, those merged first before others */
    size_t count;
    const bool *parts; /* [highest id + 1] which tokens may be a part of a merge; NULL: all */
    bool by_ids;       /* a token's own merges in the order of (left id, right id); else shorter left parts first */
} tok_merge_order;

/* Adds a merge for every cut of each token into two tokens of the vocabulary. The ids must be indexed
 * (tok_vocab_index_ids). */
oclm_status tok_bpe_find_merges(tok_bpe *bpe, const tok_merge_order *order, const char *origin);

/* The ids of the vocabulary from the lowest to the highest; free with core_free(). */
oclm_status tok_vocab_ids(const tok_vocab *vocab, int32_t **ids, size_t *count);

#endif
