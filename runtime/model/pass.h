/* pass.h: records one forward pass for a shape of batch. Inside the model room; see forward.h for how passes are used. */
#ifndef OCLM_MODEL_PASS_H
#define OCLM_MODEL_PASS_H

#include "model/relay.h"

typedef struct model_pass_shape {
    uint32_t rows;         /* of state->ids, positions and sequences */
    uint32_t tile_count;   /* of state->tiles */
    uint32_t tile_rows;
    bool     single_rows;  /* every row is of another sequence */
    uint32_t length_bound; /* no position reaches it */
    uint32_t logit_rows;   /* 0: no logits */
    bool     decoding;     /* ids and positions are on the main device: it tells the others */
    bool     gather;       /* logits of the rows in state->logit_rows; false: of the last `logit_rows` */
} model_pass_shape;

/* What comes between the products of a layer, where model_residual asks for a norm that no product takes along. */
typedef enum model_between {
    MODEL_BETWEEN_NOTHING,
    MODEL_BETWEEN_ADDED,   /* output and down go to state->branch, whose norm is added to the residual stream */
    MODEL_BETWEEN_AFTER,   /* behind output and down the stream becomes its norm */
    MODEL_BETWEEN_BEFORE   /* before qkv and up it does */
} model_between;

model_between model_between_of(const model_architecture *architecture);
/* Does the MLP read the stream as attention does, before anything was added? Then up comes before output. */
bool          model_is_parallel(const model_architecture *architecture);

/* The four products of a layer, all rows of a pass. */
typedef struct model_layer_products {
    dev_matmul qkv, output, up, down;
} model_layer_products;

model_layer_products model_pass_products(const model_state *state, uint32_t rows, uint32_t layer);
model_attention      model_pass_attention(const model_state *state, const model_pass_shape *shape, uint32_t layer);

/* Adds layers from `first` on, of `count`, in few launches of cl/decode_layers.cl, with the same bits as one by one, where the device and the
 * shape of the pass allow that: `added` says how many (layers.c). */
oclm_status model_layers_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t count, uint32_t *added);

/* Latent attention: what comes before attention in place of its product, what comes behind it, and floats of scratch (latent.c). */
typedef struct model_latent_products {
    dev_matmul rows, queries, heads; /* the latent rows; then queries and the keys and values of heads */
} model_latent_products;
model_latent_products model_latent_products_of(const model_state *state, uint32_t rows, uint32_t layer);
oclm_status model_latent_add_before(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer);
oclm_status model_latent_add_after(const model_state *state, dev_work *work, uint32_t rows);
size_t      model_latent_scratch(const model_model *model, uint32_t layer, uint32_t rows);

#define MODEL_MIXER_OPTIONS 64u
/* What a layer without attention does between its products, and the gate on what attention made, where there is one (mixer.c). */
void        model_mixer_options(const model_architecture *architecture, uint32_t layer, char options[MODEL_MIXER_OPTIONS]); /* cl/layer_mixer.h */
uint32_t    model_delta_share(const model_delta_net *net); /* `share` of cl/delta_net.cl; 1 where there is no net */
oclm_status model_mixer_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer);
oclm_status model_attention_gate_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer);

/* What a pass is made of, recorded: what comes before the layers (embedding.c), a layer as launches of its steps (layer.c), what comes behind
 * them (head.c). */
oclm_status model_embedding_add(const model_state *state, dev_work *work, uint32_t rows, bool logits);
oclm_status model_layer_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t layer);
oclm_status model_head_add(const model_state *state, dev_work *work, const model_pass_shape *shape);

/* The matrix that makes logits. */
static inline const dev_matrix *model_head_of(const model_weights *weights)
{
    return weights->head.part_count > 0 ? &weights->head : &weights->embedding;
}
static inline const dev_buffer *model_optional(const dev_buffer *buffer) { return buffer->memory != NULL ? buffer : NULL; }

/* A product of all rows, as far as every product of a pass is alike; `bias` may be NULL or empty. */
dev_matmul  model_product(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_buffer *bias);
/* A scale of an embedding table, rounded as the architecture says. */
float       model_rounded_scale(const model_state *state, float scale);

/* What layers are told of their rows' tokens once more: for all of them, behind the embedding; and for one, behind its MLP (layer_input.c).
 * Nothing where there is none. */
typedef struct model_input_products {
    dev_matmul gate, out; /* of a layer */
} model_input_products;
model_input_products model_input_products_of(const model_state *state, uint32_t rows, uint32_t layer);
oclm_status model_layer_input_begin(const model_state *state, dev_work *work, uint32_t rows, bool logits /* of the pass */);
oclm_status model_layer_input_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer);

/* Adds the mixture of experts of a layer that has one, all rows of a pass (experts.c). */
typedef struct model_expert_products {
    dev_matmul        router, shared_up, shared_down, shared_gate; /* of rows that are normalised already */
    dev_expert_matmul up, down;
} model_expert_products;
model_expert_products model_expert_products_of(const model_state *state, uint32_t rows, uint32_t layer);
oclm_status model_experts_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t layer);

/* Adds all launches of a pass to the main device's list: embedding, layers, final norm and head, wherever they are computed. */
oclm_status model_pass_record(model_relay_writer *writer, const model_pass_shape *shape);

/* The rotary positions of a layer; NULL: its queries and keys are not turned. */
const model_rope *model_rope_of(const model_architecture *architecture, uint32_t layer);
/* Numbers of the table of growing queries for so many positions; 0: they do not grow. */
uint32_t    model_growth_count(const model_architecture *architecture, uint32_t positions);
/* Makes the tables of rotary positions for a prompt of this length, on all devices (state.c). */
oclm_status model_state_turn(model_state *state, uint32_t prompt);
/* Frees the recorded passes of model_forward() (forward.c). */
void        model_passes_free(model_state *state);

/* Floats of scratch on a device that passes of up to `rows`, with logits of up to `logit_rows`, may want. */
size_t model_pass_scratch(const model_model *model, uint32_t device, uint32_t rows, uint32_t logit_rows);
model_attention_shape model_pass_attention_shape(const model_architecture *architecture, uint32_t layer);

#endif
