/* config_check.c: which values of generation options are refused, and which are told to have no effect: GenerationConfig.validate() and the checks
 * of transformers' processors. */
#include "generation/config_merge.h"

#include <math.h>
#include <string.h>

#include "core/log.h"

static const char *value_text(const gen_field *field, double number, char buffer[32])
{
    if (field->kind == GEN_EARLY)
        return number == OCLM_EARLY_STOPPING_NEVER ? "\"never\"" : number == OCLM_EARLY_STOPPING_ON ? "true" : "false";
    gen_print(buffer, 32, "%g", field->kind == GEN_FLOAT ? (double)(float)number : number);
    return buffer;
}

/* "at least 1", "between 0 and 1", "greater than 0 and at most 1". */
static const char *range_text(const gen_field *field, char buffer[96])
{
    const bool below = field->max < INT32_MAX, above = field->min > -INFINITY;
    char       low[48] = "", high[48] = "";
    if (above && below && !(field->flags & (GEN_MIN_OPEN | GEN_MAX_OPEN))) {
        gen_print(buffer, 96, "between %g and %g", field->min, field->max);
        return buffer;
    }
    if (above)
        gen_print(low, sizeof low, "%s %g", field->flags & GEN_MIN_OPEN ? "greater than" : "at least", field->min);
    if (below)
        gen_print(high, sizeof high, "%s %g", field->flags & GEN_MAX_OPEN ? "less than" : "at most", field->max);
    gen_print(buffer, 96, "%s%s%s%s", above || below ? "" : "a finite number", low, above && below ? " and " : "", high);
    return buffer;
}

static oclm_status out_of_range(const gen_merged *merged, const gen_field *field, double number)
{
    char        origin[96], value[32], range[96];
    const char *hint = "";
    if (field->value == offsetof(oclm_generate_options, temperature) && number == 0)
        hint = "; for greedy decoding switch do_sample off";
    return core_fail(OCLM_ERR_ARGUMENT, "%s is %s%s; it must be %s%s", field->name, value_text(field, number, value),
                     gen_origin_of(merged, field->value, origin), range_text(field, range), hint);
}

/* Inside the range? What a file says beyond a lenient one switches the option off, as transformers does. */
static oclm_status check_range(gen_merged *merged, const gen_field *field)
{
    const double number = gen_field_number(field, &merged->value);
    const bool   low = field->flags & GEN_MIN_OPEN ? number <= field->min : number < field->min;
    const bool   high = field->flags & GEN_MAX_OPEN ? number >= field->max : number > field->max;
    const bool   file = gen_source_of(merged, field->value) != GEN_FROM_CALL;
    if (isnan(number) || (!low && !high))
        return OCLM_OK;
    if (file && (field->flags & GEN_LENIENT) && (high || field->off == field->min)) {
        gen_field_set_number(field, &merged->value, field->off);
        return OCLM_OK;
    }
    return out_of_range(merged, field, number);
}

/* Quiet where the call set what governs the option and left the option to a file: that is what `do_sample=False` over a file made for sampling
 * means. */
static void warn_unused(const gen_merged *merged, const gen_field *field, const char *without, gen_source governing)
{
    const double number = gen_field_number(field, &merged->value);
    const bool   call = gen_source_of(merged, field->value) == GEN_FROM_CALL;
    char         origin[96], value[32];
    if (isnan(number) || number == field->fallback || (!call && governing == GEN_FROM_CALL))
        return;
    core_log(OCLM_LOG_WARNING, "%s (=%s)%s has no effect without %s", field->name, value_text(field, number, value),
             gen_origin_of(merged, field->value, origin), without);
}

static oclm_status check_field(gen_merged *merged, const gen_field *field)
{
    const bool sampling = merged->value.do_sample == OCLM_SWITCH_ON, beams = merged->value.num_beams > 1;
    if (gen_field_is_list(field) || field->kind == GEN_CACHE || field->kind == GEN_DECAY)
        return OCLM_OK;
    if (field->use == GEN_USE_SAMPLING && !sampling)
        warn_unused(merged, field, "do_sample", GEN_SOURCE(merged, do_sample));
    else if (field->use == GEN_USE_BEAMS && !beams)
        warn_unused(merged, field, "num_beams above 1", GEN_SOURCE(merged, num_beams));
    else
        return check_range(merged, field);
    gen_field_set_number(field, &merged->value, field->off); /* nobody has a use for it, so nobody who looks has */
    return OCLM_OK;
}

