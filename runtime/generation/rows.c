/* rows.c: rows side by side, each its own sequence: greedy search and sampling. Keeps the device busy and the reader content. Two batches of steps
 * are in flight: while the host looks at the tokens of one, the device works on the next. A batch is small at first, so that text starts at
 * once, and then as large as takes GEN_BATCH_S: tokens arrive in a steady stream, and few steps are made for nothing when an end-of-sequence
 * token comes. Steps never pass the length limit, so only an early end discards any. Rows that have ended are computed on, unheard, until all
 * have. */
#include <math.h>
#include <string.h>

#include "core/platform.h"
#include "device/health.h"
#include "generation/loop.h"
#include "generation/observe.h"
#include "generation/pace.h"

#define LARGEST_BATCH (GEN_RING_STEPS / 4u)

typedef struct batch {
    cl_event ready;
    uint32_t first, count; /* which of the new tokens of a row */
    int32_t *ids;          /* [count][rows] */
} batch;

typedef struct rows {
    gen_run  *run;
    gen_loop *loop;
    uint32_t  held;              /* of the prompt, by the place */
    bool      read;              /* the prompts have been */
    uint32_t  total;             /* new tokens of a row at most */
    uint32_t  enqueued;          /* new tokens of a row that are on their way or here */
    batch     flight[GEN_IN_FLIGHT]; /* oldest first */
    uint32_t  flying;
    uint32_t  batch_size, most;  /* steps */
    double    before;            /* when the last batch landed */
    int32_t  *column;            /* [LARGEST_BATCH]: of one row */
    gen_prompt *texts;           /* [prompts], with guidance twice as many: what is read */
    uint32_t  text_count, longest; /* ids of the longest of them */
    bool      observed;          /* steps are made one by one, from these pieces */
    dev_work *stages[GEN_STAGE_LAST + 1], *choices[2]; /* the choice behind a prefill, and behind a step */
    uint32_t  turning;           /* positions of the longest row after which all are read anew; UINT32_MAX: never */
} rows;

/* ---- Enqueuing */

/* The next step would read a position for which the sequence turns differently. */
static bool must_turn(const rows *r) { return r->enqueued > 0 && r->loop->position == r->turning; }

/* Reads prompts and new tokens, which have all landed, as one prompt each; of a row that has ended as much as it has. */
static oclm_status turn(rows *r)
{
    const gen_run *run = r->run;
    const uint32_t each = run->config.num_return_sequences, count = r->text_count * each;
    gen_prompt    *anew = core_alloc_array(count, sizeof *anew, "the sequences that are read anew");
    int32_t       *ids = core_alloc_array((size_t)count * (r->longest + r->enqueued), sizeof *ids, "the sequences that are read anew");
    oclm_status    status = anew != NULL && ids != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < count && status == OCLM_OK; i++) {
        const gen_prompt   *text = &r->texts[i / each];
        const gen_sequence *s = &run->sequences[i % run->sequence_count];
        int32_t            *to = ids + (size_t)i * (r->longest + r->enqueued);
        memcpy(to, text->ids, text->count * sizeof *to);
        memcpy(to + text->count, s->ids, s->count * sizeof *to);
        anew[i] = (gen_prompt){ to, text->count + s->count };
    }
    if (status == OCLM_OK)
        status = gen_loop_read_anew(r->loop, anew);
    r->turning = UINT32_MAX;
    core_free(anew);
    core_free(ids);
    return status;
}

/* How many steps may be enqueued at once. */
static uint32_t steps_ahead(const rows *r)
{
    const uint32_t left = r->total - r->enqueued, until = r->turning - r->loop->position;
    const uint32_t most = left < r->batch_size ? left : r->batch_size;
    return most < until ? most : until;
}

