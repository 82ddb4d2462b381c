/* Packing: numbers of every kind from every storage type to every other, rounded to nearest even as the formula says; and where a slab's
 * rows and columns go, with nothing written beside them. (device/test_matrix.c: whole tensors, in parts and slabs.) */
#include "cl/launches.h"

static const core_dtype dtypes[] = { CORE_F32, CORE_F16, CORE_BF16 };

/* ---- The formulas: a sign, `bits` bits of significand behind the leading one, the smallest normal number 2^low, finite below 2^high. */
static const struct format { int width, bits, low, high; } formats[] = { { 32, 23, -126, 128 }, { 16, 10, -14, 16 }, { 16, 7, -126, 128 } };

static double decode(core_dtype dtype, uint32_t stored)
{
    const struct format *f = &formats[dtype];
    const uint32_t fraction = stored & ((1u << f->bits) - 1), exponent = stored >> f->bits & ((1u << (f->width - 1 - f->bits)) - 1);
    const double   sign = stored >> (f->width - 1) ? -1 : 1;
    if (exponent == (1u << (f->width - 1 - f->bits)) - 1)
        return fraction ? (double)NAN : sign * INFINITY;
    return exponent ? sign * ldexp(1 + ldexp(fraction, -f->bits), (int)exponent - 1 + f->low) : sign * ldexp(fraction, f->low - f->bits);
}

/* The nearest number of the format, of two the even one. */
static double round_to(core_dtype dtype, double value)
{
    const struct format *f = &formats[dtype];
    int                  exponent;
    if (isnan(value) || isinf(value) || value == 0)
        return value;
    frexp(value, &exponent);
    const int    last = (exponent - 1 > f->low ? exponent - 1 : f->low) - f->bits; /* the place of the last bit */
    const double rounded = ldexp(nearbyint(ldexp(value, -last)), last);
    return fabs(rounded) >= ldexp(1, f->high) ? copysign(INFINITY, value) : rounded;
}

/* ---- Numbers: all of a 16-bit type; of float32 those around every number of either 16-bit type, where rounding decides. */
static size_t make_numbers(core_dtype dtype, uint32_t *patterns)
{
    static const uint32_t beside[] = { 0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff };
    size_t count = 0;
    for (uint32_t i = 0; i < 0x10000; i++) {
        if (dtype != CORE_F32) {
            patterns[count++] = i;
            continue;
        }
        for (size_t k = 0; k < COUNT(beside); k++)
            patterns[count++] = i << 16 | beside[k];
    }
    return count;
}

static void *narrow(core_dtype dtype, const uint32_t *patterns, size_t count)
{
    const size_t   size = core_dtype_size(dtype);
    unsigned char *bytes = core_alloc_array(count, size, "numbers");
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        const uint16_t half = (uint16_t)patterns[i];
        memcpy(bytes + i * size, size == 4 ? (const void *)&patterns[i] : &half, size);
    }
    return bytes;
}

static uint32_t number_at(core_dtype dtype, const unsigned char *bytes, size_t i)
{
    uint32_t wide = 0;
    uint16_t half = 0;
    if (core_dtype_size(dtype) == 4)
        memcpy(&wide, bytes + 4 * i, 4);
    else
        memcpy(&half, bytes + 2 * i, 2);
    return wide | half;
}

