/* matmul.h: y = x * W^T, one question, whoever serves it.
 *
 * The forward pass records what it wants; which kernel serves it is decided here, by the shape, the storage type, and what was
 * found out about the device: a provider is checked against double precision before its first use, and the fastest is
 * found by measuring once (provider.h).
 *
 * Every built-in kernel sums in the same order: inputs are cut into chunks of DEV_SUM_CHUNK, each summed from its first to its
 * last element, and the chunks' sums are added in order. So the bits of a result do not depend on the device's kernel
 * shape, on work-group size, or on how many rows are computed together. CLBlast has an order of its own. */
#ifndef OCLM_DEVICE_MATMUL_H
#define OCLM_DEVICE_MATMUL_H

#include "device/launch.h"
#include "device/matrix.h"

#define DEV_SUM_CHUNK 64u

/* Device memory that recording a product may borrow for a self-check: plans leave that much. */
#define DEV_SELF_CHECK_BYTES ((uint64_t)256 << 10)

typedef enum dev_activation {
    DEV_ACT_NONE, DEV_ACT_SILU, DEV_ACT_GELU /* erf */, DEV_ACT_GELU_TANH, DEV_ACT_RELU, DEV_ACT_QUICK_GELU, DEV_ACT_RELU2,
    DEV_ACT_SIGMOID, DEV_ACT_TANH,
    DEV_ACT_CLAMPED_SWIGLU /* of gate and up together, for DEV_GATED (cl/activation.h) */
} dev_activation;

typedef enum dev_norm_kind { DEV_NORM_NONE, DEV_NORM_RMS, DEV_NORM_RMS1P /* weight + 1 */, DEV_NORM_LAYER } dev_norm_kind;

/* A normalisation of each row of x. weight and bias are float32 [columns]; bias only for LAYER; either may be empty (1 and 0). */
typedef struct dev_norm {
    dev_norm_kind kind;
    dev_buffer    weight, bias; /* borrowed */
    float         eps;
} dev_norm;

typedef enum dev_epilogue {
    DEV_STORE,     /* y = act(x W^T + bias) */
    DEV_ADD,       /* y += add_scale * (x W^T + bias): the residual */
    DEV_GATED      /* W holds gate and up panels side by side (2 * n rows): y[n] = act(gate) * up, bias likewise laid out */
} dev_epilogue;

/* What the products beside this one ask for. A kernel built for all of them serves this one too: a driver for CPUs takes a second to
 * compile each. All zero: a kernel for this product alone. */
typedef struct dev_siblings {
    dev_norm_kind  norm;
    bool           gated;
    dev_activation activation;
} dev_siblings;

typedef struct dev_matmul {
    const dev_matrix *weight;
    const dev_buffer *x;       /* float32 [rows][x_stride], from element x_offset on */
    uint64_t          x_offset;
    uint32_t          x_stride; /* >= columns */
    const dev_buffer *y;       /* float32 [rows][y_stride]; not x */
    uint64_t          y_offset;
    uint32_t          y_stride; /* >= rows of the weight rounded up to 32 (DEV_GATED: half of that): padding is written as zero */
    uint32_t          rows;    /* of x and y, > 0 */
    const dev_buffer *bias;    /* float32 [rows of the weight rounded up to 32], zero padded; NULL: none */
    dev_norm          norm;    /* of x, before the product; DEV_NORM_NONE: x as it is */
    const dev_buffer *scratch; /* float32, dev_matmul_scratch() of them, for rows normalised or in the weight's order, sums of x and what a
                                  library may want; not shared with x or y */
    size_t            scratch_floats, scratch_taken; /* the first so many hold x already; behind them, unless it is 0: [spans][sums_stride], */
    uint32_t          sums_stride;                   /* the sums of x over spans (span_sums.cl). Set by matmul.c, like scratch_taken */
    dev_epilogue      epilogue;
    dev_activation    activation; /* for DEV_STORE and DEV_GATED */
    float             add_scale;  /* for DEV_ADD; 0: 1 */
    dev_siblings      siblings;
} dev_matmul;

