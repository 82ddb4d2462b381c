/* remove.c: a model out of the cache, or one revision of it with the blobs that no other revision has. Locks stay: other processes may wait
 * for them. */
#include <string.h>

#include "core/platform.h"
#include "hub/scan.h"

typedef struct removal {
    core_text   repo;   /* the model's folder */
    core_dir   *root, *dir, *blobs;
    const char *commit;
    uint64_t    bytes;
    bool        used;   /* the blob that is asked about, by another revision */
    core_info   blob;
} removal;

static oclm_status count_blob(const char *path, const char *relative, const core_info *info, void *user)
{
    (void)path;
    (void)relative;
    if (info->kind == CORE_FILE)
        *(uint64_t *)user += info->size;
    return OCLM_OK;
}

/* ---- One revision */

static bool is_of_commit(const removal *r, const char *relative)
{
    return strncmp(relative, r->commit, strlen(r->commit)) == 0 && relative[strlen(r->commit)] == '/';
}

/* relative: <commit>/<path> */
static oclm_status note_use(const char *path, const char *relative, const core_info *info, void *user)
{
    removal *const  r = user;
    const core_info to = core_path_info(path, true);
    (void)info;
    if (!is_of_commit(r, relative) && to.device == r->blob.device && to.number == r->blob.number)
        r->used = true;
    return OCLM_OK;
}

static oclm_status snapshots_path(const removal *r, core_text *path)
{
    return core_path_join(path, r->repo.data, "snapshots");
}

/* The blob of a link of this revision goes, unless another revision has it too. */
static oclm_status remove_blob(const char *path, const char *relative, const core_info *info, void *user)
{
    removal *const r = user;
    core_text      target = CORE_TEXT_INIT, snapshots = CORE_TEXT_INIT;
    oclm_status    status = OCLM_OK;
    if (!is_of_commit(r, relative))
        return OCLM_OK;
    if (info->kind == CORE_FILE)
        r->bytes += info->size;
    if (info->kind != CORE_LINK)
        return OCLM_OK;
    char *const    copy = core_copy_string(path, "a path");
    core_dir      *dir = NULL;
    if (copy == NULL)
        return OCLM_ERR_MEMORY;
    char *const leaf = strrchr(copy, '/');
    *leaf = '\0';
    if ((status = core_dir_open(copy, false, &dir)) == OCLM_OK && (status = core_dir_read_link(dir, leaf + 1, &target)) == OCLM_OK &&
        target.length > 0) {
        const char *name = strrchr(target.data, '/');
        r->blob = core_path_info(path, true);
        r->used = false;
        if (name != NULL && r->blob.kind == CORE_FILE && r->blobs != NULL && core_dir_info(r->blobs, name + 1, false).kind != CORE_NOTHING &&
            (status = snapshots_path(r, &snapshots)) == OCLM_OK && (status = hub_walk(snapshots.data, note_use, r)) == OCLM_OK && !r->used) {
            const core_info own = core_dir_info(r->blobs, name + 1, false);
            if ((status = core_dir_remove(r->blobs, name + 1)) == OCLM_OK && own.kind == CORE_FILE)
                r->bytes += own.size;
        }
    }
    core_dir_close(dir);
    core_text_free(&target);
    core_text_free(&snapshots);
    core_free(copy);
    return status;
}

static oclm_status remove_ref(const char *path, const char *relative, const core_info *info, void *user)
{
    removal *const r = user;
    char          *text = NULL;
    size_t         length;
    core_dir      *refs = NULL, *dir = NULL;
    char          *copy = core_copy_string(relative, "a ref");
    oclm_status    status = copy != NULL ? core_read_file(path, 4096, &text, &length) : OCLM_ERR_MEMORY;
    (void)info;
    if (status == OCLM_OK && strncmp(text, r->commit, strlen(r->commit)) == 0) {
        char *const slash = strrchr(copy, '/');
        if (slash != NULL)
            *slash = '\0';
        if ((status = core_dir_enter(r->dir, "refs", false, &refs)) == OCLM_OK &&
            (status = core_dir_enter(refs, slash != NULL ? copy : "", false, &dir)) == OCLM_OK)
            status = core_dir_remove(dir, slash != NULL ? slash + 1 : copy);
    }
    core_dir_close(refs);
    core_dir_close(dir);
    core_free(text);
    core_free(copy);
    return status;
}

