/* matmul_tile.c: products by matmul.cl, whose work-items run vector code: for CPUs. A tile is rows of x by outputs. */
#include "device/provider.h"

#include <inttypes.h>
#include <stdio.h>

#define ITEMS_PER_CORE 16u /* enough to even out cores that start late */

/* Of a tile with more sums than registers hold, how many rows are summed at once, of 16 outputs. Weights that are codes have
 * sums of another kind (cl/codes_unit.h). */
static uint32_t block_rows(const dev_provider *self) { return self->rows == 8 ? 4 : self->rows; }

static bool has_blocks(const dev_provider *self, const core_storage *storage)
{
    return self->rows >= 4 && self->cols == 32 && self->vec == 8 && core_storage_is_float(storage);
}

/* With one row a core alone does not keep enough loads in flight once weights are converted: 0.78 of the read rate became 0.92 with
 * two-byte weights. float32 is better off without: 0.97 where asking 1,024 bytes ahead leaves 0.87 (tests/bench). The same goes for few rows,
 * where all are in one tile. */
static uint32_t prefetch(const dev_provider *self, const dev_matmul *m, const core_storage *storage)
{
    if (has_blocks(self, storage))
        return 2; /* chunks: by the next one memory has not answered yet */
    return storage->bits < 32 && (m->rows == 1 || (m->rows <= self->rows && core_storage_is_float(storage))) ? 2048u : 0u;
}

static bool suits(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    return m->rows <= self->most_rows && self->vec <= dev_get_traits(device)->vector_width;
}

/* Tiles of up to 8 rows, for vectors of 8 alone: 16 hold the same in registers. */
static bool suits_few(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    return m->rows <= self->most_rows && dev_get_traits(device)->vector_width == 8 && core_storage_is_float(dev_matrix_storage(m->weight));
}

/* A norm inside the product is worth it for the rows of one tile; it needs them all in local memory, of which half is left to
 * the driver. The same goes for rows without a norm, in a kernel built for products with one. */
static bool takes_norm(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    const uint64_t bytes = (uint64_t)self->rows * m->weight->columns * sizeof(float);
    return m->rows <= self->rows && bytes <= dev_get_traits(device)->info.local_mem_bytes / 2;
}

/* Most tiles of a work-item that share what it unpacks: where unpacking costs about as much as six rows' product: tables, and codes whose bits lie in
 * two planes; and where there are minima, for which sums of x are wanted that all panels share. nf4, 512 rows: 2.4 times as fast. Others gain
 * nothing, and lose that their totals stay in registers. */
#define SHARING_TILES 16u
static uint32_t sharing_tiles(const dev_provider *self, const dev_matmul *m, const core_storage *s)
{
    const bool costly = s->code == CORE_CODE_TABLE || (s->bits != 8 && dev_low_bits(s) != s->bits) || s->minimum != CORE_SCALE_NONE;
    return !core_storage_is_float(s) && costly && m->rows > self->rows ? SHARING_TILES : 1; /* so many rows come normalised: takes_norm() */
}

/* Fewer where cores would be left without work. */
#define SHARED_PER_CORE 4u
static uint32_t tiles_per_item(const dev_provider *self, const dev_device *device, const dev_matmul *m, const core_storage *s, uint32_t units)
{
    const uint64_t items = (uint64_t)SHARED_PER_CORE * dev_get_traits(device)->info.compute_units, row_tiles = (m->rows - 1) / self->rows + 1;
    uint32_t       tiles = sharing_tiles(self, m, s);
    while (tiles > 1 && row_tiles / tiles * units < items)
        tiles /= 2;
    return tiles;
}

static bool wants_sums(const dev_provider *self, const dev_matmul *m)
{
    const core_storage *s = dev_matrix_storage(m->weight);
    return s->minimum != CORE_SCALE_NONE && sharing_tiles(self, m, s) > 1;
}

/* Few rows: as many units as leave each core ITEMS_PER_CORE, because an item normalises its rows and starts a stream of reads anew. */
static uint32_t units_per_item(const dev_device *device, const dev_matmul *m, uint32_t units)
{
    const uint32_t items = dev_get_traits(device)->info.compute_units * ITEMS_PER_CORE;
    return m->rows > 8 || units <= items ? 1 : units / items;
}

/* What cl/matmul_unit.h is built with. */
static void write_options(const dev_provider *self, const dev_matmul *m, const core_storage *storage, char options[DEV_TILE_OPTIONS])
{
    char stored[DEV_STORAGE_OPTIONS];
    dev_storage_options(storage, stored);
    const int length = snprintf(options, DEV_TILE_OPTIONS, "%s -DROWS=%" PRIu32 " -DCOLS=%" PRIu32 " -DVEC=%" PRIu32 " -DPREFETCH=%" PRIu32,
                                stored, self->rows, self->cols, self->vec, prefetch(self, m, storage));
    if (has_blocks(self, storage))
        snprintf(options + length, DEV_TILE_OPTIONS - (size_t)length, " -DSUM_ROWS=%" PRIu32 " -DSUM_COLS=16", block_rows(self));
}

/* Flags, as in cl/matmul.cl. */
enum { NORMALIZE = 1, GATES = 2, ACTIVE = 4 };

