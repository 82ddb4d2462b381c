/* experts.c: records the mixture of experts of a layer (experts.h), a few hundred rows at a time. */
#include "model/experts.h"

#include "model/pass.h"

#define MOST_ROWS MODEL_CHUNK_ROWS /* at a time: each takes `chosen` rows of inner and outer states */

/* ---- What a state keeps */

static uint32_t rows_at_a_time(uint32_t max_rows) { return max_rows < MOST_ROWS ? max_rows : MOST_ROWS; }

uint64_t model_expert_state_bytes(const model_architecture *a, uint32_t max_rows)
{
    const model_experts *x = &a->experts;
    const uint64_t       rows = rows_at_a_time(max_rows), hidden = dev_padded(a->hidden_size);
    const uint64_t       floats = dev_padded(x->routing.count) + x->routing.chosen * (dev_padded(x->width) + hidden) +
                            (x->router_norm ? 3 : 2) * hidden + DEV_PANEL;
    return x->routing.count > 0 ? rows * floats * sizeof(float) + dev_routes_bytes(&x->routing, rows) : 0;
}

oclm_status model_expert_state_new(dev_device *device, const model_architecture *a, uint32_t max_rows, model_expert_state *s)
{
    const model_experts *x = &a->experts;
    const size_t         rows = rows_at_a_time(max_rows), hidden = dev_padded(a->hidden_size), slots = rows * x->routing.chosen;
    if (x->routing.count == 0)
        return OCLM_OK;
    s->rows = (uint32_t)rows;
    s->router_stride = (uint32_t)dev_padded(x->routing.count);
    s->width_stride = (uint32_t)dev_padded(x->width);
    const struct { dev_buffer *buffer; size_t floats; const char *what; } wanted[] = {
        { &s->x, rows * hidden, "what experts read" },
        { &s->logits, rows * s->router_stride, "the router's logits" },
        { &s->inner, slots * s->width_stride, "the inner states of experts" },
        { &s->outer, slots * hidden, "what experts made" },
        { &s->shared, rows * hidden, "what the shared expert made" },
        { &s->gate, rows * DEV_PANEL, "the gate of the shared expert" },
        { &s->router_x, x->router_norm ? rows * hidden : 0, "what the router reads" },
    };
    oclm_status status = dev_routes_new(device, &x->routing, s->rows, &s->routes);
    for (size_t i = 0; i < COUNT(wanted) && status == OCLM_OK; i++)
        status = wanted[i].floats > 0 ? dev_buffer_new(device, wanted[i].floats * sizeof(float), wanted[i].what, wanted[i].buffer) : OCLM_OK;
    return status;
}

void model_expert_state_free(dev_device *device, model_expert_state *s)
{
    dev_buffer *const all[] = { &s->x, &s->logits, &s->inner, &s->outer, &s->shared, &s->gate, &s->router_x };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(device, all[i]);
    dev_routes_free(device, &s->routes);
}

/* ---- Recording */

/* A product of the rows that are at hand, normalised. */
static dev_matmul product_of(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_buffer *bias, const dev_buffer *y,
                             uint32_t y_stride)
{
    return (dev_matmul){ .weight = weight, .bias = bias->memory != NULL ? bias : NULL, .x = &state->experts.x, .x_stride = state->hidden_stride,
                         .y = y, .y_stride = y_stride, .rows = rows, .scratch = &state->scratch, .scratch_floats = state->scratch_floats,
                         .epilogue = DEV_STORE };
}

size_t model_experts_scratch(const model_model *model, uint32_t layer, uint32_t max_rows)
{
    const model_layer      *l = &model->weights.layers[layer];
    const dev_matrix *const all[] = { &l->experts.router, &l->up, &l->down, &l->experts.shared_gate };
    size_t                  most = 0;
    for (size_t i = 0; i < COUNT(all); i++) {
        const dev_epilogue epilogue = all[i] == &l->up && model->architecture.mlp_gated ? DEV_GATED : DEV_STORE;
        const size_t       floats = all[i]->part_count == 0 ? 0
                                  : dev_matmul_scratch(model_layer_device(model, layer), all[i], rows_at_a_time(max_rows), DEV_NORM_NONE, epilogue);
        most = floats > most ? floats : most;
    }
    return most;
}

model_expert_products model_expert_products_of(const model_state *state, uint32_t rows, uint32_t layer)
{
    const model_architecture   *a = &state->model->architecture;
    const model_expert_state   *s = &state->experts;
    const model_layer          *l = &state->model->weights.layers[layer];
    const model_expert_weights *w = &l->experts;
    const dev_buffer            none = { NULL, 0 };
    model_expert_products       p = {
        .router = product_of(state, rows, &w->router, &w->router_bias, &s->logits, s->router_stride),
        .shared_up = product_of(state, rows, &l->up, &l->up_bias, &state->mlp, state->mlp_stride),
        .shared_down = product_of(state, rows, &l->down, &l->down_bias, &s->shared, state->hidden_stride),
        .shared_gate = product_of(state, rows, &w->shared_gate, &none, &s->gate, DEV_PANEL),
        .up = { .weight = &w->up, .panels = w->up.panels / a->experts.routing.count, .bias = w->up_bias.memory ? &w->up_bias : NULL, .x = &s->x,
                .x_stride = state->hidden_stride, .y = &s->inner, .y_stride = s->width_stride, .epilogue = DEV_GATED,
                .activation = a->experts.swiglu_limit > 0.0f ? DEV_ACT_CLAMPED_SWIGLU : a->activation, .gate_alpha = a->experts.swiglu_alpha,
                .gate_limit = a->experts.swiglu_limit, .rows = rows },
        .down = { .weight = &w->down, .panels = w->down.panels / a->experts.routing.count, .bias = w->down_bias.memory ? &w->down_bias : NULL,
                  .x = &s->inner, .x_stride = s->width_stride, .x_is_slots = true, .y = &s->outer, .y_stride = state->hidden_stride, .rows = rows },
    };
    if (a->experts.router_norm)
        p.router.x = &s->router_x;
    p.shared_up.epilogue = a->mlp_gated ? DEV_GATED : DEV_STORE;
    p.shared_up.activation = a->activation;
    p.shared_down.x = &state->mlp, p.shared_down.x_stride = state->mlp_stride;
    return p;
}

