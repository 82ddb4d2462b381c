/* generate.c: the calls that generate: from ids, from text, from several prompts, to the end or for callers who pull. */
#include <math.h>
#include <string.h>

#include "api/generation.h"

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

/* What all calls with ids check first, and their options. */
static oclm_status read_call(api_call *call, const oclm_generate_options *options, oclm_generate_options *mine)
{
    oclm_status status;
    *mine = api_generate_defaults;
    if ((status = api_options_read(options, mine, sizeof *mine, "oclm_generate_options")) != OCLM_OK)
        return status;
    call->options = mine;
    if (mine->on_text && !call->tokenizer)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: on_text is set, but text needs a tokenizer; use oclm_generate_text(), or on_tokens with an "
                         "oclm_token_stream", call->function);
    return OCLM_OK;
}

static oclm_status read_prompt(const char *function, const int32_t *ids, size_t count, gen_prompt *prompt)
{
    if (count > MODEL_MAX_POSITIONS)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: a prompt of %zu ids; %u are possible", function, count, MODEL_MAX_POSITIONS);
    *prompt = (gen_prompt){ ids, (uint32_t)count };
    return OCLM_OK;
}

oclm_status oclm_generate(const oclm_model *model, const int32_t *ids, size_t count, const oclm_generate_options *options,
                          oclm_generation **generation)
{
    gen_prompt            prompt;
    api_call              call = { .function = "oclm_generate", .model = model, .prompts = &prompt, .count = 1 };
    oclm_generate_options mine;
    oclm_status           status;
    if (!generation)
        return api_missing("oclm_generate", "generation");
    *generation = NULL;
    if (!model || (!ids && count > 0))
        return api_missing("oclm_generate", model ? "ids" : "model");
    if ((status = read_call(&call, options, &mine)) != OCLM_OK || (status = read_prompt("oclm_generate", ids, count, &prompt)) != OCLM_OK)
        return status;
    return api_generate(&call, generation);
}

oclm_status oclm_generate_text(const oclm_model *model, const oclm_tokenizer *tokenizer, const char *prompt,
                               const oclm_generate_options *options, oclm_generation **generation)
{
    gen_prompt            one;
    api_call              call = { .function = "oclm_generate_text", .model = model, .tokenizer = tokenizer, .prompts = &one, .count = 1 };
    oclm_generate_options mine;
    tok_ids               ids = TOK_IDS_INIT;
    const int32_t         nothing = 0; /* a prompt that is empty is one that was given */
    oclm_status           status;
    if (!generation)
        return api_missing("oclm_generate_text", "generation");
    *generation = NULL;
    if (!model || !tokenizer || !prompt)
        return api_missing("oclm_generate_text", !model ? "model" : !tokenizer ? "tokenizer" : "prompt");
    if ((status = read_call(&call, options, &mine)) == OCLM_OK &&
        (status = tok_encode(tokenizer->inside, prompt, strlen(prompt), true, &ids)) == OCLM_OK &&
        (status = read_prompt("oclm_generate_text", ids.data != NULL ? ids.data : &nothing, ids.count, &one)) == OCLM_OK)
        status = api_generate(&call, generation);
    tok_ids_free(&ids);
    return status;
}

/* Several prompts: to the end, or not begun. */
static oclm_status generate_several(const char *function, const oclm_model *model, const oclm_tokenizer *tokenizer, const oclm_token_ids *prompts,
                                    size_t count, const oclm_generate_options *options, bool to_the_end, oclm_generation **generation)
{
    api_call              call = { .function = function, .model = model, .tokenizer = tokenizer, .count = (uint32_t)count };
    oclm_generate_options mine;
    gen_prompt           *list;
    oclm_status           status;
    if (!generation)
        return api_missing(function, "generation");
    *generation = NULL;
    if (!model || !prompts)
        return api_missing(function, model ? "prompts" : "model");
    if ((status = read_call(&call, options, &mine)) != OCLM_OK)
        return status;
    if (count < 1 || count > MODEL_MAX_SEQUENCES)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: %zu prompts; 1 to %u are possible at once", function, count, MODEL_MAX_SEQUENCES);
    if (!(list = core_alloc_array(count, sizeof *list, "the prompts")))
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        if (!prompts[i].ids && prompts[i].count > 0)
            status = core_fail(OCLM_ERR_ARGUMENT, "%s: ids of prompt %zu must not be NULL", function, i);
        else
            status = read_prompt(function, prompts[i].ids, prompts[i].count, &list[i]);
    }
    call.prompts = list;
    if (status == OCLM_OK)
        status = to_the_end ? api_generate(&call, generation) : api_generation_new(&call, generation);
    core_free(list);
    return status;
}

oclm_status oclm_generate_batch(const oclm_model *model, const oclm_tokenizer *tokenizer, const oclm_token_ids *prompts, size_t count,
                                const oclm_generate_options *options, oclm_generation **generation)
{
    return generate_several("oclm_generate_batch", model, tokenizer, prompts, count, options, true, generation);
}

oclm_status oclm_generation_begin(const oclm_model *model, const oclm_tokenizer *tokenizer, const oclm_token_ids *prompts, size_t count,
                                  const oclm_generate_options *options, oclm_generation **generation)
{
    return generate_several("oclm_generation_begin", model, tokenizer, prompts, count, options, false, generation);
}
