/* test_longrope.c: a generation that grows past the length for which "longrope" changes its factors gives the ids that come of reading each
 * prefix afresh, as transformers does, which throws its cache away there; in a state of its own, in one that goes on, and with beams. */
#include <math.h>

#include "model/models.h"
#include "model/seeded.h"

#include "generation/runs.h"

#define FOLDER OCLM_SOURCE_DIR "/tests/golden/families/phi3-longrope-beyond/"
#define TURNING 31u /* its original_max_position_embeddings */
#define NEW_IDS 40u

static const gen_hooks silent = { 0 };
static const int32_t       prompt[] = { 5, 17, 3, 44, 9, 21, 30, 8, 2, 19 };

/* The greedy continuation where every id comes of one pass over all before it. */
static void continue_afresh(model_state *state, uint32_t vocab, int32_t *ids)
{
    float logits[128];
    assert_in_range(vocab, 1, COUNT(logits));
    for (uint32_t count = COUNT(prompt); count < COUNT(prompt) + NEW_IDS; count++) {
        const model_piece piece = { .count = count, .ids = ids };
        models_rewind(state);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
        assert_ok(dev_buffer_read(state->queue, &state->logits, 0, logits, vocab * sizeof *logits));
        ids[count] = models_best(logits, vocab);
    }
}

/* The log-probability of new ids behind the prompt, each of one pass over all before it. */
static double sum_afresh(model_state *state, uint32_t vocab, const int32_t *ids)
{
    float  logits[128];
    double sum = 0;
    assert_in_range(vocab, 1, COUNT(logits));
    for (uint32_t count = COUNT(prompt); count < COUNT(prompt) + NEW_IDS; count++) {
        const model_piece piece = { .count = count, .ids = ids };
        double            all = 0;
        models_rewind(state);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
        assert_ok(dev_buffer_read(state->queue, &state->logits, 0, logits, vocab * sizeof *logits));
        for (uint32_t t = 0; t < vocab; t++)
            all += exp(logits[t]);
        sum += logits[ids[count]] - log(all);
    }
    return sum;
}

/* All beams are read anew, each with its own ids: their scores are those of sequences read afresh. */
static void check_beams(const model_model *model, model_state *state)
{
    gen_config  config = runs_greedy(COUNT(prompt) + NEW_IDS);
    runs_result result;
    config.mode = GEN_MODE_BEAMS;
    config.num_beams = config.num_return_sequences = 3;
    assert_ok(runs_generate(model, prompt, COUNT(prompt), &config, &silent, NULL, &result));
    for (uint32_t i = 0; i < 3; i++) {
        const gen_sequence *s = &result.run->sequences[i];
        assert_int_equal(s->count, NEW_IDS);
        const double got = (double)s->score * NEW_IDS, want = sum_afresh(state, model->architecture.vocab_size, s->history);
        if (!(fabs(got - want) <= 2e-3))
            fail_msg("beam %u: its log-probabilities add up to %.7g, its score says %.7g", i, want, got);
    }
    runs_free(&result);
}

static void check_ids(const char *what, const runs_result *result, const int32_t *want, size_t count)
{
    assert_int_equal(result->count, count);
    for (size_t i = 0; i < count; i++) {
        if (result->ids[i] != want[i])
            fail_msg("%s: new id %zu is %d, want %d", what, i, (int)result->ids[i], (int)want[i]);
    }
}

static void check_device(const place *where, void *user)
{
    const folder    *files = user;
    model_model     *model = models_load(files->path, where, OCLM_DTYPE_AUTO);
    model_state     *state = models_state(model, 1, 64, 64);
    const gen_config config = runs_greedy(COUNT(prompt) + NEW_IDS);
    gen_place        going_on = { .state = state };
    runs_result       result;
    int32_t          ids[COUNT(prompt) + NEW_IDS];
    assert_int_equal(model_rope_turning_length(&model->architecture), TURNING);
    memcpy(ids, prompt, sizeof prompt);
    if (where->interpreted)
        goto done;
    continue_afresh(state, model->architecture.vocab_size, ids);
    assert_ok(runs_generate(model, prompt, COUNT(prompt), &config, &silent, NULL, &result));
    check_ids("in a state of its own", &result, ids + COUNT(prompt), NEW_IDS);
    runs_free(&result);
    check_beams(model, state);
    gen_config guessing = config;
    guessing.mode = GEN_MODE_ASSISTED;
    guessing.prompt_lookup_num_tokens = 6;
    guessing.max_matching_ngram_size = 1;
    assert_ok(runs_generate(model, prompt, COUNT(prompt), &guessing, &silent, NULL, &result));
    check_ids("guessing ahead", &result, ids + COUNT(prompt), NEW_IDS);
    runs_free(&result);
    models_rewind(state);
    assert_ok(runs_generate(model, prompt, COUNT(prompt), &config, &silent, &going_on, &result));
    check_ids("in a state", &result, ids + COUNT(prompt), NEW_IDS);
    runs_free(&result);
    assert_int_equal(going_on.held, COUNT(ids) - 1);
    assert_true(model_state_keeps(state, TURNING + 1)); /* long, as the next prompt will be */
    assert_false(model_state_keeps(state, TURNING));    /* a shorter one is read from its beginning */
done:
    model_state_free(state);
    model_free(model);
}

static void a_generation_turns_within_as_if_read_afresh(void **state)
{
    folder files;
    cJSON *golden = NULL, *config = NULL;
    (void)state;
    assert_ok(core_json_read_file(FOLDER "golden.json", 1u << 20, &golden));
    assert_ok(core_json_read_file(FOLDER "config.json", 1u << 20, &config));
    char *text = cJSON_PrintUnformatted(config);
    assert_non_null(text);
    seeded_folder(&files, text, golden);
    models_each_device(check_device, &files);
    folder_free(&files);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_generation_turns_within_as_if_read_afresh) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
