/* export_items.c: which tensors a GGUF file has: those of each role that the model has, under the names that gguf_names.c reads them by. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/blocks_write.h"
#include "core/memory.h"
#include "model/export_plan.h"

/* ---- Rows */

/* A head's row that turns with its neighbour is in the checkpoint half a head away from it. */
static uint64_t of_halves(uint64_t row, uint64_t head)
{
    const uint64_t within = row % head;
    return row - within + within % 2 * (head / 2) + within / 2;
}

/* Blocks of the checkpoint hold each its share of queries, keys and values. */
static uint64_t of_blocks(const model_architecture *a, uint32_t layer, uint64_t row)
{
    const uint64_t blocks = a->qkv_layout.blocks > 1 ? a->qkv_layout.blocks : 1;
    const uint64_t sizes[3] = { model_role_shape_of(a, MODEL_Q, layer).rows, model_role_shape_of(a, MODEL_K, layer).rows,
                                model_role_shape_of(a, MODEL_V, layer).rows };
    uint64_t       before[3] = { 0, sizes[0] / blocks, (sizes[0] + sizes[1]) / blocks };
    const uint64_t block = (sizes[0] + sizes[1] + sizes[2]) / blocks;
    size_t         which = 0;
    if (a->qkv_layout.v_first) {
        before[1] = (sizes[0] + sizes[2]) / blocks;
        before[2] = sizes[0] / blocks;
    }
    for (; row >= sizes[which]; which++)
        row -= sizes[which];
    const uint64_t share = sizes[which] / blocks;
    return row / share * block + before[which] + row % share;
}

/* Gate and up of an expert below each other, or in turn. */
static uint64_t of_experts(const model_architecture *a, uint64_t row, bool up)
{
    const uint64_t width = a->experts.width, first = row / width * 2 * width, within = row % width;
    return a->experts.gate_up_interleaved ? first + 2 * within + up : first + (up ? width : 0) + within;
}

/* A delta net's key head has its queries, keys, values and gates together; `gates`: rows of these, else of the others. */
static uint64_t of_shares(const model_delta_net *d, uint64_t row, bool gates)
{
    const uint64_t value = (uint64_t)(d->value_heads / d->key_heads) * d->value_dim, keys = (uint64_t)d->key_heads * d->key_dim, share = 2 * d->key_dim + 2 * value;
    if (gates)
        return row / value * share + 2 * d->key_dim + value + row % value;
    if (row >= 2 * keys)
        return (row - 2 * keys) / value * share + 2 * d->key_dim + (row - 2 * keys) % value;
    return row % keys / d->key_dim * share + row / keys * d->key_dim + row % d->key_dim;
}

uint64_t model_export_tiled(const model_architecture *a, uint64_t at, uint32_t head)
{
    const uint64_t keys = a->delta_net.key_heads, more = a->delta_net.value_heads / keys, tile = at / head;
    return (tile % keys * more + tile / keys) * head + at % head;
}

uint64_t model_export_source(const model_export *plan, const model_export_item *item, uint64_t row)
{
    const model_architecture *a = &plan->model.architecture;
    switch (item->change) {
    case MODEL_EXPORT_AS_IS: break;
    case MODEL_EXPORT_HALVES: return of_halves(row, item->head);
    case MODEL_EXPORT_QKV: return of_blocks(a, item->layer, row);
    case MODEL_EXPORT_GATES: return of_experts(a, row, false);
    case MODEL_EXPORT_UPS: return of_experts(a, row, true);
    case MODEL_EXPORT_DELTA: return of_shares(&a->delta_net, row, false);
    case MODEL_EXPORT_DELTA_GATES: return of_shares(&a->delta_net, row, true);
    case MODEL_EXPORT_TILED: return row < item->before ? row : item->before + model_export_tiled(a, row - item->before, item->head);
    }
    return row;
}

/* ---- One */

/* Kept whole: what is read as a vector, or decides. */
static bool stays_float(model_role role) { return role == MODEL_POSITIONS || role == MODEL_ROUTER || role == MODEL_SHARED_GATE || role == MODEL_CONV; }

