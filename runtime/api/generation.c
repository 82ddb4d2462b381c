/* generation.c: from a checked call to a run, and from the run's hooks to the caller's. */
#include "api/generation.h"

#include <string.h>

/* ---- The caller's functions */

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    oclm_generation *g = user;
    bool             go_on = true;
    if (g->options.on_tokens != NULL)
        go_on = g->options.on_tokens(sequence, ids, count, g->options.user);
    if (g->texts != NULL)
        go_on = api_texts_push(g, sequence, ids, count) && go_on;
    return go_on;
}

static bool on_allowed(size_t prompt, const int32_t *ids, size_t count, const int32_t **allowed, size_t *count_allowed, void *user)
{
    const oclm_generation *g = user;
    return g->options.on_allowed(prompt, ids, count, allowed, count_allowed, g->options.user);
}

static bool on_logits(size_t row, const int32_t *ids, size_t count, float *scores, size_t vocab_size, void *user)
{
    const oclm_generation *g = user;
    return g->options.on_logits(row, ids, count, scores, vocab_size, g->options.user);
}

static bool on_stopping(size_t row, const int32_t *ids, size_t count, void *user)
{
    const oclm_generation *g = user;
    return g->options.on_stopping(row, ids, count, g->options.user);
}

static bool on_progress(const char *what, uint64_t done, uint64_t total, void *user)
{
    const oclm_generation *g = user;
    return g->options.progress(what, done, total, g->options.user);
}

/* Hooks that go to the caller's functions, as far as there are any. */
static gen_hooks hooks_of(oclm_generation *g)
{
    const oclm_generate_options *o = &g->options;
    const gen_hooks hooks = {
        .on_tokens = o->on_tokens != NULL || g->tokenizer != NULL ? on_tokens : NULL, .on_allowed = o->on_allowed != NULL ? on_allowed : NULL,
        .on_logits = o->on_logits != NULL ? on_logits : NULL, .on_stopping = o->on_stopping != NULL ? on_stopping : NULL,
        .progress = o->progress != NULL ? on_progress : NULL, .user = g, .cancel = o->cancel,
        .scores_buffer = o->scores_buffer, .logits_buffer = o->logits_buffer,
    };
    return hooks;
}

/* ---- Checking */

static uint32_t longest_of(const api_call *call)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < call->count; i++)
        longest = call->prompts[i].count > longest ? call->prompts[i].count : longest;
    return longest;
}

static oclm_status check_prompts(const api_call *call)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < call->count && status == OCLM_OK; i++) {
        if (call->prompts[i].count == 0 && call->count > 1)
            return core_fail(OCLM_ERR_ARGUMENT, "%s: prompt %u of %u is empty: generation needs at least one token to go on from", call->function, i,
                             call->count);
        if ((status = api_check_ids(call->model, call->prompts[i].ids, call->prompts[i].count)) == OCLM_ERR_ARGUMENT && call->count > 1) {
            char why[512];
            strncpy(why, oclm_last_error(), sizeof why - 1);
            why[sizeof why - 1] = '\0';
            status = core_fail(OCLM_ERR_ARGUMENT, "%s: prompt %u of %u: %s", call->function, i, call->count, why);
        }
    }
    return status;
}

/* A place is one sequence, and no longer than it is. */
static oclm_status fit_place(const api_call *call, gen_config *config)
{
    const uint32_t count = call->prompts[0].count, room = call->place->state->max_positions;
    if (config->num_return_sequences > 1)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: num_return_sequences is %u, but a session goes on with one sequence; set it to 1, or call "
                         "oclm_generate()", call->function, config->num_return_sequences);
    if (gen_is_guided(config))
        return core_fail(OCLM_ERR_ARGUMENT, "%s: guidance_scale is %g, but a session goes on with one sequence, and guidance needs a second beside it; "
                         "set it to 1, or call oclm_generate()", call->function, config->guidance_scale);
    if (config->limit <= room)
        return OCLM_OK;
    config->limit = room;
    return count < room ? OCLM_OK
                        : core_fail(OCLM_ERR_CAPACITY, "the prompt has %u ids, and the session has room for %u positions, new ones among them: open "
                                    "one with more max_positions, or shorten the prompt", count, room);
}

/* ---- Making */

