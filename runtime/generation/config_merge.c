/* config_merge.c: finds the value of each option: the call's, else that of the file which the call names, else the model's file's, else
 * transformers' default. */
#include "generation/config_merge.h"

#include <math.h>
#include <string.h>

/* A file's value counts where the call has none. */
static void take(gen_merged *merged, size_t i, const gen_defaults *from, gen_source source)
{
    if (!from || !gen_field_is_set(&gen_fields[i], &from->said))
        return;
    gen_field_copy(&gen_fields[i], &from->said, &merged->value);
    merged->source[i] = (uint8_t)source;
}

/* The call's value, or Python's None. False: the call says nothing. */
static oclm_status take_call(gen_merged *merged, size_t i, bool *said)
{
    const gen_field *field = &gen_fields[i];
    size_t           count = 0;
    const void      *list = gen_field_is_list(field) ? gen_field_list(field, merged->call->options, &count) : NULL;
    if (gen_field_is_list(field) && !list && count > 0)
        return core_fail(OCLM_ERR_ARGUMENT, "%s is a list of %zu, but the pointer to it is NULL", field->name, count);
    if (!(*said = gen_field_is_set(field, merged->call->options)))
        return OCLM_OK;
    merged->source[i] = GEN_FROM_CALL;
    if (!isnan(field->none) && gen_field_number(field, merged->call->options) == field->none)
        gen_field_unset(field, &merged->value);
    else
        gen_field_copy(field, merged->call->options, &merged->value);
    return OCLM_OK;
}

static oclm_status merge_field(gen_merged *merged, size_t i)
{
    const gen_call *call = merged->call;
    bool            said = false;
    oclm_status     status;
    gen_field_unset(&gen_fields[i], &merged->value);
    if ((status = take_call(merged, i, &said)) != OCLM_OK)
        return status;
    if (!said) {
        take(merged, i, gen_fields[i].use == GEN_USE_ASSISTANT ? call->assistant : call->defaults, GEN_FROM_MODEL);
        if (gen_fields[i].use != GEN_USE_ASSISTANT)
            take(merged, i, &merged->file, GEN_FROM_FILE);
    }
    if (!isnan(gen_fields[i].fallback) && !gen_field_is_set(&gen_fields[i], &merged->value))
        gen_field_set_number(&gen_fields[i], &merged->value, gen_fields[i].fallback);
    return OCLM_OK;
}

/* use_eos_token off is eos_token_id=None. */
static oclm_status merge_eos(gen_merged *merged)
{
    static const int32_t none[1] = { 0 };
    const oclm_generate_options *options = merged->call->options;
    if (options->use_eos_token != OCLM_SWITCH_OFF)
        return OCLM_OK;
    if (options->eos_token_count > 0)
        return core_fail(OCLM_ERR_ARGUMENT, "eos_token_ids are given (the first is %d), but use_eos_token is off: choose one",
                         (int)options->eos_token_ids[0]);
    merged->value.eos_token_ids = none;
    merged->value.eos_token_count = 0;
    return OCLM_OK;
}

oclm_status gen_merge(const gen_call *call, gen_merged *merged)
{
    oclm_status status = OCLM_OK;
    _Static_assert(GEN_MAX_FIELDS <= UINT8_MAX, "sources fit");
    memset(merged, 0, sizeof *merged);
    gen_defaults_init(&merged->file);
    merged->call = call;
    merged->value = *call->options;
    if (call->options->generation_config)
        status = gen_defaults_read_file(call->options->generation_config, &merged->file);
    for (size_t i = 0; i < gen_field_count && status == OCLM_OK; i++)
        status = merge_field(merged, i);
    if (status == OCLM_OK)
        status = merge_eos(merged);
    merged->refused = merged->file.refused | (call->defaults->refused & ~merged->file.refusals_said);
    return status;
}

void gen_merged_free(gen_merged *merged)
{
    gen_defaults_free(&merged->file);
}

gen_source gen_source_of(const gen_merged *merged, size_t offset)
{
    return (gen_source)merged->source[gen_field_at(offset) - gen_fields];
}

const char *gen_origin_of(const gen_merged *merged, size_t offset, char buffer[96])
{
    const gen_field  *field = gen_field_at(offset);
    const gen_source  source = (gen_source)merged->source[field - gen_fields];
    const char       *origin = source == GEN_FROM_FILE                    ? merged->file.origin
                               : field->use == GEN_USE_ASSISTANT && merged->call->assistant ? merged->call->assistant->origin
                                                                          : merged->call->defaults->origin;
    if (source == GEN_FROM_CALL || source == GEN_FROM_NOBODY)
        return "";
    gen_print(buffer, 96, " (from %s)", origin ? origin : "a file");
    return buffer;
}
