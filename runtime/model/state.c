/* state.c: the memory that forward passes run in, on each device of a model, planned as a whole and compared with the device's budget before any of it is
 * allocated. */
#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"
#include "model/binding.h"
#include "model/lent.h"
#include "model/pass.h"

#define ROPE_CHUNK_FLOATS (1u << 18) /* of host memory, for filling a table in parts */

/* ---- What is asked for */

static oclm_status resolve(const model_architecture *a, const model_state_options *options, model_state_options *o)
{
    *o = *options;
    if (o->sequences < 1 || o->sequences > MODEL_MAX_SEQUENCES)
        return core_fail(OCLM_ERR_ARGUMENT, "%u sequences were asked for; 1 to %u are possible", o->sequences, MODEL_MAX_SEQUENCES);
    if (o->max_positions == 0)
        o->max_positions = a->max_position_embeddings;
    if (a->position == MODEL_POSITION_LEARNED && o->max_positions > a->max_position_embeddings)
        return core_fail(OCLM_ERR_ARGUMENT, "%u positions were asked for; this %s model has learned %u and cannot go beyond them",
                         o->max_positions, a->model_type, a->max_position_embeddings);
    if (o->max_positions > MODEL_MAX_POSITIONS)
        return core_fail(OCLM_ERR_ARGUMENT, "%u positions were asked for; at most %u are possible", o->max_positions, MODEL_MAX_POSITIONS);
    const uint64_t all = (uint64_t)o->sequences * o->max_positions;
    if (o->max_rows == 0) {
        o->max_rows = all < MODEL_CHUNK_ROWS ? (uint32_t)all : MODEL_CHUNK_ROWS;
        o->max_rows = o->max_rows < o->sequences ? o->sequences : o->max_rows;
    }
    if (o->max_rows < o->sequences || o->max_rows > MODEL_MAX_ROWS)
        return core_fail(OCLM_ERR_ARGUMENT, "passes of %u rows were asked for; with %u sequences it must be %u to %u", o->max_rows,
                         o->sequences, o->sequences, MODEL_MAX_ROWS);
    if (o->max_logit_rows == 0)
        o->max_logit_rows = o->sequences;
    if (o->max_logit_rows > o->max_rows)
        o->max_logit_rows = o->max_rows;
    return OCLM_OK;
}

/* ---- The plan: every buffer's size */

typedef struct plan {
    uint64_t rows_bytes, tiles_bytes, logit_rows_bytes, logits_bytes, rope_bytes[MODEL_ROPE_SETS], slopes_bytes, growth_bytes; /* 0: none */
    uint64_t hidden_bytes, qkv_bytes, attention_bytes, mlp_bytes, scratch_floats, partial_bytes, selected_bytes;
    uint64_t branch_bytes, table_bytes, mixed_bytes; /* 0: none */
    uint64_t lent_bytes, origins_bytes; /* 0: none */
    uint64_t cache_bytes, ring_bytes, expert_bytes; /* rings: of the cache; experts, latent attention and layers' inputs */
    uint32_t hidden_stride, qkv_stride, attention_stride, mlp_stride, logits_stride, table_stride, mixed_stride;
} plan;

/* Is a layer computed there? */
static bool is_on(const model_model *model, uint32_t device, uint32_t layer) { return model->placement.layers[layer].device == device; }

static bool has_layers(const model_model *model, uint32_t device)
{
    for (uint32_t i = 0; i < model->architecture.layers; i++) {
        if (is_on(model, device, i))
            return true;
    }
    return false;
}

static bool has_experts(const model_model *model, uint32_t device)
{
    for (uint32_t i = 0; i < model->architecture.layers; i++) {
        if (is_on(model, device, i) && model->architecture.layer[i].experts)
            return true;
    }
    return false;
}

static bool uses_rope(const model_model *model, uint32_t device, int set)
{
    const model_architecture *a = &model->architecture;
    for (uint32_t i = 0; i < a->layers; i++) {
        if (is_on(model, device, i) && model_rope_of(a, i) == &a->ropes[set])
            return true;
    }
    return false;
}

/* Channels of the convolutions in delta nets; 0: there are none. */
static uint32_t mixed_width(const model_model *model, uint32_t device)
{
    const model_architecture *a = &model->architecture;
    for (uint32_t i = 0; i < a->layers; i++) {
        if (is_on(model, device, i) && a->layer[i].mixer == MODEL_MIXER_DELTA_NET)
            return model_mix_channels(a, i);
    }
    return 0;
}

