/* config_file.c: what a generation_config.json says (or, only where that file is missing, config.json: the two are never merged). Both are read
 * as Python reads them: Infinity is a number. Keys that mean nothing are passed over, as in transformers; what has a meaning and a value that it
 * cannot have is an error. */
#include "generation/config_fields.h"

#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/platform.h"
#include "model/gguf.h"

#define LARGEST_COUNT ((double)(OCLM_UNSET - 1u))

static const char generation_name[] = "generation_config.json";

static oclm_status wrong(const gen_field *field, const cJSON *item, const char *origin, const char *want)
{
    return core_json_wrong(item, field->name, origin, want);
}

/* ---- Lists: each becomes one block ----------------------------------------------------------------------------------------------- */

static bool is_id(const cJSON *item)
{
    return core_json_is_whole(item, 0, INT32_MAX);
}

/* How many ids; SIZE_MAX if anything else is among them. */
static size_t count_ids(const cJSON *list)
{
    size_t count = 0;
    for (const cJSON *id = list->child; id; id = id->next, count++)
        if (!is_id(id))
            return SIZE_MAX;
    return count;
}

static int32_t *put_ids(const cJSON *list, int32_t *at)
{
    for (const cJSON *id = list->child; id; id = id->next)
        *at++ = (int32_t)id->valuedouble;
    return at;
}

/* An id or a list of them. Ids of no token (a negative one of begin_suppress_tokens, say) are left out where `quiet`, an error elsewhere. */
static oclm_status read_tokens(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    const bool   one = cJSON_IsNumber(item), eos = strcmp(field->name, "eos_token_id") == 0;
    const bool   quiet = eos || strstr(field->name, "suppress_tokens");
    const cJSON *first = one ? item : item->child;
    const char  *want = "a token id or a list of them";
    size_t       count = 0;
    int32_t     *ids;
    if (!one && !cJSON_IsArray(item))
        return wrong(field, item, origin, want);
    for (const cJSON *id = first; id; id = one ? NULL : id->next) {
        if (!cJSON_IsNumber(id) || !(fabs(id->valuedouble) <= INT32_MAX) || (!quiet && !is_id(id)))
            return wrong(field, item, origin, want);
        if (eos && id->valuedouble < 0)
            core_log(OCLM_LOG_WARNING, "%s: eos_token_id %g is negative: generation does not stop at it", origin, id->valuedouble);
        count += id->valuedouble >= 0;
    }
    if (strstr(field->name, "eos_token_id") && count > OCLM_MAX_EOS_TOKENS)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s\" lists more than %d ids, the most oclm takes; shorten the list", origin, field->name,
                         OCLM_MAX_EOS_TOKENS);
    if (!(ids = core_alloc_array(count, sizeof *ids, field->name)))
        return OCLM_ERR_MEMORY;
    gen_field_set_list(field, said, ids, count);
    for (const cJSON *id = first; id; id = one ? NULL : id->next)
        if (id->valuedouble >= 0)
            *ids++ = (int32_t)id->valuedouble; /* a fraction is cut off, as transformers does */
    return OCLM_OK;
}

/* A string or a list of them. */
static oclm_status read_strings(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    const bool   one = cJSON_IsString(item);
    const cJSON *first = one ? item : item->child;
    size_t       count = 0, bytes = 0;
    const char **strings;
    void        *behind = NULL;
    if (!one && !cJSON_IsArray(item))
        return wrong(field, item, origin, "a string or a list of strings");
    for (const cJSON *s = first; s; s = one ? NULL : s->next, count++) {
        if (!cJSON_IsString(s))
            return wrong(field, item, origin, "a string or a list of strings");
        bytes += strlen(s->valuestring) + 1;
    }
    if (!(strings = gen_block(count, sizeof *strings, bytes, field->name, &behind)))
        return OCLM_ERR_MEMORY;
    gen_field_set_list(field, said, strings, count);
    for (const cJSON *s = first; s; s = one ? NULL : s->next) {
        const size_t size = strlen(s->valuestring) + 1;
        *strings++ = memcpy(behind, s->valuestring, size);
        behind = (char *)behind + size;
    }
    return OCLM_OK;
}

