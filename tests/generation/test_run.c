/* test_run.c: the loop as a whole, on every device: greedy ids of the golden models, long generations that cross the ends of
 * the ring and of attention's spans, sampling that repeats itself, and every way to stop. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "model/folders.h"
#include "generation/runs.h"
#include "model/models.h"

#include "core/json.h"

#define MAX_NEW 700

static const gen_hooks silent = { 0 };

/* ---- Golden models */

static size_t ids_of(const cJSON *list, int32_t *ids, size_t room)
{
    size_t count = 0;
    for (const cJSON *item = list->child; item; item = item->next) {
        assert_true(count < room);
        ids[count++] = item->valueint;
    }
    return count;
}

static void check_golden(const char *name, const place *where)
{
    char         folder_path[512], path[600];
    cJSON       *golden = NULL;
    int32_t      prompt[128], want[64];
    model_model *model;
    snprintf(folder_path, sizeof folder_path, "%s/tests/golden/tiny/%s", OCLM_SOURCE_DIR, name);
    snprintf(path, sizeof path, "%s/golden.json", folder_path);
    assert_ok(core_json_read_file(path, CORE_JSON_MAX_CONFIG, &golden));
    model = models_load(folder_path, where, OCLM_DTYPE_AUTO);
    for (const cJSON *p = core_json_member(golden, "prompts")->child; p; p = p->next) {
        const size_t     count = ids_of(core_json_member(p, "input_ids"), prompt, COUNT(prompt));
        const size_t     new_ids = ids_of(core_json_member(p, "greedy_new_ids"), want, COUNT(want));
        const gen_config config = runs_greedy((uint32_t)(count + new_ids));
        runs_result       result;
        assert_ok(runs_generate(model, prompt, count, &config, &silent, NULL, &result));
        assert_int_equal(result.count, new_ids);
        assert_int_equal(result.finish_reason, OCLM_FINISH_LENGTH);
        for (size_t i = 0; i < new_ids; i++)
            if (result.ids[i] != want[i])
                fail_msg("%s, prompt of %zu: new id %zu is %d, want %d", name, count, i, (int)result.ids[i], (int)want[i]);
        assert_int_equal(result.timing.prefill_tokens, count);
        assert_int_equal(result.timing.decode_tokens, new_ids - 1);
        assert_true(result.timing.prefill_s > 0 && result.timing.decode_s > 0);
        runs_free(&result);
    }
    model_free(model);
    cJSON_Delete(golden);
}

static void golden_on(const place *where, void *user)
{
    static const char *const names[] = { "gpt2", "llama-gqa", "llama-bfloat16", "llama-dynamic", "gpt2-untied", "llama-yarn" };
    (void)user;
    for (size_t i = 0; i < (where->slow ? 1 : COUNT(names)); i++)
        check_golden(names[i], where);
}

static void greedy_ids_are_the_golden_ones(void **state)
{
    (void)state;
    models_each_device(golden_on, NULL);
}

/* ---- A model made here, with 1200 positions */

typedef struct stage {
    model_model *model;
    int32_t      prompt[7];
} stage;

typedef void (*stage_visit)(stage *s, bool slow);

static void on_stage(const place *where, void *user)
{
    stage  s = { .prompt = { 3, 1, 4, 1, 5, 9, 2 } };
    folder f;
    folder_new_llama(&f, CORE_F32);
    s.model = models_load(f.path, where, OCLM_DTYPE_FLOAT32);
    (*(stage_visit *)user)(&s, where->slow);
    model_free(s.model);
    folder_free(&f);
}

static void each_stage(stage_visit visit)
{
    models_each_device(on_stage, &visit);
}

static runs_result generate(const stage *s, const gen_config *config, const gen_hooks *callbacks)
{
    runs_result result;
    assert_ok(runs_generate(s->model, s->prompt, COUNT(s->prompt), config, callbacks, NULL, &result));
    return result;
}

/* The same by one forward pass after another, with the choice made here. */
static void step_by_step(const stage *s, uint32_t new_ids, int32_t *ids)
{
    float        logits[7 * 70];
    model_state *state = models_state(s->model, 1, 7 + new_ids, 7);
    models_logits(state, s->prompt, 7, 7, logits);
    ids[0] = models_best(logits + 6 * 70, 70);
    for (uint32_t i = 1; i < new_ids; i++) {
        models_logits(state, ids + i - 1, 1, 1, logits);
        ids[i] = models_best(logits, 70);
    }
    model_state_free(state);
}

