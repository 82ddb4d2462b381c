/* cmd_cache.c: oclm cache: lists, verifies and removes what was fetched from the hub. */
#include <string.h>

#include "cli/cli.h"

/* ---- list ------------------------------------------------------------------------------------------------------------------ */

static oclm_cache_entry get(const oclm_cache_list *list, size_t i)
{
    oclm_cache_entry entry = { .struct_size = sizeof entry };
    (void)oclm_cache_list_get(list, i, &entry);
    return entry;
}

static bool same_repo(const oclm_cache_entry *a, const oclm_cache_entry *b)
{
    return strcmp(a->repo_path, b->repo_path) == 0;
}

/* The refs, "main, v1.0", one by one. */
static void print_refs(cli_json *json, const char *refs)
{
    cli_json_open(json, "refs", '[');
    while (*refs) {
        const char  *comma = strstr(refs, ", ");
        const size_t length = comma ? (size_t)(comma - refs) : strlen(refs);
        cli_json_string(json, NULL, refs, length);
        refs += length + (comma ? 2 : 0);
    }
    cli_json_close(json, ']');
}

static void print_list_json(const oclm_cache_list *list)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "path", oclm_cache_list_path(list));
    cli_json_uint(&json, "size_on_disk", oclm_cache_list_bytes(list)); /* Python's names for what Python counts */
    cli_json_open(&json, "repos", '[');
    for (size_t i = 0; i < oclm_cache_list_count(list);) {
        const oclm_cache_entry repo = get(list, i);
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "type", repo.type);
        cli_json_text(&json, "id", repo.name);
        cli_json_text(&json, "path", repo.repo_path);
        cli_json_uint(&json, "size_on_disk", repo.repo_bytes);
        cli_json_uint(&json, "nb_files", repo.repo_files);
        cli_json_uint(&json, "unfinished_bytes", repo.unfinished_bytes);
        cli_json_open(&json, "revisions", '[');
        for (; i < oclm_cache_list_count(list); i++) {
            const oclm_cache_entry entry = get(list, i);
            if (!same_repo(&entry, &repo))
                break;
            cli_json_open(&json, NULL, '{');
            cli_json_text(&json, "commit", entry.commit);
            print_refs(&json, entry.refs);
            cli_json_text(&json, "path", entry.path);
            cli_json_uint(&json, "size_on_disk", entry.bytes);
            cli_json_uint(&json, "nb_files", entry.files);
            cli_json_close(&json, '}');
        }
        cli_json_close(&json, ']');
        cli_json_close(&json, '}');
    }
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

static void print_list(const oclm_cache_list *list)
{
    char size[32];
    for (size_t i = 0; i < oclm_cache_list_count(list); i++) {
        const oclm_cache_entry entry = get(list, i);
        const oclm_cache_entry before = i > 0 ? get(list, i - 1) : entry;
        if (i == 0 || !same_repo(&entry, &before)) {
            (void)printf("%s%s%s  %s", strcmp(entry.type, "model") == 0 ? "" : entry.type, strcmp(entry.type, "model") == 0 ? "" : " ", entry.name,
                         cli_format_bytes(entry.repo_bytes, size));
            if (entry.unfinished_bytes > 0)
                (void)printf(", and %s of unfinished downloads", cli_format_bytes(entry.unfinished_bytes, size));
            (void)putchar('\n');
        }
        (void)printf("    %.12s  %-10s %4llu files  %s\n", entry.commit, cli_format_bytes(entry.bytes, size), (unsigned long long)entry.files, entry.refs);
    }
    (void)printf("%s in %s\n", cli_format_bytes(oclm_cache_list_bytes(list), size), oclm_cache_list_path(list));
}

static int run_list(const cli_args *args)
{
    oclm_cache_list  *list;
    const oclm_status status = oclm_cache_list_new(args->cache_dir, &list);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (args->json)
        print_list_json(list);
    else
        print_list(list);
    oclm_cache_list_free(list);
    return EXIT_OK;
}

/* ---- verify ---------------------------------------------------------------------------------------------------------------- */

static void tell_problem(const char *path, const char *what, void *user)
{
    cli_json *const json = user;
    cli_progress_clear();
    if (!json) {
        (void)printf("%s %s\n", path, what);
        return;
    }
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "path", path);
    cli_json_text(json, "what", what);
    cli_json_close(json, '}');
}

static bool show_verifying(const char *file, uint64_t done, uint64_t total, void *user)
{
    (void)file;
    return cli_progress("verify", done, total, user);
}

static int run_verify(const cli_args *args)
{
    cli_json         json = cli_json_begin(stdout);
    oclm_hub_options options;
    size_t           problems = 0;
    oclm_status      status;
    cli_hub_options(args, &options);
    options.progress = show_verifying;
    if (args->json) {
        cli_json_open(&json, NULL, '{');
        cli_json_open(&json, "problems", '[');
    }
    status = oclm_cache_verify(args->model, &options, tell_problem, args->json ? &json : NULL, &problems);
    cli_progress_clear();
    if (args->json) {
        cli_json_close(&json, ']');
        cli_json_bool(&json, "good", status == OCLM_OK && problems == 0);
        cli_json_close(&json, '}');
        cli_json_end(&json);
    }
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (!args->json && problems == 0)
        (void)puts("all is as it should be");
    return problems > 0 ? EXIT_FORMAT : EXIT_OK;
}

/* ---- remove ---------------------------------------------------------------------------------------------------------------- */

static int run_remove(const cli_args *args)
{
    oclm_hub_options options;
    uint64_t         bytes;
    oclm_status      status;
    char             size[32];
    if (!args->model)
        return cli_fail(EXIT_USAGE, "cache remove: which model? oclm cache remove MODEL");
    cli_hub_options(args, &options);
    if ((status = oclm_cache_remove(args->model, &options, &bytes)) != OCLM_OK)
        return cli_fail_status(status);
    if (args->json) {
        cli_json json = cli_json_begin(stdout);
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "removed", args->model);
        cli_json_uint(&json, "bytes", bytes);
        cli_json_close(&json, '}');
        cli_json_end(&json);
    } else {
        (void)printf("%s is removed: %s are free\n", args->model, cli_format_bytes(bytes, size));
    }
    return EXIT_OK;
}

int cmd_cache(cli_args *args)
{
    if (strcmp(args->text, "list") == 0)
        return args->model ? cli_fail(EXIT_USAGE, "cache list: takes no model, but \"%s\" was given", args->model) : run_list(args);
    if (strcmp(args->text, "verify") == 0)
        return run_verify(args);
    if (strcmp(args->text, "remove") == 0)
        return run_remove(args);
    return cli_fail(EXIT_USAGE, "cache: \"%s\" is none of list, verify, remove", args->text);
}
