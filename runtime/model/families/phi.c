/* phi.c: Phi 1 to 2 (LayerNorm, attention and MLP side by side, half of a head turned) and Phi 3 to 4 (llama with fused products
 * and longrope). */
#include "model/standard.h"


static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "model.embed_tokens.weight", false },
    NAMES_LINEAR(MODEL_FINAL_NORM, "model.final_layernorm"),
    NAMES_LINEAR(MODEL_HEAD, "lm_head"),
    NAMES_INPUT_NORM,
    NAMES_QKV,
    NAMES_LINEAR(MODEL_Q_NORM, NAMES_LAYER "self_attn.q_layernorm"),
    NAMES_LINEAR(MODEL_K_NORM, NAMES_LAYER "self_attn.k_layernorm"),
    NAMES_LINEAR(MODEL_O, NAMES_LAYER "self_attn.dense"),
    NAMES_LINEAR(MODEL_UP, NAMES_LAYER "mlp.fc1"),
    NAMES_LINEAR(MODEL_DOWN, NAMES_LAYER "mlp.fc2"),
};

static const model_tensor_name phi3_names[] = {
    NAMES_TOP,
    NAMES_INPUT_NORM,
    NAMES_LINEAR(MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm"),
    NAMES_LINEAR(MODEL_QKV, NAMES_LAYER "self_attn.qkv_proj"),
    NAMES_LINEAR(MODEL_O, NAMES_LAYER "self_attn.o_proj"),
    NAMES_LINEAR(MODEL_GATE_UP, NAMES_LAYER "mlp.gate_up_proj"),
    NAMES_LINEAR(MODEL_DOWN, NAMES_LAYER "mlp.down_proj"),
};

static const model_rope_defaults half = { .theta = 10000.0, .partial = 0.5 };
static const model_rope_defaults longrope = { .theta = 10000.0, .partial = 1.0, .original = 4096, .yarn_is_longrope = true };

static const family_standard phi = {
    .sizes = { .vocab_size = 51200, .hidden_size = 2048, .intermediate_size = 8192, .layers = 24, .heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_GELU_TANH,
    .eos_token_ids = { 2 },
    .rope = &half,
};

static const family_standard phi3 = {
    .sizes = { .vocab_size = 32064, .hidden_size = 3072, .intermediate_size = 8192, .layers = 32, .heads = 32,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 32000 },
    .rope = &longrope,
};

static oclm_status read_phi(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        qk_norm = false;
    oclm_status status;
    a->residual = MODEL_RESIDUAL_PARALLEL_ONE;
    a->qkv_bias = a->output_bias = a->mlp_bias = a->head_bias = true;
    if ((status = family_read_standard(config, origin, &phi, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "qk_layernorm", origin, &qk_norm)) != OCLM_OK)
        return status;
    a->qk_norm = qk_norm ? MODEL_QK_NORM_HEAD : MODEL_QK_NORM_NONE;
    a->qk_norm_shape = a->norm;
    return OCLM_OK;
}

/* The pretraining length is a key of its own beside max_position_embeddings, and 4096 where it is missing. */
static oclm_status read_phi3(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 0, original = 4096;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &phi3, a)) != OCLM_OK ||
        (status = model_read_size(config, "original_max_position_embeddings", NULL, origin, MODEL_MAX_POSITIONS, &original)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    a->ropes[0].original_max_position_embeddings = original;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    return OCLM_OK;
}

const model_family model_families_phi[] = {
    { .model_type = "phi", .class_name = "PhiForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_phi },
    { .model_type = "phi3", .class_name = "Phi3ForCausalLM", .base_prefix = "model.", .names = phi3_names, .name_count = COUNT(phi3_names),
      .read_config = read_phi3 },
    { 0 },
};
