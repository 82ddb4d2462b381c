/* options.c: every option of the command, one row each: what it is called, what it takes, where that goes, which subcommands
 * have it, and its help. Names are those of transformers' keyword arguments, with dashes; underscores do as well. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef enum kind {
    FLAG,    /* bool: given or not */
    COUNTED, /* uint32_t: how often */
    SWITCH,  /* oclm_switch: --name or --name=true, --no-name or --name=false */
    TEXT,    /* const char * */
    CHOICE,  /* uint32_t: index of the word among those of `argument` */
    U32, U64,
    FLOAT,
    BYTES,   /* uint64_t: a number with KB, MB, GB (or KiB, MiB, GiB) behind it */
    EOS,     /* ids, or none */
    WORDS    /* cli_words: may be given several times */
} kind;

typedef struct option {
    const char *name; /* without dashes */
    char        letter; /* 0: none */
    kind        kind;
    const char *argument;
    unsigned    commands;
    size_t      offset; /* in cli_args */
    double      min;    /* U32 and U64: least; FLOAT is checked by the library */
    const char *help;
} option;

#define AT(member) offsetof(cli_args, member)
#define GEN(member) offsetof(cli_args, generate.member)

static const option options[] = {
    { "model", 'm', TEXT, "MODEL", CMD_ANY & ~CMD_DEVICES, AT(model), 0, "the same as MODEL" },
    { "prompt", 'p', TEXT, "PROMPT", CMD_GENERATE | CMD_LOGITS, AT(text), 0, "the same as PROMPT" },
    { "text", 0, TEXT, "TEXT", CMD_TOKENIZE, AT(text), 0, "the same as TEXT" },
    { "input-ids", 0, TEXT, "1,2,3", CMD_GENERATE | CMD_LOGITS, AT(input_ids), 0, "token ids instead of a text; - reads them from standard input" },
    { "ids", 0, TEXT, "1,2,3", CMD_DETOKENIZE, AT(ids), 0, "the same as 1,2,3" },
    { "max-new-tokens", 'n', U32, "N", CMD_MAKING, GEN(max_new_tokens), 1, "make at most N new tokens; beats --max-length" },
    { "max-length", 0, U32, "N", CMD_GENERATE, GEN(max_length), 0, "at most N tokens, prompt included (default: prompt + 20)" },
    { "min-new-tokens", 0, U32, "N", CMD_MAKING, GEN(min_new_tokens), 0, "no end-of-sequence token before N new ones" },
    { "do-sample", 0, SWITCH, NULL, CMD_MAKING, GEN(do_sample), 0, "draw tokens at random; --no-do-sample: greedy, the default" },
    { "temperature", 0, FLOAT, "T", CMD_MAKING, GEN(temperature), 0, "sampling: divide logits by T > 0 (default 1.0)" },
    { "top-k", 0, U32, "K", CMD_MAKING, GEN(top_k), 0, "sampling: only the K likeliest tokens (default 50; 0: all)" },
    { "top-p", 0, FLOAT, "P", CMD_MAKING, GEN(top_p), 0, "sampling: the smallest set with probability P (default 1.0: all)" },
    { "seed", 's', U64, "N", CMD_MAKING, GEN(seed), 0, "sampling: the same seed gives the same tokens (default 0)" },
    { "eos-token-id", 0, EOS, "none|ID[,ID]", CMD_MAKING, GEN(use_eos_token), 0, "stop at these tokens; none: never stop early" },
    { "num-beams", 0, U32, "N", CMD_GENERATE, GEN(num_beams), 1, "beams of beam search; this version has 1 only" },
    { "show-special-tokens", 0, FLAG, NULL, CMD_GENERATE, AT(show_special_tokens), 0, "keep special tokens in the text" },
    { "positions", 0, CHOICE, "all|last", CMD_LOGITS, AT(positions), 0, "logits of all positions (default) or of the last" },
    { "npy", 0, TEXT, "FILE", CMD_LOGITS, AT(npy), 0, "write the logits to FILE, float32 in NumPy's format, and print none" },
    { "no-special-tokens", 0, FLAG, NULL, CMD_TOKENIZE | CMD_GENERATE | CMD_LOGITS, AT(no_special_tokens), 0,
      "do not add the tokenizer's special tokens, such as a leading BOS" },
    { "text-pair", 0, TEXT, "TEXT", CMD_TOKENIZE, AT(text_pair), 0, "a second text that belongs to the first, such as an answer" },
    { "file", 0, TEXT, "FILE", CMD_TOKENIZE, AT(file), 0, "the text is in FILE" },
    { "offsets", 0, FLAG, NULL, CMD_TOKENIZE, AT(offsets), 0, "tell which bytes of the text each token covers" },
    { "split-special-tokens", 0, SWITCH, NULL, CMD_TOKENIZE, AT(split_special_tokens), 0,
      "special tokens in the text are text: for text you do not trust" },
    { "padding", 0, CHOICE, "none|longest|max_length", CMD_TOKENIZE, AT(padding), 0,
      "make rows equally long: as the longest of a line's list, or --max-length" },
    { "padding-side", 0, CHOICE, "auto|left|right", CMD_TOKENIZE, AT(padding_side), 0, "where (default auto: as the tokenizer says)" },
    { "pad-to-multiple-of", 0, U32, "N", CMD_TOKENIZE, AT(pad_to_multiple_of), 1, "pad to a multiple of N" },
    { "pad-token-id", 0, U32, "ID", CMD_TOKENIZE, AT(pad_token_id), 0, "pad with this token (default: the tokenizer's pad_token)" },
    { "truncation", 0, CHOICE, "none|longest_first|only_first|only_second", CMD_TOKENIZE, AT(truncation), 0, "cut what is longer than --max-length" },
    { "truncation-side", 0, CHOICE, "auto|left|right", CMD_TOKENIZE, AT(truncation_side), 0, "where (default auto: as the tokenizer says)" },
    { "max-length", 0, U32, "N", CMD_TOKENIZE, AT(tokens_max_length), 1, "tokens, special ones included (default: the tokenizer's model_max_length)" },
    { "skip-special-tokens", 0, FLAG, NULL, CMD_DETOKENIZE, AT(skip_special_tokens), 0, "leave special tokens out of the text" },
    { "chat", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_GENERATE, AT(chat), 0,
      "a JSON list of messages for the model's chat template, instead of a text; - for standard input" },
    { "tools", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_MAKING, AT(tools), 0, "chat: tools the model may call, a JSON list" },
    { "documents", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_MAKING, AT(documents), 0, "chat: documents for the model, a JSON list of objects" },
    { "chat-template", 0, TEXT, "NAME|FILE", CMD_TOKENIZE | CMD_MAKING, AT(chat_template), 0,
      "chat: one of the model's templates by its name, or a template of your own" },
    { "chat-template-kwargs", 0, TEXT, "JSON", CMD_TOKENIZE | CMD_MAKING, AT(chat_variables), 0,
      "chat: what else the template shall see, such as '{\"enable_thinking\": false}'" },
    { "add-generation-prompt", 0, SWITCH, NULL, CMD_TOKENIZE | CMD_GENERATE, AT(add_generation_prompt), 0,
      "chat: end where the answer begins (default of generate, not of tokenize)" },
    { "continue-final-message", 0, SWITCH, NULL, CMD_TOKENIZE | CMD_GENERATE, AT(continue_final_message), 0,
      "chat: end where the last message does, to go on with it" },
    { "system", 0, TEXT, "TEXT", CMD_CHAT, AT(system), 0, "what the model is told before the conversation" },
    { "context", 0, U32, "N", CMD_CHAT, AT(context), 2, "tokens the conversation may have (default 4096, or what the model allows)" },
    { "jsonl", 0, FLAG, NULL, CMD_TOKENIZE | CMD_DETOKENIZE, AT(jsonl), 0,
      "one JSON object a line from standard input, one a line out" },
    { "families", 0, FLAG, NULL, CMD_INFO, AT(families), 0, "without MODEL: list the kinds of models that oclm runs" },
    { "prompt", 'p', U32, "N", CMD_BENCH, AT(bench_prompt), 0, "tokens of prefill (default 512; 0: none)" },
    { "new", 'n', U32, "N", CMD_BENCH, AT(bench_decode), 0, "tokens to decode (default 64; 0: none)" },
    { "depth", 'd', U32, "N", CMD_BENCH, AT(bench_depth), 0, "positions in the cache before decoding starts (default 0)" },
    { "repetitions", 'r', U32, "N", CMD_BENCH, AT(bench_repetitions), 1, "how often to measure (default 3)" },
    { "dtype", 0, CHOICE, "auto|float32|float16|bfloat16", CMD_LOADING | CMD_INFO, AT(dtype), 0,
      "how weights are stored (default auto: as in the checkpoint)" },
    { "device", 0, TEXT, "D", CMD_LOADING, AT(device), 0,
      "an index, platform:device, or part of a name; see oclm devices (default: OCLM_DEVICE, else the best)" },
    { "matmul", 0, CHOICE, "auto|clblast|builtin", CMD_LOADING, AT(matmul), 0,
      "who multiplies matrices (default auto: the fastest here; clblast: CLBlast, for 16 rows and more)" },
    { "max-memory", 0, BYTES, "BYTES", CMD_LOADING, AT(max_memory), 0,
      "most device memory to use, such as 4GiB (default: 90 % of the device's)" },
    { "revision", 0, TEXT, "REV", CMD_MODEL | CMD_CACHE, AT(revision), 0, "of a model on the hub: a branch, a tag, refs/pr/N or a commit (default main)" },
    { "subfolder", 0, TEXT, "DIR", CMD_MODEL, AT(subfolder), 0, "where in the repository or folder the model is" },
    { "variant", 0, TEXT, "WORD", CMD_LOADING | CMD_INFO | CMD_DOWNLOAD, AT(variant), 0, "of the weights: fp16 means model.fp16.safetensors" },
    { "cache-dir", 0, TEXT, "DIR", CMD_MODEL | CMD_CACHE, AT(cache_dir), 0,
      "where models of the hub are kept (default ~/.cache/huggingface/hub, or as HF_HOME says)" },
    { "token", 0, TEXT, "TOKEN", CMD_MODEL, AT(token), 0, "for private and gated models (default: HF_TOKEN, else the file HF_HOME/token)" },
    { "offline", 0, FLAG, NULL, CMD_MODEL, AT(offline), 0, "ask no hub: only what is in the cache" },
    { "include", 0, WORDS, "PATTERN", CMD_DOWNLOAD, AT(include), 0, "fetch the files that match, not those oclm needs; may be given several times" },
    { "exclude", 0, WORDS, "PATTERN", CMD_DOWNLOAD, AT(exclude), 0, "leave out the files that match" },
    { "local-dir", 0, TEXT, "DIR", CMD_DOWNLOAD, AT(local_dir), 0, "also copy the files into DIR" },
    { "force", 0, FLAG, NULL, CMD_DOWNLOAD, AT(force), 0, "fetch again what is there" },
    { "text", 0, TEXT, "TEXT", CMD_SCORE, AT(text), 0, "the same as TEXT" },
    { "file", 0, TEXT, "FILE", CMD_PERPLEXITY, AT(text), 0, "the same as FILE" },
    { "input-ids", 0, TEXT, "1,2,3", CMD_SCORE | CMD_PERPLEXITY, AT(input_ids), 0, "token ids instead of a text; - reads them from standard input" },
    { "no-special-tokens", 0, FLAG, NULL, CMD_SCORE | CMD_PERPLEXITY, AT(no_special_tokens), 0,
      "do not add the tokenizer's special tokens, such as a leading BOS" },
    { "max-length", 0, U32, "N", CMD_PERPLEXITY, AT(window), 2, "tokens of a window (default: what the model was made for)" },
    { "stride", 0, U32, "N", CMD_PERPLEXITY, AT(stride), 1, "tokens from one window to the next, at most --max-length (default 512)" },
    { "json", 0, FLAG, NULL, CMD_ANY, AT(json), 0, "print one JSON object and nothing else on standard output" },
    { "quiet", 'q', FLAG, NULL, CMD_ANY, AT(quiet), 0, "no progress and no warnings" },
    { "verbose", 'v', COUNTED, NULL, CMD_ANY, AT(verbose), 0, "tell more on standard error; twice: everything" },
    { "help", 'h', FLAG, NULL, CMD_ANY, AT(help), 0, "print this help" },
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

void cli_args_init(cli_args *args)
{
    oclm_bench_options bench;
    memset(args, 0, sizeof *args);
    oclm_generate_options_init(&args->generate, sizeof args->generate);
    oclm_bench_options_init(&bench, sizeof bench);
    args->pad_token_id = OCLM_UNSET;
    args->window = args->stride = OCLM_UNSET;
    args->bench_prompt = bench.prompt;
    args->bench_decode = bench.decode;
    args->bench_depth = bench.depth;
    args->bench_repetitions = bench.repetitions;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

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

static bool store_eos(const option *o, const char *value, cli_args *args)
{
    int32_t *ids;
    size_t   count;
    if (strcmp(value, "none") == 0 || strcmp(value, "None") == 0) {
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

static bool store(const option *o, const char *value, bool negated, cli_args *args)
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
    case EOS: return store_eos(o, value, args);
    case WORDS: return store_word(o, value, member);
    }
    return false;
}

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

static bool unknown_option(const cli_command *command, const char *typed)
{
    const char *names[OPTION_COUNT], *elsewhere, *near;
    const char *word = typed + strspn(typed, "-");
    char        name[64];
    size_t      count = 0;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].commands & command->bit)
            names[count++] = options[i].name;
    elsewhere = cli_name_elsewhere(name);
    near = cli_nearest(name, names, count);
    if (strpbrk(typed, " \t\n"))
        cli_fail(EXIT_USAGE, "unknown option \"%s\"; a text that begins with - goes after --, as in oclm %s MODEL -- \"- a\"", typed,
                 command->name);
    else if (elsewhere)
        cli_fail(EXIT_USAGE, "unknown option %s; here it is %s (oclm help %s lists all)", typed, elsewhere, command->name);
    else if (near)
        cli_fail(EXIT_USAGE, "unknown option %s; did you mean --%s? (oclm help %s lists all)", typed, near, command->name);
    else
        cli_fail(EXIT_USAGE, "unknown option %s; oclm help %s lists the options", typed, command->name);
    return false;
}

