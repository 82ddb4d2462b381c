/* batch.c: texts to rows of ids. All texts are encoded first, then cut into rows; only then is known how long rows are, and
 * how far the others are padded. */
#include "tokenizer/batch.h"

#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/special.h"
#include "tokenizer/truncate.h"

/* Where a text's ids are in the pool of all. */
typedef struct range {
    size_t begin, end;
} range;

typedef struct sample {
    range text, pair;
    bool has_pair;
} sample;

/* A row before it is written: a part of a text, a part of its pair. */
typedef struct plan {
    range text, pair;
    const tok_layout *layout;
    size_t sample;
} plan;

typedef struct work {
    const tok_tokenizer *tokenizer;
    const oclm_encode_options *options;
    tok_encoded pool; /* ids of all texts, and where they come from */
    sample *samples;
    size_t sample_count;
    plan *plans;
    size_t plan_count, plan_capacity;
    bool pad, pad_left, pad_to_max;
    size_t max_length;  /* 0: none */
    int32_t pad_id;
    oclm_truncation truncation;
} work;

/* ---- What the options mean for this tokenizer */

static oclm_status settle_padding(work *w)
{
    const oclm_encode_options *options = w->options;
    const char *text;
    w->pad_to_max = options->padding == OCLM_PADDING_MAX_LENGTH;
    w->pad = options->padding == OCLM_PADDING_LONGEST || (w->pad_to_max && w->max_length > 0);
    w->pad_left = options->padding_side == OCLM_SIDE_UNSET ? tok_pads_left(w->tokenizer) : options->padding_side == OCLM_SIDE_LEFT;
    w->pad_id = options->pad_token_id;
    if (w->pad && w->pad_id < 0 && !tok_special(w->tokenizer, TOK_PAD, &text, NULL, &w->pad_id))
        return core_fail(OCLM_ERR_ARGUMENT, "padding is asked for, but the tokenizer has no pad_token; give a pad_token_id, such as that of its eos_token");
    if (w->pad && w->truncation != OCLM_TRUNCATION_NONE && options->pad_to_multiple_of > 0 && w->max_length > 0 &&
        w->max_length % options->pad_to_multiple_of != 0)
        return core_fail(OCLM_ERR_ARGUMENT, "max_length is %zu, no multiple of pad_to_multiple_of, which is %u", w->max_length, options->pad_to_multiple_of);
    return OCLM_OK;
}

/* As transformers settles them: without a length, truncation and padding to it are off. */
static oclm_status settle(work *w)
{
    const uint64_t longest = w->tokenizer->settings.model_max_length;
    w->max_length = w->options->max_length > 0 ? w->options->max_length : (size_t)longest;
    w->truncation = w->max_length > 0 ? w->options->truncation : OCLM_TRUNCATION_NONE;
    const size_t added = tok_num_added_tokens(w->tokenizer, false);
    if (w->truncation != OCLM_TRUNCATION_NONE && w->max_length < added + (size_t)w->options->stride)
        return core_fail(OCLM_ERR_ARGUMENT, "max_length is %zu, less than the stride of %u and the %zu special tokens together", w->max_length,
                         w->options->stride, added);
    return settle_padding(w);
}

/* ---- Encoding */

static oclm_status encode_one(work *w, const char *text, size_t length, range *where)
{
    const bool split = w->options->split_special_tokens == OCLM_SWITCH_UNSET ? w->tokenizer->settings.split_special_tokens
                                                                            : w->options->split_special_tokens == OCLM_SWITCH_ON;
    where->begin = w->pool.ids.count;
    const oclm_status status = tok_encode_spans(w->tokenizer, text, length, split, w->options->return_offsets, &w->pool);
    where->end = w->pool.ids.count;
    return status;
}

static oclm_status encode_all(work *w, const oclm_text *texts, size_t count)
{
    if ((w->samples = core_alloc_zero(count, sizeof *w->samples, "a batch")) == NULL)
        return OCLM_ERR_MEMORY;
    w->sample_count = count;
    for (size_t i = 0; i < count; i++) {
        sample *made = &w->samples[i];
        oclm_status status = encode_one(w, texts[i].text, texts[i].length, &made->text);
        made->has_pair = texts[i].pair != NULL;
        if (status == OCLM_OK && made->has_pair)
            status = encode_one(w, texts[i].pair, texts[i].pair_length, &made->pair);
        if (status != OCLM_OK)
            return count > 1 && status != OCLM_ERR_MEMORY ? core_fail_in(status, "text %zu", i) : status;
    }
    return OCLM_OK;
}

