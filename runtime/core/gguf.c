/* gguf.c: magic, version, counts; then key, type, value, one after the other (ggml/docs/gguf.md). */
#include "core/gguf.h"

#include <inttypes.h>
#include <string.h>

#include "core/memory.h"

#define MAX_NESTING 4 /* arrays in arrays; real files have none */
/* A key-value has at least the length of its key, one byte of it, a type and a byte of value. */
#define LEAST_BYTES 14

static oclm_status cut_short(const core_gguf_cursor *at, const char *what)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: %s at byte %zu reaches beyond the %zu bytes of the file; the download is cut short: remove the file and "
                     "fetch it again", at->origin, what, (size_t)(at->p - at->begin), (size_t)(at->end - at->begin));
}

static uint64_t bits_at(const char *p, size_t bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return bits;
}

oclm_status core_gguf_read_bits(core_gguf_cursor *at, size_t bytes, const char *what, uint64_t *bits)
{
    if ((size_t)(at->end - at->p) < bytes)
        return cut_short(at, what);
    *bits = bits_at(at->p, bytes);
    at->p += bytes;
    return OCLM_OK;
}

oclm_status core_gguf_read_string(core_gguf_cursor *at, const char *what, const char **text, size_t *length)
{
    uint64_t    bytes = 0;
    oclm_status status = core_gguf_read_bits(at, 8, what, &bytes);
    if (status != OCLM_OK)
        return status;
    if (bytes > (uint64_t)(at->end - at->p))
        return cut_short(at, what);
    *text = at->p;
    *length = (size_t)bytes;
    at->p += *length;
    return OCLM_OK;
}

/* Bytes of a number; 0 for strings and arrays. */
static size_t size_of(core_gguf_type type)
{
    static const unsigned char sizes[CORE_GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return sizes[type];
}

static oclm_status read_type(core_gguf_cursor *at, core_gguf_type *type)
{
    uint64_t    number = 0;
    oclm_status status = core_gguf_read_bits(at, 4, "a type", &number);
    if (status == OCLM_OK && number >= CORE_GGUF_TYPE_COUNT)
        return core_fail(OCLM_ERR_FORMAT, "%s: byte %zu: type %" PRIu64 " is unknown", at->origin, (size_t)(at->p - at->begin) - 4, number);
    *type = status == OCLM_OK ? (core_gguf_type)number : CORE_GGUF_U8;
    return status;
}

static oclm_status skip_items(core_gguf_cursor *at, core_gguf_type type, uint64_t count, unsigned depth);

static oclm_status skip_array(core_gguf_cursor *at, unsigned depth)
{
    core_gguf_type type;
    uint64_t       count = 0;
    oclm_status    status;
    if (depth == MAX_NESTING)
        return core_fail(OCLM_ERR_FORMAT, "%s: byte %zu: arrays are nested deeper than the %d levels allowed", at->origin, (size_t)(at->p - at->begin),
                         MAX_NESTING);
    if ((status = read_type(at, &type)) != OCLM_OK || (status = core_gguf_read_bits(at, 8, "an array's count", &count)) != OCLM_OK)
        return status;
    return skip_items(at, type, count, depth + 1);
}

static oclm_status skip_items(core_gguf_cursor *at, core_gguf_type type, uint64_t count, unsigned depth)
{
    const uint64_t left = (uint64_t)(at->end - at->p);
    oclm_status    status = OCLM_OK;
    const char    *text;
    size_t         length;
    if (size_of(type) > 0) {
        if (count > left / size_of(type))
            return cut_short(at, "an array");
        at->p += (size_t)count * size_of(type);
        return OCLM_OK;
    }
    if (count > left / 8) /* what a string takes at least, and less than an array */
        return cut_short(at, "an array");
    for (uint64_t i = 0; i < count && status == OCLM_OK; i++)
        status = type == CORE_GGUF_STRING ? core_gguf_read_string(at, "a string", &text, &length) : skip_array(at, depth);
    return status;
}

static oclm_status read_value(core_gguf_cursor *at, core_gguf_value *value)
{
    oclm_status status;
    if ((status = core_gguf_read_string(at, "a key", &value->key, &value->key_length)) != OCLM_OK ||
        (status = read_type(at, &value->type)) != OCLM_OK)
        return status;
    value->array = value->type == CORE_GGUF_ARRAY;
    value->count = 1;
    if (value->array &&
        ((status = read_type(at, &value->type)) != OCLM_OK || (status = core_gguf_read_bits(at, 8, "an array's count", &value->count)) != OCLM_OK))
        return status;
    value->data = at->p;
    return skip_items(at, value->type, value->count, 1);
}

oclm_status core_gguf_open(core_gguf *file, const void *data, size_t size, const char *origin)
{
    uint64_t    magic = 0, version = 0, count = 0;
    oclm_status status;
    memset(file, 0, sizeof *file);
    file->origin = origin;
    if (size < 4 || memcmp(data, "GGUF", 4) != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: does not begin with \"GGUF\": it is no GGUF file", origin);
    core_gguf_cursor at = { data, data, (const char *)data + size, origin };
    if ((status = core_gguf_read_bits(&at, 4, "the magic number", &magic)) != OCLM_OK ||
        (status = core_gguf_read_bits(&at, 4, "the version", &version)) != OCLM_OK)
        return status;
    if (version != 2 && version != 3)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: version %" PRIu64 " of GGUF%s; oclm reads 2 and 3, little-endian", origin, version,
                         version > 0xFFFF ? " (big-endian?)" : "");
    if ((status = core_gguf_read_bits(&at, 8, "the count of tensors", &file->tensor_count)) != OCLM_OK ||
        (status = core_gguf_read_bits(&at, 8, "the count of keys", &count)) != OCLM_OK)
        return status;
    if (count > (uint64_t)(at.end - at.p) / LEAST_BYTES)
        return cut_short(&at, "the list of keys");
    if ((file->values = core_alloc_zero((size_t)count, sizeof *file->values, "the keys of a GGUF file")) == NULL)
        return OCLM_ERR_MEMORY;
    for (; file->count < count; file->count++) {
        if ((status = read_value(&at, &file->values[file->count])) != OCLM_OK)
            return status;
    }
    file->tensors = (size_t)(at.p - at.begin);
    return OCLM_OK;
}

