/* cmd_chat.c: oclm chat: a conversation on the terminal, or line by line on a pipe. The whole conversation is rendered
 * at each turn; the session reads only what it does not hold already. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/history.h"

#define DEFAULT_CONTEXT 4096u
#define STREAM_CONTEXT                                                                                                 \
    32 /* ids of the prompt's end that the stream sees first: a token may read differently after another */

typedef struct talk {
    const cli_args *args;
    oclm_tokenizer *tokenizer;
    oclm_model *model;
    oclm_session *session;
    cli_chat chat; /* template and tools */
    cli_history history;
    cli_lines *lines;
    oclm_token_stream *stream;
    char *answer; /* of this turn, so far */
    size_t length, capacity;
    uint64_t draws; /* how often /regen was asked for in a row */
    uint32_t context;
    bool done;
    int result; /* what went wrong while tokens arrived */
} talk;

/* ---- One answer
 * -----------------------------------------------------------------------------------------------------------------------
 */

static bool take(talk *t, const char *text, size_t length)
{
    if (length >= t->capacity - t->length) {
        const size_t capacity = 2 * (t->length + length) + 256;
        char *moved = realloc(t->answer, capacity);
        if (!moved) {
            t->result = cli_fail(EXIT_MEMORY, "out of memory after %zu bytes of an answer", t->length);
            return false;
        }
        t->answer = moved;
        t->capacity = capacity;
    }
    memcpy(t->answer + t->length, text, length);
    t->length += length;
    t->answer[t->length] = '\0';
    cli_progress_clear();
    (void)fwrite(text, 1, length, stdout);
    return true;
}

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    talk *t = user;
    (void)sequence;
    for (size_t i = 0; i < count; i++) {
        const char *text;
        size_t length;
        const oclm_status status = oclm_token_stream_push(t->stream, ids[i], &text, &length);
        if (status != OCLM_OK) {
            t->result = cli_fail_status(status);
            return false;
        }
        if (!take(t, text, length))
            return false;
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* A stream that has seen the prompt's end. */
static oclm_status begin_stream(talk *t, const int32_t *ids, size_t count)
{
    const char *text;
    size_t length;
    oclm_status status = oclm_token_stream_new(t->tokenizer, t->args->generate.skip_special_tokens, &t->stream);
    for (size_t i = count > STREAM_CONTEXT ? count - STREAM_CONTEXT : 0; i < count && status == OCLM_OK; i++)
        status = oclm_token_stream_push(t->stream, ids[i], &text, &length);
    return status;
}

static void tell_timing(const talk *t, const oclm_generation *generation, size_t prompt)
{
    oclm_timing timing = { .struct_size = sizeof timing };
    oclm_generation_get_timing(generation, &timing);
    if (t->args->verbose == 0)
        return;
    (void)fflush(stdout);
    (void)fprintf(stderr, "oclm: read %llu of %zu tokens in %.2f s; made %llu more in %.2f s (%.1f tokens/s)\n",
                  (unsigned long long)timing.prefill_tokens, prompt, timing.prefill_s,
                  (unsigned long long)timing.decode_tokens, timing.decode_s,
                  timing.decode_s > 0 ? (double)timing.decode_tokens / timing.decode_s : 0);
}

static oclm_status generate(talk *t, const int32_t *ids, size_t count)
{
    oclm_generate_options options = t->args->generate;
    oclm_generation *generation = NULL;
    const char *text;
    size_t length;
    oclm_status status;
    options.on_tokens = on_tokens;
    options.user = t;
    options.progress = cli_progress;
    options.cancel = &cli_interrupt_flag;
    if (options.max_new_tokens == OCLM_UNSET && options.max_length == OCLM_UNSET)
        options.max_length = t->context;
    options.num_beams = options.num_return_sequences = 1; /* whatever the model's file says: there is one conversation */
    if (t->draws > 0) {
        options.do_sample = OCLM_SWITCH_ON;
        options.seed += t->draws;
    }
    status = oclm_session_generate(t->session, ids, count, &options, &generation);
    cli_progress_clear();
    if (status == OCLM_OK && (status = oclm_token_stream_flush(t->stream, &text, &length)) == OCLM_OK) {
        (void)take(t, text, length);
        tell_timing(t, generation, count);
    }
    oclm_generation_free(generation);
    return status;
}

/* Answers the conversation as it stands, and adds the answer. After an error it stands as before. */
static int answer(talk *t)
{
    int32_t *ids = NULL;
    size_t count = 0;
    char *json;
    oclm_status status;
    int result = cli_history_json(&t->history, &json);
    if (result != EXIT_OK)
        return result;
    t->length = 0;
    t->result = EXIT_OK;
    if ((status = oclm_chat_encode(t->tokenizer, json, &t->chat.options, &ids, &count)) == OCLM_OK &&
        (status = begin_stream(t, ids, count)) == OCLM_OK)
        status = generate(t, ids, count);
    if (status == OCLM_ERR_CAPACITY || (status == OCLM_ERR_ARGUMENT && count >= t->context))
        result = cli_fail(
            EXIT_USAGE,
            "the conversation has %zu tokens, and there is room for %u: /reset begins again, --context N gives more",
            count, t->context);
    else if (status == OCLM_ERR_CANCELLED)
        t->length = 0;
    else if (status != OCLM_OK)
        result = cli_fail_status(status);
    else if ((result = t->result) == EXIT_OK)
        result = cli_history_add(&t->history, "assistant", t->answer ? t->answer : "");
    if (status == OCLM_OK || status == OCLM_ERR_CANCELLED)
        (void)fputs(cli_lines_on_terminal(t->lines) ? "\n\n" : "\n", stdout);
    (void)fflush(stdout);
    oclm_token_stream_free(t->stream);
    t->stream = NULL;
    oclm_free(ids);
    free(json);
    return result;
}

/* A message of the user's. One that is not answered is forgotten. */
static int turn(talk *t, const char *text)
{
    const size_t before = cli_history_count(&t->history);
    int result;
    t->draws = 0;
    if ((result = cli_history_add(&t->history, "user", text)) == EXIT_OK)
        result = answer(t);
    while (cli_history_count(&t->history) > before && strcmp(cli_history_last_role(&t->history), "user") == 0)
        cli_history_drop(&t->history);
    return result;
}

/* ---- Commands
 * ---------------------------------------------------------------------------------------------------------------------------
 */

/* For people; on a pipe only answers are printed. */
static void note(const talk *t, const char *text)
{
    if (cli_lines_on_terminal(t->lines))
        (void)puts(text);
}

static int do_help(talk *t, const char *rest)
{
    (void)t;
    (void)rest;
    (void)puts("  /help              these commands\n"
               "  /reset             begin again (the system text stays)\n"
               "  /system [TEXT]     another system text, and begin again; without TEXT none\n"
               "  /regen             another answer to the last message, drawn at random\n"
               "  /save FILE         write the conversation, as JSON messages\n"
               "  /load FILE         go on with one that was saved\n"
               "  /exit              end; so does Ctrl-D\n"
               "Ctrl-C ends an answer. A line that ends in \\ goes on in the next one; \"\"\" begins and ends a text "
               "of several lines.");
    return EXIT_OK;
}

static int do_reset(talk *t, const char *rest)
{
    (void)rest;
    note(t, "The conversation begins again.");
    return cli_history_reset(&t->history, cli_history_system(&t->history));
}

static int do_system(talk *t, const char *rest)
{
    note(t, *rest ? "The conversation begins again with this system text."
                  : "The conversation begins again without a system text.");
    return cli_history_reset(&t->history, rest);
}

static int do_regen(talk *t, const char *rest)
{
    (void)rest;
    if (strcmp(cli_history_last_role(&t->history), "assistant") == 0)
        cli_history_drop(&t->history);
    if (strcmp(cli_history_last_role(&t->history), "user") != 0)
        return cli_fail(EXIT_USAGE, "/regen: there is nothing to answer yet");
    t->draws++;
    return answer(t);
}

static int do_save(talk *t, const char *rest)
{
    const int result = *rest ? cli_history_save(&t->history, rest) : cli_fail(EXIT_USAGE, "/save FILE: which file?");
    if (result == EXIT_OK)
        note(t, "Saved.");
    return result;
}

static int do_load(talk *t, const char *rest)
{
    const int result = *rest ? cli_history_load(&t->history, rest) : cli_fail(EXIT_USAGE, "/load FILE: which file?");
    if (result == EXIT_OK)
        note(t, "The conversation goes on from there.");
    return result;
}

static int do_exit(talk *t, const char *rest)
{
    (void)rest;
    t->done = true;
    return EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(talk *, const char *);
} commands[] = {
    { "help", do_help }, { "reset", do_reset }, { "system", do_system }, { "regen", do_regen }, { "save", do_save },
    { "load", do_load }, { "exit", do_exit },   { "quit", do_exit },     { "bye", do_exit },
};

static int command(talk *t, const char *line)
{
    const size_t length = strcspn(line + 1, " \t");
    const char *rest = line + 1 + length;
    rest += strspn(rest, " \t");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, line + 1, length) == 0)
            return commands[i].run(t, rest);
    return cli_fail(EXIT_USAGE,
                    "unknown command /%.*s; /help lists them (a message that begins so: put a space before it)",
                    (int)length, line + 1);
}

