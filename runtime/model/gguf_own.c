/* gguf_own.c: what an architecture's GGUF files have of their own: keys that other architectures lack or mean otherwise, and what only the
 * presence or shape of tensors tells. Source: llama.cpp's convert_hf_to_gguf.py. */
#include <math.h>
#include <string.h>

#include "core/platform.h"
#include "model/gguf_reader.h"

typedef model_gguf_reader reader;

static bool is_float(const core_gguf_value *value) { return value->type == CORE_GGUF_F32 || value->type == CORE_GGUF_F64; }

static uint32_t layer_count(const reader *r)
{
    const cJSON *layers = core_json_member(r->config, "num_hidden_layers");
    return core_json_is_whole(layers, 0, MODEL_MAX_LAYERS) ? (uint32_t)layers->valuedouble : 0; /* what is no number of layers is told later */
}

/* Item `index` of a list, or the number that all have. */
static double number_at(const core_gguf_value *value, uint64_t index)
{
    return value->type == CORE_GGUF_STRING || value->type == CORE_GGUF_ARRAY || value->count == 0 ? 0.0
           : core_gguf_float(value, !value->array ? 0 : index < value->count ? index : value->count - 1);
}

/* A little more than the quotient, for it is multiplied and cut off again. */
static double share_of(double part, double whole) { return part == whole ? 1.0 : (part + 0x1p-16) / whole; }

/* A list, item by item. The caller hands it to model_gguf_put(), also where there is no memory for an item: then it is NULL. */
static void add_item(cJSON **list, cJSON *item)
{
    if (*list != NULL && item != NULL && cJSON_AddItemToArray(*list, item))
        return;
    cJSON_Delete(item);
    cJSON_Delete(*list);
    *list = NULL;
}

/* ---- What several have */

/* "attention.sliding_window_pattern": every so many layers one sees all, or a list that says of each layer whether it has the window. */
static oclm_status read_pattern(const reader *r)
{
    const core_gguf_value *value = model_gguf_find(r, "attention.sliding_window_pattern");
    if (value == NULL || value->type == CORE_GGUF_STRING || is_float(value))
        return OCLM_OK;
    if (!value->array)
        return model_gguf_put_number(r, "sliding_window_pattern", core_gguf_float(value, 0));
    cJSON *list = cJSON_CreateArray();
    for (uint64_t i = 0; i < value->count && i < MODEL_MAX_LAYERS && list != NULL; i++)
        add_item(&list, cJSON_CreateString(core_gguf_int(value, i) != 0 ? "sliding_attention" : "full_attention"));
    return model_gguf_put(r, "layer_types", list);
}

/* A head's size, where no key tells: of those that conversion turned it is what turns. How much of a head turns. */
static oclm_status read_head(const reader *r)
{
    double      hidden = 0.0, heads = 0.0, dims = 0.0, head_dim = 0.0;
    oclm_status status;
    if ((status = model_gguf_number(r, "embedding_length", &hidden)) != OCLM_OK ||
        (status = model_gguf_number(r, "attention.head_count", &heads)) != OCLM_OK ||
        (status = model_gguf_number(r, "rope.dimension_count", &dims)) != OCLM_OK ||
        (status = model_gguf_number(r, "attention.key_length", &head_dim)) != OCLM_OK)
        return status;
    if (head_dim == 0.0 && (r->architecture->how & MODEL_GGUF_TURNED) != 0 && dims > 0.0)
        head_dim = dims;
    if (head_dim == 0.0 && heads > 0.0)
        head_dim = floor(hidden / heads);
    if ((status = model_gguf_put_number(r, "head_dim", head_dim)) != OCLM_OK || !(dims > 0.0 && head_dim > 0.0))
        return status;
    const double partial = share_of(dims, head_dim);
    if ((status = model_gguf_put_number(r, "partial_rotary_factor", partial)) != OCLM_OK)
        return status;
    return model_gguf_put_number(r, "rotary_pct", partial);
}

/* The MLP's width is what its tensors have; some converters write what the class computes, whatever the model has. */
static oclm_status read_width(const reader *r)
{
    const ckpt_tensor *down = model_gguf_tensor(r, "ffn_down.weight");
    return down != NULL && down->dims == 2 ? model_gguf_put_number(r, "intermediate_size", (double)down->shape[1]) : OCLM_OK;
}

/* Among the layers are counted those behind the last, which guess further tokens. */
static oclm_status read_predicting(const reader *r)
{
    double      layers = 0.0, predicting = 0.0;
    oclm_status status;
    if ((status = model_gguf_number(r, "block_count", &layers)) != OCLM_OK ||
        (status = model_gguf_number(r, "nextn_predict_layers", &predicting)) != OCLM_OK)
        return status;
    return predicting > 0.0 ? model_gguf_put_number(r, "num_hidden_layers", layers - predicting) : OCLM_OK;
}

