/* test_map.c: mapped files (map.h, in platform_files.c). */
#include "core/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/child.h"
#include "core/map.h"
#include "core/folder.h"
#include "core/platform.h"

#define MUCH ((size_t)32 << 20)
#define NEARLY ((size_t)1 << 20) /* the kernel counts in batches, and code is mapped too */

static void a_file_of_any_length_is_mapped_whole(void **state)
{
    static const size_t lengths[] = { 1, 7, 4095, 4096, 4097, 100000 };
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        core_map       map = CORE_MAP_INIT;
        unsigned char *data = malloc(lengths[i]);
        assert_non_null(data);
        for (size_t j = 0; j < lengths[i]; j++)
            data[j] = (unsigned char)(j * 7 + i);
        scratch_write(folder, "file", data, lengths[i]);
        assert_int_equal(core_map_open(&map, scratch_path(folder, "file")), OCLM_OK);
        assert_int_equal(map.size, lengths[i]);
        assert_memory_equal(map.data, data, lengths[i]);
        core_map_close(&map);
        assert_null(map.data);
        assert_int_equal(map.size, 0);
        core_map_close(&map); /* twice is once */
        free(data);
    }
}

static void an_empty_file_is_an_empty_map(void **state)
{
    core_map map = { (const unsigned char *)"x", 1 };
    (void)state;
    scratch_write(folder, "empty", "", 0);
    assert_int_equal(core_map_open(&map, scratch_path(folder, "empty")), OCLM_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    core_map_will_need(&map, 0, 1);
    core_map_will_need_again(&map, 0, 1);
    core_map_release(&map, 0, SIZE_MAX);
    core_map_close(&map);
}

static int open_what_cannot_be_mapped(void *user)
{
    static const struct {
        const char *name;
        oclm_status status;
        const char *reason;
    } cases[] = {
        { "none", OCLM_ERR_NOT_FOUND, "cannot open: No such file or directory" },
        { "file/x", OCLM_ERR_NOT_FOUND, "cannot open: Not a directory" },
        { ".", OCLM_ERR_FORMAT, "this is a folder, a file is needed here" },
        { "pipe", OCLM_ERR_FORMAT, "this is a pipe or a device, an ordinary file is needed here" },
        { "secret", OCLM_ERR_IO, "cannot open: Permission denied" },
    };
    int failed = 0;
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        core_map          map = { (const unsigned char *)"x", 1 };
        const char       *path = scratch_path(folder, cases[i].name);
        const oclm_status status = core_map_open(&map, path);
        if (status != cases[i].status || map.data != NULL || map.size != 0 || strstr(oclm_last_error(), path) == NULL ||
            strstr(oclm_last_error(), cases[i].reason) == NULL) {
            print_message("%s: status %d, \"%s\", want \"%s\"\n", cases[i].name, (int)status, oclm_last_error(), cases[i].reason);
            failed = 1;
        }
    }
    return failed;
}

static void what_cannot_be_mapped_is_told_at_once(void **state)
{
    (void)state;
    scratch_write(folder, "file", "x", 1);
    scratch_write(folder, "secret", "x", 1);
    assert_int_equal(chmod(scratch_path(folder, "secret"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(mkfifo(scratch_path(folder, "pipe"), 0666), 0);
    assert_int_equal(child_run(open_what_cannot_be_mapped, NULL, true), 0); /* a pipe without writer would hang: child.h's deadline */
}

/* With no room for it: a file may be larger than the address space that is left. */
static int map_beyond_the_limit(void *user)
{
    core_map map = CORE_MAP_INIT;
    if (setrlimit(RLIMIT_AS, &(struct rlimit){ MUCH, MUCH }) != 0)
        return 2;
    if (core_map_open(&map, user) != OCLM_ERR_MEMORY || map.data != NULL || map.size != 0)
        return 3;
    return strstr(oclm_last_error(), user) != NULL && strstr(oclm_last_error(), "cannot map into memory: Cannot allocate memory") != NULL
               ? 0 : 4;
}

static void a_file_without_room_is_told_as_a_lack_of_memory(void **state)
{
    char path[2 * SCRATCH_PATH];
    (void)state;
    strcpy(path, scratch_path(folder, "sparse"));
    const int file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)1 << 33), 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(child_run(map_beyond_the_limit, path, false), 0);
}

static void a_hint_about_any_part_changes_nothing(void **state)
{
    static const size_t ends[] = { 0, 1, 4095, 4096, 4097, 8192, 12287, 12288, 12300, 12301, 99999, SIZE_MAX };
    unsigned char data[12300];
    core_map      map = CORE_MAP_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 31);
    scratch_write(folder, "file", data, sizeof data);
    assert_int_equal(core_map_open(&map, scratch_path(folder, "file")), OCLM_OK);
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (size_t j = 0; j < COUNT(ends); j++) {
            core_map_will_need(&map, ends[i], ends[j]);
            assert_memory_equal(map.data, data, sizeof data);
            core_map_release(&map, ends[i], ends[j]);
            assert_memory_equal(map.data, data, sizeof data);
        }
    }
    core_map_close(&map);
}

