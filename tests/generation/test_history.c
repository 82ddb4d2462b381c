/* What processors know of the ids that stand before: long histories over large vocabularies, rows that share one history (checking a draft), and
 * a history that grows by what is chosen. */
#include "cl/sample_bench.h"

typedef struct size {
    const char *label;
    uint32_t    vocab, length; /* length: ids of the longest row */
    bool        large;
} size;

static const size sizes[] = {
    { "a few", 40, 60, false },
    { "many ids of few tokens", 300, 3000, false },
    { "Gemma's vocabulary", 262144, 8200, true },
};

#define ROWS 3u

typedef struct scene {
    dev_device *device;
    gen_rows    rows;
    dev_buffer  scores;
    float      *x;                /* [ROWS][vocab] */
    int32_t    *ids;              /* [ROWS][length] */
    uint32_t    lengths[ROWS], begins[ROWS];
} scene;

static dev_buffer buffer_of(dev_device *device, const void *data, size_t bytes)
{
    dev_buffer buffer = { NULL, 0 };
    assert_ok(dev_buffer_new(device, bytes, "a scene", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, data, bytes));
    return buffer;
}

/* Ids with repetitions, some beyond the vocabulary; rows of different lengths. With `shared` all continue row 0. */
static scene open_scene(dev_device *device, const size *how, bool shared)
{
    scene    s = { .device = device, .x = new_numbers(3, (size_t)ROWS * how->vocab) };
    numbers  n = { 17 };
    uint32_t one[ROWS];
    s.ids = core_alloc_array((size_t)ROWS * how->length, sizeof *s.ids, "ids");
    assert_non_null(s.ids);
    for (size_t i = 0; i < (size_t)ROWS * how->length; i++)
        s.ids[i] = i % 5 == 4 ? s.ids[i - 4] : (int32_t)((next_number(&n) + 1.0f) * 0.501f * (float)how->vocab);
    for (uint32_t r = 0; r < ROWS; r++) {
        s.lengths[r] = how->length - 7 * r;
        s.begins[r] = one[r] = 5 * r;
    }
    s.rows = (gen_rows){ .rows = ROWS, .vocab = how->vocab, .stride = how->vocab, .history_stride = how->length, .one_history = shared };
    s.rows.history = buffer_of(device, s.ids, (shared ? 1u : ROWS) * how->length * sizeof *s.ids);
    s.rows.lengths = buffer_of(device, s.lengths, sizeof s.lengths);
    s.rows.begins = buffer_of(device, one, sizeof one);
    s.scores = buffer_of(device, s.x, (size_t)ROWS * how->vocab * sizeof *s.x);
    return s;
}

static void close_scene(scene *s)
{
    dev_buffer_free(s->device, &s->scores);
    dev_buffer_free(s->device, &s->rows.history);
    dev_buffer_free(s->device, &s->rows.lengths);
    dev_buffer_free(s->device, &s->rows.begins);
    core_free(s->x);
    core_free(s->ids);
}

static const int32_t *ids_of_row(const scene *s, uint32_t row) { return s->ids + (s->rows.one_history ? 0 : (size_t)row * s->rows.history_stride); }

/* Marks what stands in [begin, end). */
static void mark(const int32_t *ids, uint32_t begin, uint32_t end, uint32_t vocab, bool *stands)
{
    memset(stands, 0, vocab * sizeof *stands);
    for (uint32_t i = begin; i < end; i++)
        if ((uint32_t)ids[i] < vocab)
            stands[ids[i]] = true;
}

/* The rules on a row, in order: the prompt's penalty, the penalty, both bans. */
static void apply(const scene *s, const gen_config *c, uint32_t row, float *x, bool *stands)
{
    const uint32_t vocab = s->rows.vocab, n = s->lengths[row], prompt = c->prompt_length < n ? c->prompt_length : n;
    const int32_t *ids = ids_of_row(s, row);
    const float    likelier = (float)(1.0 / (double)c->encoder_repetition_penalty);
    mark(ids, 0, prompt, vocab, stands);
    for (uint32_t i = 0; i < vocab; i++)
        x[i] = !stands[i] ? x[i] : x[i] < 0 ? x[i] * likelier : x[i] / likelier;
    mark(ids, s->begins[row], n, vocab, stands);
    for (uint32_t i = 0; i < vocab; i++)
        x[i] = !stands[i] ? x[i] : x[i] < 0 ? x[i] * c->repetition_penalty : x[i] / c->repetition_penalty;
    for (uint32_t i = 0; i + 2 < n; i++) {
        const bool again = ids[i] == ids[n - 2] && ids[i + 1] == ids[n - 1], in_prompt = i + 1 < prompt && ids[i] == ids[n - 1];
        if (c->no_repeat_ngram_size == 3 && again && (uint32_t)ids[i + 2] < vocab)
            x[ids[i + 2]] = -INFINITY;
        if (c->encoder_no_repeat_ngram_size == 2 && in_prompt && (uint32_t)ids[i + 1] < vocab)
            x[ids[i + 1]] = -INFINITY;
    }
}

