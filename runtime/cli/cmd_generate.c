/* cmd_generate.c: oclm generate: continues a prompt, printing the text as it is made. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define STREAM_CONTEXT 32 /* ids of the prompt's end that the stream sees first: a token may read differently after another */

typedef struct job {
    const cli_args    *args;
    oclm_tokenizer    *tokenizer; /* NULL: ids only */
    oclm_token_stream *stream;
    oclm_model        *model;
    oclm_generation   *generation;
    int32_t           *prompt;
    size_t             prompt_count;
    char              *new_text;
    size_t             new_length, new_capacity;
    char              *prompt_text; /* what the printed text begins with */
    size_t             prompt_length;
    bool               printed; /* something, on standard output */
    int                result;        /* what went wrong while tokens arrived */
    double             load_s;
} job;

/* The prompt is printed with the first of what follows it: messages come before, and nothing is printed where all fails. */
static void print_prompt(job *j)
{
    cli_progress_clear();
    if (j->prompt_text && !j->printed)
        (void)fwrite(j->prompt_text, 1, j->prompt_length, stdout);
    j->printed = true;
}

/* New text: kept for JSON, printed at once otherwise. */
static bool take_text(job *j, const char *text, size_t length)
{
    if (!j->args->json) {
        print_prompt(j);
        (void)fwrite(text, 1, length, stdout);
        return true;
    }
    if (length > j->new_capacity - j->new_length) {
        const size_t capacity = 2 * (j->new_length + length) + 256;
        char        *moved = realloc(j->new_text, capacity);
        if (!moved) {
            j->result = cli_fail(EXIT_MEMORY, "out of memory after %zu bytes of text", j->new_length);
            return false;
        }
        j->new_text = moved;
        j->new_capacity = capacity;
    }
    memcpy(j->new_text + j->new_length, text, length);
    j->new_length += length;
    return true;
}

static void print_ids(job *j, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s%ld", j->printed ? "," : "", (long)ids[i]);
        j->printed = true;
    }
}

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    job *j = user;
    (void)sequence;
    if (!j->stream && !j->args->json)
        print_ids(j, ids, count);
    for (size_t i = 0; i < count && j->stream; i++) {
        const char       *text;
        size_t            length;
        const oclm_status status = oclm_token_stream_push(j->stream, ids[i], &text, &length);
        if (status != OCLM_OK) {
            j->result = cli_fail_status(status);
            return false;
        }
        if (!take_text(j, text, length))
            return false;
    }
    if (j->args->json)
        return true;
    return fflush(stdout) == 0 && !ferror(stdout); /* nobody reads on: cli_output_end() says why */
}

