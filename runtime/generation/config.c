/* config.c: finds the value of each generation option: the call's, else generation_config.json's, else transformers' default.
 *
 * The rules are transformers 5's, GenerationConfig and generate(): config.json counts only where generation_config.json is
 * missing, the two are never merged; max_new_tokens beats max_length wherever either comes from; what transformers warns about
 * is a warning here, what it raises is an error. Ours alone: an option we lack is told, not passed over. */
#include "generation/config.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"

#define DEFAULT_NEW_TOKENS 20u
#define DEFAULT_TOP_K 50u
#define LARGEST_COUNT (OCLM_UNSET - 1u)

/* ---- generation_config.json -------------------------------------------------------------------------------------------- */

/* Options of transformers that change which tokens come out and that are not here yet. A number equal to `off`, false, and an
 * empty list mean nothing. */
static const struct {
    const char *name;
    double      off;
    bool        sampling; /* matters only while sampling */
} lacking[] = {
    { "repetition_penalty", 1, false },         { "no_repeat_ngram_size", 0, false },
    { "encoder_repetition_penalty", 1, false }, { "encoder_no_repeat_ngram_size", 0, false },
    { "bad_words_ids", 0, false },              { "sequence_bias", 0, false },
    { "suppress_tokens", 0, false },            { "begin_suppress_tokens", 0, false },
    { "forced_bos_token_id", -1, false },       { "forced_eos_token_id", -1, false },
    { "exponential_decay_length_penalty", 0, false },
    { "guidance_scale", 1, false },             { "watermarking_config", 0, false },
    { "stop_strings", 0, false },               { "max_time", 0, false },
    { "penalty_alpha", 0, false },              { "dola_layers", 0, false },
    { "constraints", 0, false },                { "force_words_ids", 0, false },
    { "token_healing", 0, false },              { "num_return_sequences", 1, true },
    { "min_p", 0, true },                       { "top_h", 1, true },
    { "typical_p", 1, true },                   { "epsilon_cutoff", 0, true },
    { "eta_cutoff", 0, true },
};

static bool is_active(const cJSON *value, double off)
{
    if (cJSON_IsNumber(value))
        return value->valuedouble != off;
    if (cJSON_IsArray(value) || cJSON_IsObject(value))
        return value->child != NULL;
    return value != NULL && !cJSON_IsFalse(value);
}

CORE_PRINTF(3, 4) static void print(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
}

/* Adds "name=value" to a list in a fixed array; a list that is full ends in "...". */
static void list_add(char list[256], const char *name, const cJSON *value)
{
    const size_t used = strlen(list);
    char         entry[96];
    if (cJSON_IsNumber(value))
        print(entry, sizeof entry, "%s%s=%g", used ? ", " : "", name, value->valuedouble);
    else
        print(entry, sizeof entry, "%s%s", used ? ", " : "", name);
    if (used + strlen(entry) + sizeof ", ..." <= 256)
        memcpy(list + used, entry, strlen(entry) + 1);
    else if (used < 3 || strcmp(list + used - 3, "...") != 0)
        memcpy(list + used, ", ...", sizeof ", ...");
}

static oclm_status read_eos_id(const cJSON *value, const char *origin, gen_defaults *defaults)
{
    if (!cJSON_IsNumber(value) || fabs(value->valuedouble) > INT32_MAX)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"eos_token_id\" must be a token id or a list of them", origin);
    if (value->valuedouble < 0) {
        core_log(OCLM_LOG_WARNING, "%s: eos_token_id %g is negative: generation does not stop at it", origin,
                 value->valuedouble);
        return OCLM_OK;
    }
    if (defaults->eos_token_count == OCLM_MAX_EOS_TOKENS)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"eos_token_id\" lists more than %d ids, the most oclm takes; shorten the list",
                         origin, OCLM_MAX_EOS_TOKENS);
    defaults->eos_token_ids[defaults->eos_token_count++] = (int32_t)value->valuedouble;
    return OCLM_OK;
}

