/* cli.h: what the files of the command share: the arguments, the tables of options and subcommands, printing.
 *
 * The command uses the public API alone. An option is one row in options.c: it parses, checks and documents itself. */
#ifndef OCLM_CLI_CLI_H
#define OCLM_CLI_CLI_H

#include <stdio.h>

#include <oclm/oclm.h>

/* Exit statuses. 130 is 128 + SIGINT, as a shell reports a command that Ctrl-C ended. */
enum { EXIT_OK = 0, EXIT_OTHER = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 3, EXIT_MEMORY = 4, EXIT_DEVICE = 5, EXIT_FORMAT = 6,
       EXIT_INTERRUPTED = 130 };

#define CLI_MAX_WORDS 64

/* ---- Arguments: filled by cli_parse(). */
typedef struct cli_words { /* of an option that may be given several times */
    const char *words[CLI_MAX_WORDS];
    size_t      count;
} cli_words;

/* How a model is loaded: MODEL, or the one that --assistant-model names (options.c: the same rows serve both). */
typedef struct cli_loading {
    const char *device, *device_map, *offload_folder;
    uint32_t    dtype, matmul;          /* index of the word given: oclm_dtype, oclm_matmul */
    uint64_t    max_memory;             /* one size for each device; 0: none was given */
    const char *max_memory_map;         /* or JSON, a size for each; NULL: none */
    uint32_t    context_length;
    bool        load_in_8bit, load_in_4bit, bnb_4bit_use_double_quant;
    const char *bnb_4bit_quant_type;
    char       *llm_int8_skip_modules;  /* "A,B"; once cli_model_options() has seen it, its commas are ends */
    const char *skip_modules[CLI_MAX_WORDS];
    size_t      skip_module_count;
} cli_loading;

typedef struct cli_args {
    const char *model, *text;           /* positional: MODEL, and PROMPT or TEXT */
    const char *folder;                 /* MODEL's, once cli_find_model() found it; free with oclm_free() */
    const char *input_ids, *ids, *npy;
    const char *revision, *subfolder, *variant, *gguf_file, *cache_dir, *token, *local_dir; /* the hub's */
    cli_words   include, exclude;
    bool        offline, force;
    uint32_t    parts;                  /* of MODEL, that the subcommand needs: oclm_hub_options.parts */
    cli_loading loading, assistant_loading; /* MODEL's; what --assistant-DTYPE and its like say */
    uint32_t    positions;              /* index of the word given: POSITIONS_ */
    bool        json, jsonl, quiet, help, families;
    uint32_t    verbose;                /* how often it was given */
    bool        no_special_tokens, skip_special_tokens;
    const char *text_pair, *file;       /* tokenize: */
    bool        offsets;
    oclm_switch split_special_tokens;
    uint32_t    padding, padding_side, truncation, truncation_side; /* index of the word given: oclm_padding, oclm_side, ... */
    uint32_t    pad_to_multiple_of, tokens_max_length, pad_token_id; /* OCLM_UNSET: the tokenizer's */
    const char *chat, *tools, *documents, *chat_template, *chat_variables; /* files, the last JSON */
    oclm_switch add_generation_prompt, continue_final_message;
    const char *system, *session;       /* chat */
    uint32_t    context;
    uint32_t    window, stride;         /* perplexity: --max-length and --stride; OCLM_UNSET: the library's */
    uint32_t    bench_prompt, bench_decode, bench_depth, bench_repetitions;
    oclm_generate_options generate;     /* the options of the same names */
    cli_words   stop_strings;
    uint32_t    top_logprobs;           /* score: of each position; 0: none */
    const char *negative_prompt, *assistant_model;
    const char *prompts;                /* generate: a file, one a line */
    oclm_model *assistant;              /* of that name, once cli_generation_begin() loaded it */
    int32_t    *negative_ids;           /* of the former, likewise */
    void      **kept;                   /* [kept_count] lists that cli_parse() made: cli_args_free() */
    size_t      kept_count;
    bool        show_special_tokens;
    uint32_t    quantize_to;            /* oclm_quantize_format; 0: none was given */
    bool        double_quant;
    int32_t     eos[OCLM_MAX_EOS_TOKENS];
} cli_args;

