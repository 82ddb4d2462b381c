/* gguf_config.c: a GGUF's key-values -> the tree that config.json would be. Most keys have one meaning whatever the architecture, and families
 * read only those they know, so one table serves all; what an architecture has of its own is in gguf_own.c. Sources: gguf's constants.py,
 * transformers' GGUF_CONFIG_MAPPING, and what families' files say where a GGUF says nothing. */
#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "model/gguf_reader.h"

typedef model_gguf_reader reader;

static const model_gguf_architecture architectures[] = {
    { "llama", "llama", MODEL_GGUF_TURNED, NULL }, { "mistral", "mistral", MODEL_GGUF_TURNED, NULL }, { "qwen2", "qwen2", 0, NULL },
    { "qwen2moe", "qwen2_moe", 0, NULL }, { "qwen3", "qwen3", 0, NULL }, { "qwen3moe", "qwen3_moe", 0, "{\"norm_topk_prob\": true}" },
    { "gemma", "gemma", 0, NULL }, { "gemma2", "gemma2", 0, NULL }, { "gemma3", "gemma3_text", 0, NULL }, { "phi2", "phi", 0, NULL },
    { "phi3", "phi3", 0, NULL }, { "gpt2", "gpt2", 0, NULL }, { "gptneox", "gpt_neox", 0, NULL },
    { "falcon", "falcon", 0, "{\"parallel_attn\": true}" }, { "bloom", "bloom", 0, NULL }, { "stablelm", "stablelm", 0, NULL },
    { "starcoder", "gpt_bigcode", 0, NULL }, { "starcoder2", "starcoder2", 0, NULL }, { "olmo", "olmo", MODEL_GGUF_TURNED, NULL },
    { "olmo2", "olmo2", 0, NULL }, { "olmoe", "olmoe", 0, NULL }, { "granite", "granite", MODEL_GGUF_TURNED | MODEL_GGUF_SCALED, NULL },
    { "granitemoe", "granitemoe", MODEL_GGUF_TURNED | MODEL_GGUF_SCALED, NULL }, { "command-r", "cohere", 0, NULL }, { "cohere2", "cohere2", 0, NULL },
    { "smollm3", "smollm3", MODEL_GGUF_TURNED, NULL }, { "lfm2", "lfm2", 0, "{\"block_auto_adjust_ff_dim\": false}" },
    { "glm4", "glm4", 0, NULL }, { "exaone4", "exaone4", 0, NULL }, { "nemotron", "nemotron", 0, NULL },
    { "arcee", "arcee", MODEL_GGUF_TURNED, NULL }, { "seed_oss", "seed_oss", MODEL_GGUF_POSTED, NULL }, { "deepseek2", "deepseek_v2", MODEL_GGUF_TENTH, NULL },
    { "gpt-oss", "gpt_oss", MODEL_GGUF_POSTED, NULL }, { "glm4moe", "glm4_moe", MODEL_GGUF_POSTED, NULL }, { "minimax-m2", "minimax_m2", 0, NULL },
    { "apertus", "apertus", 0, NULL }, { "dots1", "dots1", 0, "{\"sliding_window\": null}" }, { "ernie4_5", "ernie4_5", 0, NULL },
    { "ernie4_5-moe", "ernie4_5_moe", 0, NULL }, { "chatglm", "glm", 0, NULL }, { "lfm2moe", "lfm2_moe", 0, NULL },
    { "hunyuan-dense", "hunyuan_v1_dense", 0, NULL }, { "mpt", "mpt", 0, NULL }, { "mistral3", "ministral3", MODEL_GGUF_TURNED, NULL },
    { "qwen3next", "qwen3_next", MODEL_GGUF_POSTED, NULL }, { "gemma4", "gemma4_text", MODEL_GGUF_UNLIKE, "{\"hidden_size_per_layer_input\": 0}" },
    { "qwen35", "qwen3_5_text", MODEL_GGUF_TILED | MODEL_GGUF_POSTED, NULL }, { "qwen35moe", "qwen3_5_moe_text", MODEL_GGUF_TILED | MODEL_GGUF_POSTED, NULL },
};