static oclm_status read_eos(const cJSON *tree, const char *origin, gen_defaults *defaults)
{
    const cJSON *value = core_json_member(tree, "eos_token_id");
    oclm_status  status = OCLM_OK;
    if (!value || defaults->eos_token_count > 0)
        return OCLM_OK;
    if (!cJSON_IsArray(value))
        return read_eos_id(value, origin, defaults);
    for (const cJSON *id = value->child; id && status == OCLM_OK; id = id->next)
        status = read_eos_id(id, origin, defaults);
    return status;
}

static oclm_status read_count(const cJSON *tree, const char *name, const char *origin, uint32_t min, uint32_t *value)
{
    return *value != OCLM_UNSET ? OCLM_OK : core_json_get_u32(tree, name, origin, min, LARGEST_COUNT, value);
}

static oclm_status read_float(const cJSON *tree, const char *name, const char *origin, float *value)
{
    double      number = NAN;
    oclm_status status;
    if (!isnan(*value))
        return OCLM_OK;
    if ((status = core_json_get_float(tree, name, origin, &number)) == OCLM_OK)
        *value = (float)number;
    return status;
}

static oclm_status read_switch(const cJSON *tree, const char *name, const char *origin, oclm_switch *value)
{
    bool        on = false;
    oclm_status status;
    if (*value != OCLM_SWITCH_UNSET || !core_json_member(tree, name))
        return OCLM_OK;
    if ((status = core_json_get_bool(tree, name, origin, &on)) == OCLM_OK)
        *value = on ? OCLM_SWITCH_ON : OCLM_SWITCH_OFF;
    return status;
}

/* Fills what is still unset from one object. */
static oclm_status read_members(const cJSON *tree, const char *origin, gen_defaults *d)
{
    oclm_status status;
    if ((status = read_count(tree, "max_new_tokens", origin, 1, &d->max_new_tokens)) != OCLM_OK ||
        (status = read_count(tree, "max_length", origin, 0, &d->max_length)) != OCLM_OK ||
        (status = read_count(tree, "min_new_tokens", origin, 0, &d->min_new_tokens)) != OCLM_OK ||
        (status = read_count(tree, "min_length", origin, 0, &d->min_length)) != OCLM_OK ||
        (status = read_count(tree, "top_k", origin, 0, &d->top_k)) != OCLM_OK ||
        (status = read_count(tree, "num_beams", origin, 1, &d->num_beams)) != OCLM_OK ||
        (status = read_float(tree, "temperature", origin, &d->temperature)) != OCLM_OK ||
        (status = read_float(tree, "top_p", origin, &d->top_p)) != OCLM_OK ||
        (status = read_switch(tree, "do_sample", origin, &d->do_sample)) != OCLM_OK ||
        (status = read_eos(tree, origin, d)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(lacking); i++) {
        const cJSON *value = core_json_member(tree, lacking[i].name);
        if (is_active(value, lacking[i].off))
            list_add(lacking[i].sampling ? d->not_applied_sampling : d->not_applied, lacking[i].name, value);
    }
    return OCLM_OK;
}

void gen_defaults_init(gen_defaults *defaults)
{
    memset(defaults, 0, sizeof *defaults);
    defaults->max_new_tokens = defaults->max_length = defaults->min_new_tokens = defaults->min_length = OCLM_UNSET;
    defaults->top_k = defaults->num_beams = OCLM_UNSET;
    defaults->temperature = defaults->top_p = NAN;
    defaults->do_sample = OCLM_SWITCH_UNSET;
}

/* Without generation_config.json: the same members of config.json, then those of its parts for what is still unset. */
static oclm_status read_model_config(const char *path, gen_defaults *defaults)
{
    static const char *const parts[] = { "decoder", "generator", "text_config" };
    cJSON      *tree = NULL;
    oclm_status status = core_json_read_file(path, CORE_JSON_MAX_CONFIG, &tree);
    if (status == OCLM_OK)
        status = read_members(tree, path, defaults);
    for (size_t i = 0; i < COUNT(parts) && status == OCLM_OK; i++) {
        const cJSON *part = core_json_member(tree, parts[i]);
        if (cJSON_IsObject(part))
            status = read_members(part, path, defaults);
    }
    cJSON_Delete(tree);
    return status;
}

oclm_status gen_defaults_read(const char *folder, const model_architecture *architecture, gen_defaults *defaults)
{
    static const char name[] = "generation_config.json";
    core_text   path = CORE_TEXT_INIT;
    cJSON      *tree = NULL;
    oclm_status status;
    gen_defaults_init(defaults);
    if ((status = core_path_join(&path, folder, name)) != OCLM_OK)
        goto done;
    if (core_path_is_file(path.data)) {
        status = core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &tree);
        if (status == OCLM_OK && cJSON_IsObject(tree)) {
            memcpy(defaults->origin, name, sizeof name);
            if ((status = read_members(tree, path.data, defaults)) != OCLM_OK)
                goto done;
            if (defaults->eos_token_count == 0 && architecture->eos_token_count > 0)
                core_log(OCLM_LOG_WARNING, "%s sets no eos_token_id, so generation stops at the length limit only; "
                         "config.json's is %d", path.data, (int)architecture->eos_token_ids[0]);
            goto done;
        }
        if (status == OCLM_ERR_MEMORY)
            goto done;
        if (status == OCLM_OK)
            core_log(OCLM_LOG_WARNING, "%s: not a JSON object; the file counts as missing", path.data);
        else
            core_log(OCLM_LOG_WARNING, "%s; the file counts as missing", oclm_last_error());
    }
    memcpy(defaults->origin, "config.json", sizeof "config.json");
    if ((status = core_path_join(&path, folder, "config.json")) == OCLM_OK)
        status = read_model_config(path.data, defaults);
done:
    cJSON_Delete(tree);
    core_text_free(&path);
    return status;
}