/* ---- Cutting */

static oclm_status add_plan(work *w, const plan *made)
{
    if (w->plan_count == w->plan_capacity) {
        const size_t capacity = w->plan_capacity == 0 ? 16 : w->plan_capacity * 2;
        plan *plans = core_realloc_array(w->plans, capacity, sizeof *plans, "a batch");
        if (plans == NULL)
            return OCLM_ERR_MEMORY;
        w->plans = plans;
        w->plan_capacity = capacity;
    }
    w->plans[w->plan_count++] = *made;
    return OCLM_OK;
}

static oclm_status cut_sample(work *w, size_t index)
{
    const sample *from = &w->samples[index];
    const size_t length = from->text.end - from->text.begin, pair_length = from->pair.end - from->pair.begin;
    const size_t added = w->options->add_special_tokens ? tok_num_added_tokens(w->tokenizer, from->has_pair) : 0;
    tok_cut cut = { w->max_length - added, w->options->stride, w->truncation, false };
    const tok_layout *layout;
    size_t keep, pair_keep, begin, end;
    oclm_status status = tok_layout_of(w->tokenizer, from->has_pair, w->options->add_special_tokens, &layout);
    if (status != OCLM_OK)
        return status;
    cut.from_left = w->options->truncation_side == OCLM_SIDE_UNSET ? w->tokenizer->settings.truncate_left
                                                                   : w->options->truncation_side == OCLM_SIDE_LEFT;
    if (w->truncation != OCLM_TRUNCATION_NONE && w->max_length < added)
        return core_fail(OCLM_ERR_ARGUMENT, "max_length is %zu, but the %zu special tokens alone are more", w->max_length, added);
    if ((status = tok_cut_lengths(&cut, length, from->has_pair, pair_length, &keep, &pair_keep)) != OCLM_OK)
        return status;
    const bool both = keep < length && pair_keep < pair_length;
    if (both && w->options->return_overflowing_tokens)
        return core_fail(OCLM_ERR_UNSUPPORTED, "both texts of a pair are cut: the cut-off parts are not returned then; use only_first or only_second");
    for (size_t number = 0;; number++) {
        plan made = { from->text, from->pair, layout, index };
        /* Of a pair one is cut, and the other one stands in every row. */
        const bool cut_pair = from->has_pair && keep == length;
        const bool there = tok_cut_part(&cut, cut_pair ? pair_length : length, cut_pair ? pair_keep : keep, number, &begin, &end);
        range *part = cut_pair ? &made.pair : &made.text;
        if (!there)
            return OCLM_OK;
        part->end = part->begin + end;
        part->begin += begin;
        if (both) {
            (void)tok_cut_part(&cut, pair_length, pair_keep, 0, &begin, &end);
            made.pair.end = made.pair.begin + end;
            made.pair.begin += begin;
        }
        if ((status = add_plan(w, &made)) != OCLM_OK || !w->options->return_overflowing_tokens)
            return status;
    }
}

/* ---- Writing the rows */

static size_t part_length(const plan *p, const tok_part *part)
{
    return part->id == TOK_PART_A ? p->text.end - p->text.begin : part->id == TOK_PART_B ? p->pair.end - p->pair.begin : 1;
}

static size_t plan_length(const plan *p)
{
    size_t length = 0;
    for (size_t i = 0; i < p->layout->count; i++)
        length += part_length(p, &p->layout->parts[i]);
    return length;
}

/* The length that rows are padded to; 0: none are. */
static size_t padded_length(const work *w)
{
    const size_t multiple = w->options->pad_to_multiple_of;
    size_t length = w->pad_to_max ? w->max_length : 0;
    if (!w->pad)
        return 0;
    for (size_t i = 0; i < w->plan_count && !w->pad_to_max; i++) {
        const size_t own = plan_length(&w->plans[i]);
        if (i == 0 || w->plans[i].sample != w->plans[i - 1].sample) /* what overflows does not count, as in the reference */
            length = own > length ? own : length;
    }
    return multiple > 0 && length % multiple != 0 ? length + multiple - length % multiple : length;
}

