/* beam_search.c: beam search and beam sampling. The prompt is read once, its beams share what that left in the cache; then a step is a pass over all
 * beams, processors, the choice of continuations and a reordering of the cache, all on the device. The host enqueues batches of steps ahead and reads
 * back whether the search has stopped: what ran ahead then changed nothing. Where the caller wants to look at each token (beam_host.c) or the
 * clock counts, it goes step by step. Sequences are put together at the end, from the notes that the steps left. */
#include "generation/beam_search.h"

#include <math.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "device/health.h"
#include "generation/pace.h"
#include "model/cache_reorder.h"

#define MOST_STEPS 64u   /* of a batch */

/* ---- Making */

static uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

static oclm_status make_state(gen_beam_search *s)
{
    const gen_config *c = &s->run->config;
    const uint32_t    copies = gen_is_guided(c) ? 2 : 1, new_ids = gen_run_most_new(s->run);
    uint64_t          ids = 0;
    s->position = most(c->prompt_length, copies > 1 ? c->negative_prompt.count : 0);
    s->width = s->position + new_ids;
    s->pass_rows = copies * s->run->prompt_count * c->num_beams;
    for (uint32_t i = 0; i < s->run->prompt_count; i++)
        ids += s->run->prompts[i].count + (copies > 1 ? gen_run_without(s->run, i).count : 0);
    const model_state_options options = { .sequences = s->pass_rows, .max_positions = s->width, .max_rows = gen_prefill_rows(c, ids, s->pass_rows),
                                          .max_logit_rows = s->pass_rows, .quantized_cache = c->quantized_cache, .whole_windows = true };
    return model_state_new(s->run->model, &options, &s->state);
}

/* The rows as processors see them: each prompt padded on its left to the longest. */
static oclm_status make_history(gen_beam_search *s)
{
    const gen_run    *run = s->run;
    const gen_config *c = &run->config;
    dev_device       *device = run->model->device;
    const uint32_t    rows = run->prompt_count * c->num_beams;
    uint32_t         *numbers = NULL;
    int32_t          *ids = NULL;
    oclm_status       status = OCLM_ERR_MEMORY;
    if (!gen_processors_need_history(c))
        return OCLM_OK;
    numbers = core_alloc_array(rows, 2 * sizeof *numbers, "the lengths of rows");
    ids = core_alloc_zero((size_t)rows * c->limit, sizeof *ids, "the histories of rows");
    if (numbers == NULL || ids == NULL)
        goto done;
    for (uint32_t r = 0; r < rows; r++) {
        const gen_prompt *p = &run->prompts[r / c->num_beams];
        numbers[r] = c->prompt_length;
        numbers[rows + r] = gen_prompt_pad(p, c->prompt_length, c->pad_token_id, ids + (size_t)r * c->limit);
    }
    if ((status = dev_buffer_new(device, (size_t)rows * c->limit * sizeof *ids, "the histories of rows", &s->history)) == OCLM_OK &&
        (status = dev_buffer_new(device, rows * sizeof *numbers, "the lengths of rows", &s->lengths)) == OCLM_OK &&
        (status = dev_buffer_new(device, rows * sizeof *numbers, "the padding of rows", &s->begins)) == OCLM_OK &&
        (status = dev_buffer_write(s->state->queue, &s->history, 0, ids, s->history.bytes)) == OCLM_OK &&
        (status = dev_buffer_write(s->state->queue, &s->lengths, 0, numbers, s->lengths.bytes)) == OCLM_OK)
        status = dev_buffer_write(s->state->queue, &s->begins, 0, numbers + rows, s->begins.bytes);
done:
    core_free(numbers);
    core_free(ids);
    return status;
}

static oclm_status record_scores(gen_beam_search *s)
{
    const gen_config *c = &s->run->config;
    const dev_buffer *scores = &s->state->logits;
    oclm_status       status = gen_log_softmax_add(s->processors, s->stages[GEN_STAGE_FIRST], scores);
    if (status == OCLM_OK && s->beams.copies > 1)
        status = gen_guidance_add(s->processors, s->stages[GEN_STAGE_FIRST], scores, c->guidance_scale);
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST && status == OCLM_OK; stage++)
        status = gen_processors_add(s->processors, s->stages[stage], (gen_stage)stage, scores);
    return status;
}

