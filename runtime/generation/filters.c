/* filters.c: a plan of passes. Each filter says what it must know of a row before its own pass: counts to search in, sums of probabilities. The pass
 * of the filter before finds that with the same loads, where it can; else a pass that only looks does. */
#include "generation/filters.h"

#include <math.h>
#include <string.h>

/* Of cl/filter.h and cl/filter.cl. */
enum { BY_NUMBER, BY_MASS, BY_FAR_MASS, BY_FAR_NUMBER };
enum { TARGET_NUMBER, TARGET_SHARE, TARGET_REACHED };
enum { LARGEST = 1, COUNTS = 2, MASS = 4, MOMENT = 8 };
enum { MIN_P, EPSILON, ETA };
enum { GUARD_LARGEST, GUARD_BORDER, GUARD_TIES };
#define LISTED 100u /* of cl/sample.h */

typedef struct tally {
    uint32_t what, by;
} tally;

typedef enum filter { TEMPERATURE, TOP_H, TOP_K, TOP_P, MIN, TYPICAL, EPSILONS, ETAS, DRAW, FILTERS } filter;

typedef struct plan {
    const gen_parts  *parts;
    const gen_config *config;
    dev_work         *work;
    const dev_buffer *scores;
    uint32_t          rows;
    filter            order[FILTERS]; /* those that are on; a draw is the last */
    uint32_t          count, next;    /* next: the one behind that which is being recorded */
    bool              largest;        /* the workspace has the largest scores */
    tally             known;          /* what the last pass found */
} plan;

static bool is_on(const plan *p, filter which)
{
    const gen_config *c = p->config;
    switch (which) {
    case TEMPERATURE: return c->temperature != 1.0f;
    case TOP_H: return !isnan(c->top_h);
    case TOP_K: return c->top_k > 0 && c->top_k < p->parts->vocab && c->min_keep < p->parts->vocab;
    case TOP_P: return c->top_p < 1.0f;
    case MIN: return !isnan(c->min_p);
    case TYPICAL: return c->typical_p < 1.0f;
    case EPSILONS: return c->epsilon_cutoff > 0.0f;
    case ETAS: return c->eta_cutoff > 0.0f;
    default: return true;
    }
}

static bool is_guarded(const plan *p) { return p->config->min_keep > 1; }

/* What a filter must know first of all. */
static tally need_of(const plan *p, filter which)
{
    const tally numbers = { COUNTS, BY_NUMBER };
    switch (which) {
    case TOP_H:
    case TOP_K: return numbers;
    case TOP_P: return is_guarded(p) ? numbers : (tally){ COUNTS, BY_MASS };
    case MIN: return is_guarded(p) ? numbers : (tally){ LARGEST, BY_NUMBER };
    case EPSILONS: return is_guarded(p) ? numbers : (tally){ MASS, BY_NUMBER };
    case ETAS: return is_guarded(p) ? numbers : (tally){ MASS | MOMENT, BY_NUMBER };
    case TYPICAL: return (tally){ MASS | MOMENT, BY_NUMBER };
    case DRAW: return (tally){ MASS, BY_NUMBER };
    default: return (tally){ 0, BY_NUMBER };
    }
}

static bool needs_largest(tally t) { return (t.what & (MASS | MOMENT)) != 0 || ((t.what & COUNTS) && t.by != BY_NUMBER); }

/* ---- Passes */

/* (scores, stride, vocab, part, workspace, more...) */
static oclm_status add_pass(const plan *p, const char *source, const char *kernel, const dev_arg *more, size_t count)
{
    dev_arg args[16] = { dev_arg_buffer(p->scores), dev_arg_u32(p->parts->stride), dev_arg_u32(p->parts->vocab), dev_arg_u32(p->parts->part),
                         dev_arg_buffer(&p->parts->workspace) };
    if (count > 0)
        memcpy(args + 5, more, count * sizeof *more);
    return gen_parts_add(p->parts, p->work, GEN_SPAN_PARTS, p->rows, source, kernel, args, count + 5);
}

static oclm_status look(plan *p, tally t)
{
    const dev_arg args[] = { dev_arg_u32(t.what), dev_arg_u32(t.by) };
    p->known = t;
    p->largest |= (t.what & LARGEST) != 0;
    return add_pass(p, "filter", "filter_look", args, COUNT(args));
}

