/* program_cache.c: a file for each program and each fact in <cache folder>/programs, named by the hash of its key.
 *
 * Format: header { 8 bytes magic, u32 kind, u32 zero, u64 payload length, 32 bytes key, 32 bytes SHA-256 of the header before
 * this field and the payload }, little-endian, then the payload. */
#include "device/program_cache.h"

#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/memory.h"
#include "device/program.h"

#define MAX_FILE    ((size_t)256 << 20) /* bytes; the largest program seen has 200 KB */
#define MAGIC       "OCLMPRG1"
#define AT_KIND     8
#define AT_LENGTH   16
#define AT_KEY      24
#define AT_DIGEST   56
#define HEADER_SIZE 88

static void add_string(core_sha256 *sha, const char *text) { core_sha256_add(sha, text, strlen(text) + 1); }

void dev_cache_key_make(const dev_traits *traits, const char *text, const char *options, dev_cache_key *key)
{
    core_sha256 sha;
    const uint32_t version[] = { OCLM_VERSION_MAJOR, OCLM_VERSION_MINOR, OCLM_VERSION_PATCH };
    core_sha256_init(&sha);
    add_string(&sha, MAGIC);
    core_sha256_add(&sha, version, sizeof version);
    add_string(&sha, traits->key);
    add_string(&sha, options);
    add_string(&sha, text);
    core_sha256_end(&sha, key->digest);
}

static oclm_status path_of(const dev_cache_key *key, core_text *path)
{
    char        hex[65];
    oclm_status status;
    core_sha256_hex(key->digest, hex);
    if ((status = core_cache_folder(path)) != OCLM_OK)
        return status;
    return core_text_printf(path, "/programs/%s", hex);
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static void make_header(const dev_cache_key *key, dev_cached kind, const void *payload, size_t length, uint8_t header[HEADER_SIZE])
{
    core_sha256 sha;
    memset(header, 0, HEADER_SIZE);
    memcpy(header, MAGIC, AT_KIND);
    put(header + AT_KIND, (uint64_t)kind, 4);
    put(header + AT_LENGTH, length, 8);
    memcpy(header + AT_KEY, key->digest, sizeof key->digest);
    core_sha256_init(&sha);
    core_sha256_add(&sha, header, AT_DIGEST);
    core_sha256_add(&sha, payload, length);
    core_sha256_end(&sha, header + AT_DIGEST);
}

dev_cached dev_cache_load(const dev_cache_key *key, char **data, size_t *length)
{
    core_text  path = CORE_TEXT_INIT;
    char      *file = NULL;
    size_t     size = 0;
    uint8_t    header[HEADER_SIZE];
    dev_cached kind = DEV_CACHED_NOTHING;
    *data = NULL;
    *length = 0;
    if (path_of(key, &path) != OCLM_OK || !core_path_is_file(path.data) ||
        core_read_file(path.data, MAX_FILE, &file, &size) != OCLM_OK)
        goto done;
    const uint64_t told = size < HEADER_SIZE ? 0 : get((const uint8_t *)file + AT_KIND, 4);
    if (told > DEV_CACHED_NOTHING && told <= DEV_CACHED_FACT) {
        /* One comparison checks magic, kind, length, key and payload: the header can only be what we would write. */
        make_header(key, (dev_cached)told, file + HEADER_SIZE, size - HEADER_SIZE, header);
        if (memcmp(header, file, HEADER_SIZE) == 0)
            kind = (dev_cached)told;
    }
    if (kind == DEV_CACHED_NOTHING) {
        core_log(OCLM_LOG_WARNING, "%s: a damaged file; it is made again", path.data);
    } else if (size > HEADER_SIZE) {
        *length = size - HEADER_SIZE;
        memmove(file, file + HEADER_SIZE, *length);
        *data = file;
        file = NULL;
    }
done:
    core_free(file);
    core_text_free(&path);
    return kind;
}

oclm_status dev_cache_store(const dev_cache_key *key, dev_cached kind, const void *data, size_t length)
{
    core_text   path = CORE_TEXT_INIT, file = CORE_TEXT_INIT;
    uint8_t     header[HEADER_SIZE];
    oclm_status status;
    make_header(key, kind, data, length, header);
    if ((status = path_of(key, &path)) == OCLM_OK && (status = core_text_add(&file, header, sizeof header)) == OCLM_OK &&
        (status = core_text_add(&file, data, length)) == OCLM_OK)
        status = core_write_file(path.data, file.data, file.length);
    core_text_free(&file);
    core_text_free(&path);
    return status;
}

/* ---- Facts */

bool dev_fact_load(const dev_traits *traits, const char *what, core_text *fact)
{
    dev_cache_key key;
    char         *data;
    size_t        length;
    core_text_clear(fact);
    dev_cache_key_make(traits, dev_embedded_digest(), what, &key);
    const bool known = dev_cache_load(&key, &data, &length) == DEV_CACHED_FACT && length > 0 &&
                       core_text_add(fact, data, length) == OCLM_OK;
    core_free(data);
    return known;
}

void dev_fact_store(const dev_traits *traits, const char *what, const char *fact)
{
    dev_cache_key key;
    dev_cache_key_make(traits, dev_embedded_digest(), what, &key);
    if (dev_cache_store(&key, DEV_CACHED_FACT, fact, strlen(fact)) != OCLM_OK)
        core_log(OCLM_LOG_DEBUG, "not kept: %s: %s", what, oclm_last_error());
}