static void try_size(dev_device *device, const size *how, bool shared)
{
    scene           s = open_scene(device, how, shared);
    gen_processors *processors = NULL;
    dev_work       *work = NULL;
    gen_config      c;
    bool           *stands = core_alloc_array(how->vocab, sizeof *stands, "marks");
    assert_non_null(stands);
    gen_config_init(&c);
    c.limit = how->length + 1;
    c.prompt_length = how->length / 2;
    c.encoder_repetition_penalty = 1.25f;
    c.repetition_penalty = 1.5f;
    c.no_repeat_ngram_size = 3;
    c.encoder_no_repeat_ngram_size = 2;
    assert_ok(gen_processors_new(device, dev_queue(device), &c, &s.rows, &processors));
    gen_parts_share(gen_processors_parts(processors), device, sharing_group);
    assert_ok(dev_work_new(device, &work));
    assert_ok(gen_processors_add(processors, work, GEN_STAGE_FIRST, &s.scores));
    run_work(device, work); /* twice: nothing of the first may be left behind */
    assert_ok(dev_buffer_write(dev_queue(device), &s.scores, 0, s.x, (size_t)ROWS * how->vocab * sizeof *s.x));
    run_work(device, work);
    float *got = read_floats(device, &s.scores);
    for (uint32_t r = 0; r < ROWS; r++) {
        float *want = s.x + (size_t)r * how->vocab;
        apply(&s, &c, r, want, stands);
        for (uint32_t i = 0; i < how->vocab; i++)
            if (!(fabsf(got[(size_t)r * how->vocab + i] - want[i]) <= 1e-6f * fabsf(want[i]) || got[(size_t)r * how->vocab + i] == want[i]))
                fail_msg("%s%s, row %u: token %u has %.9g, want %.9g", how->label, shared ? ", shared" : "", r, i,
                         (double)got[(size_t)r * how->vocab + i], (double)want[i]);
    }
    core_free(got);
    core_free(stands);
    dev_work_free(work);
    gen_processors_free(processors);
    close_scene(&s);
}

static void try_sizes(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int shared = 0; shared < 2; shared++)
            if (!devices_is_slow(device) || !sizes[i].large)
                try_size(device, &sizes[i], shared);
}

static void each_distinct_id_counts_once_however_long_the_history(void **state)
{
    (void)state;
    devices_each(try_sizes, NULL);
}

/* ---- A history that grows ------------------------------------------------------------------------------------------------ */

static void try_growing(dev_device *device, void *user)
{
    (void)user;
    gen_config c;
    bench      b;
    /* Each choice halves its token, and a pair that stands already is out. */
    const float   x[6] = { 8.0f, 7.0f, 3.0f, 1.0f, 0.5f, 0.25f };
    const int32_t want[6] = { 0, 1, 0, 0, 2, 0 };
    gen_config_init(&c);
    c.limit = 100;
    c.repetition_penalty = 2.0f;
    c.no_repeat_ngram_size = 2;
    open_bench(&b, device, &c, 2, 6, 8);
    for (uint32_t step = 0; step < COUNT(want); step++)
        choose(&b, x, 0);
    int32_t  *history = read_ints(device, &b.history);
    uint32_t *lengths = (uint32_t *)read_ints(device, &b.lengths);
    for (uint32_t r = 0; r < 2; r++) {
        assert_int_equal(lengths[r], COUNT(want));
        for (uint32_t i = 0; i < COUNT(want); i++)
            if (history[r * HISTORY + i] != want[i])
                fail_msg("row %u: choice %u is %d, want %d", r, i, history[r * HISTORY + i], want[i]);
        assert_int_equal(history[r * HISTORY + COUNT(want)], 0);
    }
    core_free(history);
    core_free(lengths);
    close_bench(&b);
}

static void what_is_chosen_counts_from_the_next_step_on(void **state)
{
    (void)state;
    devices_each(try_growing, NULL);
}

/* ---- Rows that are steps of one sequence --------------------------------------------------------------------------------- */

static void draw(dev_device *device, bool rows_are_steps, uint32_t rows, uint32_t steps, int32_t *ids)
{
    gen_config c;
    bench      b;
    float     *x = new_numbers(9, 100);
    gen_config_init(&c);
    c.do_sample = true;
    c.seed = 31;
    open_bench(&b, device, &c, rows, 100, steps);
    if (rows_are_steps) {
        b.sampler.rows_are_steps = true;
        dev_work_free(b.work);
        b.work = NULL;
        assert_ok(dev_work_new(device, &b.work));
        assert_ok(gen_processors_add(b.processors, b.work, GEN_STAGE_LAST, &b.logits));
        assert_ok(gen_sampler_add(&b.sampler, b.work, &b.logits, &b.ids, &b.positions, true));
    }
    for (uint32_t step = 0; step < steps; step++)
        choose(&b, x, 0);
    assert_ok(dev_buffer_read(dev_queue(device), &b.sampler.ring, 0, ids, (size_t)rows * steps * sizeof *ids));
    close_bench(&b);
    core_free(x);
}

static void try_steps(dev_device *device, void *user)
{
    (void)user;
    int32_t rows[8], steps[8];
    draw(device, true, 8, 1, rows);
    draw(device, false, 1, 8, steps);
    assert_memory_equal(rows, steps, sizeof rows);
}

static void rows_that_are_steps_draw_what_the_steps_would(void **state)
{
    (void)state;
    devices_each(try_steps, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(each_distinct_id_counts_once_however_long_the_history),
        BOTH_WAYS(what_is_chosen_counts_from_the_next_step_on),
        BOTH_WAYS(rows_that_are_steps_draw_what_the_steps_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
