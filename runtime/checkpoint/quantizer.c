/* quantizer.c: a tensor of floats that is read as codes: rows are quantised when they are asked for. */
#include "checkpoint/quantize.h"

#include "core/memory.h"

/* Elements first .. first + count - 1 of the weight [rows][columns], as a model of the type holds them. */
static void read_plain(const ckpt_quantizer *q, uint64_t first, size_t count, float *values)
{
    const size_t size = core_dtype_size(q->plain->dtype);
    const char  *data = q->plain->data;
    if (!q->transposed)
        core_dtype_to_f32(q->plain->dtype, data + first * size, values, count);
    for (size_t i = 0; i < count && q->transposed; i++) {
        const uint64_t row = (first + i) / q->columns, column = (first + i) % q->columns;
        core_dtype_to_f32(q->plain->dtype, data + (column * q->rows + row) * size, &values[i], 1);
    }
    for (size_t i = 0; i < count && q->through != q->plain->dtype && q->through != CORE_F32; i++)
        values[i] = q->through == CORE_F16 ? core_f16_to_f32(core_f32_to_f16(values[i])) : core_bf16_to_f32(core_f32_to_bf16(values[i]));
}

static oclm_status read_int8(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes)
{
    const ckpt_quantizer *q = tensor->quantized->source;
    const size_t          columns = (size_t)q->columns;
    float                *values = core_alloc_array(columns, sizeof *values, tensor->name), *scales = codes->scales;
    for (uint64_t row = 0; row < rows && values != NULL; row++) {
        read_plain(q, (first_row + row) * columns, columns, values);
        ckpt_quantize_row8(values, columns, &scales[row], (int8_t *)codes->codes + row * columns);
        scales[row] /= 127.0f;
    }
    core_free(values);
    return values != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

/* Blocks run through the flattened tensor, whatever its rows are. */
typedef struct block4 {
    uint64_t first; /* element */
    size_t   count;
    float    absmax;
    uint8_t  codes[CKPT_QUANTIZE_BLOCK];
} block4;

static void make_block(const ckpt_quantizer *q, uint64_t index, block4 *block)
{
    const uint64_t all = q->rows * q->columns;
    float          values[CKPT_QUANTIZE_BLOCK];
    block->first = index * CKPT_QUANTIZE_BLOCK;
    block->count = all - block->first < CKPT_QUANTIZE_BLOCK ? (size_t)(all - block->first) : CKPT_QUANTIZE_BLOCK;
    read_plain(q, block->first, block->count, values);
    ckpt_quantize_block4(q->kind, values, block->count, &block->absmax, block->codes);
    if (q->absmax != NULL)
        block->absmax = q->absmax[index];
}

static oclm_status read_4bit(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes)
{
    const ckpt_quantizer *q = tensor->quantized->source;
    const uint64_t        begin = first_row * q->columns, end = begin + rows * q->columns, group = q->quantized.storage.group;
    block4                block;
    for (uint64_t b = begin / CKPT_QUANTIZE_BLOCK; b * CKPT_QUANTIZE_BLOCK < end; b++) {
        make_block(q, b, &block);
        for (size_t i = 0; i < block.count; i++) {
            const uint64_t at = block.first + i;
            if (at < begin || at >= end)
                continue;
            codes->codes[at - begin] = block.codes[i];
            if ((at - begin) % group == 0)
                ((float *)codes->scales)[(at - begin) / group] = block.absmax;
        }
    }
    return OCLM_OK;
}

static oclm_status read_4bit_values(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, float *values)
{
    const ckpt_quantizer *q = tensor->quantized->source;
    const float          *table = core_storage_table(q->kind == CKPT_QUANTIZE_NF4 ? CORE_TABLE_NF4 : CORE_TABLE_FP4);
    const uint64_t        begin = first_row * q->columns, end = begin + rows * q->columns;
    block4                block;
    for (uint64_t b = begin / CKPT_QUANTIZE_BLOCK; b * CKPT_QUANTIZE_BLOCK < end; b++) {
        make_block(q, b, &block);
        for (size_t i = 0; i < block.count; i++) {
            if (block.first + i >= begin && block.first + i < end)
                values[block.first + i - begin] = table[block.codes[i]] * block.absmax;
        }
    }
    return OCLM_OK;
}

core_storage ckpt_quantize_storage(ckpt_quantize_kind kind, uint64_t columns)
{
    const uint16_t group = columns % 64 == 0 ? 64 : columns % 32 == 0 ? 32 : columns % 16 == 0 ? 16 : 0;
    if (kind == CKPT_QUANTIZE_INT8)
        return (core_storage){ .code = CORE_CODE_INT, .bits = 8, .scale = CORE_SCALE_F32, .group = CORE_WHOLE_ROW };
    if (group == 0)
        return core_storage_of(CORE_F32);
    return (core_storage){ .code = CORE_CODE_TABLE, .bits = 4, .scale = CORE_SCALE_F32, .group = group,
                           .table = kind == CKPT_QUANTIZE_NF4 ? CORE_TABLE_NF4 : CORE_TABLE_FP4 };
}

/* All absmax, there and back. */
static oclm_status nest(ckpt_quantizer *q)
{
    const size_t blocks = (size_t)((q->rows * q->columns + CKPT_QUANTIZE_BLOCK - 1) / CKPT_QUANTIZE_BLOCK);
    float       *absmax = core_alloc_array(blocks, sizeof *absmax, q->plain->name), offset;
    float       *nested = core_alloc_array(blocks / CKPT_QUANTIZE_NESTED_BLOCK + 1, sizeof *nested, q->plain->name);
    uint8_t     *codes = core_alloc_array(blocks, 1, q->plain->name);
    oclm_status  status = absmax != NULL && nested != NULL && codes != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    block4       block;
    for (size_t b = 0; b < blocks && status == OCLM_OK; b++) {
        make_block(q, b, &block);
        absmax[b] = block.absmax;
    }
    if (status == OCLM_OK) {
        ckpt_quantize_absmax(absmax, blocks, codes, nested, &offset);
        for (size_t b = 0; b < blocks; b++) {
            const volatile float product = ckpt_dynamic_map()[codes[b]] * nested[b / CKPT_QUANTIZE_NESTED_BLOCK]; /* rounded before the sum */
            absmax[b] = product + offset;
        }
        q->absmax = absmax;
        absmax = NULL;
    }
    core_free(absmax);
    core_free(nested);
    core_free(codes);
    return status;
}

oclm_status ckpt_quantizer_open(const ckpt_tensor *plain, bool transposed, ckpt_quantize_kind kind, bool nested, core_dtype through,
                                ckpt_quantizer *q)
{
    const uint64_t outer = plain->shape[transposed ? 1 : 0], inner = plain->shape[transposed ? 0 : 1];
    *q = (ckpt_quantizer){ .tensor = *plain, .plain = plain, .kind = kind, .nested = nested && kind != CKPT_QUANTIZE_INT8,
                           .transposed = transposed, .through = through, .rows = outer, .columns = inner };
    q->quantized = (ckpt_quantized){ .storage = ckpt_quantize_storage(kind, inner), .source = q, .bytes = plain->bytes };
    if (core_storage_is_float(&q->quantized.storage))
        q->quantized.read_values = read_4bit_values;
    else
        q->quantized.read = kind == CKPT_QUANTIZE_INT8 ? read_int8 : read_4bit;
    q->tensor.quantized = &q->quantized;
    q->tensor.shape[0] = outer;
    q->tensor.shape[1] = inner;
    return q->nested ? nest(q) : OCLM_OK;
}

void ckpt_quantizer_close(ckpt_quantizer *q)
{
    core_free(q->absmax);
    q->absmax = NULL;
}
