/* test_model.c: what is told about a model, loaded or not, and which type its weights become. */
#include "model/folders.h"
#include "model/models.h"
#include "model/seeded.h"

static void same_but_for_the_device(const oclm_model_info *a, const oclm_model_info *b)
{
    assert_string_equal(a->model_type, b->model_type);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->checkpoint_dtype, b->checkpoint_dtype);
    assert_int_equal(a->parameters, b->parameters);
    assert_int_equal(a->weight_bytes, b->weight_bytes);
    assert_int_equal(a->weight_bytes_float32, b->weight_bytes_float32);
    assert_int_equal(a->weight_bytes_float16, b->weight_bytes_float16);
    assert_int_equal(a->weight_bytes_bfloat16, b->weight_bytes_bfloat16);
    assert_int_equal(a->kv_bytes_per_token, b->kv_bytes_per_token);
    assert_int_equal(a->tie_word_embeddings, b->tie_word_embeddings);
    assert_int_equal(a->vocab_size, b->vocab_size);
    assert_int_equal(a->head_dim, b->head_dim);
}

static void info_on_device(const place *where, void *user)
{
    folder          f;
    oclm_model_info before = { .struct_size = sizeof before }, after = { .struct_size = sizeof after };
    (void)user;
    folder_new_llama(&f, CORE_BF16);
    assert_ok(model_inspect(f.path, &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT16 }, &before));
    assert_string_equal(before.model_type, "llama");
    assert_int_equal(before.dtype, OCLM_DTYPE_FLOAT16);
    assert_int_equal(before.checkpoint_dtype, OCLM_DTYPE_BFLOAT16);
    assert_int_equal(before.parameters, FOLDER_LLAMA_PARAMETERS);
    assert_int_equal(before.weight_bytes, before.weight_bytes_float16);
    assert_int_equal(before.kv_bytes_per_token, 2 * 10 * 2 * sizeof(float));
    assert_int_equal(before.kv_whole_bytes_per_token, before.kv_bytes_per_token);
    assert_int_equal(before.kv_window_bytes, 0);
    assert_int_equal(before.kv_quantized_bytes_per_token, 2 * (10 + 4) * 2);
    assert_int_equal(before.vocab_size, 70);
    assert_int_equal(before.hidden_size, 36);
    assert_int_equal(before.intermediate_size, 44);
    assert_int_equal(before.num_hidden_layers, 2);
    assert_int_equal(before.num_attention_heads, 3);
    assert_int_equal(before.num_key_value_heads, 1);
    assert_int_equal(before.head_dim, 10);
    assert_int_equal(before.max_position_embeddings, 1200);
    assert_false(before.tie_word_embeddings);
    assert_string_equal(before.rope_type, "default");
    assert_null(before.device_name);
    assert_int_equal(before.device_bytes, 0);

    model_model *model = models_load(f.path, where, OCLM_DTYPE_FLOAT16);
    model_get_info(model, &after);
    same_but_for_the_device(&before, &after);
    assert_non_null(after.device_name);
    assert_int_equal(after.device_bytes, dev_memory_used(model->device));
    assert_true(after.device_bytes >= after.weight_bytes);
    model_free(model);
    folder_free(&f);
}

/* A gemma3 of 6 layers, 5 of which look back 8 positions. */
static void windows_are_told_of(void **state)
{
    folder          f;
    cJSON          *golden = seeded_read("gemma3", "golden.json"), *config = seeded_read("gemma3", "config.json");
    oclm_model_info info = { .struct_size = sizeof info };
    (void)state;
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(config, "max_position_embeddings"), 4000);
    char *text = cJSON_PrintUnformatted(config);
    assert_non_null(text);
    seeded_folder(&f, text, golden);
    assert_ok(model_inspect(f.path, &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &info));
    assert_int_equal(info.max_position_embeddings, 4000);
    assert_int_equal(info.kv_bytes_per_token, 6 * info.kv_whole_bytes_per_token);
    assert_int_equal(info.kv_window_bytes, 5 * info.kv_whole_bytes_per_token * 32 * ((7 + MODEL_CHUNK_ROWS + 62) / 32));
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(golden);
    folder_free(&f);
}

static void a_folder_tells_the_same_as_the_loaded_model(void **state)
{
    (void)state;
    models_each_device(info_on_device, NULL);
}

static void gpt2_has_no_rope_type(void **state)
{
    oclm_model_info info = { .struct_size = sizeof info };
    (void)state;
    assert_ok(model_inspect(OCLM_SOURCE_DIR "/tests/golden/tiny/gpt2", &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &info));
    assert_null(info.rope_type);
    assert_true(info.tie_word_embeddings);
}

/* The caller's wish, else config.json, else the checkpoint. */
static const struct { const char *in_config; core_dtype in_file; oclm_dtype wish, want; } dtypes[] = {
    { "", CORE_F16, OCLM_DTYPE_AUTO, OCLM_DTYPE_FLOAT16 },
    { "", CORE_BF16, OCLM_DTYPE_AUTO, OCLM_DTYPE_BFLOAT16 },
    { ", \"torch_dtype\": \"float32\"", CORE_BF16, OCLM_DTYPE_AUTO, OCLM_DTYPE_FLOAT32 },
    { ", \"dtype\": \"bfloat16\"", CORE_F32, OCLM_DTYPE_AUTO, OCLM_DTYPE_BFLOAT16 },
    { ", \"dtype\": \"bfloat16\"", CORE_F32, OCLM_DTYPE_FLOAT16, OCLM_DTYPE_FLOAT16 },
    { ", \"dtype\": \"float64\"", CORE_F32, OCLM_DTYPE_AUTO, OCLM_DTYPE_FLOAT32 },
};

static void auto_means_config_then_checkpoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        char            config[600];
        folder          f;
        oclm_model_info info = { .struct_size = sizeof info };
        snprintf(config, sizeof config, "%.*s%s}", (int)strlen(FOLDER_LLAMA_CONFIG) - 1, FOLDER_LLAMA_CONFIG, dtypes[i].in_config);
        folder_new(&f, config);
        folder_add_llama(&f, dtypes[i].in_file, NULL);
        folder_finish(&f);
        assert_ok(model_inspect(f.path, &(model_load_options){ .dtype = dtypes[i].wish }, &info));
        if (info.dtype != dtypes[i].want)
            fail_msg("config \"%s\", file %s, wish %d: %d, want %d", dtypes[i].in_config, core_dtype_name(dtypes[i].in_file),
                     (int)dtypes[i].wish, (int)info.dtype, (int)dtypes[i].want);
        folder_free(&f);
    }
}

static void failure_on_device(const place *where, void *user)
{
    folder       f;
    model_model *model = NULL;
    (void)user;
    const size_t live = core_memory_live();
    assert_status(
        models_load_on("/nonexistent", models_open(where, 0), &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model),
        OCLM_ERR_NOT_FOUND);
    folder_new(&f, FOLDER_LLAMA_CONFIG);
    assert_status(models_load_on(f.path, models_open(where, 0), &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model),
                  OCLM_ERR_NOT_FOUND);
    assert_null(model);
    folder_free(&f);
    assert_int_equal(core_memory_live(), live);
}

static void a_failed_load_closes_its_device(void **state)
{
    (void)state;
    models_each_device(failure_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_tells_the_same_as_the_loaded_model),
        cmocka_unit_test(windows_are_told_of),
        cmocka_unit_test(gpt2_has_no_rope_type),
        cmocka_unit_test(auto_means_config_then_checkpoint),
        cmocka_unit_test(a_failed_load_closes_its_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
