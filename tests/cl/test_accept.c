/* Checking what a draft model drew: guesses are kept as often as they should, what is drawn in their place is distributed as it should, and what
 * comes out of both is distributed as by the model alone; on every device, by lanes and by cores. */
#include "cl/matrices.h"
#include "cl/philox.h"
#include "generation/accept.h"

#define ACCEPT_ROW 0x80000000u /* as in accept.cl */
#define MOST 3u

static uint32_t shared_by; /* lanes */

/* A round: rows of the model and of the draft model, and what was guessed. */
typedef struct trial {
    dev_device    *device;
    uint32_t       vocab, stride, count; /* guesses */
    float         *p, *q;                /* [count + 1][vocab], [count][vocab] */
    gen_score_rows model, draft;
    dev_buffer     scores, drafts, ids, chances, guesses, step, result;
    dev_work      *work;
    uint64_t       seed;
} trial;

static void open_round(trial *r, dev_device *device, uint32_t vocab, uint32_t count, float *p, float *q)
{
    *r = (trial){ .device = device, .vocab = vocab, .stride = (vocab + 15) / 16 * 16 + 16, .count = count, .p = p, .q = q, .seed = 99 };
    r->scores = new_rows(device, p, count + 1, vocab, r->stride, 0);
    r->drafts = new_rows(device, q, count, vocab, r->stride, 0);
    r->model = (gen_score_rows){ &r->scores, r->stride, vocab, shared_by };
    r->draft = (gen_score_rows){ &r->drafts, r->stride, vocab, shared_by };
    assert_ok(dev_buffer_new(device, (MOST + 1) * sizeof(int32_t), "ids", &r->ids));
    assert_ok(dev_buffer_new(device, (MOST + 1) * sizeof(gen_chance), "chances", &r->chances));
    assert_ok(dev_buffer_new(device, (MOST + 1) * sizeof(gen_chance), "guesses", &r->guesses));
    assert_ok(dev_buffer_new(device, sizeof(uint32_t), "the step", &r->step));
    assert_ok(dev_buffer_new(device, 2 * sizeof(int32_t), "the result", &r->result));
    assert_ok(dev_work_new(device, &r->work));
    assert_ok(gen_chance_add(r->work, &r->model, count + 1, &r->ids, 0, &r->chances, NULL, NULL));
    assert_ok(gen_chance_add(r->work, &r->draft, count, &r->ids, 0, &r->guesses, NULL, NULL));
    assert_ok(gen_accept_add(r->work, &r->model, &r->chances, &r->draft, &r->guesses, count, &r->step, r->seed, &r->result));
}

static void close_round(trial *r)
{
    dev_buffer *const buffers[] = { &r->scores, &r->drafts, &r->ids, &r->chances, &r->guesses, &r->step, &r->result };
    dev_work_free(r->work);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(r->device, buffers[i]);
}

static void play(const trial *r, const int32_t *ids, uint32_t step, int32_t *kept, int32_t *next)
{
    int32_t          guesses[MOST + 1] = { 0 }, result[2];
    cl_command_queue queue = dev_queue(r->device);
    memcpy(guesses, ids, r->count * sizeof *ids);
    guesses[r->count] = -1; /* behind the last there is none */
    assert_ok(dev_buffer_write(queue, &r->ids, 0, guesses, sizeof guesses));
    assert_ok(dev_buffer_write(queue, &r->step, 0, &step, sizeof step));
    run_work(r->device, r->work);
    assert_ok(dev_buffer_read(queue, &r->result, 0, result, sizeof result));
    *kept = result[0];
    *next = result[1];
}

static void softmax(const float *x, uint32_t count, double *p)
{
    double largest = -INFINITY, total = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, x[i]);
    for (uint32_t i = 0; i < count; i++)
        total += p[i] = exp(x[i] - largest);
    for (uint32_t i = 0; i < count; i++)
        p[i] /= total;
}

/* ---- One round is algorithm 1 of the paper, for the random numbers that it had */

static const struct { uint32_t vocab, count; bool large; } sizes[] = { { 1, 1, false }, { 17, 2, false }, { 4099, 3, false }, { 49152, 3, true }, { 262144, 1, true } };

/* By the rule, in double precision. Each probability is at most 2 ulp and 2^-40 off: shares that come closer to a border than that say nothing. */
static void check_round(const trial *r, const int32_t *ids, uint32_t step, int32_t kept, int32_t next)
{
    double *p = core_alloc_array(r->vocab, sizeof *p, "p"), *q = core_alloc_array(r->vocab, sizeof *q, "q");
    uint32_t n = 0;
    for (;; n++) {
        softmax(r->p + (size_t)n * r->vocab, r->vocab, p);
        if (n == r->count)
            break;
        softmax(r->q + (size_t)n * r->vocab, r->vocab, q);
        const double share = share_of(r->seed, step + n, ACCEPT_ROW) * q[ids[n]];
        if (fabs(share - p[ids[n]]) < 0x1p-20 * p[ids[n]] + 0x1p-36)
            goto done;
        if (share >= p[ids[n]])
            break;
    }
    if (kept != (int32_t)n)
        fail_msg("%u tokens, step %u: %d guesses were kept, want %u", r->vocab, step, kept, n);
    double total = 0, begin = 0;
    for (uint32_t i = 0; i < r->vocab; i++)
        total += p[i] = n < r->count ? fmax(p[i] - q[i], 0) : p[i];
    assert_in_range(next, 0, r->vocab - 1);
    for (int32_t i = 0; i < next; i++)
        begin += p[i];
    const double share = share_of(r->seed, step + n, 0) * total;
    if (share < begin - 0x1p-21 || share >= begin + p[next] + 0x1p-21 || p[next] == 0)
        fail_msg("%u tokens, step %u: drew %d, which is [%.9g, %.9g); the share is %.9g", r->vocab, step, next, begin, begin + p[next], share);
done:
    core_free(p);
    core_free(q);
}

