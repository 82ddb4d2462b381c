/* binding.h: which tensor of a checkpoint plays which role of an architecture. Reads names and shapes, no weights (but to
 * compare a head with the embedding it should be tied to). */
#ifndef OCLM_MODEL_BINDING_H
#define OCLM_MODEL_BINDING_H

#include "checkpoint/checkpoint.h"
#include "model/architecture.h"

typedef struct model_role_shape {
    uint32_t rows;    /* outputs of a matrix; elements of a vector */
    uint32_t columns; /* inputs of a matrix; 0: a vector */
    uint32_t pieces;  /* a vector that may also be stored as a matrix of so many rows, or as so many tensors; a matrix that is stored as so
                         many below each other, in one tensor of three dimensions or each in its own; 0: neither */
} model_role_shape;

/* Does the architecture normalise there, with a tensor of its own or without? `norm` is a role of a norm's weight. */
bool model_has_norm(const model_architecture *architecture, model_role norm);
/* Do projections lie between the embedding table and the layers? */
bool model_has_projections(const model_architecture *architecture);

/* Sizes of a layer's heads, and how many of keys and values; whether it puts keys and values of its own into the cache, and the layer
 * whose it reads. */
uint32_t model_head_dim(const model_architecture *architecture, uint32_t layer);
uint32_t model_kv_heads(const model_architecture *architecture, uint32_t layer);
bool     model_keeps_keys(const model_architecture *architecture, uint32_t layer);
uint32_t model_cache_layer(const model_architecture *architecture, uint32_t layer);
/* Numbers that attention's first product makes of a row: queries, gates, and those there are of keys and values. */
uint32_t model_qkv_width(const model_architecture *architecture, uint32_t layer);

/* Inner states of a layer's MLP; with experts in its place, of the shared one. */
uint32_t model_inner_width(const model_architecture *architecture, uint32_t layer);

/* Rows that meet in the convolution of a layer without attention. */
uint32_t model_mix_taps(const model_architecture *architecture, uint32_t layer);
/* Widths of what a layer without attention makes of a row, of the part that passes a convolution, and of its result. */
uint32_t model_mix_in_width(const model_architecture *architecture, uint32_t layer);
uint32_t model_mix_channels(const model_architecture *architecture, uint32_t layer);
uint32_t model_mix_out_width(const model_architecture *architecture, uint32_t layer);
/* The widest rows of any layer: of W_in, or queries, keys, values and gates; of what W_out reads. */
uint32_t model_widest_in(const model_architecture *architecture);
uint32_t model_widest_out(const model_architecture *architecture);

/* The roles of such a layer: part of what follows. */
model_role_shape model_mix_role_shape(const model_architecture *architecture, model_role role, uint32_t layer);

/* What a role's tensor must look like, as outputs by inputs whatever way it is stored. rows = 0: the architecture, or this layer, has
 * none. */
model_role_shape model_role_shape_of(const model_architecture *architecture, model_role role, uint32_t layer);

typedef struct model_bound {
    const ckpt_tensor *tensor; /* NULL: there is none */
    bool               transposed;
    uint32_t           pieces; /* tensors that make up the role */
} model_bound;

typedef struct model_binding {
    const model_family       *family;
    const model_architecture *architecture;
    const ckpt_checkpoint    *checkpoint;
    bool                      tied; /* one table serves as embedding and as head */
    uint64_t                  parameters;
    uint64_t                  bytes; /* of all bound tensors in the checkpoint */
} model_binding;

/* Checks every tensor's presence, shape and type against the architecture, before anything is allocated on a device: missing,
 * wrongly shaped and surplus tensors are told by name, all of one kind in one message (the first 8 and how many more);
 * surplus ones only warn in the log. `parameters` counts tied weights once.
 * Errors: OCLM_ERR_FORMAT, OCLM_ERR_UNSUPPORTED (a type that is no weight's), OCLM_ERR_MEMORY. */
oclm_status model_bind(const model_family *family, const model_architecture *architecture, const ckpt_checkpoint *checkpoint,
                       model_binding *binding);
/* The tensor of a role; `layer` counts for roles of layers only. After model_bind() it is there if the architecture has the
 * role and the family names it, and its shape and type are right. */
model_bound model_bound_tensor(const model_binding *binding, model_role role, uint32_t layer);
/* One tensor of a role that consists of several. */
model_bound model_bound_piece(const model_binding *binding, model_role role, uint32_t layer, uint32_t piece);

#endif
