/* processors.c: the order of the processors, and what each is launched with. Kernels: cl/process_*.cl; filters.c has those of sampling. */
#include "generation/processors.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generation/filters.h"

#define EVER    UINT32_MAX      /* of lengths: none is so large */
#define GROWTHS (1u << 20)      /* steps for which exponential decay is tabulated, at most */

/* Ids on the device, each once. */
typedef struct ids_list {
    dev_buffer buffer;
    uint32_t   count;
} ids_list;

/* Sequences with a bias on the device, those that end in the same token together (cl/process_ids.cl). */
typedef struct bias_list {
    dev_buffer buffer;
    uint32_t   tokens, sequences;
} bias_list;

struct gen_processors {
    dev_device *device;
    gen_config  config;  /* its lists are not kept: see what follows */
    gen_rows    rows;
    gen_parts   parts;
    ids_list    eos, forced_bos, forced_eos, suppress, begin_suppress;
    bias_list   bias, bad_words;
    dev_buffer  seen;    /* uint32 [rows][seen_words]: a bit for each token, all 0 between launches */
    uint32_t    seen_words;
    dev_buffer  growth;  /* float [growths]: of exponential decay */
    uint32_t    growths;
};

/* ---- What is asked for --------------------------------------------------------------------------------------------------- */

/* The length below which no eos may come: of min_length and min_new_tokens the later. */
static uint32_t shortest(const gen_config *c)
{
    const uint32_t with_new = c->min_new_tokens < EVER - c->prompt_length ? c->prompt_length + c->min_new_tokens : EVER;
    return c->eos_token_count == 0 ? 0 : c->min_new_tokens > 0 && with_new > c->min_length ? with_new : c->min_length;
}

static bool has_decay(const gen_config *c) { return c->exponential_decay_start != OCLM_UNSET && c->eos_token_count > 0; }

static bool has_penalties(const gen_config *c) { return c->encoder_repetition_penalty != 1.0f || c->repetition_penalty != 1.0f; }

bool gen_processors_need_history(const gen_config *c)
{
    return c->sequence_bias_count > 0 || has_penalties(c) || c->no_repeat_ngram_size > 0 || c->encoder_no_repeat_ngram_size > 0 ||
           c->bad_word_count > 0 || shortest(c) > 0 || c->forced_bos_token_id >= 0 || c->forced_eos.count > 0 || has_decay(c) ||
           c->begin_suppress_tokens.count > 0;
}

/* ---- Lists on the device ------------------------------------------------------------------------------------------------- */

static oclm_status ids_list_new(dev_device *device, cl_command_queue queue, const int32_t *ids, uint32_t count, const char *what, ids_list *list)
{
    int32_t    *once = NULL;
    oclm_status status = OCLM_OK;
    if (count == 0)
        return OCLM_OK;
    if (!(once = core_alloc_array(count, sizeof *once, what)))
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < list->count && once[k] != ids[i])
            k++;
        if (k == list->count)
            once[list->count++] = ids[i];
    }
    if ((status = dev_buffer_new(device, list->count * sizeof *once, what, &list->buffer)) == OCLM_OK)
        status = dev_buffer_write(queue, &list->buffer, 0, once, list->count * sizeof *once);
    core_free(once);
    return status;
}

typedef struct bias_place {
    const gen_bias *bias;
    uint32_t        place; /* in the caller's list */
} bias_place;