/* A window of 0 is none. */
static oclm_status read_window(const reader *r)
{
    double            window = 1.0;
    const oclm_status status = model_gguf_number(r, "attention.sliding_window", &window);
    return status == OCLM_OK && window == 0.0 ? model_gguf_put(r, "sliding_window", cJSON_CreateNull()) : status;
}

/* ---- What one has */

static oclm_status read_llama(const reader *r)
{
    if (model_gguf_find(r, "expert_count") != NULL && model_gguf_tensor(r, "ffn_gate_inp.weight") != NULL)
        return model_gguf_put_text(r, "model_type", "mixtral");
    return model_gguf_find(r, "attention.sliding_window") != NULL ? model_gguf_put_text(r, "model_type", "mistral") : OCLM_OK;
}

/* What queries are divided by is, where no key tells, the root of a head's size, but in the largest of each generation (46 and 62 layers), where it is that of
 * what is left of the width for each head. */
static oclm_status read_gemma(const reader *r)
{
    double      hidden = 1.0, heads = 1.0, layers = 0.0, scale = 0.0;
    oclm_status status;
    if ((status = model_gguf_number(r, "embedding_length", &hidden)) != OCLM_OK ||
        (status = model_gguf_number(r, "attention.head_count", &heads)) != OCLM_OK ||
        (status = model_gguf_number(r, "block_count", &layers)) != OCLM_OK || (status = model_gguf_number(r, "attention.scale", &scale)) != OCLM_OK)
        return status;
    const bool largest = layers == (strcmp(r->architecture->name, "gemma2") == 0 ? 46.0 : 62.0);
    const double scalar = scale > 0.0 ? 1.0 / (scale * scale) : largest && heads > 0.0 ? hidden / heads
                                                             : core_json_member(r->config, "head_dim")->valuedouble;
    if (strcmp(r->architecture->name, "gemma3") == 0 && model_gguf_find(r, "final_logit_softcapping") == NULL &&
        (status = model_gguf_put(r, "final_logit_softcapping", cJSON_CreateNull())) != OCLM_OK)
        return status;
    return model_gguf_put_number(r, "query_pre_attn_scalar", scalar);
}

static oclm_status read_falcon(const reader *r)
{
    double heads = 1.0, kv = 0.0;
    const bool two_norms = model_gguf_tensor(r, "attn_norm_2.weight") != NULL;
    oclm_status status;
    if ((status = model_gguf_number(r, "attention.head_count", &heads)) != OCLM_OK ||
        (status = model_gguf_number(r, "attention.head_count_kv", &kv)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "multi_query", kv <= 1.0)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "new_decoder_architecture", two_norms || kv > 1.0)) != OCLM_OK)
        return status;
    return model_gguf_put_number(r, "num_ln_in_parallel_attn", two_norms ? 2.0 : 1.0);
}

static oclm_status read_starcoder(const reader *r)
{
    double            kv = 1.0;
    const oclm_status status = model_gguf_number(r, "attention.head_count_kv", &kv);
    return status == OCLM_OK ? model_gguf_put_bool(r, "multi_query", kv <= 1.0) : status;
}

/* Layers without keys and values are convolutions. */
static oclm_status read_lfm2(const reader *r)
{
    const core_gguf_value *value = model_gguf_find(r, "attention.head_count_kv");
    cJSON                 *list = cJSON_CreateArray();
    for (uint64_t i = 0; value != NULL && value->array && i < value->count && i < MODEL_MAX_LAYERS && list != NULL; i++) {
        if (number_at(value, i) > 0.0)
            add_item(&list, cJSON_CreateNumber((double)i));
    }
    return model_gguf_put(r, "full_attn_idxs", list);
}

