/* platform_dir.c: folders held open by a descriptor, files in them, and locks on files, as POSIX has them (dir.h). */
#if defined(__linux__)
#define _GNU_SOURCE /* flock, sync_file_range */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include "core/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/platform.h"

struct core_dir {
    int  fd;
    char path[]; /* for messages */
};

struct core_file {
    int      fd;
    uint64_t written, flushed; /* since it was opened */
    char     path[];
};

struct core_dir_lock {
    int fd;
};

#define MAX_DEPTH 64      /* folders within folders that remove_tree() follows */
#define LOCK_TRIES 100    /* lock files that vanish under us, one after the other */
#define LINK_LENGTH 4096u /* of a link's text */

/* ---- What a path is */

static core_info info_of(const struct stat *s)
{
    const core_info info = {
        .kind = S_ISREG(s->st_mode) ? CORE_FILE : S_ISDIR(s->st_mode) ? CORE_FOLDER : S_ISLNK(s->st_mode) ? CORE_LINK : CORE_OTHER,
        .size = (uint64_t)s->st_size,
        .device = (uint64_t)s->st_dev,
        .number = (uint64_t)s->st_ino,
        .links = (uint32_t)s->st_nlink,
        .mode = (uint32_t)s->st_mode & 0777u,
        .ours = s->st_uid == geteuid(),
        .trusted = s->st_uid == geteuid() || s->st_uid == 0,
#if defined(__APPLE__)
        .read = (double)s->st_atimespec.tv_sec + 1e-9 * (double)s->st_atimespec.tv_nsec,
        .changed = (double)s->st_mtimespec.tv_sec + 1e-9 * (double)s->st_mtimespec.tv_nsec,
#else
        .read = (double)s->st_atim.tv_sec + 1e-9 * (double)s->st_atim.tv_nsec,
        .changed = (double)s->st_mtim.tv_sec + 1e-9 * (double)s->st_mtim.tv_nsec,
#endif
    };
    return info;
}