static oclm_status remove_below(const removal *r, const char *part)
{
    core_dir   *dir;
    oclm_status status;
    if (core_dir_info(r->dir, part, false).kind != CORE_FOLDER)
        return OCLM_OK;
    if ((status = core_dir_enter(r->dir, part, false, &dir)) == OCLM_OK)
        status = core_dir_remove_tree(dir, r->commit);
    core_dir_close(dir);
    return status;
}

static oclm_status remove_revision(removal *r)
{
    core_text   path = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = snapshots_path(r, &path)) == OCLM_OK && (status = hub_walk(path.data, remove_blob, r)) == OCLM_OK &&
        (status = core_path_join(&path, r->repo.data, "refs")) == OCLM_OK && core_path_is_folder(path.data))
        status = hub_walk(path.data, remove_ref, r);
    core_text_free(&path);
    if (status == OCLM_OK && (status = remove_below(r, "snapshots")) == OCLM_OK)
        status = remove_below(r, ".no_exist");
    return status;
}

static bool has_snapshot(const removal *r)
{
    core_text  path = CORE_TEXT_INIT;
    const bool there = core_text_printf(&path, "%s/snapshots/%s", r->repo.data, r->commit) == OCLM_OK && core_path_is_folder(path.data);
    core_text_free(&path);
    return there;
}

/* The commit that `revision` means here; false where it means none. */
static bool find_commit(const char *repo, const char *revision, char commit[HUB_MAX_REVISION + 1])
{
    core_text path = CORE_TEXT_INIT;
    char     *text = NULL;
    size_t    length = 0;
    bool      found = core_text_printf(&path, "%s/refs/%s", repo, revision) == OCLM_OK && core_path_info(path.data, true).kind == CORE_FILE &&
                 core_read_file(path.data, 4096, &text, &length) == OCLM_OK && strlen(text) >= HUB_COMMIT_LENGTH;
    if (found) {
        memcpy(commit, text, HUB_COMMIT_LENGTH);
        commit[HUB_COMMIT_LENGTH] = '\0';
        found = hub_is_commit(commit);
    } else if (hub_is_commit(revision)) {
        memcpy(commit, revision, HUB_COMMIT_LENGTH + 1);
        found = true;
    }
    core_free(text);
    core_text_free(&path);
    return found;
}

/* ---- All of it */

static oclm_status remove_from(removal *r, const char *name, const char *id, const char *revision)
{
    char        commit[HUB_MAX_REVISION + 1];
    oclm_status status;
    if (revision == NULL) {
        if ((status = hub_walk(r->repo.data, count_blob, &r->bytes)) != OCLM_OK)
            return status;
        return core_dir_remove_tree(r->root, name);
    }
    r->commit = commit;
    if ((status = hub_revision_check(revision)) != OCLM_OK)
        return status;
    if (!find_commit(r->repo.data, revision, commit) || !has_snapshot(r))
        return core_fail(OCLM_ERR_NOT_FOUND, "revision %s of %s is not in the cache; oclm cache list shows what is", revision, id);
    if ((status = core_dir_enter(r->root, name, false, &r->dir)) != OCLM_OK)
        return status;
    if (core_dir_info(r->dir, "blobs", false).kind == CORE_FOLDER && (status = core_dir_enter(r->dir, "blobs", false, &r->blobs)) != OCLM_OK)
        return status;
    return remove_revision(r);
}

oclm_status hub_remove(const char *folder, const char *id, const char *revision, uint64_t *bytes)
{
    removal     r;
    core_text   name = CORE_TEXT_INIT;
    oclm_status status;
    memset(&r, 0, sizeof r);
    *bytes = 0;
    if ((status = hub_id_check(id)) != OCLM_OK || (status = hub_id_folder(id, &name)) != OCLM_OK ||
        (status = core_path_join(&r.repo, folder, name.data)) != OCLM_OK)
        goto done;
    if (core_path_info(r.repo.data, false).kind != CORE_FOLDER) {
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s is not in the cache (%s); oclm cache list shows what is", id, folder);
        goto done;
    }
    if ((status = core_dir_open(folder, false, &r.root)) == OCLM_OK)
        status = remove_from(&r, name.data, id, revision);
    *bytes = r.bytes;
done:
    core_dir_close(r.blobs);
    core_dir_close(r.dir);
    core_dir_close(r.root);
    core_text_free(&name);
    core_text_free(&r.repo);
    return status;
}
