/* mixer_shapes.c: widths and tensors of layers without attention, as follows from the architecture. */
#include "model/binding.h"

static bool is_delta_net(const model_architecture *a, uint32_t layer) { return a->layer[layer].mixer == MODEL_MIXER_DELTA_NET; }

uint32_t model_mix_taps(const model_architecture *a, uint32_t layer) { return is_delta_net(a, layer) ? a->delta_net.taps : a->short_conv.taps; }

uint32_t model_mix_channels(const model_architecture *a, uint32_t layer)
{
    const model_delta_net *d = &a->delta_net; /* products are bounded by model_check_mixers() */
    return is_delta_net(a, layer) ? 2 * d->key_heads * d->key_dim + d->value_heads * d->value_dim : a->hidden_size;
}

uint32_t model_mix_out_width(const model_architecture *a, uint32_t layer)
{
    return is_delta_net(a, layer) ? a->delta_net.value_heads * a->delta_net.value_dim : a->hidden_size;
}

uint32_t model_mix_in_width(const model_architecture *a, uint32_t layer)
{
    return is_delta_net(a, layer) ? model_mix_channels(a, layer) + model_mix_out_width(a, layer) + 2 * a->delta_net.value_heads : 3 * a->hidden_size;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

uint32_t model_widest_in(const model_architecture *a)
{
    uint32_t widest = 0;
    for (uint32_t i = 0; i < a->layers; i++)
        widest = larger(widest, a->layer[i].mixer == MODEL_MIXER_ATTENTION
                                    ? model_qkv_width(a, i) : model_mix_in_width(a, i));
    return widest;
}

uint32_t model_widest_out(const model_architecture *a)
{
    uint32_t widest = 0;
    for (uint32_t i = 0; i < a->layers; i++)
        widest = larger(widest, a->layer[i].mixer == MODEL_MIXER_ATTENTION ? a->heads * model_head_dim(a, i) : model_mix_out_width(a, i));
    return widest;
}

static model_role_shape matrix_if(bool there, uint32_t rows, uint32_t columns)
{
    return (model_role_shape){ there ? rows : 0, there ? columns : 0, 0 };
}

static model_role_shape vector_if(bool there, uint32_t count) { return (model_role_shape){ there ? count : 0, 0, 0 }; }

model_role_shape model_mix_role_shape(const model_architecture *a, model_role role, uint32_t layer)
{
    const model_delta_net *d = &a->delta_net;
    const bool     delta = is_delta_net(a, layer), bias = !delta && a->short_conv.bias;
    const uint32_t in = model_mix_in_width(a, layer), channels = model_mix_channels(a, layer), out = model_mix_out_width(a, layer);
    switch (role) {
    case MODEL_MIX_IN: return matrix_if(true, in, a->hidden_size);
    case MODEL_MIX_IN_BIAS: return vector_if(bias, in);
    case MODEL_MIX_QKVZ: return matrix_if(delta, channels + out, a->hidden_size);
    case MODEL_MIX_BA: return matrix_if(delta, 2 * d->value_heads, a->hidden_size);
    case MODEL_MIX_QKV: return matrix_if(delta, channels, a->hidden_size);
    case MODEL_MIX_Z: return matrix_if(delta, out, a->hidden_size);
    case MODEL_MIX_B: case MODEL_MIX_A: return matrix_if(delta, d->value_heads, a->hidden_size);
    case MODEL_CONV: return (model_role_shape){ channels, model_mix_taps(a, layer), channels };
    case MODEL_CONV_BIAS: return vector_if(bias, channels);
    case MODEL_DELTA_A_LOG: case MODEL_DELTA_DT: return vector_if(delta, d->value_heads);
    case MODEL_DELTA_NORM: return vector_if(delta, d->value_dim);
    case MODEL_MIX_OUT: return matrix_if(true, a->hidden_size, out);
    case MODEL_MIX_OUT_BIAS: return vector_if(bias, a->hidden_size);
    default: return vector_if(false, 0);
    }
}
