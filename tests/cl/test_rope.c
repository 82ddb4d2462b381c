/* Turned queries and keys against the formula in double; keys and values in the pages of their sequence, transposed as attention reads
 * them; everything else untouched.
 *
 * Tolerance, with u = 2^-24: two products and a sum are off by at most 2 u (|a cos| + |b sin|). What is only moved is exact. */
#include "cl/launches.h"

#define PAGE 32u

typedef struct problem {
    const char *label;
    uint32_t    heads, kv_heads, head_dim, rotary_dims;
    bool        interleaved;
    uint32_t    rows, lanes;
    bool        one; /* work-groups of one; else the driver's choice */
} problem;

static const problem problems[] = {
    { "one of everything, not turned", 1, 1, 1, 0, false, 1, 1, true },
    { "one pair", 1, 1, 2, 2, false, 1, 1, true },
    { "one pair, interleaved", 1, 1, 2, 2, true, 1, 1, false },
    { "a prime of everything", 7, 7, 11, 6, false, 5, 1, true },
    { "a prime of everything, interleaved", 7, 7, 11, 6, true, 5, 3, false },
    { "groups, a lane less than a half", 6, 2, 16, 16, false, 3, 7, false },
    { "groups, a lane a pair", 6, 2, 16, 16, false, 3, 8, false },
    { "groups, a lane more than a half", 6, 2, 16, 16, true, 3, 9, false },
    { "partly turned", 4, 4, 20, 8, false, 4, 1, true },
    { "SmolLM2", 9, 3, 64, 64, false, 13, 1, true },
    { "SmolLM2, as lanes", 9, 3, 64, 64, false, 13, 32, false },
    { "GPT-2", 12, 12, 64, 0, false, 3, 32, false },
};

enum { SEQUENCES = 3, PAGES = 4, POSITIONS = PAGES * 32 };
static const int32_t table[SEQUENCES * PAGES] = { 7, 2, 0, 9, 11, 4, 3, 6, 1, 10, 5, 8 }; /* of twelve pages, shuffled */

static uint32_t position_of(uint32_t row) { return (row * 53 + 31) % POSITIONS; } /* ends and beginnings of pages among the first */
static uint32_t sequence_of(uint32_t row) { return row * 2 % SEQUENCES; }

/* One head in double; `error` where it is rounded. */
static void turned(const problem *p, const float *x, const float *cosines, const float *sines, double *y, double *error)
{
    const uint32_t half = p->rotary_dims / 2;
    for (uint32_t i = 0; i < p->head_dim; i++) {
        y[i] = x[i];
        error[i] = 0;
    }
    for (uint32_t i = 0; i < half; i++) {
        const uint32_t a = p->interleaved ? 2 * i : i, b = p->interleaved ? 2 * i + 1 : i + half;
        const double   c = cosines[i], s = sines[i];
        y[a] = x[a] * c - x[b] * s;
        y[b] = x[b] * c + x[a] * s;
        error[a] = 0x1p-23 * (fabs(x[a] * c) + fabs(x[b] * s));
        error[b] = 0x1p-23 * (fabs(x[b] * c) + fabs(x[a] * s));
    }
}

typedef struct stage {
    const problem *p;
    uint32_t       width, stride;
    float         *x, *cosines, *sines; /* [rows][width], [POSITIONS][half] */
    float         *qkv, *keys, *values; /* what the device made of them */
} stage;

