/* gather.c: records a gather of a matrix's rows: the embedding (embed.cl). */
#include <stdio.h>

#include "device/matmul.h"

#define GATHER_BLOCK 64 /* columns of a work-item that runs vector code */
#define GATHER_GROUP 64 /* lanes of a group; left to itself, a driver takes a divisor of the columns, which may be 1 */

oclm_status dev_rows_add(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, uint32_t ids_offset, uint32_t count,
                         float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    oclm_status       status = OCLM_OK;
    const dev_traits *traits = dev_get_traits(dev_work_device(work));
    const bool        lanes = traits->lanes_in_items;
    const uint32_t    block = lanes ? 1 : GATHER_BLOCK;
    const size_t      group = !lanes ? 1 : traits->max_group < GATHER_GROUP ? traits->max_group : GATHER_GROUP;
    const size_t      blocks = (matrix->columns + block - 1) / block;
    char              options[DEV_STORAGE_OPTIONS + 96], storage[DEV_STORAGE_OPTIONS];
    for (uint32_t p = 0; p < matrix->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &matrix->parts[p];
        dev_storage_options(&part->storage, storage);
        snprintf(options, sizeof options, "%s -DADD=%d -DBLOCK=%u%s", storage, (int)add, (unsigned)block, lanes ? " -DHAS_VLOAD_HALF" : "");
        const dev_arg args[] = {
            dev_arg_buffer(y), dev_arg_u32(y_stride), dev_arg_buffer(ids), dev_arg_u32(ids_offset), dev_arg_buffer(&part->buffer),
            dev_arg_u32(matrix->columns), dev_arg_u32(matrix->rows), dev_arg_u32(part->first_panel * DEV_PANEL),
            dev_arg_u32(part->panels * DEV_PANEL), dev_arg_f32(scale),
        };
        const dev_launch launch = { .source = "embed", .kernel = "rows_gather", .options = options, .dims = 2,
                                    .global = { (blocks + group - 1) / group * group, count }, .local = { group, 1 },
                                    .args = args, .arg_count = COUNT(args) };
        status = dev_work_add(work, &launch);
    }
    return status;
}
