/* option_values.c: what an option's value may look like, by its kind, and how it gets into cli_args. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option.h"

/* A block of malloc()'s that lives as long as `args`. */
static bool keep(cli_args *args, void *block)
{
    void **kept = realloc(args->kept, (args->kept_count + 1) * sizeof *kept);
    if (!kept) {
        free(block);
        cli_fail(EXIT_MEMORY, "out of memory for an option");
        return false;
    }
    args->kept = kept;
    args->kept[args->kept_count++] = block;
    return true;
}

static bool bad_value(const option *o, const char *value, const char *want)
{
    cli_fail(EXIT_USAGE, "--%s: \"%s\" is not %s", o->name, value, want);
    return false;
}

/* Digits only: strtoull() alone would take "-1" and " 1". */
static bool read_uint(const char *text, uint64_t most, uint64_t *value, const char **end)
{
    char              *after;
    unsigned long long number;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoull(text, &after, 10);
    if (errno || number > most)
        return false;
    *value = number;
    *end = after;
    return true;
}

static bool store_uint(const option *o, const char *value, void *member)
{
    const uint64_t most = o->kind == U32 ? UINT32_MAX - 1 : UINT64_MAX;
    uint64_t       number;
    const char    *end = "";
    char           want[80];
    if (!read_uint(value, most, &number, &end) || *end || (double)number < o->min) {
        (void)snprintf(want, sizeof want, "a whole number from %.0f to %llu", o->min, (unsigned long long)most);
        return bad_value(o, value, want);
    }
    if (o->kind == U32) {
        const uint32_t small = (uint32_t)number;
        memcpy(member, &small, sizeof small);
    } else {
        memcpy(member, &number, sizeof number);
    }
    return true;
}

static bool store_float(const option *o, const char *value, void *member)
{
    char       *end;
    const float number = strtof(value, &end);
    if (end == value || *end || isnan(number))
        return bad_value(o, value, "a number");
    memcpy(member, &number, sizeof number);
    return true;
}

static bool store_bytes(const option *o, const char *value, void *member)
{
    static const struct { const char *name; uint64_t bytes; } units[] = {
        { "", 1 }, { "B", 1 }, { "KB", 1000u }, { "MB", 1000000u }, { "GB", 1000000000u },
        { "KIB", 1u << 10 }, { "MIB", 1u << 20 }, { "GIB", 1u << 30 }, { "K", 1u << 10 }, { "M", 1u << 20 }, { "G", 1u << 30 },
    };
    static const char want[] = "a number of bytes greater than 0, such as 8000000000, 500MB or 4GiB";
    uint64_t    number;
    const char *end = "";
    if (!read_uint(value, UINT64_MAX, &number, &end) || number == 0)
        return bad_value(o, value, want);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = 0;
        while (units[i].name[n] && (end[n] & ~0x20) == units[i].name[n])
            n++;
        if (end[n] || units[i].name[n] || number > UINT64_MAX / units[i].bytes)
            continue;
        number *= units[i].bytes;
        memcpy(member, &number, sizeof number);
        return true;
    }
    return bad_value(o, value, want);
}

static bool store_memory(const option *o, const char *value, void *member)
{
    const char *map = value[strspn(value, " \t\n")] == '{' ? value : NULL;
    uint64_t    none = 0;
    memcpy((char *)member + sizeof none, &map, sizeof map);
    if (map)
        memcpy(member, &none, sizeof none);
    return map || store_bytes(o, value, member);
}

static bool store_choice(const option *o, const char *value, void *member)
{
    const size_t length = strlen(value);
    uint32_t     index = 0;
    char         want[80];
    for (const char *word = o->argument; word; index++) {
        const char  *bar = strchr(word, '|');
        const size_t size = bar ? (size_t)(bar - word) : strlen(word);
        if (size == length && memcmp(word, value, length) == 0) {
            memcpy(member, &index, sizeof index);
            return true;
        }
        word = bar ? bar + 1 : NULL;
    }
    (void)snprintf(want, sizeof want, "one of %s", o->argument);
    return bad_value(o, value, want);
}

static bool store_switch(const option *o, const char *value, bool negated, void *member)
{
    oclm_switch on;
    if (!value || strcmp(value, "true") == 0 || strcmp(value, "True") == 0)
        on = negated ? OCLM_SWITCH_OFF : OCLM_SWITCH_ON;
    else if (strcmp(value, "false") == 0 || strcmp(value, "False") == 0)
        on = negated ? OCLM_SWITCH_ON : OCLM_SWITCH_OFF;
    else
        return bad_value(o, value, "true or false");
    memcpy(member, &on, sizeof on);
    return true;
}

static bool is_none(const char *value)
{
    return strcmp(value, "none") == 0 || strcmp(value, "None") == 0;
}