/* By last id, sequences of one id first, then as the caller has them: the order in which their biases are added. */
static int by_last_id(const void *a, const void *b)
{
    const bias_place *x = a, *y = b;
    const gen_ids    *p = &x->bias->ids, *q = &y->bias->ids;
    const int32_t     last = p->ids[p->count - 1], other = q->ids[q->count - 1];
    if (last != other)
        return last < other ? -1 : 1;
    if ((p->count == 1) != (q->count == 1))
        return p->count == 1 ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* Writes what cl/process_ids.cl calls lists. */
static void lay_out(const bias_place *sorted, uint32_t count, uint32_t tokens, int32_t *lists)
{
    int32_t *firsts = lists + tokens + 1, *biases = firsts + count + 1, *ids = biases + count;
    int32_t  length = 0;
    uint32_t token = 0;
    for (uint32_t i = 0; i < count; i++) {
        const gen_ids *s = &sorted[i].bias->ids, *before = i > 0 ? &sorted[i - 1].bias->ids : NULL;
        if (before == NULL || before->ids[before->count - 1] != s->ids[s->count - 1])
            lists[token++] = (int32_t)i;
        firsts[i] = length;
        memcpy(&biases[i], &sorted[i].bias->bias, sizeof biases[i]);
        memcpy(ids + length, s->ids, s->count * sizeof *ids);
        length += (int32_t)s->count;
    }
    lists[token] = (int32_t)count;
    firsts[count] = length;
}

static oclm_status bias_list_new(dev_device *device, cl_command_queue queue, const gen_bias *biases, uint32_t count, const char *what,
                                 bias_list *list)
{
    bias_place *sorted = NULL;
    int32_t    *lists = NULL;
    uint64_t    words = 0;
    oclm_status status = OCLM_ERR_MEMORY;
    if (count == 0)
        return OCLM_OK;
    if (!(sorted = core_alloc_array(count, sizeof *sorted, what)))
        goto done;
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = (bias_place){ &biases[i], i };
        words += biases[i].ids.count;
    }
    qsort(sorted, count, sizeof *sorted, by_last_id);
    list->sequences = count;
    for (uint32_t i = 0; i < count; i++) {
        const gen_ids *s = &sorted[i].bias->ids, *next = i + 1 < count ? &sorted[i + 1].bias->ids : NULL;
        list->tokens += next == NULL || next->ids[next->count - 1] != s->ids[s->count - 1];
    }
    words += list->tokens + 1 + (uint64_t)count + 1 + count;
    if (words > INT32_MAX) {
        status = core_fail(OCLM_ERR_ARGUMENT, "%s have %llu ids, too many", what, (unsigned long long)words);
        goto done;
    }
    if (!(lists = core_alloc_array((size_t)words, sizeof *lists, what)))
        goto done;
    lay_out(sorted, count, list->tokens, lists);
    if ((status = dev_buffer_new(device, (size_t)words * sizeof *lists, what, &list->buffer)) == OCLM_OK)
        status = dev_buffer_write(queue, &list->buffer, 0, lists, (size_t)words * sizeof *lists);
done:
    core_free(lists);
    core_free(sorted);
    return status;
}

/* factor^(i + 1) - 1 for as many steps as there can be, or until it no longer changes. */
static oclm_status growth_new(gen_processors *p, cl_command_queue queue)
{
    const gen_config *c = &p->config;
    const uint64_t    start = (uint64_t)c->prompt_length + c->exponential_decay_start;
    const uint64_t    steps = c->limit > start ? c->limit - start : 1;
    float            *growth = NULL;
    oclm_status       status;
    p->growths = steps < GROWTHS ? (uint32_t)steps : GROWTHS;
    if (!(growth = core_alloc_array(p->growths, sizeof *growth, "exponential decay")))
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < p->growths; i++)
        growth[i] = (float)fmin(pow((double)c->exponential_decay_factor, i + 1.0) - 1.0, 3.4028234663852886e38);
    if ((status = dev_buffer_new(p->device, p->growths * sizeof *growth, "exponential decay", &p->growth)) == OCLM_OK)
        status = dev_buffer_write(queue, &p->growth, 0, growth, p->growths * sizeof *growth);
    core_free(growth);
    return status;
}

