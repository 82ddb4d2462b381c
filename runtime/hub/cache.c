/* cache.c: the cache's layout: what is there, and how something new comes to be there for other processes at once and whole. */
#include "hub/cache.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/platform.h"

#define MAX_REF 4096u  /* bytes of a ref's file that are read; right are 40 */
#define REF_TRIES 3    /* old versions of Python write refs in place: a reader may see a part */
#define REF_PAUSE_S 0.01

static const char tag_text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# This file marks a cache of models from the Hugging Face Hub, so that backups may leave it out.\n"
                               "# See https://bford.info/cachedir/\n";

oclm_status hub_cache_init(hub_cache *cache, const hub_settings *settings, const char *id)
{
    oclm_status status;
    memset(cache, 0, sizeof *cache);
    cache->settings = settings;
    if ((status = hub_id_folder(id, &cache->name)) != OCLM_OK)
        return status;
    return core_path_join(&cache->folder, settings->cache, cache->name.data);
}

void hub_cache_deinit(hub_cache *cache)
{
    core_dir_close(cache->root);
    core_dir_close(cache->repo);
    core_dir_close(cache->blobs);
    core_dir_close(cache->locks);
    core_text_free(&cache->name);
    core_text_free(&cache->folder);
    memset(cache, 0, sizeof *cache);
}

/* ---- Reading */

static bool parse_ref(const char *text, size_t length, char commit[HUB_COMMIT_LENGTH + 1])
{
    while (length > 0 && strchr(" \t\r\n", text[0]) != NULL)
        text++, length--;
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    if (length != HUB_COMMIT_LENGTH)
        return false;
    memcpy(commit, text, length);
    commit[length] = '\0';
    return hub_is_commit(commit);
}

bool hub_cache_ref(const hub_cache *cache, const char *revision, char commit[HUB_COMMIT_LENGTH + 1])
{
    core_text path = CORE_TEXT_INIT;
    bool      found = false;
    if (hub_is_commit(revision)) {
        memcpy(commit, revision, HUB_COMMIT_LENGTH + 1);
        return true;
    }
    if (core_text_printf(&path, "%s/refs/%s", cache->folder.data, revision) == OCLM_OK) {
        for (int tries = 0; !found && tries < REF_TRIES && core_path_info(path.data, true).kind == CORE_FILE; tries++) {
            char  *text = NULL;
            size_t length = 0;
            if (tries > 0)
                core_sleep(REF_PAUSE_S);
            found = core_read_file(path.data, MAX_REF, &text, &length) == OCLM_OK && parse_ref(text, length, commit);
            core_free(text);
        }
    }
    core_text_free(&path);
    return found;
}

/* A link that leads out of the cache is somebody's own arrangement, or an attack on a shared cache: it is told. */
static void warn_of_way_out(const hub_cache *cache, const char *path)
{
    core_text  to = CORE_TEXT_INIT, home = CORE_TEXT_INIT;
    const bool known = core_path_resolve(path, &to) == OCLM_OK;
    bool       inside = false;
    /* The repository's folder may itself be a link to another disk; a store that repositories share lies beside it. */
    for (int i = 0; known && !inside && i < 2; i++)
        inside = core_path_resolve(i == 0 ? cache->settings->cache : cache->folder.data, &home) == OCLM_OK &&
                 strncmp(to.data, home.data, home.length) == 0 && to.data[home.length] == '/';
    if (known && !inside)
        core_log(OCLM_LOG_WARNING, "%s leads out of the cache, to %s", path, to.data);
    core_text_free(&to);
    core_text_free(&home);
}

bool hub_cache_has(const hub_cache *cache, const char *commit, const char *file, core_text *path)
{
    core_text_clear(path);
    if (core_text_printf(path, "%s/snapshots/%s/%s", cache->folder.data, commit, file) != OCLM_OK ||
        core_path_info(path->data, true).kind != CORE_FILE)
        return false;
    warn_of_way_out(cache, path->data);
    return true;
}

hub_presence hub_cache_find(const hub_cache *cache, const char *commit, const char *file, core_text *path)
{
    core_text_clear(path);
    if (core_text_printf(path, "%s/.no_exist/%s/%s", cache->folder.data, commit, file) == OCLM_OK &&
        core_path_info(path->data, true).kind == CORE_FILE)
        return HUB_ABSENT;
    return hub_cache_has(cache, commit, file, path) ? HUB_PRESENT : HUB_UNKNOWN;
}

