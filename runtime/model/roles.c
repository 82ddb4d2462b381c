/* roles.c: which roles an architecture has, and what shape a role's tensor must have. */
#include "model/binding.h"

bool model_has_norm(const model_architecture *a, model_role norm)
{
    switch (norm) {
    case MODEL_EMBEDDING_NORM: return a->embedding_norm;
    case MODEL_FINAL_NORM: return !a->no_final_norm;
    case MODEL_ATTENTION_NORM: return a->residual != MODEL_RESIDUAL_POST;
    case MODEL_MLP_NORM: return a->residual != MODEL_RESIDUAL_POST && a->residual != MODEL_RESIDUAL_PARALLEL_ONE;
    case MODEL_POST_ATTENTION_NORM: case MODEL_POST_MLP_NORM:
        return a->residual == MODEL_RESIDUAL_POST || a->residual == MODEL_RESIDUAL_SANDWICH;
    case MODEL_Q_NORM: case MODEL_K_NORM: return a->qk_norm != MODEL_QK_NORM_NONE;
    case MODEL_Q_A_NORM: return a->latent.q_rank > 0;
    case MODEL_KV_A_NORM: return a->latent.kv_rank > 0;
    case MODEL_ROUTER_NORM: return a->experts.router_norm;
    case MODEL_EXPERTS_NORM: case MODEL_POST_DENSE_NORM: case MODEL_POST_EXPERTS_NORM: return a->experts.beside_mlp;
    case MODEL_INPUT_IN_NORM: case MODEL_POST_INPUT_NORM: return a->layer_input.size > 0;
    default: return false;
    }
}

bool model_has_projections(const model_architecture *a) { return a->embedding_size > 0 && a->embedding_size != a->hidden_size; }

static model_role_shape matrix_if(bool there, uint32_t rows, uint32_t columns)
{
    return (model_role_shape){ there ? rows : 0, there ? columns : 0, 0 };
}

static model_role_shape vector_if(bool there, uint32_t count) { return (model_role_shape){ there ? count : 0, 0, 0 }; }

/* Of a norm of hidden states. */
static model_role_shape norm_weight(const model_architecture *a, model_role norm)
{
    return vector_if(model_has_norm(a, norm) && !a->norm.no_weight, a->hidden_size);
}

static model_role_shape norm_bias(const model_architecture *a, model_role norm)
{
    return vector_if(model_has_norm(a, norm) && a->norm.has_bias, a->hidden_size);
}

/* Of the norm of so many heads of queries or keys. */
static model_role_shape head_norm(const model_architecture *a, uint32_t heads, uint32_t head_dim, bool there)
{
    switch (a->qk_norm) {
    case MODEL_QK_NORM_HEAD: return vector_if(there, head_dim);
    case MODEL_QK_NORM_HEADS: return (model_role_shape){ there ? heads * head_dim : 0, 0, heads };
    case MODEL_QK_NORM_ALL: return vector_if(there, heads * head_dim);
    case MODEL_QK_NORM_NONE: break;
    }
    return vector_if(false, 0);
}

/* ---- What differs by layer */

uint32_t model_head_dim(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].head_dim > 0 ? a->layer[layer].head_dim : a->head_dim;
}

uint32_t model_kv_heads(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].kv_heads > 0 ? a->layer[layer].kv_heads : a->kv_heads;
}

bool model_keeps_keys(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].mixer == MODEL_MIXER_ATTENTION && a->layer[layer].cache_of == 0;
}

uint32_t model_cache_layer(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].cache_of > 0 ? a->layer[layer].cache_of - 1 : layer;
}

/* Rows of queries, gates among them; of keys; of values. */
static uint32_t q_rows(const model_architecture *a, uint32_t layer)
{
    return (a->attention_gate ? 2 : 1) * a->heads * model_head_dim(a, layer);
}

static uint32_t k_rows(const model_architecture *a, uint32_t layer)
{
    return model_keeps_keys(a, layer) ? model_kv_heads(a, layer) * model_head_dim(a, layer) : 0;
}

static uint32_t v_rows(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].values_are_keys ? 0 : k_rows(a, layer);
}

uint32_t model_qkv_width(const model_architecture *a, uint32_t layer) { return q_rows(a, layer) + k_rows(a, layer) + v_rows(a, layer); }

uint32_t model_inner_width(const model_architecture *a, uint32_t layer)
{
    const uint32_t own = a->layer[layer].intermediate_size;
    if (a->layer[layer].experts && !a->experts.beside_mlp)
        return a->experts.shared_width;
    return own > 0 ? own : a->intermediate_size;
}

/* So many matrices or vectors (columns 0) below each other. */
static model_role_shape pieces_if(bool there, uint32_t pieces, uint32_t rows, uint32_t columns)
{
    return (model_role_shape){ there ? pieces * rows : 0, there ? columns : 0, there ? pieces : 0 };
}

