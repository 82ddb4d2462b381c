/* panel.c: how 32 rows of a matrix lie in memory (matrix.h), and what kernels are told of it. */
#include <stdio.h>

#include "device/matrix.h"

#define REGION_ALIGN 16u
#define PANEL_ALIGN  64u /* a line of a cache */

static uint64_t up_to(uint64_t bytes, uint64_t align) { return (bytes + align - 1) / align * align; }

uint32_t dev_low_bits(const core_storage *s) { return s->bits == 8 ? 8 : s->bits >= 4 ? 4 : 2; }

uint32_t dev_code_span(const core_storage *s) { return s->group == CORE_WHOLE_ROW || s->group > 64 ? 64 : s->group; }

/* The next region begins behind `count` times 32 numbers of so many bits. */
static uint64_t behind(uint64_t begin, uint64_t count, uint64_t bits) { return up_to(begin + count * (DEV_PANEL / 8) * bits, REGION_ALIGN); }

dev_panel dev_panel_of(const core_storage *s, uint64_t columns)
{
    dev_panel p = { .bytes = columns * DEV_PANEL * (s->bits / 8u) };
    if (core_storage_is_float(s))
        return p;
    const uint64_t groups = core_storage_groups(s, columns), super = core_storage_super_groups(columns);
    const uint32_t low = dev_low_bits(s);
    p.high = behind(p.low, columns, low);
    p.scales = behind(p.high, columns, s->bits - low);
    p.minima = behind(p.scales, groups, 8 * core_scale_size(s->scale));
    p.super_scales = behind(p.minima, groups, 8 * core_scale_size(s->minimum));
    p.super_minima = behind(p.super_scales, core_scale_has_levels(s->scale) ? super : 0, 16);
    p.bytes = up_to(behind(p.super_minima, core_scale_has_levels(s->minimum) ? super : 0, 16), PANEL_ALIGN);
    return p;
}

uint64_t dev_storage_bytes(const core_storage *storage, uint64_t rows, uint64_t columns)
{
    return dev_padded(rows) / DEV_PANEL * dev_panel_of(storage, columns).bytes;
}

uint64_t dev_matrix_bytes(core_dtype dtype, uint64_t rows, uint64_t columns)
{
    const core_storage storage = core_storage_of(dtype);
    return dev_storage_bytes(&storage, rows, columns);
}

void dev_storage_options(const core_storage *s, char options[DEV_STORAGE_OPTIONS])
{
    if (core_storage_is_float(s))
        snprintf(options, DEV_STORAGE_OPTIONS, "-DSTORAGE=%u", s->code);
    else
        snprintf(options, DEV_STORAGE_OPTIONS, "-DSTORAGE=3 -DCODE=%u -DBITS=%u -DGROUP=%u -DSCALE=%u -DMINIMUM=%u -DTABLE=%u", s->code, s->bits,
                 s->group, s->scale, s->minimum, s->table);
}
