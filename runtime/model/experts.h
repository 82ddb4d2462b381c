/* experts.h: the part of a layer that is a mixture of experts, recorded. Inside the model room.
 *
 *     x = norm(hidden);  logits = W_router x;  each row chooses experts
 *     y = sum of weight * W_down act(W_gate x) * W_up x over those, in ascending order
 *     hidden += residual_scale * (y + shared(x) [* sigmoid(w x)])
 *
 * Beside an MLP, whose result is in state->branch, x is of a norm of its own and state->branch becomes norm(branch) + norm(y).
 *
 * What the device does with it, and why bits do not depend on the batch: device/experts.h. */
#ifndef OCLM_MODEL_EXPERTS_H
#define OCLM_MODEL_EXPERTS_H

#include "model/model.h"

/* What a state keeps for it: room for as many rows as are computed at a time. Empty where no layer has experts. */
typedef struct model_expert_state {
    uint32_t   rows;   /* at a time */
    uint32_t   router_stride, width_stride;
    dev_routes routes;
    dev_buffer x;      /* [rows][hidden_stride], normalised */
    dev_buffer logits; /* [rows][router_stride] */
    dev_buffer inner;  /* [rows * chosen][width_stride] */
    dev_buffer outer;  /* [rows * chosen][hidden_stride] */
    dev_buffer shared; /* [rows][hidden_stride] */
    dev_buffer gate;   /* [rows][DEV_PANEL] */
    dev_buffer router_x; /* [rows][hidden_stride]: what the router reads, where that is normalised by itself */
} model_expert_state;

uint64_t    model_expert_state_bytes(const model_architecture *architecture, uint32_t max_rows);
oclm_status model_expert_state_new(dev_device *device, const model_architecture *architecture, uint32_t max_rows, model_expert_state *state);
void        model_expert_state_free(dev_device *device, model_expert_state *state);

/* Floats of scratch that the products of a layer's experts want. */
size_t      model_experts_scratch(const model_model *model, uint32_t layer, uint32_t rows);

#endif
