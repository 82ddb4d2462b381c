/* test_matrix_codes.c: every code, scale and minimum arrives in its place of a panel, for every storage that there is, whatever is cut on the
 * way: rows into slabs, a matrix into parts, a gate and its up into every second panel. Bits, against a packer written from matrix.h's words.
 *
 * The device is told to take no buffer larger than 40 KiB, staging included. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/matrix.h"
#include "device/storages.h"

#define SMALL 40960u /* bytes: two panels of 300 columns of 8 bits, with float32 scales and minima for 16 */

/* ---- A packer, byte by byte */

static size_t up_to(size_t bytes, size_t align) { return (bytes + align - 1) / align * align; }

typedef struct packer {
    core_storage storage;
    size_t       columns, groups, super;
    size_t       planes[2], plane_bits[2], numbers[4], number_size[4], bytes; /* where, and of what: scales, minima, super scales, minima */
} packer;

static packer packer_of(const core_storage *s, size_t columns)
{
    static const struct { uint8_t bits, low, high; } splits[] = { { 2, 2, 0 }, { 3, 2, 1 }, { 4, 4, 0 }, { 5, 4, 1 }, { 6, 4, 2 }, { 8, 8, 0 } };
    static const size_t sizes[] = { [CORE_SCALE_F32] = 4, [CORE_SCALE_F16] = 2, [CORE_SCALE_E8M0] = 1, [CORE_SCALE_I8_F16] = 1, [CORE_SCALE_U8_F16] = 1 };
    packer p = { .storage = *s, .columns = columns, .groups = s->group ? (columns - 1) / s->group + 1 : 1, .super = (columns - 1) / 256 + 1 };
    for (size_t i = 0; i < COUNT(splits); i++) {
        if (splits[i].bits == s->bits) {
            p.plane_bits[0] = splits[i].low;
            p.plane_bits[1] = splits[i].high;
        }
    }
    p.number_size[0] = sizes[s->scale];
    p.number_size[1] = s->minimum ? sizes[s->minimum] : 0;
    p.number_size[2] = s->scale >= CORE_SCALE_I8_F16 ? 2 : 0;
    p.number_size[3] = s->minimum >= CORE_SCALE_I8_F16 ? 2 : 0;
    for (size_t i = 0; i < 2; i++) {
        p.planes[i] = p.bytes;
        p.bytes = up_to(p.bytes + 4 * p.plane_bits[i] * columns, 16);
    }
    for (size_t i = 0; i < 4; i++) {
        p.numbers[i] = p.bytes;
        p.bytes = up_to(p.bytes + 32 * p.number_size[i] * (i < 2 ? p.groups : p.super), 16);
    }
    p.bytes = up_to(p.bytes, 64);
    return p;
}

/* Bits of a plane that hold row r: the byte of the column, and the lowest bit. */
static void place_in_plane(size_t bits, size_t r, size_t *byte, size_t *place)
{
    *byte = bits == 8 ? r : bits == 4 ? r % 16 : bits == 2 ? r % 8 : r / 8;
    *place = bits == 8 ? 0 : bits == 4 ? r / 16 * 4 : bits == 2 ? r / 8 * 2 : r % 8;
}

/* Row `from` of the codes becomes row r of a panel that was zero there. */
static void pack_row(const packer *p, const core_codes *codes, size_t from, uint8_t *panel, size_t r)
{
    const void *const members[] = { codes->scales, codes->minima, codes->super_scales, codes->super_minima };
    for (size_t k = 0; k < p->columns; k++) {
        unsigned code = codes->codes[from * p->columns + k];
        for (size_t i = 0; i < 2; i++) {
            size_t byte, place;
            if (p->plane_bits[i] == 0)
                continue;
            place_in_plane(p->plane_bits[i], r, &byte, &place);
            panel[p->planes[i] + k * 4 * p->plane_bits[i] + byte] |= (uint8_t)((code & ((1u << p->plane_bits[i]) - 1)) << place);
            code >>= p->plane_bits[i];
        }
    }
    for (size_t i = 0; i < 4; i++) {
        const size_t count = i < 2 ? p->groups : p->super, size = p->number_size[i];
        for (size_t g = 0; g < count && size > 0; g++)
            memcpy(panel + p->numbers[i] + (g * 32 + r) * size, (const char *)members[i] + (from * count + g) * size, size);
    }
}

