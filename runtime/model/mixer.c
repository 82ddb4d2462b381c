/* mixer.c: records what layers without attention do between their two products: cl/short_conv.cl, cl/delta_net.cl. */
#include <stdio.h>
#include <string.h>

#include "model/pass.h"

#define LARGEST_GROUP 64u

/* Columns of a work-group: a group is of one row, else PoCL would compile the kernel anew for each number of rows. */
static size_t group_for(size_t columns)
{
    size_t group = LARGEST_GROUP;
    while (columns % group != 0)
        group /= 2;
    return group;
}

static oclm_status add(dev_work *work, const char *source, const char *kernel, const char *options, size_t columns, size_t rows,
                       const dev_arg *args, size_t count)
{
    const dev_launch launch = { .source = source, .kernel = kernel, .options = options, .dims = 2, .global = { columns, rows },
                                .local = { group_for(columns), 1 }, .args = args, .arg_count = (cl_uint)count };
    return dev_work_add(work, &launch);
}

void model_mixer_options(const model_architecture *a, uint32_t layer, char options[MODEL_MIXER_OPTIONS])
{
    const model_mixer mixer = (model_mixer)a->layer[layer].mixer;
    options[0] = '\0';
    if (mixer != MODEL_MIXER_ATTENTION)
        snprintf(options, MODEL_MIXER_OPTIONS, " -DMIXER=%d -DTAPS=%u -DCONV_GATED=%d", (int)mixer, model_mix_taps(a, layer), mixer == MODEL_MIXER_SHORT_CONV);
    if (mixer == MODEL_MIXER_DELTA_NET)
        snprintf(options + strlen(options), MODEL_MIXER_OPTIONS - strlen(options), " -DKEY_DIM=%u", a->delta_net.key_dim);
}

/* The convolution, and what it leaves for the next pass. */
static oclm_status add_conv(const model_state *state, dev_work *work, uint32_t rows, uint32_t index, const dev_buffer *y, uint32_t y_stride)
{
    const model_architecture  *a = &state->model->architecture;
    const model_mixer_weights *w = &state->model->weights.layers[index].mixer;
    const dev_buffer          *tail = &state->cache.recurrent.tails[index];
    const bool                 gated = a->layer[index].mixer == MODEL_MIXER_SHORT_CONV;
    const uint32_t             channels = model_mix_channels(a, index);
    const dev_arg              conv[] = {
        dev_arg_buffer(y), dev_arg_u32(y_stride), dev_arg_buffer(&state->qkv), dev_arg_u32(state->qkv_stride), dev_arg_buffer(&w->conv),
        dev_arg_buffer(&w->conv_bias), dev_arg_buffer(tail), dev_arg_buffer(&state->positions), dev_arg_buffer(&state->sequences),
        dev_arg_u32(channels),
    };
    const dev_arg keep[] = {
        dev_arg_buffer(tail), dev_arg_buffer(&state->cache.recurrent.reached), dev_arg_buffer(&state->qkv), dev_arg_u32(state->qkv_stride),
        dev_arg_buffer(&state->positions), dev_arg_buffer(&state->sequences), dev_arg_u32(rows), dev_arg_u32(channels),
    };
    char options[48];
    snprintf(options, sizeof options, "-DTAPS=%u -DCONV_GATED=%d", model_mix_taps(a, index), gated);
    const oclm_status status = add(work, "short_conv", "short_conv", options, channels, rows, conv, COUNT(conv));
    return status == OCLM_OK ? add(work, "short_conv", "short_conv_keep", options, channels, rows, keep, COUNT(keep)) : status;
}

uint32_t model_delta_share(const model_delta_net *d)
{
    return d->heads_tiled || d->key_heads == 0 ? 1 : d->value_heads / d->key_heads;
}

static oclm_status add_delta_net(const model_state *state, dev_work *work, uint32_t rows, uint32_t index)
{
    const model_architecture  *a = &state->model->architecture;
    const model_delta_net     *d = &a->delta_net;
    const model_mixer_weights *w = &state->model->weights.layers[index].mixer;
    const dev_arg              mixed = dev_arg_buffer(&state->mixed), mixed_stride = dev_arg_u32(state->mixed_stride);
    const dev_arg              in = dev_arg_buffer(&state->qkv), in_stride = dev_arg_u32(state->qkv_stride);
    const dev_arg              at = dev_arg_u32(model_mix_channels(a, index)); /* behind what was convolved */
    const dev_arg              out = dev_arg_buffer(&state->attention_out), out_stride = dev_arg_u32(state->attention_stride);
    const dev_arg              key_heads = dev_arg_u32(d->key_heads), value_heads = dev_arg_u32(d->value_heads);
    const dev_arg              value_dim = dev_arg_u32(d->value_dim);
    const dev_arg prepare[] = { mixed, mixed_stride, in, in_stride, at, dev_arg_buffer(&w->rate), dev_arg_buffer(&w->dt), key_heads, value_heads,
                                value_dim };
    const dev_arg net[] = { out, out_stride, dev_arg_buffer(&state->cache.recurrent.memories[index]), mixed, mixed_stride, in, in_stride, at,
                            dev_arg_buffer(&state->positions), dev_arg_buffer(&state->sequences), dev_arg_u32(rows), key_heads, value_heads,
                            value_dim, dev_arg_u32(model_delta_share(d)) };
    const dev_arg finish[] = { out, out_stride, in, in_stride, at, dev_arg_buffer(&w->norm), dev_arg_f32(a->norm.eps), value_dim };
    char          options[32];
    oclm_status   status;
    snprintf(options, sizeof options, "-DKEY_DIM=%u", d->key_dim);
    if ((status = add_conv(state, work, rows, index, &state->mixed, state->mixed_stride)) != OCLM_OK ||
        (status = add(work, "delta_net", "delta_prepare", options, 2 * d->key_heads + d->value_heads, rows, prepare, COUNT(prepare))) != OCLM_OK ||
        (status = add(work, "delta_net", "delta_net", options, (size_t)d->value_heads * d->value_dim, rows, net, COUNT(net))) != OCLM_OK)
        return status;
    return add(work, "delta_net", "delta_finish", options, d->value_heads, rows, finish, COUNT(finish));
}

oclm_status model_mixer_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t index)
{
    return state->model->architecture.layer[index].mixer == MODEL_MIXER_DELTA_NET
               ? add_delta_net(state, work, rows, index)
               : add_conv(state, work, rows, index, &state->attention_out, state->attention_stride);
}

oclm_status model_attention_gate_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer)
{
    const model_architecture *a = &state->model->architecture;
    const uint32_t            width = a->heads * model_head_dim(a, layer); /* gates are last */
    const dev_arg             args[] = { dev_arg_buffer(&state->attention_out), dev_arg_u32(state->attention_stride), dev_arg_buffer(&state->qkv),
                                         dev_arg_u32(state->qkv_stride), dev_arg_u32(model_qkv_width(a, layer) - width) };
    return a->attention_gate ? add(work, "attention_gate", "attention_gate", "", width, rows, args, COUNT(args)) : OCLM_OK;
}