/* Inner states of the widest layer. */
static uint32_t inner_width(const model_architecture *a)
{
    uint32_t widest = a->layer_input.size;
    for (uint32_t i = 0; i < a->layers; i++)
        widest = model_inner_width(a, i) > widest ? model_inner_width(a, i) : widest;
    return widest;
}

/* What the layer that wants most wants. */
static uint64_t partial_floats(const model_model *model, uint32_t device, const model_state_options *o)
{
    const model_architecture *a = &model->architecture;
    uint64_t                  most = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        if (!is_on(model, device, i))
            continue;
        const model_attention_shape shape = model_pass_attention_shape(a, i);
        const uint64_t floats = model_attention_partial_floats(&shape, o->max_rows, (uint32_t)dev_padded(o->max_positions));
        most = floats > most ? floats : most;
    }
    return most;
}

/* Rows of a tile that suit the layer with the largest heads, on any device: all read the same tiles. */
static uint32_t tile_rows(const model_model *model)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < model->architecture.layers; i++) {
        const model_attention_shape shape = model_pass_attention_shape(&model->architecture, i);
        const uint32_t              rows = model_attention_tile_rows(model_layer_device(model, i), &shape);
        least = rows < least ? rows : least;
    }
    return least;
}

static model_cache_shape cache_shape(const model_model *model, uint32_t device, const model_state_options *o)
{
    return (model_cache_shape){ .sequences = o->sequences, .positions = o->max_positions, .rows = o->max_rows,
                                .quantized = o->quantized_cache, .whole_windows = o->whole_windows, .holds = model_holds(model, device) };
}

/* Of one device. */
static plan make_plan(const model_model *model, uint32_t device, const model_state_options *o)
{
    const model_architecture *a = &model->architecture;
    const model_cache_shape   cache = cache_shape(model, device, o);
    const bool     layers = has_layers(model, device), first = model->placement.embedding.device == device, last = device == model->main_index;
    const uint64_t f = sizeof(float), rows = o->max_rows, layer_rows = layers ? rows : 0;
    plan p = {
        .hidden_stride = (uint32_t)dev_padded(a->hidden_size),
        .qkv_stride = (uint32_t)dev_padded(model_widest_in(a)),
        .attention_stride = (uint32_t)dev_padded(model_widest_out(a)),
        .mlp_stride = (uint32_t)dev_padded(inner_width(a)),
        .logits_stride = (uint32_t)dev_padded(a->vocab_size),
    };
    p.rows_bytes = rows * sizeof(int32_t);
    p.tiles_bytes = rows * 4 * sizeof(uint32_t);
    p.logit_rows_bytes = last ? o->max_logit_rows * sizeof(int32_t) : 0;
    p.logits_bytes = last ? (uint64_t)o->max_logit_rows * p.logits_stride * f : 0;
    for (int set = 0; set < MODEL_ROPE_SETS; set++)
        p.rope_bytes[set] = uses_rope(model, device, set) ? (uint64_t)o->max_positions * (a->ropes[set].dims / 2) * f : 0;
    p.slopes_bytes = layers && a->position == MODEL_POSITION_ALIBI ? a->heads * f : 0;
    p.growth_bytes = layers ? model_growth_count(a, o->max_positions) * f : 0;
    p.hidden_bytes = rows * p.hidden_stride * f;
    p.qkv_bytes = layer_rows * p.qkv_stride * f;
    p.attention_bytes = layer_rows * p.attention_stride * f;
    p.mlp_bytes = layer_rows * p.mlp_stride * f;
    p.scratch_floats = model_pass_scratch(model, device, o->max_rows, o->max_logit_rows);
    p.scratch_floats = p.scratch_floats > 0 ? p.scratch_floats : 1;
    p.partial_bytes = partial_floats(model, device, o) * f;
    p.selected_bytes = last ? (uint64_t)o->max_logit_rows * p.hidden_stride * f : 0;
    p.branch_bytes = layers && model_has_norm(a, MODEL_POST_MLP_NORM) ? p.hidden_bytes : 0;
    p.table_stride = model_has_projections(a) ? (uint32_t)dev_padded(a->embedding_size) : 0;
    p.table_bytes = first || last ? rows * p.table_stride * f : 0;
    p.mixed_stride = (uint32_t)dev_padded(mixed_width(model, device));
    p.mixed_bytes = rows * p.mixed_stride * f;
    p.cache_bytes = model_cache_bytes(a, &cache);
    p.ring_bytes = model_cache_ring_bytes(a, &cache);
    p.expert_bytes = (has_experts(model, device) ? model_expert_state_bytes(a, o->max_rows) : 0) +
                     (layers ? model_latent_state_bytes(a, o->max_rows) : 0) +
                     (layers || first ? model_layer_input_bytes(a, o->max_rows) : 0);
    p.lent_bytes = rows * model_lent_row_bytes(model, device, o->quantized_cache);
    p.origins_bytes = last ? 0 : o->sequences * sizeof(int32_t);
    return p;
}

