/* gather.c: records a gather of a matrix's rows: the embedding (embed.cl). */
#include <stdio.h>

#include "device/matmul.h"

#define GATHER_BLOCK 64 /* columns of a work-item */

oclm_status dev_rows_add(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, uint32_t ids_offset, uint32_t count,
                         float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    oclm_status status = OCLM_OK;
    const bool  lanes = dev_get_traits(dev_work_device(work))->lanes_in_items;
    const int   block = lanes ? 1 : GATHER_BLOCK;
    char        options[96];
    snprintf(options, sizeof options, "-DSTORAGE=%d -DADD=%d -DBLOCK=%d%s", (int)matrix->dtype, (int)add, block,
             lanes ? " -DHAS_VLOAD_HALF" : "");
    for (uint32_t p = 0; p < matrix->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &matrix->parts[p];
        const dev_arg args[] = {
            dev_arg_buffer(y), dev_arg_u32(y_stride), dev_arg_buffer(ids), dev_arg_u32(ids_offset), dev_arg_buffer(&part->buffer),
            dev_arg_u32(matrix->columns), dev_arg_u32(matrix->rows), dev_arg_u32(part->first_panel * DEV_PANEL),
            dev_arg_u32(part->panels * DEV_PANEL), dev_arg_f32(scale),
        };
        dev_launch launch = { .source = "embed", .kernel = "rows_gather", .options = options, .dims = 2,
                              .global = { (matrix->columns + (uint32_t)block - 1) / (uint32_t)block, count },
                              .args = args, .arg_count = COUNT(args) };
        if (!lanes)
            launch.local[0] = launch.local[1] = 1;
        status = dev_work_add(work, &launch);
    }
    return status;
}