void gen_config_init(gen_config *config)
{
    *config = (gen_config){
        .max_time = INFINITY, .fill_token_id = -1, .num_beams = 1, .num_return_sequences = 1, .early_stopping = OCLM_EARLY_STOPPING_OFF,
        .length_penalty = 1.0f, .guidance_scale = 1.0f, .encoder_repetition_penalty = 1.0f, .repetition_penalty = 1.0f,
        .forced_bos_token_id = -1, .exponential_decay_start = OCLM_UNSET, .exponential_decay_factor = 1.0f, .temperature = 1.0f,
        .top_h = NAN, .top_p = 1.0f, .min_p = NAN, .typical_p = 1.0f, .min_keep = 1,
    };
}

void gen_config_free(gen_config *config) { gen_config_init(config); } /* nothing fills a list yet */

/* ---- One call ------------------------------------------------------------------------------------------------------------ */

static uint32_t pick_count(uint32_t call, uint32_t file, uint32_t fallback)
{
    return call != OCLM_UNSET ? call : file != OCLM_UNSET ? file : fallback;
}

static float pick_float(float call, float file, float fallback)
{
    return !isnan(call) ? call : !isnan(file) ? file : fallback;
}

/* " (from generation_config.json)" where the call did not say it. */
static const char *from_file(const gen_defaults *defaults, bool call, char buffer[48])
{
    if (call)
        return "";
    print(buffer, 48, " (from %s)", defaults->origin);
    return buffer;
}

/* The length limit. A table of learned positions ends; rotary positions go on, and what a model makes of more than it was
 * trained on is its own affair, in transformers too: a warning. */
