/* architecture.h: a decoder described by data. There is one forward pass; a family fills this in from config.json.
 *
 * When a family needs a word that is missing here, the word is added here and in the one place of the forward pass that acts
 * on it; no family name appears anywhere else. */
#ifndef OCLM_MODEL_ARCHITECTURE_H
#define OCLM_MODEL_ARCHITECTURE_H

#include "core/json.h"
#include "device/experts.h"
#include "device/matmul.h"

#define MODEL_MAX_LAYERS 1024u
#define MODEL_MAX_WIDTH (1u << 20)    /* of any one dimension but the vocabulary */
#define MODEL_MAX_HEAD_DIM 1024u      /* attention keeps a head of each of its rows in private memory */
#define MODEL_MAX_VOCAB (1u << 24)
#define MODEL_MAX_POSITIONS (1u << 24)

typedef enum model_position_kind { MODEL_POSITION_NONE, MODEL_POSITION_LEARNED, MODEL_POSITION_ROPE, MODEL_POSITION_ALIBI } model_position_kind;

typedef enum model_rope_type {
    MODEL_ROPE_DEFAULT, MODEL_ROPE_LINEAR, MODEL_ROPE_DYNAMIC, MODEL_ROPE_LLAMA3, MODEL_ROPE_YARN, MODEL_ROPE_LONGROPE,
    MODEL_ROPE_PROPORTIONAL
} model_rope_type;

typedef struct model_rope {
    model_rope_type type;
    bool            interleaved; /* pairs (2i, 2i+1) instead of (i, i + dims/2) */
    uint32_t        dims;        /* rotary dimensions of a head, even, <= head_dim */
    double          theta;
    double          factor;
    uint32_t        original_max_position_embeddings;
    double          low_freq_factor, high_freq_factor;           /* llama3 */
    double          beta_fast, beta_slow;                        /* yarn */
    double          mscale, mscale_all_dim;                      /* yarn; 0: absent */
    double          attention_factor;                            /* yarn, longrope; 0: by formula */
    bool            truncate;                                    /* yarn */
    uint32_t        turning_pairs;                               /* proportional: of dims / 2, the rest stand still */
    float           short_factor[MODEL_MAX_HEAD_DIM / 2], long_factor[MODEL_MAX_HEAD_DIM / 2]; /* longrope, [dims / 2] */
} model_rope;

/* What a layer adds to the residual stream x, and where it normalises; f is attention, then the MLP. */
typedef enum model_residual {
    MODEL_RESIDUAL_PRE,         /* x += f(norm x) */
    MODEL_RESIDUAL_POST,        /* x += post_norm f(x) */
    MODEL_RESIDUAL_SANDWICH,    /* x += post_norm f(norm x) */
    MODEL_RESIDUAL_POST_SUM,    /* x = norm(x + f(x)) */
    MODEL_RESIDUAL_NORMED,      /* x = norm x + f(norm x) */
    MODEL_RESIDUAL_PARALLEL,    /* x += attention(norm x) + mlp(mlp_norm x) */
    MODEL_RESIDUAL_PARALLEL_ONE /* x += attention(norm x) + mlp(norm x) */
} model_residual;

typedef struct model_norm_shape {
    dev_norm_kind kind;
    float         eps;
    bool          has_bias;
    bool          no_weight;       /* factors are 1, and no tensor holds them */
    bool          weight_plus_one; /* LayerNorm whose factors are stored less 1 (RMS: DEV_NORM_RMS1P) */
} model_norm_shape;

/* How queries and keys are normalised. */
typedef enum model_qk_norm {
    MODEL_QK_NORM_NONE,
    MODEL_QK_NORM_HEAD,    /* each head by itself; one weight [head_dim] for all */
    MODEL_QK_NORM_HEADS,   /* each head by itself; a weight for each: [heads][head_dim], [kv_heads][head_dim] */
    MODEL_QK_NORM_ALL      /* all heads as one row: [heads * head_dim], [kv_heads * head_dim] */
} model_qk_norm;

/* By what a score falls with distance. */
typedef enum model_alibi {
    MODEL_ALIBI_BLOOM,  /* q.k * scale + slope * position */
    MODEL_ALIBI_FALCON, /* (q.k + slope * position) * scale; slope, position and product rounded to bfloat16 */
    MODEL_ALIBI_MPT     /* as BLOOM, with other slopes where heads are no power of two */
} model_alibi;

