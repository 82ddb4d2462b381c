/* pace.h: how many steps to enqueue at once. Two batches are in flight, so that a device works on while the host looks; and a batch takes a
 * moment only, for what runs ahead of an end is for nothing. */
#ifndef OCLM_GENERATION_PACE_H
#define OCLM_GENERATION_PACE_H

#include <stdint.h>

#define GEN_IN_FLIGHT 2u
#define GEN_BATCH_S   0.06 /* an early end costs at most twice this */

/* The next batch's steps, at most `most`, after one of `size` wanted of which `count` took `seconds`. Grows slowly, at most doubling, because the
 * first batches carry what only first steps cost; shrinks at once. */
static inline uint32_t gen_next_batch(uint32_t size, uint32_t most, uint32_t count, double seconds)
{
    const double fitting = seconds > 0 ? GEN_BATCH_S * (double)count / seconds : most;
    const double largest = 2.0 * size < most ? 2.0 * size : most;
    return fitting < 1 ? 1 : (uint32_t)(fitting < largest ? fitting : largest);
}

#endif
