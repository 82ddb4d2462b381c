/* Beams: the best continuations out of many, ties included; and whole searches, on a model whose next token depends on the last one alone,
 * against the rule of transformers' _beam_search() written out with sequences that are copied, and against what it returned. On every device. */
#include "cl/beam_bench.h"

#define MOST_ROWS 12
#define MOST_NEW 12
#define MOST_VOCAB 64
#define MOST_CHOICES 256

/* ---- The best continuations */

static const struct { const char *label; uint32_t prompts, beams, ends, vocab, part; bool large; } choices[] = {
    { "a tiny vocabulary, whole", 1, 2, 1, 4, 1024, false },
    { "as many as there are", 2, 2, 3, 4, 16, false },
    { "less than a vector", 2, 3, 0, 15, 1024, false },
    { "a vector and one", 1, 4, 2, 17, 1024, false },
    { "parts with few", 2, 3, 2, 67, 16, false },
    { "a prime", 3, 2, 1, 521, 128, false },
    { "many", 1, 16, 5, 997, 256, false },
    { "SmolLM2", 1, 4, 1, 49152, 1024, true },
};

/* Scores with what is awkward: many that are equal, some out. */
static void make_scores(float *x, size_t count, uint32_t kind)
{
    numbers n = { 99 + kind };
    for (size_t i = 0; i < count; i++) {
        const float v = next_number(&n);
        x[i] = kind == 1 ? -floorf(4.0f + 4.0f * v) : kind == 2 && v < 0.5f ? -INFINITY : -10.0f - 10.0f * v;
    }
}

/* The place of a continuation: those with more before it, and those with as much and a lower number. */
static void check_choice(const char *label, const float *x, const float *sums, const gen_beams *b, uint32_t prompt, const int32_t *chosen,
                         const float *totals)
{
    const uint32_t all = b->beams * b->vocab;
    const float   *mine = x + (size_t)prompt * all;
    for (uint32_t c = 0; c < b->count; c++) {
        const uint32_t number = (uint32_t)chosen[c];
        uint32_t       before = 0;
        assert_in_range(number, 0, all - 1);
        const float total = mine[number] + sums[prompt * b->beams + number / b->vocab];
        for (uint32_t i = 0; i < all; i++) {
            const float other = mine[i] + sums[prompt * b->beams + i / b->vocab];
            before += other > total || (other == total && i < number);
        }
        if (before != c || (totals[c] != total && !(isinf(total) && isinf(totals[c]))))
            fail_msg("%s, prompt %u: continuation %u is %u with %.9g; its place is %u, its score %.9g", label, prompt, c, number, (double)totals[c],
                     before, (double)total);
    }
}

static void try_choices(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(choices); i++) {
        gen_config config = { .limit = 3, .prompt_length = 1, .num_beams = choices[i].beams, .eos_token_count = choices[i].ends, .guidance_scale = 1,
                              .length_penalty = 1 };
        float      sums[MOST_ROWS + 4];
        int32_t    chosen[MOST_CHOICES];
        float      totals[MOST_CHOICES];
        beam_bench b;
        if ((choices[i].large || i % 3 > 0) && devices_is_slow(device))
            continue;
        beam_open(&b, device, &config, choices[i].prompts, choices[i].vocab, choices[i].part);
        const size_t count = (size_t)b.beams.rows * choices[i].vocab;
        float       *x = core_alloc_array(count, sizeof *x, "scores");
        assert_non_null(x);
        assert_in_range(b.beams.rows, 1, COUNT(sums));
        for (uint32_t r = 0; r < b.beams.rows; r++)
            sums[r] = -1.5f * (float)(r % b.beams.beams);
        assert_ok(dev_buffer_write(dev_queue(device), &b.beams.sums, 0, sums, b.beams.rows * sizeof *sums));
        for (uint32_t kind = 0; kind < 3; kind++) {
            make_scores(x, count, kind);
            beam_send(&b, x);
            run_work(device, b.choice);
            READ_ALL(&b, &b.beams.numbers, chosen);
            READ_ALL(&b, &b.beams.totals, totals);
            for (uint32_t p = 0; p < b.beams.prompts; p++)
                check_choice(choices[i].label, x, sums, &b.beams, p, chosen + p * b.beams.count, totals + p * b.beams.count);
        }
        core_free(x);
        beam_close(&b);
    }
}

