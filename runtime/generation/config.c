/* config.c: decides what one call asks for: lengths, ends, mode, processors. The values come merged (config_merge.c) and checked one by one
 * (config_check.c); here is what depends on several of them, and on the prompt.
 *
 * The rules are transformers 5's, GenerationConfig and generate(): max_new_tokens beats max_length wherever either comes from; what
 * transformers warns about is a warning here, what it raises is an error. */
#include "generation/config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/log.h"
#include "generation/config_lists.h"

#define DEFAULT_NEW_TOKENS 20u

void gen_config_init(gen_config *config)
{
    *config = (gen_config){
        .max_time = INFINITY, .fill_token_id = -1, .num_beams = 1, .num_return_sequences = 1, .early_stopping = OCLM_EARLY_STOPPING_OFF,
        .length_penalty = 1.0f, .guidance_scale = 1.0f, .encoder_repetition_penalty = 1.0f, .repetition_penalty = 1.0f,
        .forced_bos_token_id = -1, .exponential_decay_start = OCLM_UNSET, .exponential_decay_factor = 1.0f, .temperature = 1.0f,
        .top_h = NAN, .top_p = 1.0f, .min_p = NAN, .typical_p = 1.0f, .min_keep = 1,
    };
}

void gen_config_free(gen_config *config)
{
    core_free(config->stop_strings); /* each list is one block */
    core_free(config->negative_prompt.ids);
    core_free(config->sequence_bias);
    core_free(config->bad_words);
    core_free(config->forced_eos.ids);
    core_free(config->suppress_tokens.ids);
    core_free(config->begin_suppress_tokens.ids);
    gen_config_init(config);
}

bool gen_is_eos(const gen_config *config, int32_t id)
{
    for (uint32_t i = 0; i < config->eos_token_count; i++)
        if (config->eos_token_ids[i] == id)
            return true;
    return false;
}

/* ---- Lengths ---------------------------------------------------------------------------------------------------------------------- */

/* The length limit. A table of learned positions ends; rotary positions go on, and what a model makes of more than it was
 * trained on is its own affair, in transformers too: a warning. */
static oclm_status resolve_limit(const gen_merged *merged, gen_config *config)
{
    const model_architecture *architecture = merged->call->architecture;
    const uint32_t prompt = merged->call->prompt_length, trained = architecture->max_position_embeddings;
    const uint32_t room = architecture->position == MODEL_POSITION_LEARNED ? trained : MODEL_MAX_POSITIONS;
    const uint32_t max_new = merged->value.max_new_tokens, max_length = merged->value.max_length;
    char           from[96];
    uint64_t       limit;
    if (prompt == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "the prompt is empty: generation needs at least one token to go on from");
    if (prompt >= room)
        return core_fail(OCLM_ERR_ARGUMENT, "the prompt has %u tokens and leaves no room: the model allows %u positions%s, "
                         "prompt and new tokens together; shorten the prompt", prompt, room,
                         room == trained ? " (max_position_embeddings)" : "");
    if (max_new != OCLM_UNSET) {
        limit = (uint64_t)prompt + max_new;
        if (max_length != OCLM_UNSET) {
            const bool replaced = GEN_SOURCE(merged, max_new_tokens) == GEN_FROM_CALL && GEN_SOURCE(merged, max_length) != GEN_FROM_CALL; /* as meant */
            core_log(replaced ? OCLM_LOG_INFO : OCLM_LOG_WARNING,
                     "both max_new_tokens (=%u)%s and max_length (=%u) are set: max_new_tokens counts", max_new,
                     GEN_ORIGIN(merged, max_new_tokens, from), max_length);
        }
    } else if (max_length != OCLM_UNSET) {
        limit = max_length;
    } else {
        limit = (uint64_t)prompt + DEFAULT_NEW_TOKENS;
        if (limit > trained && trained > prompt)
            limit = trained;
        core_log(OCLM_LOG_WARNING, "neither max_new_tokens nor max_length is set: at most %u new tokens, the default of "
                 "transformers", DEFAULT_NEW_TOKENS);
    }
    if (prompt >= limit)
        return core_fail(OCLM_ERR_ARGUMENT, "the prompt has %u tokens, but max_length%s is %u, which counts the prompt too; "
                         "raise max_length or set max_new_tokens instead", prompt, GEN_ORIGIN(merged, max_length, from), max_length);
    if (limit > trained) {
        core_log(OCLM_LOG_WARNING, "%u prompt tokens and %" PRIu64 " new ones need %" PRIu64 " positions, but the model was made for %u "
                 "(max_position_embeddings): %s", prompt, limit - prompt, limit, trained,
                 limit > room ? "generation ends there" : "expect nonsense beyond");
        limit = limit > room ? room : limit;
    }
    config->limit = (uint32_t)limit;
    return OCLM_OK;
}

