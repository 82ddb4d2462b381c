/* watch.c: looks at every number of the residual stream, from the host: for a pass that has gone wrong, slow as that is. */
#include "model/watch.h"

#include <math.h>
#include <stdio.h>

#include "core/memory.h"

typedef struct look {
    model_watch       *watch;
    const model_state *part;
    uint32_t           rows, where;
} look;

/* Of `columns` numbers in rows `stride` apart. */
static bool has_fault(const float *numbers, uint32_t rows, uint32_t columns, uint32_t stride)
{
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < columns; i++) {
            if (!isfinite(numbers[(size_t)r * stride + i]))
                return true;
        }
    }
    return false;
}

static oclm_status find_in(const dev_buffer *buffer, cl_command_queue queue, uint32_t rows, uint32_t columns, uint32_t stride, bool *fault)
{
    float *numbers = core_alloc_array((size_t)rows * stride, sizeof *numbers, "numbers that are looked at");
    if (!numbers)
        return OCLM_ERR_MEMORY;
    const oclm_status status = dev_buffer_read(queue, buffer, 0, numbers, (size_t)rows * stride * sizeof *numbers);
    *fault = status == OCLM_OK && has_fault(numbers, rows, columns, stride);
    core_free(numbers);
    return status;
}

static oclm_status look_now(cl_command_queue queue, void *payload)
{
    const look *l = payload;
    bool        fault;
    if (l->watch->where != MODEL_WATCH_NOTHING)
        return OCLM_OK;
    const oclm_status status = find_in(&l->part->hidden, queue, l->rows, l->part->model->architecture.hidden_size, l->part->hidden_stride, &fault);
    if (status == OCLM_OK && fault)
        *l->watch = (model_watch){ l->where, l->part->device };
    return status;
}

oclm_status model_watch_add(model_watch *watch, const model_state *part, dev_work *work, uint32_t rows, uint32_t where)
{
    look *l = core_alloc(sizeof *l, "a look at a layer");
    if (!l)
        return OCLM_ERR_MEMORY;
    *l = (look){ watch, part, rows, where };
    return dev_work_add_call(work, look_now, l, core_free);
}

oclm_status model_watch_ids(const model_model *model, const int32_t *ids, uint32_t count, model_watch *found)
{
    const model_state_options options = { .sequences = 1, .max_positions = count };
    model_state              *state = NULL;
    oclm_status               status;
    bool                      fault = false;
    *found = (model_watch){ MODEL_WATCH_NOTHING, NULL };
    if ((status = model_state_new(model, &options, &state)) != OCLM_OK)
        return status;
    state->watch = found;
    for (uint32_t done = 0, rows; done < count && status == OCLM_OK && found->where == MODEL_WATCH_NOTHING; done += rows) {
        rows = count - done < state->max_rows ? count - done : state->max_rows;
        const model_piece piece = { .sequence = 0, .first = done, .count = rows, .ids = ids + done };
        status = model_forward(state, &piece, 1, MODEL_LOGITS_LAST);
        if (status == OCLM_OK)
            status = model_finish(state);
    }
    if (status == OCLM_OK && found->where == MODEL_WATCH_NOTHING &&
        (status = find_in(&state->logits, state->queue, 1, model->architecture.vocab_size, state->logits_stride, &fault)) == OCLM_OK && fault)
        *found = (model_watch){ MODEL_WATCH_HEAD, model->device };
    model_state_free(state);
    return status;
}

const char *model_watch_text(const model_watch *found, char text[320])
{
    text[0] = '\0';
    if (found->where == MODEL_WATCH_NOTHING)
        return text;
    const oclm_device_info *info = &dev_get_traits(found->device)->info;
    char                    layer[24];
    (void)snprintf(layer, sizeof layer, "layer %u", found->where);
    (void)snprintf(text, 320, "%s, computed on device %zu \"%.240s\"",
                   found->where == MODEL_WATCH_EMBEDDING ? "the embedding" : found->where == MODEL_WATCH_HEAD ? "the final norm or the head" : layer,
                   info->index, info->name);
    return text;
}
