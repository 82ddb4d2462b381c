/* truncate.h: which part of a text's ids stays, and what is cut off. As the reference's truncate_encodings(). */
#ifndef OCLM_TOKENIZER_TRUNCATE_H
#define OCLM_TOKENIZER_TRUNCATE_H

#include "tokenizer/tokenizer.h"

typedef struct tok_cut {
    size_t max_length; /* of text and pair together, special tokens not counted */
    size_t stride;     /* ids that a cut-off part repeats of the part before */
    oclm_truncation strategy;
    bool from_left;    /* the end stays */
} tok_cut;

/* How many ids of a text and of its pair stay. `has_pair`: there is one. Errors: OCLM_ERR_ARGUMENT. */
oclm_status tok_cut_lengths(const tok_cut *cut, size_t length, bool has_pair, size_t pair_length, size_t *keep, size_t *pair_keep);

/* The parts of `length` ids, each of at most `keep`: the one that stays is number 0. False where there is no such part.
 * A text that is kept whole has one part; one that vanishes has an empty one, and itself. */
bool tok_cut_part(const tok_cut *cut, size_t length, size_t keep, size_t number, size_t *begin, size_t *end);

#endif