/* ---- Opening for writing */

static oclm_status with_way_out(oclm_status status)
{
    return status == OCLM_ERR_IO ? core_fail(status, "%s; HF_HOME or --cache-dir names another place for the cache", oclm_last_error()) : status;
}

/* The repository's folder may be a link that its user made, to another disk; not one that somebody else did. */
static oclm_status open_repo(hub_cache *cache)
{
    const core_info info = core_dir_info(cache->root, cache->name.data, false);
    if (info.kind == CORE_LINK && info.trusted)
        return core_dir_open(cache->folder.data, false, &cache->repo);
    return core_dir_enter(cache->root, cache->name.data, true, &cache->repo);
}

static void write_tag(const core_dir *root)
{
    core_file *file;
    if (core_dir_info(root, "CACHEDIR.TAG", false).kind != CORE_NOTHING || core_file_create(root, "CACHEDIR.TAG", &file) != OCLM_OK)
        return;
    (void)core_file_write(file, tag_text, sizeof tag_text - 1);
    (void)core_file_close(file);
}

static oclm_status open_all(hub_cache *cache)
{
    core_text   locks = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = core_dir_open(cache->settings->cache, true, &cache->root)) != OCLM_OK)
        return status;
    write_tag(cache->root);
    if ((status = open_repo(cache)) == OCLM_OK && (status = core_dir_enter(cache->repo, "blobs", true, &cache->blobs)) == OCLM_OK &&
        (status = core_path_join(&locks, ".locks", cache->name.data)) == OCLM_OK)
        status = core_dir_enter(cache->root, locks.data, true, &cache->locks);
    core_text_free(&locks);
    return status;
}

oclm_status hub_cache_open(hub_cache *cache)
{
    return cache->locks != NULL ? OCLM_OK : with_way_out(open_all(cache));
}

/* ---- Blobs */

oclm_status hub_cache_lock_try(const hub_cache *cache, const char *etag, core_dir_lock **lock, bool *unsupported)
{
    char name[HUB_TEMP_NAME];
    (void)snprintf(name, sizeof name, "%s.lock", etag);
    return with_way_out(core_dir_lock_try(cache->locks, name, lock, unsupported));
}

bool hub_cache_has_blob(const hub_cache *cache, const char *etag, uint64_t size)
{
    const core_info info = core_dir_info(cache->blobs, etag, true); /* newer versions of Python link to a store that repositories share */
    return info.kind == CORE_FILE && info.size == size;
}

static void new_name(const char *before, const char *after, char *name, size_t size)
{
    uint8_t random[4];
    char    hex[9];
    core_random(random, sizeof random);
    core_hex(random, sizeof random, hex);
    (void)snprintf(name, size, "%s.%s.%s", before, hex, after);
}

oclm_status hub_cache_temp(const hub_cache *cache, const char *etag, uint64_t size, char name[HUB_TEMP_NAME], core_file **file, bool *adopted)
{
    char left[HUB_TEMP_NAME];
    (void)snprintf(left, sizeof left, "%s.incomplete", etag);
    new_name(etag, "incomplete", name, HUB_TEMP_NAME);
    const core_info info = core_dir_info(cache->blobs, left, false);
    *adopted = info.kind == CORE_FILE && info.ours && info.links == 1 && info.size < size && info.size > 0 &&
               core_dir_rename(cache->blobs, left, cache->blobs, name) == OCLM_OK && core_file_open(cache->blobs, name, true, file) == OCLM_OK;
    return *adopted ? OCLM_OK : with_way_out(core_file_create(cache->blobs, name, file));
}

void hub_cache_drop_temp(const hub_cache *cache, const char *name)
{
    (void)core_dir_remove(cache->blobs, name);
}

void hub_cache_keep_temp(const hub_cache *cache, const char *name, const char *etag)
{
    char left[HUB_TEMP_NAME];
    (void)snprintf(left, sizeof left, "%s.incomplete", etag);
    (void)core_dir_rename(cache->blobs, name, cache->blobs, left);
}

/* ---- Links */

