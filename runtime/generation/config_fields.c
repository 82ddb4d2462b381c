/* config_fields.c: the table of generation options, and how a member is read and written by its row. */
#include "generation/config_fields.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "core/platform.h"

#define AT(member) offsetof(oclm_generate_options, member)
#define MOST 4294967294.0 /* the largest count: OCLM_UNSET - 1 */
#define NONE NAN
#define ANY -INFINITY, INFINITY
#define OFF_TOKEN ((double)OCLM_TOKEN_OFF)

/* Defaults are those of GenerationConfig._get_default_generation_params(), ranges those of the processors. */
const gen_field gen_fields[] = {
    /* name, kind, use, value, count, fallback, off, none, range, flags */
    { "max_new_tokens", GEN_COUNT, GEN_USE_ALWAYS, AT(max_new_tokens), 0, NAN, NAN, NONE, 1, MOST, 0 },
    { "max_length", GEN_COUNT, GEN_USE_ALWAYS, AT(max_length), 0, NAN, NAN, NONE, 0, MOST, 0 },
    { "min_new_tokens", GEN_COUNT, GEN_USE_ALWAYS, AT(min_new_tokens), 0, NAN, NAN, NONE, 0, MOST, GEN_LENIENT },
    { "min_length", GEN_COUNT, GEN_USE_ALWAYS, AT(min_length), 0, 0, 0, NONE, 0, MOST, GEN_LENIENT },
    { "max_time", GEN_SECONDS, GEN_USE_ALWAYS, AT(max_time), 0, INFINITY, INFINITY, NONE, 0, INFINITY, 0 },
    { "stop_strings", GEN_STRINGS, GEN_USE_ALWAYS, AT(stop_strings), AT(stop_string_count), NAN, NAN, NONE, 0, 0, 0 },
    { "eos_token_id", GEN_TOKENS, GEN_USE_ALWAYS, AT(eos_token_ids), AT(eos_token_count), NAN, NAN, NONE, 0, 0, 0 },
    { "pad_token_id", GEN_TOKEN, GEN_USE_ALWAYS, AT(pad_token_id), 0, NAN, NAN, OFF_TOKEN, 0, INT32_MAX, 0 },
    { "bos_token_id", GEN_TOKEN, GEN_USE_ALWAYS, AT(bos_token_id), 0, NAN, NAN, OFF_TOKEN, 0, INT32_MAX, 0 },
    { "do_sample", GEN_SWITCH, GEN_USE_ALWAYS, AT(do_sample), 0, OCLM_SWITCH_OFF, OCLM_SWITCH_OFF, NONE, ANY, 0 },
    { "num_beams", GEN_COUNT, GEN_USE_ALWAYS, AT(num_beams), 0, 1, 1, NONE, 1, MOST, 0 },
    { "num_return_sequences", GEN_COUNT, GEN_USE_ALWAYS, AT(num_return_sequences), 0, 1, 1, NONE, 1, MOST, 0 },
    { "early_stopping", GEN_EARLY, GEN_USE_BEAMS, AT(early_stopping), 0, OCLM_EARLY_STOPPING_OFF, OCLM_EARLY_STOPPING_OFF, NONE, ANY, 0 },
    { "length_penalty", GEN_FLOAT, GEN_USE_BEAMS, AT(length_penalty), 0, 1, 1, NONE, ANY, GEN_MIN_OPEN | GEN_MAX_OPEN },
    { "use_cache", GEN_SWITCH, GEN_USE_ALWAYS, AT(use_cache), 0, OCLM_SWITCH_ON, OCLM_SWITCH_ON, NONE, ANY, 0 },
    { "prefill_chunk_size", GEN_COUNT, GEN_USE_ALWAYS, AT(prefill_chunk_size), 0, NAN, NAN, 0, 1, MOST, 0 },
    { "cache_implementation", GEN_CACHE, GEN_USE_ALWAYS, AT(cache_implementation), 0, NAN, NAN, NONE, 0, 0, 0 },
    { "guidance_scale", GEN_FLOAT, GEN_USE_ALWAYS, AT(guidance_scale), 0, 1, 1, NONE, ANY, GEN_MIN_OPEN | GEN_MAX_OPEN },
    { "sequence_bias", GEN_BIASES, GEN_USE_ALWAYS, AT(sequence_bias), AT(sequence_bias_count), NAN, NAN, NONE, 0, 0, 0 },
    { "encoder_repetition_penalty", GEN_FLOAT, GEN_USE_ALWAYS, AT(encoder_repetition_penalty), 0, 1, 1, NONE, 0, INFINITY, GEN_MIN_OPEN | GEN_MAX_OPEN },
    { "repetition_penalty", GEN_FLOAT, GEN_USE_ALWAYS, AT(repetition_penalty), 0, 1, 1, NONE, 0, INFINITY, GEN_MIN_OPEN | GEN_MAX_OPEN },
    { "no_repeat_ngram_size", GEN_COUNT, GEN_USE_ALWAYS, AT(no_repeat_ngram_size), 0, 0, 0, NONE, 0, MOST, GEN_LENIENT },
    { "encoder_no_repeat_ngram_size", GEN_COUNT, GEN_USE_ALWAYS, AT(encoder_no_repeat_ngram_size), 0, 0, 0, NONE, 0, MOST, GEN_LENIENT },
    { "bad_words_ids", GEN_WORDS, GEN_USE_ALWAYS, AT(bad_words_ids), AT(bad_words_count), NAN, NAN, NONE, 0, 0, 0 },
    { "forced_bos_token_id", GEN_TOKEN, GEN_USE_ALWAYS, AT(forced_bos_token_id), 0, NAN, NAN, OFF_TOKEN, 0, INT32_MAX, 0 },
    { "forced_eos_token_id", GEN_TOKENS, GEN_USE_ALWAYS, AT(forced_eos_token_ids), AT(forced_eos_token_count), NAN, NAN, NONE, 0, 0, 0 },
    { "remove_invalid_values", GEN_SWITCH, GEN_USE_ALWAYS, AT(remove_invalid_values), 0, OCLM_SWITCH_OFF, OCLM_SWITCH_OFF, NONE, ANY, 0 },
    { "exponential_decay_length_penalty", GEN_DECAY, GEN_USE_ALWAYS, AT(exponential_decay_start), AT(exponential_decay_factor), NAN, NAN, NONE, 0, MOST, 0 },
    { "suppress_tokens", GEN_TOKENS, GEN_USE_ALWAYS, AT(suppress_tokens), AT(suppress_token_count), NAN, NAN, NONE, 0, 0, 0 },
    { "begin_suppress_tokens", GEN_TOKENS, GEN_USE_ALWAYS, AT(begin_suppress_tokens), AT(begin_suppress_token_count), NAN, NAN, NONE, 0, 0, 0 },
    { "temperature", GEN_FLOAT, GEN_USE_SAMPLING, AT(temperature), 0, 1, 1, NONE, 0, INFINITY, GEN_MIN_OPEN | GEN_MAX_OPEN },
    { "top_h", GEN_FLOAT, GEN_USE_SAMPLING, AT(top_h), 0, NAN, NAN, 0, 0, 1, GEN_MIN_OPEN },
    { "top_k", GEN_COUNT, GEN_USE_SAMPLING, AT(top_k), 0, 50, 0, NONE, 0, MOST, 0 },
    { "top_p", GEN_FLOAT, GEN_USE_SAMPLING, AT(top_p), 0, 1, 1, NONE, 0, 1, GEN_LENIENT },
    { "min_p", GEN_FLOAT, GEN_USE_SAMPLING, AT(min_p), 0, NAN, NAN, 0, 0, 1, 0 },
    { "typical_p", GEN_FLOAT, GEN_USE_SAMPLING, AT(typical_p), 0, 1, 1, NONE, 0, 1, GEN_MIN_OPEN | GEN_LENIENT },
    { "epsilon_cutoff", GEN_FLOAT, GEN_USE_SAMPLING, AT(epsilon_cutoff), 0, 0, 0, NONE, 0, 1, GEN_MAX_OPEN | GEN_LENIENT },
    { "eta_cutoff", GEN_FLOAT, GEN_USE_SAMPLING, AT(eta_cutoff), 0, 0, 0, NONE, 0, 1, GEN_MAX_OPEN | GEN_LENIENT },
    { "renormalize_logits", GEN_SWITCH, GEN_USE_ALWAYS, AT(renormalize_logits), 0, OCLM_SWITCH_OFF, OCLM_SWITCH_OFF, NONE, ANY, 0 },
    { "prompt_lookup_num_tokens", GEN_COUNT, GEN_USE_ALWAYS, AT(prompt_lookup_num_tokens), 0, NAN, NAN, 0, 1, MOST, 0 },
    { "max_matching_ngram_size", GEN_COUNT, GEN_USE_ALWAYS, AT(max_matching_ngram_size), 0, 2, 2, NONE, 1, MOST, 0 },
    { "num_assistant_tokens", GEN_COUNT, GEN_USE_ASSISTANT, AT(num_assistant_tokens), 0, 20, 20, NONE, 1, MOST, 0 },
    { "num_assistant_tokens_schedule", GEN_SCHEDULE, GEN_USE_ASSISTANT, AT(num_assistant_tokens_schedule), 0,
      OCLM_ASSISTANT_SCHEDULE_CONSTANT, OCLM_ASSISTANT_SCHEDULE_CONSTANT, NONE, ANY, 0 },
    { "assistant_confidence_threshold", GEN_FLOAT, GEN_USE_ASSISTANT, AT(assistant_confidence_threshold), 0, 0.4, 0, NONE, 0, 1, 0 },
    { "token_healing", GEN_SWITCH, GEN_USE_ALWAYS, AT(token_healing), 0, OCLM_SWITCH_OFF, OCLM_SWITCH_OFF, NONE, ANY, 0 },
};
const size_t gen_field_count = COUNT(gen_fields);

