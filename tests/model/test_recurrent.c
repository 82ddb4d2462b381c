/* test_recurrent.c: states of layers without attention: they cost what was told, belong to one sequence, can be forked, and are never
 * taken for those of another length. */
#include "model/models.h"
#include "model/seeded.h"

#define VOCAB 61u
#define LENGTH 40u

static const char *const families[] = { "lfm2", "qwen3_next", "qwen3_5" };
static int32_t ids[2][LENGTH];
static float   want[2][LENGTH * VOCAB], got[2 * LENGTH * VOCAB];

static int make_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH; i++) {
        ids[0][i] = (int32_t)((i * 7 + 3) % VOCAB);
        ids[1][i] = (int32_t)((i * 11 + 5) % VOCAB);
    }
    return 0;
}

/* What each sequence gives alone, in one piece. */
static void compute_alone(const model_model *model)
{
    model_state *state = models_state(model, 1, LENGTH, LENGTH);
    for (size_t s = 0; s < 2; s++) {
        models_rewind(state);
        models_logits(state, ids[s], LENGTH, LENGTH, want[s]);
    }
    model_state_free(state);
}

static void same(const char *label, const float *is, uint32_t sequence, uint32_t position, uint32_t rows)
{
    if (memcmp(is, want[sequence] + (size_t)position * VOCAB, rows * VOCAB * sizeof *is) != 0)
        fail_msg("%s: sequence %u from position %u on has other bits", label, sequence, position);
}

/* ---- Cost */

static void check_bytes(const model_model *model)
{
    const model_state_options options = { .sequences = 3, .max_positions = 50, .max_rows = 20 };
    const model_architecture *a = &model->architecture;
    const uint64_t            before = dev_memory_used(model->device);
    model_state              *state = NULL;
    uint64_t                  attention = 0;
    assert_ok(model_state_new(model, &options, &state));
    assert_int_equal(dev_memory_used(model->device) - before, model_state_bytes(model, 0, &options));
    for (uint32_t i = 0; i < a->layers; i++) {
        const bool attends = a->layer[i].mixer == MODEL_MIXER_ATTENTION;
        assert_true((state->cache.keys[i].memory != NULL) == attends); /* no pages for layers that do not read them */
        assert_true((state->cache.recurrent.tails[i].memory != NULL) != attends);
        attention += attends;
    }
    assert_int_equal(attention, 1);
    assert_int_equal(model_kv_bytes_per_token(a), 2 * a->kv_heads * a->head_dim * sizeof(float));
    model_state_free(state);
    assert_int_equal(dev_memory_used(model->device), before);
}

/* ---- Two sequences, in pieces of any size, beside each other */

static void check_batches(const model_model *model)
{
    static const uint32_t sizes[] = { 5, 1, 16, 2, 1, 15 }, others[] = { 1, 16, 4, 2, 16, 1 };
    model_state *state = models_state(model, 2, LENGTH, LENGTH);
    uint32_t     first = 0, second = 0;
    for (size_t i = 0; i < COUNT(sizes); first += sizes[i], second += others[i++]) {
        const model_piece pieces[] = { PIECE(1, second, others[i], ids[1] + second), PIECE(0, first, sizes[i], ids[0] + first) };
        assert_ok(model_forward(state, pieces, 2, MODEL_LOGITS_ALL));
        models_read_logits(state, 0, sizes[i] + others[i], got);
        same("beside another", got, 1, second, others[i]);
        same("beside another", got + (size_t)others[i] * VOCAB, 0, first, sizes[i]);
    }
    model_state_free(state);
}

/* ---- Forks */

static void check_forks(const model_model *model)
{
    model_state      *state = models_state(model, 2, LENGTH, LENGTH);
    int32_t           other[LENGTH];
    const model_piece both[] = { PIECE(0, 17, LENGTH - 17, ids[0] + 17), PIECE(1, 17, 3, other + 17) };
    memcpy(other, ids[0], sizeof other);
    other[17] = 1;
    models_logits(state, ids[0], 17, 17, got);
    assert_ok(model_cache_fork(&state->cache, state->queue, 0, 1));
    assert_ok(model_forward(state, both, 2, MODEL_LOGITS_ALL)); /* they part here */
    models_read_logits(state, 0, LENGTH - 17, got);
    same("the one that was forked", got, 0, 17, LENGTH - 17);
    models_read_logits(state, LENGTH - 17, 3, got);
    models_rewind(state);
    models_logits(state, other, 20, 20, got + 3 * VOCAB);
    assert_memory_equal(got, got + (3 + 17) * VOCAB, 3 * VOCAB * sizeof(float));
    model_state_free(state);
}