/* The norm that the kernel is built with, of this product or one beside it. */
static dev_norm_kind built_norm(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    return m->norm.kind != DEV_NORM_NONE ? m->norm.kind : takes_norm(self, device, m) ? m->siblings.norm : DEV_NORM_NONE;
}

static oclm_status add(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    oclm_status       status = OCLM_OK;
    const dev_matrix *w = m->weight;
    const bool        gated = m->epilogue == DEV_GATED, active = m->epilogue != DEV_ADD && m->activation != DEV_ACT_NONE;
    const dev_norm_kind norm = built_norm(self, dev_work_device(work), m);
    const uint32_t    flags = (m->norm.kind != DEV_NORM_NONE ? NORMALIZE : 0) | (gated ? GATES : 0) | (active ? ACTIVE : 0);
    char              unit[DEV_TILE_OPTIONS], options[DEV_TILE_OPTIONS + 80];
    for (uint32_t p = 0; p < w->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &w->parts[p];
        write_options(self, m, &part->storage, unit);
        const uint32_t units = (gated ? part->panels / 2 : part->panels) * (DEV_PANEL / self->cols);
        const uint32_t sharing = sharing_tiles(self, m, &part->storage);
        const uint32_t tiles = tiles_per_item(self, dev_work_device(work), m, &part->storage, units), rows = self->rows * tiles;
        const int      length = snprintf(options, sizeof options, "%s -DNORM=%d -DGATED=%d -DACTIVATION=%d", unit, (int)norm,
                                         gated || m->siblings.gated, (int)(active ? m->activation : m->siblings.activation));
        if (sharing > 1)
            snprintf(options + length, sizeof options - (size_t)length, " -DTILES=%" PRIu32, sharing);
        const uint32_t per_item = units_per_item(dev_work_device(work), m, units);
        const dev_arg  args[] = {
            dev_arg_buffer(m->y), dev_arg_u64(m->y_offset), dev_arg_u32(m->y_stride), dev_arg_buffer(m->x), dev_arg_u64(m->x_offset),
            dev_arg_u32(m->x_stride), dev_arg_buffer(&part->buffer), dev_arg_u32(part->first_panel), dev_arg_u32(part->panels),
            dev_arg_buffer(m->bias), dev_arg_u32(w->columns), dev_arg_u32(m->rows), dev_arg_u32(flags), dev_arg_f32(dev_matmul_add_scale(m)),
            dev_arg_u32(per_item),
            /* the rest only with a norm inside, */
            sharing > 1 ? dev_arg_u32(tiles) : dev_arg_buffer(&m->norm.weight),
            sharing > 1 ? dev_arg_buffer(m->sums_stride > 0 ? m->scratch : NULL) : dev_arg_buffer(&m->norm.bias),
            sharing > 1 ? dev_arg_u64(m->scratch_taken) : dev_arg_f32(m->norm.eps),
            sharing > 1 ? dev_arg_u32(m->sums_stride) : dev_arg_local((size_t)self->rows * w->columns * sizeof(float)),
        };
        const dev_launch launch = { .source = "matmul", .kernel = "matmul_tile", .options = options, .dims = 2,
                                    .global = { (m->rows + rows - 1) / rows, (units + per_item - 1) / per_item },
                                    .local = { 1, 1 }, .args = args, .arg_count = COUNT(args) - (norm != DEV_NORM_NONE || sharing > 1 ? 0 : 4) };
        status = dev_work_add(work, &launch);
    }
    return status;
}

#define TILE_FOR(suits, most_rows, rows, cols, vec)                                                                                \
    { "tile " #rows "x" #cols "x" #vec, suits, takes_norm, add, rows, cols, vec, most_rows, NULL, wants_sums }
#define TILE(most_rows, rows, cols, vec) TILE_FOR(suits, most_rows, rows, cols, vec)
#define FEW(rows)                        TILE_FOR(suits_few, rows, rows, 32, 8)

const dev_provider dev_tile_providers[] = {
    TILE(1, 1, 32, 16),
    TILE(1, 1, 32, 8),
    TILE(4, 4, 32, 16),
    FEW(2),
    FEW(4),
    FEW(6),
    FEW(8),
    TILE(4, 4, 16, 8),
    TILE(UINT32_MAX, 8, 32, 16), /* 300-325 GFLOPS where 6x16x8 reaches 206 (2 cores with AVX-512) */
    TILE(UINT32_MAX, 6, 16, 8),
};
const size_t dev_tile_provider_count = COUNT(dev_tile_providers);

oclm_status dev_matmul_tile(dev_device *device, const dev_matmul *m, dev_tile *tile, bool *is_tile)
{
    const dev_provider *chosen = NULL;
    dev_providers       all;
    dev_providers_all(&all);
    const oclm_status status = dev_provider_choose(device, &all, m, &chosen);
    *is_tile = status == OCLM_OK && chosen->add == add && m->rows <= chosen->rows && m->weight->part_count == 1;
    if (*is_tile) {
        *tile = (dev_tile){ .rows = chosen->rows, .cols = chosen->cols };
        write_options(chosen, m, dev_matrix_storage(m->weight), tile->options);
    }
    return status;
}