const gen_refusal gen_refusals[] = {
    { "constraints", 0, GEN_REFUSED_ALWAYS, "constrained beam search" },
    { "force_words_ids", 0, GEN_REFUSED_ALWAYS, "constrained beam search" },
    { "penalty_alpha", 0, GEN_REFUSED_GREEDY, "contrastive search" },
    { "num_beam_groups", 1, GEN_REFUSED_BEAMS, "group beam search" },
    { "low_memory", 0, GEN_REFUSED_BEAMS, "beam search with less memory" },
    { "dola_layers", -INFINITY, GEN_REFUSED_ROWS, "decoding by contrasting layers" },
    { "watermarking_config", 0, GEN_REFUSED_ALWAYS, "watermarks" },
    { "assistant_early_exit", -INFINITY, GEN_REFUSED_ROWS, "guessing by the model's own first layers" },
    { "use_mtp", 0, GEN_REFUSED_ROWS, "guessing by the model's own heads" },
    { "speculation_type", 0, GEN_REFUSED_ASSISTED, "guessing in other ways than by an assistant or a prompt lookup" },
    { "assistant_ensemble_weight", 0, GEN_REFUSED_ASSISTED, "lossy guessing" },
};
const size_t gen_refusal_count = COUNT(gen_refusals);

/* Only "quantized" changes results. */
const char *gen_cache_name(size_t index)
{
    static const char *const names[] = { "dynamic", "quantized", "static", "offloaded", "offloaded_static", "sliding_window", "hybrid",
                                         "hybrid_chunked", "offloaded_hybrid", "offloaded_hybrid_chunked", "paged" };
    return index < COUNT(names) ? names[index] : NULL;
}

