/* mpt.c: MPT: no biases anywhere, scores that fall with distance, a fused product. */
#include "model/standard.h"

#define LAYER "transformer.blocks.{i}."

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "transformer.wte.weight", false },
    { MODEL_FINAL_NORM, "transformer.norm_f.weight", false },
    { MODEL_HEAD, "lm_head.weight", false },
    { MODEL_ATTENTION_NORM, LAYER "norm_1.weight", false },
    { MODEL_QKV, LAYER "attn.Wqkv.weight", false },
    { MODEL_O, LAYER "attn.out_proj.weight", false },
    { MODEL_MLP_NORM, LAYER "norm_2.weight", false },
    { MODEL_UP, LAYER "ffn.up_proj.weight", false },
    { MODEL_DOWN, LAYER "ffn.down_proj.weight", false },
};

static const family_standard standard = {
    .sizes = { .vocab_size = 50368, .hidden_size = 2048, .layers = 24, .heads = 16, .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .eps_key = "layer_norm_epsilon",
    .activation = DEV_ACT_GELU,
    .tied_head = true,
};

/* transformers reads of attn_config these two keys, and computes as if the others had their defaults: so do we. */
static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    const cJSON *attention = core_json_member(config, "attn_config");
    oclm_status  status;
    a->position = MODEL_POSITION_ALIBI;
    a->alibi = MODEL_ALIBI_MPT;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_cap(attention, "clip_qkv", origin, &a->qkv_clip)) != OCLM_OK ||
        (status = model_read_number(attention, "softmax_scale", origin, &a->attention_scale)) != OCLM_OK)
        return status;
    a->intermediate_size = 4 * a->hidden_size;
    a->kv_heads = a->heads;
    return OCLM_OK;
}

const model_family model_families_mpt[] = {
    { .model_type = "mpt", .class_name = "MptForCausalLM", .base_prefix = "transformer.", .names = names, .name_count = COUNT(names),
      .read_config = read_config },
    { 0 },
};
