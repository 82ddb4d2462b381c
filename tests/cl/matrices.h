/* matrices.h: for tests of products: numbers that look like weights, their stored form, buffers with NaN around them, and the
 * product in double. */
#ifndef OCLM_TESTS_CL_MATRICES_H
#define OCLM_TESTS_CL_MATRICES_H

#include <math.h>
#include <string.h>

#include "core/dtype.h"
#include "core/memory.h"
#include "device/devices.h"
#include "device/launch.h"
#include "device/matmul.h"

/* A small generator of its own, so that a failing case repeats. Uniform in [-1, 1). */
typedef struct numbers {
    uint64_t state;
} numbers;

static inline float next_number(numbers *n)
{
    n->state = n->state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(n->state >> 32) * 0x1p-31f;
}

static inline float *new_numbers(uint64_t seed, size_t count)
{
    numbers n = { seed * 2654435761u + 1 };
    float  *values = core_alloc_array(count ? count : 1, sizeof *values, "numbers");
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = next_number(&n);
    return values;
}

/* Rounds values to what a storage type can hold, and writes their stored form. */
static inline void *store_numbers(core_dtype dtype, float *values, size_t count)
{
    unsigned char *stored = core_alloc_array(count, core_dtype_size(dtype), "stored numbers");
    assert_non_null(stored);
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = 0;
        switch (dtype) {
        case CORE_F16: bits = core_f32_to_f16(values[i]); break;
        case CORE_BF16: bits = core_f32_to_bf16(values[i]); break;
        default: memcpy(stored + 4 * i, &values[i], 4); continue;
        }
        memcpy(stored + 2 * i, &bits, 2);
        values[i] = dtype == CORE_F16 ? core_f16_to_f32(bits) : core_bf16_to_f32(bits);
    }
    return stored;
}

/* Rows of `columns` floats, `stride` apart from `offset` on; NaN everywhere else. Written at once: of a buffer that is written in pieces,
 * oclgrind 21.10 forgets that the rest has been written (tests/oclgrind.sh). */
static inline dev_buffer new_rows(dev_device *device, const float *values, size_t rows, size_t columns, size_t stride, size_t offset)
{
    const size_t count = offset + rows * stride;
    dev_buffer   buffer = { NULL, 0 };
    float       *all = core_alloc_array(count, sizeof *all, "a buffer's numbers");
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        all[i] = NAN;
    for (size_t r = 0; r < rows; r++)
        memcpy(all + offset + r * stride, values + r * columns, columns * sizeof *all);
    assert_ok(dev_buffer_new(device, count * sizeof *all, "a test's buffer", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, all, count * sizeof *all));
    core_free(all);
    return buffer;
}

/* A buffer of `count` floats, all NaN but what is written later. */
static inline dev_buffer new_nan_buffer(dev_device *device, size_t count) { return new_rows(device, NULL, 0, 0, 0, count); }

static inline float *read_floats(dev_device *device, const dev_buffer *buffer)
{
    float *values = core_alloc(buffer->bytes, "a copy of a buffer");
    assert_non_null(values);
    assert_ok(dev_buffer_read(dev_queue(device), buffer, 0, values, buffer->bytes));
    return values;
}

static inline void run_work(dev_device *device, const dev_work *work)
{
    assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
    assert_ok(dev_finish(dev_queue(device)));
}

/* A whole matrix from values that are rounded to `dtype` on the way. */
static inline dev_matrix new_matrix(dev_device *device, core_dtype dtype, float *values, uint32_t rows, uint32_t columns)
{
    dev_matrix              matrix = { 0 };
    void                   *stored = store_numbers(dtype, values, (size_t)rows * columns);
    const dev_matrix_source source = { .data = stored, .dtype = dtype, .rows = rows, .columns = columns, .panel_step = 1 };
    assert_ok(dev_matrix_new(device, dtype, rows, columns, "a test's matrix", &matrix));
    assert_ok(dev_matrix_fill(device, dev_queue(device), &matrix, &source));
    core_free(stored);
    return matrix;
}

/* The activations in double, from their formulas. */
static inline double activate(dev_activation activation, double v)
{
    switch (activation) {
    case DEV_ACT_NONE: return v;
    case DEV_ACT_SILU: return v / (1 + exp(-v));
    case DEV_ACT_GELU: return 0.5 * v * (1 + erf(v / sqrt(2)));
    case DEV_ACT_GELU_TANH: return 0.5 * v * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
    case DEV_ACT_RELU: return v > 0 ? v : 0;
    case DEV_ACT_QUICK_GELU: return v / (1 + exp(-1.702 * v));
    case DEV_ACT_RELU2: return v > 0 ? v * v : 0;
    case DEV_ACT_SIGMOID: return 1 / (1 + exp(-v));
    case DEV_ACT_TANH: return tanh(v);
    case DEV_ACT_CLAMPED_SWIGLU: break; /* of two numbers */
    }
    return NAN;
}

/* One row normalised in double. */
static inline void normalize(dev_norm_kind kind, const float *x, uint32_t n, const float *w, const float *b, double eps, double *y)
{
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n && kind == DEV_NORM_LAYER; i++)
        mean += (double)x[i] / n;
    for (uint32_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (uint32_t i = 0; i < n; i++) {
        const double weight = kind == DEV_NORM_NONE ? 1 : kind == DEV_NORM_RMS1P ? (w ? w[i] + 1.0 : 1) : (w ? w[i] : 1);
        y[i] = kind == DEV_NORM_NONE ? x[i] : (x[i] - mean) / sqrt(square + eps) * weight + (b ? b[i] : 0);
    }
}

#endif
