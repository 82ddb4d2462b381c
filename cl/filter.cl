// filter: which tokens may be drawn at all: the passes over rows of scores of temperature, top_h, top_k, top_p, min_p, typical_p, epsilon and
// eta cutoff. Who is out gets -INFINITY.
//
// Each pass changes scores or not, and with the same loads tallies what the next one asks for (filter.h): so top_k and top_p behind a temperature
// are nine passes, not twenty. A row is cut into parts; all sums are of integers: a part more or less changes nothing. Floats are ordered by
// `key`; NaN is above +inf, -0 equals +0. Probabilities are integers too: e^(x - largest) * 2^40, cut off: a row of 2^18 equal scores still
// fits into 64 bits.
//
//   scores     fp32 [rows][stride], vocab of them; stride >= vocab
//   workspace  uint64 [rows][WORDS(parts)], see sample.h
//   what, by   what is tallied, TALLY_ and BY_ (filter.h)
// Launch    row_parts.h, unless said otherwise
// Source    transformers' TemperatureLogitsWarper, TopHLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper,
//           TypicalLogitsWarper, EpsilonLogitsWarper, EtaLogitsWarper; selection by radix
// Test      tests/cl/test_sample.c, tests/generation/test_processors.c

#include "filter.h"

static inline void tally_begin(tally *const t, const uint what, const uint by, const uint shift, const __global ulong *const space)
{
    t->what = what;
    t->by = by;
    t->shift = shift;
    t->prefix = 0;
    t->best = 0;
    t->mass_high = t->mass_low = t->moment_high = t->moment_low = 0;
    t->largest = what & TALLY_MASS || by != BY_NUMBER ? largest_score(space, PARTS) : 0.0f;
    t->centre = by >= BY_FAR_MASS ? centre_of_row(space, PARTS) : 0.0f;
}

// A kernel's own room, and a tally in it with empty bins.
#if WG > 1
#define TALLY(t, what, by, shift)                                                                                              \
    TALLY_SPACE;                                                                                                               \
    tally t;                                                                                                                   \
    t.low = low_bins;                                                                                                          \
    t.high = high_bins;                                                                                                        \
    tally_begin(&t, what, by, shift, space);                                                                                   \
    for (uint b = LANE; b < BINS; b += LANES)                                                                                  \
        low_bins[b] = high_bins[b] = 0;                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE)
#else
#define TALLY(t, what, by, shift)                                                                                              \
    tally t;                                                                                                                   \
    t.bins = space + BIN_SET(PARTS, ((shift) / 8 + 1) & 1) + PART * BINS;                                                      \
    tally_begin(&t, what, by, shift, space);                                                                                   \
    for (uint b = 0; b < BINS && ((what) & TALLY_COUNT); b++)                                                                  \
        t.bins[b] = 0
#endif

#define ROW_OF_SCORES                                                                                                          \
    __global float *const x = scores + ROW * stride;                                                                           \
    __global ulong *const space = workspace + ROW * WORDS(PARTS);                                                              \
    const uint begin = PART * part, end = min(begin + part, vocab)

// Only tallies.
__kernel GROUP
void filter_look(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                 const uint what, const uint by)
{
    ROW_OF_SCORES;
    TALLY(t, what, by, 24u);
    for (uint i = begin + LANE * W; i < end; i += LANES * W)
        tally_floats(&t, load_floats(x, i, end), i, end);
    TALLY_END(t);
}

// score / temperature
__kernel GROUP
void filter_temperature(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                        const uint what, const uint by, const float temperature)
{
    ROW_OF_SCORES;
    TALLY(t, what, by, 24u);
    for (uint i = begin + LANE * W; i < end; i += LANES * W) {
        const floats v = load_floats(x, i, end) / temperature;
        store_floats(v, x, i, end);
        tally_floats(&t, v, i, end);
    }
    TALLY_END(t);
}

// A pass of a search but the first, for the digit at `shift`.
__kernel GROUP
void filter_count(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                  const uint by, const uint shift, const ulong target, const uint kind)
{
    PICK_SPACE;
    ROW_OF_SCORES;
    TALLY(t, TALLY_COUNT, by, shift);
    t.prefix = pick(space, PARTS, PART, shift + 8, target, kind, PICKED).prefix;
    for (uint i = begin + LANE * W; i < end; i += LANES * W)
        tally_floats(&t, load_floats(x, i, end), i, end);
    TALLY_END(t);
}

