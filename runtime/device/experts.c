/* experts.c: records the kernels cl/moe_*.cl: routing, sorting, products and the joining of what experts made. */
#include "device/experts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "device/provider.h"

#define SLOT_TILE_BYTES 16u
#define ITEMS_PER_CORE  16u /* of a product: enough to even out cores that start late */
#define LANES           64u /* of the work-groups that route, sort, and multiply few rows, where work-items are lanes */
/* And of those that multiply many, by tiles. */
#define LANES_TILE_ROWS  32u
#define LANES_TILE_COLS  64u
#define LANES_TILE_GROUP (LANES_TILE_ROWS / 4u * LANES_TILE_COLS / 4u)

static uint32_t group_of(const dev_routes *routes) { return routes->lanes ? LANES : 1; }

/* ---- What routes need */

uint64_t dev_routes_bytes(const dev_routing *routing, uint64_t rows)
{
    return rows * routing->chosen * (4 * sizeof(uint32_t) + SLOT_TILE_BYTES);
}

oclm_status dev_routes_new(dev_device *device, const dev_routing *routing, uint32_t rows, dev_routes *routes)
{
    const size_t       slots = (size_t)rows * routing->chosen;
    const dev_traits  *traits = dev_get_traits(device);
    const char *const  what = "which experts rows choose";
    dev_buffer *const  words[] = { &routes->ids, &routes->weights, &routes->row_of, &routes->place_of };
    oclm_status        status = OCLM_OK;
    *routes = (dev_routes){ .chosen = routing->chosen, .rows = rows,
                            .lanes = traits->lanes_in_items && traits->max_group >= LANES_TILE_GROUP };
    for (size_t i = 0; i < COUNT(words) && status == OCLM_OK; i++)
        status = dev_buffer_new(device, slots * sizeof(uint32_t), what, words[i]);
    if (status == OCLM_OK)
        status = dev_buffer_new(device, slots * SLOT_TILE_BYTES, what, &routes->tiles);
    if (status != OCLM_OK)
        dev_routes_free(device, routes);
    return status;
}

void dev_routes_free(dev_device *device, dev_routes *routes)
{
    dev_buffer *const all[] = { &routes->ids, &routes->weights, &routes->row_of, &routes->place_of, &routes->tiles };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(device, all[i]);
}

/* ---- Routing */

/* One row's choices are of different experts. With more, about slots / count meet at each expert: a tile takes as many, as far as there is a
 * kernel for that. */
dev_expert_tiles dev_expert_tiles_for(const dev_device *device, const dev_routing *routing, const dev_routes *routes, uint32_t rows)
{
    const uint64_t   slots = (uint64_t)rows * routing->chosen, mean = slots / routing->count;
    const uint32_t   most_rows = routes->lanes ? LANES_TILE_ROWS : dev_get_traits(device)->vector_width >= 16 ? 8 : 6;
    dev_expert_tiles tiles = { .rows = rows == 1 ? 1 : mean < 4 ? 4 : most_rows };
    /* Each expert that is chosen may leave its last tile all but empty. */
    const uint64_t experts = slots < routing->count ? slots : routing->count;
    const uint64_t most = (slots - experts) / tiles.rows + experts;
    tiles.count = (uint32_t)most;
    return tiles;
}

void dev_routing_options(const dev_routing *r, char options[DEV_ROUTING_OPTIONS])
{
    snprintf(options, DEV_ROUTING_OPTIONS, "-DROUTER=%d -DNORMALISED=%d -DGROUP_SUM=%d", (int)r->router, (int)r->normalised, (int)r->group_sum);
}