/* Makes sure that `t` is known, or, of the largest scores, that the workspace has them. */
static oclm_status require(plan *p, tally t)
{
    const bool known = (t.what & ~p->known.what & ~(uint32_t)LARGEST) == 0 && (!(t.what & COUNTS) || t.by == p->known.by);
    oclm_status status = OCLM_OK;
    if (!p->largest && needs_largest(t))
        status = look(p, (tally){ LARGEST, BY_NUMBER });
    else if (!p->largest)
        t.what |= LARGEST; /* somebody will ask for it */
    else if (known)
        return OCLM_OK;
    return status == OCLM_OK ? look(p, t) : status;
}

/* What the pass of a filter finds for the next. `summed`: it goes by sums itself, and must leave them alone. */
static tally foresee(plan *p, bool summed)
{
    tally t = need_of(p, p->order[p->next]);
    if (!p->largest)
        t = (tally){ LARGEST | (needs_largest(t) ? 0 : t.what), BY_NUMBER };
    else
        t.what &= ~(uint32_t)LARGEST;
    if (summed)
        t.what &= ~(uint32_t)(MASS | MOMENT);
    p->known = t;
    p->largest = true;
    return t;
}

/* ---- Searching */

typedef struct target {
    uint32_t by, kind;
    uint64_t value;
} target;

/* The share of all, as a fraction of 2^64; ldexp() of what is below 1 in steps of 2^-53 fits. */
static uint64_t share_of(double share)
{
    return share >= 1.0 ? UINT64_MAX : (uint64_t)ldexp(share > 0.0 ? share : 0.0, 64);
}

/* All passes of a search; the last digit is left to who comes next. */
static oclm_status search(plan *p, target t)
{
    oclm_status status = require(p, (tally){ COUNTS, t.by });
    for (uint32_t shift = 24; shift > 0 && status == OCLM_OK; shift -= 8) {
        const dev_arg args[] = { dev_arg_u32(t.by), dev_arg_u32(shift - 8), dev_arg_u64(t.value), dev_arg_u32(t.kind) };
        status = add_pass(p, "filter", "filter_count", args, COUNT(args));
    }
    p->known.what = 0;
    return status;
}

/* A search whose end is the row's border. */
static oclm_status mark(plan *p, target t)
{
    const dev_arg args[] = { dev_arg_buffer(&p->parts->workspace), dev_arg_u32(p->parts->parts), dev_arg_u64(t.value), dev_arg_u32(t.kind) };
    oclm_status   status = search(p, t);
    return status == OCLM_OK ? gen_parts_add(p->parts, p->work, GEN_SPAN_PART, p->rows, "filter", "filter_mark", args, COUNT(args)) : status;
}

/* The border at the k-th largest score. */
static oclm_status mark_rank(plan *p, uint32_t k)
{
    return mark(p, (target){ BY_NUMBER, TARGET_NUMBER, k < p->parts->vocab ? p->parts->vocab - k : 0 });
}

static oclm_status cut(plan *p, target t, bool ties, bool guarded)
{
    const tally   next = foresee(p, false);
    const dev_arg args[] = { dev_arg_u32(next.what), dev_arg_u32(next.by), dev_arg_u32(t.by), dev_arg_u64(t.value), dev_arg_u32(t.kind),
                             dev_arg_u32(ties), dev_arg_u32(guarded) };
    return add_pass(p, "filter", "filter_cut", args, COUNT(args));
}

/* ---- The filters */

static oclm_status add_temperature(plan *p)
{
    const tally   next = foresee(p, false);
    const dev_arg args[] = { dev_arg_u32(next.what), dev_arg_u32(next.by), dev_arg_f32(p->config->temperature) };
    return add_pass(p, "filter", "filter_temperature", args, COUNT(args));
}

static oclm_status add_top_h(plan *p)
{
    const gen_parts *parts = p->parts;
    const uint32_t   listed = parts->vocab < LISTED ? parts->vocab : LISTED;
    const dev_arg    args[] = { dev_arg_buffer(&parts->workspace), dev_arg_u32(parts->parts), dev_arg_u32(listed), dev_arg_f32(p->config->top_h) };
    oclm_status      status;
    if ((status = mark_rank(p, listed)) != OCLM_OK ||
        (status = add_pass(p, "filter_top_h", "filter_list", NULL, 0)) != OCLM_OK ||
        (status = gen_parts_add(parts, p->work, GEN_SPAN_PART, p->rows, "filter_top_h", "filter_entropy", args, COUNT(args))) != OCLM_OK ||
        (status = add_pass(p, "filter_top_h", "filter_ties", NULL, 0)) != OCLM_OK)
        return status;
    const tally   next = foresee(p, false);
    const dev_arg tallied[] = { dev_arg_u32(next.what), dev_arg_u32(next.by) };
    return add_pass(p, "filter", "filter_cut_border", tallied, COUNT(tallied));
}

