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
static model_role_shape head_norm(const model_architecture *a, uint32_t heads, bool there)
{
    switch (a->qk_norm) {
    case MODEL_QK_NORM_HEAD: return vector_if(there, a->head_dim);
    case MODEL_QK_NORM_HEADS: return (model_role_shape){ there ? heads * a->head_dim : 0, 0, heads };
    case MODEL_QK_NORM_ALL: return vector_if(there, heads * a->head_dim);
    case MODEL_QK_NORM_NONE: break;
    }
    return vector_if(false, 0);
}

uint32_t model_inner_width(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].experts ? a->experts.shared_width : a->intermediate_size;
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
    case MODEL_ROUTER_CORRECTION: return vector_if(x->correction, count);
    case MODEL_EXPERTS_GATE_UP: return pieces_if(true, count, 2 * x->width, hidden);
    case MODEL_EXPERTS_GATE_UP_BIAS: return pieces_if(x->bias, count, 2 * x->width, 0);
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: return pieces_if(true, count, x->width, hidden);
    case MODEL_EXPERTS_DOWN: return pieces_if(true, count, hidden, x->width);
    case MODEL_EXPERTS_DOWN_BIAS: return pieces_if(x->bias, count, hidden, 0);
    case MODEL_SHARED_GATE: return matrix_if(x->shared_gate, 1, hidden);
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
    default: return vector_if(false, 0);
    }
}

model_role_shape model_role_shape_of(const model_architecture *a, model_role role, uint32_t layer)
{
    const uint32_t q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim; /* bounded by check_sizes() of config.c */
    const uint32_t hidden = a->hidden_size, inner = model_inner_width(a, layer);
    const uint32_t table = model_has_projections(a) ? a->embedding_size : hidden;
    const bool     latent = a->latent.kv_rank > 0, attention = a->layer[layer].mixer == MODEL_MIXER_ATTENTION;
    const uint32_t q_rows = a->attention_gate ? 2 * q : q;
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
    case MODEL_QKV: return matrix_if(!latent, q_rows + 2 * kv, hidden);
    case MODEL_Q: return matrix_if(a->latent.q_rank == 0, q_rows, hidden);
    case MODEL_K: case MODEL_V: return matrix_if(!latent, kv, hidden);
    case MODEL_QKV_BIAS: return vector_if(a->qkv_bias && !latent, q_rows + 2 * kv);
    case MODEL_Q_BIAS: return vector_if(a->qkv_bias && !latent, q_rows);
    case MODEL_K_BIAS: case MODEL_V_BIAS: return vector_if(a->qkv_bias && !latent, kv);
    case MODEL_Q_A: case MODEL_Q_A_BIAS: case MODEL_Q_A_NORM: case MODEL_Q_B: case MODEL_KV_A: case MODEL_KV_A_BIAS: case MODEL_KV_A_NORM:
    case MODEL_KV_B: return latent_role_shape(a, role);
    case MODEL_Q_NORM: return head_norm(a, a->heads, !a->qk_norm_shape.no_weight);
    case MODEL_K_NORM: return head_norm(a, a->kv_heads, !a->qk_norm_shape.no_weight);
    case MODEL_Q_NORM_BIAS: return head_norm(a, a->heads, a->qk_norm_shape.has_bias);
    case MODEL_K_NORM_BIAS: return head_norm(a, a->kv_heads, a->qk_norm_shape.has_bias);
    case MODEL_SINKS: return vector_if(a->attention_sinks, a->heads);
    case MODEL_O: return matrix_if(true, hidden, latent ? a->heads * a->latent.value_dim : q);
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
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_DOWN: case MODEL_EXPERTS_DOWN_BIAS: case MODEL_SHARED_GATE:
        return a->layer[layer].experts ? expert_role_shape(a, role) : vector_if(false, 0);
    default: break; /* done above */
    }
    return vector_if(false, 0);
}