#define MAX_KEYS 6
/* by_layer: gguf_own.c reads the lists of architectures whose layers differ. */
static const struct { const char *key; const char *names[MAX_KEYS]; bool by_layer; } common_keys[] = {
    { "context_length", { "max_position_embeddings", "seq_length" }, false },
    { "block_count", { "num_hidden_layers" }, false },
    { "embedding_length", { "hidden_size" }, false },
    { "feed_forward_length", { "intermediate_size" }, true },
    { "attention.head_count", { "num_attention_heads" }, false },
    { "attention.head_count_kv", { "num_key_value_heads" }, true },
    { "attention.key_length", { "head_dim" }, false },
    { "attention.layer_norm_rms_epsilon", { "rms_norm_eps", "norm_eps" }, false },
    { "attention.layer_norm_epsilon", { "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps" }, false },
    { "attention.sliding_window", { "sliding_window" }, false },
    { "attention.clamp_kqv", { "clip_qkv" }, false },
    { "attention.scale", { "attention_multiplier" }, false },
    { "embedding_scale", { "embedding_multiplier" }, false },
    { "residual_scale", { "residual_multiplier" }, false },
    { "logit_scale", { "logit_scale", "logits_scaling" }, false },
    { "attn_logit_softcapping", { "attn_logit_softcapping" }, false },
    { "final_logit_softcapping", { "final_logit_softcapping" }, false },
    { "use_parallel_residual", { "use_parallel_residual" }, false },
    { "expert_count", { "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts" }, false },
    { "expert_used_count", { "num_experts_per_tok", "moe_k", "top_k_experts" }, false },
    { "expert_feed_forward_length", { "moe_intermediate_size" }, false },
    { "expert_shared_feed_forward_length", { "shared_expert_intermediate_size" }, false },
    { "expert_shared_count", { "n_shared_experts", "moe_num_shared_experts" }, false },
    { "expert_group_count", { "n_group" }, false },
    { "expert_group_used_count", { "topk_group" }, false },
    { "expert_weights_scale", { "routed_scaling_factor" }, false },
    { "expert_weights_norm", { "norm_topk_prob" }, false },
    { "leading_dense_block_count", { "first_k_dense_replace", "num_dense_layers", "moe_layer_start_index" }, false },
    { "interleave_moe_layer_step", { "moe_layer_interval" }, false },
    { "attention.q_lora_rank", { "q_lora_rank" }, false },
    { "attention.kv_lora_rank", { "kv_lora_rank" }, false },
    { "attention.shared_kv_layers", { "num_kv_shared_layers" }, false },
    { "embedding_length_per_layer_input", { "hidden_size_per_layer_input" }, false },
    { "shortconv.l_cache", { "conv_L_cache" }, false },
    { "ssm.conv_kernel", { "linear_conv_kernel_dim" }, false }, /* delta nets, in keys of state space models */
    { "ssm.state_size", { "linear_key_head_dim" }, false },
    { "ssm.group_count", { "linear_num_key_heads" }, false },
    { "ssm.time_step_rank", { "linear_num_value_heads" }, false },
};

oclm_status model_gguf_no_memory(const reader *r) { return core_fail(OCLM_ERR_MEMORY, "%s: no memory for its configuration", r->origin); }

/* ---- Values */

const core_gguf_value *model_gguf_find(const reader *r, const char *key)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", r->architecture->name, key);
    return core_gguf_find(r->file, name);
}

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

oclm_status model_gguf_put(const reader *r, const char *name, cJSON *item)
{
    cJSON_DeleteItemFromObjectCaseSensitive(r->config, name);
    if (item != NULL && cJSON_AddItemToObject(r->config, name, item))
        return OCLM_OK;
    cJSON_Delete(item);
    return model_gguf_no_memory(r);
}

oclm_status model_gguf_put_bool(const reader *r, const char *name, bool value) { return model_gguf_put(r, name, cJSON_CreateBool(value)); }
oclm_status model_gguf_put_number(const reader *r, const char *name, double value) { return model_gguf_put(r, name, cJSON_CreateNumber(value)); }
oclm_status model_gguf_put_text(const reader *r, const char *name, const char *text) { return model_gguf_put(r, name, cJSON_CreateString(text)); }