static model_role_shape expert_role_shape(const model_architecture *a, model_role role)
{
    const model_experts *x = &a->experts; /* products are bounded by check_experts() of config.c */
    const uint32_t count = x->routing.count, hidden = a->hidden_size;
    switch (role) {
    case MODEL_ROUTER: return matrix_if(true, count, hidden);
    case MODEL_ROUTER_BIAS: return vector_if(x->router_bias, count);
    case MODEL_ROUTER_CORRECTION: return (model_role_shape){ x->correction ? count : 0, 0, 1 }; /* of one row, in some files */
    case MODEL_EXPERTS_GATE_UP: return pieces_if(true, count, 2 * x->width, hidden);
    case MODEL_EXPERTS_GATE_UP_BIAS: return pieces_if(x->bias, count, 2 * x->width, 0);
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: return pieces_if(true, count, x->width, hidden);
    case MODEL_EXPERTS_GATE_BIAS: case MODEL_EXPERTS_UP_BIAS: return pieces_if(x->bias, count, x->width, 0);
    case MODEL_EXPERTS_DOWN: return pieces_if(true, count, hidden, x->width);
    case MODEL_EXPERTS_DOWN_BIAS: return pieces_if(x->bias, count, hidden, 0);
    case MODEL_SHARED_GATE: return matrix_if(x->shared_gate, 1, hidden);
    case MODEL_ROUTER_NORM: return vector_if(x->router_norm, hidden);
    case MODEL_ROUTER_COUNTS: return vector_if(x->counted, count);
    case MODEL_EXPERTS_NORM: case MODEL_POST_DENSE_NORM: case MODEL_POST_EXPERTS_NORM: return norm_weight(a, role);
    default: return vector_if(false, 0);
    }
}

static model_role_shape latent_role_shape(const model_architecture *a, model_role role)
{
    const model_latent *m = &a->latent;
    const uint32_t q = m->q_rank, kv = m->kv_rank;
    switch (role) {
    case MODEL_Q_A: return matrix_if(q > 0, q, a->hidden_size);
    case MODEL_Q_A_BIAS: return vector_if(q > 0 && a->qkv_bias, q);
    case MODEL_Q_A_NORM: return vector_if(q > 0, q);
    case MODEL_Q_B: return matrix_if(q > 0, a->heads * a->head_dim, q);
    case MODEL_KV_A: return matrix_if(kv > 0, kv + m->rope_dim, a->hidden_size);
    case MODEL_KV_A_BIAS: return vector_if(kv > 0 && a->qkv_bias, kv + m->rope_dim);
    case MODEL_KV_A_NORM: return vector_if(kv > 0, kv);
    case MODEL_KV_B: return matrix_if(kv > 0, a->heads * (m->nope_dim + m->value_dim), kv);
    case MODEL_K_B: return pieces_if(kv > 0, a->heads, m->nope_dim, kv);
    case MODEL_V_B: return pieces_if(kv > 0, a->heads, m->value_dim, kv);
    default: return vector_if(false, 0);
    }
}