static oclm_status record(gen_beam_search *s)
{
    dev_device          *device = s->run->model->device;
    const gen_beams_rows rows = { .ids = &s->state->ids, .positions = &s->state->positions, .history = &s->history, .lengths = &s->lengths,
                                  .history_stride = s->run->config.limit };
    const model_reorder  reorder = { .groups = s->pass_rows / s->beams.beams, .group = s->beams.beams, .origins = s->beams.origins,
                                     .positions = s->state->positions };
    dev_work **const     works[] = { &s->stages[0], &s->stages[1], &s->stages[2], &s->choice, &s->first, &s->step, &s->reorder };
    oclm_status          status = OCLM_OK;
    for (size_t i = 0; i < COUNT(works) && status == OCLM_OK; i++)
        status = dev_work_new(device, works[i]);
    if (status == OCLM_OK && (status = record_scores(s)) == OCLM_OK &&
        (status = gen_beams_add_choice(&s->beams, s->choice, &s->state->logits)) == OCLM_OK &&
        (status = gen_beams_add_step(&s->beams, s->first, &rows, false)) == OCLM_OK &&
        (status = gen_beams_add_step(&s->beams, s->step, &rows, true)) == OCLM_OK)
        status = model_record_reorder(s->state, s->reorder, &reorder);
    return status;
}

static oclm_status begin(gen_run *run)
{
    const gen_config *c = &run->config;
    dev_device       *device = run->model->device;
    const uint32_t    vocab = run->model->architecture.vocab_size, turning = model_rope_turning_length(&run->model->architecture);
    gen_beam_search  *s = core_alloc_zero(1, sizeof *s, "a beam search");
    oclm_status       status;
    if (s == NULL)
        return OCLM_ERR_MEMORY;
    run->work = s;
    s->run = run;
    run->rows = run->prompt_count * c->num_beams;
    s->asked = gen_beam_host_asked(run);
    s->turning = c->prompt_length <= turning ? turning : UINT32_MAX;
    s->forced = OCLM_FINISH_NONE;
    if ((status = make_state(s)) != OCLM_OK || (status = make_history(s)) != OCLM_OK ||
        (status = gen_beams_new(device, s->state->queue, c, run->prompt_count, vocab, s->state->logits_stride, s->asked, &s->beams)) != OCLM_OK ||
        (s->asked && (status = gen_beam_host_new(s)) != OCLM_OK))
        return status;
    const gen_rows rows = { .rows = s->beams.rows, .vocab = vocab, .stride = s->state->logits_stride, .history_stride = c->limit,
                            .rows_per_prompt = c->num_beams, .history = s->history, .lengths = s->lengths, .begins = s->begins };
    status = gen_processors_new(device, s->state->queue, c, &rows, &s->processors);
    return status == OCLM_OK ? record(s) : status;
}

/* ---- Reading prompts */

/* Reads texts, each for `share` rows that begin as one. */
static oclm_status read_texts(gen_beam_search *s, const gen_prompt *texts, uint32_t count, uint32_t share, const gen_hooks *hooks, bool *cancelled)
{
    oclm_status status = gen_read_texts(s->state, texts, count, share, 0, hooks, cancelled);
    if (status == OCLM_OK && !*cancelled)
        status = model_decode_begin(s->state, s->pass_rows, s->width);
    s->fresh = true;
    return status;
}

static oclm_status read_prompts(gen_beam_search *s, bool *cancelled)
{
    const gen_run *run = s->run;
    const uint32_t count = s->beams.copies * run->prompt_count;
    gen_prompt    *texts = core_alloc_array(count, sizeof *texts, "the prompts");
    uint64_t       ids = 0;
    oclm_status    status = OCLM_OK;
    if (texts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = i < run->prompt_count ? run->prompts[i] : gen_run_without(run, i - run->prompt_count);
        ids += texts[i].count;
    }
    if ((status = gen_tune_for(run->model, ids)) == OCLM_OK)
        status = read_texts(s, texts, count, s->beams.beams, &run->hooks, cancelled);
    s->run->timing.prefill_tokens = status == OCLM_OK && !*cancelled ? ids : 0;
    core_free(texts);
    return status;
}

/* ---- What the notes say */

/* Writes the `length` new ids that end with a token that goes on from `beam`, and the rows they were chosen in (may be NULL). */
static void follow(const gen_beams *b, const gen_note *notes, uint32_t prompt, gen_note last, uint32_t length, int32_t *ids, int32_t *rows)
{
    for (uint32_t t = length; t-- > 0;) {
        const uint32_t row = prompt * b->beams + (uint32_t)last.beam;
        ids[t] = last.token;
        if (rows != NULL)
            rows[t] = (int32_t)row;
        if (t > 0)
            last = notes[(size_t)(t - 1) * b->rows + row];
    }
}