enum { POSITIONS_ALL = 0, POSITIONS_LAST = 1 };

/* ---- Subcommands (commands.c). */
typedef struct cli_command {
    const char *name;
    const char *usage;      /* "MODEL [PROMPT]" */
    const char *summary;    /* one line */
    const char *details;    /* a paragraph or two, NULL: none */
    unsigned    bit;        /* CMD_ */
    unsigned    positional; /* most that it takes */
    uint32_t    parts;      /* of MODEL: oclm_hub_options.parts */
    int (*run)(cli_args *args); /* returns the exit status */
} cli_command;

enum { CMD_GENERATE = 1, CMD_LOGITS = 2, CMD_TOKENIZE = 4, CMD_DETOKENIZE = 8, CMD_DEVICES = 16, CMD_INFO = 32, CMD_BENCH = 64,
       CMD_DOWNLOAD = 128, CMD_CACHE = 256, CMD_CHAT = 512, CMD_SCORE = 1024, CMD_PERPLEXITY = 2048, CMD_QUANTIZE = 4096, CMD_ANY = 8191, CMD_MAKING = CMD_GENERATE | CMD_CHAT,
       CMD_LOADING = CMD_MAKING | CMD_LOGITS | CMD_SCORE | CMD_PERPLEXITY | CMD_BENCH,
       CMD_MODEL = CMD_LOADING | CMD_TOKENIZE | CMD_DETOKENIZE | CMD_INFO | CMD_DOWNLOAD | CMD_QUANTIZE };

extern const cli_command cli_commands[];
extern const size_t      cli_command_count;
const cli_command       *cli_command_find(const char *name); /* NULL if there is none */

int cmd_generate(cli_args *args);
int cmd_logits(cli_args *args);
int cmd_score(cli_args *args);
int cmd_perplexity(cli_args *args);
int cmd_tokenize(cli_args *args);
int cmd_detokenize(cli_args *args);
int cmd_devices(cli_args *args);
int cmd_info(cli_args *args);
int cmd_bench(cli_args *args);
int cmd_download(cli_args *args);
int cmd_cache(cli_args *args);
int cmd_chat(cli_args *args);
int cmd_quantize(cli_args *args);

/* ---- Options (options.c). */
void cli_args_init(cli_args *args);
void cli_args_free(cli_args *args);
/* Parses what stands after the subcommand; reorders `argv`. False after a message: the exit status is then EXIT_USAGE. */
bool cli_parse(const cli_command *command, int argc, char **argv, cli_args *args);
/* The rows of the table that a subcommand takes, in print. */
void cli_print_options(FILE *out, unsigned command_bit);

/* ---- Names (names.c) */
/* Whether the `length` bytes of `typed` are `name`; an underscore does for a dash. */
bool        cli_same_name(const char *name, const char *typed, size_t length);
/* What an option of other programs is called here, in words; NULL if unknown. */
const char *cli_name_elsewhere(const char *typed);
/* The name of `count` that is nearest to a mistyped one, or NULL where none is near. */
const char *cli_nearest(const char *typed, const char *const *names, size_t count);

/* ---- Families (families.c): prints the list. */
int cli_print_families(const cli_args *args);

