/* forward.h: the one forward pass, over a ragged batch, and the state it runs in.
 *
 * A state holds sequences (their pages of the cache), the activations of one pass, and the rows that the next pass reads: ids,
 * positions and sequences lie on the device, so that a decoding loop can write them there itself and record the pass once. */
#ifndef OCLM_MODEL_FORWARD_H
#define OCLM_MODEL_FORWARD_H

#include "device/link.h"
#include "model/attention.h"
#include "model/cache_reorder.h"
#include "model/experts.h"
#include "model/latent.h"
#include "model/layer_input.h"
#include "model/model.h"

#define MODEL_CHUNK_ROWS 512u /* most rows of one pass: longer prompts are prefilled in chunks */

#define MODEL_MAX_SEQUENCES 4096u
#define MODEL_MAX_ROWS 65536u

typedef struct model_state_options {
    uint32_t sequences;     /* at least 1 */
    uint32_t max_positions; /* per sequence; 0: max_position_embeddings. More than that only with rotary positions, as transformers
                               allows it too: what a model makes of positions it never saw is its own affair */
    uint32_t max_rows;      /* of one pass, at least `sequences`; 0: as many as useful, MODEL_CHUNK_ROWS if there is room */
    uint32_t max_logit_rows;/* of one pass; 0: sequences. Each takes vocab_size floats: logits of a long prompt are asked for in
                               pieces */
    bool     whole_windows; /* layers with a window keep all positions, too, in pages of the one table (ring.h) */
    bool     quantized_cache; /* keys and values as 8-bit integers, a scale for each position of a head: logits come close, and memory is
                                 a quarter */
} model_state_options;

/* What one device holds for a state. Callers have that of the model's main device; where a model is spread over several, it knows the others,
 * and what is done with a state is done with all: by the functions below, never to its cache alone. */
typedef struct model_state {
    const model_model *model;
    dev_device        *device;       /* this part's */
    uint32_t           device_index; /* of model->devices */
    struct model_state **others;     /* [other_count]: of the other devices that compute something; only the main device's has them */
    uint32_t           other_count;
    dev_link         **links;        /* [from][to], device indexes (relay.h); only the main device's has them, and only where there are others */
    size_t             row_bytes, page_bytes; /* what a row takes of the widest that goes from device to device; a page */
    dev_buffer         lent;         /* [max_rows] of keys and values that go from device to device (lent.h) */
    dev_buffer         origins, origin_positions; /* int32 [sequences]: of model_record_reorder(), not on the main device */
    model_post         post;         /* rows under way */
    cl_command_queue   queue;
    model_cache        cache;
    uint32_t           max_rows, max_logit_rows, max_positions;
    /* Rows of the next pass, on the device: int32 [max_rows]. */
    dev_buffer         ids, positions, sequences, tiles;
    dev_buffer         logit_rows;   /* int32 [max_logit_rows]: which rows' logits are wanted */
    dev_buffer         logits;       /* float32 [max_logit_rows][logits_stride]; padding beyond vocab_size is zero */
    uint32_t           logits_stride;
    dev_buffer         cos_table[MODEL_ROPE_SETS], sin_table[MODEL_ROPE_SETS]; /* of the sets in use */
    dev_buffer         slopes, growth; /* model/attention.h; empty where the architecture does not ask for them */
    uint32_t           rope_prompt;  /* what the tables were made for */
    /* Activations. */
    dev_buffer         hidden, qkv, attention_out, mlp, scratch, partial, selected;
    model_expert_state experts;
    model_latent_state latent;
    model_layer_input_state inputs;
    dev_buffer         branch;       /* as hidden: what a half of a layer adds, where that is normalised; else empty */
    dev_buffer         table_rows;   /* float32 [max_rows][table_stride]: rows as wide as the embedding, where projections ask for them */
    dev_buffer         mixed;        /* float32 [max_rows][mixed_stride]: queries, keys and values of a delta net behind their convolution */
    size_t             scratch_floats;
    uint32_t           hidden_stride, qkv_stride, attention_stride, mlp_stride, table_stride, mixed_stride;
    struct model_pass *passes;       /* recorded passes of model_forward(), by shape, the latest first */
    uint32_t           tile_rows;    /* rows of an attention tile where a piece has many */
    uint32_t           expected_prompt;
    bool               step_by_step; /* for tests: each step of a layer is a launch, where several could share one */
    int32_t           *host_ids, *host_positions, *host_sequences, *host_logit_rows; /* what is about to be sent, [max_rows] */
    uint32_t          *host_tiles;   /* [max_rows][4] */
} model_state;

/* Errors: OCLM_ERR_ARGUMENT, OCLM_ERR_DEVICE_MEMORY (before anything is allocated), OCLM_ERR_DEVICE, OCLM_ERR_MEMORY. */
oclm_status model_state_new(const model_model *model, const model_state_options *options, model_state **state);
void        model_state_free(model_state *state);
/* On one of the model's devices; 0 where the options are out of range, or nothing is computed there. A state also wants DEV_SELF_CHECK_BYTES
 * to be left, for its first passes. */
