/* counter.h: bytes in use, counted before they are taken, so that a limit holds whatever threads ask at the same time. */
#ifndef OCLM_DEVICE_COUNTER_H
#define OCLM_DEVICE_COUNTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Begins all zero. */
typedef struct dev_counter {
    _Atomic uint64_t used, peak;
} dev_counter;

/* Counts `bytes` more, if no more than `most` are in use then. False: nothing changed, `used` is how many there were. */
static inline bool dev_counter_take(dev_counter *counter, uint64_t most, uint64_t bytes, uint64_t *used)
{
    *used = atomic_load(&counter->used);
    do {
        if (*used > most || bytes > most - *used)
            return false;
    } while (!atomic_compare_exchange_weak(&counter->used, used, *used + bytes));
    uint64_t peak = atomic_load(&counter->peak);
    while (peak < *used + bytes && !atomic_compare_exchange_weak(&counter->peak, &peak, *used + bytes))
        ;
    return true;
}

static inline void dev_counter_give(dev_counter *counter, uint64_t bytes) { atomic_fetch_sub(&counter->used, bytes); }

#endif