/* ---- Matrices */

static core_codes random_codes(const core_storage *s, uint32_t rows, uint32_t columns, uint32_t *seed)
{
    const size_t groups = (size_t)core_storage_groups(s, columns), super = (size_t)core_storage_super_groups(columns);
    core_codes   c;
    assert_ok(core_codes_new(s, rows, columns, &c));
    struct { void *data; size_t bytes; uint8_t mask; } all[] = {
        { c.codes, (size_t)rows * columns, (uint8_t)((1u << s->bits) - 1) }, { c.scales, rows * groups * core_scale_size(s->scale), 0xff },
        { c.minima, rows * groups * core_scale_size(s->minimum), 0xff }, { c.super_scales, c.super_scales ? rows * super * 2 : 0, 0xff },
        { c.super_minima, c.super_minima ? rows * super * 2 : 0, 0xff },
    };
    for (size_t i = 0; i < COUNT(all); i++)
        for (size_t k = 0; k < all[i].bytes; k++)
            ((uint8_t *)all[i].data)[k] = (uint8_t)((*seed = *seed * 1664525u + 1013904223u) >> 24) & all[i].mask;
    return c;
}

typedef struct tensor {
    uint32_t run, rows, first_row, step;
} tensor;

static const struct fill {
    const char *label;
    uint32_t    columns;
    uint32_t    runs[3];    /* rows of each; the second is of another storage */
    tensor      tensors[4]; /* until one of no rows */
} fills[] = {
    { "one element", 1, { 1 }, { { 0, 1, 0, 1 } } },
    { "a panel and a row", 65, { 33 }, { { 0, 33, 0, 1 } } },
    { "rows from within a panel on", 70, { 109 }, { { 0, 45, 0, 1 }, { 0, 3, 45, 1 }, { 0, 50, 48, 1 } } },
    { "gate and up", 257, { 128 }, { { 0, 50, 0, 2 }, { 0, 50, 32, 2 } } },
    { "two storages and the first again", 48, { 64, 96, 20 }, { { 0, 40, 0, 1 }, { 0, 24, 40, 1 }, { 1, 90, 70, 1 }, { 2, 20, 160, 1 } } },
    { "slabs and parts", 300, { 200 }, { { 0, 7, 0, 1 }, { 0, 190, 7, 1 } } },
};

static void check_part(const char *label, dev_device *device, const dev_matrix_part *part, const uint8_t *want, size_t panel_bytes)
{
    uint8_t *got = core_alloc(part->buffer.bytes, "a part");
    char     name[96];
    assert_non_null(got);
    assert_int_equal(part->buffer.bytes, part->panels * panel_bytes);
    assert_ok(dev_buffer_read(dev_queue(device), &part->buffer, 0, got, part->buffer.bytes));
    for (size_t i = 0; i < part->buffer.bytes; i++) {
        if (got[i] != want[i])
            fail_msg("%s, %s: byte %zu of panel %zu is %02x, want %02x", label, core_storage_name(&part->storage, name), i % panel_bytes,
                     part->first_panel + i / panel_bytes, got[i], want[i]);
    }
    core_free(got);
}

