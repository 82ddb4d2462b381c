/* names.h: rows of tensor names that many families share, as macros: a family's table is a choice of these and its own. A row
 * whose role the architecture does not have (a bias, a norm of queries) asks for nothing, so the rows may tell more than
 * a family needs. */
#ifndef OCLM_MODEL_FAMILIES_NAMES_H
#define OCLM_MODEL_FAMILIES_NAMES_H

#include "model/architecture.h"

#define NAMES_LINEAR(role, name) { role, name ".weight", false }, { role##_BIAS, name ".bias", false }
#define NAMES_LAYER "model.layers.{i}."

/* ---- As in Llama */

#define NAMES_TOP                                                                                                   \
    { MODEL_EMBEDDING, "model.embed_tokens.weight", false }, NAMES_LINEAR(MODEL_FINAL_NORM, "model.norm"),          \
    NAMES_LINEAR(MODEL_HEAD, "lm_head")

#define NAMES_QKV                                                                                                   \
    NAMES_LINEAR(MODEL_Q, NAMES_LAYER "self_attn.q_proj"), NAMES_LINEAR(MODEL_K, NAMES_LAYER "self_attn.k_proj"),   \
    NAMES_LINEAR(MODEL_V, NAMES_LAYER "self_attn.v_proj")

#define NAMES_ATTENTION NAMES_QKV, NAMES_LINEAR(MODEL_O, NAMES_LAYER "self_attn.o_proj")

#define NAMES_QK_NORM                                                                                               \
    { MODEL_Q_NORM, NAMES_LAYER "self_attn.q_norm.weight", false }, { MODEL_K_NORM, NAMES_LAYER "self_attn.k_norm.weight", false }

#define NAMES_MLP                                                                                                   \
    NAMES_LINEAR(MODEL_GATE, NAMES_LAYER "mlp.gate_proj"), NAMES_LINEAR(MODEL_UP, NAMES_LAYER "mlp.up_proj"),       \
    NAMES_LINEAR(MODEL_DOWN, NAMES_LAYER "mlp.down_proj")

#define NAMES_INPUT_NORM NAMES_LINEAR(MODEL_ATTENTION_NORM, NAMES_LAYER "input_layernorm")

/* All of them: normalised before attention and before the MLP. */
#define NAMES_LLAMA                                                                                                 \
    NAMES_TOP, NAMES_INPUT_NORM, NAMES_ATTENTION, NAMES_QK_NORM,                                                    \
    NAMES_LINEAR(MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm"), NAMES_MLP

/* The same where what attention and MLP add is normalised too, or alone: Gemma 2 and 3, OLMo 2 and 3, EXAONE 4. */
#define NAMES_POST_NORM                                                                                             \
    NAMES_TOP, NAMES_INPUT_NORM, NAMES_ATTENTION, NAMES_QK_NORM, NAMES_MLP,                                         \
    { MODEL_POST_ATTENTION_NORM, NAMES_LAYER "post_attention_layernorm.weight", false },                            \
    { MODEL_MLP_NORM, NAMES_LAYER "pre_feedforward_layernorm.weight", false },                                      \
    { MODEL_POST_MLP_NORM, NAMES_LAYER "post_feedforward_layernorm.weight", false }

/* Experts as in Qwen2-MoE, each in tensors of its own or, as transformers 5 has them in memory, all in one. */
#define NAMES_EXPERTS(gate, up, down, experts)                                                                      \
    { MODEL_EXPERTS_GATE, experts ".{e}." gate ".weight", false }, { MODEL_EXPERTS_UP, experts ".{e}." up ".weight", false }, \
    { MODEL_EXPERTS_DOWN, experts ".{e}." down ".weight", false },                                                  \
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "mlp.experts.gate_up_proj", false }, { MODEL_EXPERTS_DOWN, NAMES_LAYER "mlp.experts.down_proj", false }
#define NAMES_QWEN_EXPERTS                                                                                          \
    { MODEL_ROUTER, NAMES_LAYER "mlp.gate.weight", false }, NAMES_EXPERTS("gate_proj", "up_proj", "down_proj", NAMES_LAYER "mlp.experts")
/* The MLP that every row has beside its experts. */
#define NAMES_SHARED_EXPERT(name)                                                                                   \
    { MODEL_GATE, NAMES_LAYER "mlp." name ".gate_proj.weight", false }, { MODEL_UP, NAMES_LAYER "mlp." name ".up_proj.weight", false }, \
    { MODEL_DOWN, NAMES_LAYER "mlp." name ".down_proj.weight", false }

/* Experts as in DeepSeek V3: chosen by scores that a number of each expert corrects. */
#define NAMES_DEEPSEEK_EXPERTS                                                                                      \
    NAMES_QWEN_EXPERTS, NAMES_SHARED_EXPERT("shared_experts"),                                                      \
    { MODEL_ROUTER_CORRECTION, NAMES_LAYER "mlp.gate.e_score_correction_bias", false }

/* ---- As in GPT-2, which GPT-J, GPT-Neo, CodeGen and GPT BigCode follow */

#define NAMES_GPT2_TOP                                                                                              \
    { MODEL_EMBEDDING, "transformer.wte.weight", false }, { MODEL_POSITIONS, "transformer.wpe.weight", false },     \
    NAMES_LINEAR(MODEL_FINAL_NORM, "transformer.ln_f"), NAMES_LINEAR(MODEL_HEAD, "lm_head"),                        \
    NAMES_LINEAR(MODEL_ATTENTION_NORM, "transformer.h.{i}.ln_1"), NAMES_LINEAR(MODEL_MLP_NORM, "transformer.h.{i}.ln_2")

/* ---- A file's tables, for its entries */

#define NAMES_ONLY .names = names, .name_count = COUNT(names)
#define NAMES_TABLES NAMES_ONLY, .ignored = ignored, .ignored_count = COUNT(ignored)

#endif