/* What kernels are told: 0: y = .., else y += so much of it. */
static inline float dev_matmul_add_scale(const dev_matmul *m)
{
    return m->epilogue != DEV_ADD ? 0.0f : m->add_scale != 0.0f ? m->add_scale : 1.0f;
}

/* Floats of scratch that a matmul of this shape, and of fewer rows, may want. */
size_t      dev_matmul_scratch(dev_device *device, const dev_matrix *weight, uint32_t rows, dev_norm_kind norm, dev_epilogue epilogue);
/* Records the product. Who serves it is known from an earlier time, or checked and measured now, on the device's own queue. */
oclm_status dev_matmul_add(dev_work *work, const dev_matmul *matmul);
/* How a product's vector code is shaped, for kernels that have products inside (cl/matmul_unit.h). */
#define DEV_TILE_OPTIONS (DEV_STORAGE_OPTIONS + 96u)
typedef struct dev_tile {
    uint32_t rows, cols;                /* of x, and outputs, that a piece takes */
    char     options[DEV_TILE_OPTIONS]; /* what it is built with, storage type included, without an activation */
} dev_tile;

/* Is the product served by a kernel of matmul.cl, with all its rows in one tile, and has its weight one part? Then sets `tile`.
 * Errors: as dev_matmul_add(), for the provider is chosen. */
oclm_status dev_matmul_tile(dev_device *device, const dev_matmul *matmul, dev_tile *tile, bool *is_tile);
/* Lets CLBlast take part in products of many rows with weights of a storage, if it is right and faster here: measured once, which
 * takes seconds because CLBlast compiles for so long, and remembered on disk. To be called before scratch is planned. Does
 * nothing where dev_matmul_choice() is not AUTO. Errors: OCLM_ERR_MEMORY. */
oclm_status dev_matmul_tune(dev_device *device, const core_storage *storage);

/* Records a normalisation alone: y = norm(x), rows of `columns`. x and y must not overlap. */
oclm_status dev_norm_add(dev_work *work, const dev_norm *norm, const dev_buffer *x, uint64_t x_offset, uint32_t x_stride,
                         const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns);
/* Records y[i] = norm(x)[order[i]], or, of kind DEV_NORM_NONE, x[order[i]]. `order`: uint32 [columns], each below `columns`. */
oclm_status dev_norm_ordered(dev_work *work, const dev_norm *norm, const dev_buffer *order, const dev_buffer *x, uint64_t x_offset, uint32_t x_stride,
                             const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns);
/* Records y = norm(y). */
oclm_status dev_norm_in_place(dev_work *work, const dev_norm *norm, const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows,
                              uint32_t columns);
/* Records y = keep * (y + scale * norm(x)): what a branch adds to the residual, with a `keep` of 1. x and y must not overlap. */
oclm_status dev_norm_residual(dev_work *work, const dev_norm *norm, const dev_buffer *x, uint32_t x_stride, float scale, float keep,
                              const dev_buffer *y, uint64_t y_offset, uint32_t y_stride, uint32_t rows, uint32_t columns);

/* Records a gather of a matrix's rows, any storage type: y[i] = scale * W[ids[i]] for i < count (the embedding). An id outside the
 * matrix reads row 0. `add`: y[i] += instead. */
oclm_status dev_rows_add(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, uint32_t ids_offset, uint32_t count,
                         float scale, bool add, const dev_buffer *y, uint32_t y_stride);
/* y[i] = scale * W[ids[i]] + M[more_ids[i]]: an embedding with its positions, in one launch where both matrices are stored
 * alike and the scale is 1. */
oclm_status dev_rows_add_both(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, float scale, const dev_matrix *more,
                              const dev_buffer *more_ids, uint32_t count, const dev_buffer *y, uint32_t y_stride);

#endif
