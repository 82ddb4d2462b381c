/* gguf_tensors.c: reads the list of tensors that follows a GGUF file's key-values (ggml/docs/gguf.md), and lays it over the data:
 *
 *     name (u64 length, bytes), u32 dimensions, u64 each: innermost first, u32 type, u64 offset
 *
 * Offsets count from the end of the list, rounded up to general.alignment, and are multiples of it. No byte of the data belongs to two
 * tensors; what lies between them is padding. */
#include "checkpoint/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/blocks.h"
#include "core/memory.h"
#include "core/text.h"

#define DOWNLOAD_AGAIN "the file is cut short or broken: download it again"
#define MAX_DIMS 4u                /* GGML_MAX_DIMS */
#define DEFAULT_ALIGNMENT 32       /* GGUF_DEFAULT_ALIGNMENT */
#define MAX_ALIGNMENT (1 << 20)    /* real files have 32 */
#define LEAST_BYTES 24u            /* of an entry: the length of a name, dimensions, type, offset */

/* Where the file being read stands. */
typedef struct list {
    core_gguf_cursor     at;
    const core_map      *map;
    const unsigned char *data; /* where offsets count from */
    uint64_t             data_size, alignment;
    uint32_t             file;
    ckpt_table          *table;
    size_t               first; /* of this file's tensors in the table */
} list;

/* ---- One entry */