static void compare_long(stage *s, bool slow)
{
    const uint32_t   new_ids = slow ? 20 : MAX_NEW; /* past 512 positions: a span; past 256 steps: the ring */
    const gen_config config = runs_greedy(7 + new_ids);
    int32_t          want[MAX_NEW];
    runs_result       result = generate(s, &config, &silent);
    step_by_step(s, new_ids, want);
    assert_int_equal(result.count, new_ids);
    for (uint32_t i = 0; i < new_ids; i++)
        if (result.ids[i] != want[i])
            fail_msg("new id %u of %u is %d, step by step it is %d", i, new_ids, (int)result.ids[i], (int)want[i]);
    runs_free(&result);
}

static void a_long_generation_is_its_steps(void **state)
{
    (void)state;
    each_stage(compare_long);
}

/* A prompt of several chunks gives what one pass over it gives. */
static void compare_chunks(stage *s, bool slow)
{
    const uint32_t   count = slow ? 40 : 2 * MODEL_CHUNK_ROWS + 9;
    const gen_config config = runs_greedy(count + 1);
    int32_t         *prompt = malloc(count * sizeof *prompt);
    float           *logits = malloc((size_t)count * 70 * sizeof *logits);
    model_state     *state = models_state(s->model, 1, count, slow ? count : 700);
    runs_result       result;
    for (uint32_t i = 0; i < count; i++)
        prompt[i] = (int32_t)(i * i % 70);
    models_logits(state, prompt, count, state->max_rows, logits);
    assert_ok(runs_generate(s->model, prompt, count, &config, &silent, NULL, &result));
    assert_int_equal(result.count, 1);
    assert_int_equal(result.ids[0], models_best(logits + (size_t)(count - 1) * 70, 70));
    assert_int_equal(result.timing.decode_tokens, 0);
    runs_free(&result);
    model_state_free(state);
    free(logits);
    free(prompt);
}

static void a_long_prompt_is_read_in_chunks(void **state)
{
    (void)state;
    each_stage(compare_chunks);
}

/* ---- Stopping */

static void stop_at_eos(stage *s, bool slow)
{
    gen_config config = runs_greedy(7 + 40);
    runs_result all = generate(s, &config, &silent), result;
    const int32_t eos = all.ids[slow ? 3 : 20];
    size_t     first = 0;
    while (all.ids[first] != eos)
        first++;
    config.eos_token_ids[0] = 69;
    config.eos_token_ids[1] = eos;
    config.eos_token_count = 2;
    if (first > 0) {
        result = generate(s, &config, &silent);
        assert_int_equal(result.finish_reason, OCLM_FINISH_EOS_TOKEN);
        assert_true(result.count <= first + 1); /* 69 may come before */
        assert_memory_equal(result.ids, all.ids, result.count * sizeof *all.ids);
        assert_true(result.ids[result.count - 1] == eos || result.ids[result.count - 1] == 69);
        runs_free(&result);
    }
    config.min_new_tokens = (uint32_t)first + 5; /* neither may come before that many */
    result = generate(s, &config, &silent);
    assert_true(result.count >= first + 5);
    for (size_t i = 0; i < first + 5; i++)
        assert_true(result.ids[i] != eos && result.ids[i] != 69);
    runs_free(&result);
    runs_free(&all);
}

static void eos_ends_and_min_new_tokens_defers_it(void **state)
{
    (void)state;
    each_stage(stop_at_eos);
}

typedef struct watch {
    int32_t      ids[64];
    size_t       count, calls, stop_after;
    volatile int cancel;
    bool         by_flag;
} watch;

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    watch *w = user;
    assert_int_equal(sequence, 0);
    assert_true(w->count + count <= COUNT(w->ids));
    memcpy(w->ids + w->count, ids, count * sizeof *ids);
    w->count += count;
    w->calls++;
    if (w->stop_after && w->count >= w->stop_after) {
        w->cancel = w->by_flag;
        return w->by_flag;
    }
    return true;
}

