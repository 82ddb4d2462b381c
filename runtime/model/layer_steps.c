/* layer_steps.c: writes layers as steps of cl/decode_layers.cl: what layer.c records as launches, in the same order (layer_steps.h). */
#include "model/layer_steps.h"

#include <assert.h>
#include <string.h>

#include "model/offload.h"

#define MOST_TILES 8u /* of rows: more are better off with launches of their own, cut along rows too */

_Static_assert(sizeof(model_step) == STEP_WORDS * sizeof(uint32_t), "a step is as long as cl/layer_steps.h says");

static const model_architecture *architecture_of(const model_steps *s) { return &s->state->model->architecture; }

/* ---- Lists */

static void fail(model_steps *s, oclm_status status) { s->status = s->status == OCLM_OK ? status : s->status; }

static model_steps_launch *launch_of(model_steps *s) { return &s->launches[s->launch_count - 1]; }

/* The number of a pointer. */
static uint32_t number_of(model_steps *s, const dev_buffer *buffer)
{
    model_steps_launch *l = launch_of(s);
    if (buffer == NULL || buffer->memory == NULL)
        return 0;
    for (uint32_t i = 1; i < l->pointers; i++) {
        if (l->pointer[i] == buffer->memory)
            return i;
    }
    if (l->pointers == MODEL_MAX_POINTERS) {
        s->full = true;
        return 0;
    }
    l->pointer[l->pointers] = buffer->memory;
    return l->pointers++;
}

/* Where a step is to be written: the caller fills it in at once. `along`: it needs nothing of the step before. */
static model_step *add_step(model_steps *s, uint32_t kind, bool along)
{
    model_step *grown = core_grow_array(s->steps, s->step_count, &s->step_room, 64, sizeof *grown, "steps of layers");
    if (grown == NULL) {
        fail(s, OCLM_ERR_MEMORY);
        return &s->nowhere;
    }
    s->steps = grown;
    model_step *step = &s->steps[s->step_count++];
    memset(step, 0, sizeof *step);
    step->told.head.kind = kind;
    step->told.head.along = along;
    step->told.head.rows = s->shape->rows;
    return step;
}

static void begin_launch(model_steps *s, uint32_t layer)
{
    model_steps_launch *grown = core_grow_array(s->launches, s->launch_count, &s->launch_room, 4, sizeof *grown, "launches of layers");
    if (grown == NULL) {
        fail(s, OCLM_ERR_MEMORY);
        return;
    }
    s->launches = grown;
    model_steps_launch *l = &s->launches[s->launch_count++];
    l->first_layer = layer;
    l->layers = l->steps = 0;
    l->first_step = (uint32_t)s->step_count;
    l->pointers = 1;
    l->pointer[0] = NULL;
}

/* The number of a kind that is built with such options, a new one where there is none. */
static uint32_t kind_of(model_steps *s, model_kinds *kinds, const char *options)
{
    for (uint32_t i = 0; i < kinds->count; i++) {
        if (strcmp(kinds->options[i].data, options) == 0)
            return i;
    }
    if (kinds->count == MODEL_MAX_KINDS) {
        s->unfit = true;
        return 0;
    }
    fail(s, core_text_printf(&kinds->options[kinds->count], "%s", options));
    return kinds->count++;
}

/* ---- Products */

/* All rows in one tile, or in as few as can hold them, equally full. Of `experts` one below the other each is a product of its own. */
static bool find_tile(model_steps *s, const dev_matmul *product, const dev_matrix_part *part, uint32_t experts, dev_tile *tile)
{
    dev_matrix_part one = *part;
    dev_matrix      weight = { .rows = product->weight->rows / experts, .columns = product->weight->columns, .panels = product->weight->panels / experts,
                               .parts = &one, .part_count = 1 };
    dev_matmul      m = *product;
    bool            found = false;
    one.panels /= experts;
    if (m.activation == DEV_ACT_CLAMPED_SWIGLU) /* of both halves: the units' affair, and nobody else's */
        m.activation = DEV_ACT_SILU;
    m.weight = &weight;
    for (uint32_t tiles = 1; tiles <= MOST_TILES && tiles <= product->rows && !found && s->status == OCLM_OK; tiles++) {
        m.rows = (product->rows + tiles - 1) / tiles;
        fail(s, dev_matmul_tile(s->state->device, &m, tile, &found));
    }
    return found;
}