/* ---- Reading
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static bool append(char **text, size_t *length, const char *more, size_t more_length)
{
    char *grown = realloc(*text, *length + more_length + 2);
    if (!grown) {
        (void)cli_fail(EXIT_MEMORY, "out of memory for a message");
        return false;
    }
    *text = grown;
    memcpy(grown + *length, more, more_length);
    *length += more_length;
    grown[*length] = '\0';
    return true;
}

/* Whether the text is still open: """ without its end, or a backslash at the end, which then becomes a line end. */
static bool is_open(char *text, size_t *length)
{
    if (strncmp(text, "\"\"\"", 3) == 0)
        return *length < 6 || strcmp(text + *length - 3, "\"\"\"") != 0;
    if (*length == 0 || text[*length - 1] != '\\')
        return false;
    text[--*length] = '\0';
    return true;
}

/* A message or command of one line or several; free(). NULL: see the kind. */
static cli_line_kind read_message(talk *t, char **message)
{
    size_t length = 0;
    char *text = NULL;
    *message = NULL;
    for (;;) {
        const char *line;
        const cli_line_kind kind = cli_lines_next(t->lines, text ? "... " : "> ", &line);
        if (kind != CLI_LINE) {
            if (kind == CLI_LINE_END && text)
                break; /* the input ended in the middle: take what there is */
            free(text);
            return kind;
        }
        if ((text && !append(&text, &length, "\n", 1)) || !append(&text, &length, line, strlen(line))) {
            free(text);
            return CLI_LINE_END;
        }
        if (!is_open(text, &length))
            break;
    }
    if (length >= 6 && strncmp(text, "\"\"\"", 3) == 0 && strcmp(text + length - 3, "\"\"\"") == 0) {
        text[length - 3] = '\0';
        memmove(text, text + 3, length - 5);
    }
    *message = text;
    return CLI_LINE;
}

