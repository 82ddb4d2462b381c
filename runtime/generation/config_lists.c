/* config_lists.c: lists of tokens, of words and of biases on their way into a gen_config. Ids outside the vocabulary are told; only where
 * transformers passes over them, in suppress_tokens and begin_suppress_tokens of a file, they are left out. */
#include "generation/config_lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

static oclm_status outside(const gen_merged *merged, const gen_field *field, int32_t id)
{
    char origin[96];
    return core_fail(OCLM_ERR_ARGUMENT, "%s%s holds token %d, which is outside the vocabulary: ids are 0 to %u", field->name,
                     gen_origin_of(merged, field->value, origin), (int)id, merged->call->architecture->vocab_size - 1);
}

static bool in_vocabulary(const gen_merged *merged, int32_t id)
{
    return id >= 0 && (uint32_t)id < merged->call->architecture->vocab_size;
}

static oclm_status check_ids(const gen_merged *merged, const gen_field *field, const int32_t *ids, size_t count)
{
    if (count > 0 && !ids)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: a list of %zu token ids is NULL", field->name, count);
    for (size_t i = 0; i < count; i++)
        if (!in_vocabulary(merged, ids[i]))
            return outside(merged, field, ids[i]);
    return OCLM_OK;
}

static bool is_lenient(const gen_merged *merged, const gen_field *field)
{
    return gen_source_of(merged, field->value) != GEN_FROM_CALL && strstr(field->name, "suppress_tokens");
}

static oclm_status copy_tokens(const gen_merged *merged, size_t offset, gen_ids *out)
{
    const gen_field *field = gen_field_at(offset);
    size_t           count;
    const int32_t   *ids = gen_field_list(field, &merged->value, &count);
    const bool       lenient = is_lenient(merged, field);
    oclm_status      status;
    if (count == 0)
        return OCLM_OK;
    if (count > UINT32_MAX)
        return core_fail(OCLM_ERR_ARGUMENT, "%s lists %zu ids, more than there are tokens", field->name, count);
    if (!lenient && (status = check_ids(merged, field, ids, count)) != OCLM_OK)
        return status;
    if (!(out->ids = core_alloc_array(count, sizeof *ids, field->name)))
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (in_vocabulary(merged, ids[i]))
            out->ids[out->count++] = ids[i];
    return OCLM_OK;
}

/* ---- Words and biases: both are biases in the end --------------------------------------------------------------------------------- */

static bool is_an_eos(const gen_config *config, const oclm_sequence_bias *entry)
{
    return entry->count == 1 && gen_is_eos(config, entry->ids[0]);
}

/* An entry of a caller's list, and where the first with the same ids stands in it. */
typedef struct entry {
    const oclm_sequence_bias *bias, *place;
} entry;

static int compare_ids(const oclm_sequence_bias *a, const oclm_sequence_bias *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return a->count > 0 ? memcmp(a->ids, b->ids, a->count * sizeof *a->ids) : 0;
}

static int compare_places(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    return (a->place > b->place) - (a->place < b->place);
}

static int compare(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    const int    order = compare_ids(a->bias, b->bias);
    return order != 0 ? order : compare_places(left, right);
}

/* As in a dictionary of Python's: of entries with the same ids the last counts, at the place of the first. Returns how many are left. */
static size_t drop_repeated(entry *entries, size_t count)
{
    size_t kept = 0;
    qsort(entries, count, sizeof *entries, compare);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && compare_ids(entries[kept - 1].bias, entries[i].bias) == 0)
            entries[kept - 1].bias = entries[i].bias;
        else
            entries[kept++] = entries[i];
    }
    qsort(entries, kept, sizeof *entries, compare_places);
    return kept;
}

static oclm_status copy_entries(const entry *entries, size_t count, const char *what, gen_bias **out, uint32_t *out_count)
{
    size_t ids = 0;
    void  *behind = NULL;
    for (size_t i = 0; i < count; i++)
        ids += entries[i].bias->count;
    if (count == 0)
        return OCLM_OK;
    if (!(*out = gen_block(count, sizeof **out, ids * sizeof(int32_t), what, &behind)))
        return OCLM_ERR_MEMORY;
    *out_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const oclm_sequence_bias *bias = entries[i].bias;
        (*out)[i] = (gen_bias){ { behind, (uint32_t)bias->count }, bias->bias };
        behind = (int32_t *)memcpy(behind, bias->ids, bias->count * sizeof *bias->ids) + bias->count;
    }
    return OCLM_OK;
}

/* `all` [count]: those that act are copied. */
static oclm_status copy_biases(const gen_merged *merged, const gen_field *field, const oclm_sequence_bias *all, size_t count,
                               const gen_config *config, gen_bias **out, uint32_t *out_count)
{
    const bool  words = field->kind == GEN_WORDS;
    entry      *entries = core_alloc_array(count, sizeof *entries, field->name);
    oclm_status status = entries ? OCLM_OK : OCLM_ERR_MEMORY;
    size_t      kept = 0;
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        char origin[96];
        if ((status = check_ids(merged, field, all[i].ids, all[i].count)) != OCLM_OK)
            break;
        if (!words && all[i].count == 0)
            status = core_fail(OCLM_ERR_ARGUMENT, "%s%s: entry %zu has no token ids", field->name, gen_origin_of(merged, field->value, origin), i);
        else if (isnan(all[i].bias))
            status = core_fail(OCLM_ERR_ARGUMENT, "%s: the bias of entry %zu is no number", field->name, i);
        else if (all[i].count > 0 && !(words && is_an_eos(config, &all[i])))
            entries[kept++] = (entry){ &all[i], &all[i] };
    }
    if (status == OCLM_OK)
        status = copy_entries(entries, drop_repeated(entries, kept), field->name, out, out_count);
    core_free(entries);
    return status;
}

