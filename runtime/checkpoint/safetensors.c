/* safetensors.c: reads a .safetensors file's header: u64 length (little endian), JSON of that length, data to the end.
 *
 *     {"__metadata__": {"format": "pt"}, "wte.weight": {"dtype": "F16", "shape": [4096, 256], "data_offsets": [0, 2097152]}, ...}
 *
 * Offsets count from the end of the JSON. As the reference library demands (github.com/huggingface/safetensors), the
 * tensors cover the data exactly: no byte belongs to two of them, or to none. */
#include "checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

#define DOWNLOAD_AGAIN "the file is cut short or broken: download it again"

/* Where the file being read stands. */
typedef struct header {
    core_json_reader     json;
    const unsigned char *data; /* behind the JSON */
    uint64_t             data_size;
    const char          *path;
    uint32_t             file;
    ckpt_table          *table;
    size_t               first; /* of this file's tensors in the table */
} header;

/* ---- One entry */

/* What an entry says, before it is believed. */
typedef struct declared {
    core_dtype dtype;
    uint32_t   dims;
    uint64_t   shape[CKPT_MAX_DIMS];
    uint64_t   begin, end;
    bool       has_dtype, has_shape, has_offsets;
} declared;

static oclm_status read_dtype(header *at, const char *name, declared *entry)
{
    const char *text;
    size_t      length;
    char        dtype[32];
    oclm_status status = core_json_string(&at->json, &text, &length);
    if (status != OCLM_OK)
        return status;
    if (length < sizeof dtype) {
        memcpy(dtype, text, length);
        dtype[length] = '\0';
        if (strlen(dtype) == length && core_dtype_from_name(dtype, &entry->dtype))
            return OCLM_OK;
    }
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: tensor \"%s\" is of dtype \"%.*s\", which oclm does not know; it reads F32, F16 and "
                     "BF16: convert the checkpoint to one of them", at->path, name, (int)core_utf8_cut(text, length, 64), text);
}

