/* cmd_tokenize.c: oclm tokenize: text to ids. */
#include <stdlib.h>

#include "cli/cli.h"

static void print_people(const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *token = oclm_tokenizer_token(tokenizer, ids[i]);
        (void)printf("%7ld  %s\n", (long)ids[i], token ? token : "");
    }
}

static void print_json(const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_ids(&json, "ids", ids, count);
    cli_json_open(&json, "tokens", '[');
    for (size_t i = 0; i < count; i++)
        cli_json_text(&json, NULL, oclm_tokenizer_token(tokenizer, ids[i]));
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

/* One line of text in, one of ids out. Flushed by line, so that a program can ask and wait for each answer. */
static int tokenize_lines(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    char  *line = NULL;
    size_t capacity = 0, length;
    int    result;
    for (size_t number = 1; (result = cli_read_line(&line, &capacity, &length)) == EXIT_OK && line; number++) {
        if ((result = cli_tokenize_line(args, tokenizer, line, length, number)) != EXIT_OK)
            break;
        (void)fflush(stdout);
    }
    free(line);
    return result;
}

static int tokenize_text(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    char       *text;
    int32_t    *ids;
    size_t      length, count;
    oclm_status status;
    int         result;
    result = args->file ? cli_read_file(args->file, &text, &length) : cli_read_text(args->text, &text, &length);
    if (result != EXIT_OK)
        return result;
    if (cli_wants_batch(args)) {
        result = cli_tokenize_pair(args, tokenizer, text, length);
        free(text);
        return result;
    }
    status = oclm_tokenizer_encode(tokenizer, text, length, !args->no_special_tokens, &ids, &count);
    free(text);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (args->json)
        print_json(tokenizer, ids, count);
    else
        print_people(tokenizer, ids, count);
    oclm_free(ids);
    return EXIT_OK;
}

int cmd_tokenize(cli_args *args)
{
    oclm_tokenizer *tokenizer;
    int             result;
    if (args->jsonl && (args->text || args->file || args->text_pair || args->json))
        return cli_fail(EXIT_USAGE, "--jsonl reads standard input and writes lines: give neither a text nor --json with it");
    if (args->text && args->file)
        return cli_fail(EXIT_USAGE, "both a text and --file are given; choose one");
    if (!args->jsonl && !args->text && !args->file)
        return cli_fail(EXIT_USAGE, "no text: give one, - for standard input, --file FILE, or --jsonl");
    if ((result = cli_load_tokenizer(args, false, &tokenizer)) != EXIT_OK)
        return result;
    result = args->jsonl ? tokenize_lines(args, tokenizer) : tokenize_text(args, tokenizer);
    oclm_tokenizer_free(tokenizer);
    return result;
}
