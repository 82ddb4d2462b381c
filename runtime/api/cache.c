/* cache.c: what is in the cache of the hub, whether it is right, and out with it. */
#include "api/api.h"
#include "hub/scan.h"
#include "hub/settings.h"

struct oclm_cache_list {
    hub_scan scan;
    char    *path;
    size_t   count; /* revisions of all repositories */
};

static void ignore_problem(const char *path, const char *what, void *user)
{
    (void)path;
    (void)what;
    (void)user;
}

oclm_status oclm_cache_list_new(const char *cache_dir, oclm_cache_list **list)
{
    oclm_cache_list *made;
    oclm_status      status;
    if (!list)
        return api_missing("oclm_cache_list_new", "list");
    *list = NULL;
    if (!(made = core_alloc_zero(1, sizeof *made, "the list of the cache")))
        return OCLM_ERR_MEMORY;
    if ((status = hub_cache_path(cache_dir, &made->path)) == OCLM_OK)
        status = hub_scan_cache(made->path, &made->scan);
    if (status != OCLM_OK) {
        oclm_cache_list_free(made);
        return status;
    }
    for (size_t i = 0; i < made->scan.count; i++)
        made->count += made->scan.repos[i].count;
    *list = made;
    return OCLM_OK;
}

size_t oclm_cache_list_count(const oclm_cache_list *list)
{
    return list ? list->count : 0;
}

const char *oclm_cache_list_path(const oclm_cache_list *list)
{
    return list ? list->path : NULL;
}

uint64_t oclm_cache_list_bytes(const oclm_cache_list *list)
{
    return list ? list->scan.bytes : 0;
}

oclm_status oclm_cache_list_get(const oclm_cache_list *list, size_t index, oclm_cache_entry *entry)
{
    const hub_repo *repo;
    oclm_status     status;
    if (!list)
        return api_missing("oclm_cache_list_get", "list");
    if ((status = api_result_check(entry, sizeof *entry, "oclm_cache_entry")) != OCLM_OK)
        return status;
    if (index >= list->count)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_cache_list_get: index %zu of %zu", index, list->count);
    for (repo = list->scan.repos; index >= repo->count; repo++)
        index -= repo->count;
    const hub_revision    *revision = &repo->revisions[index];
    const oclm_cache_entry mine = { .struct_size = sizeof mine, .type = repo->type, .name = repo->id, .commit = revision->commit,
                                    .refs = revision->refs, .path = revision->path, .bytes = revision->bytes, .files = revision->files,
                                    .last_modified = revision->changed, .repo_path = repo->path, .repo_bytes = repo->bytes, .repo_files = repo->files,
                                    .unfinished_bytes = repo->unfinished };
    api_result_write(&mine, sizeof mine, entry);
    return OCLM_OK;
}

void oclm_cache_list_free(oclm_cache_list *list)
{
    if (!list)
        return;
    hub_scan_free(&list->scan);
    core_free(list->path);
    core_free(list);
}

typedef struct problem_counter {
    oclm_cache_problem_callback problem;
    void                       *user;
    size_t                      count;
} problem_counter;

static void count_problem(const char *path, const char *what, void *user)
{
    problem_counter *const counter = user;
    counter->count++;
    counter->problem(path, what, counter->user);
}

oclm_status oclm_cache_verify(const char *name, const oclm_hub_options *options, oclm_cache_problem_callback problem, void *user,
                              size_t *problems)
{
    oclm_hub_options mine;
    problem_counter  counter = { problem ? problem : ignore_problem, user, 0 };
    char            *path = NULL;
    oclm_status      status = api_hub_options_read(options, &mine);
    hub_verify       verify = { .problem = count_problem, .user = &counter, .progress = mine.progress, .progress_user = mine.progress_user };
    if (status == OCLM_OK && (status = hub_cache_path(mine.cache_dir, &path)) == OCLM_OK)
        status = hub_verify_cache(path, name, &verify);
    if (problems)
        *problems = counter.count;
    core_free(path);
    return status;
}

oclm_status oclm_cache_remove(const char *name, const oclm_hub_options *options, uint64_t *bytes)
{
    oclm_hub_options mine;
    uint64_t         freed = 0;
    char            *path = NULL;
    oclm_status      status = name ? api_hub_options_read(options, &mine) : api_missing("oclm_cache_remove", "name");
    if (status == OCLM_OK && (status = hub_cache_path(mine.cache_dir, &path)) == OCLM_OK)
        status = hub_remove(path, name, mine.revision, &freed);
    if (bytes)
        *bytes = freed;
    core_free(path);
    return status;
}
