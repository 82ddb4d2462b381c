/* deepseek.c: DeepSeek V2 and V3: latent attention, many narrow experts in groups beside some that every token has, a few dense layers first. */
#include <math.h>
#include <string.h>

#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_TOP,
    NAMES_INPUT_NORM,
    { MODEL_Q, NAMES_LAYER "self_attn.q_proj.weight", false },
    NAMES_LINEAR(MODEL_Q_A, NAMES_LAYER "self_attn.q_a_proj"),
    { MODEL_Q_A_NORM, NAMES_LAYER "self_attn.q_a_layernorm.weight", false },
    { MODEL_Q_B, NAMES_LAYER "self_attn.q_b_proj.weight", false },
    NAMES_LINEAR(MODEL_KV_A, NAMES_LAYER "self_attn.kv_a_proj_with_mqa"),
    { MODEL_KV_A_NORM, NAMES_LAYER "self_attn.kv_a_layernorm.weight", false },
    { MODEL_KV_B, NAMES_LAYER "self_attn.kv_b_proj.weight", false },
    NAMES_LINEAR(MODEL_O, NAMES_LAYER "self_attn.o_proj"),
    { MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm.weight", false },
    NAMES_MLP,
    NAMES_DEEPSEEK_EXPERTS,
};

/* The layer that predicts a second token. */
static const char *const ignored[] = { "model.layers.61.*" };

static const family_standard v2 = {
    .sizes = { .vocab_size = 102400, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
};

static const family_standard v3 = {
    .sizes = { .vocab_size = 129280, .hidden_size = 7168, .intermediate_size = 18432, .layers = 61, .heads = 128,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 1 },
};

/* The norms of latent vectors keep their class default, whatever rms_norm_eps says. */
static oclm_status read_latent(const cJSON *config, const char *origin, model_architecture *a)
{
    model_latent *m = &a->latent;
    oclm_status   status;
    *m = (model_latent){ .kv_rank = 512, .q_rank = 1536, .nope_dim = 128, .rope_dim = 64, .value_dim = 128,
                         .norm = { .kind = DEV_NORM_RMS, .eps = 1e-6f } };
    if ((status = model_read_size(config, "kv_lora_rank", NULL, origin, MODEL_MAX_WIDTH, &m->kv_rank)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "q_lora_rank", origin, MODEL_MAX_WIDTH, &m->q_rank)) != OCLM_OK ||
        (status = model_read_size(config, "qk_nope_head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &m->nope_dim)) != OCLM_OK ||
        (status = model_read_size(config, "qk_rope_head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &m->rope_dim)) != OCLM_OK ||
        (status = model_read_size(config, "v_head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &m->value_dim)) != OCLM_OK)
        return status;
    a->head_dim = m->nope_dim + m->rope_dim;
    a->kv_heads = a->heads;
    if (m->value_dim > a->head_dim)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"v_head_dim\" is %u; more than the %u of \"qk_nope_head_dim\" and \"qk_rope_head_dim\" "
                         "together are not supported", origin, m->value_dim, a->head_dim);
    return OCLM_OK;
}

/* Scores grow with yarn's mscale_all_dim, squared: once for queries and once for keys. */
static oclm_status read_positions(const cJSON *config, const char *origin, bool interleaved, model_architecture *a)
{
    const model_rope_defaults defaults = { .theta = 10000.0, .dims = a->latent.rope_dim, .interleaved = interleaved };
    const model_rope         *rope = &a->ropes[0];
    a->position = MODEL_POSITION_ROPE;
    const oclm_status status = model_read_rope(config, origin, &defaults, a);
    const double      growth = rope->mscale_all_dim > 0.0 && rope->factor > 1.0 ? 0.1 * rope->mscale_all_dim * log(rope->factor) + 1.0 : 1.0;
    a->attention_scale = (float)(growth * growth / sqrt((double)a->head_dim));
    return status;
}

static oclm_status read_v2(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 64, .chosen = 8, .width_key = "moe_intermediate_size", .width = 1407 };
    const char *method = "greedy";
    oclm_status status;
    a->experts.routing.scale = 1.0f;
    if ((status = family_read_llama(config, origin, &v2, a)) != OCLM_OK ||
        (status = read_latent(config, origin, a)) != OCLM_OK || (status = read_positions(config, origin, true, a)) != OCLM_OK ||
        (status = model_read_grouped_experts(config, origin, &experts, 2, 0, a)) != OCLM_OK ||
        (status = core_json_get_string(config, "topk_method", origin, &method)) != OCLM_OK)
        return status;
    if (strcmp(method, "greedy") == 0)
        a->experts.routing.groups = 0;
    else if (strcmp(method, "group_limited_greedy") != 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"topk_method\" is \"%.60s\"; supported are greedy, group_limited_greedy", origin, method);
    return OCLM_OK;
}

static oclm_status read_v3(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 256, .chosen = 8, .width_key = "moe_intermediate_size", .width = 2048,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    bool        interleaved = true;
    oclm_status status;
    a->experts.correction = true;
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .groups = 8, .groups_chosen = 4, .group_sum = true, .eps = 1e-20f,
                                        .scale = 2.5f };
    if ((status = family_read_standard(config, origin, &v3, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "rope_interleave", origin, &interleaved)) != OCLM_OK ||
        (status = read_latent(config, origin, a)) != OCLM_OK || (status = read_positions(config, origin, interleaved, a)) != OCLM_OK)
        return status;
    return model_read_grouped_experts(config, origin, &experts, 1, 3, a);
}

const model_family model_families_deepseek[] = {
    { .model_type = "deepseek_v2", .class_name = "DeepseekV2ForCausalLM", .base_prefix = "model.", NAMES_TABLES, .read_config = read_v2 },
    { .model_type = "deepseek_v3", .class_name = "DeepseekV3ForCausalLM",
      .limits = "weights in FP8 are not read; files in bfloat16 are", .base_prefix = "model.", NAMES_TABLES, .read_config = read_v3 },
    { 0 },
};
