/* Products by weights that are codes, by the kernels for cores that run vector code, on every device: of every code, scale and minimum, the bits
 * of the one order of summation (code_rows.h) whatever the shape of the tile, and right against the reference decoder's values in double. */
#include "cl/code_scene.h"

/* Rows end within a tile and columns within a span, some by less than a vector; of the most rows work-items take several tiles. */
static const code_size sizes[] = { { 1, 70, 1107 }, { 1, 33, 5 }, { 3, 40, 530 }, { 13, 64, 145 }, { 1, 64, 320 }, { 100, 70, 273 } };

/* Compiling takes most of the time: each storage has one of the two tiles of one row, some have one of the others, and those with minima both of the
 * tiles for many rows, which find sums of x ready. Software renderers make each
 * element of a vector an instruction for eight work-items, which takes them half a minute for a tile of 8 x 32, though they are never served by one: they
 * have some of the smaller ones, of which the last is for many rows and shares what it unpacks. Interpreters hardly compile. */
static bool takes(const dev_device *device, size_t i, size_t storage, uint32_t rows)
{
    const dev_provider *p = &dev_tile_providers[i];
    if (getenv("OCLM_TEST_QUICK") != NULL)
        return (i + storage) % 8 == 0;
    if (devices_is_slow(device))
        return p->rows * p->cols < 128 && (i + storage) % 24 == 0 && (p->most_rows <= 4 || rows > p->rows);
    if (p->most_rows == 1)
        return (p->vec == 16) == (storage % 3 == 0);
    return (i + storage) % 12 == 0 || (p->most_rows > 8 && rows > p->rows && code_storages[storage].s.minimum != CORE_SCALE_NONE);
}

/* Gated, added to what was there: which of them, neighbours take in turns. */
static code_epilogue epilogue_of(size_t storage, size_t size)
{
    return (code_epilogue){ .gated = (storage + size) % 3 == 0, .adds = (storage + size) % 3 == 1, .biased = true };
}

static void try_all(dev_device *device, void *user)
{
    double     seconds;
    const bool once = dev_measure_fused(device, &seconds);
    (void)user;
    for (size_t storage = 0; storage < COUNT(code_storages); storage++)
        for (size_t size = 0; size < COUNT(sizes); size++) {
            float     *want = NULL;
            code_scene c = { 0 };
            for (size_t i = 0; i < dev_tile_provider_count; i++) {
                if (!takes(device, i, storage, sizes[size].rows))
                    continue;
                if (!want) {
                    c = new_code_scene(device, storage, &sizes[size], epilogue_of(storage, size));
                    want = code_scene_expect(&c, once);
                }
                code_scene_try(device, &dev_tile_providers[i], &c, want);
            }
            if (want)
                free_code_scene(device, &c);
            core_free(want);
        }
}

static void products_of_codes_have_the_bits_of_the_one_order(void **state)
{
    (void)state;
    devices_each(try_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(products_of_codes_have_the_bits_of_the_one_order) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
