/* test_matrix.c: every element of a source arrives in its place of a panel, in every storage type, whatever is cut on the way:
 * a matrix into parts, a source into slabs, a gate and its up into every second panel. Bits, not tolerances.
 *
 * Most of it runs with a device that is told to take no buffer larger than 20 KiB, staging included. */
#include "device/devices.h"

#include <pthread.h>
#include <string.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/matrix.h"
#include "device/program.h"

#define SMALL 20480u /* bytes: two panels of 80 columns in float32 */

/* One tensor on its way into a matrix. */
typedef struct tensor {
    uint32_t rows, first_row, step;
    uint32_t gap;        /* elements from the end of a line to the next */
} tensor;

#define MAX_TENSORS 3
static const struct fill {
    const char *label;
    uint32_t    rows, columns;
    tensor      tensors[MAX_TENSORS];
    bool        large; /* with the device's own limits; left out on slow devices */
} fills[] = {
    { "one element", 1, 1, { { 1, 0, 1, 0 } }, false },
    { "less than a panel", 31, 7, { { 31, 0, 1, 0 } }, false },
    { "a panel", 32, 16, { { 32, 0, 1, 0 } }, false },
    { "a panel and a row, a block and a column", 33, 65, { { 33, 0, 1, 0 } }, false },
    { "lines with gaps", 45, 37, { { 45, 0, 1, 5 } }, false },
    { "several parts", 200, 80, { { 200, 0, 1, 0 } }, false },
    { "slabs that end within a panel, lines with gaps", 199, 79, { { 199, 0, 1, 1 } }, false },
    { "lines longer than the staging buffer", 11003, 2, { { 11003, 0, 1, 3 } }, false },
    { "queries, keys and values", 136, 41, { { 70, 0, 1, 0 }, { 33, 70, 1, 2 }, { 33, 103, 1, 0 } }, false },
    { "some rows of it", 300, 33, { { 61, 130, 1, 0 } }, false },
    { "gate and up, a row each", 64, 5, { { 1, 0, 2, 0 }, { 1, 32, 2, 0 } }, false },
    { "gate and up", 192, 19, { { 70, 0, 2, 0 }, { 70, 32, 2, 4 } }, false },
    { "gate and up in parts and slabs", 704, 77, { { 330, 0, 2, 0 }, { 330, 32, 2, 0 } }, false },
    { "a second gate and up", 256, 9, { { 50, 0, 2, 0 }, { 50, 32, 2, 0 }, { 33, 128, 2, 0 } }, false },
    { "larger than the largest staging buffer", 2500, 2111, { { 2500, 0, 1, 0 } }, true },
    { "lines longer than the largest staging buffer", 9000001, 1, { { 9000001, 0, 1, 0 } }, true },
};

static const core_dtype dtypes[] = { CORE_F32, CORE_F16, CORE_BF16 };

/* ---- What is expected */

/* Any bits, but more often numbers of everyday size. */
static uint32_t next_bits(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    const uint32_t bits = (uint32_t)(*state >> 32);
    return *state >> 30 & 1 ? bits : (bits & 0x83ffffffu) + 0x3c000000u;
}

static uint32_t load(core_dtype dtype, const unsigned char *from, size_t i)
{
    uint32_t wide = 0;
    uint16_t narrow;
    if (dtype == CORE_F32) {
        memcpy(&wide, from + 4 * i, 4);
        return wide;
    }
    memcpy(&narrow, from + 2 * i, 2);
    return narrow;
}