static oclm_status allocate(const work *w, size_t padded, tok_batch *batch)
{
    size_t total = 0;
    if ((batch->rows = core_alloc_zero(w->plan_count, sizeof *batch->rows, "a batch")) == NULL)
        return OCLM_ERR_MEMORY;
    batch->row_count = w->plan_count;
    for (size_t i = 0; i < w->plan_count; i++) {
        const size_t own = plan_length(&w->plans[i]);
        batch->rows[i] = (tok_row){ total, own > padded ? own : padded, w->plans[i].sample };
        if (!core_add_size(total, batch->rows[i].length, &total))
            return core_fail_memory(SIZE_MAX, "a batch");
    }
    if ((batch->ids = core_alloc_array(total, sizeof *batch->ids, "a batch")) == NULL ||
        (batch->type_ids = core_alloc_zero(total, sizeof *batch->type_ids, "a batch")) == NULL ||
        (batch->attention_mask = core_alloc_zero(total, 1, "a batch")) == NULL ||
        (batch->special_mask = core_alloc_zero(total, 1, "a batch")) == NULL ||
        (batch->sequence_ids = core_alloc_zero(total, 1, "a batch")) == NULL)
        return OCLM_ERR_MEMORY;
    if (w->options->return_offsets && (batch->offsets = core_alloc_zero(total, sizeof *batch->offsets, "a batch")) == NULL)
        return OCLM_ERR_MEMORY;
    return OCLM_OK;
}

static void write_pad(const work *w, tok_batch *batch, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++) {
        batch->ids[i] = w->pad_id;
        batch->special_mask[i] = 1;
        batch->sequence_ids[i] = -1;
    }
}

/* A part of the layout: a text's ids, or a special token. Returns how many. */
static size_t write_part(const work *w, const plan *p, const tok_part *part, tok_batch *batch, size_t at)
{
    const range *from = part->id == TOK_PART_A ? &p->text : part->id == TOK_PART_B ? &p->pair : NULL;
    const size_t count = part_length(p, part);
    for (size_t i = 0; i < count; i++) {
        batch->ids[at + i] = from != NULL ? w->pool.ids.data[from->begin + i] : part->id;
        batch->type_ids[at + i] = part->type_id;
        batch->attention_mask[at + i] = 1;
        batch->special_mask[at + i] = from == NULL;
        batch->sequence_ids[at + i] = part->id == TOK_PART_A ? 0 : part->id == TOK_PART_B ? 1 : -1;
        if (batch->offsets != NULL && from != NULL)
            batch->offsets[at + i] = w->pool.spans[from->begin + i];
    }
    return count;
}

static void write_row(const work *w, size_t index, tok_batch *batch)
{
    const plan *p = &w->plans[index];
    const tok_row *row = &batch->rows[index];
    const size_t own = plan_length(p), padding = row->length - own;
    size_t at = row->start + (w->pad_left ? padding : 0);
    write_pad(w, batch, row->start + (w->pad_left ? 0 : own), padding);
    for (size_t i = 0; i < p->layout->count; i++)
        at += write_part(w, p, &p->layout->parts[i], batch, at);
}

oclm_status tok_batch_encode(const tok_tokenizer *tokenizer, const oclm_text *texts, size_t count,
                             const oclm_encode_options *options, tok_batch *batch)
{
    work w;
    oclm_status status;
    memset(&w, 0, sizeof w);
    memset(batch, 0, sizeof *batch);
    w.tokenizer = tokenizer;
    w.options = options;
    if ((status = settle(&w)) == OCLM_OK)
        status = encode_all(&w, texts, count);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        if ((status = cut_sample(&w, i)) != OCLM_OK && count > 1 && status != OCLM_ERR_MEMORY)
            status = core_fail_in(status, "text %zu", i);
    }
    if (status == OCLM_OK)
        status = allocate(&w, padded_length(&w), batch);
    for (size_t i = 0; i < w.plan_count && status == OCLM_OK; i++)
        write_row(&w, i, batch);
    tok_encoded_free(&w.pool);
    core_free(w.samples);
    core_free(w.plans);
    return status;
}

void tok_batch_deinit(tok_batch *batch)
{
    core_free(batch->rows);
    core_free(batch->ids);
    core_free(batch->type_ids);
    core_free(batch->attention_mask);
    core_free(batch->special_mask);
    core_free(batch->sequence_ids);
    core_free(batch->offsets);
    memset(batch, 0, sizeof *batch);
}
