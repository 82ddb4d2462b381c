/* Products by weights that are codes, by the kernels for lanes, on every device, lanes or not: of every code, scale and minimum, the bits of the one
 * order of summation (code_rows.h), which the kernel for vectors keeps too; and right against what the reference decoder gives, in double. */
#include "cl/code_rows.h"
#include "device/device_internal.h"
#include "device/provider.h"

/* For lanes that take one row, some, many. Columns end within a span, and of one row there are more than a work-group takes at a time. Panels
 * end within a tile. */
static const struct {
    uint32_t rows, n, k;
} sizes[] = { { 1, 70, 1107 }, { 2, 33, 530 }, { 5, 64, 145 }, { 37, 100, 150 }, { 150, 32, 64 } };

typedef struct scene {
    const char        *label;
    const core_storage *s;
    uint32_t           rows, n, k, padded;
    bool               gated;
    float             *x;
    code_parts         parts;
    dev_matrix         matrix;
    dev_buffer         x_buffer;
} scene;

static scene make_scene(dev_device *device, size_t storage, size_t size, bool gated)
{
    scene c = { .label = code_storages[storage].label, .s = &code_storages[storage].s, .rows = sizes[size].rows, .n = sizes[size].n,
                .k = sizes[size].k, .gated = gated };
    c.padded = (uint32_t)dev_padded(c.n);
    if (gated)
        c.n = c.padded *= 2;
    core_codes codes = new_codes(storage + 1, c.s, c.n, c.k);
    c.x = new_numbers(storage + 100, (size_t)c.rows * c.k);
    c.parts = new_code_parts(c.s, &codes, c.n, c.k);
    c.matrix = new_code_matrix(device, c.s, &codes, c.n, c.k);
    c.x_buffer = new_rows(device, c.x, c.rows, c.k, c.k + 3, 2);
    core_codes_free(&codes);
    return c;
}

static void free_scene(dev_device *device, scene *c)
{
    core_free(c->x);
    free_code_parts(&c->parts);
    dev_matrix_free(device, &c->matrix);
    dev_buffer_free(device, &c->x_buffer);
}

/* A row of W by one of x: 0 past the last, which is padding. */
static float want_sum(const scene *c, uint32_t r, uint32_t output, bool once)
{
    return output < c->n ? multiply_codes(c->s, &c->parts, output, c->x + (size_t)r * c->k, c->k, once) : 0.0f;
}

static void check_sum(const scene *c, uint32_t r, uint32_t output, float sum)
{
    double       error;
    const double exact = exact_product(&c->parts, output, c->x + (size_t)r * c->k, c->k, &error);
    if (!(fabs(sum - exact) <= error))
        fail_msg("%s: row %u, output %u: %.9g, exactly %.9g within %.3g", c->label, r, output, (double)sum, exact, error);
}

/* All of y. Gated: relu of a panel times the next one. */
static float *expect(const scene *c, bool once)
{
    const uint32_t outputs = c->gated ? c->padded / 2 : c->padded;
    float         *y = core_alloc_array((size_t)c->rows * outputs, sizeof *y, "outputs");
    assert_non_null(y);
    for (uint32_t r = 0; r < c->rows; r++)
        for (uint32_t i = 0; i < outputs; i++) {
            const uint32_t row = c->gated ? i / DEV_PANEL * 2 * DEV_PANEL + i % DEV_PANEL : i;
            const float    sum = want_sum(c, r, row, once);
            if (row < c->n)
                check_sum(c, r, row, sum);
            y[(size_t)r * outputs + i] = c->gated ? (sum > 0 ? sum : 0) * want_sum(c, r, row + DEV_PANEL, once) : sum;
        }
    return y;
}

static void try_provider(dev_device *device, const dev_provider *provider, const scene *c, const float *want)
{
    const uint32_t outputs = c->gated ? c->padded / 2 : c->padded, y_stride = outputs + 5;
    dev_buffer     y = new_nan_buffer(device, 7 + (size_t)c->rows * y_stride);
    dev_work      *work = NULL;
    const dev_matmul m = { .weight = &c->matrix, .x = &c->x_buffer, .x_offset = 2, .x_stride = c->k + 3, .y = &y, .y_offset = 7,
                           .y_stride = y_stride, .rows = c->rows, .epilogue = c->gated ? DEV_GATED : DEV_STORE,
                           .activation = c->gated ? DEV_ACT_RELU : DEV_ACT_NONE };
    assert_ok(dev_work_new(device, &work));
    if (provider->add(provider, work, &m) != OCLM_OK)
        fail_msg("%s: %s: %s", c->label, provider->name, oclm_last_error());
    run_work(device, work);
    dev_work_free(work);
    float *got = read_floats(device, &y);
    for (size_t i = 0; i < y.bytes / sizeof *got; i++) {
        const size_t r = i < 7 ? 0 : (i - 7) / y_stride, output = i < 7 ? outputs : (i - 7) % y_stride;
        if (output >= outputs ? !isnan(got[i]) : got[i] != want[r * outputs + output])
            fail_msg("%s: %s: %u x %u by %u rows, row %zu, output %zu: %.9g, want %.9g", c->label, provider->name, c->n, c->k, c->rows, r, output,
                     (double)got[i], output < outputs ? (double)want[r * outputs + output] : (double)NAN);
    }
    core_free(got);
    dev_buffer_free(device, &y);
}

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
            float *want = NULL;
            scene  c = { 0 };
            for (size_t i = 0; i < dev_lanes_provider_count; i++) {
                if (!takes(device, i, sizes[size].rows, storage) || (devices_is_slow(device) && sizes[size].rows > 100))
                    continue;
                if (!want) {
                    c = make_scene(device, storage, size, storage % 3 == 0);
                    want = expect(&c, once);
                }
                try_provider(device, &dev_lanes_providers[i], &c, want);
                tried++;
            }
            if (want)
                free_scene(device, &c);
            core_free(want);
        }
    print_message("      %zu products\n", tried);
    if (tried == 0 && dev_get_traits(device)->max_group >= 256)
        fail_msg("no kernel for lanes took any product");
}

static void products_of_codes_have_the_bits_of_the_one_order(void **state)
{
    (void)state;
    devices_each(try_all, NULL);
}

/* What suits a device with code storages: any number of rows, whatever the groups. */
static void count_suiting(dev_device *device, void *user)
{
    const dev_traits *traits = dev_get_traits(device);
    dev_matrix_part   part = { .storage = code_storages[0].s, .panels = 1 };
    const dev_matrix  weight = { .rows = 32, .columns = 64, .panels = 1, .parts = &part, .part_count = 1 };
    (void)user;
    for (uint32_t rows = 1; rows <= 130; rows++) {
        const dev_matmul m = { .weight = &weight, .rows = rows };
        bool             any = false;
        for (size_t i = 0; i < dev_lanes_provider_count; i++)
            any |= dev_lanes_providers[i].suits(&dev_lanes_providers[i], device, &m);
        if (any != (traits->lanes_in_items && traits->max_group >= 32))
            fail_msg("%u rows: %s kernel for lanes suits", rows, any ? "a" : "no");
    }
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