uint64_t    model_state_bytes(const model_model *model, uint32_t device, const model_state_options *options);
/* How long the prompt is that is about to be prefilled, in chunks, from position 0 on. RoPE of type "dynamic" and "longrope" asks: it turns
 * by what the whole prompt needs. Without this call a prompt is as long as its first chunk. */
void        model_state_expect(model_state *state, uint32_t prompt);

/* The part of a device that computes something. */
model_state *model_part_on(model_state *state, uint32_t device);

/* ---- Sequences, on all devices of a state */

/* Positions that a sequence holds. */
static inline uint32_t model_length(const model_state *state, uint32_t sequence) { return state->cache.lengths[sequence]; }
/* As model_cache_truncate() and model_cache_fork(). */
void        model_truncate(model_state *state, uint32_t sequence, uint32_t length);
oclm_status model_fork(model_state *state, uint32_t from, uint32_t to);
/* As model_reorder_add() and model_reorder_end(). `work` is the main device's. */
oclm_status model_record_reorder(model_state *state, dev_work *work, const model_reorder *reorder);
void        model_reordered(model_state *state);
/* Waits for everything that any device was given. */
oclm_status model_finish(const model_state *state);
/* Can a sequence go on from `length` positions of those it holds? Layers without attention cannot go back, and layers with a window not far
 * (ring.h): where the answer is no, everything is to be read again, from 0 on. */
bool        model_can_go_on(const model_state *state, uint32_t sequence, uint32_t length);
/* Whether what the cache holds may be gone on with, up to a sequence of `length` positions: "longrope" turns long sequences differently. */
bool        model_state_keeps(const model_state *state, uint32_t length);

/* A piece of a ragged batch: `count` ids of a sequence, from position `first` on (= what the sequence holds). */
typedef struct model_piece {
    uint32_t       sequence;
    uint32_t       first;
    uint32_t       count;
    const int32_t *ids; /* host; NULL: already in state->ids on the device, at the rows this piece comes to */
    cl_mem         buffer; /* where ids is NULL: copied from here, element `offset` on, after `wait`; NULL: see above */
    size_t         offset;
    cl_uint        wait_count;
    const cl_event *wait;
} model_piece;

typedef enum model_logits { MODEL_LOGITS_NONE, MODEL_LOGITS_LAST, MODEL_LOGITS_ALL } model_logits;

/* Enqueues one pass over the pieces (all rows together <= max_rows, each sequence once), without waiting for it: reserves pages,
 * sends ids and positions, runs. Logits lie in state->logits afterwards: LAST: one row per piece; ALL: every row in order. Host
 * data is read before the call returns. On failure the sequences are as before.
 * Errors: OCLM_ERR_ARGUMENT (an id outside the vocabulary, pieces that do not fit the state), OCLM_ERR_CAPACITY (positions),
 * OCLM_ERR_DEVICE, OCLM_ERR_MEMORY. */
oclm_status model_forward(model_state *state, const model_piece *pieces, size_t count, model_logits logits);

/* Runs the pass that ran last once more, launch by launch, and logs the time of each kernel at OCLM_LOG_DEBUG (the cache is written
 * where it was; states of layers without attention are lost). Does nothing before the first pass. */
oclm_status model_profile_last(model_state *state);

/* Records a pass over rows that lie on the device: one row for each of `rows` sequences (0 .. rows - 1), which reads state->ids,
 * positions and sequences and leaves logits row by row. Nothing of the host is read when it is enqueued; pages must have been
 * reserved (model_decode_begin). `length_bound`: no position reaches it. */
oclm_status model_record_decode(model_state *state, dev_work *work, uint32_t rows, uint32_t length_bound);
/* The bound that a pass at `position` is recorded with, so that it serves the positions after it too, as far as `limit`. */
static inline uint32_t model_decode_bound(uint32_t position, uint32_t limit)
{
    const uint32_t end = (position / MODEL_SPAN + 1) * MODEL_SPAN;
    return end < limit ? end : limit;
}
/* Reserves pages up to `length_bound` positions for sequences 0 .. rows - 1, sends positions (each sequence's length) and tiles. */
oclm_status model_decode_begin(model_state *state, uint32_t rows, uint32_t length_bound);
/* Tells the state that sequences 0 .. rows - 1 have `length` positions now: what the decoding loop wrote is kept up to there. */
void        model_decode_end(model_state *state, uint32_t sequence, uint32_t length); /* may wait for the loop to end */

/* Bytes of cache one decoded token reads at `length` positions. */
uint64_t    model_cache_read_per_token(const model_architecture *architecture, uint32_t length);

#endif
