/* test_binding.c: which tensor plays which role: names with and without prefix, faults told by name, tied heads. */
#include "model/folders.h"

#include "core/log.h"
#include "model/binding.h"

typedef struct bound_folder {
    const model_family *family;
    model_architecture  architecture;
    ckpt_checkpoint    *checkpoint;
    model_binding       binding;
} bound_folder;

static char log_text[4096];

static void keep_log(oclm_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    strncat(log_text, line, sizeof log_text - strlen(log_text) - 1);
}

static oclm_status bind(const folder *f, bound_folder *b)
{
    oclm_dtype  dtype;
    oclm_status status;
    memset(b, 0, sizeof *b);
    log_text[0] = '\0';
    core_log_set(keep_log, NULL, OCLM_LOG_WARNING);
    if ((status = model_config_read(f->path, &b->family, &b->architecture, &dtype)) == OCLM_OK &&
        (status = ckpt_open(f->path, NULL, &b->checkpoint)) == OCLM_OK)
        status = model_bind(b->family, &b->architecture, b->checkpoint, &b->binding);
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
    return status;
}

static void unbind(bound_folder *b) { ckpt_close(b->checkpoint); }

static void a_complete_model_is_bound(void **state)
{
    folder       f;
    bound_folder b;
    (void)state;
    folder_new_llama(&f, CORE_F32);
    assert_ok(bind(&f, &b));
    assert_false(b.binding.tied);
    assert_int_equal(b.binding.parameters, FOLDER_LLAMA_PARAMETERS);
    assert_int_equal(b.binding.bytes, 4 * FOLDER_LLAMA_PARAMETERS);
    assert_string_equal(model_bound_tensor(&b.binding, MODEL_DOWN_BIAS, 1).tensor->name, "model.layers.1.mlp.down_proj.bias");
    assert_null(model_bound_tensor(&b.binding, MODEL_QKV, 0).tensor);
    assert_string_equal(log_text, "");
    unbind(&b);
    folder_free(&f);
}

/* A file of the base model, as openai-community/gpt2: no "transformer." and no head. Linear layers lie [inputs][outputs]. */
#define GPT2_CONFIG "{\"model_type\": \"gpt2\", \"vocab_size\": 11, \"n_embd\": 6, \"n_layer\": 1, \"n_head\": 2, \"n_positions\": 9, \"n_inner\": 5}"
static const folder_tensor gpt2_tensors[] = {
    { "wte.weight", 11, 6 }, { "wpe.weight", 9, 6 }, { "ln_f.weight", 6, 0 }, { "ln_f.bias", 6, 0 },
    { "h.0.ln_1.weight", 6, 0 }, { "h.0.ln_1.bias", 6, 0 }, { "h.0.attn.c_attn.weight", 6, 18 }, { "h.0.attn.c_attn.bias", 18, 0 },
    { "h.0.attn.c_proj.weight", 6, 6 }, { "h.0.attn.c_proj.bias", 6, 0 }, { "h.0.ln_2.weight", 6, 0 }, { "h.0.ln_2.bias", 6, 0 },
    { "h.0.mlp.c_fc.weight", 6, 5 }, { "h.0.mlp.c_fc.bias", 5, 0 }, { "h.0.mlp.c_proj.weight", 5, 6 }, { "h.0.mlp.c_proj.bias", 6, 0 },
    { "h.0.attn.bias", 9, 9 }, { "h.0.attn.masked_bias", 1, 0 },
};

static void names_without_the_base_prefix_and_old_masks_are_accepted(void **state)
{
    folder       f;
    bound_folder b;
    (void)state;
    folder_new(&f, GPT2_CONFIG);
    for (size_t i = 0; i < COUNT(gpt2_tensors); i++)
        folder_add(&f, gpt2_tensors[i].name, CORE_F32, gpt2_tensors[i].rows, gpt2_tensors[i].columns);
    folder_finish(&f);
    assert_ok(bind(&f, &b));
    assert_true(b.binding.tied);
    assert_string_equal(log_text, "");
    const model_bound qkv = model_bound_tensor(&b.binding, MODEL_QKV, 0);
    assert_string_equal(qkv.tensor->name, "h.0.attn.c_attn.weight");
    assert_true(qkv.transposed);
    unbind(&b);
    folder_free(&f);
}

