/* test_rows.c: rows side by side: prompts of unequal length get the ids they get alone, whatever the batch; returned sequences read their prompt
 * once and continue as they would alone. */
#include <stdlib.h>

#include "generation/runs.h"
#include "model/folders.h"
#include "model/models.h"

#define PROMPTS 5u
#define MOST 40u

static const gen_hooks silent = { 0 };

typedef struct stage {
    model_model *model;
    int32_t      ids[PROMPTS][700];
    gen_prompt   prompts[PROMPTS];
    uint32_t     longest;
    bool         slow;
} stage;

typedef void (*stage_visit)(stage *s);

/* A short prompt, one of one id, one that ends with a page of the cache, one longer than a pass (except on slow devices), one after it. */
static void write_prompts(stage *s)
{
    const uint32_t counts[PROMPTS] = { 7, 1, 32, s->slow ? 40 : 600, 13 };
    s->longest = 0;
    for (uint32_t p = 0; p < PROMPTS; p++) {
        for (uint32_t i = 0; i < counts[p]; i++)
            s->ids[p][i] = (int32_t)((i * i + 11 * p + 3) % 70);
        s->prompts[p] = (gen_prompt){ s->ids[p], counts[p] };
        s->longest = counts[p] > s->longest ? counts[p] : s->longest;
    }
}

static void on_stage(const place *where, void *user)
{
    stage *s = calloc(1, sizeof *s);
    folder f;
    folder_new_llama(&f, CORE_F32);
    s->model = models_load(f.path, where, OCLM_DTYPE_FLOAT32);
    s->slow = where->slow;
    write_prompts(s);
    (*(stage_visit *)user)(s);
    model_free(s->model);
    folder_free(&f);
    free(s);
}

static gen_run *run_batch(const stage *s, const gen_prompt *prompts, uint32_t count, uint32_t new_ids, const gen_config *config, const gen_hooks *hooks)
{
    gen_config mine = *config;
    gen_run   *run;
    mine.prompt_length = 0;
    for (uint32_t i = 0; i < count; i++)
        mine.prompt_length = prompts[i].count > mine.prompt_length ? prompts[i].count : mine.prompt_length;
    mine.limit = mine.prompt_length + new_ids;
    assert_ok(gen_run_new(s->model, NULL, prompts, count, &mine, hooks, NULL, NULL, &run));
    assert_ok(runs_finish(&run));
    return run;
}

static void assert_sequence(const char *what, const gen_sequence *got, const gen_sequence *want)
{
    assert_int_equal(got->count, want->count);
    assert_int_equal(got->finish_reason, want->finish_reason);
    for (uint32_t i = 0; i < want->count; i++)
        if (got->ids[i] != want->ids[i])
            fail_msg("%s: new id %u is %d, alone it is %d", what, i, (int)got->ids[i], (int)want->ids[i]);
}

/* Every prompt of the batch, and each of its returned sequences, against the prompt alone. */
static void compare_with_alone(const stage *s, const gen_config *config)
{
    const uint32_t new_ids = s->slow ? 6 : MOST, each = config->num_return_sequences;
    gen_run       *batch = run_batch(s, s->prompts, PROMPTS, new_ids, config, &silent);
    assert_int_equal(batch->sequence_count, PROMPTS * each);
    for (uint32_t p = 0; p < PROMPTS; p++) {
        gen_run *alone = run_batch(s, &s->prompts[p], 1, new_ids, config, &silent);
        for (uint32_t k = 0; k < each; k++) {
            char what[64];
            snprintf(what, sizeof what, "prompt %u, sequence %u", p, k);
            assert_sequence(what, &batch->sequences[p * each + k], &alone->sequences[k]);
        }
        gen_run_free(alone);
    }
    gen_run_free(batch);
}

static void greedy_batch(stage *s)
{
    gen_config config = runs_greedy(0);
    compare_with_alone(s, &config);
    config.prefill_chunk_size = 16;
    compare_with_alone(s, &config);
}

static void each_row_of_a_batch_is_as_alone(void **state)
{
    (void)state;
    stage_visit visit = greedy_batch;
    models_each_device(on_stage, &visit);
}

/* Rows end at their own ids; what goes on after that is not in them. */
static void batch_with_ends(stage *s)
{
    gen_config config = runs_greedy(0);
    gen_run   *all = run_batch(s, s->prompts, PROMPTS, s->slow ? 6 : MOST, &config, &silent);
    config.eos_token_count = 2;
    config.eos_token_ids[0] = all->sequences[0].ids[3];
    config.eos_token_ids[1] = all->sequences[2].ids[5];
    gen_run_free(all);
    compare_with_alone(s, &config);
}

static void rows_end_at_their_own_tokens(void **state)
{
    (void)state;
    stage_visit visit = batch_with_ends;
    models_each_device(on_stage, &visit);
}

static bool count_prefill(const char *what, uint64_t done, uint64_t total, void *user)
{
    (void)what;
    (void)done;
    *(uint64_t *)user = total;
    return true;
}

static void sampled_batch(stage *s)
{
    gen_config config = runs_greedy(0);
    uint64_t   read = 0;
    gen_hooks  hooks = { .progress = count_prefill, .user = &read };
    gen_run   *run;
    config.do_sample = true;
    config.top_k = 50;
    config.seed = 7;
    config.num_return_sequences = 3;
    compare_with_alone(s, &config);
    run = run_batch(s, &s->prompts[3], 1, 6, &config, &hooks);
    assert_int_equal(read, s->prompts[3].count); /* once, not three times */
    assert_int_equal(run->timing.prefill_tokens, s->prompts[3].count);
    assert_int_equal(run->timing.decode_tokens, 3 * 5);
    assert_memory_not_equal(run->sequences[0].ids, run->sequences[1].ids, 6 * sizeof(int32_t));
    assert_memory_not_equal(run->sequences[1].ids, run->sequences[2].ids, 6 * sizeof(int32_t));
    gen_run_free(run);
}

static void returned_sequences_share_their_prompt_and_differ(void **state)
{
    (void)state;
    stage_visit visit = sampled_batch;
    models_each_device(on_stage, &visit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_a_batch_is_as_alone),
        cmocka_unit_test(rows_end_at_their_own_tokens),
        cmocka_unit_test(returned_sequences_share_their_prompt_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
