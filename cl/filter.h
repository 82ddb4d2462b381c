// filter.h: finding the score at which a row is cut: by how many scores, or which share of the probability, lie below it
//
// Scores are ordered by their keys (sample.h), or by the keys of their distances from the typical one. A search finds a key of 32 bits in four
// passes over the row, 8 bits each, the highest first. A pass counts, for each value of its digit, the keys that begin with the digits found
// so far: one for a key, or its probability (TALLY_COUNT). Whoever comes next, the next pass or what cuts, picks the digit from these
// counts: the first with which their sum passes what is to be counted off. Each part picks for itself, so that no launch lies between.
// The counts of two passes that follow each other lie in two sets of bins, because one is read while the other is written.
//
// With the same loads a pass takes what the next filter asks for: see TALLY_. What it reads of a row (largest score, masses, moments) it must not
// write, since other parts may be later.
#ifndef OCLM_FILTER_H
#define OCLM_FILTER_H

#include "row_vectors.h"

// What a count adds for each score, and by what scores are ordered.
#define BY_NUMBER       0u // one; by score
#define BY_MASS         1u // the probability; by score
#define BY_FAR_MASS     2u // the probability; by distance
#define BY_FAR_NUMBER   3u // one; by distance

// What is to be counted off: `target`, or the share `target` / 2^64 of all.
#define TARGET_NUMBER   0u
#define TARGET_SHARE    1u // in ascending order the key found is the first with which the sum passes the share
#define TARGET_REACHED  2u // .. or reaches it

#define TALLY_LARGEST   1u // the largest key
#define TALLY_COUNT     2u // of the highest digit
#define TALLY_MASS      4u // sum of e^(x - largest)
#define TALLY_MOMENT    8u // sum of e^(x - largest) (largest - x)

typedef struct tally {
    uint what, by, shift; // the digit's place
    uint prefix;          // the digits above
    float largest;        // where anything but numbers is asked for
    float centre;         // of distances
    uints best;
    uints mass_high, mass_low, moment_high, moment_low; // in two halves of 20 bits: so they are added up in vectors, 4096 of them at most
#if WG > 1
    __local uint *low, *high; // 64 bits in two halves: atomic additions of 32 are what every device has
#else
    __global ulong *bins;
#endif
} tally;

#if WG > 1
#define TALLY_SPACE __local uint low_bins[BINS], high_bins[BINS]; __local ulong largests[WG], masses[WG], moments[WG]
#define PICK_SPACE  __local ulong sums[BINS], sixteens[BINS / 16], found[2]
#else
#define PICK_SPACE  ulong sums[BINS]
#endif

// How far log-probabilities are from the row's entropy: |(x - largest) + centre|.
static inline float centre_of_row(const __global ulong *const space, const uint parts)
{
    return (float)sum_of_row(space, MOMENTS(parts), parts) / (float)sum_of_row(space, MASSES(parts), parts);
}

static inline void count_one(tally *const t, const uint bin, const ulong more)
{
#if WG > 1
    const uint before = atomic_add(&t->low[bin], (uint)more);
    const uint carry = before + (uint)more < before;
    if (more >> 32 || carry)
        atomic_add(&t->high[bin], (uint)(more >> 32) + carry);
#else
    t->bins[bin] += more;
#endif
}

static inline void count_floats(tally *const t, const floats v, const uint i, const uint end)
{
    const uints k = t->by >= BY_FAR_MASS ? KEYS(fabs(v - t->largest + t->centre)) : KEYS(v);
    const bool weighs = t->by == BY_MASS || t->by == BY_FAR_MASS;
    uint keys[W];
    float e[W];
    if (t->shift < 24 && !ANY(k >> (t->shift + 8) == (uints)(t->prefix)))
        return;
    const floats probability = weighs ? EXP(v - t->largest) : (floats)(1.0f);
    if (!ANY(probability > 0.0f))
        return;
    SPREAD(k, keys);
    SPREAD(probability, e);
    for (uint j = 0; j < W; j++)
        if (i + j < end && (t->shift == 24 || keys[j] >> (t->shift + 8) == t->prefix))
            count_one(t, keys[j] >> t->shift & (BINS - 1), weighs ? mass(e[j]) : 1);
}

// mass() of each, in two halves.
static inline void add_masses(const floats e, uints *const high, uints *const low)
{
    const floats scaled = (e > 0.0f ? e : (floats)(0.0f)) * 1048576.0f;
    const uints whole = TO_UINTS(scaled);
    *high += whole;
    *low += TO_UINTS((scaled - TO_FLOATS(whole)) * 1048576.0f);
}

static inline void sum_floats(tally *const t, const floats v)
{
    const floats distance = t->largest - v, e = EXP(v - t->largest);
    if (!ANY(e > 0.0f))
        return;
    add_masses(e, &t->mass_high, &t->mass_low);
    if (t->what & TALLY_MOMENT)
        add_masses(e > 0.0f ? e * distance : (floats)(0.0f), &t->moment_high, &t->moment_low);
}