static oclm_status read_notes(const gen_beam_search *s, uint32_t steps, gen_note **notes)
{
    const size_t count = (size_t)steps * s->beams.rows;
    *notes = core_alloc_array(count, sizeof **notes, "the tokens of beams");
    return *notes != NULL ? dev_buffer_read(s->state->queue, &s->beams.notes, 0, *notes, count * sizeof **notes) : OCLM_ERR_MEMORY;
}

/* ---- Reading all anew, where positions beyond a length turn differently */

static void lay_out(const gen_beam_search *s, const gen_note *notes, uint32_t row, int32_t *ids, gen_prompt *whole)
{
    const uint32_t   within = row % s->beams.rows, prompt = within / s->beams.beams, new_ids = s->enqueued;
    const gen_prompt text = row < s->beams.rows ? s->run->prompts[prompt] : gen_run_without(s->run, prompt);
    memcpy(ids, text.ids, text.count * sizeof *ids);
    follow(&s->beams, notes, prompt, notes[(size_t)(new_ids - 1) * s->beams.rows + within], new_ids, ids + text.count, NULL);
    *whole = (gen_prompt){ ids, text.count + new_ids };
}

static oclm_status turn(gen_beam_search *s)
{
    static const gen_hooks silent = { 0 };
    gen_note    *notes = NULL;
    gen_prompt  *texts = core_alloc_array(s->pass_rows, sizeof *texts, "the rows that are read anew");
    int32_t     *ids = core_alloc_array((size_t)s->pass_rows * s->width, sizeof *ids, "the rows that are read anew");
    bool         cancelled = false;
    oclm_status  status = texts != NULL && ids != NULL ? read_notes(s, s->enqueued, &notes) : OCLM_ERR_MEMORY;
    for (uint32_t r = 0; r < s->pass_rows && status == OCLM_OK; r++) {
        lay_out(s, notes, r, ids + (size_t)r * s->width, &texts[r]);
        model_decode_end(s->state, r, 0);
    }
    model_reordered(s->state);
    if (status == OCLM_OK)
        status = read_texts(s, texts, s->pass_rows, 1, &silent, &cancelled);
    s->turning = UINT32_MAX;
    s->position++; /* what the last step chose has been read, too */
    core_free(notes);
    core_free(texts);
    core_free(ids);
    return status;
}

/* ---- Steps */

/* Records a pass that may stand at any position of the same span. */
static oclm_status record_pass(gen_beam_search *s)
{
    const uint32_t bound = model_decode_bound(s->position, s->width);
    dev_work      *work = NULL;
    oclm_status    status;
    if (s->pass != NULL && s->bound == bound)
        return OCLM_OK;
    if ((status = dev_work_new(s->run->model->device, &work)) == OCLM_OK &&
        (status = model_record_decode(s->state, work, s->pass_rows, bound)) == OCLM_OK) {
        dev_work_free(s->pass); /* OpenCL keeps what is enqueued */
        s->pass = work;
        s->bound = bound;
        work = NULL;
    }
    dev_work_free(work);
    return status;
}

/* Scores of what comes next. */
static oclm_status enqueue_pass(gen_beam_search *s)
{
    oclm_status status;
    if (s->enqueued > 0 && s->position == s->turning && (status = turn(s)) != OCLM_OK)
        return status;
    if (s->fresh)
        return OCLM_OK;
    if ((status = record_pass(s)) == OCLM_OK)
        status = dev_work_enqueue(s->pass, s->state->queue, NULL);
    s->position++;
    return status;
}

static oclm_status enqueue_scores(const gen_beam_search *s)
{
    oclm_status status = OCLM_OK;
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST && status == OCLM_OK; stage++)
        status = dev_work_enqueue(s->stages[stage], s->state->queue, NULL);
    return status;
}

static oclm_status enqueue_step(gen_beam_search *s)
{
    oclm_status status = dev_work_enqueue(s->fresh ? s->first : s->step, s->state->queue, NULL);
    if (status == OCLM_OK && s->enqueued > 0) /* behind the prompt all beams hold the same */
        status = dev_work_enqueue(s->reorder, s->state->queue, NULL);
    s->fresh = false;
    s->enqueued++;
    return status;
}

/* All finish with the step that comes next. */
static oclm_status force(gen_beam_search *s, oclm_finish_reason reason)
{
    const uint32_t yes = 1;
    if (reason == OCLM_FINISH_NONE || s->forced != OCLM_FINISH_NONE)
        return OCLM_OK;
    s->forced = reason;
    return dev_buffer_write(s->state->queue, &s->beams.control, offsetof(gen_beams_control, forced), &yes, sizeof yes);
}

