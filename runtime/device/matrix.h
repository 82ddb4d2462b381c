/* matrix.h: a weight on the device: `rows` outputs by `columns` inputs, y = x * W^T.
 *
 * One layout for every kernel, device and storage type: panels of 32 rows, column by column: element (r, k) is number
 * k * 32 + r % 32 of panel r / 32. A work-item that takes a panel broadcasts x[k] and needs no horizontal sum; 32 work-items
 * that take a panel together read neighbouring bytes. Rows are padded with zeros to a multiple of 32. A matrix larger than
 * the device's largest buffer is cut between panels into parts. (Measured: kernels.md's table, tests/bench.) */
#ifndef OCLM_DEVICE_MATRIX_H
#define OCLM_DEVICE_MATRIX_H

#include "core/dtype.h"
#include "device/memory.h"

#define DEV_PANEL 32u
/* Rounded up to whole panels. */
static inline uint64_t dev_padded(uint64_t count) { return (count + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL; }

typedef struct dev_matrix_part {
    dev_buffer buffer;
    uint32_t   first_panel, panels;
} dev_matrix_part;

typedef struct dev_matrix {
    core_dtype       dtype; /* CORE_F32, CORE_F16 or CORE_BF16 */
    uint32_t         rows, columns;
    uint32_t         panels; /* rows / 32, rounded up */
    dev_matrix_part *parts;
    uint32_t         part_count;
} dev_matrix; /* empty: all zero */

/* Bytes it takes on a device. */
uint64_t    dev_matrix_bytes(core_dtype dtype, uint64_t rows, uint64_t columns);
/* Makes the memory, zeroed. `what` names it in messages. */
oclm_status dev_matrix_new(dev_device *device, core_dtype dtype, uint32_t rows, uint32_t columns, const char *what, dev_matrix *matrix);
void        dev_matrix_free(dev_device *device, dev_matrix *matrix);

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
 * device's own. Peak host memory: two staging buffers (16 MiB each). */
oclm_status dev_matrix_fill(dev_device *device, cl_command_queue queue, dev_matrix *matrix, const dev_matrix_source *source);
/* Device memory of one staging buffer, which the device keeps from the first fill on. */
size_t      dev_matrix_staging_bytes(const dev_device *device);

#endif
