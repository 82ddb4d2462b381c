/* test_model.c: loading through the public door: what it tells, what it refuses, and that two models never meet. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model/folders.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/tiny/"

static oclm_model *load(const char *path)
{
    oclm_model *model;
    assert_ok(oclm_model_load(path, NULL, &model));
    return model;
}

static oclm_model_options options(void)
{
    oclm_model_options o;
    oclm_model_options_init(&o, sizeof o);
    return o;
}

/* ---- What it tells */

static void a_loaded_model_tells_what_inspecting_told(void **state)
{
    static const char *const names[] = { "gpt2", "llama-gqa", "llama-bfloat16", "llama-yarn" };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char            path[512];
        oclm_model     *model;
        oclm_model_info loaded = { .struct_size = sizeof loaded }, seen = { .struct_size = sizeof seen };
        snprintf(path, sizeof path, GOLDEN "%s", names[i]);
        model = load(path);
        assert_ok(oclm_model_get_info(model, &loaded));
        assert_ok(oclm_model_inspect(path, NULL, &seen));
        assert_string_equal(loaded.model_type, strncmp(names[i], "gpt2", 4) == 0 ? "gpt2" : "llama");
        assert_string_equal(loaded.model_type, seen.model_type);
        assert_int_equal(loaded.parameters, seen.parameters);
        assert_int_equal(loaded.weight_bytes, seen.weight_bytes);
        assert_int_equal(loaded.kv_bytes_per_token, seen.kv_bytes_per_token);
        assert_int_equal(loaded.dtype, seen.dtype);
        assert_int_equal(loaded.checkpoint_dtype, i == 2 ? OCLM_DTYPE_BFLOAT16 : OCLM_DTYPE_FLOAT32);
        assert_int_equal(loaded.vocab_size, seen.vocab_size);
        assert_int_equal(loaded.max_position_embeddings, seen.max_position_embeddings);
        assert_true(loaded.rope_type ? seen.rope_type && strcmp(loaded.rope_type, seen.rope_type) == 0 : !seen.rope_type);
        assert_true(loaded.device_name && loaded.device_bytes >= loaded.weight_bytes);
        assert_true(!seen.device_name && seen.device_bytes == 0);
        oclm_model_free(model);
    }
}

static void dtype_decides_the_bytes(void **state)
{
    const oclm_dtype dtypes[] = { OCLM_DTYPE_FLOAT32, OCLM_DTYPE_FLOAT16, OCLM_DTYPE_BFLOAT16 };
    (void)state;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        oclm_model_options o = options();
        oclm_model_info    info = { .struct_size = sizeof info };
        oclm_model        *model;
        o.dtype = dtypes[i];
        assert_ok(oclm_model_load(GOLDEN "llama", &o, &model));
        assert_ok(oclm_model_get_info(model, &info));
        assert_int_equal(info.dtype, dtypes[i]);
        assert_int_equal(info.weight_bytes, i == 0 ? info.weight_bytes_float32
                                            : i == 1 ? info.weight_bytes_float16 : info.weight_bytes_bfloat16);
        oclm_model_free(model);
    }
}

/* ---- What it refuses */

static void what_is_no_folder_is_not_found(void **state)
{
    oclm_model        *model = (oclm_model *)1;
    oclm_hub_options   hub;
    oclm_model_options options;
    oclm_hub_options_init(&hub, sizeof hub);
    oclm_model_options_init(&options, sizeof options);
    hub.local_files_only = true;
    hub.cache_dir = "/no/such/cache";
    options.hub = &hub;
    (void)state;
    assert_status(oclm_model_load("/no/such/folder", NULL, &model), OCLM_ERR_NOT_FOUND);
    assert_null(model);
    assert_non_null(strstr(oclm_last_error(), "/no/such/folder"));
    assert_status(oclm_model_load("gpt2", &options, &model), OCLM_ERR_NOT_FOUND); /* an id of the hub */
    assert_non_null(strstr(oclm_last_error(), "gpt2 (revision main) is not in the cache (/no/such/cache)"));
    assert_status(oclm_model_load(GOLDEN "llama/config.json", NULL, &model), OCLM_ERR_NOT_FOUND);
    assert_status(oclm_model_load(OCLM_SOURCE_DIR "/tests", NULL, &model), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "config.json"));
}

static const struct { const char *label, *config; oclm_status want; const char *says; } configs[] = {
    { "broken JSON", "{\"model_type\": ", OCLM_ERR_FORMAT, "config.json" },
    { "an unknown model type", "{\"model_type\": \"mamba2\"}", OCLM_ERR_UNSUPPORTED, "gpt2" }, /* lists what there is */
    { "no model type", "{}", OCLM_ERR_FORMAT, "model_type" },
    { "a negative size", "{\"model_type\": \"llama\", \"vocab_size\": -4}", OCLM_ERR_FORMAT, "vocab_size" },
    { "no weights", FOLDER_LLAMA_CONFIG, OCLM_ERR_NOT_FOUND, "model.safetensors" },
};

