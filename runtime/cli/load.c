/* load.c: loading what the command line names. */
#include "cli/cli.h"

int cli_load_model(const cli_args *args, oclm_model **model, double *seconds)
{
    const double       start = cli_seconds();
    oclm_model_options options;
    oclm_status        status;
    oclm_model_options_init(&options, sizeof options);
    options.device = args->device;
    options.dtype = (oclm_dtype)args->dtype;
    options.matmul = (oclm_matmul)args->matmul;
    options.max_device_bytes = args->max_memory;
    options.progress = cli_progress;
    status = oclm_model_load(args->model, &options, model);
    cli_progress_clear();
    *seconds = cli_seconds() - start;
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

int cli_load_tokenizer(const cli_args *args, oclm_tokenizer **tokenizer)
{
    const oclm_status status = oclm_tokenizer_load(args->model, tokenizer);
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}
