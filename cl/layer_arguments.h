// layer_arguments.h: what decode_layers.cl is given for each of its layers, as arguments of the kernel and as a struct. What a build does not
// ask for is no argument, because a kernel's arguments have room for 1024 bytes: the fewer a layer has, the more layers share a launch.
//
// Build     -DLAYERS=1..6 -DBIASES=0|1 (of products and norms) and all else that decode_layers.cl is built with
#ifndef OCLM_LAYER_ARGUMENTS_H
#define OCLM_LAYER_ARGUMENTS_H

#ifndef LAYERS
#define LAYERS 6
#endif
#ifndef BIASES
#define BIASES 1
#endif

typedef struct layer_data {
    const __global stored *w_qkv, *w_output, *w_up, *w_down;
    const __global float *attention_norm_w, *mlp_norm_w;
    const __global float *b_qkv, *b_output, *b_up, *b_down, *attention_norm_b, *mlp_norm_b; // only with BIASES
    __global kept *keys, *values;                                                           // these only without MIXER
    uint look;
    const __global float *sinks, *q_norm_w, *k_norm_w, *q_norm_b, *k_norm_b; // only with SINKS, with QK_NORM, the last two with BIASES, too
    const __global float *conv_w, *conv_b;             // these only with MIXER
    __global float *tail, *memory;                     // memory and what follows only with MIXER_DELTA_NET
    const __global float *rate, *dt, *delta_norm_w;
    const __global float *post_attention_norm_w, *post_mlp_norm_w, *xielu; // only with BETWEEN 1, with XIELU
    float keep;                                                            // with LAYER_SCALAR, else 1
    const __global stored *w_latent, *w_latent_kv;                         // these only with LATENT
    const __global float *latent_q_norm_w, *latent_kv_norm_w, *b_latent;   // the last with BIASES
    const __global stored *w_router, *w_shared_gate, *w_experts_up, *w_experts_down; // these only with EXPERTS
    const __global float *correction, *counts;
    const __global float *b_router, *b_experts_up, *b_experts_down;                           // with BIASES
    const __global float *experts_norm_w, *router_norm_w, *post_dense_norm_w, *post_experts_norm_w; // only with EXPERTS 2
    const __global stored *w_input_gate, *w_input_out;                                        // these only with LAYER_INPUT
    const __global float *post_input_norm_w;
    uint index; // of the layer
} layer_data;

#if BIASES
#define BIASES_ARGUMENTS(i)                                                                                                        \
    , const __global float *b_qkv_##i, const __global float *b_output_##i, const __global float *b_up_##i,                         \
        const __global float *b_down_##i, const __global float *attention_norm_b_##i, const __global float *mlp_norm_b_##i
#define BIASES_OF(i) b_qkv_##i, b_output_##i, b_up_##i, b_down_##i, attention_norm_b_##i, mlp_norm_b_##i
#else
#define BIASES_ARGUMENTS(i)
#define BIASES_OF(i) 0, 0, 0, 0, 0, 0
#endif

#if MIXER
#define CACHE_ARGUMENTS(i)
#define CACHE_OF(i) 0, 0, 0
#else
#define CACHE_ARGUMENTS(i) , __global kept *keys_##i, __global kept *values_##i, const uint look_##i
#define CACHE_OF(i)        keys_##i, values_##i, look_##i
#endif
#if SINKS && !MIXER
#define SINKS_ARGUMENT(i) , const __global float *sinks_##i
#define SINKS_OF(i)       sinks_##i
#else
#define SINKS_ARGUMENT(i)
#define SINKS_OF(i) 0
#endif
#if QK_NORM && !MIXER
#define QK_NORM_ARGUMENTS(i) , const __global float *q_norm_w_##i, const __global float *k_norm_w_##i
#define QK_NORM_OF(i)        q_norm_w_##i, k_norm_w_##i
#else
#define QK_NORM_ARGUMENTS(i)
#define QK_NORM_OF(i) 0, 0
#endif
#if QK_NORM && BIASES && !MIXER
#define QK_NORM_BIASES_ARGUMENTS(i) , const __global float *q_norm_b_##i, const __global float *k_norm_b_##i
#define QK_NORM_BIASES_OF(i)        q_norm_b_##i, k_norm_b_##i
#else
#define QK_NORM_BIASES_ARGUMENTS(i)
#define QK_NORM_BIASES_OF(i) 0, 0
#endif

#if MIXER
#define CONV_ARGUMENTS(i) , const __global float *conv_w_##i, const __global float *conv_b_##i, __global float *tail_##i
#define CONV_OF(i)        conv_w_##i, conv_b_##i, tail_##i
#else
#define CONV_ARGUMENTS(i)
#define CONV_OF(i) 0, 0, 0
#endif
#if MIXER == MIXER_DELTA_NET
#define DELTA_ARGUMENTS(i)                                                                                                         \
    , __global float *memory_##i, const __global float *rate_##i, const __global float *dt_##i, const __global float *delta_norm_w_##i
#define DELTA_OF(i) memory_##i, rate_##i, dt_##i, delta_norm_w_##i
#else
#define DELTA_ARGUMENTS(i)
#define DELTA_OF(i) 0, 0, 0, 0
#endif

#if BETWEEN == 1
#define POST_ARGUMENTS(i) , const __global float *post_attention_norm_w_##i, const __global float *post_mlp_norm_w_##i
#define POST_OF(i)        post_attention_norm_w_##i, post_mlp_norm_w_##i
#else
#define POST_ARGUMENTS(i)
#define POST_OF(i) 0, 0
#endif
#if XIELU
#define XIELU_ARGUMENT(i) , const __global float *xielu_##i
#define XIELU_OF(i)       xielu_##i
#else
#define XIELU_ARGUMENT(i)
#define XIELU_OF(i) 0
#endif
#if LAYER_SCALAR
#define SCALAR_ARGUMENT(i) , const float keep_##i
#define SCALAR_OF(i)       keep_##i
#else
#define SCALAR_ARGUMENT(i)
#define SCALAR_OF(i) 1.0f
#endif

