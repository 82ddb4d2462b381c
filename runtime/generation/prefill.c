/* prefill.c: prompts laid end to end and cut into passes; a pass may end one prompt, hold several whole ones, and begin the next. */
#include "generation/prefill.h"

#include <string.h>

#define TUNED_IDS 2048u

oclm_status gen_tune_for(const model_model *model, uint64_t ids)
{
    oclm_status status = OCLM_OK;
    for (uint32_t d = 0; d < model->device_count && status == OCLM_OK && ids >= TUNED_IDS; d++) {
        if (model_uses_device(model, d))
            status = dev_matmul_tune(model->devices[d], &model->weights.storage);
    }
    return status;
}

uint32_t gen_prefill_rows(const gen_config *config, uint64_t ids, uint32_t least)
{
    const uint32_t chunk = config->prefill_chunk_size > 0 && config->prefill_chunk_size < MODEL_CHUNK_ROWS ? config->prefill_chunk_size : MODEL_CHUNK_ROWS;
    const uint32_t rows = ids < chunk ? (uint32_t)ids : chunk;
    return rows < least ? least : rows;
}

typedef struct prefill {
    model_state       *state;
    const gen_reading *readings;
    uint32_t           count;
    uint32_t           next, next_first; /* where the next pass begins: a prompt, and an id of it */
    uint64_t           done, total;      /* ids */
    uint32_t           longest;          /* prompt that is read from its beginning */
    model_piece       *pieces;           /* [count] */
} prefill;

static void plan(prefill *p)
{
    p->next_first = p->readings[0].first;
    for (uint32_t i = 0; i < p->count; i++) {
        p->total += p->readings[i].count - p->readings[i].first;
        if (p->readings[i].first == 0 && p->readings[i].count + p->readings[i].more > p->longest)
            p->longest = p->readings[i].count + p->readings[i].more;
    }
}

/* The next pass's pieces; `*ended`: so many of them, the first ones, are their prompts' ends. */
static uint32_t cut_pass(prefill *p, uint32_t *ended)
{
    uint32_t count = 0, rows = 0;
    *ended = 0;
    while (p->next < p->count && rows < p->state->max_rows) {
        const gen_reading *r = &p->readings[p->next];
        const uint32_t     left = r->count - p->next_first, room = p->state->max_rows - rows, take = left < room ? left : room;
        p->pieces[count++] = (model_piece){ .sequence = r->sequence, .first = p->next_first, .count = take, .ids = r->ids + p->next_first };
        rows += take;
        p->next_first += take;
        if (take < left)
            break;
        ++*ended;
        if (++p->next < p->count)
            p->next_first = p->readings[p->next].first;
    }
    p->done += rows;
    return count;
}

/* Puts the logits of the prompts that a pass has ended, `first` being the first of them, where no later pass overwrites them. */
static oclm_status keep(const prefill *p, const dev_buffer *kept, uint32_t first, uint32_t ended)
{
    const size_t row = p->state->logits_stride * sizeof(float);
    const cl_int error = clEnqueueCopyBuffer(p->state->queue, p->state->logits.memory, kept->memory, 0, first * row, ended * row, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "keeping the logits of %u prompts", ended);
}

static oclm_status run_pass(prefill *p, model_logits wanted, const dev_buffer *kept)
{
    const uint32_t first = p->next;
    uint32_t       ended;
    const uint32_t count = cut_pass(p, &ended);
    oclm_status    status;
    if (p->longest > 0)
        model_state_expect(p->state, p->longest); /* in each pass that begins a prompt */
    if ((status = model_forward(p->state, p->pieces, count, ended > 0 ? wanted : MODEL_LOGITS_NONE)) != OCLM_OK)
        return status;
    return kept != NULL && ended > 0 && wanted != MODEL_LOGITS_NONE ? keep(p, kept, first, ended) : OCLM_OK;
}