static void a_broken_folder_says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(configs); i++) {
        folder      f;
        oclm_model *model = (oclm_model *)1;
        oclm_status got;
        folder_new(&f, configs[i].config);
        got = oclm_model_load(f.path, NULL, &model);
        if (got != configs[i].want || !strstr(oclm_last_error(), configs[i].says))
            fail_msg("%s: %s, \"%s\" (want \"%s\" in it)", configs[i].label, oclm_status_name(got), oclm_last_error(), configs[i].says);
        assert_null(model);
        folder_free(&f);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    oclm_model_options o = options();
    oclm_model        *model;
    (void)state;
    o.dtype = (oclm_dtype)9;
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_ARGUMENT);
    o = options();
    o.matmul = (oclm_matmul)-1;
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_ARGUMENT);
    o = options();
    o.device = "a device that nobody has";
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_NO_DEVICE);
    assert_non_null(strstr(oclm_last_error(), "nobody has"));
    o = options();
    o.max_device_bytes = 4096;
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_DEVICE_MEMORY);
    o = options();
    o.struct_size += 8;
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_ARGUMENT);
}

static bool count_and_cancel(const char *what, uint64_t done, uint64_t total, void *user)
{
    size_t *left = user;
    (void)what;
    assert_true(done <= total);
    if (*left == 0)
        return false;
    --*left;
    return true;
}

static void loading_can_be_cancelled(void **state)
{
    oclm_model_options o = options();
    oclm_model        *model;
    size_t             left = 2;
    (void)state;
    o.progress = count_and_cancel;
    o.progress_user = &left;
    assert_status(oclm_model_load(GOLDEN "llama", &o, &model), OCLM_ERR_CANCELLED);
    assert_null(model);
    left = 1000000;
    assert_ok(oclm_model_load(GOLDEN "llama", &o, &model));
    assert_true(left < 1000000);
    oclm_model_free(model);
}

/* ---- Two models in two threads */

typedef struct worker {
    const char *path;
    int32_t     ids[24];
    size_t      count;
} worker;

static void *work(void *user)
{
    worker               *w = user;
    const int32_t         prompt[] = { 5, 6, 7 };
    oclm_generate_options o;
    oclm_model           *model = load(w->path);
    oclm_generation      *made;
    const int32_t        *ids;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = COUNT(w->ids);
    assert_ok(oclm_generate(model, prompt, COUNT(prompt), &o, &made));
    ids = oclm_generation_ids(made, 0, &w->count);
    memcpy(w->ids, ids, w->count * sizeof *ids);
    oclm_generation_free(made);
    oclm_model_free(model);
    return NULL;
}

static void two_models_in_two_threads_never_meet(void **state)
{
    worker    alone[2] = { { .path = GOLDEN "llama-gqa" }, { .path = GOLDEN "gpt2" } };
    worker    beside[2] = { { .path = GOLDEN "llama-gqa" }, { .path = GOLDEN "gpt2" } };
    pthread_t threads[2];
    (void)state;
    for (size_t i = 0; i < 2; i++)
        work(&alone[i]);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, work, &beside[i]), 0);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(beside[i].count, alone[i].count);
            assert_memory_equal(beside[i].ids, alone[i].ids, alone[i].count * sizeof alone[i].ids[0]);
        }
    }
}

/* ---- Failing allocations */

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    oclm_model  *model = load(GOLDEN "llama"); /* so that what a process keeps is there */
    oclm_status  status = OCLM_ERR_MEMORY;
    size_t       live;
    (void)state;
    oclm_model_free(model);
    live = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 20000; n += n < 60 ? 1 : 17) {
        core_memory_fail_at(n, true);
        status = oclm_model_load(GOLDEN "llama", NULL, &model);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK && status != OCLM_ERR_MEMORY)
            fail_msg("request %zu failed: %s: %s", n, oclm_status_name(status), oclm_last_error());
        if (status == OCLM_OK)
            oclm_model_free(model);
        if (core_memory_live() != live)
            fail_msg("request %zu failed: %zu allocations are left, %zu before", n, core_memory_live(), live);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_model_tells_what_inspecting_told),
        cmocka_unit_test(dtype_decides_the_bytes),
        cmocka_unit_test(what_is_no_folder_is_not_found),
        cmocka_unit_test(a_broken_folder_says_what_is_wrong),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(loading_can_be_cancelled),
        cmocka_unit_test(two_models_in_two_threads_never_meet),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
