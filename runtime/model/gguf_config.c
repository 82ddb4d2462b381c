/* gguf_config.c: a GGUF's key-values -> the tree that config.json would be. Most keys have one meaning whatever the architecture, and families
 * read only those they know, so one table serves all; what an architecture has of its own follows. Sources: gguf's constants.py,
 * transformers' GGUF_CONFIG_MAPPING, and what families' files say where a GGUF says nothing. */
#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "model/gguf.h"

typedef struct gguf_architecture {
    const char *name, *model_type;
    bool        turned;  /* conversion put the two halves of each head of queries and keys side by side */
    const char *with;    /* JSON: what is true of all models of the architecture; NULL: nothing */
} gguf_architecture;

static const gguf_architecture architectures[] = {
    { "llama", "llama", true, NULL },           { "mistral", "mistral", true, NULL },
    { "qwen2", "qwen2", false, NULL },          { "qwen2moe", "qwen2_moe", false, NULL },
    { "qwen3", "qwen3", false, NULL },          { "qwen3moe", "qwen3_moe", false, "{\"norm_topk_prob\": true}" },
    { "gemma", "gemma", false, NULL },          { "gemma2", "gemma2", false, NULL },
    { "gemma3", "gemma3_text", false, NULL },   { "phi2", "phi", false, NULL },
    { "phi3", "phi3", false, NULL },            { "gpt2", "gpt2", false, NULL },
    { "gptneox", "gpt_neox", false, NULL },     { "falcon", "falcon", false, "{\"parallel_attn\": true}" },
    { "bloom", "bloom", false, NULL },          { "stablelm", "stablelm", false, NULL },
    { "starcoder", "gpt_bigcode", false, NULL }, { "starcoder2", "starcoder2", false, NULL },
    { "olmo", "olmo", true, NULL },             { "olmo2", "olmo2", false, NULL },
    { "olmoe", "olmoe", false, NULL },          { "granite", "granite", true, NULL },
    { "granitemoe", "granitemoe", true, NULL }, { "command-r", "cohere", false, NULL },
    { "cohere2", "cohere2", false, NULL },      { "smollm3", "smollm3", true, NULL },
    { "lfm2", "lfm2", false, "{\"block_auto_adjust_ff_dim\": false}" },
    { "glm4", "glm4", false, NULL },            { "exaone4", "exaone4", false, NULL },
    { "nemotron", "nemotron", false, NULL },    { "arcee", "arcee", true, NULL },
    { "seed_oss", "seed_oss", false, NULL },    { "deepseek2", "deepseek_v2", false, NULL },
    { "gpt-oss", "gpt_oss", false, NULL },      { "glm4moe", "glm4_moe", false, NULL },
    { "minimax-m2", "minimax_m2", false, NULL },
};

#define MAX_KEYS 6
static const struct { const char *key; const char *names[MAX_KEYS]; } common_keys[] = {
    { "context_length", { "max_position_embeddings", "seq_length" } },
    { "block_count", { "num_hidden_layers" } },
    { "embedding_length", { "hidden_size" } },
    { "feed_forward_length", { "intermediate_size" } },
    { "attention.head_count", { "num_attention_heads" } },
    { "attention.head_count_kv", { "num_key_value_heads" } },
    { "attention.key_length", { "head_dim" } },
    { "attention.layer_norm_rms_epsilon", { "rms_norm_eps", "norm_eps" } },
    { "attention.layer_norm_epsilon", { "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps" } },
    { "attention.sliding_window", { "sliding_window" } },
    { "attention.clamp_kqv", { "clip_qkv" } },
    { "attention.scale", { "attention_multiplier" } },
    { "embedding_scale", { "embedding_multiplier" } },
    { "residual_scale", { "residual_multiplier" } },
    { "logit_scale", { "logit_scale", "logits_scaling" } },
    { "attn_logit_softcapping", { "attn_logit_softcapping" } },
    { "final_logit_softcapping", { "final_logit_softcapping" } },
    { "use_parallel_residual", { "use_parallel_residual" } },
    { "expert_count", { "num_experts", "num_local_experts", "n_routed_experts" } },
    { "expert_used_count", { "num_experts_per_tok" } },
    { "expert_feed_forward_length", { "moe_intermediate_size" } },
    { "expert_shared_feed_forward_length", { "shared_expert_intermediate_size" } },
    { "expert_shared_count", { "n_shared_experts" } },
    { "expert_group_count", { "n_group" } },
    { "expert_group_used_count", { "topk_group" } },
    { "expert_weights_scale", { "routed_scaling_factor" } },
    { "expert_weights_norm", { "norm_topk_prob" } },
    { "leading_dense_block_count", { "first_k_dense_replace" } },
    { "attention.q_lora_rank", { "q_lora_rank" } },
    { "attention.kv_lora_rank", { "kv_lora_rank" } },
    { "shortconv.l_cache", { "conv_L_cache" } },
};

