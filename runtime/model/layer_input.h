/* layer_input.h: what each layer is told of its row's token once more (model_layer_input), recorded. Inside the model room.
 *
 *     once a pass:  a = norm(W_in hidden), each layer's part by itself;  b = table[ids] * table_scale;  both * 2^-1/2
 *     each layer:   hidden += norm(W_out (act(W_gate hidden) * (a + b of this layer))) */
#ifndef OCLM_MODEL_LAYER_INPUT_H
#define OCLM_MODEL_LAYER_INPUT_H

#include "model/model.h"

/* What a state keeps for it, for all rows of a pass. Empty where layers have no inputs. */
typedef struct model_layer_input_state {
    dev_buffer made;  /* float32 [rows][made_stride]: a, each layer's part from a panel of its own on */
    dev_buffer found; /* float32 [rows][found_stride]: b */
    uint32_t   made_stride, found_stride;
} model_layer_input_state;

uint64_t    model_layer_input_bytes(const model_architecture *architecture, uint32_t max_rows);
oclm_status model_layer_input_new(dev_device *device, const model_architecture *architecture, uint32_t max_rows, model_layer_input_state *state);
void        model_layer_input_free(dev_device *device, model_layer_input_state *state);

/* Floats of scratch that its products want. */
size_t      model_layer_input_scratch(const model_model *model, uint32_t layer, uint32_t rows);

#endif
