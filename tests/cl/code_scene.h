/* code_scene.h: a product by a weight of codes, computed by a kernel on a device and by code_rows.h on the host. */
#ifndef OCLM_TESTS_CL_CODE_SCENE_H
#define OCLM_TESTS_CL_CODE_SCENE_H

#include "cl/code_rows.h"
#include "device/device_internal.h"
#include "device/provider.h"

typedef struct code_size {
    uint32_t rows, n, k;
} code_size;

typedef struct code_epilogue {
    bool gated, adds, biased;
} code_epilogue;

typedef struct code_scene {
    const char         *label;
    const core_storage *s;
    uint32_t            rows, n, k, padded, outputs, y_stride;
    bool                gated, adds;
    float              *x, *bias, *before;
    code_parts          parts;
    dev_matrix          matrix;
    dev_buffer          x_buffer, bias_buffer;
} code_scene;

static inline code_scene new_code_scene(dev_device *device, size_t storage, const code_size *size, code_epilogue epilogue)
{
    code_scene c = { .label = code_storages[storage].label, .s = &code_storages[storage].s, .rows = size->rows, .n = size->n, .k = size->k,
                     .gated = epilogue.gated, .adds = epilogue.adds };
    c.padded = (uint32_t)dev_padded(c.n);
    c.outputs = c.padded;
    if (c.gated)
        c.n = c.padded *= 2;
    c.y_stride = c.outputs + 5;
    core_codes codes = new_codes(storage + 1, c.s, c.n, c.k);
    c.x = new_numbers(storage + 100, (size_t)c.rows * c.k);
    c.bias = epilogue.biased ? new_numbers(storage + 200, c.padded) : NULL;
    c.before = new_numbers(storage + 300, (size_t)c.rows * c.outputs);
    c.parts = new_code_parts(c.s, &codes, c.n, c.k);
    c.matrix = new_code_matrix(device, c.s, &codes, c.n, c.k);
    c.x_buffer = new_rows(device, c.x, c.rows, c.k, c.k + 3, 2);
    if (c.bias)
        c.bias_buffer = new_rows(device, c.bias, 1, c.padded, c.padded, 0);
    core_codes_free(&codes);
    return c;
}

static inline void free_code_scene(dev_device *device, code_scene *c)
{
    core_free(c->x);
    core_free(c->bias);
    core_free(c->before);
    free_code_parts(&c->parts);
    dev_matrix_free(device, &c->matrix);
    dev_buffer_free(device, &c->x_buffer);
    dev_buffer_free(device, &c->bias_buffer);
}

/* A row of W, 0 past the last, by one of x, and its bias. */
static inline float code_scene_sum(const code_scene *c, uint32_t r, uint32_t output, bool once)
{
    const float *x = c->x + (size_t)r * c->k, bias = c->bias ? c->bias[output] : 0.0f;
    double       error;
    if (output >= c->n)
        return bias;
    const float  sum = multiply_codes(c->s, &c->parts, output, x, c->k, once);
    const double exact = exact_product(&c->parts, output, x, c->k, &error);
    if (!(fabs(sum - exact) <= error))
        fail_msg("%s: row %u, output %u: %.9g, exactly %.9g within %.3g", c->label, r, output, (double)sum, exact, error);
    return c->bias ? sum + bias : sum;
}

/* All of y. Gated: relu of a panel times the next one; added: half of it. */
static inline float *code_scene_expect(const code_scene *c, bool once)
{
    float *y = core_alloc_array((size_t)c->rows * c->outputs, sizeof *y, "outputs");
    assert_non_null(y);
    for (uint32_t r = 0; r < c->rows; r++)
        for (uint32_t i = 0; i < c->outputs; i++) {
            const size_t   at = (size_t)r * c->outputs + i;
            const uint32_t row = c->gated ? i / DEV_PANEL * 2 * DEV_PANEL + i % DEV_PANEL : i;
            const float    sum = code_scene_sum(c, r, row, once);
            y[at] = c->gated ? (sum > 0 ? sum : 0) * code_scene_sum(c, r, row + DEV_PANEL, once) : c->adds ? mul_add_as(once, 0.5f, sum, c->before[at]) : sum;
        }
    return y;
}

static inline void code_scene_try(dev_device *device, const dev_provider *provider, const code_scene *c, const float *want)
{
    dev_buffer       y = c->adds ? new_rows(device, c->before, c->rows, c->outputs, c->y_stride, 7)
                                 : new_nan_buffer(device, 7 + (size_t)c->rows * c->y_stride);
    const size_t     scratch_floats = dev_matmul_scratch(device, &c->matrix, c->rows, DEV_NORM_NONE, DEV_STORE);
    dev_buffer       scratch = new_nan_buffer(device, scratch_floats + 1);
    dev_work        *work = NULL;
    const dev_matmul m = { .weight = &c->matrix, .x = &c->x_buffer, .x_offset = 2, .x_stride = c->k + 3, .y = &y, .y_offset = 7,
                           .y_stride = c->y_stride, .rows = c->rows, .bias = c->bias ? &c->bias_buffer : NULL, .add_scale = 0.5f,
                           .epilogue = c->gated ? DEV_GATED : c->adds ? DEV_ADD : DEV_STORE,
                           .activation = c->gated ? DEV_ACT_RELU : DEV_ACT_NONE, .siblings = { DEV_NORM_NONE, true, DEV_ACT_RELU },
                           .scratch = &scratch, .scratch_floats = scratch_floats };
    assert_ok(dev_work_new(device, &work));
    if (dev_matmul_add_by(work, provider, &m) != OCLM_OK)
        fail_msg("%s: %s: %s", c->label, provider->name, oclm_last_error());
    run_work(device, work);
    dev_work_free(work);
    float *got = read_floats(device, &y);
    for (size_t i = 0; i < y.bytes / sizeof *got; i++) {
        const size_t r = i < 7 ? 0 : (i - 7) / c->y_stride, output = i < 7 ? c->outputs : (i - 7) % c->y_stride;
        if (output >= c->outputs ? !isnan(got[i]) : got[i] != want[r * c->outputs + output])
            fail_msg("%s: %s: %u x %u by %u rows, row %zu, output %zu: %.9g, want %.9g", c->label, provider->name, c->n, c->k, c->rows, r, output,
                     (double)got[i], output < c->outputs ? (double)want[r * c->outputs + output] : (double)NAN);
    }
    core_free(got);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &scratch);
}

#endif
