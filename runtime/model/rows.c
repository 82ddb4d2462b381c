/* rows.c: rows of a tensor to a matrix on the device. Plain numbers go as they lie in the file. What is quantised is read in slabs of a few
 * MiB, as codes where the matrix holds codes and as values where it holds floats: there is never a float copy of a model. */
#include <string.h>

#include "checkpoint/rows.h"
#include "core/memory.h"
#include "model/loader.h"

#define SLAB_ELEMENTS (1u << 20)
#define MAPPED_BYTES  ((uint64_t)32 << 20) /* of a file that stay resident at most: then pages that were read are given back */

/* Rows that lie together in a file, of which `bytes` more were read since pages were given back last. A tensor is as large as it likes. */
static void give_back(const model_loader *l, const ckpt_tensor *tensor, uint64_t bytes, uint64_t *resident)
{
    if ((*resident += bytes) < MAPPED_BYTES / 2) /* the next piece has room */
        return;
    ckpt_release(l->binding->checkpoint, tensor);
    *resident = 0;
}

/* Every step-th column of a matrix [columns][all_rows], side by side: the device packs neighbours only. */
static oclm_status gather(const model_rows *r, const char *data, void **gathered)
{
    const size_t size = core_dtype_size(r->tensor->dtype), lines = r->columns;
    *gathered = core_alloc_array(lines * r->count, size, "gates and ups that alternate in the checkpoint");
    if (*gathered == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t line = 0; line < lines; line++)
        for (size_t i = 0; i < r->count; i++)
            memcpy((char *)*gathered + (line * r->count + i) * size, data + (line * r->all_rows + i * r->step) * size, size);
    return OCLM_OK;
}

static oclm_status fill_plain_piece(model_loader *l, const model_rows *r, dev_matrix *matrix)
{
    const uint32_t    own = r->transposed ? r->from % r->all_rows : 0; /* elements before it in its matrix; what lies before that are rows */
    const size_t      before = (size_t)(r->transposed ? r->from - own : r->from) * r->columns + own;
    const char       *data = (const char *)r->tensor->data + before * core_dtype_size(r->tensor->dtype);
    void             *gathered = NULL;
    oclm_status       status = OCLM_OK;
    dev_matrix_source source = {
        .data = data, .dtype = r->tensor->dtype, .rows = r->count, .columns = r->columns,
        .row_stride = r->transposed ? r->all_rows : (uint64_t)r->step * r->columns, .transposed = r->transposed,
        .first_row = r->first_row, .panel_step = r->panel_step,
    };
    if (r->transposed && r->step > 1) {
        status = gather(r, data, &gathered);
        source.data = gathered;
        source.row_stride = r->count;
    }
    if (status == OCLM_OK)
        status = dev_matrix_fill(l->device, dev_queue(l->device), matrix, &source);
    core_free(gathered);
    return status;
}

/* In pieces, whose pages leave memory before the next one's come. Transposed, each row's elements lie in all pages: all at once. */
static oclm_status fill_plain(model_loader *l, const model_rows *r, dev_matrix *matrix)
{
    const uint64_t line = (uint64_t)r->step * r->columns * core_dtype_size(r->tensor->dtype), fitting = MAPPED_BYTES / 2 / line / DEV_PANEL * DEV_PANEL;
    const uint32_t most = fitting >= r->count || r->transposed ? r->count : fitting > DEV_PANEL ? (uint32_t)fitting : DEV_PANEL;
    uint64_t       resident = 0;
    oclm_status    status = OCLM_OK;
    for (uint32_t done = 0, count; done < r->count && status == OCLM_OK; done += count) {
        const uint32_t room = done == 0 && most < r->count ? most - r->first_row % DEV_PANEL : most; /* all but the last end with a panel */
        model_rows     piece = *r;
        piece.count = count = r->count - done < room ? r->count - done : room;
        piece.from += done * r->step;
        piece.first_row += done * r->panel_step;
        if ((status = fill_plain_piece(l, &piece, matrix)) == OCLM_OK && piece.count < r->count)
            give_back(l, r->tensor, piece.count * line, &resident);
    }
    return status;
}

/* ---- Quantised ones */

/* Memory for a slab: `rows` of the tensor, every step-th of which counts. */
typedef struct slab {
    const ckpt_quantized *quantized;
    uint32_t              rows, columns, step;
    core_codes            codes;
    float                *values; /* where the matrix holds floats: instead */
} slab;

static void keep_each(void *all, size_t row_bytes, size_t count, size_t step)
{
    for (size_t i = 1; i < count && all != NULL && step > 1; i++)
        memmove((char *)all + i * row_bytes, (char *)all + i * step * row_bytes, row_bytes);
}

static void keep_codes(const slab *s, size_t count)
{
    const core_storage *storage = &s->quantized->storage;
    const size_t        groups = (size_t)core_storage_groups(storage, s->columns), super = (size_t)core_storage_super_groups(s->columns);
    keep_each(s->codes.codes, s->columns, count, s->step);
    keep_each(s->codes.scales, groups * core_scale_size((core_scale)storage->scale), count, s->step);
    keep_each(s->codes.minima, groups * core_scale_size((core_scale)storage->minimum), count, s->step);
    keep_each(s->codes.super_scales, super * sizeof(uint16_t), count, s->step);
    keep_each(s->codes.super_minima, super * sizeof(uint16_t), count, s->step);
}