static uint32_t convert(core_dtype from, core_dtype to, uint32_t bits)
{
    float value;
    if (from == to)
        return bits;
    if (from == CORE_F32)
        memcpy(&value, &bits, sizeof value);
    else
        value = from == CORE_F16 ? core_f16_to_f32((uint16_t)bits) : core_bf16_to_f32((uint16_t)bits);
    if (to != CORE_F32)
        return to == CORE_F16 ? core_f32_to_f16(value) : core_f32_to_bf16(value);
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

typedef struct expected {
    core_dtype dtype;
    uint32_t   columns;
    uint32_t  *bits; /* [panels][columns][32] */
} expected;

/* A tensor's bytes, on no alignment at all, and what they become. */
static dev_matrix_source make_source(const struct fill *f, const tensor *t, core_dtype from, bool transposed, unsigned char **memory,
                                     expected *want)
{
    const size_t lines = transposed ? f->columns : t->rows, length = transposed ? t->rows : f->columns;
    const size_t stride = length + t->gap, size = core_dtype_size(from), count = (lines - 1) * stride + length;
    uint64_t     state = t->rows * 31u + f->columns + t->first_row;
    *memory = core_alloc(count * size + 1, "a tensor");
    assert_non_null(*memory);
    unsigned char *const data = *memory + 1;
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = next_bits(&state);
        const uint16_t narrow = (uint16_t)(bits >> 16);
        memcpy(data + i * size, size == 4 ? (const void *)&bits : &narrow, size);
    }
    for (uint32_t r = 0; r < t->rows; r++)
        for (uint32_t k = 0; k < f->columns; k++) {
            const size_t   at = transposed ? k * stride + r : r * stride + k;
            const uint32_t origin = t->first_row / DEV_PANEL, row = t->first_row + r;
            const size_t   panel = origin + (size_t)(row / DEV_PANEL - origin) * t->step;
            want->bits[(panel * f->columns + k) * DEV_PANEL + row % DEV_PANEL] = convert(from, want->dtype, load(from, data, at));
        }
    return (dev_matrix_source){ .data = data, .dtype = from, .rows = t->rows, .columns = f->columns, .row_stride = t->gap ? stride : 0,
                                .transposed = transposed, .first_row = t->first_row, .panel_step = t->step };
}

static void check_parts(const char *label, const dev_matrix *matrix, uint64_t largest)
{
    uint32_t next = 0;
    for (uint32_t p = 0; p < matrix->part_count; p++) {
        const dev_matrix_part *part = &matrix->parts[p];
        if (part->first_panel != next || part->first_panel % 2 || part->panels == 0 || part->buffer.bytes > largest)
            fail_msg("%s: part %u has %u panels from %u on, %zu bytes", label, p, part->panels, part->first_panel, part->buffer.bytes);
        next += part->panels;
    }
    assert_int_equal(next, matrix->panels);
}

static void check_bits(const char *label, dev_device *device, const dev_matrix *matrix, const expected *want)
{
    const core_dtype dtype = (core_dtype)dev_matrix_storage(matrix)->code;
    const size_t     size = core_dtype_size(dtype);
    for (uint32_t p = 0; p < matrix->part_count; p++) {
        const dev_matrix_part *part = &matrix->parts[p];
        unsigned char         *got = core_alloc(part->buffer.bytes, "a part");
        assert_non_null(got);
        assert_ok(dev_buffer_read(dev_queue(device), &part->buffer, 0, got, part->buffer.bytes));
        for (size_t i = 0; i < part->buffer.bytes / size; i++) {
            const size_t   at = (size_t)part->first_panel * matrix->columns * DEV_PANEL + i;
            const uint32_t bits = load(dtype, got, i);
            if (bits != want->bits[at])
                fail_msg("%s, to %s: row %zu of panel %zu, column %zu: %08x, want %08x", label, core_dtype_name(dtype),
                         at % DEV_PANEL, at / DEV_PANEL / matrix->columns, at / DEV_PANEL % matrix->columns, bits, want->bits[at]);
        }
        core_free(got);
    }
}

static void try_fill(dev_device *device, const struct fill *f, core_dtype from, core_dtype to, bool transposed)
{
    char          label[160];
    dev_matrix    matrix = { 0 };
    const size_t  panels = (f->rows + DEV_PANEL - 1) / DEV_PANEL;
    expected      want = { .dtype = to, .columns = f->columns };
    snprintf(label, sizeof label, "%s%s, from %s", f->label, transposed ? ", transposed" : "", core_dtype_name(from));
    want.bits = core_alloc_zero(panels * DEV_PANEL * f->columns, sizeof *want.bits, "what is expected");
    assert_non_null(want.bits);
    assert_ok(dev_matrix_new(device, to, f->rows, f->columns, "a test's matrix", &matrix));
    assert_int_equal(matrix.panels, panels);
    for (size_t i = 0; i < MAX_TENSORS && f->tensors[i].rows; i++) {
        unsigned char          *memory;
        const dev_matrix_source source = make_source(f, &f->tensors[i], from, transposed, &memory, &want);
        if (dev_matrix_fill(device, dev_queue(device), &matrix, &source) != OCLM_OK)
            fail_msg("%s: %s", label, oclm_last_error());
        core_free(memory);
    }
    check_parts(label, &matrix, dev_get_traits(device)->info.max_alloc_bytes);
    check_bits(label, device, &matrix, &want);
    assert_int_equal(dev_memory_used(device), dev_matrix_bytes(to, f->rows, f->columns) + dev_matrix_staging_bytes(device));
    dev_matrix_free(device, &matrix);
    assert_null(matrix.parts);
    core_free(want.bits);
}