/* ---- Input (input.c). Each prints its message and returns the exit status; EXIT_OK: done. */
/* "1,2,3", also with spaces, brackets or line ends: so that JSON lists fit too. `name` is the option's. Free with free(). */
int cli_parse_ids(const char *name, const char *text, int32_t **ids, size_t *count);
/* "[[1,2],[3]]" as oclm_token_ids, or where `biases` "[[[1,2],-3.5]]" as oclm_sequence_bias; "@FILE": the same from a file. One block: free(). */
int cli_parse_lists(const char *name, const char *text, bool biases, void **list, size_t *count);
/* All of standard input, or of a file, NUL added. */
int cli_read_stdin(char **text, size_t *length);
int cli_read_file(const char *path, char **text, size_t *length);
/* The text given as an argument, or standard input where it is "-". Free with free(). */
int cli_read_text(const char *argument, char **text, size_t *length);
/* Ids of a text. Free with free(). */
int cli_encode(const oclm_tokenizer *tokenizer, const char *text, size_t length, bool special, int32_t **ids, size_t *count);
/* Whether one of PROMPT and --input-ids is given: asked before a model is fetched. */
int cli_check_prompt(const cli_args *args);
/* The ids to go on from: --input-ids, else the encoded text; exactly one must be given. `tokenizer` may be NULL with ids. */
int cli_read_prompt(const cli_args *args, const oclm_tokenizer *tokenizer, int32_t **ids, size_t *count);
/* One line of standard input without its end; `*line` is NULL at the end. Reuses `*line`; free with free(). */
int cli_read_line(char **line, size_t *capacity, size_t *length);

/* Of a line of JSON, number `number` of standard input (jsonl.c): its "text", a string or a list of strings, and its "text_pair",
 * if any, likewise. Free with cli_texts_free(). */
typedef struct cli_texts {
    oclm_text *texts;
    size_t     count;
    bool       list, pairs; /* as they were given */
} cli_texts;
int  cli_jsonl_texts(const char *line, size_t length, size_t number, cli_texts *texts);
void cli_texts_free(cli_texts *texts);
/* Its "ids". Free with free(). */
int cli_jsonl_ids(const char *line, size_t length, size_t number, int32_t **ids, size_t *count);

/* ---- Tokenizing with all choices (tokenize_batch.c). Print, or tell what is wrong; return the exit status. */
void cli_encode_options(const cli_args *args, oclm_encode_options *options);
bool cli_wants_batch(const cli_args *args); /* any of the options that ids alone do not answer */
int  cli_tokenize_pair(const cli_args *args, const oclm_tokenizer *tokenizer, const char *text, size_t length);
int  cli_tokenize_line(const cli_args *args, const oclm_tokenizer *tokenizer, const char *line, size_t length, size_t number);

/* ---- Conversations (chat_input.c): what the options say about messages and templates. Each prints its message. */
typedef struct cli_chat {
    oclm_chat_options options;                      /* point into what follows */
    char             *messages;                     /* of --chat; NULL without */
    char             *tools, *documents, *template; /* files' contents */
} cli_chat;
/* What belongs to a conversation needs one. */
int  cli_chat_check(const cli_args *args);
/* Reads the files; `prompt`: whether the generation prompt is added where no option says so. */
int  cli_chat_read(const cli_args *args, bool prompt, cli_chat *chat);
void cli_chat_free(cli_chat *chat);

/* ---- Lines with editing (line.c) */
typedef struct cli_lines cli_lines;
/* On a terminal with editing, history and a prompt; elsewhere plain lines without one. NULL: out of memory. */
cli_lines *cli_lines_begin(void);
void       cli_lines_end(cli_lines *lines);
bool       cli_lines_on_terminal(const cli_lines *lines);
typedef enum cli_line_kind { CLI_LINE, CLI_LINE_INTERRUPTED, CLI_LINE_END } cli_line_kind;
/* The next line, without its end; it lives until the next call. */
cli_line_kind cli_lines_next(cli_lines *lines, const char *prompt, const char **line);

