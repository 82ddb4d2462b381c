/* test_ring.c: layers with a window keep their last pages alone, in rings that a long sequence passes several times: the bits are those of
 * caches that keep everything, however a sequence is cut into passes, beside others, forked, cut back or decoded on the device; it
 * costs what was told; and what a ring has forgotten is never taken for what it holds. */
#include "model/models.h"
#include "model/seeded.h"

#define VOCAB 61u
#define LENGTH 1000u
#define ROWS 64u
#define WINDOW 8u
#define RING 10u /* pages that 7 positions and 256 spare ones lie in */
#define SHORT 700u /* where two sequences part: past two rounds */

static const char *const families[] = { "mistral-window", "gemma3", "gpt_oss" } /* all layers, some, with sinks */;
static int32_t ids[2][LENGTH];
static float   want[2][LENGTH * VOCAB], got[LENGTH * VOCAB];

static int make_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH; i++) {
        ids[0][i] = (int32_t)((i * i * 7 + i / 5 + 3) % VOCAB);
        ids[1][i] = (int32_t)((i * i * 11 + i / 3 + 5) % VOCAB);
    }
    return 0;
}

static model_state *new_state(const model_model *model, uint32_t sequences, uint32_t rows, bool whole)
{
    const model_state_options options = { .sequences = sequences, .max_positions = LENGTH, .max_rows = rows, .max_logit_rows = rows,
                                          .whole_windows = whole };
    model_state              *state = NULL;
    const uint64_t            before = dev_memory_used(model->device);
    assert_ok(model_state_new(model, &options, &state));
    assert_int_equal(dev_memory_used(model->device) - before, model_state_bytes(model, 0, &options));
    assert_int_equal(state->cache.ring.pages > 0, !whole);
    return state;
}

static void same(const char *label, const float *is, uint32_t sequence, uint32_t position, uint32_t rows)
{
    if (memcmp(is, want[sequence] + (size_t)position * VOCAB, rows * VOCAB * sizeof *is) != 0)
        fail_msg("%s: sequence %u from position %u on has other bits", label, sequence, position);
}

/* What each sequence gives where everything is kept. */
static void compute_whole(const model_model *model)
{
    model_state *state = new_state(model, 1, 512, true);
    for (size_t s = 0; s < 2; s++) {
        models_rewind(state);
        models_logits(state, ids[s], LENGTH, 512, want[s]);
    }
    model_state_free(state);
}

/* ---- Cost */

static void check_bytes(const model_model *model)
{
    const model_architecture *a = &model->architecture;
    model_state              *state = new_state(model, 3, ROWS, false), *whole = new_state(model, 3, ROWS, true);
    assert_int_equal(state->cache.ring.pages, RING);
    assert_int_equal(state->cache.ring.window, WINDOW);
    for (uint32_t i = 0; i < a->layers; i++) {
        const bool ring = a->layer[i].window > 0;
        assert_int_equal(state->cache.keys[i].bytes / state->cache.page_bytes[i], 3 * (ring ? RING : 32));
        assert_int_equal(state->cache.values[i].bytes, state->cache.keys[i].bytes);
        assert_int_equal(whole->cache.keys[i].bytes / whole->cache.page_bytes[i], 3 * 32);
        assert_ptr_equal(model_cache_table(&state->cache, i), ring ? &state->cache.ring.table : &state->cache.table);
        assert_ptr_equal(model_cache_table(&whole->cache, i), &whole->cache.table);
    }
    model_state_free(whole);
    model_state_free(state);
}

/* ---- In pieces */

static void check_pieces(const model_model *model)
{
    static const struct { uint32_t rows, step; } cuts[] = { { ROWS, ROWS }, { ROWS, 33 }, { 512, 512 }, { 300, 299 }, { 1, 1 } };
    const bool all = model->architecture.layers == 2; /* token by token where that does not take long */
    for (size_t i = 0; i < COUNT(cuts) - !all; i++) {
        char         label[64];
        model_state *state = new_state(model, 1, cuts[i].rows, false);
        snprintf(label, sizeof label, "in pieces of %u", cuts[i].step);
        for (size_t s = 0; s < (cuts[i].step > 1 ? 2u : 1u); s++) {
            models_rewind(state); /* what the first left in the ring is nothing to the second */
            models_logits(state, ids[s], LENGTH, cuts[i].step, got);
            same(label, got, (uint32_t)s, 0, LENGTH);
        }
        model_state_free(state);
    }
}

