/* Products of every shape, storage type, norm and epilogue against the same in double, on every device: whoever serves them. */
#include "cl/product_scene.h"

static const product_shape shapes[] = {
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
    { "six rows, two chunks", 6, 72, 150, CORE_BF16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, false },
    { "eight rows, gated, three chunks", 8, 128, 192, CORE_BF16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, true, false },
    { "sixteen rows", 16, 64, 128, CORE_F16, DEV_NORM_LAYER, DEV_ADD, DEV_ACT_NONE, true, false },
    { "seventeen rows, gated", 17, 128, 96, CORE_F32, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, false },
    { "thirty-three rows", 33, 65, 33, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_RELU2, true, false },
    { "many rows, gated with bias", 67, 192, 131, CORE_F16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_GELU_TANH, true, false },
    { "many rows, sigmoid", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_SIGMOID, false, false },
    { "many rows, tanh", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_TANH, false, false },
    { "a prompt, real size", 130, 576, 1536, CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, true },
    { "a prompt, real size, bfloat16", 130, 960, 576, CORE_BF16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, true },
};

/* What the device makes of it, and around it; core_free(). */
static float *result_of(dev_device *device, const product_shape *shape, dev_siblings siblings, size_t *bytes)
{
    dev_work  *work = NULL;
    product    p = make_product(device, shape, 0);
    dev_matmul m = matmul_of(&p);
    m.siblings = siblings;
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_matmul_add(work, &m));
    run_work(device, work);
    float *y = read_floats(device, &p.y_buffer);
    check_product(&p, y);
    *bytes = p.y_buffer.bytes;
    dev_work_free(work);
    free_product(device, &p);
    return y;
}

static void try_shapes(dev_device *device, void *user)
{
    size_t bytes;
    (void)user;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (!shapes[i].large || !devices_is_slow(device))
            core_free(result_of(device, &shapes[i], (dev_siblings){ .gated = false }, &bytes));
    }
}

/* A kernel that is built for others too gives what one of its own gives: rows with and without a norm, gated or not, active or not. */
static void try_siblings(dev_device *device, void *user)
{
    static const dev_siblings siblings = { DEV_NORM_LAYER, true, DEV_ACT_GELU_TANH };
    (void)user;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (shapes[i].large || shapes[i].rows > 7)
            continue;
        size_t bytes;
        float *own = result_of(device, &shapes[i], (dev_siblings){ .gated = false }, &bytes);
        float *shared = result_of(device, &shapes[i], siblings, &bytes);
        if (memcmp(own, shared, bytes) != 0)
            fail_msg("%s: other bits beside siblings", shapes[i].label);
        core_free(own);
        core_free(shared);
    }
}

static void products_agree_with_double_precision(void **state)
{
    (void)state;
    devices_each(try_shapes, NULL);
}

static void a_kernel_for_several_products_gives_the_same_bits(void **state)
{
    (void)state;
    devices_each(try_siblings, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_double_precision),
        cmocka_unit_test(a_kernel_for_several_products_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
