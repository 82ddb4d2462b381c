/* platform_files.c: files, folders, maps and locks on files, as the operating system has them. POSIX. */
#if defined(__linux__)
#define _GNU_SOURCE /* madvise, mincore, flock */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include "core/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/map.h"

#define ASKED_PAGES ((size_t)1024) /* at once, whether they are in memory */

/* ---- Files */

oclm_status core_fail_errno(int error, const char *verb, const char *path)
{
    char reason[128] = "";
#if defined(__GLIBC__)
    const char *text = strerror_r(error, reason, sizeof reason); /* with _GNU_SOURCE it returns the text */
#else
    const char *text = strerror_r(error, reason, sizeof reason) == 0 ? reason : "unknown error";
#endif
    const oclm_status status = error == ENOENT || error == ENOTDIR ? OCLM_ERR_NOT_FOUND
                               : error == ENOMEM                   ? OCLM_ERR_MEMORY
                                                                   : OCLM_ERR_IO;
    const char *way_out = error == ENOSPC || error == EDQUOT || error == EFBIG ? "; make room there" : "";
    return core_fail(status, "%s: cannot %s: %s%s", path, verb, text, way_out);
}

static mode_t path_mode(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & S_IFMT : 0;
}

bool core_path_is_file(const char *path)
{
    const mode_t mode = path_mode(path);
    return mode != 0 && mode != S_IFDIR;
}

bool core_path_is_folder(const char *path)
{
    return path_mode(path) == S_IFDIR;
}

oclm_status core_path_join(core_text *out, const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    const bool   slash = length > 0 && folder[length - 1] != '/';
    core_text_clear(out);
    return core_text_printf(out, "%s%s%s", folder, slash ? "/" : "", name);
}

static int open_file(const char *path, int flags, mode_t mode)
{
    int file;
    do
        file = open(path, flags | O_CLOEXEC, mode);
    while (file < 0 && errno == EINTR);
    return file;
}

/* Opens for reading and tells the size; a folder is refused. With `plain`, so is all but an ordinary file: opening does not
 * wait for a pipe's writer. */
static oclm_status open_to_read(const char *path, bool plain, int *file, uint64_t *size)
{
    struct stat info;
    *size = 0;
    if ((*file = open_file(path, O_RDONLY | (plain ? O_NONBLOCK : 0), 0)) < 0)
        return core_fail_errno(errno, "open", path);
    if (fstat(*file, &info) != 0) {
        const int error = errno;
        close(*file);
        return core_fail_errno(error, "open", path);
    }
    if (S_ISDIR(info.st_mode)) {
        close(*file);
        return core_fail(OCLM_ERR_FORMAT, "%s: this is a folder, a file is needed here", path);
    }
    if (plain && !S_ISREG(info.st_mode)) {
        close(*file);
        return core_fail(OCLM_ERR_FORMAT, "%s: this is a pipe or a device, an ordinary file is needed here", path);
    }
    *size = (uint64_t)info.st_size;
    return OCLM_OK;
}

