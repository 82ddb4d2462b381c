/* parts.h: rows of scores cut into parts, for kernels that go through them: a work-item takes a part, or a group of lanes, whichever suits the
 * device (cl/row_parts.h). What kernels leave each other about a row lies in a workspace (cl/sample.h). */
#ifndef OCLM_GENERATION_PARTS_H
#define OCLM_GENERATION_PARTS_H

#include "device/launch.h"

typedef struct gen_parts {
    uint32_t   rows, vocab, stride; /* scores: float32 [rows][stride] */
    uint32_t   parts, part;         /* a row is worked on in `parts` pieces of `part` scores */
    uint32_t   group;               /* lanes that share a part; 1: a work-item takes it alone */
    uint32_t   row_group;           /* lanes that share a whole row, in kernels whose work is not the scores' */
    dev_buffer workspace;           /* of each row */
} gen_parts;

oclm_status gen_parts_new(dev_device *device, cl_command_queue queue, uint32_t rows, uint32_t vocab, uint32_t stride, gen_parts *parts);
void        gen_parts_free(dev_device *device, gen_parts *parts);
/* Makes `group` lanes share a part, or as many as the device takes: a test's wish, whatever the device. */
void        gen_parts_share(gen_parts *parts, const dev_device *device, uint32_t group);

typedef enum gen_span {
    GEN_SPAN_PARTS, /* every part of every row */
    GEN_SPAN_PART,  /* what takes a part takes a row */
    GEN_SPAN_ROWS,  /* a group of row_group lanes for each row */
    GEN_SPAN_ALL    /* one such group */
} gen_span;

/* Records a kernel for the first `rows` rows. */
oclm_status gen_parts_add(const gen_parts *parts, dev_work *work, gen_span span, uint32_t rows, const char *source, const char *kernel,
                          const dev_arg *args, size_t count);
/* The same of a kernel that lanes have in a file of their own: "x_y" in x.cl and "x_lanes_y" in x_lanes.cl. */
oclm_status gen_shape_add(const gen_parts *parts, dev_work *work, gen_span span, uint32_t rows, const char *source, const char *what,
                          const dev_arg *args, size_t count);
/* Records one for `items` work-items a row that have nothing to do with parts. */
oclm_status gen_items_add(dev_work *work, uint32_t items, uint32_t rows, const char *source, const char *kernel, const dev_arg *args, size_t count);

#endif