/* The last part of a path, and the folder before it, opened below the repository. */
static oclm_status open_folder_of(const hub_cache *cache, const char *kind, const char *commit, const char *file, core_dir **dir, const char **leaf)
{
    core_text   path = CORE_TEXT_INIT;
    const char *slash = strrchr(file, '/');
    oclm_status status = commit[0] != '\0' ? core_text_printf(&path, "%s/%s", kind, commit) : core_text_add_string(&path, kind);
    if (status == OCLM_OK && slash != NULL)
        status = core_text_printf(&path, "/%.*s", (int)(slash - file), file);
    if (status == OCLM_OK)
        status = core_dir_enter(cache->repo, path.data, true, dir);
    *leaf = slash != NULL ? slash + 1 : file;
    core_text_free(&path);
    return status;
}

static oclm_status link_text(const char *etag, const char *file, core_text *out)
{
    oclm_status status = core_text_add_string(out, "../../");
    for (const char *p = file; *p != '\0' && status == OCLM_OK; p++)
        if (*p == '/')
            status = core_text_add_string(out, "../");
    return status == OCLM_OK ? core_text_printf(out, "blobs/%s", etag) : status;
}

static bool is_blob(const hub_cache *cache, const core_dir *dir, const char *leaf, const char *etag)
{
    const core_info there = core_dir_info(dir, leaf, true), blob = core_dir_info(cache->blobs, etag, true);
    return there.kind == CORE_FILE && blob.kind == CORE_FILE && there.device == blob.device && there.number == blob.number;
}

/* Makes the link. `*unsupported`: this place has none. */
static oclm_status make_link(const hub_cache *cache, const core_dir *dir, const char *leaf, const char *etag, const char *target, bool *unsupported)
{
    *unsupported = false;
    for (int tries = 0; tries < 2; tries++) {
        switch (core_dir_link(dir, leaf, target)) {
        case CORE_LINK_MADE: return OCLM_OK;
        case CORE_LINK_UNSUPPORTED: *unsupported = true; return OCLM_OK;
        case CORE_LINK_FAILED: return OCLM_ERR_IO;
        case CORE_LINK_EXISTS: break;
        }
        const core_kind kind = core_dir_info(dir, leaf, false).kind;
        if (is_blob(cache, dir, leaf, etag) || (kind == CORE_FILE && !cache->settings->force))
            return OCLM_OK;
        if (kind != CORE_LINK && kind != CORE_FILE && kind != CORE_NOTHING)
            break;
        (void)core_dir_remove(dir, leaf);
    }
    return core_fail(OCLM_ERR_IO, "%s/%s: something stands where the cache puts this file; remove it", core_dir_path(dir), leaf);
}

static oclm_status copy_bytes(core_file *from, core_file *to)
{
    enum { PART = 1 << 20 };
    size_t      got = 0;
    oclm_status status;
    char *const buffer = core_alloc(PART, "a copy's buffer");
    if (buffer == NULL)
        return OCLM_ERR_MEMORY;
    while ((status = core_file_read(from, buffer, PART, &got)) == OCLM_OK && got > 0 && (status = core_file_write(to, buffer, got)) == OCLM_OK)
        ;
    core_free(buffer);
    return status;
}

oclm_status hub_copy_file(const core_dir *from, const char *name, const core_dir *to, const char *as)
{
    char        temp[HUB_TEMP_NAME];
    core_file  *source = NULL, *copy = NULL;
    oclm_status status, closed;
    new_name("copy", "incomplete", temp, sizeof temp);
    if ((status = core_file_open(from, name, false, &source)) != OCLM_OK)
        return status;
    if ((status = core_file_create(to, temp, &copy)) == OCLM_OK) {
        status = copy_bytes(source, copy);
        closed = core_file_close(copy);
        if (status == OCLM_OK)
            status = closed;
        if (status == OCLM_OK)
            status = core_dir_rename(to, temp, to, as);
        if (status != OCLM_OK)
            (void)core_dir_remove(to, temp);
    }
    (void)core_file_close(source);
    return status;
}

static void tell_no_links(hub_cache *cache)
{
    if (!cache->told && !hub_is_true(core_env("HF_HUB_DISABLE_SYMLINKS_WARNING")) && !hub_is_true(core_env("HF_HUB_DISABLE_SYMLINKS")))
        core_log(OCLM_LOG_WARNING, "%s has no symbolic links: files of several revisions take their room several times "
                 "(HF_HUB_DISABLE_SYMLINKS_WARNING=1 silences this)", cache->settings->cache);
    cache->told = true;
}

