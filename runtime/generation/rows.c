/* rows.c: rows side by side, each its own sequence: greedy search and sampling. Keeps the device busy and the reader content. Two batches of steps
 * are in flight: while the host looks at the tokens of one, the device works on the next. A batch is small at first, so that text starts at
 * once, and then as large as takes TARGET_S: tokens arrive in a steady stream, and few steps are made for nothing when an end-of-sequence
 * token comes. Steps never pass the length limit, so only an early end discards any. Rows that have ended are computed on, unheard, until all
 * have. */
#include <math.h>
#include <string.h>

#include "core/platform.h"
#include "generation/loop.h"

#define IN_FLIGHT 2u
#define TARGET_S 0.06                        /* a batch; two are in flight, so an early end costs at most twice this */
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
    batch     flight[IN_FLIGHT]; /* oldest first */
    uint32_t  flying;
    uint32_t  batch_size, most;  /* steps */
    double    before;            /* when the last batch landed */
    int32_t  *column;            /* [LARGEST_BATCH]: of one row */
    uint32_t  turning;           /* positions of the longest row after which all are read anew; UINT32_MAX: never */
} rows;

/* ---- Enqueuing */

/* The next step would read a position for which the sequence turns differently. */
static bool must_turn(const rows *r) { return r->enqueued > 0 && r->loop->position == r->turning; }

/* Reads prompts and new tokens, which have all landed, as one prompt each; of a row that has ended as much as it has. */
static oclm_status turn(rows *r)
{
    const gen_run *run = r->run;
    gen_prompt    *texts = core_alloc_array(run->sequence_count, sizeof *texts, "the sequences that are read anew");
    oclm_status    status;
    if (texts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < run->sequence_count; i++) {
        const uint32_t prompt = run->prompts[i / run->config.num_return_sequences].count;
        texts[i] = (gen_prompt){ run->sequences[i].ids - prompt, prompt + run->sequences[i].count };
    }
    status = gen_loop_read_anew(r->loop, texts);
    r->turning = UINT32_MAX;
    core_free(texts);
    return status;
}

/* How many steps may be enqueued at once. */
static uint32_t steps_ahead(const rows *r)
{
    const uint32_t left = r->total - r->enqueued, until = r->turning - r->loop->position;
    const uint32_t most = left < r->batch_size ? left : r->batch_size;
    return most < until ? most : until;
}

/* Enqueues the next batch: the choice of the first tokens after a prompt, then steps. */
static oclm_status launch(rows *r)
{
    const bool  anew = must_turn(r), first = r->enqueued == 0 || anew;
    batch      *next = &r->flight[r->flying];
    oclm_status status = anew ? turn(r) : OCLM_OK;
    next->first = r->enqueued;
    next->ready = NULL;
    next->count = first ? 1 : steps_ahead(r);
    if (first) {
        if (status == OCLM_OK)
            status = gen_loop_first(r->loop, next->ids, &next->ready);
        if (status == OCLM_OK && r->enqueued + 1 < r->total)
            status = gen_loop_begin(r->loop);
    } else {
        status = gen_loop_steps(r->loop, next->count, next->ids, &next->ready);
    }
    if (status != OCLM_OK) {
        if (next->ready)
            clReleaseEvent(next->ready);
        return status;
    }
    r->enqueued += next->count;
    r->flying++;
    return OCLM_OK;
}

static oclm_status launch_ahead(rows *r)
{
    oclm_status status = OCLM_OK;
    while (r->flying < IN_FLIGHT && r->enqueued < r->total && !(must_turn(r) && r->flying > 0) && status == OCLM_OK)
        status = launch(r);
    return status;
}

/* ---- What has come */

/* Waits for the oldest batch and takes it out of flight; its memory is free for the next after that. */
static oclm_status land(rows *r, batch *landed)
{
    cl_int error;
    *landed = r->flight[0];
    memmove(r->flight, r->flight + 1, (IN_FLIGHT - 1) * sizeof r->flight[0]);
    r->flight[IN_FLIGHT - 1].ids = landed->ids;
    r->flying--;
    error = clWaitForEvents(1, &landed->ready);
    clReleaseEvent(landed->ready);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "waiting for new tokens");
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

/* Grows slowly, at most doubling, because the first batches carry what only first steps cost; shrinks at once. */
static void adapt(rows *r, const batch *landed, double seconds)
{
    const double fitting = seconds > 0 ? TARGET_S * (double)landed->count / seconds : r->most;
    const double most = 2.0 * r->batch_size < r->most ? 2.0 * r->batch_size : r->most;
    r->batch_size = fitting < 1 ? 1 : (uint32_t)(fitting < most ? fitting : most);
}

/* ---- The mode */

static uint64_t count_ids(const gen_run *run)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < run->prompt_count; i++)
        count += run->prompts[i].count;
    return count;
}

static oclm_status make_landing(rows *r)
{
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
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
    const gen_loop_size size = { .prompts = run->prompt_count, .ids = count_ids(run), .limit = run->config.limit };
    oclm_status    status;
    if (r == NULL)
        return OCLM_ERR_MEMORY;
    run->work = r;
    run->rows = run->sequence_count;
    r->run = run;
    r->held = run->place != NULL ? gen_place_go_on(run->place) : 0;
    r->total = gen_run_most_new(run);
    /* What must be known of each step before the next is not worth making many ahead. */
    r->most = isfinite(run->config.max_time) || run->hooks.on_stopping != NULL ? 1 : LARGEST_BATCH;
    r->batch_size = 1;
    r->before = run->started;
    r->turning = prompt <= turning ? turning : UINT32_MAX;
    if ((status = make_landing(r)) != OCLM_OK)
        return status;
    return gen_loop_new(run->model, &run->config, &size, run->place != NULL ? run->place->state : NULL, &r->loop);
}

static oclm_status read_prompts(rows *r, bool *cancelled)
{
    gen_run       *run = r->run;
    const uint64_t count = count_ids(run) - r->held;
    oclm_status    status = count >= GEN_TUNED_PROMPT ? dev_matmul_tune(run->model->device, run->model->weights.dtype) : OCLM_OK;
    *cancelled = false;
    if (status == OCLM_OK)
        status = gen_loop_prefill(r->loop, run->prompts, r->held, &run->hooks, cancelled);
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
    if ((status = launch_ahead(r)) != OCLM_OK || (status = land(r, &landed)) != OCLM_OK)
        return status;
    now = core_seconds();
    if (landed.first > 0)
        adapt(r, &landed, now - r->before);
    r->before = now;
    if ((status = deliver(r, &landed)) == OCLM_OK && gen_run_interrupted(run) != OCLM_FINISH_NONE)
        gen_run_end_all(run, gen_run_interrupted(run));
    return status;
}

/* What the place's sequence holds from now on: what was read of the prompt, and the new ids that a step has read. */
static void settle(const rows *r)
{
    gen_place     *place = r->run->place;
    const uint32_t count = r->run->sequences[0].count, length = place->state->cache.lengths[0];
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
    gen_loop_free(r->loop); /* waits: what is still in flight writes to the batches */
    while (r->flying > 0)
        clReleaseEvent(r->flight[--r->flying].ready);
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        core_free(r->flight[i].ids);
    core_free(r->column);
    core_free(r);
    run->work = NULL;
}

const gen_mode gen_mode_rows = { begin, next, end };