/* In transformers min_new_tokens replaces min_length by prompt + min_new_tokens: one number says both. */
static void resolve_minimum(const gen_merged *merged, gen_config *config)
{
    const uint32_t prompt = config->prompt_length, min_new = merged->value.min_new_tokens, min_length = merged->value.min_length;
    const uint32_t wanted = min_new != OCLM_UNSET ? min_new : min_length > prompt ? min_length - prompt : 0;
    if (min_new != OCLM_UNSET && GEN_SOURCE(merged, min_length) != GEN_FROM_NOBODY) {
        const bool replaced = GEN_SOURCE(merged, min_new_tokens) == GEN_FROM_CALL && GEN_SOURCE(merged, min_length) != GEN_FROM_CALL;
        core_log(replaced ? OCLM_LOG_INFO : OCLM_LOG_WARNING, "both min_new_tokens (=%u) and min_length (=%u) are set: min_new_tokens counts", min_new,
                 min_length);
    }
    if (wanted > config->limit - prompt)
        core_log(OCLM_LOG_WARNING, "at least %u new tokens are asked for, but the length limit leaves %u", wanted, config->limit - prompt);
    config->min_new_tokens = config->eos_token_count > 0 ? wanted : 0;
    config->min_length = config->min_new_tokens > 0 ? prompt + config->min_new_tokens : 0;
}

/* ---- Special tokens --------------------------------------------------------------------------------------------------------------- */

static oclm_status resolve_eos(const gen_merged *merged, gen_config *config)
{
    const int32_t *ids = merged->value.eos_token_ids;
    const size_t   count = merged->value.eos_token_count;
    const uint32_t vocab = merged->call->architecture->vocab_size;
    const bool     call = GEN_SOURCE(merged, eos_token_ids) == GEN_FROM_CALL;
    char           from[96];
    if (count > OCLM_MAX_EOS_TOKENS)
        return core_fail(OCLM_ERR_ARGUMENT, "eos_token_id lists %zu ids; at most %d are possible", count, OCLM_MAX_EOS_TOKENS);
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= 0 && (uint32_t)ids[i] < vocab)
            config->eos_token_ids[config->eos_token_count++] = ids[i];
        else if (call)
            return core_fail(OCLM_ERR_ARGUMENT, "eos_token_id %d is outside the vocabulary: ids are 0 to %u", (int)ids[i],
                             vocab - 1);
        else
            core_log(OCLM_LOG_WARNING, "eos_token_id %d%s is outside the vocabulary of %u: generation does not stop at it",
                     (int)ids[i], GEN_ORIGIN(merged, eos_token_ids, from), vocab);
    }
    return OCLM_OK;
}

/* One token of the call or a file, OCLM_NO_TOKEN where there is none. A file's that is outside the vocabulary is an error where `strict`. */
static oclm_status resolve_token(const gen_merged *merged, size_t offset, bool strict, int32_t *token)
{
    const gen_field *field = gen_field_at(offset);
    const double     number = gen_field_number(field, &merged->value);
    const uint32_t   vocab = merged->call->architecture->vocab_size;
    char             from[96];
    *token = isnan(number) ? OCLM_NO_TOKEN : (int32_t)number;
    if (*token < 0 || (uint32_t)*token < vocab)
        return OCLM_OK;
    if (strict || gen_source_of(merged, offset) == GEN_FROM_CALL)
        return core_fail(OCLM_ERR_ARGUMENT, "%s %d%s is outside the vocabulary: ids are 0 to %u", field->name, (int)*token,
                         gen_origin_of(merged, offset, from), vocab - 1);
    *token = OCLM_NO_TOKEN; /* a pad_token of the tokenizer's that the model has no row for, as is common: nothing but padding needs it */
    return OCLM_OK;
}

/* What shorter rows are filled with: transformers takes a pad_token_id of 0 for none where beams end, and only there. */
static oclm_status resolve_pad(const gen_merged *merged, gen_config *config)
{
    const int32_t first = config->eos_token_count > 0 ? config->eos_token_ids[0] : OCLM_NO_TOKEN;
    int32_t       pad;
    oclm_status   status = resolve_token(merged, offsetof(oclm_generate_options, pad_token_id), false, &pad);
    if (pad == OCLM_NO_TOKEN)
        pad = first;
    config->pad_token_id = pad == OCLM_NO_TOKEN ? 0 : pad;
    config->fill_token_id = first == OCLM_NO_TOKEN ? -1 : pad > 0 ? pad : first;
    return status;
}

static bool is_among(int32_t id, const gen_ids *ids)
{
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->ids[i] == id)
            return true;
    return false;
}

