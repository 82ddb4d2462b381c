/* scan.c: the cache as a table: repositories, their revisions, their sizes. A blob is known by its file's number, so that links count it once. */
#include "hub/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"

#define MAX_DEPTH 32 /* folders within folders */

/* ---- Walking */

typedef struct walker {
    oclm_status (*visit)(const char *path, const char *relative, const core_info *info, void *user);
    void       *user;
    const char *folder, *below;
    unsigned    depth;
    oclm_status status;
} walker;

static oclm_status walk(const walker *above, const char *below);

static bool walk_one(const char *name, void *user)
{
    walker *const w = user;
    core_text     relative = CORE_TEXT_INIT, path = CORE_TEXT_INIT;
    w->status = core_path_join(&relative, w->below, name);
    if (w->status == OCLM_OK && (w->status = core_path_join(&path, w->folder, relative.data)) == OCLM_OK) {
        const core_info info = core_path_info(path.data, false);
        w->status = info.kind == CORE_FOLDER ? walk(w, relative.data) : w->visit(path.data, relative.data, &info, w->user);
    }
    core_text_free(&relative);
    core_text_free(&path);
    return w->status == OCLM_OK;
}

static oclm_status walk(const walker *above, const char *below)
{
    walker      w = *above;
    core_text   path = CORE_TEXT_INIT;
    oclm_status status;
    w.below = below;
    w.status = OCLM_OK;
    if (++w.depth > MAX_DEPTH)
        return core_fail(OCLM_ERR_FORMAT, "%s/%s: folders lie deeper in each other than in any repository", w.folder, below);
    if ((status = core_path_join(&path, w.folder, below)) == OCLM_OK && (status = core_folder_list(path.data, walk_one, &w)) == OCLM_OK)
        status = w.status;
    core_text_free(&path);
    return status;
}

oclm_status hub_walk(const char *folder, oclm_status (*visit)(const char *path, const char *relative, const core_info *info, void *user), void *user)
{
    const walker w = { visit, user, folder, "", 0, OCLM_OK };
    return walk(&w, "");
}

/* ---- Blobs that were counted */

typedef struct seen_blob {
    uint64_t device, number, bytes;
} seen_blob;

typedef struct seen_list {
    seen_blob *blobs;
    size_t     count, capacity;
    double     changed; /* the youngest */
    size_t     files;
} seen_list;

static oclm_status see(seen_list *list, const core_info *info)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->blobs[i].number == info->number && list->blobs[i].device == info->device)
            return OCLM_OK;
    seen_blob *blobs = core_grow_array(list->blobs, list->count, &list->capacity, 32, sizeof *blobs, "the list of blobs");
    if (blobs == NULL)
        return OCLM_ERR_MEMORY;
    list->blobs = blobs;
    list->blobs[list->count++] = (seen_blob){ info->device, info->number, info->size };
    if (info->changed > list->changed)
        list->changed = info->changed;
    return OCLM_OK;
}

static uint64_t sum(const seen_list *list)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += list->blobs[i].bytes;
    return bytes;
}

static oclm_status count_file(const char *path, const char *relative, const core_info *info, void *user)
{
    seen_list *const list = user;
    const core_info  blob = core_path_info(path, true);
    (void)relative;
    (void)info;
    if (blob.kind != CORE_FILE)
        return core_fail(OCLM_ERR_FORMAT, "%s leads to nothing", path);
    list->files++;
    return see(list, &blob);
}

/* ---- Refs */

static oclm_status read_commit(const char *path, char commit[HUB_MAX_SEGMENT + 1])
{
    char       *text = NULL;
    size_t      length;
    oclm_status status = core_read_file(path, 4096, &text, &length);
    if (status == OCLM_OK) {
        const size_t used = strcspn(text, " \t\r\n");
        if (used > 0 && used <= HUB_MAX_SEGMENT)
            (void)snprintf(commit, HUB_MAX_SEGMENT + 1, "%.*s", (int)used, text);
        else
            status = core_fail(OCLM_ERR_FORMAT, "%s holds no commit", path);
    }
    core_free(text);
    return status;
}