typedef struct reader {
    const ckpt_checkpoint   *checkpoint;
    const core_gguf         *file;
    const char              *origin;
    const gguf_architecture *architecture;
    cJSON                   *config;
} reader;

static oclm_status no_memory(const reader *r) { return core_fail(OCLM_ERR_MEMORY, "%s: no memory for its configuration", r->origin); }

/* ---- Values */

static const core_gguf_value *find(const reader *r, const char *key)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", r->architecture->name, key);
    return core_gguf_find(r->file, name);
}

static bool is_float(const core_gguf_value *value) { return value->type == CORE_GGUF_F32 || value->type == CORE_GGUF_F64; }

/* A number; of a list, what all layers have that have any. */
static oclm_status read_number(const reader *r, const char *key, const core_gguf_value *value, double *number)
{
    if (value->type == CORE_GGUF_STRING || value->type == CORE_GGUF_ARRAY || value->count == 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s.%s\" must be a number", r->origin, r->architecture->name, key);
    *number = core_gguf_float(value, 0);
    for (uint64_t i = 1; i < value->count; i++) {
        const double next = core_gguf_float(value, i);
        if (*number != 0.0 && next != 0.0 && next != *number)
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s.%s\" is %g for one layer and %g for another; layers that differ in it are not "
                             "supported in this architecture", r->origin, r->architecture->name, key, *number, next);
        *number = *number == 0.0 ? next : *number;
    }
    return OCLM_OK;
}

static oclm_status put(const reader *r, const char *name, cJSON *item)
{
    cJSON_DeleteItemFromObjectCaseSensitive(r->config, name);
    if (item != NULL && cJSON_AddItemToObject(r->config, name, item))
        return OCLM_OK;
    cJSON_Delete(item);
    return no_memory(r);
}

static oclm_status put_bool(const reader *r, const char *name, bool value) { return put(r, name, cJSON_CreateBool(value)); }
static oclm_status put_number(const reader *r, const char *name, double value) { return put(r, name, cJSON_CreateNumber(value)); }

/* A number of the file under another name; `*number` stays as it is where there is none. */
static oclm_status get_number(const reader *r, const char *key, double *number)
{
    const core_gguf_value *value = find(r, key);
    return value != NULL ? read_number(r, key, value, number) : OCLM_OK;
}

static oclm_status read_common(const reader *r)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(common_keys) && status == OCLM_OK; i++) {
        const core_gguf_value *value = find(r, common_keys[i].key);
        double                 number = 0.0;
        if (value == NULL || (status = read_number(r, common_keys[i].key, value, &number)) != OCLM_OK)
            continue;
        for (size_t n = 0; n < MAX_KEYS && common_keys[i].names[n] != NULL && status == OCLM_OK; n++)
            status = value->type == CORE_GGUF_BOOL ? put_bool(r, common_keys[i].names[n], number != 0.0)
                                                   : put_number(r, common_keys[i].names[n], number);
    }
    return status;
}

static oclm_status require(const reader *r)
{
    static const char *const keys[] = { "block_count", "embedding_length", "attention.head_count", "context_length" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (find(r, keys[i]) == NULL)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s.%s\" is missing in its metadata; without it this file is no model", r->origin,
                             r->architecture->name, keys[i]);
    }
    if (ckpt_find(r->checkpoint, "token_embd.weight") == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: the tensor \"token_embd.weight\" is missing, so this file is no language model", r->origin);
    return OCLM_OK;
}

/* ---- What tensors tell */

