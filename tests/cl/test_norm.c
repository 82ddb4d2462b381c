/* Normalisations against their formulas in double, and both kernels, with every group, against each other: the same bits.
 *
 * Tolerance, with u = 2^-24. A sum of n terms runs in 64 partial sums, so it takes d = n / 64 + 7 additions at most, counting the
 * six that join. The mean is off by m = (d + 1) u mean|x|. Squares of x - mean, with the rounding of both, are then off by (d + 4) u
 * of their sum, and by m^2 each (what is linear in m cancels). The root halves that; with 3 ulp for the root and 2.5 for the quotient the
 * scale is off by a factor of s = ((d + 6) u + m^2 / (variance + eps)) / 2 + 12 u. An element is off by scale * |w| * m, by
 * (s + 4 u) of what stands before the bias, and by u of the result. */
#include "cl/launches.h"

#define EPS 1e-5f

typedef struct problem {
    const char   *label;
    dev_norm_kind kind;
    uint32_t      rows, n;
    bool          weight, bias;
    float         middle; /* added to every x: a mean that matters */
    bool          large;  /* left out on slow devices */
} problem;

static const problem problems[] = {
    { "one element", DEV_NORM_RMS, 1, 1, true, false, 0, false },
    { "one element less its mean", DEV_NORM_LAYER, 1, 1, true, true, 3, false },
    { "a prime", DEV_NORM_RMS, 3, 37, true, false, 0, false },
    { "63", DEV_NORM_RMS, 2, 63, true, false, 0, false },
    { "64", DEV_NORM_RMS1P, 2, 64, true, false, 0, false },
    { "65", DEV_NORM_LAYER, 2, 65, true, true, 0, false },
    { "without a weight", DEV_NORM_RMS, 2, 101, false, false, 0, false },
    { "without a weight, plus one", DEV_NORM_RMS1P, 2, 101, false, false, 0, false },
    { "without a bias", DEV_NORM_LAYER, 2, 80, true, false, -1, false },
    { "without weight and bias", DEV_NORM_LAYER, 2, 79, false, false, 1, false },
    { "a mean far from zero", DEV_NORM_LAYER, 2, 113, true, true, 100, false },
    { "a piece of a group of 32", DEV_NORM_LAYER, 2, 256, true, true, 0, false },
    { "one more than that", DEV_NORM_LAYER, 2, 257, true, true, 0, false },
    { "one more than a piece of a group of 256", DEV_NORM_LAYER, 2, 2049, true, true, 0.3f, true },
    { "SmolLM2", DEV_NORM_RMS, 5, 576, true, false, 0, true },
    { "GPT-2", DEV_NORM_LAYER, 5, 768, true, true, 0.3f, true },
    { "Gemma", DEV_NORM_RMS1P, 3, 2048, true, false, 0, true },
    { "a large model", DEV_NORM_RMS, 1, 8192, true, false, 0, true },
};

/* The rows of a problem lie apart, somewhere in their buffers. */
typedef struct stage {
    const problem *p;
    float         *x, *weight, *bias;
    dev_buffer     x_buffer, y_buffer, weight_buffer, bias_buffer;
    uint64_t       x_offset, y_offset;
    uint32_t       x_stride, y_stride;
} stage;

static stage open_stage(dev_device *device, const problem *p)
{
    stage s = { .p = p, .x_offset = 5, .y_offset = 3, .x_stride = p->n + 7, .y_stride = p->n + 2 };
    s.x = new_numbers(p->n, (size_t)p->rows * p->n);
    for (size_t i = 0; i < (size_t)p->rows * p->n; i++)
        s.x[i] += p->middle;
    s.weight = new_numbers(2, p->n);
    s.bias = new_numbers(3, p->n);
    s.x_buffer = new_rows(device, s.x, p->rows, p->n, s.x_stride, s.x_offset);
    if (p->weight)
        s.weight_buffer = new_bytes(device, s.weight, p->n * sizeof(float));
    if (p->bias)
        s.bias_buffer = new_bytes(device, s.bias, p->n * sizeof(float));
    return s;
}

static void close_stage(dev_device *device, stage *s)
{
    dev_buffer_free(device, &s->x_buffer);
    dev_buffer_free(device, &s->weight_buffer);
    dev_buffer_free(device, &s->bias_buffer);
    core_free(s->x);
    core_free(s->weight);
    core_free(s->bias);
}

/* What becomes of the norm: RESULT of norm.cl. */
enum { STORED, IN_PLACE, ADDED, ORDERED };
static const char *const results[] = { "stored", "in place", "added", "ordered" };
#define ADDED_SCALE 0.22f
#define KEEP        0.87f

