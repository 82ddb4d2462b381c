/* provider.h: who serves a product. A provider is a row of a table: what it is called, which products suit it, and how it
 * records one. provider.c lists the tables and chooses; no other room includes this.
 *
 * A new one is a file with its rows here and in provider.c's list. */
#ifndef OCLM_DEVICE_PROVIDER_H
#define OCLM_DEVICE_PROVIDER_H

#include "device/matmul.h"

typedef struct dev_provider dev_provider;
struct dev_provider {
    const char *name; /* of its own, such as "tile 6x16x8": for the log, messages, and what is remembered on disk */
    /* Does it run here, and is the product of a shape that it is made for? Not: is it the fastest. */
    bool (*suits)(const dev_provider *self, const dev_device *device, const dev_matmul *matmul);
    /* Can it take the norm along? Otherwise the rows come normalised. */
    bool (*takes_norm)(const dev_provider *self, const dev_device *device, const dev_matmul *matmul);
    /* Records the product; matmul->norm is DEV_NORM_NONE where takes_norm() was false. */
    oclm_status (*add)(const dev_provider *self, dev_work *work, const dev_matmul *matmul);
    /* For the kernels of matmul.cl and matmul_lanes.cl: outputs and rows of a work-item, most rows of a product. Of the rows of a
     * table, which share add(), those made for the fewest rows that suffice take part. */
    uint32_t rows, cols, vec, most_rows;
    /* Of a library: floats of dev_matmul's scratch that it wants for products of up to so many rows, 0 where it serves none of
     * them. NULL: a kernel of ours, which wants none. A library takes part where it is forced or dev_matmul_tune() found it to be
     * the fastest, and is checked with a large matrix besides a small one, for which libraries have kernels of their own. */
    size_t (*scratch)(const dev_provider *self, dev_device *device, const dev_matrix *weight, uint32_t rows);
    /* Does it want the sums of x over spans, which minima of codes are multiplied by, computed before the product? NULL: never. */
    bool (*wants_sums)(const dev_provider *self, const dev_matmul *matmul);
};

/* matmul_tile.c: made for devices whose work-items run vector code, works on all. Ordered: the first that suits is the default. */
extern const dev_provider dev_tile_providers[];
extern const size_t       dev_tile_provider_count;
/* matmul_lanes.c: made for devices whose work-items are lanes, and only there suits() says so; add() works on all whose groups are
 * large enough. Ordered likewise. */
extern const dev_provider dev_lanes_providers[];
extern const size_t       dev_lanes_provider_count;
/* " -DHAS_FP16" for kernels of lanes where part of such weights is float16 and the device converts that itself, else "". */
const char *dev_lanes_fp16(const dev_device *device, const core_storage *storage);
/* clblast.c */
extern const dev_provider dev_clblast_provider;

#define DEV_MAX_PROVIDERS 32u

/* A list of providers: all there are, or what a test puts together. */
typedef struct dev_providers {
    const dev_provider *list[DEV_MAX_PROVIDERS];
    size_t              count;
} dev_providers;

void dev_providers_all(dev_providers *all);
/* The provider of that name, or NULL: for tests, which call its add() themselves. */
const dev_provider *dev_provider_find(const char *name);

/* The fastest provider of the list that computes this product rightly on this device. What is not known yet is measured
 * (tuning.h) and checked (self_check.h) now, on the device's own queue.
 * Errors: OCLM_ERR_DEVICE where each fails its check; OCLM_ERR_INTERNAL where none suits; OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_MEMORY. */
oclm_status dev_provider_choose(dev_device *device, const dev_providers *providers, const dev_matmul *matmul,
                                const dev_provider **chosen);
/* Floats of scratch that the one chosen for up to matmul->rows rows may want, with matmul's weight, norm and epilogue. */
size_t      dev_provider_scratch(dev_device *device, const dev_providers *providers, const dev_matmul *matmul);
/* Floats of scratch that prepared rows take, where a norm goes first or the weight is ordered; what follows may be a buffer of its own (matmul.c). */
size_t      dev_norm_floats(const dev_device *device, const dev_matmul *matmul);
/* Records the product by this one, with the norm in front where it does not take that along, and the sums that it wants (matmul.c). */
oclm_status dev_matmul_add_by(dev_work *work, const dev_provider *provider, const dev_matmul *matmul);
/* dev_matmul_tune() with a list. */
oclm_status dev_provider_tune(dev_device *device, const dev_providers *providers, const core_storage *storage);

#endif