static void watch_and_stop(stage *s, bool slow)
{
    const gen_config config = runs_greedy(7 + (slow ? 12 : 60));
    runs_result       all = generate(s, &config, &silent);
    for (int way = 0; way < 3; way++) { /* to the end; the callback says stop; the flag does */
        watch               w = { .stop_after = way ? 3 : 0, .by_flag = way == 2 };
        const gen_hooks callbacks = { .on_tokens = on_tokens, .user = &w, .cancel = &w.cancel };
        runs_result          result = generate(s, &config, &callbacks);
        assert_int_equal(result.count, w.count);
        assert_memory_equal(result.ids, w.ids, w.count * sizeof w.ids[0]);
        assert_memory_equal(result.ids, all.ids, w.count * sizeof w.ids[0]);
        assert_int_equal(result.finish_reason, way ? OCLM_FINISH_CANCELLED : OCLM_FINISH_LENGTH);
        assert_true(way ? w.count >= 3 && w.count < all.count : w.count == all.count);
        assert_true(way || w.calls > 2); /* text comes while it is made */
        runs_free(&result);
    }
    runs_free(&all);
}

static void tokens_arrive_in_order_and_can_be_stopped(void **state)
{
    (void)state;
    each_stage(watch_and_stop);
}

static bool refuse(const char *what, uint64_t done, uint64_t total, void *user)
{
    (void)what;
    assert_true(done <= total);
    (*(size_t *)user)++;
    return false;
}

static void stop_prefill(stage *s, bool slow)
{
    const gen_config    config = runs_greedy(7 + 5);
    static const volatile int set = 1;
    size_t              asked = 0;
    const gen_hooks flagged = { .cancel = &set }, refusing = { .progress = refuse, .user = &asked };
    runs_result          result = generate(s, &config, &flagged);
    (void)slow;
    assert_int_equal(result.count, 0);
    assert_int_equal(result.finish_reason, OCLM_FINISH_CANCELLED);
    runs_free(&result);
    assert_status(runs_generate(s->model, s->prompt, 7, &config, &refusing, NULL, &result), OCLM_ERR_CANCELLED);
    assert_int_equal(asked, 1);
    assert_null(result.ids);
}

static void prefill_can_be_stopped(void **state)
{
    (void)state;
    each_stage(stop_prefill);
}

/* ---- Sampling: the draw is the sampler's affair (test_sampler.c); here: a seed repeats, and seeds differ. */

static void sample(stage *s, bool slow)
{
    gen_config config = runs_greedy(7 + (slow ? 8 : 40));
    runs_result first, again, other;
    config.do_sample = true;
    config.top_k = 50;
    config.seed = 42;
    first = generate(s, &config, &silent);
    again = generate(s, &config, &silent);
    config.seed = 43;
    other = generate(s, &config, &silent);
    assert_memory_equal(first.ids, again.ids, first.count * sizeof *first.ids);
    assert_memory_not_equal(first.ids, other.ids, first.count * sizeof *first.ids);
    runs_free(&first);
    runs_free(&again);
    runs_free(&other);
}

static void a_seed_repeats_its_tokens(void **state)
{
    (void)state;
    each_stage(sample);
}

/* ---- Failing allocations */

static void fail_each(stage *s, bool slow)
{
    const gen_config config = runs_greedy(7 + 4);
    runs_result       result = generate(s, &config, &silent); /* builds what the device then keeps */
    size_t           live;
    const size_t     step = slow ? 40 : 1;
    oclm_status      status = OCLM_ERR_MEMORY;
    runs_free(&result);
    live = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 5000; n += step) {
        core_memory_fail_at(n, true);
        status = runs_generate(s->model, s->prompt, 7, &config, &silent, NULL, &result);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK && status != OCLM_ERR_MEMORY)
            fail_msg("request %zu failed: %s: %s", n, oclm_status_name(status), oclm_last_error());
        if (status == OCLM_OK)
            runs_free(&result);
        if (core_memory_live() != live)
            fail_msg("request %zu failed: %zu allocations are left, %zu before", n, core_memory_live(), live);
    }
    assert_ok(status);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    each_stage(fail_each);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_ids_are_the_golden_ones),
        cmocka_unit_test(a_long_generation_is_its_steps),
        cmocka_unit_test(a_long_prompt_is_read_in_chunks),
        cmocka_unit_test(eos_ends_and_min_new_tokens_defers_it),
        cmocka_unit_test(tokens_arrive_in_order_and_can_be_stopped),
        cmocka_unit_test(prefill_can_be_stopped),
        cmocka_unit_test(a_seed_repeats_its_tokens),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