/* With one of the kernels, or as the runtime has it (NULL): all of y, for core_free(). */
static float *compute(dev_device *device, stage *s, const char *kernel, size_t group)
{
    const problem *p = s->p;
    char           options[64];
    s->y_buffer = new_nan_buffer(device, s->y_offset + (size_t)p->rows * s->y_stride);
    if (kernel) {
        const dev_arg args[] = { dev_arg_buffer(&s->y_buffer), dev_arg_u64(s->y_offset), dev_arg_u32(s->y_stride), dev_arg_buffer(&s->x_buffer),
                                 dev_arg_u64(s->x_offset), dev_arg_u32(s->x_stride), dev_arg_buffer(&s->weight_buffer),
                                 dev_arg_buffer(&s->bias_buffer), dev_arg_u32(p->n), dev_arg_f32(EPS) };
        snprintf(options, sizeof options, "-DNORM=%d -DWG=%zu", (int)p->kind, group);
        const dev_launch launch = { .source = "norm", .kernel = kernel, .options = options, .dims = 1, .global = { p->rows * group },
                                    .local = { group }, .args = args, .arg_count = COUNT(args) };
        run_launch(device, &launch);
    } else {
        const dev_norm norm = { .kind = p->kind, .weight = s->weight_buffer, .bias = s->bias_buffer, .eps = EPS };
        dev_work      *work = NULL;
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_norm_add(work, &norm, &s->x_buffer, s->x_offset, s->x_stride, &s->y_buffer, s->y_offset, s->y_stride, p->rows, p->n));
        run_work(device, work);
        dev_work_free(work);
    }
    float *y = read_floats(device, &s->y_buffer);
    dev_buffer_free(device, &s->y_buffer);
    return y;
}

static void check_row(const stage *s, uint32_t r, const float *y)
{
    const problem *p = s->p;
    const float   *x = s->x + (size_t)r * p->n;
    const double   u = 0x1p-24, d = p->n / 64 + 7;
    double        *want = core_alloc_array(p->n, sizeof *want, "a row"), size = 0, mean = 0, square = 0, worst = 0;
    assert_non_null(want);
    normalize(p->kind, x, p->n, p->weight ? s->weight : NULL, p->bias ? s->bias : NULL, EPS, want);
    for (uint32_t i = 0; i < p->n && p->kind == DEV_NORM_LAYER; i++) {
        mean += (double)x[i] / p->n;
        size += fabs((double)x[i]) / p->n;
    }
    for (uint32_t i = 0; i < p->n; i++)
        square += (x[i] - mean) * (x[i] - mean) / p->n;
    const double off = (d + 1) * u * size, factor = ((d + 6) * u + off * off / (square + EPS)) / 2 + 12 * u;
    for (uint32_t i = 0; i < p->n; i++) {
        const double w = !p->weight ? 1 : p->kind == DEV_NORM_RMS1P ? fabs(s->weight[i] + 1.0) : fabs((double)s->weight[i]);
        const double before = fabs(x[i] - mean) / sqrt(square + EPS) * w;
        const double error = w / sqrt(square + EPS) * off + before * (factor + 4 * u) + fabs(want[i]) * u;
        if (!(fabs(y[i] - want[i]) <= error))
            fail_msg("%s: row %u, element %u: %.9g, want %.9g within %.3g", p->label, r, i, (double)y[i], want[i], error);
        worst = fmax(worst, error > 0 ? fabs(y[i] - want[i]) / error : 0);
    }
    if (r == 0)
        print_message("      %s: at most %.3f of the error allowed\n", p->label, worst);
    core_free(want);
}

static void check_rows(const stage *s, const float *y)
{
    const problem *p = s->p;
    for (uint64_t i = 0; i < s->y_offset + (uint64_t)p->rows * s->y_stride; i++) {
        const uint64_t in_row = i < s->y_offset ? p->n : (i - s->y_offset) % s->y_stride;
        if (in_row >= p->n && !isnan(y[i]))
            fail_msg("%s: element %zu outside the rows was written: %g", p->label, (size_t)i, (double)y[i]);
    }
    for (uint32_t r = 0; r < p->rows; r++)
        check_row(s, r, y + s->y_offset + (size_t)r * s->y_stride);
}

static void check_bits(const stage *s, const char *how, size_t group, const float *y, const float *again)
{
    for (uint64_t i = 0; i < s->y_offset + (uint64_t)s->p->rows * s->y_stride; i++)
        if (memcmp(&y[i], &again[i], sizeof y[i]) != 0)
            fail_msg("%s: %s %zu: number %zu is %.9g, not %.9g", s->p->label, how, group, (size_t)i, (double)again[i], (double)y[i]);
}

/* Each element's successor, and then the first: no order that undoes itself. */
static uint32_t ordered(uint32_t i, uint32_t n) { return (i + 1) % n; }

static dev_buffer new_order(dev_device *device, uint32_t n)
{
    uint32_t *const order = core_alloc_array(n, sizeof *order, "an order");
    assert_non_null(order);
    for (uint32_t i = 0; i < n; i++)
        order[i] = ordered(i, n);
    const dev_buffer buffer = new_bytes(device, order, n * sizeof *order);
    core_free(order);
    return buffer;
}