/* `count` rows that count, from the tensor's row `first` on; the last one's neighbours need not be there. */
static oclm_status read_slab(const slab *s, const ckpt_tensor *tensor, uint64_t first, uint32_t count)
{
    const uint64_t rows = (uint64_t)(count - 1) * s->step + 1;
    oclm_status    status;
    if (s->values != NULL) {
        if ((status = ckpt_read_values(tensor, first, rows, s->values)) == OCLM_OK)
            keep_each(s->values, s->columns * sizeof(float), count, s->step);
    } else if ((status = s->quantized->read(tensor, first, rows, &s->codes)) == OCLM_OK) {
        keep_codes(s, count);
    }
    return status;
}

static oclm_status send_slab(model_loader *l, const slab *s, uint32_t count, uint32_t first_row, uint32_t panel_step, dev_matrix *matrix)
{
    const dev_matrix_source floats = { .data = s->values, .dtype = CORE_F32, .rows = count, .columns = s->columns, .first_row = first_row,
                                       .panel_step = panel_step };
    const dev_codes_source  codes = { .codes = &s->codes, .rows = count, .columns = s->columns, .first_row = first_row,
                                      .panel_step = panel_step };
    return s->values != NULL ? dev_matrix_fill(l->device, dev_queue(l->device), matrix, &floats)
                             : dev_matrix_fill_codes(l->device, dev_queue(l->device), matrix, &codes);
}

static bool holds_floats(const dev_matrix *matrix, uint32_t row)
{
    for (uint32_t i = 1; i < matrix->part_count; i++) {
        if (row / DEV_PANEL < matrix->parts[i].first_panel)
            return core_storage_is_float(&matrix->parts[i - 1].storage);
    }
    return core_storage_is_float(&matrix->parts[matrix->part_count - 1].storage);
}

static oclm_status fill_quantized(model_loader *l, const model_rows *r, dev_matrix *matrix)
{
    const uint32_t fitting = SLAB_ELEMENTS / r->columns / r->step / DEV_PANEL * DEV_PANEL, most = fitting > DEV_PANEL ? fitting : DEV_PANEL;
    slab           s = { .quantized = r->tensor->quantized, .columns = r->columns, .step = r->step };
    const uint64_t row_bytes = r->tensor->bytes / (r->tensor->elements / r->columns); /* of all outer dimensions */
    uint64_t       resident = 0;
    oclm_status    status = OCLM_OK;
    s.rows = (most < r->count ? most : r->count) * r->step;
    if (holds_floats(matrix, r->first_row) &&
        (s.values = core_alloc_array((size_t)s.rows * s.columns, sizeof *s.values, r->tensor->name)) == NULL)
        return OCLM_ERR_MEMORY;
    if (s.values == NULL)
        status = core_codes_new(&s.quantized->storage, s.rows, s.columns, &s.codes);
    for (uint32_t done = 0, count; done < r->count && status == OCLM_OK; done += count) {
        /* The first slab ends with a panel, and so do all that follow. */
        const uint32_t room = done == 0 ? most - r->first_row % DEV_PANEL : most;
        count = r->count - done < room ? r->count - done : room;
        status = read_slab(&s, r->tensor, r->from + (uint64_t)done * r->step, count);
        if (status == OCLM_OK)
            status = send_slab(l, &s, count, r->first_row + done * r->panel_step, r->panel_step, matrix);
        give_back(l, r->tensor, count * r->step * row_bytes, &resident);
    }
    core_codes_free(&s.codes);
    core_free(s.values);
    return status;
}

oclm_status model_fill_rows(model_loader *l, const model_rows *rows, dev_matrix *matrix)
{
    return rows->tensor->quantized != NULL ? fill_quantized(l, rows, matrix) : fill_plain(l, rows, matrix);
}

/* ---- To the host */

/* Whole rows around the elements are read, and those asked for kept. */
static oclm_status read_quantized(const ckpt_tensor *tensor, size_t from, size_t count, float *into)
{
    const size_t columns = tensor->dims > 0 ? (size_t)tensor->shape[tensor->dims - 1] : 1;
    const size_t first = from / columns, rows = (from + count + columns - 1) / columns - first;
    float       *values = core_alloc_array(rows * columns, sizeof *values, tensor->name);
    const oclm_status status = values != NULL ? ckpt_read_values(tensor, first, rows, values) : OCLM_ERR_MEMORY;
    if (status == OCLM_OK)
        memcpy(into, values + (from - first * columns), count * sizeof *into);
    core_free(values);
    return status;
}

oclm_status model_read_floats(const ckpt_tensor *tensor, size_t from, size_t count, float *into)
{
    if (tensor->quantized != NULL)
        return count > 0 ? read_quantized(tensor, from, count, into) : OCLM_OK;
    core_dtype_to_f32(tensor->dtype, (const char *)tensor->data + from * core_dtype_size(tensor->dtype), into, count);
    return OCLM_OK;
}
