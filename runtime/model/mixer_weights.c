/* mixer_weights.c: the weights of layers without attention, to the device: all that reads the stream as one matrix, whatever way the
 * checkpoint holds it, and the convolution's as [taps][channels]. */
#include <math.h>

#include "model/loader.h"

/* [q, k, v, z, b, a] of a delta net: from tensors of all heads, or of shares of each key head. */
static oclm_status load_delta_in(model_loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const model_delta_net    *d = &a->delta_net;
    const bool     shares = model_bound_tensor(l->binding, MODEL_MIX_QKVZ, i).tensor != NULL;
    const bool     small_shares = model_bound_tensor(l->binding, MODEL_MIX_BA, i).tensor != NULL;
    const uint32_t heads = d->key_heads, more = d->value_heads / heads; /* value heads to a key head */
    const uint32_t key = d->key_dim, value = more * d->value_dim, keys = heads * key, values = heads * value;
    const uint32_t channels = 2 * keys + values, b_first = channels + values, share = 2 * key + 2 * value;
    model_part    *parts = core_alloc_array(6 * (size_t)heads, sizeof *parts, "the parts of a delta net's matrix");
    size_t         count = 0;
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t h = 0; shares && h < heads; h++) {
        parts[count++] = (model_part){ MODEL_MIX_QKVZ, h * share, key, h * key, 1 };
        parts[count++] = (model_part){ MODEL_MIX_QKVZ, h * share + key, key, keys + h * key, 1 };
        parts[count++] = (model_part){ MODEL_MIX_QKVZ, h * share + 2 * key, value, 2 * keys + h * value, 1 };
        parts[count++] = (model_part){ MODEL_MIX_QKVZ, h * share + 2 * key + value, value, channels + h * value, 1 };
    }
    if (!shares) {
        parts[count++] = (model_part){ MODEL_MIX_QKV, 0, channels, 0, 1 };
        parts[count++] = (model_part){ MODEL_MIX_Z, 0, values, channels, 1 };
    }
    for (uint32_t h = 0; small_shares && h < heads; h++) {
        parts[count++] = (model_part){ MODEL_MIX_BA, h * 2 * more, more, b_first + h * more, 1 };
        parts[count++] = (model_part){ MODEL_MIX_BA, h * 2 * more + more, more, b_first + d->value_heads + h * more, 1 };
    }
    if (!small_shares) {
        parts[count++] = (model_part){ MODEL_MIX_B, 0, d->value_heads, b_first, 1 };
        parts[count++] = (model_part){ MODEL_MIX_A, 0, d->value_heads, b_first + d->value_heads, 1 };
    }
    const oclm_status status = model_load_parts(l, parts, count, i, model_mix_in_width(a, i), &layer->qkv);
    core_free(parts);
    return status;
}

/* A tensor's elements in float32; the caller frees them. */
static oclm_status read_all(model_loader *l, model_role role, uint32_t layer, float **values)
{
    const ckpt_tensor *tensor = model_bound_tensor(l->binding, role, layer).tensor;
    *values = core_alloc_zero((size_t)tensor->elements, sizeof **values, tensor->name);
    if (*values == NULL)
        return OCLM_ERR_MEMORY;
    if (l->sizing)
        return OCLM_OK;
    const oclm_status status = model_read_floats(tensor, 0, (size_t)tensor->elements, *values);
    return status == OCLM_OK ? model_loaded(l, tensor) : status;
}

static oclm_status load_conv(model_loader *l, uint32_t layer, dev_buffer *buffer)
{
    const model_role_shape shape = model_role_shape_of(l->binding->architecture, MODEL_CONV, layer);
    const size_t channels = shape.rows, taps = shape.columns;
    float       *stored = NULL, *turned = core_alloc_array(channels * taps, sizeof *turned, "a convolution's weights");
    oclm_status  status = turned != NULL ? read_all(l, MODEL_CONV, layer, &stored) : OCLM_ERR_MEMORY;
    for (size_t i = 0; i < channels * taps && status == OCLM_OK; i++)
        turned[i % taps * channels + i / taps] = stored[i];
    if (status == OCLM_OK)
        status = model_new_vector(l, "a convolution's weights", turned, channels * taps * sizeof *turned, buffer);
    core_free(turned);
    core_free(stored);
    return status;
}

/* What a head's decay is multiplied by: -exp(A_log), which some files hold themselves. */
static oclm_status load_rate(model_loader *l, uint32_t layer, dev_buffer *buffer)
{
    const size_t count = model_role_shape_of(l->binding->architecture, MODEL_DELTA_A_LOG, layer).rows;
    float       *values = NULL;
    oclm_status  status = read_all(l, MODEL_DELTA_A_LOG, layer, &values);
    for (size_t i = 0; i < count && status == OCLM_OK && !l->binding->architecture->delta_net.rate_stored; i++)
        values[i] = (float)-exp((double)values[i]);
    if (status == OCLM_OK)
        status = model_new_vector(l, "the decay of a delta net", values, count * sizeof *values, buffer);
    core_free(values);
    return status;
}

static oclm_status load_delta_net(model_loader *l, uint32_t i, model_layer *layer)
{
    oclm_status status;
    if ((status = load_delta_in(l, i, layer)) != OCLM_OK || (status = load_rate(l, i, &layer->mixer.rate)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_DELTA_DT, i, &layer->mixer.dt)) != OCLM_OK)
        return status;
    return model_load_vector(l, MODEL_DELTA_NORM, i, &layer->mixer.norm);
}

oclm_status model_load_mixer(model_loader *l, uint32_t i, model_layer *layer)
{
    const bool  delta = l->binding->architecture->layer[i].mixer == MODEL_MIXER_DELTA_NET;
    oclm_status status;
    if ((status = delta ? load_delta_net(l, i, layer) : model_load_matrix(l, MODEL_MIX_IN, i, &layer->qkv)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_MIX_IN_BIAS, i, &layer->qkv_bias)) != OCLM_OK ||
        (status = load_conv(l, i, &layer->mixer.conv)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_CONV_BIAS, i, &layer->mixer.conv_bias)) != OCLM_OK ||
        (status = model_load_matrix(l, MODEL_MIX_OUT, i, &layer->output)) != OCLM_OK)
        return status;
    return model_load_vector(l, MODEL_MIX_OUT_BIAS, i, &layer->output_bias);
}

void model_mixer_free(dev_device *device, model_mixer_weights *mixer)
{
    dev_buffer *const buffers[] = { &mixer->conv, &mixer->conv_bias, &mixer->rate, &mixer->dt, &mixer->norm };
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
}