static const ckpt_tensor *layer_tensor(const reader *r, const char *tail)
{
    const ckpt_tensor *tensor = NULL;
    char               name[160];
    for (uint32_t i = 0; i < MODEL_MAX_LAYERS && tensor == NULL; i++) {
        snprintf(name, sizeof name, "blk.%u.%s", (unsigned)i, tail);
        tensor = ckpt_find(r->checkpoint, name);
    }
    return tensor;
}

static oclm_status read_tensors(const reader *r)
{
    const bool  qkv_bias = layer_tensor(r, "attn_q.bias") != NULL || layer_tensor(r, "attn_qkv.bias") != NULL;
    const bool  output_bias = layer_tensor(r, "attn_output.bias") != NULL, mlp_bias = layer_tensor(r, "ffn_up.bias") != NULL;
    oclm_status status;
    if ((status = put_number(r, "vocab_size", (double)ckpt_find(r->checkpoint, "token_embd.weight")->shape[0])) != OCLM_OK ||
        (status = put_bool(r, "tie_word_embeddings", ckpt_find(r->checkpoint, "output.weight") == NULL)) != OCLM_OK ||
        (status = put_bool(r, "attention_bias", qkv_bias)) != OCLM_OK ||
        (status = put_bool(r, "attention_out_bias", output_bias)) != OCLM_OK ||
        (status = put_bool(r, "use_qkv_bias", qkv_bias)) != OCLM_OK ||
        (status = put_bool(r, "qkv_bias", qkv_bias)) != OCLM_OK ||
        (status = put_bool(r, "mlp_bias", mlp_bias)) != OCLM_OK ||
        (status = put_bool(r, "use_bias", mlp_bias)) != OCLM_OK ||
        (status = put_bool(r, "bias", mlp_bias)) != OCLM_OK)
        return status;
    const bool qk_norm = layer_tensor(r, "attn_q_norm.weight") != NULL;
    return (status = put_bool(r, "qk_layernorm", qk_norm)) != OCLM_OK ? status : put_bool(r, "use_qk_norm", qk_norm);
}

/* ---- Ids */

static oclm_status add_id(const reader *r, cJSON *list, const char *key)
{
    int64_t           id = -1;
    const oclm_status status = core_gguf_get_int(r->file, key, &id);
    if (status != OCLM_OK || id < 0)
        return status;
    for (const cJSON *item = list->child; item != NULL; item = item->next) {
        if (item->valuedouble == (double)id)
            return OCLM_OK;
    }
    return cJSON_AddItemToArray(list, cJSON_CreateNumber((double)id)) ? OCLM_OK : no_memory(r);
}

static oclm_status read_id(const reader *r, const char *key, const char *name)
{
    int64_t           id = -1;
    const oclm_status status = core_gguf_get_int(r->file, key, &id);
    return status == OCLM_OK && id >= 0 ? put_number(r, name, (double)id) : status;
}

