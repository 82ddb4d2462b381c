/* granite.c: Granite (llama with a factor each for embeddings, scores, what branches add, and logits) and GraniteMoE (the same with experts). */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };
static const model_tensor_name moe_names[] = {
    NAMES_LLAMA,
    { MODEL_ROUTER, NAMES_LAYER "block_sparse_moe.router.layer.weight", false },
    { MODEL_ROUTER, NAMES_LAYER "block_sparse_moe.router.weight", false },
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "block_sparse_moe.input_linear.weight", false },
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "block_sparse_moe.experts.gate_up_proj", false },
    { MODEL_EXPERTS_DOWN, NAMES_LAYER "block_sparse_moe.output_linear.weight", false },
    { MODEL_EXPERTS_DOWN, NAMES_LAYER "block_sparse_moe.experts.down_proj", false },
};

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

/* attention_multiplier is the factor itself, no root of anything, and 1 where it is missing; logits are divided by theirs. */
static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    double      divisor = 1.0;
    oclm_status status;
    if ((status = family_read_llama(config, origin, &standard, a)) != OCLM_OK)
        return status;
    a->attention_scale = 1.0f;
    if ((status = model_read_number(config, "attention_multiplier", origin, &a->attention_scale)) != OCLM_OK ||
        (status = model_read_number(config, "embedding_multiplier", origin, &a->embedding_scale)) != OCLM_OK ||
        (status = model_read_number(config, "residual_multiplier", origin, &a->residual_scale)) != OCLM_OK ||
        (status = model_read_positive(config, "logits_scaling", origin, &divisor)) != OCLM_OK)
        return status;
    a->logits_scale = (float)(1.0 / divisor);
    return OCLM_OK;
}

/* The largest logits of the router choose, and a softmax over those says what each counts. */
static oclm_status read_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 8, .chosen = 2 };
    const oclm_status status = read_config(config, origin, a);
    a->experts.routing.router = DEV_ROUTER_TOP;
    a->mlp_bias = false;
    return status == OCLM_OK ? model_read_experts(config, origin, &experts, a) : status;
}

const model_family model_families_granite[] = {
    { .model_type = "granite", .class_name = "GraniteForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { .model_type = "granitemoe", .class_name = "GraniteMoeForCausalLM", .base_prefix = "model.", .names = moe_names,
      .name_count = COUNT(moe_names), .read_config = read_moe },
    { 0 },
};
