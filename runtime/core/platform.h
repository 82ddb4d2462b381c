/* platform.h: everything that differs between operating systems: platform.c, platform_files.c, which has map.h's too, and
 * platform_dir.c, which has dir.h's. */
#ifndef OCLM_CORE_PLATFORM_H
#define OCLM_CORE_PLATFORM_H

#include <stdarg.h>

#include "core/text.h"

/* ---- Environment and time */
const char *core_env(const char *name); /* NULL if unset or empty */
bool        core_env_is_empty(const char *name); /* set, to nothing */
double      core_seconds(void);         /* monotonic */
void        core_sleep(double seconds);
void        core_random(void *bytes, size_t count); /* unpredictable; at most 256 */
/* The home folder of a user, "" for this one. OCLM_ERR_NOT_FOUND where there is none. */
oclm_status core_home_folder(const char *user, core_text *out);
const char *core_system_name(void);     /* such as "linux" */
uint64_t    core_peak_host_bytes(void); /* of this process: the largest resident set so far; 0 if unknown */
uint64_t    core_host_memory_available(void);
uint32_t    core_cpu_count(void);       /* that this process may use */

/* Memory of the system's, zeroed, in pages as large as it gives; untouched pages take none. For what is read from end to end: with pages
 * of 4 KiB a core spends a tenth of its time looking up where they are. `bytes` > 0; NULL after a message. */
void *core_pages_new(size_t bytes, const char *what);
void  core_pages_free(void *memory, size_t bytes); /* the same `bytes`; accepts NULL */

/* vsnprintf() and strtod() in the "C" locale, whatever locale the embedding program set. */
int    core_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments);
double core_strtod(const char *text, char **end);
/* The same for code that is not ours: what runs between the two calls, in this thread, sees the "C" locale. */
typedef struct core_locale core_locale;
core_locale *core_locale_enter(void);
void         core_locale_leave(core_locale *before);

/* ---- Files. Messages name the path and the reason. */
/* What an errno means for a path: a missing thing is OCLM_ERR_NOT_FOUND, no memory OCLM_ERR_MEMORY, the rest OCLM_ERR_IO. `verb` as in
 * "cannot open". */
oclm_status core_fail_errno(int error, const char *verb, const char *path);
bool        core_path_is_file(const char *path);
bool        core_path_is_folder(const char *path);
oclm_status core_path_join(core_text *out, const char *folder, const char *name); /* replaces out's text */
oclm_status core_read_file(const char *path, size_t limit, char **data, size_t *length); /* NUL added; core_free */
/* Writes beside it, then renames over it: readers see the old file or the new one, whole. Makes missing folders. */
oclm_status core_write_file(const char *path, const void *data, size_t length);
oclm_status core_make_folders(const char *path);
/* Calls `visit` with the name of each entry, in no order, until it returns false. */
oclm_status core_folder_list(const char *folder, bool (*visit)(const char *name, void *user), void *user);
/* Bytes that this user may still write on the disk of a folder; 0 if unknown. */
uint64_t    core_disk_free(const char *folder);
/* Whether `name` fits a pattern of *, ? and [a-z]; a star also spans slashes. */
bool        core_name_matches(const char *pattern, const char *name);
/* The folder for what oclm remembers (programs, measurements): $OCLM_CACHE_DIR, else $XDG_CACHE_HOME/oclm (if absolute),
 * else ~/.cache/oclm (macOS: ~/Library/Caches/oclm). Not created. OCLM_ERR_NOT_FOUND where none can be named. */
oclm_status core_cache_folder(core_text *out);

/* ---- Locks and threads */
typedef struct core_mutex core_mutex;
oclm_status core_mutex_new(core_mutex **mutex);
void        core_mutex_free(core_mutex *mutex);
void        core_mutex_lock(core_mutex *mutex);
void        core_mutex_unlock(core_mutex *mutex);

/* Something that one thread waits for and another tells. Stays set until a wait has seen it. */
typedef struct core_signal core_signal;
oclm_status core_signal_new(core_signal **signal);
void        core_signal_free(core_signal *signal); /* nobody may still wait or set; accepts NULL */
void        core_signal_set(core_signal *signal);
/* False after `seconds` without. */
bool        core_signal_wait(core_signal *signal, double seconds);

/* Between the two, this thread is not ended by SIGPIPE, as a write to a connection that was closed would do. */
typedef struct core_pipe_guard {
    bool blocked; /* by us */
} core_pipe_guard;
core_pipe_guard core_pipe_guard_begin(void);
void            core_pipe_guard_end(core_pipe_guard guard);

/* A lock between processes: an advisory lock on a file, made if missing, released when closed or when the process ends. */
typedef struct core_file_lock core_file_lock;
oclm_status core_file_lock_take(const char *path, core_file_lock **lock); /* waits */
void        core_file_lock_release(core_file_lock *lock);

#endif