/* ---- Spellings: inside a model that sees, by several releases; without prefix; norms of the first files. */

static const struct { const char *label, *prefix, *head_prefix; bool bare, old_norms; } spellings[] = {
    { "language_model.model.X", "language_model.", "language_model.", false, false },
    { "model.language_model.X", "model.language_model.", "", true, false },
    { "model.language_model.model.X", "model.language_model.", "model.language_model.", false, false },
    { "language_model.model.model.X", "language_model.model.", "language_model.", false, false },
    { "X", "", "", true, false },
    { "gamma", "", "", false, true },
};

static void spell(size_t which, const char *name, char spelt[128])
{
    static const char base[] = "model.";
    const bool  head = strncmp(name, base, strlen(base)) != 0;
    const char *rest = spellings[which].bare && !head ? name + strlen(base) : name;
    snprintf(spelt, 128, "%s%s", head ? spellings[which].head_prefix : spellings[which].prefix, rest);
    char *tail = strstr(spelt, "norm.weight");
    if (spellings[which].old_norms && tail != NULL)
        strcpy(tail, "norm.gamma");
}

static void names_are_understood_in_every_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(spellings); i++) {
        folder       f;
        bound_folder b;
        char         name[128], spelt[128];
        folder_new(&f, FOLDER_LLAMA_CONFIG_OF("1"));
        for (size_t t = 0; t < COUNT(folder_llama_outer) + COUNT(folder_llama_layer); t++) {
            const bool          outer = t < COUNT(folder_llama_outer);
            const folder_tensor *tensor = outer ? &folder_llama_outer[t] : &folder_llama_layer[t - COUNT(folder_llama_outer)];
            snprintf(name, sizeof name, "%s%s", outer ? "" : "model.layers.0.", tensor->name);
            spell(i, name, spelt);
            folder_add(&f, spelt, CORE_F32, tensor->rows, tensor->columns);
        }
        folder_finish(&f);
        if (bind(&f, &b) != OCLM_OK)
            fail_msg("%s: %s", spellings[i].label, oclm_last_error());
        if (log_text[0] != '\0')
            fail_msg("%s: the log says \"%s\"", spellings[i].label, log_text);
        unbind(&b);
        folder_free(&f);
    }
}

static void a_missing_tensor_is_named(void **state)
{
    static const char *const names[] = {
        "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight", "model.layers.1.self_attn.k_proj.weight",
        "model.layers.0.self_attn.o_proj.bias", "model.layers.1.mlp.gate_proj.weight", "model.layers.0.post_attention_layernorm.weight",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        folder       f;
        bound_folder b;
        folder_new(&f, FOLDER_LLAMA_CONFIG);
        folder_add_llama(&f, CORE_F32, names[i]);
        folder_finish(&f);
        const oclm_status got = bind(&f, &b);
        if (got != OCLM_ERR_FORMAT || strstr(oclm_last_error(), names[i]) == NULL || strstr(oclm_last_error(), " 1 tensor missing") == NULL)
            fail_msg("without %s: %s: %s", names[i], oclm_status_name(got), oclm_last_error());
        unbind(&b);
        folder_free(&f);
    }
}

static void of_many_missing_tensors_the_first_are_named_and_the_rest_counted(void **state)
{
    folder       f;
    bound_folder b;
    (void)state;
    folder_new(&f, "{\"model_type\": \"llama\", \"vocab_size\": 8, \"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 1000}");
    folder_add(&f, "model.embed_tokens.weight", CORE_F32, 8, 8);
    folder_finish(&f);
    assert_status(bind(&f, &b), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "9002 tensors"));
    assert_non_null(strstr(oclm_last_error(), "model.norm.weight, lm_head.weight, model.layers.0.input_layernorm.weight"));
    assert_non_null(strstr(oclm_last_error(), "and 8994 more"));
    unbind(&b);
    folder_free(&f);
}

