/* llama_names.h: rows of tensor names that many families share, for their tables of names. A name whose role the architecture has
 * no use for (a bias without *_bias) is not asked for, so every row may stand in every table. */
#ifndef OCLM_FAMILIES_LLAMA_NAMES_H
#define OCLM_FAMILIES_LLAMA_NAMES_H

#include "model/readers.h"

#define LLAMA_EMBEDDING_NAME { MODEL_EMBEDDING, "model.embed_tokens.weight", false }
#define LLAMA_HEAD_NAMES { MODEL_HEAD, "lm_head.weight", false }, { MODEL_HEAD_BIAS, "lm_head.bias", false }
#define LLAMA_FINAL_NORM_NAMES { MODEL_FINAL_NORM, "model.norm.weight", false }, { MODEL_FINAL_NORM_BIAS, "model.norm.bias", false }
#define LLAMA_OUTER_NAMES LLAMA_EMBEDDING_NAME, LLAMA_FINAL_NORM_NAMES, LLAMA_HEAD_NAMES

/* The norm before attention and the norm before the MLP of a layer that normalises what goes in. */
#define LLAMA_ATTENTION_NORM_NAMES                                                \
    { MODEL_ATTENTION_NORM, "model.layers.{i}.input_layernorm.weight", false },   \
    { MODEL_ATTENTION_NORM_BIAS, "model.layers.{i}.input_layernorm.bias", false }
#define LLAMA_MLP_NORM_NAMES                                                            \
    { MODEL_MLP_NORM, "model.layers.{i}.post_attention_layernorm.weight", false },      \
    { MODEL_MLP_NORM_BIAS, "model.layers.{i}.post_attention_layernorm.bias", false }

#define LLAMA_QKV_NAMES                                                                                             \
    { MODEL_Q, "model.layers.{i}.self_attn.q_proj.weight", false }, { MODEL_Q_BIAS, "model.layers.{i}.self_attn.q_proj.bias", false }, \
    { MODEL_K, "model.layers.{i}.self_attn.k_proj.weight", false }, { MODEL_K_BIAS, "model.layers.{i}.self_attn.k_proj.bias", false }, \
    { MODEL_V, "model.layers.{i}.self_attn.v_proj.weight", false }, { MODEL_V_BIAS, "model.layers.{i}.self_attn.v_proj.bias", false }
#define LLAMA_O_NAMES \
    { MODEL_O, "model.layers.{i}.self_attn.o_proj.weight", false }, { MODEL_O_BIAS, "model.layers.{i}.self_attn.o_proj.bias", false }
#define LLAMA_QK_NORM_NAMES                                               \
    { MODEL_Q_NORM, "model.layers.{i}.self_attn.q_norm.weight", false },  \
    { MODEL_K_NORM, "model.layers.{i}.self_attn.k_norm.weight", false }
#define LLAMA_ATTENTION_NAMES LLAMA_QKV_NAMES, LLAMA_O_NAMES

#define LLAMA_GATE_NAMES \
    { MODEL_GATE, "model.layers.{i}.mlp.gate_proj.weight", false }, { MODEL_GATE_BIAS, "model.layers.{i}.mlp.gate_proj.bias", false }
#define LLAMA_UP_NAMES \
    { MODEL_UP, "model.layers.{i}.mlp.up_proj.weight", false }, { MODEL_UP_BIAS, "model.layers.{i}.mlp.up_proj.bias", false }
#define LLAMA_DOWN_NAMES \
    { MODEL_DOWN, "model.layers.{i}.mlp.down_proj.weight", false }, { MODEL_DOWN_BIAS, "model.layers.{i}.mlp.down_proj.bias", false }
#define LLAMA_MLP_NAMES LLAMA_GATE_NAMES, LLAMA_UP_NAMES, LLAMA_DOWN_NAMES

/* A whole llama-like model whose layers normalise what goes into attention and MLP. */
#define LLAMA_NAMES \
    LLAMA_OUTER_NAMES, LLAMA_ATTENTION_NORM_NAMES, LLAMA_MLP_NORM_NAMES, LLAMA_ATTENTION_NAMES, LLAMA_MLP_NAMES

#endif
