/* deepseek.c: DeepSeek V2 and V3: latent attention, many narrow experts in groups beside some that every token has, a few dense layers first;
 * and GLM 4.7 Flash, which is V3 but for its sizes and the way its dense layers are told. */
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
static const char *const lite_ignored[] = { "model.layers.47.*" };

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

static const family_standard lite = {
    .sizes = { .vocab_size = 154880, .hidden_size = 2048, .intermediate_size = 10240, .layers = 47, .heads = 20, .head_dim = 64,
               .max_position_embeddings = 202752 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-5f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 1 },
};

/* The norms of latent vectors keep their class default, whatever rms_norm_eps says. */
static oclm_status read_latent(const cJSON *config, const char *origin, const model_latent *defaults, model_architecture *a)
{
    model_latent *m = &a->latent;
    oclm_status   status;
    *m = *defaults;
    m->norm = (model_norm_shape){ .kind = DEV_NORM_RMS, .eps = 1e-6f };
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

static const model_latent usual = { .kv_rank = 512, .q_rank = 1536, .nope_dim = 128, .rope_dim = 64, .value_dim = 128 };
static const model_latent narrow = { .kv_rank = 512, .q_rank = 768, .nope_dim = 192, .rope_dim = 64, .value_dim = 256 };

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
        (status = read_latent(config, origin, &usual, a)) != OCLM_OK || (status = read_positions(config, origin, true, a)) != OCLM_OK ||
        (status = model_read_grouped_experts(config, origin, &experts, 2, 0, a)) != OCLM_OK ||
        (status = core_json_get_string(config, "topk_method", origin, &method)) != OCLM_OK)
        return status;
    if (strcmp(method, "greedy") == 0)
        a->experts.routing.groups = 0;
    else if (strcmp(method, "group_limited_greedy") != 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"topk_method\" is \"%.60s\"; supported are greedy, group_limited_greedy", origin, method);
    return OCLM_OK;
}

/* What V3 and GLM have but for experts. */
static oclm_status read_like_v3(const cJSON *config, const char *origin, const family_standard *standard, const model_latent *latent,
                                model_architecture *a)
{
    bool        interleaved = true;
    oclm_status status;
    a->experts.correction = true;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "rope_interleave", origin, &interleaved)) != OCLM_OK ||
        (status = read_latent(config, origin, latent, a)) != OCLM_OK)
        return status;
    return read_positions(config, origin, interleaved, a);
}

static oclm_status read_v3(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 256, .chosen = 8, .width_key = "moe_intermediate_size", .width = 2048,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    const oclm_status status = read_like_v3(config, origin, &v3, &usual, a);
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .groups = 8, .groups_chosen = 4, .group_sum = true, .eps = 1e-20f,
                                        .scale = 2.5f };
    return status == OCLM_OK ? model_read_grouped_experts(config, origin, &experts, 1, 3, a) : status;
}

/* "mlp_layer_types": ["dense", "sparse", ...]; without it the first layer is dense. Nothing else says how many are. */
static oclm_status read_layer_kinds(const cJSON *config, const char *origin, model_architecture *a)
{
    static const char key[] = "mlp_layer_types";
    const cJSON *list = core_json_member(config, key);
    uint32_t     i = 0;
    for (; i < a->layers && list == NULL; i++)
        a->layer[i].experts = i > 0;
    for (const cJSON *kind = list != NULL ? list->child : NULL; kind != NULL; kind = kind->next, i++) {
        const bool sparse = cJSON_IsString(kind) && strcmp(kind->valuestring, "sparse") == 0;
        if (!sparse && !(cJSON_IsString(kind) && strcmp(kind->valuestring, "dense") == 0))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a list of \"dense\" and \"sparse\"", origin, key);
        if (i < a->layers)
            a->layer[i].experts = sparse;
    }
    return i == a->layers ? OCLM_OK : core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" has %u entries for %u layers", origin, key, i, a->layers);
}

static oclm_status read_lite(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 64, .chosen = 4, .width_key = "moe_intermediate_size", .width = 1536,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    oclm_status status = read_like_v3(config, origin, &lite, &narrow, a);
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .groups = 1, .groups_chosen = 1, .group_sum = true, .eps = 1e-20f,
                                        .scale = 1.8f };
    if (status == OCLM_OK && (status = model_read_grouped_experts(config, origin, &experts, 1, 0, a)) == OCLM_OK)
        status = read_layer_kinds(config, origin, a);
    return status;
}

const model_family model_families_deepseek[] = {
    { .model_type = "deepseek_v2", .class_name = "DeepseekV2ForCausalLM", .base_prefix = "model.", NAMES_TABLES, .read_config = read_v2 },
    { .model_type = "deepseek_v3", .class_name = "DeepseekV3ForCausalLM",
      .limits = "weights in FP8 are not read; files in bfloat16 are", .base_prefix = "model.", NAMES_TABLES, .read_config = read_v3 },
    { .model_type = "glm4_moe_lite", .class_name = "Glm4MoeLiteForCausalLM", .base_prefix = "model.", NAMES_ONLY, .ignored = lite_ignored,
      .ignored_count = COUNT(lite_ignored), .read_config = read_lite },
    { 0 },
};