static void try_rounds(dev_device *device, void *user)
{
    (void)user;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        if (sizes[s].large && devices_is_slow(device))
            continue;
        const uint32_t vocab = sizes[s].vocab, count = sizes[s].count;
        float         *p = new_numbers(5, (size_t)(count + 1) * vocab), *q = new_numbers(6, (size_t)count * vocab);
        trial r;
        for (size_t i = 0; i < (size_t)(count + 1) * vocab; i++)
            p[i] = i % 7 == 3 && vocab > 1 ? -INFINITY : 2.0f * p[i];
        for (size_t i = 0; i < (size_t)count * vocab; i++)
            q[i] = i % 5 == 4 && vocab > 1 ? -INFINITY : 0.7f * p[i] + 0.5f * q[i];
        open_round(&r, device, vocab, count, p, q);
        for (uint32_t step = 0; step < (devices_is_slow(device) ? 4 : 40); step++) {
            int32_t ids[MOST], kept, next;
            for (uint32_t i = 0; i < count; i++) {
                ids[i] = (int32_t)(share_of(3, step, i) * vocab);
                while (isinf(q[(size_t)i * vocab + (uint32_t)ids[i]]))
                    ids[i] = (ids[i] + 1) % (int32_t)vocab;
            }
            play(&r, ids, step, &kept, &next);
            check_round(&r, ids, step, kept, next);
        }
        close_round(&r);
        core_free(p);
        core_free(q);
    }
}

static void a_round_follows_the_rule(void **state)
{
    (void)state;
    devices_each(try_rounds, NULL);
}

/* ---- Many rounds */

#define FEW 12u

static uint32_t draw(const double *p, double share)
{
    uint32_t i = 0;
    for (; i + 1 < FEW && share >= p[i]; i++)
        share -= p[i];
    return i;
}

/* Five deviations above the mean of chi-square are seen once in a million. */
static void check_frequencies(const char *label, const uint32_t *counts, const double *p, double draws)
{
    double   chi = 0;
    uint32_t cells = 0;
    for (uint32_t i = 0; i < FEW; i++) {
        const double want = p[i] * draws;
        if (want == 0 && counts[i] > 0)
            fail_msg("%s: token %u is out, but came %u times", label, i, counts[i]);
        if (want > 0) {
            chi += (counts[i] - want) * (counts[i] - want) / want;
            cells++;
        }
    }
    const double free = cells - 1.0;
    print_message("      %s: chi-square %.1f with %g degrees of freedom after %g\n", label, chi, free, draws);
    if (chi > free + 5 * sqrt(2 * free))
        fail_msg("%s: not the model's distribution", label);
}

static void try_frequencies(dev_device *device, void *user)
{
    const uint32_t rounds = devices_is_slow(device) ? 300 : 8000;
    float          p[2 * FEW], q[FEW];
    double         model[FEW], behind[FEW], draft[FEW];
    uint32_t       first[FEW] = { 0 }, second[FEW] = { 0 }, seconds = 0;
    numbers        n = { 17 };
    trial r;
    (void)user;
    for (uint32_t i = 0; i < 2 * FEW; i++)
        p[i] = i == 4 ? -INFINITY : 1.5f * next_number(&n);
    for (uint32_t i = 0; i < FEW; i++)
        q[i] = i == 7 ? -INFINITY : 1.5f * next_number(&n);
    softmax(p, FEW, model);
    softmax(p + FEW, FEW, behind);
    softmax(q, FEW, draft);
    open_round(&r, device, FEW, 1, p, q);
    for (uint32_t step = 0; step < rounds; step++) {
        const int32_t guess = (int32_t)draw(draft, share_of(1234, step, 0));
        int32_t       kept, next;
        play(&r, &guess, step, &kept, &next);
        assert_in_range(next, 0, FEW - 1);
        first[kept ? guess : next]++;
        if (kept) {
            second[next]++;
            seconds++;
        }
    }
    check_frequencies("the guess, or what came instead", first, model, rounds);
    check_frequencies("the token behind a guess", second, behind, seconds);
    close_round(&r);
}

static void what_comes_out_is_distributed_as_by_the_model_alone(void **state)
{
    (void)state;
    devices_each(try_frequencies, NULL);
}

