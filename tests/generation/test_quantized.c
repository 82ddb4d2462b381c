/* test_quantized.c: a generation that asks for a cache of 8 bits gets one: its ids are those of passes over such a cache, which part some time
 * from those of 32 bits, on a model whose weights come from a seed. So do beams, whose pages are shared, copied and reordered: they are those of a
 * search on the host that reads each hypothesis anew. */
#include <math.h>

#include "generation/runs.h"
#include "model/seeded.h"

#define POSITIONS 120u
#define PROMPT 9u

static const gen_hooks silent = { 0 };

/* Pass by pass. */
static void by_hand(const model_model *model, bool quantized, int32_t *ids)
{
    const model_state_options options = { .sequences = 1, .max_positions = POSITIONS, .max_rows = PROMPT, .quantized_cache = quantized };
    const uint32_t vocab = model->architecture.vocab_size;
    float         *logits = core_alloc_array(vocab, sizeof *logits, "logits");
    model_state   *state = NULL;
    assert_non_null(logits);
    assert_ok(model_state_new(model, &options, &state));
    for (uint32_t done = 0, rows = PROMPT; done + rows < POSITIONS; done += rows, rows = 1) {
        const model_piece piece = PIECE(0, done, rows, ids + done);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
        models_read_logits(state, 0, 1, logits);
        ids[done + rows] = models_best(logits, vocab);
    }
    core_free(logits);
    model_state_free(state);
}

static void generate(const model_model *model, bool quantized, uint32_t beams, int32_t *ids)
{
    gen_config  config = runs_greedy(POSITIONS);
    runs_result result;
    config.quantized_cache = quantized;
    config.num_beams = beams;
    config.mode = beams > 1 ? GEN_MODE_BEAMS : GEN_MODE_ROWS;
    assert_ok(runs_generate(model, ids, PROMPT, &config, &silent, NULL, &result));
    assert_int_equal(result.count, POSITIONS - PROMPT);
    memcpy(ids + PROMPT, result.ids, result.count * sizeof *ids);
    runs_free(&result);
}

/* ---- Beams */

#define BEAMS 3u
#define NEW_IDS 12u

typedef struct hypothesis {
    int32_t ids[PROMPT + NEW_IDS];
    double  score; /* sum of log-probabilities */
} hypothesis;

/* Log-probabilities behind `count` ids, from an empty cache. */
static void read_anew(model_state *state, const int32_t *ids, uint32_t count, float *logits, double *scores)
{
    const uint32_t vocab = state->model->architecture.vocab_size;
    double         sum = 0.0;
    models_rewind(state);
    for (uint32_t done = 0, rows = PROMPT; done < count; done += rows, rows = 1) {
        const model_piece piece = PIECE(0, done, rows, ids + done);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
    }
    models_read_logits(state, 0, 1, logits);
    const double most = (double)logits[models_best(logits, vocab)];
    for (uint32_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - most);
    for (uint32_t i = 0; i < vocab; i++)
        scores[i] = (double)logits[i] - most - log(sum);
}

/* Puts a continuation among the best so far. */
static void offer(hypothesis *best, uint32_t *count, const hypothesis *from, uint32_t length, int32_t id, double score)
{
    uint32_t at = *count < BEAMS ? (*count)++ : BEAMS;
    if (at == BEAMS && score <= best[BEAMS - 1].score)
        return;
    for (at = at == BEAMS ? BEAMS - 1 : at; at > 0 && best[at - 1].score < score; at--)
        best[at] = best[at - 1];
    best[at] = *from;
    best[at].ids[length] = id;
    best[at].score = score;
}

/* The search where no id ends a text: all have one length, so the best are those of the largest sums. */
static void search_by_hand(const model_model *model, hypothesis found[BEAMS])
{
    const model_state_options options = { .sequences = 1, .max_positions = PROMPT + NEW_IDS, .max_rows = PROMPT, .quantized_cache = true };
    const uint32_t vocab = model->architecture.vocab_size;
    float         *logits = core_alloc_array(vocab, sizeof *logits, "logits");
    double        *scores = core_alloc_array(vocab, sizeof *scores, "scores");
    uint32_t       count = 1;
    model_state   *state = NULL;
    assert_true(logits != NULL && scores != NULL);
    assert_ok(model_state_new(model, &options, &state));
    for (uint32_t length = PROMPT; length < PROMPT + NEW_IDS; length++) {
        hypothesis best[BEAMS];
        uint32_t   kept = 0;
        for (uint32_t b = 0; b < count; b++) {
            read_anew(state, found[b].ids, length, logits, scores);
            for (uint32_t i = 0; i < vocab; i++)
                offer(best, &kept, &found[b], length, (int32_t)i, found[b].score + scores[i]);
        }
        memcpy(found, best, sizeof best);
        count = kept;
    }
    core_free(logits);
    core_free(scores);
    model_state_free(state);
}

static void beams_are_those_of_the_host(const model_model *model)
{
    gen_config  config = runs_greedy(PROMPT + NEW_IDS);
    hypothesis  found[BEAMS] = { { .score = 0.0 } };
    runs_result result;
    for (uint32_t i = 0; i < PROMPT; i++)
        found[0].ids[i] = (int32_t)(7 * i + 2);
    config.quantized_cache = true;
    config.mode = GEN_MODE_BEAMS;
    config.num_beams = config.num_return_sequences = BEAMS;
    assert_ok(runs_generate(model, found[0].ids, PROMPT, &config, &silent, NULL, &result));
    search_by_hand(model, found);
    for (uint32_t b = 0; b < BEAMS; b++) {
        const gen_sequence *s = &result.run->sequences[b];
        assert_int_equal(s->count, NEW_IDS);
        assert_memory_equal(s->ids, found[b].ids + PROMPT, NEW_IDS * sizeof *s->ids);
        assert_true(fabs(s->score - found[b].score / NEW_IDS) < 1e-4);
    }
    runs_free(&result);
}

static void check(const place *where, void *user)
{
    int32_t by_passes[2][POSITIONS], run[2][POSITIONS], beams[2][POSITIONS];
    folder  made;
    (void)user;
    seeded_family(&made, "mistral");
    model_model *model = models_load(made.path, where, OCLM_DTYPE_AUTO);
    for (int32_t q = 0; q < 2; q++) {
        for (uint32_t i = 0; i < PROMPT; i++)
            by_passes[q][i] = run[q][i] = beams[q][i] = (int32_t)(5 * i + 3);
        by_hand(model, q == 1, by_passes[q]);
        generate(model, q == 1, 1, run[q]);
        generate(model, q == 1, 3, beams[q]);
        assert_memory_equal(run[q], by_passes[q], sizeof run[q]);
    }
    assert_memory_not_equal(run[0], run[1], sizeof run[0]);
    assert_memory_not_equal(beams[0], beams[1], sizeof beams[0]);
    beams_are_those_of_the_host(model);
    model_free(model);
    folder_free(&made);
}

static void a_generation_gets_the_cache_it_asks_for(void **state)
{
    (void)state;
    models_each_device(check, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_generation_gets_the_cache_it_asks_for) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
