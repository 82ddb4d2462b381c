/* sampler.h: records the choice of the next token from scores on the device, and what makes the next pass read it there.
 *
 * For each row: greedy (the first of the largest scores; NaN counts as largest), or one draw by Philox4x32-10 on (seed, step, number of
 * the row among those of its prompt). What changes scores before is the processors' (processors.h). Then: the id goes to ids[row], to ring[step % ring_size][row] and, where there is a
 * history, to its end, lengths[row] += 1; positions[row] += 1, step += 1.
 * Probabilities are summed as integers, so the draw does not depend on how work is divided.
 * Where a row has no probabilities (NaN, +inf, or -inf throughout, while sampling) the id is -1: the host tells the user. */
#ifndef OCLM_GENERATION_SAMPLER_H
#define OCLM_GENERATION_SAMPLER_H

#include "generation/processors.h"

typedef struct gen_sampler {
    const gen_processors *processors; /* whose workspace it shares */
    gen_rows   rows;
    uint32_t   ring_size;   /* steps */
    bool       do_sample;
    uint64_t   seed;
    bool       rows_are_steps; /* false; true, set after gen_sampler_new(): row r draws what row 0 would r steps later (checking a draft) */
    dev_buffer step;        /* uint32: how many tokens were chosen so far */
    dev_buffer ring;        /* int32 [ring_size][rows] */
} gen_sampler;

/* `processors` and the buffers of `rows` must outlive the sampler. */
oclm_status gen_sampler_new(dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows,
                            const gen_processors *processors, uint32_t ring_size, gen_sampler *sampler);
void        gen_sampler_free(dev_device *device, gen_sampler *sampler);
/* `ids` and `positions` are int32 [rows]; `advance`: add 1 to positions (false after a prefill, whose positions are set anew).
 * While sampling GEN_STAGE_LAST stands right before: it leaves what the draw goes by. The history is written where rows->history is given and not shared (one_history). */
oclm_status gen_sampler_add(const gen_sampler *sampler, dev_work *work, const dev_buffer *scores, const dev_buffer *ids,
                            const dev_buffer *positions, bool advance);

#endif
