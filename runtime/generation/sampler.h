/* sampler.h: records the choice of the next token from logits on the device, and what makes the next pass read it there.
 *
 * For each row: [min_new_tokens: eos logits become -inf], then greedy (the first of the largest logits; NaN counts as largest) or
 * temperature, top_k (ties with the k-th stay), top_p (the smallest set with mass >= p), one draw by Philox4x32-10 on
 * (seed, step, row). Then: the id goes to ids[row] and to ring[step % ring_size][row], positions[row] += 1, step += 1.
 * Probabilities are summed as integers, so the draw does not depend on how work is divided. The logits are changed in place.
 * Where a row has no probabilities (NaN, +inf, or -inf throughout, while sampling) the id is -1: the host tells the user. */
#ifndef OCLM_GENERATION_SAMPLER_H
#define OCLM_GENERATION_SAMPLER_H

#include "device/launch.h"
#include "generation/config.h"

typedef struct gen_sampler {
    uint32_t   rows, vocab, logits_stride;
    uint32_t   ring_size;   /* steps */
    gen_config config;
    uint32_t   prompt_length; /* for min_new_tokens */
    dev_buffer step;        /* uint32: how many tokens were chosen so far */
    dev_buffer ring;        /* int32 [ring_size][rows] */
    dev_buffer eos;         /* int32 [eos count] */
    dev_buffer workspace;
    uint32_t   parts, part; /* a row is worked on in `parts` pieces of `part` logits */
    uint32_t   group;       /* lanes that share a piece (cl/sample_lanes.cl); 1: a work-item takes it alone (cl/sample.cl) */
} gen_sampler;

oclm_status gen_sampler_new(dev_device *device, cl_command_queue queue, const gen_config *config, uint32_t rows, uint32_t vocab,
                            uint32_t logits_stride, uint32_t ring_size, gen_sampler *sampler);
void        gen_sampler_free(dev_device *device, gen_sampler *sampler);
/* `ids` and `positions` are int32 [rows]; `advance`: add 1 to positions (false after a prefill, whose positions are set anew). */
oclm_status gen_sampler_add(const gen_sampler *sampler, dev_work *work, const dev_buffer *logits, const dev_buffer *ids,
                            const dev_buffer *positions, bool advance);

#endif
