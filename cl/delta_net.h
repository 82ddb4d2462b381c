// delta_net.h: the steps of a gated delta net (delta_net.cl, where all is told) of one row and one head
//
//   delta_unit      a head of queries or keys becomes a unit vector, times `times`
//   delta_gates     beta and decay of a value head: b becomes beta, a decay
//   delta_row_f1, delta_row_f16   columns of S, `s` [KEY_DIM], take a row in: k, q [KEY_DIM], v of the columns. Returns o of them
//   delta_finished  out = w * out / rms(out) * z * sigmoid(z), a head
//
// Build     -DKEY_DIM=<dimension of a key head>
#ifndef OCLM_DELTA_NET_H
#define OCLM_DELTA_NET_H

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

static inline void delta_unit(__global float *const head, const float times)
{
    const float scale = times / sqrt(square_sum(head, KEY_DIM) + UNIT_EPS);
    for (uint i = 0; i < KEY_DIM; i++)
        head[i] *= scale;
}

static inline void delta_gates(__global float *const b, __global float *const a, const float rate, const float dt)
{
    *b = SIGMOID(*b, 1);
    *a = exp_f1(rate * softplus(*a + dt));
}

#define DEFINE_DELTA_ROW(n)                                                                                                        \
    static inline VECTOR(float, n) JOIN(delta_row_f, n)(VECTOR(float, n) *const s, const __global float *const k,                  \
                                                        const __global float *const q, const VECTOR(float, n) v, const float beta, \
                                                        const float decay)                                                         \
    {                                                                                                                              \
        VECTOR(float, n) met = 0.0f, sum = 0.0f;                                                                                   \
        IN_ORDER                                                                                                                   \
        for (uint i = 0; i < KEY_DIM; i++) {                                                                                       \
            s[i] *= decay;                                                                                                         \
            met = MUL_ADD(s[i], (VECTOR(float, n))(k[i]), met);                                                                    \
        }                                                                                                                          \
        const VECTOR(float, n) change = (v - met) * beta;                                                                          \
        IN_ORDER                                                                                                                   \
        for (uint i = 0; i < KEY_DIM; i++) {                                                                                       \
            s[i] = MUL_ADD((VECTOR(float, n))(k[i]), change, s[i]);                                                                \
            sum = MUL_ADD(s[i], (VECTOR(float, n))(q[i]), sum);                                                                    \
        }                                                                                                                          \
        return sum;                                                                                                                \
    }

DEFINE_DELTA_ROW(1)
DEFINE_DELTA_ROW(16)

static inline void delta_finished(__global float *const out, const __global float *const z, const __global float *const w, const float eps,
                                  const uint value_dim)
{
    const float scale = 1.0f / sqrt(square_sum(out, value_dim) / (float)value_dim + eps);
    uint i = 0;
    for (; i + 16 <= value_dim; i += 16) {
        const float16 gate = vload16(0, z + i);
        vstore16(vload16(0, out + i) * scale * vload16(0, w + i) * (gate * SIGMOID(gate, 16)), 0, out + i);
    }
    for (; i < value_dim; i++)
        out[i] = out[i] * scale * w[i] * (z[i] * SIGMOID(z[i], 1));
}

#endif
