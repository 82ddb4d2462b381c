/* Products of every shape, storage type, norm and epilogue against the same in double, on every device.
 *
 * Tolerance. x and W are at most 1 in size, sums of k products in chunks of 64: rounding errors are at most
 * (64 + k / 64) * 2^-24 * sum |x w|, and for random signs far less; a norm adds a relative error of a few roundings of each
 * x. So every result must be within (64 + k / 64 + 8) * 2^-24 * (sum |x w| + |bias|) of the exact one, before an
 * activation; the activations here have a slope of at most 1.2 (relu2: its own), and a relative error of their own
 * of 16 roundings. */
#include "cl/matrices.h"

typedef struct shape {
    const char    *label;
    uint32_t       rows, n, k;
    core_dtype     dtype;
    dev_norm_kind  norm;
    dev_epilogue   epilogue;
    dev_activation activation;
    bool           bias, large; /* large: left out on slow devices */
} shape;

static const shape shapes[] = {
    { "one by one by one", 1, 1, 1, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, false, false },
    { "one row, less than a panel and a chunk", 1, 31, 63, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false },
    { "one row, a panel and a chunk", 1, 32, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false },
    { "one row, one more than both", 1, 33, 65, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false },
    { "one row, primes", 1, 101, 211, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false },
    { "one row, real size", 1, 960, 576, CORE_F32, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, true },
    { "one row, residual", 1, 576, 1536, CORE_F16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, true, true },
    { "one row, gated", 1, 192, 100, CORE_BF16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, false },
    { "one row, layer norm", 1, 96, 127, CORE_F32, DEV_NORM_LAYER, DEV_STORE, DEV_ACT_GELU_TANH, true, false },
    { "one row, one column, norm", 1, 7, 1, CORE_F32, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, false },
    { "two rows", 2, 64, 70, CORE_F16, DEV_NORM_RMS1P, DEV_STORE, DEV_ACT_NONE, false, false },
    { "three rows, gated with bias", 3, 64, 65, CORE_F32, DEV_NORM_LAYER, DEV_GATED, DEV_ACT_GELU, true, false },
    { "four rows, residual", 4, 40, 129, CORE_BF16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, true, false },
    { "five rows, norm", 5, 40, 129, CORE_F32, DEV_NORM_RMS, DEV_STORE, DEV_ACT_RELU, true, false },
    { "seven rows, primes", 7, 37, 53, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_QUICK_GELU, true, false },
    { "sixteen rows", 16, 64, 128, CORE_F16, DEV_NORM_LAYER, DEV_ADD, DEV_ACT_NONE, true, false },
    { "seventeen rows, gated", 17, 128, 96, CORE_F32, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, false },
    { "thirty-three rows", 33, 65, 33, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_RELU2, true, false },
    { "many rows, gated with bias", 67, 192, 131, CORE_F16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_GELU_TANH, true, false },
    { "many rows, sigmoid", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_SIGMOID, false, false },
    { "many rows, tanh", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_TANH, false, false },
    { "a prompt, real size", 130, 576, 1536, CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, true },
    { "a prompt, real size, bfloat16", 130, 960, 576, CORE_BF16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, true },
};

/* Everything a product needs, on the host and on the device. The padding between rows is NaN. */
typedef struct product {
    const shape *s;
    uint32_t     padded, outputs, columns, x_stride, y_stride; /* padded rows of W; floats of a row of y that are written */
    float       *x, *w, *bias, *norm_w, *norm_b, *before;
    dev_matrix   matrix;
    dev_buffer   x_buffer, y_buffer, bias_buffer, scratch;
    dev_matmul   m;
} product;

static product make_product(dev_device *device, const shape *s)
{
    product p = { .s = s };
    p.padded = (s->n + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL;
    p.outputs = s->epilogue == DEV_GATED ? p.padded / 2 : p.padded;
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
    p.matrix = new_matrix(device, s->dtype, p.w, s->n, s->k);
    p.x_buffer = new_rows(device, p.x, s->rows, s->k, p.x_stride, 2);
    p.y_buffer = s->epilogue == DEV_ADD ? new_rows(device, p.before, s->rows, p.outputs, p.y_stride, 7)
                                        : new_nan_buffer(device, 7 + (size_t)s->rows * p.y_stride);
    p.bias_buffer = new_rows(device, p.bias, 1, p.padded, p.padded, 0);
    const size_t scratch = dev_matmul_scratch(device, &p.matrix, s->rows, s->norm, s->epilogue);
    p.scratch = new_nan_buffer(device, scratch ? scratch : 1);
    p.m = (dev_matmul){ .x_offset = 2, .x_stride = p.x_stride, .y_offset = 7, .y_stride = p.y_stride, .rows = s->rows,
                        .scratch_floats = scratch, .epilogue = s->epilogue, .activation = s->activation };
    p.m.norm.kind = s->norm;
    p.m.norm.eps = 1e-5f;
    if (s->norm != DEV_NORM_NONE)
        p.m.norm.weight = new_rows(device, p.norm_w, 1, s->k, s->k, 0);
    if (s->norm == DEV_NORM_LAYER)
        p.m.norm.bias = new_rows(device, p.norm_b, 1, s->k, s->k, 0);
    return p;
}

static void free_product(dev_device *device, product *p)
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
static double exact_sum(const product *p, const double *x, uint32_t output, double *error)
{
    const shape *s = p->s;
    double       sum = 0, size = 0;
    for (uint32_t k = 0; k < s->k && output < s->n; k++) {
        sum += x[k] * p->w[(size_t)output * s->k + k];
        size += fabs(x[k] * p->w[(size_t)output * s->k + k]);
    }
    if (s->bias && output < s->n) {
        sum += p->bias[output];
        size += fabs(p->bias[output]);
    }
    *error = (64 + s->k / 64 + 8) * 0x1p-24 * size;
    return sum;
}

static double slope(dev_activation activation, double v) { return activation == DEV_ACT_RELU2 ? 2 * fabs(v) + 0.1 : 1.2; }

static double exact_output(const product *p, const double *x, uint32_t row, uint32_t output, double *error)
{
    const shape *s = p->s;
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
        const double before = p->before[(size_t)row * p->outputs + output];
        *error += 0x1p-23 * (fabs(sum) + fabs(before));
        return before + sum;
    }
    *error = *error * slope(s->activation, sum) + (s->activation == DEV_ACT_NONE ? 0 : 16 * 0x1p-24 * (fabs(sum) + 1));
    return activate(s->activation, sum);
}

static void check_product(const product *p, const float *y)
{
    const shape *s = p->s;
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

static void try_shapes(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (shapes[i].large && devices_is_slow(device))
            continue;
        dev_work *work = NULL;
        product   p = make_product(device, &shapes[i]);
        p.m.weight = &p.matrix;
        p.m.x = &p.x_buffer;
        p.m.y = &p.y_buffer;
        p.m.bias = shapes[i].bias ? &p.bias_buffer : NULL;
        p.m.scratch = &p.scratch;
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_matmul_add(work, &p.m));
        run_work(device, work);
        float *y = read_floats(device, &p.y_buffer);
        check_product(&p, y);
        core_free(y);
        dev_work_free(work);
        free_product(device, &p);
    }
}

static void products_agree_with_double_precision(void **state)
{
    (void)state;
    devices_each(try_shapes, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_double_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