/* In place, or added to what `before` holds, or in another order, rows from the start of their buffer on: all of y, for core_free(). */
static float *compute_result(dev_device *device, stage *s, const char *kernel, size_t group, int result, const float *before)
{
    const problem *p = s->p;
    dev_buffer     x = new_rows(device, s->x, p->rows, p->n, p->n, 0), y = new_rows(device, before, p->rows, p->n, p->n, 0);
    dev_buffer     order = new_order(device, p->n);
    const dev_buffer *const from = result == IN_PLACE ? &y : &x;
    if (kernel) {
        char          options[64];
        const dev_arg args[] = { dev_arg_buffer(&y), dev_arg_u64(0), dev_arg_u32(p->n), dev_arg_buffer(from), dev_arg_u64(0), dev_arg_u32(p->n),
                                 dev_arg_buffer(&s->weight_buffer), dev_arg_buffer(&s->bias_buffer), dev_arg_u32(p->n), dev_arg_f32(EPS),
                                 result == ADDED ? dev_arg_f32(ADDED_SCALE) : dev_arg_buffer(&order), dev_arg_f32(KEEP) };
        snprintf(options, sizeof options, "-DNORM=%d -DWG=%zu -DRESULT=%d", (int)p->kind, group, result);
        const dev_launch launch = { .source = "norm", .kernel = kernel, .options = options, .dims = 1, .global = { p->rows * group },
                                    .local = { group }, .args = args, .arg_count = COUNT(args) - (result == ADDED ? 0 : result == ORDERED ? 1 : 2) };
        run_launch(device, &launch);
    } else {
        const dev_norm norm = { .kind = p->kind, .weight = s->weight_buffer, .bias = s->bias_buffer, .eps = EPS };
        dev_work      *work = NULL;
        assert_ok(dev_work_new(device, &work));
        assert_ok(result == IN_PLACE  ? dev_norm_in_place(work, &norm, &y, 0, p->n, p->rows, p->n)
                  : result == ORDERED ? dev_norm_ordered(work, &norm, &order, &x, 0, p->n, &y, 0, p->n, p->rows, p->n)
                                      : dev_norm_residual(work, &norm, &x, p->n, ADDED_SCALE, KEEP, &y, 0, p->n, p->rows, p->n));
        run_work(device, work);
        dev_work_free(work);
    }
    float *values = read_floats(device, &y);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &order);
    return values;
}

/* `stored` is the norm itself, as it was found right. */
static void check_result(const stage *s, int result, const float *before, const float *stored, const float *y)
{
    const problem *p = s->p;
    for (size_t i = 0; i < (size_t)p->rows * p->n; i++) {
        const size_t at = result == ORDERED ? ordered((uint32_t)(i % p->n), p->n) : i % p->n;
        const float  norm = stored[s->y_offset + i / p->n * s->y_stride + at];
        const double want = result != ADDED ? norm : (double)KEEP * (before[i] + (double)ADDED_SCALE * norm);
        const double error = result != ADDED ? 0 : 0x1p-24 * (fabs((double)KEEP * ADDED_SCALE * norm) + 2 * fabs(want));
        if (!(fabs(y[i] - want) <= error))
            fail_msg("%s, %s: element %zu: %.9g, want %.9g", p->label, results[result], i, (double)y[i], want);
    }
}

static void try_results(dev_device *device, stage *s, const float *stored)
{
    static const struct { const char *kernel; size_t group; } ways[] = { { "norm_row", 1 }, { "norm_lanes", 32 }, { "norm_lanes", 256 }, { NULL, 0 } };
    float *others = new_numbers(9, (size_t)s->p->rows * s->p->n);
    for (int result = IN_PLACE; result <= ORDERED; result++) {
        const float *before = result == IN_PLACE ? s->x : others;
        float       *first = NULL;
        for (size_t i = 0; i < COUNT(ways) && ways[i].group <= dev_get_traits(device)->max_group; i++) {
            float *y = compute_result(device, s, ways[i].kernel, ways[i].group, result, before);
            check_result(s, result, before, stored, y);
            if (first != NULL)
                assert_memory_equal(first, y, (size_t)s->p->rows * s->p->n * sizeof *y);
            core_free(first);
            first = y;
        }
        core_free(first);
    }
    core_free(others);
}

static void try_problems(dev_device *device, void *user)
{
    static const size_t groups[] = { 1, 32, 256 };
    (void)user;
    for (size_t i = 0; i < COUNT(problems); i++) {
        if (problems[i].large && devices_is_slow(device))
            continue;
        stage  s = open_stage(device, &problems[i]);
        float *y = compute(device, &s, "norm_row", 1), *again = compute(device, &s, NULL, 0);
        check_rows(&s, y);
        check_bits(&s, "as the runtime records it", 0, y, again);
        core_free(again);
        for (size_t g = 0; g < COUNT(groups) && groups[g] <= dev_get_traits(device)->max_group; g++) {
            again = compute(device, &s, "norm_lanes", groups[g]);
            check_bits(&s, "in groups of", groups[g], y, again);
            core_free(again);
        }
        try_results(device, &s, y);
        core_free(y);
        close_stage(device, &s);
    }
}

static void norms_agree_with_double_precision_and_give_the_same_bits_in_every_group(void **state)
{
    (void)state;
    devices_each(try_problems, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_agree_with_double_precision_and_give_the_same_bits_in_every_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
