/* matmul_lanes.c: products by matmul_lanes.cl (few rows) and matmul_lanes_tile.cl (many), whose work-items are lanes: for GPUs. */
#include <inttypes.h>
#include <stdio.h>

#include "device/provider.h"

/* With so many rows the norm is found inside, by each work-group again. For one row that takes about a microsecond, while a launch of its own,
 * which the product must wait for, takes several; but it grows with the rows, and the launch does not. */
#define NORM_ROWS 2u

/* A tile's places in x and W are counted in 32 bits: 64 rows of x, or two panels of W, in bytes. */
#define MOST_COLUMNS (1u << 24)

/* What is made for a provider's kernel. */
typedef struct shape {
    uint32_t tile_rows, tile_cols; /* of a work-group; 0: matmul_lanes.cl, which takes `rows` rows and a panel */
    uint32_t rows, cols;           /* of a work-item */
    uint32_t group;                /* work-items */
} shape;

/* FEW(most rows, rows, outputs of a lane, group), TILE(most rows, rows and outputs of a tile, of a lane). Ordered: the first that suits is the
 * default, and for each number of rows there is one for groups of 32. A lane that takes eight outputs makes longer reads of
 * two-byte weights, one that takes fewer rows needs fewer registers: alternatives for tuning. */
#define DEPTH      16u
#define MANY       UINT32_MAX
#define SHAPES(FEW, TILE)                                                                                                          \
    FEW(1, 1, 4, 256) FEW(1, 1, 4, 128) FEW(1, 1, 8, 128) FEW(1, 1, 4, 64) FEW(1, 1, 4, 32)                                        \
    FEW(2, 2, 4, 128) FEW(2, 2, 4, 64) FEW(2, 2, 4, 32)                                                                            \
    FEW(8, 4, 4, 64) FEW(8, 4, 4, 32)                                                                                              \
    TILE(128, 32, 64, 4, 4) TILE(MANY, 64, 64, 8, 4) TILE(MANY, 64, 64, 4, 4) TILE(MANY, 16, 32, 4, 4)

#define FEW_SHAPE(most_rows, rows, vec, group)                    { 0, 0, rows, vec, group },
#define TILE_SHAPE(most_rows, tile_rows, tile_cols, rows, cols)   { tile_rows, tile_cols, rows, cols, tile_rows / rows * tile_cols / cols },
static const shape shapes[] = { SHAPES(FEW_SHAPE, TILE_SHAPE) };

static const shape *shape_of(const dev_provider *self) { return &shapes[self - dev_lanes_providers]; }

/* Half of what a lane with four outputs of codes of 4 bits loads belongs to another lane: with one row, where loads count, large groups leave
 * such weights to lanes of eight, which are alike in all else. */
static bool is_for_storage(const shape *s, const core_storage *storage)
{
    return core_storage_is_float(storage) || s->tile_rows > 0 || s->rows > 1 || s->cols == 8 || s->group < 128;
}

static bool suits(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    const dev_traits *traits = dev_get_traits(device);
    return traits->lanes_in_items && m->rows <= self->most_rows && shape_of(self)->group <= traits->max_group &&
           is_for_storage(shape_of(self), dev_matrix_storage(m->weight)) &&
           m->weight->columns < MOST_COLUMNS && m->x_stride < MOST_COLUMNS;
}

static bool takes_norm(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)device;
    return shape_of(self)->tile_rows == 0 && m->rows <= NORM_ROWS;
}

/* Registers that a lane's part of a column takes as it was loaded (cl/widen.h, cl/widen_codes.h). */
static uint32_t column_words(const shape *s, const core_storage *storage)
{
    const bool two_planes = storage->bits == 3 || storage->bits == 5 || storage->bits == 6;
    return core_storage_is_float(storage) || storage->bits == 8 ? s->cols * storage->bits / 32 : two_planes ? 2 : 1;
}

/* Columns that a lane asks for before it uses the first: as many as registers allow beside the accumulators. More than 48 in all, and compilers
 * for GPUs with few of them begin to spill. */
static uint32_t unroll(const shape *s, const dev_matmul *m, const core_storage *storage)
{
    const uint32_t gates = m->epilogue == DEV_GATED ? 2 : 1;
    const uint32_t column = gates * column_words(s, storage), sums = 2 * s->cols * gates * s->rows;
    uint32_t       columns = 16;
    while (columns > 4 && columns * column + sums > 48)
        columns /= 2;
    return columns;
}

static bool is_half(core_scale kind) { return kind == CORE_SCALE_F16 || core_scale_has_levels(kind); }

