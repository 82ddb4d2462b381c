/* test_quantized_cache.c: keys and values as 8-bit integers: a quarter of the memory; logits close to those of 32 bits, the same bits however
 * a sequence is cut into passes, beside others, forked, cut back and through rings; and text that is mostly the same. */
#include <math.h>

#include "model/models.h"
#include "model/seeded.h"

#define VOCAB 61u
#define LENGTH 120u
#define STORY 120u

static int32_t ids[2][LENGTH];
static float   want[2][LENGTH * VOCAB], got[2 * LENGTH * VOCAB];

static int make_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH; i++) {
        ids[0][i] = (int32_t)((i * i * 7 + i / 5 + 3) % VOCAB);
        ids[1][i] = (int32_t)((i * i * 11 + i / 3 + 5) % VOCAB);
    }
    return 0;
}

static model_state *new_state(const model_model *model, uint32_t sequences, uint32_t positions, bool quantized)
{
    const model_state_options options = { .sequences = sequences, .max_positions = positions, .max_rows = LENGTH, .max_logit_rows = LENGTH,
                                          .quantized_cache = quantized };
    model_state              *state = NULL;
    const uint64_t            before = dev_memory_used(model->device);
    assert_ok(model_state_new(model, &options, &state));
    assert_int_equal(dev_memory_used(model->device) - before, model_state_bytes(model, 0, &options));
    return state;
}

static void same(const char *label, const float *is, uint32_t sequence, uint32_t position, uint32_t rows)
{
    if (memcmp(is, want[sequence] + (size_t)position * VOCAB, rows * VOCAB * sizeof *is) != 0)
        fail_msg("%s: sequence %u from position %u on has other bits", label, sequence, position);
}

/* ---- How close logits come */

static void compute_alone(const model_model *model)
{
    model_state *state = new_state(model, 1, LENGTH, true);
    for (size_t s = 0; s < 2; s++) {
        models_rewind(state);
        models_logits(state, ids[s], LENGTH, LENGTH, want[s]);
    }
    model_state_free(state);
}

/* Root mean squares: of what is off, over that of the logits themselves. */
static void check_closeness(const model_model *model, double most)
{
    model_state *state = new_state(model, 1, LENGTH, false);
    double       off = 0, size = 0;
    models_logits(state, ids[0], LENGTH, LENGTH, got);
    for (size_t i = 0; i < LENGTH * VOCAB; i++) {
        off += ((double)got[i] - (double)want[0][i]) * ((double)got[i] - (double)want[0][i]);
        size += (double)got[i] * (double)got[i];
    }
    off = sqrt(off / size);
    print_message("      off by %.2g of the logits\n", off);
    assert_true(off > 0.0);
    if (!(off <= most))
        fail_msg("logits are %.3g off, more than %.3g", off, most);
    model_state_free(state);
}

/* ---- The same bits */

static void check_pieces(const model_model *model)
{
    static const uint32_t steps[] = { 1, 7, 33 };
    model_state          *state = new_state(model, 1, LENGTH, true);
    for (size_t i = 0; i < COUNT(steps); i++) {
        char label[64];
        snprintf(label, sizeof label, "in pieces of %u", steps[i]);
        models_rewind(state);
        models_logits(state, ids[0], LENGTH, steps[i], got);
        same(label, got, 0, 0, LENGTH);
    }
    model_cache_truncate(&state->cache, 0, 50);
    models_logits(state, ids[1] + 50, 20, 20, got); /* another way, and back */
    model_cache_truncate(&state->cache, 0, 50);
    models_logits(state, ids[0] + 50, LENGTH - 50, 20, got);
    same("the way back", got, 0, 50, LENGTH - 50);
    model_state_free(state);
    state = new_state(model, 1, LENGTH, true);
    state->step_by_step = true;
    models_logits(state, ids[0], LENGTH, 1, got);
    same("token by token, each step a launch", got, 0, 0, LENGTH);
    model_state_free(state);
}