static oclm_status resolve_limit(const gen_defaults *defaults, const oclm_generate_options *options,
                                 const model_architecture *architecture, uint32_t prompt, gen_config *config)
{
    const uint32_t trained = architecture->max_position_embeddings;
    const uint32_t room = architecture->position == MODEL_POSITION_LEARNED ? trained : MODEL_MAX_POSITIONS;
    const uint32_t max_new = pick_count(options->max_new_tokens, defaults->max_new_tokens, OCLM_UNSET);
    const uint32_t max_length = pick_count(options->max_length, defaults->max_length, OCLM_UNSET);
    char           from[48];
    uint64_t       limit;
    if (prompt == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "the prompt is empty: generation needs at least one token to go on from");
    if (max_new == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "max_new_tokens is 0; it must be greater than 0");
    if (prompt >= room)
        return core_fail(OCLM_ERR_ARGUMENT, "the prompt has %u tokens and leaves no room: the model allows %u positions%s, "
                         "prompt and new tokens together; shorten the prompt", prompt, room,
                         room == trained ? " (max_position_embeddings)" : "");
    if (max_new != OCLM_UNSET) {
        limit = (uint64_t)prompt + max_new;
        if (max_length != OCLM_UNSET) {
            const bool replaced = options->max_new_tokens != OCLM_UNSET && options->max_length == OCLM_UNSET; /* as meant */
            core_log(replaced ? OCLM_LOG_INFO : OCLM_LOG_WARNING,
                     "both max_new_tokens (=%u)%s and max_length (=%u) are set: max_new_tokens counts", max_new,
                     from_file(defaults, options->max_new_tokens != OCLM_UNSET, from), max_length);
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
                         "raise max_length or set max_new_tokens instead", prompt,
                         from_file(defaults, options->max_length != OCLM_UNSET, from), max_length);
    if (limit > trained) {
        core_log(OCLM_LOG_WARNING, "%u prompt tokens and %" PRIu64 " new ones need %" PRIu64 " positions, but the model was made for %u "
                 "(max_position_embeddings): %s", prompt, limit - prompt, limit, trained,
                 limit > room ? "generation ends there" : "expect nonsense beyond");
        limit = limit > room ? room : limit;
    }
    config->limit = (uint32_t)limit;
    return OCLM_OK;
}

static void resolve_minimum(const gen_defaults *defaults, const oclm_generate_options *options, uint32_t prompt,
                            gen_config *config)
{
    const uint32_t min_new = pick_count(options->min_new_tokens, defaults->min_new_tokens, OCLM_UNSET);
    const uint32_t min_length = pick_count(OCLM_UNSET, defaults->min_length, 0);
    config->min_new_tokens = min_new != OCLM_UNSET ? min_new : min_length > prompt ? min_length - prompt : 0;
    if (config->min_new_tokens > config->limit - prompt)
        core_log(OCLM_LOG_WARNING, "at least %u new tokens are asked for, but the length limit leaves %u", config->min_new_tokens,
                 config->limit - prompt);
}

static oclm_status resolve_eos(const gen_defaults *defaults, const oclm_generate_options *options, uint32_t vocab,
                               gen_config *config)
{
    const bool     call = options->eos_token_count > 0;
    const int32_t *ids = call ? options->eos_token_ids : defaults->eos_token_ids;
    const size_t   count = call ? options->eos_token_count : defaults->eos_token_count;
    if (call && !ids)
        return core_fail(OCLM_ERR_ARGUMENT, "eos_token_ids is NULL, but eos_token_count is %zu", count);
    if (count > OCLM_MAX_EOS_TOKENS)
        return core_fail(OCLM_ERR_ARGUMENT, "eos_token_id lists %zu ids; at most %d are possible", count, OCLM_MAX_EOS_TOKENS);
    if (options->use_eos_token == OCLM_SWITCH_OFF) {
        if (call)
            return core_fail(OCLM_ERR_ARGUMENT, "eos_token_ids are given (the first is %d), but use_eos_token is off: choose one",
                             (int)ids[0]);
        return OCLM_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= 0 && (uint32_t)ids[i] < vocab)
            config->eos_token_ids[config->eos_token_count++] = ids[i];
        else if (call)
            return core_fail(OCLM_ERR_ARGUMENT, "eos_token_id %d is outside the vocabulary: ids are 0 to %u", (int)ids[i],
                             vocab - 1);
        else
            core_log(OCLM_LOG_WARNING, "eos_token_id %d (from %s) is outside the vocabulary of %u: generation does not stop at it",
                     (int)ids[i], defaults->origin, vocab);
    }
    return OCLM_OK;
}

/* A warning for a sampling option that greedy search ignores. Quiet where the call switched sampling off and left the option to
 * the file: that is what `do_sample=False` over a file made for sampling means. */