static void compute(dev_device *device, stage *s)
{
    const problem *p = s->p;
    const size_t   cache = (size_t)SEQUENCES * PAGES * p->kv_heads * PAGE * p->head_dim, angles = (size_t)POSITIONS * (p->rotary_dims / 2);
    int32_t        positions[16], sequences[16];
    char           options[160];
    for (uint32_t r = 0; r < p->rows; r++) {
        positions[r] = (int32_t)position_of(r);
        sequences[r] = (int32_t)sequence_of(r);
    }
    dev_buffer qkv = new_rows(device, s->x, p->rows, s->width, s->stride, 0), keys = new_nan_buffer(device, cache),
               values = new_nan_buffer(device, cache), pages = new_bytes(device, table, sizeof table),
               where = new_bytes(device, positions, sizeof positions), whose = new_bytes(device, sequences, sizeof sequences),
               cosines = new_bytes(device, s->cosines, (angles + 1) * sizeof(float)), sines = new_bytes(device, s->sines, (angles + 1) * sizeof(float));
    const dev_arg args[] = { dev_arg_buffer(&qkv), dev_arg_u32(s->stride), dev_arg_buffer(&keys), dev_arg_buffer(&values), dev_arg_buffer(&pages),
                             dev_arg_u32(PAGES), dev_arg_buffer(&where), dev_arg_buffer(&whose), dev_arg_buffer(&cosines), dev_arg_buffer(&sines),
                             dev_arg_buffer(NULL), dev_arg_buffer(NULL), dev_arg_buffer(NULL), dev_arg_buffer(NULL), dev_arg_buffer(NULL) };
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DHEADS=%u -DKV_HEADS=%u -DROTARY_DIMS=%u -DINTERLEAVED=%d -DLANES=%u", p->head_dim, p->heads,
             p->kv_heads, p->rotary_dims, (int)p->interleaved, p->lanes);
    const dev_launch launch = { .source = "rope", .kernel = "rope_cache", .options = options, .dims = 3,
                                .global = { p->lanes, p->heads + 2 * p->kv_heads, p->rows }, .local = { p->one, p->one, p->one }, .args = args,
                                .arg_count = COUNT(args) };
    run_launch(device, &launch);
    s->qkv = read_floats(device, &qkv);
    s->keys = read_floats(device, &keys);
    s->values = read_floats(device, &values);
    dev_buffer *all[] = { &qkv, &keys, &values, &pages, &where, &whose, &cosines, &sines };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(device, all[i]);
}

/* Takes a value that was checked out of the cache: what stays must be NaN. */
static float take(float *value)
{
    const float taken = *value;
    *value = NAN;
    return taken;
}

static void check_head(stage *s, uint32_t r, uint32_t head)
{
    const problem *p = s->p;
    const uint32_t n = p->head_dim, position = position_of(r), half = p->rotary_dims / 2;
    const float   *x = s->x + (size_t)r * s->width + head * n, *now = s->qkv + (size_t)r * s->stride + head * n;
    double         want[64], error[64];
    turned(p, x, s->cosines + (size_t)position * half, s->sines + (size_t)position * half, want, error);
    const uint32_t kv = head < p->heads ? 0 : (head - p->heads) % p->kv_heads;
    const size_t   page = (size_t)table[sequence_of(r) * PAGES + position / PAGE], at = (page * p->kv_heads + kv) * PAGE * n;
    for (uint32_t i = 0; i < n; i++) {
        const bool  query = head < p->heads, value = head >= p->heads + p->kv_heads;
        const float got = query ? now[i] : value ? take(&s->values[at + position % PAGE * n + i]) : take(&s->keys[at + i * PAGE + position % PAGE]);
        if (!query && now[i] != x[i])
            fail_msg("%s: row %u, head %u, element %u of the input became %g", p->label, r, head, i, (double)now[i]);
        if (value ? got != x[i] : !(fabs(got - want[i]) <= error[i]))
            fail_msg("%s: row %u, head %u, element %u: %.9g, want %.9g within %.3g", p->label, r, head, i, (double)got, value ? (double)x[i] : want[i],
                     value ? 0 : error[i]);
    }
}

static void check_all(stage *s)
{
    const problem *p = s->p;
    for (uint32_t r = 0; r < p->rows; r++) {
        for (uint32_t head = 0; head < p->heads + 2 * p->kv_heads; head++)
            check_head(s, r, head);
        for (uint32_t i = s->width; i < s->stride; i++)
            assert_true(isnan(s->qkv[(size_t)r * s->stride + i]));
    }
    const size_t cache = (size_t)SEQUENCES * PAGES * p->kv_heads * PAGE * p->head_dim;
    for (size_t i = 0; i < cache; i++)
        if (!isnan(s->keys[i]) || !isnan(s->values[i]))
            fail_msg("%s: element %zu of the cache was written: key %g, value %g", p->label, i, (double)s->keys[i], (double)s->values[i]);
}

static void try_problems(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(problems); i++) {
        const problem *p = &problems[i];
        const size_t   angles = (size_t)POSITIONS * (p->rotary_dims / 2);
        stage          s = { .p = p, .width = (p->heads + 2 * p->kv_heads) * p->head_dim };
        s.stride = s.width + 3;
        s.x = new_numbers(i, (size_t)p->rows * s.width);
        s.cosines = new_numbers(100 + i, angles + 1); /* any numbers do, and tell more than cosines */
        s.sines = new_numbers(200 + i, angles + 1);
        compute(device, &s);
        check_all(&s);
        core_free(s.x);
        core_free(s.cosines);
        core_free(s.sines);
        core_free(s.qkv);
        core_free(s.keys);
        core_free(s.values);
    }
}

static void heads_are_turned_and_put_into_their_pages(void **state)
{
    (void)state;
    devices_each(try_problems, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_turned_and_put_into_their_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