const char *gen_cache_check(const char *name)
{
    char list[256] = "";
    for (size_t i = 0; gen_cache_name(i); i++) {
        if (name && strcmp(name, gen_cache_name(i)) == 0)
            return gen_cache_name(i);
        (void)strcat(strcat(list, i ? ", " : ""), gen_cache_name(i));
    }
    (void)core_fail(OCLM_ERR_ARGUMENT, "cache_implementation is \"%.60s\"; it must be one of %s", name ? name : "no string", list);
    return NULL;
}

/* ---- Members by their rows --------------------------------------------------------------------------------------------------- */

const gen_field *gen_field_at(size_t offset)
{
    const gen_field *field = gen_fields;
    while (field->value != offset)
        field++;
    return field;
}

bool gen_field_is_list(const gen_field *field)
{
    return field->kind >= GEN_TOKENS;
}

/* Bytes of the value; of the rest of GEN_DECAY, the float. */
static size_t size_of(const gen_field *field)
{
    switch (field->kind) {
    case GEN_SECONDS: return sizeof(double);
    case GEN_CACHE:
    case GEN_TOKENS:
    case GEN_STRINGS:
    case GEN_WORDS:
    case GEN_BIASES: return sizeof(void *);
    default: return sizeof(uint32_t);
    }
}

