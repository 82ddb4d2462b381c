/* layer_attention.c: attention as a layer has it: its shape by the words of the architecture, its buffers by those of the state. */
#include "model/pass.h"

/* What is alike in all layers. */
static model_attention_shape attention_shape(const model_architecture *a)
{
    const bool alibi = a->position == MODEL_POSITION_ALIBI;
    return (model_attention_shape){
        .heads = a->heads, .scale = a->attention_scale, .value_norm = a->value_norm,
        .softcap = a->attention_softcap, .sinks = a->attention_sinks, .chunked = a->windows_are_chunks,
        .alibi = alibi, .alibi_rounded = alibi && a->alibi == MODEL_ALIBI_FALCON,
        .clip = a->qkv_clip, .clip_late = a->qkv_clip_after_norm,
        .qk_norm = a->qk_norm, .qk_norm_kind = a->qk_norm_shape.kind, .qk_eps = a->qk_norm_shape.eps, .qk_norm_late = a->qk_norm_after_rope,
        .query_length = model_growth_count(a, 1) > 0 ? a->query_length : 0,
    };
}

model_attention_shape model_pass_attention_shape(const model_architecture *a, uint32_t layer)
{
    const model_rope     *rope = model_rope_of(a, layer);
    model_attention_shape shape = attention_shape(a);
    if (a->attention_scale_by_layer)
        shape.scale /= (float)(layer + 1);
    shape.kv_heads = model_kv_heads(a, layer);
    shape.head_dim = model_head_dim(a, layer);
    shape.values_are_keys = a->layer[layer].values_are_keys;
    shape.queries_only = a->layer[layer].cache_of > 0;
    shape.window = a->layer[layer].window;
    shape.rotary_dims = rope != NULL ? rope->dims : 0;
    shape.rotary_interleaved = rope != NULL && rope->interleaved;
    return shape;
}

model_attention model_pass_attention(const model_state *state, const model_pass_shape *shape, uint32_t index)
{
    const model_architecture *a = &state->model->architecture;
    const model_layer        *layer = &state->model->weights.layers[index];
    const int                 set = a->layer[index].rope == MODEL_ROPE_SECOND ? 1 : 0;
    const bool                norm = a->qk_norm != MODEL_QK_NORM_NONE;
    model_attention_shape     heads = model_pass_attention_shape(a, index);
    heads.quantized = state->cache.quantized;
    return (model_attention){
        .shape = heads,
        .cache = &state->cache, .layer = model_cache_layer(a, index), .rows = shape->rows,
        .positions = &state->positions, .sequences = &state->sequences,
        .tiles = &state->tiles, .tile_count = shape->tile_count, .tile_rows = shape->tile_rows, .single_rows = shape->single_rows,
        .cos_table = &state->cos_table[set], .sin_table = &state->sin_table[set],
        .slopes = model_optional(&state->slopes), .sinks = model_optional(&layer->sinks), .growth = model_optional(&state->growth),
        .q_norm = norm ? &layer->q_norm : NULL, .k_norm = norm ? &layer->k_norm : NULL,
        .length_bound = shape->length_bound,
        .qkv = &state->qkv, .qkv_stride = state->qkv_stride,
        .out = &state->attention_out, .out_stride = state->attention_stride,
        .partial = &state->partial,
    };
}
