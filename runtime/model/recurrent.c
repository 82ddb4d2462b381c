/* recurrent.c: the states of layers without attention: memory, copies, and which length they stand for. */
#include "model/recurrent.h"

#include <string.h>

#include "model/binding.h"

static bool is_held(const bool *holds, uint32_t layer) { return holds == NULL || holds[layer]; }

static bool holds_mixers(const model_architecture *a, const bool *holds)
{
    for (uint32_t i = 0; i < a->layers; i++) {
        if (is_held(holds, i) && a->layer[i].mixer != MODEL_MIXER_ATTENTION)
            return true;
    }
    return false;
}

bool model_has_mixers(const model_architecture *a) { return holds_mixers(a, NULL); }

/* ---- Sizes: each factor is at most 2^20, products are bounded by model_check_mixers() */

static size_t tail_bytes(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].mixer == MODEL_MIXER_ATTENTION ? 0 : (size_t)(model_mix_taps(a, layer) - 1) * model_mix_channels(a, layer) * sizeof(float);
}

static size_t memory_bytes(const model_architecture *a, uint32_t layer)
{
    const model_delta_net *d = &a->delta_net;
    return a->layer[layer].mixer == MODEL_MIXER_DELTA_NET ? (size_t)d->value_heads * d->key_dim * d->value_dim * sizeof(float) : 0;
}

uint64_t model_recurrent_bytes(const model_architecture *a, uint32_t sequences, const bool *holds)
{
    uint64_t bytes = 0;
    if (!holds_mixers(a, holds))
        return 0;
    for (uint32_t i = 0; i < a->layers; i++)
        bytes += is_held(holds, i) ? (uint64_t)tail_bytes(a, i) + memory_bytes(a, i) : 0;
    return sequences * (bytes + sizeof(int32_t));
}

/* ---- Making and freeing */

static oclm_status make_buffers(dev_device *device, const model_architecture *a, uint32_t sequences, const bool *holds, model_recurrent *r)
{
    oclm_status status = dev_buffer_new(device, sequences * sizeof(int32_t), "the positions of sequences", &r->reached);
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++) {
        r->tail_bytes[i] = is_held(holds, i) ? tail_bytes(a, i) : 0;
        r->memory_bytes[i] = is_held(holds, i) ? memory_bytes(a, i) : 0;
        if (r->tail_bytes[i] > 0)
            status = dev_buffer_new(device, sequences * r->tail_bytes[i], "the last inputs of a layer's convolution", &r->tails[i]);
        if (r->memory_bytes[i] > 0 && status == OCLM_OK)
            status = dev_buffer_new(device, sequences * r->memory_bytes[i], "the memory of a layer's delta net", &r->memories[i]);
    }
    return status;
}

oclm_status model_recurrent_new(dev_device *device, const model_architecture *a, uint32_t sequences, const bool *holds, model_recurrent *r)
{
    oclm_status status = OCLM_ERR_MEMORY;
    memset(r, 0, sizeof *r);
    if (!holds_mixers(a, holds))
        return OCLM_OK;
    r->layer_count = a->layers;
    r->tails = core_alloc_zero(a->layers, sizeof *r->tails, "the table of convolutions' inputs");
    r->memories = core_alloc_zero(a->layers, sizeof *r->memories, "the table of memories");
    r->tail_bytes = core_alloc_zero(a->layers, sizeof *r->tail_bytes, "the sizes of convolutions' inputs");
    r->memory_bytes = core_alloc_zero(a->layers, sizeof *r->memory_bytes, "the sizes of memories");
    r->lengths = core_alloc_zero(sequences, sizeof *r->lengths, "the lengths of memories");
    if (r->tails && r->memories && r->tail_bytes && r->memory_bytes && r->lengths)
        status = make_buffers(device, a, sequences, holds, r);
    if (status != OCLM_OK)
        model_recurrent_free(device, r);
    return status;
}

void model_recurrent_free(dev_device *device, model_recurrent *r)
{
    for (uint32_t i = 0; i < r->layer_count; i++) {
        if (r->tails)
            dev_buffer_free(device, &r->tails[i]);
        if (r->memories)
            dev_buffer_free(device, &r->memories[i]);
    }
    dev_buffer_free(device, &r->reached);
    core_free(r->tails);
    core_free(r->memories);
    core_free(r->tail_bytes);
    core_free(r->memory_bytes);
    core_free(r->lengths);
    memset(r, 0, sizeof *r);
}

/* ---- Which length they stand for */

bool model_recurrent_is_at(const model_recurrent *r, uint32_t sequence, uint32_t length)
{
    return r->layer_count == 0 || length == 0 || r->lengths[sequence] == length;
}

void model_recurrent_note(model_recurrent *r, uint32_t sequence, uint32_t length)
{
    if (r->layer_count > 0)
        r->lengths[sequence] = length;
}

void model_recurrent_settle(model_recurrent *r, cl_command_queue queue, uint32_t sequence)
{
    int32_t reached = 0;
    if (r->layer_count == 0 || r->lengths[sequence] != MODEL_LENGTH_MOVES)
        return;
    const bool read = dev_buffer_read(queue, &r->reached, sequence * sizeof reached, &reached, sizeof reached) == OCLM_OK;
    r->lengths[sequence] = read && reached >= 0 ? (uint32_t)reached : MODEL_LENGTH_UNKNOWN;
}

/* ---- Copies */

static cl_int copy_part(cl_command_queue queue, const dev_buffer *buffer, size_t bytes, uint32_t from, uint32_t to)
{
    return bytes == 0 ? CL_SUCCESS
                      : clEnqueueCopyBuffer(queue, buffer->memory, buffer->memory, from * bytes, to * bytes, bytes, 0, NULL, NULL);
}

oclm_status model_recurrent_fork(model_recurrent *r, cl_command_queue queue, uint32_t from, uint32_t to)
{
    cl_int error = CL_SUCCESS;
    if (r->layer_count == 0)
        return OCLM_OK;
    r->lengths[to] = MODEL_LENGTH_UNKNOWN;
    model_recurrent_settle(r, queue, from);
    for (uint32_t i = 0; i < r->layer_count && error == CL_SUCCESS; i++) {
        error = copy_part(queue, &r->tails[i], r->tail_bytes[i], from, to);
        if (error == CL_SUCCESS)
            error = copy_part(queue, &r->memories[i], r->memory_bytes[i], from, to);
    }
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "copying the states of a sequence");
    r->lengths[to] = r->lengths[from];
    return OCLM_OK;
}
