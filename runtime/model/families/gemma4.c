/* gemma4.c: Gemma 4 (text): Gemma 3 whose norms are stored as they are, without a scale of scores, with normalised values. Its full layers
 * have heads of their own size and may use keys as values; the last layers may read the keys and values of earlier ones; layers may be told
 * of the token once more, and may have experts beside their MLP. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_POST_NORM,
    { MODEL_LAYER_SCALAR, NAMES_LAYER "layer_scalar", false },
    { MODEL_INPUT_EMBEDDING, "model.embed_tokens_per_layer.weight", false },
    { MODEL_INPUT_IN, "model.per_layer_model_projection.weight", false },
    { MODEL_INPUT_IN_NORM, "model.per_layer_projection_norm.weight", false },
    { MODEL_INPUT_GATE, NAMES_LAYER "per_layer_input_gate.weight", false },
    { MODEL_INPUT_OUT, NAMES_LAYER "per_layer_projection.weight", false },
    { MODEL_POST_INPUT_NORM, NAMES_LAYER "post_per_layer_input_norm.weight", false },
    { MODEL_ROUTER, NAMES_LAYER "router.proj.weight", false },
    { MODEL_ROUTER_NORM, NAMES_LAYER "router.scale", false },
    { MODEL_ROUTER_COUNTS, NAMES_LAYER "router.per_expert_scale", false },
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "experts.gate_up_proj", false },
    { MODEL_EXPERTS_DOWN, NAMES_LAYER "experts.down_proj", false },
    { MODEL_EXPERTS_NORM, NAMES_LAYER "pre_feedforward_layernorm_2.weight", false },
    { MODEL_POST_DENSE_NORM, NAMES_LAYER "post_feedforward_layernorm_1.weight", false },
    { MODEL_POST_EXPERTS_NORM, NAMES_LAYER "post_feedforward_layernorm_2.weight", false },
};

static const model_rope_defaults ropes = {
    .theta = 1000000.0, .sliding_theta = 10000.0,
    .parameters = "{\"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}, \"full_attention\":"
                  " {\"rope_type\": \"proportional\", \"partial_rotary_factor\": 0.25, \"rope_theta\": 1000000.0}}",
};

static const family_standard standard = {
    .sizes = { .vocab_size = 262144, .hidden_size = 2304, .intermediate_size = 9216, .layers = 30, .heads = 8, .kv_heads = 4,
               .head_dim = 256, .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_activation", .activation = DEV_ACT_GELU_TANH, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 1 },
};

/* {"5": {"head_dim": 512, "num_key_value_heads": 4}}: what files saved by transformers 5 say in place of "global_head_dim". */
static oclm_status read_own_sizes(const cJSON *own, const char *origin, model_architecture *a)
{
    oclm_status status = OCLM_OK;
    if (!cJSON_IsObject(own))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"per_layer_config\" is not an object", origin);
    for (const cJSON *item = own->child; item != NULL && status == OCLM_OK; item = item->next) {
        char               *end;
        const unsigned long layer = strtoul(item->string, &end, 10);
        if (item->string[0] < '0' || item->string[0] > '9' || *end != '\0' || layer >= a->layers || !cJSON_IsObject(item))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"per_layer_config\" has \"%.40s\"; it must have layers, 0 to %" PRIu32 ", and their keys",
                             origin, item->string, a->layers - 1);
        model_layer_shape *shape = &a->layer[layer];
        if ((status = model_read_size(item, "head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &shape->head_dim)) == OCLM_OK)
            status = model_read_size(item, "num_key_value_heads", NULL, origin, MODEL_MAX_WIDTH, &shape->kv_heads);
    }
    return status;
}

/* Layers without a window differ from those with one. */
static oclm_status read_heads(const cJSON *config, const char *origin, model_architecture *a)
{
    const cJSON *own = core_json_member(config, "per_layer_config");
    uint32_t     head_dim = 512, kv_heads = 0;
    bool         values_are_keys = false;
    oclm_status  status;
    if ((status = core_json_get_bool(config, "attention_k_eq_v", origin, &values_are_keys)) != OCLM_OK ||
        (status = model_read_size(config, "global_head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &head_dim)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "num_global_key_value_heads", origin, MODEL_MAX_WIDTH, &kv_heads)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++) {
        const bool full = a->layer[i].window == 0;
        a->layer[i].values_are_keys = full && values_are_keys;
        a->layer[i].head_dim = full && own == NULL ? head_dim : 0;
        a->layer[i].kv_heads = full && own == NULL && values_are_keys ? kv_heads : 0;
    }
    return own != NULL ? read_own_sizes(own, origin, a) : OCLM_OK;
}

/* The last layers read the cache of the last one before them that has a window, or has none, like they. */
static oclm_status read_sharing(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    shared = 0;
    bool        wide = false;
    oclm_status status;
    if ((status = core_json_get_u32(config, "num_kv_shared_layers", origin, 0, a->layers, &shared)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_double_wide_mlp", origin, &wide)) != OCLM_OK)
        return status;
    for (uint32_t i = a->layers - shared; i < a->layers; i++) {
        uint32_t from = a->layers - shared;
        while (from > 0 && (a->layer[from - 1].window > 0) != (a->layer[i].window > 0))
            from--;
        if (from == 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"num_kv_shared_layers\" is %" PRIu32 ", and no layer before those is of the kind that layer %"
                             PRIu32 " is (\"layer_types\"), whose keys it could read", origin, shared, i);
        a->layer[i].cache_of = from;
        a->layer[i].intermediate_size = wide ? 2 * a->intermediate_size : 0;
    }
    return OCLM_OK;
}

static oclm_status read_inputs(const cJSON *config, const char *origin, model_architecture *a)
{
    model_layer_input *input = &a->layer_input;
    oclm_status        status;
    input->size = 256;
    input->vocab_size = 262144;
    if ((status = core_json_get_u32(config, "hidden_size_per_layer_input", origin, 0, MODEL_MAX_WIDTH, &input->size)) != OCLM_OK ||
        (status = model_read_size(config, "vocab_size_per_layer_input", NULL, origin, MODEL_MAX_VOCAB, &input->vocab_size)) != OCLM_OK)
        return status;
    input->table_scale = sqrtf((float)input->size);
    input->norm_eps = a->norm.eps * (float)a->hidden_size; /* of what is scaled by hidden_size^-1/2 there, and is not here */
    return OCLM_OK;
}

static oclm_status read_experts(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .width_key = "moe_intermediate_size", .normalised = true };
    model_experts *x = &a->experts;
    bool           enabled = false;
    oclm_status    status = core_json_get_bool(config, "enable_moe_block", origin, &enabled);
    if (status != OCLM_OK || !enabled || (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK)
        return status;
    if (x->routing.count == 0 || x->routing.chosen == 0 || x->width == 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"enable_moe_block\" is true; that needs \"num_experts\", \"top_k_experts\" and "
                         "\"moe_intermediate_size\" beside it", origin);
    x->beside_mlp = x->router_norm = x->counted = true;
    return OCLM_OK;
}

static oclm_status read_gemma4(const cJSON *config, const char *origin, model_architecture *a)
{
    const char *sees_later = "";
    uint32_t    window = 512;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_string(config, "use_bidirectional_attention", origin, &sees_later)) != OCLM_OK ||
        (status = model_read_cap(config, "final_logit_softcapping", origin, &a->logits_softcap)) != OCLM_OK ||
        (status = model_read_size(config, "sliding_window", NULL, origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 6, a)) != OCLM_OK)
        return status;
    if (strcmp(sees_later, "all") == 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"use_bidirectional_attention\" is \"all\": tokens that see later ones are not supported", origin);
    a->layer[a->layers - 1].window = 0; /* whatever "layer_types" says */
    a->residual = MODEL_RESIDUAL_SANDWICH;
    a->embedding_scale = sqrtf((float)a->hidden_size);
    a->embedding_scale_rounded = a->layer_scalar = true;
    a->attention_scale = 1.0f;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    a->value_norm = true;
    if ((status = read_heads(config, origin, a)) != OCLM_OK || (status = read_sharing(config, origin, a)) != OCLM_OK ||
        (status = read_inputs(config, origin, a)) != OCLM_OK || (status = read_experts(config, origin, a)) != OCLM_OK)
        return status;
    return model_read_rope(config, origin, &ropes, a);
}

const model_family model_families_gemma4[] = {
    { .model_type = "gemma4_text", .class_name = "Gemma4ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_gemma4 },
    { 0 },
};