void core_gguf_free(core_gguf *file)
{
    core_free(file->values);
    memset(file, 0, sizeof *file);
}

/* ---- Reading values */

const core_gguf_value *core_gguf_find(const core_gguf *file, const char *key)
{
    const size_t length = strlen(key);
    for (size_t i = 0; i < file->count; i++) {
        if (file->values[i].key_length == length && memcmp(file->values[i].key, key, length) == 0)
            return &file->values[i];
    }
    return NULL;
}

static oclm_status wrong(const core_gguf *file, const char *key, const char *wanted)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is not %s", file->origin, key, wanted);
}

static bool is_number(core_gguf_type type)
{
    return type != CORE_GGUF_STRING && type != CORE_GGUF_ARRAY && type != CORE_GGUF_F32 && type != CORE_GGUF_F64;
}

oclm_status core_gguf_get_int(const core_gguf *file, const char *key, int64_t *value)
{
    const core_gguf_value *found = core_gguf_find(file, key);
    if (found == NULL)
        return OCLM_OK;
    if (found->array || !is_number(found->type))
        return wrong(file, key, "a whole number");
    *value = core_gguf_int(found, 0);
    return OCLM_OK;
}

oclm_status core_gguf_get_bool(const core_gguf *file, const char *key, bool *value)
{
    int64_t           number = *value;
    const oclm_status status = core_gguf_get_int(file, key, &number);
    *value = number != 0;
    return status;
}

oclm_status core_gguf_get_string(const core_gguf *file, const char *key, const char **text, size_t *length)
{
    const core_gguf_value *found = core_gguf_find(file, key);
    const char            *at;
    if (found == NULL)
        return OCLM_OK;
    if (found->array || found->type != CORE_GGUF_STRING)
        return wrong(file, key, "a string");
    at = found->data;
    *text = core_gguf_next_string(&at, length);
    return OCLM_OK;
}

oclm_status core_gguf_get_array(const core_gguf *file, const char *key, core_gguf_type type, const core_gguf_value **value)
{
    static const char *const names[CORE_GGUF_TYPE_COUNT] = {
        "bytes", "signed bytes", "16-bit numbers", "signed 16-bit numbers", "32-bit numbers", "signed 32-bit numbers", "32-bit floats",
        "truth values", "strings", "arrays", "64-bit numbers", "signed 64-bit numbers", "64-bit floats",
    };
    char wanted[48];
    *value = core_gguf_find(file, key);
    if (*value == NULL || ((*value)->array && (*value)->type == type))
        return OCLM_OK;
    *value = NULL;
    (void)strcpy(wanted, "an array of ");
    (void)strcat(wanted, names[type]);
    return wrong(file, key, wanted);
}

int64_t core_gguf_int(const core_gguf_value *value, uint64_t index)
{
    const size_t   bytes = size_of(value->type);
    const uint64_t bits = bits_at(value->data + (size_t)index * bytes, bytes);
    const bool     is_signed = value->type == CORE_GGUF_I8 || value->type == CORE_GGUF_I16 || value->type == CORE_GGUF_I32;
    if (is_signed && bits >> (8 * bytes - 1) != 0)
        return (int64_t)(bits | ~(uint64_t)0 << 8 * bytes);
    return (int64_t)bits;
}

double core_gguf_float(const core_gguf_value *value, uint64_t index)
{
    const size_t   bytes = size_of(value->type);
    const uint64_t bits = bits_at(value->data + (size_t)index * bytes, bytes);
    const uint32_t half = (uint32_t)bits;
    float          single;
    double         full;
    if (value->type == CORE_GGUF_F32) {
        memcpy(&single, &half, sizeof single);
        return (double)single;
    }
    memcpy(&full, &bits, sizeof full);
    return value->type == CORE_GGUF_F64 ? full : (double)core_gguf_int(value, index);
}

const char *core_gguf_next_string(const char **at, size_t *length)
{
    const char *text = *at + 8;
    *length = (size_t)bits_at(*at, 8);
    *at = text + *length;
    return text;
}