static void try_fill(dev_device *device, const struct fill *f, const core_storage *one, const core_storage *other)
{
    const core_storage *const of_run[] = { one, other, one };
    dev_matrix_run            runs[3];
    packer                    packers[3];
    uint8_t                  *want[3] = { NULL, NULL, NULL };
    uint32_t                  begin[4] = { 0 }, seed = 7; /* first rows */
    size_t                    run_count = 0;
    dev_matrix                matrix;
    for (; run_count < 3 && f->runs[run_count] > 0; run_count++) {
        const size_t at = run_count;
        runs[at] = (dev_matrix_run){ *of_run[at], f->runs[at] };
        packers[at] = packer_of(of_run[at], f->columns);
        want[at] = core_alloc_zero((f->runs[at] + 31) / 32, packers[at].bytes, "what is expected");
        assert_non_null(want[at]);
        begin[at + 1] = begin[at] + f->runs[at];
        assert_int_equal(dev_storage_bytes(of_run[at], f->runs[at], f->columns), (f->runs[at] + 31) / 32 * packers[at].bytes);
    }
    assert_ok(dev_matrix_new_stored(device, runs, run_count, f->columns, "a test's matrix", &matrix));
    assert_int_equal(matrix.rows, begin[run_count]);
    assert_int_equal(matrix.panels, (matrix.rows + 31) / 32);
    assert_true(dev_matrix_is_uniform(&matrix) == (run_count == 1));
    for (const tensor *t = f->tensors; t < f->tensors + COUNT(f->tensors) && t->rows > 0; t++) {
        core_codes             codes = random_codes(of_run[t->run], t->rows, f->columns, &seed);
        const dev_codes_source source = { &codes, t->rows, f->columns, t->first_row, t->step };
        assert_ok(dev_matrix_fill_codes(device, dev_queue(device), &matrix, &source));
        for (uint32_t r = 0; r < t->rows; r++) {
            const uint32_t row = t->step == 2 ? t->first_row + r / 32 * 64 + r % 32 : t->first_row + r, in_run = row - begin[t->run];
            pack_row(&packers[t->run], &codes, r, want[t->run] + in_run / 32 * packers[t->run].bytes, in_run % 32);
        }
        core_codes_free(&codes);
    }
    for (uint32_t p = 0, next = 0; p < matrix.part_count; next += matrix.parts[p++].panels) {
        const dev_matrix_part *part = &matrix.parts[p];
        size_t                 run = 0;
        while (part->first_panel * 32 >= begin[run] + runs[run].rows)
            run++;
        assert_int_equal(part->first_panel, next);
        assert_true(core_storage_equal(&part->storage, of_run[run]));
        check_part(f->label, device, part, want[run] + (part->first_panel - begin[run] / 32) * packers[run].bytes, packers[run].bytes);
    }
    dev_matrix_free(device, &matrix);
    for (size_t i = 0; i < 3; i++)
        core_free(want[i]);
}

static void try_storages(dev_device *device, void *user)
{
    static const core_storage other = { CORE_CODE_INT, 6, CORE_SCALE_I8_F16, CORE_SCALE_NONE, 0, 16 };
    size_t                    tried = 0;
    (void)user;
    device->traits.info.max_alloc_bytes = SMALL;
    for (size_t i = 0; i < STORAGES; i++) {
        core_storage s;
        if (!storages_get(i, &s) || core_storage_equal(&s, &other))
            continue;
        tried++;
        /* Where a launch costs much, each storage is filled in one way: all ways have their turn. */
        for (size_t f = 0; f < COUNT(fills); f++) {
            if (!devices_is_slow(device) || tried % COUNT(fills) == f)
                try_fill(device, &fills[f], &s, &other);
        }
    }
    assert_true(tried > 1000);
}

static void codes_of_every_storage_arrive_in_their_places(void **state)
{
    (void)state;
    devices_each(try_storages, NULL);
}

/* ---- What is refused */

static const core_storage four = { CORE_CODE_UINT, 4, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 32 };

