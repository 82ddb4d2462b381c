/* test_gguf_config.c: what a GGUF's key-values become, and what is said of those that make no model. Whole models: gguf/NAME (test_families.c). */
#include "model/gguf.h"

#include <math.h>

#include "checkpoint/gguf_bytes.h"
#include "core/folder.h"
#include "core/json.h"
#include "model/model.h"

#define MAX_EXTRA 8

/* A key-value of one number (name NULL: no more), or a text. */
typedef struct extra {
    const char *key;
    core_gguf_type type;
    double      number;
    const char *text;
} extra;

typedef struct made {
    core_text file;
    char      path[2 * SCRATCH_PATH];
} made;

static void add_float(core_text *file, const char *key, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    gguf_string(file, key);
    gguf_number(file, CORE_GGUF_F32, 4);
    gguf_number(file, bits, 4);
}

static void add_extra(core_text *file, const extra *e)
{
    if (e->type == CORE_GGUF_STRING)
        gguf_key_string(file, e->key, e->text);
    else if (e->type == CORE_GGUF_F32)
        add_float(file, e->key, (float)e->number);
    else
        gguf_key_int(file, e->key, e->type, (int64_t)e->number);
}

/* The least that a llama of two heads of 8 needs, and `extras`; `missing` is left out. `factors`: rope_freqs.weight, or NULL. */
static void make(made *m, const char *architecture, const extra *extras, const char *missing, const float *factors)
{
    const extra usual[] = { { "llama.block_count", CORE_GGUF_U32, 1.0, NULL },          { "llama.embedding_length", CORE_GGUF_U32, 16.0, NULL },
                            { "llama.attention.head_count", CORE_GGUF_U32, 2.0, NULL }, { "llama.context_length", CORE_GGUF_U32, 131072.0, NULL },
                            { "llama.feed_forward_length", CORE_GGUF_U32, 24.0, NULL }, { "llama.rope.dimension_count", CORE_GGUF_U32, 8.0, NULL },
                            { "llama.rope.freq_base", CORE_GGUF_F32, 500000.0, NULL } };
    const gguf_tensor tensors[] = { { "token_embd.weight", 2, { 16, 10 }, 0, 0 }, { factors != NULL ? "rope_freqs.weight" : NULL, 1, { 4 }, 0, 640 }, { NULL, 0, { 0 }, 0, 0 } };
    size_t            count = 0;
    for (const extra *e = extras; e != NULL && e->key != NULL; e++)
        count++;
    const size_t keys = COUNT(usual) + count + (architecture != NULL) - (missing != NULL);
    gguf_begin(&m->file, 3, factors != NULL ? 2 : 1, keys);
    if (architecture != NULL)
        gguf_key_string(&m->file, "general.architecture", architecture);
    for (size_t i = 0; i < COUNT(usual); i++) {
        if (missing == NULL || strcmp(usual[i].key, missing) != 0)
            add_extra(&m->file, &usual[i]);
    }
    for (size_t i = 0; i < count; i++)
        add_extra(&m->file, &extras[i]);
    gguf_list(&m->file, tensors);
    gguf_pad(&m->file, 32);
    for (size_t i = 0; i < 160; i++)
        gguf_number(&m->file, 0, 4);
    if (factors != NULL)
        assert_int_equal(core_text_add(&m->file, factors, 4 * sizeof *factors), OCLM_OK);
    gguf_pad(&m->file, 32);
    scratch_write(folder, "model.gguf", m->file.data, m->file.length);
    snprintf(m->path, sizeof m->path, "%s", path_of("model.gguf"));
}