static inline ulong sum_of_halves(const uints high, const uints low)
{
    uint h[W], l[W];
    ulong sum = 0;
    SPREAD(high, h);
    SPREAD(low, l);
    for (uint j = 0; j < W; j++)
        sum += ((ulong)h[j] << 20) + l[j];
    return sum;
}

static inline void tally_floats(tally *const t, const floats v, const uint i, const uint end)
{
    if (t->what & TALLY_LARGEST)
        t->best = max(t->best, KEYS(v));
    if (t->what & TALLY_COUNT)
        count_floats(t, v, i, end);
    if (t->what & TALLY_MASS)
        sum_floats(t, v);
}

// Writes what was found to the part's places of `space`.
#if WG > 1
static inline void tally_end(const tally *const t, __global ulong *const space, __local ulong *const largests, __local ulong *const masses,
                             __local ulong *const moments)
{
    largests[LANE] = t->best;
    masses[LANE] = sum_of_halves(t->mass_high, t->mass_low);
    moments[LANE] = sum_of_halves(t->moment_high, t->moment_low);
    for (uint width = WG / 2; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LANE < width) {
            largests[LANE] = max(largests[LANE], largests[LANE + width]);
            masses[LANE] += masses[LANE + width];
            moments[LANE] += moments[LANE + width];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE); // bins are whole too
    const ulong best = largests[0], mass = masses[0], moment = moments[0];
    __global ulong *const bins = space + BIN_SET(PARTS, (t->shift / 8 + 1) & 1) + PART * BINS;
    for (uint b = LANE; b < BINS && (t->what & TALLY_COUNT); b += LANES)
        bins[b] = (ulong)t->high[b] << 32 | t->low[b];
#define TALLY_END(t) tally_end(&(t), space, largests, masses, moments)
#else
static inline void tally_end(const tally *const t, __global ulong *const space)
{
    const ulong best = LARGEST_OF(t->best), mass = sum_of_halves(t->mass_high, t->mass_low), moment = sum_of_halves(t->moment_high, t->moment_low);
#define TALLY_END(t) tally_end(&(t), space)
#endif
    if (LANE == 0 && (t->what & TALLY_LARGEST))
        space[LARGEST(PARTS) + PART] = best;
    if (LANE == 0 && (t->what & TALLY_MASS)) {
        space[MASSES(PARTS) + PART] = mass;
        space[MOMENTS(PARTS) + PART] = moment;
    }
}

// The digits found so far, and what is left to be counted off among the keys that begin with them.
typedef struct search {
    uint prefix;
    ulong left;
} search;

static inline ulong left_at_first(const ulong total, const ulong target, const uint kind)
{
    if (kind == TARGET_NUMBER)
        return target;
    const ulong left = mul_hi(target, total);
    if (kind == TARGET_REACHED)
        return left - (left > 0);
    return left < total ? left : total - (total > 0); // one stays
}

// Picks the digit at `shift`, which the last pass has counted. Part 0 writes it down for the next but one. All lanes must call.
#if WG > 1
static inline search pick(__global ulong *const space, const uint parts, const uint part, const uint shift, const ulong target, const uint kind,
                          __local ulong *const sums, __local ulong *const sixteens, __local ulong *const found)
#define PICKED sums, sixteens, found
#else
static inline search pick(__global ulong *const space, const uint parts, const uint part, const uint shift, const ulong target, const uint kind,
                          ulong *const sums)
#define PICKED sums
#endif
{
    const __global ulong *const bins = space + BIN_SET(parts, (shift / 8 + 1) & 1);
    __global ulong *const states = space + STATES(parts);
    const uint place = 3 - shift / 8; // of the digit: 0 is the highest
    search s = { 0, 0 };
    for (uint b = LANE; b < BINS; b += LANES)
        sums[b] = 0;
    for (uint p = 0; p < parts; p++)
        for (uint b = LANE; b < BINS; b += LANES)
            sums[b] += bins[p * BINS + b];
#if WG > 1
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint g = LANE; g < BINS / 16; g += LANES) {
        ulong sum = 0;
        for (uint b = 0; b < 16; b++)
            sum += sums[16 * g + b];
        sixteens[g] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (LANE == 0)
#endif
    {
        ulong total = 0;
        for (uint b = 0; b < BINS && place == 0; b++)
            total += sums[b];
        s.left = place == 0 ? left_at_first(total, target, kind) : states[2 * place - 1];
        uint digit = 0;
#if WG > 1
        for (; digit < BINS - 16 && sixteens[digit / 16] <= s.left; digit += 16)
            s.left -= sixteens[digit / 16];
#endif
        for (; digit < BINS - 1 && sums[digit] <= s.left; digit++)
            s.left -= sums[digit];
        s.prefix = (place == 0 ? 0 : (uint)states[2 * place - 2] << 8) | digit;
        if (part == 0 && place < 3) {
            states[2 * place] = s.prefix;
            states[2 * place + 1] = s.left;
        }
    }
#if WG > 1
    if (LANE == 0) {
        found[0] = s.prefix;
        found[1] = s.left;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    s.prefix = (uint)found[0];
    s.left = found[1];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    return s;
}

#endif
