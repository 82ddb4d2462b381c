/* lookup.h: prompt lookup: guesses the next ids from what followed the same ids earlier in the text.
 *
 * The rule is that of transformers' PromptLookupCandidateGenerator: of the groups of the last ids, from max_matching_ngram_size of them down to
 * one, the first that stood in the text before; of the places where it did, the earliest. Every group's earliest place is kept in a table as ids
 * come, so that a guess takes the same time in a text of a hundred thousand ids. */
#ifndef OCLM_GENERATION_LOOKUP_H
#define OCLM_GENERATION_LOOKUP_H

#include "core/memory.h"

#define GEN_LOOKUP_TABLES 8u /* groups of more ids have none: where one of so many was found, longer ones are looked for in the text */

typedef struct gen_lookup {
    int32_t  *ids; /* [count] */
    uint32_t  count, room;
    uint32_t  largest;                   /* group: max_matching_ngram_size */
    uint32_t *tables[GEN_LOOKUP_TABLES]; /* of groups of one, two, ..: [slots] of where one begins, or GEN_LOOKUP_EMPTY */
    uint32_t  slots;                     /* a power of two, at least twice `room` */
} gen_lookup;

#define GEN_LOOKUP_EMPTY UINT32_MAX

/* `largest` > 0. `expected`: so many ids take no more memory later. Errors: OCLM_ERR_MEMORY; `lookup` is then empty. */
oclm_status gen_lookup_init(gen_lookup *lookup, uint32_t largest, uint32_t expected);
void        gen_lookup_deinit(gen_lookup *lookup);
/* The text goes on. Errors: OCLM_ERR_MEMORY; the lookup can then only be freed. */
oclm_status gen_lookup_add(gen_lookup *lookup, const int32_t *ids, uint32_t count);
/* At most `most` ids that may come next, and how many: 0 where the text tells nothing. They live until the next gen_lookup_add(). */
uint32_t    gen_lookup_guess(const gen_lookup *lookup, uint32_t most, const int32_t **guess);

#endif