/* What serves units of this storage, in a layer with this activation. */
static uint32_t unit_of(model_steps *s, const dev_tile *tile, uint32_t layer)
{
    const model_architecture *a = architecture_of(s);
    const bool                experts = a->layer[layer].experts, clamped = experts && a->experts.swiglu_limit > 0.0f;
    const dev_activation      activation = clamped ? DEV_ACT_CLAMPED_SWIGLU : a->xielu ? DEV_ACT_NONE : a->activation;
    core_text                 options = CORE_TEXT_INIT;
    char                      gate[DEV_GATE_OPTIONS] = "";
    uint32_t                  unit = 0;
    if (clamped)
        dev_gate_options(activation, a->experts.swiglu_alpha, a->experts.swiglu_limit, gate);
    fail(s, core_text_printf(&options, "%s -DGATED=%d -DACTIVATION=%d%s", tile->options, experts || a->mlp_gated, (int)activation, gate));
    if (s->status == OCLM_OK)
        unit = kind_of(s, &s->units, options.data);
    core_text_free(&options);
    return unit;
}

/* One part of a product. `like`: what of the step is not said by the product. */
static void multiply_part(model_steps *s, const dev_matmul *m, const dev_matrix_part *part, uint32_t layer, const model_multiply_step *like, bool along)
{
    const bool          gated = m->epilogue == DEV_GATED;
    const uint32_t      experts = like->groups != 0 ? architecture_of(s)->experts.routing.count : 1;
    const uint32_t      panels = part->panels / experts, outputs_at = part->first_panel * DEV_PANEL / (gated ? 2 : 1);
    model_multiply_step step = *like;
    dev_tile            tile;
    if ((gated && (part->panels % 2 != 0 || part->first_panel % 2 != 0)) || !find_tile(s, m, part, experts, &tile)) {
        s->unfit = true;
        return;
    }
    step.x = number_of(s, m->x), step.x_at = (uint32_t)m->x_offset, step.x_stride = m->x_stride, step.columns = m->weight->columns;
    step.normed = m->norm.kind != DEV_NORM_NONE, step.norm_w = number_of(s, &m->norm.weight), step.norm_b = number_of(s, &m->norm.bias);
    step.eps = m->norm.eps;
    step.order = m->weight->ordered ? number_of(s, &m->weight->order) : 0;
    step.w = number_of(s, &part->buffer), step.unit = unit_of(s, &tile, layer);
    step.unit_bytes = (uint32_t)dev_panel_of(&part->storage, m->weight->columns).bytes * (gated ? 2 : 1) / (DEV_PANEL / tile.cols);
    step.bias = number_of(s, m->bias), step.bias_at = part->first_panel * DEV_PANEL;
    step.y = number_of(s, m->y), step.y_at = (uint32_t)m->y_offset + outputs_at, step.y_stride = m->y_stride;
    step.add = dev_matmul_add_scale(m);
    step.units = (gated ? panels / 2 : panels) * (DEV_PANEL / tile.cols);
    step.gated = gated, step.active = m->epilogue == DEV_STORE && m->activation != DEV_ACT_NONE;
    add_step(s, STEP_MULTIPLY, along)->told.of.multiply = step;
}

/* A product that a layer may have. */
static void multiply(model_steps *s, const dev_matmul *m, uint32_t layer, const model_multiply_step *like, bool along)
{
    static const model_multiply_step plain;
    if (m->weight == NULL)
        return;
    like = like != NULL ? like : &plain;
    const size_t row_bytes = (size_t)s->shape->rows * m->weight->columns * sizeof(float);
    s->local_bytes = row_bytes > s->local_bytes ? row_bytes : s->local_bytes;
    s->unfit = s->unfit || (m->norm.kind != DEV_NORM_NONE && m->norm.kind != architecture_of(s)->norm.kind) ||
               (m->weight->ordered && (like->part > 0 || like->times > 0)) ||
               (like->groups > 0 && m->weight->part_count > 1); /* experts are cut, too */
    for (uint32_t p = 0; p < m->weight->part_count && !s->unfit && s->status == OCLM_OK; p++)
        multiply_part(s, m, &m->weight->parts[p], layer, like, along || p > 0);
}

/* ---- Norms between them */

