/* state.c: makes the memory that forward passes run in, on each device of a model. */
#include "model/state_sizes.h"

#include "core/log.h"
#include "model/pass.h"

#define ROPE_CHUNK_FLOATS (1u << 18) /* of host memory, for filling a table in parts */

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
        if (model_uses_rope(state->model, state->device_index, set))
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

static oclm_status make_buffers(model_state *s, const model_state_sizes *p)
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

static oclm_status fill_part(model_state *s, const model_state_options *o, const model_state_sizes *p)
{
    const model_architecture *a = &s->model->architecture;
    const model_cache_shape   cache = model_state_cache_shape(s->model, s->device_index, o);
    const bool  layers = model_has_layers(s->model, s->device_index), inputs = layers || s->model->placement.embedding.device == s->device_index;
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
        (model_has_experts_on(s->model, s->device_index) && (status = model_expert_state_new(s->device, a, o->max_rows, &s->experts)) != OCLM_OK) ||
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
static oclm_status make_others(model_state *s, const model_state_options *o, const model_state_sizes *sizes)
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
        const oclm_status status = fill_part(other, o, &sizes[d]);
        if (status != OCLM_OK)
            return status;
        const size_t row = widest_row(other);
        s->row_bytes = row > s->row_bytes ? row : s->row_bytes;
        for (uint32_t i = 0; i < other->cache.layer_count; i++)
            s->page_bytes = other->cache.page_bytes[i] > s->page_bytes ? other->cache.page_bytes[i] : s->page_bytes;
    }
    return OCLM_OK;
}

static oclm_status make_state(const model_model *model, const model_state_options *o, const model_state_sizes *sizes, model_state **state)
{
    oclm_status  status;
    model_state *made = core_alloc_zero(1, sizeof *made, "the state of a forward pass");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->model = model;
    made->device = model->device;
    made->device_index = model->main_index;
    if ((status = fill_part(made, o, &sizes[model->main_index])) == OCLM_OK && (status = make_host_rows(made)) == OCLM_OK &&
        model->device_count > 1)
        status = make_others(made, o, sizes);
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
    if ((status = model_state_resolve(a, options, &o)) != OCLM_OK)
        return status;
    if (o.max_positions > a->max_position_embeddings)
        core_log(OCLM_LOG_WARNING, "%u positions were asked for, the model was made for %u: expect nonsense beyond", o.max_positions,
                 a->max_position_embeddings);
    model_state_sizes *sizes = core_alloc_zero(model->device_count, sizeof *sizes, "the sizes of states");
    if (sizes == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t d = 0; d < model->device_count && status == OCLM_OK; d++) {
        if (!model_uses_device(model, d))
            continue;
        sizes[d] = model_state_measure(model, d, &o);
        cache_bytes += sizes[d].cache_bytes;
        const model_cache_shape cache = model_state_cache_shape(model, d, &o);
        if ((status = model_state_check_budget(model->devices[d], &o, &sizes[d])) == OCLM_OK)
            status = model_cache_check(model->devices[d], a, &cache);
    }
    if (status == OCLM_OK && (status = make_state(model, &o, sizes, state)) == OCLM_OK)
        core_log(OCLM_LOG_DEBUG, "%u x %u positions: %s of keys and values%s", o.sequences, o.max_positions,
                 core_format_bytes(cache_bytes, bytes), o.quantized_cache ? ", of 8 bits" : "");
    core_free(sizes);
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