static cJSON *config_of(const extra *extras, const float *factors)
{
    made   m = { .file = CORE_TEXT_INIT };
    cJSON *config = NULL;
    make(&m, "llama", extras, NULL, factors);
    if (model_gguf_config_of(m.path, &config) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    core_text_free(&m.file);
    return config;
}

static double number(const cJSON *config, const char *key)
{
    const cJSON *item = core_json_member(config, key);
    if (!cJSON_IsNumber(item))
        fail_msg("\"%s\" is no number in the tree", key);
    return item->valuedouble;
}

static void sizes_and_ids_come_from_the_metadata_and_the_tensors(void **state)
{
    static const extra ids[] = { { "tokenizer.ggml.eos_token_id", CORE_GGUF_U32, 7.0, NULL }, { "tokenizer.ggml.eot_token_id", CORE_GGUF_U32, 9.0, NULL },
                                 { "tokenizer.ggml.bos_token_id", CORE_GGUF_U32, 3.0, NULL }, { NULL, CORE_GGUF_U8, 0.0, NULL } };
    (void)state;
    cJSON       *config = config_of(ids, NULL);
    const cJSON *ends = core_json_member(config, "eos_token_id");
    assert_string_equal(core_json_member(config, "model_type")->valuestring, "llama");
    assert_true(number(config, "vocab_size") == 10.0);
    assert_true(number(config, "head_dim") == 8.0);
    assert_true(number(config, "num_hidden_layers") == 1.0);
    assert_true(number(config, "rope_theta") == 500000.0);
    assert_true(cJSON_IsTrue(core_json_member(config, "tie_word_embeddings")));
    assert_int_equal(cJSON_GetArraySize(ends), 2);
    assert_int_equal(cJSON_GetArrayItem(ends, 0)->valueint, 7);
    assert_int_equal(cJSON_GetArrayItem(ends, 1)->valueint, 9);
    assert_true(number(config, "bos_token_id") == 3.0);
    cJSON_Delete(config);
}

/* What convert_hf_to_gguf.py writes of Llama 3.1: rounded results of its formula. */
static void factors_of_llama3_become_its_formula(void **state)
{
    const double theta = 500000.0;
    float        factors[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        const double length = 2.0 * 3.14159265358979323846 * pow(theta, i / 4.0), smooth = (8192.0 / length - 1.0) / 3.0;
        factors[i] = length < 2048.0 ? 1.0f : length > 8192.0 ? 8.0f : (float)(1.0 / ((1.0 - smooth) / 8.0 + smooth));
    }
    cJSON       *config = config_of(NULL, factors);
    const cJSON *scaling = core_json_member(config, "rope_scaling");
    assert_string_equal(core_json_member(scaling, "rope_type")->valuestring, "llama3");
    assert_true(number(scaling, "factor") == 8.0);
    assert_true(number(scaling, "original_max_position_embeddings") == 8192.0);
    cJSON_Delete(config);
    factors[1] = 3.5f; /* nobody's formula */
    config = config_of(NULL, factors);
    scaling = core_json_member(config, "rope_scaling");
    assert_string_equal(core_json_member(scaling, "rope_type")->valuestring, "longrope");
    assert_true(cJSON_GetArrayItem(core_json_member(scaling, "long_factor"), 1)->valuedouble == 3.5);
    assert_true(number(scaling, "attention_factor") == 1.0);
    cJSON_Delete(config);
}

static void scaling_by_keys_is_read(void **state)
{
    static const extra yarn[] = { { "llama.rope.scaling.type", CORE_GGUF_STRING, 0.0, "yarn" }, { "llama.rope.scaling.factor", CORE_GGUF_F32, 4.0, NULL },
                                  { "llama.rope.scaling.original_context_length", CORE_GGUF_U32, 32768.0, NULL }, { NULL, CORE_GGUF_U8, 0.0, NULL } };
    (void)state;
    cJSON       *config = config_of(yarn, NULL);
    const cJSON *scaling = core_json_member(config, "rope_scaling");
    assert_string_equal(core_json_member(scaling, "rope_type")->valuestring, "yarn");
    assert_true(number(scaling, "factor") == 4.0);
    assert_true(number(scaling, "original_max_position_embeddings") == 32768.0);
    cJSON_Delete(config);
}

#define SIZES(name) { name ".block_count", CORE_GGUF_U32, 47.0, NULL }, { name ".embedding_length", CORE_GGUF_U32, 16.0, NULL }, \
                    { name ".attention.head_count", CORE_GGUF_U32, 2.0, NULL }, { name ".context_length", CORE_GGUF_U32, 4096.0, NULL }

/* GLM 4.5: what guesses further tokens is counted among its layers. */
static void layers_that_guess_are_no_layers(void **state)
{
    static const extra keys[] = { SIZES("glm4moe"), { "glm4moe.nextn_predict_layers", CORE_GGUF_U32, 1.0, NULL }, { NULL, CORE_GGUF_U8, 0.0, NULL } };
    made   m = { .file = CORE_TEXT_INIT };
    cJSON *config = NULL;
    (void)state;
    make(&m, "glm4moe", keys, NULL, NULL);
    if (model_gguf_config_of(m.path, &config) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    assert_true(number(config, "num_hidden_layers") == 46.0);
    cJSON_Delete(config);
    core_text_free(&m.file);
}

/* What convert_hf_to_gguf.py writes of Phi 3 where config.json has none. */
static void a_window_of_nothing_is_none(void **state)
{
    static const extra keys[] = { SIZES("phi3"), { "phi3.attention.sliding_window", CORE_GGUF_U32, 0.0, NULL }, { NULL, CORE_GGUF_U8, 0.0, NULL } };
    made   m = { .file = CORE_TEXT_INIT };
    cJSON *config = NULL;
    (void)state;
    make(&m, "phi3", keys, NULL, NULL);
    assert_int_equal(model_gguf_config_of(m.path, &config), OCLM_OK);
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(config, "sliding_window")));
    cJSON_Delete(config);
    core_text_free(&m.file);
}