/* Where every token that is forced is suppressed too, nothing is left to choose. */
static oclm_status check_forced(const gen_config *config, int32_t forced_bos)
{
    uint32_t suppressed = 0;
    if (forced_bos != OCLM_NO_TOKEN && is_among(forced_bos, &config->suppress_tokens))
        return core_fail(OCLM_ERR_ARGUMENT, "forced_bos_token_id %d is also in suppress_tokens, so that no token is left; remove it from one of them",
                         (int)forced_bos);
    for (uint32_t i = 0; i < config->forced_eos.count; i++)
        suppressed += is_among(config->forced_eos.ids[i], &config->suppress_tokens);
    if (config->forced_eos.count > 0 && suppressed == config->forced_eos.count)
        return core_fail(OCLM_ERR_ARGUMENT, "every token of forced_eos_token_id (the first is %d) is also in suppress_tokens, so that no token is left; "
                         "remove it from one of them, or use min_new_tokens against an early end", (int)config->forced_eos.ids[0]);
    return OCLM_OK;
}

/* ---- Scores ----------------------------------------------------------------------------------------------------------------------- */

/* What was checked and is one number. */
static void copy_numbers(const oclm_generate_options *o, gen_config *config)
{
    config->max_time = o->max_time;
    config->do_sample = o->do_sample == OCLM_SWITCH_ON;
    config->num_beams = o->num_beams;
    config->num_return_sequences = o->num_return_sequences;
    config->early_stopping = o->early_stopping;
    config->length_penalty = o->length_penalty;
    config->prefill_chunk_size = o->prefill_chunk_size == OCLM_UNSET ? 0 : o->prefill_chunk_size;
    config->guidance_scale = o->guidance_scale;
    config->encoder_repetition_penalty = o->encoder_repetition_penalty;
    config->repetition_penalty = o->repetition_penalty;
    config->no_repeat_ngram_size = o->no_repeat_ngram_size;
    config->encoder_no_repeat_ngram_size = o->encoder_no_repeat_ngram_size;
    config->remove_invalid_values = o->remove_invalid_values == OCLM_SWITCH_ON;
    config->temperature = o->temperature;
    config->top_h = o->top_h;
    config->top_k = o->top_k;
    config->top_p = o->top_p;
    config->min_p = o->min_p > 0 ? o->min_p : NAN; /* 0 takes nothing away */
    config->typical_p = o->typical_p;
    config->epsilon_cutoff = o->epsilon_cutoff;
    config->eta_cutoff = o->eta_cutoff;
    config->renormalize_logits = o->renormalize_logits == OCLM_SWITCH_ON;
    config->seed = o->seed;
    config->token_healing = o->token_healing == OCLM_SWITCH_ON;
    config->output_scores = o->output_scores;
    config->output_logits = o->output_logits;
}

static oclm_status resolve_scores(const gen_merged *merged, gen_config *config)
{
    const oclm_generate_options *o = &merged->value;
    int32_t     forced_bos;
    oclm_status status;
    char        from[96];
    if ((status = resolve_token(merged, offsetof(oclm_generate_options, forced_bos_token_id), true, &forced_bos)) != OCLM_OK ||
        (status = gen_config_copy_lists(merged, config)) != OCLM_OK || (status = check_forced(config, forced_bos)) != OCLM_OK)
        return status;
    if (config->prompt_length == 1)
        config->forced_bos_token_id = forced_bos; /* elsewhere its turn never comes */
    config->begin_suppress_length = config->prompt_length + (config->forced_bos_token_id != OCLM_NO_TOKEN);
    if (o->exponential_decay_start != OCLM_UNSET && o->exponential_decay_factor != 1.0f) {
        if (config->eos_token_count == 0)
            return core_fail(OCLM_ERR_ARGUMENT, "exponential_decay_length_penalty%s makes end-of-sequence tokens likelier, but there is none: set "
                             "eos_token_id", GEN_ORIGIN(merged, exponential_decay_start, from));
        config->exponential_decay_start = o->exponential_decay_start;
        config->exponential_decay_factor = o->exponential_decay_factor;
    }
    if (config->do_sample && config->num_beams > 1)
        config->min_keep = config->eos_token_count > 0 ? config->eos_token_count + 1 : 2; /* so that a beam can go on */
    return OCLM_OK;
}

/* ---- Mode ------------------------------------------------------------------------------------------------------------------------- */

static bool is_stateful(const model_architecture *architecture)
{
    for (uint32_t i = 0; i < architecture->layers; i++)
        if (architecture->layer[i].mixer != MODEL_MIXER_ATTENTION)
            return true;
    return false;
}