/* The row that `word` names, with or without a leading "no-" for switches. `length` leaves out "=value". */
static const option *find(const cli_command *command, const char *word, size_t length, bool *negated)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        if (!(o->commands & command->bit))
            continue;
        *negated = false;
        if (cli_same_name(o->name, word, length))
            return o;
        *negated = true;
        if (o->kind == SWITCH && length > 3 && cli_same_name("no-", word, 3) && cli_same_name(o->name, word + 3, length - 3))
            return o;
    }
    return NULL;
}

static const option *find_letter(const cli_command *command, char letter)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (letter && options[i].letter == letter && (options[i].commands & command->bit))
            return &options[i];
    return NULL;
}

/* ---- Parsing --------------------------------------------------------------------------------------------------------------- */

static bool takes_value(const option *o)
{
    return o->kind != FLAG && o->kind != COUNTED && o->kind != SWITCH;
}

static bool parse_option(const cli_command *command, int argc, char **argv, int *at, cli_args *args)
{
    const char   *word = argv[*at];
    const bool    is_long = word[1] == '-';
    const char   *equals = is_long ? strchr(word, '=') : NULL;
    const size_t  length = equals ? (size_t)(equals - word) - 2 : strlen(word) - (is_long ? 2 : 1);
    const char   *value = equals ? equals + 1 : NULL;
    bool          negated = false;
    const option *o = is_long ? find(command, word + 2, length, &negated) : find_letter(command, word[1]);
    if (!o)
        return unknown_option(command, word);
    if (!is_long && word[2]) {
        if (o->kind == COUNTED && strspn(word + 1, (const char[]){ o->letter, '\0' }) == length) {
            for (size_t i = 1; i < length; i++)
                (void)store(o, NULL, false, args); /* -vv */
        } else if (!takes_value(o)) {
            return unknown_option(command, word);
        } else {
            value = word + 2; /* -n64 */
        }
    }
    if (value && (o->kind == FLAG || o->kind == COUNTED)) {
        cli_fail(EXIT_USAGE, "--%s takes no value, but \"%s\" was given", o->name, value);
        return false;
    }
    if (!value && takes_value(o)) {
        if (*at + 1 >= argc) {
            cli_fail(EXIT_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
            return false;
        }
        value = argv[++*at];
        if (o->kind == TEXT && strncmp(value, "--", 2) == 0) { /* a forgotten value, not a file with that name */
            cli_fail(EXIT_USAGE, "--%s needs a value, but %s follows; if that is the value: --%s=%s", o->name, value, o->name, value);
            return false;
        }
    }
    return store(o, value, negated, args);
}

/* What stands without an option's name fills MODEL, then the text or the ids, unless an option has filled them. */
static bool place(const cli_command *command, char **words, size_t count, cli_args *args)
{
    const bool   action = command->bit == CMD_CACHE; /* "list", "remove MODEL" */
    const char **slots[] = { action ? &args->text : &args->model,
                             action ? &args->model : command->bit == CMD_DETOKENIZE ? &args->ids : &args->text };
    size_t       next = 0;
    for (size_t i = 0; i < count; i++) {
        while (next < command->positional && *slots[next])
            next++;
        if (next == command->positional) {
            cli_fail(EXIT_USAGE, "%s: one argument too many: \"%s\"; put a text with spaces in quotes (oclm %s %s)", command->name,
                     words[i], command->name, command->usage);
            return false;
        }
        *slots[next] = words[i];
    }
    if (!args->help && !args->families && command->positional > 0 && !*slots[0]) {
        cli_fail(EXIT_USAGE, "%s: %s? oclm %s %s", command->name, action ? "what shall be done" : "which model", command->name, command->usage);
        return false;
    }
    return true;
}

bool cli_parse(const cli_command *command, int argc, char **argv, cli_args *args)
{
    size_t words = 0; /* moved to the front of argv */
    bool   only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (only_words || argv[i][0] != '-' || !argv[i][1])
            argv[words++] = argv[i];
        else if (!parse_option(command, argc, argv, &i, args))
            return false;
    }
    args->generate.skip_special_tokens = !args->show_special_tokens;
    return place(command, argv, words, args);
}

void cli_print_options(FILE *out, unsigned command_bit)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        char          left[64];
        if (!(o->commands & command_bit))
            continue;
        (void)snprintf(left, sizeof left, "%c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                       o->letter ? ',' : ' ', o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        if (strlen(left) > 26)
            (void)fprintf(out, "  %s\n  %-26s  %s\n", left, "", o->help);
        else
            (void)fprintf(out, "  %-26s  %s\n", left, o->help);
    }
}