static oclm_status lists_new(gen_processors *p, cl_command_queue queue, const gen_config *c)
{
    dev_device *device = p->device;
    oclm_status status;
    if ((status = ids_list_new(device, queue, c->eos_token_ids, c->eos_token_count, "the end-of-sequence ids", &p->eos)) != OCLM_OK ||
        (status = ids_list_new(device, queue, &c->forced_bos_token_id, c->forced_bos_token_id >= 0, "forced_bos_token_id", &p->forced_bos)) != OCLM_OK ||
        (status = ids_list_new(device, queue, c->forced_eos.ids, c->forced_eos.count, "forced_eos_token_id", &p->forced_eos)) != OCLM_OK ||
        (status = ids_list_new(device, queue, c->suppress_tokens.ids, c->suppress_tokens.count, "suppress_tokens", &p->suppress)) != OCLM_OK ||
        (status = ids_list_new(device, queue, c->begin_suppress_tokens.ids, c->begin_suppress_tokens.count, "begin_suppress_tokens",
                               &p->begin_suppress)) != OCLM_OK ||
        (status = bias_list_new(device, queue, c->sequence_bias, c->sequence_bias_count, "sequence_bias", &p->bias)) != OCLM_OK ||
        (status = bias_list_new(device, queue, c->bad_words, c->bad_word_count, "bad_words_ids", &p->bad_words)) != OCLM_OK)
        return status;
    return has_decay(c) ? growth_new(p, queue) : OCLM_OK;
}

oclm_status gen_processors_new(dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows, gen_processors **out)
{
    const bool      guided = gen_is_guided(config);
    gen_processors *p = core_alloc_zero(1, sizeof *p, "logits processors");
    oclm_status     status = OCLM_ERR_MEMORY;
    size_t          bytes = 0;
    *out = NULL;
    if (!p)
        return status;
    assert(!gen_processors_need_history(config) || (rows->history.memory && rows->lengths.memory));
    p->device = device;
    p->config = *config;
    p->rows = *rows;
    p->seen_words = rows->vocab / 32 + 1;
    if ((status = gen_parts_new(device, queue, guided ? 2 * rows->rows : rows->rows, rows->vocab, rows->stride, &p->parts)) != OCLM_OK ||
        (status = lists_new(p, queue, config)) != OCLM_OK)
        goto done;
    if (has_penalties(config)) {
        if (!core_mul_size((size_t)p->seen_words * sizeof(uint32_t), rows->rows, &bytes))
            status = core_fail(OCLM_ERR_ARGUMENT, "a penalty on %u rows of %u tokens does not fit into memory", rows->rows, rows->vocab);
        else
            status = dev_buffer_new_zero(device, queue, bytes, "which tokens stand already", &p->seen);
        if (status != OCLM_OK)
            goto done;
    }
    *out = p;
    p = NULL;
done:
    gen_processors_free(p);
    return status;
}

void gen_processors_free(gen_processors *p)
{
    if (!p)
        return;
    dev_buffer *const buffers[] = { &p->eos.buffer, &p->forced_bos.buffer, &p->forced_eos.buffer, &p->suppress.buffer,
                                    &p->begin_suppress.buffer, &p->bias.buffer, &p->bad_words.buffer, &p->seen, &p->growth };
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(p->device, buffers[i]);
    gen_parts_free(p->device, &p->parts);
    core_free(p);
}

gen_parts *gen_processors_parts(const gen_processors *p)
{
    return (gen_parts *)&p->parts; /* part of what the caller owns */
}

/* ---- Recording ----------------------------------------------------------------------------------------------------------- */

typedef struct recording {
    const gen_processors *p;
    dev_work             *work;
    const dev_buffer     *scores;
} recording;

static uint32_t history_stride(const gen_rows *rows) { return rows->one_history ? 0 : rows->history_stride; }

static oclm_status add_items(const recording *r, const char *kernel, uint32_t items, const dev_arg *more, size_t count)
{
    const gen_rows *rows = &r->p->rows;
    dev_arg         args[12] = { dev_arg_buffer(r->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab) };
    memcpy(args + 3, more, count * sizeof *more);
    return gen_items_add(r->work, items, rows->rows, "process_ids", kernel, args, count + 3);
}

/* The listed ids are out in rows of from <= length < until. */
static oclm_status add_ban(const recording *r, const ids_list *ids, uint32_t from, uint32_t until)
{
    const bool    always = from == 0 && until == EVER;
    const dev_arg args[] = { dev_arg_buffer(&ids->buffer), dev_arg_buffer(always ? NULL : &r->p->rows.lengths), dev_arg_u32(from),
                             dev_arg_u32(until) };
    return ids->count == 0 || until == 0 ? OCLM_OK : add_items(r, "process_ban", ids->count, args, COUNT(args));
}

