/* filling.h: what the ways to fill a matrix share: the staging buffer, and which rows go to which part. Inside the device room. */
#ifndef OCLM_DEVICE_FILLING_H
#define OCLM_DEVICE_FILLING_H

#include "device/matrix.h"

/* The device's, made when first asked for. Whoever uses it holds the lock of DEV_SLOT_STAGING until what it enqueued is finished. */
oclm_status dev_staging_get(dev_device *device, const dev_buffer **staging);

/* Does a source of so many rows fit into the matrix there? OCLM_ERR_INTERNAL. */
oclm_status dev_check_rows(const dev_matrix *matrix, uint32_t rows, uint32_t columns, uint32_t first_row, uint32_t panel_step);

/* Rows of a slab, as they would be numbered if the panels were neighbours: row 0 of the source is its first_row. */
typedef struct dev_rows {
    uint32_t first, count;
} dev_rows;

/* Those that fall into one part. */
typedef struct dev_matrix_piece {
    uint32_t begin, end; /* of the slab */
    uint32_t first_row;  /* of row `begin`, numbered as above */
    int32_t  shift;      /* panel p goes to panel p * panel_step + shift of the part */
} dev_matrix_piece;

/* False where none do. `origin_row` and `step`: the source's first_row and panel_step. */
bool dev_matrix_piece_of(const dev_matrix_part *part, uint32_t origin_row, uint32_t step, const dev_rows *rows, dev_matrix_piece *piece);

#endif
