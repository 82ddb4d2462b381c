// tickets.h: the work of a launch in steps, whose pieces its groups take one after another (decode_layers.cl tells why)
//
// Steps follow each other in phases: those of one phase need nothing of each other, and what phases before it made is needed by all. A step has
// tickets or units.
//
//   tickets    of all steps are numbered through. A group takes the next one and serves it, whenever its step comes.
//   units      of a product, which reads them one behind the other: each core has a share of neighbours, so that what it will read next is known
//              and asked for in time (a stream of reads that begins anew costs as much as a unit). Only who is done with its own helps others.
//
// Before its first ticket or unit of a step a group waits until all of earlier phases are finished. Nobody finishes one of this phase earlier, so a
// count of what is finished is enough. Whoever holds what others wait for has started, and waits for earlier phases only: so the launch ends
// however many groups run at once, be it a single one. The last group that leaves sets the counters back for the next launch.
//
//   progress   uint [COUNTERS(cores)], zero before and after, in cache lines of their own: of tickets taken, of tickets and units finished, of groups
//              begun, gone, and for each core of units taken from its share
#ifndef OCLM_TICKETS_H
#define OCLM_TICKETS_H

#include "common.h"

#define TAKEN    0
#define FINISHED 16
#define BEGUN    32
#define GONE     48
#define SHARES   64

typedef volatile __global atomic_uint counter;

// Where a group stands.
typedef struct walk {
    counter *progress;
    uint cores, home; // shares of a product, and the one that is the group's
    uint ticket;      // that it holds
    uint begin;       // the first ticket of the step at hand
    uint before;      // tickets and units of all steps before that
    uint phase;       // of all steps before its phase
    uint shared;      // units of a share in all steps before, where it is the largest one
} walk;

static inline uint count_one(counter *const c) { return atomic_fetch_add_explicit(c, 1u, memory_order_relaxed, memory_scope_device); }

static inline void take(walk *const w) { w->ticket = count_one(w->progress + TAKEN); }

static inline walk begin_walk(counter *const progress, const uint cores)
{
    walk w = { .progress = progress, .cores = cores, .home = count_one(progress + BEGUN) % cores };
    take(&w);
    return w;
}

static inline void count_finished(const walk *const w, const uint count)
{
    atomic_fetch_add_explicit(w->progress + FINISHED, count, memory_order_release, memory_scope_device);
}

static inline bool is_finished(const walk *const w, const uint count)
{
    return atomic_load_explicit(w->progress + FINISHED, memory_order_acquire, memory_scope_device) >= count;
}

// The step at hand needs what all steps before it made.
static inline void begin_phase(walk *const w) { w->phase = w->before; }

// Waits until all phases before are finished, and meanwhile asks the cache for what will be read then, from `ahead` on.
static inline void wait(const walk *const w, const __global uchar *const ahead, const size_t bytes)
{
    size_t asked = 0;
    while (!is_finished(w, w->phase)) {
        for (uint i = 0; i < 4 && asked < bytes; i++, asked += 64)
            PREFETCH_LINE(ahead + asked);
    }
}

// ---- A step of tickets

// The step at hand has so many tickets: is the group's among them?
static inline bool is_mine(const walk *const w, const uint tickets) { return w->ticket < w->begin + tickets; }

// The ticket is served: the next, please.
static inline void finish(walk *const w)
{
    count_finished(w, 1u);
    take(w);
}

static inline void end_tickets(walk *const w, const uint tickets)
{
    w->begin += tickets;
    w->before += tickets;
}

// ---- A step of units

// The first unit of a core's share.
static inline uint share_of(const walk *const w, const uint units, const uint core) { return (uint)((ulong)units * core / w->cores); }

// Takes units that lie one behind the other, `unit` being the first, and tells how many; 0: none is left. Of the group's own share half of what
// is left: each time that cores agree on something costs them as much as reading a few KB. `helped`: how many shares are known to be used up, 0
// before a step's first.
static inline uint take_units(const walk *const w, const uint units, uint *const helped, uint *const unit)
{
    for (; *helped < w->cores; ++*helped) {
        const uint core = (w->home + *helped) % w->cores, first = share_of(w, units, core), end = w->shared + share_of(w, units, core + 1) - first;
        counter *const taken = w->progress + SHARES + 16 * core;
        uint now = atomic_load_explicit(taken, memory_order_relaxed, memory_scope_device);
        while (max(now, w->shared) < end) { // less than `shared`: nobody took one in this step
            const uint begin = max(now, w->shared), count = *helped == 0 ? (end - begin + 1) / 2 : 1;
            if (atomic_compare_exchange_strong_explicit(taken, &now, begin + count, memory_order_relaxed, memory_order_relaxed, memory_scope_device)) {
                *unit = first + begin - w->shared;
                return count;
            }
        }
    }
    return 0;
}

static inline void end_units(walk *const w, const uint units)
{
    w->before += units;
    w->shared += (units + w->cores - 1) / w->cores;
}

static inline void leave(const walk *const w)
{
    if (atomic_fetch_add_explicit(w->progress + GONE, 1u, memory_order_acq_rel, memory_scope_device) + 1 == (uint)get_num_groups(0)) {
        for (uint i = 0; i < SHARES + 16 * w->cores; i += 16)
            atomic_store_explicit(w->progress + i, 0u, memory_order_relaxed, memory_scope_device);
    }
}

#endif
