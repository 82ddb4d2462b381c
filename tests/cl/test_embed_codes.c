/* test_embed_codes.c: gathered rows of codes, and panels of codes that CLBlast's products unpack, are what the reference decodes, to the last
 * bit: for every storage that there is. */
#include "cl/launches.h"
#include "device/storages.h"
#include "device/trial.h"

#define COLUMNS 300u /* two super groups, groups that are not full */
#define ROWS    70u

/* Drawn, and then all codes of E4M3 but NaN. */
static core_codes draw(const core_storage *s)
{
    uint64_t   state = 3;
    core_codes codes;
    assert_ok(dev_trial_codes(s, ROWS, COLUMNS, &state, &codes));
    for (size_t i = 0; i < ROWS * COLUMNS && s->code == CORE_CODE_E4M3; i++)
        codes.codes[i] = (uint8_t)(i % 0x7f | (i & 0x80));
    return codes;
}

static void check(const char *how, const core_storage *s, uint32_t row, uint32_t k, float got, float want)
{
    char name[96];
    if (!(got == want))
        fail_msg("%s, %s: row %u, input %u: %.9g, want %.9g", how, core_storage_name(s, name), row, k, (double)got, (double)want);
}

static void try_gather(dev_device *device, const dev_matrix *matrix, const float *want)
{
    static const int32_t ids[] = { 69, 0, 31, 32, 63, 17 };
    dev_buffer           ids_buffer = new_bytes(device, ids, sizeof ids), y = new_nan_buffer(device, COUNT(ids) * COLUMNS);
    dev_work            *work = NULL;
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_rows_add(work, matrix, &ids_buffer, 0, COUNT(ids), 1.0f, false, &y, COLUMNS));
    run_work(device, work);
    float *got = read_floats(device, &y);
    for (uint32_t i = 0; i < COUNT(ids); i++)
        for (uint32_t k = 0; k < COLUMNS; k++)
            check("gathered", dev_matrix_storage(matrix), (uint32_t)ids[i], k, got[i * COLUMNS + k], want[(size_t)ids[i] * COLUMNS + k]);
    core_free(got);
    dev_work_free(work);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &ids_buffer);
}

/* The last two of three panels. */
static void try_unpack(dev_device *device, const dev_matrix *matrix, const float *want, uint32_t vec)
{
    const uint32_t n = 64, block = 37;
    dev_buffer     to = new_nan_buffer(device, n * COLUMNS);
    char           storage[DEV_STORAGE_OPTIONS], options[DEV_STORAGE_OPTIONS + 64];
    const dev_arg  args[] = { dev_arg_buffer(&to), dev_arg_buffer(&matrix->parts[0].buffer), dev_arg_u32(1), dev_arg_u32(COLUMNS), dev_arg_u32(n) };
    dev_storage_options(dev_matrix_storage(matrix), storage);
    snprintf(options, sizeof options, "%s -DVEC=%u -DBLOCK=%u", storage, vec, block);
    const dev_launch launch = { .source = "unpack", .kernel = "unpack_panels", .options = options, .dims = 2,
                                .global = { n / vec, (COLUMNS + block - 1) / block }, .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    float *got = read_floats(device, &to);
    for (uint32_t r = 0; r < n; r++)
        for (uint32_t k = 0; k < COLUMNS; k++)
            check("unpacked", dev_matrix_storage(matrix), 32 + r, k, got[k * n + r], 32 + r < ROWS ? want[(size_t)(32 + r) * COLUMNS + k] : 0.0f);
    core_free(got);
    dev_buffer_free(device, &to);
}

/* A program is built for each storage and kernel, 0.1 to 1 s each: every one of `step`, which has no divisor in common with the counts of
 * codes, bits and kinds, so that each of those has its turns with many of the others. */
static void try_storages(dev_device *device, void *user)
{
    const size_t step = devices_is_slow(device) ? 151 : 59;
    size_t       valid = 0;
    (void)user;
    for (size_t i = 0; i < STORAGES; i++) {
        core_storage s;
        if (!storages_get(i, &s) || valid++ % step != 0)
            continue;
        const dev_matrix_run run = { s, ROWS };
        core_codes           codes = draw(&s);
        dev_matrix           matrix;
        float               *want = core_alloc_array((size_t)ROWS * COLUMNS, sizeof *want, "what is expected");
        assert_non_null(want);
        core_codes_values(&s, &codes, ROWS, COLUMNS, want);
        const dev_codes_source source = { &codes, ROWS, COLUMNS, 0, 1 };
        assert_ok(dev_matrix_new_stored(device, &run, 1, COLUMNS, "a test's matrix", &matrix));
        assert_ok(dev_matrix_fill_codes(device, dev_queue(device), &matrix, &source));
        try_gather(device, &matrix, want);
        if (!(s.scale == CORE_SCALE_E8M0 && s.code == CORE_CODE_TABLE)) /* whose padding is 2^-127, and not 0 */
            try_unpack(device, &matrix, want, valid % 2 ? 16 : 1);
        dev_matrix_free(device, &matrix);
        core_codes_free(&codes);
        core_free(want);
    }
    assert_true(valid > 1000);
}

static void codes_become_what_the_reference_decodes(void **state)
{
    (void)state;
    devices_each(try_storages, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(codes_become_what_the_reference_decodes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