const char *dev_lanes_fp16(const dev_device *device, const core_storage *s)
{
    const bool halves = s->code == CORE_CODE_F16 || is_half((core_scale)s->scale) || is_half((core_scale)s->minimum);
    return halves && dev_get_traits(device)->info.fp16 ? " -DHAS_FP16" : "";
}

#define MOST_OPTIONS (DEV_STORAGE_OPTIONS + 160u)

static void write_options(const shape *s, const dev_matmul *m, const core_storage *storage, const char *fp16, char options[MOST_OPTIONS])
{
    const int gated = m->epilogue == DEV_GATED, activation = m->epilogue == DEV_ADD ? 0 : (int)m->activation;
    char      stored[DEV_STORAGE_OPTIONS];
    dev_storage_options(storage, stored);
    if (s->tile_rows > 0)
        snprintf(options, MOST_OPTIONS,
                 "%s -DTILE_ROWS=%" PRIu32 " -DTILE_COLS=%" PRIu32 " -DDEPTH=%u -DROWS=%" PRIu32 " -DCOLS=%" PRIu32 " -DGATED=%d -DACTIVATION=%d%s",
                 stored, s->tile_rows, s->tile_cols, DEPTH, s->rows, s->cols, gated, activation, fp16);
    else
        snprintf(options, MOST_OPTIONS,
                 "%s -DWG=%" PRIu32 " -DROWS=%" PRIu32 " -DVEC=%" PRIu32 " -DUNROLL=%" PRIu32 " -DNORM=%d -DGATED=%d -DACTIVATION=%d%s",
                 stored, s->group, s->rows, s->cols, unroll(s, m, storage), (int)m->norm.kind, gated, activation, fp16);
}

static oclm_status add(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    oclm_status       status = OCLM_OK;
    const shape      *s = shape_of(self);
    const dev_matrix *w = m->weight;
    const bool        gated = m->epilogue == DEV_GATED, tile = s->tile_rows > 0;
    const uint32_t    group_rows = tile ? s->tile_rows : s->rows;
    const uint32_t    group_outputs = (tile ? s->tile_cols : gated ? 2 * DEV_PANEL : DEV_PANEL); /* rows of W */
    char              options[MOST_OPTIONS];
    for (uint32_t p = 0; p < w->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &w->parts[p];
        write_options(s, m, &part->storage, dev_lanes_fp16(dev_work_device(work), &part->storage), options);
        dev_arg args[15] = {
            dev_arg_buffer(m->y), dev_arg_u64(m->y_offset), dev_arg_u32(m->y_stride), dev_arg_buffer(m->x), dev_arg_u64(m->x_offset),
            dev_arg_u32(m->x_stride), dev_arg_buffer(&part->buffer), dev_arg_u32(part->first_panel), dev_arg_buffer(m->bias),
            dev_arg_u32(w->columns), dev_arg_u32(m->rows), dev_arg_f32(dev_matmul_add_scale(m)),
        };
        cl_uint count = 12;
        if (tile) {
            args[count++] = dev_arg_u32(part->panels);
        } else if (m->norm.kind != DEV_NORM_NONE) {
            args[count++] = dev_arg_buffer(&m->norm.weight);
            args[count++] = dev_arg_buffer(&m->norm.bias);
            args[count++] = dev_arg_f32(m->norm.eps);
        }
        const dev_launch launch = { .source = tile ? "matmul_lanes_tile" : "matmul_lanes",
                                    .kernel = tile ? "matmul_lanes_tile" : "matmul_lanes", .options = options, .dims = 2,
                                    .global = { (size_t)((m->rows - 1) / group_rows + 1) * s->group,
                                                ((size_t)part->panels * DEV_PANEL + group_outputs - 1) / group_outputs },
                                    .local = { s->group, 1 }, .args = args, .arg_count = count };
        status = dev_work_add(work, &launch);
    }
    return status;
}

#define FEW_PROVIDER(most_rows, rows, vec, group) { "lanes " #rows "x" #vec "x" #group, suits, takes_norm, add, rows, vec, vec, most_rows, NULL, NULL },
#define TILE_PROVIDER(most_rows, tile_rows, tile_cols, rows, cols)                                                                 \
    { "lanes tile " #tile_rows "x" #tile_cols " of " #rows "x" #cols, suits, takes_norm, add, rows, cols, cols / 2, most_rows, NULL, NULL },
const dev_provider dev_lanes_providers[] = { SHAPES(FEW_PROVIDER, TILE_PROVIDER) };
const size_t dev_lanes_provider_count = COUNT(dev_lanes_providers);