/* y = keep * (y + add * norm(x)), or with an `add` of 0 y = norm(x). */
static void add_norm(model_steps *s, const dev_norm *norm, const dev_buffer *x, const dev_buffer *y, float add, float keep, bool along)
{
    const model_norm_step step = { number_of(s, x), number_of(s, y), s->state->hidden_stride, architecture_of(s)->hidden_size,
                                   number_of(s, &norm->weight), number_of(s, &norm->bias), norm->eps, add, keep };
    s->unfit = s->unfit || norm->kind != architecture_of(s)->norm.kind;
    add_step(s, STEP_NORM, along)->told.of.norm = step;
}

/* The stream becomes its norm, where that comes here. */
static void norm_stream(model_steps *s, model_between here, const dev_norm *norm)
{
    if (model_between_of(architecture_of(s)) == here)
        add_norm(s, norm, &s->state->hidden, &s->state->hidden, 0.0f, 1.0f, false);
}

/* What the order asks for behind the product that ends a half. */
static void end_half(model_steps *s, const dev_norm *post_norm, float keep, const dev_norm *norm)
{
    if (model_between_of(architecture_of(s)) == MODEL_BETWEEN_ADDED)
        add_norm(s, post_norm, &s->state->branch, &s->state->hidden, architecture_of(s)->residual_scale, keep, false);
    norm_stream(s, MODEL_BETWEEN_AFTER, norm);
}

/* ---- Attention, or what a layer has in its place */

/* By what kernels know heads of one form. A layer that does not turn its heads shares the form of one that does, if there is one. */
static uint32_t form_of(model_steps *s, const model_attention *attention, uint32_t spans, uint32_t index)
{
    const model_architecture *a = architecture_of(s);
    model_attention_shape     shape = attention->shape;
    core_text                 options = CORE_TEXT_INIT;
    char                      rows[MODEL_ATTENTION_OPTIONS];
    bool                      stands = false;
    uint32_t                  form = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        const model_rope *rope = model_rope_of(a, i);
        const bool        alike = a->layer[i].mixer == MODEL_MIXER_ATTENTION && model_head_dim(a, i) == model_head_dim(a, index);
        stands = stands || (alike && rope == NULL);
        if (alike && rope != NULL && shape.rotary_dims == 0)
            shape.rotary_dims = rope->dims, shape.rotary_interleaved = rope->interleaved;
    }
    model_attention_row_options(s->state->device, &shape, rows);
    fail(s, core_text_printf(&options, "%s -DMAY_STAND=%d -DSPLIT=%d -DLATENT=%d -DATTENTION_GATE=%d", rows, stands && shape.rotary_dims > 0, spans > 1,
                             a->latent.kv_rank > 0, a->attention_gate));
    if (s->status == OCLM_OK)
        form = kind_of(s, &s->forms, options.data);
    core_text_free(&options);
    return form;
}

static void attend(model_steps *s, uint32_t index)
{
    const model_state        *state = s->state;
    const model_architecture *a = architecture_of(s);
    const model_latent       *latent = &a->latent;
    const model_attention     m = model_pass_attention(state, s->shape, index);
    const dev_norm            none = { .kind = DEV_NORM_NONE }, *q_norm = m.q_norm != NULL ? m.q_norm : &none, *k_norm = m.k_norm != NULL ? m.k_norm : &none;
    const bool                turns = model_rope_of(a, index) != NULL;
    const uint32_t            spans = model_attention_spans(s->shape->rows, s->shape->length_bound);
    model_attend_step         step = {
        .form = form_of(s, &m, spans, index), .qkv = number_of(s, m.qkv), .qkv_stride = m.qkv_stride, .keys = number_of(s, &m.cache->keys[m.layer]),
        .values = number_of(s, &m.cache->values[m.layer]), .table = number_of(s, model_cache_table(m.cache, m.layer)),
        .pages_per_sequence = m.cache->pages_per_sequence, .positions = number_of(s, m.positions), .sequences = number_of(s, m.sequences),
        .scale = m.shape.scale, .window = model_attention_window(&m.shape), .slopes = number_of(s, m.slopes),
        .sinks = m.shape.sinks ? number_of(s, m.sinks) : 0, .cosines = turns ? number_of(s, m.cos_table) : 0,
        .sines = turns ? number_of(s, m.sin_table) : 0, .growth = number_of(s, m.growth), .q_norm_w = number_of(s, &q_norm->weight),
        .q_norm_b = number_of(s, &q_norm->bias), .k_norm_w = number_of(s, &k_norm->weight), .k_norm_b = number_of(s, &k_norm->bias),
        .spans = spans, .partial = spans > 1 ? number_of(s, m.partial) : 0, .out = number_of(s, m.out), .out_stride = m.out_stride,
        .gates_at = a->attention_gate ? model_qkv_width(a, index) - a->heads * model_head_dim(a, index) : 0, /* they are last */
    };
    if (latent->kv_rank > 0) {
        step.shared = number_of(s, &state->latent.rows), step.shared_at = latent->q_rank + latent->kv_rank, step.shared_stride = state->latent.stride;
        step.kv = number_of(s, &state->latent.kv), step.kv_stride = state->latent.kv_stride;
        step.nope = latent->nope_dim, step.rope = latent->rope_dim, step.value = latent->value_dim;
    }
    add_step(s, STEP_ATTEND, false)->told.of.attend = step;
}

