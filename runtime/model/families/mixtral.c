/* mixtral.c: Mixtral: Mistral with eight experts in place of the MLP. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_LLAMA,
    { MODEL_ROUTER, NAMES_LAYER "block_sparse_moe.gate.weight", false },
    { MODEL_ROUTER, NAMES_LAYER "mlp.gate.weight", false },
    NAMES_EXPERTS("w1", "w3", "w2", NAMES_LAYER "block_sparse_moe.experts"),
};

static const model_rope_defaults rope = { .theta = 1000000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 14336, .layers = 32, .heads = 32, .kv_heads = 8,
               .max_position_embeddings = 4096 * 32 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-5f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

/* What the chosen count always sums up to 1. One window for all layers, where there is one. */
static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 8, .chosen = 2, .normalised = true };
    uint32_t    window = 0;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    return model_read_experts(config, origin, &experts, a);
}

const model_family model_families_mixtral[] = {
    { .model_type = "mixtral", .class_name = "MixtralForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