static oclm_status add_force(const recording *r, const ids_list *ids, uint32_t length)
{
    const gen_rows  *rows = &r->p->rows;
    const gen_parts *parts = &r->p->parts;
    const dev_arg    args[] = { dev_arg_buffer(r->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab), dev_arg_u32(parts->part),
                                dev_arg_buffer(&ids->buffer), dev_arg_u32(ids->count), dev_arg_buffer(&rows->lengths), dev_arg_u32(length) };
    if (ids->count == 0)
        return OCLM_OK;
    return gen_parts_add(parts, r->work, GEN_SPAN_PARTS, rows->rows, "process_ids", "process_force", args, COUNT(args));
}

static oclm_status add_decay(const recording *r)
{
    const gen_config *c = &r->p->config;
    const uint64_t    start = (uint64_t)c->prompt_length + c->exponential_decay_start;
    if (!has_decay(c) || start >= EVER)
        return OCLM_OK;
    const dev_arg args[] = { dev_arg_buffer(&r->p->eos.buffer), dev_arg_buffer(&r->p->rows.lengths), dev_arg_u32((uint32_t)start),
                             dev_arg_buffer(&r->p->growth), dev_arg_u32(r->p->growths) };
    return add_items(r, "process_decay", r->p->eos.count, args, COUNT(args));
}

static oclm_status add_bias(const recording *r, const bias_list *list)
{
    const gen_rows *rows = &r->p->rows;
    const dev_arg   args[] = { dev_arg_buffer(&list->buffer), dev_arg_u32(list->tokens), dev_arg_u32(list->sequences),
                               dev_arg_buffer(&rows->history), dev_arg_u32(history_stride(rows)), dev_arg_buffer(&rows->lengths) };
    return list->tokens == 0 ? OCLM_OK : add_items(r, "process_bias", list->tokens, args, COUNT(args));
}

/* A penalty on the ids that stand before position `until`, those of padding left out or not. */
static oclm_status add_penalty(const recording *r, float penalty, uint32_t until, bool padding_too)
{
    const gen_rows *rows = &r->p->rows;
    const dev_arg   args[] = { dev_arg_buffer(r->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab), dev_arg_buffer(&rows->history),
                               dev_arg_u32(history_stride(rows)), dev_arg_buffer(&rows->lengths),
                               dev_arg_buffer(padding_too ? NULL : &rows->begins), dev_arg_u32(until), dev_arg_f32(penalty),
                               dev_arg_buffer(&r->p->seen), dev_arg_u32(r->p->seen_words) };
    if (penalty == 1.0f)
        return OCLM_OK;
    return gen_parts_add(&r->p->parts, r->work, GEN_SPAN_ROWS, rows->rows, "process_history", "process_repetition", args, COUNT(args));
}

static oclm_status add_ngram(const recording *r, uint32_t size, uint32_t until)
{
    const gen_rows *rows = &r->p->rows;
    const dev_arg   args[] = { dev_arg_buffer(r->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab), dev_arg_buffer(&rows->history),
                               dev_arg_u32(history_stride(rows)), dev_arg_buffer(&rows->lengths), dev_arg_u32(until), dev_arg_u32(size) };
    if (size == 0)
        return OCLM_OK;
    return gen_parts_add(&r->p->parts, r->work, GEN_SPAN_ROWS, rows->rows, "process_history", "process_ngram", args, COUNT(args));
}

/* A kernel over all parts: (scores, stride, vocab, part, more...). */
static oclm_status add_parts(const recording *r, uint32_t rows, const char *source, const char *kernel, const dev_arg *more, size_t count)
{
    const gen_parts *parts = &r->p->parts;
    dev_arg          args[8] = { dev_arg_buffer(r->scores), dev_arg_u32(parts->stride), dev_arg_u32(parts->vocab), dev_arg_u32(parts->part) };
    if (count > 0)
        memcpy(args + 4, more, count * sizeof *more);
    return gen_parts_add(parts, r->work, GEN_SPAN_PARTS, rows, source, kernel, args, count + 4);
}

