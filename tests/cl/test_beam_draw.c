/* Beam sampling: continuations drawn without replacement come in the frequencies of one draw after the other, each among what is left; a seed
 * gives the same again, and prompts side by side get what each gets alone. On every device. */
#include "cl/beam_bench.h"

#define VOCAB 5u
#define BEAMS 2u
#define ALL   (VOCAB * BEAMS)
#define DRAWS 4000u

/* Log-probabilities of both beams; one token is out. */
static const float scores[ALL] = { -1.2f, -0.7f, -3.0f, -INFINITY, -2.2f, -0.9f, -1.1f, -2.5f, -4.0f, -1.9f };
static const float sums[BEAMS] = { -0.3f, -0.8f };

static gen_config drawing(uint64_t seed)
{
    return (gen_config){ .limit = 3, .prompt_length = 1, .num_beams = BEAMS, .length_penalty = 1, .guidance_scale = 1, .do_sample = true, .seed = seed };
}

static void open_drawing(beam_bench *b, dev_device *device, uint64_t seed, uint32_t prompts)
{
    const gen_config config = drawing(seed);
    float            rows[3 * ALL], all_sums[3 * BEAMS];
    beam_open(b, device, &config, prompts, VOCAB, 16);
    for (uint32_t p = 0; p < prompts; p++) {
        memcpy(rows + p * ALL, scores, sizeof scores);
        memcpy(all_sums + p * BEAMS, sums, sizeof sums);
    }
    beam_send(b, rows);
    assert_ok(dev_buffer_write(dev_queue(device), &b->beams.sums, 0, all_sums, b->beams.sums.bytes));
}

/* Draws at a step of its own: the counter of the random numbers. */
static void draw(beam_bench *b, uint32_t step, int32_t *drawn)
{
    const gen_beams_control control = { .steps = step };
    assert_ok(dev_buffer_write(dev_queue(b->device), &b->beams.control, 0, &control, sizeof control));
    run_work(b->device, b->choice);
    assert_ok(dev_buffer_read(dev_queue(b->device), &b->beams.numbers, 0, drawn, b->beams.numbers.bytes));
}

static float  total_of(uint32_t number) { return scores[number] + sums[number / VOCAB]; }
static double weight(uint32_t number) { return exp((double)scores[number] + sums[number / VOCAB]); }

/* Adds to `two` the chances of all ways to go on drawing, each number among what the others left: of each pair to be drawn, in whatever order. */
static void add_chances(double p, double left, uint32_t *drawn, uint32_t count, double two[ALL][ALL])
{
    if (count == 2 * BEAMS) {
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t k = 0; k < count; k++)
                two[drawn[i]][drawn[k]] += p;
        return;
    }
    for (uint32_t i = 0; i < ALL; i++) {
        bool taken = weight(i) == 0;
        for (uint32_t k = 0; k < count; k++)
            taken = taken || drawn[k] == i;
        if (taken)
            continue;
        drawn[count] = i;
        add_chances(p * weight(i) / left, left - weight(i), drawn, count + 1, two);
    }
}

/* 5 standard deviations, and half a count. */
static void check_frequency(uint32_t first, uint32_t second, uint32_t got, double p)
{
    const double want = DRAWS * p, allowed = 5 * sqrt(DRAWS * p * fabs(1 - p)) + 0.5;
    if (fabs(got - want) > allowed)
        fail_msg("%u and %u: in %u of %u draws, want %.1f +- %.1f", first, second, got, DRAWS, want, allowed);
}

/* What is drawn comes with the best first, as transformers looks at it from 5.24 on. */
static void check_drawn(const int32_t *drawn)
{
    for (uint32_t c = 0; c < 2 * BEAMS; c++) {
        assert_in_range(drawn[c], 0, ALL - 1);
        assert_true(scores[drawn[c]] > -INFINITY);
        for (uint32_t before = 0; before < c; before++)
            assert_int_not_equal(drawn[c], drawn[before]);
        if (c > 0)
            assert_true(total_of((uint32_t)drawn[c]) <= total_of((uint32_t)drawn[c - 1]));
    }
}

static void try_frequencies(dev_device *device, void *user)
{
    static uint32_t pairs[ALL][ALL];
    static double   chances[ALL][ALL];
    uint32_t        order[2 * BEAMS];
    double          total = 0;
    int32_t         drawn[2 * BEAMS];
    beam_bench      b;
    (void)user;
    if (devices_is_slow(device))
        return;
    memset(pairs, 0, sizeof pairs);
    memset(chances, 0, sizeof chances);
    open_drawing(&b, device, 17, 1);
    assert_int_equal(b.beams.count, COUNT(drawn));
    for (uint32_t step = 0; step < DRAWS; step++) {
        draw(&b, step, drawn);
        check_drawn(drawn);
        for (uint32_t i = 0; i < COUNT(drawn); i++)
            for (uint32_t k = 0; k < COUNT(drawn); k++)
                pairs[drawn[i]][drawn[k]]++;
    }
    for (uint32_t i = 0; i < ALL; i++)
        total += weight(i);
    add_chances(1, total, order, 0, chances);
    for (uint32_t i = 0; i < ALL; i++)
        for (uint32_t k = 0; k < ALL; k++)
            check_frequency(i, k, pairs[i][k], chances[i][k]);
    beam_close(&b);
}

static void draws_without_replacement_have_the_right_frequencies(void **state)
{
    (void)state;
    devices_each(try_frequencies, NULL);
}

static void try_repeats(dev_device *device, void *user)
{
    int32_t    alone[2 * BEAMS], again[2 * BEAMS], beside[3 * 2 * BEAMS];
    uint32_t   others = 0;
    beam_bench one, three, other;
    (void)user;
    open_drawing(&one, device, 3, 1);
    open_drawing(&three, device, 3, 3);
    open_drawing(&other, device, 4, 1);
    for (uint32_t step = 0; step < 8; step++) {
        draw(&one, step, alone);
        draw(&three, step, beside);
        for (uint32_t p = 0; p < 3; p++)
            assert_memory_equal(beside + p * COUNT(alone), alone, sizeof alone);
        draw(&one, step, again);
        assert_memory_equal(again, alone, sizeof alone);
        draw(&other, step, again);
        others += memcmp(again, alone, sizeof alone) != 0;
    }
    assert_in_range(others, 5, 8);
    beam_close(&one);
    beam_close(&three);
    beam_close(&other);
}

static void a_seed_repeats_and_prompts_do_not_meet(void **state)
{
    (void)state;
    devices_each(try_repeats, NULL);
}

static void try_nothing(dev_device *device, void *user)
{
    float      none[ALL];
    beam_bench b;
    (void)user;
    for (uint32_t i = 0; i < ALL; i++)
        none[i] = -INFINITY;
    open_drawing(&b, device, 3, 1);
    beam_send(&b, none);
    run_work(device, b.choice);
    run_work(device, b.step);
    assert_int_equal(beam_control(&b).fault, 1);
    beam_close(&b);
}

static void that_nothing_can_be_drawn_is_told(void **state)
{
    (void)state;
    devices_each(try_nothing, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(draws_without_replacement_have_the_right_frequencies),
        BOTH_WAYS(a_seed_repeats_and_prompts_do_not_meet),
        cmocka_unit_test(that_nothing_can_be_drawn_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
