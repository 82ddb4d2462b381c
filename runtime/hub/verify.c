/* verify.c: does every blob have the bytes that its name promises, and does every link and ref lead somewhere? */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/map.h"
#include "core/platform.h"
#include "hub/scan.h"

#define PART (1u << 20)

typedef struct repo_check {
    hub_verify *verify;
    const char *repo; /* its folder */
} repo_check;

static void tell(const repo_check *c, const char *path, const char *what)
{
    c->verify->problem(path, what, c->verify->user);
}

/* ---- Blobs */

/* Reads through the file; both digests, of which the blob's name says which one counts. */
static oclm_status digest_file(repo_check *c, const char *path, uint64_t size, bool sha256, char hex[65])
{
    core_map       map = CORE_MAP_INIT;
    core_sha256    wide;
    core_sha1      git;
    uint8_t        digest[32];
    char           header[40];
    const int      length = snprintf(header, sizeof header, "blob %llu", (unsigned long long)size);
    oclm_status    status = core_map_open(&map, path);
    core_sha256_init(&wide);
    core_sha1_init(&git);
    core_sha1_add(&git, header, (size_t)length + 1);
    for (size_t at = 0; status == OCLM_OK && at < map.size; at += PART) {
        const size_t part = map.size - at < PART ? map.size - at : PART;
        if (sha256)
            core_sha256_add(&wide, map.data + at, part);
        else
            core_sha1_add(&git, map.data + at, part);
        core_map_release(&map, at, part);
        c->verify->bytes += part;
        if (c->verify->progress != NULL && !c->verify->progress(path, at + part, map.size, c->verify->progress_user))
            status = core_fail(OCLM_ERR_CANCELLED, "verifying was stopped");
    }
    core_map_close(&map);
    if (sha256)
        core_sha256_end(&wide, digest);
    else
        core_sha1_end(&git, digest);
    core_hex(digest, sha256 ? 32 : 20, hex);
    return status;
}

/* A damaged blob is told by the names that it has in snapshots: they say what it is. */
typedef struct name_search {
    const repo_check *check;
    core_info         blob;
    bool              found;
} name_search;

static const char damaged[] = "is damaged, its bytes are not those of its checksum: oclm download MODEL --force fetches it again";

static oclm_status tell_name(const char *path, const char *relative, const core_info *info, void *user)
{
    name_search *const s = user;
    const core_info    to = core_path_info(path, true);
    (void)relative;
    (void)info;
    if (to.kind == CORE_FILE && to.device == s->blob.device && to.number == s->blob.number) {
        tell(s->check, path, damaged);
        s->found = true;
    }
    return OCLM_OK;
}

static oclm_status tell_damage(repo_check *c, const char *blob)
{
    name_search s = { c, core_path_info(blob, true), false };
    core_text   path = CORE_TEXT_INIT;
    oclm_status status = core_path_join(&path, c->repo, "snapshots");
    if (status == OCLM_OK && core_path_is_folder(path.data))
        status = hub_walk(path.data, tell_name, &s);
    if (status == OCLM_OK && !s.found)
        tell(c, blob, damaged);
    core_text_free(&path);
    return status;
}

static oclm_status check_blob(const char *path, const char *relative, const core_info *info, void *user)
{
    repo_check *const c = user;
    char              hex[65];
    const core_info   file = core_path_info(path, true); /* newer versions of Python link to a store that repositories share */
    (void)info;
    if (hub_is_unfinished(relative) || (!hub_is_sha256(relative) && !hub_is_commit(relative)))
        return OCLM_OK; /* unfinished, or a name that promises nothing */
    if (file.kind != CORE_FILE) {
        tell(c, path, "leads to nothing");
        return OCLM_OK;
    }
    c->verify->files++;
    const oclm_status status = digest_file(c, path, file.size, hub_is_sha256(relative), hex);
    if (status == OCLM_ERR_CANCELLED || status == OCLM_ERR_MEMORY)
        return status;
    if (status != OCLM_OK)
        tell(c, path, oclm_last_error());
    else if (strcmp(hex, relative) != 0)
        return tell_damage(c, path);
    return OCLM_OK;
}