static oclm_status read_shape(header *at, const char *name, declared *entry)
{
    bool        first = true, more;
    oclm_status status = core_json_enter(&at->json, CORE_JSON_ARRAY);
    while (status == OCLM_OK && (status = core_json_next(&at->json, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        int64_t size;
        if (entry->dims == CKPT_MAX_DIMS)
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s: tensor \"%s\" has more than %d dimensions; no model oclm runs has such a one",
                             at->path, name, CKPT_MAX_DIMS);
        if ((status = core_json_int(&at->json, 0, INT64_MAX, &size)) == OCLM_OK)
            entry->shape[entry->dims++] = (uint64_t)size;
    }
    return status;
}

static oclm_status read_offsets(header *at, declared *entry)
{
    int64_t     offsets[2] = { 0, 0 };
    size_t      count = 0;
    bool        first = true, more;
    oclm_status status = core_json_enter(&at->json, CORE_JSON_ARRAY);
    while (status == OCLM_OK && (status = core_json_next(&at->json, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        if (count == 2)
            return core_json_error(&at->json, "\"data_offsets\" holds more than two numbers");
        status = core_json_int(&at->json, 0, INT64_MAX, &offsets[count++]);
    }
    if (status == OCLM_OK && count != 2)
        return core_json_error(&at->json, "\"data_offsets\" must hold two numbers, it holds %zu", count);
    entry->begin = (uint64_t)offsets[0];
    entry->end = (uint64_t)offsets[1];
    return status;
}

static bool key_is(const char *key, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(key, name, length) == 0;
}

/* Reads one entry's object. Keys that are not ours are skipped, as the reference does. */
static oclm_status read_entry(header *at, const char *name, declared *entry)
{
    bool        first = true, more;
    oclm_status status = core_json_enter(&at->json, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(&at->json, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        const char *key;
        size_t      length;
        if ((status = core_json_key(&at->json, &key, &length)) != OCLM_OK)
            break;
        const bool dtype = key_is(key, length, "dtype"), shape = key_is(key, length, "shape");
        const bool offsets = key_is(key, length, "data_offsets");
        if ((dtype && entry->has_dtype) || (shape && entry->has_shape) || (offsets && entry->has_offsets))
            return core_json_error(&at->json, "tensor \"%s\" has two \"%.*s\"", name, (int)length, key);
        entry->has_dtype |= dtype;
        entry->has_shape |= shape;
        entry->has_offsets |= offsets;
        status = dtype     ? read_dtype(at, name, entry)
                 : shape   ? read_shape(at, name, entry)
                 : offsets ? read_offsets(at, entry)
                           : core_json_skip(&at->json);
    }
    if (status == OCLM_OK && !(entry->has_dtype && entry->has_shape && entry->has_offsets))
        return core_json_error(&at->json, "tensor \"%s\" has no \"%s\"", name,
                               !entry->has_dtype ? "dtype" : !entry->has_shape ? "shape" : "data_offsets");
    return status;
}

/* product(shape), and that times the dtype's size; false where either leaves its type. One dimension of 0 makes all 0. */
static bool count_bytes(const declared *entry, uint64_t *elements, size_t *bytes)
{
    size_t product = 1;
    for (uint32_t i = 0; i < entry->dims; i++) {
        if (entry->shape[i] == 0) {
            *elements = *bytes = 0;
            return true;
        }
    }
    for (uint32_t i = 0; i < entry->dims; i++) {
        if (entry->shape[i] > SIZE_MAX || !core_mul_size(product, (size_t)entry->shape[i], &product))
            return false;
    }
    *elements = product;
    return core_mul_size(product, core_dtype_size(entry->dtype), bytes);
}

const char *ckpt_shape_text(const uint64_t *shape, uint32_t dims, char buffer[CKPT_SHAPE_TEXT])
{
    char *p = buffer;
    *p++ = '[';
    for (uint32_t i = 0; i < dims; i++)
        p += snprintf(p, 23, "%s%" PRIu64, i > 0 ? ", " : "", shape[i]);
    memcpy(p, "]", 2);
    return buffer;
}

/* Compares an entry with the file and with itself, and only then fills the tensor. */
static oclm_status check_entry(const header *at, const char *name, const declared *entry, ckpt_tensor *tensor)
{
    char     shape[CKPT_SHAPE_TEXT];
    uint64_t elements;
    size_t   bytes;
    if (entry->begin > entry->end)
        return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" begins at byte %" PRIu64 " of the data and ends before it, at %" PRIu64
                         "; " DOWNLOAD_AGAIN, at->path, name, entry->begin, entry->end);
    if (entry->end > at->data_size)
        return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" ends at byte %" PRIu64 " of the data, the file at %" PRIu64
                         "; " DOWNLOAD_AGAIN, at->path, name, entry->end, at->data_size);
    if (!count_bytes(entry, &elements, &bytes))
        return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\": %s of %s is beyond all memory; " DOWNLOAD_AGAIN, at->path, name,
                         ckpt_shape_text(entry->shape, entry->dims, shape), core_dtype_name(entry->dtype));
    if (bytes != entry->end - entry->begin)
        return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\", %s of %s, needs %zu bytes, but its offsets span %" PRIu64 "; " DOWNLOAD_AGAIN,
                         at->path, name, ckpt_shape_text(entry->shape, entry->dims, shape), core_dtype_name(entry->dtype), bytes, entry->end - entry->begin);
    tensor->dtype = entry->dtype;
    tensor->dims = entry->dims;
    memcpy(tensor->shape, entry->shape, sizeof tensor->shape);
    tensor->elements = elements;
    tensor->data = at->data + entry->begin;
    tensor->bytes = bytes;
    tensor->file = at->file;
    return OCLM_OK;
}

/* ---- The whole header */

/* The tensor `key`, whose object follows. */
static oclm_status read_tensor(header *at, const char *key, size_t length)
{
    declared     entry = { 0 };
    ckpt_tensor *tensor;
    oclm_status  status;
    if (memchr(key, '\0', length) != NULL)
        return core_json_error(&at->json, "a tensor's name holds a NUL");
    if ((status = ckpt_table_add(at->table, at->path, key, length, &tensor)) != OCLM_OK ||
        (status = read_entry(at, tensor->name, &entry)) != OCLM_OK)
        return status;
    return check_entry(at, tensor->name, &entry, tensor);
}

