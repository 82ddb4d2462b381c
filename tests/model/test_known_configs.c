/* test_known_configs.c: config.json of models that people download is read as transformers reads it (golden/known_configs.json): sizes,
 * windows, rotary positions, and through the number of parameters which tensors there are. */
#include "model/folders.h"

#include <math.h>

#include "core/json.h"
#include "model/binding.h"

/* Elements that a role has in one layer. */
static double elements_of(const model_architecture *a, model_role role, uint32_t layer)
{
    const model_role_shape shape = model_role_shape_of(a, role, layer);
    return (double)shape.rows * (shape.columns > 0 ? shape.columns : 1);
}

/* Elements of all tensors that a file of this architecture has. */
static double parameters_of(const model_family *family, const model_architecture *a)
{
    double sum = 0.0;
    bool   seen[MODEL_ROLE_COUNT] = { false };
    for (size_t i = 0; i < family->name_count; i++) {
        const model_role role = family->names[i].role;
        for (uint32_t layer = 0; layer < (role >= MODEL_FIRST_LAYER_ROLE ? a->layers : 1) && !seen[role]; layer++)
            sum += role == MODEL_HEAD && a->tied_head ? 0 : elements_of(a, role, layer);
        seen[role] = true;
    }
    for (uint32_t layer = 0; layer < a->layers && seen[MODEL_EXPERTS_GATE]; layer++) /* gate and up of experts: apart or, also named, fused */
        sum -= elements_of(a, MODEL_EXPERTS_GATE_UP, layer);
    return sum;
}

static double number(const cJSON *is, const char *key)
{
    const cJSON *item = core_json_member(is, key);
    return item == NULL ? -1.0 : cJSON_IsBool(item) ? (double)cJSON_IsTrue(item) : item->valuedouble;
}

static void compare_sizes(const char *name, const cJSON *is, const model_family *family, const model_architecture *a)
{
    const struct { const char *key; double got; } rows[] = {
        { "hidden_size", a->hidden_size }, { "layers", a->layers }, { "heads", a->heads }, { "kv_heads", a->kv_heads },
        { "head_dim", a->head_dim }, { "intermediate_size", a->intermediate_size }, { "vocab_size", a->vocab_size },
        { "positions", a->max_position_embeddings }, { "tied", a->tied_head }, { "parameters", parameters_of(family, a) },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const double want = number(is, rows[i].key);
        if (want != rows[i].got && !(want == -1.0 && strcmp(rows[i].key, "positions") == 0)) /* BLOOM has no length */
            fail_msg("%s: %s is %.17g, want %.17g", name, rows[i].key, rows[i].got, want);
    }
    const double eps = number(is, "eps") == -1.0 ? 1e-5 : number(is, "eps"); /* some classes have no key for it */
    if (fabs((double)a->norm.eps - eps) > 1e-7 * eps)
        fail_msg("%s: eps is %g, want %g", name, (double)a->norm.eps, eps);
}

static void compare_eos(const char *name, const cJSON *is, const model_architecture *a)
{
    uint32_t i = 0;
    for (const cJSON *id = core_json_member(is, "eos")->child; id != NULL; id = id->next) {
        if (cJSON_IsNull(id))
            continue;
        if (i >= a->eos_token_count || a->eos_token_ids[i] != (int32_t)id->valuedouble)
            fail_msg("%s: end-of-sequence id %u is not %g", name, i, id->valuedouble);
        i++;
    }
    if (i != a->eos_token_count)
        fail_msg("%s: %u end-of-sequence ids, want %u", name, a->eos_token_count, i);
}

static void compare_windows(const char *name, const cJSON *is, const model_architecture *a)
{
    uint32_t i = 0;
    for (const cJSON *window = core_json_member(is, "windows")->child; window != NULL; window = window->next, i++) {
        if (i >= a->layers || a->layer[i].window != (uint32_t)window->valuedouble)
            fail_msg("%s: layer %u has window %u, want %g", name, i, a->layer[i].window, window->valuedouble);
    }
    assert_int_equal(i, a->layers);
}

/* [dimensions, heads of keys and values], where layers differ. */
static void compare_own_heads(const char *name, const cJSON *is, const model_architecture *a)
{
    const cJSON *own = core_json_member(is, "own_heads");
    uint32_t     i = 0;
    for (const cJSON *layer = own != NULL ? own->child : NULL; layer != NULL; layer = layer->next, i++) {
        const double head_dim = layer->child->valuedouble, kv_heads = layer->child->next->valuedouble;
        if (i >= a->layers || model_head_dim(a, i) != head_dim || model_kv_heads(a, i) != kv_heads)
            fail_msg("%s: layer %u has %u key heads of %u, want %g of %g", name, i, model_kv_heads(a, i), model_head_dim(a, i), kv_heads, head_dim);
    }
    assert_true(own == NULL || i == a->layers);
}

/* [type, theta, factor, dimensions]; a factor of null is not compared. */
static void compare_ropes(const char *name, const cJSON *is, const model_architecture *a)
{
    const model_rope *rope = a->ropes;
    for (const cJSON *set = core_json_member(is, "ropes")->child; set != NULL; set = set->next, rope++) {
        const cJSON *type = set->child, *theta = type->next, *factor = theta->next, *dims = factor->next;
        if (strcmp(model_rope_type_name(rope->type), type->valuestring) != 0 || rope->theta != theta->valuedouble ||
            (cJSON_IsNumber(factor) && rope->factor != factor->valuedouble) || rope->dims != (uint32_t)dims->valuedouble)
            fail_msg("%s: set %d is %s, theta %.17g, factor %g, %u dimensions; want %s, %.17g, %g, %g", name, (int)(rope - a->ropes),
                     model_rope_type_name(rope->type), rope->theta, rope->factor, rope->dims, type->valuestring, theta->valuedouble,
                     factor->valuedouble, dims->valuedouble);
    }
    if ((a->position == MODEL_POSITION_ROPE) != (rope != a->ropes))
        fail_msg("%s: positions of kind %d", name, (int)a->position);
}

