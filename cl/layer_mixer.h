// layer_mixer.h: what layers without attention do in its place, as steps of decode_layers.cl: every row is the only one of its sequence
//
//   a short convolution   one step: CONV_CHANNELS of a row are a ticket
//   a delta net           two: the convolution, of a head a ticket, which also makes of its head what delta_prepare does; then delta_net and
//                         delta_finish, of a value head a ticket
//
// Build     -DMIXER=0..2, and as short_conv.h, delta_net.h
#ifndef OCLM_LAYER_MIXER_H
#define OCLM_LAYER_MIXER_H

#define MIXER_SHORT_CONV 1 // as model_mixer
#define MIXER_DELTA_NET  2

#ifndef MIXER
#define MIXER 0
#endif

#if MIXER
#include "delta_net.h"
#include "short_conv.h"
#include "tickets.h"

#define CONV_CHANNELS 128 // of a ticket

typedef struct mixer_data {
    __global float *in;     // what the first product made of rows, in_stride apart
    __global float *mixed;  // with a delta net what was convolved, mixed_stride apart
    __global float *out;    // what the second product reads
    uint in_stride, mixed_stride, out_stride, channels;
    const __global float *conv_w, *conv_b;
    __global float *tail, *memory;
    const __global int *positions, *sequences;
    __global int *reached;
    const __global float *rate, *dt, *norm_w;
    uint key_heads, value_heads, value_dim, share;
    float eps;
} mixer_data;

static inline void convolve(const mixer_data m, const uint row, uint c, const uint end, __global float *const y)
{
    const __global float *const x = m.in + (size_t)row * m.in_stride;
    const uint position = (uint)m.positions[row];
    __global float *const tail = m.tail + (size_t)m.sequences[row] * (TAPS - 1) * m.channels;
    if (c == 0)
        m.reached[m.sequences[row]] = (int)position + 1;
    for (; c + 16 <= end; c += 16)
        convolve_f16(y, x, m.conv_w, m.conv_b, tail, position, c, m.channels);
    for (; c < end; c++)
        convolve_f1(y, x, m.conv_w, m.conv_b, tail, position, c, m.channels);
}

#if MIXER == MIXER_DELTA_NET
#define ITEMS(m) (2 * (m).key_heads + (m).value_heads) // tickets of a row

static inline void convolve_item(const mixer_data m, const uint row, const uint item)
{
    __global float *const mixed = m.mixed + (size_t)row * m.mixed_stride;
    if (item < 2 * m.key_heads) {
        convolve(m, row, item * KEY_DIM, (item + 1) * KEY_DIM, mixed);
        delta_unit(mixed + (size_t)item * KEY_DIM, item < m.key_heads ? 1.0f / sqrt((float)KEY_DIM) : 1.0f);
    } else {
        const uint head = item - 2 * m.key_heads, first = 2 * m.key_heads * KEY_DIM + head * m.value_dim;
        __global float *const b = m.in + (size_t)row * m.in_stride + m.channels + m.value_heads * m.value_dim + head;
        convolve(m, row, first, first + m.value_dim, mixed);
        delta_gates(b, b + m.value_heads, m.rate[head], m.dt[head]);
    }
}