static oclm_status add_top_k(plan *p)
{
    const gen_config *c = p->config;
    const uint32_t    k = c->top_k > c->min_keep ? c->top_k : c->min_keep;
    const target      t = { BY_NUMBER, TARGET_NUMBER, p->parts->vocab - k };
    oclm_status       status = search(p, t);
    return status == OCLM_OK ? cut(p, t, false, false) : status;
}

static oclm_status add_top_p(plan *p)
{
    const target t = { BY_MASS, TARGET_SHARE, share_of(1.0 - (double)p->config->top_p) };
    oclm_status  status = is_guarded(p) ? mark_rank(p, p->config->min_keep) : OCLM_OK;
    if (status == OCLM_OK)
        status = search(p, t);
    return status == OCLM_OK ? cut(p, t, true, is_guarded(p)) : status;
}

static oclm_status add_typical(plan *p)
{
    const target  t = { BY_FAR_MASS, TARGET_REACHED, share_of((double)p->config->typical_p) };
    const dev_arg args[] = { dev_arg_u64(t.value), dev_arg_u32(t.kind), dev_arg_u32(is_guarded(p)) };
    oclm_status   status = require(p, (tally){ MASS | MOMENT, BY_NUMBER });
    if (status == OCLM_OK && is_guarded(p))
        status = mark(p, (target){ BY_FAR_NUMBER, TARGET_NUMBER, p->config->min_keep - 1 });
    if (status == OCLM_OK)
        status = search(p, t);
    if (status == OCLM_OK)
        status = add_pass(p, "filter", "filter_cut_far", args, COUNT(args));
    p->largest = false; /* it may have gone */
    return status;
}

static oclm_status add_threshold(plan *p, uint32_t rule, float value)
{
    const tally need = { rule == MIN_P ? LARGEST : rule == EPSILON ? MASS : MASS | MOMENT, BY_NUMBER };
    oclm_status status = is_guarded(p) ? mark_rank(p, p->config->min_keep) : OCLM_OK;
    if (status == OCLM_OK)
        status = require(p, need);
    if (status != OCLM_OK)
        return status;
    const tally   next = foresee(p, rule != MIN_P);
    const dev_arg args[] = { dev_arg_u32(next.what), dev_arg_u32(next.by), dev_arg_u32(rule), dev_arg_f32(value), dev_arg_f32(sqrtf(value)),
                             dev_arg_u32(!is_guarded(p) ? GUARD_LARGEST : rule == MIN_P ? GUARD_BORDER : GUARD_TIES) };
    return add_pass(p, "filter", "filter_threshold", args, COUNT(args));
}

static oclm_status add(plan *p, filter which)
{
    switch (which) {
    case TEMPERATURE: return add_temperature(p);
    case TOP_H: return add_top_h(p);
    case TOP_K: return add_top_k(p);
    case TOP_P: return add_top_p(p);
    case MIN: return add_threshold(p, MIN_P, p->config->min_p);
    case TYPICAL: return add_typical(p);
    case EPSILONS: return add_threshold(p, EPSILON, p->config->epsilon_cutoff);
    case ETAS: return add_threshold(p, ETA, p->config->eta_cutoff);
    default: return require(p, need_of(p, DRAW));
    }
}

oclm_status gen_filters_add(const gen_parts *parts, const gen_config *config, dev_work *work, uint32_t rows, const dev_buffer *scores)
{
    plan        p = { .parts = parts, .config = config, .work = work, .scores = scores, .rows = rows };
    oclm_status status = OCLM_OK;
    for (uint32_t f = 0; f < FILTERS; f++)
        if (is_on(&p, (filter)f))
            p.order[p.count++] = (filter)f;
    for (uint32_t i = 0; i < p.count && status == OCLM_OK; i++) {
        p.next = i + 1;
        status = add(&p, p.order[i]);
    }
    return status;
}

oclm_status gen_mass_add(const gen_parts *parts, dev_work *work, uint32_t rows, const dev_buffer *scores)
{
    plan p = { .parts = parts, .work = work, .scores = scores, .rows = rows };
    return require(&p, (tally){ MASS, BY_NUMBER });
}