static void mix(model_steps *s, uint32_t index)
{
    const model_state         *state = s->state;
    const model_architecture  *a = architecture_of(s);
    const model_delta_net     *d = &a->delta_net;
    const model_mixer_weights *w = &state->model->weights.layers[index].mixer;
    const model_recurrent     *states = &state->cache.recurrent;
    const bool                 net = a->layer[index].mixer == MODEL_MIXER_DELTA_NET;
    const model_mix_step       step = {
        .in = number_of(s, &state->qkv), .in_stride = state->qkv_stride, .mixed = number_of(s, &state->mixed), .mixed_stride = state->mixed_stride,
        .out = number_of(s, &state->attention_out), .out_stride = state->attention_stride, .channels = model_mix_channels(a, index),
        .conv_w = number_of(s, &w->conv), .conv_b = number_of(s, &w->conv_bias), .tail = number_of(s, &states->tails[index]),
        .memory = net ? number_of(s, &states->memories[index]) : 0, .positions = number_of(s, &state->positions),
        .sequences = number_of(s, &state->sequences), .reached = number_of(s, &states->reached), .rate = number_of(s, &w->rate),
        .dt = number_of(s, &w->dt), .norm_w = number_of(s, &w->norm), .key_heads = d->key_heads, .value_heads = d->value_heads,
        .value_dim = d->value_dim, .share = model_delta_share(d), .eps = a->norm.eps,
    };
    s->mixes = true;
    add_step(s, STEP_MIX, false)->told.of.mix = step;
}

/* The first half of a layer, as far as its output. */
static void write_mixing(model_steps *s, const model_products *products, uint32_t index)
{
    const dev_matmul   *all = products->all;
    const model_latent *latent = &architecture_of(s)->latent;
    const bool          of_stream = latent->q_rank == 0; /* queries read it */
    if (architecture_of(s)->layer[index].mixer != MODEL_MIXER_ATTENTION) {
        multiply(s, &all[MODEL_TO_QKV], index, NULL, false);
        mix(s, index);
        return;
    }
    multiply(s, &all[MODEL_TO_LATENT], index, NULL, false);
    multiply(s, &all[MODEL_TO_QKV], index, NULL, latent->kv_rank > 0 && of_stream);
    multiply(s, &all[MODEL_TO_HEADS_KV], index, NULL, !of_stream);
    attend(s, index);
}

static void write_output(model_steps *s, const model_products *products, uint32_t index)
{
    const model_architecture *a = architecture_of(s);
    model_multiply_step       like = { 0 };
    dev_matmul                output = products->all[MODEL_TO_OUTPUT];
    output.x = &s->state->attention_out, output.x_stride = s->state->attention_stride;
    if (a->latent.kv_rank > 0 && a->layer[index].mixer == MODEL_MIXER_ATTENTION)
        like.part = a->latent.value_dim, like.part_stride = a->head_dim; /* of heads the part that is values */
    multiply(s, &output, index, &like, false);
}

/* ---- Experts */

/* Of all rows together. */
static uint32_t experts_at_most(const model_steps *s)
{
    const dev_routing *r = &architecture_of(s)->experts.routing;
    return s->shape->rows * r->chosen < r->count ? s->shape->rows * r->chosen : r->count;
}

