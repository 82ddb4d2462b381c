/* generate.c: a prompt of ids or of text continued in one call; with text, new ids also go through a token stream on their way. */
#include <math.h>
#include <string.h>

#include "api/api.h"

/* The stream that makes new text sees the end of the prompt first: what a token reads as may depend on what stands before it. */
#define STREAM_CONTEXT 32u

struct oclm_generation {
    int32_t   *prompt;
    size_t     prompt_count;
    gen_run   *run;
    char      *text, *new_text; /* NULL without a tokenizer */
};

const oclm_generate_options api_generate_defaults = {
    .struct_size = sizeof api_generate_defaults, .max_new_tokens = OCLM_UNSET, .max_length = OCLM_UNSET, .min_new_tokens = OCLM_UNSET,
    .min_length = OCLM_UNSET, .max_time = NAN, .pad_token_id = OCLM_NO_TOKEN, .bos_token_id = OCLM_NO_TOKEN, .num_beams = OCLM_UNSET,
    .num_return_sequences = OCLM_UNSET, .length_penalty = NAN, .prefill_chunk_size = OCLM_UNSET, .guidance_scale = NAN,
    .encoder_repetition_penalty = NAN, .repetition_penalty = NAN, .no_repeat_ngram_size = OCLM_UNSET,
    .encoder_no_repeat_ngram_size = OCLM_UNSET, .forced_bos_token_id = OCLM_NO_TOKEN, .exponential_decay_start = OCLM_UNSET,
    .exponential_decay_factor = NAN, .temperature = NAN, .top_h = NAN, .top_k = OCLM_UNSET, .top_p = NAN, .min_p = NAN, .typical_p = NAN,
    .epsilon_cutoff = NAN, .eta_cutoff = NAN, .prompt_lookup_num_tokens = OCLM_UNSET, .max_matching_ngram_size = OCLM_UNSET,
    .num_assistant_tokens = OCLM_UNSET, .assistant_confidence_threshold = NAN, .skip_special_tokens = true,
};

void oclm_generate_options_init(oclm_generate_options *options, size_t struct_size)
{
    api_options_write(&api_generate_defaults, sizeof api_generate_defaults, options, struct_size);
}

/* ---- New ids on their way to the caller ---------------------------------------------------------------------------------- */

typedef struct text_run {
    const oclm_generate_options *options;
    tok_stream                  *stream;
    core_text                    new_text;
    oclm_status                  status; /* why it was stopped, if not by the caller */
} text_run;

static bool pass_text(text_run *run, const char *text, size_t length)
{
    if (length == 0)
        return true;
    if ((run->status = core_text_add(&run->new_text, text, length)) != OCLM_OK)
        return false;
    return !run->options->on_text || run->options->on_text(0, text, length, run->options->user);
}

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    text_run *run = user;
    bool      go_on = true;
    if (run->options->on_tokens)
        go_on = run->options->on_tokens(sequence, ids, count, run->options->user);
    for (size_t i = 0; i < count; i++) { /* also after a stop: text and ids of the result belong together */
        const char *text = "";
        size_t      length = 0;
        if ((run->status = tok_stream_push(run->stream, ids[i], &text, &length)) != OCLM_OK)
            return false;
        if (!pass_text(run, text, length))
            go_on = false;
        if (run->status != OCLM_OK)
            return false;
    }
    return go_on;
}

static bool on_progress(const char *what, uint64_t done, uint64_t total, void *user)
{
    const text_run *run = user;
    return run->options->progress(what, done, total, run->options->user);
}

static oclm_status text_run_begin(text_run *run, const tok_tokenizer *tokenizer, const int32_t *prompt, size_t count)
{
    const char *text;
    size_t      length;
    oclm_status status = tok_stream_new(tokenizer, run->options->skip_special_tokens, &run->stream);
    for (size_t i = count > STREAM_CONTEXT ? count - STREAM_CONTEXT : 0; i < count && status == OCLM_OK; i++)
        status = tok_stream_push(run->stream, prompt[i], &text, &length);
    return status;
}