static core_info info_at(int fd, const char *name, bool follow)
{
    struct stat s;
    return fstatat(fd, name, &s, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 ? info_of(&s) : (core_info){ .kind = CORE_NOTHING };
}

core_info core_path_info(const char *path, bool follow)
{
    return info_at(AT_FDCWD, path, follow);
}

oclm_status core_path_resolve(const char *path, core_text *out)
{
    char *resolved = realpath(path, NULL);
    core_text_clear(out);
    if (resolved == NULL)
        return core_fail_errno(errno, "resolve", path);
    const oclm_status status = core_text_add_string(out, resolved);
    free(resolved);
    return status;
}

/* ---- Folders */

static int open_at(int fd, const char *name, int flags, mode_t mode)
{
    int opened;
    do
        opened = openat(fd, name, flags | O_CLOEXEC, mode);
    while (opened < 0 && errno == EINTR);
    return opened;
}

static oclm_status new_dir(int fd, const char *folder, const char *relative, core_dir **dir)
{
    const size_t length = strlen(folder) + 1 + strlen(relative) + 1;
    core_dir    *made = core_alloc(sizeof *made + length, "a folder's path");
    if (made == NULL) {
        close(fd);
        return OCLM_ERR_MEMORY;
    }
    made->fd = fd;
    (void)snprintf(made->path, length, "%s%s%s", folder, relative[0] != '\0' ? "/" : "", relative);
    *dir = made;
    return OCLM_OK;
}

oclm_status core_dir_open(const char *path, bool make, core_dir **dir)
{
    oclm_status status;
    *dir = NULL;
    if (make && (status = core_make_folders(path)) != OCLM_OK)
        return status;
    const int fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    return fd < 0 ? core_fail_errno(errno, "open this folder", path) : new_dir(fd, path, "", dir);
}

/* One step down, into `name`. */
static int step_into(int fd, const char *name, bool make)
{
    int below = open_at(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (below < 0 && errno == ENOENT && make) {
        if (mkdirat(fd, name, 0777) != 0 && errno != EEXIST)
            return -1;
        below = open_at(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    }
    return below;
}

oclm_status core_dir_enter(const core_dir *dir, const char *relative, bool make, core_dir **below)
{
    *below = NULL;
    int fd = open_at(dir->fd, ".", O_RDONLY | O_DIRECTORY, 0);
    for (const char *p = relative; fd >= 0 && *p != '\0';) {
        char         name[NAME_MAX + 1];
        const size_t length = strcspn(p, "/");
        if (length > NAME_MAX || length == 0 || (length == 1 && p[0] == '.') || (length == 2 && p[0] == '.' && p[1] == '.')) {
            close(fd);
            return core_fail(OCLM_ERR_IO, "%s/%s: no plain path of folders", dir->path, relative);
        }
        memcpy(name, p, length);
        name[length] = '\0';
        const int next = step_into(fd, name, make), error = errno;
        const bool link = next < 0 && (error == ELOOP || error == ENOTDIR || error == EMLINK) && info_at(fd, name, false).kind == CORE_LINK;
        close(fd);
        if (link)
            return core_fail(OCLM_ERR_IO, "%s/%.*s: a link stands where a folder of the cache belongs, and it may lead anywhere; remove it",
                             dir->path, (int)(p + length - relative), relative);
        fd = next;
        errno = error;
        p += length + (p[length] == '/');
    }
    if (fd < 0) {
        const int error = errno;
        core_text path = CORE_TEXT_INIT;
        (void)core_text_printf(&path, "%s/%s", dir->path, relative);
        const oclm_status status = core_fail_errno(error, make ? "make this folder" : "open this folder", path.data != NULL ? path.data : relative);
        core_text_free(&path);
        return make && status == OCLM_ERR_NOT_FOUND ? OCLM_ERR_IO : status; /* a file stands in the way: not a missing name */
    }
    return new_dir(fd, dir->path, relative, below);
}

void core_dir_close(core_dir *dir)
{
    if (dir != NULL)
        close(dir->fd);
    core_free(dir);
}

const char *core_dir_path(const core_dir *dir)
{
    return dir->path;
}

/* ---- Names */

static oclm_status fail_at(int error, const char *verb, const core_dir *dir, const char *name)
{
    core_text path = CORE_TEXT_INIT;
    if (core_path_join(&path, dir->path, name) != OCLM_OK)
        return OCLM_ERR_MEMORY;
    const oclm_status status = core_fail_errno(error, verb, path.data);
    core_text_free(&path);
    return status;
}

core_info core_dir_info(const core_dir *dir, const char *name, bool follow)
{
    return info_at(dir->fd, name, follow);
}

oclm_status core_dir_rename(const core_dir *dir, const char *from, const core_dir *to_dir, const char *to)
{
    return renameat(dir->fd, from, to_dir->fd, to) == 0 ? OCLM_OK : fail_at(errno, "rename it to this", to_dir, to);
}

oclm_status core_dir_remove(const core_dir *dir, const char *name)
{
    return unlinkat(dir->fd, name, 0) == 0 || errno == ENOENT ? OCLM_OK : fail_at(errno, "remove", dir, name);
}

oclm_status core_dir_remove_empty(const core_dir *dir, const char *name)
{
    return unlinkat(dir->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? OCLM_OK : fail_at(errno, "remove", dir, name);
}

static int remove_below(int fd, const char *name, int depth)
{
    int                  error = 0;
    const struct dirent *entry;
    const int            below = open_at(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (below < 0)
        return errno;
    DIR *listing = fdopendir(below);
    if (listing == NULL) {
        error = errno;
        close(below);
        return error;
    }
    while (error == 0 && (entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (info_at(below, entry->d_name, false).kind == CORE_FOLDER)
            error = depth > 0 ? remove_below(below, entry->d_name, depth - 1) : ELOOP;
        else if (unlinkat(below, entry->d_name, 0) != 0 && errno != ENOENT)
            error = errno;
    }
    closedir(listing);
    if (error == 0 && unlinkat(fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        error = errno;
    return error;
}

oclm_status core_dir_remove_tree(const core_dir *dir, const char *name)
{
    const int error = remove_below(dir->fd, name, MAX_DEPTH);
    return error == 0 || error == ENOENT ? OCLM_OK : fail_at(error, "remove", dir, name);
}

oclm_status core_dir_read_link(const core_dir *dir, const char *name, core_text *target)
{
    char          text[LINK_LENGTH];
    const ssize_t length = readlinkat(dir->fd, name, text, sizeof text);
    core_text_clear(target);
    if (length < 0 || (size_t)length == sizeof text)
        return fail_at(length < 0 ? errno : ENAMETOOLONG, "read this link", dir, name);
    return core_text_add(target, text, (size_t)length);
}

void core_dir_sync(const core_dir *dir)
{
    (void)fsync(dir->fd);
}

core_link_result core_dir_link(const core_dir *dir, const char *name, const char *target)
{
    if (symlinkat(target, dir->fd, name) == 0)
        return CORE_LINK_MADE;
    switch (errno) {
    case EEXIST: return CORE_LINK_EXISTS;
    case EPERM:
    case EACCES: /* as some network drives say it */
    case ENOSYS:
    case ENOTSUP: return CORE_LINK_UNSUPPORTED;
    }
    (void)fail_at(errno, "link", dir, name);
    return CORE_LINK_FAILED;
}

/* ---- Files */

static oclm_status new_file(int fd, const core_dir *dir, const char *name, core_file **file)
{
    const size_t length = strlen(dir->path) + 1 + strlen(name) + 1;
    core_file   *made = core_alloc(sizeof *made + length, "a file's path");
    if (made == NULL) {
        close(fd);
        return OCLM_ERR_MEMORY;
    }
    made->fd = fd;
    made->written = made->flushed = 0;
    (void)snprintf(made->path, length, "%s/%s", dir->path, name);
    *file = made;
    return OCLM_OK;
}

oclm_status core_file_create(const core_dir *dir, const char *name, core_file **file)
{
    *file = NULL;
    const int fd = open_at(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fail_at(errno, "make this file", dir, name);
    const oclm_status status = new_file(fd, dir, name, file);
    if (status != OCLM_OK)
        (void)unlinkat(dir->fd, name, 0); /* ours: it was not there before */
    return status;
}

oclm_status core_file_open(const core_dir *dir, const char *name, bool write, core_file **file)
{
    struct stat s;
    *file = NULL;
    const int fd = open_at(dir->fd, name, (write ? O_RDWR | O_APPEND : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return fail_at(errno, "open", dir, name);
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        return core_fail(OCLM_ERR_FORMAT, "%s/%s: an ordinary file is needed here", dir->path, name);
    }
    return new_file(fd, dir, name, file);
}

oclm_status core_file_write(core_file *file, const void *data, size_t length)
{
    for (const char *p = data; length > 0;) {
        const ssize_t put = write(file->fd, p, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return core_fail_errno(errno, "write", file->path);
        p += put;
        length -= (size_t)put;
        file->written += (uint64_t)put;
    }
    return OCLM_OK;
}

oclm_status core_file_read(core_file *file, void *data, size_t room, size_t *got)
{
    ssize_t count;
    do
        count = read(file->fd, data, room);
    while (count < 0 && errno == EINTR);
    *got = count > 0 ? (size_t)count : 0;
    return count < 0 ? core_fail_errno(errno, "read", file->path) : OCLM_OK;
}

oclm_status core_file_truncate(core_file *file)
{
    file->written = file->flushed = 0;
    return ftruncate(file->fd, 0) == 0 && lseek(file->fd, 0, SEEK_SET) == 0 ? OCLM_OK : core_fail_errno(errno, "shorten", file->path);
}

oclm_status core_file_lengthen(core_file *file, uint64_t bytes)
{
    return ftruncate(file->fd, (off_t)bytes) == 0 ? OCLM_OK : core_fail_errno(errno, "lengthen", file->path);
}

void core_file_flush_early(core_file *file)
{
#if defined(__linux__)
    const off_t end = lseek(file->fd, 0, SEEK_CUR);
    if (end >= 0 && file->written > file->flushed)
        (void)sync_file_range(file->fd, end - (off_t)(file->written - file->flushed), (off_t)(file->written - file->flushed),
                              SYNC_FILE_RANGE_WRITE);
#endif
    file->flushed = file->written;
}

oclm_status core_file_sync(core_file *file)
{
    int result;
    do
        result = fsync(file->fd);
    while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == ENOTSUP ? OCLM_OK : core_fail_errno(errno, "write", file->path);
}

core_info core_file_info(const core_file *file)
{
    struct stat s;
    return fstat(file->fd, &s) == 0 ? info_of(&s) : (core_info){ .kind = CORE_NOTHING };
}

oclm_status core_file_map(const core_file *file, core_map *map)
{
    return core_map_descriptor(map, file->fd, core_file_info(file).size, file->path);
}

oclm_status core_file_close(core_file *file)
{
    if (file == NULL)
        return OCLM_OK;
    const oclm_status status = close(file->fd) == 0 || errno == EINTR ? OCLM_OK : core_fail_errno(errno, "write", file->path);
    core_free(file);
    return status;
}

/* ---- Locks */

oclm_status core_dir_lock_try(const core_dir *dir, const char *name, core_dir_lock **lock, bool *unsupported)
{
    *lock = NULL;
    *unsupported = false;
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        struct stat held;
        int fd = open_at(dir->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0664);
        if (fd < 0 && errno == EACCES) /* another user's, in a folder where only owners may make and remove */
            fd = open_at(dir->fd, name, O_RDWR | O_NOFOLLOW, 0);
        if (fd < 0)
            return errno == ELOOP ? core_fail(OCLM_ERR_IO, "%s/%s: a link stands where a lock belongs; remove it", dir->path, name)
                                  : fail_at(errno, "open this lock", dir, name);
        (void)fchmod(fd, 0664); /* whatever the umask, so that another user of a shared cache may lock it */
        int locked;
        do
            locked = flock(fd, LOCK_EX | LOCK_NB);
        while (locked != 0 && errno == EINTR);
        if (locked != 0) {
            const int error = errno;
            close(fd);
            *unsupported = error == ENOSYS || error == ENOTSUP || error == EOPNOTSUPP || error == ENOLCK;
            return *unsupported || error == EWOULDBLOCK || error == EAGAIN || error == EACCES ? OCLM_OK
                                                                                              : fail_at(error, "lock", dir, name);
        }
        /* Some programs remove the file on release: a lock on a file without a name keeps nobody out. */
        const core_info named = info_at(dir->fd, name, false);
        if (fstat(fd, &held) == 0 && held.st_nlink > 0 && named.kind == CORE_FILE && named.device == (uint64_t)held.st_dev &&
            named.number == (uint64_t)held.st_ino) {
            if ((*lock = core_alloc(sizeof **lock, "a lock")) == NULL) {
                close(fd);
                return OCLM_ERR_MEMORY;
            }
            (*lock)->fd = fd;
            return OCLM_OK;
        }
        close(fd);
    }
    return core_fail(OCLM_ERR_IO, "%s/%s: this lock is removed as often as it is taken; is another program cleaning the cache?", dir->path, name);
}

void core_dir_lock_release(core_dir_lock *lock)
{
    if (lock == NULL)
        return;
    (void)flock(lock->fd, LOCK_UN);
    close(lock->fd);
    core_free(lock);
}