/* Both tables of all sets. */
static uint64_t rope_bytes(const plan *p) { return 2 * (p->rope_bytes[0] + p->rope_bytes[1]); }

static uint64_t plan_bytes(const plan *p)
{
    return 3 * p->rows_bytes + p->tiles_bytes + p->logit_rows_bytes + p->logits_bytes + rope_bytes(p) + p->slopes_bytes + p->growth_bytes +
           p->hidden_bytes + p->qkv_bytes + p->attention_bytes + p->mlp_bytes + p->scratch_floats * sizeof(float) + p->partial_bytes +
           p->selected_bytes + p->branch_bytes + p->table_bytes + p->mixed_bytes + p->cache_bytes + p->expert_bytes +
           p->lent_bytes + 2 * p->origins_bytes;
}

uint64_t model_state_bytes(const model_model *model, uint32_t device, const model_state_options *options)
{
    model_state_options o;
    if (!model_uses_device(model, device) || resolve(&model->architecture, options, &o) != OCLM_OK)
        return 0;
    const plan p = make_plan(model, device, &o);
    return plan_bytes(&p);
}

static oclm_status check_budget(dev_device *device, const model_state_options *o, const plan *p)
{
    const uint64_t available = dev_memory_left(device), needed = plan_bytes(p) + DEV_SELF_CHECK_BYTES; /* when passes are recorded */
    char           needed_text[32], available_text[32], way_out[96];
    if (needed <= available)
        return OCLM_OK;
    const uint64_t growing = p->cache_bytes - p->ring_bytes + rope_bytes(p) + p->growth_bytes + p->partial_bytes, fixed = needed - growing;
    const uint64_t fit = available > fixed ? (available - fixed) / (growing / o->max_positions + 1) / MODEL_PAGE * MODEL_PAGE : 0;
    if (fit > 0)
        snprintf(way_out, sizeof way_out, "about %" PRIu64 " positions would fit", fit);
    else
        snprintf(way_out, sizeof way_out, "choose a smaller dtype for the weights or a device with more memory");
    return core_fail(OCLM_ERR_DEVICE_MEMORY, "device \"%s\": %u sequence%s of %u positions need %s, available are %s; %s",
                     dev_get_traits(device)->info.name, o->sequences, o->sequences == 1 ? "" : "s", o->max_positions,
                     core_format_bytes(needed, needed_text), core_format_bytes(available, available_text), way_out);
}

/* ---- Tables */

const model_rope *model_rope_of(const model_architecture *a, uint32_t layer)
{
    const int set = a->layer[layer].rope;
    return a->position == MODEL_POSITION_ROPE && set != MODEL_ROPE_NONE ? &a->ropes[set] : NULL;
}

uint32_t model_growth_count(const model_architecture *a, uint32_t positions)
{
    return a->query_beta != 0.0 && a->query_length > 0 ? (positions - 1) / a->query_length + 1 : 0;
}

static oclm_status fill_rope(model_state *state, int set, float *cosines, float *sines)
{
    const model_architecture *a = &state->model->architecture;
    const size_t   row_bytes = a->ropes[set].dims / 2 * sizeof(float);
    const uint32_t chunk = (uint32_t)(ROPE_CHUNK_FLOATS * sizeof(float) / row_bytes);
    oclm_status    status = OCLM_OK;
    for (uint32_t first = 0; first < state->max_positions && status == OCLM_OK; first += chunk) {
        const uint32_t count = state->max_positions - first < chunk ? state->max_positions - first : chunk;
        model_rope_table(&a->ropes[set], a->max_position_embeddings, state->rope_prompt, first, count, cosines, sines);
        if ((status = dev_buffer_write(state->queue, &state->cos_table[set], first * row_bytes, cosines, count * row_bytes)) == OCLM_OK)
            status = dev_buffer_write(state->queue, &state->sin_table[set], first * row_bytes, sines, count * row_bytes);
    }
    return status;
}

