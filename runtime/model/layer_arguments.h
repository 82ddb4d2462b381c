/* layer_arguments.h: what a launch of cl/decode_layers.cl is given, for layers.c. */
#ifndef OCLM_MODEL_LAYER_ARGUMENTS_H
#define OCLM_MODEL_LAYER_ARGUMENTS_H

#include "core/text.h"
#include "model/layer_products.h"

#define MODEL_LAUNCH_LAYERS 6u /* of a launch at most, as in the kernel */

/* Layers alike, but for their weights and caches, that share launches. */
typedef struct model_layer_plan {
    const model_state *state;
    uint32_t           first, count;
    uint32_t           rows;
    model_mixer        mixer;     /* all of them have */
    bool               latent, experts;
    bool               biases;    /* of products or norms, any of them */
    model_products     products;  /* of the first */
    model_attention    attention; /* of the first that turns, if any does */
    dev_tile           tile;
    uint32_t           block;     /* rows that a tile takes, all but the last */
    uint32_t           cores, spans;
    uint32_t           launch_layers; /* layers of a launch */
    bool               may_stand; /* some layers turn queries and keys, some do not */
    core_text          options;
} model_layer_plan;

static inline const model_architecture *model_plan_architecture(const model_layer_plan *plan) { return &plan->state->model->architecture; }

/* Local memory that the kernel asks for. */
size_t   model_layers_local_bytes(const model_layer_plan *plan);
/* As many layers as a launch's arguments have room for: plan->launch_layers. */
uint32_t model_layers_of_launch(const model_layer_plan *plan, const model_pass_shape *shape);
/* The arguments of a launch for `layers` layers from `first` on, `args` [DEV_MAX_ARGS]: how many they are. Where the layers are fewer than a
 * launch takes, the last fills the arguments up. */
cl_uint  model_layers_arguments(const model_layer_plan *plan, const model_pass_shape *shape, const dev_buffer *progress, uint32_t first,
                                uint32_t layers, dev_arg *args);

#endif