static uint32_t type_of(const model_export *plan, const model_export_item *item, bool vector)
{
    if (vector || stays_float(item->role))
        return CKPT_GGML_F32;
    return item->columns % ckpt_block_values(plan->type) == 0 ? plan->type : CKPT_GGML_F16;
}

/* Where value heads go in turn: rows of one head in what a delta net's role makes, or columns in what it reads. */
static void set_tiled(const model_delta_net *d, model_export_item *item)
{
    item->change = MODEL_EXPORT_TILED;
    item->head = 1;
    switch (item->role) {
    case MODEL_MIX_QKV: case MODEL_CONV:
        item->before = 2 * d->key_heads * d->key_dim;
        item->head = d->value_dim;
        break;
    case MODEL_MIX_Z: item->head = d->value_dim; break;
    case MODEL_MIX_B: case MODEL_MIX_A: case MODEL_DELTA_A_LOG: case MODEL_DELTA_DT: break;
    case MODEL_MIX_OUT: item->tiled_columns = d->value_dim; /* falls through */
    default: item->change = MODEL_EXPORT_AS_IS;
    }
}

static void set_change(const model_export *plan, model_export_item *item)
{
    const model_architecture *a = &plan->model.architecture;
    if (item->role >= MODEL_FIRST_LAYER_ROLE && a->layer[item->layer].mixer == MODEL_MIXER_DELTA_NET && (plan->architecture->how & MODEL_GGUF_TILED) != 0) {
        set_tiled(&a->delta_net, item);
        return;
    }
    const bool of_heads = item->role == MODEL_Q || item->role == MODEL_K || item->role == MODEL_Q_BIAS || item->role == MODEL_K_BIAS;
    if (of_heads && (plan->architecture->how & MODEL_GGUF_TURNED) != 0) {
        item->change = MODEL_EXPORT_HALVES;
        item->head = model_head_dim(a, item->layer);
    } else if (item->role == MODEL_QKV || item->role == MODEL_QKV_BIAS) {
        item->change = MODEL_EXPORT_QKV;
    }
}

/* In a file norms are whole. */
static float plus_of(const model_architecture *a, model_role role)
{
    const bool of_heads = role == MODEL_Q_NORM || role == MODEL_K_NORM;
    const model_norm_shape *norm = of_heads ? &a->qk_norm_shape : &a->norm;
    switch (role) {
    case MODEL_EMBEDDING_NORM: case MODEL_FINAL_NORM: case MODEL_ATTENTION_NORM: case MODEL_POST_ATTENTION_NORM: case MODEL_MLP_NORM:
    case MODEL_POST_MLP_NORM: case MODEL_Q_NORM: case MODEL_K_NORM: return norm->kind == DEV_NORM_RMS1P || norm->weight_plus_one ? 1.0f : 0.0f;
    default: return 0.0f;
    }
}

/* A gate of one row is a vector there; a convolution's channels are rows. */
static void set_shape(model_export_item *item, const model_role_shape *shape, uint64_t rows)
{
    const bool     vector = shape->columns == 0;
    const uint64_t outer = shape->pieces > 1 && item->role != MODEL_CONV ? shape->pieces : 1;
    item->rows = rows;
    item->columns = vector ? 1 : shape->columns;
    if (outer > 1)
        item->shape[item->dims++] = outer;
    if (item->role != MODEL_SHARED_GATE)
        item->shape[item->dims++] = rows / outer;
    if (!vector)
        item->shape[item->dims++] = shape->columns;
}

/* Rows of an item that has a part of its role's. */
static uint64_t rows_of(const model_architecture *a, uint64_t rows, uint32_t layer, model_export_change change)
{
    switch (change) {
    case MODEL_EXPORT_GATES: case MODEL_EXPORT_UPS: return rows / 2;
    case MODEL_EXPORT_DELTA: return model_mix_channels(a, layer);
    case MODEL_EXPORT_DELTA_GATES: return model_mix_out_width(a, layer);
    default: return rows;
    }
}

