/* embedding.c: what comes before the layers: rows of the embedding, and what is told of tokens and positions beside them. */
#include "model/offload.h"
#include "model/pass.h"

float model_rounded_scale(const model_state *state, float scale)
{
    const core_dtype stored = state->model->weights.dtype;
    const bool       rounded = state->model->architecture.embedding_scale_rounded;
    if (rounded && stored == CORE_F16)
        return core_f16_to_f32(core_f32_to_f16(scale));
    if (rounded && stored == CORE_BF16)
        return core_bf16_to_f32(core_f32_to_bf16(scale));
    return scale;
}

/* What the table's rows are multiplied by. */
static float embedding_scale(const model_state *state) { return model_rounded_scale(state, state->model->architecture.embedding_scale); }

/* Rows of the table, projected to the stream. */
static oclm_status add_projected(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_weights *weights = &state->model->weights;
    dev_matmul           m = model_product(state, rows, &weights->project_in, NULL);
    m.x = &state->table_rows, m.x_stride = state->table_stride;
    m.y = &state->hidden, m.y_stride = state->hidden_stride;
    m.epilogue = DEV_STORE;
    dev_work   *inner = NULL;
    oclm_status status = model_offload_rows(weights->offload, work, MODEL_UNIT_EMBEDDING, &weights->embedding, &state->ids, rows,
                                            embedding_scale(state), false, &state->table_rows, state->table_stride);
    if (status == OCLM_OK)
        status = model_offload_begin(weights->offload, work, MODEL_KEPT_PRODUCTS, logits, &inner);
    return status == OCLM_OK ? dev_matmul_add(inner, &m) : status;
}

/* Rows of the table as the stream is, and those of positions where there are any: in one launch, if both tables are here. */
static oclm_status add_rows(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_weights *w = &state->model->weights;
    const bool           positions = w->positions.part_count > 0, projected = model_has_projections(&state->model->architecture);
    const float          scale = embedding_scale(state);
    if (positions && !projected && !model_offload_has(w->offload, MODEL_UNIT_EMBEDDING) && !model_offload_has(w->offload, MODEL_KEPT_TABLES))
        return dev_rows_add_both(work, &w->embedding, &state->ids, scale, &w->positions, &state->positions, rows, &state->hidden, state->hidden_stride);
    const oclm_status status = projected ? add_projected(state, work, rows, logits)
                                         : model_offload_rows(w->offload, work, MODEL_UNIT_EMBEDDING, &w->embedding, &state->ids, rows, scale, false,
                                                              &state->hidden, state->hidden_stride);
    return status == OCLM_OK && positions ? model_offload_rows(w->offload, work, MODEL_KEPT_TABLES, &w->positions, &state->positions, rows, 1.0f, true,
                                                               &state->hidden, state->hidden_stride) : status;
}

oclm_status model_embedding_add(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_architecture *a = &state->model->architecture;
    const model_weights      *w = &state->model->weights;
    oclm_status               status = add_rows(state, work, rows, logits);
    if (status == OCLM_OK && a->embedding_norm)
        status = dev_norm_in_place(work, &w->embedding_norm, &state->hidden, 0, state->hidden_stride, rows, a->hidden_size);
    return status == OCLM_OK ? model_layer_input_begin(state, work, rows, logits) : status;
}
