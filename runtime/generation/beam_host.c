/* beam_host.c: the host's part of a step of beam search, where the caller wants one: it changes scores (on_allowed, on_logits), and says which
 * continuations have finished (stop strings, on_stopping). For that the host keeps the running beams itself, from what each step noted. */
#include "generation/beam_search.h"

#include <math.h>
#include <string.h>

bool gen_beam_host_asked(const gen_run *run)
{
    const gen_hooks *h = &run->hooks;
    return run->stop != NULL || h->on_allowed != NULL || h->on_logits != NULL || h->on_stopping != NULL || isfinite(run->config.max_time);
}

oclm_status gen_beam_host_new(gen_beam_search *s)
{
    gen_beam_host    *h = &s->host;
    const gen_run    *run = s->run;
    const gen_config *c = &run->config;
    const size_t      ids = (size_t)s->beams.rows * c->limit, choices = (size_t)s->beams.prompts * s->beams.count;
    const bool        changes = run->hooks.on_allowed != NULL || run->hooks.on_logits != NULL;
    h->rows = core_alloc_zero(ids, sizeof *h->rows, "the rows of a beam search");
    h->next = core_alloc_zero(ids, sizeof *h->next, "the rows of a beam search");
    h->numbers = core_alloc_array(choices, sizeof *h->numbers, "the continuations");
    h->stops = core_alloc_zero(choices, sizeof *h->stops, "the continuations that finish");
    h->notes = core_alloc_array(s->beams.rows, sizeof *h->notes, "the tokens of a step");
    h->scores = changes ? core_alloc_array((size_t)s->beams.rows * s->beams.vocab, sizeof *h->scores, "the scores of a step") : NULL;
    if (!h->rows || !h->next || !h->numbers || !h->stops || !h->notes || (changes && !h->scores))
        return OCLM_ERR_MEMORY;
    for (uint32_t r = 0; r < s->beams.rows; r++) {
        const gen_prompt *p = &run->prompts[r / s->beams.beams];
        int32_t          *row = h->rows + (size_t)r * c->limit;
        const uint32_t    padding = c->prompt_length - p->count;
        for (uint32_t i = 0; i < padding; i++)
            row[i] = c->pad_token_id;
        memcpy(row + padding, p->ids, p->count * sizeof *row);
    }
    return OCLM_OK;
}

void gen_beam_host_free(gen_beam_host *h)
{
    core_free(h->rows);
    core_free(h->next);
    core_free(h->numbers);
    core_free(h->stops);
    core_free(h->notes);
    core_free(h->scores);
    memset(h, 0, sizeof *h);
}

/* ---- Scores */

/* Rows of scores, from the device or to it, without what pads them. */
static oclm_status move_scores(gen_beam_search *s, bool back)
{
    oclm_status status = OCLM_OK;
    for (uint32_t r = 0; r < s->beams.rows && status == OCLM_OK; r++) {
        const size_t offset = (size_t)r * s->beams.stride * sizeof(float), bytes = s->beams.vocab * sizeof(float);
        float       *row = s->host.scores + (size_t)r * s->beams.vocab;
        status = back ? dev_buffer_write(s->state->queue, &s->state->logits, offset, row, bytes)
                      : dev_buffer_read(s->state->queue, &s->state->logits, offset, row, bytes);
    }
    return status;
}

static bool all_out(const float *scores, size_t count)
{
    bool out = true;
    for (size_t i = 0; i < count && out; i++)
        out = scores[i] == -INFINITY;
    return out;
}

/* What is not allowed is out. Where that leaves nothing to any beam of a prompt, the allowed ones are all alike. */
static bool allow(gen_beam_search *s, uint32_t prompt, oclm_status *status)
{
    const gen_hooks *hooks = &s->run->hooks;
    const size_t     vocab = s->beams.vocab, length = s->run->config.prompt_length + s->enqueued;
    bool            *out = core_alloc_array(s->beams.beams, vocab * sizeof *out, "the tokens that are not allowed");
    float           *scores = s->host.scores + (size_t)prompt * s->beams.beams * vocab;
    bool             going_on = true;
    if (out == NULL) {
        *status = OCLM_ERR_MEMORY;
        return false;
    }
    for (size_t i = 0; i < s->beams.beams * vocab; i++)
        out[i] = true;
    for (uint32_t k = 0; k < s->beams.beams && going_on && *status == OCLM_OK; k++) {
        const int32_t *allowed = NULL;
        size_t         count = 0;
        going_on = hooks->on_allowed(prompt, s->host.rows + ((size_t)prompt * s->beams.beams + k) * s->run->config.limit, length, &allowed, &count, hooks->user);
        if (going_on && (allowed == NULL || count == 0))
            *status = core_fail(OCLM_ERR_ARGUMENT, "on_allowed allows no token behind %zu of prompt %u; at least one must be allowed", length, prompt);
        for (size_t i = 0; going_on && *status == OCLM_OK && i < count; i++) {
            if (allowed[i] >= 0 && (size_t)allowed[i] < vocab)
                out[k * vocab + (size_t)allowed[i]] = false;
        }
    }
    for (size_t i = 0; going_on && i < s->beams.beams * vocab; i++)
        scores[i] = out[i] ? -INFINITY : scores[i];
    if (going_on && all_out(scores, s->beams.beams * vocab)) {
        for (size_t i = 0; i < s->beams.beams * vocab; i++)
            scores[i] = out[i] ? -INFINITY : 0.0f;
    }
    core_free(out);
    return going_on;
}

oclm_status gen_beam_host_change(gen_beam_search *s, gen_stage behind, bool *going_on)
{
    const gen_hooks *hooks = &s->run->hooks;
    const size_t     length = s->run->config.prompt_length + s->enqueued;
    oclm_status      status;
    if (behind == GEN_STAGE_FIRST ? hooks->on_allowed == NULL : hooks->on_logits == NULL)
        return OCLM_OK;
    if ((status = move_scores(s, false)) != OCLM_OK)
        return status;
    for (uint32_t p = 0; behind == GEN_STAGE_FIRST && p < s->beams.prompts && *going_on && status == OCLM_OK; p++)
        *going_on = allow(s, p, &status);
    for (uint32_t r = 0; behind == GEN_STAGE_FORCED && r < s->beams.rows && *going_on; r++)
        *going_on = hooks->on_logits(r, s->host.rows + (size_t)r * s->run->config.limit, length, s->host.scores + (size_t)r * s->beams.vocab,
                                     s->beams.vocab, hooks->user);
    return status == OCLM_OK ? move_scores(s, true) : status;
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
