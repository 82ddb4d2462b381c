/* cmd_perplexity.c: oclm perplexity: of a file, with a sliding window. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct job {
    cli_args       *args;
    oclm_tokenizer *tokenizer; /* NULL: ids only */
    oclm_model     *model;
    char           *text;      /* NULL: ids only */
    size_t          length;
    int32_t        *ids;
    size_t          count;
} job;

/* Before a model is fetched: the file is there, or ids are given. */
static int read_input(job *j)
{
    const cli_args *args = j->args;
    if (args->text && args->input_ids)
        return cli_fail(EXIT_USAGE, "both a file and --input-ids are given; choose one");
    if (!args->text && !args->input_ids)
        return cli_fail(EXIT_USAGE, "no text: give a file, - for standard input, or --input-ids 1,2,3");
    if (args->input_ids)
        return cli_read_prompt(args, NULL, &j->ids, &j->count);
    return strcmp(args->text, "-") == 0 ? cli_read_stdin(&j->text, &j->length) : cli_read_file(args->text, &j->text, &j->length);
}

static int encode(job *j)
{
    int result;
    if (j->text && (result = cli_encode(j->tokenizer, j->text, j->length, !j->args->no_special_tokens, &j->ids, &j->count)) != EXIT_OK)
        return result;
    if (j->count < 2)
        return cli_fail(EXIT_USAGE, "%s has %zu token%s; perplexity needs at least 2, for nothing stands before the first",
                        j->text ? j->args->text : "--input-ids", j->count, j->count == 1 ? "" : "s");
    return EXIT_OK;
}

static void print(const cli_args *args, const oclm_perplexity_result *found)
{
    cli_json json;
    if (!args->json) {
        (void)printf("perplexity %.4f, mean negative log-likelihood %.6f, over %llu tokens in %llu windows (max length %lu, stride %lu)\n",
                     found->perplexity, found->mean_nll, (unsigned long long)found->tokens, (unsigned long long)found->windows,
                     (unsigned long)found->max_length, (unsigned long)found->stride);
        return;
    }
    json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", args->model);
    cli_json_number(&json, "perplexity", found->perplexity);
    cli_json_number(&json, "mean_nll", found->mean_nll);
    cli_json_uint(&json, "tokens", found->tokens);
    cli_json_uint(&json, "windows", found->windows);
    cli_json_uint(&json, "max_length", found->max_length);
    cli_json_uint(&json, "stride", found->stride);
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

static int measure(const job *j)
{
    oclm_perplexity_options options;
    oclm_perplexity_result  found = { .struct_size = sizeof found };
    oclm_perplexity_options_init(&options, sizeof options);
    options.max_length = j->args->window;
    options.stride = j->args->stride;
    options.progress = cli_progress;
    options.cancel = &cli_interrupt_flag;
    const oclm_status status = oclm_perplexity(j->model, j->ids, j->count, &options, &found);
    cli_progress_clear();
    if (status != OCLM_OK)
        return cli_fail_status(status);
    print(j->args, &found);
    return EXIT_OK;
}

int cmd_perplexity(cli_args *args)
{
    job    j = { .args = args };
    double seconds;
    int    result = read_input(&j);
    if (result == EXIT_OK && (args->input_ids || (result = cli_load_tokenizer(args, false, &j.tokenizer)) == EXIT_OK) &&
        (result = encode(&j)) == EXIT_OK && (result = cli_load_model(args, &j.model, &seconds)) == EXIT_OK)
        result = measure(&j);
    oclm_model_free(j.model);
    oclm_tokenizer_free(j.tokenizer);
    free(j.ids);
    free(j.text);
    return result;
}
