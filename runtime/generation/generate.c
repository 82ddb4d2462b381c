/* generate.c: keeps the device busy and the reader content. Two batches of steps are in flight: while the host looks at the
 * tokens of one, the device works on the next. A batch is small at first, so that text starts at once, and then as large as
 * takes TARGET_S: tokens arrive in a steady stream, and few steps are made for nothing when an end-of-sequence token
 * comes. Steps never pass the length limit, so only an early end discards any. */
#include "generation/generate.h"

#include <string.h>

#include "core/platform.h"
#include "generation/loop.h"

#define IN_FLIGHT 2u
#define TARGET_S 0.06                        /* a batch; two are in flight, so an early end costs at most twice this */
#define TUNED_PROMPT 2048u                   /* ids: a prompt so long is worth seconds of measuring, once for a device */
#define LARGEST_BATCH (GEN_RING_STEPS / 4u)

typedef struct batch {
    cl_event ready;
    uint32_t first, count; /* which of the new tokens */
} batch;

typedef struct run {
    gen_loop            *loop;
    const gen_config    *config;
    const gen_callbacks *callbacks;
    gen_result          *result;
    uint32_t             total;          /* new tokens at most */
    uint32_t             enqueued;       /* new tokens that are on their way or here */
    batch                flight[IN_FLIGHT]; /* oldest first */
    uint32_t             flying;
    uint32_t             batch_size;
    const int32_t       *prompt;         /* [prompt_count] */
    uint32_t             prompt_count;
    uint32_t             turning;        /* positions after which all are read anew; UINT32_MAX: never */
    bool                 ended;
} run;

static bool is_cancelled(const gen_callbacks *callbacks)
{
    return callbacks->cancel && *callbacks->cancel;
}

/* The next step would read a position for which the sequence turns differently. */
static bool must_turn(const run *r) { return r->enqueued > 0 && r->loop->position == r->turning; }

/* Reads the prompt and the new tokens, which have all landed, as one prompt. */
static oclm_status turn(run *r)
{
    const uint32_t count = r->prompt_count + r->enqueued;
    int32_t       *ids = core_alloc_array(count, sizeof *ids, "a sequence that is read anew");
    bool           cancelled;
    if (ids == NULL)
        return OCLM_ERR_MEMORY;
    memcpy(ids, r->prompt, r->prompt_count * sizeof *ids);
    memcpy(ids + r->prompt_count, r->result->ids, r->enqueued * sizeof *ids);
    model_decode_end(r->loop->state, 0, 0);
    const oclm_status status = gen_loop_prefill(r->loop, ids, 0, count, NULL, NULL, NULL, &cancelled);
    r->turning = UINT32_MAX;
    core_free(ids);
    return status;
}

/* How many steps may be enqueued at once. */
static uint32_t steps_ahead(const run *r)
{
    const uint32_t left = r->total - r->enqueued, until = r->turning - r->loop->position;
    const uint32_t most = left < r->batch_size ? left : r->batch_size;
    return most < until ? most : until;
}