/* ---- Links and refs */

static oclm_status check_link(const char *path, const char *relative, const core_info *info, void *user)
{
    (void)relative;
    (void)info;
    if (core_path_info(path, true).kind != CORE_FILE)
        tell(user, path, "leads to nothing: fetch it again with oclm download MODEL");
    return OCLM_OK;
}

static oclm_status check_ref(const char *path, const char *relative, const core_info *info, void *user)
{
    repo_check *const c = user;
    core_text         snapshot = CORE_TEXT_INIT;
    char             *text = NULL;
    size_t            length = 0;
    (void)info;
    if (hub_is_unfinished(relative))
        return OCLM_OK;
    oclm_status status = core_read_file(path, 4096, &text, &length);
    if (status == OCLM_OK && (length != HUB_COMMIT_LENGTH || !hub_is_commit(text)))
        tell(c, path, "does not hold the 40 digits of a commit: oclm download MODEL writes it anew");
    else if (status == OCLM_OK && (status = core_text_printf(&snapshot, "%s/snapshots/%s", c->repo, text)) == OCLM_OK &&
             !core_path_is_folder(snapshot.data))
        tell(c, path, "means a commit of which nothing is here: oclm download MODEL fetches it");
    core_free(text);
    core_text_free(&snapshot);
    return status;
}

static oclm_status check_part(repo_check *c, const char *part, oclm_status (*visit)(const char *, const char *, const core_info *, void *))
{
    core_text   path = CORE_TEXT_INIT;
    oclm_status status = core_path_join(&path, c->repo, part);
    if (status == OCLM_OK && core_path_is_folder(path.data))
        status = hub_walk(path.data, visit, c);
    core_text_free(&path);
    return status;
}

static oclm_status check_repo(const char *folder, hub_verify *verify)
{
    repo_check  c = { verify, folder };
    oclm_status status;
    if ((status = check_part(&c, "blobs", check_blob)) != OCLM_OK || (status = check_part(&c, "snapshots", check_link)) != OCLM_OK)
        return status;
    return check_part(&c, "refs", check_ref);
}

/* ---- All */

typedef struct cache_check {
    const char *folder;
    hub_verify *verify;
    oclm_status status;
} cache_check;

static bool visit_repo(const char *name, void *user)
{
    cache_check *const c = user;
    core_text          id = CORE_TEXT_INIT, path = CORE_TEXT_INIT;
    if (hub_id_of_folder(name, &id) && (c->status = core_path_join(&path, c->folder, name)) == OCLM_OK)
        c->status = check_repo(path.data, c->verify);
    core_text_free(&id);
    core_text_free(&path);
    return c->status == OCLM_OK;
}

oclm_status hub_verify_cache(const char *folder, const char *id, hub_verify *verify)
{
    core_text   name = CORE_TEXT_INIT, path = CORE_TEXT_INIT;
    cache_check c = { folder, verify, OCLM_OK };
    oclm_status status = OCLM_OK;
    if (id == NULL) {
        if (core_path_is_folder(folder) && (status = core_folder_list(folder, visit_repo, &c)) == OCLM_OK)
            status = c.status;
        return status;
    }
    if ((status = hub_id_check(id)) == OCLM_OK && (status = hub_id_folder(id, &name)) == OCLM_OK && (status = core_path_join(&path, folder, name.data)) == OCLM_OK)
        status = core_path_is_folder(path.data) ? check_repo(path.data, verify)
                                                : core_fail(OCLM_ERR_NOT_FOUND, "%s is not in the cache (%s); oclm cache list shows what is", id, folder);
    core_text_free(&name);
    core_text_free(&path);
    return status;
}