static oclm_status text_run_end(text_run *run, const tok_tokenizer *tokenizer, oclm_generation *made)
{
    core_text   whole = CORE_TEXT_INIT;
    tok_ids     ids = TOK_IDS_INIT;
    const char *text = "";
    size_t      length = 0;
    oclm_status status;
    if ((status = tok_stream_flush(run->stream, &text, &length)) != OCLM_OK)
        return status;
    (void)pass_text(run, text, length); /* the last piece: there is nothing left to stop */
    status = run->status;
    for (size_t i = 0; i < made->prompt_count && status == OCLM_OK; i++)
        status = tok_ids_add(&ids, made->prompt[i]);
    for (size_t i = 0; i < made->run->sequences[0].count && status == OCLM_OK; i++)
        status = tok_ids_add(&ids, made->run->sequences[0].ids[i]);
    if (status == OCLM_OK)
        status = tok_decode(tokenizer, ids.data, ids.count, run->options->skip_special_tokens, &whole);
    if (status == OCLM_OK && (!(made->text = core_text_take(&whole, NULL)) ||
                              !(made->new_text = core_text_take(&run->new_text, NULL))))
        status = OCLM_ERR_MEMORY;
    tok_ids_free(&ids);
    core_text_free(&whole);
    return status;
}

/* ---- One call -------------------------------------------------------------------------------------------------------------- */

oclm_status api_generate(const oclm_model *model, const oclm_tokenizer *tokenizer, int32_t *prompt, size_t count,
                         const oclm_generate_options *options, gen_place *place, oclm_generation **generation)
{
    text_run         run = { .options = options, .status = OCLM_OK };
    gen_hooks        hooks = { .on_tokens = options->on_tokens, .on_stopping = options->on_stopping, .progress = options->progress,
                               .user = options->user, .cancel = options->cancel };
    oclm_generation *made = core_alloc_zero(1, sizeof *made, "a generation");
    const gen_call   call = { .defaults = &model->defaults, .assistant = options->assistant_model ? &options->assistant_model->defaults : NULL,
                              .options = options, .architecture = &model->inside->architecture, .has_tokenizer = tokenizer != NULL,
                              .prompt_length = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count, .prompt_count = 1 };
    gen_config       config;
    oclm_status      status = OCLM_ERR_MEMORY;
    gen_config_init(&config);
    if (!made) {
        core_free(prompt);
        return status;
    }
    made->prompt = prompt;
    made->prompt_count = count;
    if ((status = gen_config_resolve(&call, &config)) != OCLM_OK)
        goto done;
    if (config.mode != GEN_MODE_ROWS) {
        status = core_fail(OCLM_ERR_UNSUPPORTED, "num_beams is %u: this version has neither beam search nor assisted decoding; set num_beams to 1", config.num_beams);
        goto done;
    }
    if ((status = api_check_ids(model, prompt, count)) != OCLM_OK)
        goto done;
    if (place && config.limit > place->state->max_positions) {
        config.limit = place->state->max_positions;
        if (count >= config.limit) {
            status = core_fail(OCLM_ERR_CAPACITY, "the prompt has %zu ids, and the session has room for %u positions, new ones among them: open "
                               "one with more max_positions, or shorten the prompt", count, config.limit);
            goto done;
        }
    }
    if (tokenizer) {
        if ((status = text_run_begin(&run, tokenizer->inside, prompt, count)) != OCLM_OK)
            goto done;
        hooks.on_tokens = on_tokens;
        hooks.progress = options->progress ? on_progress : NULL;
        hooks.user = &run;
    }
    const gen_prompt one = { prompt, (uint32_t)count };
    if ((status = gen_run_new(model->inside, NULL, &one, 1, &config, &hooks, place, NULL, &made->run)) != OCLM_OK)
        goto done;
    for (bool more = true; more && status == OCLM_OK;)
        status = gen_run_next(made->run, &more);
    if (status != OCLM_OK)
        goto done;
    if ((status = run.status) == OCLM_OK && tokenizer)
        status = text_run_end(&run, tokenizer->inside, made);
    if (status != OCLM_OK)
        goto done;
    *generation = made;
    made = NULL;
done:
    gen_config_free(&config);
    tok_stream_free(run.stream);
    core_text_free(&run.new_text);
    oclm_generation_free(made);
    return status;
}

