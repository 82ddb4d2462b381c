/* written.h: for tests that write files: what is in the scratch folder afterwards. */
#ifndef OCLM_TESTS_CORE_WRITTEN_H
#define OCLM_TESTS_CORE_WRITTEN_H

#include "core/folder.h"
#include "core/platform.h"

static inline bool count_name(const char *name, void *user)
{
    (void)name;
    ++*(size_t *)user;
    return true;
}

static inline size_t count_entries(void)
{
    size_t count = 0;
    assert_int_equal(core_folder_list(folder, count_name, &count), OCLM_OK);
    return count;
}

static inline void expect_content(const char *path, const char *want)
{
    char  *data;
    size_t length;
    assert_int_equal(core_read_file(path, 1000, &data, &length), OCLM_OK);
    assert_string_equal(data, want);
    core_free(data);
}

#endif
