/* bnb.c: weights quantised by bitsandbytes. 4 bits: P.weight uint8, the even element of a byte in its high nibble, of the weight as one long line,
 * of which each block (64 elements) has an absmax: scale times a table of 16 (nf4, fp4). absmax may be quantised to 8 bits itself. What it is, is
 * told by P.weight.quant_state.bitsandbytes__nf4, JSON. 8 bits: P.weight int8 [out, in] and P.SCB [out]: q * SCB / 127.
 * Source: bitsandbytes' functional.py (QuantState.from_dict, dequantize_blockwise) and nn/modules.py.
 *
 * Of 8 bits, bitsandbytes makes values as (q * SCB) * (1 / 127), rounding thrice in float32, where it makes any: its own product is one of integers,
 * scaled afterwards by SCB / 127^2. Here the scale is SCB / 127, rounded once, and the value q * scale. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "checkpoint/quantized.h"

#define STATE ".quant_state.bitsandbytes__"
#define MAX_STATE 65536u  /* bytes of a state's JSON */
#define LEAST_GROUP 16u   /* of kernels; it and all block sizes are powers of two */

static const struct { const char *name, *suffix; core_table table; } kinds[] = {
    { "nf4", STATE "nf4", CORE_TABLE_NF4 }, { "fp4", STATE "fp4", CORE_TABLE_FP4 },
};

/* What a state says. */
typedef struct quant_state {
    uint32_t   block, nested_block;
    double     nested_offset;
    core_dtype dtype;
    uint64_t   shape[2];
} quant_state;

/* ---- Reading */

static void unpack_4bit(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    const uint8_t *const bytes = s->codes->data;
    const uint64_t       first = first_row * s->columns;
    for (uint64_t i = 0; i < rows * s->columns; i++)
        codes[i] = (first + i) % 2 == 0 ? bytes[(first + i) / 2] >> 4 : bytes[(first + i) / 2] & 15;
}

static float scale_4bit(const ckpt_source *s, uint64_t row, uint64_t group)
{
    const uint64_t block = (row * s->columns + group * s->group) / s->block;
    if (s->nested_scales == NULL)
        return ckpt_number(s->scales, block);
    const float          map = ckpt_number(s->nested_map, ((const uint8_t *)s->scales->data)[block]);
    const volatile float product = map * ckpt_number(s->nested_scales, block / s->nested_block); /* rounded before the sum, as there */
    return product + s->nested_offset;
}

static float scale_8bit(const ckpt_source *s, uint64_t row, uint64_t group)
{
    (void)group;
    return ckpt_number(s->scales, row) / 127.0f;
}

/* ---- 4 bits */

static oclm_status read_shape(const cJSON *item, const char *origin, uint64_t shape[2])
{
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 2 || !core_json_is_whole(cJSON_GetArrayItem(item, 0), 1, INT32_MAX) ||
        !core_json_is_whole(cJSON_GetArrayItem(item, 1), 1, INT32_MAX))
        return core_json_wrong(item, "shape", origin, "a list of two whole numbers above 0");
    for (int i = 0; i < 2; i++)
        shape[i] = (uint64_t)cJSON_GetArrayItem(item, i)->valuedouble;
    return OCLM_OK;
}

static bool is_block(uint32_t size) { return size >= 32 && (size & (size - 1)) == 0; }