static void route(model_steps *s, uint32_t index)
{
    const dev_routing          *r = &architecture_of(s)->experts.routing;
    const model_expert_state   *e = &s->state->experts;
    const model_expert_weights *w = &s->state->model->weights.layers[index].experts;
    const size_t                bytes = (3 * (size_t)r->count + r->groups) * sizeof(float);
    const model_route_step      step = {
        .logits = number_of(s, &e->logits), .stride = e->router_stride, .ids = number_of(s, &e->routes.ids), .weights = number_of(s, &e->routes.weights),
        .correction = number_of(s, &w->correction), .counts = number_of(s, &w->counts), .count = r->count, .chosen = r->chosen, .groups = r->groups,
        .groups_chosen = r->groups_chosen, .eps = r->eps, .scale = r->scale, .row_of = number_of(s, &e->routes.row_of),
        .place_of = number_of(s, &e->routes.place_of), .tiles = number_of(s, &e->routes.tiles), .tile_count = experts_at_most(s),
    };
    s->routes = true;
    s->local_bytes = bytes > s->local_bytes ? bytes : s->local_bytes;
    add_step(s, STEP_ROUTE, false)->told.of.route = step;
}

/* y += add * what experts made; with an `add` of 0 y is that. */
static void join(model_steps *s, const model_products *products, bool shared, float add, const dev_buffer *y)
{
    const model_expert_state *e = &s->state->experts;
    const bool                gate = shared && products->all[MODEL_TO_SHARED_GATE].weight != NULL;
    const model_join_step     step = {
        .outer = number_of(s, &e->outer), .stride = s->state->hidden_stride, .weights = number_of(s, &e->routes.weights),
        .place_of = number_of(s, &e->routes.place_of), .chosen = architecture_of(s)->experts.routing.chosen,
        .shared = shared ? number_of(s, &e->shared) : 0, .gate = gate ? number_of(s, &e->gate) : 0, .gate_stride = DEV_PANEL, .add = add,
        .y = number_of(s, y),
    };
    add_step(s, STEP_JOIN, false)->told.of.join = step;
}

/* While one core chooses, the others have the products that all rows go through. */
static void write_experts(model_steps *s, const model_products *products, const model_layer *layer, uint32_t index)
{
    const model_architecture *a = architecture_of(s);
    const model_expert_state *e = &s->state->experts;
    const dev_matmul         *all = products->all;
    const bool                beside = a->experts.beside_mlp;
    const model_multiply_step of_slots = { .groups = number_of(s, &e->routes.tiles), .slots = experts_at_most(s) };
    model_multiply_step       of_rows = of_slots;
    of_rows.row_of = number_of(s, &e->routes.row_of);
    multiply(s, &all[MODEL_TO_LOGITS], index, NULL, false);
    route(s, index);
    multiply(s, &all[MODEL_TO_UP], index, NULL, true);
    multiply(s, &all[MODEL_TO_SHARED_GATE], index, NULL, true);
    multiply(s, &all[MODEL_TO_INNER], index, &of_rows, false);
    multiply(s, &all[MODEL_TO_DOWN], index, NULL, true);
    multiply(s, &all[MODEL_TO_OUTER], index, &of_slots, false);
    if (!beside) {
        join(s, products, all[MODEL_TO_DOWN].weight != NULL, a->residual_scale, &s->state->hidden);
        return;
    }
    join(s, products, false, 0.0f, &e->shared); /* both normalised, then one branch */
    add_norm(s, &layer->experts.post_dense_norm, &s->state->branch, &s->state->branch, 0.0f, 1.0f, true);
    add_norm(s, &layer->experts.post_norm, &e->shared, &s->state->branch, 1.0f, 1.0f, false);
}

/* ---- Layers */

/* What the layer is told of the token once more. */
static void write_input(model_steps *s, const model_products *products, const model_layer *layer, uint32_t index)
{
    const model_architecture      *a = architecture_of(s);
    const model_layer_input_state *in = &s->state->inputs;
    if (a->layer_input.size == 0)
        return;
    const model_multiply_step gated = {
        .times = number_of(s, &in->made), .times_at = index * (in->made_stride / a->layers), .times_stride = in->made_stride,
        .plus = number_of(s, &in->found), .plus_at = index * a->layer_input.size, .plus_stride = in->found_stride,
    };
    multiply(s, &products->all[MODEL_TO_INPUT_GATE], index, NULL, false);
    multiply(s, &products->all[MODEL_TO_INPUT_OUT], index, &gated, false);
    add_norm(s, &layer->post_input_norm, &s->state->branch, &s->state->hidden, 1.0f, layer->scalar, false);
}

