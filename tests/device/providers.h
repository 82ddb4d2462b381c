/* providers.h: for tests of who serves a product: providers made up from a good one, a folder of their own for what is remembered,
 * and the lines of the log. */
#ifndef OCLM_TESTS_DEVICE_PROVIDERS_H
#define OCLM_TESTS_DEVICE_PROVIDERS_H

#include <string.h>

#include "cl/matrices.h"
#include "core/log.h"
#include "core/scratch.h"
#include "device/provider.h"

/* ---- The cache folder of this test alone */

static char providers_folder[SCRATCH_PATH];

static inline void providers_fresh_cache(void)
{
    if (providers_folder[0])
        scratch_remove(providers_folder);
    scratch_make(providers_folder);
    scratch_check(setenv("OCLM_CACHE_DIR", providers_folder, 1) == 0, "setenv");
}

static inline int providers_remove_cache(void **state)
{
    (void)state;
    if (providers_folder[0])
        scratch_remove(providers_folder);
    providers_folder[0] = '\0';
    return 0;
}

/* Flips a bit in the last byte of every file that oclm has written there. */
static inline void providers_damage_cache(void)
{
    char           folder[SCRATCH_PATH + 16];
    struct dirent *entry;
    size_t         damaged = 0;
    snprintf(folder, sizeof folder, "%s/programs", providers_folder);
    DIR *listing = opendir(folder);
    scratch_check(listing != NULL, folder);
    while ((entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        FILE *file = fopen(scratch_path(folder, entry->d_name), "r+b");
        scratch_check(file != NULL && fseek(file, -1, SEEK_END) == 0, entry->d_name);
        const int byte = fgetc(file);
        scratch_check(fseek(file, -1, SEEK_END) == 0 && fputc(byte ^ 1, file) != EOF && fclose(file) == 0, entry->d_name);
        damaged++;
    }
    closedir(listing);
    assert_true(damaged > 0);
}

/* ---- The log */

static char   providers_log[16384];
static size_t providers_warnings;

static inline void providers_hear(oclm_log_level level, const char *message, void *user)
{
    const size_t length = strlen(providers_log);
    (void)user;
    providers_warnings += level == OCLM_LOG_WARNING;
    snprintf(providers_log + length, sizeof providers_log - length, "%s\n", message);
}

static inline void providers_listen(void)
{
    providers_log[0] = '\0';
    providers_warnings = 0;
    core_log_set(providers_hear, NULL, OCLM_LOG_INFO);
}

/* ---- Products */

/* The kernel of ours that a device takes by default. */
static inline const dev_provider *providers_good(const dev_device *device, const dev_matmul *m)
{
    dev_providers all;
    dev_providers_all(&all);
    for (size_t i = 0; i < all.count; i++) {
        if (!all.list[i]->scratch && all.list[i]->suits(all.list[i], device, m))
            return all.list[i];
    }
    fail_msg("no provider suits");
    return NULL;
}

static inline bool providers_suits(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)self, (void)device, (void)m;
    return true;
}

static inline bool providers_takes_no_norm(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)self, (void)device, (void)m;
    return false;
}

static inline oclm_status providers_add_good(dev_work *work, const dev_matmul *m)
{
    const dev_provider *good = providers_good(dev_work_device(work), m);
    return good->add(good, work, m);
}

/* A request that choosing looks at; nothing is computed with it. */
static inline dev_matmul providers_request(const dev_matrix *weight, uint32_t rows)
{
    return (dev_matmul){ .weight = weight, .rows = rows, .scratch_floats = SIZE_MAX };
}

#endif
