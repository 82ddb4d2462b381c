/* cmd_generate.c: oclm generate: continues a prompt, printing the text as it is made; or several sequences, printing each when all are. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct job {
    const cli_args  *args;
    oclm_tokenizer  *tokenizer;   /* NULL: ids only */
    oclm_model      *model;
    oclm_generation *generation;
    oclm_token_ids  *prompts;     /* [count]; ids with free() */
    size_t           count;
    char            *prompt_text; /* what the printed text begins with */
    size_t           prompt_length;
    bool             printed;     /* something, on standard output */
    double           load_s;
} job;

/* ---- Prompts */

/* A prompt for each line of a file that holds anything. */
static int read_lines(job *j)
{
    char  *text, *line, *end;
    size_t length, room = 1;
    int    result = cli_read_file(j->args->prompts, &text, &length);
    if (result != EXIT_OK)
        return result;
    for (size_t i = 0; i < length; i++)
        room += text[i] == '\n';
    if (!(j->prompts = calloc(room, sizeof *j->prompts)))
        result = cli_fail(EXIT_MEMORY, "out of memory for %zu prompts", room);
    for (line = text; result == EXIT_OK && line < text + length; line = end + 1) {
        int32_t *ids;
        if (!(end = memchr(line, '\n', (size_t)(text + length - line))))
            end = text + length;
        const size_t width = end > line && end[-1] == '\r' ? (size_t)(end - line) - 1 : (size_t)(end - line);
        if (width > 0 && (result = cli_encode(j->tokenizer, line, width, !j->args->no_special_tokens, &ids, &j->prompts[j->count].count)) == EXIT_OK)
            j->prompts[j->count++].ids = ids;
    }
    free(text);
    if (result == EXIT_OK && j->count == 0)
        return cli_fail(EXIT_USAGE, "%s holds no prompt: it has one a line", j->args->prompts);
    return result;
}

static int read_prompts(job *j)
{
    int32_t *ids;
    int      result;
    if (j->args->prompts)
        return read_lines(j);
    if (!(j->prompts = calloc(1, sizeof *j->prompts)))
        return cli_fail(EXIT_MEMORY, "out of memory for a prompt");
    j->count = 1;
    result = cli_read_prompt(j->args, j->tokenizer, &ids, &j->prompts[0].count);
    j->prompts[0].ids = ids;
    return result;
}

/* ---- Text as it comes, of one sequence */

/* The prompt is printed with the first of what follows it: messages come before, and nothing is printed where all fails. */
static void print_prompt(job *j)
{
    cli_progress_clear();
    if (j->prompt_text && !j->printed)
        (void)fwrite(j->prompt_text, 1, j->prompt_length, stdout);
    j->printed = true;
}

static void print_ids(job *j, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s%ld", j->printed ? "," : "", (long)ids[i]);
        j->printed = true;
    }
}

