/* run.c: what has come out so far, and when it ends. The modes make tokens; here each is added to its sequence and looked at once: an end-of-sequence
 * id, a stop string, the caller's own criterion, the length limit, in this order where several meet. */
#include "generation/run.h"

#include <math.h>
#include <string.h>

#include "core/platform.h"

#define FIRST_CAPACITY 64u /* new ids */

static const gen_mode *const modes[] = {
    [GEN_MODE_ROWS] = &gen_mode_rows, [GEN_MODE_BEAMS] = &gen_mode_beams, [GEN_MODE_ASSISTED] = &gen_mode_assisted,
};

uint32_t gen_run_most_new(const gen_run *run) { return run->config.limit - run->config.prompt_length; }

uint32_t gen_place_go_on(gen_place *place)
{
    if (!model_can_go_on(place->state, 0, place->held)) {
        model_truncate(place->state, 0, 0);
        place->held = 0;
    }
    return place->held;
}

uint32_t gen_prompt_pad(const gen_prompt *prompt, uint32_t length, int32_t pad_token_id, int32_t *row)
{
    const uint32_t padding = length - prompt->count;
    for (uint32_t i = 0; i < padding; i++)
        row[i] = pad_token_id;
    memcpy(row + padding, prompt->ids, prompt->count * sizeof *row);
    return padding;
}

gen_prompt gen_run_without(const gen_run *run, uint32_t prompt)
{
    const gen_ids    *negative = &run->config.negative_prompt;
    const gen_prompt *p = &run->prompts[prompt];
    return negative->count > 0 ? (gen_prompt){ negative->ids, negative->count } : (gen_prompt){ p->ids + p->count - 1, 1 };
}

/* ---- Making and freeing */

static const gen_prompt *prompt_of(const gen_run *run, uint32_t sequence)
{
    return &run->prompts[sequence / run->config.num_return_sequences];
}

static oclm_status make_room(gen_run *run, gen_sequence *s, uint32_t capacity)
{
    const size_t front = run->config.prompt_length;
    int32_t     *history = core_realloc_array(s->history, front + capacity, sizeof *history, "the new tokens");
    if (history == NULL)
        return OCLM_ERR_MEMORY;
    s->history = history;
    s->ids = history + front;
    s->capacity = capacity;
    return OCLM_OK;
}

static oclm_status make_sequences(gen_run *run)
{
    const uint32_t most = gen_run_most_new(run);
    oclm_status    status = OCLM_OK;
    if ((run->sequences = core_alloc_zero(run->sequence_count, sizeof *run->sequences, "the sequences")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < run->sequence_count && status == OCLM_OK; i++) {
        gen_sequence *s = &run->sequences[i];
        s->score = NAN;
        s->finish_reason = OCLM_FINISH_NONE;
        if ((status = make_room(run, s, most < FIRST_CAPACITY ? most : FIRST_CAPACITY)) != OCLM_OK)
            break;
        (void)gen_prompt_pad(prompt_of(run, i), run->config.prompt_length, run->config.pad_token_id, s->history);
    }
    return status;
}

static oclm_status copy_prompts(gen_run *run, const gen_prompt *prompts, uint32_t count)
{
    if ((run->prompts = core_alloc_zero(count, sizeof *run->prompts, "the prompts")) == NULL)
        return OCLM_ERR_MEMORY;
    run->prompt_count = count;
    for (uint32_t i = 0; i < count; i++) {
        int32_t *ids = core_copy(prompts[i].ids, prompts[i].count * sizeof *ids, "a prompt");
        if (ids == NULL)
            return OCLM_ERR_MEMORY;
        run->prompts[i] = (gen_prompt){ ids, prompts[i].count };
    }
    return OCLM_OK;
}

static oclm_status begin_mode(gen_run *run)
{
    run->mode = modes[run->config.mode];
    return run->mode->begin(run);
}

oclm_status gen_run_new(const model_model *model, const model_model *assistant, const gen_prompt *prompts, uint32_t count, gen_config *config,
                        const gen_hooks *hooks, gen_place *place, const gen_stop_strings *stop, gen_run **run)
{
    gen_run    *made = core_alloc_zero(1, sizeof *made, "a generation");
    oclm_status status;
    *run = NULL;
    if (made == NULL) {
        gen_config_free(config);
        return OCLM_ERR_MEMORY;
    }
    made->model = model;
    made->assistant = assistant;
    made->config = *config;
    gen_config_init(config);
    made->hooks = *hooks;
    made->place = place;
    made->stop = stop;
    made->started = core_seconds();
    made->timing.struct_size = sizeof made->timing;
    made->sequence_count = count * made->config.num_return_sequences;
    if ((status = copy_prompts(made, prompts, count)) == OCLM_OK && (status = make_sequences(made)) == OCLM_OK)
        status = begin_mode(made);
    if (status != OCLM_OK) {
        made->failed = true;
        gen_run_free(made);
        return status;
    }
    *run = made;
    return OCLM_OK;
}

static void end_mode(gen_run *run)
{
    if (run->mode != NULL)
        run->mode->end(run);
    run->mode = NULL;
}

void gen_run_free(gen_run *run)
{
    if (run == NULL)
        return;
    end_mode(run);
    for (uint32_t i = 0; run->sequences != NULL && i < run->sequence_count; i++) {
        core_free(run->sequences[i].history);
        core_free(run->sequences[i].beam_indices);
    }
    for (uint32_t i = 0; i < run->prompt_count; i++)
        core_free((void *)run->prompts[i].ids);
    core_free(run->sequences);
    core_free(run->prompts);
    core_free(run->scores);
    core_free(run->logits);
    gen_config_free(&run->config);
    core_free(run);
}

/* ---- Going on */

static uint64_t tokens_after_the_first(const gen_run *run)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < run->sequence_count; i++)
        count += run->sequences[i].count > 0 ? run->sequences[i].count - 1 : 0;
    return count;
}

