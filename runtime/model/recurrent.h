/* recurrent.h: what layers without attention remember of each sequence: states of one size, however long the sequence is.
 *
 * On the device, per such layer, float32:
 *   tails     [sequences][taps - 1][channels]: the last inputs of the convolution, the latest first
 *   memories  [sequences][value_heads][key_dim][value_dim] of a delta net
 * Both stand for one length and cannot go back to a shorter one, but for 0: a pass that begins there finds them empty. `lengths` says
 * what they stand for; while a decoding loop runs on the device, only the device knows (`reached`). Part of the cache (cache.h). */
#ifndef OCLM_MODEL_RECURRENT_H
#define OCLM_MODEL_RECURRENT_H

#include "device/launch.h"
#include "model/architecture.h"

#define MODEL_LENGTH_UNKNOWN UINT32_MAX      /* a pass failed on its way */
#define MODEL_LENGTH_MOVES (UINT32_MAX - 1)  /* a decoding loop may be running */

typedef struct model_recurrent {
    uint32_t    layer_count;        /* of the model; 0: all layers that are held are attention, and what follows is empty */
    dev_buffer *tails, *memories;   /* [layer_count]; empty where a layer has none */
    size_t     *tail_bytes, *memory_bytes; /* of one sequence, [layer_count] */
    dev_buffer  reached;            /* int32 [sequences]: the position that comes next, written by each pass */
    uint32_t   *lengths;            /* [sequences] */
} model_recurrent;

bool        model_has_mixers(const model_architecture *architecture); /* Is any layer not attention? */
/* `holds`: [layers]: which of them are held; NULL: all. */
uint64_t    model_recurrent_bytes(const model_architecture *architecture, uint32_t sequences, const bool *holds);
oclm_status model_recurrent_new(dev_device *device, const model_architecture *architecture, uint32_t sequences, const bool *holds,
                                model_recurrent *recurrent);
void        model_recurrent_free(dev_device *device, model_recurrent *recurrent);
/* Can a sequence go on from `length` positions? */
bool        model_recurrent_is_at(const model_recurrent *recurrent, uint32_t sequence, uint32_t length);
/* Notes what the states of a sequence stand for: a length, or one of the words above. */
void        model_recurrent_note(model_recurrent *recurrent, uint32_t sequence, uint32_t length);
/* Asks the device how far it came, where only that knows; waits for the queue then. */
void        model_recurrent_settle(model_recurrent *recurrent, cl_command_queue queue, uint32_t sequence);
oclm_status model_recurrent_fork(model_recurrent *recurrent, cl_command_queue queue, uint32_t from, uint32_t to);

#endif
