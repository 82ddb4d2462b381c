/* generation.c: options of generation that need a tokenizer or another model before they can go into oclm_generate_options. */
#include <string.h>

#include "cli/cli.h"

static int encode_negative(cli_args *args, const oclm_tokenizer *tokenizer)
{
    oclm_status status;
    int32_t    *ids;
    size_t      count;
    if (!args->negative_prompt)
        return EXIT_OK;
    if (args->generate.negative_prompt_ids)
        return cli_fail(EXIT_USAGE, "both --negative-prompt and --negative-prompt-ids are given; choose one");
    if (!tokenizer)
        return cli_fail(EXIT_USAGE, "--negative-prompt is a text, and %s has no tokenizer; use --negative-prompt-ids", args->model);
    status = oclm_tokenizer_encode(tokenizer, args->negative_prompt, strlen(args->negative_prompt), !args->no_special_tokens, &ids, &count);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    args->negative_ids = ids;
    args->generate.negative_prompt_ids = ids;
    args->generate.negative_prompt_count = count;
    return EXIT_OK;
}

int cli_generation_begin(cli_args *args, const oclm_tokenizer *tokenizer)
{
    int result = encode_negative(args, tokenizer);
    if (result == EXIT_OK && args->assistant_model && !args->assistant)
        result = cli_load_assistant(args, &args->assistant);
    args->generate.assistant_model = args->assistant;
    return result;
}

void cli_generation_end(cli_args *args)
{
    oclm_free(args->negative_ids);
    args->negative_ids = NULL;
    oclm_model_free(args->assistant);
    args->assistant = NULL;
}