/* One choice while the caller looks on, and may change what it is made from. `*stop`: he has had enough. */
static oclm_status choose_observed(rows *r, bool first, batch *next, bool *stop)
{
    gen_run          *run = r->run;
    const gen_loop   *loop = r->loop;
    cl_command_queue  queue = loop->state->queue;
    gen_prompt       *histories = core_alloc_array(run->sequence_count, sizeof *histories, "the sequences so far");
    const gen_scene   scene = { .queue = queue, .scores = &loop->state->logits, .rows = loop->rows, .stride = loop->state->logits_stride,
                                .rows_per_prompt = loop->each, .histories = histories, .step = r->enqueued };
    oclm_status       status = histories != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < run->sequence_count && status == OCLM_OK; i++) {
        const gen_sequence *s = &run->sequences[i];
        histories[i] = (gen_prompt){ s->finish_reason == OCLM_FINISH_NONE ? s->history : NULL, run->config.prompt_length + s->count };
    }
    if (status == OCLM_OK && (status = gen_observe_logits(run, &scene)) == OCLM_OK &&
        (status = dev_work_enqueue(r->stages[GEN_STAGE_FIRST], queue, NULL)) == OCLM_OK &&
        (status = gen_observe_allowed(run, &scene, stop)) == OCLM_OK && !*stop &&
        (status = dev_work_enqueue(r->stages[GEN_STAGE_FORCED], queue, NULL)) == OCLM_OK &&
        (status = gen_observe_changed(run, &scene, stop)) == OCLM_OK && !*stop &&
        (status = dev_work_enqueue(r->stages[GEN_STAGE_LAST], queue, NULL)) == OCLM_OK && (status = gen_observe_scores(run, &scene)) == OCLM_OK &&
        (status = dev_work_enqueue(r->choices[!first], queue, NULL)) == OCLM_OK)
        status = gen_loop_chosen(r->loop, next->ids, &next->ready);
    core_free(histories);
    return status;
}

/* The tokens behind what was read. */
static oclm_status launch_first(rows *r, batch *next, bool *stop)
{
    oclm_status status = must_turn(r) ? turn(r) : OCLM_OK;
    if (status == OCLM_OK)
        status = r->observed ? choose_observed(r, true, next, stop) : gen_loop_first(r->loop, next->ids, &next->ready);
    return status == OCLM_OK && !*stop && r->enqueued + 1 < r->total ? gen_loop_begin(r->loop) : status;
}

static oclm_status launch_steps(rows *r, batch *next, bool *stop)
{
    if (!r->observed)
        return gen_loop_steps(r->loop, next->count, next->ids, &next->ready);
    const oclm_status status = gen_loop_step_alone(r->loop);
    return status == OCLM_OK ? choose_observed(r, false, next, stop) : status;
}

/* Enqueues the next batch: the choice of the first tokens after a prompt, then steps. */
static oclm_status launch(rows *r)
{
    const bool  first = r->enqueued == 0 || must_turn(r);
    batch      *next = &r->flight[r->flying];
    bool        stop = false;
    oclm_status status;
    next->first = r->enqueued;
    next->ready = NULL;
    next->count = first ? 1 : steps_ahead(r);
    status = first ? launch_first(r, next, &stop) : launch_steps(r, next, &stop);
    if (status != OCLM_OK) {
        if (next->ready)
            clReleaseEvent(next->ready);
        return status;
    }
    if (stop) {
        gen_run_end_all(r->run, OCLM_FINISH_CANCELLED);
        return OCLM_OK;
    }
    r->enqueued += next->count;
    r->flying++;
    return OCLM_OK;
}

static oclm_status launch_ahead(rows *r)
{
    const uint32_t ahead = r->observed ? 1 : GEN_IN_FLIGHT;
    oclm_status    status = OCLM_OK;
    while (r->flying < ahead && r->enqueued < r->total && !(must_turn(r) && r->flying > 0) && r->run->ended < r->run->sequence_count &&
           status == OCLM_OK)
        status = launch(r);
    return status;
}

