/* provider.h: who serves a product. A provider is a row of a table: what it is called, which products suit it, and how it
 * records one. matmul.c asks the first that suits; which that is, tuning and self-checks decide. No other room includes this.
 *
 * A new one is a file with its row here and in matmul.c's table. */
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
    /* For the kernels of matmul.cl and matmul_lanes.cl: outputs and rows of a work-item, most rows of a product. */
    uint32_t rows, cols, vec, most_rows;
};

/* matmul_tile.c: made for devices whose work-items run vector code, works on all. Ordered: the first that suits is the default. */
extern const dev_provider dev_tile_providers[];
extern const size_t       dev_tile_provider_count;

/* matmul_lanes.c: made for devices whose work-items are lanes, and only there suits() says so; add() works on all whose groups are
 * large enough. Ordered likewise. */
extern const dev_provider dev_lanes_providers[];
extern const size_t       dev_lanes_provider_count;

/* The provider of that name, or NULL: for tests, which call its add() themselves. */
const dev_provider *dev_provider_find(const char *name);

#endif
