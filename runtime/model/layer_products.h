/* layer_products.h: the products of a layer as cl/decode_layers.cl knows them, for layers.c. */
#ifndef OCLM_MODEL_LAYER_PRODUCTS_H
#define OCLM_MODEL_LAYER_PRODUCTS_H

#include "model/pass.h"

/* As numbered there. */
typedef enum model_product_name {
    MODEL_TO_QKV, MODEL_TO_OUTPUT, MODEL_TO_UP, MODEL_TO_DOWN, MODEL_TO_LATENT, MODEL_TO_HEADS_KV, MODEL_TO_LOGITS, MODEL_TO_SHARED_GATE,
    MODEL_TO_INNER, MODEL_TO_OUTER, MODEL_TO_INPUT_GATE, MODEL_TO_INPUT_OUT, MODEL_PRODUCTS
} model_product_name;

/* Those that a layer has not are without a weight. Of experts' (MODEL_TO_INNER and _OUTER) `weight` is of all of them. */
typedef struct model_products {
    dev_matmul all[MODEL_PRODUCTS];
} model_products;

model_products model_products_of(const model_state *state, uint32_t rows, uint32_t layer);

/* Have they one storage type, and one shape of tile, which takes all rows? Then sets `tile`. */
oclm_status model_products_tile(const model_state *state, const model_products *products, dev_tile *tile, bool *alike);
/* Inputs of the longest row that they read. */
uint32_t    model_products_columns(const model_products *products);
/* Pieces of tile->cols outputs, of one expert where there are several; 0: there is no such product. */
uint32_t    model_product_units(const model_architecture *architecture, const model_products *products, model_product_name name, const dev_tile *tile);

#endif
