/* store.h: for tests of the hub's cache: a cache in a fresh folder, and a repository "o/m" in it. */
#ifndef OCLM_TESTS_HUB_STORE_H
#define OCLM_TESTS_HUB_STORE_H

#include <stdio.h>
#include <sys/stat.h>

#include "core/folder.h"
#include "core/platform.h"
#include "hub/cache.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"
#define REPO "models--o--m/"
#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */
#define HELLO_GIT "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"                            /* git hash-object of it */

static hub_settings settings;
static hub_cache    cache;

static inline void open_cache(void)
{
    memset(&settings, 0, sizeof settings);
    settings.cache = folder;
    assert_int_equal(hub_cache_init(&cache, &settings, "o/m"), OCLM_OK);
}

/* A blob with these bytes, linked as `file` of `commit`. */
static inline void put(const char *etag, const char *bytes, const char *commit, const char *file)
{
    char       temp[HUB_TEMP_NAME];
    core_file *opened;
    bool       adopted;
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    assert_int_equal(hub_cache_temp(&cache, etag, strlen(bytes), temp, &opened, &adopted), OCLM_OK);
    assert_int_equal(core_file_write(opened, bytes, strlen(bytes)), OCLM_OK);
    assert_int_equal(core_file_close(opened), OCLM_OK);
    assert_int_equal(hub_cache_publish(&cache, temp, etag, commit, file), OCLM_OK);
}

static inline void expect_text(const char *name, const char *want)
{
    char  *text;
    size_t length;
    if (core_read_file(path_of(name), 1 << 20, &text, &length) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    assert_string_equal(text, want);
    core_free(text);
}

static inline void expect_link(const char *name, const char *want)
{
    char          text[256] = "";
    const ssize_t length = readlink(path_of(name), text, sizeof text - 1);
    if (length < 0 || strcmp(text, want) != 0)
        fail_msg("%s leads to \"%s\", want \"%s\"", name, text, want);
}

static inline core_kind kind_of(const char *name)
{
    return core_path_info(path_of(name), false).kind;
}

#endif