static void known_configurations_mean_what_transformers_understands(void **state)
{
    static model_architecture a;
    cJSON                    *golden;
    size_t                    count = 0;
    (void)state;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/known_configs.json", 1u << 20, &golden));
    for (const cJSON *row = core_json_member(golden, "models")->child; row != NULL; row = row->next, count++) {
        const char         *name = core_json_member(row, "name")->valuestring;
        const cJSON        *is = core_json_member(row, "is");
        char               *text = cJSON_PrintUnformatted(core_json_member(row, "config"));
        const model_family *family;
        oclm_dtype          dtype;
        folder              f;
        assert_non_null(text);
        folder_new(&f, text);
        if (model_config_read(f.path, &family, &a, &dtype) != OCLM_OK)
            fail_msg("%s: %s", name, oclm_last_error());
        folder_free(&f);
        cJSON_free(text);
        compare_sizes(name, is, family, &a);
        compare_eos(name, is, &a);
        compare_windows(name, is, &a);
        compare_own_heads(name, is, &a);
        compare_ropes(name, is, &a);
    }
    assert_true(count > 50);
    cJSON_Delete(golden);
}

/* What no size tells. */
static void factors_orders_and_layers_that_do_not_turn_are_read(void **state)
{
    static model_architecture a;
    const model_family       *family;
    oclm_dtype                dtype;
    cJSON                    *golden;
    size_t                    seen = 0;
    (void)state;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/known_configs.json", 1u << 20, &golden));
    for (const cJSON *row = core_json_member(golden, "models")->child; row != NULL; row = row->next) {
        const char *name = core_json_member(row, "name")->valuestring;
        char       *text = cJSON_PrintUnformatted(core_json_member(row, "config"));
        folder      f;
        folder_new(&f, text);
        assert_ok(model_config_read(f.path, &family, &a, &dtype));
        folder_free(&f);
        cJSON_free(text);
        seen++;
        if (strcmp(name, "google/gemma-2-27b") == 0) {
            assert_float_equal(a.attention_scale, 1.0f / 12.0f, 1e-7f);
            assert_float_equal(a.attention_softcap, 50.0f, 0.0f);
            assert_float_equal(a.logits_softcap, 30.0f, 0.0f);
            assert_int_equal(a.residual, MODEL_RESIDUAL_SANDWICH);
            assert_true(a.embedding_scale_rounded && fabsf(a.embedding_scale - 67.8823f) < 1e-3f);
        } else if (strcmp(name, "google/gemma-2b") == 0) {
            assert_int_equal(a.activation, DEV_ACT_GELU_TANH); /* the file says "gelu" */
        } else if (strcmp(name, "google/gemma-3-4b-it") == 0) {
            assert_int_equal(a.layer[4].rope, MODEL_ROPE_SECOND);
            assert_int_equal(a.layer[5].rope, MODEL_ROPE_FIRST);
            assert_int_equal(a.qk_norm, MODEL_QK_NORM_HEAD);
        } else if (strcmp(name, "HuggingFaceTB/SmolLM3-3B") == 0) {
            assert_int_equal(a.layer[2].rope, MODEL_ROPE_FIRST);
            assert_int_equal(a.layer[3].rope, MODEL_ROPE_NONE);
        } else if (strcmp(name, "LGAI-EXAONE/EXAONE-4.0-32B") == 0 || strcmp(name, "CohereForAI/c4ai-command-r7b-12-2024") == 0) {
            assert_int_equal(a.layer[2].rope, MODEL_ROPE_FIRST);
            assert_int_equal(a.layer[3].rope, MODEL_ROPE_NONE);
        } else if (strcmp(name, "LGAI-EXAONE/EXAONE-4.0-1.2B") == 0) {
            assert_int_equal(a.layer[3].rope, MODEL_ROPE_FIRST);
        } else if (strcmp(name, "mistralai/Ministral-3-3B-Base-2512") == 0) {
            assert_true(a.query_beta == 0.1 && a.query_length == 16384);
        } else if (strcmp(name, "ibm-granite/granite-3.1-2b-base") == 0) {
            assert_true(a.attention_scale == 0.015625f && a.embedding_scale == 12.0f && a.residual_scale == 0.22f && a.logits_scale == 0.125f);
        } else if (strcmp(name, "facebook/opt-350m") == 0) {
            assert_int_equal(a.residual, MODEL_RESIDUAL_POST_SUM);
            assert_int_equal(a.embedding_size, 512);
            assert_true(a.no_final_norm);
        } else if (strcmp(name, "tiiuae/falcon-7b (first)") == 0) {
            assert_int_equal(a.residual, MODEL_RESIDUAL_PARALLEL_ONE);
            assert_int_equal(a.qkv_layout.blocks, 1);
        } else if (strcmp(name, "tiiuae/falcon-40b (first)") == 0) {
            assert_int_equal(a.residual, MODEL_RESIDUAL_PARALLEL);
            assert_int_equal(a.qkv_layout.blocks, 8);
        } else if (strcmp(name, "EleutherAI/gpt-neo-125m") == 0) {
            assert_float_equal(a.attention_scale, 1.0f, 0.0f);
        } else {
            seen--;
        }
    }
    assert_int_equal(seen, 13);
    cJSON_Delete(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_configurations_mean_what_transformers_understands),
        cmocka_unit_test(factors_orders_and_layers_that_do_not_turn_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
