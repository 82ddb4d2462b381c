/* layer_products.h: the products of a layer, by name, for layer_steps.c. */
#ifndef OCLM_MODEL_LAYER_PRODUCTS_H
#define OCLM_MODEL_LAYER_PRODUCTS_H

#include "model/pass.h"

typedef enum model_product_name {
    MODEL_TO_QKV, MODEL_TO_OUTPUT, MODEL_TO_UP, MODEL_TO_DOWN, MODEL_TO_LATENT, MODEL_TO_HEADS_KV, MODEL_TO_LOGITS, MODEL_TO_SHARED_GATE,
    MODEL_TO_INNER, MODEL_TO_OUTER, MODEL_TO_INPUT_GATE, MODEL_TO_INPUT_OUT, MODEL_PRODUCTS
} model_product_name;

/* Those that a layer has not are without a weight. Of experts' (MODEL_TO_INNER and _OUTER) `weight` is of all of them. */
typedef struct model_products {
    dev_matmul all[MODEL_PRODUCTS];
} model_products;

model_products model_products_of(const model_state *state, uint32_t rows, uint32_t layer);

#endif
