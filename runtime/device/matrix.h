/* matrix.h: a weight on the device: `rows` outputs by `columns` inputs, y = x * W^T.
 *
 * One layout for every kernel, device and storage type: panels of 32 rows, column by column: element (r, k) is number
 * k * 32 + r % 32 of panel r / 32. A work-item that takes a panel broadcasts x[k] and needs no horizontal sum; 32 work-items
 * that take a panel together read neighbouring bytes. Rows are padded with zeros to a multiple of 32. A matrix larger than
 * the device's largest buffer is cut between panels into parts, and so is one whose rows are not all stored alike. (Measured:
 * kernels.md's table, tests/bench.)
 *
 * A panel of codes (core/storage.h) is bytes, in regions that each begin at a multiple of 16, the whole rounded up to a multiple of 64:
 *   planes of bits, column by column: 8 bits: [columns][32] bytes; 4 bits: [columns][16], byte j row j in its low half, row j + 16 in its
 *     high one; 2 bits: [columns][8], byte j row j + 8 q in its bits 2 q; 1 bit: [columns][4], 32 bits little-endian, bit r row r. 5 bits
 *     are a plane of the 4 low ones, then one of the high bit; 6: of 4, then of 2; 3: of 2, then of 1
 *   scales [groups][32], minima [groups][32], then their float16s of two levels, [super groups][32] of scales, of minima */
#ifndef OCLM_DEVICE_MATRIX_H
#define OCLM_DEVICE_MATRIX_H

#include "core/storage.h"
#include "device/memory.h"

#define DEV_PANEL 32u
/* Rounded up to whole panels. */
static inline uint64_t dev_padded(uint64_t count) { return (count + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL; }

typedef struct dev_matrix_part {
    dev_buffer   buffer;
    core_storage storage;
    uint32_t     first_panel, panels;
} dev_matrix_part;

typedef struct dev_matrix {
    uint32_t         rows, columns;
    uint32_t         panels; /* rows / 32, rounded up */
    dev_matrix_part *parts;
    uint32_t         part_count;
    bool             ordered; /* column k is not input k, but input order[k]: for dev_matmul_add() alone */
    dev_buffer       order;   /* uint32 [columns], of an ordered one that has memory */
} dev_matrix; /* empty: all zero */

/* How its first part is stored, and whether all are stored like that. Of a matrix that is not empty. */
const core_storage *dev_matrix_storage(const dev_matrix *matrix);
bool                dev_matrix_is_uniform(const dev_matrix *matrix);
/* Are two stored alike, part by part? */
bool                dev_matrix_is_like(const dev_matrix *a, const dev_matrix *b);

/* Where the regions of a panel begin, in bytes. What a storage has no use for begins where the next does. Floats: `low` and `bytes` only. */
typedef struct dev_panel {
    uint64_t low, high;                   /* planes of bits */
    uint64_t scales, minima, super_scales, super_minima;
    uint64_t bytes;                       /* from one panel to the next */
} dev_panel;

/* Bits of a code that are in the first of its planes; what is left is in the second. */
uint32_t    dev_low_bits(const core_storage *storage);
/* Of codes: inputs whose products are summed before the scale comes in. */
uint32_t    dev_code_span(const core_storage *storage);
dev_panel   dev_panel_of(const core_storage *storage, uint64_t columns);
/* Bytes that rows take on a device. */
uint64_t    dev_storage_bytes(const core_storage *storage, uint64_t rows, uint64_t columns);
uint64_t    dev_matrix_bytes(core_dtype dtype, uint64_t rows, uint64_t columns);

/* What kernels that read weights are built with, for cl/storage.h: STORAGE, and for codes what they are. */
#define DEV_STORAGE_OPTIONS 160u
void        dev_storage_options(const core_storage *storage, char options[DEV_STORAGE_OPTIONS]);

/* Makes the memory, zeroed. `what` names it in messages. */
oclm_status dev_matrix_new(dev_device *device, core_dtype dtype, uint32_t rows, uint32_t columns, const char *what, dev_matrix *matrix);
void        dev_matrix_free(dev_device *device, dev_matrix *matrix);

/* Rows that follow one another and are stored alike. */
typedef struct dev_matrix_run {
    core_storage storage;
    uint32_t     rows; /* a multiple of 32 but for the last */
} dev_matrix_run;

/* The same of rows that need not all be stored alike. Neighbouring runs of one storage become one. */
oclm_status dev_matrix_new_stored(dev_device *device, const dev_matrix_run *runs, size_t run_count, uint32_t columns, const char *what,
                                  dev_matrix *matrix);

/* The same without memory: its parts have shapes and no buffers. For those who plan. */
oclm_status dev_matrix_outline(dev_device *device, const dev_matrix_run *runs, size_t run_count, uint32_t columns, const char *what,
                               dev_matrix *matrix);

/* Where a tensor of a checkpoint goes into a matrix. */
typedef struct dev_matrix_source {
    const void *data;         /* host memory, any alignment */
    core_dtype  dtype;        /* CORE_F32, CORE_F16 or CORE_BF16; converted, rounding to nearest even */
    uint32_t    rows, columns;/* as a matrix of outputs by inputs */
    uint64_t    row_stride;   /* elements from one row to the next; 0: columns (or, transposed, rows) */
    bool        transposed;   /* stored [columns][rows], as GPT-2's Conv1D */
    uint32_t    first_row;    /* its row 0 becomes this row of the matrix */
    uint32_t    panel_step;   /* 1; 2: its panels become every second panel (gate and up side by side); then
                                 first_row is a multiple of 32 and says where the first panel goes */
} dev_matrix_source;

/* Streams a source through the device's staging buffer, converting and packing on the device. Blocking; `queue` is the
 * device's own. Peak host memory: two staging buffers (4 MiB each). OCLM_ERR_INTERNAL where a part that it touches holds codes. */
oclm_status dev_matrix_fill(dev_device *device, cl_command_queue queue, dev_matrix *matrix, const dev_matrix_source *source);

/* Rows of codes, of the storage of the parts they fall into; the rest as of a dev_matrix_source. */
typedef struct dev_codes_source {
    const core_codes *codes;
    uint32_t          rows, columns, first_row, panel_step;
} dev_codes_source;

/* Streams them likewise, packing on the device. */
oclm_status dev_matrix_fill_codes(dev_device *device, cl_command_queue queue, dev_matrix *matrix, const dev_codes_source *source);
/* Device memory of one staging buffer, which the device keeps from the first fill on. */
size_t      dev_matrix_staging_bytes(const dev_device *device);

#endif
