/* product_scene.h: for tests of products: one of any shape, storage type, norm and epilogue, and the same in double.
 *
 * Tolerance. x and W are at most 1 in size, sums of k products in chunks of 64: rounding errors are at most
 * (64 + k / 64) * 2^-24 * sum |x w|, and for random signs far less; a norm adds a relative error of a few roundings of each
 * x. So every result must be within (64 + k / 64 + 8) * 2^-24 * (sum |x w| + |bias|) of the exact one, before an
 * activation; the activations here have a slope of at most 1.2 (relu2: its own), and a relative error of their own
 * of 16 roundings. A library sums in an order of its own: then it is k + 16 roundings, whatever the order. */
#ifndef OCLM_TESTS_CL_PRODUCT_SCENE_H
#define OCLM_TESTS_CL_PRODUCT_SCENE_H

#include "cl/matrices.h"

typedef struct product_shape {
    const char    *label;
    uint32_t       rows, n, k;
    core_dtype     dtype;
    dev_norm_kind  norm;
    dev_epilogue   epilogue;
    dev_activation activation;
    bool           bias, large; /* large: left out on slow devices */
} product_shape;

/* Everything a product needs, on the host and on the device. The padding between rows is NaN. */
typedef struct product {
    const product_shape *s;
    uint32_t     padded, outputs, columns, x_stride, y_stride; /* padded rows of W; floats of a row of y that are written */
    uint32_t     roundings; /* of a sum */
    float       *x, *w, *bias, *norm_w, *norm_b, *before;
    dev_matrix   matrix;
    dev_buffer   x_buffer, y_buffer, bias_buffer, scratch;
    dev_matmul   m;
} product;

/* A matrix of which the first `cut` panels are a part of their own, as if the device's buffers were no larger; 0: whole. */
static inline dev_matrix new_cut_matrix(dev_device *device, const product_shape *s, float *values, uint32_t cut)
{
    if (cut == 0)
        return new_matrix(device, s->dtype, values, s->n, s->k);
    const uint32_t rows = cut * DEV_PANEL;
    dev_matrix     matrix = new_matrix(device, s->dtype, values, rows, s->k);
    dev_matrix     rest = new_matrix(device, s->dtype, values + (size_t)rows * s->k, s->n - rows, s->k);
    assert_true(matrix.part_count == 1 && rest.part_count == 1);
    dev_matrix_part *parts = core_realloc_array(matrix.parts, 2, sizeof *parts, "parts");
    assert_non_null(parts);
    parts[1] = rest.parts[0];
    parts[1].first_panel = cut;
    core_free(rest.parts);
    return (dev_matrix){ .rows = s->n, .columns = s->k, .panels = cut + rest.panels, .parts = parts, .part_count = 2 };
}

