/* platform.c: what differs between operating systems, but for files (platform_files.c): environment, time, memory, locale,
 * threads. POSIX, with Linux's and macOS's ways where POSIX has none. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity, madvise */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include "core/platform.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/random.h>
#include <sys/sysctl.h>
#include <xlocale.h>
#endif

/* ---- Environment and time */

const char *core_env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool core_env_is_empty(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '\0';
}

double core_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void core_sleep(double seconds)
{
    struct timespec left = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void core_random(void *bytes, size_t count)
{
    if (getentropy(bytes, count) == 0)
        return;
    /* An old kernel: names of temporary files need be different, not secret. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)getpid() << 44 ^ (uint64_t)(uintptr_t)bytes;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
        ((unsigned char *)bytes)[i] = (unsigned char)(seed >> 56);
    }
}

oclm_status core_home_folder(const char *user, core_text *out)
{
    struct passwd  entry, *found = NULL;
    char           buffer[4096];
    const char    *home = user[0] == '\0' ? core_env("HOME") : NULL;
    core_text_clear(out);
    if (home == NULL) {
        const int error = user[0] != '\0' ? getpwnam_r(user, &entry, buffer, sizeof buffer, &found)
                                          : getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found);
        home = error == 0 && found != NULL ? found->pw_dir : NULL;
    }
    return home != NULL ? core_text_add_string(out, home) : core_fail(OCLM_ERR_NOT_FOUND, "~%s: no home folder known; set HOME", user);
}

const char *core_system_name(void)
{
#if defined(__linux__)
    return "linux";
#elif defined(__APPLE__)
    return "macos";
#else
    return "posix";
#endif
}

#if defined(__linux__)
/* The number after `key` in a file of /proc or /sys; the first number of the file where `key` is "". */
static bool read_number(const char *path, const char *key, uint64_t *value)
{
    char  line[256];
    bool  found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNu64, value) == 1;
    fclose(file);
    return found;
}
#endif

uint64_t core_peak_host_bytes(void)
{
#if defined(__linux__)
    uint64_t kib; /* not getrusage(), whose figure outlives exec(): it would be the parent's, if that was larger */
    return read_number("/proc/self/status", "VmHWM:", &kib) ? kib * 1024 : 0;
#else
    struct rusage usage; /* macOS counts in bytes */
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
#endif
}

uint64_t core_host_memory_available(void)
{
#if defined(__linux__)
    uint64_t kib, limit, used, available = 0;
    if (read_number("/proc/meminfo", "MemAvailable:", &kib))
        available = kib * 1024;
    /* A container's limit; the file says "max" where there is none. Caches it could drop count as used: we stay below. */
    if (read_number("/sys/fs/cgroup/memory.max", "", &limit) && read_number("/sys/fs/cgroup/memory.current", "", &used)) {
        const uint64_t left = limit > used ? limit - used : 0;
        if (left < available)
            available = left;
    }
    return available;
#elif defined(__APPLE__)
    uint64_t bytes = 0;
    size_t   size = sizeof bytes;
    return sysctlbyname("hw.memsize", &bytes, &size, NULL, 0) == 0 ? bytes : 0;
#else
    return 0;
#endif
}

uint32_t core_cpu_count(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
#endif
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint32_t)count : 1;
}

/* ---- Memory in pages */

#define LARGE_PAGE ((size_t)2 << 20) /* of x86-64 and of arm64 with 4 KiB pages; elsewhere only an alignment */

void *core_pages_new(size_t bytes, const char *what)
{
    const size_t size = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE, room = size + LARGE_PAGE;
    void *const  mapped = size < bytes || room < size ? MAP_FAILED
                                                      : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        (void)core_fail_memory(bytes, what);
        return NULL;
    }
    /* What lies before the first whole large page and behind the last goes back. */
    char *const  begin = mapped;
    const size_t skip = (LARGE_PAGE - (uintptr_t)begin % LARGE_PAGE) % LARGE_PAGE;
    if (skip > 0)
        (void)munmap(begin, skip);
    if (skip < LARGE_PAGE)
        (void)munmap(begin + skip + size, LARGE_PAGE - skip);
#if defined(__linux__)
    (void)madvise(begin + skip, size, MADV_HUGEPAGE); /* a wish: small pages do as well */
#endif
    return begin + skip;
}

