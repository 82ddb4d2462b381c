/* cl/latent.cl: every key, value and output goes where it belongs, on every device, and nothing else is written. */
#include "cl/launches.h"

typedef struct latent_case {
    const char *label;
    uint32_t    rows, heads, nope, rope, value;
} latent_case;

static const latent_case cases[] = {
    { "one of everything", 1, 1, 1, 1, 1 },
    { "values shorter than keys", 3, 4, 8, 4, 6 },
    { "values as long as keys", 2, 3, 5, 2, 7 },
    { "real sizes", 5, 16, 128, 64, 128 },
};

#define SHARED 3 /* elements before what all heads share */

static void try_spread(dev_device *device, const latent_case *c)
{
    const uint32_t dims = c->nope + c->rope, own = c->nope + c->value, latent_stride = SHARED + c->rope + 2, kv_stride = c->heads * own + 1;
    const uint32_t stride = 3 * c->heads * dims + 5;
    float     *latent = new_numbers(1, (size_t)c->rows * latent_stride), *kv = new_numbers(2, (size_t)c->rows * kv_stride);
    dev_buffer qkv_buffer = new_nan_buffer(device, (size_t)c->rows * stride);
    dev_buffer latent_buffer = new_rows(device, latent, c->rows, latent_stride, latent_stride, 0);
    dev_buffer kv_buffer = new_rows(device, kv, c->rows, kv_stride, kv_stride, 0);
    const dev_arg args[] = {
        dev_arg_buffer(&qkv_buffer), dev_arg_u32(stride), dev_arg_buffer(&latent_buffer), dev_arg_u32(latent_stride), dev_arg_u32(SHARED),
        dev_arg_buffer(&kv_buffer), dev_arg_u32(kv_stride), dev_arg_u32(c->heads), dev_arg_u32(c->nope), dev_arg_u32(c->rope),
        dev_arg_u32(c->value),
    };
    const dev_launch launch = { .source = "latent", .kernel = "latent_spread", .options = "", .dims = 2,
                                .global = { (size_t)c->heads * dims, c->rows }, .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    float *got = read_floats(device, &qkv_buffer);
    for (uint32_t r = 0; r < c->rows; r++)
        for (uint32_t i = 0; i < stride; i++) {
            const uint32_t part = i / (c->heads * dims), head = i / dims % c->heads, d = i % dims;
            const float   *of_head = kv + (size_t)r * kv_stride + head * own, is = got[(size_t)r * stride + i];
            const float    key = d < c->rope ? latent[(size_t)r * latent_stride + SHARED + d] : of_head[d - c->rope];
            const float    want = part == 1 ? key : part == 2 ? (d < c->value ? of_head[c->nope + d] : 0.0f) : NAN;
            if (part == 1 || part == 2 ? is != want : !isnan(is))
                fail_msg("%s: row %u, element %u: %.9g, want %.9g", c->label, r, i, (double)is, (double)want);
        }
    core_free(got);
    core_free(latent);
    core_free(kv);
    dev_buffer_free(device, &qkv_buffer);
    dev_buffer_free(device, &latent_buffer);
    dev_buffer_free(device, &kv_buffer);
}

static void try_gather(dev_device *device, const latent_case *c)
{
    const uint32_t dims = c->nope + c->rope, x_stride = c->heads * dims + 1, y_stride = c->heads * c->value + 3;
    float     *x = new_numbers(3, (size_t)c->rows * x_stride);
    dev_buffer y_buffer = new_nan_buffer(device, (size_t)c->rows * y_stride), x_buffer = new_rows(device, x, c->rows, x_stride, x_stride, 0);
    const dev_arg args[] = { dev_arg_buffer(&y_buffer), dev_arg_u32(y_stride), dev_arg_buffer(&x_buffer), dev_arg_u32(x_stride),
                             dev_arg_u32(c->value), dev_arg_u32(dims) };
    const dev_launch launch = { .source = "latent", .kernel = "latent_gather", .options = "", .dims = 2,
                                .global = { (size_t)c->heads * c->value, c->rows }, .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    float *got = read_floats(device, &y_buffer);
    for (uint32_t r = 0; r < c->rows; r++)
        for (uint32_t i = 0; i < y_stride; i++) {
            const float is = got[(size_t)r * y_stride + i];
            const bool  padding = i >= c->heads * c->value;
            const float want = padding ? NAN : x[(size_t)r * x_stride + i / c->value * dims + i % c->value];
            if (padding ? !isnan(is) : is != want)
                fail_msg("%s: row %u, output %u: %.9g, want %.9g", c->label, r, i, (double)is, (double)want);
        }
    core_free(got);
    core_free(x);
    dev_buffer_free(device, &y_buffer);
    dev_buffer_free(device, &x_buffer);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        try_spread(device, &cases[i]);
        try_gather(device, &cases[i]);
    }
}

static void latent_parts_go_to_their_heads_and_back(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(latent_parts_go_to_their_heads_and_back) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