static void check_batches(const model_model *model)
{
    static const uint32_t sizes[] = { 5, 1, 16, 2, 1, 35 }, others[] = { 1, 46, 4, 2, 16, 1 };
    model_state *state = new_state(model, 3, LENGTH, true);
    uint32_t     first = 0, second = 0;
    for (size_t i = 0; i < COUNT(sizes); first += sizes[i], second += others[i++]) {
        const model_piece pieces[] = { PIECE(1, second, others[i], ids[1] + second), PIECE(0, first, sizes[i], ids[0] + first) };
        assert_ok(model_forward(state, pieces, 2, MODEL_LOGITS_ALL));
        models_read_logits(state, 0, sizes[i] + others[i], got);
        same("beside another", got, 1, second, others[i]);
        same("beside another", got + (size_t)others[i] * VOCAB, 0, first, sizes[i]);
    }
    assert_ok(model_cache_fork(&state->cache, state->queue, 0, 2));
    const model_piece rest = PIECE(2, first, LENGTH - first, ids[0] + first);
    assert_ok(model_forward(state, &rest, 1, MODEL_LOGITS_ALL));
    models_read_logits(state, 0, LENGTH - first, got);
    same("a fork", got, 0, first, LENGTH - first);
    model_state_free(state);
}

/* Windows of 8 keep rings in a state of many positions. */
static void check_rings(const model_model *model)
{
    model_state *state = new_state(model, 1, 1000, true);
    if (state->cache.ring.pages > 0) {
        models_logits(state, ids[0], LENGTH, LENGTH, got);
        same("with rings", got, 0, 0, LENGTH);
        for (uint32_t i = 0; i < 6; i++)
            models_logits(state, ids[i % 2], LENGTH, 50, got); /* past the ring's end */
    }
    model_state_free(state);
}

static void check_bytes(const model_model *model)
{
    model_cache_shape  shape = { .sequences = 2, .positions = 64, .rows = 64 };
    const uint64_t     whole = model_cache_bytes(&model->architecture, &shape) - 4 * sizeof(int32_t);
    const uint64_t     head = model->architecture.head_dim;
    shape.quantized = true;
    assert_int_equal(model_cache_bytes(&model->architecture, &shape) - 4 * sizeof(int32_t), whole / (4 * head) * (head + 4));
}

/* How far logits are off, measured: a little more is allowed. Weights from a seed make them worse than those of a trained model. */
static const struct { const char *family; double most; } families[] = {
    { "mistral", 0.02 }, { "gemma3", 0.02 }, { "gpt_oss", 0.02 }, { "bloom", 0.02 }, { "olmo2", 0.02 },
};

static void check_all(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < (where->slow ? 1 : COUNT(families)); i++) {
        folder made;
        seeded_family(&made, families[i].family);
        model_model *model = models_load(made.path, where, OCLM_DTYPE_AUTO);
        print_message("      %s\n", families[i].family);
        assert_int_equal(model->architecture.vocab_size, VOCAB);
        compute_alone(model);
        check_closeness(model, families[i].most);
        check_pieces(model);
        check_batches(model);
        check_rings(model);
        check_bytes(model);
        model_free(model);
        folder_free(&made);
    }
}

static void logits_come_close_and_have_the_same_bits(void **state)
{
    (void)state;
    models_each_device(check_all, NULL);
}

/* ---- A story, greedily */

static void tell(const model_model *model, bool quantized, int32_t *story)
{
    const uint32_t vocab = model->architecture.vocab_size;
    float         *logits = core_alloc_array(vocab, sizeof *logits, "logits");
    model_state   *state = new_state(model, 1, STORY, quantized);
    assert_non_null(logits);
    story[0] = 0; /* begin */
    for (uint32_t i = 0; i + 1 < STORY; i++) {
        const model_piece piece = PIECE(0, i, 1, story + i);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
        models_read_logits(state, 0, 1, logits);
        story[i + 1] = models_best(logits, vocab);
    }
    core_free(logits);
    model_state_free(state);
}

static void check_story(const place *where, void *user)
{
    int32_t      whole[STORY], quantized[STORY];
    uint32_t     alike = 0;
    model_model *model = models_load(OCLM_SOURCE_DIR "/samples/models/stories", where, OCLM_DTYPE_AUTO);
    (void)user;
    tell(model, false, whole);
    tell(model, true, quantized);
    while (alike < STORY && whole[alike] == quantized[alike])
        alike++;
    print_message("      the first %u of %u ids are the same\n", alike, STORY);
    assert_true(alike >= STORY / 2);
    model_free(model);
}

static void a_story_is_mostly_the_same(void **state)
{
    (void)state;
    models_each_device(check_story, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_come_close_and_have_the_same_bits),
        cmocka_unit_test(a_story_is_mostly_the_same),
    };
    return cmocka_run_group_tests(tests, make_ids, NULL);
}