/* A model for conversations may have an id for the end of a turn beside that of a text; either ends what it says. */
static oclm_status read_ids(const reader *r)
{
    cJSON      *ends = cJSON_CreateArray();
    oclm_status status = put(r, "eos_token_id", ends);
    if (status == OCLM_OK && (status = add_id(r, ends, "tokenizer.ggml.eos_token_id")) == OCLM_OK &&
        (status = add_id(r, ends, "tokenizer.ggml.eot_token_id")) == OCLM_OK &&
        (status = read_id(r, "tokenizer.ggml.bos_token_id", "bos_token_id")) == OCLM_OK)
        status = read_id(r, "tokenizer.ggml.padding_token_id", "pad_token_id");
    if (status == OCLM_OK && ends->child == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(r->config, "eos_token_id");
    return status;
}

/* ---- What differs */

/* "attention.sliding_window_pattern": every so many layers one sees all, or a list that says of each layer whether it has the window. */
static oclm_status read_pattern(const reader *r)
{
    const core_gguf_value *value = find(r, "attention.sliding_window_pattern");
    if (value == NULL || value->type == CORE_GGUF_STRING || is_float(value))
        return OCLM_OK;
    if (!value->array)
        return put_number(r, "sliding_window_pattern", core_gguf_float(value, 0));
    cJSON *list = cJSON_CreateArray();
    for (uint64_t i = 0; i < value->count && i < MODEL_MAX_LAYERS && list != NULL; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(core_gguf_int(value, i) != 0 ? "sliding_attention" : "full_attention"));
    return put(r, "layer_types", list);
}

/* A head's size, where no key tells: of those that conversion turned it is what turns. How much of a head turns. */
static oclm_status read_head(const reader *r)
{
    double      hidden = 0.0, heads = 0.0, dims = 0.0, head_dim = 0.0;
    oclm_status status;
    if ((status = get_number(r, "embedding_length", &hidden)) != OCLM_OK ||
        (status = get_number(r, "attention.head_count", &heads)) != OCLM_OK ||
        (status = get_number(r, "rope.dimension_count", &dims)) != OCLM_OK ||
        (status = get_number(r, "attention.key_length", &head_dim)) != OCLM_OK)
        return status;
    if (head_dim == 0.0 && r->architecture->turned && dims > 0.0)
        head_dim = dims;
    if (head_dim == 0.0 && heads > 0.0)
        head_dim = (double)(uint64_t)(hidden / heads);
    if ((status = put_number(r, "head_dim", head_dim)) != OCLM_OK || !(dims > 0.0 && head_dim > 0.0))
        return status;
    /* A little more than the quotient, for it is multiplied and cut off again. */
    const double partial = dims == head_dim ? 1.0 : (dims + 0x1p-16) / head_dim;
    if ((status = put_number(r, "partial_rotary_factor", partial)) != OCLM_OK)
        return status;
    return put_number(r, "rotary_pct", partial);
}

static oclm_status put_type(const reader *r, const char *model_type) { return put(r, "model_type", cJSON_CreateString(model_type)); }

static oclm_status read_llama(const reader *r)
{
    if (find(r, "expert_count") != NULL && layer_tensor(r, "ffn_gate_inp.weight") != NULL)
        return put_type(r, "mixtral");
    return find(r, "attention.sliding_window") != NULL ? put_type(r, "mistral") : OCLM_OK;
}

/* What queries are divided by is, where no key tells, the root of a head's size, but in the largest of each generation (46 and 62 layers), where it is that of
 * what is left of the width for each head. */
static oclm_status read_gemma(const reader *r)
{
    double      hidden = 1.0, heads = 1.0, layers = 0.0, scale = 0.0;
    oclm_status status;
    if ((status = get_number(r, "embedding_length", &hidden)) != OCLM_OK || (status = get_number(r, "attention.head_count", &heads)) != OCLM_OK ||
        (status = get_number(r, "block_count", &layers)) != OCLM_OK || (status = get_number(r, "attention.scale", &scale)) != OCLM_OK)
        return status;
    const bool largest = layers == (strcmp(r->architecture->name, "gemma2") == 0 ? 46.0 : 62.0);
    const double scalar = scale > 0.0 ? 1.0 / (scale * scale) : largest && heads > 0.0 ? hidden / heads
                                                             : core_json_member(r->config, "head_dim")->valuedouble;
    if (strcmp(r->architecture->name, "gemma3") == 0 && find(r, "final_logit_softcapping") == NULL &&
        (status = put(r, "final_logit_softcapping", cJSON_CreateNull())) != OCLM_OK)
        return status;
    return put_number(r, "query_pre_attn_scalar", scalar);
}

static oclm_status read_falcon(const reader *r)
{
    double heads = 1.0, kv = 0.0;
    const bool two_norms = layer_tensor(r, "attn_norm_2.weight") != NULL;
    oclm_status status;
    if ((status = get_number(r, "attention.head_count", &heads)) != OCLM_OK || (status = get_number(r, "attention.head_count_kv", &kv)) != OCLM_OK ||
        (status = put_bool(r, "multi_query", kv <= 1.0)) != OCLM_OK ||
        (status = put_bool(r, "new_decoder_architecture", two_norms || kv > 1.0)) != OCLM_OK)
        return status;
    return put_number(r, "num_ln_in_parallel_attn", two_norms ? 2.0 : 1.0);
}

/* Layers without keys and values are convolutions. */
static oclm_status read_lfm2(const reader *r)
{
    const core_gguf_value *value = find(r, "attention.head_count_kv");
    cJSON                 *list = cJSON_CreateArray();
    for (uint64_t i = 0; value != NULL && value->array && i < value->count && i < MODEL_MAX_LAYERS && list != NULL; i++) {
        if (core_gguf_int(value, i) > 0)
            cJSON_AddItemToArray(list, cJSON_CreateNumber((double)i));
    }
    return put(r, "full_attn_idxs", list);
}

static oclm_status read_deepseek(const reader *r)
{
    static const char *const lengths[][2] = { { "attention.key_length_mla", "attention.key_length" },
                                              { "attention.value_length_mla", "attention.value_length" } };
    double      values[2] = { 0.0, 0.0 }, turned = 0.0, gating = 0.0, groups = 0.0;
    oclm_status status;
    if (find(r, lengths[0][0]) != NULL && layer_tensor(r, "attn_kv_b.weight") == NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: its latent attention is split for llama.cpp (attn_k_b and attn_v_b in place of attn_kv_b), which is not "
                         "read yet; use a file that was made before that, or the model's repository of safetensors files", r->origin);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        if ((status = get_number(r, lengths[i][find(r, lengths[i][0]) != NULL ? 0 : 1], &values[i])) != OCLM_OK)
            return status;
    }
    if ((status = get_number(r, "rope.dimension_count", &turned)) != OCLM_OK ||
        (status = get_number(r, "expert_gating_func", &gating)) != OCLM_OK || (status = get_number(r, "expert_group_count", &groups)) != OCLM_OK ||
        (status = put_number(r, "qk_rope_head_dim", turned)) != OCLM_OK || (status = put_number(r, "qk_nope_head_dim", values[0] - turned)) != OCLM_OK ||
        (status = put_number(r, "v_head_dim", values[1])) != OCLM_OK ||
        (find(r, "attention.q_lora_rank") == NULL && (status = put(r, "q_lora_rank", cJSON_CreateNull())) != OCLM_OK) ||
        (status = put(r, "topk_method", cJSON_CreateString(groups > 1.0 ? "group_limited_greedy" : "greedy"))) != OCLM_OK)
        return status;
    const bool third = gating == 2.0 || layer_tensor(r, "exp_probs_b.bias") != NULL; /* 2: sigmoid */
    return third ? put_type(r, "deepseek_v3") : OCLM_OK;
}