/* Enumerations of the call hold any number. */
static oclm_status check_words(const oclm_generate_options *options)
{
    if ((unsigned)options->early_stopping > OCLM_EARLY_STOPPING_NEVER)
        return core_fail(OCLM_ERR_ARGUMENT, "early_stopping is %d; it must be one of OCLM_EARLY_STOPPING_OFF (1), _ON (2) and _NEVER (3)",
                         (int)options->early_stopping);
    if ((unsigned)options->num_assistant_tokens_schedule > OCLM_ASSISTANT_SCHEDULE_HEURISTIC_TRANSIENT)
        return core_fail(OCLM_ERR_ARGUMENT, "num_assistant_tokens_schedule is %d; it must be one of OCLM_ASSISTANT_SCHEDULE_CONSTANT (1), "
                         "_HEURISTIC (2) and _HEURISTIC_TRANSIENT (3)", (int)options->num_assistant_tokens_schedule);
    return OCLM_OK;
}

static oclm_status check_sequences(const gen_merged *merged)
{
    const oclm_generate_options *o = &merged->value;
    char                         origin[96], beams[96];
    if (o->num_return_sequences <= 1)
        return OCLM_OK;
    (void)GEN_ORIGIN(merged, num_return_sequences, origin);
    if (o->num_beams == 1 && o->do_sample != OCLM_SWITCH_ON)
        return core_fail(OCLM_ERR_ARGUMENT, "num_return_sequences is %u%s, but greedy decoding makes one; set do_sample, or num_beams to as many",
                         o->num_return_sequences, GEN_ORIGIN(merged, num_return_sequences, origin));
    if (o->num_beams > 1 && o->num_return_sequences > o->num_beams)
        return core_fail(OCLM_ERR_ARGUMENT, "num_return_sequences is %u%s; it must be at most num_beams, which is %u%s", o->num_return_sequences,
                         GEN_ORIGIN(merged, num_return_sequences, origin), o->num_beams, GEN_ORIGIN(merged, num_beams, beams));
    return OCLM_OK;
}

oclm_status gen_check_fields(gen_merged *merged)
{
    const oclm_generate_options *call = merged->call->options;
    oclm_status                  status;
    if ((status = check_words(&merged->value)) != OCLM_OK ||
        (status = check_range(merged, gen_field_at(offsetof(oclm_generate_options, num_beams)))) != OCLM_OK)
        return status;
    merged->greedy_top_k = merged->value.top_k;
    for (size_t i = 0; i < gen_field_count; i++)
        if ((status = check_field(merged, &gen_fields[i])) != OCLM_OK)
            return status;
    if (isnan(call->exponential_decay_factor) != (call->exponential_decay_start == OCLM_UNSET))
        return core_fail(OCLM_ERR_ARGUMENT, "exponential_decay_length_penalty is a pair: set exponential_decay_start and exponential_decay_factor, "
                         "or neither");
    if (isinf(merged->value.exponential_decay_factor))
        return core_fail(OCLM_ERR_ARGUMENT, "exponential_decay_factor is infinite; it must be a finite number");
    return check_sequences(merged);
}

/* ---- What is not there ------------------------------------------------------------------------------------------------------------ */

static bool would_act(const gen_merged *merged, const gen_refusal *refusal, gen_mode_kind mode)
{
    const bool beams = merged->value.num_beams > 1, sampling = merged->value.do_sample == OCLM_SWITCH_ON;
    switch (refusal->in) {
    case GEN_REFUSED_ALWAYS: return true;
    case GEN_REFUSED_ROWS: return !beams;
    case GEN_REFUSED_GREEDY: return !beams && !sampling && merged->greedy_top_k > 1;
    case GEN_REFUSED_BEAMS: return beams;
    case GEN_REFUSED_ASSISTED: return mode == GEN_MODE_ASSISTED && merged->call->options->assistant_model;
    }
    return true;
}

oclm_status gen_check_refused(const gen_merged *merged, gen_mode_kind mode)
{
    for (size_t i = 0; i < gen_refusal_count; i++) {
        const gen_refusal  *refusal = &gen_refusals[i];
        const gen_defaults *from = merged->file.refused & 1u << i ? &merged->file : merged->call->defaults;
        if (!(merged->refused & 1u << i))
            continue;
        if (would_act(merged, refusal, mode))
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s (from %s) asks for %s, which oclm does not have; remove it from the file, or name another "
                             "with the option generation_config", refusal->name, from->origin ? from->origin : "a file", refusal->what);
        if (refusal->in == GEN_REFUSED_ROWS)
            core_log(OCLM_LOG_WARNING, "%s (from %s) has no effect with num_beams above 1", refusal->name, from->origin ? from->origin : "a file");
    }
    return OCLM_OK;
}