static oclm_status place_ref(const char *path, const char *relative, const core_info *info, void *user)
{
    const hub_repo *const repo = user;
    char        commit[HUB_MAX_SEGMENT + 1];
    core_text   refs = CORE_TEXT_INIT;
    oclm_status status;
    (void)info;
    if (hub_is_unfinished(relative))
        return OCLM_OK;
    if ((status = read_commit(path, commit)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < repo->count; i++) {
        hub_revision *const revision = &repo->revisions[i];
        if (strcmp(revision->commit, commit) != 0)
            continue;
        status = core_text_printf(&refs, "%s%s%s", revision->refs, revision->refs[0] != '\0' ? ", " : "", relative);
        char *const joined = status == OCLM_OK ? core_text_take(&refs, NULL) : NULL;
        core_text_free(&refs);
        if (joined == NULL)
            return OCLM_ERR_MEMORY;
        core_free(revision->refs);
        revision->refs = joined;
        return OCLM_OK;
    }
    return core_fail(OCLM_ERR_FORMAT, "%s means %s, of which there is no snapshot", path, commit);
}

/* ---- A repository */

typedef struct repo_scan {
    hub_repo   *repo;
    const char *snapshots;
    seen_list   all;
    oclm_status status;
} repo_scan;

static bool is_ignored(const char *name)
{
    static const char *const names[] = { ".DS_Store", "Thumbs.db", "desktop.ini", "CACHEDIR.TAG", ".locks", "blobs" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static oclm_status add_revision(repo_scan *s, const char *name)
{
    hub_repo *const repo = s->repo;
    seen_list       mine = { NULL, 0, 0, 0, 0 };
    core_text       path = CORE_TEXT_INIT;
    hub_revision   *revisions = core_realloc_array(repo->revisions, repo->count + 1, sizeof *revisions, "the list of revisions");
    oclm_status     status = revisions != NULL ? core_path_join(&path, s->snapshots, name) : OCLM_ERR_MEMORY;
    if (revisions != NULL) {
        repo->revisions = revisions;
        memset(&revisions[repo->count], 0, sizeof *revisions);
    }
    if (status == OCLM_OK && core_path_info(path.data, true).kind != CORE_FOLDER)
        status = core_fail(OCLM_ERR_FORMAT, "%s: a folder belongs here", path.data);
    if (status == OCLM_OK && (status = hub_walk(path.data, count_file, &mine)) == OCLM_OK) {
        hub_revision *const r = &revisions[repo->count++];
        (void)snprintf(r->commit, sizeof r->commit, "%s", name);
        r->refs = core_copy_string("", "refs");
        r->path = core_text_take(&path, NULL);
        r->bytes = sum(&mine);
        r->files = mine.files;
        r->changed = mine.files > 0 ? mine.changed : r->path != NULL ? core_path_info(r->path, true).changed : 0;
        status = r->refs != NULL && r->path != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    }
    for (size_t i = 0; i < mine.count && status == OCLM_OK; i++) {
        const core_info info = { .device = mine.blobs[i].device, .number = mine.blobs[i].number, .size = mine.blobs[i].bytes };
        status = see(&s->all, &info);
    }
    core_free(mine.blobs);
    core_text_free(&path);
    return status;
}

static bool visit_snapshot(const char *name, void *user)
{
    repo_scan *const s = user;
    if (!is_ignored(name))
        s->status = add_revision(s, name);
    return s->status == OCLM_OK;
}

static int by_commit(const void *a, const void *b)
{
    return strcmp(((const hub_revision *)a)->commit, ((const hub_revision *)b)->commit);
}

static oclm_status count_unfinished(const char *path, const char *relative, const core_info *info, void *user)
{
    (void)path;
    if (hub_is_unfinished(relative))
        *(uint64_t *)user += info->size;
    return OCLM_OK;
}

static oclm_status scan_repo(hub_repo *repo)
{
    core_text   path = CORE_TEXT_INIT;
    repo_scan   s = { repo, NULL, { NULL, 0, 0, 0, 0 }, OCLM_OK };
    oclm_status status = core_path_join(&path, repo->path, "snapshots");
    if (status == OCLM_OK) {
        s.snapshots = path.data;
        if ((status = core_folder_list(path.data, visit_snapshot, &s)) == OCLM_OK)
            status = s.status;
    }
    if (status == OCLM_OK) {
        repo->bytes = sum(&s.all);
        repo->files = s.all.count;
        if (repo->count > 0)
            qsort(repo->revisions, repo->count, sizeof *repo->revisions, by_commit);
        if ((status = core_path_join(&path, repo->path, "refs")) == OCLM_OK && core_path_is_folder(path.data))
            status = hub_walk(path.data, place_ref, repo);
    }
    if (status == OCLM_OK && (status = core_path_join(&path, repo->path, "blobs")) == OCLM_OK && core_path_is_folder(path.data))
        status = hub_walk(path.data, count_unfinished, &repo->unfinished);
    core_free(s.all.blobs);
    core_text_free(&path);
    return status;
}

static void repo_free(hub_repo *repo)
{
    for (size_t i = 0; i < repo->count; i++) {
        core_free(repo->revisions[i].path);
        core_free(repo->revisions[i].refs);
    }
    core_free(repo->revisions);
    core_free(repo->type);
    core_free(repo->id);
    core_free(repo->path);
    memset(repo, 0, sizeof *repo);
}

/* ---- The cache */

typedef struct cache_scan {
    hub_scan   *scan;
    const char *folder;
    oclm_status status;
} cache_scan;

/* "models--a--b": "model" and "a/b" */
static oclm_status name_repo(const char *name, hub_repo *repo)
{
    static const char *const types[] = { "model", "dataset", "space", "kernel" };
    core_text   folder = CORE_TEXT_INIT, id = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    const char *cut = strstr(name, "s--");
    for (size_t i = 0; cut != NULL && repo->type == NULL && i < COUNT(types); i++)
        if (strlen(types[i]) == (size_t)(cut - name) && strncmp(name, types[i], (size_t)(cut - name)) == 0 &&
            (repo->type = core_copy_string(types[i], "a type")) == NULL)
            return OCLM_ERR_MEMORY;
    if (repo->type == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s is none of a repository", name);
    if ((status = core_text_printf(&folder, "models--%s", cut + 3)) == OCLM_OK &&
        (!hub_id_of_folder(folder.data, &id) || (repo->id = core_text_take(&id, NULL)) == NULL))
        status = core_fail(OCLM_ERR_FORMAT, "%s is none of a repository", name);
    core_text_free(&folder);
    core_text_free(&id);
    return status;
}

static oclm_status add_repo(cache_scan *s, const char *name)
{
    hub_scan *const scan = s->scan;
    core_text       path = CORE_TEXT_INIT;
    hub_repo       *repos = core_realloc_array(scan->repos, scan->count + 1, sizeof *repos, "the list of models");
    if (repos == NULL)
        return OCLM_ERR_MEMORY;
    scan->repos = repos;
    hub_repo *const repo = &repos[scan->count];
    memset(repo, 0, sizeof *repo);
    oclm_status status = core_path_join(&path, s->folder, name);
    if (status == OCLM_OK && (status = name_repo(name, repo)) == OCLM_OK) {
        if ((repo->path = core_text_take(&path, NULL)) == NULL)
            status = OCLM_ERR_MEMORY;
        else
            status = scan_repo(repo);
    }
    core_text_free(&path);
    if (status == OCLM_OK) {
        scan->bytes += repo->bytes;
        scan->count++;
        return OCLM_OK;
    }
    repo_free(repo);
    if (status == OCLM_ERR_MEMORY)
        return status;
    core_log(OCLM_LOG_WARNING, "%s is left out: %s", name, oclm_last_error());
    return OCLM_OK;
}

static bool visit_repo(const char *name, void *user)
{
    cache_scan *const s = user;
    if (!is_ignored(name))
        s->status = add_repo(s, name);
    return s->status == OCLM_OK;
}

static int by_name(const void *a, const void *b)
{
    const hub_repo *const one = a, *const two = b;
    const int             types = strcmp(one->type, two->type);
    return types != 0 ? types : strcmp(one->id, two->id);
}

oclm_status hub_scan_cache(const char *folder, hub_scan *scan)
{
    cache_scan  s = { scan, folder, OCLM_OK };
    oclm_status status;
    if (!core_path_is_folder(folder))
        return OCLM_OK;
    if ((status = core_folder_list(folder, visit_repo, &s)) != OCLM_OK || (status = s.status) != OCLM_OK)
        return status;
    if (scan->count > 0)
        qsort(scan->repos, scan->count, sizeof *scan->repos, by_name);
    return OCLM_OK;
}

void hub_scan_free(hub_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        repo_free(&scan->repos[i]);
    core_free(scan->repos);
    memset(scan, 0, sizeof *scan);
}
