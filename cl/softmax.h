// softmax.h: the running softmax of attention, shared by every shape of its kernels, so that all make the same bits.
//
// A row's positions are cut into spans of KEY_SPAN, a span into pages of PAGE. Within a span a row keeps
//   largest   the largest score so far (LOWEST before the first)
//   sums      the sum of exp(score - largest), one for each place in a page
//   values    the sum of exp(score - largest) * v, one for each dimension
// Page by page: the largest of the page joins `largest`; what was summed before shrinks by exp(old - new); then each place adds
// its exponential, and each dimension adds position after position. A masked position has score -INFINITY and adds nothing.
// At the end of a span `sums` is folded in halves (16, 8, 4, 2, 1) to one sum; spans are then joined first to last.
// A row that has nothing in a page or a span leaves all of this as it was, so rows may be computed together as one likes, and what no
// row sees may be left out.
// With SINKS each head has one score more, of nothing, which joins the maximum and the sum last.
//
// Build     -DSINKS=0|1
#ifndef OCLM_SOFTMAX_H
#define OCLM_SOFTMAX_H

#include "math.h"

#define PAGE   32u
#define KEY_SPAN   512u
#ifndef SINKS
#define SINKS 0
#endif

#define LOWEST -FLT_MAX // not -INFINITY: LOWEST - LOWEST is 0, and exp(-INFINITY - LOWEST) is 0

static inline float larger(const float a, const float b)
{
    return a > b ? a : b;
}

// How the next span joins what is known of all positions before it: the side with the smaller maximum shrinks by `factor`, the
// other stays as it is.
typedef struct joining {
    float largest, factor;
    bool  next_is_larger;
} joining;

static inline joining join_spans(const float largest, const float next_largest)
{
    joining j;
    j.next_is_larger = next_largest > largest;
    j.largest = j.next_is_larger ? next_largest : largest;
    j.factor = exp_f1((j.next_is_larger ? largest : next_largest) - j.largest);
    return j;
}

// Joins sums, or values of one dimension.
static inline float join_value(const joining j, const float value, const float next_value)
{
    return MUL_ADD(j.next_is_larger ? value : next_value, j.factor, j.next_is_larger ? next_value : value);
}

// What the values of all spans are to be multiplied with. `sinks` fp32 [heads], only with SINKS.
static inline float inverse_of(const float largest, const float sum, const __global float *const sinks, const uint head)
{
#if SINKS
    const joining j = join_spans(largest, sinks[head]);
    return (j.next_is_larger ? j.factor : 1.0f) / join_value(j, sum, 1.0f);
#else
    (void)largest, (void)sinks, (void)head;
    return 1.0f / sum;
#endif
}

// -0 (an underflow) becomes +0, whichever way it came about.
static inline float normalized(const float value, const float inverse_sum)
{
    const float y = value * inverse_sum;
    return y == 0.0f ? 0.0f : y;
}

#endif
