/* trial_codes.c: codes for a trial's weights: all that the storage has, but for NaN, with scales for which weights are of about 1 in size. */
#include "device/trial.h"

#define LEAST_F16 0x1p-13f /* normal ones: a device may flush others */

/* No code of the storage stands for more. */
static float largest(const core_storage *s)
{
    static const float tables[CORE_TABLE_COUNT] = { [CORE_TABLE_NF4] = 1, [CORE_TABLE_FP4] = 1, [CORE_TABLE_IQ4_NL] = 128, [CORE_TABLE_MXFP4] = 8 };
    switch (s->code) {
    case CORE_CODE_INT: return (float)(1u << (s->bits - 1));
    case CORE_CODE_UINT: return (float)(1u << s->bits);
    case CORE_CODE_TABLE: return tables[s->table];
    default: return 2; /* E4M3 below 2, which leaves out NaN */
    }
}

static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* 0.5 to 1 in size, of either sign. */
static float draw_half(uint64_t *state)
{
    const uint32_t bits = draw(state);
    const float    size = 0.5f + (float)(bits >> 9) * 0x1p-24f;
    return bits & 1u ? -size : size;
}

/* `unit`: what a number may be in size. */
static void draw_numbers(core_scale kind, float unit, void *numbers, size_t count, uint16_t *super, size_t super_count, uint64_t *state)
{
    uint8_t exponent = 127;
    for (float power = 1; power > unit; power /= 2)
        exponent--;
    for (size_t i = 0; i < count; i++) {
        switch (kind) {
        case CORE_SCALE_F32: ((float *)numbers)[i] = unit * draw_half(state); break;
        case CORE_SCALE_F16: ((uint16_t *)numbers)[i] = core_f32_to_f16(unit * draw_half(state)); break;
        case CORE_SCALE_E8M0: ((uint8_t *)numbers)[i] = (uint8_t)(exponent - draw(state) % 4); break;
        case CORE_SCALE_I8_F16: case CORE_SCALE_U8_F16: ((uint8_t *)numbers)[i] = (uint8_t)draw(state); break;
        default: break;
        }
    }
    const float all = unit / 256 > LEAST_F16 ? unit / 256 : LEAST_F16;
    for (size_t i = 0; super && i < super_count; i++)
        super[i] = core_f32_to_f16(all * draw_half(state));
}

oclm_status dev_trial_codes(const core_storage *s, uint32_t rows, uint32_t columns, uint64_t *state, core_codes *codes)
{
    const size_t      groups = (size_t)(rows * core_storage_groups(s, columns)), super = (size_t)(rows * core_storage_super_groups(columns));
    const uint32_t    mask = s->code == CORE_CODE_E4M3 ? 0xbf : (1u << s->bits) - 1u;
    const oclm_status status = core_codes_new(s, rows, columns, codes);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < (size_t)rows * columns; i++)
        codes->codes[i] = (uint8_t)(draw(state) >> 8 & mask);
    draw_numbers((core_scale)s->scale, 1 / largest(s), codes->scales, groups, codes->super_scales, super, state);
    draw_numbers((core_scale)s->minimum, 1, codes->minima, groups, codes->super_minima, super, state);
    return OCLM_OK;
}

oclm_status dev_trial_fill_codes(dev_device *device, dev_matrix *matrix)
{
    const uint32_t most = 8 * DEV_PANEL, slab = matrix->rows < most ? matrix->rows : most; /* the same rows again and again */
    uint64_t       state = 20240229;
    core_codes     codes;
    oclm_status    status = dev_trial_codes(dev_matrix_storage(matrix), slab, matrix->columns, &state, &codes);
    if (status != OCLM_OK)
        return status;
    for (uint32_t row = 0; row < matrix->rows && status == OCLM_OK; row += slab) {
        const uint32_t         left = matrix->rows - row;
        const dev_codes_source source = { &codes, left < slab ? left : slab, matrix->columns, row, 1 };
        status = dev_matrix_fill_codes(device, dev_queue(device), matrix, &source);
    }
    core_codes_free(&codes);
    return status;
}
