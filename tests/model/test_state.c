/* test_state.c: what a state costs, to the byte and before it is made; which options are refused; rotary tables that follow
 * the prompt. */
#include "model/folders.h"
#include "model/models.h"

static folder llama;

static int make_llama(void **state)
{
    (void)state;
    folder_new_llama(&llama, CORE_F32);
    return 0;
}

static int remove_llama(void **state)
{
    (void)state;
    folder_free(&llama);
    return 0;
}

static const struct { const char *label; model_state_options options; uint32_t positions, rows, logit_rows; } accepted[] = {
    { "defaults", { .sequences = 1 }, 1200, 512, 1 },
    { "a few positions", { .sequences = 2, .max_positions = 100 }, 100, 200, 2 },
    { "many sequences", { .sequences = 20, .max_positions = 1 }, 1, 20, 20 },
    { "everything given", { .sequences = 3, .max_positions = 65, .max_rows = 7, .max_logit_rows = 5 }, 65, 7, 5 },
    { "more logits than rows", { .sequences = 1, .max_positions = 9, .max_logit_rows = 50 }, 9, 9, 9 },
    { "beyond what the model was made for", { .sequences = 1, .max_positions = 2000 }, 2000, 512, 1 },
};

static void sizes_on_device(const place *where, void *user)
{
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    (void)user;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        const uint64_t before = dev_memory_used(model->device);
        model_state   *state = NULL;
        assert_ok(model_state_new(model, &accepted[i].options, &state));
        if (dev_memory_used(model->device) - before != model_state_bytes(model, 0, &accepted[i].options))
            fail_msg("%s: %llu bytes were told, %llu taken", accepted[i].label,
                     (unsigned long long)model_state_bytes(model, 0, &accepted[i].options),
                     (unsigned long long)(dev_memory_used(model->device) - before));
        assert_int_equal(state->max_positions, accepted[i].positions);
        assert_int_equal(state->max_rows, accepted[i].rows);
        assert_int_equal(state->max_logit_rows, accepted[i].logit_rows);
        model_state_free(state);
        assert_int_equal(dev_memory_used(model->device), before);
    }
    model_free(model);
}

static void a_state_takes_exactly_the_bytes_that_were_told(void **state)
{
    (void)state;
    models_each_device(sizes_on_device, NULL);
}

static const struct { const char *label; model_state_options options; const char *says; } refused[] = {
    { "no sequence", { .sequences = 0 }, "0 sequences" },
    { "too many sequences", { .sequences = 5000 }, "5000 sequences" },
    { "too many positions", { .sequences = 1, .max_positions = 1u << 25 }, "33554432 positions" },
    { "fewer rows than sequences", { .sequences = 4, .max_positions = 8, .max_rows = 3 }, "3 rows" },
    { "too many rows", { .sequences = 1, .max_positions = 8, .max_rows = 1u << 20 }, "1048576 rows" },
};

static void refusals_on_device(const place *where, void *user)
{
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_model *gpt2 = models_load(OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2", where, OCLM_DTYPE_AUTO);
    const model_state_options beyond = { .sequences = 1, .max_positions = 131 };
    model_state *state = NULL;
    (void)user;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const oclm_status got = model_state_new(model, &refused[i].options, &state);
        if (got != OCLM_ERR_ARGUMENT || strstr(oclm_last_error(), refused[i].says) == NULL)
            fail_msg("%s: %s: %s", refused[i].label, oclm_status_name(got), oclm_last_error());
        assert_null(state);
        assert_int_equal(model_state_bytes(model, 0, &refused[i].options), 0);
    }
    assert_status(model_state_new(gpt2, &beyond, &state), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "learned 130"));
    model_free(model);
    model_free(gpt2);
}

static void options_out_of_range_are_refused_with_the_range(void **state)
{
    (void)state;
    models_each_device(refusals_on_device, NULL);
}

