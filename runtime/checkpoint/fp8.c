/* fp8.c: weights in float8_e4m3fn with scales for all of a weight or for blocks of it (128 by 128), as DeepSeek's and Qwen's: P.weight, and
 * P.weight_scale_inv, which in spite of its name multiplies. Scales may be powers of two (ue8m0: a byte, the exponent + 127). What activations
 * are quantised to while computing is of no matter to the weights. Source: transformers' finegrained_fp8.py. */
#include <string.h>

#include "checkpoint/quantized.h"

static oclm_status check(ckpt_replacing *q)
{
    uint64_t    rows = 0, columns = 0;
    const char *kind = NULL;
    oclm_status status;
    if ((status = core_json_get_string(q->config, "fmt", q->origin, &kind)) != OCLM_OK)
        return status;
    if (kind != NULL && strcmp(kind, "e4m3") != 0 && strcmp(kind, "float8_e4m3fn") != 0)
        return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "\"fmt\" is \"%.60s\", not e4m3", kind);
    return ckpt_read_block(q, q->config, "weight_block_size", &rows, &columns);
}

/* The scale goes by several names. */
static oclm_status find_scales(ckpt_replacing *q, const ckpt_tensor *tensor, const ckpt_tensor **scales)
{
    static const char *const names[] = { ".weight_scale", ".scale", ".qscale_weight" };
    size_t stem = 0;
    *scales = ckpt_part(q, tensor->name, strlen(tensor->name), "_scale_inv");
    if (ckpt_stem(tensor->name, ".weight", &stem)) {
        for (size_t i = 0; i < COUNT(names) && *scales == NULL; i++)
            *scales = ckpt_part(q, tensor->name, stem, names[i]);
        (void)ckpt_part(q, tensor->name, stem, ".activation_scale"); /* of what is multiplied, not of the weight */
        (void)ckpt_part(q, tensor->name, stem, ".input_scale");
    }
    return *scales != NULL ? OCLM_OK : ckpt_need_part(q, tensor, strlen(tensor->name), "_scale_inv", scales);
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    ckpt_source s = { .codes = tensor, .code = CORE_CODE_E4M3, .bits = 8, .unpack = ckpt_unpack_bytes, .scale = ckpt_scale_at };
    uint64_t    block_rows = 0, block_columns = 0;
    oclm_status status;
    if (tensor->dtype == CORE_F8_E5M2)
        return ckpt_fail_tensor(q, OCLM_ERR_UNSUPPORTED, tensor, "is F8_E5M2; of 8-bit floats only F8_E4M3 is supported");
    if (tensor->dtype != CORE_F8_E4M3 || tensor->dims < 2)
        return OCLM_OK;
    if (tensor->dims > 3)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "has more than three dimensions");
    if ((status = find_scales(q, tensor, &s.scales)) != OCLM_OK ||
        (status = ckpt_read_block(q, q->config, "weight_block_size", &block_rows, &block_columns)) != OCLM_OK)
        return status;
    if (s.scales->dtype > CORE_BF16 && s.scales->dtype != CORE_U8 && s.scales->dtype != CORE_F8_E8M0)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, s.scales, "is of dtype %s; scales are F32, F16, BF16, or U8 and F8_E8M0: exponents",
                                core_dtype_name(s.scales->dtype));
    if ((status = ckpt_find_grid(q, &s, tensor->dims, tensor->shape, block_rows, block_columns)) != OCLM_OK)
        return status;
    (void)ckpt_part(q, tensor->name, strlen(tensor->name), "");
    return ckpt_add_module(q, &s, tensor->name, strlen(tensor->name), "", CORE_BF16, tensor->dims, tensor->shape);
}

const ckpt_method ckpt_fp8 = { "fp8", check, visit };