/* The shared expert, and how much it counts. */
static oclm_status add_shared(const model_state *state, dev_work *work, const model_expert_products *p)
{
    oclm_status status;
    if ((status = dev_matmul_add(work, &p->shared_up)) != OCLM_OK || (status = dev_matmul_add(work, &p->shared_down)) != OCLM_OK)
        return status;
    return state->model->architecture.experts.shared_gate ? dev_matmul_add(work, &p->shared_gate) : OCLM_OK;
}

static oclm_status add_chosen(const model_state *state, dev_work *work, const model_expert_products *p, const model_expert_weights *w)
{
    const dev_routing        *routing = &state->model->architecture.experts.routing;
    const model_expert_state *s = &state->experts;
    oclm_status               status;
    if ((status = dev_matmul_add(work, &p->router)) != OCLM_OK ||
        (status = dev_route_add(work, routing, &s->logits, s->router_stride, w->correction.memory ? &w->correction : NULL,
                                w->counts.memory ? &w->counts : NULL, p->router.rows, &s->routes)) != OCLM_OK ||
        (status = dev_expert_matmul_add(work, routing, &s->routes, &p->up)) != OCLM_OK)
        return status;
    return dev_expert_matmul_add(work, routing, &s->routes, &p->down);
}

/* What experts and router read of some rows of the stream. */
static oclm_status add_norms(const model_state *state, dev_work *work, uint64_t offset, uint32_t rows, const model_layer *layer)
{
    const model_architecture *a = &state->model->architecture;
    const uint32_t            stride = state->hidden_stride;
    const dev_norm           *norm = a->experts.beside_mlp ? &layer->experts.norm : &layer->mlp_norm;
    const oclm_status status = dev_norm_add(work, norm, &state->hidden, offset, stride, &state->experts.x, 0, stride, rows, a->hidden_size);
    if (status != OCLM_OK || !a->experts.router_norm)
        return status;
    return dev_norm_add(work, &layer->experts.router_norm, &state->hidden, offset, stride, &state->experts.router_x, 0, stride, rows,
                        a->hidden_size);
}

/* The MLP's part of the branch and the experts', each normalised. */
static oclm_status add_beside(const model_state *state, dev_work *work, uint64_t offset, uint32_t rows, const model_layer *layer)
{
    const uint32_t    stride = state->hidden_stride, hidden = state->model->architecture.hidden_size;
    const oclm_status status = dev_norm_in_place(work, &layer->experts.post_dense_norm, &state->branch, offset, stride, rows, hidden);
    return status == OCLM_OK ? dev_norm_residual(work, &layer->experts.post_norm, &state->experts.shared, stride, 1.0f, 1.0f, &state->branch,
                                                 offset, stride, rows, hidden) : status;
}

static oclm_status add_rows(const model_state *state, dev_work *work, uint32_t first, uint32_t rows, uint32_t index)
{
    const model_architecture   *a = &state->model->architecture;
    const model_expert_state   *s = &state->experts;
    const model_layer          *layer = &state->model->weights.layers[index];
    const model_expert_products p = model_expert_products_of(state, rows, index);
    const bool                  beside = a->experts.beside_mlp;
    const uint64_t              offset = (uint64_t)first * state->hidden_stride;
    dev_expert_join             join = {
        .x = &s->outer, .stride = state->hidden_stride, .shared = !beside && layer->up.part_count > 0 ? &s->shared : NULL,
        .shared_gate = a->experts.shared_gate ? &s->gate : NULL, .gate_stride = DEV_PANEL, .scale = a->residual_scale, .y = &state->hidden,
        .y_offset = offset, .y_stride = state->hidden_stride, .rows = rows,
    };
    oclm_status status;
    if (beside)
        join.y = &s->shared, join.y_offset = 0, join.store = true, join.scale = 1.0f;
    if ((status = add_norms(state, work, offset, rows, layer)) != OCLM_OK ||
        (join.shared != NULL && (status = add_shared(state, work, &p)) != OCLM_OK) ||
        (status = add_chosen(state, work, &p, &layer->experts)) != OCLM_OK || (status = dev_expert_join_add(work, &s->routes, &join)) != OCLM_OK)
        return status;
    return beside ? add_beside(state, work, offset, rows, layer) : OCLM_OK;
}

oclm_status model_experts_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer)
{
    const uint32_t most = state->experts.rows;
    oclm_status    status = OCLM_OK;
    for (uint32_t first = 0; first < rows && status == OCLM_OK; first += most)
        status = add_rows(state, work, first, rows - first < most ? rows - first : most, layer);
    return status;
}
