/* cmd_detokenize.c: oclm detokenize: ids to text. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Prints {"text": ...}, or the text alone. */
static int print(const cli_args *args, const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count, bool as_json)
{
    cli_json          json = cli_json_begin(stdout);
    char             *text;
    size_t            length;
    const oclm_status status = oclm_tokenizer_decode(tokenizer, ids, count, args->skip_special_tokens, &text, &length);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (as_json) {
        cli_json_open(&json, NULL, '{');
        cli_json_string(&json, "text", text, length);
        cli_json_close(&json, '}');
        cli_json_end(&json);
    } else {
        (void)fwrite(text, 1, length, stdout);
        (void)putchar('\n');
    }
    oclm_free(text);
    return EXIT_OK;
}

static int detokenize_lines(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    char  *line = NULL;
    size_t capacity = 0, length;
    int    result;
    for (size_t number = 1; (result = cli_read_line(&line, &capacity, &length)) == EXIT_OK && line; number++) {
        int32_t *ids;
        size_t   count;
        if ((result = cli_jsonl_ids(line, length, number, &ids, &count)) != EXIT_OK)
            break;
        result = print(args, tokenizer, ids, count, true);
        free(ids);
        if (result != EXIT_OK)
            break;
        (void)fflush(stdout);
    }
    free(line);
    return result;
}

static int detokenize_ids(const cli_args *args, const oclm_tokenizer *tokenizer)
{
    int32_t *ids;
    char    *text;
    size_t   count, length;
    int      result;
    if ((result = cli_read_text(args->ids, &text, &length)) != EXIT_OK)
        return result;
    result = cli_parse_ids("ids", text, &ids, &count);
    free(text);
    if (result != EXIT_OK)
        return result;
    result = print(args, tokenizer, ids, count, args->json);
    free(ids);
    return result;
}

int cmd_detokenize(cli_args *args)
{
    oclm_tokenizer *tokenizer;
    int             result;
    if (args->jsonl && (args->ids || args->json))
        return cli_fail(EXIT_USAGE, "--jsonl reads standard input and writes lines: give neither ids nor --json with it");
    if (!args->jsonl && !args->ids)
        return cli_fail(EXIT_USAGE, "no ids: give them as 1,2,3, or - for standard input, or --jsonl");
    if ((result = cli_load_tokenizer(args, false, &tokenizer)) != EXIT_OK)
        return result;
    result = args->jsonl ? detokenize_lines(args, tokenizer) : detokenize_ids(args, tokenizer);
    oclm_tokenizer_free(tokenizer);
    return result;
}