static inline product make_product(dev_device *device, const product_shape *s, uint32_t cut)
{
    product p = { .s = s };
    p.padded = (s->n + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL;
    p.outputs = s->epilogue == DEV_GATED ? p.padded / 2 : p.padded;
    p.roundings = 64 + s->k / 64 + 8;
    p.x_stride = s->k + 3;
    p.y_stride = p.outputs + 5;
    p.x = new_numbers(1, (size_t)s->rows * s->k);
    p.w = new_numbers(2, (size_t)s->n * s->k);
    p.bias = new_numbers(3, p.padded);
    for (uint32_t i = s->n; i < p.padded; i++)
        p.bias[i] = 0;
    p.norm_w = new_numbers(4, s->k);
    p.norm_b = new_numbers(5, s->k);
    p.before = new_numbers(6, (size_t)s->rows * p.outputs);
    p.matrix = new_cut_matrix(device, s, p.w, cut);
    p.x_buffer = new_rows(device, p.x, s->rows, s->k, p.x_stride, 2);
    p.y_buffer = s->epilogue == DEV_ADD ? new_rows(device, p.before, s->rows, p.outputs, p.y_stride, 7)
                                        : new_nan_buffer(device, 7 + (size_t)s->rows * p.y_stride);
    p.bias_buffer = new_rows(device, p.bias, 1, p.padded, p.padded, 0);
    const size_t scratch = dev_matmul_scratch(device, &p.matrix, s->rows, s->norm, s->epilogue);
    p.scratch = new_nan_buffer(device, scratch ? scratch : 1);
    p.m = (dev_matmul){ .x_offset = 2, .x_stride = p.x_stride, .y_offset = 7, .y_stride = p.y_stride, .rows = s->rows,
                        .scratch_floats = scratch, .epilogue = s->epilogue, .activation = s->activation };
    p.m.add_scale = s->rows % 2 == 0 ? 0.22f : 0.0f; /* of even numbers of rows a part is added; 0 says all */
    p.m.norm.kind = s->norm;
    p.m.norm.eps = 1e-5f;
    if (s->norm != DEV_NORM_NONE)
        p.m.norm.weight = new_rows(device, p.norm_w, 1, s->k, s->k, 0);
    if (s->norm == DEV_NORM_LAYER)
        p.m.norm.bias = new_rows(device, p.norm_b, 1, s->k, s->k, 0);
    return p;
}

/* What is asked for, with the product's own buffers, wherever the product lies now. */
static inline dev_matmul matmul_of(const product *p)
{
    dev_matmul m = p->m;
    m.weight = &p->matrix;
    m.x = &p->x_buffer;
    m.y = &p->y_buffer;
    m.bias = p->s->bias ? &p->bias_buffer : NULL;
    m.scratch = &p->scratch;
    return m;
}

static inline void free_product(dev_device *device, product *p)
{
    float *all[] = { p->x, p->w, p->bias, p->norm_w, p->norm_b, p->before };
    for (size_t i = 0; i < COUNT(all); i++)
        core_free(all[i]);
    dev_matrix_free(device, &p->matrix);
    dev_buffer_free(device, &p->x_buffer);
    dev_buffer_free(device, &p->y_buffer);
    dev_buffer_free(device, &p->bias_buffer);
    dev_buffer_free(device, &p->scratch);
    dev_buffer_free(device, &p->m.norm.weight);
    dev_buffer_free(device, &p->m.norm.bias);
}

/* One sum in double, and the largest error that float may add to it. */
static inline double exact_sum(const product *p, const double *x, uint32_t output, double *error)
{
    const product_shape *s = p->s;
    double       sum = 0, size = 0;
    for (uint32_t k = 0; k < s->k && output < s->n; k++) {
        sum += x[k] * p->w[(size_t)output * s->k + k];
        size += fabs(x[k] * p->w[(size_t)output * s->k + k]);
    }
    if (s->bias && output < s->n) {
        sum += p->bias[output];
        size += fabs(p->bias[output]);
    }
    *error = p->roundings * 0x1p-24 * size;
    return sum;
}

static inline double slope(dev_activation activation, double v) { return activation == DEV_ACT_RELU2 ? 2 * fabs(v) + 0.1 : 1.2; }

static inline double exact_output(const product *p, const double *x, uint32_t row, uint32_t output, double *error)
{
    const product_shape *s = p->s;
    if (s->epilogue == DEV_GATED) {
        const uint32_t gate_row = output / DEV_PANEL * 2 * DEV_PANEL + output % DEV_PANEL;
        double         gate_error, up_error;
        const double   gate = exact_sum(p, x, gate_row, &gate_error), up = exact_sum(p, x, gate_row + DEV_PANEL, &up_error);
        const double   act = activate(s->activation, gate);
        *error = (gate_error * slope(s->activation, gate) + 16 * 0x1p-24 * (fabs(gate) + 1)) * (fabs(up) + up_error) + up_error * fabs(act);
        return act * up;
    }
    const double sum = exact_sum(p, x, output, error);
    if (s->epilogue == DEV_ADD) {
        const double before = p->before[(size_t)row * p->outputs + output], scale = s->rows % 2 == 0 ? (double)p->m.add_scale : 1.0;
        *error += 0x1p-23 * (fabs(sum) + fabs(before));
        return before + scale * sum;
    }
    *error = *error * slope(s->activation, sum) + (s->activation == DEV_ACT_NONE ? 0 : 16 * 0x1p-24 * (fabs(sum) + 1));
    return activate(s->activation, sum);
}

static inline void check_product(const product *p, const float *y)
{
    const product_shape *s = p->s;
    double      *x = core_alloc_array(s->k, sizeof *x, "a row");
    assert_non_null(x);
    for (uint32_t i = 0; i < 7; i++)
        assert_true(isnan(y[i]));
    for (uint32_t r = 0; r < s->rows; r++) {
        normalize(s->norm, p->x + (size_t)r * s->k, s->k, p->norm_w, s->norm == DEV_NORM_LAYER ? p->norm_b : NULL, 1e-5, x);
        for (uint32_t i = 0; i < p->y_stride; i++) {
            const float got = y[7 + (size_t)r * p->y_stride + i];
            double      error = 0;
            const double want = i < p->outputs ? exact_output(p, x, r, i, &error) : NAN;
            if (i >= p->outputs ? !isnan(got) : !(fabs(got - want) <= error))
                fail_msg("%s: row %u, output %u: %.9g, want %.9g within %.3g", s->label, r, i, (double)got, want, error);
        }
    }
    core_free(x);
}

#endif