static void the_best_continuations_are_chosen(void **state)
{
    (void)state;
    devices_each(try_choices, NULL);
}

/* ---- A search, as transformers does it: all sequences are copied */

typedef struct sequence {
    float    score;
    bool     done;
    uint32_t length; /* new tokens; 0 in `finished`: none yet */
    int32_t  ids[MOST_NEW], rows[MOST_NEW];
} sequence;

typedef struct search {
    const gen_config *config;
    uint32_t prompts, beams, vocab, limit, count, steps;
    bool     stopped, improvable[4];
    sequence running[MOST_ROWS], finished[MOST_ROWS];
} search;

static void search_begin(search *s, const gen_config *config, uint32_t prompts, uint32_t vocab)
{
    *s = (search){ .config = config, .prompts = prompts, .beams = config->num_beams, .vocab = vocab,
                   .limit = config->limit - config->prompt_length };
    s->count = (config->eos_token_count > 0 ? 1 + config->eos_token_count : 2) * s->beams;
    for (uint32_t r = 0; r < prompts * s->beams; r++) {
        s->running[r].score = r % s->beams == 0 ? 0.0f : -1.0e9f;
        s->finished[r].score = -1.0e9f;
        s->improvable[r / s->beams] = true;
    }
}

static void append(sequence *s, int32_t id, uint32_t row)
{
    s->ids[s->length] = id;
    s->rows[s->length++] = (int32_t)row;
}

static bool ends(const search *s, const sequence *c)
{
    bool is = c->length == s->limit;
    for (uint32_t e = 0; e < s->config->eos_token_count; e++)
        is = is || c->ids[c->length - 1] == s->config->eos_token_ids[e];
    return is;
}

/* The `keep` largest, the first of equal ones first, by `score`. */
static void keep_best(const sequence *from, uint32_t count, sequence *to, uint32_t keep)
{
    bool taken[MOST_CHOICES] = { false };
    assert_in_range(count, keep, COUNT(taken));
    for (uint32_t k = 0; k < keep; k++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++)
            if (!taken[i] && (best == UINT32_MAX || from[i].score > from[best].score))
                best = i;
        taken[best] = true;
        to[k] = from[best];
    }
}

/* A step of one prompt; returns whether every continuation has ended. */
static bool search_prompt(search *s, uint32_t prompt, const float *scores)
{
    static sequence all[4 * MOST_VOCAB], candidates[MOST_CHOICES], merged[MOST_CHOICES];
    const gen_config *c = s->config;
    sequence *running = s->running + prompt * s->beams, *finished = s->finished + prompt * s->beams;
    const uint32_t length = s->steps + 1;
    bool           all_end = true, full = true, hit[MOST_CHOICES];
    for (uint32_t k = 0; k < s->beams; k++) {
        for (uint32_t t = 0; t < s->vocab; t++) {
            sequence *next = &all[k * s->vocab + t];
            *next = running[k];
            next->score = scores[(size_t)(prompt * s->beams + k) * s->vocab + t] + running[k].score;
            append(next, (int32_t)t, prompt * s->beams + k);
        }
        full = full && finished[k].done;
    }
    keep_best(all, s->beams * s->vocab, candidates, s->count);
    memcpy(merged, finished, s->beams * sizeof *merged);
    for (uint32_t i = 0; i < s->count; i++) {
        sequence *m = &merged[s->beams + i];
        hit[i] = ends(s, &candidates[i]);
        all_end = all_end && hit[i];
        *m = candidates[i];
        m->done = hit[i] && i < s->beams;
        m->score /= (float)pow(length, c->length_penalty);
        m->score += full && c->early_stopping == OCLM_EARLY_STOPPING_ON ? -1.0e9f : 0.0f;
        m->score += s->improvable[prompt] ? 0.0f : -1.0e9f;
        m->score += m->done ? 0.0f : -1.0e9f;
    }
    for (uint32_t i = 0; i < s->count; i++)
        candidates[i].score += hit[i] ? -1.0e9f : 0.0f;
    keep_best(candidates, s->count, running, s->beams);
    keep_best(merged, s->beams + s->count, finished, s->beams);
    const bool  far = c->early_stopping == OCLM_EARLY_STOPPING_NEVER && c->length_penalty > 0;
    const float possible = running[0].score / (float)pow(far ? s->limit : length, c->length_penalty);
    bool        better = false;
    for (uint32_t k = 0; k < s->beams; k++)
        better = better || possible > (finished[k].done ? finished[s->beams - 1].score : -1.0e9f);
    s->improvable[prompt] = s->improvable[prompt] && better;
    return all_end;
}