static oclm_status turn(model_state *state, uint32_t prompt)
{
    const model_architecture *a = &state->model->architecture;
    if (a->position != MODEL_POSITION_ROPE)
        return OCLM_OK;
    float      *cosines = core_alloc(ROPE_CHUNK_FLOATS * sizeof(float), "a table of rotary positions");
    float      *sines = core_alloc(ROPE_CHUNK_FLOATS * sizeof(float), "a table of rotary positions");
    oclm_status status = cosines != NULL && sines != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    state->rope_prompt = prompt;
    for (int set = 0; set < MODEL_ROPE_SETS && status == OCLM_OK; set++) {
        if (uses_rope(state->model, state->device_index, set))
            status = fill_rope(state, set, cosines, sines);
    }
    if (status != OCLM_OK)
        state->rope_prompt = UINT32_MAX; /* of no prompt: to be made again */
    core_free(cosines);
    core_free(sines);
    return status;
}

oclm_status model_state_turn(model_state *state, uint32_t prompt)
{
    oclm_status status = turn(state, prompt);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++)
        status = turn(state->others[i], prompt);
    if (status != OCLM_OK)
        state->rope_prompt = UINT32_MAX;
    return status;
}

/* The tables that stay as they are. */
static oclm_status fill_numbers(model_state *state)
{
    const model_architecture *a = &state->model->architecture;
    const uint32_t slopes = (uint32_t)(state->slopes.bytes / sizeof(float)), growth = (uint32_t)(state->growth.bytes / sizeof(float));
    float         *numbers = core_alloc_array((size_t)slopes + growth + 1, sizeof *numbers, "tables of attention");
    oclm_status    status = numbers != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    if (status == OCLM_OK && slopes > 0) {
        model_alibi_slopes(a->alibi, slopes, numbers);
        status = dev_buffer_write(state->queue, &state->slopes, 0, numbers, slopes * sizeof *numbers);
    }
    if (status == OCLM_OK && growth > 0) {
        model_query_growth(a->query_beta, growth, numbers + slopes);
        status = dev_buffer_write(state->queue, &state->growth, 0, numbers + slopes, growth * sizeof *numbers);
    }
    core_free(numbers);
    return status;
}

void model_state_expect(model_state *state, uint32_t prompt) { state->expected_prompt = prompt; }

bool model_state_keeps(const model_state *state, uint32_t length)
{
    const model_architecture *a = &state->model->architecture;
    return model_rope_turning_length(a) == UINT32_MAX || model_rope_prompt(a, length) == state->rope_prompt;
}

/* ---- Making and freeing */

static oclm_status make_buffers(model_state *s, const plan *p)
{
    const struct { dev_buffer *buffer; uint64_t bytes; const char *what; } wanted[] = {
        { &s->ids, p->rows_bytes, "the ids of a pass" },
        { &s->positions, p->rows_bytes, "the positions of a pass" },
        { &s->sequences, p->rows_bytes, "the sequences of a pass" },
        { &s->tiles, p->tiles_bytes, "the tiles of a pass" },
        { &s->logit_rows, p->logit_rows_bytes, "the rows whose logits are wanted" },
        { &s->logits, p->logits_bytes, "the logits" },
        { &s->cos_table[0], p->rope_bytes[0], "the cosines of rotary positions" },
        { &s->sin_table[0], p->rope_bytes[0], "the sines of rotary positions" },
        { &s->cos_table[1], p->rope_bytes[1], "the cosines of other rotary positions" },
        { &s->sin_table[1], p->rope_bytes[1], "the sines of other rotary positions" },
        { &s->slopes, p->slopes_bytes, "the slopes of ALiBi" },
        { &s->growth, p->growth_bytes, "the growth of queries" },
        { &s->hidden, p->hidden_bytes, "the hidden states" },
        { &s->qkv, p->qkv_bytes, "queries, keys and values" },
        { &s->attention_out, p->attention_bytes, "the results of attention" },
        { &s->mlp, p->mlp_bytes, "the inner states of the MLP" },
        { &s->scratch, p->scratch_floats * sizeof(float), "scratch of matrix products" },
        { &s->partial, p->partial_bytes, "partial sums of attention" },
        { &s->selected, p->selected_bytes, "the hidden states whose logits are wanted" },
        { &s->branch, p->branch_bytes, "what is added to the hidden states" },
        { &s->table_rows, p->table_bytes, "the rows that are projected" },
        { &s->mixed, p->mixed_bytes, "what convolutions make of queries, keys and values" },
        { &s->lent, p->lent_bytes, "keys and values for another device" },
        { &s->origins, p->origins_bytes, "the origins of beams" },
        { &s->origin_positions, p->origins_bytes, "the positions of beams" },
    };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(wanted) && status == OCLM_OK; i++)
        if (wanted[i].bytes > 0)
            status = dev_buffer_new_zero(s->device, s->queue, (size_t)wanted[i].bytes, wanted[i].what, wanted[i].buffer);
    return status;
}