oclm_status oclm_generate(const oclm_model *model, const int32_t *ids, size_t count, const oclm_generate_options *options,
                          oclm_generation **generation)
{
    oclm_generate_options mine = api_generate_defaults;
    int32_t              *prompt;
    size_t                bytes;
    oclm_status           status;
    if (!generation)
        return api_missing("oclm_generate", "generation");
    *generation = NULL;
    if (!model || (!ids && count > 0))
        return api_missing("oclm_generate", model ? "ids" : "model");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_generate_options")) != OCLM_OK)
        return status;
    if (mine.on_text)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_generate: on_text is set, but text needs a tokenizer; use oclm_generate_text(), or "
                         "on_tokens with an oclm_token_stream");
    if (!core_mul_size(count, sizeof *ids, &bytes))
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_generate: count is %zu, more ids than memory can hold", count);
    if (!(prompt = core_copy(ids, bytes, "the prompt")))
        return OCLM_ERR_MEMORY;
    return api_generate(model, NULL, prompt, count, &mine, NULL, generation);
}

oclm_status oclm_generate_text(const oclm_model *model, const oclm_tokenizer *tokenizer, const char *prompt,
                               const oclm_generate_options *options, oclm_generation **generation)
{
    oclm_generate_options mine = api_generate_defaults;
    tok_ids               ids = TOK_IDS_INIT;
    oclm_status           status;
    if (!generation)
        return api_missing("oclm_generate_text", "generation");
    *generation = NULL;
    if (!model || !tokenizer || !prompt)
        return api_missing("oclm_generate_text", !model ? "model" : !tokenizer ? "tokenizer" : "prompt");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_generate_options")) != OCLM_OK)
        return status;
    if ((status = tok_encode(tokenizer->inside, prompt, strlen(prompt), true, &ids)) != OCLM_OK) {
        tok_ids_free(&ids);
        return status;
    }
    return api_generate(model, tokenizer, ids.data, ids.count, &mine, NULL, generation);
}

/* ---- The result ------------------------------------------------------------------------------------------------------------ */

void oclm_generation_free(oclm_generation *generation)
{
    if (!generation)
        return;
    core_free(generation->prompt);
    gen_run_free(generation->run);
    core_free(generation->text);
    core_free(generation->new_text);
    core_free(generation);
}

size_t oclm_generation_count(const oclm_generation *generation)
{
    return generation ? 1 : 0;
}

const int32_t *oclm_generation_ids(const oclm_generation *generation, size_t sequence, size_t *count)
{
    const bool there = sequence < oclm_generation_count(generation);
    if (count)
        *count = there ? generation->run->sequences[sequence].count : 0;
    return there ? generation->run->sequences[sequence].ids : NULL;
}

const int32_t *oclm_generation_prompt_ids(const oclm_generation *generation, size_t *count)
{
    if (count)
        *count = generation ? generation->prompt_count : 0;
    return generation ? generation->prompt : NULL;
}

const char *oclm_generation_text(const oclm_generation *generation, size_t sequence)
{
    return sequence < oclm_generation_count(generation) ? generation->text : NULL;
}

const char *oclm_generation_new_text(const oclm_generation *generation, size_t sequence)
{
    return sequence < oclm_generation_count(generation) ? generation->new_text : NULL;
}

oclm_finish_reason oclm_generation_finish_reason(const oclm_generation *generation, size_t sequence)
{
    return sequence < oclm_generation_count(generation) ? generation->run->sequences[sequence].finish_reason : OCLM_FINISH_LENGTH;
}

void oclm_generation_get_timing(const oclm_generation *generation, oclm_timing *timing)
{
    if (generation && api_result_check(timing, sizeof *timing, "oclm_timing") == OCLM_OK)
        api_result_write(&generation->run->timing, sizeof *timing, timing);
}