/* One tensor with another shape or type than it should have. */
static const struct { const char *label, *name; core_dtype dtype; size_t rows, columns; oclm_status want; const char *says; } bent[] = {
    { "too many rows", "lm_head.weight", CORE_F32, 71, 36, OCLM_ERR_FORMAT, "lm_head.weight is [71, 36], not [70, 36]" },
    { "lying down", "model.layers.0.self_attn.o_proj.weight", CORE_F32, 30, 36, OCLM_ERR_FORMAT, "is [30, 36], not [36, 30]" },
    { "a vector for a matrix", "model.layers.1.mlp.up_proj.weight", CORE_F32, 1584, 0, OCLM_ERR_FORMAT, "is [1584], not [44, 36]" },
    { "a matrix for a vector", "model.norm.weight", CORE_F32, 36, 1, OCLM_ERR_FORMAT, "is [36, 1], not [36]" },
    { "whole numbers", "model.layers.0.mlp.gate_proj.weight", CORE_I32, 44, 36, OCLM_ERR_UNSUPPORTED, "gate_proj.weight I32" },
    { "float64", "model.norm.weight", CORE_F64, 36, 0, OCLM_ERR_UNSUPPORTED, "model.norm.weight F64" },
};

static void a_wrong_shape_or_type_is_told_with_what_it_should_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bent); i++) {
        folder       f;
        bound_folder b;
        folder_new(&f, FOLDER_LLAMA_CONFIG);
        folder_add_llama(&f, CORE_F32, bent[i].name);
        folder_add(&f, bent[i].name, bent[i].dtype, bent[i].rows, bent[i].columns);
        folder_finish(&f);
        const oclm_status got = bind(&f, &b);
        if (got != bent[i].want || strstr(oclm_last_error(), bent[i].says) == NULL)
            fail_msg("%s: %s: %s", bent[i].label, oclm_status_name(got), oclm_last_error());
        unbind(&b);
        folder_free(&f);
    }
}

static const struct { const char *name; bool known; } extra[] = {
    { "model.layers.0.self_attn.rotary_emb.inv_freq", true },
    { "model.rotary_emb.inv_freq", true },
    { "model.layers.2.mlp.up_proj.weight", false },      /* there are layers 0 and 1 */
    { "model.layers.01.mlp.up_proj.weight", false },
    { "model.layers.99999999999999999999.mlp.up_proj.weight", false },
    { "model.layers.x.mlp.up_proj.weight", false },
    { "model.layers.0.mlp.up_proj.weight_scale", false },
    { "embed_tokens.weight", true },                      /* the name without prefix is known, though not used */
    { "vision_tower.encoder.layers.0.weight", true },      /* what sees and hears, and what guesses further */
    { "model.visual.blocks.0.weight", true },
    { "mtp.layers.0.weight", true },
    { "vision_towers.weight", false },                     /* whole parts of names only */
    { "model.layers.0.visual.weight", false },
    { "language_model.model.norm.weight", true },          /* another spelling of what is there */
    { "model.norm.gamma", true },
};

static void surplus_tensors_are_a_warning_naming_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(extra); i++) {
        folder       f;
        bound_folder b;
        folder_new(&f, FOLDER_LLAMA_CONFIG);
        folder_add_llama(&f, CORE_F32, NULL);
        folder_add(&f, extra[i].name, CORE_I64, 3, 0);
        folder_finish(&f);
        assert_ok(bind(&f, &b));
        if ((strstr(log_text, extra[i].name) == NULL) != extra[i].known)
            fail_msg("%s: the log says \"%s\"", extra[i].name, log_text);
        unbind(&b);
        folder_free(&f);
    }
}

/* ---- Tied heads: one table, which the file may hold under either name, or twice. */

#define TIED_CONFIG                                                                                                               \
    "{\"model_type\": \"llama\", \"vocab_size\": 70, \"hidden_size\": 36, \"intermediate_size\": 44, \"num_hidden_layers\": 2, "     \
    "\"num_attention_heads\": 3, \"num_key_value_heads\": 1, \"head_dim\": 10, \"attention_bias\": true, \"mlp_bias\": true, "      \
    "\"tie_word_embeddings\": true}"

