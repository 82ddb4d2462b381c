/* pass.c: the forward pass. The residual stream is state->hidden; each half of a layer adds to it.
 *
 *     hidden = embedding[ids] (+ positions)
 *     each layer:  qkv = W_qkv norm(hidden);  out = attention(qkv, cache);  hidden += W_o out
 *                  mlp = act(W_up norm(hidden)), or act(W_gate ..) * W_up ..;  hidden += W_down mlp
 *     logits = W_head norm(hidden), of the rows that were asked for
 *
 * Norms, biases, activations and residuals ride on the products (device/matmul.h): a layer is four products and attention. Where
 * model_residual says otherwise, a norm of what is added or of the stream itself comes between them, or the MLP before attention's output. */
#include "model/pass.h"

#include "model/lent.h"
#include "model/watch.h"

/* Layers [begin, end), which one part has. */
static oclm_status add_layers(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t begin, uint32_t end)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = begin, added; i < end && status == OCLM_OK; i += added) {
        status = model_layers_add(state, work, shape, i, end - i, &added);
        if (status == OCLM_OK && added == 0) {
            status = model_layer_add(state, work, shape, i);
            added = 1;
        }
    }
    return status;
}

/* ---- Each part on its device */

/* What is being recorded, and where the stream is. */
typedef struct recording {
    model_relay_writer     *writer;
    const model_pass_shape *shape;
    const model_state      *at; /* NULL: nowhere yet */
} recording;

/* The stream goes on on a device; `work`: to what its launches are added. */
static oclm_status go_to(recording *r, uint32_t device, const model_state **part, dev_work **work)
{
    const model_state *to = *part = model_part_on(r->writer->state, device), *from = r->at;
    oclm_status        status = OCLM_OK;
    if (from != NULL && from != to)
        status = model_relay_send(r->writer, from, &from->hidden, to, &to->hidden,
                                  (size_t)r->shape->rows * to->hidden_stride * sizeof(float));
    r->at = to;
    return status == OCLM_OK ? model_relay_work(r->writer, to, work) : status;
}

/* Where a decoding step begins, only the main device knows what it reads. */
static oclm_status tell_others(const recording *r)
{
    const model_state *main = r->writer->state;
    const size_t       bytes = r->shape->rows * sizeof(int32_t);
    oclm_status        status = OCLM_OK;
    for (uint32_t i = 0; i < main->other_count && status == OCLM_OK; i++) {
        const model_state *other = main->others[i];
        if (other->device_index == main->model->placement.embedding.device)
            status = model_relay_send(r->writer, main, &main->ids, other, &other->ids, bytes);
        if (status == OCLM_OK)
            status = model_relay_send(r->writer, main, &main->positions, other, &other->positions, bytes);
    }
    return status;
}

/* What layers are told of the token goes to those of other devices. */
static oclm_status send_inputs(const recording *r, const model_state *from)
{
    const model_state *main = r->writer->state;
    const size_t       made = (size_t)r->shape->rows * from->inputs.made_stride * sizeof(float);
    const size_t       found = (size_t)r->shape->rows * from->inputs.found_stride * sizeof(float);
    oclm_status        status = OCLM_OK;
    for (uint32_t d = 0; d < main->model->device_count && status == OCLM_OK && made > 0; d++) {
        const model_state *to = model_uses_device(main->model, d) ? model_part_on(r->writer->state, d) : from;
        if (to == from || to->inputs.made.memory == NULL)
            continue;
        if ((status = model_relay_send(r->writer, from, &from->inputs.made, to, &to->inputs.made, made)) == OCLM_OK)
            status = model_relay_send(r->writer, from, &from->inputs.found, to, &to->inputs.found, found);
    }
    return status;
}

/* Layers from `first` on as far as one device has them: up to `*end`. */
static oclm_status record_layers(recording *r, uint32_t first, uint32_t *end)
{
    const model_model *model = r->writer->state->model;
    const uint32_t     device = model->placement.layers[first].device;
    const model_state *part;
    dev_work          *work;
    oclm_status        status = go_to(r, device, &part, &work);
    for (*end = first + 1; *end < model->weights.layer_count && model->placement.layers[*end].device == device;)
        ++*end;
    model_watch *const watch = r->writer->state->watch;
    if (status == OCLM_OK && watch == NULL)
        status = add_layers(part, work, r->shape, first, *end);
    for (uint32_t i = first; i < *end && status == OCLM_OK && watch != NULL; i++) {
        if ((status = add_layers(part, work, r->shape, i, i + 1)) == OCLM_OK)
            status = model_watch_add(watch, part, work, r->shape->rows, i);
    }
    for (uint32_t i = first; i < *end && status == OCLM_OK; i++)
        status = model_lent_add(r->writer, part, r->shape->rows, i);
    return status;
}

oclm_status model_pass_record(model_relay_writer *writer, const model_pass_shape *shape)
{
    const model_model *model = writer->state->model;
    recording          r = { .writer = writer, .shape = shape };
    const model_state *part;
    dev_work          *work;
    oclm_status        status = shape->decoding ? tell_others(&r) : OCLM_OK;
    if (status == OCLM_OK && (status = go_to(&r, model->placement.embedding.device, &part, &work)) == OCLM_OK &&
        (status = model_embedding_add(part, work, shape->rows, shape->logit_rows > 0)) == OCLM_OK && (status = send_inputs(&r, part)) == OCLM_OK &&
        writer->state->watch != NULL)
        status = model_watch_add(writer->state->watch, part, work, shape->rows, MODEL_WATCH_EMBEDDING);
    for (uint32_t i = 0, end; i < model->weights.layer_count && status == OCLM_OK; i = end)
        status = record_layers(&r, i, &end);
    if (status == OCLM_OK && shape->logit_rows > 0 && (status = go_to(&r, model->main_index, &part, &work)) == OCLM_OK)
        status = model_head_add(part, work, shape);
    const oclm_status ended = model_relay_end(writer);
    return status == OCLM_OK ? ended : status;
}
