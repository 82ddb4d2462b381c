/* countdown.h: lets the n-th of something fail, for tests. All zero: none does. Threads: safe. */
#ifndef OCLM_CORE_COUNTDOWN_H
#define OCLM_CORE_COUNTDOWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct core_countdown {
    atomic_size_t left; /* 0: none will fail */
    atomic_bool   forever;
} core_countdown;

/* The n-th from now on (1 is the next), and all after it if `forever`; 0 stops that. Returns how many were still to come. */
static inline size_t core_countdown_set(core_countdown *countdown, size_t n, bool forever)
{
    const size_t left = atomic_exchange(&countdown->left, 0); /* nobody may meet the new `forever` with the old count */
    atomic_store(&countdown->forever, forever);
    atomic_store(&countdown->left, n);
    return left;
}

/* Counts one; true if it is to fail. */
static inline bool core_countdown_hit(core_countdown *countdown)
{
    size_t left = atomic_load_explicit(&countdown->left, memory_order_relaxed);
    while (left != 0) {
        const size_t next = left > 1 ? left - 1 : atomic_load(&countdown->forever) ? 1 : 0;
        if (atomic_compare_exchange_weak(&countdown->left, &left, next))
            return left == 1;
    }
    return false;
}

#endif