static void search_step(search *s, const float *scores)
{
    bool any = false, full = true, all_end = true;
    for (uint32_t p = 0; p < s->prompts; p++) {
        const bool ended = search_prompt(s, p, scores);
        all_end = all_end && ended;
        any = any || s->improvable[p];
    }
    for (uint32_t r = 0; r < s->prompts * s->beams; r++)
        full = full && s->finished[r].done;
    s->steps++;
    s->stopped = !any || all_end || (full && s->config->early_stopping == OCLM_EARLY_STOPPING_ON);
}

/* ---- What the device says */

/* Follows the notes back from a token and the beam before it. */
static void follow(const gen_beams *b, const gen_note *notes, uint32_t prompt, int32_t token, int32_t beam, uint32_t length, sequence *s)
{
    s->length = length;
    for (uint32_t t = length; t-- > 0;) {
        const uint32_t row = prompt * b->beams + (uint32_t)beam;
        s->ids[t] = token;
        s->rows[t] = (int32_t)row;
        if (t > 0) {
            token = notes[(size_t)(t - 1) * b->rows + row].token;
            beam = notes[(size_t)(t - 1) * b->rows + row].beam;
        }
    }
}

static void same_sequence(const char *label, uint32_t row, const sequence *got, const sequence *want)
{
    if (got->length != want->length || memcmp(got->ids, want->ids, want->length * sizeof *got->ids) != 0 ||
        memcmp(got->rows, want->rows, want->length * sizeof *got->rows) != 0) {
        for (uint32_t i = 0; i < got->length || i < want->length; i++)
            print_error("  %u: id %d of row %d, want %d of %d\n", i, i < got->length ? got->ids[i] : -1, i < got->length ? got->rows[i] : -1,
                        i < want->length ? want->ids[i] : -1, i < want->length ? want->rows[i] : -1);
        fail_msg("%s: sequence %u differs", label, row);
    }
}

static void check_finished(const char *label, beam_bench *b, const search *want)
{
    gen_finished done[MOST_ROWS];
    gen_note     notes[MOST_NEW * MOST_ROWS];
    READ_ALL(b, &b->beams.done, done);
    READ_ALL(b, &b->beams.notes, notes);
    for (uint32_t r = 0; r < b->beams.rows; r++) {
        const sequence *w = &want->finished[r];
        sequence        got = { 0 };
        if ((done[r].length > 0) != w->done || fabsf(done[r].value - w->score) > 1e-5f * fabsf(w->score))
            fail_msg("%s: sequence %u has %u tokens and %.9g, want %u and %.9g", label, r, done[r].length, (double)done[r].value, w->length,
                     (double)w->score);
        follow(&b->beams, notes, r / b->beams.beams, done[r].token, done[r].beam, done[r].length, &got);
        if (w->done)
            same_sequence(label, r, &got, w);
    }
}

