// tickets.h: the work of a launch in tickets, which its groups take one after another (decode_layers.cl tells why)
//
// Tickets are numbered from the first step's first on. Steps follow each other in phases: those of one phase need nothing of each other, and what
// phases before it made is needed by all. A group takes the next ticket and serves it; before the first of a step it waits until all tickets of
// earlier phases are finished. Nobody finishes a ticket of this phase earlier, so a count of finished tickets is enough. Whoever holds a
// ticket that others wait for has started, and waits for lower ones only: so the launch ends however many groups run at once, be it a single
// one. The last group that leaves sets the counters back for the next launch.
//
//   progress   uint [48], zero before and after: of tickets taken, finished, and groups gone, in cache lines of their own
#ifndef OCLM_TICKETS_H
#define OCLM_TICKETS_H

#include "common.h"

#define TAKEN    0
#define FINISHED 16
#define GONE     32

typedef volatile __global atomic_uint counter;

// Where a group stands: its ticket, the first one of the step that it looks at, and of the phase that this belongs to.
typedef struct walk {
    counter *progress;
    uint ticket, begin, phase;
} walk;

static inline void take(walk *const w)
{
    w->ticket = atomic_fetch_add_explicit(w->progress + TAKEN, 1u, memory_order_relaxed, memory_scope_device);
}

// The ticket is served: the next, please.
static inline void finish(walk *const w)
{
    atomic_fetch_add_explicit(w->progress + FINISHED, 1u, memory_order_release, memory_scope_device);
    take(w);
}

// The step at hand needs what all steps before it made.
static inline void begin_phase(walk *const w) { w->phase = w->begin; }

// The step at hand has so many tickets: is the group's among them?
static inline bool is_mine(const walk *const w, const uint tickets) { return w->ticket < w->begin + tickets; }

static inline bool is_finished(const walk *const w, const uint tickets)
{
    return atomic_load_explicit(w->progress + FINISHED, memory_order_acquire, memory_scope_device) >= tickets;
}

// Waits until all phases before are finished, and meanwhile asks the cache for what will be read then, from `ahead` on.
static inline void wait(const walk *const w, const __global char *const ahead, const size_t bytes)
{
    size_t asked = 0;
    while (!is_finished(w, w->phase)) {
        for (uint i = 0; i < 4 && asked < bytes; i++, asked += 64)
            PREFETCH_LINE(ahead + asked);
    }
}

static inline void leave(counter *const progress)
{
    if (atomic_fetch_add_explicit(progress + GONE, 1u, memory_order_acq_rel, memory_scope_device) + 1 == (uint)get_num_groups(0)) {
        atomic_store_explicit(progress + TAKEN, 0u, memory_order_relaxed, memory_scope_device);
        atomic_store_explicit(progress + FINISHED, 0u, memory_order_relaxed, memory_scope_device);
        atomic_store_explicit(progress + GONE, 0u, memory_order_relaxed, memory_scope_device);
    }
}

// The units of a product's i-th ticket: first, and one past the last. In each round every core may take one piece, all together half of
// what is left: large pieces, because a stream of reads is slow to start, and at the end single units, so that all end together.
static inline uint2 piece_of(const uint units, const uint cores, uint i)
{
    uint first = 0;
    for (;;) {
        const uint size = (units - first) / (2 * cores);
        if (size <= 1)
            return (uint2)(first + i, first + i + 1);
        if (i < cores)
            return (uint2)(first + i * size, first + (i + 1) * size);
        i -= cores;
        first += cores * size;
    }
}

#endif
