/* export_names.c: which kinds of models are written as GGUF, and what their tensors are called there. Source: gguf's constants.py and
 * tensor_mapping.py, llama.cpp's convert_hf_to_gguf.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/platform.h"
#include "model/export_gguf.h"

#define AS_IS MODEL_EXPORT_AS_IS
#define NORM MODEL_EXPORT_NORM
#define TURNED MODEL_EXPORT_TRANSPOSED

#define LLAMA_NAMES                                                                                                                        \
    { "embed_tokens", "token_embd", AS_IS }, { "norm", "output_norm", NORM }, { "lm_head", "output", AS_IS },                                \
    { ".input_layernorm", ".attn_norm", NORM }, { ".self_attn.q_proj", ".attn_q", MODEL_EXPORT_Q_HALVES },                                 \
    { ".self_attn.k_proj", ".attn_k", MODEL_EXPORT_K_HALVES }, { ".self_attn.v_proj", ".attn_v", AS_IS },                                  \
    { ".self_attn.o_proj", ".attn_output", AS_IS }, { ".self_attn.q_norm", ".attn_q_norm", NORM },                                         \
    { ".self_attn.k_norm", ".attn_k_norm", NORM }, { ".mlp.gate_proj", ".ffn_gate", AS_IS }, { ".mlp.up_proj", ".ffn_up", AS_IS },         \
    { ".mlp.down_proj", ".ffn_down", AS_IS }

static const model_export_name llama_names[] = { LLAMA_NAMES, { ".post_attention_layernorm", ".ffn_norm", NORM } };

/* Gemma 2 and 3: four norms a layer. */
static const model_export_name gemma_names[] = {
    LLAMA_NAMES,
    { ".post_attention_layernorm", ".post_attention_norm", NORM },
    { ".pre_feedforward_layernorm", ".ffn_norm", NORM },
    { ".post_feedforward_layernorm", ".post_ffw_norm", NORM },
};

static const model_export_name gpt2_names[] = {
    { "wte", "token_embd", AS_IS }, { "wpe", "position_embd", AS_IS }, { "ln_f", "output_norm", AS_IS }, { "lm_head", "output", AS_IS },
    { ".ln_1", ".attn_norm", AS_IS }, { ".attn.c_attn", ".attn_qkv", TURNED }, { ".attn.c_proj", ".attn_output", TURNED },
    { ".ln_2", ".ffn_norm", AS_IS }, { ".mlp.c_fc", ".ffn_up", TURNED }, { ".mlp.c_proj", ".ffn_down", TURNED },
};

#define NAMES(list) list, COUNT(list)
static const model_export_kind kinds[] = {
    { "llama", "llama", "model.", NAMES(llama_names), true, false, false, false },
    { "mistral", "llama", "model.", NAMES(llama_names), true, false, false, false },
    { "qwen2", "qwen2", "model.", NAMES(llama_names), false, false, false, false },
    { "qwen3", "qwen3", "model.", NAMES(llama_names), false, false, false, true },
    { "gemma", "gemma", "model.", NAMES(llama_names), false, true, false, true },
    { "gemma2", "gemma2", "model.", NAMES(gemma_names), false, true, false, true },
    { "gemma3_text", "gemma3", "model.", NAMES(gemma_names), false, true, false, true },
    { "gpt2", "gpt2", "transformer.", NAMES(gpt2_names), false, false, true, false },
};

const model_export_kind *model_export_kind_at(size_t index)
{
    return index < COUNT(kinds) ? &kinds[index] : NULL;
}

const model_export_kind *model_export_kind_of(const char *model_type)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].model_type, model_type) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* No weights: masks and tables that older files hold. */
static bool is_ignored(const char *name)
{
    static const char *const patterns[] = { "*.rotary_emb.inv_freq", "*.attn.bias", "*.attn.masked_bias" };
    for (size_t i = 0; i < COUNT(patterns); i++) {
        if (core_name_matches(patterns[i], name))
            return true;
    }
    return false;
}

/* The layer that a name begins with: "layers.3.mlp.." or "h.3.attn..", moved to the dot behind; -1: none. */
static long layer_of(const char **name)
{
    static const char *const lists[] = { "layers.", "h." };
    for (size_t i = 0; i < COUNT(lists); i++) {
        const size_t length = strlen(lists[i]);
        char        *end;
        if (strncmp(*name, lists[i], length) != 0 || (*name)[length] < '0' || (*name)[length] > '9')
            continue;
        const long layer = strtol(*name + length, &end, 10);
        if (*end != '.' || layer > 100000)
            return -1;
        *name = end;
        return layer;
    }
    return -1;
}

model_export_place model_export_name_of(const model_export_kind *kind, const char *name, char into[128], model_export_change *change)
{
    const char *rest = strncmp(name, kind->prefix, strlen(kind->prefix)) == 0 ? name + strlen(kind->prefix) : name;
    const long  layer = layer_of(&rest);
    const char *tail = strrchr(rest, '.');
    if (is_ignored(name))
        return MODEL_EXPORT_IGNORED;
    if (tail == NULL || (strcmp(tail, ".weight") != 0 && strcmp(tail, ".bias") != 0))
        return MODEL_EXPORT_UNKNOWN;
    for (size_t i = 0; i < kind->name_count; i++) {
        const model_export_name *row = &kind->names[i];
        if ((row->from[0] == '.') != (layer >= 0) || strlen(row->from) != (size_t)(tail - rest) || strncmp(row->from, rest, (size_t)(tail - rest)) != 0)
            continue;
        *change = row->change;
        if (layer >= 0)
            (void)snprintf(into, 128, "blk.%ld%s%s", layer, row->to, tail);
        else
            (void)snprintf(into, 128, "%s%s", row->to, tail);
        return MODEL_EXPORT_HERE;
    }
    return MODEL_EXPORT_UNKNOWN;
}