/* ---- Two sequences beside each other */

static void check_batches(const model_model *model)
{
    model_state *state = new_state(model, 2, ROWS, false);
    for (uint32_t done[2] = { 0, 0 }, i = 0; done[0] < LENGTH || done[1] < LENGTH; i++) {
        model_piece    pieces[2];
        size_t         count = 0;
        const uint32_t sizes[2] = { i % 3 == 0 ? 1 : 31, i % 4 == 0 ? 1 : 24 };
        for (uint32_t s = 0; s < 2; s++) {
            const uint32_t left = LENGTH - done[s], rows = sizes[s] < left ? sizes[s] : left;
            if (rows > 0)
                pieces[count++] = (model_piece)PIECE(s, done[s], rows, ids[s] + done[s]);
        }
        assert_ok(model_forward(state, pieces, count, MODEL_LOGITS_ALL));
        for (uint32_t p = 0, first = 0; p < count; first += pieces[p++].count) {
            models_read_logits(state, first, pieces[p].count, got);
            same("beside another", got, pieces[p].sequence, pieces[p].first, pieces[p].count);
            done[pieces[p].sequence] += pieces[p].count;
        }
    }
    model_state_free(state);
}

/* ---- Forks and ways back */

static void check_forks(const model_model *model)
{
    model_state *state = new_state(model, 2, ROWS, false);
    models_logits(state, ids[0], SHORT, ROWS, got);
    assert_ok(model_cache_fork(&state->cache, state->queue, 0, 1));
    for (uint32_t done = SHORT; done < LENGTH; done += 20) {
        const model_piece both[] = { PIECE(0, done, 20, ids[1] + done), PIECE(1, done, 20, ids[0] + done) }; /* they part here */
        assert_ok(model_forward(state, done < SHORT + 200 ? both : both + 1, done < SHORT + 200 ? 2 : 1, MODEL_LOGITS_ALL));
        models_read_logits(state, done < SHORT + 200 ? 20 : 0, 20, got);
        same("a fork", got, 0, done, 20);
    }
    model_cache_truncate(&state->cache, 0, SHORT);
    models_logits(state, ids[0] + SHORT, LENGTH - SHORT, ROWS, got);
    same("what was forked", got, 0, SHORT, LENGTH - SHORT);
    model_state_free(state);
}

/* As far as a ring holds, a sequence goes back and on; further it says so. */
static void check_rewinds(const model_model *model)
{
    model_state      *state = new_state(model, 1, ROWS, false);
    const model_piece too_far = PIECE(0, SHORT - 340, 5, ids[0] + SHORT - 340);
    models_logits(state, ids[0], SHORT, ROWS, got);
    for (uint32_t back = 1; back <= MODEL_RING_SPARE; back += 51) { /* each time on another way, then back to the first */
        model_cache_truncate(&state->cache, 0, SHORT - back);
        assert_true(model_can_go_on(state, 0, SHORT - back));
        models_logits(state, ids[1] + SHORT - back, back, ROWS, got);
        model_cache_truncate(&state->cache, 0, SHORT - back);
        assert_true(model_can_go_on(state, 0, SHORT - back));
        models_logits(state, ids[0] + SHORT - back, back, ROWS, got);
        same("the way back", got, 0, SHORT - back, back);
    }
    model_cache_truncate(&state->cache, 0, SHORT - 340);
    assert_false(model_can_go_on(state, 0, SHORT - 340));
    assert_status(model_forward(state, &too_far, 1, MODEL_LOGITS_NONE), OCLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(oclm_last_error(), "cut back to 360 positions"));
    assert_non_null(strstr(oclm_last_error(), "from its start"));
    assert_status(model_decode_begin(state, 1, LENGTH), OCLM_ERR_UNSUPPORTED);
    model_cache_truncate(&state->cache, 0, 0);
    assert_true(model_can_go_on(state, 0, 0));
    models_logits(state, ids[0], LENGTH, ROWS, got);
    same("read again", got, 0, 0, LENGTH);
    model_state_free(state);
}