/* How queries, keys and values lie in a fused tensor: `blocks` blocks of equal size, each with its share of q, then k, then v. */
typedef struct model_qkv_layout {
    uint32_t blocks;  /* 0 and 1: all of q, all of k, all of v */
    bool     v_first; /* q, v, k */
} model_qkv_layout;

typedef enum model_rope_set { MODEL_ROPE_NONE = -1, MODEL_ROPE_FIRST = 0, MODEL_ROPE_SECOND = 1 } model_rope_set;
#define MODEL_ROPE_SETS 2

/* By what a layer's rows learn of those before them. All but attention keep a state of one size for each sequence in place of keys and
 * values (recurrent.h). */
typedef enum model_mixer {
    MODEL_MIXER_ATTENTION,
    MODEL_MIXER_SHORT_CONV, /* [b, g, v] = W_in x;  W_out (g * conv(b * v)) */
    MODEL_MIXER_DELTA_NET   /* cl/delta_net.cl */
} model_mixer;

/* What differs from layer to layer. All zero is what most models have: attention to everything, positions by the first set. */
typedef struct model_layer_shape {
    uint8_t  mixer;    /* model_mixer; anything else than attention: what follows of it does not count */
    uint32_t window;   /* a row sees so many positions, itself included; 0: all */
    int8_t   rope;     /* which of `ropes`; MODEL_ROPE_NONE: not turned at all */
    bool     experts;  /* a mixture of experts in place of the MLP, or beside it (model_experts) */
    bool     values_are_keys;    /* values are what keys were before norm and turning: they have no product of their own */
    uint32_t cache_of;           /* 1 + the earlier layer whose keys and values it reads, making none; 0: it makes its own */
    uint32_t head_dim, kv_heads; /* 0: the architecture's. Ask model_head_dim() and its like in binding.h */
    uint32_t intermediate_size;  /* likewise */
} model_layer_shape;

/* Layers with experts have, in place of the MLP: sum over the experts a row chose of weight * expert(x) + shared(x) [* sigmoid(gate x)]; each
 * expert is a gated MLP of its own. */
typedef struct model_experts {
    dev_routing routing;             /* how many there are, and how a row chooses; a count of 0: no layer has experts */
    uint32_t    width;               /* inner states of each */
    uint32_t    shared_width;        /* of the MLP that every row has beside those it chooses; 0: none */
    bool        shared_gate;         /* which counts sigmoid(gate x) */
    bool        router_bias;
    bool        correction;          /* a number for each expert joins the scores where experts are compared, not in what they count */
    bool        bias;                /* of gate, up and down */
    float       swiglu_alpha, swiglu_limit; /* limit not 0: DEV_ACT_CLAMPED_SWIGLU with these in place of the activation */
    bool        gate_up_interleaved; /* a fused gate and up alternates: gate 0, up 0, gate 1, ... */
    bool        counted;             /* a number for each expert, times which what it counts */
    bool        router_norm;         /* the router reads x / rms(x) * factors of its own * hidden^-1/2 */
    bool        beside_mlp;          /* x += post_norm(norm_1 mlp(norm x) + norm_2 experts(norm_3 x)): MODEL_RESIDUAL_SANDWICH */
} model_experts;

/* Keys and values of all heads come from one short vector for each token, and so may queries (multi-head latent attention):
 *     c, r = parts of W_a x;  [k_nope, v] of each head = W_b norm(c);  k = [r turned, k_nope];  q = W_q x, or W_qb norm(W_qa x)
 * Scores and values are then those of ordinary heads of nope + rope dimensions, of which values use the first. */
typedef struct model_latent {
    uint32_t kv_rank;            /* of c; 0: keys and values are products of x itself */
    uint32_t q_rank;             /* 0: queries are */
    uint32_t nope_dim, rope_dim; /* of a head: those that do not turn, those that do; head_dim is both */
    uint32_t value_dim;          /* <= head_dim */
    model_norm_shape norm;       /* of c, and of W_qa x */
} model_latent;

/* Layers whose rows meet in a convolution of each channel, as MODEL_MIXER_SHORT_CONV says; hidden_size channels. */
#define MODEL_MAX_TAPS 16u
typedef struct model_short_conv {
    uint32_t taps; /* rows that meet; 0: there are no such layers */
    bool     bias; /* of both products and of the convolution */
} model_short_conv;

