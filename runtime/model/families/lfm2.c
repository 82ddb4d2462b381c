/* lfm2.c: LFM2: most layers are short convolutions between gates, some are attention; and the same with experts in all but the first
 * layers. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "model.embed_tokens.weight", false }, { MODEL_FINAL_NORM, "model.embedding_norm.weight", false },
    { MODEL_HEAD, "lm_head.weight", false },
    { MODEL_ATTENTION_NORM, NAMES_LAYER "operator_norm.weight", false }, { MODEL_MLP_NORM, NAMES_LAYER "ffn_norm.weight", false },
    NAMES_QKV, { MODEL_O, NAMES_LAYER "self_attn.out_proj.weight", false },
    { MODEL_Q_NORM, NAMES_LAYER "self_attn.q_layernorm.weight", false }, { MODEL_K_NORM, NAMES_LAYER "self_attn.k_layernorm.weight", false },
    NAMES_LINEAR(MODEL_MIX_IN, NAMES_LAYER "conv.in_proj"), NAMES_LINEAR(MODEL_CONV, NAMES_LAYER "conv.conv"),
    NAMES_LINEAR(MODEL_MIX_OUT, NAMES_LAYER "conv.out_proj"),
    { MODEL_GATE, NAMES_LAYER "feed_forward.w1.weight", false }, { MODEL_UP, NAMES_LAYER "feed_forward.w3.weight", false },
    { MODEL_DOWN, NAMES_LAYER "feed_forward.w2.weight", false },
    { MODEL_ROUTER, NAMES_LAYER "feed_forward.gate.weight", false }, { MODEL_ROUTER_CORRECTION, NAMES_LAYER "feed_forward.expert_bias", false },
    NAMES_EXPERTS("w1", "w3", "w2", NAMES_LAYER "feed_forward.experts"),
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "feed_forward.experts.gate_up_proj", false },
    { MODEL_EXPERTS_DOWN, NAMES_LAYER "feed_forward.experts.down_proj", false },
};

static const model_rope_defaults rope = { .theta = 1000000.0 };

static const family_standard lfm2 = {
    .sizes = { .vocab_size = 65536, .hidden_size = 2560, .intermediate_size = 12288, .layers = 32, .heads = 32, .kv_heads = 8,
               .max_position_embeddings = 128000 },
    .norm = DEV_NORM_RMS, .eps_key = "norm_eps", .eps = 1e-5f,
    .activation = DEV_ACT_SILU, .mlp_gated = true, .tied_head = true, .eos_token_ids = { 2 },
    .rope = &rope,
};

static const family_standard lfm2_moe = {
    .sizes = { .vocab_size = 65536, .hidden_size = 2048, .intermediate_size = 7168, .layers = 32, .heads = 32, .kv_heads = 8,
               .max_position_embeddings = 128000 },
    .norm = DEV_NORM_RMS, .eps_key = "norm_eps", .eps = 1e-5f,
    .activation = DEV_ACT_SILU, .mlp_gated = true, .tied_head = true, .eos_token_ids = { 2 },
    .rope = &rope,
};

/* What files say of the MLP's width is two thirds and some more of that, rounded up, where block_auto_adjust_ff_dim says so. */
static oclm_status read_width(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        adjust = true;
    double      times = 1.0;
    uint32_t    multiple = 256;
    oclm_status status;
    if ((status = model_read_size(config, "block_ff_dim", "intermediate_size", origin, MODEL_MAX_WIDTH, &a->intermediate_size)) != OCLM_OK ||
        (status = core_json_get_bool(config, "block_auto_adjust_ff_dim", origin, &adjust)) != OCLM_OK ||
        (status = model_read_positive(config, "block_ffn_dim_multiplier", origin, &times)) != OCLM_OK ||
        (status = model_read_size(config, "block_multiple_of", NULL, origin, MODEL_MAX_WIDTH, &multiple)) != OCLM_OK || !adjust)
        return status;
    const double width = (double)(2 * a->intermediate_size / 3) * times;
    if (!(width >= 1.0 && width <= MODEL_MAX_WIDTH - (double)multiple))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"block_ffn_dim_multiplier\" %g makes an MLP of %.0f inner states of \"intermediate_size\" %u; 1 to %u "
                         "are possible", origin, times, width, a->intermediate_size, MODEL_MAX_WIDTH - multiple);
    a->intermediate_size = ((uint32_t)width + multiple - 1) / multiple * multiple;
    return OCLM_OK;
}

/* Old files list the layers that are attention; where they do not, all are. */
static oclm_status read_attention_layers(const cJSON *config, const char *origin, model_architecture *a)
{
    static const char key[] = "full_attn_idxs";
    const cJSON *list = core_json_member(config, key);
    if (list == NULL)
        return OCLM_OK;
    if (!cJSON_IsArray(list))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a list of layers", origin, key);
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].mixer = MODEL_MIXER_SHORT_CONV;
    for (const cJSON *item = list->child; item != NULL; item = item->next) {
        if (!core_json_is_whole(item, 0, MODEL_MAX_LAYERS))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a list of layers, 0 to %u", origin, key, a->layers - 1);
        if (item->valuedouble < a->layers)
            a->layer[(uint32_t)item->valuedouble].mixer = MODEL_MIXER_ATTENTION;
    }
    return OCLM_OK;
}

static oclm_status read_both(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    oclm_status status;
    a->short_conv.taps = 3;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "tie_embedding", origin, &a->tied_head)) != OCLM_OK ||
        (status = model_read_size(config, "conv_L_cache", NULL, origin, MODEL_MAX_TAPS, &a->short_conv.taps)) != OCLM_OK ||
        (status = core_json_get_bool(config, "conv_bias", origin, &a->short_conv.bias)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    return core_json_member(config, "layer_types") != NULL ? model_read_windows(config, origin, 0, 1, a) : read_attention_layers(config, origin, a);
}

static oclm_status read_lfm2(const cJSON *config, const char *origin, model_architecture *a)
{
    const oclm_status status = read_both(config, origin, &lfm2, a);
    return status == OCLM_OK ? read_width(config, origin, a) : status;
}

static oclm_status read_lfm2_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 32, .chosen = 4, .width_key = "moe_intermediate_size", .width = 1792,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    uint32_t    dense = 2;
    oclm_status status;
    a->experts.correction = true;
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .eps = 1e-6f };
    if ((status = read_both(config, origin, &lfm2_moe, a)) != OCLM_OK || (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_expert_bias", origin, &a->experts.correction)) != OCLM_OK ||
        (status = core_json_get_u32(config, "num_dense_layers", origin, 0, MODEL_MAX_LAYERS, &dense)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < dense && i < a->layers; i++)
        a->layer[i].experts = false;
    return model_read_number(config, "routed_scaling_factor", origin, &a->experts.routing.scale);
}

const model_family model_families_lfm2[] = {
    { .model_type = "lfm2", .class_name = "Lfm2ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_lfm2 },
    { .model_type = "lfm2_moe", .class_name = "Lfm2MoeForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_lfm2_moe },
    { 0 },
};
