/* test_quantized.c: a generation that asks for a cache of 8 bits gets one: its ids are those of passes over such a cache, which part some time
 * from those of 32 bits, on a model whose weights come from a seed. So do beams. */
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