static oclm_status add_first(const recording *r)
{
    const gen_config *c = &r->p->config;
    const uint32_t    prompt = c->prompt_length;
    oclm_status       status;
    if ((status = add_bias(r, &r->p->bias)) == OCLM_OK &&
        (status = add_penalty(r, (float)(1.0 / (double)c->encoder_repetition_penalty), prompt, true)) == OCLM_OK &&
        (status = add_penalty(r, c->repetition_penalty, EVER, false)) == OCLM_OK &&
        (status = add_ngram(r, c->no_repeat_ngram_size, EVER)) == OCLM_OK &&
        (status = add_ngram(r, c->encoder_no_repeat_ngram_size, prompt)) == OCLM_OK &&
        (status = add_bias(r, &r->p->bad_words)) == OCLM_OK)
        status = add_ban(r, &r->p->eos, 0, shortest(c));
    return status;
}

static oclm_status add_forced(const recording *r)
{
    const gen_processors *p = r->p;
    const gen_config     *c = &p->config;
    oclm_status           status;
    if ((status = add_force(r, &p->forced_bos, 1)) == OCLM_OK &&
        (status = add_force(r, &p->forced_eos, c->limit - 1)) == OCLM_OK &&
        (status = c->remove_invalid_values ? add_parts(r, p->rows.rows, "process_values", "process_invalid", NULL, 0) : OCLM_OK) == OCLM_OK &&
        (status = add_decay(r)) == OCLM_OK &&
        (status = add_ban(r, &p->suppress, 0, EVER)) == OCLM_OK)
        status = add_ban(r, &p->begin_suppress, c->begin_suppress_length, c->begin_suppress_length + 1);
    return status;
}

static oclm_status add_log_softmax(const recording *r)
{
    const dev_arg workspace = dev_arg_buffer(&r->p->parts.workspace);
    oclm_status   status = gen_mass_add(&r->p->parts, r->work, r->p->rows.rows, r->scores);
    return status == OCLM_OK ? add_parts(r, r->p->rows.rows, "process_values", "process_log_softmax", &workspace, 1) : status;
}

/* Leaves, while sampling, what a draw goes by. */
static oclm_status add_last(const recording *r)
{
    const gen_config *c = &r->p->config;
    const gen_parts  *parts = &r->p->parts;
    const uint32_t    rows = r->p->rows.rows;
    oclm_status       status = c->do_sample ? gen_filters_add(parts, c, r->work, rows, r->scores) : OCLM_OK;
    if (status == OCLM_OK && c->renormalize_logits)
        status = add_log_softmax(r);
    if (status == OCLM_OK && c->renormalize_logits && c->do_sample)
        status = gen_mass_add(parts, r->work, rows, r->scores);
    return status;
}

oclm_status gen_processors_add(const gen_processors *processors, dev_work *work, gen_stage stage, const dev_buffer *scores)
{
    const recording r = { .p = processors, .work = work, .scores = scores };
    return stage == GEN_STAGE_FIRST ? add_first(&r) : stage == GEN_STAGE_FORCED ? add_forced(&r) : add_last(&r);
}

oclm_status gen_log_softmax_add(const gen_processors *processors, dev_work *work, const dev_buffer *scores)
{
    const recording r = { .p = processors, .work = work, .scores = scores };
    return add_log_softmax(&r);
}

oclm_status gen_guidance_add(const gen_processors *processors, dev_work *work, const dev_buffer *scores, float guidance_scale)
{
    const recording r = { .p = processors, .work = work, .scores = scores };
    const uint32_t  rows = processors->rows.rows;
    const dev_arg   args[] = { dev_arg_buffer(&processors->parts.workspace), dev_arg_u32(rows), dev_arg_f32(guidance_scale) };
    oclm_status     status;
    assert(processors->parts.rows == 2 * rows);
    if ((status = gen_mass_add(&processors->parts, work, 2 * rows, scores)) != OCLM_OK)
        return status;
    return add_parts(&r, rows, "process_values", "process_guidance", args, COUNT(args));
}