oclm_status model_gguf_number(const reader *r, const char *key, double *number)
{
    const core_gguf_value *value = model_gguf_find(r, key);
    return value != NULL ? read_number(r, key, value, number) : OCLM_OK;
}

static oclm_status read_common(const reader *r)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(common_keys) && status == OCLM_OK; i++) {
        const core_gguf_value *value = model_gguf_find(r, common_keys[i].key);
        double                 number = 0.0;
        if (value == NULL || (value->array && common_keys[i].by_layer && (r->architecture->how & MODEL_GGUF_UNLIKE) != 0) ||
            (status = read_number(r, common_keys[i].key, value, &number)) != OCLM_OK)
            continue;
        for (size_t n = 0; n < MAX_KEYS && common_keys[i].names[n] != NULL && status == OCLM_OK; n++)
            status = value->type == CORE_GGUF_BOOL ? model_gguf_put_bool(r, common_keys[i].names[n], number != 0.0)
                                                   : model_gguf_put_number(r, common_keys[i].names[n], number);
    }
    return status;
}

static oclm_status require(const reader *r)
{
    static const char *const keys[] = { "block_count", "embedding_length", "attention.head_count", "context_length" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (model_gguf_find(r, keys[i]) == NULL)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s.%s\" is missing in its metadata; without it this file is no model", r->origin,
                             r->architecture->name, keys[i]);
    }
    if (ckpt_find(r->checkpoint, "token_embd.weight") == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: the tensor \"token_embd.weight\" is missing, so this file is no language model", r->origin);
    return OCLM_OK;
}

/* ---- What tensors tell */

const ckpt_tensor *model_gguf_tensor_of(const reader *r, uint32_t layer, const char *tail)
{
    char name[160];
    snprintf(name, sizeof name, "blk.%u.%s", (unsigned)layer, tail);
    return ckpt_find(r->checkpoint, name);
}

const ckpt_tensor *model_gguf_tensor(const reader *r, const char *tail)
{
    const ckpt_tensor *tensor = NULL;
    for (uint32_t i = 0; i < MODEL_MAX_LAYERS && tensor == NULL; i++)
        tensor = model_gguf_tensor_of(r, i, tail);
    return tensor;
}

static oclm_status read_tensors(const reader *r)
{
    const bool  qkv_bias = model_gguf_tensor(r, "attn_q.bias") != NULL || model_gguf_tensor(r, "attn_qkv.bias") != NULL;
    const bool  output_bias = model_gguf_tensor(r, "attn_output.bias") != NULL, mlp_bias = model_gguf_tensor(r, "ffn_up.bias") != NULL;
    oclm_status status;
    if ((status = model_gguf_put_number(r, "vocab_size", (double)ckpt_find(r->checkpoint, "token_embd.weight")->shape[0])) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "tie_word_embeddings", ckpt_find(r->checkpoint, "output.weight") == NULL)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "attention_bias", qkv_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "attention_out_bias", output_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "use_qkv_bias", qkv_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "qkv_bias", qkv_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "mlp_bias", mlp_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "use_bias", mlp_bias)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "bias", mlp_bias)) != OCLM_OK)
        return status;
    const bool qk_norm = model_gguf_tensor(r, "attn_q_norm.weight") != NULL;
    return (status = model_gguf_put_bool(r, "qk_layernorm", qk_norm)) != OCLM_OK ? status : model_gguf_put_bool(r, "use_qk_norm", qk_norm);
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
    return cJSON_AddItemToArray(list, cJSON_CreateNumber((double)id)) ? OCLM_OK : model_gguf_no_memory(r);
}

static oclm_status read_id(const reader *r, const char *key, const char *name)
{
    int64_t           id = -1;
    const oclm_status status = core_gguf_get_int(r->file, key, &id);
    return status == OCLM_OK && id >= 0 ? model_gguf_put_number(r, name, (double)id) : status;
}