/* Opens the stream on the prompt's end, which the text goes on from. */
static int begin_text(job *j)
{
    const bool  skip = j->args->generate.skip_special_tokens;
    const char *text;
    size_t      length, first = j->prompt_count > STREAM_CONTEXT ? j->prompt_count - STREAM_CONTEXT : 0;
    oclm_status status;
    if (!j->tokenizer)
        return EXIT_OK;
    status = oclm_token_stream_new(j->tokenizer, skip, &j->stream);
    for (size_t i = first; i < j->prompt_count && status == OCLM_OK; i++)
        status = oclm_token_stream_push(j->stream, j->prompt[i], &text, &length);
    if (status == OCLM_OK && !j->args->json && !j->args->chat) /* of a conversation, the answer alone */
        status = oclm_tokenizer_decode(j->tokenizer, j->prompt, j->prompt_count, skip, &j->prompt_text, &j->prompt_length);
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

static int end_text(job *j)
{
    const char *text = "";
    size_t      length = 0;
    if (j->stream) {
        const oclm_status status = oclm_token_stream_flush(j->stream, &text, &length);
        if (status != OCLM_OK)
            return cli_fail_status(status);
        if (!take_text(j, text, length))
            return j->result;
    }
    if (!j->args->json)
        (void)putchar('\n');
    return EXIT_OK;
}

static const char *finish_name(oclm_finish_reason reason)
{
    switch (reason) {
    case OCLM_FINISH_EOS_TOKEN: return "eos_token";
    case OCLM_FINISH_CANCELLED: return "cancelled";
    default: return "length";
    }
}

/* Prompt and new ids as one text; NULL where there is no tokenizer. */
static int whole_text(const job *j, const int32_t *ids, size_t count, char **text, size_t *length)
{
    int32_t    *all;
    oclm_status status;
    *text = NULL;
    *length = 0;
    if (!j->tokenizer)
        return EXIT_OK;
    if (!(all = malloc((j->prompt_count + count) * sizeof *all)))
        return cli_fail(EXIT_MEMORY, "out of memory for %zu ids", j->prompt_count + count);
    memcpy(all, j->prompt, j->prompt_count * sizeof *all);
    if (count > 0)
        memcpy(all + j->prompt_count, ids, count * sizeof *all);
    status = oclm_tokenizer_decode(j->tokenizer, all, j->prompt_count + count, j->args->generate.skip_special_tokens, text, length);
    free(all);
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

static int print_json(const job *j)
{
    oclm_model_info info = { .struct_size = sizeof info };
    oclm_timing     timing = { .struct_size = sizeof timing };
    size_t          count, length;
    const int32_t  *ids = oclm_generation_ids(j->generation, 0, &count);
    char           *text;
    cli_json        json = cli_json_begin(stdout);
    int             result = whole_text(j, ids, count, &text, &length);
    if (result != EXIT_OK)
        return result;
    (void)oclm_model_get_info(j->model, &info);
    oclm_generation_get_timing(j->generation, &timing);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", j->args->model);
    cli_json_text(&json, "dtype", cli_dtype_name(info.dtype));
    cli_json_open(&json, "devices", '[');
    cli_json_text(&json, NULL, info.device_name);
    cli_json_close(&json, ']');
    cli_json_uint(&json, "seed", j->args->generate.seed);
    cli_json_ids(&json, "input_ids", j->prompt, j->prompt_count);
    cli_json_open(&json, "sequences", '[');
    cli_json_open(&json, NULL, '{');
    cli_json_ids(&json, "output_ids", ids, count);
    cli_json_string(&json, "text", text, length);
    cli_json_string(&json, "new_text", j->tokenizer ? (j->new_text ? j->new_text : "") : NULL, j->new_length);
    cli_json_text(&json, "finish_reason", finish_name(oclm_generation_finish_reason(j->generation, 0)));
    cli_json_text(&json, "score", NULL);
    cli_json_close(&json, '}');
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
    oclm_free(text);
    return EXIT_OK;
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

static int generate(job *j)
{
    oclm_generate_options options = j->args->generate;
    oclm_status           status;
    int                   result;
    options.on_tokens = on_tokens;
    options.user = j;
    options.progress = cli_progress;
    options.cancel = &cli_interrupt_flag;
    if ((result = begin_text(j)) != EXIT_OK)
        return result;
    status = oclm_generate(j->model, j->prompt, j->prompt_count, &options, &j->generation);
    cli_progress_clear();
    if (status != OCLM_OK) {
        if (j->printed)
            (void)putchar('\n'); /* the message begins a line of its own */
        return cli_fail_status(status);
    }
    if (j->result != EXIT_OK || (result = end_text(j)) != EXIT_OK)
        return j->result != EXIT_OK ? j->result : result;
    if (j->args->verbose > 0)
        print_timing(j);
    if (j->args->json && (result = print_json(j)) != EXIT_OK)
        return result;
    return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_OK;
}

int cmd_generate(cli_args *args)
{
    job j = { .args = args };
    int result;
    if ((result = cli_check_prompt(args)) == EXIT_OK && (result = cli_load_tokenizer(args, args->input_ids != NULL, &j.tokenizer)) == EXIT_OK &&
        (result = cli_read_prompt(args, j.tokenizer, &j.prompt, &j.prompt_count)) == EXIT_OK) {
        cli_interrupt_begin(); /* from here on there is something to end well */
        if ((result = cli_load_model(args, &j.model, &j.load_s)) == EXIT_OK && (result = cli_generation_begin(args, j.tokenizer)) == EXIT_OK)
            result = generate(&j);
    }
    oclm_generation_free(j.generation);
    oclm_token_stream_free(j.stream);
    cli_generation_end(args);
    oclm_model_free(j.model);
    oclm_tokenizer_free(j.tokenizer);
    oclm_free(j.prompt_text);
    free(j.prompt);
    free(j.new_text);
    return result;
}