static void try_fills(dev_device *device, void *user)
{
    (void)user;
    device->traits.info.max_alloc_bytes = SMALL;
    for (size_t i = 0; i < COUNT(fills); i++)
        for (size_t from = 0; from < COUNT(dtypes) && !fills[i].large; from++)
            for (size_t to = 0; to < COUNT(dtypes); to++) {
                try_fill(device, &fills[i], dtypes[from], dtypes[to], false);
                try_fill(device, &fills[i], dtypes[from], dtypes[to], true);
            }
    assert_int_equal(dev_matrix_staging_bytes(device), SMALL);
}

static void every_element_arrives_in_its_place_from_every_type_to_every_type(void **state)
{
    (void)state;
    devices_each(try_fills, NULL);
}

static void try_large_fills(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(fills) && !devices_is_slow(device); i++) {
        if (!fills[i].large)
            continue;
        try_fill(device, &fills[i], CORE_F32, CORE_BF16, fills[i].columns == 1);
        try_fill(device, &fills[i], CORE_BF16, CORE_F16, true);
    }
}

static void large_tensors_come_in_many_slabs(void **state)
{
    (void)state;
    devices_each(try_large_fills, NULL);
}

/* ---- What is refused */

static void check_limits(dev_device *device, void *user)
{
    dev_matrix matrix;
    (void)user;
    device->traits.info.max_alloc_bytes = SMALL;
    assert_ok(dev_matrix_new(device, CORE_F32, 32, 160, "one panel as large as a buffer", &matrix));
    assert_int_equal(matrix.part_count, 1);
    dev_matrix_free(device, &matrix);
    assert_status(dev_matrix_new(device, CORE_F32, 33, 81, "layer 3", &matrix), OCLM_ERR_DEVICE_MEMORY); /* two panels make no part */
    assert_non_null(strstr(oclm_last_error(), "layer 3: two panels of 32 rows take 20736 bytes"));
    assert_status(dev_matrix_new(device, CORE_F32, 1, 161, "layer 4", &matrix), OCLM_ERR_DEVICE_MEMORY);
    assert_ok(dev_matrix_new(device, CORE_BF16, 33, 160, "half the bytes", &matrix));
    dev_matrix_free(device, &matrix);
    assert_status(dev_matrix_new(device, CORE_F32, 0, 5, "nothing", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new(device, CORE_F32, 5, 0, "nothing", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new(device, CORE_F64, 5, 5, "doubles", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new(device, CORE_F32, UINT32_MAX, 1, "wrapping rows", &matrix), OCLM_ERR_INTERNAL);
    /* The third of its four parts does not fit the budget: the first two are given back. */
    assert_status(dev_matrix_new(device, CORE_F32, 200, 80, "the embedding", &matrix), OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "the embedding"));
    assert_null(matrix.parts);
    assert_int_equal(dev_memory_used(device), 0);
}

static void a_matrix_that_does_not_fit_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    devices_each_with(check_limits, NULL, 2 * SMALL + 100);
}

/* Into a matrix of 100 x 10, which has 4 panels. */
static const struct { const char *label; dev_matrix_source source; } sources[] = {
    { "no rows", { .dtype = CORE_F32, .rows = 0, .columns = 10, .panel_step = 1 } },
    { "other columns", { .dtype = CORE_F32, .rows = 5, .columns = 9, .panel_step = 1 } },
    { "more rows than there are", { .dtype = CORE_F32, .rows = 129, .columns = 10, .panel_step = 1 } },
    { "beyond the last panel", { .dtype = CORE_F32, .rows = 100, .columns = 10, .first_row = 29, .panel_step = 1 } },
    { "rows that wrap", { .dtype = CORE_F32, .rows = 5, .columns = 10, .first_row = UINT32_MAX, .panel_step = 1 } },
    { "every second panel, one too many", { .dtype = CORE_F32, .rows = 65, .columns = 10, .panel_step = 2 } },
    { "every second panel from within one", { .dtype = CORE_F32, .rows = 5, .columns = 10, .first_row = 16, .panel_step = 2 } },
    { "every third panel", { .dtype = CORE_F32, .rows = 5, .columns = 10, .panel_step = 3 } },
    { "no step", { .dtype = CORE_F32, .rows = 5, .columns = 10, .panel_step = 0 } },
    { "rows that overlap", { .dtype = CORE_F32, .rows = 5, .columns = 10, .row_stride = 9, .panel_step = 1 } },
    { "columns that overlap", { .dtype = CORE_F32, .rows = 50, .columns = 10, .row_stride = 49, .transposed = true, .panel_step = 1 } },
    { "a type of integers", { .dtype = CORE_I8, .rows = 5, .columns = 10, .panel_step = 1 } },
};

static void check_sources(dev_device *device, void *user)
{
    dev_matrix matrix;
    (void)user;
    assert_ok(dev_matrix_new(device, CORE_F32, 100, 10, "a test's matrix", &matrix));
    for (size_t i = 0; i < COUNT(sources); i++) {
        const oclm_status got = dev_matrix_fill(device, dev_queue(device), &matrix, &sources[i].source); /* no data: none is read */
        if (got != OCLM_ERR_INTERNAL || !strstr(oclm_last_error(), "do not fit into a matrix of 100 x 10"))
            fail_msg("%s: %s: %s", sources[i].label, oclm_status_name(got), oclm_last_error());
    }
    dev_matrix_free(device, &matrix);
}

static void a_source_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    devices_each(check_sources, NULL);
}

