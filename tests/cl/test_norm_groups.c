/* Normalised rows: by a work-item and by work-groups of lanes, on every device: the same bits, and those right against double.
 *
 * Tolerance. x and the weights are at most 1 in size. A partial sum of n / 64 terms, its joining and what follows are at most n / 64 + 16
 * roundings of numbers no larger than |x| + |mean| + 1, times scale and weight. */
#include "cl/matrices.h"

static const struct {
    const char   *label;
    uint32_t      rows, n;
    dev_norm_kind kind;
    bool          weight, bias, large;
} cases[] = {
    { "one", 1, 1, DEV_NORM_RMS, true, false, false },
    { "one less than the partial sums", 3, 63, DEV_NORM_RMS, true, false, false },
    { "as many", 2, 64, DEV_NORM_RMS1P, true, false, false },
    { "one more", 2, 65, DEV_NORM_LAYER, true, true, false },
    { "nothing but the norm", 2, 127, DEV_NORM_RMS, false, false, false },
    { "a layer norm without weights", 2, 97, DEV_NORM_LAYER, false, false, false },
    { "a piece of a small group", 2, 256, DEV_NORM_LAYER, true, true, false },
    { "one more than a piece", 2, 257, DEV_NORM_LAYER, true, true, false },
    { "a prime", 5, 1009, DEV_NORM_RMS, true, false, false },
    { "one more than a large group's piece", 2, 2049, DEV_NORM_LAYER, true, true, true },
    { "a real model's", 4, 5120, DEV_NORM_RMS, true, false, true },
};

#define X_OFFSET 2u
#define Y_OFFSET 3u

typedef struct scene {
    size_t     index;
    uint32_t   x_stride, y_stride;
    float     *x, *w, *b;
    dev_buffer x_buffer, w_buffer, b_buffer;
} scene;

static scene make_scene(dev_device *device, size_t index)
{
    const uint32_t n = cases[index].n, rows = cases[index].rows;
    scene          s = { .index = index, .x_stride = n + 1, .y_stride = n + 5 };
    s.x = new_numbers(1 + index, (size_t)rows * n);
    s.w = new_numbers(100 + index, n);
    s.b = new_numbers(200 + index, n);
    s.x_buffer = new_rows(device, s.x, rows, n, s.x_stride, X_OFFSET);
    s.w_buffer = new_rows(device, s.w, 1, n, n, 0);
    s.b_buffer = new_rows(device, s.b, 1, n, n, 0);
    return s;
}

static void free_scene(dev_device *device, scene *s)
{
    core_free(s->x);
    core_free(s->w);
    core_free(s->b);
    dev_buffer_free(device, &s->x_buffer);
    dev_buffer_free(device, &s->w_buffer);
    dev_buffer_free(device, &s->b_buffer);
}

/* By groups of `group` work-items; 0: a work-item a row; SIZE_MAX: as dev_norm_add() has it. */
static float *compute(dev_device *device, const scene *s, size_t group)
{
    const uint32_t rows = cases[s->index].rows, n = cases[s->index].n;
    dev_buffer     y = new_nan_buffer(device, Y_OFFSET + (size_t)rows * s->y_stride);
    const dev_norm norm = { .kind = cases[s->index].kind, .eps = 1e-5f,
                            .weight = cases[s->index].weight ? s->w_buffer : (dev_buffer){ NULL, 0 },
                            .bias = cases[s->index].bias ? s->b_buffer : (dev_buffer){ NULL, 0 } };
    const dev_arg args[] = {
        dev_arg_buffer(&y), dev_arg_u64(Y_OFFSET), dev_arg_u32(s->y_stride), dev_arg_buffer(&s->x_buffer), dev_arg_u64(X_OFFSET),
        dev_arg_u32(s->x_stride), dev_arg_buffer(&norm.weight), dev_arg_buffer(&norm.bias), dev_arg_u32(n), dev_arg_f32(norm.eps),
    };
    char options[64];
    snprintf(options, sizeof options, "-DNORM=%d -DWG=%zu", (int)norm.kind, group ? group : 32);
    const size_t     items = group ? group : 1;
    const dev_launch launch = { .source = "norm", .kernel = group ? "norm_lanes" : "norm_row", .options = options, .dims = 1,
                                .global = { rows * items }, .local = { items }, .args = args, .arg_count = COUNT(args) };
    dev_work *work = NULL;
    assert_ok(dev_work_new(device, &work));
    assert_ok(group == SIZE_MAX ? dev_norm_add(work, &norm, &s->x_buffer, X_OFFSET, s->x_stride, &y, Y_OFFSET, s->y_stride, rows, n)
                                : dev_work_add(work, &launch));
    run_work(device, work);
    dev_work_free(work);
    float *values = read_floats(device, &y);
    dev_buffer_free(device, &y);
    return values;
}

static void check_values(const scene *s, const float *y)
{
    const uint32_t rows = cases[s->index].rows, n = cases[s->index].n;
    const float   *w = cases[s->index].weight ? s->w : NULL, *b = cases[s->index].bias ? s->b : NULL;
    double        *want = core_alloc_array(n, sizeof *want, "a row");
    assert_non_null(want);
    for (uint32_t r = 0; r < rows; r++) {
        const float *x = s->x + (size_t)r * n, *got = y + Y_OFFSET + (size_t)r * s->y_stride;
        double       mean = 0, square = 0;
        normalize(cases[s->index].kind, x, n, w, b, 1e-5, want);
        for (uint32_t i = 0; i < n; i++) {
            mean += cases[s->index].kind == DEV_NORM_LAYER ? (double)x[i] / n : 0;
            square += (double)x[i] * x[i] / n;
        }
        const double variance = square > mean * mean ? square - mean * mean : 0;
        const double scale = 1 / sqrt(variance + 1e-5);
        for (uint32_t i = 0; i < s->y_stride; i++) {
            const double error = (n / 64 + 16) * 0x1p-24 * ((fabs(mean) + 2) * scale * 2 + 1);
            if (i < n ? !(fabs(got[i] - want[i]) <= error) : !isnan(got[i]))
                fail_msg("%s: row %u, element %u: %.9g, want %.9g within %.3g", cases[s->index].label, r, i, (double)got[i],
                         i < n ? want[i] : (double)NAN, error);
        }
    }
    core_free(want);
}

static void try_case(dev_device *device, size_t index)
{
    static const size_t groups[] = { 1, 8, 32, 64, 256, SIZE_MAX };
    scene               s = make_scene(device, index);
    float              *want = compute(device, &s, 0);
    check_values(&s, want);
    for (size_t g = 0; g < COUNT(groups); g++) {
        if (groups[g] != SIZE_MAX && groups[g] > dev_get_traits(device)->max_group)
            continue;
        float *got = compute(device, &s, groups[g]);
        for (size_t i = 0; i < Y_OFFSET + (size_t)cases[index].rows * s.y_stride; i++)
            if (memcmp(&got[i], &want[i], sizeof *got) != 0)
                fail_msg("%s, groups of %zu: element %zu: %.9g, by one work-item %.9g", cases[index].label, groups[g], i, (double)got[i],
                         (double)want[i]);
        core_free(got);
    }
    core_free(want);
    free_scene(device, &s);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (!cases[i].large || !devices_is_slow(device))
            try_case(device, i);
}

static void rows_are_normalised_to_the_same_bits_by_one_or_many_work_items(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_normalised_to_the_same_bits_by_one_or_many_work_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
