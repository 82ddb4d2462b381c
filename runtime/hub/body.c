/* body.c: receiving, resuming and checking one file. */
#include "hub/body.h"

#include <string.h>

#define KEEP_AT_LEAST (8u << 20) /* bytes: a shorter beginning is fetched again sooner than it is looked after */
#define FLUSH_EVERY (32u << 20)  /* bytes between two hints to write to disk */
#define READ_PART (1u << 20)

static bool has_sha256(const hub_body *body)
{
    return hub_is_sha256(body->etag);
}

static bool has_sha1(const hub_body *body)
{
    return hub_is_commit(body->etag); /* the same shape */
}

/* git hashes a header before the bytes. */
static void hash_begin(hub_body *body)
{
    char header[40];
    core_sha256_init(&body->sha256);
    core_sha1_init(&body->sha1);
    const int length = snprintf(header, sizeof header, "blob %llu", (unsigned long long)body->size);
    core_sha1_add(&body->sha1, header, (size_t)length + 1); /* with its NUL */
}

static void hash_add(hub_body *body, const void *bytes, size_t count)
{
    if (has_sha256(body))
        core_sha256_add(&body->sha256, bytes, count);
    else if (has_sha1(body))
        core_sha1_add(&body->sha1, bytes, count);
}

bool hub_body_is_right(hub_body *body)
{
    uint8_t digest[32];
    char    hex[65];
    if (body->have != body->size)
        return false;
    if (has_sha256(body)) {
        core_sha256_end(&body->sha256, digest);
        core_hex(digest, 32, hex);
    } else if (has_sha1(body)) {
        core_sha1_end(&body->sha1, digest);
        core_hex(digest, 20, hex);
    } else {
        return true; /* an etag of another shape promises nothing but itself */
    }
    return strcmp(hex, body->etag) == 0;
}

/* Hashes what an earlier run left. */
static oclm_status take_over(hub_body *body)
{
    size_t      got = 0;
    oclm_status status;
    char *const part = core_alloc(READ_PART, "a file's beginning");
    if (part == NULL)
        return OCLM_ERR_MEMORY;
    while ((status = core_file_read(body->file, part, READ_PART, &got)) == OCLM_OK && got > 0) {
        hash_add(body, part, got);
        body->have += got;
    }
    core_free(part);
    if (status == OCLM_OK && body->have > body->size) /* it grew under us */
        status = hub_body_restart(body);
    return status;
}

oclm_status hub_body_open(hub_body *body, const hub_cache *cache, const char *etag, uint64_t size)
{
    bool        adopted = false;
    oclm_status status;
    memset(body, 0, sizeof *body);
    memcpy(body->etag, etag, strlen(etag) + 1);
    body->size = size;
    hash_begin(body);
    if ((status = hub_cache_temp(cache, etag, size, body->name, &body->file, &adopted)) != OCLM_OK)
        return status;
    return adopted ? take_over(body) : OCLM_OK;
}

oclm_status hub_body_restart(hub_body *body)
{
    body->have = body->unflushed = 0;
    body->fault = HUB_BODY_FINE;
    hash_begin(body);
    return core_file_truncate(body->file);
}

/* ---- Receiving */

static oclm_status refuse(hub_body *body, hub_body_fault fault)
{
    body->fault = fault;
    return OCLM_ERR_HUB; /* what it means is told by whoever knows the file */
}

/* "bytes 100-199/200" */
static bool is_asked_part(const core_text *headers, uint64_t from, uint64_t size)
{
    core_text  text = CORE_TEXT_INIT;
    char       want[80];
    (void)snprintf(want, sizeof want, "bytes %llu-%llu/%llu", (unsigned long long)from, (unsigned long long)size - 1, (unsigned long long)size);
    const bool same = hub_header_get(headers, "content-range", &text) == HUB_HEADER_ONE && strcmp(text.data, want) == 0;
    core_text_free(&text);
    return same;
}

oclm_status hub_body_begin(hub_request *request, void *user)
{
    hub_body *const body = user;
    core_text       text = CORE_TEXT_INIT;
    const bool      encoded = hub_header_get(&request->headers, "content-encoding", &text) != HUB_HEADER_NONE && text.length > 0 &&
                         strcmp(text.data, "identity") != 0;
    core_text_free(&text);
    if (encoded)
        return refuse(body, HUB_BODY_ENCODED);
    if (request->code == 206)
        return request->range && is_asked_part(&request->headers, request->from, body->size) ? OCLM_OK : refuse(body, HUB_BODY_WRONG_PART);
    if (body->have == 0)
        return OCLM_OK;
    const oclm_status status = hub_body_restart(body); /* the whole file again */
    if (status != OCLM_OK)
        body->fault = HUB_BODY_LOCAL;
    return status;
}

oclm_status hub_body_data(const void *bytes, size_t count, void *user)
{
    hub_body *const body = user;
    if (count > body->size - body->have)
        return refuse(body, HUB_BODY_TOO_LONG);
    const oclm_status status = core_file_write(body->file, bytes, count);
    if (status != OCLM_OK) {
        body->fault = HUB_BODY_LOCAL;
        return status;
    }
    hash_add(body, bytes, count);
    body->have += count;
    if ((body->unflushed += count) >= FLUSH_EVERY) {
        core_file_flush_early(body->file);
        body->unflushed = 0;
    }
    return OCLM_OK;
}

/* ---- The end */

oclm_status hub_body_publish(hub_body *body, hub_cache *cache, const char *commit, const char *file)
{
    oclm_status status = core_file_sync(body->file), closed = core_file_close(body->file);
    body->file = NULL;
    if (status == OCLM_OK)
        status = closed;
    if (status == OCLM_OK)
        status = hub_cache_publish(cache, body->name, body->etag, commit, file);
    if (status != OCLM_OK)
        hub_cache_drop_temp(cache, body->name);
    return status;
}

bool hub_body_abandon(hub_body *body, const hub_cache *cache, bool keep)
{
    if (body->file == NULL)
        return false;
    const bool kept = keep && body->have >= KEEP_AT_LEAST && body->have < body->size && has_sha256(body);
    (void)core_file_close(body->file);
    body->file = NULL;
    if (kept)
        hub_cache_keep_temp(cache, body->name, body->etag);
    else
        hub_cache_drop_temp(cache, body->name);
    return kept;
}