/* Among its layers are counted those behind the last, which guess further tokens. */
static oclm_status read_glm4moe(const reader *r)
{
    double      layers = 0.0, predicting = 0.0;
    oclm_status status;
    if ((status = get_number(r, "block_count", &layers)) != OCLM_OK || (status = get_number(r, "nextn_predict_layers", &predicting)) != OCLM_OK)
        return status;
    return predicting > 0.0 ? put_number(r, "num_hidden_layers", layers - predicting) : OCLM_OK;
}

static oclm_status read_own(const reader *r)
{
    static const struct { const char *name; oclm_status (*read)(const reader *r); } own[] = {
        { "llama", read_llama }, { "gemma2", read_gemma }, { "gemma3", read_gemma }, { "falcon", read_falcon }, { "lfm2", read_lfm2 },
        { "deepseek2", read_deepseek }, { "glm4moe", read_glm4moe },
    };
    for (size_t i = 0; i < COUNT(own); i++) {
        if (strcmp(own[i].name, r->architecture->name) == 0)
            return own[i].read(r);
    }
    if (strcmp(r->architecture->name, "stablelm") == 0)
        return put_bool(r, "use_parallel_residual", layer_tensor(r, "ffn_norm.weight") == NULL);
    if (strcmp(r->architecture->name, "olmo2") == 0 && find(r, "attention.sliding_window") != NULL)
        return put_type(r, "olmo3");
    if (strcmp(r->architecture->name, "exaone4") == 0 && find(r, "attention.sliding_window") == NULL)
        return put(r, "sliding_window", cJSON_CreateNull());
    return OCLM_OK;
}

/* ---- All of it */

static oclm_status refuse_architecture(const core_gguf *file, const char *name, size_t length)
{
    core_text known = CORE_TEXT_INIT;
    for (size_t i = 0; i < COUNT(architectures); i++)
        (void)core_text_printf(&known, "%s%s", i > 0 ? ", " : "", architectures[i].name);
    const oclm_status status =
        core_fail(OCLM_ERR_UNSUPPORTED, "%s: architecture \"%.*s\" is not supported in GGUF files; supported are %s. The model's repository of "
                  "safetensors files may be (oclm info --families lists the model types)", file->origin, length < 60 ? (int)length : 60, name,
                  known.data != NULL ? known.data : "");
    core_text_free(&known);
    return status;
}