/* Each row's history is its running sequence, and its position one further. */
static void check_rows(const char *label, beam_bench *b, const search *want)
{
    int32_t  history[MOST_ROWS * 32], ids[2 * MOST_ROWS], positions[2 * MOST_ROWS], origins[2 * MOST_ROWS];
    uint32_t lengths[MOST_ROWS];
    const uint32_t prompt = want->config->prompt_length;
    READ_ALL(b, &b->history, history);
    READ_ALL(b, &b->ids, ids);
    READ_ALL(b, &b->positions, positions);
    READ_ALL(b, &b->lengths, lengths);
    READ_ALL(b, &b->beams.origins, origins);
    for (uint32_t r = 0; r < b->beams.rows; r++) {
        const sequence *w = &want->running[r];
        assert_int_equal(lengths[r], prompt + want->steps);
        if (memcmp(history + (size_t)r * b->width + prompt, w->ids, want->steps * sizeof *ids) != 0)
            fail_msg("%s: after %u steps row %u has another history", label, want->steps, r);
        for (uint32_t i = 0; i < b->beams.copies; i++) {
            const uint32_t row = i * b->beams.rows + r;
            assert_int_equal(ids[row], w->ids[want->steps - 1]);
            assert_int_equal(positions[row], prompt - 1 + want->steps);
            assert_int_equal(origins[row], (int32_t)(i * b->beams.rows) + w->rows[want->steps - 1]);
        }
    }
}

/* ---- Searches */

/* Log-probabilities of what follows a token at a step of a prompt: of the table's row, or of a row by chance. */
typedef struct chain {
    uint32_t     vocab, rows;
    const float *table;  /* [rows][vocab] */
    bool         by_last; /* the last token alone decides */
} chain;

static void next_scores(const chain *m, const search *s, float *scores)
{
    for (uint32_t r = 0; r < s->prompts * s->beams; r++) {
        const uint32_t last = s->steps > 0 ? (uint32_t)s->running[r].ids[s->steps - 1] : 0;
        const uint32_t row = m->by_last ? last : (last * 7 + s->steps * 5 + r / s->beams * 13) % m->rows;
        memcpy(scores + (size_t)r * m->vocab, m->table + (size_t)row * m->vocab, m->vocab * sizeof *scores);
    }
}

/* Both go on side by side; steps behind the end change nothing. */
static void run_search(dev_device *device, const char *label, const gen_config *config, uint32_t prompts, const chain *model, search *want)
{
    static float scores[MOST_ROWS * MOST_VOCAB];
    beam_bench   b;
    beam_open(&b, device, config, prompts, model->vocab, 16);
    search_begin(want, config, prompts, model->vocab);
    assert_in_range(b.beams.rows, 1, MOST_ROWS);
    while (!want->stopped) {
        next_scores(model, want, scores);
        beam_send(&b, scores);
        run_work(device, b.choice);
        run_work(device, b.step);
        search_step(want, scores);
        check_rows(label, &b, want);
        const gen_beams_control control = beam_control(&b);
        if (control.steps != want->steps || (control.stopped != 0) != want->stopped || control.fault)
            fail_msg("%s: %u steps, stopped %u, fault %u; want %u, %u, 0", label, control.steps, control.stopped, control.fault, want->steps, want->stopped);
    }
    check_finished(label, &b, want);
    run_work(device, b.choice);
    run_work(device, b.step);
    check_finished(label, &b, want);
    assert_int_equal(beam_control(&b).steps, want->steps);
    beam_close(&b);
}

/* transformers' answers to a small model: spec of the sequences behind the prompt's 0, and their scores. */
static const float follows[4][4] = { { .10f, .50f, .30f, .10f }, { .40f, .05f, .25f, .30f }, { .20f, .45f, .05f, .30f }, { .25f, .25f, .25f, .25f } };