static void warn_unused(const oclm_generate_options *options, const gen_defaults *defaults, const char *name, bool call,
                        bool differs, double value)
{
    char from[48];
    if (differs && (call || options->do_sample == OCLM_SWITCH_UNSET))
        core_log(OCLM_LOG_WARNING, "%s (=%g)%s has no effect without do_sample", name, value, from_file(defaults, call, from));
}

static oclm_status resolve_sampling(const gen_defaults *defaults, const oclm_generate_options *options, gen_config *config)
{
    const oclm_switch do_sample = options->do_sample != OCLM_SWITCH_UNSET ? options->do_sample : defaults->do_sample;
    const bool        call_temperature = !isnan(options->temperature), call_top_p = !isnan(options->top_p);
    char              from[48];
    config->do_sample = do_sample == OCLM_SWITCH_ON;
    config->temperature = pick_float(options->temperature, defaults->temperature, 1.0f);
    config->top_k = pick_count(options->top_k, defaults->top_k, DEFAULT_TOP_K);
    config->top_p = pick_float(options->top_p, defaults->top_p, 1.0f);
    config->seed = options->seed;
    if (!config->do_sample) {
        warn_unused(options, defaults, "temperature", call_temperature, config->temperature != 1.0f, config->temperature);
        warn_unused(options, defaults, "top_k", options->top_k != OCLM_UNSET, config->top_k != DEFAULT_TOP_K, config->top_k);
        warn_unused(options, defaults, "top_p", call_top_p, config->top_p != 1.0f, config->top_p);
        config->temperature = config->top_p = 1.0f; /* greedy has no use for them, so neither has anyone who looks */
        config->top_k = 0;
        return OCLM_OK;
    }
    if (!(config->temperature > 0) || isinf(config->temperature))
        return core_fail(OCLM_ERR_ARGUMENT, "temperature is %g%s; it must be a number greater than 0%s", config->temperature,
                         from_file(defaults, call_temperature, from),
                         config->temperature == 0 ? "; for greedy decoding switch do_sample off" : "");
    if (config->top_p < 0 || (call_top_p && config->top_p > 1))
        return core_fail(OCLM_ERR_ARGUMENT, "top_p is %g%s; it must lie between 0 and 1", config->top_p,
                         from_file(defaults, call_top_p, from));
    if (config->top_p > 1) /* transformers reads that as "off", where a file says it */
        config->top_p = 1.0f;
    return OCLM_OK;
}

static oclm_status resolve_beams(const gen_defaults *defaults, const oclm_generate_options *options)
{
    const uint32_t beams = pick_count(options->num_beams, defaults->num_beams, 1);
    char           from[48];
    if (beams == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "num_beams is 0; it must be at least 1");
    if (beams > 1)
        return core_fail(OCLM_ERR_UNSUPPORTED, "num_beams is %u%s: this version has no beam search; set num_beams to 1", beams,
                         from_file(defaults, options->num_beams != OCLM_UNSET, from));
    return OCLM_OK;
}

oclm_status gen_config_resolve(const gen_defaults *defaults, const oclm_generate_options *options,
                               const model_architecture *architecture, uint32_t prompt_length, gen_config *config)
{
    oclm_status status;
    gen_config_init(config);
    config->prompt_length = prompt_length;
    if ((status = resolve_beams(defaults, options)) != OCLM_OK ||
        (status = resolve_limit(defaults, options, architecture, prompt_length, config)) != OCLM_OK ||
        (status = resolve_eos(defaults, options, architecture->vocab_size, config)) != OCLM_OK ||
        (status = resolve_sampling(defaults, options, config)) != OCLM_OK)
        return status;
    resolve_minimum(defaults, options, prompt_length, config);
    if (defaults->not_applied[0])
        core_log(OCLM_LOG_WARNING, "%s sets %s: not applied by this version, so the text may differ from transformers'",
                 defaults->origin, defaults->not_applied);
    if (config->do_sample && defaults->not_applied_sampling[0])
        core_log(OCLM_LOG_WARNING, "%s sets %s: not applied by this version when sampling", defaults->origin,
                 defaults->not_applied_sampling);
    return OCLM_OK;
}