static oclm_status read_header(header *at)
{
    bool           first = true, more, seen_metadata = false;
    core_json_kind kind;
    oclm_status    status = core_json_enter(&at->json, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(&at->json, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        const char *key;
        size_t      length;
        if ((status = core_json_key(&at->json, &key, &length)) != OCLM_OK)
            break;
        if (key_is(key, length, "__metadata__")) {
            if (seen_metadata)
                return core_json_error(&at->json, "\"__metadata__\" is there twice");
            seen_metadata = true;
            status = core_json_skip(&at->json); /* free text about the file */
        } else {
            status = read_tensor(at, key, length);
        }
    }
    if (status == OCLM_OK && (status = core_json_peek(&at->json, &kind)) == OCLM_OK && kind != CORE_JSON_END)
        status = core_json_error(&at->json, "more text follows after the end of the header's JSON");
    return status;
}

/* The tensors must cover the data, each byte once. */
static oclm_status check_cover(const header *at)
{
    const char *before = NULL; /* the tensor that ends at `covered` */
    uint64_t    covered = 0;
    ckpt_table_sort_by_place(at->table, at->first);
    for (size_t i = at->first; i < at->table->count; i++) {
        const ckpt_tensor *const tensor = &at->table->tensors[i];
        const uint64_t           begin = (uint64_t)((const unsigned char *)tensor->data - at->data);
        if (begin < covered)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensors \"%s\" and \"%s\" overlap: one ends at byte %" PRIu64
                             " of the data, the other begins at %" PRIu64 "; " DOWNLOAD_AGAIN, at->path, before, tensor->name, covered,
                             begin);
        if (begin > covered)
            return core_fail(OCLM_ERR_FORMAT, "%s: bytes %" PRIu64 " to %" PRIu64 " of the data, before tensor \"%s\", belong to no "
                             "tensor; " DOWNLOAD_AGAIN, at->path, covered, begin, tensor->name);
        covered = begin + tensor->bytes;
        before = tensor->name;
    }
    if (covered != at->data_size)
        return core_fail(OCLM_ERR_FORMAT, "%s: the tensors end at byte %" PRIu64 " of the data, the file at %" PRIu64
                         ": the rest belongs to no tensor; " DOWNLOAD_AGAIN, at->path, covered, at->data_size);
    return OCLM_OK;
}

oclm_status ckpt_safetensors_read(const core_map *map, const char *path, uint32_t file, ckpt_table *table)
{
    uint64_t    length = 0;
    oclm_status status = ckpt_refuse_pointer(map, path);
    if (status != OCLM_OK)
        return status;
    if (map->size < 8)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu bytes are no safetensors file, which starts with 8 bytes of length; " DOWNLOAD_AGAIN,
                         path, map->size);
    for (size_t i = 0; i < 8; i++)
        length |= (uint64_t)map->data[i] << (8 * i);
    if (length > CKPT_MAX_HEADER)
        return core_fail(OCLM_ERR_FORMAT, "%s: is no safetensors file: its header would be %" PRIu64 " bytes long, more than the %u "
                         "allowed; " DOWNLOAD_AGAIN, path, length, CKPT_MAX_HEADER);
    if (length > map->size - 8)
        return core_fail(OCLM_ERR_FORMAT, "%s: the header is %" PRIu64 " bytes long, the file has only %zu after its length; " DOWNLOAD_AGAIN,
                         path, length, map->size - 8);
    header at = { .data = map->data + 8 + length, .data_size = map->size - 8 - length, .path = path, .file = file,
                  .table = table, .first = table->count };
    core_json_reader_init(&at.json, (const char *)map->data + 8, (size_t)length, path);
    at.json.begin = (const char *)map->data; /* messages count from the beginning of the file */
    at.json.way_out = DOWNLOAD_AGAIN;
    if ((status = read_header(&at)) == OCLM_OK)
        status = check_cover(&at);
    core_json_reader_deinit(&at.json);
    return status;
}
