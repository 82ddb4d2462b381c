// log_prob: how likely the tokens are that stand next: of each row of logits, log(softmax(row))[target], without the logarithm.
//
// A row is cut into parts of PART logits, a work-item each: its largest, and the sum of e^(x - largest) in 16 lanes, which are added in order.
// A second kernel joins the parts of a row in order. So the bits depend on the row alone. What comes back is two floats a row, of which the
// host makes  x - log(sum)  in double: logits do not travel.
//
//   logits   fp32 [rows][stride], vocab of them; stride >= vocab
//   targets  int32 [rows]; < 0: none
//   parts    fp32 [rows][(vocab + PART - 1) / PART][2]: largest, sum
//   out      fp32 [rows][2]: the target's logit less the row's largest, and the row's sum. NaN where the row has one; 0 and 1 for no target
// Launch    log_prob_parts {parts, rows}, log_prob_join {rows}; any local size
// Build     -DPART=<a multiple of 16>
// Test      tests/cl/test_log_prob.c

#include "math.h"
#include "sixteen.h"

#ifndef PART
#define PART 1024
#endif

static inline float largest_lane(const float16 v)
{
    const float8 a = fmax(v.lo, v.hi);
    const float4 b = fmax(a.lo, a.hi);
    const float2 c = fmax(b.lo, b.hi);
    return fmax(c.x, c.y);
}

static inline float add_lanes(const float16 v)
{
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
    const float2 c = b.lo + b.hi;
    return c.x + c.y;
}

__kernel void log_prob_parts(const __global float *restrict logits, const uint stride, const uint vocab, __global float *restrict parts)
{
    const uint part = (uint)get_global_id(0), count = (vocab + PART - 1) / PART;
    const uint begin = part * PART, end = min(begin + PART, vocab);
    const __global float *const x = logits + (ulong)get_global_id(1) * stride;
    float16 most = (float16)(-INFINITY), sums = (float16)(0.0f);
    for (uint i = begin; i < end; i += 16)
        most = fmax(most, load16(x, i, end)); // NaN is passed over here, and met below
    const float largest = largest_lane(most);
    // A part of -INFINITY alone has nothing to add: -INFINITY less itself would be NaN.
    const float base = largest == -INFINITY ? 0.0f : largest;
    for (uint i = begin; i < end; i += 16)
        sums += exp_f16(load16(x, i, end) - base);
    vstore2((float2)(largest, add_lanes(sums)), 0, parts + 2 * ((ulong)get_global_id(1) * count + part));
}

__kernel void log_prob_join(const __global float *restrict logits, const uint stride, const uint vocab, const __global float *restrict parts,
                            const __global int *restrict targets, __global float *restrict out)
{
    const uint row = (uint)get_global_id(0), count = (vocab + PART - 1) / PART;
    const int target = targets[row];
    parts += 2 * (ulong)row * count;
    float largest = -INFINITY, sum = 0.0f;
    for (uint p = 0; p < count; p++)
        largest = fmax(largest, parts[2 * p]);
    IN_ORDER
    for (uint p = 0; p < count; p++)
        sum = MUL_ADD(parts[2 * p + 1], parts[2 * p] == -INFINITY ? 1.0f : exp_f1(parts[2 * p] - largest), sum); // such a part's sum is 0, or NaN
    const bool known = target >= 0 && (uint)target < vocab;
    const float x = known ? logits[(ulong)row * stride + (uint)target] - largest : 0.0f;
    vstore2(known ? (float2)(x, sum) : (float2)(0.0f, 1.0f), 0, out + 2 * (ulong)row);
}