/* Enqueues the next batch: the choice of the first token after a prompt, then steps. */
static oclm_status launch(run *r)
{
    const bool     anew = must_turn(r), first = r->enqueued == 0 || anew;
    batch         *next = &r->flight[r->flying];
    oclm_status    status = anew ? turn(r) : OCLM_OK;
    next->first = r->enqueued;
    next->ready = NULL;
    next->count = first ? 1 : steps_ahead(r);
    if (first) {
        if (status == OCLM_OK)
            status = gen_loop_first(r->loop, r->result->ids + next->first, &next->ready);
        if (status == OCLM_OK && r->enqueued + 1 < r->total)
            status = gen_loop_begin(r->loop, r->loop->position);
    } else {
        status = gen_loop_steps(r->loop, next->count, r->result->ids + next->first, &next->ready);
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

/* Waits for the oldest batch and takes it out of flight. */
static oclm_status land(run *r, batch *landed)
{
    cl_int error;
    *landed = r->flight[0];
    memmove(r->flight, r->flight + 1, (IN_FLIGHT - 1) * sizeof r->flight[0]);
    r->flying--;
    error = clWaitForEvents(1, &landed->ready);
    clReleaseEvent(landed->ready);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "waiting for new tokens");
}

/* Hands a batch's tokens on, up to an end-of-sequence token. */
static oclm_status deliver(run *r, const batch *landed)
{
    const int32_t *ids = r->result->ids + landed->first;
    uint32_t       count = landed->count;
    for (uint32_t i = 0; i < count && !r->ended; i++) {
        if (ids[i] < 0)
            return core_fail(OCLM_ERR_UNSUPPORTED, "new token %u cannot be drawn: the logits hold NaN or infinity; the weights may be "
                             "broken, the temperature (%g) too small, or dtype float32 needed", landed->first + i + 1,
                             r->config->temperature);
        for (uint32_t e = 0; e < r->config->eos_token_count && !r->ended; e++)
            if (ids[i] == r->config->eos_token_ids[e]) {
                r->ended = true;
                r->result->finish_reason = OCLM_FINISH_EOS_TOKEN;
                count = i + 1;
            }
    }
    r->result->count = landed->first + count;
    if (!r->ended && r->result->count == r->total) {
        r->ended = true;
        r->result->finish_reason = OCLM_FINISH_LENGTH;
    }
    if (r->callbacks->on_tokens && !r->callbacks->on_tokens(0, ids, count, r->callbacks->user) && !r->ended) {
        r->ended = true;
        r->result->finish_reason = OCLM_FINISH_CANCELLED;
    }
    if (!r->ended && is_cancelled(r->callbacks)) {
        r->ended = true;
        r->result->finish_reason = OCLM_FINISH_CANCELLED;
    }
    return OCLM_OK;
}

/* Grows slowly, at most doubling, because the first batches carry what only first steps cost; shrinks at once. */
static void adapt(run *r, const batch *landed, double seconds)
{
    const double fitting = seconds > 0 ? TARGET_S * (double)landed->count / seconds : LARGEST_BATCH;
    const double most = 2.0 * r->batch_size < LARGEST_BATCH ? 2.0 * r->batch_size : LARGEST_BATCH;
    r->batch_size = fitting < 1 ? 1 : (uint32_t)(fitting < most ? fitting : most);
}

static oclm_status decode(run *r, double start)
{
    oclm_timing *timing = &r->result->timing;
    double       before = start, now;
    oclm_status  status;
    batch        landed;
    while (!r->ended) {
        while (r->flying < IN_FLIGHT && r->enqueued < r->total && !(must_turn(r) && r->flying > 0))
            if ((status = launch(r)) != OCLM_OK)
                return status;
        if ((status = land(r, &landed)) != OCLM_OK)
            return status;
        now = core_seconds();
        if (landed.first == 0)
            timing->prefill_s = now - start;
        else
            adapt(r, &landed, now - before);
        timing->decode_s = now - start - timing->prefill_s;
        before = now;
        if ((status = deliver(r, &landed)) != OCLM_OK)
            return status;
    }
    timing->decode_tokens = r->result->count > 0 ? r->result->count - 1 : 0;
    return OCLM_OK;
}

/* What the place's sequence holds from now on: what was read of the prompt, and the new ids that a step has read. */
static void settle(gen_place *place, const gen_loop *loop, uint32_t prompt, const gen_result *result, bool good, bool cancelled)
{
    uint32_t held = place->held;
    if (good && cancelled)
        held = loop->state->cache.lengths[0] > held ? loop->state->cache.lengths[0] : held;
    else if (good)
        held = prompt + (result->count > 0 ? (uint32_t)result->count - 1 : 0);
    model_decode_end(place->state, 0, held);
    place->held = held;
}

/* From where the prompt is read: from what the place holds on, or, where the state cannot go back there, from its start. */
static uint32_t go_on(gen_place *place)
{
    if (!model_can_go_on(place->state, 0, place->held)) {
        model_cache_truncate(&place->state->cache, 0, 0);
        place->held = 0;
    }
    return place->held;
}

oclm_status gen_generate(const model_model *model, const int32_t *ids, size_t count, const gen_config *config,
                         const gen_callbacks *callbacks, gen_place *place, gen_result *result)
{
    const double   start = core_seconds();
    const uint32_t prompt = (uint32_t)count, held = place ? go_on(place) : 0;
    const uint32_t turning = model_rope_turning_length(&model->architecture);
    run            r = { .config = config, .callbacks = callbacks, .result = result, .batch_size = 1, .prompt = ids, .prompt_count = prompt,
                         .turning = prompt <= turning ? turning : UINT32_MAX };
    bool           cancelled = false;
    oclm_status    status;
    memset(result, 0, sizeof *result);
    result->timing.struct_size = sizeof result->timing;
    r.total = config->limit - prompt;
    result->ids = core_alloc_array(r.total, sizeof *result->ids, "the new tokens");
    status = result->ids ? OCLM_OK : OCLM_ERR_MEMORY;
    if (status == OCLM_OK && prompt - held >= TUNED_PROMPT)
        status = dev_matmul_tune(model->device, model->weights.dtype);
    if (status == OCLM_OK)
        status = gen_loop_new(model, config, prompt, config->limit, place ? place->state : NULL, &r.loop);
    if (status == OCLM_OK)
        status = gen_loop_prefill(r.loop, ids, held, prompt, callbacks->progress, callbacks->user, callbacks->cancel, &cancelled);
    if (status == OCLM_OK && cancelled)
        result->finish_reason = OCLM_FINISH_CANCELLED;
    else if (status == OCLM_OK)
        status = decode(&r, start);
    result->timing.prefill_tokens = cancelled ? 0 : prompt - held;
    if (r.loop && place) {
        (void)gen_loop_drain(r.loop); /* nothing may still write to pages that are given back */
        settle(place, r.loop, prompt, result, status == OCLM_OK, cancelled);
    }
    gen_loop_free(r.loop); /* waits: what is still in flight writes to result->ids */
    while (r.flying > 0)
        clReleaseEvent(r.flight[--r.flying].ready);
    if (status != OCLM_OK)
        gen_result_free(result);
    return status;
}

void gen_result_free(gen_result *result)
{
    core_free(result->ids);
    memset(result, 0, sizeof *result);
}