// Where a row is cut: what has a smaller key goes. Of those that have this one the part's first `stay` stay, the next `go` go.
typedef struct cut {
    uint least;
    ulong stay, go;
} cut;

// How many have the border's key and go (or stay), less those in parts before, each `one` in a count that stands in `counts`, `step` apart.
static inline ulong left_for_part(const ulong go, const __global ulong *const counts, const uint step, const ulong one)
{
    ulong before = 0;
    for (uint p = 0; p < PART && go > 0; p++)
        before += counts[p * step] / one;
    return go - min(go, before);
}

static inline cut border_cut(const __global ulong *const space)
{
    cut c = { (uint)space[BORDER(PARTS)], 0, space[BORDER(PARTS) + 1] };
    c.go = left_for_part(c.go, space + TIES(PARTS), 1, 1);
    return c;
}

// Writes the ties that go, the lowest ids first. On lanes each looks at neighbouring scores, and at how many the lanes below it have found.
#if WG > 1
#define CUT_SPACE __local uint ties[WG]
#define CUT_TIES(c) cut_ties(c, x, begin, end, ties)
static inline void cut_ties(const cut c, __global float *const x, const uint begin, const uint end, __local uint *const ties)
{
    const uint share = (end - begin + WG - 1) / WG, first = min(begin + LANE * share, end), last = c.go > 0 ? min(first + share, end) : first;
    uint own = 0, before = 0;
    for (uint i = first; i < last; i++)
        own += key(x[i]) == c.least;
    ties[LANE] = own;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint lane = 0; lane < LANE; lane++)
        before += ties[lane];
    ulong stay = c.stay - min(c.stay, (ulong)before), go = c.go - min(c.go, before - min((ulong)before, c.stay));
#else
#define CUT_SPACE
#define CUT_TIES(c) cut_ties(c, x, begin, end)
static inline void cut_ties(const cut c, __global float *const x, const uint begin, const uint end)
{
    const uint first = begin, last = end;
    ulong stay = c.stay, go = c.go;
#endif
    for (uint i = first; i < last && go > 0; i++)
        if (key(x[i]) == c.least) {
            if (stay == 0) {
                x[i] = -INFINITY;
                go--;
            } else {
                stay--;
            }
        }
#if WG > 1
    barrier(CLK_GLOBAL_MEM_FENCE);
#endif
}

// The end of a search becomes the row's border, for a guard or a list. Launch {WG, rows}, local {WG, 1}
__kernel GROUP
void filter_mark(__global ulong *restrict workspace, const uint parts, const ulong target, const uint kind)
{
    PICK_SPACE;
    __global ulong *const space = workspace + ROW * WORDS(parts);
    const search s = pick(space, parts, 1, 0u, target, kind, PICKED);
    for (uint p = LANE; p < parts; p += LANES)
        space[TIES(parts) + p] = space[BIN_SET(parts, 1) + p * BINS + (s.prefix & (BINS - 1))];
    if (LANE == 0) {
        space[BORDER(parts)] = s.prefix;
        space[BORDER(parts) + 1] = s.left;
    }
}

// What is below a key goes, and is tallied no more.
#define CUT_AND_TALLY(c)                                                                                                       \
    for (uint i = begin + LANE * W; i < end; i += LANES * W) {                                                                 \
        floats v = load_floats(x, i, end);                                                                                     \
        v = KEYS(v) < (c).least ? (floats)(-INFINITY) : v;                                                                     \
        store_floats(v, x, i, end);                                                                                            \
        tally_floats(&t, v, i, end);                                                                                           \
    }                                                                                                                          \
    TALLY_END(t)

