/* assign.c: see assign.h. What waits is a list of nodes (`next`), each in it once at most; a module that is too large is replaced there by what it
 * consists of. The first device, and the host, keep room for the largest layer that may still come to visit. */
#include "model/assign.h"

#define NONE UINT32_MAX

/* ---- Balancing */

static uint64_t at_most(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The largest thing that goes as a whole: a module that is not split, or the tensors of one module. */
static uint64_t largest_part(const model_modules *m)
{
    uint64_t most = 0;
    for (uint32_t i = 1; i < m->count; i++) {
        const uint64_t bytes = m->at[i].no_split ? m->at[i].bytes : m->at[i].kind == MODEL_MODULE ? m->at[i].own : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

void model_balance(const model_modules *m, bool low_0, model_limit *limits, size_t count)
{
    size_t   devices = 0, last = 0;
    uint64_t others = 0;
    for (size_t i = 0; i < count; i++) {
        if (limits[i].where < MODEL_HOST && limits[i].bytes > 0) {
            devices++;
            last = i;
        }
    }
    if (devices == 0)
        return;
    low_0 = low_0 && devices > 1;
    const uint64_t largest = largest_part(m), share = m->at[MODEL_ROOT].bytes / (low_0 ? devices - 1 : devices) + largest + largest / 4;
    for (size_t i = 0; i < last; i++) {
        if (!low_0 || limits[i].where != 0)
            limits[i].bytes = at_most(limits[i].bytes, share);
    }
    if (!low_0)
        return;
    for (size_t i = 0; i < count; i++)
        others += limits[i].where > 0 && limits[i].where < devices ? limits[i].bytes : 0;
    for (size_t i = 0; i < count; i++) {
        if (limits[i].where == 0)
            limits[i].bytes = at_most(limits[i].bytes, m->at[MODEL_ROOT].bytes > others ? m->at[MODEL_ROOT].bytes - others : 0);
    }
}

/* ---- Assigning */

typedef struct queue {
    const model_modules *m;
    uint32_t            *next;       /* [count] */
    uint32_t             first;
    bool                *is_largest; /* [count]: of those that `largest` was taken from, not treated yet */
    uint32_t             largest_count;
    uint64_t             largest;    /* bytes of the largest module that goes as a whole and is still to come */
} queue;

static bool is_whole(const model_module *module) { return !module->has_modules || module->no_split; }

/* Looks through a node of the list; tensors that are nodes of it themselves count with `tensors`. */
static void note_largest(queue *q, uint32_t node, bool tensors)
{
    const model_module *at = q->m->at;
    for (uint32_t i = node; i < at[node].end;) {
        const bool counts = at[i].kind == MODEL_MODULE ? is_whole(&at[i]) : tensors && i == node;
        if (counts && at[i].bytes >= q->largest) {
            if (at[i].bytes > q->largest) {
                for (uint32_t j = 0; j < q->m->count; j++)
                    q->is_largest[j] = false;
                q->largest_count = 0;
            }
            q->largest = at[i].bytes;
            q->is_largest[i] = true;
            q->largest_count++;
        }
        i = at[i].kind != MODEL_MODULE || is_whole(&at[i]) ? at[i].end : i + 1;
    }
}

static void find_largest(queue *q, bool tensors)
{
    for (uint32_t i = 0; i < q->m->count; i++)
        q->is_largest[i] = false;
    q->largest = 0;
    q->largest_count = 0;
    for (uint32_t i = q->first; i != NONE; i = q->next[i])
        note_largest(q, i, tensors);
}

/* A node leaves the list to be treated. */
static void forget_largest(queue *q, uint32_t node)
{
    for (uint32_t i = node; i < q->m->at[node].end; i++) {
        q->largest_count -= q->is_largest[i];
        q->is_largest[i] = false;
    }
    if (q->largest_count == 0)
        find_largest(q, false);
}

/* Links what a module consists of, but its buffers, in front of `rest`; returns the first. The root's buffers count. */
static uint32_t link_parts(queue *q, uint32_t node, uint32_t rest)
{
    const model_module *at = q->m->at;
    uint32_t            first = rest, *link = &first;
    for (uint32_t i = node + 1; i < at[node].end; i = at[i].end) {
        if (at[i].kind != MODEL_BUFFER || node == MODEL_ROOT) {
            *link = i;
            link = &q->next[i];
        }
    }
    *link = rest;
    return first;
}

/* The node of the list that a node is within; NONE: it is placed already. */
static uint32_t find_holder(const queue *q, uint32_t node)
{
    uint32_t i = q->first;
    while (i != NONE && !model_module_within(q->m, node, i))
        i = q->next[i];
    return i;
}

static void replace(queue *q, uint32_t node, uint32_t by)
{
    uint32_t *link = &q->first;
    while (*link != node)
        link = &q->next[*link];
    *link = by;
}

/* ---- Ties. Those of a module are the nodes outside it that want to lie where a node inside it does. */

static bool group_leads_out(const model_modules *m, uint32_t group, uint32_t module)
{
    bool inside = false, outside = false;
    for (uint32_t i = 0; i < m->tie_count; i++) {
        if (m->ties[i].group == group) {
            inside = inside || model_module_within(m, m->ties[i].node, module);
            outside = outside || !model_module_within(m, m->ties[i].node, module);
        }
    }
    return inside && outside;
}

/* The waiting modules tied to one, each once, in `tied` [tie_count]. */
static uint32_t find_tied(const queue *q, uint32_t module, uint32_t *tied)
{
    const model_modules *m = q->m;
    uint32_t             count = 0;
    for (uint32_t i = 0; i < m->tie_count; i++) {
        if (model_module_within(m, m->ties[i].node, module) || !group_leads_out(m, m->ties[i].group, module))
            continue;
        const uint32_t holder = find_holder(q, m->ties[i].node);
        bool           known = holder == NONE;
        for (uint32_t j = 0; j < count; j++)
            known = known || tied[j] == holder;
        if (!known)
            tied[count++] = holder;
    }
    return count;
}

/* ---- The walk */

typedef struct walk {
    queue              q;
    const model_limit *limits;
    size_t             count, here; /* limits[here] is being filled; at `count` it is the disk */
    uint64_t           used;        /* of it */
    uint32_t           *map, *tied;
    model_filling     *fillings;
} walk;

static bool is_disk(const walk *w) { return w->here == w->count || w->limits[w->here].where == MODEL_DISK; }

/* Bytes that stay free for a layer that visits: on the first device, and on the host for those from the disk. */
static uint64_t reserve(const walk *w)
{
    if (is_disk(w))
        return 0;
    return w->here == 0 || w->limits[w->here].where == MODEL_HOST ? w->q.largest : 0;
}

static bool fits(const walk *w, uint64_t bytes)
{
    const uint64_t kept = reserve(w);
    return is_disk(w) || (w->limits[w->here].bytes >= kept && w->limits[w->here].bytes - kept >= w->used && 
                          w->limits[w->here].bytes - kept - w->used >= bytes);
}

static void put(walk *w, uint32_t node, uint32_t tied_count, uint64_t bytes)
{
    const uint32_t where = w->here < w->count ? w->limits[w->here].where : MODEL_DISK;
    w->map[node] = where;
    for (uint32_t i = 0; i < tied_count; i++) {
        w->map[w->tied[i]] = where;
        replace(&w->q, w->tied[i], w->q.next[w->tied[i]]);
    }
    w->used += bytes;
    if (w->fillings != NULL && w->here < w->count)
        w->fillings[w->here].used += bytes;
}

/* Splits the first of the tied modules that can be. */
static bool split_tied(walk *w, uint32_t tied_count)
{
    const model_module *at = w->q.m->at;
    for (uint32_t i = 0; i < tied_count; i++) {
        const uint32_t node = w->tied[i];
        if (!is_whole(&at[node])) {
            replace(&w->q, node, link_parts(&w->q, node, w->q.next[node]));
            return true;
        }
    }
    return false;
}

static void go_on(walk *w, uint64_t bytes)
{
    if (w->fillings != NULL && w->here < w->count) {
        w->fillings[w->here].reserved = reserve(w);
        w->fillings[w->here].next = bytes;
    }
    w->here++;
    w->used = 0;
}

/* Places the first node of the list, splits it, or leaves the place that is full. */
static void step(walk *w)
{
    queue              *q = &w->q;
    const model_module *at = q->m->at;
    const uint32_t      node = q->first;
    uint64_t            bytes = at[node].bytes;
    q->first = q->next[node];
    forget_largest(q, node);
    const uint32_t tied_count = find_tied(q, node, w->tied);
    for (uint32_t i = 0; i < tied_count; i++)
        bytes += at[w->tied[i]].bytes;
    if (fits(w, bytes)) {
        put(w, node, tied_count, bytes);
        return;
    }
    if (tied_count > 0 && fits(w, at[node].bytes) && split_tied(w, tied_count)) {
        q->next[node] = q->first;
        q->first = node;
        find_largest(q, false);
    } else if (at[node].kind == MODEL_MODULE && !is_whole(&at[node])) {
        q->first = link_parts(q, node, q->first);
        find_largest(q, false);
    } else {
        go_on(w, bytes);
        q->next[node] = q->first;
        q->first = node;
    }
}

oclm_status model_assign(const model_modules *m, const model_limit *limits, size_t count, uint32_t *map, model_filling *fillings)
{
    walk w = { .limits = limits, .count = count, .map = map, .fillings = fillings };
    w.q.m = m;
    w.q.next = core_alloc_array(m->count, sizeof *w.q.next, "modules to place");
    w.q.is_largest = core_alloc_zero(m->count, sizeof *w.q.is_largest, "modules to place");
    w.tied = core_alloc_array(m->tie_count, sizeof *w.tied, "modules to place");
    const bool made = w.q.next != NULL && w.q.is_largest != NULL && w.tied != NULL;
    for (uint32_t i = 0; i < m->count; i++)
        map[i] = MODEL_NOWHERE;
    for (size_t i = 0; i < count && fillings != NULL; i++)
        fillings[i] = (model_filling){ 0 };
    if (made) {
        w.q.first = link_parts(&w.q, MODEL_ROOT, NONE);
        find_largest(&w.q, true);
        while (w.q.first != NONE)
            step(&w);
    }
    core_free(w.q.next);
    core_free(w.q.is_largest);
    core_free(w.tied);
    return made ? OCLM_OK : OCLM_ERR_MEMORY;
}

/* ---- Collapsing */

void model_collapse(const model_modules *m, uint32_t *map)
{
    for (uint32_t node = 0; node < m->count; node++) {
        uint32_t entries = 0, where = MODEL_NOWHERE;
        bool     alike = true;
        for (uint32_t i = node + 1; i < m->at[node].end; i++) {
            if (map[i] != MODEL_NOWHERE) {
                alike = alike && (entries == 0 || map[i] == where);
                where = map[i];
                entries++;
            }
        }
        if (entries < 2 || !alike)
            continue;
        for (uint32_t i = node + 1; i < m->at[node].end; i++)
            map[i] = MODEL_NOWHERE;
        map[node] = where;
    }
}