oclm_status core_read_file(const char *path, size_t limit, char **data, size_t *length)
{
    core_text   text = { NULL, 0, 0, 0 };
    uint64_t    size;
    int         file;
    oclm_status status;
    char        buffer[32], buffer2[32];
    *data = NULL;
    *length = 0;
    if ((status = open_to_read(path, false, &file, &size)) != OCLM_OK)
        return status;
    for (;;) {
        if (size > limit || text.length > limit) { /* the second: a pipe, or a file that grows under us */
            status = core_fail(OCLM_ERR_FORMAT, "%s: is %s long, at most %s are allowed for such a file", path,
                               core_format_bytes(size > limit ? size : text.length, buffer),
                               core_format_bytes(limit, buffer2));
            break;
        }
        /* Room for the rest and one byte more, with which the last read meets the end of the file. */
        if ((status = core_text_reserve(&text, size > text.length ? (size_t)size - text.length + 1 : 1)) != OCLM_OK)
            break;
        const ssize_t got = read(file, text.data + text.length, text.capacity - 1 - text.length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = core_fail_errno(errno, "read", path);
        if (got <= 0)
            break;
        text.length += (size_t)got;
        text.data[text.length] = '\0';
    }
    close(file);
    if (status == OCLM_OK && (*data = core_text_take(&text, length)) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&text);
    return status;
}

oclm_status core_make_folders(const char *path)
{
    oclm_status status = OCLM_OK;
    char       *copy = core_copy_string(path, "a path");
    if (copy == NULL)
        return OCLM_ERR_MEMORY;
    for (char *p = copy + (copy[0] != '\0'); status == OCLM_OK; p++) { /* not before the root's slash */
        if (*p != '/' && *p != '\0')
            continue;
        const char end = *p;
        *p = '\0';
        const int error = mkdir(copy, 0777) == 0 ? 0 : errno; /* which the next question changes */
        if (error != 0 && !core_path_is_folder(copy)) {
            status = core_fail_errno(error == EEXIST ? ENOTDIR : error, "make this folder", copy);
            if (status == OCLM_ERR_NOT_FOUND) /* a file stands in the way, or the folder above went: not a missing name */
                status = OCLM_ERR_IO;
        }
        *p = end;
        if (end == '\0' || p[1] == '\0')
            break;
    }
    core_free(copy);
    return status;
}

static oclm_status write_all(int file, const char *path, const char *data, size_t length)
{
    while (length > 0) {
        const ssize_t put = write(file, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return core_fail_errno(errno, "write", path);
        data += put;
        length -= (size_t)put;
    }
    return OCLM_OK;
}

static oclm_status make_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return OCLM_OK;
    char *folder = core_copy_string(path, "a path");
    if (folder == NULL)
        return OCLM_ERR_MEMORY;
    folder[slash - path] = '\0';
    const oclm_status status = core_make_folders(folder);
    core_free(folder);
    return status;
}

oclm_status core_write_file(const char *path, const void *data, size_t length)
{
    static atomic_uint counter; /* two threads may write the same path */
    core_text   beside = CORE_TEXT_INIT;
    int         file = -1;
    oclm_status status;
    if ((status = make_folder_of(path)) != OCLM_OK ||
        (status = core_text_printf(&beside, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&counter, 1u))) != OCLM_OK)
        goto done;
    if ((file = open_file(beside.data, O_WRONLY | O_CREAT | O_TRUNC, 0666)) < 0) {
        status = core_fail_errno(errno, "write", beside.data);
        goto done;
    }
    status = write_all(file, beside.data, data, length);
    if (close(file) != 0 && status == OCLM_OK)
        status = core_fail_errno(errno, "write", beside.data);
    if (status == OCLM_OK && rename(beside.data, path) != 0)
        status = core_fail_errno(errno, "write", path);
    if (status != OCLM_OK)
        unlink(beside.data);
done:
    core_text_free(&beside);
    return status;
}

uint64_t core_disk_free(const char *folder)
{
    struct statvfs info;
    return statvfs(folder, &info) == 0 ? (uint64_t)info.f_bavail * (uint64_t)info.f_frsize : 0;
}

bool core_name_matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, FNM_NOESCAPE) == 0;
}

oclm_status core_cache_folder(core_text *out)
{
    const char *folder;
    core_text_clear(out);
    if ((folder = core_env("OCLM_CACHE_DIR")) != NULL)
        return core_text_add_string(out, folder);
    if ((folder = core_env("XDG_CACHE_HOME")) != NULL && folder[0] == '/') /* its specification: ignore a relative one */
        return core_path_join(out, folder, "oclm");
    if ((folder = core_env("HOME")) != NULL) {
#if defined(__APPLE__)
        return core_path_join(out, folder, "Library/Caches/oclm");
#else
        return core_path_join(out, folder, ".cache/oclm");
#endif
    }
    return core_fail(OCLM_ERR_NOT_FOUND, "no folder for oclm's cache: neither OCLM_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set; "
                                         "set OCLM_CACHE_DIR to a folder that may be written");
}

/* ---- Listing */

oclm_status core_folder_list(const char *folder, bool (*visit)(const char *name, void *user), void *user)
{
    const struct dirent *entry;
    DIR                 *listing = opendir(folder);
    if (listing == NULL)
        return core_fail_errno(errno, "list", folder);
    while ((entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && !visit(entry->d_name, user))
            break;
    }
    closedir(listing);
    return OCLM_OK;
}

/* ---- Mapped files (map.h) */

oclm_status core_map_descriptor(core_map *map, int file, uint64_t size, const char *path)
{
    *map = (core_map)CORE_MAP_INIT;
    if (size > SIZE_MAX)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: its %" PRIu64 " bytes do not fit this machine's address space", path, size);
    if (size == 0)
        return OCLM_OK;
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED)
        return core_fail_errno(errno, "map into memory", path);
    *map = (core_map){ data, (size_t)size };
    return OCLM_OK;
}

