/* gptj.c: GPT-J and CodeGen: attention and MLP side by side behind one norm, neighbouring pairs of the first rotary_dim turned.
 * CodeGen's fused product has four blocks, and in each values before keys. */
#include "model/standard.h"

#define LAYER "transformer.h.{i}."
#define MLP NAMES_LINEAR(MODEL_UP, LAYER "mlp.fc_in"), NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.fc_out")

static const model_tensor_name names[] = {
    NAMES_GPT2_TOP,
    NAMES_LINEAR(MODEL_Q, LAYER "attn.q_proj"),
    NAMES_LINEAR(MODEL_K, LAYER "attn.k_proj"),
    NAMES_LINEAR(MODEL_V, LAYER "attn.v_proj"),
    NAMES_LINEAR(MODEL_O, LAYER "attn.out_proj"),
    MLP,
};

static const model_tensor_name codegen_names[] = {
    NAMES_GPT2_TOP,
    NAMES_LINEAR(MODEL_QKV, LAYER "attn.qkv_proj"),
    NAMES_LINEAR(MODEL_O, LAYER "attn.out_proj"),
    MLP,
};

/* The causal mask, and the table of sines and cosines. */
static const char *const ignored[] = { LAYER "attn.bias", LAYER "attn.masked_bias", LAYER "attn.causal_mask", LAYER "attn.embed_positions" };

static const family_standard standard = {
    .sizes = { .vocab_size = 50400, .hidden_size = 4096, .layers = 28, .heads = 16, .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation_key = "activation_function", .activation = DEV_ACT_GELU_TANH,
    .eos_token_ids = { 50256 },
};

static oclm_status read_gptj(const cJSON *config, const char *origin, model_architecture *a)
{
    model_rope_defaults rope = { .theta = 10000.0, .dims = 64, .interleaved = true };
    oclm_status         status;
    a->residual = MODEL_RESIDUAL_PARALLEL_ONE;
    a->mlp_bias = a->head_bias = true;
    a->position = MODEL_POSITION_ROPE;
    if (core_json_has(config, "rotary_dim") && core_json_member(config, "rotary_dim") == NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"rotary_dim\" is null, which turns whole heads by a table of the width of the model; "
                         "that is not supported", origin);
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_size(config, "rotary_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &rope.dims)) != OCLM_OK)
        return status;
    return model_read_rope(config, origin, &rope, a);
}

static oclm_status read_codegen(const cJSON *config, const char *origin, model_architecture *a)
{
    const oclm_status status = read_gptj(config, origin, a);
    if (status == OCLM_OK && a->heads % 4 != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"n_head\" is %u; CodeGen's fused tensors have four blocks, so it must be a multiple of 4",
                         origin, a->heads);
    a->qkv_layout = (model_qkv_layout){ .blocks = 4, .v_first = true };
    return status;
}

const model_family model_families_gptj[] = {
    { .model_type = "gptj", .class_name = "GPTJForCausalLM", .base_prefix = "transformer.", NAMES_TABLES, .read_config = read_gptj },
    { .model_type = "codegen", .class_name = "CodeGenForCausalLM", .base_prefix = "transformer.", .names = codegen_names,
      .name_count = COUNT(codegen_names), .ignored = ignored, .ignored_count = COUNT(ignored), .read_config = read_codegen },
    { 0 },
};
