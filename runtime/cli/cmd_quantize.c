/* cmd_quantize.c: oclm quantize: a model in fewer bits, as a folder or a GGUF file. */
#include "cli/cli.h"

static const char *const format_names[] = { "", "nf4", "fp4", "int8", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "f16" };

static int check(const cli_args *args)
{
    if (!args->text)
        return cli_fail(EXIT_USAGE, "quantize: written where? oclm quantize MODEL OUT --to FORMAT");
    if (args->quantize_to == 0)
        return cli_fail(EXIT_USAGE, "quantize: to what? --to nf4, fp4 or int8 writes a folder for transformers and oclm; --to q4_0, q4_1, q5_0, q5_1, q8_0 or "
                        "f16 a GGUF file, for llama.cpp too");
    if (args->double_quant && args->quantize_to > OCLM_QUANTIZE_FP4)
        return cli_fail(EXIT_USAGE, "quantize: --double-quant is for --to nf4 and fp4; %s has no such scales", format_names[args->quantize_to]);
    return EXIT_OK;
}

static void print(const cli_args *args)
{
    if (!args->json) {
        (void)printf("%s\n", args->text);
        return;
    }
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", args->model);
    cli_json_text(&json, "to", format_names[args->quantize_to]);
    cli_json_text(&json, "path", args->text);
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

int cmd_quantize(cli_args *args)
{
    oclm_quantize_options options;
    oclm_hub_options      hub;
    int                   result = check(args);
    if (result != EXIT_OK || (result = cli_find_model(args)) != EXIT_OK)
        return result;
    oclm_hub_options_init(&hub, sizeof hub);
    hub.variant = args->variant;
    oclm_quantize_options_init(&options, sizeof options);
    options.format = (oclm_quantize_format)args->quantize_to;
    options.double_quant = args->double_quant;
    options.hub = &hub;
    options.progress = cli_progress;
    cli_interrupt_begin(); /* so that nothing half-written stays */
    const oclm_status status = oclm_quantize(args->folder, args->text, &options);
    cli_interrupt_end();
    cli_progress_clear();
    if (status != OCLM_OK)
        return cli_interrupted() ? EXIT_INTERRUPTED : cli_fail_status(status);
    print(args);
    return EXIT_OK;
}
