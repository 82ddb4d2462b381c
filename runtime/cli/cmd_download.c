/* cmd_download.c: oclm download: a model's files into the cache, and where they are. */
#include "cli/cli.h"

int cmd_download(cli_args *args)
{
    const int result = cli_find_model(args);
    if (result != EXIT_OK)
        return result;
    if (args->json) {
        cli_json json = cli_json_begin(stdout);
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "model", args->model);
        cli_json_text(&json, "folder", args->folder);
        cli_json_close(&json, '}');
        cli_json_end(&json);
    } else {
        (void)printf("%s\n", args->folder);
    }
    return EXIT_OK;
}
