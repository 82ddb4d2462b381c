/* minimax.c: MiniMax M2: experts chosen by corrected sigmoids, queries and keys each normalised as one row, half of each head turned. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_LLAMA,
    { MODEL_ROUTER, NAMES_LAYER "block_sparse_moe.gate.weight", false },
    { MODEL_ROUTER, NAMES_LAYER "mlp.gate.weight", false },
    { MODEL_ROUTER_CORRECTION, NAMES_LAYER "block_sparse_moe.e_score_correction_bias", false },
    { MODEL_ROUTER_CORRECTION, NAMES_LAYER "mlp.e_score_correction_bias", false },
    NAMES_EXPERTS("w1", "w3", "w2", NAMES_LAYER "block_sparse_moe.experts"),
};

static const family_standard standard = {
    .sizes = { .vocab_size = 200064, .hidden_size = 3072, .intermediate_size = 1536, .layers = 62, .heads = 48, .kv_heads = 8,
               .head_dim = 128, .max_position_embeddings = 196608 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 200020 },
};

/* First releases give the rotary dimensions themselves. */
static oclm_status read_rope(const cJSON *config, const char *origin, model_architecture *a)
{
    model_rope_defaults rope = { .theta = 5000000.0, .partial = 1.0 };
    const oclm_status   status = core_json_get_u32(config, "rotary_dim", origin, 1, a->head_dim, &rope.dims);
    return status == OCLM_OK ? model_read_rope(config, origin, &rope, a) : status;
}

static oclm_status read_minimax_m2(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 256, .chosen = 8, .normalised = true };
    oclm_status status;
    a->experts.correction = true;
    a->experts.routing.router = DEV_ROUTER_SIGMOID;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK || (status = read_rope(config, origin, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_ALL;
    a->qk_norm_shape = a->norm;
    return model_read_experts(config, origin, &experts, a);
}

const model_family model_families_minimax[] = {
    { .model_type = "minimax_m2", .class_name = "MiniMaxM2ForCausalLM", .limits = "weights in FP8 are not read; files in bfloat16 are",
      .base_prefix = "model.", NAMES_ONLY, .read_config = read_minimax_m2 },
    { 0 },
};
