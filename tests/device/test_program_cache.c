/* test_program_cache.c: what was written comes back, and nothing else does: a driver may crash on a binary with one wrong bit. */
#include "device/devices.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/hash.h"
#include "core/memory.h"
#include "core/scratch.h"
#include "device/program_cache.h"

static char folder[SCRATCH_PATH];

static int fresh_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return setenv("OCLM_CACHE_DIR", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static dev_cache_key key_of(const char *text)
{
    static const dev_traits traits = { .key = "a device" };
    dev_cache_key           key;
    dev_cache_key_make(&traits, text, "-DWG=64", &key);
    return key;
}

/* Where the cache keeps a key. */
static const char *file_of(const dev_cache_key *key)
{
    char name[80] = "programs/";
    core_sha256_hex(key->digest, name + strlen(name));
    return scratch_path(folder, name);
}

static void write_file(const dev_cache_key *key, const void *data, size_t length)
{
    FILE *file = fopen(file_of(key), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* The whole file; core_free(). */
static char *read_file(const dev_cache_key *key, size_t *length)
{
    char *data = NULL;
    assert_ok(core_read_file(file_of(key), 1 << 20, &data, length));
    return data;
}

static void assert_nothing(const dev_cache_key *key, const char *label, size_t where)
{
    char  *data;
    size_t length;
    if (dev_cache_load(key, &data, &length) != DEV_CACHED_NOTHING || data || length)
        fail_msg("%s %zu: %zu bytes were taken for a program", label, where, length);
}

static const struct { const char *label; dev_cached kind; const char *payload; size_t length; } kept[] = {
    { "a note", DEV_CACHED_NOTE, "", 0 },
    { "a byte", DEV_CACHED_BINARY, "x", 1 },
    { "bytes with a zero", DEV_CACHED_BINARY, "\x7f" "ELF\0\0program", 13 },
};

static void what_was_written_comes_back(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    assert_nothing(&key, "before anything was written", 0);
    for (size_t i = 0; i < COUNT(kept); i++) { /* each over the one before */
        char  *data;
        size_t length;
        assert_ok(dev_cache_store(&key, kept[i].kind, kept[i].payload, kept[i].length));
        const dev_cached got = dev_cache_load(&key, &data, &length);
        if (got != kept[i].kind || length != kept[i].length || (length ? memcmp(data, kept[i].payload, length) != 0 : data != NULL))
            fail_msg("%s: kind %d, %zu bytes", kept[i].label, (int)got, length);
        core_free(data);
    }
}

static void a_file_cut_short_or_grown_is_no_program(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    size_t              length = 0;
    assert_ok(dev_cache_store(&key, DEV_CACHED_BINARY, "sixteen bytes...", 16));
    char *file = read_file(&key, &length);
    for (size_t n = 0; n < length; n++) {
        write_file(&key, file, n);
        assert_nothing(&key, "cut after byte", n);
    }
    char *longer = core_alloc_zero(length + 1, 1, "a longer file");
    assert_non_null(longer);
    memcpy(longer, file, length);
    write_file(&key, longer, length + 1);
    assert_nothing(&key, "grown to byte", length + 1);
    core_free(longer);
    core_free(file);
}

static void a_file_with_one_wrong_bit_is_no_program(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    char               *data;
    size_t              length = 0, got;
    assert_ok(dev_cache_store(&key, DEV_CACHED_BINARY, "sixteen bytes...", 16));
    char *file = read_file(&key, &length);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        file[bit / 8] = (char)(file[bit / 8] ^ 1 << bit % 8);
        write_file(&key, file, length);
        assert_nothing(&key, "with another bit", bit);
        file[bit / 8] = (char)(file[bit / 8] ^ 1 << bit % 8);
    }
    write_file(&key, file, length); /* and as it was, it is one */
    assert_int_equal(dev_cache_load(&key, &data, &got), DEV_CACHED_BINARY);
    core_free(data);
    core_free(file);
}

static void a_program_is_found_by_its_own_key_only(void **state)
{
    (void)state;
    static const dev_traits traits[] = { { .key = "a device" }, { .key = "another device" } };
    static const struct { const char *label; const dev_traits *traits; const char *text, *options; } others[] = {
        { "another text", &traits[0], "b", "-DWG=64" },
        { "other options", &traits[0], "a", "-DWG=32" },
        { "another device", &traits[1], "a", "-DWG=64" },
        { "text that begins in the options", &traits[0], "", "-DWG=64a" },
    };
    const dev_cache_key key = key_of("a");
    size_t              length = 0;
    assert_ok(dev_cache_store(&key, DEV_CACHED_BINARY, "program", 7));
    char *file = read_file(&key, &length);
    for (size_t i = 0; i < COUNT(others); i++) {
        dev_cache_key other;
        dev_cache_key_make(others[i].traits, others[i].text, others[i].options, &other);
        if (memcmp(&other, &key, sizeof key) == 0)
            fail_msg("%s: the same key", others[i].label);
        assert_nothing(&other, others[i].label, i);
        write_file(&other, file, length); /* a file under a wrong name */
        assert_nothing(&other, others[i].label, i);
    }
    core_free(file);
}

static void a_folder_in_a_files_place_is_no_program(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a");
    assert_ok(core_make_folders(file_of(&key)));
    assert_nothing(&key, "a folder", 0);
    assert_int_not_equal(dev_cache_store(&key, DEV_CACHED_BINARY, "program", 7), OCLM_OK);
}

/* ---- More than one process */

enum { WRITES = 100, PAYLOAD = 50000 };

static void write_often(char byte)
{
    static char         payload[PAYLOAD];
    const dev_cache_key key = key_of("a program");
    memset(payload, byte, sizeof payload);
    for (int i = 0; i < WRITES; i++) {
        if (dev_cache_store(&key, DEV_CACHED_BINARY, payload, sizeof payload) != OCLM_OK)
            _exit(1);
    }
    _exit(0);
}

static void two_processes_that_write_at_once_leave_a_whole_program(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    pid_t               writers[2];
    int                 running = 2, status;
    assert_ok(dev_cache_store(&key, DEV_CACHED_NOTE, NULL, 0)); /* from here on there is always one */
    for (int i = 0; i < 2; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0)
            write_often((char)('a' + i));
    }
    for (bool last = false; !last;) { /* once more after both have ended */
        char  *data;
        size_t length;
        const pid_t ended = running ? waitpid(-1, &status, WNOHANG) : 0;
        if (ended > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            running--;
        }
        last = running == 0;
        const dev_cached kind = dev_cache_load(&key, &data, &length);
        if (kind == DEV_CACHED_NOTHING || (kind == DEV_CACHED_BINARY && length != PAYLOAD))
            fail_msg("a reader saw kind %d with %zu bytes", (int)kind, length);
        for (size_t i = 1; i < length; i++) {
            if (data[i] != data[0])
                fail_msg("byte %zu is of one writer, byte 0 of the other", i);
        }
        core_free(data);
        if (last)
            assert_int_equal(kind, DEV_CACHED_BINARY);
    }
    scratch_remove(scratch_path(folder, "programs")); /* nothing but the program lies there */
    assert_false(core_path_is_folder(scratch_path(folder, "programs")));
}

/* In a process of its own, which is nobody: root may write anywhere. */
static void use_read_only_folder(void)
{
    const dev_cache_key old = key_of("a program"), new = key_of("another program");
    char               *data;
    size_t              length;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(2);
    if (dev_cache_store(&new, DEV_CACHED_BINARY, "program", 7) == OCLM_OK || !strstr(oclm_last_error(), folder))
        _exit(3);
    if (dev_cache_load(&new, &data, &length) != DEV_CACHED_NOTHING)
        _exit(4);
    if (dev_cache_load(&old, &data, &length) != DEV_CACHED_BINARY || length != 5)
        _exit(5);
    core_free(data);
    _exit(0);
}

static void a_folder_that_may_only_be_read_is_read(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    int                 status = 0;
    assert_ok(dev_cache_store(&key, DEV_CACHED_BINARY, "first", 5));
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(scratch_path(folder, "programs"), 0555), 0);
    const pid_t child = fork();
    if (child == 0)
        use_read_only_folder();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(scratch_path(folder, "programs"), 0755), 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the reader ended with %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void without_a_folder_nothing_is_kept(void **state)
{
    (void)state;
    static const char *const variables[] = { "OCLM_CACHE_DIR", "XDG_CACHE_HOME", "HOME" };
    const dev_cache_key      key = key_of("a program");
    for (size_t i = 0; i < COUNT(variables); i++)
        unsetenv(variables[i]);
    assert_status(dev_cache_store(&key, DEV_CACHED_NOTE, NULL, 0), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "OCLM_CACHE_DIR"));
    assert_nothing(&key, "without a folder", 0);
}