/* ---- What has come */

/* Waits for the oldest batch and takes it out of flight; its memory is free for the next after that. */
static oclm_status land(rows *r, batch *landed)
{
    *landed = r->flight[0];
    memmove(r->flight, r->flight + 1, (GEN_IN_FLIGHT - 1) * sizeof r->flight[0]);
    r->flight[GEN_IN_FLIGHT - 1].ids = landed->ids;
    r->flying--;
    const oclm_status status = dev_wait(landed->ready, "new tokens");
    clReleaseEvent(landed->ready);
    return status;
}

static oclm_status deliver(rows *r, const batch *landed)
{
    gen_run       *run = r->run;
    const uint32_t width = run->sequence_count;
    oclm_status    status = OCLM_OK;
    for (uint32_t row = 0; row < width && status == OCLM_OK; row++) {
        uint32_t taken;
        if (run->sequences[row].finish_reason != OCLM_FINISH_NONE)
            continue;
        for (uint32_t i = 0; i < landed->count; i++)
            r->column[i] = landed->ids[(size_t)i * width + row];
        status = gen_run_deliver(run, row, r->column, landed->count, &taken);
    }
    return status;
}

/* ---- The mode */

static uint64_t count_ids(const rows *r)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < r->text_count; i++)
        count += r->texts[i].count;
    return count;
}