void core_pages_free(void *memory, size_t bytes)
{
    if (memory != NULL)
        (void)munmap(memory, (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
}

/* ---- Locale. An embedding program may have set one with a decimal comma; files and our own output know none. */

static locale_t       c_locale; /* made once, kept: glibc and musl need no memory for it */
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

core_locale *core_locale_enter(void)
{
    pthread_once(&c_locale_once, make_c_locale);
    return (core_locale *)uselocale(c_locale); /* for this thread only; with 0 it changes nothing */
}

void core_locale_leave(core_locale *before)
{
    uselocale((locale_t)before);
}

int core_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    core_locale *before = core_locale_enter();
    const int    length = vsnprintf(buffer, size, format, arguments);
    core_locale_leave(before);
    return length;
}

double core_strtod(const char *text, char **end)
{
    core_locale *before = core_locale_enter();
    const double value = strtod(text, end);
    core_locale_leave(before);
    return value;
}

/* ---- Signals */

core_pipe_guard core_pipe_guard_begin(void)
{
    core_pipe_guard guard = { false };
#if !defined(__APPLE__) /* there libcurl asks each socket not to */
    sigset_t pipe_signal, pending, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending); /* one that waits already is not ours to take away */
    guard.blocked = !sigismember(&pending, SIGPIPE) && pthread_sigmask(SIG_BLOCK, &pipe_signal, &before) == 0 && !sigismember(&before, SIGPIPE);
#endif
    return guard;
}

void core_pipe_guard_end(core_pipe_guard guard)
{
#if !defined(__APPLE__)
    const struct timespec none = { 0, 0 };
    sigset_t              pipe_signal;
    if (!guard.blocked)
        return;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    while (sigtimedwait(&pipe_signal, NULL, &none) < 0 && errno == EINTR)
        ;
    (void)pthread_sigmask(SIG_UNBLOCK, &pipe_signal, NULL);
#else
    (void)guard;
#endif
}

/* ---- Threads */

struct core_mutex {
    pthread_mutex_t mutex;
};

oclm_status core_mutex_new(core_mutex **mutex)
{
    core_mutex *made = core_alloc(sizeof *made, "a lock");
    *mutex = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    if (pthread_mutex_init(&made->mutex, NULL) != 0) {
        core_free(made);
        return core_fail_memory(sizeof *made, "a lock");
    }
    *mutex = made;
    return OCLM_OK;
}

void core_mutex_free(core_mutex *mutex)
{
    if (mutex != NULL)
        pthread_mutex_destroy(&mutex->mutex);
    core_free(mutex);
}

void core_mutex_lock(core_mutex *mutex)
{
    pthread_mutex_lock(&mutex->mutex);
}

void core_mutex_unlock(core_mutex *mutex)
{
    pthread_mutex_unlock(&mutex->mutex);
}

struct core_signal {
    pthread_mutex_t mutex; /* guards `set` */
    pthread_cond_t  cond;
    bool            set;
};

/* A clock that nobody sets, where conditions can be told to use it. */
#ifdef __APPLE__
static int init_cond(pthread_cond_t *cond) { return pthread_cond_init(cond, NULL); }
#else
static int init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int                error = pthread_condattr_init(&attributes);
    if (error != 0)
        return error;
    if ((error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)) == 0)
        error = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}
#endif

oclm_status core_signal_new(core_signal **signal)
{
    core_signal *made = core_alloc_zero(1, sizeof *made, "a signal between threads");
    *signal = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    if (pthread_mutex_init(&made->mutex, NULL) != 0) {
        core_free(made);
        return core_fail_memory(sizeof *made, "a signal between threads");
    }
    if (init_cond(&made->cond) != 0) {
        pthread_mutex_destroy(&made->mutex);
        core_free(made);
        return core_fail_memory(sizeof *made, "a signal between threads");
    }
    *signal = made;
    return OCLM_OK;
}

void core_signal_free(core_signal *signal)
{
    if (signal != NULL) {
        pthread_cond_destroy(&signal->cond);
        pthread_mutex_destroy(&signal->mutex);
    }
    core_free(signal);
}

void core_signal_set(core_signal *signal)
{
    pthread_mutex_lock(&signal->mutex);
    signal->set = true;
    pthread_cond_signal(&signal->cond);
    pthread_mutex_unlock(&signal->mutex);
}

/* Waits once, until it is told something or until `end` (core_seconds()). Nonzero where it was not. */
static int wait_until(core_signal *signal, double end)
{
    struct timespec time;
#ifdef __APPLE__
    const double    left = end - core_seconds() > 0 ? end - core_seconds() : 0;
    time.tv_sec = (time_t)left;
    time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
    return pthread_cond_timedwait_relative_np(&signal->cond, &signal->mutex, &time);
#else
    time.tv_sec = (time_t)end;
    time.tv_nsec = (long)((end - (double)time.tv_sec) * 1e9);
    return pthread_cond_timedwait(&signal->cond, &signal->mutex, &time);
#endif
}

bool core_signal_wait(core_signal *signal, double seconds)
{
    const double end = core_seconds() + (seconds < 1e8 ? seconds : 1e8);
    pthread_mutex_lock(&signal->mutex);
    while (!signal->set && wait_until(signal, end) == 0)
        ;
    const bool set = signal->set;
    signal->set = false;
    pthread_mutex_unlock(&signal->mutex);
    return set;
}