static bool has_tokens(const gen_run *run)
{
    for (uint32_t i = 0; i < run->sequence_count; i++) {
        if (run->sequences[i].count > 0)
            return true;
    }
    return false;
}

static void note_time(gen_run *run)
{
    const double now = core_seconds() - run->started;
    if (run->timing.prefill_s == 0 && has_tokens(run))
        run->timing.prefill_s = now;
    run->timing.decode_s = run->timing.prefill_s > 0 ? now - run->timing.prefill_s : 0;
    run->timing.decode_tokens = tokens_after_the_first(run);
}

oclm_status gen_run_next(gen_run *run, bool *more)
{
    oclm_status status;
    bool        making = false;
    *more = false;
    if (run->mode == NULL)
        return OCLM_OK;
    status = run->mode->next(run, &making);
    note_time(run);
    run->failed = status != OCLM_OK;
    if (run->failed || !making || run->ended == run->sequence_count)
        end_mode(run);
    *more = !run->failed;
    return status;
}

oclm_finish_reason gen_run_interrupted(const gen_run *run)
{
    if (run->hooks.cancel != NULL && *run->hooks.cancel)
        return OCLM_FINISH_CANCELLED;
    return isfinite(run->config.max_time) && core_seconds() - run->started > run->config.max_time ? OCLM_FINISH_MAX_TIME : OCLM_FINISH_NONE;
}

void gen_run_end_all(gen_run *run, oclm_finish_reason reason)
{
    for (uint32_t i = 0; i < run->sequence_count; i++) {
        if (run->sequences[i].finish_reason == OCLM_FINISH_NONE)
            run->sequences[i].finish_reason = reason;
    }
    run->ended = run->sequence_count;
}

/* ---- New ids */

/* Why a sequence ends with its newest id. */
static oclm_finish_reason why_ended(const gen_run *run, uint32_t sequence)
{
    const gen_sequence *s = &run->sequences[sequence];
    const gen_prompt   *prompt = prompt_of(run, sequence);
    if (gen_is_eos(&run->config, s->ids[s->count - 1]))
        return OCLM_FINISH_EOS_TOKEN;
    if (run->stop != NULL && gen_stop_strings_hit(run->stop, prompt->ids, prompt->count, s->ids, s->count))
        return OCLM_FINISH_STOP_STRING;
    if (run->hooks.on_stopping != NULL &&
        run->hooks.on_stopping(sequence, s->history, (size_t)run->config.prompt_length + s->count, run->hooks.user))
        return OCLM_FINISH_STOPPING;
    return s->count == gen_run_most_new(run) ? OCLM_FINISH_LENGTH : OCLM_FINISH_NONE;
}

static oclm_status add_id(gen_run *run, gen_sequence *s, int32_t id)
{
    const uint32_t most = gen_run_most_new(run);
    oclm_status    status = OCLM_OK;
    if (id < 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "new token %u cannot be drawn: the logits hold NaN or infinity; the weights may be broken, the "
                         "temperature (%g) too small, or dtype float32 needed", s->count + 1, run->config.temperature);
    if (s->count == s->capacity)
        status = make_room(run, s, s->capacity < most / 2 ? 2 * s->capacity : most);
    if (status == OCLM_OK)
        s->ids[s->count++] = id;
    return status;
}

oclm_status gen_run_deliver(gen_run *run, uint32_t sequence, const int32_t *ids, uint32_t count, uint32_t *taken)
{
    gen_sequence  *s = &run->sequences[sequence];
    const uint32_t before = s->count;
    oclm_status    status = OCLM_OK;
    *taken = 0;
    for (uint32_t i = 0; i < count && s->finish_reason == OCLM_FINISH_NONE; i++) {
        if ((status = add_id(run, s, ids[i])) != OCLM_OK)
            return status;
        s->finish_reason = why_ended(run, sequence);
        run->ended += s->finish_reason != OCLM_FINISH_NONE;
    }
    *taken = s->count - before;
    if (*taken > 0 && run->hooks.on_tokens != NULL && !run->hooks.on_tokens(sequence, s->ids + before, *taken, run->hooks.user))
        gen_run_end_all(run, OCLM_FINISH_CANCELLED);
    return OCLM_OK;
}

oclm_status gen_run_deliver_whole(gen_run *run, uint32_t sequence, const int32_t *ids, const int32_t *beam_indices, uint32_t count, float score,
                                  oclm_finish_reason reason)
{
    gen_sequence *s = &run->sequences[sequence];
    oclm_status   status = count > s->capacity ? make_room(run, s, count) : OCLM_OK;
    if (status == OCLM_OK && (s->beam_indices = core_alloc_array((size_t)count + 1, sizeof *beam_indices, "the beams of a sequence")) == NULL)
        status = OCLM_ERR_MEMORY;
    if (status != OCLM_OK)
        return status;
    if (count > 0) {
        memcpy(s->ids, ids, count * sizeof *ids);
        memcpy(s->beam_indices, beam_indices, count * sizeof *beam_indices);
    }
    s->count = count;
    s->score = score;
    s->finish_reason = reason;
    run->ended++;
    if (run->hooks.on_tokens != NULL && count > 0)
        (void)run->hooks.on_tokens(sequence, s->ids, count, run->hooks.user); /* all are made already: nothing is left to stop */
    return OCLM_OK;
}
