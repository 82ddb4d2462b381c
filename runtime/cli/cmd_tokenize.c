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
        char       *text;
        int32_t    *ids;
        size_t      count, text_length;
        oclm_status status;
        cli_json    json = cli_json_begin(stdout);
        if ((result = cli_jsonl_text(line, length, number, &text, &text_length)) != EXIT_OK)
            break;
        status = oclm_tokenizer_encode(tokenizer, text, text_length, !args->no_special_tokens, &ids, &count);
        free(text);
        if (status != OCLM_OK) {
            result = cli_fail(cli_exit_status(status), "line %zu of standard input: %s", number, oclm_last_error());
            break;
        }
        cli_json_open(&json, NULL, '{');
        cli_json_ids(&json, "ids", ids, count);
        cli_json_close(&json, '}');
        cli_json_end(&json);
        (void)fflush(stdout);
        oclm_free(ids);
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
    if ((result = cli_read_text(args->text, &text, &length)) != EXIT_OK)
        return result;
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
    if (args->jsonl && (args->text || args->json))
        return cli_fail(EXIT_USAGE, "--jsonl reads standard input and writes lines: give neither a text nor --json with it");
    if (!args->jsonl && !args->text)
        return cli_fail(EXIT_USAGE, "no text: give one, - for standard input, or --jsonl");
    if ((result = cli_load_tokenizer(args, false, &tokenizer)) != EXIT_OK)
        return result;
    result = args->jsonl ? tokenize_lines(args, tokenizer) : tokenize_text(args, tokenizer);
    oclm_tokenizer_free(tokenizer);
    return result;
}
