// layer_data.h: what decode_layers.cl hands to its parts that are compiled apart, each once for each way in which a model has it: products
// by weights of one storage (layer_unit.cl), attention with heads of one form (layer_attention.cl)
#ifndef OCLM_LAYER_DATA_H
#define OCLM_LAYER_DATA_H

#include "attention_data.h"
#include "tickets.h"

// A product. It may be of experts: then there are groups of slots instead of rows, each group with the weights of one expert (moe_sort.cl): slots are
// outputs, and inputs, too, unless row_of says of which row each has its own.
typedef struct product_data {
    const __global float *x;
    __global float *y;
    const __global uchar *w;            // panels, from the first of the product on
    const __global float *bias;
    uint x_stride, y_stride, columns;
    uint unit, units, unit_bytes;       // by which part of the kernel; how many outputs pieces are; bytes of weights of one, more or less
    bool normed;                        // x is normalised
    const __global float *norm_w, *norm_b;
    float eps;
    const __global uint *order;         // input k is number order[k] of x; or null
    bool gated, active;                 // of two panels, gate and up; of one, with the activation
    float add;                          // 0, or y += add * ..
    const __global float *xielu;        // of x, or null
    uint part, part_stride;             // x is parts of its rows, so many numbers so far apart; 0: whole rows
    const __global float *times, *plus; // x is multiplied by the sum of both, rows that are .._stride apart; or null
    uint times_stride, plus_stride;
    const __global uint4 *groups;       // [slots]: expert, first slot, slots, 0: none; null: all rows, and the whole matrix
    const __global uint *row_of;
    uint slots;
} product_data;

#define PANEL_BYTES(product) ((product).gated ? (product).unit_bytes / 2 : (product).unit_bytes)

// Beside attention_data.
typedef struct beside_attention {
    uint rows, spans;
    __global float *partial, *out;
    uint out_stride;
    const __global float *shared, *kv; // only with LATENT: what all heads' keys begin with; the other part of them, and values
    uint shared_stride, kv_stride, nope, rope, value;
    __global float *qkv;               // attention_data's, where keys and values go
    uint gates_at;                     // only with ATTENTION_GATE: the first of qkv that is a gate
} beside_attention;

#endif