// Cuts where a search has found, the ties as many as were left to be counted off (`ties_too`) or none. With `guarded` not above the row's border.
__kernel GROUP
void filter_cut(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                const uint what, const uint next_by, const uint by, const ulong target, const uint kind, const uint ties_too, const uint guarded)
{
    PICK_SPACE;
    CUT_SPACE;
    ROW_OF_SCORES;
    TALLY(t, what, next_by, 24u);
    const search s = pick(space, PARTS, PART, 0u, target, kind, PICKED);
    const ulong one = by == BY_MASS ? mass(exp_f1(float_of(s.prefix) - largest_score(space, PARTS))) : 1;
    cut c = { 0, 0, 0 };
    if (one > 0) { // else a row without probabilities: the draw will tell
        c.least = s.prefix;
        c.go = ties_too ? s.left / one : 0;
    }
    if (guarded && (space[BORDER(PARTS)] < c.least || (space[BORDER(PARTS)] == c.least && space[BORDER(PARTS) + 1] < c.go)))
        c = border_cut(space);
    else
        c.go = left_for_part(c.go, space + BIN_SET(PARTS, 1) + (c.least & (BINS - 1)), BINS, one);
    CUT_TIES(c);
    CUT_AND_TALLY(c);
}

// Cuts at the row's border, of whose key as many stay as it says, the lowest ids first.
__kernel GROUP
void filter_cut_border(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                       const uint what, const uint next_by)
{
    CUT_SPACE;
    ROW_OF_SCORES;
    TALLY(t, what, next_by, 24u);
    const ulong stay = left_for_part(space[BORDER(PARTS) + 1], space + TIES(PARTS), 1, 1);
    const cut c = { (uint)space[BORDER(PARTS)], stay, ULONG_MAX };
    CUT_TIES(c);
    CUT_AND_TALLY(c);
}

// What is farther from the typical score than a search by distance has found goes; with `guarded`, than the row's border too.
__kernel GROUP
void filter_cut_far(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                    const ulong target, const uint kind, const uint guarded)
{
    PICK_SPACE;
    ROW_OF_SCORES;
    const search s = pick(space, PARTS, PART, 0u, target, kind, PICKED);
    const float largest = largest_score(space, PARTS), centre = centre_of_row(space, PARTS);
    const uint most = guarded ? max(s.prefix, (uint)space[BORDER(PARTS)]) : s.prefix;
    for (uint i = begin + LANE * W; i < end; i += LANES * W) {
        const floats v = load_floats(x, i, end);
        store_floats(KEYS(fabs(v - largest + centre)) > most ? (floats)(-INFINITY) : v, x, i, end);
    }
}

// Which probabilities go: below `value` of the largest, below `value`, below eta = min(value, sqrt(value) e^-entropy).
#define RULE_MIN_P   0u
#define RULE_EPSILON 1u
#define RULE_ETA     2u

static inline float least_probability(const uint rule, const float value, const float root, const __global ulong *const space)
{
    if (rule == RULE_MIN_P)
        return value; // of the largest, as all here
    const ulong total = sum_of_row(space, MASSES(PARTS), PARTS);
    const float sum = (float)total * UNIT_OF_MASS;
    if (rule == RULE_EPSILON)
        return value * sum;
    const float entropy = log_of_mass(total) + centre_of_row(space, PARTS);
    return min(value, root * exp_f1(-entropy)) * sum;
}

// Cuts by probability. `guard`: what stays all the same: GUARD_LARGEST the largest, GUARD_BORDER what is above the row's border and of those at it
// as many as it says, GUARD_TIES and all of those at it. root = sqrt(value).
#define GUARD_LARGEST 0u
#define GUARD_BORDER  1u
#define GUARD_TIES    2u
__kernel GROUP
void filter_threshold(__global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace,
                      const uint what, const uint next_by, const uint rule, const float value, const float root, const uint guard)
{
    CUT_SPACE;
    ROW_OF_SCORES;
    TALLY(t, what, next_by, 24u);
    const float largest = largest_score(space, PARTS);
    const float least = least_probability(rule, value, root, space);
    cut c = { key(largest), 0, 0 };
    if (guard != GUARD_LARGEST)
        c = border_cut(space);
    if (guard == GUARD_TIES)
        c.go = 0;
    const bool guarding = exp_f1(float_of(c.least) - largest) < least;
    if (!guarding)
        c.go = 0;
    CUT_TIES(c);
    for (uint i = begin + LANE * W; i < end; i += LANES * W) {
        floats v = load_floats(x, i, end);
        if (guarding)
            v = KEYS(v) < c.least ? (floats)(-INFINITY) : v;
        else
            v = EXP(v - largest) < least ? (floats)(-INFINITY) : v;
        store_floats(v, x, i, end);
        tally_floats(&t, v, i, end);
    }
    TALLY_END(t);
}