/* ---- Output (output.c) */
/* "oclm: <message>" on standard error; returns the exit status. */
int cli_fail(int exit_status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit status that tells of a status of the library. */
int cli_exit_status(oclm_status status);
/* cli_fail() for the last error of the library. */
int cli_fail_status(oclm_status status);
/* Sets up the log and the progress bar by --quiet and --verbose. */
void cli_output_begin(const cli_args *args);
/* For the library: draws a bar on a terminal, and stops what is going on after Ctrl-C. */
bool cli_progress(const char *what, uint64_t done, uint64_t total, void *user);
void cli_progress_clear(void); /* before anything else is printed */
/* Everything printed has arrived? A full disk or a closed pipe is an error. */
int  cli_output_end(void);
double cli_seconds(void);
const char *cli_format_bytes(uint64_t bytes, char buffer[32]);
const char *cli_dtype_name(oclm_dtype dtype);

/* JSON, written as it comes; commas are put where they belong. */
typedef struct cli_json {
    FILE *out;
    bool  first; /* nothing stands yet in what was opened last */
} cli_json;
cli_json cli_json_begin(FILE *out);
void cli_json_end(cli_json *json); /* the line end */
void cli_json_open(cli_json *json, const char *key, char bracket); /* '{' or '['; key NULL inside an array or at the top */
void cli_json_close(cli_json *json, char bracket);                 /* '}' or ']' */
void cli_json_string(cli_json *json, const char *key, const char *text, size_t length); /* NULL: null; bytes that are no UTF-8: U+FFFD */
void cli_json_text(cli_json *json, const char *key, const char *text);                  /* the same, NUL-ended */
void cli_json_uint(cli_json *json, const char *key, uint64_t value);
void cli_json_number(cli_json *json, const char *key, double value); /* 9 significant digits; NaN and infinity: null */
void cli_json_bool(cli_json *json, const char *key, bool value);
void cli_json_ids(cli_json *json, const char *key, const int32_t *ids, size_t count);

/* ---- Where a model's parts go (plan.c): a table; an object. */
void cli_print_plan(const oclm_plan *plan);
void cli_json_plan(cli_json *json, const char *key, const oclm_plan *plan);
void cli_json_devices(cli_json *json, const oclm_model *model); /* "devices": the names of those that have a part of it */

/* ---- Ctrl-C (interrupt.c): once begun, the first asks to stop, the second ends the process. */
void cli_interrupt_begin(void);
void cli_interrupt_reset(void); /* the next Ctrl-C is the first one again */
void cli_interrupt_end(void); /* nobody listens any more: Ctrl-C ends the process */
bool cli_interrupted(void);
extern volatile int cli_interrupt_flag; /* for oclm_generate_options.cancel */
bool cli_is_terminal(FILE *stream);
/* A variable that says yes, as Python's huggingface_hub reads it: 1, on, yes, true. */
bool cli_environment_says(const char *name);

/* ---- Loading (load.c): with progress. Print their message and return the exit status. */
/* The options that the command line gives for the hub. */
void cli_hub_options(const cli_args *args, oclm_hub_options *options);
/* Sees to it that MODEL is on this machine: args->folder. The second call has nothing to do. */
int cli_find_model(cli_args *args);
/* What the command line says of how MODEL is loaded; `hub`: memory for a part of it. */
void cli_model_options(cli_args *args, oclm_model_options *options, oclm_hub_options *hub);
int cli_load_model(cli_args *args, oclm_model **model, double *seconds);
/* --assistant-model, as the options that begin with --assistant- say; --dtype, --device and --matmul count for it too where they say nothing. */
int cli_load_assistant(cli_args *args, oclm_model **model);
/* `optional`: one that is not there is fine, and NULL. */
int cli_load_tokenizer(cli_args *args, bool optional, oclm_tokenizer **tokenizer);

/* ---- Options of generation that words alone do not fill (generation.c): encodes --negative-prompt and loads --assistant-model into
 * args->generate. Prints its message; call _end also after a failure. `tokenizer` may be NULL. */
int  cli_generation_begin(cli_args *args, const oclm_tokenizer *tokenizer);
void cli_generation_end(cli_args *args);

/* ---- Downloads (download_bar.c): a line for each file on a terminal, lines of text elsewhere. */
void cli_download_begin(const cli_args *args);
bool cli_download_progress(const char *file, uint64_t done, uint64_t total, void *user); /* for the library; false after Ctrl-C */
void cli_download_clear(void);
void cli_download_end(void);

#endif
