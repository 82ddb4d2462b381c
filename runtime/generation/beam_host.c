/* beam_host.c: the host's part of a step of beam search, where the caller wants one: scores are kept or changed (observe.h), and continuations
 * finish by stop strings or on_stopping. For that the host keeps the running beams itself, from what each step noted. */
#include "generation/beam_search.h"
#include "generation/observe.h"

#include <math.h>
#include <string.h>

bool gen_beam_host_asked(const gen_run *run)
{
    return run->stop != NULL || run->hooks.on_stopping != NULL || isfinite(run->config.max_time) || gen_is_observed(run);
}

oclm_status gen_beam_host_new(gen_beam_search *s)
{
    gen_beam_host    *h = &s->host;
    const gen_run    *run = s->run;
    const gen_config *c = &run->config;
    const size_t      ids = (size_t)s->beams.rows * c->limit, choices = (size_t)s->beams.prompts * s->beams.count;
    h->rows = core_alloc_zero(ids, sizeof *h->rows, "the rows of a beam search");
    h->next = core_alloc_zero(ids, sizeof *h->next, "the rows of a beam search");
    h->numbers = core_alloc_array(choices, sizeof *h->numbers, "the continuations");
    h->stops = core_alloc_zero(choices, sizeof *h->stops, "the continuations that finish");
    h->notes = core_alloc_array(s->beams.rows, sizeof *h->notes, "the tokens of a step");
    h->histories = core_alloc_array(s->beams.rows, sizeof *h->histories, "the rows of a beam search");
    if (!h->rows || !h->next || !h->numbers || !h->stops || !h->notes || !h->histories)
        return OCLM_ERR_MEMORY;
    for (uint32_t r = 0; r < s->beams.rows; r++) {
        const gen_prompt *p = &run->prompts[r / s->beams.beams];
        int32_t          *row = h->rows + (size_t)r * c->limit;
        const uint32_t    padding = c->prompt_length - p->count;
        for (uint32_t i = 0; i < padding; i++)
            row[i] = c->pad_token_id;
        memcpy(row + padding, p->ids, p->count * sizeof *row);
    }
    return gen_observe_begin(s->run, s->beams.rows);
}

void gen_beam_host_free(gen_beam_host *h)
{
    core_free(h->rows);
    core_free(h->next);
    core_free(h->numbers);
    core_free(h->stops);
    core_free(h->notes);
    core_free(h->histories);
    memset(h, 0, sizeof *h);
}

/* ---- Scores */

oclm_status gen_beam_host_score(gen_beam_search *s, bool *stop)
{
    gen_run        *run = s->run;
    const uint32_t  length = run->config.prompt_length + s->enqueued;
    const gen_scene scene = { .queue = s->state->queue, .scores = &s->state->logits, .rows = s->beams.rows, .stride = s->beams.stride,
                              .rows_per_prompt = s->beams.beams, .histories = s->host.histories, .step = s->enqueued };
    oclm_status     status;
    for (uint32_t r = 0; r < s->beams.rows; r++)
        s->host.histories[r] = (gen_prompt){ s->host.rows + (size_t)r * run->config.limit, length };
    if ((status = gen_observe_logits(run, &scene)) == OCLM_OK &&
        (status = dev_work_enqueue(s->stages[GEN_STAGE_FIRST], scene.queue, NULL)) == OCLM_OK &&
        (status = gen_observe_allowed(run, &scene, stop)) == OCLM_OK &&
        (status = dev_work_enqueue(s->stages[GEN_STAGE_FORCED], scene.queue, NULL)) == OCLM_OK && !*stop)
        status = gen_observe_changed(run, &scene, stop);
    if (status == OCLM_OK && (status = dev_work_enqueue(s->stages[GEN_STAGE_LAST], scene.queue, NULL)) == OCLM_OK)
        status = gen_observe_scores(run, &scene);
    return status;
}

/* ---- Continuations */

/* Has it finished? Its row is the first of `next`, which is free until the step. */
static bool has_stopped(const gen_beam_search *s, uint32_t row, int32_t token)
{
    const gen_run    *run = s->run;
    const gen_config *c = &run->config;
    const gen_prompt *p = &run->prompts[row / s->beams.beams];
    const uint32_t    length = c->prompt_length + s->enqueued;
    int32_t          *ids = s->host.next;
    memcpy(ids, s->host.rows + (size_t)row * c->limit, length * sizeof *ids);
    ids[length] = token;
    return (run->stop != NULL && gen_stop_strings_hit(run->stop, p->ids, p->count, ids + c->prompt_length, s->enqueued + 1)) ||
           (run->hooks.on_stopping != NULL && run->hooks.on_stopping(row, ids, (size_t)length + 1, run->hooks.user));
}

oclm_status gen_beam_host_stop(gen_beam_search *s)
{
    const gen_beams *b = &s->beams;
    oclm_status      status = dev_buffer_read(s->state->queue, &b->numbers, 0, s->host.numbers, b->numbers.bytes);
    if (status != OCLM_OK || (s->run->stop == NULL && s->run->hooks.on_stopping == NULL))
        return status;
    for (uint32_t i = 0; i < b->prompts * b->count; i++) {
        const uint32_t number = (uint32_t)s->host.numbers[i];
        s->host.stops[i] = has_stopped(s, i / b->count * b->beams + number / b->vocab, (int32_t)(number % b->vocab));
    }
    return dev_buffer_write(s->state->queue, &b->stops, 0, s->host.stops, b->stops.bytes);
}

oclm_status gen_beam_host_follow(gen_beam_search *s, uint32_t step)
{
    const gen_beams *b = &s->beams;
    const uint32_t   limit = s->run->config.limit, length = s->run->config.prompt_length + step;
    const size_t     bytes = b->rows * sizeof(gen_note);
    int32_t         *made = s->host.next;
    oclm_status      status = dev_buffer_read(s->state->queue, &b->notes, step * bytes, s->host.notes, bytes);
    for (uint32_t r = 0; r < b->rows && status == OCLM_OK; r++) {
        const gen_note note = s->host.notes[r];
        memcpy(made + (size_t)r * limit, s->host.rows + (size_t)(r / b->beams * b->beams + (uint32_t)note.beam) * limit, length * sizeof *made);
        made[(size_t)r * limit + length] = note.token;
    }
    s->host.next = s->host.rows;
    s->host.rows = made;
    return status;
}
