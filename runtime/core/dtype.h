/* dtype.h: the number types of weights: names, sizes, conversions. In core because checkpoints and devices both speak of them. */
#ifndef OCLM_CORE_DTYPE_H
#define OCLM_CORE_DTYPE_H

#include "core/status.h"

/* The first three are what weights are stored in on a device; the rest occur in checkpoints. */
typedef enum core_dtype {
    CORE_F32, CORE_F16, CORE_BF16, CORE_F64, CORE_I64, CORE_I32, CORE_I16, CORE_I8, CORE_U8, CORE_BOOL, CORE_F8_E4M3,
    CORE_F8_E5M2, CORE_U16, CORE_U32, CORE_U64, CORE_F8_E8M0, CORE_DTYPE_COUNT
} core_dtype;

size_t      core_dtype_size(core_dtype dtype);                     /* bytes of one element */
const char *core_dtype_name(core_dtype dtype);                     /* as safetensors writes it: "BF16" */
bool        core_dtype_from_name(const char *name, core_dtype *dtype); /* safetensors' names */
const char *core_dtype_long_name(oclm_dtype dtype);                /* "bfloat16"; "auto" */
bool        core_dtype_from_long_name(const char *name, oclm_dtype *dtype); /* also "torch.bfloat16" */
oclm_dtype  core_dtype_public(core_dtype dtype);                   /* AUTO for a type that is none of the public ones */

/* Bit-exact conversions, round to nearest even. */
float    core_f16_to_f32(uint16_t half);
float    core_bf16_to_f32(uint16_t bits);
float    core_e8m0_to_f32(uint8_t exponent); /* 2^(exponent - 127); 255, which stands for NaN, becomes infinite */
uint16_t core_f32_to_f16(float value);
uint16_t core_f32_to_bf16(float value);
/* Any of F32, F16, BF16 to float32. */
void     core_dtype_to_f32(core_dtype dtype, const void *from, float *to, size_t count);

#endif
