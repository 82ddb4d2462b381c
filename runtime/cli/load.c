/* load.c: finding and loading what the command line names. */
#include <string.h>

#include "cli/cli.h"

void cli_hub_options(const cli_args *args, oclm_hub_options *options)
{
    oclm_hub_options_init(options, sizeof *options);
    options->revision = args->revision;
    options->subfolder = args->subfolder;
    options->variant = args->variant;
    options->gguf_file = args->gguf_file;
    options->cache_dir = args->cache_dir;
    options->token = args->token;
    options->local_files_only = args->offline;
    options->force_download = args->force;
    options->parts = args->parts;
    options->include = args->include.words;
    options->include_count = args->include.count;
    options->exclude = args->exclude.words;
    options->exclude_count = args->exclude.count;
    options->local_dir = args->local_dir;
    options->progress = cli_download_progress;
}

static int find(const cli_args *args, const char *name, const oclm_hub_options *options, char **folder)
{
    oclm_status status;
    cli_interrupt_begin(); /* what has come stays, and no lock does */
    cli_download_begin(args);
    status = oclm_hub_download(name, options, folder);
    cli_download_end();
    cli_interrupt_end();
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

int cli_find_model(cli_args *args)
{
    oclm_hub_options options;
    char            *folder = NULL;
    int              result;
    if (args->folder)
        return EXIT_OK;
    cli_hub_options(args, &options);
    result = find(args, args->model, &options, &folder);
    args->folder = folder;
    return result;
}

/* Words between commas; those beyond the list's end are left out. */
static size_t split_words(char *text, const char *words[CLI_MAX_WORDS])
{
    size_t count = 0;
    while (text && count < CLI_MAX_WORDS) {
        char *comma = strchr(text, ',');
        if (*text && *text != ',')
            words[count++] = text;
        if (comma)
            *comma++ = '\0';
        text = comma;
    }
    return count;
}

static void fill_options(cli_loading *loading, oclm_model_options *options)
{
    oclm_model_options_init(options, sizeof *options);
    options->dtype = (oclm_dtype)loading->dtype;
    options->device = loading->device;
    options->matmul = (oclm_matmul)loading->matmul;
    options->max_device_bytes = loading->max_memory;
    options->device_map = loading->device_map;
    options->max_memory = loading->max_memory_map;
    options->offload_folder = loading->offload_folder;
    options->context_length = loading->context_length;
    options->load_in_8bit = loading->load_in_8bit;
    options->load_in_4bit = loading->load_in_4bit;
    options->bnb_4bit_quant_type = loading->bnb_4bit_quant_type;
    options->bnb_4bit_use_double_quant = loading->bnb_4bit_use_double_quant;
    if (loading->llm_int8_skip_modules) {
        if (loading->skip_module_count == 0)
            loading->skip_module_count = split_words(loading->llm_int8_skip_modules, loading->skip_modules);
        options->llm_int8_skip_modules = loading->skip_modules;
        options->llm_int8_skip_module_count = loading->skip_module_count;
    }
}

void cli_model_options(cli_args *args, oclm_model_options *options, oclm_hub_options *hub)
{
    fill_options(&args->loading, options);
    if (options->context_length == 0)
        options->context_length = args->context; /* chat: what the conversation may have */
    oclm_hub_options_init(hub, sizeof *hub);
    hub->variant = args->variant;
    options->hub = hub;
}

static int load(const char *folder, oclm_model_options *options, oclm_model **model)
{
    oclm_status status;
    options->progress = cli_progress;
    status = oclm_model_load(folder, options, model);
    cli_progress_clear();
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

int cli_load_model(cli_args *args, oclm_model **model, double *seconds)
{
    double             start;
    oclm_model_options options;
    oclm_hub_options   hub;
    int                result = cli_find_model(args);
    if (result != EXIT_OK)
        return result;
    start = cli_seconds();
    cli_model_options(args, &options, &hub);
    result = load(args->folder, &options, model);
    *seconds = cli_seconds() - start;
    return result;
}

/* What the command line says about MODEL in particular, its revision for one, is not about the assistant. */
int cli_load_assistant(cli_args *args, oclm_model **model)
{
    oclm_model_options options;
    oclm_hub_options   hub;
    char              *folder = NULL;
    int                result;
    cli_hub_options(args, &hub);
    hub.revision = hub.subfolder = hub.variant = hub.gguf_file = NULL;
    hub.parts = OCLM_HUB_CONFIG | OCLM_HUB_WEIGHTS;
    if ((result = find(args, args->assistant_model, &hub, &folder)) != EXIT_OK)
        return result;
    cli_loading *const mine = &args->assistant_loading;
    if (mine->dtype == OCLM_DTYPE_AUTO)
        mine->dtype = args->loading.dtype;
    if (mine->matmul == OCLM_MATMUL_AUTO)
        mine->matmul = args->loading.matmul;
    if (!mine->device && !mine->device_map)
        mine->device = args->loading.device;
    fill_options(mine, &options);
    result = load(folder, &options, model);
    oclm_free(folder);
    return result;
}

int cli_load_tokenizer(cli_args *args, bool optional, oclm_tokenizer **tokenizer)
{
    oclm_status status;
    const int   found = cli_find_model(args);
    *tokenizer = NULL;
    if (found != EXIT_OK)
        return found;
    status = oclm_tokenizer_load(args->folder, NULL, tokenizer);
    if (status == OCLM_ERR_NOT_FOUND && optional)
        return EXIT_OK;
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}
