// softmax.h: the running softmax of attention, shared by every shape of its kernels, so that all make the same bits.
//
// A row's positions are cut into spans of SPAN, a span into pages of PAGE. Within a span a row keeps
//   largest   the largest score so far (LOWEST before the first)
//   sums      the sum of exp(score - largest), one for each place in a page
//   values    the sum of exp(score - largest) * v, one for each dimension
// Page by page: the largest of the page joins `largest`; what was summed before shrinks by exp(old - new); then each place adds
// its exponential, and each dimension adds position after position. A masked position has score -INFINITY and adds nothing.
// At the end of a span `sums` is folded in halves (16, 8, 4, 2, 1) to one sum; spans are then joined first to last.
// A row that has nothing in a page or a span leaves all of this as it was, so rows may be computed together as one likes.
#ifndef OCLM_SOFTMAX_H
#define OCLM_SOFTMAX_H

#include "math.h"

#define PAGE   32u
#define SPAN   512u
#define LOWEST -FLT_MAX // not -INFINITY: LOWEST - LOWEST is 0, and exp(-INFINITY - LOWEST) is 0

static inline float larger(const float a, const float b)
{
    return a > b ? a : b;
}

// What is known of all positions up to here, joined with the next span: each side's factor, to be applied to `values` too.
typedef struct joining {
    float largest, sum, keep, take;
} joining;

static inline joining join_spans(const float largest, const float sum, const float next_largest, const float next_sum)
{
    joining j;
    j.largest = larger(largest, next_largest);
    j.keep = exp_f1(largest - j.largest);
    j.take = exp_f1(next_largest - j.largest);
    const float taken = next_sum * j.take;
    j.sum = sum * j.keep + taken;
    return j;
}

static inline float join_value(const joining j, const float value, const float next_value)
{
    const float taken = next_value * j.take;
    return value * j.keep + taken;
}

// Adding zero makes -0 (an underflow) +0, whichever way it came about.
static inline float normalized(const float value, const float inverse_sum)
{
    return value * inverse_sum + 0.0f;
}

#endif