static oclm_status make_host_rows(model_state *s)
{
    s->host_ids = core_alloc_array(s->max_rows, sizeof *s->host_ids, "the ids of a pass");
    s->host_positions = core_alloc_array(s->max_rows, sizeof *s->host_positions, "the positions of a pass");
    s->host_sequences = core_alloc_array(s->max_rows, sizeof *s->host_sequences, "the sequences of a pass");
    s->host_logit_rows = core_alloc_array(s->max_rows, sizeof *s->host_logit_rows, "the rows whose logits are wanted");
    s->host_tiles = core_alloc_array((size_t)s->max_rows * 4, sizeof *s->host_tiles, "the tiles of a pass");
    return s->host_ids && s->host_positions && s->host_sequences && s->host_logit_rows && s->host_tiles ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status fill_part(model_state *s, const model_state_options *o, const plan *p)
{
    const model_architecture *a = &s->model->architecture;
    const model_cache_shape   cache = cache_shape(s->model, s->device_index, o);
    const bool  layers = has_layers(s->model, s->device_index), inputs = layers || s->model->placement.embedding.device == s->device_index;
    oclm_status status;
    s->max_rows = o->max_rows;
    s->max_logit_rows = o->max_logit_rows;
    s->max_positions = o->max_positions;
    s->hidden_stride = p->hidden_stride;
    s->qkv_stride = p->qkv_stride;
    s->attention_stride = p->attention_stride;
    s->mlp_stride = p->mlp_stride;
    s->logits_stride = p->logits_stride;
    s->table_stride = p->table_stride;
    s->mixed_stride = p->mixed_stride;
    s->scratch_floats = (size_t)p->scratch_floats;
    s->tile_rows = tile_rows(s->model);
    if ((status = model_post_new(MODEL_POST_SLOTS, (size_t)p->tiles_bytes, &s->post)) != OCLM_OK || /* the largest of all */
        (status = dev_queue_new(s->device, &s->queue)) != OCLM_OK ||
        (status = model_cache_new(s->device, a, &cache, &s->cache)) != OCLM_OK ||
        (has_experts(s->model, s->device_index) && (status = model_expert_state_new(s->device, a, o->max_rows, &s->experts)) != OCLM_OK) ||
        (layers && (status = model_latent_state_new(s->device, a, o->max_rows, &s->latent)) != OCLM_OK) ||
        (inputs && (status = model_layer_input_new(s->device, a, o->max_rows, &s->inputs)) != OCLM_OK) ||
        (status = make_buffers(s, p)) != OCLM_OK)
        return status;
    return (status = fill_numbers(s)) == OCLM_OK ? turn(s, 0) : status;
}

/* Of the widest that goes from one device to another. */
static size_t widest_row(const model_state *s)
{
    const model_layer_input_state *in = &s->inputs;
    const size_t floats[] = { s->hidden_stride, in->made_stride, in->found_stride };
    size_t       most = s->lent.bytes / s->max_rows;
    for (size_t i = 0; i < COUNT(floats); i++)
        most = floats[i] * sizeof(float) > most ? floats[i] * sizeof(float) : most;
    return most;
}

/* Makes the other devices' parts, and what leads from one to another. */
static oclm_status make_others(model_state *s, const model_state_options *o, const plan *plans)
{
    const uint32_t count = s->model->device_count;
    s->others = core_alloc_zero(count, sizeof *s->others, "the states of other devices");
    s->links = core_alloc_zero((size_t)count * count, sizeof *s->links, "the links between devices");
    if (s->others == NULL || s->links == NULL)
        return OCLM_ERR_MEMORY;
    s->row_bytes = widest_row(s);
    for (uint32_t d = 0; d < count; d++) {
        if (d == s->device_index || !model_uses_device(s->model, d))
            continue;
        model_state *other = core_alloc_zero(1, sizeof *other, "the state of a device");
        if (other == NULL)
            return OCLM_ERR_MEMORY;
        s->others[s->other_count++] = other;
        other->model = s->model;
        other->device_index = d;
        other->device = s->model->devices[d];
        const oclm_status status = fill_part(other, o, &plans[d]);
        if (status != OCLM_OK)
            return status;
        const size_t row = widest_row(other);
        s->row_bytes = row > s->row_bytes ? row : s->row_bytes;
        for (uint32_t i = 0; i < other->cache.layer_count; i++)
            s->page_bytes = other->cache.page_bytes[i] > s->page_bytes ? other->cache.page_bytes[i] : s->page_bytes;
    }
    return OCLM_OK;
}

static oclm_status make_state(const model_model *model, const model_state_options *o, const plan *plans, model_state **state)
{
    oclm_status  status;
    model_state *made = core_alloc_zero(1, sizeof *made, "the state of a forward pass");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->model = model;
    made->device = model->device;
    made->device_index = model->main_index;
    if ((status = fill_part(made, o, &plans[model->main_index])) == OCLM_OK && (status = make_host_rows(made)) == OCLM_OK &&
        model->device_count > 1)
        status = make_others(made, o, plans);
    if (status == OCLM_OK)
        *state = made;
    else
        model_state_free(made);
    return status;
}

oclm_status model_state_new(const model_model *model, const model_state_options *options, model_state **state)
{
    const model_architecture *a = &model->architecture;
    model_state_options       o;
    oclm_status               status;
    uint64_t                  cache_bytes = 0;
    char                      bytes[32];
    *state = NULL;
    if ((status = resolve(a, options, &o)) != OCLM_OK)
        return status;
    if (o.max_positions > a->max_position_embeddings)
        core_log(OCLM_LOG_WARNING, "%u positions were asked for, the model was made for %u: expect nonsense beyond", o.max_positions,
                 a->max_position_embeddings);
    plan *plans = core_alloc_zero(model->device_count, sizeof *plans, "the plans of states");
    if (plans == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t d = 0; d < model->device_count && status == OCLM_OK; d++) {
        if (!model_uses_device(model, d))
            continue;
        plans[d] = make_plan(model, d, &o);
        cache_bytes += plans[d].cache_bytes;
        status = check_budget(model->devices[d], &o, &plans[d]);
    }
    if (status == OCLM_OK && (status = make_state(model, &o, plans, state)) == OCLM_OK)
        core_log(OCLM_LOG_DEBUG, "%u x %u positions: %s of keys and values%s", o.sequences, o.max_positions,
                 core_format_bytes(cache_bytes, bytes), o.quantized_cache ? ", of 8 bits" : "");
    core_free(plans);
    return status;
}

static void free_others(model_state *s)
{
    const uint32_t count = s->model->device_count;
    for (uint32_t i = 0; i < s->other_count; i++)
        model_state_free(s->others[i]);
    for (uint32_t i = 0; s->links != NULL && i < count * count; i++)
        dev_link_free(s->links[i]);
    core_free(s->others);
    core_free(s->links);
}

void model_state_free(model_state *s)
{
    if (s == NULL)
        return;
    dev_device *device = s->device;
    dev_buffer *const buffers[] = {
        &s->ids, &s->positions, &s->sequences, &s->tiles, &s->logit_rows, &s->logits, &s->cos_table[0], &s->sin_table[0],
        &s->cos_table[1], &s->sin_table[1], &s->slopes, &s->growth, &s->hidden, &s->qkv, &s->attention_out, &s->mlp, &s->scratch,
        &s->partial, &s->selected, &s->branch, &s->table_rows, &s->mixed, &s->lent, &s->origins, &s->origin_positions,
    };
    if (s->queue != NULL)
        (void)dev_finish(s->queue); /* nothing may run on memory that counts as free */
    model_passes_free(s);
    free_others(s);
    model_post_free(&s->post);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
    model_cache_free(device, &s->cache);
    model_expert_state_free(device, &s->experts);
    model_latent_state_free(device, &s->latent);
    model_layer_input_free(device, &s->inputs);
    if (s->queue != NULL)
        (void)clReleaseCommandQueue(s->queue);
    core_free(s->host_ids);
    core_free(s->host_positions);
    core_free(s->host_sequences);
    core_free(s->host_logit_rows);
    core_free(s->host_tiles);
    core_free(s);
}
