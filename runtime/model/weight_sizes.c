/* weight_sizes.c: what weights take on the device, role by role, before any of them is loaded; and whether that fits. */
#include <stdio.h>

#include "model/loader.h"

uint64_t model_up_rows(const model_architecture *a, uint32_t layer)
{
    const uint32_t inner = model_inner_width(a, layer);
    return a->mlp_gated ? 2 * dev_padded(inner) : inner;
}

/* What a role takes on the device. Nothing for those that lie in another one, as q, k and v in MODEL_QKV, whatever the checkpoint does. */
static uint64_t role_bytes(const model_architecture *a, model_role role, uint32_t layer, core_dtype dtype)
{
    const model_role_shape shape = model_role_shape_of(a, role, layer);
    if (role >= MODEL_MIX_IN && role <= MODEL_MIX_OUT_BIAS)
        return model_mixer_bytes(a, role, layer, dtype);
    switch (role) {
    case MODEL_Q:
        if (a->latent.kv_rank == 0)
            return 0;
        break;
    case MODEL_Q_BIAS: case MODEL_K: case MODEL_K_BIAS: case MODEL_V: case MODEL_V_BIAS: case MODEL_GATE: case MODEL_GATE_BIAS:
    case MODEL_XIELU_ALPHA_N: case MODEL_XIELU_BETA: case MODEL_XIELU_EPS: return 0;
    case MODEL_UP: case MODEL_UP_BIAS:
        if (a->mlp_gated)
            return 0;
        break;
    case MODEL_GATE_UP:
        if (shape.rows > 0)
            return dev_matrix_bytes(dtype, model_up_rows(a, layer), shape.columns);
        break;
    case MODEL_GATE_UP_BIAS: return shape.rows > 0 ? model_vector_bytes(model_up_rows(a, layer)) : 0;
    case MODEL_INPUT_IN: return shape.rows > 0 ? dev_matrix_bytes(dtype, a->layers * dev_padded(a->layer_input.size), shape.columns) : 0;
    case MODEL_LAYER_SCALAR: return 0; /* the host keeps it */
    case MODEL_POSITIONS: return shape.rows > 0 ? dev_matrix_bytes(dtype, a->max_position_embeddings, shape.columns) : 0;
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_GATE_UP: case MODEL_EXPERTS_GATE_UP_BIAS: case MODEL_EXPERTS_DOWN:
    case MODEL_EXPERTS_DOWN_BIAS:
        return shape.rows > 0 ? a->experts.routing.count * model_expert_bytes(a, role, dtype) : 0;
    default: break;
    }
    return shape.columns > 0 ? dev_matrix_bytes(dtype, shape.rows, shape.columns) : model_vector_bytes(shape.rows);
}

static uint64_t layer_bytes(const model_architecture *a, uint32_t layer, core_dtype dtype)
{
    uint64_t bytes = 0;
    for (model_role role = MODEL_FIRST_LAYER_ROLE; role < MODEL_ROLE_COUNT; role++)
        bytes += role_bytes(a, role, layer, dtype);
    return bytes;
}

uint64_t model_weights_bytes(const model_architecture *a, bool tied, core_dtype dtype)
{
    uint64_t bytes = 0;
    for (model_role role = 0; role < MODEL_FIRST_LAYER_ROLE; role++)
        bytes += tied && role == MODEL_HEAD ? 0 : role_bytes(a, role, 0, dtype);
    for (uint32_t layer = 0; layer < a->layers; layer++)
        bytes += layer_bytes(a, layer, dtype);
    return bytes;
}

/* Of experts that a row did not choose nothing is read. */
static uint64_t unread_bytes(const model_architecture *a, uint32_t layer, core_dtype dtype)
{
    static const model_role roles[] = { MODEL_EXPERTS_GATE_UP, MODEL_EXPERTS_GATE_UP_BIAS, MODEL_EXPERTS_DOWN, MODEL_EXPERTS_DOWN_BIAS };
    uint64_t bytes = 0;
    for (size_t i = 0; i < COUNT(roles) && a->layer[layer].experts; i++)
        bytes += (a->experts.routing.count - a->experts.routing.chosen) * model_expert_bytes(a, roles[i], dtype);
    return bytes;
}

uint64_t model_weights_read_per_token(const model_architecture *a, core_dtype dtype)
{
    uint64_t bytes = model_weights_bytes(a, false, dtype) - role_bytes(a, MODEL_EMBEDDING, 0, dtype) -
                     role_bytes(a, MODEL_INPUT_EMBEDDING, 0, dtype) - role_bytes(a, MODEL_POSITIONS, 0, dtype);
    for (uint32_t layer = 0; layer < a->layers; layer++)
        bytes -= unread_bytes(a, layer, dtype);
    return bytes;
}

oclm_status model_weights_check_budget(dev_device *device, const model_binding *b, core_dtype dtype)
{
    const uint64_t available = dev_memory_left(device), staging = dev_matrix_staging_bytes(device);
    const uint64_t needed = model_weights_bytes(b->architecture, b->tied, dtype) + staging;
    const uint64_t half = model_weights_bytes(b->architecture, b->tied, CORE_F16) + staging;
    const dev_traits *traits = dev_get_traits(device);
    const bool     told = traits->budget_bytes < traits->info.global_mem_bytes / 100 * 89; /* not the default of 90 % */
    char           needed_text[32], staging_text[32], available_text[32], half_text[32], way_out[200];
    if (needed <= available)
        return OCLM_OK;
    if (half <= available)
        snprintf(way_out, sizeof way_out, "as float16 or bfloat16 they need %s, which fits", core_format_bytes(half, half_text));
    else
        snprintf(way_out, sizeof way_out, "no dtype makes them fit; %schoose a device with more memory%s (oclm info tells which)",
                 told ? "allow more (max_device_bytes, --max-memory) or " : "", traits->info.host_unified ? "" : ", such as the CPU");
    return core_fail(OCLM_ERR_DEVICE_MEMORY, "device \"%s\": the weights in %s need %s (%s of it to load through), available are %s; %s",
                     traits->info.name, core_dtype_long_name(core_dtype_public(dtype)), core_format_bytes(needed, needed_text),
                     core_format_bytes(staging, staging_text), core_format_bytes(available, available_text), way_out);
}