/* ---- Back */

static void check_rewinds(const model_model *model)
{
    model_state      *state = models_state(model, 1, LENGTH, LENGTH);
    const model_piece on = PIECE(0, 10, 5, ids[0] + 10), over = PIECE(0, 0, LENGTH, ids[0]);
    models_logits(state, ids[0], 20, 20, got);
    model_cache_truncate(&state->cache, 0, 10);
    assert_false(model_can_go_on(state, 0, 10));
    assert_true(model_can_go_on(state, 0, 20));
    assert_status(model_forward(state, &on, 1, MODEL_LOGITS_NONE), OCLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(oclm_last_error(), "cut back to 10 positions"));
    assert_non_null(strstr(oclm_last_error(), "from its start"));
    assert_status(model_decode_begin(state, 1, 20), OCLM_ERR_UNSUPPORTED);
    model_cache_truncate(&state->cache, 0, 0);
    assert_true(model_can_go_on(state, 0, 0));
    assert_ok(model_forward(state, &over, 1, MODEL_LOGITS_ALL));
    models_read_logits(state, 0, LENGTH, got);
    same("read again", got, 0, 0, LENGTH);
    model_state_free(state);
}

/* ---- Decoding on the device: only it knows how far it came */

static void check_decoding(const model_model *model)
{
    model_state *state = models_state(model, 2, LENGTH, LENGTH);
    dev_work    *work = NULL;
    const model_piece prompts[] = { PIECE(0, 0, 10, ids[0]), PIECE(1, 0, 21, ids[1]) };
    assert_ok(model_forward(state, prompts, 2, MODEL_LOGITS_NONE));
    assert_ok(dev_work_new(model->device, &work));
    assert_ok(model_record_decode(state, work, 2, LENGTH));
    assert_ok(model_decode_begin(state, 2, LENGTH));
    for (int32_t i = 0; i < 6; i++) {
        const int32_t next[] = { ids[0][10 + i], ids[1][21 + i] }, positions[] = { 10 + i, 21 + i };
        assert_ok(dev_buffer_write(state->queue, &state->positions, 0, positions, sizeof positions));
        assert_ok(dev_buffer_write(state->queue, &state->ids, 0, next, sizeof next));
        assert_ok(dev_work_enqueue(work, state->queue, NULL));
        models_read_logits(state, 0, 2, got);
        same("decoded", got, 0, (uint32_t)(10 + i), 1);
        same("decoded", got + VOCAB, 1, (uint32_t)(21 + i), 1);
    }
    model_decode_end(state, 0, 16);
    model_decode_end(state, 1, 25); /* two steps too far */
    assert_true(model_can_go_on(state, 0, 16));
    assert_false(model_can_go_on(state, 1, 25));
    const model_piece rest = PIECE(0, 16, LENGTH - 16, ids[0] + 16);
    assert_ok(model_forward(state, &rest, 1, MODEL_LOGITS_ALL));
    models_read_logits(state, 0, LENGTH - 16, got);
    same("behind decoding", got, 0, 16, LENGTH - 16);
    dev_work_free(work);
    model_state_free(state);
}

/* ---- Memory that runs out */

static void check_failing_requests(const model_model *model)
{
    const model_architecture *a = &model->architecture;
    const uint64_t            used = dev_memory_used(model->device);
    oclm_status               status = OCLM_ERR_MEMORY;
    for (size_t n = 1; status != OCLM_OK; n++) {
        const size_t live = core_memory_live();
        model_cache  cache;
        core_memory_fail_at(n, true);
        status = model_cache_new(model->device, a, &(model_cache_shape){ .sequences = 2, .positions = 40, .rows = 1 }, &cache);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK)
            model_cache_free(model->device, &cache);
        else
            assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
        assert_int_equal(dev_memory_used(model->device), used);
        assert_in_range(n, 1, 1000);
    }
}

static void check_all(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < (where->slow ? 1 : COUNT(families)); i++) {
        folder made;
        seeded_family(&made, families[i]);
        model_model *model = models_load(made.path, where, OCLM_DTYPE_AUTO);
        print_message("      %s\n", families[i]);
        compute_alone(model);
        check_bytes(model);
        check_batches(model);
        check_forks(model);
        check_rewinds(model);
        check_decoding(model);
        check_failing_requests(model);
        model_free(model);
        folder_free(&made);
    }
}

static void states_stand_for_one_sequence_and_one_length(void **state)
{
    (void)state;
    models_each_device(check_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(states_stand_for_one_sequence_and_one_length) };
    return cmocka_run_group_tests(tests, make_ids, NULL);
}
