/* stablelm.c: StableLM: llama with LayerNorm and a quarter of a head turned; larger ones with a norm for each head, or attention and
 * MLP side by side behind one norm. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_TOP,
    NAMES_INPUT_NORM,
    NAMES_LINEAR(MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm"),
    NAMES_ATTENTION,
    { MODEL_Q_NORM, NAMES_LAYER "self_attn.q_layernorm.norms.{h}.weight", false },
    { MODEL_K_NORM, NAMES_LAYER "self_attn.k_layernorm.norms.{h}.weight", false },
    NAMES_MLP,
};

static const model_rope_defaults quarter = { .theta = 10000.0, .partial = 0.25 };

static const family_standard standard = {
    .sizes = { .vocab_size = 50304, .hidden_size = 2560, .intermediate_size = 6912, .layers = 32, .heads = 32, .kv_heads = 32,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &quarter,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        qk_norm = false, parallel = false;
    oclm_status status;
    a->eos_token_count = 1; /* id 0 */
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_qkv_bias", origin, &a->qkv_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "qk_layernorm", origin, &qk_norm)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_parallel_residual", origin, &parallel)) != OCLM_OK)
        return status;
    a->residual = parallel ? MODEL_RESIDUAL_PARALLEL_ONE : MODEL_RESIDUAL_PRE;
    a->qk_norm = qk_norm ? MODEL_QK_NORM_HEADS : MODEL_QK_NORM_NONE;
    a->qk_norm_shape = (model_norm_shape){ .kind = DEV_NORM_LAYER, .eps = a->norm.eps };
    return OCLM_OK;
}

const model_family model_families_stablelm[] = {
    { .model_type = "stablelm", .class_name = "StableLmForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