/* ---- Decoding on the device: only it knows how far it came */

static void decode(model_state *state, dev_work *work, const uint32_t first[2], uint32_t steps)
{
    assert_ok(model_decode_begin(state, 2, LENGTH));
    assert_false(model_can_go_on(state, 0, first[0]));
    for (uint32_t i = 0; i < steps; i++) {
        const int32_t next[] = { ids[0][first[0] + i], ids[1][first[1] + i] };
        const int32_t positions[] = { (int32_t)(first[0] + i), (int32_t)(first[1] + i) };
        assert_ok(dev_buffer_write(state->queue, &state->positions, 0, positions, sizeof positions));
        assert_ok(dev_buffer_write(state->queue, &state->ids, 0, next, sizeof next));
        assert_ok(dev_work_enqueue(work, state->queue, NULL));
        models_read_logits(state, 0, 2, got);
        same("decoded", got, 0, first[0] + i, 1);
        same("decoded", got + VOCAB, 1, first[1] + i, 1);
    }
    const int32_t ends[] = { (int32_t)(first[0] + steps), (int32_t)(first[1] + steps) }; /* where a loop leaves them */
    assert_ok(dev_buffer_write(state->queue, &state->positions, 0, ends, sizeof ends));
}

static void check_decoding(const model_model *model)
{
    static const uint32_t first[2] = { 300, 350 }, steps = 300;
    model_state *state = new_state(model, 2, ROWS, false);
    dev_work    *work = NULL;
    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t done = 0; done < first[s]; done += 50) {
            const model_piece piece = PIECE(s, done, 50, ids[s] + done);
            assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_NONE));
        }
    }
    assert_ok(dev_work_new(model->device, &work));
    assert_ok(model_record_decode(state, work, 2, LENGTH));
    decode(state, work, first, steps);
    model_decode_end(state, 0, 600 - 256); /* the rest had been made ahead */
    model_decode_end(state, 1, 350);       /* too far ahead */
    assert_true(model_can_go_on(state, 0, 600 - 256));
    assert_false(model_can_go_on(state, 1, 350));
    models_logits(state, ids[0] + 600 - 256, LENGTH - 600 + 256, ROWS, got);
    same("behind decoding", got, 0, 600 - 256, LENGTH - 600 + 256);
    dev_work_free(work);
    model_state_free(state);
}

/* ---- Memory that runs out */

static void check_failing_requests(const model_model *model)
{
    const model_cache_shape shape = { .sequences = 2, .positions = LENGTH, .rows = ROWS };
    const uint64_t          used = dev_memory_used(model->device);
    oclm_status             status = OCLM_ERR_MEMORY;
    for (size_t n = 1; status != OCLM_OK; n++) {
        const size_t live = core_memory_live();
        model_cache  cache;
        core_memory_fail_at(n, true);
        if ((status = model_cache_new(model->device, &model->architecture, &shape, &cache)) == OCLM_OK) {
            status = model_cache_sync(&cache, dev_queue(model->device));
            model_cache_free(model->device, &cache);
        }
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
        assert_int_equal(dev_memory_used(model->device), used);
        assert_in_range(n, 1, 1000);
    }
}

/* ---- */

static void check_all(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < (where->slow ? 1 : COUNT(families)); i++) {
        folder made;
        seeded_family(&made, families[i]);
        model_model *model = models_load(made.path, where, OCLM_DTYPE_AUTO);
        print_message("      %s\n", families[i]);
        assert_int_equal(model->architecture.vocab_size, VOCAB);
        compute_whole(model);
        check_bytes(model);
        check_pieces(model);
        check_batches(model);
        check_forks(model);
        check_rewinds(model);
        check_decoding(model);
        check_failing_requests(model);
        model_free(model);
        folder_free(&made);
    }
}

static void rings_give_the_bits_of_caches_that_keep_everything(void **state)
{
    (void)state;
    models_each_device(check_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rings_give_the_bits_of_caches_that_keep_everything) };
    return cmocka_run_group_tests(tests, make_ids, NULL);
}
