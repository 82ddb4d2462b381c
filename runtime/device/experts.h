/* experts.h: mixtures of experts: which experts each row chooses, products of each row with the weights of those, and what they
 * make, joined. All of it happens on the device; only the weights of chosen experts are read.
 *
 * A slot is one choice of one row. Slots are sorted by expert and cut into tiles of one expert each, so that an expert's weights are
 * read once for all rows of a tile, one row or hundreds. The order of every sum is fixed (matmul.h), what a row's experts made is
 * added in ascending order of their ids: the bits of a row do not depend on the rows beside it. */
#ifndef OCLM_DEVICE_EXPERTS_H
#define OCLM_DEVICE_EXPERTS_H

#include "device/matmul.h"

#define DEV_MAX_EXPERTS 1024u /* of a layer: their scores lie in local memory, of which every device has 32 KiB */

/* How experts are scored by the router's logits, as numbered in cl/moe_route.cl. */
typedef enum dev_router {
    DEV_ROUTER_SOFTMAX, /* softmax over all */
    DEV_ROUTER_TOP,     /* the logits; what the chosen count is a softmax over them alone */
    DEV_ROUTER_SIGMOID
} dev_router;

typedef struct dev_routing {
    dev_router router;
    uint32_t   count, chosen;         /* experts, and how many a row has, <= count <= DEV_MAX_EXPERTS */
    uint32_t   groups, groups_chosen; /* 0 or 1 groups: none. Else only experts of the best groups can be chosen; groups divides count, and
                                         the chosen groups have `chosen` experts or more */
    bool       group_sum;             /* a group is as good as its two best experts together; false: as its best */
    bool       normalised;            /* what the chosen count is divided by its sum + eps */
    float      eps, scale;            /* and multiplied by scale */
} dev_routing;

/* What became of a choice: on the device, made by dev_routes_new() for up to `rows` rows. */
typedef struct dev_routes {
    dev_buffer ids, weights;     /* [rows][chosen] uint32, float32 */
    dev_buffer row_of, place_of; /* uint32 [rows * chosen]: cl/moe_sort.cl */
    dev_buffer tiles;            /* uint32 [rows * chosen][4] */
    uint32_t   chosen, rows;
    bool       lanes; /* served by kernels whose work-items are lanes; by default where the device's are (dev_traits). Bits are the same */
} dev_routes;

oclm_status dev_routes_new(dev_device *device, const dev_routing *routing, uint32_t rows, dev_routes *routes);
void        dev_routes_free(dev_device *device, dev_routes *routes);
uint64_t    dev_routes_bytes(const dev_routing *routing, uint64_t rows);

/* How routing and a clamped SwiGLU are built (cl/moe_route.h, cl/activation.h). */
#define DEV_ROUTING_OPTIONS 64u
#define DEV_GATE_OPTIONS    64u
void dev_routing_options(const dev_routing *routing, char options[DEV_ROUTING_OPTIONS]);
void dev_gate_options(dev_activation activation, float alpha, float limit, char options[DEV_GATE_OPTIONS]);

/* Slots of a tile, at most, and how many tiles there may be, for so many rows. */
typedef struct dev_expert_tiles {
    uint32_t rows, count;
} dev_expert_tiles;
dev_expert_tiles dev_expert_tiles_for(const dev_device *device, const dev_routing *routing, const dev_routes *routes, uint32_t rows);

/* Records the choice of experts, and sorts it.
 *   logits      float32 [rows][stride], the router's
 *   correction  float32 [count], added where experts are compared and not in what they count; NULL: none
 *   counts      float32 [count], times which what an expert counts, at last; NULL: 1 */
oclm_status dev_route_add(dev_work *work, const dev_routing *routing, const dev_buffer *logits, uint32_t stride, const dev_buffer *correction,
                          const dev_buffer *counts, uint32_t rows, const dev_routes *routes);

typedef struct dev_expert_matmul {
    const dev_matrix *weight;    /* of all experts, one below the other, each padded to whole panels */
    uint32_t          panels;    /* of each expert */
    const dev_buffer *bias;      /* float32 [experts][panels * 32]; NULL: none */
    const dev_buffer *x;         /* float32, x_stride apart: rows, or with x_is_slots sorted slots */
    uint32_t          x_stride;
    bool              x_is_slots;
    const dev_buffer *y;         /* float32 [sorted slots][y_stride]; padding is written as zero */
    uint32_t          y_stride;
    dev_epilogue      epilogue;  /* DEV_STORE or DEV_GATED, as in dev_matmul */
    dev_activation    activation;
    float             gate_alpha, gate_limit; /* for DEV_ACT_CLAMPED_SWIGLU */
    uint32_t          rows;      /* as they were routed */
} dev_expert_matmul;

/* Records the product of every slot with the weights of its expert. */
oclm_status dev_expert_matmul_add(dev_work *work, const dev_routing *routing, const dev_routes *routes, const dev_expert_matmul *matmul);

/* y[row] += scale * (the sum over the row's experts of weight * x[its slot] + shared[row] * sigmoid(shared_gate[row][0])). */
typedef struct dev_expert_join {
    const dev_buffer *x;           /* float32 [sorted slots][stride] */
    uint32_t          stride;      /* a multiple of 16 */
    const dev_buffer *shared;      /* float32 [rows][stride]; NULL: none */
    const dev_buffer *shared_gate; /* float32 [rows][gate_stride]; NULL: 1 instead of the sigmoid */
    uint32_t          gate_stride;
    float             scale;
    const dev_buffer *y;           /* float32 [rows][y_stride], from element y_offset on */
    uint64_t          y_offset;
    uint32_t          y_stride;    /* >= stride */
    bool              store;       /* y = instead of y += */
    uint32_t          rows;
} dev_expert_join;

oclm_status dev_expert_join_add(dev_work *work, const dev_routes *routes, const dev_expert_join *join);

#endif
