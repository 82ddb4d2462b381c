// attention_data.h: where the data of attention lies: attention_tile.h, and whoever calls it
//
// Build     -DTURNS=0|1 (attention_tile.h) -DQUANTIZED=0|1 (kept.h)
#ifndef OCLM_ATTENTION_DATA_H
#define OCLM_ATTENTION_DATA_H

#ifndef TURNS
#define TURNS 0
#endif
#ifndef QUANTIZED
#define QUANTIZED 0
#endif

#if QUANTIZED
typedef char kept;
#else
typedef float kept;
#endif

#if TURNS
#define CACHE __global kept *
#else
#define CACHE const __global kept *
#endif

// What all rows share: the rotary tables, and the norms' factors where there are any.
typedef struct head_tables {
    const __global float *cosines, *sines; // fp32 [positions][ROTARY_DIMS / 2]
    const __global float *growth;          // fp32 [positions / QUERY_LENGTH]
    const __global float *q_norm_w, *q_norm_b, *k_norm_w, *k_norm_b;
} head_tables;

typedef struct attention_data {
    const __global float *qkv;
    CACHE keys;
    CACHE values;
    const __global int *table, *positions, *sequences;
    uint qkv_stride, pages_per_sequence;
    float scale;
    uint window;
    const __global float *slopes, *sinks; // fp32 [HEADS]; only with ALIBI, with SINKS
    head_tables tables;                   // only with TURNS
} attention_data;

#endif