/* False: nobody reads on; cli_output_end() says why. */
static bool print_new(job *j, const oclm_new_tokens *tokens)
{
    if (!j->tokenizer) {
        cli_progress_clear();
        print_ids(j, tokens->ids, tokens->count);
    } else if (tokens->text_length > 0) {
        print_prompt(j);
        (void)fwrite(tokens->text, 1, tokens->text_length, stdout);
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* ---- Sequences when all is made */

/* Prompt and new ids as one text; of a conversation the answer alone. */
static void print_sequence(job *j, size_t sequence)
{
    size_t         count;
    const int32_t *ids = oclm_generation_ids(j->generation, sequence, &count);
    const size_t   each = oclm_generation_count(j->generation) / j->count;
    if (j->count > 1 && each > 1)
        (void)printf("%s== prompt %zu, sequence %zu\n", sequence > 0 ? "\n" : "", sequence / each + 1, sequence % each + 1);
    else
        (void)printf("%s== %s %zu\n", sequence > 0 ? "\n" : "", j->count > 1 ? "prompt" : "sequence", sequence + 1);
    j->printed = false;
    if (j->tokenizer)
        (void)fputs(j->args->chat ? oclm_generation_new_text(j->generation, sequence) : oclm_generation_text(j->generation, sequence), stdout);
    else
        print_ids(j, ids, count);
    (void)putchar('\n');
}

static const char *finish_name(oclm_finish_reason reason)
{
    switch (reason) {
    case OCLM_FINISH_EOS_TOKEN: return "eos_token";
    case OCLM_FINISH_CANCELLED: return "cancelled";
    case OCLM_FINISH_STOP_STRING: return "stop_string";
    case OCLM_FINISH_MAX_TIME: return "max_time";
    case OCLM_FINISH_STOPPING: return "stopping";
    default: return "length";
    }
}

static void json_sequence(const job *j, cli_json *json, size_t sequence)
{
    const oclm_generation *g = j->generation;
    size_t                 count;
    const int32_t         *ids = oclm_generation_ids(g, sequence, &count);
    cli_json_open(json, NULL, '{');
    cli_json_uint(json, "prompt", sequence / (oclm_generation_count(g) / j->count));
    cli_json_ids(json, "output_ids", ids, count);
    cli_json_text(json, "text", oclm_generation_text(g, sequence));
    cli_json_text(json, "new_text", oclm_generation_new_text(g, sequence));
    cli_json_text(json, "finish_reason", finish_name(oclm_generation_finish_reason(g, sequence)));
    cli_json_number(json, "score", oclm_generation_score(g, sequence));
    cli_json_close(json, '}');
}

static void print_json(const job *j)
{
    oclm_model_info info = { .struct_size = sizeof info };
    oclm_timing     timing = { .struct_size = sizeof timing };
    cli_json        json = cli_json_begin(stdout);
    (void)oclm_model_get_info(j->model, &info);
    oclm_generation_get_timing(j->generation, &timing);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", j->args->model);
    cli_json_text(&json, "dtype", cli_dtype_name(info.dtype));
    cli_json_devices(&json, j->model);
    cli_json_uint(&json, "seed", j->args->generate.seed);
    if (j->args->prompts) {
        cli_json_open(&json, "prompts", '[');
        for (size_t i = 0; i < j->count; i++)
            cli_json_ids(&json, NULL, j->prompts[i].ids, j->prompts[i].count);
        cli_json_close(&json, ']');
    } else {
        cli_json_ids(&json, "input_ids", j->prompts[0].ids, j->prompts[0].count);
    }
    cli_json_open(&json, "sequences", '[');
    for (size_t i = 0; i < oclm_generation_count(j->generation); i++)
        json_sequence(j, &json, i);
    cli_json_close(&json, ']');
    cli_json_open(&json, "timing", '{');
    cli_json_number(&json, "load_s", j->load_s);
    cli_json_uint(&json, "prefill_tokens", timing.prefill_tokens);
    cli_json_number(&json, "prefill_s", timing.prefill_s);
    cli_json_uint(&json, "decode_tokens", timing.decode_tokens);
    cli_json_number(&json, "decode_s", timing.decode_s);
    cli_json_uint(&json, "guessed_tokens", timing.guessed_tokens);
    cli_json_uint(&json, "accepted_tokens", timing.accepted_tokens);
    cli_json_close(&json, '}');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

static void print_timing(const job *j)
{
    oclm_timing t = { .struct_size = sizeof t };
    oclm_generation_get_timing(j->generation, &t);
    (void)fflush(stdout);
    (void)fprintf(stderr, "oclm: loaded in %.2f s; read %llu tokens in %.2f s; made %llu more in %.2f s (%.1f tokens/s)", j->load_s,
                  (unsigned long long)t.prefill_tokens, t.prefill_s, (unsigned long long)t.decode_tokens, t.decode_s,
                  t.decode_s > 0 ? (double)t.decode_tokens / t.decode_s : 0);
    if (t.guessed_tokens > 0)
        (void)fprintf(stderr, "; %llu of %llu guesses were right", (unsigned long long)t.accepted_tokens, (unsigned long long)t.guessed_tokens);
    (void)fputc('\n', stderr);
}

/* ---- The command */

/* Of one prompt's text, what is printed before the new one. */
static oclm_status begin_text(job *j)
{
    if (!j->tokenizer || j->args->json || j->args->chat || j->count > 1)
        return OCLM_OK;
    return oclm_tokenizer_decode(j->tokenizer, j->prompts[0].ids, j->prompts[0].count, j->args->generate.skip_special_tokens, &j->prompt_text,
                                 &j->prompt_length);
}

/* Makes all; what comes of a single sequence is printed on the way. */
static oclm_status make(job *j)
{
    const bool      stream = !j->args->json && oclm_generation_count(j->generation) == 1;
    oclm_new_tokens tokens = { .struct_size = sizeof tokens };
    oclm_status     status;
    bool            more = true, reading = true;
    while (more && reading) {
        if ((status = oclm_generation_next(j->generation, &tokens, &more)) != OCLM_OK)
            return status;
        if (more && stream)
            reading = print_new(j, &tokens);
    }
    return OCLM_OK;
}

static int generate(job *j)
{
    oclm_generate_options options = j->args->generate;
    oclm_status           status;
    options.progress = cli_progress;
    options.cancel = &cli_interrupt_flag;
    if ((status = begin_text(j)) == OCLM_OK &&
        (status = oclm_generation_begin(j->model, j->tokenizer, j->prompts, j->count, &options, &j->generation)) == OCLM_OK)
        status = make(j);
    cli_progress_clear();
    if (status != OCLM_OK) {
        if (j->printed)
            (void)putchar('\n'); /* the message begins a line of its own */
        return cli_fail_status(status);
    }
    if (oclm_generation_count(j->generation) > 1 && !j->args->json) {
        for (size_t i = 0; i < oclm_generation_count(j->generation); i++)
            print_sequence(j, i);
    } else if (!j->args->json) {
        (void)putchar('\n');
    }
    if (j->args->verbose > 0)
        print_timing(j);
    if (j->args->json)
        print_json(j);
    return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_OK;
}

int cmd_generate(cli_args *args)
{
    job j = { .args = args };
    int result;
    if ((result = cli_check_prompt(args)) == EXIT_OK && (result = cli_load_tokenizer(args, args->input_ids != NULL, &j.tokenizer)) == EXIT_OK &&
        (result = read_prompts(&j)) == EXIT_OK) {
        cli_interrupt_begin(); /* from here on there is something to end well */
        if ((result = cli_load_model(args, &j.model, &j.load_s)) == EXIT_OK && (result = cli_generation_begin(args, j.tokenizer)) == EXIT_OK)
            result = generate(&j);
    }
    oclm_generation_free(j.generation);
    cli_generation_end(args);
    oclm_model_free(j.model);
    oclm_tokenizer_free(j.tokenizer);
    oclm_free(j.prompt_text);
    for (size_t i = 0; i < j.count; i++)
        free((void *)j.prompts[i].ids);
    free(j.prompts);
    return result;
}
