/* assisted.c: a round: guesses, one pass over the last id and all of them, a choice behind each; the guesses that are the choices are kept. The
 * host waits once a round, for ids alone. */
#include "generation/assisted.h"

#include <string.h>

#include "core/log.h"
#include "generation/draft.h"
#include "generation/lookup.h"
#include "generation/observe.h"
#include "generation/prefill.h"

/* For rounds of one size, recorded when the first of them comes. */
typedef struct size_choice {
    gen_choice choice;
    dev_work  *work; /* NULL: none came yet */
} size_choice;

typedef struct assisted {
    gen_run        *run;
    model_state    *state;
    bool            borrowed;
    uint32_t        most;     /* guesses in a round */
    uint32_t        wanted;   /* of them next, as the schedule goes */
    uint32_t        turning;  /* positions after which all are read anew; UINT32_MAX: never */
    gen_lookup      lookup;   /* or */
    gen_draft      *draft;    /* a small model: one of them guesses */
    int32_t        *text;     /* [limit] prompt, new ids, and behind them the guesses of the round */
    uint32_t        prompt, count;
    uint32_t        held;     /* what the state held at first */
    int32_t        *chosen;   /* [most + 1] what a round gives */
    gen_score_rows  rows;     /* logits, then scores, behind the last id and each guess */
    gen_told        told;
    uint32_t        told_count; /* ids that the device knows and that have not changed since */
    dev_buffer      ids, positions; /* [most + 1] that the sampler writes */
    size_choice    *choices;  /* [most + 1] for a round of so many guesses */
    /* Only where a small model draws. */
    gen_score_rows  drafts;   /* what it drew by */
    dev_buffer      draft_scores, draft_chances, chances, result;
    float          *host_scores; /* [most][stride], on their way from the small model's device */
} assisted;

static bool draws_drafts(const assisted *a) { return a->draft != NULL && a->run->config.do_sample; }

/* ---- Beginning and ending */

/* The model that guesses; NULL: the text does. */
static const model_model *guesser(const gen_run *run) { return run->config.prompt_lookup_num_tokens > 0 ? NULL : run->assistant; }