static void only_one_table_serves_both_under_either_name(void **state)
{
    static const char *const names[] = { "model.embed_tokens.weight", "lm_head.weight" };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        folder       f;
        bound_folder b;
        folder_new(&f, TIED_CONFIG);
        folder_add_llama(&f, CORE_F32, names[1 - i]);
        folder_finish(&f);
        assert_ok(bind(&f, &b));
        assert_true(b.binding.tied);
        assert_int_equal(b.binding.parameters, FOLDER_LLAMA_PARAMETERS - 70 * 36);
        assert_string_equal(model_bound_tensor(&b.binding, MODEL_EMBEDDING, 0).tensor->name, names[i]);
        assert_string_equal(log_text, "");
        unbind(&b);
        folder_free(&f);
    }
}

static void two_tables_are_tied_only_if_they_are_equal(void **state)
{
    folder       f;
    bound_folder b;
    (void)state;
    folder_new(&f, TIED_CONFIG);
    folder_add_llama(&f, CORE_F32, NULL); /* folder_value() gives both names other numbers */
    folder_finish(&f);
    assert_ok(bind(&f, &b));
    assert_false(b.binding.tied);
    assert_int_equal(b.binding.parameters, FOLDER_LLAMA_PARAMETERS);
    assert_non_null(strstr(log_text, "lm_head.weight"));
    unbind(&b);

    const size_t table = 70 * 36 * sizeof(float); /* embedding, norm, head is the order in the file */
    memcpy(f.data.data + table + 36 * sizeof(float), f.data.data, table);
    f.header.length = strlen(f.header.data);
    while (f.header.data[f.header.length - 1] != ']') /* takes the end off again, for folder_finish() */
        f.header.length--;
    assert_ok(core_text_add_char(&f.header, '}'));
    folder_finish(&f);
    assert_ok(bind(&f, &b));
    assert_true(b.binding.tied);
    assert_int_equal(b.binding.parameters, FOLDER_LLAMA_PARAMETERS - 70 * 36);
    assert_string_equal(log_text, "");
    unbind(&b);
    folder_free(&f);
}

static void without_either_table_both_names_are_understood(void **state)
{
    folder       f;
    bound_folder b;
    (void)state;
    folder_new(&f, TIED_CONFIG);
    folder_add(&f, "model.norm.weight", CORE_F32, 36, 0);
    folder_finish(&f);
    assert_status(bind(&f, &b), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "model.embed_tokens.weight"));
    unbind(&b);
    folder_free(&f);
}

static void a_failing_allocation_is_told_and_nothing_leaks(void **state)
{
    folder      f;
    oclm_status status = OCLM_ERR_MEMORY;
    (void)state;
    folder_new(&f, FOLDER_LLAMA_CONFIG);
    folder_add_llama(&f, CORE_F32, "lm_head.weight");
    folder_add(&f, "lm_head.weight", CORE_F32, 1, 1);
    folder_add(&f, "something.else", CORE_F32, 1, 1);
    folder_finish(&f);
    for (size_t n = 1; status == OCLM_ERR_MEMORY; n++) {
        bound_folder b;
        const size_t live = core_memory_live();
        core_memory_fail_at(n, true);
        status = bind(&f, &b);
        core_memory_fail_at(0, false);
        unbind(&b);
        assert_int_equal(core_memory_live(), live);
        assert_in_range(n, 1, 10000);
    }
    assert_int_equal(status, OCLM_ERR_FORMAT);
    folder_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_model_is_bound),
        cmocka_unit_test(names_without_the_base_prefix_and_old_masks_are_accepted),
        cmocka_unit_test(names_are_understood_in_every_spelling),
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(of_many_missing_tensors_the_first_are_named_and_the_rest_counted),
        cmocka_unit_test(a_wrong_shape_or_type_is_told_with_what_it_should_be),
        cmocka_unit_test(surplus_tensors_are_a_warning_naming_them),
        cmocka_unit_test(only_one_table_serves_both_under_either_name),
        cmocka_unit_test(two_tables_are_tied_only_if_they_are_equal),
        cmocka_unit_test(without_either_table_both_names_are_understood),
        cmocka_unit_test(a_failing_allocation_is_told_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
