/* latent.c: records latent attention's own steps, around those of any attention (latent.h). */
#include "model/latent.h"

#include "model/pass.h"

/* ---- What a state keeps */

static uint32_t stride_of(const model_latent *m) { return (uint32_t)dev_padded(m->q_rank + m->kv_rank + m->rope_dim); }

static uint32_t kv_stride_of(const model_architecture *a) { return (uint32_t)dev_padded(a->heads * (a->latent.nope_dim + a->latent.value_dim)); }

uint64_t model_latent_state_bytes(const model_architecture *a, uint32_t max_rows)
{
    return a->latent.kv_rank > 0 ? (uint64_t)max_rows * ((uint64_t)stride_of(&a->latent) + kv_stride_of(a)) * sizeof(float) : 0;
}

oclm_status model_latent_state_new(dev_device *device, const model_architecture *a, uint32_t max_rows, model_latent_state *s)
{
    oclm_status status;
    if (a->latent.kv_rank == 0)
        return OCLM_OK;
    s->stride = stride_of(&a->latent);
    s->kv_stride = kv_stride_of(a);
    if ((status = dev_buffer_new(device, (size_t)max_rows * s->stride * sizeof(float), "latent queries, keys and values", &s->rows)) != OCLM_OK)
        return status;
    return dev_buffer_new(device, (size_t)max_rows * s->kv_stride * sizeof(float), "keys and values", &s->kv);
}

void model_latent_state_free(dev_device *device, model_latent_state *s)
{
    dev_buffer_free(device, &s->rows);
    dev_buffer_free(device, &s->kv);
}

/* ---- Recording */

static dev_matmul product_of(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_norm *norm)
{
    return (dev_matmul){ .weight = weight, .norm = *norm, .rows = rows, .scratch = &state->scratch, .scratch_floats = state->scratch_floats,
                         .x = &state->latent.rows, .x_stride = state->latent.stride, .epilogue = DEV_STORE };
}

/* Keys and values of each head, from the parts that all share and those of its own. */
static oclm_status add_spread(const model_state *state, dev_work *work, uint32_t rows)
{
    const model_architecture *a = &state->model->architecture;
    const model_latent       *m = &a->latent;
    const dev_arg             args[] = {
        dev_arg_buffer(&state->qkv), dev_arg_u32(state->qkv_stride), dev_arg_buffer(&state->latent.rows), dev_arg_u32(state->latent.stride),
        dev_arg_u32(m->q_rank + m->kv_rank), dev_arg_buffer(&state->latent.kv), dev_arg_u32(state->latent.kv_stride), dev_arg_u32(a->heads),
        dev_arg_u32(m->nope_dim), dev_arg_u32(m->rope_dim), dev_arg_u32(m->value_dim),
    };
    const dev_launch launch = { .source = "latent", .kernel = "latent_spread", .options = "", .dims = 2,
                                .global = { (size_t)a->heads * a->head_dim, rows }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

model_latent_products model_latent_products_of(const model_state *state, uint32_t rows, uint32_t layer)
{
    const model_layer    *l = &state->model->weights.layers[layer];
    const model_latent   *m = &state->model->architecture.latent;
    model_latent_products p = { product_of(state, rows, &l->latent, &l->attention_norm),
                                product_of(state, rows, &l->qkv, m->q_rank > 0 ? &l->latent_q_norm : &l->attention_norm),
                                product_of(state, rows, &l->latent_kv, &l->latent_kv_norm) };
    p.rows.bias = l->latent_bias.memory != NULL ? &l->latent_bias : NULL;
    p.rows.x = &state->hidden, p.rows.x_stride = state->hidden_stride;
    p.rows.y = &state->latent.rows, p.rows.y_stride = state->latent.stride;
    if (m->q_rank == 0)
        p.queries.x = &state->hidden, p.queries.x_stride = state->hidden_stride;
    p.queries.y = &state->qkv, p.queries.y_stride = state->qkv_stride;
    p.heads.x_offset = m->q_rank;
    p.heads.y = &state->latent.kv, p.heads.y_stride = state->latent.kv_stride;
    return p;
}

oclm_status model_latent_add_before(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer)
{
    const model_latent_products p = model_latent_products_of(state, rows, layer);
    oclm_status                 status;
    if ((status = dev_matmul_add(work, &p.rows)) != OCLM_OK || (status = dev_matmul_add(work, &p.queries)) != OCLM_OK ||
        (status = dev_matmul_add(work, &p.heads)) != OCLM_OK)
        return status;
    return add_spread(state, work, rows);
}

oclm_status model_latent_add_after(const model_state *state, dev_work *work, uint32_t rows)
{
    const model_architecture *a = &state->model->architecture;
    const dev_arg             args[] = {
        dev_arg_buffer(&state->latent.kv), dev_arg_u32(state->latent.kv_stride), dev_arg_buffer(&state->attention_out),
        dev_arg_u32(state->attention_stride), dev_arg_u32(a->latent.value_dim), dev_arg_u32(a->head_dim),
    };
    const dev_launch launch = { .source = "latent", .kernel = "latent_gather", .options = "", .dims = 2,
                                .global = { (size_t)a->heads * a->latent.value_dim, rows }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

size_t model_latent_scratch(const model_model *model, uint32_t layer, uint32_t rows)
{
    const model_layer      *l = &model->weights.layers[layer];
    const dev_matrix *const all[] = { &l->latent, &l->qkv, &l->latent_kv };
    size_t                  most = 0;
    for (size_t i = 0; i < COUNT(all) && l->latent.part_count > 0; i++) {
        const size_t floats = dev_matmul_scratch(model_layer_device(model, layer), all[i], rows, model->architecture.norm.kind, DEV_STORE);
        most = floats > most ? floats : most;
    }
    return most;
}
