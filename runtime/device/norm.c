/* norm.c: records a normalisation of rows on its own (norm.cl). */
#include <stdio.h>

#include "device/matmul.h"

#define NORM_GROUP 256 /* work-items: all of them load, to have a row of a few thousand in one trip to memory; 64 of them sum */
#define LEAST_GROUP 32 /* below that a row a work-item */

oclm_status dev_norm_add(dev_work *work, const dev_norm *norm, const dev_buffer *x, uint64_t x_offset, uint32_t x_stride,
                         const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns)
{
    const dev_traits *traits = dev_get_traits(dev_work_device(work));
    size_t            group = 1;
    char              options[64];
    if (traits->lanes_in_items && traits->max_group >= LEAST_GROUP)
        while (group < NORM_GROUP && 2 * group <= traits->max_group)
            group *= 2;
    const bool    lanes = group >= LEAST_GROUP;
    const dev_arg args[] = {
        dev_arg_buffer(y), dev_arg_u64(y_offset), dev_arg_u32(y_stride), dev_arg_buffer(x), dev_arg_u64(x_offset),
        dev_arg_u32(x_stride), dev_arg_buffer(&norm->weight), dev_arg_buffer(&norm->bias), dev_arg_u32(columns), dev_arg_f32(norm->eps),
    };
    snprintf(options, sizeof options, "-DNORM=%d -DWG=%zu", (int)norm->kind, group);
    const dev_launch launch = { .source = "norm", .kernel = lanes ? "norm_lanes" : "norm_row", .options = options, .dims = 1,
                                .global = { rows * group }, .local = { group }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}
