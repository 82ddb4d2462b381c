/* falcon.c: Falcon's three generations: 7b (one key and value head, attention and MLP side by side behind one norm), 40b and later
 * (groups, a norm for each) and the "rw" models (one after the other, ALiBi). Falcon 3 is a llama. */
#include "model/standard.h"

#define LAYER "transformer.h.{i}."

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "transformer.word_embeddings.weight", false },
    NAMES_LINEAR(MODEL_FINAL_NORM, "transformer.ln_f"),
    { MODEL_HEAD, "lm_head.weight", false },
    NAMES_LINEAR(MODEL_ATTENTION_NORM, LAYER "input_layernorm"),
    NAMES_LINEAR(MODEL_ATTENTION_NORM, LAYER "ln_attn"),
    NAMES_LINEAR(MODEL_QKV, LAYER "self_attention.query_key_value"),
    NAMES_LINEAR(MODEL_O, LAYER "self_attention.dense"),
    NAMES_LINEAR(MODEL_MLP_NORM, LAYER "post_attention_layernorm"),
    NAMES_LINEAR(MODEL_MLP_NORM, LAYER "ln_mlp"),
    NAMES_LINEAR(MODEL_UP, LAYER "mlp.dense_h_to_4h"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.dense_4h_to_h"),
};

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 65024, .hidden_size = 4544, .layers = 32, .heads = 71, .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation_key = "activation", .activation = DEV_ACT_GELU,
    .tied_head = true, .eos_token_ids = { 11 },
};

typedef struct generation {
    bool     grouped; /* new_decoder_architecture */
    bool     multi_query, parallel, alibi, bias;
    uint32_t norms;   /* num_ln_in_parallel_attn; 0: not said */
} generation;

static oclm_status read_generation(const cJSON *config, const char *origin, generation *g)
{
    oclm_status status;
    if ((status = core_json_get_bool(config, "new_decoder_architecture", origin, &g->grouped)) != OCLM_OK ||
        (status = core_json_get_bool(config, "multi_query", origin, &g->multi_query)) != OCLM_OK ||
        (status = core_json_get_bool(config, "parallel_attn", origin, &g->parallel)) != OCLM_OK ||
        (status = core_json_get_bool(config, "alibi", origin, &g->alibi)) != OCLM_OK ||
        (status = core_json_get_bool(config, "bias", origin, &g->bias)) != OCLM_OK ||
        (status = core_json_get_u32(config, "num_ln_in_parallel_attn", origin, 1, 2, &g->norms)) != OCLM_OK)
        return status;
    if (g->grouped && !g->parallel)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"parallel_attn\" is false with \"new_decoder_architecture\": no such model works in "
                         "transformers either", origin);
    return OCLM_OK;
}

/* Keys and values, and how the fused tensor holds them. num_kv_heads counts in the grouped form only. */
static void set_heads(const generation *g, model_architecture *a)
{
    if (!g->grouped)
        a->kv_heads = g->multi_query ? 1 : a->heads;
    a->qkv_layout.blocks = a->kv_heads;
}

static oclm_status read(const cJSON *config, const char *origin, generation g, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = read_generation(config, origin, &g)) != OCLM_OK)
        return status;
    set_heads(&g, a);
    a->qkv_bias = a->output_bias = a->mlp_bias = g.bias;
    a->residual = !g.parallel ? MODEL_RESIDUAL_PRE : g.grouped && g.norms != 1 ? MODEL_RESIDUAL_PARALLEL : MODEL_RESIDUAL_PARALLEL_ONE;
    a->alibi = MODEL_ALIBI_FALCON;
    a->position = g.alibi ? MODEL_POSITION_ALIBI : MODEL_POSITION_ROPE;
    return g.alibi ? OCLM_OK : model_read_rope(config, origin, &rope, a);
}

static oclm_status read_falcon(const cJSON *config, const char *origin, model_architecture *a)
{
    return read(config, origin, (generation){ .multi_query = true, .parallel = true }, a);
}

/* The 40b under the name of its first release, which has no key for its form. */
static oclm_status read_refined_web(const cJSON *config, const char *origin, model_architecture *a)
{
    return read(config, origin, (generation){ .grouped = true, .multi_query = true, .parallel = true }, a);
}

#define FALCON .class_name = "FalconForCausalLM", .base_prefix = "transformer.", NAMES_ONLY

const model_family model_families_falcon[] = {
    { .model_type = "falcon", FALCON, .read_config = read_falcon },
    { .model_type = "RefinedWebModel", FALCON, .read_config = read_falcon },
    { .model_type = "RefinedWeb", FALCON, .read_config = read_refined_web },
    { 0 },
};