/* One row of a matrix, in the first of 32 rows: number i is element 32 * i. */
static void try_numbers(dev_device *device, core_dtype from, core_dtype to, const uint32_t *patterns, size_t count)
{
    const size_t  size = core_dtype_size(to);
    void         *bytes = narrow(from, patterns, count);
    dev_buffer    x = new_bytes(device, bytes, count * core_dtype_size(from)), y = new_nan_buffer(device, count * 32 * size / 4);
    char          options[64];
    const dev_arg args[] = { dev_arg_buffer(&y), dev_arg_u32((uint32_t)count), dev_arg_buffer(&x), dev_arg_u64(0), dev_arg_u32((uint32_t)count),
                             dev_arg_u32(1), dev_arg_u32((uint32_t)count), dev_arg_u32(0), dev_arg_u32(0), dev_arg_u32(1), dev_arg_i32(0) };
    snprintf(options, sizeof options, "-DFROM=%d -DTO=%d -DTRANSPOSED=0 -DBLOCK=64", (int)from, (int)to);
    const dev_launch launch = { .source = "pack", .kernel = "pack_columns", .options = options, .dims = 2, .global = { (count + 63) / 64, 1 },
                                .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    unsigned char *got = (unsigned char *)read_floats(device, &y);
    for (size_t i = 0; i < count; i++) {
        const uint32_t stored = number_at(to, got, 32 * i);
        const double   value = decode(to, stored), want = round_to(to, decode(from, patterns[i]));
        if (isnan(want) ? !isnan(value) : !(value == want && !signbit(value) == !signbit(want)))
            fail_msg("%s %08x to %s: %08x (%.9g), want %.9g", core_dtype_name(from), patterns[i], core_dtype_name(to), stored, value, want);
        if (from == to && stored != patterns[i])
            fail_msg("%s: %08x became %08x", core_dtype_name(from), patterns[i], stored);
    }
    core_free(got);
    core_free(bytes);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
}

static void try_all_numbers(dev_device *device, void *user)
{
    uint32_t *patterns = core_alloc_array((size_t)9 << 16, sizeof *patterns, "numbers");
    (void)user;
    assert_non_null(patterns);
    for (size_t from = 0; from < COUNT(dtypes); from++) {
        size_t count = make_numbers(dtypes[from], patterns);
        if (devices_is_slow(device)) { /* some of each kind */
            for (size_t i = 0; i < count / 509; i++)
                patterns[i] = patterns[509 * i];
            count /= 509;
        }
        for (size_t to = 0; to < COUNT(dtypes); to++)
            try_numbers(device, dtypes[from], dtypes[to], patterns, count);
    }
    core_free(patterns);
}

static void numbers_of_every_kind_become_the_nearest(void **state)
{
    (void)state;
    devices_each(try_all_numbers, NULL);
}

/* ---- Places. A part of `panels` panels by `all_columns` columns; the slab has rows x columns of a source with `stride`. */
static const struct place {
    const char *label;
    uint32_t    panels, all_columns, rows, columns, stride, first_row, first_column, step;
    int32_t     shift;
    uint32_t    block;
} places[] = {
    { "one element", 1, 1, 1, 1, 1, 0, 0, 1, 0, 64 },
    { "the last place of all", 2, 9, 1, 1, 1, 63, 8, 1, 0, 64 },
    { "a column less than a block", 1, 63, 32, 63, 63, 0, 0, 1, 0, 64 },
    { "a block", 1, 64, 32, 64, 64, 0, 0, 1, 0, 64 },
    { "a column more than a block", 1, 65, 32, 65, 65, 0, 0, 1, 0, 64 },
    { "a column a work-item", 2, 21, 40, 21, 21, 0, 0, 1, 0, 1 },
    { "rows within a panel", 1, 11, 13, 11, 11, 7, 0, 1, 0, 8 },
    { "rows across panels", 3, 11, 60, 11, 11, 17, 0, 1, 0, 8 },
    { "a window of it, of a wider source", 3, 40, 37, 19, 23, 30, 13, 1, 0, 7 },
    { "rows that end with a panel", 2, 5, 33, 5, 5, 31, 0, 1, 0, 64 },
    { "a part further on", 2, 5, 33, 5, 5, 96, 0, 1, -3, 64 },
    { "every second panel", 5, 6, 70, 6, 6, 0, 0, 2, 0, 64 },
    { "the other panels", 6, 6, 70, 6, 6, 32, 0, 2, -1, 64 },
};

static void try_place(dev_device *device, const struct place *p, bool transposed)
{
    const uint32_t lines = transposed ? p->columns : p->rows, length = transposed ? p->rows : p->columns;
    const uint32_t stride = length + p->stride - p->columns, offset = 3;
    const size_t   cells = (size_t)p->panels * p->all_columns * 32;
    float         *values = new_numbers(p->rows, (size_t)lines * length), *want = core_alloc_array(cells, sizeof *want, "a part");
    dev_buffer     x = new_rows(device, values, lines, length, stride, offset), y = new_nan_buffer(device, cells);
    char           options[64];
    assert_non_null(want);
    for (size_t i = 0; i < cells; i++)
        want[i] = NAN;
    for (uint32_t r = 0; r < p->rows; r++)
        for (uint32_t k = 0; k < p->columns; k++) {
            const uint32_t row = p->first_row + r;
            const size_t   panel = (size_t)((int32_t)(row / 32 * p->step) + p->shift);
            want[(panel * p->all_columns + p->first_column + k) * 32 + row % 32] = values[transposed ? k * length + r : r * length + k];
        }
    const dev_arg args[] = { dev_arg_buffer(&y), dev_arg_u32(p->all_columns), dev_arg_buffer(&x), dev_arg_u64(offset), dev_arg_u32(stride),
                             dev_arg_u32(p->rows), dev_arg_u32(p->columns), dev_arg_u32(p->first_row), dev_arg_u32(p->first_column),
                             dev_arg_u32(p->step), dev_arg_i32(p->shift) };
    snprintf(options, sizeof options, "-DFROM=0 -DTO=0 -DTRANSPOSED=%d -DBLOCK=%u", (int)transposed, p->block);
    const dev_launch launch = { .source = "pack", .kernel = "pack_columns", .options = options, .dims = 2,
                                .global = { (p->columns + p->block - 1) / p->block, (p->first_row % 32 + p->rows + 31) / 32 },
                                .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    float *got = read_floats(device, &y);
    for (size_t i = 0; i < cells; i++)
        if (isnan(want[i]) ? !isnan(got[i]) : got[i] != want[i])
            fail_msg("%s%s: row %zu of panel %zu, column %zu: %g, want %g", p->label, transposed ? ", transposed" : "", i % 32,
                     i / 32 / p->all_columns, i / 32 % p->all_columns, (double)got[i], (double)want[i]);
    core_free(got);
    core_free(want);
    core_free(values);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
}

static void try_places(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(places); i++) {
        try_place(device, &places[i], false);
        try_place(device, &places[i], true);
    }
}

static void a_slab_goes_to_its_place_and_nowhere_else(void **state)
{
    (void)state;
    devices_each(try_places, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_kind_become_the_nearest),
        cmocka_unit_test(a_slab_goes_to_its_place_and_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