static oclm_status read_deepseek(const reader *r)
{
    static const char *const lengths[][2] = { { "attention.key_length_mla", "attention.key_length" },
                                              { "attention.value_length_mla", "attention.value_length" } };
    double      values[2] = { 0.0, 0.0 }, turned = 0.0, gating = 0.0, groups = 0.0;
    oclm_status status;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        if ((status = model_gguf_number(r, lengths[i][model_gguf_find(r, lengths[i][0]) != NULL ? 0 : 1], &values[i])) != OCLM_OK)
            return status;
    }
    if ((status = model_gguf_number(r, "rope.dimension_count", &turned)) != OCLM_OK ||
        (status = model_gguf_number(r, "expert_gating_func", &gating)) != OCLM_OK ||
        (status = model_gguf_number(r, "expert_group_count", &groups)) != OCLM_OK ||
        (status = model_gguf_put_number(r, "qk_rope_head_dim", turned)) != OCLM_OK ||
        (status = model_gguf_put_number(r, "qk_nope_head_dim", values[0] - turned)) != OCLM_OK ||
        (status = model_gguf_put_number(r, "v_head_dim", values[1])) != OCLM_OK ||
        (model_gguf_find(r, "attention.q_lora_rank") == NULL && (status = model_gguf_put(r, "q_lora_rank", cJSON_CreateNull())) != OCLM_OK) ||
        (status = model_gguf_put(r, "topk_method", cJSON_CreateString(groups > 1.0 ? "group_limited_greedy" : "greedy"))) != OCLM_OK)
        return status;
    const bool third = gating == 2.0 || model_gguf_tensor(r, "exp_probs_b.bias") != NULL; /* 2: sigmoid */
    return third ? model_gguf_put_text(r, "model_type", "deepseek_v3") : OCLM_OK;
}

static oclm_status read_stablelm(const reader *r)
{
    return model_gguf_put_bool(r, "use_parallel_residual", model_gguf_tensor(r, "ffn_norm.weight") == NULL);
}

static oclm_status read_olmo2(const reader *r)
{
    return model_gguf_find(r, "attention.sliding_window") != NULL ? model_gguf_put_text(r, "model_type", "olmo3") : OCLM_OK;
}

static oclm_status read_exaone4(const reader *r)
{
    return model_gguf_find(r, "attention.sliding_window") == NULL ? model_gguf_put(r, "sliding_window", cJSON_CreateNull()) : OCLM_OK;
}

static oclm_status read_mpt(const reader *r)
{
    double            clip = 0.0;
    cJSON            *attention = cJSON_CreateObject();
    const oclm_status status = model_gguf_number(r, "attention.clamp_kqv", &clip);
    if (status != OCLM_OK || (clip > 0.0 && attention != NULL && cJSON_AddNumberToObject(attention, "clip_qkv", clip) == NULL)) {
        cJSON_Delete(attention);
        return status != OCLM_OK ? status : model_gguf_no_memory(r);
    }
    return model_gguf_put(r, "attn_config", attention);
}

static oclm_status read_delta_net(const reader *r)
{
    double      inner = 0.0, heads = 0.0;
    oclm_status status;
    if ((status = model_gguf_number(r, "ssm.inner_size", &inner)) != OCLM_OK ||
        (status = model_gguf_number(r, "ssm.time_step_rank", &heads)) != OCLM_OK ||
        (inner > 0.0 && heads > 0.0 && (status = model_gguf_put_number(r, "linear_value_head_dim", inner / heads)) != OCLM_OK))
        return status;
    cJSON *list = cJSON_CreateArray();
    for (uint32_t i = 0; i < layer_count(r) && list != NULL; i++)
        add_item(&list, cJSON_CreateString(model_gguf_tensor_of(r, i, "ssm_conv1d.weight") != NULL ? "linear_attention" : "full_attention"));
    return model_gguf_put(r, "layer_types", list);
}

/* ---- Gemma 4, whose layers are of two kinds */

/* Keys and values of layers without a window, which have sizes of their own. */
static oclm_status read_full_layers(const reader *r)
{
    const core_gguf_value *kv = model_gguf_find(r, "attention.head_count_kv"), *windows = model_gguf_find(r, "attention.sliding_window_pattern");
    double      full = 0.0, windowed = 0.0, dim = 0.0, windowed_dim = 0.0;
    bool        values_are_keys = false;
    oclm_status status;
    for (uint32_t i = 0; i < layer_count(r) && kv != NULL && windows != NULL; i++) {
        const bool has_window = number_at(windows, i) != 0.0;
        *(has_window ? &windowed : &full) = number_at(kv, i);
        values_are_keys |= !has_window && model_gguf_tensor_of(r, i, "attn_k.weight") != NULL && model_gguf_tensor_of(r, i, "attn_v.weight") == NULL;
    }
    if ((status = model_gguf_number(r, "attention.key_length", &dim)) != OCLM_OK ||
        (status = model_gguf_number(r, "attention.key_length_swa", &windowed_dim)) != OCLM_OK ||
        (windowed > 0.0 && (status = model_gguf_put_number(r, "num_key_value_heads", windowed)) != OCLM_OK) ||
        (full > 0.0 && (status = model_gguf_put_number(r, "num_global_key_value_heads", full)) != OCLM_OK) ||
        (dim > 0.0 && (status = model_gguf_put_number(r, "global_head_dim", dim)) != OCLM_OK) ||
        (windowed_dim > 0.0 && (status = model_gguf_put_number(r, "head_dim", windowed_dim)) != OCLM_OK))
        return status;
    return model_gguf_put_bool(r, "attention_k_eq_v", values_are_keys);
}

