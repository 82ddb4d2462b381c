/* layer_steps.h: layers written as lists of steps for cl/decode_layers.cl, for layers.c.
 *
 * A layer is written once, in the order in which its steps are taken, whatever its kind: layer_steps.c reads like layer.c. Lists are cut
 * into launches where the pointers of one are used up. */
#ifndef OCLM_MODEL_LAYER_STEPS_H
#define OCLM_MODEL_LAYER_STEPS_H

#include "core/text.h"
#include "model/layer_products.h"

#define MODEL_MAX_POINTERS 110u /* of a launch, as in the kernel: with them its arguments take less than the 1024 bytes that every device has */
#define MODEL_MAX_KINDS 4u      /* of weights' storage, of heads: so many the kernel can link */

/* ---- Steps: model_multiply_step and so on. Memory is the number of a pointer. */

#define STEP(name) model_##name##_step
#define STEP_UINT  uint32_t
#include "cl/layer_steps.h"

typedef union model_step {
    struct {
        model_head_step head;
        union {
            model_multiply_step multiply;
            model_attend_step   attend;
            model_mix_step      mix;
            model_route_step    route;
            model_join_step     join;
            model_norm_step     norm;
        } of;
    } told;
    uint32_t words[STEP_WORDS];
} model_step;

/* ---- A list of them */

/* What is compiled apart, once for each way there is: the options of each. */
typedef struct model_kinds {
    core_text options[MODEL_MAX_KINDS];
    uint32_t  count;
} model_kinds;

/* Layers that share a launch: its steps and its pointers. */
typedef struct model_steps_launch {
    uint32_t first_layer, layers, first_step, steps;
    uint32_t pointers; /* in use, the first is NULL */
    cl_mem   pointer[MODEL_MAX_POINTERS];
} model_steps_launch;

typedef struct model_steps {
    const model_state      *state;
    const model_pass_shape *shape;
    uint32_t                cores;
    model_step             *steps;    /* [step_count] */
    model_step              nowhere;  /* what is written once memory has failed */
    size_t                  step_count, step_room;
    model_steps_launch     *launches; /* [launch_count]; the last is being written */
    size_t                  launch_count, launch_room;
    model_kinds             units, forms; /* of products, of attention */
    size_t                  local_bytes;  /* that the kernel asks for */
    bool                    mixes, routes, xielu; /* some layer does */
    oclm_status             status;       /* the first failure; nothing is written any more */
    bool                    unfit;        /* the layer at hand cannot be written */
    bool                    full;         /* nor has this launch room for it */
} model_steps;

/* Writes layers from `first` on, of `count`, as many as can be: *written. Errors: OCLM_ERR_MEMORY, and those of dev_matmul_tile(). */
oclm_status model_steps_write(model_steps *steps, uint32_t first, uint32_t count, uint32_t *written);
void        model_steps_free(model_steps *steps);

#endif