/* ---- Borders */

static void try_borders(dev_device *device, void *user)
{
    static const struct { const char *label; float p[2][3], q[3]; int32_t guess, kept, next; } cases[] = {
        { "the same distribution keeps all", { { 1, 2, 3 }, { -INFINITY, 5, -INFINITY } }, { 1, 2, 3 }, 0, 1, 1 },
        { "what the model rules out goes", { { -INFINITY, 2, -INFINITY }, { 0, 0, 0 } }, { 9, 0, 0 }, 0, 0, 1 },
        { "a certain guess is kept", { { -INFINITY, 2, -INFINITY }, { -INFINITY, -INFINITY, 0 } }, { 9, 0, 0 }, 1, 1, 2 },
        { "no probabilities: nothing is kept, nothing drawn", { { NAN, 2, 1 }, { 0, 0, 0 } }, { 1, 2, 3 }, 1, 0, -1 },
        { "none behind what is kept", { { 3, 2, 1 }, { -INFINITY, -INFINITY, -INFINITY } }, { 3, 2, 1 }, 0, 1, -1 },
    };
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        float   p[6], q[3];
        trial r;
        int32_t kept, next;
        memcpy(p, cases[i].p, sizeof p);
        memcpy(q, cases[i].q, sizeof q);
        open_round(&r, device, 3, 1, p, q);
        for (uint32_t step = 0; step < 20; step++) {
            play(&r, &cases[i].guess, step, &kept, &next);
            if (kept != cases[i].kept || next != cases[i].next)
                fail_msg("%s: %d kept, then %d; want %d, then %d", cases[i].label, kept, next, cases[i].kept, cases[i].next);
        }
        close_round(&r);
    }
}

static void borders_are_where_they_should_be(void **state)
{
    (void)state;
    devices_each(try_borders, NULL);
}

/* ---- The draft's side */

static void try_rows_in_turn(dev_device *device, void *user)
{
    enum { VOCAB = 40, STRIDE = 48, ROWS = 3 };
    (void)user;
    float         *x = new_numbers(8, ROWS * VOCAB);
    dev_buffer     kept = new_nan_buffer(device, ROWS * STRIDE), chances, ids, at;
    gen_score_rows to = { &kept, STRIDE, VOCAB, shared_by };
    gen_chance     got[ROWS];
    assert_ok(dev_buffer_new(device, sizeof got, "chances", &chances));
    assert_ok(dev_buffer_new(device, sizeof(int32_t), "an id", &ids));
    assert_ok(dev_buffer_new_zero(device, dev_queue(device), sizeof(uint32_t), "a counter", &at));
    for (int32_t row = 0; row < ROWS; row++) {
        dev_buffer           scores = new_rows(device, x + row * VOCAB, 1, VOCAB, STRIDE, 0);
        const gen_score_rows from = { &scores, STRIDE, VOCAB, shared_by };
        const int32_t        id = row == 2 ? -1 : 11 * row + 1;
        dev_work            *work = NULL;
        assert_ok(dev_buffer_write(dev_queue(device), &ids, 0, &id, sizeof id));
        assert_ok(dev_work_new(device, &work));
        assert_ok(gen_chance_add(work, &from, 1, &ids, 0, &chances, &at, &to));
        run_work(device, work);
        dev_work_free(work);
        dev_buffer_free(device, &scores);
    }
    assert_ok(dev_buffer_read(dev_queue(device), &chances, 0, got, sizeof got));
    float *rows = read_floats(device, &kept);
    for (uint32_t row = 0; row < ROWS; row++) {
        double p[VOCAB];
        softmax(x + row * VOCAB, VOCAB, p);
        const double want = row == 2 ? 0.0 : p[11 * row + 1];
        assert_int_equal(got[row].id, row == 2 ? -1 : 11 * (int32_t)row + 1);
        assert_true(fabs(gen_chance_probability(&got[row]) - want) < 0x1p-20);
        assert_memory_equal(rows + row * STRIDE, x + row * VOCAB, VOCAB * sizeof *x);
        for (uint32_t i = VOCAB; i < STRIDE; i++)
            assert_true(isnan(rows[row * STRIDE + i]));
    }
    core_free(rows);
    core_free(x);
    dev_buffer_free(device, &kept);
    dev_buffer_free(device, &chances);
    dev_buffer_free(device, &ids);
    dev_buffer_free(device, &at);
}

static void rows_are_kept_one_after_the_other(void **state)
{
    (void)state;
    devices_each(try_rows_in_turn, NULL);
}

static int by_cores(void **state)
{
    (void)state;
    shared_by = 1;
    return 0;
}

static int by_lanes(void **state)
{
    (void)state;
    shared_by = 32;
    return 0;
}

#define BOTH_WAYS(test) { #test " (cores)", test, by_cores, NULL, NULL }, { #test " (lanes)", test, by_lanes, NULL, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(a_round_follows_the_rule),
        BOTH_WAYS(what_comes_out_is_distributed_as_by_the_model_alone),
        BOTH_WAYS(borders_are_where_they_should_be),
        BOTH_WAYS(rows_are_kept_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
