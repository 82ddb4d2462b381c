/* Products by weights that are codes, by the kernels for lanes, on every device, lanes or not: of every code, scale and minimum, the bits of the one
 * order of summation (code_rows.h), which the kernel for vectors keeps too; and right against what the reference decoder gives, in double. */
#include "cl/code_scene.h"
#include "cl/lanes_providers.h"

/* For lanes that take one row, some, many. Columns end within a span, and of one row there are more than a work-group takes at a time. Panels
 * end within a tile. */
static const code_size sizes[] = { { 1, 70, 1107 }, { 2, 33, 530 }, { 5, 64, 145 }, { 37, 100, 150 }, { 150, 32, 64 } };

/* Building programs takes most of the time, and how codes become floats is one text in all kernels: of those, each storage is tried with one,
 * neighbours with others, and every third with two. */
static bool takes(const dev_device *device, size_t i, uint32_t rows, size_t storage)
{
    const dev_provider *p = &dev_lanes_providers[i];
    const size_t        one = 5 * storage % dev_lanes_provider_count, other = (5 * storage + 7) % dev_lanes_provider_count;
    const bool          quick = getenv("OCLM_TEST_QUICK") != NULL;
    return rows <= p->most_rows && dev_get_traits(device)->max_group >= 256 && (!quick || storage % 2 == 1) &&
           (i == one || (i == other && storage % 3 == 2 && !quick));
}

static void try_all(dev_device *device, void *user)
{
    double     seconds;
    const bool once = dev_measure_fused(device, &seconds);
    size_t     tried = 0;
    (void)user;
    for (size_t storage = 0; storage < COUNT(code_storages); storage++)
        for (size_t size = 0; size < COUNT(sizes); size++) {
            float     *want = NULL;
            code_scene c = { 0 };
            for (size_t i = 0; i < dev_lanes_provider_count; i++) {
                if (!takes(device, i, sizes[size].rows, storage) || (devices_is_slow(device) && sizes[size].rows > 100))
                    continue;
                if (!want) {
                    c = new_code_scene(device, storage, &sizes[size], (code_epilogue){ .gated = storage % 3 == 0 });
                    want = code_scene_expect(&c, once);
                }
                code_scene_try(device, &dev_lanes_providers[i], &c, want);
                tried++;
            }
            if (want)
                free_code_scene(device, &c);
            core_free(want);
        }
    expect_lanes_tried(device, tried);
}

static void products_of_codes_have_the_bits_of_the_one_order(void **state)
{
    (void)state;
    devices_each(try_all, NULL);
}

/* What suits a device with code storages: any number of rows, whatever the groups. */
static void count_suiting(dev_device *device, void *user)
{
    (void)user;
    expect_lanes_suit(device, code_storages[0].s, 64);
}

static void kernels_for_lanes_take_codes_in_all_numbers_of_rows(void **state)
{
    (void)state;
    devices_each(count_suiting, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_codes_have_the_bits_of_the_one_order),
        cmocka_unit_test(kernels_for_lanes_take_codes_in_all_numbers_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