#if defined(__linux__)
static size_t asked_for; /* bytes that the kernel was told will be read soon */

/* Ours, in front of the system's. */
int madvise(void *address, size_t length, int advice)
{
    asked_for += advice == MADV_WILLNEED ? length : 0;
    return (int)syscall(SYS_madvise, address, length, advice);
}

static bool is_there(const core_map *map)
{
    unsigned char there[MUCH / 4096];
    bool          all = true;
    assert_int_equal(mincore((void *)(uintptr_t)map->data, map->size, there), 0);
    for (size_t i = 0; i < map->size / (size_t)sysconf(_SC_PAGESIZE); i++)
        all = all && (there[i] & 1);
    return all;
}

static void wait_until_there(const core_map *map)
{
    const double begin = core_seconds();
    while (!is_there(map)) {
        if (core_seconds() - begin > 30)
            fail_msg("pages that will be needed are not there after 30 s");
    }
}

/* Makes the file's pages leave the cache; a file system in memory keeps them. */
static bool forget_pages(const core_map *map, const char *path)
{
    const int file = open(path, O_RDWR);
    assert_true(file >= 0);
    core_map_release(map, 0, SIZE_MAX);
    assert_int_equal(fsync(file), 0);
    assert_int_equal(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(close(file), 0);
    return !is_there(map);
}

static core_map map_much(void)
{
    core_map map = CORE_MAP_INIT;
    char    *data = malloc(MUCH);
    assert_non_null(data);
    memset(data, 3, MUCH);
    scratch_write(folder, "file", data, MUCH);
    free(data);
    assert_int_equal(core_map_open(&map, scratch_path(folder, "file")), OCLM_OK);
    return map;
}

static void what_will_be_needed_is_asked_for_where_it_is_not_there(void **state)
{
    core_map map = map_much();
    (void)state;
    core_map_will_need(&map, 0, MUCH); /* just written: in the cache */
    wait_until_there(&map);
    asked_for = 0;
    core_map_will_need_again(&map, 0, MUCH);
    assert_int_equal(asked_for, 0);
    if (forget_pages(&map, scratch_path(folder, "file"))) {
        core_map_will_need_again(&map, 0, MUCH);
        assert_in_range(asked_for, 4096, MUCH);
        wait_until_there(&map);
    } else {
        print_message("    the file system keeps its pages: only half was tested\n");
    }
    core_map_close(&map);
}

/* Bytes of mapped files that are resident. */
static size_t resident(void)
{
    char   line[256];
    size_t kib = 0;
    FILE  *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "RssFile: %zu", &kib) != 1)
        continue;
    fclose(file);
    return kib * 1024;
}

static size_t touch(const core_map *map)
{
    size_t sum = 0;
    for (size_t i = 0; i < map->size; i += 512)
        sum += map->data[i];
    return sum;
}

static void released_pages_leave_memory_and_come_back(void **state)
{
    core_map map = map_much();
    (void)state;
    const size_t sum = touch(&map), full = resident();
    assert_true(full >= MUCH - NEARLY);
    core_map_release(&map, 1, MUCH / 2); /* without the first and the last page, which others use */
    const size_t half = resident();
    if (half > full - MUCH / 2 + NEARLY || half < full - MUCH / 2 - NEARLY)
        fail_msg("%zu bytes resident, then %zu after the release of half of %zu", full, half, MUCH);
    assert_int_equal(touch(&map), sum);
    core_map_release(&map, 0, SIZE_MAX);
    assert_true(resident() <= full - MUCH + NEARLY);
    core_map_close(&map);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_file_of_any_length_is_mapped_whole),
        IN_SCRATCH(an_empty_file_is_an_empty_map),
        IN_SCRATCH(what_cannot_be_mapped_is_told_at_once),
        IN_SCRATCH(a_file_without_room_is_told_as_a_lack_of_memory),
        IN_SCRATCH(a_hint_about_any_part_changes_nothing),
#if defined(__linux__)
        IN_SCRATCH(what_will_be_needed_is_asked_for_where_it_is_not_there),
        IN_SCRATCH(released_pages_leave_memory_and_come_back),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
