/* ernie4_5.c: ERNIE 4.5: llama that turns neighbouring pairs; one flag for all biases. "ernie4_5_moe" has experts from the second layer on,
 * chosen by a corrected softmax, beside some that every token has. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_tensor_name moe_names[] = {
    NAMES_LLAMA,
    NAMES_QWEN_EXPERTS,
    NAMES_SHARED_EXPERT("shared_experts"),
    { MODEL_ROUTER_CORRECTION, NAMES_LAYER "mlp.moe_statics.e_score_correction_bias", false },
    { MODEL_ROUTER_CORRECTION, NAMES_LAYER "mlp.gate.moe_statics.e_score_correction_bias", false },
};

static const model_rope_defaults rope = { .theta = 500000.0, .interleaved = true };

static const family_standard standard = {
    .sizes = { .vocab_size = 103424, .hidden_size = 1024, .intermediate_size = 3072, .layers = 18, .heads = 16, .kv_heads = 2,
               .head_dim = 128, .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 2 },
    .rope = &rope,
};

static const family_standard moe = {
    .sizes = { .vocab_size = 103424, .hidden_size = 2560, .intermediate_size = 12288, .layers = 28, .heads = 20, .kv_heads = 4,
               .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_dense(const cJSON *config, const char *origin, const family_standard *defaults, model_architecture *a)
{
    bool        bias = false;
    oclm_status status;
    if ((status = family_read_standard(config, origin, defaults, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_bias", origin, &bias)) != OCLM_OK)
        return status;
    a->qkv_bias = a->output_bias = a->mlp_bias = bias;
    return OCLM_OK;
}

static oclm_status read_ernie4_5(const cJSON *config, const char *origin, model_architecture *a)
{
    return read_dense(config, origin, &standard, a);
}

/* Of the layers from the first to the last that is named (-1: all), every interval-th has experts. */
static oclm_status read_layers(const cJSON *config, const char *origin, model_architecture *a)
{
    const cJSON *last = core_json_member(config, "moe_layer_end_index");
    const bool   all = last == NULL || (cJSON_IsNumber(last) && last->valuedouble == -1.0);
    uint32_t     start = 1, end = a->layers - 1, interval = 1;
    oclm_status  status;
    if ((status = core_json_get_u32(config, "moe_layer_start_index", origin, 0, MODEL_MAX_LAYERS, &start)) != OCLM_OK ||
        (!all && (status = core_json_get_u32(config, "moe_layer_end_index", origin, 0, MODEL_MAX_LAYERS, &end)) != OCLM_OK) ||
        (status = model_read_size(config, "moe_layer_interval", NULL, origin, MODEL_MAX_LAYERS, &interval)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].experts = (i + 1) % interval == 0 && i >= start && i <= end;
    return OCLM_OK;
}

/* A sum below moe_norm_min, which no probabilities of a softmax come near, would be replaced by it. */
static oclm_status read_ernie4_5_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 64, .chosen = 6, .count_key = "moe_num_experts", .chosen_key = "moe_k",
                                                   .width_key = "moe_intermediate_size", .width = 1536, .normalised = true };
    uint32_t    shared = 2;
    oclm_status status;
    if ((status = read_dense(config, origin, &moe, a)) != OCLM_OK ||
        (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK ||
        (status = core_json_get_u32(config, "moe_num_shared_experts", origin, 0, DEV_MAX_EXPERTS, &shared)) != OCLM_OK)
        return status;
    if ((uint64_t)shared * a->experts.width > MODEL_MAX_WIDTH)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"moe_num_shared_experts\" %u of %u are wider than %u", origin, shared, a->experts.width,
                         MODEL_MAX_WIDTH);
    a->experts.shared_width = shared * a->experts.width;
    a->experts.correction = true;
    return read_layers(config, origin, a);
}

const model_family model_families_ernie4_5[] = {
    { .model_type = "ernie4_5", .class_name = "Ernie4_5ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_ernie4_5 },
    { .model_type = "ernie4_5_moe", .class_name = "Ernie4_5_MoeForCausalLM", .base_prefix = "model.", .names = moe_names,
      .name_count = COUNT(moe_names), .read_config = read_ernie4_5_moe },
    { 0 },
};
