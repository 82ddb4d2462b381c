/* test_layers.c: layers that share a launch give the bits of steps that are a launch each: rows of several sequences at positions of their
 * own, past a span of attention, more layers than a launch takes, with and without biases, gates and rotation, in orders of the
 * residual stream (test_families.c does the same for one sequence of each family), and with all else that attention may do, which is
 * asked of a loaded llama by words of its architecture. */
#include "device/device_internal.h"
#include "device/interpose.h"
#include "model/folders.h"
#include "model/models.h"
#include "model/seeded.h"

#define VOCAB 70
#define SEQUENCES 9
#define STEPS 4

/* ---- An interpreter that looks for bad accesses (tests/oclgrind.sh) knows OpenCL C 1.2 alone. Its groups run one after another, so that atomics of
 * that version do for those of the kernel. */
#define OLD_ATOMICS                                                                                                                \
    " -Datomic_uint=uint -Datomic_fetch_add_explicit(p,v,o,s)=atomic_add(p,v) -Datomic_load_explicit(p,o,s)=atomic_or(p,0u)"      \
    " -Datomic_store_explicit(p,v,o,s)=atomic_xchg(p,v)"

static const char *in_old_words(const char *options, char old[2048])
{
    static const char new_version[] = "-cl-std=CL3.0";
    if (getenv("OCLM_TEST_QUICK") == NULL || options == NULL || strncmp(options, new_version, strlen(new_version)) != 0)
        return options;
    assert_in_range(snprintf(old, 2048, "-cl-std=CL1.2" OLD_ATOMICS "%s", options + strlen(new_version)), 1, 2047);
    return old;
}

CL_API_ENTRY cl_int CL_API_CALL clCompileProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                                                 cl_uint header_count, const cl_program *headers, const char **names,
                                                 void (CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    char old[2048];
    return OPENCL_BEHIND(clCompileProgram)(program, count, devices, in_old_words(options, old), header_count, headers, names, notify, user);
}

/* ---- Models */

/* Words that change what a loaded model does. */
static void window_some_layers(model_architecture *a)
{
    static const uint32_t windows[] = { 7, 0, 33, 200 };
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = windows[i % COUNT(windows)];
    a->attention_softcap = 1.5f;
    a->attention_sinks = true;
}

static void chunk_some_layers(model_architecture *a)
{
    window_some_layers(a);
    a->windows_are_chunks = true;
}

static void turn_some_layers(model_architecture *a)
{
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].rope = (int8_t)(i % 3) - 1; /* none, first, second */
    a->ropes[1] = a->ropes[0];
    a->ropes[1].theta = 300.0;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = (model_norm_shape){ .kind = DEV_NORM_RMS1P, .eps = 1e-5f };
    a->query_beta = 0.3;
    a->query_length = 5;
}

static void normalize_all(model_architecture *a)
{
    a->qk_norm = MODEL_QK_NORM_ALL;
    a->qk_norm_shape = (model_norm_shape){ .kind = DEV_NORM_RMS, .eps = 1e-5f };
    a->qkv_clip = 0.2f;
    a->qkv_clip_after_norm = true;
}

static void normalize_late(model_architecture *a)
{
    a->qk_norm = MODEL_QK_NORM_HEADS;
    a->qk_norm_shape = (model_norm_shape){ .kind = DEV_NORM_RMS, .eps = 1e-5f };
    a->qk_norm_after_rope = true;
}

static void take_alibi(model_architecture *a)
{
    a->position = MODEL_POSITION_ALIBI;
    a->alibi = MODEL_ALIBI_FALCON;
    a->qkv_clip = 0.3f;
}

static void take_key_heads_in_turn(model_architecture *a)
{
    assert_true(a->delta_net.value_heads > a->delta_net.key_heads && a->delta_net.key_heads > 1);
    a->delta_net.heads_tiled = true;
}

