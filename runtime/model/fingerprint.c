/* fingerprint.c: tells models apart whose sessions do not fit each other: by shape, and, where only training differs, by some of the weights. */
#include <string.h>

#include "core/hash.h"
#include "model/offload.h"
#include "model/snapshot.h"

#define SAMPLE ((size_t)4096) /* bytes of a matrix */

static void add_u32(core_sha256 *sha, uint32_t value)
{
    const uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24) };
    core_sha256_add(sha, bytes, sizeof bytes);
}

static void add_shapes(core_sha256 *sha, const model_architecture *a)
{
    const uint32_t numbers[] = { a->vocab_size, a->hidden_size, a->intermediate_size, a->layers, a->heads, a->kv_heads, a->head_dim,
                                 a->max_position_embeddings, (uint32_t)a->position, (uint32_t)a->residual, (uint32_t)a->qk_norm,
                                 a->experts.routing.count, a->latent.kv_rank, a->short_conv.taps, a->delta_net.taps, a->delta_net.key_heads,
                                 a->delta_net.value_heads, a->delta_net.key_dim, a->delta_net.value_dim };
    core_sha256_add(sha, a->model_type, strlen(a->model_type) + 1);
    for (size_t i = 0; i < COUNT(numbers); i++)
        add_u32(sha, numbers[i]);
    for (uint32_t i = 0; i < a->layers; i++) {
        add_u32(sha, a->layer[i].mixer);
        add_u32(sha, a->layer[i].window);
        add_u32(sha, (uint32_t)(uint8_t)a->layer[i].rope);
    }
    for (int set = 0; set < MODEL_ROPE_SETS; set++) {
        add_u32(sha, (uint32_t)a->ropes[set].type);
        add_u32(sha, a->ropes[set].dims);
        core_sha256_add(sha, &a->ropes[set].theta, sizeof a->ropes[set].theta);
        core_sha256_add(sha, &a->ropes[set].factor, sizeof a->ropes[set].factor);
    }
}

static oclm_status add_weights(core_sha256 *sha, const model_model *model, uint32_t unit, const dev_matrix *matrix)
{
    uint8_t bytes[SAMPLE];
    if (matrix->part_count == 0)
        return OCLM_OK;
    const model_sites sites = model_sites_of(model);
    const dev_buffer *buffer = &matrix->parts[0].buffer;
    size_t            all = buffer->bytes;
    const void       *away = model_offload_memory(model->weights.offload, unit, buffer, &all);
    const size_t      count = all < SAMPLE ? all : SAMPLE;
    const oclm_status status = away == NULL ? dev_buffer_read(dev_queue(model_site(&sites, unit)), buffer, 0, bytes, count) : OCLM_OK;
    core_sha256_add(sha, away != NULL ? away : bytes, status == OCLM_OK ? count : 0);
    return status;
}

oclm_status model_fingerprint(const model_model *model, uint8_t digest[32])
{
    const model_weights *w = &model->weights;
    core_sha256          sha;
    oclm_status          status;
    core_sha256_init(&sha);
    add_shapes(&sha, &model->architecture);
    add_u32(&sha, (uint32_t)w->dtype);
    for (size_t i = 0; i < w->sizes.kind_count && !core_storage_is_float(&w->storage); i++) {
        const core_storage *s = &w->sizes.kinds[i].storage;
        const uint32_t      words[] = { s->code, s->bits, s->scale, s->minimum, s->table, s->group };
        for (size_t j = 0; j < COUNT(words); j++)
            add_u32(&sha, words[j]);
    }
    status = add_weights(&sha, model, MODEL_UNIT_EMBEDDING, &w->embedding);
    for (uint32_t i = 0; i < w->layer_count && status == OCLM_OK; i++) {
        if ((status = add_weights(&sha, model, MODEL_UNIT_LAYERS + i, &w->layers[i].qkv)) == OCLM_OK)
            status = add_weights(&sha, model, MODEL_UNIT_LAYERS + i, &w->layers[i].down);
    }
    core_sha256_end(&sha, digest);
    return status;
}
