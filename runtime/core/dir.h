/* dir.h: folders held open, and files in them. A folder that is held stays the same one, whatever another process puts in the way under
 * its name; names below it are never followed through a link. So a write into a shared cache cannot be led elsewhere. */
#ifndef OCLM_CORE_DIR_H
#define OCLM_CORE_DIR_H

#include "core/map.h"
#include "core/text.h"

typedef struct core_dir core_dir;

typedef enum core_kind { CORE_NOTHING, CORE_FILE, CORE_FOLDER, CORE_LINK, CORE_OTHER } core_kind;

typedef struct core_info {
    core_kind kind;
    uint64_t  size;
    uint64_t  device, number; /* together they are the file, under whatever name */
    uint32_t  links;          /* names it has */
    uint32_t  mode;           /* permissions, 0777 at most */
    bool      ours;           /* belongs to this user */
    bool      trusted;        /* belongs to this user or to root */
    double    read, changed;  /* seconds since 1970 */
} core_info;

/* What a path is; CORE_NOTHING also where it cannot be told. `follow`: of a link, what it leads to. */
core_info core_path_info(const char *path, bool follow);

/* The path without links, "." and "..": absolute. OCLM_ERR_NOT_FOUND where it leads nowhere. */
oclm_status core_path_resolve(const char *path, core_text *out);

/* Opens a folder; its own path may go through links. `make`: also makes what is missing. */
oclm_status core_dir_open(const char *path, bool make, core_dir **dir);
/* The folder that holds `path`, opened, and the name of `path` in it (output.c): "" where the path ends in a slash, and then no folder. */
oclm_status core_dir_open_parent(const char *path, core_dir **parent, core_text *name);
/* Opens `relative` ("a/b", "" for the folder itself) below `dir`, never through a link: OCLM_ERR_IO tells where one stands. */
oclm_status core_dir_enter(const core_dir *dir, const char *relative, bool make, core_dir **below);
void        core_dir_close(core_dir *dir); /* accepts NULL */
const char *core_dir_path(const core_dir *dir); /* for messages */

/* ---- Names in a folder: plain ones, without a slash. */
core_info   core_dir_info(const core_dir *dir, const char *name, bool follow);
oclm_status core_dir_rename(const core_dir *dir, const char *from, const core_dir *to_dir, const char *to); /* over what is there */
oclm_status core_dir_remove(const core_dir *dir, const char *name); /* a file or a link; one that is not there is fine */
oclm_status core_dir_remove_empty(const core_dir *dir, const char *name); /* a folder; OCLM_ERR_IO where it is not empty */
/* Removes a folder with all below it, following no link. */
oclm_status core_dir_remove_tree(const core_dir *dir, const char *name);
oclm_status core_dir_read_link(const core_dir *dir, const char *name, core_text *target);
/* Makes the folder's entries last, as core_file_sync() does for a file's bytes. Best effort. */
void        core_dir_sync(const core_dir *dir);

typedef enum core_link_result { CORE_LINK_MADE, CORE_LINK_EXISTS, CORE_LINK_UNSUPPORTED, CORE_LINK_FAILED } core_link_result;
/* Makes a symbolic link. EXISTS: something stands there. UNSUPPORTED: this place has none. FAILED: the message is set. */
core_link_result core_dir_link(const core_dir *dir, const char *name, const char *target);

/* ---- Files */
typedef struct core_file core_file;

/* Makes a new file to write; nothing may stand there. Its mode is 0666 less the umask. */
oclm_status core_file_create(const core_dir *dir, const char *name, core_file **file);
/* Opens an ordinary file, not through a link. To write: at its end, and reading it is possible too. */
oclm_status core_file_open(const core_dir *dir, const char *name, bool write, core_file **file);
oclm_status core_file_write(core_file *file, const void *data, size_t length);
/* The next bytes; `*got` is 0 at the end. */
oclm_status core_file_read(core_file *file, void *data, size_t room, size_t *got);
oclm_status core_file_truncate(core_file *file); /* to nothing */
oclm_status core_file_lengthen(core_file *file, uint64_t bytes); /* so long, with zeros; where it is written stays where it is */
/* Starts writing to disk what came since the last such call, without waiting, so that core_file_sync() waits less. A hint. */
void        core_file_flush_early(core_file *file);
oclm_status core_file_sync(core_file *file);  /* all of it is on disk */
core_info   core_file_info(const core_file *file);
/* What it holds now, as core_map_open() does. The mapping stays when the file is closed, or loses its name. */
oclm_status core_file_map(const core_file *file, core_map *map);
oclm_status core_file_close(core_file *file); /* accepts NULL */

/* ---- Locks between processes that a stranger's program takes too: BSD's flock() on a file that stays empty, mode 0664.
 * `*lock` is NULL where another holds it, and also, with `*unsupported` set, where this file system has no such locks. */
typedef struct core_dir_lock core_dir_lock;
oclm_status core_dir_lock_try(const core_dir *dir, const char *name, core_dir_lock **lock, bool *unsupported);
void        core_dir_lock_release(core_dir_lock *lock); /* the file stays; accepts NULL */

#endif