// Columns of S in vectors of n, some at once: sums of one after another would wait for each other. S is read twice, because no
// core holds it in registers. The operations are those of delta_net.h's delta_row.
#define DEFINE_DELTA_COLUMNS(n, vectors)                                                                                           \
    static inline void JOIN(JOIN(delta_columns_f, n), JOIN(x, vectors))(                                                           \
        const mixer_data m, __global float *const memory, const bool fresh, const __global float *const k,                         \
        const __global float *const q, const __global float *const v, const float beta, const float decay, __global float *const out) \
    {                                                                                                                              \
        VECTOR(float, n) met[vectors], sum[vectors], change[vectors];                                                              \
        for (uint j = 0; j < vectors; j++)                                                                                         \
            met[j] = sum[j] = 0.0f;                                                                                                \
        IN_ORDER                                                                                                                   \
        for (uint i = 0; i < KEY_DIM; i++) {                                                                                       \
            const __global float *const s = memory + (size_t)i * m.value_dim;                                                      \
            for (uint j = 0; j < vectors; j++)                                                                                     \
                met[j] = MUL_ADD((fresh ? (VECTOR(float, n))(0.0f) : LOAD_VECTOR(n, s + j * n)) * decay, (VECTOR(float, n))(k[i]), met[j]); \
        }                                                                                                                          \
        for (uint j = 0; j < vectors; j++)                                                                                         \
            change[j] = (LOAD_VECTOR(n, v + j * n) - met[j]) * beta;                                                               \
        IN_ORDER                                                                                                                   \
        for (uint i = 0; i < KEY_DIM; i++) {                                                                                       \
            __global float *const s = memory + (size_t)i * m.value_dim;                                                            \
            for (uint j = 0; j < vectors; j++) {                                                                                   \
                const VECTOR(float, n) old = (fresh ? (VECTOR(float, n))(0.0f) : LOAD_VECTOR(n, s + j * n)) * decay;               \
                const VECTOR(float, n) now = MUL_ADD((VECTOR(float, n))(k[i]), change[j], old);                                    \
                STORE_VECTOR(n, now, s + j * n);                                                                                   \
                sum[j] = MUL_ADD(now, (VECTOR(float, n))(q[i]), sum[j]);                                                           \
            }                                                                                                                      \
        }                                                                                                                          \
        for (uint j = 0; j < vectors; j++)                                                                                         \
            STORE_VECTOR(n, sum[j], out + j * n);                                                                                  \
    }

DEFINE_DELTA_COLUMNS(1, 1)
DEFINE_DELTA_COLUMNS(16, 1)
DEFINE_DELTA_COLUMNS(16, 4)

static inline void delta_head(const mixer_data m, const uint row, const uint head)
{
    const __global float *const mixed = m.mixed + (size_t)row * m.mixed_stride;
    const __global float *const q = mixed + (size_t)(head / m.share % m.key_heads) * KEY_DIM, *const k = q + (size_t)m.key_heads * KEY_DIM;
    const __global float *const v = mixed + 2 * (size_t)m.key_heads * KEY_DIM + (size_t)head * m.value_dim;
    const __global float *const z = m.in + (size_t)row * m.in_stride + m.channels + (size_t)head * m.value_dim;
    const __global float *const gates = m.in + (size_t)row * m.in_stride + m.channels + (size_t)m.value_heads * m.value_dim + head;
    __global float *const memory = m.memory + ((size_t)m.sequences[row] * m.value_heads + head) * KEY_DIM * m.value_dim;
    __global float *const out = m.out + (size_t)row * m.out_stride + (size_t)head * m.value_dim;
    const bool fresh = m.positions[row] == 0;
    uint c = 0;
    for (; c + 64 <= m.value_dim; c += 64)
        delta_columns_f16x4(m, memory + c, fresh, k, q, v + c, gates[0], gates[m.value_heads], out + c);
    for (; c + 16 <= m.value_dim; c += 16)
        delta_columns_f16x1(m, memory + c, fresh, k, q, v + c, gates[0], gates[m.value_heads], out + c);
    for (; c < m.value_dim; c++)
        delta_columns_f1x1(m, memory + c, fresh, k, q, v + c, gates[0], gates[m.value_heads], out + c);
    delta_finished(out, z, m.norm_w, m.eps, m.value_dim);
}
#else
#define ITEMS(m) (((m).channels + CONV_CHANNELS - 1) / CONV_CHANNELS)

static inline void convolve_item(const mixer_data m, const uint row, const uint item)
{
    convolve(m, row, item * CONV_CHANNELS, min((item + 1) * CONV_CHANNELS, m.channels), m.out + (size_t)row * m.out_stride);
}
#endif

static inline void mix_rows(walk *const w, const mixer_data m, const uint rows)
{
    uint tickets = rows * ITEMS(m);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            convolve_item(m, (w->ticket - w->begin) / ITEMS(m), (w->ticket - w->begin) % ITEMS(m));
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
#if MIXER == MIXER_DELTA_NET
    tickets = rows * m.value_heads;
    begin_phase(w);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            delta_head(m, (w->ticket - w->begin) / m.value_heads, (w->ticket - w->begin) % m.value_heads);
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
#endif
}
#endif

#endif