static const struct { const char *label; uint32_t beams; float penalty; oclm_early_stopping early; const char *ids[3]; float scores[3]; } known[] = {
    { "two beams", 2, 1, OCLM_EARLY_STOPPING_OFF, { "10101", "1013" }, { -0.78240f, -0.87664f } },
    { "two beams, never early", 2, 1, OCLM_EARLY_STOPPING_NEVER, { "10101", "1013" }, { -0.78240f, -0.87664f } },
    { "two beams, early", 2, 1, OCLM_EARLY_STOPPING_ON, { "1013", "13" }, { -0.87664f, -0.94856f } },
    { "two beams, no penalty", 2, 0, OCLM_EARLY_STOPPING_OFF, { "13", "1013" }, { -1.89712f, -3.50656f } },
    { "two beams, long ones", 2, 2, OCLM_EARLY_STOPPING_NEVER, { "10101", "10102" }, { -0.15648f, -0.17691f } },
    { "three beams", 3, 1, OCLM_EARLY_STOPPING_OFF, { "10101", "1013", "10102" }, { -0.78240f, -0.87664f, -0.88457f } },
    { "three beams, early", 3, 1, OCLM_EARLY_STOPPING_ON, { "10101", "1013", "10102" }, { -0.78240f, -0.87664f, -0.88457f } },
    { "two beams, short ones", 2, -1, OCLM_EARLY_STOPPING_OFF, { "13", "1013" }, { -3.79424f, -14.02623f } },
    { "two beams, short ones, never early", 2, -1, OCLM_EARLY_STOPPING_NEVER, { "13", "1013" }, { -3.79424f, -14.02623f } },
};

static void try_known(dev_device *device, void *user)
{
    (void)user;
    static search s;
    float         table[16];
    const chain   model = { .vocab = 4, .rows = 4, .table = table, .by_last = true };
    for (uint32_t i = 0; i < 16; i++)
        table[i] = logf(follows[i / 4][i % 4]);
    for (size_t i = 0; i < COUNT(known); i++) {
        if (devices_is_slow(device) && i % 4 > 0)
            continue;
        const gen_config config = { .limit = 6, .prompt_length = 1, .num_beams = known[i].beams, .eos_token_ids = { 3 }, .eos_token_count = 1,
                                    .early_stopping = known[i].early, .length_penalty = known[i].penalty, .guidance_scale = 1 };
        run_search(device, known[i].label, &config, 1, &model, &s);
        for (uint32_t k = 0; k < known[i].beams; k++) {
            const char *want = known[i].ids[k];
            bool        same = s.finished[k].length == strlen(want) && fabsf(s.finished[k].score - known[i].scores[k]) < 1.5e-5f;
            for (uint32_t t = 0; same && t < s.finished[k].length; t++)
                same = s.finished[k].ids[t] == want[t] - '0';
            if (!same)
                fail_msg("%s: sequence %u is not %s with %g", known[i].label, k, want, (double)known[i].scores[k]);
        }
    }
}

static void searches_end_as_those_of_transformers(void **state)
{
    (void)state;
    devices_each(try_known, NULL);
}

static void make_table(float *table, uint32_t rows, uint32_t vocab, uint32_t seed)
{
    numbers n = { seed * 977u + 5 };
    for (uint32_t r = 0; r < rows; r++) {
        double sum = 0;
        for (uint32_t t = 0; t < vocab; t++) {
            table[r * vocab + t] = 3.0f * next_number(&n);
            sum += exp(table[r * vocab + t]);
        }
        for (uint32_t t = 0; t < vocab; t++)
            table[r * vocab + t] -= (float)log(sum);
    }
}

static void try_any(dev_device *device, void *user)
{
    static const float penalties[] = { 1, 0, 2, -1, 0.5f };
    static float       table[31 * MOST_VOCAB];
    static search      s;
    const uint32_t     cases = devices_is_slow(device) ? 2 : 60;
    (void)user;
    for (uint32_t i = 0; i < cases; i++) {
        char           label[32];
        const uint32_t vocab = i % 3 == 0 ? 7 : i % 3 == 1 ? 33 : 64, beams = 2 + i % 3, prompts = 1 + i / 2 % 3;
        gen_config     config = { .limit = 3 + 2 + i % (MOST_NEW - 2), .prompt_length = 3, .num_beams = beams, .eos_token_ids = { 1, 5 },
                                  .eos_token_count = i / 4 % 3, .early_stopping = (oclm_early_stopping)(1 + i / 3 % 3),
                                  .length_penalty = penalties[i % COUNT(penalties)], .guidance_scale = i % 4 == 3 ? 2.0f : 1.0f };
        const chain    model = { .vocab = vocab, .rows = 31, .table = table };
        make_table(table, 31, vocab, i);
        snprintf(label, sizeof label, "case %u", i);
        run_search(device, label, &config, prompts, &model, &s);
    }
}