oclm_status core_map_open(core_map *map, const char *path)
{
    uint64_t    size;
    int         file;
    oclm_status status;
    *map = (core_map)CORE_MAP_INIT;
    if ((status = open_to_read(path, true, &file, &size)) != OCLM_OK)
        return status;
    status = core_map_descriptor(map, file, size, path);
    close(file); /* the mapping stays */
    return status;
}

void core_map_close(core_map *map)
{
    if (map->data != NULL)
        munmap((void *)(uintptr_t)map->data, map->size);
    map->data = NULL;
    map->size = 0;
}

static size_t page_bytes(void)
{
    const long asked = sysconf(_SC_PAGESIZE);
    return asked > 0 ? (size_t)asked : 4096;
}

/* Clips to the map and rounds to pages: outwards, or inwards so that only pages wholly inside are meant. */
static bool page_range(const core_map *map, size_t *offset, size_t *length, bool outwards)
{
    const size_t page = page_bytes();
    if (*offset >= map->size)
        return false;
    size_t begin = *offset;
    size_t end = *length < map->size - begin ? begin + *length : map->size;
    if (outwards || end == map->size) /* nothing of the map follows its last, partial page */
        end += (page - end % page) % page;
    else
        end -= end % page;
    begin = outwards ? begin - begin % page : begin + (page - begin % page) % page;
    *offset = begin;
    *length = end > begin ? end - begin : 0;
    return end > begin;
}

/* Are all pages in memory? At most ASKED_PAGES. */
static bool pages_are_there(const unsigned char *begin, size_t length, size_t page)
{
#if defined(__APPLE__)
    char there[ASKED_PAGES];
#else
    unsigned char there[ASKED_PAGES];
#endif
    if (mincore((void *)(uintptr_t)begin, length, there) != 0)
        return false;
    for (size_t i = 0; i < (length + page - 1) / page; i++) {
        if (!(there[i] & 1))
            return false;
    }
    return true;
}

void core_map_will_need(const core_map *map, size_t offset, size_t length)
{
    if (page_range(map, &offset, &length, true))
        (void)madvise((char *)(uintptr_t)map->data + offset, length, MADV_WILLNEED);
}

/* MADV_WILLNEED looks up each page anew, mincore() reads the page table (measured, weights that a model reads in place for each token: a third of
 * its speed, and nothing). */
void core_map_will_need_again(const core_map *map, size_t offset, size_t length)
{
    const size_t page = page_bytes();
    if (!page_range(map, &offset, &length, true))
        return;
    for (size_t at = 0, piece; at < length; at += piece) {
        unsigned char *begin = (unsigned char *)(uintptr_t)map->data + offset + at;
        piece = length - at < ASKED_PAGES * page ? length - at : ASKED_PAGES * page;
        if (!pages_are_there(begin, piece, page))
            (void)madvise(begin, piece, MADV_WILLNEED);
    }
}

void core_map_release(const core_map *map, size_t offset, size_t length)
{
    /* posix_madvise() would do nothing on glibc. The mapping is private and never written, so nothing is lost. */
    if (page_range(map, &offset, &length, false))
        (void)madvise((char *)(uintptr_t)map->data + offset, length, MADV_DONTNEED);
}

/* ---- Locks between processes */

struct core_file_lock {
    int file;
};

oclm_status core_file_lock_take(const char *path, core_file_lock **lock)
{
    oclm_status     status;
    core_file_lock *made = NULL;
    *lock = NULL;
    if ((status = make_folder_of(path)) != OCLM_OK)
        return status;
    if ((made = core_alloc(sizeof *made, "a lock")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((made->file = open_file(path, O_RDWR | O_CREAT, 0666)) < 0) {
        status = core_fail_errno(errno, "open", path);
        core_free(made);
        return status;
    }
    int locked; /* flock(), not fcntl(): its locks also hold between two threads, each with its own open file */
    do
        locked = flock(made->file, LOCK_EX);
    while (locked != 0 && errno == EINTR);
    if (locked != 0) {
        status = core_fail_errno(errno, "lock", path);
        close(made->file);
        core_free(made);
        return status;
    }
    *lock = made;
    return OCLM_OK;
}

void core_file_lock_release(core_file_lock *lock)
{
    if (lock == NULL)
        return;
    close(lock->file); /* which unlocks; the file stays, for removing it would race with the next taker */
    core_free(lock);
}