static oclm_status find_architecture(const core_gguf *file, const gguf_architecture **found)
{
    const char       *name = NULL;
    size_t            length = 0;
    const oclm_status status = core_gguf_get_string(file, "general.architecture", &name, &length);
    *found = NULL;
    if (status != OCLM_OK)
        return status;
    if (name == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"general.architecture\" is missing in its metadata, so nothing tells which model it is", file->origin);
    for (size_t i = 0; i < COUNT(architectures); i++) {
        if (core_is_word(name, length, architectures[i].name)) {
            *found = &architectures[i];
            return OCLM_OK;
        }
    }
    return refuse_architecture(file, name, length);
}

static oclm_status make(const reader *r)
{
    oclm_status status;
    if ((status = require(r)) != OCLM_OK || (status = put_type(r, r->architecture->model_type)) != OCLM_OK ||
        (status = read_common(r)) != OCLM_OK || (status = read_tensors(r)) != OCLM_OK || (status = read_ids(r)) != OCLM_OK ||
        (status = read_pattern(r)) != OCLM_OK || (status = read_head(r)) != OCLM_OK || (status = read_own(r)) != OCLM_OK)
        return status;
    return model_gguf_rope(r->checkpoint, r->architecture->name, r->config);
}

static oclm_status config_of(const ckpt_checkpoint *checkpoint, const gguf_architecture **architecture, cJSON **config)
{
    reader      r = { .checkpoint = checkpoint, .file = ckpt_gguf(checkpoint), .origin = ckpt_gguf(checkpoint)->origin };
    oclm_status status;
    *config = NULL;
    if ((status = find_architecture(r.file, architecture)) != OCLM_OK)
        return status;
    r.architecture = *architecture;
    if (r.architecture->with != NULL)
        status = core_json_parse(r.architecture->with, strlen(r.architecture->with), r.origin, &r.config);
    else if ((r.config = cJSON_CreateObject()) == NULL)
        status = no_memory(&r);
    if (status == OCLM_OK && (status = make(&r)) == OCLM_OK)
        *config = r.config;
    else
        cJSON_Delete(r.config);
    return status;
}

oclm_status model_gguf_config(const ckpt_checkpoint *checkpoint, cJSON **config)
{
    const gguf_architecture *architecture;
    return config_of(checkpoint, &architecture, config);
}

bool model_is_gguf(const char *path) { return core_path_is_file(path) && core_name_matches("*.gguf", path); }

oclm_status model_gguf_config_of(const char *path, cJSON **config)
{
    ckpt_checkpoint  *checkpoint = NULL;
    const oclm_status status = ckpt_open_gguf(path, &checkpoint);
    *config = NULL;
    const oclm_status read = status == OCLM_OK ? model_gguf_config(checkpoint, config) : status;
    ckpt_close(checkpoint);
    return read;
}

/* ---- What conversion did */

static void undo_conversion(bool turned, model_architecture *a)
{
    model_norm_shape *const norms[] = { &a->norm, &a->qk_norm_shape, &a->latent.norm };
    for (size_t i = 0; i < COUNT(norms); i++) {
        norms[i]->kind = norms[i]->kind == DEV_NORM_RMS1P ? DEV_NORM_RMS : norms[i]->kind;
        norms[i]->weight_plus_one = false;
    }
    a->qkv_layout = (model_qkv_layout){ 0 };
    a->experts.gate_up_interleaved = false;
    for (size_t i = 0; i < MODEL_ROPE_SETS && turned; i++)
        a->ropes[i].interleaved = true;
}

oclm_status model_gguf_read(const ckpt_checkpoint *checkpoint, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    const gguf_architecture *found;
    cJSON                   *config = NULL;
    oclm_status              status;
    *family = NULL;
    if ((status = config_of(checkpoint, &found, &config)) == OCLM_OK &&
        (status = model_config_tree(config, ckpt_gguf(checkpoint)->origin, family, architecture, dtype)) == OCLM_OK)
        undo_conversion(found->turned, architecture);
    cJSON_Delete(config);
    return status;
}