/* A step of which the host looks at every continuation. */
static oclm_status step_asking(gen_beam_search *s, gen_beams_control *control)
{
    bool        stop = false;
    oclm_status status;
    if ((status = enqueue_pass(s)) != OCLM_OK || (status = gen_beam_host_score(s, &stop)) != OCLM_OK ||
        (status = dev_work_enqueue(s->choice, s->state->queue, NULL)) != OCLM_OK || (status = gen_beam_host_stop(s)) != OCLM_OK)
        return status;
    const oclm_finish_reason reason = stop ? OCLM_FINISH_CANCELLED : gen_run_interrupted(s->run);
    if ((status = force(s, reason)) != OCLM_OK || (status = enqueue_step(s)) != OCLM_OK ||
        (status = gen_beam_host_follow(s, s->enqueued - 1)) != OCLM_OK)
        return status;
    return dev_buffer_read(s->state->queue, &s->beams.control, 0, control, sizeof *control);
}

static oclm_status check_fault(const gen_beam_search *s, const gen_beams_control *control)
{
    return control->fault == 0
               ? OCLM_OK
               : core_fail(OCLM_ERR_UNSUPPORTED, "new token %u cannot be chosen: the scores hold NaN, or nothing that could be drawn; the weights may be "
                           "broken, the temperature (%g) too small, or dtype float32 needed", control->steps, s->run->config.temperature);
}

/* ---- Ahead */

typedef struct batch {
    cl_event          ready;
    uint32_t          count; /* steps */
    gen_beams_control control;
} batch;

typedef struct ahead {
    gen_beam_search *search;
    batch            flight[GEN_IN_FLIGHT]; /* a ring: oldest first */
    uint32_t         oldest, flying, size;
} ahead;

static bool may_launch(const ahead *a)
{
    const gen_beam_search *s = a->search;
    const bool             turns = s->enqueued > 0 && s->position == s->turning;
    return a->flying < GEN_IN_FLIGHT && s->enqueued < s->beams.new_limit && !(turns && a->flying > 0);
}

static oclm_status launch(ahead *a)
{
    gen_beam_search *s = a->search;
    batch           *next = &a->flight[(a->oldest + a->flying) % GEN_IN_FLIGHT];
    const uint32_t   left = s->beams.new_limit - s->enqueued, wanted = left < a->size ? left : a->size;
    oclm_status      status = OCLM_OK;
    next->ready = NULL;
    next->count = 0;
    while (next->count < wanted && status == OCLM_OK && (next->count == 0 || s->position != s->turning)) {
        if ((status = enqueue_pass(s)) == OCLM_OK && (status = enqueue_scores(s)) == OCLM_OK &&
            (status = dev_work_enqueue(s->choice, s->state->queue, NULL)) == OCLM_OK)
            status = enqueue_step(s);
        next->count++;
    }
    if (status != OCLM_OK)
        return status;
    cl_int error = clEnqueueReadBuffer(s->state->queue, s->beams.control.memory, CL_FALSE, 0, sizeof next->control, &next->control, 0, NULL, &next->ready);
    if (error == CL_SUCCESS)
        error = clFlush(s->state->queue);
    a->flying += next->ready != NULL;
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "reading how a beam search stands");
}

static oclm_status land(ahead *a, batch *landed)
{
    batch            *oldest = &a->flight[a->oldest];
    const oclm_status status = dev_wait(oldest->ready, "a beam search");
    clReleaseEvent(oldest->ready);
    *landed = *oldest;
    a->oldest = (a->oldest + 1) % GEN_IN_FLIGHT;
    a->flying--;
    return status;
}

static oclm_status run_ahead(gen_beam_search *s, gen_beams_control *control)
{
    double      before = core_seconds();
    batch       landed;
    oclm_status status = OCLM_OK;
    ahead      *a = core_alloc_zero(1, sizeof *a, "what a beam search has under way");
    if (!a)
        return OCLM_ERR_MEMORY;
    a->search = s;
    a->size = 1;
    while (!control->stopped && status == OCLM_OK) {
        while (may_launch(a) && status == OCLM_OK)
            status = launch(a);
        if (status != OCLM_OK || (status = land(a, &landed)) != OCLM_OK)
            break;
        *control = landed.control;
        const double now = core_seconds();
        if (control->steps > 1)
            a->size = gen_next_batch(a->size, MOST_STEPS, landed.count, now - before);
        else
            s->run->timing.prefill_s = now - s->run->started;
        before = now;
        if (!control->stopped && (status = check_fault(s, control)) == OCLM_OK && s->enqueued < s->beams.new_limit)
            status = force(s, gen_run_interrupted(s->run));
    }
    (void)model_finish(s->state); /* what is in flight writes here */
    for (; a->flying > 0; a->flying--, a->oldest = (a->oldest + 1) % GEN_IN_FLIGHT)
        clReleaseEvent(a->flight[a->oldest].ready);
    if (!dev_is_lost(s->state->queue)) /* a lost device may still write here */
        core_free(a);
    return status;
}