static bool store_eos(const option *o, const char *value, cli_args *args)
{
    int32_t *ids;
    size_t   count;
    if (is_none(value)) {
        args->generate.use_eos_token = OCLM_SWITCH_OFF;
        args->generate.eos_token_ids = NULL;
        args->generate.eos_token_count = 0;
        return true;
    }
    if (cli_parse_ids(o->name, value, &ids, &count) != EXIT_OK)
        return false;
    if (count == 0 || count > OCLM_MAX_EOS_TOKENS) {
        free(ids);
        cli_fail(EXIT_USAGE, "--%s: %zu ids; give 1 to %d, or none", o->name, count, OCLM_MAX_EOS_TOKENS);
        return false;
    }
    memcpy(args->eos, ids, count * sizeof *ids);
    free(ids);
    args->generate.use_eos_token = OCLM_SWITCH_UNSET;
    args->generate.eos_token_ids = args->eos;
    args->generate.eos_token_count = count;
    return true;
}

static bool store_word(const option *o, const char *value, cli_words *words)
{
    if (words->count == CLI_MAX_WORDS) {
        cli_fail(EXIT_USAGE, "--%s: more than %d are given", o->name, CLI_MAX_WORDS);
        return false;
    }
    words->words[words->count++] = value;
    return true;
}

static bool store_enum(const option *o, const char *value, void *member)
{
    uint32_t place;
    if (!store_choice(o, value, &place))
        return false;
    place++;
    memcpy(member, &place, sizeof place);
    return true;
}

static bool store_seconds(const option *o, const char *value, void *member)
{
    char        *end;
    const double number = strtod(value, &end);
    if (end == value || *end || isnan(number))
        return bad_value(o, value, "a number of seconds");
    memcpy(member, &number, sizeof number);
    return true;
}

static bool store_token(const option *o, const char *value, void *member)
{
    uint64_t    number = 0;
    const char *end = "";
    int32_t     id = OCLM_TOKEN_OFF;
    if (!is_none(value)) {
        if (!read_uint(value, INT32_MAX, &number, &end) || *end)
            return bad_value(o, value, "a token id, or none");
        id = (int32_t)number;
    }
    memcpy(member, &id, sizeof id);
    return true;
}

/* A list goes where a pointer and, right behind it, a count are. */
static bool store_list(void *list, size_t count, void *member)
{
    memcpy(member, &list, sizeof list);
    memcpy((char *)member + sizeof list, &count, sizeof count);
    return true;
}

static bool store_ids(const option *o, const char *value, void *member, cli_args *args)
{
    int32_t *ids = NULL;
    size_t   count = 0;
    if (cli_parse_ids(o->name, is_none(value) ? "" : value, &ids, &count) != EXIT_OK)
        return false;
    if (count == 0 && !is_none(value)) {
        free(ids);
        return bad_value(o, value, "a list of token ids, as 1,2,3");
    }
    return keep(args, ids) && store_list(ids, count, member);
}

static bool store_json(const option *o, const char *value, void *member, cli_args *args)
{
    void  *list;
    size_t count;
    return cli_parse_lists(o->name, value, o->kind == BIASES, &list, &count) == EXIT_OK && keep(args, list) && store_list(list, count, member);
}

static bool store_decay(const option *o, const char *value, oclm_generate_options *generate)
{
    uint64_t    start = 0;
    const char *comma = "";
    char       *end = NULL;
    float       factor = 0;
    if (read_uint(value, UINT32_MAX - 1, &start, &comma) && *comma == ',')
        factor = strtof(comma + 1, &end);
    if (!end || end == comma + 1 || *end || !isfinite(factor))
        return bad_value(o, value, "a number of tokens and a factor, such as 5,1.1");
    generate->exponential_decay_start = (uint32_t)start;
    generate->exponential_decay_factor = factor;
    return true;
}

bool cli_store(const option *o, const char *value, bool negated, cli_args *args)
{
    void    *member = (char *)args + o->offset;
    uint32_t times;
    switch (o->kind) {
    case FLAG: memcpy(member, &(bool){ true }, sizeof(bool)); return true;
    case COUNTED:
        memcpy(&times, member, sizeof times);
        times++;
        memcpy(member, &times, sizeof times);
        return true;
    case SWITCH: return store_switch(o, value, negated, member);
    case TEXT: memcpy(member, &value, sizeof value); return true;
    case CHOICE: return store_choice(o, value, member);
    case U32:
    case U64: return store_uint(o, value, member);
    case FLOAT: return store_float(o, value, member);
    case BYTES: return store_bytes(o, value, member);
    case MEMORY: return store_memory(o, value, member);
    case EOS: return store_eos(o, value, args);
    case WORDS: return store_word(o, value, member);
    case ENUM: return store_enum(o, value, member);
    case SECONDS: return store_seconds(o, value, member);
    case TOKEN: return store_token(o, value, member);
    case IDS: return store_ids(o, value, member, args);
    case LISTS:
    case BIASES: return store_json(o, value, member, args);
    case DECAY: return store_decay(o, value, &args->generate);
    case HINT: break;
    }
    return false;
}