static void write_layer(model_steps *s, uint32_t index)
{
    const model_architecture *a = architecture_of(s);
    const model_layer        *layer = &s->state->model->weights.layers[index];
    const model_products      products = model_products_of(s->state, s->shape->rows, index);
    const bool                parallel = model_is_parallel(a);
    const model_multiply_step of_mlp = { .xielu = a->xielu ? number_of(s, &layer->xielu) : 0 };
    norm_stream(s, MODEL_BETWEEN_BEFORE, &layer->attention_norm);
    write_mixing(s, &products, index);
    if (parallel) /* it reads the stream before attention adds to it */
        multiply(s, &products.all[MODEL_TO_UP], index, NULL, true);
    write_output(s, &products, index);
    end_half(s, &layer->post_attention_norm, 1.0f, &layer->attention_norm);
    if (a->layer[index].experts) {
        write_experts(s, &products, layer, index);
    } else {
        if (!parallel) {
            norm_stream(s, MODEL_BETWEEN_BEFORE, &layer->mlp_norm);
            multiply(s, &products.all[MODEL_TO_UP], index, NULL, false);
        }
        multiply(s, &products.all[MODEL_TO_DOWN], index, &of_mlp, false);
    }
    end_half(s, &layer->post_mlp_norm, a->layer_input.size > 0 ? 1.0f : layer->scalar, &layer->mlp_norm);
    write_input(s, &products, layer, index);
    s->xielu = s->xielu || a->xielu;
}

/* Do the kernel's steps make up such a layer? */
static bool suits_layer(const model_state *state, uint32_t layer, uint32_t rows)
{
    const model_architecture *a = &state->model->architecture;
    const model_experts      *x = &a->experts;
    const bool                added = model_between_of(a) == MODEL_BETWEEN_ADDED, mlp_too = x->shared_width > 0 || x->beside_mlp;
    if (((a->layer_input.size > 0 || a->layer_scalar) && !added) || (a->layer[layer].experts && model_between_of(a) == MODEL_BETWEEN_AFTER))
        return false;
    return !a->layer[layer].experts || (rows <= state->experts.rows && x->beside_mlp == added && x->router_norm == added && !model_is_parallel(a) &&
                                        (!mlp_too || (a->mlp_gated && x->swiglu_limit == 0.0f)));
}

/* A layer that visits the device is in its launch alone. */
static bool goes_with_last(const model_steps *s, uint32_t layer)
{
    const model_offload *offload = s->state->model->weights.offload;
    return s->launch_count > 0 && !model_offload_visits(offload, MODEL_KEPT_LAYERS + layer - 1) && !model_offload_visits(offload, MODEL_KEPT_LAYERS + layer);
}

/* Writes a layer into the launch at hand; where that is full, into another. False: it cannot be written. */
static bool add_layer(model_steps *s, uint32_t layer)
{
    const uint32_t units = s->units.count, forms = s->forms.count;
    const size_t   local_bytes = s->local_bytes;
    for (bool fresh = !goes_with_last(s, layer);; fresh = true) {
        if (fresh)
            begin_launch(s, layer);
        if (s->status != OCLM_OK)
            return false;
        model_steps_launch *l = launch_of(s);
        const size_t        steps = s->step_count;
        const uint32_t      pointers = l->pointers;
        s->unfit = s->full = false;
        write_layer(s, layer);
        s->unfit = s->unfit || s->local_bytes > dev_get_traits(s->state->device)->info.local_mem_bytes / 2; /* half is left to the driver */
        if (s->status == OCLM_OK && !s->unfit && !s->full) {
            l->layers++;
            l->steps = (uint32_t)s->step_count - l->first_step;
            return true;
        }
        s->step_count = steps;
        l->pointers = pointers;
        if (fresh)
            s->launch_count--;
        if (s->status != OCLM_OK || s->unfit || fresh)
            break;
    }
    s->local_bytes = local_bytes;
    for (; s->units.count > units; s->units.count--)
        core_text_free(&s->units.options[s->units.count - 1]);
    for (; s->forms.count > forms; s->forms.count--)
        core_text_free(&s->forms.options[s->forms.count - 1]);
    return false;
}

oclm_status model_steps_write(model_steps *s, uint32_t first, uint32_t count, uint32_t *written)
{
    *written = 0;
    while (*written < count && suits_layer(s->state, first + *written, s->shape->rows) && add_layer(s, first + *written))
        ++*written;
    return s->status;
}

static void kinds_free(model_kinds *kinds)
{
    for (uint32_t i = 0; i < kinds->count; i++)
        core_text_free(&kinds->options[i]);
    kinds->count = 0;
}

void model_steps_free(model_steps *s)
{
    core_free(s->steps);
    core_free(s->launches);
    kinds_free(&s->units);
    kinds_free(&s->forms);
}
