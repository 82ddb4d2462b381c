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
    { "sixteen rows", 16, 64, 128, CORE_F16, DEV_NORM_LAYER, DEV_ADD, DEV_ACT_NONE, true, false },
    { "seventeen rows, gated", 17, 128, 96, CORE_F32, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, false },
    { "thirty-three rows", 33, 65, 33, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_RELU2, true, false },
    { "many rows, gated with bias", 67, 192, 131, CORE_F16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_GELU_TANH, true, false },
    { "many rows, sigmoid", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_SIGMOID, false, false },
    { "many rows, tanh", 40, 64, 64, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_TANH, false, false },
    { "a prompt, real size", 130, 576, 1536, CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, true },
    { "a prompt, real size, bfloat16", 130, 960, 576, CORE_BF16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, true },
};

static void try_shapes(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (shapes[i].large && devices_is_slow(device))
            continue;
        dev_work        *work = NULL;
        product          p = make_product(device, &shapes[i], 0);
        const dev_matmul m = matmul_of(&p);
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_matmul_add(work, &m));
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