/* [q, k, v, z, b, a] = W_in x;  q, k and v pass a convolution and SiLU, the rest is cl/delta_net.cl;  W_out of that */
typedef struct model_delta_net {
    uint32_t taps;                   /* of the convolution */
    uint32_t key_heads, value_heads; /* of q and k; of v, z, b, a; key_heads 0: there are no such layers */
    uint32_t key_dim, value_dim;
    bool     heads_tiled;            /* value head h reads key head h % key_heads; else those of a key head follow one another */
    bool     rate_stored;            /* the tensor of MODEL_DELTA_A_LOG holds -exp(A_log) */
} model_delta_net;

/* Each layer is told of the token once more, behind its MLP, by its part of a row of a table of its own:
 *     p = (part of table[id] * table_scale + norm(part of W embedding(id))) * 2^-1/2;  x += norm(W_out (act(W_gate x) * p)) */
typedef struct model_layer_input {
    uint32_t size;        /* of each layer's part; 0: layers have none */
    uint32_t vocab_size;  /* rows of the table */
    float    table_scale; /* rounded as embedding_scale_rounded says */
    float    norm_eps;    /* of the first norm */
} model_layer_input;

typedef struct model_architecture {
    char     model_type[64];
    uint32_t vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads, head_dim;
    uint32_t max_position_embeddings;
    model_layer_shape layer[MODEL_MAX_LAYERS]; /* of the first `layers` */
    bool     windows_are_chunks;               /* a layer's rows see, of chunks of `window` positions, their own up to themselves */

    model_norm_shape    norm;
    model_residual      residual;
    bool                no_final_norm;
    model_position_kind position;
    uint32_t            position_offset; /* of the learned table */
    model_rope          ropes[MODEL_ROPE_SETS];
    model_alibi         alibi;

    float            attention_scale;                /* of q.k */
    bool             attention_scale_by_layer;       /* divided by layer + 1 */
    float            attention_softcap;              /* scores become cap * tanh(score / cap); 0: they stay */
    bool             attention_sinks;                /* a learned score for each head joins the softmax and has no value */
    float            qkv_clip;                       /* queries, keys and values are cut to +- this; 0: they are not */
    bool             qkv_clip_after_norm;            /* only after qk_norm */
    double           query_beta;                     /* queries grow: * 1 + beta ln(1 + floor(position / query_length)); 0: they do not */
    uint32_t         query_length;
    model_qk_norm    qk_norm;
    model_norm_shape qk_norm_shape;
    bool             qk_norm_after_rope;
    bool             value_norm;                     /* each head of values by its root mean square, without factors; eps of qk_norm_shape */
    model_qkv_layout qkv_layout;
    bool             qkv_bias, output_bias;
    bool             attention_gate;                 /* MODEL_Q has for each head queries, then a gate: what attention makes * sigmoid(gate) */
    model_latent     latent;                         /* with qkv_bias: of what makes q_rank and kv_rank */
    model_short_conv short_conv;
    model_delta_net  delta_net;                      /* its norm has `norm.eps` */

    bool           mlp_gated;
    bool           mlp_bias;
    dev_activation activation;
    model_experts  experts;
    bool           xielu;                 /* the activation is xIELU, with numbers of each layer's own (families.md, apertus) */

    bool     tied_head;
    bool     head_bias;
    uint32_t embedding_size;              /* width of the embedding table where projections lie between it and the layers; 0: hidden_size */
    bool     embedding_norm;              /* of the embedded tokens, before the first layer */
    float    embedding_scale;             /* 1 */
    bool     embedding_scale_rounded;     /* to what the weights are stored in */
    float    residual_scale;              /* 1; of what each branch adds */
    model_layer_input layer_input;        /* with MODEL_RESIDUAL_SANDWICH, as layer_scalar */
    bool     layer_scalar;                /* at its end a layer multiplies the stream by a number of its own */
    float    logits_scale;                /* 1 */
    float    logits_softcap;              /* 0: none; after the scale */

    int32_t  eos_token_ids[OCLM_MAX_EOS_TOKENS]; /* of config.json, for where generation_config.json is missing */
    uint32_t eos_token_count;
} model_architecture;

/* The roles a tensor can play. A family maps each to a checkpoint name, or to several: the first that a file holds counts. The bias of
 * a product comes right after its weight. */