/* The prompts; with guidance, after them what stands for none: the negative prompt, or a prompt's last id alone. */
static oclm_status list_texts(rows *r)
{
    const gen_run *run = r->run;
    r->text_count = gen_is_guided(&run->config) ? 2 * run->prompt_count : run->prompt_count;
    if ((r->texts = core_alloc_array(r->text_count, sizeof *r->texts, "the prompts to read")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < r->text_count; i++) {
        r->texts[i] = i < run->prompt_count ? run->prompts[i] : gen_run_without(run, i - run->prompt_count);
        r->longest = r->texts[i].count > r->longest ? r->texts[i].count : r->longest;
    }
    return OCLM_OK;
}

/* The pieces of a step that is observed. */
static oclm_status make_pieces(rows *r)
{
    dev_device *device = r->run->model->device;
    oclm_status status = gen_observe_begin(r->run, r->run->sequence_count);
    for (int i = 0; i <= GEN_STAGE_LAST && status == OCLM_OK; i++) {
        if ((status = dev_work_new(device, &r->stages[i])) == OCLM_OK)
            status = gen_loop_add_stage(r->loop, r->stages[i], (gen_stage)i);
    }
    for (int i = 0; i < 2 && status == OCLM_OK; i++) {
        if ((status = dev_work_new(device, &r->choices[i])) == OCLM_OK)
            status = gen_loop_add_choice(r->loop, r->choices[i], i == 1);
    }
    return status;
}

static oclm_status make_landing(rows *r)
{
    for (uint32_t i = 0; i < GEN_IN_FLIGHT; i++) {
        r->flight[i].ids = core_alloc_array((size_t)r->most * r->run->sequence_count, sizeof(int32_t), "the new tokens that arrive");
        if (r->flight[i].ids == NULL)
            return OCLM_ERR_MEMORY;
    }
    r->column = core_alloc_array(r->most, sizeof *r->column, "the new tokens of a row");
    return r->column != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status begin(gen_run *run)
{
    rows          *r = core_alloc_zero(1, sizeof *r, "rows that are generated");
    const uint32_t prompt = run->config.prompt_length, turning = model_rope_turning_length(&run->model->architecture);
    oclm_status    status;
    if (r == NULL)
        return OCLM_ERR_MEMORY;
    run->work = r;
    run->rows = run->sequence_count;
    r->run = run;
    r->held = run->place != NULL ? gen_place_go_on(run->place) : 0;
    r->total = gen_run_most_new(run);
    /* What must be known of each step before the next is not worth making many ahead. */
    r->observed = gen_is_observed(run);
    r->most = isfinite(run->config.max_time) || run->hooks.on_stopping != NULL || r->observed ? 1 : LARGEST_BATCH;
    r->batch_size = 1;
    r->before = run->started;
    r->turning = prompt <= turning ? turning : UINT32_MAX;
    if ((status = make_landing(r)) != OCLM_OK || (status = list_texts(r)) != OCLM_OK)
        return status;
    const gen_loop_size size = { .prompts = run->prompt_count, .ids = count_ids(r), .limit = r->longest + r->total, .observed = r->observed };
    status = gen_loop_new(run->model, &run->config, &size, run->place != NULL ? run->place->state : NULL, &r->loop);
    return status == OCLM_OK && r->observed ? make_pieces(r) : status;
}

static oclm_status read_prompts(rows *r, bool *cancelled)
{
    gen_run       *run = r->run;
    const uint64_t count = count_ids(r) - r->held;
    oclm_status    status = gen_tune_for(run->model, count);
    *cancelled = false;
    if (status == OCLM_OK)
        status = gen_loop_prefill(r->loop, r->texts, r->held, &run->hooks, cancelled);
    r->read = status == OCLM_OK && !*cancelled;
    run->timing.prefill_tokens = r->read ? count : 0;
    return status;
}

static oclm_status next(gen_run *run, bool *more)
{
    rows       *r = run->work;
    bool        cancelled = false;
    oclm_status status = r->read ? OCLM_OK : read_prompts(r, &cancelled);
    batch       landed;
    double      now;
    if (status != OCLM_OK)
        return status;
    *more = !cancelled;
    if (cancelled) {
        gen_run_end_all(run, OCLM_FINISH_CANCELLED);
        return OCLM_OK;
    }
    if ((status = launch_ahead(r)) != OCLM_OK || run->ended == run->sequence_count || (status = land(r, &landed)) != OCLM_OK)
        return status;
    now = core_seconds();
    if (landed.first > 0)
        r->batch_size = gen_next_batch(r->batch_size, r->most, landed.count, now - r->before);
    r->before = now;
    if ((status = deliver(r, &landed)) == OCLM_OK && gen_run_interrupted(run) != OCLM_FINISH_NONE)
        gen_run_end_all(run, gen_run_interrupted(run));
    return status;
}

/* What the place's sequence holds from now on: what was read of the prompt, and the new ids that a step has read. */
static void settle(const rows *r)
{
    gen_place     *place = r->run->place;
    const uint32_t count = r->run->sequences[0].count, length = model_length(place->state, 0);
    if (r->run->failed)
        place->held = r->held;
    else if (r->read)
        place->held = r->run->prompts[0].count + (count > 0 ? count - 1 : 0);
    else
        place->held = length > r->held ? length : r->held;
    model_decode_end(place->state, 0, place->held);
}

static void end(gen_run *run)
{
    rows *r = run->work;
    if (r == NULL)
        return;
    if (r->loop != NULL && run->place != NULL) {
        (void)gen_loop_drain(r->loop); /* nothing may still write to pages that are given back */
        settle(r);
    }
    const bool lost = r->loop != NULL && dev_is_lost(r->loop->state->queue);
    gen_loop_free(r->loop); /* waits: what is still in flight writes to the batches, of a lost device for ever */
    while (r->flying > 0)
        clReleaseEvent(r->flight[--r->flying].ready);
    for (uint32_t i = 0; i < GEN_IN_FLIGHT && !lost; i++)
        core_free(r->flight[i].ids);
    for (int i = 0; i <= GEN_STAGE_LAST; i++)
        dev_work_free(r->stages[i]);
    dev_work_free(r->choices[0]);
    dev_work_free(r->choices[1]);
    core_free(r->texts);
    core_free(r->column);
    core_free(r);
    run->work = NULL;
}

const gen_mode gen_mode_rows = { begin, next, end };