static const void *in(const oclm_generate_options *options, size_t offset)
{
    return (const char *)options + offset;
}

static void *out(oclm_generate_options *options, size_t offset)
{
    return (char *)options + offset;
}

double gen_field_number(const gen_field *field, const oclm_generate_options *options)
{
    uint32_t count;
    int32_t  token;
    float    number;
    double   seconds;
    switch (field->kind) {
    case GEN_FLOAT: memcpy(&number, in(options, field->value), sizeof number); return number;
    case GEN_SECONDS: memcpy(&seconds, in(options, field->value), sizeof seconds); return seconds;
    case GEN_TOKEN: memcpy(&token, in(options, field->value), sizeof token); return token == OCLM_NO_TOKEN ? (double)NAN : token;
    case GEN_COUNT:
    case GEN_DECAY: memcpy(&count, in(options, field->value), sizeof count); return count == OCLM_UNSET ? (double)NAN : count;
    default: memcpy(&count, in(options, field->value), sizeof count); return count == 0 ? (double)NAN : count; /* enumerations: 0 is unset */
    }
}

void gen_field_set_number(const gen_field *field, oclm_generate_options *options, double number)
{
    uint32_t count;
    int32_t  token;
    float    narrow;
    switch (field->kind) {
    case GEN_FLOAT: narrow = (float)number; memcpy(out(options, field->value), &narrow, sizeof narrow); return;
    case GEN_SECONDS: memcpy(out(options, field->value), &number, sizeof number); return;
    case GEN_TOKEN: token = isnan(number) ? OCLM_NO_TOKEN : (int32_t)number; memcpy(out(options, field->value), &token, sizeof token); return;
    case GEN_COUNT:
    case GEN_DECAY: count = isnan(number) ? OCLM_UNSET : (uint32_t)number; break;
    default: count = isnan(number) ? 0 : (uint32_t)number; break;
    }
    memcpy(out(options, field->value), &count, sizeof count);
}

const void *gen_field_list(const gen_field *field, const oclm_generate_options *options, size_t *count)
{
    const void *list;
    memcpy(&list, in(options, field->value), sizeof list);
    *count = 0;
    if (gen_field_is_list(field))
        memcpy(count, in(options, field->count), sizeof *count);
    return list;
}

void gen_field_set_list(const gen_field *field, oclm_generate_options *options, const void *list, size_t count)
{
    memcpy(out(options, field->value), &list, sizeof list);
    if (gen_field_is_list(field))
        memcpy(out(options, field->count), &count, sizeof count);
}

bool gen_field_is_set(const gen_field *field, const oclm_generate_options *options)
{
    size_t count;
    if (gen_field_is_list(field) || field->kind == GEN_CACHE)
        return gen_field_list(field, options, &count) != NULL;
    return !isnan(gen_field_number(field, options));
}

void gen_field_unset(const gen_field *field, oclm_generate_options *options)
{
    const float unset = NAN;
    if (gen_field_is_list(field) || field->kind == GEN_CACHE)
        gen_field_set_list(field, options, NULL, 0);
    else
        gen_field_set_number(field, options, NAN);
    if (field->kind == GEN_DECAY)
        memcpy(out(options, field->count), &unset, sizeof unset);
}

void gen_field_copy(const gen_field *field, const oclm_generate_options *from, oclm_generate_options *to)
{
    memcpy(out(to, field->value), in(from, field->value), size_of(field));
    if (gen_field_is_list(field))
        memcpy(out(to, field->count), in(from, field->count), sizeof(size_t));
    else if (field->kind == GEN_DECAY)
        memcpy(out(to, field->count), in(from, field->count), sizeof(float));
}

void *gen_block(size_t count, size_t size, size_t bytes, const char *what, void **behind)
{
    size_t first, all;
    char  *block;
    if (!core_mul_size(count, size, &first) || !core_add_size(first, bytes, &all)) {
        (void)core_fail_memory(SIZE_MAX, what);
        return NULL;
    }
    if ((block = core_alloc(all, what)))
        *behind = block + first;
    return block;
}

void gen_print(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
}