static void try_wrong_sources(dev_device *device, void *user)
{
    const core_storage     float32 = core_storage_of(CORE_F32);
    const dev_matrix_run   runs[] = { { four, 64 }, { float32, 32 }, { four, 32 } };
    const float            plain[64] = { 0 };
    dev_matrix             matrix;
    core_codes             codes;
    (void)user;
    assert_ok(core_codes_new(&four, 96, 64, &codes));
    assert_ok(dev_matrix_new_stored(device, runs, COUNT(runs), 64, "a test's matrix", &matrix));
    assert_int_equal(matrix.part_count, 3);
    assert_false(dev_matrix_is_uniform(&matrix));
    const dev_codes_source sources[] = {
        { &codes, 1, 64, 64, 1 } /* for floats */, { &codes, 70, 64, 0, 1 } /* and beyond */, { &codes, 64, 64, 0, 2 }, { &codes, 33, 64, 96, 1 },
        { &codes, 32, 63, 0, 1 }, { &codes, 0, 64, 0, 1 }, { &codes, 32, 64, 16, 2 },
    };
    for (size_t i = 0; i < COUNT(sources); i++)
        assert_status(dev_matrix_fill_codes(device, dev_queue(device), &matrix, &sources[i]), OCLM_ERR_INTERNAL);
    const dev_matrix_source row = { .data = plain, .dtype = CORE_F32, .rows = 1, .columns = 64, .first_row = 63, .panel_step = 1 };
    assert_status(dev_matrix_fill(device, dev_queue(device), &matrix, &row), OCLM_ERR_INTERNAL);
    assert_non_null(strstr(oclm_last_error(), "4-bit unsigned"));
    dev_matrix_free(device, &matrix);
    core_codes_free(&codes);
}

static void rows_of_another_storage_are_refused(void **state)
{
    (void)state;
    devices_each(try_wrong_sources, NULL);
}

static void try_wrong_runs(dev_device *device, void *user)
{
    core_storage odd = four;
    dev_matrix   matrix;
    (void)user;
    odd.group = 48;
    const dev_matrix_run not_panels[] = { { four, 31 }, { four, 32 } }, none[] = { { four, 0 } }, invalid[] = { { odd, 32 } };
    assert_status(dev_matrix_new_stored(device, not_panels, 2, 64, "a test's matrix", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new_stored(device, none, 1, 64, "a test's matrix", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new_stored(device, none, 0, 64, "a test's matrix", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new_stored(device, invalid, 1, 64, "a test's matrix", &matrix), OCLM_ERR_INTERNAL);
    assert_status(dev_matrix_new_stored(device, invalid, 1, 0, "a test's matrix", &matrix), OCLM_ERR_INTERNAL);
    assert_null(matrix.parts);
}

static void runs_that_make_no_matrix_are_refused(void **state)
{
    (void)state;
    devices_each(try_wrong_runs, NULL);
}

static void try_long_row(dev_device *device, void *user)
{
    const dev_matrix_run   run = { four, 2 };
    dev_matrix             matrix;
    core_codes             codes;
    (void)user;
    assert_ok(core_codes_new(&four, 2, 5000, &codes));
    assert_ok(dev_matrix_new_stored(device, &run, 1, 5000, "a test's matrix", &matrix));
    const dev_codes_source source = { &codes, 2, 5000, 0, 1 };
    device->traits.info.max_alloc_bytes = 4096; /* of which the staging buffer is made */
    assert_status(dev_matrix_fill_codes(device, dev_queue(device), &matrix, &source), OCLM_ERR_DEVICE_MEMORY);
    dev_matrix_free(device, &matrix);
    core_codes_free(&codes);
}

static void a_row_larger_than_the_staging_buffer_is_refused(void **state)
{
    (void)state;
    devices_each(try_long_row, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_every_storage_arrive_in_their_places),
        cmocka_unit_test(rows_of_another_storage_are_refused),
        cmocka_unit_test(runs_that_make_no_matrix_are_refused),
        cmocka_unit_test(a_row_larger_than_the_staging_buffer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