static const struct { const char *label, *architecture; extra extras[2]; const char *missing; oclm_status want; const char *says; } wrong[] = {
    { "an architecture nobody knows", "wavtokenizer", { { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_UNSUPPORTED, "\"wavtokenizer\"" },
    { "what is known is listed", "t5", { { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_UNSUPPORTED, "gemma3" },
    { "no architecture", NULL, { { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_FORMAT, "general.architecture" },
    { "no layers", "llama", { { NULL, CORE_GGUF_U8, 0.0, NULL } }, "llama.block_count", OCLM_ERR_FORMAT, "llama.block_count" },
    { "no heads", "llama", { { NULL, CORE_GGUF_U8, 0.0, NULL } }, "llama.attention.head_count", OCLM_ERR_FORMAT, "llama.attention.head_count" },
    { "no length", "llama", { { NULL, CORE_GGUF_U8, 0.0, NULL } }, "llama.context_length", OCLM_ERR_FORMAT, "llama.context_length" },
    { "a scaling nobody knows", "llama", { { "llama.rope.scaling.type", CORE_GGUF_STRING, 0.0, "spiral" }, { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_UNSUPPORTED, "spiral" },
    { "keys and values as a text", "llama", { { "llama.attention.head_count_kv", CORE_GGUF_STRING, 0.0, "two" }, { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_FORMAT,
      "llama.attention.head_count_kv" },
    { "a theta as a text", "llama", { { "llama.rope.freq_base_swa", CORE_GGUF_STRING, 0.0, "two" }, { NULL, CORE_GGUF_U8, 0.0, NULL } }, NULL, OCLM_ERR_FORMAT,
      "llama.rope.freq_base_swa" },
};

static void what_makes_no_model_is_told_by_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        made   m = { .file = CORE_TEXT_INIT };
        cJSON *config = NULL;
        make(&m, wrong[i].architecture, wrong[i].extras, wrong[i].missing, NULL);
        const oclm_status got = model_gguf_config_of(m.path, &config);
        if (got != wrong[i].want || strstr(oclm_last_error(), wrong[i].says) == NULL || strstr(oclm_last_error(), m.path) == NULL)
            fail_msg("%s: status %d, want %d: %s", wrong[i].label, (int)got, (int)wrong[i].want, oclm_last_error());
        assert_null(config);
        core_text_free(&m.file);
    }
}

/* A configuration without its tensors is no model, and which are missing is told by GGUF's names. */
static void missing_tensors_are_told_by_their_names(void **state)
{
    made            m = { .file = CORE_TEXT_INIT };
    oclm_model_info info = { .struct_size = sizeof info };
    const model_load_options options = { .dtype = OCLM_DTYPE_AUTO };
    (void)state;
    make(&m, "llama", NULL, NULL, NULL);
    assert_int_equal(model_inspect(m.path, &options, &info), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "blk.0.attn_q.weight"));
    assert_non_null(strstr(oclm_last_error(), "its metadata"));
    core_text_free(&m.file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_ids_come_from_the_metadata_and_the_tensors),
        cmocka_unit_test(factors_of_llama3_become_its_formula),
        cmocka_unit_test(scaling_by_keys_is_read),
        cmocka_unit_test(layers_that_guess_are_no_layers),
        cmocka_unit_test(a_window_of_nothing_is_none),
        cmocka_unit_test(what_makes_no_model_is_told_by_its_key),
        cmocka_unit_test(missing_tensors_are_told_by_their_names),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
