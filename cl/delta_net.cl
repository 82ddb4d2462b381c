// delta_net.cl: a gated delta net: what a sequence has said is a matrix for each value head, S [KEY_DIM][value_dim], that every row decays
// and corrects:
//     S = decay * S;  d = beta * (v - S^T k);  S = S + k d^T;  o = S^T q
//   mixed    fp32 [rows][mixed_stride]: queries and keys of key_heads heads of KEY_DIM each, then values of value_heads heads of value_dim
//   in       fp32 [rows][in_stride]; from element `at` on: z [value_heads][value_dim], b [value_heads], a [value_heads]
//   out      fp32 [rows][out_stride]: [value_heads][value_dim]
//   memory   fp32 [sequences][value_heads][KEY_DIM][value_dim]: S between passes; taken for 0 where a sequence begins with position 0
//   positions, sequences  int32 [rows]; a sequence's rows stand side by side in order of position, each sequence once
// In three steps:
//   delta_prepare  queries and keys become unit vectors, queries also times KEY_DIM^-1/2; b becomes beta = sigmoid(b), a becomes
//                  decay = exp(rate * softplus(a + dt)).  rate fp32 [value_heads]: -exp(A_log).  Launch {2 * key_heads + value_heads, rows}
//   delta_net      above. Value head h reads key head h / share % key_heads: share is value_heads / key_heads where the heads of a key head
//                  follow one another, 1 where key heads take turns. A work-item has a column of S and walks the rows of a sequence, so that a
//                  prompt gives the same bits however it is cut; those of rows that do not begin a sequence have nothing to do.
//                  Launch {value_heads * value_dim, rows}
//   delta_finish   out = w * out / rms(out of a head) * z * sigmoid(z).  w fp32 [value_dim].  Launch {value_heads, rows}
// Build     -DKEY_DIM=<dimension of a key head>
// Source    Yang et al. 2024, Gated Delta Networks; transformers' Qwen3NextGatedDeltaNet
// Test      tests/cl/test_delta_net.c

#include "activation.h"

#ifndef KEY_DIM
#define KEY_DIM 128
#endif

#define UNIT_EPS 1e-6f

static inline float square_sum(const __global float *const x, const uint n)
{
    float sum = 0.0f;
    IN_ORDER
    for (uint i = 0; i < n; i++)
        sum = MUL_ADD(x[i], x[i], sum);
    return sum;
}

static inline float softplus(const float x) { return x > 20.0f ? x : log1p(exp_f1(x)); } // with torch's threshold

__kernel void delta_prepare(__global float *restrict mixed, const uint mixed_stride, __global float *restrict in, const uint in_stride,
                            const uint at, const __global float *restrict rate, const __global float *restrict dt, const uint key_heads,
                            const uint value_heads, const uint value_dim)
{
    const uint item = (uint)get_global_id(0);
    const size_t row = get_global_id(1);
    if (item < 2 * key_heads) {
        __global float *const head = mixed + row * mixed_stride + (size_t)item * KEY_DIM;
        const float scale = (item < key_heads ? 1.0f / sqrt((float)KEY_DIM) : 1.0f) / sqrt(square_sum(head, KEY_DIM) + UNIT_EPS);
        for (uint i = 0; i < KEY_DIM; i++)
            head[i] *= scale;
    } else {
        const uint head = item - 2 * key_heads;
        __global float *const b = in + row * in_stride + at + (size_t)value_heads * value_dim + head, *const a = b + value_heads;
        *b = SIGMOID(*b, 1);
        *a = exp_f1(rate[head] * softplus(*a + dt[head]));
    }
}

__kernel void delta_net(__global float *restrict out, const uint out_stride, __global float *restrict memory,
                        const __global float *restrict mixed, const uint mixed_stride, const __global float *restrict in,
                        const uint in_stride, const uint at, const __global int *restrict positions, const __global int *restrict sequences,
                        const uint rows, const uint key_heads, const uint value_heads, const uint value_dim, const uint share)
{
    const uint column = (uint)get_global_id(0), head = column / value_dim, key_head = head / share % key_heads;
    const size_t first = get_global_id(1);
    const int sequence = sequences[first];
    if (first > 0 && sequences[first - 1] == sequence)
        return;
    float s[KEY_DIM];
    memory += ((size_t)sequence * value_heads + head) * KEY_DIM * value_dim + column % value_dim;
    for (uint i = 0; i < KEY_DIM; i++)
        s[i] = positions[first] > 0 ? memory[(size_t)i * value_dim] : 0.0f;
    for (size_t row = first; row < rows && sequences[row] == sequence; row++) {
        const __global float *const q = mixed + row * mixed_stride + (size_t)key_head * KEY_DIM, *const k = q + (size_t)key_heads * KEY_DIM;
        const __global float *const gates = in + row * in_stride + at + (size_t)value_heads * value_dim + head;
        const float v = mixed[row * mixed_stride + 2 * (size_t)key_heads * KEY_DIM + column], beta = gates[0], decay = gates[value_heads];
        float met = 0.0f, sum = 0.0f;
        IN_ORDER
        for (uint i = 0; i < KEY_DIM; i++) {
            s[i] *= decay;
            met = MUL_ADD(s[i], k[i], met);
        }
        const float change = (v - met) * beta;
        IN_ORDER
        for (uint i = 0; i < KEY_DIM; i++) {
            s[i] = MUL_ADD(k[i], change, s[i]);
            sum = MUL_ADD(s[i], q[i], sum);
        }
        out[row * out_stride + column] = sum;
    }
    for (uint i = 0; i < KEY_DIM; i++)
        memory[(size_t)i * value_dim] = s[i];
}

__kernel void delta_finish(__global float *restrict out, const uint out_stride, const __global float *restrict in, const uint in_stride,
                           const uint at, const __global float *restrict w, const float eps, const uint value_dim)
{
    const size_t row = get_global_id(1), head = get_global_id(0);
    const __global float *const z = in + row * in_stride + at + head * value_dim;
    out += row * out_stride + head * value_dim;
    const float scale = 1.0f / sqrt(square_sum(out, value_dim) / (float)value_dim + eps);
    for (uint i = 0; i < value_dim; i++)
        out[i] = out[i] * scale * w[i] * (z[i] * SIGMOID(z[i], 1));
}