/* Its place is looked at when all entries are read, as the data begins behind them. `what` names it in messages. */
static oclm_status read_shape(list *self, const char *what, ckpt_tensor *tensor)
{
    uint64_t    dims = 0;
    oclm_status status = core_gguf_read_bits(&self->at, 4, what, &dims);
    if (status == OCLM_OK && dims > MAX_DIMS)
        return core_fail(OCLM_ERR_FORMAT, "%s: %s has %" PRIu64 " dimensions, more than the %u that GGUF knows; " DOWNLOAD_AGAIN, self->at.origin,
                         what, dims, MAX_DIMS);
    tensor->dims = (uint32_t)dims;
    for (uint32_t i = tensor->dims; i > 0 && status == OCLM_OK; i--) {
        status = core_gguf_read_bits(&self->at, 8, what, &tensor->shape[i - 1]);
        if (status == OCLM_OK && tensor->shape[i - 1] == 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: %s has a dimension of 0, which no tensor of a model has; " DOWNLOAD_AGAIN, self->at.origin, what);
    }
    return status;
}

static oclm_status read_type(list *self, const char *what, const ckpt_block_type **type)
{
    uint64_t    id = 0;
    char        name[24];
    oclm_status status = core_gguf_read_bits(&self->at, 4, what, &id);
    *type = NULL;
    if (status == OCLM_OK && (*type = ckpt_block_type_of((uint32_t)id)) == NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: %s is of type %s, which oclm does not read; it reads " CKPT_BLOCK_TYPES_READ
                         ": take the model's file in one of these (such as Q4_K_M, Q8_0)", self->at.origin, what,
                         ckpt_block_type_name((uint32_t)id, name));
    return status;
}

/* product(shape), and the bytes of as many; false where either leaves its type. */
static bool count_bytes(const ckpt_block_type *type, ckpt_tensor *tensor)
{
    size_t elements = 1;
    for (uint32_t i = 0; i < tensor->dims; i++) {
        if (tensor->shape[i] > SIZE_MAX || !core_mul_size(elements, (size_t)tensor->shape[i], &elements))
            return false;
    }
    tensor->elements = elements;
    return core_mul_size(elements / type->elements, type->bytes, &tensor->bytes);
}

static oclm_status check_shape(const list *self, const char *what, const ckpt_block_type *type, ckpt_tensor *tensor)
{
    const uint64_t columns = tensor->dims > 0 ? tensor->shape[tensor->dims - 1] : 1;
    if (columns % type->elements != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %s has rows of %" PRIu64 " numbers, which blocks of %u (%s) do not divide; " DOWNLOAD_AGAIN,
                         self->at.origin, what, columns, type->elements, type->name);
    if (!count_bytes(type, tensor))
        return core_fail(OCLM_ERR_FORMAT, "%s: %s is larger than all memory; " DOWNLOAD_AGAIN, self->at.origin, what);
    return OCLM_OK;
}

static oclm_status set_quantized(const ckpt_block_type *type, ckpt_tensor *tensor)
{
    ckpt_quantized *const quantized = core_alloc(sizeof *quantized, "a quantised tensor");
    if (quantized == NULL)
        return OCLM_ERR_MEMORY;
    *quantized = (ckpt_quantized){ .storage = type->storage, .read = ckpt_blocks_read, .source = type, .bytes = tensor->bytes };
    tensor->quantized = quantized; /* from here the table owns it */
    return OCLM_OK;
}

/* The next entry as the table's next tensor; its offset is kept in `offset`. */
static oclm_status read_entry(list *self, uint64_t number, uint64_t *offset)
{
    const ckpt_block_type *type;
    ckpt_tensor           *tensor;
    const char            *name;
    size_t                 length;
    char                   what[128];
    oclm_status            status;
    snprintf(what, sizeof what, "the name of tensor %" PRIu64, number);
    if ((status = core_gguf_read_string(&self->at, what, &name, &length)) != OCLM_OK)
        return status;
    if (length == 0 || memchr(name, '\0', length) != NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: %s %s; " DOWNLOAD_AGAIN, self->at.origin, what, length == 0 ? "is empty" : "holds a NUL");
    if ((status = ckpt_table_add(self->table, self->at.origin, name, length, &tensor)) != OCLM_OK)
        return status;
    snprintf(what, sizeof what, "tensor \"%.*s\"", (int)core_utf8_cut(name, length, 96), name);
    if ((status = read_shape(self, what, tensor)) != OCLM_OK || (status = read_type(self, what, &type)) != OCLM_OK ||
        (status = core_gguf_read_bits(&self->at, 8, what, offset)) != OCLM_OK || (status = check_shape(self, what, type, tensor)) != OCLM_OK)
        return status;
    tensor->dtype = type->dtype;
    tensor->file = self->file;
    return type->unpack != NULL ? set_quantized(type, tensor) : OCLM_OK;
}

/* ---- The whole list */

static oclm_status read_alignment(list *self, const core_gguf *gguf)
{
    int64_t           alignment = DEFAULT_ALIGNMENT;
    const oclm_status status = core_gguf_get_int(gguf, "general.alignment", &alignment);
    if (status == OCLM_OK && (alignment < 1 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"general.alignment\" is %" PRId64 "; it must be a power of two, at most %d; " DOWNLOAD_AGAIN,
                         self->at.origin, alignment, MAX_ALIGNMENT);
    self->alignment = (uint64_t)alignment;
    return status;
}

/* Finds the data behind the list, and each tensor in it. */
static oclm_status place_tensors(list *self, const uint64_t *offsets)
{
    const uint64_t end = (uint64_t)(self->at.p - self->at.begin), begin = (end + self->alignment - 1) / self->alignment * self->alignment;
    const bool     has_data = begin <= self->map->size;
    self->data = self->map->data + (has_data ? begin : self->map->size);
    self->data_size = has_data ? self->map->size - begin : 0;
    for (size_t i = self->first; i < self->table->count; i++) {
        ckpt_tensor *const tensor = &self->table->tensors[i];
        const uint64_t     offset = offsets[i - self->first];
        if (offset % self->alignment != 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" begins at byte %" PRIu64 " of the data, which is no multiple of the file's alignment of %"
                             PRIu64 "; " DOWNLOAD_AGAIN, self->at.origin, tensor->name, offset, self->alignment);
        if (offset > self->data_size || tensor->bytes > self->data_size - offset)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" begins at byte %" PRIu64 " of the data and has %zu, but the file has only %" PRIu64
                             " bytes of data; " DOWNLOAD_AGAIN, self->at.origin, tensor->name, offset, tensor->bytes, self->data_size);
        tensor->data = self->data + offset;
    }
    return OCLM_OK;
}

static oclm_status check_overlap(const list *self)
{
    ckpt_table_sort_by_place(self->table, self->first);
    for (size_t i = self->first + 1; i < self->table->count; i++) {
        const ckpt_tensor *const tensors = self->table->tensors;
        const uint64_t begin = (uint64_t)((const unsigned char *)tensors[i].data - self->data);
        const uint64_t end = (uint64_t)((const unsigned char *)tensors[i - 1].data - self->data) + tensors[i - 1].bytes;
        if (begin < end)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensors \"%s\" and \"%s\" overlap: one ends at byte %" PRIu64 " of the data, the other begins at %"
                             PRIu64 "; " DOWNLOAD_AGAIN, self->at.origin, tensors[i - 1].name, tensors[i].name, end, begin);
    }
    return OCLM_OK;
}

/* ---- Numbers of layers among the key-values */

/* A tensor of one number for each layer, "xielu.beta.3", of each list of such numbers: what other files hold as tensors. */
static oclm_status add_numbers(list *self, const core_gguf *gguf)
{
    static const char *const keys[] = { "xielu.alpha_p", "xielu.alpha_n", "xielu.beta", "xielu.eps" };
    oclm_status status = OCLM_OK;
    for (size_t k = 0; k < COUNT(keys) && status == OCLM_OK; k++) {
        const core_gguf_value *values = NULL;
        status = core_gguf_get_array(gguf, keys[k], CORE_GGUF_F32, &values);
        for (uint64_t i = 0; values != NULL && i < values->count && status == OCLM_OK; i++) {
            char         name[64];
            ckpt_tensor *tensor;
            const int    length = snprintf(name, sizeof name, "%s.%" PRIu64, keys[k], i);
            if ((status = ckpt_table_add(self->table, self->at.origin, name, (size_t)length, &tensor)) != OCLM_OK)
                break;
            tensor->dtype = CORE_F32;
            tensor->dims = 1;
            tensor->shape[0] = tensor->elements = 1;
            tensor->bytes = sizeof(float);
            tensor->data = values->data + i * sizeof(float);
            tensor->file = self->file;
        }
    }
    return status;
}

oclm_status ckpt_gguf_read(const core_gguf *gguf, const core_map *map, uint32_t file, ckpt_table *table)
{
    const char *const begin = (const char *)map->data;
    list        self = { .at = { begin, begin + gguf->tensors, begin + map->size, gguf->origin }, .map = map, .file = file, .table = table,
                         .first = table->count };
    uint64_t   *offsets = NULL;
    oclm_status status;
    if (gguf->tensor_count > (map->size - gguf->tensors) / LEAST_BYTES)
        return core_fail(OCLM_ERR_FORMAT, "%s: a list of %" PRIu64 " tensors does not fit into the file's %zu bytes; " DOWNLOAD_AGAIN, gguf->origin,
                         gguf->tensor_count, map->size);
    if ((status = read_alignment(&self, gguf)) != OCLM_OK)
        return status;
    if ((offsets = core_alloc_array((size_t)gguf->tensor_count, sizeof *offsets, "the places of tensors")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint64_t i = 0; i < gguf->tensor_count && status == OCLM_OK; i++)
        status = read_entry(&self, i, &offsets[i]);
    if (status == OCLM_OK && (status = place_tensors(&self, offsets)) == OCLM_OK && (status = check_overlap(&self)) == OCLM_OK)
        status = add_numbers(&self, gguf);
    core_free(offsets);
    return status;
}