/* The message of a state that is too large names a number of positions; that many then fit. */
static void budget_on_device(const place *where, void *user)
{
    const model_state_options large = { .sequences = 2, .max_positions = 1000 }, middle = { .sequences = 2, .max_positions = 500 };
    model_model  *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    const uint64_t budget = dev_memory_used(model->device) + model_state_bytes(model, 0, &middle) + DEV_SELF_CHECK_BYTES;
    model_state   *state = NULL;
    (void)user;
    model_free(model);
    assert_ok(
        models_load_on(llama.path, models_open(where, budget), &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model));
    assert_status(model_state_new(model, &large, &state), OCLM_ERR_DEVICE_MEMORY);
    const char *about = strstr(oclm_last_error(), "about ");
    assert_non_null(about);
    model_state_options fitting = large;
    fitting.max_positions = (uint32_t)strtoul(about + 6, NULL, 10);
    assert_in_range(fitting.max_positions, 100, 999);
    assert_ok(model_state_new(model, &fitting, &state));
    model_state_free(state);
    model_free(model);
}

static void a_state_too_large_is_refused_with_how_much_would_fit(void **state)
{
    (void)state;
    models_each_device(budget_on_device, NULL);
}

static void failures_on_device(const place *where, void *user)
{
    const model_state_options options = { .sequences = 2, .max_positions = 40 };
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    const uint64_t used = dev_memory_used(model->device);
    oclm_status status = OCLM_ERR_MEMORY;
    (void)user;
    for (size_t n = 1; status != OCLM_OK; n++) {
        const size_t live = core_memory_live();
        model_state *state = NULL;
        core_memory_fail_at(n, true);
        status = model_state_new(model, &options, &state);
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        model_state_free(state);
        assert_int_equal(core_memory_live(), live);
        assert_int_equal(dev_memory_used(model->device), used);
        assert_in_range(n, 1, 1000);
    }
    model_free(model);
}

static void a_failing_allocation_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    models_each_device(failures_on_device, NULL);
}

/* ---- Dynamic RoPE: the tables on the device are those of the last prompt. */

static void check_tables(const model_state *state, uint32_t prompt)
{
    const model_architecture *a = &state->model->architecture;
    float want[60 * 8], other[60 * 8], got[60 * 8];
    assert_int_equal(a->ropes[0].dims, 16);
    model_rope_table(&a->ropes[0], a->max_position_embeddings, prompt, 0, 60, want, other);
    assert_ok(dev_buffer_read(state->queue, &state->cos_table[0], 0, got, sizeof got));
    assert_memory_equal(got, want, sizeof got);
    assert_ok(dev_buffer_read(state->queue, &state->sin_table[0], 0, got, sizeof got));
    assert_memory_equal(got, other, sizeof got);
}

static void tables_on_device(const place *where, void *user)
{
    model_model *model = models_load(OCLM_SOURCE_DIR "/tests/golden/tiny/llama-dynamic", where, OCLM_DTYPE_AUTO);
    model_state *state = models_state(model, 1, 60, 60);
    int32_t      ids[50] = { 0 };
    (void)user;
    assert_int_equal(model->architecture.max_position_embeddings, 24);
    check_tables(state, 0);
    const model_piece whole = PIECE(0, 0, 50, ids), half = PIECE(0, 0, 20, ids), rest = PIECE(0, 20, 30, ids);
    assert_ok(model_forward(state, &whole, 1, MODEL_LOGITS_NONE));
    check_tables(state, 50);
    models_rewind(state);
    assert_ok(model_forward(state, &half, 1, MODEL_LOGITS_NONE)); /* a prompt of 20: within the model's own length */
    check_tables(state, 0);
    models_rewind(state);
    model_state_expect(state, 50);
    assert_ok(model_forward(state, &half, 1, MODEL_LOGITS_NONE));
    check_tables(state, 50);
    assert_ok(model_forward(state, &rest, 1, MODEL_LOGITS_NONE));
    check_tables(state, 50);
    model_state_free(state);
    model_free(model);
}

static void dynamic_tables_follow_the_prompt(void **state)
{
    (void)state;
    models_each_device(tables_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_takes_exactly_the_bytes_that_were_told),
        cmocka_unit_test(options_out_of_range_are_refused_with_the_range),
        cmocka_unit_test(a_state_too_large_is_refused_with_how_much_would_fit),
        cmocka_unit_test(a_failing_allocation_is_told_and_nothing_leaks),
        cmocka_unit_test(dynamic_tables_follow_the_prompt),
    };
    return cmocka_run_group_tests(tests, make_llama, remove_llama);
}
