/* test_layers.c: layers that share a launch give the bits of steps that are a launch each: rows of several sequences at positions of their
 * own, past a span of attention, more layers than a launch takes, with and without biases, gates and rotation, in every order of the
 * residual stream (test_families.c does the same for one sequence of each family). */
#include "model/folders.h"
#include "model/models.h"
#include "model/seeded.h"

#define VOCAB 70
#define SEQUENCES 5
#define STEPS 4

static const struct scene { const char *label, *folder /* or a family */; uint32_t sequences, prompt; } scenes[] = {
    { "llama of 14 layers", NULL, 1, 3 },
    { "llama of 14 layers, 2 sequences", NULL, 2, 40 },
    { "llama of 14 layers, more sequences than rows of a tile", NULL, SEQUENCES, 33 },
    { "llama of 14 layers, from one span of attention to the next", NULL, 3, 510 },
    { "gpt2", OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2", 1, 5 },
    { "gpt2, float16", OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2-float16", 2, 5 },
    { "llama, grouped", OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa", 3, 20 },
    { "llama, bfloat16", OCLM_SOURCE_DIR "/tests/golden/tiny/llama-bfloat16", 1, 20 },
    { "norms of what is added", "gemma2", 3, 9 },
    { "an MLP beside attention", "cohere", 2, 9 },
    { "norms of the stream", "opt-post", 3, 9 },
    { "xIELU", "apertus", 5, 9 },
};

static folder deep;

static int make_deep(void **state)
{
    (void)state;
    folder_new(&deep, FOLDER_LLAMA_CONFIG_OF("14"));
    folder_add_llama_layers(&deep, CORE_F32, 14, NULL);
    folder_finish(&deep);
    return 0;
}

static int remove_deep(void **state)
{
    (void)state;
    folder_free(&deep);
    return 0;
}

/* The logits of STEPS decoding steps of all sequences, after prompts of unequal length. */
static void decode(const model_model *model, const struct scene *scene, bool step_by_step, float *logits)
{
    const uint32_t vocab = model->architecture.vocab_size;
    model_state   *state = models_state(model, scene->sequences, scene->prompt + SEQUENCES + STEPS, scene->prompt + SEQUENCES);
    int32_t        ids[512 + SEQUENCES];
    state->step_by_step = step_by_step;
    for (uint32_t s = 0; s < scene->sequences; s++) {
        for (uint32_t i = 0; i < scene->prompt + s; i++)
            ids[i] = (int32_t)((7 * i + 13 * s) % 60);
        const model_piece piece = PIECE(s, 0, scene->prompt + s, ids);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_NONE));
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        model_piece pieces[SEQUENCES];
        for (uint32_t s = 0; s < scene->sequences; s++) {
            ids[s] = (int32_t)((11 * step + s) % 60);
            pieces[s] = (model_piece)PIECE(s, scene->prompt + s + step, 1, &ids[s]);
        }
        assert_ok(model_forward(state, pieces, scene->sequences, MODEL_LOGITS_ALL));
        models_read_logits(state, 0, scene->sequences, logits + (size_t)step * scene->sequences * vocab);
    }
    model_state_free(state);
}

static bool is_family(const struct scene *scene) { return scene->folder != NULL && scene->folder[0] != '/'; }

static model_model *load_scene(const struct scene *scene, const place *where)
{
    folder made;
    if (!is_family(scene))
        return models_load(scene->folder != NULL ? scene->folder : deep.path, where, OCLM_DTYPE_AUTO);
    seeded_family(&made, scene->folder);
    model_model *model = models_load(made.path, where, OCLM_DTYPE_AUTO);
    folder_free(&made);
    return model;
}

static size_t launches_of(model_state *state, bool step_by_step, uint32_t rows)
{
    dev_work *work = NULL;
    state->step_by_step = step_by_step;
    assert_ok(dev_work_new(state->model->device, &work));
    assert_ok(model_record_decode(state, work, rows, 16));
    const size_t count = dev_work_count(work);
    dev_work_free(work);
    return count;
}

/* In whatever order its layers are, of which there are two with at least five steps. */
static void check_launches(const model_model *model, const struct scene *scene)
{
    model_state *state = models_state(model, 1, 16, 1);
    if (dev_orders_groups(model->device) && launches_of(state, false, 1) + 9 > launches_of(state, true, 1))
        fail_msg("%s: the layers share no launch", scene->label);
    model_state_free(state);
}

static void scenes_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        const struct scene *scene = &scenes[i];
        model_model        *model = load_scene(scene, where);
        const size_t        count = (size_t)STEPS * scene->sequences * model->architecture.vocab_size;
        float              *want = core_alloc_array(count, sizeof *want, "logits"), *got = core_alloc_array(count, sizeof *got, "logits");
        assert_non_null(want);
        assert_non_null(got);
        decode(model, scene, true, want);
        for (int again = 0; again < (where->interpreted ? 1 : 5); again++) { /* cores meet in another order each time */
            decode(model, scene, false, got);
            if (memcmp(want, got, count * sizeof *got) != 0)
                fail_msg("%s: logits differ from those of single steps", scene->label);
        }
        check_launches(model, scene);
        core_free(want);
        core_free(got);
        model_free(model);
    }
}

static void shared_launches_give_the_bits_of_single_steps(void **state)
{
    (void)state;
    models_each_device(scenes_on_device, NULL);
}

/* ---- How many launches are they? */

static void launches_on_device(const place *where, void *user)
{
    model_model  *model = models_load(deep.path, where, OCLM_DTYPE_AUTO);
    model_state  *state = models_state(model, 2, 16, 2);
    const size_t  single = launches_of(state, true, 1), shared = launches_of(state, false, 1);
    (void)user;
    assert_true(single >= 2 + 14 * 5); /* embedding, layers, head */
    assert_int_equal(shared, dev_orders_groups(model->device) ? 2 + 3 : single);
    model_state_free(state);
    model_free(model);
}

static void layers_share_launches_where_the_device_orders_groups(void **state)
{
    (void)state;
    models_each_device(launches_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_launches_give_the_bits_of_single_steps),
        cmocka_unit_test(layers_share_launches_where_the_device_orders_groups),
    };
    return cmocka_run_group_tests(tests, make_deep, remove_deep);
}