static oclm_status make_run(const api_call *call, gen_config *config, oclm_generation *g)
{
    const gen_hooks hooks = hooks_of(g);
    const size_t    sequences = (size_t)call->count * config->num_return_sequences;
    oclm_status     status = OCLM_OK;
    if (sequences > MODEL_MAX_SEQUENCES)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: %u prompts with num_return_sequences %u are %zu rows; %u are possible at once", call->function,
                         call->count, config->num_return_sequences, sequences, MODEL_MAX_SEQUENCES);
    if (config->stop_string_count > 0)
        status = gen_stop_strings_new(call->tokenizer->inside, (const char *const *)config->stop_strings, config->stop_string_count, &g->stop);
    if (status == OCLM_OK)
        status = gen_run_new(call->model->inside, call->options->assistant_model != NULL ? call->options->assistant_model->inside : NULL,
                             call->prompts, call->count, config, &hooks, call->place, g->stop, &g->run);
    if (status != OCLM_OK)
        return status;
    g->told = core_alloc_zero(sequences, sizeof *g->told, "what was handed out");
    g->told_text = core_alloc_zero(sequences, sizeof *g->told_text, "what was handed out");
    return g->told != NULL && g->told_text != NULL ? api_texts_begin(g) : OCLM_ERR_MEMORY;
}

static gen_call asked_of(const api_call *call)
{
    const oclm_model *assistant = call->options->assistant_model;
    const gen_call    asked = { .defaults = &call->model->defaults, .assistant = assistant != NULL ? &assistant->defaults : NULL,
                                .options = call->options, .architecture = &call->model->inside->architecture, .prompt_length = longest_of(call),
                                .prompt_count = call->count, .has_tokenizer = call->tokenizer != NULL };
    return asked;
}

/* Where no prompt is given, its place takes the token that texts begin with. */
static oclm_status begin_without_prompt(const api_call *call, oclm_generation **generation)
{
    const gen_call    asked = asked_of(call);
    int32_t           bos;
    const gen_prompt  prompt = { &bos, 1 };
    api_call          mine = *call;
    const oclm_status status = gen_call_bos(&asked, &bos);
    mine.prompts = &prompt;
    return status == OCLM_OK ? api_generation_new(&mine, generation) : status;
}

oclm_status api_generation_new(const api_call *call, oclm_generation **generation)
{
    const gen_call   asked = asked_of(call);
    oclm_generation *g;
    gen_config       config;
    oclm_status      status;
    *generation = NULL;
    if (call->count == 1 && call->prompts[0].ids == NULL && call->place == NULL)
        return begin_without_prompt(call, generation);
    if ((g = core_alloc_zero(1, sizeof *g, "a generation")) == NULL)
        return OCLM_ERR_MEMORY;
    gen_config_init(&config);
    g->model = call->model;
    g->tokenizer = call->tokenizer;
    g->options = *call->options;
    if ((status = gen_config_resolve(&asked, &config)) == OCLM_OK)
        status = check_prompts(call);
    if (status == OCLM_OK && config.token_healing) {
        gen_config_free(&config);
        oclm_generation_free(g);
        return api_generation_new_healed(call, generation);
    }
    if (status == OCLM_OK && (call->place == NULL || (status = fit_place(call, &config)) == OCLM_OK))
        status = make_run(call, &config, g);
    gen_config_free(&config);
    if (status == OCLM_OK)
        *generation = g;
    else
        oclm_generation_free(g);
    return status;
}

void oclm_generation_free(oclm_generation *g)
{
    if (g == NULL)
        return;
    api_texts_free(g);
    gen_run_free(g->run);
    gen_stop_strings_free(g->stop);
    core_free(g->told);
    core_free(g->told_text);
    core_free(g);
}

/* ---- Going on */

oclm_status api_generation_next(oclm_generation *g, bool *more)
{
    oclm_status status = gen_run_next(g->run, more);
    if (status == OCLM_OK)
        status = g->status;
    if (status == OCLM_OK && g->run->mode == NULL)
        status = api_texts_end(g);
    return status;
}

oclm_status api_generation_finish(oclm_generation **generation)
{
    oclm_status status = OCLM_OK;
    for (bool more = true; more && status == OCLM_OK;)
        status = api_generation_next(*generation, &more);
    if (status != OCLM_OK) {
        oclm_generation_free(*generation);
        *generation = NULL;
    }
    return status;
}

oclm_status api_generate(const api_call *call, oclm_generation **generation)
{
    const oclm_status status = api_generation_new(call, generation);
    return status == OCLM_OK ? api_generation_finish(generation) : status;
}
