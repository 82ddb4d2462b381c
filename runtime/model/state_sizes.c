/* state_sizes.c: what a state takes on each device of a model, to the byte, and whether there is room for it. */
#include "model/state_sizes.h"

#include <inttypes.h>
#include <stdio.h>

#include "model/binding.h"
#include "model/lent.h"
#include "model/pass.h"

/* ---- What is asked for */

oclm_status model_state_resolve(const model_architecture *a, const model_state_options *options, model_state_options *o)
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

/* ---- Every buffer's size */

/* Is a layer computed there? */
static bool is_on(const model_model *model, uint32_t device, uint32_t layer) { return model->placement.layers[layer].device == device; }

bool model_has_layers(const model_model *model, uint32_t device)
{
    for (uint32_t i = 0; i < model->architecture.layers; i++) {
        if (is_on(model, device, i))
            return true;
    }
    return false;
}

bool model_has_experts_on(const model_model *model, uint32_t device)
{
    for (uint32_t i = 0; i < model->architecture.layers; i++) {
        if (is_on(model, device, i) && model->architecture.layer[i].experts)
            return true;
    }
    return false;
}

bool model_uses_rope(const model_model *model, uint32_t device, int set)
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

model_cache_shape model_state_cache_shape(const model_model *model, uint32_t device, const model_state_options *o)
{
    return (model_cache_shape){ .sequences = o->sequences, .positions = o->max_positions, .rows = o->max_rows,
                                .quantized = o->quantized_cache, .whole_windows = o->whole_windows, .holds = model_holds(model, device) };
}

/* Of one device. */
model_state_sizes model_state_measure(const model_model *model, uint32_t device, const model_state_options *o)
{
    const model_architecture *a = &model->architecture;
    const model_cache_shape   cache = model_state_cache_shape(model, device, o);
    const bool     layers = model_has_layers(model, device), first = model->placement.embedding.device == device, last = device == model->main_index;
    const uint64_t f = sizeof(float), rows = o->max_rows, layer_rows = layers ? rows : 0;
    model_state_sizes p = {
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
        p.rope_bytes[set] = model_uses_rope(model, device, set) ? (uint64_t)o->max_positions * (a->ropes[set].dims / 2) * f : 0;
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
    p.expert_bytes = (model_has_experts_on(model, device) ? model_expert_state_bytes(a, o->max_rows) : 0) +
                     (layers ? model_latent_state_bytes(a, o->max_rows) : 0) +
                     (layers || first ? model_layer_input_bytes(a, o->max_rows) : 0);
    p.lent_bytes = rows * model_lent_row_bytes(model, device, o->quantized_cache);
    p.origins_bytes = last ? 0 : o->sequences * sizeof(int32_t);
    return p;
}

/* Both tables of all sets. */
static uint64_t rope_bytes(const model_state_sizes *p) { return 2 * (p->rope_bytes[0] + p->rope_bytes[1]); }

static uint64_t sum(const model_state_sizes *p)
{
    return 3 * p->rows_bytes + p->tiles_bytes + p->logit_rows_bytes + p->logits_bytes + rope_bytes(p) + p->slopes_bytes + p->growth_bytes +
           p->hidden_bytes + p->qkv_bytes + p->attention_bytes + p->mlp_bytes + p->scratch_floats * sizeof(float) + p->partial_bytes +
           p->selected_bytes + p->branch_bytes + p->table_bytes + p->mixed_bytes + p->cache_bytes + p->expert_bytes +
           p->lent_bytes + 2 * p->origins_bytes;
}

uint64_t model_state_bytes(const model_model *model, uint32_t device, const model_state_options *options)
{
    model_state_options o;
    if (!model_uses_device(model, device) || model_state_resolve(&model->architecture, options, &o) != OCLM_OK)
        return 0;
    const model_state_sizes p = model_state_measure(model, device, &o);
    return sum(&p);
}

oclm_status model_state_check_budget(dev_device *device, const model_state_options *o, const model_state_sizes *p)
{
    const uint64_t available = dev_memory_left(device), needed = sum(p) + DEV_SELF_CHECK_BYTES; /* when passes are recorded */
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