static void searches_follow_the_rule_in_every_option(void **state)
{
    (void)state;
    devices_each(try_any, NULL);
}

/* Where a processor leaves one token, beams that are not there yet finish with it too, worth as little as nothing at all. */
static void try_forced_token(dev_device *device, void *user)
{
    const gen_config config = { .limit = 2, .prompt_length = 1, .num_beams = 3, .early_stopping = OCLM_EARLY_STOPPING_OFF, .length_penalty = 1,
                                .guidance_scale = 1 };
    float            scores[3 * 8];
    gen_finished     done[3];
    beam_bench       b;
    (void)user;
    for (uint32_t i = 0; i < COUNT(scores); i++)
        scores[i] = i % 8 == 5 ? 0.0f : -INFINITY;
    beam_open(&b, device, &config, 1, 8, 16);
    beam_send(&b, scores);
    run_work(device, b.choice);
    run_work(device, b.step);
    READ_ALL(&b, &b.beams.done, done);
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(done[k].length, 1);
        assert_int_equal(done[k].token, 5);
        assert_true(done[k].value == (k == 0 ? 0.0f : -1.0e9f));
    }
    beam_close(&b);
}

static void what_has_finished_comes_before_nothing(void **state)
{
    (void)state;
    devices_each(try_forced_token, NULL);
}

/* ---- What the host may say */

static void try_force(dev_device *device, void *user)
{
    static float     table[31 * 8];
    const gen_config config = { .limit = 11, .prompt_length = 1, .num_beams = 2, .early_stopping = OCLM_EARLY_STOPPING_OFF, .length_penalty = 1,
                                .guidance_scale = 1 };
    const uint32_t   forced = 1;
    gen_finished     done[2];
    beam_bench       b;
    (void)user;
    make_table(table, 31, 8, 1);
    beam_open(&b, device, &config, 1, 8, 16);
    for (uint32_t i = 0; i < 3; i++) {
        if (i == 2)
            assert_ok(dev_buffer_write(dev_queue(device), &b.beams.control, offsetof(gen_beams_control, forced), &forced, sizeof forced));
        beam_send(&b, table + 16 * i);
        run_work(device, b.choice);
        run_work(device, b.step);
        assert_int_equal(beam_control(&b).stopped, i == 2);
    }
    READ_ALL(&b, &b.beams.done, done);
    assert_int_equal(done[0].length, 3);
    assert_int_equal(done[1].length, 3);
    beam_close(&b);
}

static void all_finish_when_the_host_says_so(void **state)
{
    (void)state;
    devices_each(try_force, NULL);
}

static void try_fault(dev_device *device, void *user)
{
    const gen_config config = { .limit = 11, .prompt_length = 1, .num_beams = 2, .early_stopping = OCLM_EARLY_STOPPING_OFF, .length_penalty = 1,
                                .guidance_scale = 1 };
    float            scores[16] = { -1, -2, NAN, -3 };
    beam_bench       b;
    (void)user;
    beam_open(&b, device, &config, 1, 8, 16);
    beam_send(&b, scores);
    run_work(device, b.choice);
    run_work(device, b.step);
    assert_int_equal(beam_control(&b).fault, 1);
    beam_close(&b);
}

static void a_score_that_is_no_number_is_told(void **state)
{
    (void)state;
    devices_each(try_fault, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(the_best_continuations_are_chosen),
        BOTH_WAYS(searches_end_as_those_of_transformers),
        BOTH_WAYS(searches_follow_the_rule_in_every_option),
        cmocka_unit_test(what_has_finished_comes_before_nothing),
        cmocka_unit_test(all_finish_when_the_host_says_so),
        cmocka_unit_test(a_score_that_is_no_number_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