/* Without links: a new blob moves to where it is looked for, an old one, which others may link to, is copied. */
static oclm_status place_without_link(hub_cache *cache, const core_dir *dir, const char *leaf, const char *etag, bool fresh)
{
    tell_no_links(cache);
    return fresh ? core_dir_rename(cache->blobs, etag, dir, leaf) : hub_copy_file(cache->blobs, etag, dir, leaf);
}

static oclm_status link_blob(hub_cache *cache, const char *etag, const char *commit, const char *file, bool fresh)
{
    core_text   target = CORE_TEXT_INIT;
    core_dir   *dir = NULL;
    const char *leaf;
    bool        without = cache->settings->no_links;
    oclm_status status = open_folder_of(cache, "snapshots", commit, file, &dir, &leaf);
    if (status == OCLM_OK && !without && (status = link_text(etag, file, &target)) == OCLM_OK)
        status = make_link(cache, dir, leaf, etag, target.data, &without);
    if (status == OCLM_OK && without)
        status = place_without_link(cache, dir, leaf, etag, fresh);
    core_dir_close(dir);
    core_text_free(&target);
    return with_way_out(status);
}

oclm_status hub_cache_link(hub_cache *cache, const char *etag, const char *commit, const char *file)
{
    return link_blob(cache, etag, commit, file, false);
}

oclm_status hub_cache_publish(hub_cache *cache, const char *temp, const char *etag, const char *commit, const char *file)
{
    const oclm_status status = core_dir_rename(cache->blobs, temp, cache->blobs, etag);
    if (status != OCLM_OK)
        return with_way_out(status);
    core_dir_sync(cache->blobs);
    return link_blob(cache, etag, commit, file, true);
}

/* ---- Refs, and what a repository does not have */

static oclm_status write_small(const core_dir *dir, const char *name, const char *text)
{
    core_file  *file;
    oclm_status status = core_file_create(dir, name, &file);
    if (status != OCLM_OK)
        return status;
    status = core_file_write(file, text, strlen(text));
    const oclm_status closed = core_file_close(file);
    return status == OCLM_OK ? closed : status;
}

/* The new ref is written among the blobs: whatever lies in refs/ is a ref to Python, a temporary file of a killed process too. */
static oclm_status write_ref(hub_cache *cache, const char *revision, const char *commit)
{
    core_dir   *dir = NULL;
    const char *leaf;
    char        temp[HUB_TEMP_NAME];
    oclm_status status;
    if ((status = hub_cache_open(cache)) != OCLM_OK || (status = open_folder_of(cache, "refs", "", revision, &dir, &leaf)) != OCLM_OK)
        return status;
    new_name("ref", "incomplete", temp, sizeof temp);
    if ((status = write_small(cache->blobs, temp, commit)) == OCLM_OK)
        status = core_dir_rename(cache->blobs, temp, dir, leaf);
    if (status != OCLM_OK)
        (void)core_dir_remove(cache->blobs, temp);
    core_dir_close(dir);
    return status;
}

void hub_cache_write_ref(hub_cache *cache, const char *revision, const char *commit)
{
    char known[HUB_COMMIT_LENGTH + 1];
    if (hub_is_commit(revision) || (hub_cache_ref(cache, revision, known) && strcmp(known, commit) == 0))
        return;
    if (write_ref(cache, revision, commit) != OCLM_OK)
        core_log(OCLM_LOG_INFO, "the cache does not remember that %s means %s: %s", revision, commit, oclm_last_error());
}

void hub_cache_note_absent(hub_cache *cache, const char *commit, const char *file)
{
    core_dir   *dir = NULL;
    const char *leaf;
    oclm_status status = hub_cache_open(cache);
    if (status == OCLM_OK)
        status = open_folder_of(cache, ".no_exist", commit, file, &dir, &leaf);
    if (status == OCLM_OK && core_dir_info(dir, leaf, false).kind == CORE_NOTHING)
        status = write_small(dir, leaf, "");
    if (status != OCLM_OK)
        core_log(OCLM_LOG_INFO, "the cache does not remember that %s is absent: %s", file, oclm_last_error());
    core_dir_close(dir);
}