/* Pairs that stand still have a factor as good as infinite in "rope_freqs.weight". */
static double turning_share(const reader *r)
{
    const ckpt_tensor *factors = ckpt_find(r->checkpoint, "rope_freqs.weight");
    uint64_t           turning = 0;
    if (factors == NULL || factors->dtype != CORE_F32 || factors->quantized != NULL || factors->elements == 0)
        return 1.0;
    for (uint64_t i = 0; i < factors->elements; i++) {
        float factor;
        memcpy(&factor, (const char *)factors->data + i * sizeof factor, sizeof factor);
        turning += factor < 1e20f;
    }
    return share_of((double)turning, (double)factors->elements);
}

/* {"rope_type", "rope_theta"} of one kind of layer, in `all`. */
static cJSON *add_rope(cJSON *all, const char *kind, const char *type, double theta)
{
    cJSON *rope = cJSON_AddObjectToObject(all, kind);
    return rope != NULL && cJSON_AddStringToObject(rope, "rope_type", type) != NULL && cJSON_AddNumberToObject(rope, "rope_theta", theta) != NULL ? rope : NULL;
}

static oclm_status read_gemma4_rope(const reader *r)
{
    double      theta = 1000000.0, windowed = 10000.0;
    cJSON      *parameters = cJSON_CreateObject();
    oclm_status status;
    if ((status = model_gguf_number(r, "rope.freq_base", &theta)) == OCLM_OK)
        status = model_gguf_number(r, "rope.freq_base_swa", &windowed);
    cJSON *full = add_rope(parameters, "full_attention", "proportional", theta);
    if (status == OCLM_OK && (full == NULL || cJSON_AddNumberToObject(full, "partial_rotary_factor", turning_share(r)) == NULL ||
                              add_rope(parameters, "sliding_attention", "default", windowed) == NULL))
        status = model_gguf_no_memory(r);
    if (status != OCLM_OK) {
        cJSON_Delete(parameters);
        return status;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(r->config, "partial_rotary_factor");
    return model_gguf_put(r, "rope_parameters", parameters);
}

static oclm_status read_gemma4(const reader *r)
{
    const core_gguf_value   *widths = model_gguf_find(r, "feed_forward_length");
    const ckpt_tensor *const table = ckpt_find(r->checkpoint, "per_layer_token_embd.weight");
    const bool               wide = widths != NULL && number_at(widths, UINT64_MAX) > number_at(widths, 0);
    double                   experts = 0.0;
    oclm_status              status;
    if ((status = model_gguf_number(r, "expert_count", &experts)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "enable_moe_block", experts > 0.0)) != OCLM_OK ||
        (status = model_gguf_put_bool(r, "use_double_wide_mlp", wide)) != OCLM_OK ||
        (table != NULL && (status = model_gguf_put_number(r, "vocab_size_per_layer_input", (double)table->shape[0])) != OCLM_OK) ||
        (status = read_full_layers(r)) != OCLM_OK)
        return status;
    return read_gemma4_rope(r);
}

/* ---- All of it */

static oclm_status read_architecture(const reader *r)
{
    static const struct { const char *name; oclm_status (*read)(const reader *r); } own[] = {
        { "llama", read_llama }, { "gemma2", read_gemma }, { "gemma3", read_gemma }, { "falcon", read_falcon }, { "lfm2", read_lfm2 },
        { "deepseek2", read_deepseek }, { "lfm2moe", read_lfm2 }, { "mpt", read_mpt }, { "qwen3next", read_delta_net },
        { "qwen35", read_delta_net }, { "qwen35moe", read_delta_net }, { "gemma4", read_gemma4 },
        { "stablelm", read_stablelm }, { "starcoder", read_starcoder }, { "olmo2", read_olmo2 }, { "exaone4", read_exaone4 },
    };
    for (size_t i = 0; i < COUNT(own); i++) {
        if (strcmp(own[i].name, r->architecture->name) == 0)
            return own[i].read(r);
    }
    return OCLM_OK;
}

oclm_status model_gguf_read_own(const reader *r)
{
    oclm_status status;
    if ((status = read_predicting(r)) != OCLM_OK || (status = read_width(r)) != OCLM_OK || (status = read_window(r)) != OCLM_OK ||
        (status = read_pattern(r)) != OCLM_OK || (status = read_head(r)) != OCLM_OK)
        return status;
    return read_architecture(r);
}