/* [[1, 2], [3]] */
static oclm_status read_words(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    size_t          count = 0, ids = 0, n;
    oclm_token_ids *words;
    void           *behind = NULL;
    if (!cJSON_IsArray(item))
        return wrong(field, item, origin, "a list of lists of token ids");
    for (const cJSON *word = item->child; word; word = word->next, count++, ids += n)
        if (!cJSON_IsArray(word) || (n = count_ids(word)) == SIZE_MAX)
            return wrong(field, item, origin, "a list of lists of token ids");
    if (!(words = gen_block(count, sizeof *words, ids * sizeof(int32_t), field->name, &behind)))
        return OCLM_ERR_MEMORY;
    gen_field_set_list(field, said, words, count);
    for (const cJSON *word = item->child; word; word = word->next, words++) {
        words->ids = behind;
        behind = put_ids(word, behind);
        words->count = (size_t)((int32_t *)behind - words->ids);
    }
    return OCLM_OK;
}

/* [[[1, 2], -3.5], [[3], 2.0]] */
static oclm_status read_biases(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    static const char   want[] = "a list of lists, each of token ids in a list and a number: [[[1, 2], -3.5]]";
    size_t              count = 0, ids = 0, n;
    oclm_sequence_bias *biases;
    void               *behind = NULL;
    if (!cJSON_IsArray(item))
        return wrong(field, item, origin, want);
    for (const cJSON *pair = item->child; pair; pair = pair->next, count++, ids += n)
        if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 || !cJSON_IsArray(pair->child) || !cJSON_IsNumber(pair->child->next) ||
            isnan(pair->child->next->valuedouble) || (n = count_ids(pair->child)) == SIZE_MAX)
            return wrong(field, item, origin, want);
    if (!(biases = gen_block(count, sizeof *biases, ids * sizeof(int32_t), field->name, &behind)))
        return OCLM_ERR_MEMORY;
    gen_field_set_list(field, said, biases, count);
    for (const cJSON *pair = item->child; pair; pair = pair->next, biases++) {
        biases->ids = behind;
        behind = put_ids(pair->child, behind);
        biases->count = (size_t)((int32_t *)behind - biases->ids);
        biases->bias = (float)pair->child->next->valuedouble;
    }
    return OCLM_OK;
}

/* ---- Single values ---------------------------------------------------------------------------------------------------------------- */

static oclm_status read_count(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    const double number = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    char         want[80];
    if (number < field->min && (field->flags & GEN_LENIENT)) {
        gen_field_set_number(field, said, field->off);
        return OCLM_OK;
    }
    if (!(number >= field->min) || floor(number) != number) {
        gen_print(want, sizeof want, "a whole number from %.0f on", field->min);
        return wrong(field, item, origin, want);
    }
    gen_field_set_number(field, said, number > LARGEST_COUNT ? LARGEST_COUNT : number);
    return OCLM_OK;
}

/* A word of a list, as its place counted from `first` on. */
static oclm_status read_word(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    static const char *const schedules[] = { "constant", "heuristic", "heuristic_transient" };
    const char *const        word = cJSON_GetStringValue(item);
    if (field->kind == GEN_SCHEDULE) {
        for (unsigned i = 0; i < COUNT(schedules); i++)
            if (word && strcmp(word, schedules[i]) == 0) {
                gen_field_set_number(field, said, OCLM_ASSISTANT_SCHEDULE_CONSTANT + i);
                return OCLM_OK;
            }
        return wrong(field, item, origin, "\"constant\", \"heuristic\" or \"heuristic_transient\"");
    }
    if (word ? strcmp(word, "never") != 0 : !cJSON_IsBool(item))
        return wrong(field, item, origin, "true, false or \"never\"");
    gen_field_set_number(field, said, word ? OCLM_EARLY_STOPPING_NEVER : cJSON_IsTrue(item) ? OCLM_EARLY_STOPPING_ON : OCLM_EARLY_STOPPING_OFF);
    return OCLM_OK;
}

static oclm_status read_token(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= INT32_MAX))
        return wrong(field, item, origin, "a token id");
    if (item->valuedouble < 0)
        core_log(OCLM_LOG_WARNING, "%s: %s %g is negative: it counts as missing", origin, field->name, item->valuedouble);
    else
        gen_field_set_number(field, said, item->valuedouble);
    return OCLM_OK;
}

static oclm_status read_cache(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    const char *name = gen_cache_check(cJSON_GetStringValue(item));
    if (!name)
        return core_fail_in(OCLM_ERR_FORMAT, "%s", origin);
    gen_field_set_list(field, said, name, 0); /* static: the table's */
    return OCLM_OK;
}

