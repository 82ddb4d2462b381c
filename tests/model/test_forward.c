/* test_forward.c: passes over ragged batches and a paged cache: the same bits whatever is computed together, and states that
 * survive what is refused. test_tiny_models.c tells whether the numbers are right; test_state.c what a state costs. */
#include <pthread.h>

#include "model/folders.h"
#include "model/models.h"

#define VOCAB 70
#define LONG 540 /* past a span of attention: MODEL_SPAN is 512 */

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

static void make_ids(int32_t *ids, uint32_t count, uint32_t seed)
{
    for (uint32_t i = 0; i < count; i++)
        ids[i] = (int32_t)((i * 2654435761u + seed * 40503u) >> 7) & 63;
}

/* ---- What is refused */

#define ANY { 3, 5, 7, 69 }
static const int32_t good_ids[] = ANY, bad_ids[] = { 3, 70 }, negative_ids[] = { -1 };

static const struct { const char *label; model_piece pieces[2]; size_t count; model_logits logits; oclm_status want; const char *says; } refused[] = {
    { "nothing", { PIECE(0, 0, 0, NULL) }, 0, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "without any piece" },
    { "an empty piece", { PIECE(0, 0, 0, good_ids) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "empty" },
    { "a sequence that is not there", { PIECE(2, 0, 1, good_ids) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "sequence 2" },
    { "a gap", { PIECE(0, 5, 1, good_ids) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "position 5" },
    { "one sequence twice", { PIECE(0, 0, 1, good_ids), PIECE(0, 0, 1, good_ids) }, 2, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "twice" },
    { "too many rows", { PIECE(0, 0, 5, NULL), PIECE(1, 0, 4, NULL) }, 2, MODEL_LOGITS_NONE, OCLM_ERR_ARGUMENT, "9 rows" },
    { "too many logits", { PIECE(0, 0, 4, good_ids) }, 1, MODEL_LOGITS_ALL, OCLM_ERR_ARGUMENT, "4 rows" },
    { "more than there is room for", { PIECE(0, 0, 41, NULL) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_CAPACITY, "room for 40" },
    { "an id beyond the vocabulary", { PIECE(0, 0, 2, bad_ids) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "token id 70 at position 1" },
    { "a negative id", { PIECE(1, 0, 1, negative_ids) }, 1, MODEL_LOGITS_LAST, OCLM_ERR_ARGUMENT, "token id -1" },
};

static void refusals_on_device(const place *where, void *user)
{
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    const model_state_options options = { .sequences = 2, .max_positions = 40, .max_rows = 8, .max_logit_rows = 2 };
    const model_piece good = PIECE(0, 0, 4, good_ids);
    model_state *state = NULL;
    (void)user;
    assert_ok(model_state_new(model, &options, &state));
    for (size_t i = 0; i < COUNT(refused); i++) {
        const oclm_status got = model_forward(state, refused[i].pieces, refused[i].count, refused[i].logits);
        if (got != refused[i].want || strstr(oclm_last_error(), refused[i].says) == NULL)
            fail_msg("%s: %s: %s", refused[i].label, oclm_status_name(got), oclm_last_error());
        assert_int_equal(state->cache.lengths[0] + state->cache.lengths[1], 0);
        assert_int_equal(state->cache.free_count, state->cache.pages);
    }
    assert_ok(model_forward(state, &good, 1, MODEL_LOGITS_LAST));
    assert_int_equal(state->cache.lengths[0], 4);
    assert_status(model_decode_begin(state, 3, 10), OCLM_ERR_ARGUMENT);
    assert_status(model_decode_begin(state, 1, 41), OCLM_ERR_ARGUMENT);
    assert_int_equal(state->cache.lengths[0], 4);
    model_state_free(state);
    model_free(model);
}

static void bad_pieces_are_refused_and_leave_the_state_as_it_was(void **state)
{
    (void)state;
    models_each_device(refusals_on_device, NULL);
}

/* ---- The same bits */

static void batches_on_device(const place *where, void *user)
{
    static const uint32_t lengths[] = { 37, 1, 70, 64 };
    static float          alone[4][70 * VOCAB], together[172 * VOCAB];
    static int32_t        ids[4][70];
    model_model          *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state          *one = models_state(model, 1, 100, 100), *many = models_state(model, 4, 100, 172);
    model_piece           pieces[4];
    uint32_t              row = 0;
    (void)user;
    for (uint32_t i = 0; i < 4; i++) {
        make_ids(ids[i], lengths[i], i);
        models_rewind(one);
        models_logits(one, ids[i], lengths[i], 100, alone[i]);
        pieces[i] = (model_piece)PIECE(3 - i, 0, lengths[i], ids[i]); /* sequences in another order than pieces */
    }
    assert_ok(model_forward(many, pieces, 4, MODEL_LOGITS_ALL));
    models_read_logits(many, 0, 172, together);
    for (uint32_t i = 0; i < 4; row += lengths[i++])
        assert_memory_equal(together + (size_t)row * VOCAB, alone[i], lengths[i] * VOCAB * sizeof(float));

    models_rewind(many); /* and the last rows alone, gathered, after a pass without logits */
    for (uint32_t i = 0; i < 4; i++)
        pieces[i].count = lengths[i] / 2;
    pieces[1].count = 1;
    pieces[1].ids = NULL; /* what lies on the device already: here, the id of the pass before */
    const int32_t id = ids[1][0];
    assert_ok(dev_buffer_write(many->queue, &many->ids, pieces[0].count * sizeof id, &id, sizeof id));
    assert_ok(model_forward(many, pieces, 4, MODEL_LOGITS_LAST));
    models_read_logits(many, 1, 1, together);
    assert_memory_equal(together, alone[1], VOCAB * sizeof(float));
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t which = i == 1 ? 3 : i;
        pieces[i] = (model_piece)PIECE(3 - which, lengths[which] / 2, lengths[which] - lengths[which] / 2, ids[which] + lengths[which] / 2);
    }
    assert_ok(model_forward(many, pieces, 3, MODEL_LOGITS_LAST));
    models_read_logits(many, 0, 3, together);
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t which = i == 1 ? 3 : i;
        assert_memory_equal(together + i * VOCAB, alone[which] + (size_t)(lengths[which] - 1) * VOCAB, VOCAB * sizeof(float));
    }
    model_state_free(one);
    model_state_free(many);
    model_free(model);
}

static void sequences_together_give_the_bits_of_each_alone(void **state)
{
    (void)state;
    models_each_device(batches_on_device, NULL);
}

/* Pieces of any size, across the border between spans of attention, in one span's worth of passes or several. */
static void pieces_on_device(const place *where, void *user)
{
    static const uint32_t steps[] = { 512, 100, 13 };
    static float          whole[LONG * VOCAB], again[LONG * VOCAB];
    static int32_t        ids[LONG];
    const uint32_t        count = where->slow ? 60 : LONG;
    model_model          *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state          *state = models_state(model, 1, 1200, LONG);
    (void)user;
    make_ids(ids, count, 9);
    models_logits(state, ids, count, count, whole);
    for (size_t i = 0; i < COUNT(steps); i++) {
        models_rewind(state);
        models_logits(state, ids, count, steps[i], again);
        if (memcmp(whole, again, (size_t)count * VOCAB * sizeof(float)) != 0)
            fail_msg("a prompt of %u in pieces of %u gives other bits than in one", count, steps[i]);
    }
    model_decode_end(state, 0, count - 20); /* token by token, over the border; a rewind forgets what came after */
    models_logits(state, ids + count - 20, 20, 1, again);
    assert_memory_equal(again, whole + (size_t)(count - 20) * VOCAB, 20 * VOCAB * sizeof(float));
    model_state_free(state);
    model_free(model);
}

static void a_prompt_in_pieces_gives_the_bits_of_one_pass(void **state)
{
    (void)state;
    models_each_device(pieces_on_device, NULL);
}

/* ---- Decoding as the loop does it: one recording, ids and positions written between passes. */

static void decoding_on_device(const place *where, void *user)
{
    static float   want[2][60 * VOCAB], got[2 * VOCAB];
    static int32_t ids[2][60];
    model_model   *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state   *one = models_state(model, 1, 60, 60), *two = models_state(model, 2, 60, 60);
    dev_work      *work = NULL;
    (void)user;
    for (uint32_t s = 0; s < 2; s++) {
        make_ids(ids[s], 60, s + 20);
        models_rewind(one);
        models_logits(one, ids[s], 60, 60, want[s]);
    }
    const model_piece prompts[] = { PIECE(0, 0, 25, ids[0]), PIECE(1, 0, 31, ids[1]) };
    assert_ok(model_forward(two, prompts, 2, MODEL_LOGITS_NONE));
    assert_ok(dev_work_new(model->device, &work));
    assert_status(model_record_decode(two, work, 3, 60), OCLM_ERR_ARGUMENT);
    assert_ok(model_record_decode(two, work, 2, 60));
    assert_ok(model_decode_begin(two, 2, 60));
    for (int32_t i = 0; i < 12; i++) {
        const int32_t next[2] = { ids[0][25 + i], ids[1][31 + i] }, positions[2] = { 25 + i, 31 + i };
        if (i > 0) /* model_decode_begin() sent the first */
            assert_ok(dev_buffer_write(two->queue, &two->positions, 0, positions, sizeof positions));
        assert_ok(dev_buffer_write(two->queue, &two->ids, 0, next, sizeof next));
        assert_ok(dev_work_enqueue(work, two->queue, NULL));
        models_read_logits(two, 0, 2, got);
        assert_memory_equal(got, want[0] + (25 + i) * VOCAB, VOCAB * sizeof(float));
        assert_memory_equal(got + VOCAB, want[1] + (31 + i) * VOCAB, VOCAB * sizeof(float));
    }
    model_decode_end(two, 0, 37);
    model_decode_end(two, 1, 40); /* fewer than were made: the rest is forgotten */
    const model_piece rest[] = { PIECE(0, 37, 1, ids[0] + 37), PIECE(1, 40, 20, ids[1] + 40) };
    assert_ok(model_forward(two, rest, 2, MODEL_LOGITS_LAST));
    models_read_logits(two, 0, 2, got);
    assert_memory_equal(got, want[0] + 37 * VOCAB, VOCAB * sizeof(float));
    assert_memory_equal(got + VOCAB, want[1] + 59 * VOCAB, VOCAB * sizeof(float));
    dev_work_free(work);
    model_state_free(one);
    model_state_free(two);
    model_free(model);
}

static void a_recorded_decoding_pass_gives_the_bits_of_a_prompt(void **state)
{
    (void)state;
    models_each_device(decoding_on_device, NULL);
}

static void forks_on_device(const place *where, void *user)
{
    static float   want[2][50 * VOCAB], got[50 * VOCAB];
    static int32_t ids[2][50];
    model_model   *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state   *one = models_state(model, 1, 50, 50), *two = models_state(model, 2, 50, 50);
    (void)user;
    make_ids(ids[0], 50, 1);
    make_ids(ids[1], 50, 2);
    memcpy(ids[1], ids[0], 40 * sizeof(int32_t)); /* 40 in common: a whole page and a part */
    for (uint32_t s = 0; s < 2; s++) {
        models_rewind(one);
        models_logits(one, ids[s], 50, 50, want[s]);
    }
    const model_piece prompt = PIECE(0, 0, 40, ids[0]);
    assert_ok(model_forward(two, &prompt, 1, MODEL_LOGITS_NONE));
    assert_ok(model_cache_fork(&two->cache, two->queue, 0, 1));
    const model_piece rest[] = { PIECE(1, 40, 10, ids[1] + 40), PIECE(0, 40, 10, ids[0] + 40) };
    assert_ok(model_forward(two, rest, 2, MODEL_LOGITS_ALL));
    models_read_logits(two, 0, 20, got);
    assert_memory_equal(got, want[1] + 40 * VOCAB, 10 * VOCAB * sizeof(float));
    assert_memory_equal(got + 10 * VOCAB, want[0] + 40 * VOCAB, 10 * VOCAB * sizeof(float));
    model_decode_end(two, 0, 20); /* back into the shared page: writing it must not disturb the other */
    const model_piece other[] = { PIECE(0, 20, 10, ids[1] + 10) };
    assert_ok(model_forward(two, other, 1, MODEL_LOGITS_NONE));
    model_decode_end(two, 1, 45);
    const model_piece last[] = { PIECE(1, 45, 5, ids[1] + 45) };
    assert_ok(model_forward(two, last, 1, MODEL_LOGITS_ALL));
    models_read_logits(two, 0, 5, got);
    assert_memory_equal(got, want[1] + 45 * VOCAB, 5 * VOCAB * sizeof(float));
    model_state_free(one);
    model_state_free(two);
    model_free(model);
}

static void a_fork_goes_on_as_if_it_had_read_the_prompt_itself(void **state)
{
    (void)state;
    models_each_device(forks_on_device, NULL);
}

/* ---- Threads: a model is shared, each has a state. */

typedef struct worker {
    const model_model *model;
    uint32_t           seed;
    oclm_status        status;
    float              logits[8][VOCAB];
} worker;

static void *work_alone(void *user)
{
    worker                   *w = user;
    const model_state_options options = { .sequences = 1, .max_positions = 64 };
    model_state              *state = NULL;
    int32_t                   ids[40];
    make_ids(ids, 40, w->seed);
    w->status = model_state_new(w->model, &options, &state);
    for (uint32_t i = 0; i < 8 && w->status == OCLM_OK; i++) {
        const model_piece piece = PIECE(0, i * 5, 5, ids + i * 5);
        if ((w->status = model_forward(state, &piece, 1, MODEL_LOGITS_LAST)) == OCLM_OK)
            w->status = dev_buffer_read(state->queue, &state->logits, 0, w->logits[i], sizeof w->logits[i]);
    }
    model_state_free(state);
    return NULL;
}

static void threads_on_device(const place *where, void *user)
{
    static worker workers[3], again[3];
    model_model  *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    pthread_t     threads[3];
    (void)user;
    for (uint32_t i = 0; i < 3; i++) {
        workers[i] = again[i] = (worker){ .model = model, .seed = i };
        assert_int_equal(pthread_create(&threads[i], NULL, work_alone, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        work_alone(&again[i]);
        assert_int_equal(workers[i].status, OCLM_OK);
        assert_int_equal(again[i].status, OCLM_OK);
        assert_memory_equal(workers[i].logits, again[i].logits, sizeof again[i].logits);
    }
    model_free(model);
}

static void threads_share_a_model_and_never_meet(void **state)
{
    (void)state;
    models_each_device(threads_on_device, NULL);
}

/* ---- Failing allocations: in the state, in recording, and afterwards the state works as if nothing had been. */

static void failures_on_device(const place *where, void *user)
{
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state *state = models_state(model, 1, 64, 64), *fresh = models_state(model, 1, 64, 64);
    int32_t      ids[20];
    float        want[VOCAB], got[VOCAB];
    size_t       failed = 0;
    (void)user;
    make_ids(ids, 20, 3);
    const model_piece piece = PIECE(0, 0, 20, ids);
    assert_ok(model_forward(fresh, &piece, 1, MODEL_LOGITS_LAST));
    models_read_logits(fresh, 0, 1, want);
    oclm_status status = OCLM_ERR_MEMORY;
    for (size_t n = 1; status != OCLM_OK; n += where->slow ? 7 : 1) {
        const size_t live = core_memory_live();
        core_memory_fail_at(n, true);
        status = model_forward(state, &piece, 1, MODEL_LOGITS_LAST);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK) {
            assert_int_equal(status, OCLM_ERR_MEMORY);
            assert_int_equal(state->cache.lengths[0], 0);
            assert_int_equal(core_memory_live(), live);
            failed++;
        }
        assert_in_range(n, 1, 5000);
    }
    assert_true(failed > 0);
    models_read_logits(state, 0, 1, got);
    assert_memory_equal(got, want, sizeof got);
    model_state_free(state);
    model_state_free(fresh);
    model_free(model);
}

static void a_failing_allocation_leaves_the_state_usable(void **state)
{
    (void)state;
    models_each_device(failures_on_device, NULL);
}

/* Kept passes are reused, in the order of their use; more shapes than are kept work too. */
static void passes_on_device(const place *where, void *user)
{
    static float   want[16 * VOCAB], got[16 * VOCAB];
    static int32_t ids[16];
    model_model   *model = models_load(llama.path, where, OCLM_DTYPE_AUTO);
    model_state   *state = models_state(model, 1, 32, 16);
    (void)user;
    make_ids(ids, 16, 5);
    models_logits(state, ids, 16, 16, want);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t count = 1; count <= 12; count++) {
            models_rewind(state);
            models_logits(state, ids, count, count, got);
            assert_memory_equal(got, want, count * VOCAB * sizeof(float));
        }
    }
    models_rewind(state); /* the pass of 12 rows is kept: nothing is allocated to run it again */
    const size_t live = core_memory_live();
    core_memory_fail_at(1, true);
    const model_piece piece = PIECE(0, 0, 12, ids);
    const oclm_status status = model_forward(state, &piece, 1, MODEL_LOGITS_ALL);
    core_memory_fail_at(0, false);
    assert_int_equal(status, OCLM_OK);
    assert_int_equal(core_memory_live(), live);
    model_state_free(state);
    model_free(model);
}

static void passes_are_recorded_once_and_reused(void **state)
{
    (void)state;
    models_each_device(passes_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_pieces_are_refused_and_leave_the_state_as_it_was),
        cmocka_unit_test(sequences_together_give_the_bits_of_each_alone),
        cmocka_unit_test(a_prompt_in_pieces_gives_the_bits_of_one_pass),
        cmocka_unit_test(a_recorded_decoding_pass_gives_the_bits_of_a_prompt),
        cmocka_unit_test(a_fork_goes_on_as_if_it_had_read_the_prompt_itself),
        cmocka_unit_test(threads_share_a_model_and_never_meet),
        cmocka_unit_test(a_failing_allocation_leaves_the_state_usable),
        cmocka_unit_test(passes_are_recorded_once_and_reused),
    };
    return cmocka_run_group_tests(tests, make_llama, remove_llama);
}