typedef enum model_role {
    MODEL_EMBEDDING,          /* [vocab][hidden] */
    MODEL_POSITIONS,          /* [positions][hidden] */
    MODEL_EMBEDDING_NORM, MODEL_EMBEDDING_NORM_BIAS,
    MODEL_PROJECT_IN,         /* [hidden][embedding_size] */
    MODEL_PROJECT_OUT,        /* [embedding_size][hidden] */
    MODEL_INPUT_EMBEDDING,    /* [layer_input.vocab_size][layers * layer_input.size] */
    MODEL_INPUT_IN,           /* [layers * layer_input.size][hidden] */
    MODEL_INPUT_IN_NORM,      /* [layer_input.size] */
    MODEL_FINAL_NORM, MODEL_FINAL_NORM_BIAS,
    MODEL_HEAD, MODEL_HEAD_BIAS,
    /* per layer, from here on */
    MODEL_ATTENTION_NORM, MODEL_ATTENTION_NORM_BIAS,
    MODEL_QKV, MODEL_QKV_BIAS,                    /* fused in the checkpoint, as qkv_layout says */
    MODEL_Q, MODEL_Q_BIAS, MODEL_K, MODEL_K_BIAS, MODEL_V, MODEL_V_BIAS,
    MODEL_Q_NORM, MODEL_Q_NORM_BIAS, MODEL_K_NORM, MODEL_K_NORM_BIAS,
    MODEL_Q_A, MODEL_Q_A_BIAS, MODEL_Q_A_NORM, MODEL_Q_B, /* latent: [q_rank][hidden], [q_rank]; [heads * (nope, rope)][q_rank] */
    MODEL_KV_A, MODEL_KV_A_BIAS, MODEL_KV_A_NORM, MODEL_KV_B, /* [kv_rank + rope][hidden], [kv_rank]; [heads * (nope, value)][kv_rank] */
    MODEL_K_B, MODEL_V_B,                         /* or, in place of the last, these two: [heads][nope][kv_rank], [heads][value][kv_rank] */
    MODEL_SINKS,                                  /* [heads] */
    MODEL_O, MODEL_O_BIAS,
    /* Of layers with another mixer than attention. */
    MODEL_MIX_IN, MODEL_MIX_IN_BIAS,              /* short convolution: [b, g, v][hidden]; delta net: what follows, in one matrix */
    MODEL_MIX_QKVZ, MODEL_MIX_BA,                 /* [key heads][q, k, v, z][hidden] with the v and z of a key head's share, [key heads][b, a][hidden] */
    MODEL_MIX_QKV, MODEL_MIX_Z, MODEL_MIX_B, MODEL_MIX_A, /* or these, each of all heads */
    MODEL_CONV, MODEL_CONV_BIAS,                  /* [channels][1][taps], the latest row last; [channels] */
    MODEL_DELTA_A_LOG, MODEL_DELTA_DT, MODEL_DELTA_NORM, /* [value heads], [value heads], [value_dim] */
    MODEL_MIX_OUT, MODEL_MIX_OUT_BIAS,            /* [hidden][hidden]; [hidden][value heads * value_dim] */
    MODEL_POST_ATTENTION_NORM,                    /* of what attention adds */
    MODEL_MLP_NORM, MODEL_MLP_NORM_BIAS,
    MODEL_GATE_UP, MODEL_GATE_UP_BIAS,            /* fused in the checkpoint: gate, then up */
    MODEL_GATE, MODEL_GATE_BIAS, MODEL_UP, MODEL_UP_BIAS, MODEL_DOWN, MODEL_DOWN_BIAS,
    MODEL_XIELU_ALPHA_P, MODEL_XIELU_ALPHA_N, MODEL_XIELU_BETA, MODEL_XIELU_EPS, /* one number each */
    MODEL_POST_MLP_NORM,                          /* of what the MLP adds */
    /* Of layers with experts, where MODEL_GATE, _UP and _DOWN are the shared expert's. [e]: three dimensions, or {e} in the name of
     * each expert's own tensor. */
    MODEL_ROUTER, MODEL_ROUTER_BIAS,              /* [e][hidden] (of two dimensions), [e] */
    MODEL_ROUTER_CORRECTION,                      /* [e] */
    MODEL_EXPERTS_GATE_UP, MODEL_EXPERTS_GATE_UP_BIAS, /* [e][2 width][hidden], [e][2 width]: where there is none, gate and up are two */
    MODEL_EXPERTS_GATE, MODEL_EXPERTS_GATE_BIAS, MODEL_EXPERTS_UP, MODEL_EXPERTS_UP_BIAS, /* [e][width][hidden], [e][width] */
    MODEL_EXPERTS_DOWN, MODEL_EXPERTS_DOWN_BIAS,  /* [e][hidden][width], [e][hidden] */
    MODEL_SHARED_GATE,                            /* [1][hidden] */
    MODEL_ROUTER_NORM, MODEL_ROUTER_COUNTS,       /* [hidden]; [e] */
    MODEL_EXPERTS_NORM,                           /* of what experts beside an MLP read */
    MODEL_POST_DENSE_NORM, MODEL_POST_EXPERTS_NORM, /* of what the MLP and the experts beside it make */
    MODEL_INPUT_GATE,                             /* [layer_input.size][hidden] */
    MODEL_INPUT_OUT,                              /* [hidden][layer_input.size] */
    MODEL_POST_INPUT_NORM,
    MODEL_LAYER_SCALAR,                           /* [1] */
    MODEL_ROLE_COUNT
} model_role;
#define MODEL_FIRST_LAYER_ROLE MODEL_ATTENTION_NORM

