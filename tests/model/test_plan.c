/* test_plan.c: what a plan announces for a device is what loading and a pass over the whole context take at most; what does not fit is refused
 * before anything is allocated, and the choices that are said to fit do. */
#include "model/models.h"

#include "core/json.h"
#include "model/plan.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/"
#define CONTEXT 96u

static const char *const folders[] = { "tiny/llama", "tiny/llama-bfloat16", "tiny/gpt2", "tiny/llama-tied", "gguf/qwen2.gguf", "gguf/lfm2.gguf",
                                       "gguf/gemma2-defaults.gguf", "gguf/deepseek_v3.gguf", "gguf/qwen2_moe.gguf" };

static const model_map_entry on_first[] = { { "", { MODEL_ON_DEVICE, 0 } } };

static model_plan_options whole_on_first(void)
{
    return (model_plan_options){ .kind = MODEL_MAP_GIVEN, .entries = on_first, .entry_count = 1, .context_length = CONTEXT };
}

static void path_of(const char *folder, char path[512]) { snprintf(path, 512, "%s%s", GOLDEN, folder); }

/* Reads the context in the largest passes, and decodes a token. */
static void use(const model_model *model)
{
    static int32_t ids[CONTEXT];
    const model_state_options options = { .sequences = 1, .max_positions = CONTEXT };
    model_state              *state = NULL;
    assert_ok(model_state_new(model, &options, &state));
    for (uint32_t done = 0, count; done < CONTEXT; done += count) {
        count = CONTEXT - done < state->max_rows ? CONTEXT - done : state->max_rows;
        const model_piece piece = PIECE(0, done, count, ids + done);
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
    }
    assert_ok(model_finish(state));
    model_state_free(state);
}

/* The first time that a device meets a way of storing weights it measures kernels, for which no plan speaks: that is done here. */
static void meet(const place *where, const char *path, const model_load_options *load)
{
    dev_device  *device = models_open(where, 0);
    model_model *model = NULL;
    assert_ok(model_load(path, &device, 1, load, &model));
    use(model);
    model_free(model);
}

static void announces_what_is_taken(const place *where, const char *folder, const model_load_options *load)
{
    char            path[512];
    model_placement placement;
    model_model    *model = NULL;
    path_of(folder, path);
    meet(where, path, load);
    dev_device              *device = models_open(where, 0);
    const model_plan_options options = whole_on_first();
    assert_ok(model_plan(path, &device, 1, load, &options, &placement));
    assert_int_equal(placement.device_count, 1);
    assert_string_equal(placement.map, "{\"\": 0}");
    const uint64_t     announced = placement.devices[0].used, weights = placement.devices[0].weights;
    model_load_options given = *load;
    given.placement = &placement;
    assert_ok(model_load(path, &device, 1, &given, &model));
    assert_int_equal(dev_memory_used(device), weights + dev_matrix_staging_bytes(device));
    use(model);
    if (dev_memory_peak(device) > announced)
        fail_msg("%s: %llu bytes were in use, %llu announced", folder, (unsigned long long)dev_memory_peak(device), (unsigned long long)announced);
    if (announced - dev_memory_peak(device) > ((uint64_t)1 << 20) + weights / 4)
        fail_msg("%s: of %llu bytes announced only %llu were ever in use", folder, (unsigned long long)announced, (unsigned long long)dev_memory_peak(device));
    model_free(model);
    model_placement_free(&placement);
}

static void announce_all(const place *where, void *user)
{
    (void)user;
    const model_load_options plain = { .dtype = OCLM_DTYPE_AUTO }, half = { .dtype = OCLM_DTYPE_FLOAT16 },
                             bits = { .dtype = OCLM_DTYPE_FLOAT32, .quantize = CKPT_QUANTIZE_INT8 };
    for (size_t i = 0; i < (where->slow ? 2 : COUNT(folders)); i++)
        announces_what_is_taken(where, folders[i], &plain);
    announces_what_is_taken(where, "tiny/llama", &half);
    announces_what_is_taken(where, "tiny/llama", &bits);
}

static void a_plan_announces_what_is_taken(void **state)
{
    (void)state;
    models_each_device(announce_all, NULL);
}

/* ---- What does not fit */

static const place first = { .spec = "0" };

/* Plans again with a budget, and loads what is planned. */
static void fits(uint64_t budget, const model_load_options *load, const model_plan_options *options)
{
    char            path[512];
    model_placement placement;
    model_model    *model = NULL;
    dev_device     *device = models_open(&first, budget);
    path_of("tiny/llama", path);
    assert_ok(model_plan(path, &device, 1, load, options, &placement));
    assert_true(placement.devices[0].used <= budget);
    assert_ok(model_load(path, &device, 1, load, &model));
    model_free(model);
    model_placement_free(&placement);
}