static oclm_status copy_sequence_bias(const gen_merged *merged, gen_config *config)
{
    return copy_biases(merged, gen_field_at(offsetof(oclm_generate_options, sequence_bias)), merged->value.sequence_bias,
                       merged->value.sequence_bias_count, config, &config->sequence_bias, &config->sequence_bias_count);
}

static oclm_status copy_bad_words(const gen_merged *merged, gen_config *config)
{
    const size_t        count = merged->value.bad_words_count;
    oclm_sequence_bias *entries;
    oclm_status         status;
    if (count == 0)
        return OCLM_OK;
    if (!(entries = core_alloc_array(count, sizeof *entries, "bad_words_ids")))
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        entries[i] = (oclm_sequence_bias){ merged->value.bad_words_ids[i].ids, merged->value.bad_words_ids[i].count, -INFINITY };
    status = copy_biases(merged, gen_field_at(offsetof(oclm_generate_options, bad_words_ids)), entries, count, config, &config->bad_words,
                         &config->bad_word_count);
    core_free(entries);
    return status;
}

static oclm_status copy_stop_strings(const gen_merged *merged, gen_config *config)
{
    const char *const *strings = merged->value.stop_strings;
    const size_t       count = merged->value.stop_string_count;
    size_t             bytes = 0;
    void              *behind = NULL;
    char               origin[96];
    if (count == 0)
        return OCLM_OK;
    for (size_t i = 0; i < count; i++) {
        if (!strings[i] || !strings[i][0])
            return core_fail(OCLM_ERR_ARGUMENT, "stop_strings%s: string %zu is %s, which no text can end with", GEN_ORIGIN(merged, stop_strings, origin),
                             i, strings[i] ? "empty" : "NULL");
        bytes += strlen(strings[i]) + 1;
    }
    if (!merged->call->has_tokenizer)
        return core_fail(OCLM_ERR_ARGUMENT, "stop_strings%s needs a tokenizer, since it is about text (the first is \"%.40s\"); give one, or "
                         "switch it off with an empty list", GEN_ORIGIN(merged, stop_strings, origin), strings[0]);
    if (!(config->stop_strings = gen_block(count, sizeof *config->stop_strings, bytes, "stop_strings", &behind)))
        return OCLM_ERR_MEMORY;
    config->stop_string_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        config->stop_strings[i] = memcpy(behind, strings[i], strlen(strings[i]) + 1);
        behind = config->stop_strings[i] + strlen(strings[i]) + 1;
    }
    return OCLM_OK;
}

/* Guidance's other prompt. */
static oclm_status copy_negative_prompt(const gen_merged *merged, gen_config *config)
{
    const oclm_generate_options *o = &merged->value;
    if (o->negative_prompt_count == 0)
        return OCLM_OK;
    if (config->guidance_scale == 1.0f) {
        core_log(OCLM_LOG_WARNING, "negative_prompt_ids has no effect without guidance_scale");
        return OCLM_OK;
    }
    for (size_t i = 0; o->negative_prompt_ids && i < o->negative_prompt_count; i++)
        if (!in_vocabulary(merged, o->negative_prompt_ids[i]))
            return core_fail(OCLM_ERR_ARGUMENT, "negative_prompt_ids holds token %d, which is outside the vocabulary: ids are 0 to %u",
                             (int)o->negative_prompt_ids[i], merged->call->architecture->vocab_size - 1);
    if (!o->negative_prompt_ids || o->negative_prompt_count > UINT32_MAX)
        return core_fail(OCLM_ERR_ARGUMENT, "negative_prompt_ids is %s, but negative_prompt_count is %zu",
                         o->negative_prompt_ids ? "a list" : "NULL", o->negative_prompt_count);
    config->negative_prompt.count = (uint32_t)o->negative_prompt_count;
    config->negative_prompt.ids = core_copy(o->negative_prompt_ids, o->negative_prompt_count * sizeof(int32_t), "negative_prompt_ids");
    return config->negative_prompt.ids ? OCLM_OK : OCLM_ERR_MEMORY;
}

oclm_status gen_config_copy_lists(const gen_merged *merged, gen_config *config)
{
    oclm_status status;
    if ((status = copy_stop_strings(merged, config)) != OCLM_OK || (status = copy_negative_prompt(merged, config)) != OCLM_OK ||
        (status = copy_sequence_bias(merged, config)) != OCLM_OK || (status = copy_bad_words(merged, config)) != OCLM_OK ||
        (status = copy_tokens(merged, offsetof(oclm_generate_options, forced_eos_token_ids), &config->forced_eos)) != OCLM_OK ||
        (status = copy_tokens(merged, offsetof(oclm_generate_options, suppress_tokens), &config->suppress_tokens)) != OCLM_OK ||
        (status = copy_tokens(merged, offsetof(oclm_generate_options, begin_suppress_tokens), &config->begin_suppress_tokens)) != OCLM_OK)
        return status;
    return OCLM_OK;
}