static const struct scene {
    const char *label, *folder; /* or a family */
    uint32_t sequences, prompt;
    void (*ask)(model_architecture *architecture);
    const char *skip; /* a module that stays floats, where all others become 8-bit integers; NULL: none does */
} scenes[] = {
    { "llama of 14 layers", NULL, 1, 3, NULL, NULL },
    { "llama of 14 layers, 2 sequences", NULL, 2, 40, NULL, NULL },
    { "llama of 14 layers, 5 sequences", NULL, 5, 33, NULL, NULL },
    { "llama of 14 layers, more sequences than rows of a tile", NULL, 8, 10, NULL, NULL },
    { "llama of 14 layers, more sequences than rows of a tile, the last of which is not full", NULL, SEQUENCES, 3, NULL, NULL },
    { "llama of 14 layers, from one span of attention to the next", NULL, 3, 510, NULL, NULL },
    { "some layers through windows, capped, with sinks", NULL, 2, 40, window_some_layers, NULL },
    { "some layers through windows, capped, with sinks, past a span", NULL, 3, 710, window_some_layers, NULL },
    { "some layers in chunks, capped, with sinks, past a span", NULL, 2, 710, chunk_some_layers, NULL },
    { "two ways to turn and none, heads normalised, queries that grow", NULL, 2, 40, turn_some_layers, NULL },
    { "all heads normalised, then cut", NULL, 3, 20, normalize_all, NULL },
    { "heads normalised after turning", NULL, 1, 20, normalize_late, NULL },
    { "ALiBi, rounded", NULL, 2, 40, take_alibi, NULL },
    { "gpt2", OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2", 1, 5, NULL, NULL },
    { "gpt2, float16", OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2-float16", 2, 5, NULL, NULL },
    { "llama, grouped", OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa", 3, 20, NULL, NULL },
    { "llama, bfloat16", OCLM_SOURCE_DIR "/tests/golden/tiny/llama-bfloat16", 1, 20, NULL, NULL },
    { "norms of what is added", "gemma2", 3, 9, NULL, NULL },
    { "an MLP beside attention", "cohere", 2, 9, NULL, NULL },
    { "norms of the stream", "opt-post", 3, 9, NULL, NULL },
    { "xIELU", "apertus", 5, 9, NULL, NULL },
    { "norms of what is added, more sequences than rows of a tile", "gemma2", SEQUENCES, 9, NULL, NULL },
    { "experts", "mixtral", 1, 9, NULL, NULL },
    { "experts with biases and a clamped gate, sinks", "gpt_oss", 1, 9, NULL, NULL },
    { "experts, several sequences", "mixtral", 5, 9, NULL, NULL },
    { "experts with biases and a clamped gate, more sequences than rows of a tile", "gpt_oss", SEQUENCES, 9, NULL, NULL },
    { "experts in groups, and one that all have, several sequences", "dots1", 3, 9, NULL, NULL },
    { "experts, and one that all have, gated, several sequences", "qwen2_moe", 2, 9, NULL, NULL },
    { "experts beside an MLP, several sequences", "gemma4-experts", 3, 9, NULL, NULL },
    { "experts, and one that all have, gated", "qwen2_moe", 1, 9, NULL, NULL },
    { "experts in groups, and one that all have, behind a layer without", "dots1", 1, 9, NULL, NULL },
    { "experts, past a span of attention", "olmoe", 1, 520, NULL, NULL },
    { "latent keys and values, experts", "deepseek_v2", 1, 9, NULL, NULL },
    { "delta nets and gated attention before experts", "qwen3_next", 1, 9, NULL, NULL },
    { "delta nets and gated attention", "qwen3_5", 3, 9, NULL, NULL },
    { "delta nets whose key heads take turns", "qwen3_5", 2, 9, take_key_heads_in_turn, NULL },
    { "gated attention, past a span", "qwen3_5", 1, 520, NULL, NULL },
    { "short convolutions", "lfm2", 2, 9, NULL, NULL },
    { "short convolutions with biases", "lfm2-bias", 5, 9, NULL, NULL },
    { "short convolutions, experts", "lfm2_moe", 1, 9, NULL, NULL },
    { "layers that are told of the token, with heads of their own and the cache of others", "gemma4", 3, 9, NULL, NULL },
    { "the same, with an MLP of their own", "gemma4-wide", 2, 9, NULL, NULL },
    { "values that are keys", "gemma4-keys", 2, 9, NULL, NULL },
    { "experts beside an MLP", "gemma4-experts", 1, 9, NULL, NULL },
    { "heads normalised with biases", "phi", 2, 9, NULL, NULL },
    { "latent keys and values, past a span of attention", "deepseek_v2", 1, 520, NULL, NULL },
    { "latent keys, values and queries, experts", "deepseek_v3", 1, 9, NULL, NULL },
    { "a scale of each layer's own", OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2-untied", 2, 9, NULL, NULL },
    { "products of unlike storage in each layer", OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa", 3, 20, NULL, "down_proj" },
};

static folder deep;

/* Gives every layer sinks and norms of queries and keys, of numbers that tell layers apart. They are freed with the model. */
static void add_vectors(model_model *model)
{
    const model_architecture *a = &model->architecture;
    float                     numbers[3 * 10];
    assert_true(a->heads * a->head_dim <= COUNT(numbers));
    for (uint32_t i = 0; i < model->weights.layer_count; i++) {
        model_layer *layer = &model->weights.layers[i];
        const struct { dev_buffer *buffer; const char *name; size_t count; } wanted[] = {
            { &layer->sinks, "sinks", a->heads },
            { &layer->q_norm.weight, "queries", (size_t)a->heads * a->head_dim },
            { &layer->k_norm.weight, "keys", (size_t)a->kv_heads * a->head_dim },
        };
        for (size_t k = 0; k < COUNT(wanted); k++) {
            for (size_t j = 0; j < wanted[k].count; j++)
                numbers[j] = 4.0f * folder_value(wanted[k].name, 64 * i + j);
            assert_ok(dev_buffer_new(model->device, wanted[k].count * sizeof(float), "numbers of a test", wanted[k].buffer));
            assert_ok(dev_buffer_write(dev_queue(model->device), wanted[k].buffer, 0, numbers, wanted[k].count * sizeof(float)));
        }
    }
}

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
    int32_t        ids[710 + SEQUENCES];
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

/* An interpreter is taken for a device of lanes, and makes no promise about its groups, which it runs one after another: it gets what cores get. */
static model_model *load(const char *path, const place *where, const char *skip)
{
    const model_load_options options = { .dtype = OCLM_DTYPE_AUTO, .quantize = skip != NULL ? CKPT_QUANTIZE_INT8 : CKPT_QUANTIZE_NONE, .skip = &skip,
                                         .skip_count = skip != NULL };
    dev_device  *device = models_open(where, 0);
    model_model *model = NULL;
    if (where->interpreted) {
        device->traits.lanes_in_items = false;
        device->orders = DEV_ANSWER_YES;
    }
    assert_ok(models_load_on(path, device, &options, &model));
    return model;
}

static model_model *load_family(const char *family, const place *where)
{
    folder made;
    seeded_family(&made, family);
    model_model *model = load(made.path, where, NULL);
    folder_free(&made);
    return model;
}

static model_model *load_scene(const struct scene *scene, const place *where)
{
    model_model *model = is_family(scene) ? load_family(scene->folder, where) : load(scene->folder != NULL ? scene->folder : deep.path, where, scene->skip);
    if (scene->ask != NULL)
        scene->ask(&model->architecture);
    if (scene->ask != NULL && scene->folder == NULL)
        add_vectors(model);
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

/* Of two layers, in whatever order, with at least five steps each. */
static void check_launches(const model_model *model, const struct scene *scene)
{
    model_state *state = models_state(model, scene->sequences, 16, scene->sequences);
    if (dev_orders_groups(model->device) && launches_of(state, false, scene->sequences) + 9 > launches_of(state, true, scene->sequences))
        fail_msg("%s: the layers share no launch", scene->label);
    model_state_free(state);
}

#define INTERPRETED_ROWS 130u /* of prompts */

static void scenes_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        const struct scene *scene = &scenes[i];
        if (where->interpreted && scene->sequences * scene->prompt > INTERPRETED_ROWS)
            continue;
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
    (void)user;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        if (scenes[i].folder != NULL || scenes[i].sequences > 2) /* what few sequences ask for, more do */
            continue;
        model_model  *model = load_scene(&scenes[i], where);
        model_state  *state = models_state(model, 2, 16, 2);
        const size_t  single = launches_of(state, true, 1), shared = launches_of(state, false, 1);
        assert_true(single >= 2 + 14 * 5); /* embedding, layers, head */
        if (dev_orders_groups(model->device) ? shared > 2 + 3 : shared != single)
            fail_msg("%s: %zu launches, of %zu single steps", scenes[i].label, shared, single);
        model_state_free(state);
        model_free(model);
    }
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