static oclm_status run_passes(prefill *p, model_logits wanted, const gen_hooks *hooks, const dev_buffer *kept, bool *cancelled)
{
    oclm_status status = OCLM_OK;
    while (p->done < p->total && status == OCLM_OK) {
        /* Over several devices the next pass begins while the last ones of the one before still work: links hold who is too far ahead. */
        if (p->done > 0 && p->state->other_count == 0 && (status = model_finish(p->state)) != OCLM_OK)
            break;
        if (hooks->cancel != NULL && *hooks->cancel) {
            *cancelled = true;
            break;
        }
        if (hooks->progress != NULL && !hooks->progress("prefill", p->done, p->total, hooks->user))
            return core_fail(OCLM_ERR_CANCELLED, "cancelled after %llu of %llu prompt tokens", (unsigned long long)p->done,
                             (unsigned long long)p->total);
        status = run_pass(p, wanted, kept);
    }
    return status;
}

oclm_status gen_prefill(model_state *state, const gen_reading *readings, uint32_t count, model_logits wanted, const gen_hooks *hooks,
                        const dev_buffer *kept, bool *cancelled)
{
    prefill     p = { .state = state, .readings = readings, .count = count };
    oclm_status status;
    *cancelled = false;
    if ((p.pieces = core_alloc_array(count, sizeof *p.pieces, "the pieces of prompts")) == NULL)
        return OCLM_ERR_MEMORY;
    plan(&p);
    status = run_passes(&p, wanted, hooks, kept, cancelled);
    core_free(p.pieces);
    return status;
}

/* ---- Texts that several sequences continue */

/* Gives each sequence a copy of the logits behind its text: of one text, they lie in row 0. */
static oclm_status spread_logits(const model_state *state, const dev_buffer *kept, uint32_t count, uint32_t each)
{
    const size_t bytes = state->logits_stride * sizeof(float);
    const bool   several = count > 1;
    const cl_mem from = several ? kept->memory : state->logits.memory;
    cl_int       error = CL_SUCCESS;
    for (uint32_t row = several ? 0 : 1; row < count * each && error == CL_SUCCESS; row++)
        error = clEnqueueCopyBuffer(state->queue, from, state->logits.memory, row / each * bytes, row * bytes, bytes, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "copying the logits of prompts to %u rows", count * each);
}

static oclm_status share_pages(model_state *state, uint32_t sequences, uint32_t each)
{
    oclm_status status = OCLM_OK;
    for (uint32_t s = 0; s < sequences && status == OCLM_OK; s++) {
        if (s % each > 0)
            status = model_fork(state, s - s % each, s);
    }
    return status;
}

oclm_status gen_read_texts(model_state *state, const gen_prompt *texts, uint32_t count, uint32_t each, uint32_t first, const gen_hooks *hooks,
                           bool *cancelled)
{
    gen_reading *readings = core_alloc_array(count, sizeof *readings, "the prompts to read");
    dev_buffer   kept = { NULL, 0 };
    oclm_status  status = readings != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    *cancelled = false;
    for (uint32_t i = 0; i < count && status == OCLM_OK; i++)
        readings[i] = (gen_reading){ .sequence = i * each, .ids = texts[i].ids, .first = first, .count = texts[i].count };
    if (status == OCLM_OK && count > 1)
        status = dev_buffer_new(state->model->device, count * state->logits_stride * sizeof(float), "the logits of prompts read side by side", &kept);
    if (status == OCLM_OK)
        status = gen_prefill(state, readings, count, MODEL_LOGITS_LAST, hooks, count > 1 ? &kept : NULL, cancelled);
    if (status == OCLM_OK && !*cancelled && (status = spread_logits(state, &kept, count, each)) == OCLM_OK)
        status = share_pages(state, count * each, each);
    if (kept.memory != NULL) {
        const oclm_status finished = model_finish(state); /* nothing may still read from it */
        status = status == OCLM_OK ? finished : status;
        dev_buffer_free(state->model->device, &kept);
    }
    core_free(readings);
    return status;
}
