/* accept.h: records the kernels of cl/accept.cl: how likely what a draft model drew was, and whether it is kept. */
#ifndef OCLM_GENERATION_ACCEPT_H
#define OCLM_GENERATION_ACCEPT_H

#include "device/launch.h"

/* What is known of a token among others, as on the device: its probability is mass / total. */
typedef struct gen_chance {
    uint64_t total, mass;
    int64_t  id; /* below 0: none could be drawn */
    uint64_t largest;
} gen_chance;

/* 0 where nothing has a probability. */
static inline double gen_chance_probability(const gen_chance *chance)
{
    return chance->total > 0 ? (double)chance->mass / (double)chance->total : 0.0;
}

/* Rows of scores: float32 [..][stride], vocab of them; stride a multiple of 16. */
typedef struct gen_score_rows {
    const dev_buffer *scores;
    uint32_t          stride, vocab;
    uint32_t          lanes; /* that share a row, a power of two; 0: as suits the device (tests try others) */
} gen_score_rows;

/* Records chances[r] of ids[first + r] in row r, for r < rows. Where a pass has one row after the other, `at` (uint32; else NULL) counts them: row
 * 0 then goes to chances[*at], its scores to row *at of `kept` (NULL: nowhere), and *at grows by one. */
oclm_status gen_chance_add(dev_work *work, const gen_score_rows *rows, uint32_t count, const dev_buffer *ids, uint32_t first,
                           const dev_buffer *chances, const dev_buffer *at, const gen_score_rows *kept);
/* Records result = { how many of `count` guesses are kept, the token behind them }, both int32. `rows` and `chances`: count + 1 of the model,
 * `drafts` and `guesses`: count of the draft model; `step`: uint32, the number of the first of the tokens. */
oclm_status gen_accept_add(dev_work *work, const gen_score_rows *rows, const dev_buffer *chances, const gen_score_rows *drafts,
                           const dev_buffer *guesses, uint32_t count, const dev_buffer *step, uint64_t seed, const dev_buffer *result);

#endif
