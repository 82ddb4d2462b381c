/* attention.h: records attention over the paged cache: what becomes of queries, keys and values before (cl/head.h), the new keys and
 * values into the cache, and softmax(q K^T * scale) V for every row, over its own sequence's positions up to its own, or the last of them
 * that its window lets it see. cl/score.h tells what else may happen to scores.
 *
 * No square matrix is stored: keys are taken page by page with a running maximum and sum. Positions are cut into spans of
 * MODEL_SPAN; each span is summed on its own and the spans are joined in order, so that a row's bits do not depend on how many
 * rows are computed together, on chunking of the prompt, or on the device's group size. */
#ifndef OCLM_MODEL_ATTENTION_H
#define OCLM_MODEL_ATTENTION_H

#include "model/cache.h"

#define MODEL_SPAN 512u

typedef struct model_attention_shape {
    uint32_t heads, kv_heads, head_dim;
    float    scale;
    uint32_t rotary_dims;      /* 0: no rotation */
    bool     rotary_interleaved;
    /* All zero: none of it. */
    uint32_t window;           /* positions that a row sees, itself included; 0: all */
    bool     chunked;          /* positions lie in chunks of `window`, and a row sees those of its own up to itself */
    float    softcap;
    bool     sinks;
    bool     alibi, alibi_rounded; /* `rounded`: MODEL_ALIBI_FALCON */
    float    clip;             /* of queries, keys and values */
    bool     clip_late;        /* after the norm; before it only where there is none */
    model_qk_norm qk_norm;
    dev_norm_kind qk_norm_kind;
    float    qk_eps;
    bool     qk_norm_late;     /* after rotation: HEAD or HEADS, RMS or RMS1P */
    bool     quantized;        /* the cache holds 8-bit integers */
    bool     value_norm;       /* of each head's values, RMS with qk_eps; without clip */
    bool     values_are_keys;  /* there is no place for values in qkv */
    bool     queries_only;     /* nor for keys: `layer` is one whose keys and values lie in the cache already */
    uint32_t query_length;     /* queries grow every so many positions; 0: they do not */
} model_attention_shape;

#define MODEL_ATTENTION_OPTIONS 512u /* bytes of text that kernels with attention inside are built with, at most */

/* A tile: neighbouring rows of one sequence that are computed together. On the device as uint4 (first row, rows, 0, 0). */

/* Two shapes of the same kernels, equal in their bits. */
typedef enum model_attention_kernels {
    MODEL_ATTENTION_AUTO,  /* what suits the device */
    MODEL_ATTENTION_CORES, /* a work-item runs vector code */
    MODEL_ATTENTION_LANES  /* a work-item is a lane */
} model_attention_kernels;

typedef struct model_attention {
    model_attention_shape shape;
    const model_cache    *cache;
    uint32_t              layer;
    uint32_t              rows;       /* of this forward pass */
    const dev_buffer     *positions;  /* int32 [rows]: where each row stands in its sequence */
    const dev_buffer     *sequences;  /* int32 [rows]: which row of the page table */
    const dev_buffer     *tiles;      /* uint4 [tile_count]; every row is in exactly one tile; a tile's rows are of one
                                         sequence, at consecutive positions */
    uint32_t              tile_count;
    bool                  single_rows; /* every row is of another sequence */
    uint32_t              tile_rows;  /* most rows in a tile: 1, or model_attention_tile_rows() */
    const dev_buffer     *cos_table, *sin_table; /* float32 [positions][rotary_dims / 2]; of all sequences */
    /* Where the shape asks for them; else NULL. */
    const dev_buffer     *slopes;     /* float32 [heads]: ALiBi (model_alibi_slopes) */
    const dev_buffer     *sinks;      /* float32 [heads] */
    const dev_buffer     *growth;     /* float32 [positions / query_length]: what queries are multiplied with */
    const dev_norm       *q_norm, *k_norm; /* weight, bias; kind and eps are the shape's */
    uint32_t              length_bound; /* no row's position is >= this: decides how many spans are launched */
    const dev_buffer     *qkv;        /* float32 [rows][qkv_stride]: queries of all heads, keys, values, as far as there are any. Rotated in
                                         place */
    uint32_t              qkv_stride;
    const dev_buffer     *out;        /* float32 [rows][out_stride], heads * head_dim */
    uint32_t              out_stride;
    const dev_buffer     *partial;    /* float32, model_attention_partial_floats() */
    model_attention_kernels kernels;
} model_attention;

/* Rows per tile that suit this device when there are many rows (a power of two, 1 to 64). */
uint32_t    model_attention_tile_rows(dev_device *device, const model_attention_shape *shape);
/* Floats of `partial` that a pass of at most `rows` rows and `length_bound` positions may want; at least 1. */
size_t      model_attention_partial_floats(const model_attention_shape *shape, uint32_t rows, uint32_t length_bound);
/* In how many spans the kernels take a pass's positions; 1: each row takes all in turn. */
uint32_t    model_attention_spans(uint32_t rows, uint32_t length_bound);
/* What kernels with attention inside are built with, for rows each of another sequence (cl/attention_tile.h). */
void        model_attention_row_options(const dev_device *device, const model_attention_shape *shape,
                                        char options[MODEL_ATTENTION_OPTIONS]);
/* What kernels take for a window. */
uint32_t    model_attention_window(const model_attention_shape *shape);
/* How steeply each head's scores fall with distance: float32 [heads]. */
void        model_alibi_slopes(model_alibi kind, uint32_t heads, float *slopes);
/* What queries are multiplied with at positions i * query_length .. (i + 1) * query_length - 1: float32 [count]. */
void        model_query_growth(double beta, uint32_t count, float *growth);
oclm_status model_attention_add(dev_work *work, const model_attention *attention);

#endif