static oclm_status add(model_export *plan, model_role role, model_role named, uint32_t layer, model_export_change change)
{
    const model_architecture *a = &plan->model.architecture;
    const model_role_shape    shape = model_role_shape_of(a, role, layer);
    const char               *name = model_gguf_name_of(plan->architecture, a, named, layer), *number = name != NULL ? strstr(name, "{i}") : NULL;
    const ckpt_tensor        *tensor = model_bound_tensor(&plan->model.binding, role, layer).tensor;
    if (name == NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: tensor \"%s\" has no place in a GGUF file of architecture \"%s\": quantise to nf4, fp4 or int8 instead",
                         plan->origin, tensor->name, plan->architecture->name);
    model_export_item *items = core_grow_array(plan->items, plan->item_count, &plan->room, 64, sizeof *items, "a list of tensors");
    if (items == NULL)
        return OCLM_ERR_MEMORY;
    plan->items = items;
    model_export_item *const item = &plan->items[plan->item_count++];
    *item = (model_export_item){ .role = role, .layer = layer, .change = change, .plus = plus_of(a, role), .decay = role == MODEL_DELTA_A_LOG };
    if (number != NULL)
        (void)snprintf(item->name, sizeof item->name, "%.*s%u%s", (int)(number - name), name, (unsigned)layer, number + 3);
    else
        (void)snprintf(item->name, sizeof item->name, "%s", name);
    if (change == MODEL_EXPORT_AS_IS)
        set_change(plan, item);
    set_shape(item, &shape, rows_of(a, shape.rows, layer, change));
    item->type = type_of(plan, item, shape.columns == 0);
    return OCLM_OK;
}

/* ---- All */

static bool is_key_value(model_role role) { return role >= MODEL_XIELU_ALPHA_P && role <= MODEL_XIELU_EPS; }

/* A role's tensor as two. */
static oclm_status add_both(model_export *plan, model_role role, uint32_t layer, model_role first, model_export_change change, model_role second,
                            model_export_change other)
{
    const oclm_status status = add(plan, role, first, layer, change);
    return status == OCLM_OK ? add(plan, role, second, layer, other) : status;
}

/* The tensor of a role, if the model has it; what is fused in the checkpoint and not in files becomes two. */
static oclm_status add_role(model_export *plan, model_role role, uint32_t layer)
{
    const model_architecture *a = &plan->model.architecture;
    if (model_role_shape_of(a, role, layer).rows == 0 || model_bound_tensor(&plan->model.binding, role, layer).tensor == NULL || is_key_value(role) ||
        (role == MODEL_HEAD && plan->model.binding.tied))
        return OCLM_OK;
    if (role == MODEL_EXPERTS_GATE_UP && !a->experts.beside_mlp)
        return add_both(plan, role, layer, MODEL_EXPERTS_GATE, MODEL_EXPORT_GATES, MODEL_EXPERTS_UP, MODEL_EXPORT_UPS);
    if (role == MODEL_EXPERTS_GATE_UP_BIAS)
        return add_both(plan, role, layer, MODEL_EXPERTS_GATE_BIAS, MODEL_EXPORT_GATES, MODEL_EXPERTS_UP_BIAS, MODEL_EXPORT_UPS);
    if (role == MODEL_MIX_QKVZ)
        return add_both(plan, role, layer, MODEL_MIX_QKV, MODEL_EXPORT_DELTA, MODEL_MIX_Z, MODEL_EXPORT_DELTA_GATES);
    return add(plan, role, role, layer, MODEL_EXPORT_AS_IS);
}

oclm_status model_export_items(model_export *plan)
{
    oclm_status status = OCLM_OK;
    for (int role = 0; role < MODEL_FIRST_LAYER_ROLE && status == OCLM_OK; role++)
        status = add_role(plan, (model_role)role, 0);
    for (uint32_t layer = 0; layer < plan->model.architecture.layers; layer++) {
        for (int role = MODEL_FIRST_LAYER_ROLE; role < MODEL_ROLE_COUNT && status == OCLM_OK; role++)
            status = add_role(plan, (model_role)role, layer);
    }
    return status;
}