static oclm_status read_decay(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 2 || !core_json_is_whole(item->child, 0, LARGEST_COUNT) ||
        !cJSON_IsNumber(item->child->next) || isnan(item->child->next->valuedouble))
        return wrong(field, item, origin, "a list of two: a number of tokens and a factor, such as [5, 1.1]");
    said->exponential_decay_start = (uint32_t)item->child->valuedouble;
    said->exponential_decay_factor = (float)item->child->next->valuedouble;
    return OCLM_OK;
}

static oclm_status read_field(const gen_field *field, const cJSON *item, const char *origin, oclm_generate_options *said)
{
    switch (field->kind) {
    case GEN_COUNT: return read_count(field, item, origin, said);
    case GEN_FLOAT:
    case GEN_SECONDS:
        if (!cJSON_IsNumber(item) || isnan(item->valuedouble)) /* here NaN would be "not given" */
            return wrong(field, item, origin, "a number");
        gen_field_set_number(field, said, item->valuedouble);
        return OCLM_OK;
    case GEN_SWITCH:
        if (!cJSON_IsBool(item))
            return wrong(field, item, origin, "true or false");
        gen_field_set_number(field, said, cJSON_IsTrue(item) ? OCLM_SWITCH_ON : OCLM_SWITCH_OFF);
        return OCLM_OK;
    case GEN_TOKEN: return read_token(field, item, origin, said);
    case GEN_EARLY:
    case GEN_SCHEDULE: return read_word(field, item, origin, said);
    case GEN_CACHE: return read_cache(field, item, origin, said);
    case GEN_DECAY: return read_decay(field, item, origin, said);
    case GEN_TOKENS: return read_tokens(field, item, origin, said);
    case GEN_STRINGS: return read_strings(field, item, origin, said);
    case GEN_WORDS: return read_words(field, item, origin, said);
    case GEN_BIASES: return read_biases(field, item, origin, said);
    }
    return OCLM_OK;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------------ */

static bool is_active(const cJSON *item, double off)
{
    if (cJSON_IsNumber(item))
        return item->valuedouble > off;
    if (cJSON_IsArray(item) || cJSON_IsObject(item))
        return item->child != NULL;
    return !cJSON_IsFalse(item);
}

/* Fills what is still unset from one object. */
static oclm_status read_members(const cJSON *tree, const char *origin, gen_defaults *defaults)
{
    for (size_t i = 0; i < gen_field_count; i++) {
        const cJSON *item = core_json_member(tree, gen_fields[i].name);
        oclm_status  status;
        if (item && !gen_field_is_set(&gen_fields[i], &defaults->said) &&
            (status = read_field(&gen_fields[i], item, origin, &defaults->said)) != OCLM_OK)
            return status;
    }
    for (size_t i = 0; i < gen_refusal_count; i++) {
        const cJSON *item = core_json_member(tree, gen_refusals[i].name);
        if (!item || (defaults->refusals_said & 1u << i))
            continue;
        defaults->refusals_said |= 1u << i;
        if (is_active(item, gen_refusals[i].off))
            defaults->refused |= 1u << i;
    }
    return OCLM_OK;
}

/* What belongs to a call and not into a file: transformers raises. */
static oclm_status check_strangers(const cJSON *tree, const char *origin)
{
    static const char *const names[] = { "logits_processor", "stopping_criteria", "prefix_allowed_tokens_fn", "synced_gpus", "assistant_model",
                                         "streamer", "negative_prompt_ids", "negative_prompt_attention_mask" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (core_json_has(tree, names[i]))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" belongs to a call, not into a file of generation options; remove it", origin, names[i]);
    return OCLM_OK;
}

static oclm_status read_generation(const cJSON *tree, const char *origin, gen_defaults *defaults)
{
    const oclm_status status = check_strangers(tree, origin);
    return status == OCLM_OK ? read_members(tree, origin, defaults) : status;
}

/* Without generation_config.json: the same members of config.json, then those of its parts for what is still unset. */
static oclm_status read_model_config(const char *path, gen_defaults *defaults)
{
    static const char *const parts[] = { "decoder", "generator", "text_config" };
    cJSON      *tree = NULL;
    oclm_status status = core_json_read_python(path, CORE_JSON_MAX_CONFIG, &tree);
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

static oclm_status set_origin(gen_defaults *defaults, const char *origin)
{
    core_free(defaults->origin);
    return (defaults->origin = core_copy_string(origin, "a file's name")) ? OCLM_OK : OCLM_ERR_MEMORY;
}

/* Reads generation_config.json of a folder; `*there` false: there is none, or it counts as missing. */
static oclm_status read_folder(const char *path, const model_architecture *architecture, gen_defaults *defaults, bool *there)
{
    cJSON      *tree = NULL;
    oclm_status status = core_json_read_python(path, CORE_JSON_MAX_CONFIG, &tree);
    *there = status == OCLM_OK && cJSON_IsObject(tree);
    if (*there) {
        if ((status = set_origin(defaults, generation_name)) == OCLM_OK)
            status = read_generation(tree, path, defaults);
        if (status == OCLM_OK && !defaults->said.eos_token_ids && architecture->eos_token_count > 0)
            core_log(OCLM_LOG_WARNING, "%s sets no eos_token_id, so generation stops at the length limit only; "
                     "config.json's is %d", path, (int)architecture->eos_token_ids[0]);
    } else if (status == OCLM_OK) {
        core_log(OCLM_LOG_WARNING, "%s: not a JSON object; the file counts as missing", path);
    } else if (status != OCLM_ERR_MEMORY) {
        core_log(OCLM_LOG_WARNING, "%s; the file counts as missing", oclm_last_error());
        status = OCLM_OK;
    }
    cJSON_Delete(tree);
    return status;
}

/* A generation_config.json beside a GGUF file is not its: ids come from its metadata. */
static oclm_status read_gguf(const char *path, gen_defaults *defaults)
{
    cJSON      *tree = NULL;
    oclm_status status = model_gguf_config_of(path, &tree);
    if (status == OCLM_OK && (status = set_origin(defaults, path)) == OCLM_OK)
        status = read_members(tree, path, defaults);
    if (status != OCLM_OK)
        gen_defaults_free(defaults);
    cJSON_Delete(tree);
    return status;
}

oclm_status gen_defaults_read(const char *folder, const model_architecture *architecture, gen_defaults *defaults)
{
    core_text   path = CORE_TEXT_INIT;
    bool        there = false;
    oclm_status status;
    gen_defaults_init(defaults);
    if (model_is_gguf(folder))
        return read_gguf(folder, defaults);
    if ((status = core_path_join(&path, folder, generation_name)) != OCLM_OK)
        goto done;
    if (core_path_is_file(path.data) && (status = read_folder(path.data, architecture, defaults, &there)) != OCLM_OK)
        goto done;
    if (there)
        goto done;
    if ((status = set_origin(defaults, "config.json")) == OCLM_OK && (status = core_path_join(&path, folder, "config.json")) == OCLM_OK)
        status = read_model_config(path.data, defaults);
done:
    if (status != OCLM_OK)
        gen_defaults_free(defaults);
    core_text_free(&path);
    return status;
}

oclm_status gen_defaults_tree(const cJSON *tree, const char *origin, gen_defaults *defaults)
{
    oclm_status status;
    gen_defaults_init(defaults);
    if (!cJSON_IsObject(tree))
        return core_fail(OCLM_ERR_FORMAT, "%s: not a JSON object; generation options are {\"temperature\": 0.7, ...}", origin);
    if ((status = set_origin(defaults, origin)) == OCLM_OK)
        status = read_generation(tree, origin, defaults);
    if (status != OCLM_OK)
        gen_defaults_free(defaults);
    return status;
}

oclm_status gen_defaults_read_file(const char *path, gen_defaults *defaults)
{
    cJSON      *tree = NULL;
    oclm_status status = core_json_read_python(path, CORE_JSON_MAX_CONFIG, &tree);
    gen_defaults_init(defaults);
    if (status == OCLM_OK)
        status = gen_defaults_tree(tree, path, defaults);
    cJSON_Delete(tree);
    return status;
}

void gen_defaults_init(gen_defaults *defaults)
{
    memset(defaults, 0, sizeof *defaults);
    for (size_t i = 0; i < gen_field_count; i++)
        gen_field_unset(&gen_fields[i], &defaults->said);
}

void gen_defaults_free(gen_defaults *defaults)
{
    for (size_t i = 0; i < gen_field_count; i++) {
        size_t      count;
        const void *list = gen_field_is_list(&gen_fields[i]) ? gen_field_list(&gen_fields[i], &defaults->said, &count) : NULL;
        core_free((void *)(uintptr_t)list); /* its own, const for everyone else */
    }
    core_free(defaults->origin);
    gen_defaults_init(defaults);
}