#if LATENT
#define LATENT_ARGUMENTS(i)                                                                                                        \
    , const __global stored *w_latent_##i, const __global stored *w_latent_kv_##i, const __global float *latent_q_norm_w_##i,      \
        const __global float *latent_kv_norm_w_##i
#define LATENT_OF(i) w_latent_##i, w_latent_kv_##i, latent_q_norm_w_##i, latent_kv_norm_w_##i
#else
#define LATENT_ARGUMENTS(i)
#define LATENT_OF(i) 0, 0, 0, 0
#endif
#if LATENT && BIASES
#define LATENT_BIAS_ARGUMENT(i) , const __global float *b_latent_##i
#define LATENT_BIAS_OF(i)       b_latent_##i
#else
#define LATENT_BIAS_ARGUMENT(i)
#define LATENT_BIAS_OF(i) 0
#endif

#if EXPERTS
#define EXPERTS_ARGUMENTS(i)                                                                                                       \
    , const __global stored *w_router_##i, const __global stored *w_shared_gate_##i, const __global stored *w_experts_up_##i,      \
        const __global stored *w_experts_down_##i, const __global float *correction_##i, const __global float *counts_##i
#define EXPERTS_OF(i) w_router_##i, w_shared_gate_##i, w_experts_up_##i, w_experts_down_##i, correction_##i, counts_##i
#else
#define EXPERTS_ARGUMENTS(i)
#define EXPERTS_OF(i) 0, 0, 0, 0, 0, 0
#endif
#if EXPERTS && BIASES
#define EXPERTS_BIASES_ARGUMENTS(i)                                                                                                \
    , const __global float *b_router_##i, const __global float *b_experts_up_##i, const __global float *b_experts_down_##i
#define EXPERTS_BIASES_OF(i) b_router_##i, b_experts_up_##i, b_experts_down_##i
#else
#define EXPERTS_BIASES_ARGUMENTS(i)
#define EXPERTS_BIASES_OF(i) 0, 0, 0
#endif
#if EXPERTS == 2
#define BESIDE_ARGUMENTS(i)                                                                                                        \
    , const __global float *experts_norm_w_##i, const __global float *router_norm_w_##i, const __global float *post_dense_norm_w_##i, \
        const __global float *post_experts_norm_w_##i
#define BESIDE_OF(i) experts_norm_w_##i, router_norm_w_##i, post_dense_norm_w_##i, post_experts_norm_w_##i
#else
#define BESIDE_ARGUMENTS(i)
#define BESIDE_OF(i) 0, 0, 0, 0
#endif

#if LAYER_INPUT
#define INPUT_ARGUMENTS(i)                                                                                                         \
    , const __global stored *w_input_gate_##i, const __global stored *w_input_out_##i, const __global float *post_input_norm_w_##i, \
        const uint index_##i
#define INPUT_OF(i) w_input_gate_##i, w_input_out_##i, post_input_norm_w_##i, index_##i
#else
#define INPUT_ARGUMENTS(i)
#define INPUT_OF(i) 0, 0, 0, 0
#endif

#define LAYER_ARGUMENTS(i)                                                                                                         \
    , const __global stored *w_qkv_##i, const __global stored *w_output_##i, const __global stored *w_up_##i,                      \
        const __global stored *w_down_##i, const __global float *attention_norm_w_##i, const __global float *mlp_norm_w_##i        \
        BIASES_ARGUMENTS(i) CACHE_ARGUMENTS(i) SINKS_ARGUMENT(i) QK_NORM_ARGUMENTS(i) QK_NORM_BIASES_ARGUMENTS(i)                   \
        CONV_ARGUMENTS(i) DELTA_ARGUMENTS(i)                                                                                       \
        POST_ARGUMENTS(i) XIELU_ARGUMENT(i) SCALAR_ARGUMENT(i) LATENT_ARGUMENTS(i) LATENT_BIAS_ARGUMENT(i) EXPERTS_ARGUMENTS(i)    \
        EXPERTS_BIASES_ARGUMENTS(i) BESIDE_ARGUMENTS(i) INPUT_ARGUMENTS(i)
#define LAYER(i)                                                                                                                   \
    { w_qkv_##i, w_output_##i, w_up_##i, w_down_##i, attention_norm_w_##i, mlp_norm_w_##i, BIASES_OF(i), CACHE_OF(i), SINKS_OF(i), \
      QK_NORM_OF(i), QK_NORM_BIASES_OF(i), CONV_OF(i), DELTA_OF(i), POST_OF(i), XIELU_OF(i), SCALAR_OF(i), LATENT_OF(i), LATENT_BIAS_OF(i), EXPERTS_OF(i), \
      EXPERTS_BIASES_OF(i), BESIDE_OF(i), INPUT_OF(i) }

#if LAYERS == 1
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0)
#define ALL_LAYERS    LAYER(0)
#elif LAYERS == 2
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1)
#define ALL_LAYERS    LAYER(0), LAYER(1)
#elif LAYERS == 3
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2)
#elif LAYERS == 4
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2), LAYER(3)
#elif LAYERS == 5
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3) LAYER_ARGUMENTS(4)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2), LAYER(3), LAYER(4)
#else
#define ALL_ARGUMENTS                                                                                                              \
    LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3) LAYER_ARGUMENTS(4) LAYER_ARGUMENTS(5)
#define ALL_LAYERS LAYER(0), LAYER(1), LAYER(2), LAYER(3), LAYER(4), LAYER(5)
#endif

#endif
