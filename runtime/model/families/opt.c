/* opt.c: OPT: learned positions from row 2 of their table on, ReLU; the norm before each branch or, in the 350m, after the sum;
 * embeddings may be narrower than the layers, with a projection on either side. */
#include "model/standard.h"

#define LAYER "model.decoder.layers.{i}."

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "model.decoder.embed_tokens.weight", false },
    { MODEL_POSITIONS, "model.decoder.embed_positions.weight", false },
    { MODEL_PROJECT_IN, "model.decoder.project_in.weight", false },
    { MODEL_PROJECT_OUT, "model.decoder.project_out.weight", false },
    NAMES_LINEAR(MODEL_FINAL_NORM, "model.decoder.final_layer_norm"),
    { MODEL_HEAD, "lm_head.weight", false },
    NAMES_LINEAR(MODEL_ATTENTION_NORM, LAYER "self_attn_layer_norm"),
    NAMES_LINEAR(MODEL_Q, LAYER "self_attn.q_proj"),
    NAMES_LINEAR(MODEL_K, LAYER "self_attn.k_proj"),
    NAMES_LINEAR(MODEL_V, LAYER "self_attn.v_proj"),
    NAMES_LINEAR(MODEL_O, LAYER "self_attn.out_proj"),
    NAMES_LINEAR(MODEL_MLP_NORM, LAYER "final_layer_norm"),
    NAMES_LINEAR(MODEL_UP, LAYER "fc1"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "fc2"),
};

static const family_standard standard = {
    .sizes = { .vocab_size = 50272, .hidden_size = 768, .intermediate_size = 3072, .layers = 12, .heads = 12,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true,
    .activation_key = "activation_function", .activation = DEV_ACT_RELU,
    .tied_head = true, .eos_token_ids = { 2 },
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        norm_before = true, no_final_norm = false, bias = true, norm_weights = true;
    uint32_t    embedding_size = 0;
    oclm_status status;
    a->position = MODEL_POSITION_LEARNED;
    a->position_offset = 2;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "do_layer_norm_before", origin, &norm_before)) != OCLM_OK ||
        (status = core_json_get_bool(config, "_remove_final_layer_norm", origin, &no_final_norm)) != OCLM_OK ||
        (status = core_json_get_bool(config, "enable_bias", origin, &bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "layer_norm_elementwise_affine", origin, &norm_weights)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "word_embed_proj_dim", origin, MODEL_MAX_WIDTH, &embedding_size)) != OCLM_OK)
        return status;
    a->residual = norm_before ? MODEL_RESIDUAL_PRE : MODEL_RESIDUAL_POST_SUM;
    a->no_final_norm = no_final_norm || !norm_before;
    a->qkv_bias = a->output_bias = a->mlp_bias = bias;
    a->norm.no_weight = !norm_weights;
    a->norm.has_bias = norm_weights;
    a->embedding_size = embedding_size == a->hidden_size ? 0 : embedding_size;
    return OCLM_OK;
}

const model_family model_families_opt[] = {
    { .model_type = "opt", .class_name = "OPTForCausalLM", .base_prefix = "model.", .names = names, .name_count = COUNT(names),
      .read_config = read_config },
    { 0 },
};