/* A model for conversations may have an id for the end of a turn beside that of a text; either ends what it says. */
static oclm_status read_ids(const reader *r)
{
    cJSON      *ends = cJSON_CreateArray();
    oclm_status status = model_gguf_put(r, "eos_token_id", ends);
    if (status == OCLM_OK && (status = add_id(r, ends, "tokenizer.ggml.eos_token_id")) == OCLM_OK &&
        (status = add_id(r, ends, "tokenizer.ggml.eot_token_id")) == OCLM_OK &&
        (status = read_id(r, "tokenizer.ggml.bos_token_id", "bos_token_id")) == OCLM_OK)
        status = read_id(r, "tokenizer.ggml.padding_token_id", "pad_token_id");
    if (status == OCLM_OK && ends->child == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(r->config, "eos_token_id");
    return status;
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

static oclm_status find_architecture(const core_gguf *file, const model_gguf_architecture **found)
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
    if ((status = require(r)) != OCLM_OK || (status = model_gguf_put_text(r, "model_type", r->architecture->model_type)) != OCLM_OK ||
        (status = read_common(r)) != OCLM_OK || (status = read_tensors(r)) != OCLM_OK || (status = read_ids(r)) != OCLM_OK ||
        (status = model_gguf_read_own(r)) != OCLM_OK || core_json_has(r->config, "rope_parameters"))
        return status;
    return model_gguf_read_rope(r);
}

static oclm_status config_of(const ckpt_checkpoint *checkpoint, const model_gguf_architecture **architecture, cJSON **config)
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
        status = model_gguf_no_memory(&r);
    if (status == OCLM_OK && (status = make(&r)) == OCLM_OK)
        *config = r.config;
    else
        cJSON_Delete(r.config);
    return status;
}

oclm_status model_gguf_config(const ckpt_checkpoint *checkpoint, cJSON **config)
{
    const model_gguf_architecture *architecture;
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

/* Types that share another's architecture. */
static const struct { const char *model_type, *name; } sharing[] = {
    { "mixtral", "llama" }, { "mistral", "llama" }, { "deepseek_v3", "deepseek2" }, { "olmo3", "olmo2" },
    { "RefinedWeb", "falcon" }, { "RefinedWebModel", "falcon" }, { "glm4_moe_lite", "deepseek2" },
};

const model_gguf_architecture *model_gguf_architecture_of(const char *model_type)
{
    const char *name = NULL;
    for (size_t i = 0; i < COUNT(sharing) && name == NULL; i++)
        name = strcmp(sharing[i].model_type, model_type) == 0 ? sharing[i].name : NULL;
    for (size_t i = 0; i < COUNT(architectures); i++) {
        if (strcmp(name != NULL ? architectures[i].name : architectures[i].model_type, name != NULL ? name : model_type) == 0)
            return &architectures[i];
    }
    return NULL;
}

void model_gguf_convert(const model_gguf_architecture *converted, model_architecture *a)
{
    model_norm_shape *const norms[] = { &a->norm, &a->qk_norm_shape, &a->latent.norm };
    for (size_t i = 0; i < COUNT(norms); i++) {
        norms[i]->kind = norms[i]->kind == DEV_NORM_RMS1P ? DEV_NORM_RMS : norms[i]->kind;
        norms[i]->weight_plus_one = false;
    }
    a->qkv_layout = (model_qkv_layout){ 0 };
    a->experts.gate_up_interleaved = false;
    a->delta_net.rate_stored = true;
    a->delta_net.heads_tiled = (converted->how & MODEL_GGUF_TILED) != 0;
    for (size_t i = 0; i < MODEL_ROPE_SETS && (converted->how & MODEL_GGUF_TURNED) != 0; i++)
        a->ropes[i].interleaved = true;
}

oclm_status model_gguf_read(const ckpt_checkpoint *checkpoint, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    const model_gguf_architecture *found;
    cJSON                   *config = NULL;
    oclm_status              status;
    *family = NULL;
    if ((status = config_of(checkpoint, &found, &config)) == OCLM_OK &&
        (status = model_config_tree(config, ckpt_gguf(checkpoint)->origin, family, architecture, dtype)) == OCLM_OK)
        model_gguf_convert(found, architecture);
    cJSON_Delete(config);
    return status;
}
