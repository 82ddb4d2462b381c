/* norm.c: records a normalisation of rows on its own (norm.cl). */
#include <stdio.h>

#include "device/matmul.h"

#define NORM_GROUP 256 /* work-items: all of them load, to have a row of a few thousand in one trip to memory; 64 of them sum */
#define LEAST_GROUP 32 /* below that a row a work-item */

/* What becomes of normalised rows, as RESULT of norm.cl. */
enum result { STORED, IN_PLACE, ADDED, ORDERED };

/* Rows that begin with element `offset` of a buffer. */
typedef struct place {
    const dev_buffer *buffer;
    uint64_t          offset;
    uint32_t          stride;
} place;

/* `scale` and `keep` only where added, `order` only where ordered. */
typedef struct extra {
    float             scale, keep;
    const dev_buffer *order;
} extra;

static oclm_status add(dev_work *work, const dev_norm *norm, enum result result, place x, place y, extra more, uint32_t rows, uint32_t columns)
{
    const dev_traits *traits = dev_get_traits(dev_work_device(work));
    size_t            group = 1;
    char              options[64];
    if (traits->lanes_in_items && traits->max_group >= LEAST_GROUP)
        while (group < NORM_GROUP && 2 * group <= traits->max_group)
            group *= 2;
    const bool    lanes = group >= LEAST_GROUP;
    cl_uint       count = 10;
    dev_arg       args[12] = {
        dev_arg_buffer(y.buffer), dev_arg_u64(y.offset), dev_arg_u32(y.stride), dev_arg_buffer(x.buffer), dev_arg_u64(x.offset),
        dev_arg_u32(x.stride), dev_arg_buffer(&norm->weight), dev_arg_buffer(&norm->bias), dev_arg_u32(columns), dev_arg_f32(norm->eps),
    };
    if (result == ORDERED)
        args[count++] = dev_arg_buffer(more.order);
    if (result == ADDED) {
        args[count++] = dev_arg_f32(more.scale);
        args[count++] = dev_arg_f32(more.keep);
    }
    snprintf(options, sizeof options, "-DNORM=%d -DWG=%zu -DRESULT=%d", (int)norm->kind, group, (int)result);
    const dev_launch launch = { .source = "norm", .kernel = lanes ? "norm_lanes" : "norm_row", .options = options, .dims = 1,
                                .global = { rows * group }, .local = { group }, .args = args, .arg_count = count };
    return dev_work_add(work, &launch);
}

oclm_status dev_norm_add(dev_work *work, const dev_norm *norm, const dev_buffer *x, uint64_t x_offset, uint32_t x_stride,
                         const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns)
{
    return add(work, norm, STORED, (place){ x, x_offset, x_stride }, (place){ y, y_offset, y_stride }, (extra){ 0 }, rows, columns);
}

oclm_status dev_norm_in_place(dev_work *work, const dev_norm *norm, const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows,
                              uint32_t columns)
{
    return add(work, norm, IN_PLACE, (place){ y, y_offset, y_stride }, (place){ y, y_offset, y_stride }, (extra){ 0 }, rows, columns);
}

oclm_status dev_norm_ordered(dev_work *work, const dev_norm *norm, const dev_buffer *order, const dev_buffer *x, uint64_t x_offset, uint32_t x_stride,
                             const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns)
{
    return add(work, norm, ORDERED, (place){ x, x_offset, x_stride }, (place){ y, y_offset, y_stride }, (extra){ .order = order }, rows, columns);
}

oclm_status dev_norm_residual(dev_work *work, const dev_norm *norm, const dev_buffer *x, uint32_t x_stride, float scale, float keep,
                              const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns)
{
    return add(work, norm, ADDED, (place){ x, 0, x_stride }, (place){ y, y_offset, y_stride }, (extra){ .scale = scale, .keep = keep },
               rows, columns);
}