/* ---- Threads and memory */

typedef struct filler {
    dev_device       *device;
    dev_matrix        matrix;
    dev_matrix_source source;
    expected          want;
    unsigned char    *memory;
    oclm_status       status;
} filler;

static void *fill_often(void *user)
{
    filler *f = user;
    for (int i = 0; i < 10 && f->status == OCLM_OK; i++)
        f->status = dev_matrix_fill(f->device, dev_queue(f->device), &f->matrix, &f->source);
    return NULL;
}

static void check_threads(dev_device *device, void *user)
{
    static const struct fill f = { "one of two threads", 200, 80, { { 200, 0, 1, 0 } }, false };
    filler                   fillers[2];
    pthread_t                threads[2];
    (void)user;
    device->traits.info.max_alloc_bytes = SMALL;
    for (size_t i = 0; i < 2; i++) {
        fillers[i] = (filler){ .device = device, .want = { .dtype = dtypes[i], .columns = f.columns } };
        fillers[i].want.bits = core_alloc_zero((size_t)7 * DEV_PANEL * f.columns, sizeof(uint32_t), "what is expected");
        assert_non_null(fillers[i].want.bits);
        assert_ok(dev_matrix_new(device, dtypes[i], f.rows, f.columns, "a test's matrix", &fillers[i].matrix));
        fillers[i].source = make_source(&f, &f.tensors[0], dtypes[i + 1], i == 1, &fillers[i].memory, &fillers[i].want);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_often, &fillers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fillers[i].status, OCLM_OK);
        check_bits(f.label, device, &fillers[i].matrix, &fillers[i].want);
        dev_matrix_free(device, &fillers[i].matrix);
        core_free(fillers[i].want.bits);
        core_free(fillers[i].memory);
    }
}

static void two_threads_take_turns_with_the_staging_buffer(void **state)
{
    (void)state;
    devices_each(check_threads, NULL);
}

static void every_failing_allocation_leaves_nothing_behind(void **state)
{
    static const float      data[5] = { 1, 2, 3, 4, 5 };
    const dev_matrix_source source = { .data = data, .dtype = CORE_F32, .rows = 1, .columns = 5, .panel_step = 1 };
    oclm_status             status = OCLM_ERR_MEMORY;
    (void)state;
    for (size_t n = 1; status != OCLM_OK && n < 1000; n++) {
        dev_device  *device;
        dev_matrix   matrix;
        cl_kernel    kernel;
        const size_t live = core_memory_live();
        assert_ok(dev_open(NULL, &device));
        assert_ok(dev_kernel(device, "pack", "-DFROM=0 -DTO=0 -DTRANSPOSED=0 -DBLOCK=64", "pack_columns", &kernel)); /* test_program.c's */
        clReleaseKernel(kernel);
        core_memory_fail_at(n, false);
        status = dev_matrix_new(device, CORE_F32, 1, 5, "a test's matrix", &matrix);
        if (status == OCLM_OK)
            status = dev_matrix_fill(device, dev_queue(device), &matrix, &source);
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        dev_matrix_free(device, &matrix);
        dev_close(device); /* which keeps a staging buffer once it has one */
        assert_int_equal(core_memory_live(), live);
    }
    assert_int_equal(status, OCLM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_arrives_in_its_place_from_every_type_to_every_type),
        cmocka_unit_test(large_tensors_come_in_many_slabs),
        cmocka_unit_test(a_matrix_that_does_not_fit_is_refused_and_leaves_nothing),
        cmocka_unit_test(a_source_that_does_not_fit_is_refused),
        cmocka_unit_test(two_threads_take_turns_with_the_staging_buffer),
        cmocka_unit_test(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