static void lack_of_memory_loses_a_program_and_nothing_else(void **state)
{
    (void)state;
    const dev_cache_key key = key_of("a program");
    const size_t        live = core_memory_live();
    char               *data = NULL;
    size_t              length, n = 0;
    oclm_status         status;
    do {
        core_memory_fail_at(++n, false);
        status = dev_cache_store(&key, DEV_CACHED_BINARY, "program", 7);
        core_memory_fail_at(0, false);
        assert_int_equal(core_memory_live(), live);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
    } while (status != OCLM_OK && n < 1000);
    assert_in_range(n, 2, 999);
    dev_cached kind = DEV_CACHED_NOTHING;
    for (n = 1; kind == DEV_CACHED_NOTHING && n < 1000; n++) {
        core_memory_fail_at(n, false);
        kind = dev_cache_load(&key, &data, &length);
        core_memory_fail_at(0, false);
        assert_int_equal(core_memory_live(), live + (data != NULL));
    }
    assert_in_range(n, 3, 999);
    assert_int_equal(kind, DEV_CACHED_BINARY);
    core_free(data);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, fresh_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(what_was_written_comes_back),
        IN_A_FOLDER(a_file_cut_short_or_grown_is_no_program),
        IN_A_FOLDER(a_file_with_one_wrong_bit_is_no_program),
        IN_A_FOLDER(a_program_is_found_by_its_own_key_only),
        IN_A_FOLDER(a_folder_in_a_files_place_is_no_program),
        IN_A_FOLDER(two_processes_that_write_at_once_leave_a_whole_program),
        IN_A_FOLDER(a_folder_that_may_only_be_read_is_read),
        IN_A_FOLDER(lack_of_memory_loses_a_program_and_nothing_else),
        IN_A_FOLDER(without_a_folder_nothing_is_kept), /* last: takes variables from the environment */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