static oclm_status run_asking(gen_beam_search *s, gen_beams_control *control)
{
    oclm_status status = OCLM_OK;
    while (!control->stopped && status == OCLM_OK) {
        if ((status = step_asking(s, control)) == OCLM_OK)
            status = check_fault(s, control);
        if (s->enqueued == 1)
            s->run->timing.prefill_s = core_seconds() - s->run->started;
    }
    return status;
}

/* ---- Results */

static oclm_finish_reason why(const gen_beam_search *s, uint32_t prompt, const int32_t *ids, uint32_t count, uint32_t steps)
{
    const gen_prompt *p = &s->run->prompts[prompt];
    if (count > 0 && gen_is_eos(&s->run->config, ids[count - 1]))
        return OCLM_FINISH_EOS_TOKEN;
    if (s->run->stop != NULL && count > 0 && gen_stop_strings_hit(s->run->stop, p->ids, p->count, ids, count))
        return OCLM_FINISH_STOP_STRING;
    if (count == s->beams.new_limit || count == 0)
        return OCLM_FINISH_LENGTH;
    return count == steps && s->forced != OCLM_FINISH_NONE ? s->forced : OCLM_FINISH_STOPPING;
}

static oclm_status deliver(gen_beam_search *s, uint32_t steps)
{
    gen_run       *run = s->run;
    const uint32_t returned = run->config.num_return_sequences;
    gen_finished  *done = core_alloc_array(s->beams.rows, sizeof *done, "the finished beams");
    int32_t       *ids = core_alloc_array(steps, 2 * sizeof *ids, "a finished beam");
    gen_note      *notes = NULL;
    oclm_status    status = done != NULL && ids != NULL ? read_notes(s, steps, &notes) : OCLM_ERR_MEMORY;
    if (status == OCLM_OK)
        status = dev_buffer_read(s->state->queue, &s->beams.done, 0, done, s->beams.done.bytes);
    for (uint32_t i = 0; i < run->sequence_count && status == OCLM_OK; i++) {
        const uint32_t      prompt = i / returned;
        const gen_finished *d = &done[prompt * s->beams.beams + i % returned];
        follow(&s->beams, notes, prompt, (gen_note){ d->token, d->beam }, d->length, ids, ids + steps);
        status = gen_run_deliver_whole(run, i, ids, ids + steps, d->length, d->value, why(s, prompt, ids, d->length, steps));
    }
    core_free(done);
    core_free(ids);
    core_free(notes);
    return status;
}

static oclm_status next(gen_run *run, bool *more)
{
    gen_beam_search  *s = run->work;
    gen_beams_control control = { 0 };
    bool              cancelled = false;
    oclm_status       status = read_prompts(s, &cancelled);
    *more = false;
    if (status != OCLM_OK)
        return status;
    if (cancelled) {
        gen_run_end_all(run, OCLM_FINISH_CANCELLED);
        return OCLM_OK;
    }
    if ((status = s->asked ? run_asking(s, &control) : run_ahead(s, &control)) != OCLM_OK || (status = check_fault(s, &control)) != OCLM_OK)
        return status;
    core_log(OCLM_LOG_DEBUG, "a search with %u beams of %u prompts stopped after %u of %u steps", s->beams.beams, s->beams.prompts, control.steps,
             s->beams.new_limit);
    return deliver(s, control.steps);
}

static void end(gen_run *run)
{
    gen_beam_search  *s = run->work;
    dev_device       *device = run->model->device;
    if (s == NULL)
        return;
    if (s->state != NULL)
        (void)model_finish(s->state);
    dev_work *const works[] = { s->stages[0], s->stages[1], s->stages[2], s->choice, s->first, s->step, s->reorder, s->pass };
    for (size_t i = 0; i < COUNT(works); i++)
        dev_work_free(works[i]);
    gen_processors_free(s->processors);
    gen_beams_free(device, &s->beams);
    gen_beam_host_free(&s->host);
    dev_buffer_free(device, &s->history);
    dev_buffer_free(device, &s->lengths);
    dev_buffer_free(device, &s->begins);
    model_state_free(s->state);
    core_free(s);
    run->work = NULL;
}

const gen_mode gen_mode_beams = { begin, next, end };