/* What gen_config_resolve() cannot know. */
static oclm_status check(const gen_run *run)
{
    const model_architecture *a = &run->model->architecture;
    const model_model        *other = guesser(run);
    if (other && other->architecture.vocab_size != a->vocab_size)
        return core_fail(OCLM_ERR_ARGUMENT, "the assistant_model has a vocabulary of %u tokens, the model one of %u; both must have the same tokenizer",
                         other->architecture.vocab_size, a->vocab_size);
    if (other && model_has_mixers(&other->architecture))
        return core_fail(OCLM_ERR_UNSUPPORTED, "the assistant_model (%s) keeps a state that cannot go back to before a wrong guess; choose another",
                         other->architecture.model_type);
    return OCLM_OK;
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t most_guesses(const gen_run *run, uint32_t prompt)
{
    const gen_config *c = &run->config;
    const bool        draft = guesser(run) != NULL;
    uint32_t          most = draft ? c->num_assistant_tokens : c->prompt_lookup_num_tokens;
    if (draft && c->num_assistant_tokens_schedule != OCLM_ASSISTANT_SCHEDULE_CONSTANT && most < GEN_MOST_GROWN)
        most = GEN_MOST_GROWN;
    return smaller(smaller(most, GEN_MOST_GUESSES), c->limit - prompt - 1);
}

static oclm_status open_state(assisted *a)
{
    const gen_run            *run = a->run;
    const model_state_options options = { .sequences = 1, .max_positions = run->config.limit, .max_rows = gen_prefill_rows(&run->config, a->prompt, a->most + 2), /* accept.h looks at one id more */
        .max_logit_rows = a->most + 1, .quantized_cache = run->config.quantized_cache };
    if (!run->place)
        return model_state_new(run->model, &options, &a->state);
    a->state = run->place->state;
    a->borrowed = true;
    a->most = smaller(a->most, smaller(a->state->max_logit_rows, a->state->max_rows - 1) - 1);
    a->held = gen_place_go_on(run->place);
    return OCLM_OK;
}

/* What a round with a small model's draws needs. */
static oclm_status make_draft_buffers(assisted *a)
{
    dev_device  *device = a->run->model->device;
    const size_t row_bytes = a->rows.stride * sizeof(float);
    oclm_status  status;
    a->drafts = (gen_score_rows){ &a->draft_scores, a->rows.stride, a->rows.vocab, 0 };
    a->host_scores = core_alloc_array(a->most, row_bytes, "the scores of guesses");
    if (!a->host_scores)
        return OCLM_ERR_MEMORY;
    if ((status = dev_buffer_new(device, a->most * row_bytes, "the scores of guesses", &a->draft_scores)) != OCLM_OK ||
        (status = dev_buffer_new(device, a->most * sizeof(gen_chance), "the chances of guesses", &a->draft_chances)) != OCLM_OK ||
        (status = dev_buffer_new(device, (a->most + 1) * sizeof(gen_chance), "the chances of guesses", &a->chances)) != OCLM_OK)
        return status;
    return dev_buffer_new(device, 2 * sizeof(int32_t), "what is kept of guesses", &a->result);
}

static oclm_status make_choice(assisted *a)
{
    const gen_run *run = a->run;
    const uint32_t rows = a->most + 1, vocab = run->model->architecture.vocab_size;
    oclm_status    status;
    a->rows = (gen_score_rows){ &a->state->logits, a->state->logits_stride, vocab, 0 };
    a->chosen = core_alloc_array(rows, sizeof *a->chosen, "chosen tokens");
    a->choices = core_alloc_zero(rows, sizeof *a->choices, "choices");
    if (!a->chosen || !a->choices)
        return OCLM_ERR_MEMORY;
    if ((status = dev_buffer_new(run->model->device, rows * sizeof(int32_t), "chosen tokens", &a->ids)) != OCLM_OK ||
        (status = dev_buffer_new_zero(run->model->device, a->state->queue, rows * sizeof(int32_t), "positions", &a->positions)) != OCLM_OK ||
        (status = gen_told_init(&a->told, run->model->device, &run->config, run->config.limit, rows)) != OCLM_OK)
        return status;
    return draws_drafts(a) ? make_draft_buffers(a) : OCLM_OK;
}

static oclm_status begin(gen_run *run)
{
    assisted   *a;
    oclm_status status = check(run);
    if (status != OCLM_OK)
        return status;
    if (gen_is_observed(run) || gen_is_guided(&run->config)) { /* step by step, then, and by two texts: the same without guesses */
        core_log(OCLM_LOG_INFO, "nothing is guessed ahead: each step's scores are %s", gen_is_observed(run) ? "asked for" : "guided");
        run->mode = &gen_mode_rows;
        return run->mode->begin(run);
    }
    if (!(run->work = a = core_alloc_zero(1, sizeof *a, "guessing ahead")))
        return OCLM_ERR_MEMORY;
    a->run = run;
    a->prompt = a->count = run->prompts[0].count;
    a->most = most_guesses(run, a->prompt);
    a->wanted = run->config.num_assistant_tokens;
    a->turning = model_rope_turning_length(&run->model->architecture);
    if (a->prompt > a->turning)
        a->turning = UINT32_MAX;
    if (!(a->text = core_alloc_array(run->config.limit, sizeof *a->text, "a text")))
        return OCLM_ERR_MEMORY;
    memcpy(a->text, run->prompts[0].ids, a->prompt * sizeof *a->text);
    if ((status = open_state(a)) != OCLM_OK)
        return status;
    if (a->most > 0 && guesser(run))
        status = gen_draft_new(guesser(run), &run->config, run->config.limit, a->most, &a->draft);
    else if (a->most > 0 && (status = gen_lookup_init(&a->lookup, run->config.max_matching_ngram_size, a->prompt)) == OCLM_OK)
        status = gen_lookup_add(&a->lookup, a->text, a->prompt);
    return status == OCLM_OK ? make_choice(a) : status;
}

static void free_choice(assisted *a)
{
    dev_device       *device = a->run->model->device;
    dev_buffer *const buffers[] = { &a->ids, &a->positions, &a->draft_scores, &a->draft_chances, &a->chances, &a->result };
    for (uint32_t i = 0; a->choices && i <= a->most; i++) {
        dev_work_free(a->choices[i].work);
        gen_choice_deinit(&a->choices[i].choice);
    }
    gen_told_deinit(&a->told, device);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
    core_free(a->choices);
    core_free(a->chosen);
    core_free(a->host_scores);
}

/* What the place's sequence holds from now on: the ids that are right, as far as they were read. */
static void settle(const assisted *a)
{
    gen_place     *place = a->run->place;
    const uint32_t length = model_length(a->state, 0);
    place->held = a->run->failed ? a->held : smaller(length, a->count - 1);
    model_truncate(a->state, 0, place->held);
}

static void end(gen_run *run)
{
    assisted *a = run->work;
    if (!a)
        return;
    if (a->state) {
        (void)model_finish(a->state);
        if (a->borrowed)
            settle(a);
        free_choice(a);
        if (!a->borrowed)
            model_state_free(a->state);
    }
    gen_draft_free(a->draft);
    gen_lookup_deinit(&a->lookup);
    core_free(a->text);
    core_free(a);
    run->work = NULL;
}

/* ---- A round */

/* Writes guesses behind the text; how many. */
static oclm_status guess(assisted *a, uint32_t *count)
{
    const gen_config *config = &a->run->config;
    const int32_t    *ids = NULL;
    uint32_t          most = smaller(a->most, config->limit - a->count - 1);
    oclm_status       status = OCLM_OK;
    if (a->count <= a->turning) /* up to there, and from there on */
        most = smaller(most, a->turning - a->count);
    *count = 0;
    if (a->most == 0)
        return OCLM_OK;
    if (a->draft) {
        if ((status = gen_draft_guess(a->draft, a->text, a->count, smaller(most, a->wanted))) == OCLM_OK) {
            ids = a->draft->guesses;
            *count = a->draft->made;
        }
    } else {
        *count = gen_lookup_guess(&a->lookup, most, &ids);
        for (uint32_t i = 0; i < *count; i++) /* what follows an end tells nothing about what follows here */
            *count = gen_is_eos(config, ids[i]) ? i : *count;
    }
    if (*count > 0)
        memcpy(a->text + a->count, ids, *count * sizeof *ids);
    return status;
}

/* Reads the text as far as the state has not, but for its last id. */
static oclm_status read_text(assisted *a, bool *cancelled)
{
    const gen_hooks   silent = { .cancel = a->run->hooks.cancel };
    const gen_reading reading = { .ids = a->text, .first = model_length(a->state, 0), .count = a->count - 1, .more = 1 };
    const uint32_t    ids = reading.count - reading.first;
    oclm_status       status = gen_tune_for(a->run->model, ids);
    *cancelled = false;
    if (status == OCLM_OK && ids > 0)
        status = gen_prefill(a->state, &reading, 1, MODEL_LOGITS_NONE, a->count == a->prompt ? &a->run->hooks : &silent, NULL, cancelled);
    return status;
}

/* Records what a small model's draws are kept by. */
static oclm_status add_acceptance(const assisted *a, dev_work *work, const gen_choice *choice, uint32_t guesses)
{
    /* The guess behind a row is the id of the next row; behind the last one there is none, and its chance is not asked for. */
    const oclm_status status = gen_chance_add(work, &a->rows, guesses + 1, &a->state->ids, 1, &a->chances, NULL, NULL);
    return status == OCLM_OK ? gen_accept_add(work, &a->rows, &a->chances, &a->drafts, &a->draft_chances, guesses, &choice->sampler.step,
                                              a->run->config.seed, &a->result)
                             : status;
}

/* Records the choices of a round of so many guesses. */
static oclm_status record(assisted *a, uint32_t guesses)
{
    size_choice *c = &a->choices[guesses];
    gen_rows     rows = { .rows = guesses + 1, .vocab = a->rows.vocab, .stride = a->rows.stride, .one_history = true, .rows_per_prompt = guesses + 1 };
    dev_work    *work = NULL;
    oclm_status  status;
    gen_told_to(&a->told, &rows);
    if ((status = gen_choice_init(&c->choice, a->run->model->device, a->state->queue, &a->run->config, &rows)) != OCLM_OK ||
        (status = dev_work_new(a->run->model->device, &work)) != OCLM_OK)
        return status;
    c->choice.sampler.rows_are_steps = true;
    if (draws_drafts(a) && guesses > 0) {
        if ((status = gen_choice_add_scores(&c->choice, work, &a->state->logits)) == OCLM_OK)
            status = add_acceptance(a, work, &c->choice, guesses);
    } else {
        status = gen_choice_add(&c->choice, work, &a->state->logits, &a->ids, &a->positions, false);
    }
    if (status == OCLM_OK)
        c->work = work;
    else
        dev_work_free(work);
    return status;
}

/* Brings what the small model drew by to this model's device: they may be two. */
static oclm_status send_drafts(assisted *a, uint32_t guesses)
{
    const size_t bytes = guesses * a->rows.stride * sizeof(float);
    oclm_status  status = dev_buffer_read(a->draft->state->queue, &a->draft->kept_scores, 0, a->host_scores, bytes);
    if (status == OCLM_OK && (status = dev_buffer_write(a->state->queue, &a->draft_scores, 0, a->host_scores, bytes)) == OCLM_OK)
        status = dev_buffer_write(a->state->queue, &a->draft_chances, 0, a->draft->host_chances, guesses * sizeof(gen_chance));
    return status;
}

/* What is chosen by, beside the logits. */
static oclm_status send_what_is_known(assisted *a, uint32_t guesses)
{
    const uint32_t step = a->count - a->prompt, from = smaller(a->told_count, a->count);
    oclm_status    status = gen_told_send(&a->told, a->state->queue, a->text, from, a->count + guesses, a->count, guesses + 1);
    a->told_count = a->count; /* guesses may be wrong */
    if (status == OCLM_OK && a->run->config.do_sample)
        status = dev_buffer_write(a->state->queue, &a->choices[guesses].choice.sampler.step, 0, &step, sizeof step);
    return status == OCLM_OK && draws_drafts(a) && guesses > 0 ? send_drafts(a, guesses) : status;
}

/* Reads the last id and the guesses, and chooses a token behind each. */
static oclm_status check_guesses(assisted *a, uint32_t guesses)
{
    const model_piece piece = { .sequence = 0, .first = a->count - 1, .count = guesses + 1, .ids = a->text + a->count - 1 };
    oclm_status       status = a->choices[guesses].work ? OCLM_OK : record(a, guesses);
    if (status != OCLM_OK || (status = model_forward(a->state, &piece, 1, MODEL_LOGITS_ALL)) != OCLM_OK ||
        (status = send_what_is_known(a, guesses)) != OCLM_OK)
        return status;
    return dev_work_enqueue(a->choices[guesses].work, a->state->queue, NULL);
}

/* Waits for the choices: how many guesses are kept. In `chosen` they stand, and the token behind them. */
static oclm_status take(assisted *a, uint32_t guesses, uint32_t *kept)
{
    const int32_t *guessed = a->text + a->count;
    oclm_status    status;
    int32_t        result[2];
    *kept = 0;
    if (draws_drafts(a) && guesses > 0) {
        if ((status = dev_buffer_read(a->state->queue, &a->result, 0, result, sizeof result)) != OCLM_OK)
            return status;
        *kept = (uint32_t)result[0];
        memcpy(a->chosen, guessed, *kept * sizeof *guessed);
        a->chosen[*kept] = result[1];
        return OCLM_OK;
    }
    status = dev_buffer_read(a->state->queue, &a->ids, 0, a->chosen, (guesses + 1) * sizeof *a->chosen);
    while (status == OCLM_OK && *kept < guesses && a->chosen[*kept] == guessed[*kept])
        ++*kept;
    return status;
}

/* One more or fewer next time. */
static void schedule(assisted *a, bool all_right)
{
    if (a->run->config.num_assistant_tokens_schedule == OCLM_ASSISTANT_SCHEDULE_CONSTANT)
        return;
    a->wanted = all_right ? a->wanted + 2 : a->wanted > 2 ? a->wanted - 1 : 1;
}

static void count_round(assisted *a, uint32_t guesses, uint32_t kept, uint32_t taken)
{
    oclm_timing *timing = &a->run->timing;
    timing->prefill_tokens = a->prompt - a->held;
    timing->guessed_tokens += guesses;
    timing->accepted_tokens += smaller(kept, taken);
}

/* The state goes back to where it can go on: to the ids that are right, or, where it cannot or would turn differently, to nothing. */
static void go_back(assisted *a)
{
    model_truncate(a->state, 0, a->count - 1);
    if (a->count > a->turning || !model_can_go_on(a->state, 0, model_length(a->state, 0)))
        model_truncate(a->state, 0, 0);
    if (a->count > a->turning)
        a->turning = UINT32_MAX;
}

static oclm_status next(gen_run *run, bool *more)
{
    assisted   *a = run->work;
    uint32_t    guesses = 0, kept, taken = 0;
    bool        cancelled = false;
    oclm_status status;
    *more = run->sequences[0].finish_reason == OCLM_FINISH_NONE;
    if (!*more)
        return OCLM_OK;
    go_back(a);
    if ((status = read_text(a, &cancelled)) != OCLM_OK)
        return status;
    if (cancelled) {
        gen_run_end_all(run, OCLM_FINISH_CANCELLED);
        return OCLM_OK;
    }
    if ((status = guess(a, &guesses)) != OCLM_OK || (status = check_guesses(a, guesses)) != OCLM_OK || (status = take(a, guesses, &kept)) != OCLM_OK)
        return status;
    if ((status = gen_run_deliver(run, 0, a->chosen, kept + 1, &taken)) != OCLM_OK)
        return status;
    count_round(a, guesses, kept, taken);
    schedule(a, taken == guesses + 1);
    memcpy(a->text + a->count, a->chosen, taken * sizeof *a->chosen);
    a->count += taken;
    if (a->most > 0 && !a->draft && (status = gen_lookup_add(&a->lookup, a->chosen, taken)) != OCLM_OK)
        return status;
    const oclm_finish_reason reason = gen_run_interrupted(run);
    if (reason != OCLM_FINISH_NONE)
        gen_run_end_all(run, reason);
    return OCLM_OK;
}

const gen_mode gen_mode_assisted = { begin, next, end };