typedef struct model_tensor_name {
    model_role  role;
    const char *pattern;    /* "model.layers.{i}.self_attn.q_proj.weight"; {i} is the layer, {h} the head or {e} the expert where each has one */
    bool        transposed; /* stored [in][out] */
} model_tensor_name;

typedef struct model_family {
    const char *model_type;
    const char *class_name;                     /* in transformers: "LlamaForCausalLM" */
    const char *limits;                         /* what its files may ask for and is not there yet, for users; NULL: nothing */
    const char *base_prefix;                    /* "model.": names are accepted with and without it */
    const model_tensor_name *names;
    size_t                   name_count;
    const char *const       *ignored;           /* patterns ({i}: any number; "*" at the start or end: anything) of tensors old files carry */
    size_t                   ignored_count;
    /* Fills `architecture` from the tree of config.json, with the readers of readers.h.
     * Errors: OCLM_ERR_FORMAT naming key and value, OCLM_ERR_UNSUPPORTED naming what is not there yet. */
    oclm_status (*read_config)(const cJSON *config, const char *origin, model_architecture *architecture);
} model_family;

/* All families. families/<file>.c each define `const model_family model_families_<file>[]`, one entry for each model_type and
 * an empty one at the end; the build finds the files. */
const model_family *model_family_at(size_t index);               /* by file name; NULL past the last one */
const model_family *model_family_find(const char *model_type);   /* NULL if unknown */

/* Reads <folder>/config.json: finds the family by model_type, has it fill `architecture`, checks sizes against each other.
 *   folder  or a GGUF file, whose metadata then stand for config.json (gguf.h)
 *   dtype   what config.json's dtype/torch_dtype says; OCLM_DTYPE_AUTO where it says nothing
 * Errors: OCLM_ERR_NOT_FOUND, OCLM_ERR_FORMAT, OCLM_ERR_UNSUPPORTED (lists the supported model types). */
oclm_status model_config_read(const char *folder, const model_family **family, model_architecture *architecture, oclm_dtype *dtype);
/* The same from a tree; `origin` names it in messages. */
oclm_status model_config_tree(const cJSON *config, const char *origin, const model_family **family, model_architecture *architecture,
                              oclm_dtype *dtype);
/* Do a family's experts fit together? Part of model_config_read() (expert_config.c). */
oclm_status model_check_experts(const model_architecture *architecture, const char *origin);
/* Do the sizes of layers without attention fit together, and are there any? Part of model_config_read() (mixer_config.c). */
oclm_status model_check_mixers(const model_architecture *architecture, const char *origin);
/* Bytes of key and value cache for one position of one sequence over all layers. */
uint64_t model_kv_bytes_per_token(const model_architecture *architecture);

const char *model_rope_type_name(model_rope_type type); /* "yarn"; static */
/* A prompt length that stands for all that have the same rotary tables as this one: 0 for most models. */
uint32_t model_rope_prompt(const model_architecture *architecture, uint32_t prompt);
/* The most positions of a sequence before it must be read anew, because all its positions turn differently from then on ("longrope");
 * UINT32_MAX: that never happens. */
uint32_t model_rope_turning_length(const model_architecture *architecture);

/* By how much a pair turns from one position to the next, with prompts of so many tokens; "dynamic": below the model's own length. */
float model_rope_frequency(const model_rope *rope, uint32_t prompt, uint32_t pair);
/* The cosines and sines of rotary positions first .. first + count - 1, each float32 [count][dims / 2]; `cos_table` and
 * `sin_table` already carry yarn's attention factor. As transformers computes them: inverse frequencies and angles in float32.
 * `prompt` is the number of tokens of the sequence's first forward pass: "dynamic" and "longrope" depend on it. */
void model_rope_table(const model_rope *rope, uint32_t max_position_embeddings, uint32_t prompt, uint32_t first, uint32_t count,
                      float *cos_table, float *sin_table);

#endif