static oclm_status read_members(const cJSON *json, const char *origin, quant_state *state)
{
    const char *dtype = "float32";
    oclm_dtype  type;
    oclm_status status;
    *state = (quant_state){ .block = 64, .nested_block = 256 };
    if ((status = core_json_get_u32(json, "blocksize", origin, 1, 1u << 20, &state->block)) != OCLM_OK ||
        (status = core_json_get_u32(json, "nested_blocksize", origin, 1, 1u << 20, &state->nested_block)) != OCLM_OK ||
        (status = core_json_get_float(json, "nested_offset", origin, &state->nested_offset)) != OCLM_OK ||
        (status = core_json_get_string(json, "dtype", origin, &dtype)) != OCLM_OK ||
        (status = read_shape(core_json_member(json, "shape"), origin, state->shape)) != OCLM_OK)
        return status;
    if (!is_block(state->block))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"blocksize\" is %" PRIu32 "; it must be a power of two from 32 on", origin, state->block);
    state->dtype = CORE_F32;
    if (core_dtype_from_long_name(dtype, &type))
        state->dtype = type == OCLM_DTYPE_FLOAT16 ? CORE_F16 : type == OCLM_DTYPE_BFLOAT16 ? CORE_BF16 : CORE_F32;
    return OCLM_OK;
}

static oclm_status read_state(const ckpt_replacing *q, const ckpt_tensor *tensor, quant_state *state)
{
    core_text   origin = CORE_TEXT_INIT;
    cJSON      *json = NULL;
    oclm_status status;
    if (tensor->dtype != CORE_U8 || tensor->bytes > MAX_STATE)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "must be JSON in at most %u bytes of U8", MAX_STATE);
    if ((status = core_text_printf(&origin, "%s: tensor \"%s\"", ckpt_file_name(q->checkpoint, tensor->file), tensor->name)) == OCLM_OK &&
        (status = core_json_parse(tensor->data, tensor->bytes, origin.data, &json)) == OCLM_OK)
        status = cJSON_IsObject(json) ? read_members(json, origin.data, state)
                                      : core_fail(OCLM_ERR_FORMAT, "%s: is no JSON object", origin.data);
    cJSON_Delete(json);
    core_text_free(&origin);
    return status;
}

/* The table in the file is ours, or the codes would stand for something else. */
static oclm_status check_table(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, core_table table)
{
    const ckpt_tensor *map;
    const uint64_t     size = 16;
    oclm_status        status;
    if ((status = ckpt_need_part(q, tensor, stem, ".quant_map", &map)) != OCLM_OK ||
        (status = ckpt_need_shape(q, map, CORE_F32, 1, &size)) != OCLM_OK)
        return status;
    for (uint64_t i = 0; i < size; i++)
        if (!(fabsf(ckpt_number(map, i) - core_storage_table(table)[i]) <= 1e-6f))
            return ckpt_fail_tensor(q, OCLM_ERR_UNSUPPORTED, map, "is another table than that of nf4 or fp4 in bitsandbytes");
    return OCLM_OK;
}

static oclm_status find_absmax(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, const quant_state *state, uint64_t blocks, ckpt_source *s)
{
    const uint64_t nested = state->nested_block > 0 ? (blocks + state->nested_block - 1) / state->nested_block : 0, map = 256;
    oclm_status    status = ckpt_need_part(q, tensor, stem, ".absmax", &s->scales);
    if (status != OCLM_OK)
        return status;
    if (s->scales->dtype != CORE_U8)
        return ckpt_need_shape(q, s->scales, CORE_F32, 1, &blocks);
    s->nested_block = state->nested_block;
    s->nested_offset = (float)state->nested_offset;
    if ((status = ckpt_need_shape(q, s->scales, CORE_U8, 1, &blocks)) != OCLM_OK ||
        (status = ckpt_need_part(q, tensor, stem, ".nested_absmax", &s->nested_scales)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s->nested_scales, CORE_F32, 1, &nested)) != OCLM_OK ||
        (status = ckpt_need_part(q, tensor, stem, ".nested_quant_map", &s->nested_map)) != OCLM_OK)
        return status;
    return ckpt_need_shape(q, s->nested_map, CORE_F32, 1, &map);
}

/* Blocks run through the rows: the group is the largest that no block's border cuts, or else each column is its own. */
static void set_groups(ckpt_source *s, uint64_t block)
{
    const uint64_t divisor = s->columns & (~s->columns + 1); /* the largest power of two in it */
    const uint64_t least = divisor < block ? divisor : block;
    s->block = block;
    s->group = s->columns == least ? s->columns : least < LEAST_GROUP ? 1 : least;
    s->groups = s->columns / s->group;
}