static oclm_status add_choice(dev_work *work, const dev_routing *r, const dev_buffer *logits, uint32_t stride, const dev_buffer *correction,
                              const dev_buffer *counts, uint32_t rows, const dev_routes *routes)
{
    const uint32_t group = group_of(routes);
    const size_t   scores = r->count * sizeof(float);
    const dev_arg  args[] = {
        dev_arg_buffer(logits), dev_arg_u32(stride), dev_arg_buffer(correction), dev_arg_buffer(counts), dev_arg_buffer(&routes->ids),
        dev_arg_buffer(&routes->weights),
        dev_arg_u32(r->count), dev_arg_u32(r->chosen), dev_arg_u32(r->groups), dev_arg_u32(r->groups_chosen), dev_arg_f32(r->eps),
        dev_arg_f32(r->scale), dev_arg_local(scores), dev_arg_local(scores), dev_arg_local((r->groups + 1) * sizeof(float)),
        dev_arg_local(scores),
    };
    char routing[DEV_ROUTING_OPTIONS], options[DEV_ROUTING_OPTIONS + 32];
    dev_routing_options(r, routing);
    snprintf(options, sizeof options, "-DWG=%" PRIu32 " %s", group, routing);
    const dev_launch launch = { .source = "moe_route", .kernel = "moe_route", .options = options, .dims = 1, .global = { (size_t)rows * group },
                                .local = { group }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

static oclm_status add_sort(dev_work *work, const dev_routing *r, uint32_t rows, const dev_routes *routes)
{
    const uint32_t         group = group_of(routes);
    const dev_expert_tiles tiles = dev_expert_tiles_for(dev_work_device(work), r, routes, rows);
    const size_t           numbers = r->count * sizeof(uint32_t);
    const dev_arg          args[] = {
        dev_arg_buffer(&routes->ids), dev_arg_buffer(&routes->row_of), dev_arg_buffer(&routes->place_of), dev_arg_buffer(&routes->tiles),
        dev_arg_u32(rows * r->chosen), dev_arg_u32(r->chosen), dev_arg_u32(r->count), dev_arg_u32(tiles.rows), dev_arg_u32(tiles.count),
        dev_arg_local(numbers), dev_arg_local(numbers), dev_arg_local(numbers),
    };
    char options[32];
    snprintf(options, sizeof options, "-DWG=%" PRIu32, group);
    const dev_launch launch = { .source = "moe_sort", .kernel = "moe_sort", .options = options, .dims = 1, .global = { group }, .local = { group },
                                .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

oclm_status dev_route_add(dev_work *work, const dev_routing *routing, const dev_buffer *logits, uint32_t stride, const dev_buffer *correction,
                          const dev_buffer *counts, uint32_t rows, const dev_routes *routes)
{
    if (rows == 0 || rows > routes->rows || routing->chosen != routes->chosen || routing->chosen > routing->count || stride < routing->count)
        return core_fail(OCLM_ERR_INTERNAL, "%" PRIu32 " rows choose %" PRIu32 " of %" PRIu32 " experts (stride %" PRIu32 "); there is room for %"
                         PRIu32 " rows of %" PRIu32, rows, routing->chosen, routing->count, stride, routes->rows, routes->chosen);
    const oclm_status status = add_choice(work, routing, logits, stride, correction, counts, rows, routes);
    return status == OCLM_OK ? add_sort(work, routing, rows, routes) : status;
}

/* ---- Products */

/* Numbers as bits, which no locale can spoil. */
void dev_gate_options(dev_activation activation, float alpha, float limit, char options[DEV_GATE_OPTIONS])
{
    uint32_t alpha_bits, limit_bits;
    memcpy(&alpha_bits, &alpha, sizeof alpha_bits);
    memcpy(&limit_bits, &limit, sizeof limit_bits);
    options[0] = '\0';
    if (activation == DEV_ACT_CLAMPED_SWIGLU)
        snprintf(options, DEV_GATE_OPTIONS, " -DGATE_ALPHA=0x%" PRIx32 " -DGATE_LIMIT=0x%" PRIx32, alpha_bits, limit_bits);
}

/* One part of the weights by moe_product.cl. */
static oclm_status add_items(dev_work *work, const dev_routes *routes, const dev_expert_tiles *tiles, const dev_expert_matmul *m,
                             const dev_matrix_part *part)
{
    const dev_device *device = dev_work_device(work);
    const dev_matrix *w = m->weight;
    const bool        gated = m->epilogue == DEV_GATED;
    const uint32_t    vec = dev_get_traits(device)->vector_width >= 16 ? 16 : 8, cols = tiles->rows == 1 || vec == 16 ? 32 : 16;
    const uint32_t    units = m->panels / (gated ? 2 : 1) * (DEV_PANEL / cols);
    const uint32_t    items = dev_get_traits(device)->info.compute_units * ITEMS_PER_CORE / tiles->count + 1;
    const uint32_t    per_item = m->rows > 4 || units <= items ? 1 : units / items;
    const uint32_t    ahead = tiles->rows == 1 && part->storage.bits < 32 ? 2048 : 0; /* as in matmul_tile.c */
    const dev_arg     args[] = {
        dev_arg_buffer(m->y), dev_arg_u32(m->y_stride), dev_arg_buffer(m->x), dev_arg_u32(m->x_stride),
        dev_arg_buffer(m->x_is_slots ? NULL : &routes->row_of), dev_arg_buffer(&routes->tiles), dev_arg_buffer(&part->buffer),
        dev_arg_u32(part->first_panel), dev_arg_u32(part->panels), dev_arg_u32(m->panels), dev_arg_buffer(m->bias), dev_arg_u32(w->columns),
        dev_arg_u32(per_item),
    };
    char gate[DEV_GATE_OPTIONS], storage[DEV_STORAGE_OPTIONS], options[DEV_STORAGE_OPTIONS + 160 + DEV_GATE_OPTIONS];
    dev_gate_options(m->activation, m->gate_alpha, m->gate_limit, gate);
    dev_storage_options(&part->storage, storage);
    snprintf(options, sizeof options,
             "%s -DROWS=%" PRIu32 " -DCOLS=%" PRIu32 " -DVEC=%" PRIu32 " -DPREFETCH=%" PRIu32 " -DGATED=%d -DACTIVATION=%d%s", storage,
             tiles->rows, cols, vec, ahead, (int)gated, (int)m->activation, gate);
    const dev_launch launch = { .source = "moe_product", .kernel = "moe_product", .options = options, .dims = 2,
                                .global = { tiles->count, (units + per_item - 1) / per_item }, .local = { 1, 1 }, .args = args,
                                .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

/* The same by the kernels for products whose work-items are lanes, of few slots a tile or of many: shapes of matmul_lanes.c. */
static oclm_status add_lanes(dev_work *work, const dev_routes *routes, const dev_expert_tiles *tiles, const dev_expert_matmul *m,
                             const dev_matrix_part *part)
{
    const dev_matrix *w = m->weight;
    const bool        gated = m->epilogue == DEV_GATED, many = tiles->rows == LANES_TILE_ROWS;
    const char       *fp16 = dev_lanes_fp16(dev_work_device(work), &part->storage);
    const bool        wide = tiles->rows == 1 && !core_storage_is_float(&part->storage); /* as in matmul_lanes.c */
    const char       *source = many ? "matmul_lanes_tile" : "matmul_lanes";
    const uint32_t    group = many ? LANES_TILE_GROUP : LANES, group_outputs = many ? LANES_TILE_COLS : gated ? 2 * DEV_PANEL : DEV_PANEL;
    const dev_arg     args[] = {
        dev_arg_buffer(m->y), dev_arg_u64(0), dev_arg_u32(m->y_stride), dev_arg_buffer(m->x), dev_arg_u64(0), dev_arg_u32(m->x_stride),
        dev_arg_buffer(&part->buffer), dev_arg_u32(part->first_panel), dev_arg_buffer(m->bias), dev_arg_u32(w->columns), dev_arg_u32(m->rows),
        dev_arg_f32(0.0f), dev_arg_u32(part->panels), dev_arg_u32(m->panels), dev_arg_buffer(m->x_is_slots ? NULL : &routes->row_of),
        dev_arg_buffer(&routes->tiles),
    };
    char gate[DEV_GATE_OPTIONS], storage[DEV_STORAGE_OPTIONS], options[DEV_STORAGE_OPTIONS + 200 + DEV_GATE_OPTIONS];
    dev_gate_options(m->activation, m->gate_alpha, m->gate_limit, gate);
    dev_storage_options(&part->storage, storage);
    if (many)
        snprintf(options, sizeof options, "-DEXPERTS=1 %s -DTILE_ROWS=%u -DTILE_COLS=%u -DDEPTH=16 -DROWS=4 -DCOLS=4 -DGATED=%d -DACTIVATION=%d%s%s",
                 storage, LANES_TILE_ROWS, LANES_TILE_COLS, (int)gated, (int)m->activation, gate, fp16);
    else
        snprintf(options, sizeof options,
                 "-DEXPERTS=1 %s -DWG=%u -DROWS=%" PRIu32 " -DVEC=%d -DUNROLL=%d -DNORM=0 -DGATED=%d -DACTIVATION=%d%s%s", storage,
                 LANES, tiles->rows, wide ? 8 : 4, wide ? 8 : 4, (int)gated, (int)m->activation, gate, fp16);
    const dev_launch launch = { .source = source, .kernel = source, .options = options, .dims = 2,
                                .global = { (size_t)tiles->count * group,
                                            ((size_t)m->panels * DEV_PANEL + group_outputs - 1) / group_outputs },
                                .local = { group, 1 }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

oclm_status dev_expert_matmul_add(dev_work *work, const dev_routing *routing, const dev_routes *routes, const dev_expert_matmul *m)
{
    const dev_expert_tiles tiles = dev_expert_tiles_for(dev_work_device(work), routing, routes, m->rows);
    const dev_matrix      *w = m->weight;
    const bool             gated = m->epilogue == DEV_GATED;
    oclm_status            status = OCLM_OK;
    if ((uint64_t)m->panels * routing->count != w->panels || m->x_stride < w->columns || (gated && m->panels % 2) ||
        m->y_stride < m->panels * DEV_PANEL / (gated ? 2 : 1))
        return core_fail(OCLM_ERR_INTERNAL, "%" PRIu32 " experts of %" PRIu32 " panels in %" PRIu32 ", strides %" PRIu32 " and %" PRIu32,
                         routing->count, m->panels, w->panels, m->x_stride, m->y_stride);
    for (uint32_t p = 0; p < w->part_count && status == OCLM_OK; p++)
        status = routes->lanes ? add_lanes(work, routes, &tiles, m, &w->parts[p]) : add_items(work, routes, &tiles, m, &w->parts[p]);
    return status;
}

/* ---- Joining */

oclm_status dev_expert_join_add(dev_work *work, const dev_routes *routes, const dev_expert_join *j)
{
    const dev_arg args[] = {
        dev_arg_buffer(j->y), dev_arg_u64(j->y_offset), dev_arg_u32(j->y_stride), dev_arg_buffer(j->x), dev_arg_u32(j->stride),
        dev_arg_buffer(&routes->weights), dev_arg_buffer(&routes->place_of), dev_arg_u32(routes->chosen), dev_arg_buffer(j->shared),
        dev_arg_buffer(j->shared_gate), dev_arg_u32(j->gate_stride), dev_arg_f32(j->scale),
    };
    const dev_launch launch = { .source = "moe_join", .kernel = "moe_join", .options = j->store ? "-DADD=0" : "-DADD=1", .dims = 2,
                                .global = { j->stride / 16, j->rows }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}
