/* cmd_download.c: oclm download: a model's files into the cache, and where they are. */
#include <string.h>

#include "cli/cli.h"

#define COMMIT_LENGTH 40

/* The commit that a folder of the cache is of: .../snapshots/<commit>[/...]; NULL for other folders. */
static const char *commit_of(const char *folder)
{
    static const char mark[] = "/snapshots/";
    const char       *found = NULL;
    for (const char *p = strstr(folder, mark); p; p = strstr(p + 1, mark))
        found = p + sizeof mark - 1;
    return found && strspn(found, "0123456789abcdef") == COMMIT_LENGTH ? found : NULL;
}

int cmd_download(cli_args *args)
{
    const int result = cli_find_model(args);
    if (result != EXIT_OK)
        return result;
    if (args->json) {
        cli_json json = cli_json_begin(stdout);
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "model", args->model);
        cli_json_text(&json, "path", args->folder);
        cli_json_string(&json, "commit", commit_of(args->folder), COMMIT_LENGTH);
        cli_json_close(&json, '}');
        cli_json_end(&json);
    } else {
        (void)printf("%s\n", args->folder);
    }
    return EXIT_OK;
}