static oclm_status resolve_assisted(const gen_merged *merged, gen_config *config)
{
    const oclm_generate_options *o = &merged->value;
    const bool                   lookup = o->prompt_lookup_num_tokens != OCLM_UNSET;
    char                         from[96];
    const char                  *what = lookup ? "prompt_lookup_num_tokens" : "assistant_model";
    const char                  *origin = lookup ? GEN_ORIGIN(merged, prompt_lookup_num_tokens, from) : "";
    if (!lookup && !o->assistant_model)
        return OCLM_OK;
    if (config->num_beams > 1) {
        core_log(OCLM_LOG_WARNING, "%s%s has no effect with num_beams above 1", what, origin);
        return OCLM_OK;
    }
    if (config->num_return_sequences > 1)
        return core_fail(OCLM_ERR_ARGUMENT, "num_return_sequences is %u%s; with %s it must be 1", config->num_return_sequences,
                         GEN_ORIGIN(merged, num_return_sequences, from), what);
    if (merged->call->prompt_count > 1)
        return core_fail(OCLM_ERR_ARGUMENT, "%s%s goes with one prompt, but there are %u; give them one by one", what, origin,
                         merged->call->prompt_count);
    if (is_stateful(merged->call->architecture))
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s%s: this model (%s) keeps a state that cannot go back to before a wrong guess", what, origin,
                         merged->call->architecture->model_type);
    if (lookup && o->assistant_model)
        core_log(OCLM_LOG_WARNING, "assistant_model has no effect beside prompt_lookup_num_tokens");
    config->mode = GEN_MODE_ASSISTED;
    if (lookup) {
        config->prompt_lookup_num_tokens = o->prompt_lookup_num_tokens;
        config->max_matching_ngram_size = o->max_matching_ngram_size;
    } else {
        config->num_assistant_tokens = o->num_assistant_tokens;
        config->num_assistant_tokens_schedule = o->num_assistant_tokens_schedule;
        config->assistant_confidence_threshold = o->assistant_confidence_threshold;
    }
    return OCLM_OK;
}

static oclm_status resolve_cache(const gen_merged *merged, gen_config *config)
{
    const char *name = merged->value.cache_implementation;
    char        from[96];
    if (!name)
        return OCLM_OK;
    if (!gen_cache_check(name))
        return OCLM_ERR_ARGUMENT;
    config->quantized_cache = strcmp(name, "quantized") == 0;
    if (config->quantized_cache && merged->value.use_cache == OCLM_SWITCH_OFF) {
        core_log(OCLM_LOG_WARNING, "cache_implementation (=%s)%s has no effect without use_cache", name, GEN_ORIGIN(merged, cache_implementation, from));
        config->quantized_cache = false;
    }
    return OCLM_OK;
}

static oclm_status resolve_mode(const gen_merged *merged, gen_config *config)
{
    oclm_status status;
    char        from[96];
    config->mode = config->num_beams > 1 ? GEN_MODE_BEAMS : GEN_MODE_ROWS;
    if ((status = resolve_assisted(merged, config)) != OCLM_OK || (status = gen_check_refused(merged, config->mode)) != OCLM_OK ||
        (status = resolve_cache(merged, config)) != OCLM_OK)
        return status;
    if (config->token_healing && !merged->call->has_tokenizer)
        return core_fail(OCLM_ERR_ARGUMENT, "token_healing%s needs a tokenizer, since it is about text", GEN_ORIGIN(merged, token_healing, from));
    return OCLM_OK;
}

oclm_status gen_config_resolve(const gen_call *call, gen_config *config)
{
    gen_merged  merged;
    oclm_status status;
    gen_config_init(config);
    config->prompt_length = call->prompt_length;
    if ((status = gen_merge(call, &merged)) != OCLM_OK || (status = gen_check_fields(&merged)) != OCLM_OK)
        goto done;
    copy_numbers(&merged.value, config);
    if ((status = resolve_mode(&merged, config)) != OCLM_OK || (status = resolve_limit(&merged, config)) != OCLM_OK ||
        (status = resolve_eos(&merged, config)) != OCLM_OK || (status = resolve_pad(&merged, config)) != OCLM_OK)
        goto done;
    resolve_minimum(&merged, config);
    status = resolve_scores(&merged, config);
done:
    gen_merged_free(&merged);
    if (status != OCLM_OK)
        gen_config_free(config);
    return status;
}

oclm_status gen_call_bos(const gen_call *call, int32_t *id)
{
    gen_merged  merged;
    oclm_status status = gen_merge(call, &merged);
    if (status == OCLM_OK)
        status = resolve_token(&merged, offsetof(oclm_generate_options, bos_token_id), true, id);
    if (status == OCLM_OK && *id < 0)
        status = core_fail(OCLM_ERR_ARGUMENT, "there is no prompt, and no bos_token_id to begin with: give a prompt, or set bos_token_id");
    gen_merged_free(&merged);
    return status;
}