model_role_shape model_role_shape_of(const model_architecture *a, model_role role, uint32_t layer)
{
    const uint32_t q = q_rows(a, layer), k = k_rows(a, layer), v = v_rows(a, layer); /* bounded by check_sizes() of config.c */
    const uint32_t hidden = a->hidden_size, inner = model_inner_width(a, layer), dim = model_head_dim(a, layer);
    const uint32_t table = model_has_projections(a) ? a->embedding_size : hidden;
    const bool     latent = a->latent.kv_rank > 0, attention = a->layer[layer].mixer == MODEL_MIXER_ATTENTION;
    const uint32_t input = a->layer_input.size, inputs = a->layers * input;
    if (role >= MODEL_MIX_IN && role <= MODEL_MIX_OUT_BIAS)
        return attention ? vector_if(false, 0) : model_mix_role_shape(a, role, layer);
    if (role >= MODEL_QKV && role <= MODEL_O_BIAS && !attention)
        return vector_if(false, 0);
    switch (role) {
    case MODEL_EMBEDDING: case MODEL_HEAD: return matrix_if(true, a->vocab_size, table);
    case MODEL_HEAD_BIAS: return vector_if(a->head_bias, a->vocab_size);
    case MODEL_POSITIONS: return matrix_if(a->position == MODEL_POSITION_LEARNED, a->max_position_embeddings + a->position_offset, hidden);
    case MODEL_PROJECT_IN: return matrix_if(model_has_projections(a), hidden, table);
    case MODEL_PROJECT_OUT: return matrix_if(model_has_projections(a), table, hidden);
    case MODEL_EMBEDDING_NORM: case MODEL_FINAL_NORM: case MODEL_ATTENTION_NORM: case MODEL_MLP_NORM: case MODEL_POST_ATTENTION_NORM:
    case MODEL_POST_MLP_NORM: return norm_weight(a, role);
    case MODEL_EMBEDDING_NORM_BIAS: case MODEL_FINAL_NORM_BIAS: case MODEL_ATTENTION_NORM_BIAS: case MODEL_MLP_NORM_BIAS:
        return norm_bias(a, role - 1);
    case MODEL_QKV: return matrix_if(!latent, q + k + v, hidden);
    case MODEL_Q: return matrix_if(a->latent.q_rank == 0, q, hidden);
    case MODEL_K: return matrix_if(!latent && k > 0, k, hidden);
    case MODEL_V: return matrix_if(!latent && v > 0, v, hidden);
    case MODEL_QKV_BIAS: return vector_if(a->qkv_bias && !latent, q + k + v);
    case MODEL_Q_BIAS: return vector_if(a->qkv_bias && !latent, q);
    case MODEL_K_BIAS: return vector_if(a->qkv_bias && !latent, k);
    case MODEL_V_BIAS: return vector_if(a->qkv_bias && !latent, v);
    case MODEL_Q_A: case MODEL_Q_A_BIAS: case MODEL_Q_A_NORM: case MODEL_Q_B: case MODEL_KV_A: case MODEL_KV_A_BIAS: case MODEL_KV_A_NORM:
    case MODEL_KV_B: case MODEL_K_B: case MODEL_V_B: return latent_role_shape(a, role);
    case MODEL_Q_NORM: return head_norm(a, a->heads, dim, !a->qk_norm_shape.no_weight);
    case MODEL_K_NORM: return head_norm(a, model_kv_heads(a, layer), dim, k > 0 && !a->qk_norm_shape.no_weight);
    case MODEL_Q_NORM_BIAS: return head_norm(a, a->heads, dim, a->qk_norm_shape.has_bias);
    case MODEL_K_NORM_BIAS: return head_norm(a, model_kv_heads(a, layer), dim, k > 0 && a->qk_norm_shape.has_bias);
    case MODEL_SINKS: return vector_if(a->attention_sinks, a->heads);
    case MODEL_O: return matrix_if(true, hidden, a->heads * (latent ? a->latent.value_dim : dim));
    case MODEL_O_BIAS: return vector_if(a->output_bias, hidden);
    case MODEL_GATE_UP: return matrix_if(a->mlp_gated && inner > 0, 2 * inner, hidden);
    case MODEL_GATE_UP_BIAS: return vector_if(a->mlp_gated && a->mlp_bias, 2 * inner);
    case MODEL_GATE: return matrix_if(a->mlp_gated && inner > 0, inner, hidden);
    case MODEL_GATE_BIAS: return vector_if(a->mlp_gated && a->mlp_bias, inner);
    case MODEL_UP: return matrix_if(inner > 0, inner, hidden);
    case MODEL_UP_BIAS: return vector_if(a->mlp_bias, inner);
    case MODEL_DOWN: return matrix_if(inner > 0, hidden, inner);
    case MODEL_DOWN_BIAS: return vector_if(a->mlp_bias && inner > 0, hidden);
    case MODEL_XIELU_ALPHA_P: case MODEL_XIELU_ALPHA_N: case MODEL_XIELU_BETA: case MODEL_XIELU_EPS: return vector_if(a->xielu, 1);
    case MODEL_ROUTER: case MODEL_ROUTER_BIAS: case MODEL_ROUTER_CORRECTION: case MODEL_EXPERTS_GATE_UP: case MODEL_EXPERTS_GATE_UP_BIAS:
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_GATE_BIAS: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_UP_BIAS: case MODEL_EXPERTS_DOWN:
    case MODEL_EXPERTS_DOWN_BIAS: case MODEL_SHARED_GATE:
    case MODEL_ROUTER_NORM: case MODEL_ROUTER_COUNTS: case MODEL_EXPERTS_NORM: case MODEL_POST_DENSE_NORM: case MODEL_POST_EXPERTS_NORM:
        return a->layer[layer].experts ? expert_role_shape(a, role) : vector_if(false, 0);
    case MODEL_INPUT_EMBEDDING: return matrix_if(input > 0, a->layer_input.vocab_size, inputs);
    case MODEL_INPUT_IN: return matrix_if(input > 0, inputs, hidden);
    case MODEL_INPUT_IN_NORM: return vector_if(input > 0, input);
    case MODEL_INPUT_GATE: return matrix_if(input > 0, input, hidden);
    case MODEL_INPUT_OUT: return matrix_if(input > 0, hidden, input);
    case MODEL_POST_INPUT_NORM: return norm_weight(a, role);
    case MODEL_LAYER_SCALAR: return vector_if(a->layer_scalar, 1);
    default: break; /* done above */
    }
    return vector_if(false, 0);
}