static oclm_status add_4bit(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, const ckpt_tensor *state_tensor, core_table table)
{
    ckpt_source s = { .codes = tensor, .code = CORE_CODE_TABLE, .bits = 4, .table = (uint8_t)table, .unpack = unpack_4bit, .scale = scale_4bit };
    quant_state state;
    oclm_status status = read_state(q, state_tensor, &state);
    if (status != OCLM_OK)
        return status;
    const uint64_t elements = state.shape[0] * state.shape[1];
    s.rows = state.shape[0];
    s.columns = state.shape[1];
    /* Another bnb_4bit_quant_storage than uint8 only names the same bytes otherwise, and rounds up to whole numbers of its own. */
    if (tensor->bytes < (elements + 1) / 2 || tensor->bytes - (elements + 1) / 2 >= core_dtype_size(tensor->dtype))
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "has %zu bytes, but a weight of [%" PRIu64 ", %" PRIu64 "] (its quant_state) takes %" PRIu64
                                " in 4 bits", tensor->bytes, s.rows, s.columns, (elements + 1) / 2);
    set_groups(&s, state.block);
    if ((status = check_table(q, tensor, stem, table)) != OCLM_OK ||
        (status = find_absmax(q, tensor, stem, &state, (elements + state.block - 1) / state.block, &s)) != OCLM_OK)
        return status;
    return ckpt_add_module(q, &s, tensor->name, stem, "", state.dtype, 2, state.shape);
}

/* ---- 8 bits */

static oclm_status add_8bit(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, const ckpt_tensor *scales)
{
    ckpt_source s = { .codes = tensor, .scales = scales, .code = CORE_CODE_UINT, .bits = 8, .unpack = ckpt_unpack_int8, .scale = scale_8bit };
    oclm_status status;
    const ckpt_tensor *const format = ckpt_part(q, tensor->name, stem, ".weight_format");
    if (format != NULL && (format->elements != 1 || ((const uint8_t *)format->data)[0] != 0))
        return ckpt_fail_tensor(q, OCLM_ERR_UNSUPPORTED, format, "is not 0: the weight is laid out for one GPU");
    if (tensor->dims != 2)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "must have two dimensions");
    if ((status = ckpt_need_shape(q, tensor, CORE_I8, 2, tensor->shape)) != OCLM_OK ||
        (status = ckpt_need_shape(q, scales, CORE_F32, 1, tensor->shape)) != OCLM_OK)
        return status;
    s.rows = tensor->shape[0];
    s.columns = s.group = tensor->shape[1];
    s.groups = 1;
    return ckpt_add_module(q, &s, tensor->name, stem, ".weight", CORE_F16, 2, tensor->shape);
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    const size_t length = strlen(tensor->name);
    size_t       stem;
    if (!ckpt_stem(tensor->name, ".weight", &stem))
        return OCLM_OK;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const ckpt_tensor *const state = ckpt_part(q, tensor->name, length, kinds[i].suffix);
        if (state != NULL) {
            (void)ckpt_part(q, tensor->name, length, "");
            return add_4bit(q, tensor, length, state, kinds[i].table);
        }
    }
    const ckpt_tensor *scales = ckpt_part(q, tensor->name, stem, ".SCB");
    if (scales != NULL || tensor->dtype == CORE_I8) {
        (void)ckpt_part(q, tensor->name, length, "");
        return scales != NULL ? add_8bit(q, tensor, stem, scales) : ckpt_need_part(q, tensor, stem, ".SCB", &scales);
    }
    return tensor->dtype == CORE_U8 ? ckpt_need_part(q, tensor, length, STATE "nf4", &scales) : OCLM_OK;
}

const ckpt_method ckpt_bnb = { "bitsandbytes", NULL, visit };
