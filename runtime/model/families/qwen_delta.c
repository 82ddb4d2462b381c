/* qwen_delta.c: Qwen3-Next and Qwen3.5: three of four layers are gated delta nets, the fourth is attention with a gate on what it makes. */
#include "model/standard.h"

#define NAMES_DELTA                                                                                                    \
    { MODEL_CONV, NAMES_LAYER "linear_attn.conv1d.weight", false }, { MODEL_DELTA_A_LOG, NAMES_LAYER "linear_attn.A_log", false }, \
    { MODEL_DELTA_DT, NAMES_LAYER "linear_attn.dt_bias", false }, { MODEL_DELTA_NORM, NAMES_LAYER "linear_attn.norm.weight", false }, \
    { MODEL_MIX_OUT, NAMES_LAYER "linear_attn.out_proj.weight", false }
#define NAMES_SHARED NAMES_SHARED_EXPERT("shared_expert"), { MODEL_SHARED_GATE, NAMES_LAYER "mlp.shared_expert_gate.weight", false }
#define NAMES_DELTA_APART                                                                                              \
    { MODEL_MIX_QKV, NAMES_LAYER "linear_attn.in_proj_qkv.weight", false }, { MODEL_MIX_Z, NAMES_LAYER "linear_attn.in_proj_z.weight", false }, \
    { MODEL_MIX_B, NAMES_LAYER "linear_attn.in_proj_b.weight", false }, { MODEL_MIX_A, NAMES_LAYER "linear_attn.in_proj_a.weight", false }

static const model_tensor_name next_names[] = {
    NAMES_LLAMA, NAMES_DELTA, NAMES_QWEN_EXPERTS, NAMES_SHARED,
    { MODEL_MIX_QKVZ, NAMES_LAYER "linear_attn.in_proj_qkvz.weight", false }, { MODEL_MIX_BA, NAMES_LAYER "linear_attn.in_proj_ba.weight", false },
};
static const model_tensor_name dense_names[] = { NAMES_LLAMA, NAMES_DELTA, NAMES_DELTA_APART };
static const model_tensor_name moe_names[] = { NAMES_LLAMA, NAMES_DELTA, NAMES_DELTA_APART, NAMES_QWEN_EXPERTS, NAMES_SHARED };

#define QWEN_DELTA                                                                                                     \
    .norm = DEV_NORM_RMS1P, .eps_key = "rms_norm_eps", .eps = 1e-6f, .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true

static const family_standard qwen3_next = {
    .sizes = { .vocab_size = 151936, .hidden_size = 2048, .intermediate_size = 5632, .layers = 48, .heads = 16, .kv_heads = 2, .head_dim = 256,
               .max_position_embeddings = 32768 },
    QWEN_DELTA,
};
static const family_standard qwen3_5 = {
    .sizes = { .vocab_size = 248320, .hidden_size = 4096, .intermediate_size = 12288, .layers = 32, .heads = 16, .kv_heads = 4, .head_dim = 256,
               .max_position_embeddings = 32768 },
    QWEN_DELTA,
};
static const family_standard qwen3_5_moe = {
    .sizes = { .vocab_size = 248320, .hidden_size = 2048, .layers = 40, .heads = 16, .kv_heads = 2, .head_dim = 256,
               .max_position_embeddings = 32768 },
    QWEN_DELTA,
};

/* Without layer_types, every full_attention_interval-th layer is attention. */
static oclm_status read_layer_kinds(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    interval = 4;
    oclm_status status;
    if (core_json_member(config, "layer_types") != NULL)
        return model_read_windows(config, origin, 0, 1, a);
    status = model_read_size(config, "full_attention_interval", NULL, origin, MODEL_MAX_LAYERS, &interval);
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].mixer = (i + 1) % interval == 0 ? MODEL_MIXER_ATTENTION : MODEL_MIXER_DELTA_NET;
    return status;
}

static oclm_status read_delta_net(const cJSON *config, const char *origin, model_delta_net *d)
{
    oclm_status status;
    *d = (model_delta_net){ .taps = 4, .key_heads = 16, .value_heads = 32, .key_dim = 128, .value_dim = 128 };
    if ((status = model_read_size(config, "linear_conv_kernel_dim", NULL, origin, MODEL_MAX_TAPS, &d->taps)) != OCLM_OK ||
        (status = model_read_size(config, "linear_num_key_heads", NULL, origin, MODEL_MAX_WIDTH, &d->key_heads)) != OCLM_OK ||
        (status = model_read_size(config, "linear_num_value_heads", NULL, origin, MODEL_MAX_WIDTH, &d->value_heads)) != OCLM_OK ||
        (status = model_read_size(config, "linear_key_head_dim", NULL, origin, MODEL_MAX_WIDTH, &d->key_dim)) != OCLM_OK)
        return status;
    return model_read_size(config, "linear_value_head_dim", NULL, origin, MODEL_MAX_WIDTH, &d->value_dim);
}

static oclm_status read_any(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    static const model_rope_defaults rope = { .theta = 10000.0, .partial = 0.25 };
    oclm_status status;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = read_delta_net(config, origin, &a->delta_net)) != OCLM_OK || (status = read_layer_kinds(config, origin, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    a->attention_gate = true;
    a->position = MODEL_POSITION_ROPE;
    return model_read_rope(config, origin, &rope, a);
}

static oclm_status read_moe(const cJSON *config, const char *origin, const model_expert_defaults *defaults, model_architecture *a)
{
    a->experts.shared_gate = true;
    a->experts.shared_width = 512;
    const oclm_status status = model_read_experts(config, origin, defaults, a);
    return status == OCLM_OK
               ? model_read_size(config, "shared_expert_intermediate_size", NULL, origin, MODEL_MAX_WIDTH, &a->experts.shared_width) : status;
}

static oclm_status read_qwen3_next(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 512, .chosen = 10, .width_key = "moe_intermediate_size", .width = 512,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    oclm_status status;
    if ((status = read_any(config, origin, &qwen3_next, a)) != OCLM_OK || (status = read_moe(config, origin, &experts, a)) != OCLM_OK)
        return status;
    return model_read_dense_layers(config, origin, a);
}

static oclm_status read_qwen3_5(const cJSON *config, const char *origin, model_architecture *a) { return read_any(config, origin, &qwen3_5, a); }

static oclm_status read_qwen3_5_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 256, .chosen = 8, .width_key = "moe_intermediate_size", .width = 512,
                                                   .normalised = true };
    const oclm_status status = read_any(config, origin, &qwen3_5_moe, a);
    return status == OCLM_OK ? read_moe(config, origin, &experts, a) : status;
}

#define ENTRY(type, class, table, reader)                                                                              \
    { .model_type = type, .class_name = class, .base_prefix = "model.", .names = table, .name_count = COUNT(table), \
      .read_config = reader }

const model_family model_families_qwen_delta[] = {
    ENTRY("qwen3_next", "Qwen3NextForCausalLM", next_names, read_qwen3_next),
    ENTRY("qwen3_5_text", "Qwen3_5ForCausalLM", dense_names, read_qwen3_5),
    ENTRY("qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", moe_names, read_qwen3_5_moe),
    { 0 },
};