static bool is_blank(const char *text)
{
    while (*text && isspace((unsigned char)*text))
        text++;
    return !*text;
}

/* What ends the conversation: memory that is exhausted, a device that failed. A message that cannot be answered does
 * not, on a terminal. */
static bool is_fatal(const talk *t, int result)
{
    return result == EXIT_MEMORY || result == EXIT_DEVICE || (result != EXIT_OK && !cli_lines_on_terminal(t->lines)) ||
           ferror(stdout);
}

static int converse(talk *t)
{
    int result = EXIT_OK;
    while (!t->done) {
        char *message;
        cli_interrupt_reset(); /* from here on Ctrl-C is about what comes now, and ends no program */
        const cli_line_kind kind = read_message(t, &message);
        if (kind == CLI_LINE_END)
            break;
        cli_interrupt_reset(); /* a Ctrl-C between prompt and editor was about the line */
        if (kind == CLI_LINE && !is_blank(message))
            result = message[0] == '/' ? command(t, message) : turn(t, message);
        free(message);
        if (is_fatal(t, result))
            return result;
        result = EXIT_OK;
    }
    if (!t->done && cli_lines_on_terminal(t->lines))
        (void)putchar('\n');
    return result;
}

/* ---- The whole
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static int open_session(talk *t)
{
    oclm_model_info info = { .struct_size = sizeof info };
    (void)oclm_model_get_info(t->model, &info);
    t->context = t->args->context                                 ? t->args->context
                 : info.max_position_embeddings < DEFAULT_CONTEXT ? info.max_position_embeddings
                                                                  : DEFAULT_CONTEXT;
    return cli_session_open(t->args, t->model, t->tokenizer, t->context, &t->history, &t->session);
}

static int begin(talk *t, cli_args *args)
{
    double seconds;
    int result;
    if ((result = cli_chat_read(args, true, &t->chat)) != EXIT_OK ||
        (result = cli_load_tokenizer(args, false, &t->tokenizer)) != EXIT_OK)
        return result;
    if (!args->chat_template && !oclm_tokenizer_has_chat_template(t->tokenizer))
        return cli_fail(EXIT_NOT_FOUND,
                        "%s has no chat template: it is not made for conversations (oclm generate continues a text), "
                        "or give one with "
                        "--chat-template FILE",
                        args->model);
    if ((result = cli_history_reset(&t->history, args->system)) != EXIT_OK ||
        (result = cli_load_model(args, &t->model, &seconds)) != EXIT_OK ||
        (result = cli_generation_begin(args, t->tokenizer)) != EXIT_OK || (result = open_session(t)) != EXIT_OK)
        return result;
    return (t->lines = cli_lines_begin()) ? EXIT_OK : EXIT_MEMORY;
}

int cmd_chat(cli_args *args)
{
    talk t = { .args = args };
    int result;
    if (args->json)
        return cli_fail(EXIT_USAGE,
                        "--json: a conversation is no single object; oclm generate --chat FILE --json answers one");
    cli_interrupt_begin();
    if ((result = begin(&t, args)) == EXIT_OK) {
        note(&t, "Type a message; /help lists commands, Ctrl-D ends.");
        result = converse(&t);
        if (result == EXIT_OK)
            result = cli_session_save(args, &t.history, t.session);
    }
    cli_lines_end(t.lines);
    oclm_token_stream_free(t.stream);
    oclm_session_free(t.session);
    cli_generation_end(args);
    oclm_model_free(t.model);
    oclm_tokenizer_free(t.tokenizer);
    cli_history_free(&t.history);
    cli_chat_free(&t.chat);
    free(t.answer);
    return result;
}