static uint64_t needs(const model_load_options *load, const model_plan_options *options)
{
    char            path[512];
    model_placement placement;
    dev_device     *device = models_open(&first, 0);
    path_of("tiny/llama", path);
    assert_ok(model_plan(path, &device, 1, load, options, &placement));
    const uint64_t bytes = placement.devices[0].used;
    model_placement_free(&placement);
    dev_close(device);
    return bytes;
}

static void what_does_not_fit_says_what_would(void **state)
{
    (void)state;
    char                     path[512];
    model_load_options       load = { .dtype = OCLM_DTYPE_FLOAT32 };
    model_plan_options       options = whole_on_first();
    const uint64_t           need = needs(&load, &options);
    model_placement          placement;
    dev_device              *device = models_open(&first, need - 1);
    const uint64_t           before = dev_memory_used(device);
    size_t                   fitting = 0;
    path_of("tiny/llama", path);
    assert_int_equal(model_plan(path, &device, 1, &load, &options, &placement), OCLM_ERR_DEVICE_MEMORY);
    assert_int_equal(dev_memory_used(device), before);
    assert_int_equal(placement.devices[0].used, need);
    assert_int_equal(placement.devices[0].budget, need - 1);
    static const char *const words[] = { "device 0 (", "are needed", "keys and values of 96 positions", "available are", "what fits:", "--context-length 48",
                                         "--load-in-8bit", "--dtype float16", "--device-map auto" }; /* 4 bits of so narrow a model are no less */
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strstr(oclm_last_error(), words[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", oclm_last_error(), words[i]);
    }
    for (size_t i = 0; i < placement.choice_count; i++)
        fitting += placement.choices[i].fits;
    assert_int_equal(fitting, 4);
    assert_int_equal(placement.choice_count, 5);
    model_placement_free(&placement);
    dev_close(device);
    options.context_length = 48; /* as it said */
    fits(need - 1, &load, &options);
    options.context_length = CONTEXT;
    load.quantize = CKPT_QUANTIZE_INT8;
    fits(need - 1, &load, &options);
    load = (model_load_options){ .dtype = OCLM_DTYPE_FLOAT16 };
    fits(need - 1, &load, &options);
}

static void nothing_fits_where_there_is_no_room_at_all(void **state)
{
    (void)state;
    char                     path[512];
    const model_load_options load = { .dtype = OCLM_DTYPE_FLOAT32 };
    model_plan_options       options = { .kind = MODEL_MAP_BALANCED, .context_length = CONTEXT };
    model_placement          placement;
    dev_device              *device = models_open(&first, (uint64_t)1 << 20);
    path_of("tiny/llama", path);
    assert_int_equal(model_plan(path, &device, 1, &load, &options, &placement), OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "--max-memory"));
    model_placement_free(&placement);
    options.context_length = 1000000;
    path_of("tiny/gpt2", path);
    assert_int_equal(model_plan(path, &device, 1, &load, &options, &placement), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "1000000"));
    assert_int_equal(model_plan("/nowhere/at/all", &device, 1, &load, &options, &placement), OCLM_ERR_NOT_FOUND);
    dev_close(device);
}

/* ---- What a plan is asked */

static void auto_leaves_to_the_host_what_does_not_fit(void **state)
{
    (void)state;
    char                     path[512];
    const model_load_options load = { .dtype = OCLM_DTYPE_FLOAT32 };
    model_plan_options       options = whole_on_first();
    const uint64_t           limits[] = { needs(&load, &options) - 8192 };
    model_placement          placement;
    dev_device              *device = models_open(&first, 0);
    options = (model_plan_options){ .kind = MODEL_MAP_BALANCED, .device_limits = limits, .host_given = true, .host_limit = (uint64_t)1 << 30,
                                    .context_length = CONTEXT };
    path_of("tiny/llama", path);
    assert_ok(model_plan(path, &device, 1, &load, &options, &placement));
    assert_true(placement.host.weights > 0);
    assert_int_equal(placement.disk.weights, 0);
    assert_true(placement.devices[0].used <= limits[0]);
    assert_non_null(strstr(placement.map, "\"cpu\""));
    model_placement_free(&placement);
    options.host_given = false; /* max_memory without "cpu": what is left goes to the disk */
    assert_ok(model_plan(path, &device, 1, &load, &options, &placement));
    assert_true(placement.disk.weights > 0);
    assert_int_equal(placement.host.weights, 0);
    model_placement_free(&placement);
    dev_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_announces_what_is_taken),
        cmocka_unit_test(what_does_not_fit_says_what_would),
        cmocka_unit_test(nothing_fits_where_there_is_no_room_at_all),
        cmocka_unit_test(auto_leaves_to_the_host_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
