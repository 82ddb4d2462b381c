/* ranges.c: sets of code points as ranges. */
#include "tokenizer/ranges.h"

#include <stdlib.h>
#include <string.h>

oclm_status tok_ranges_add(tok_ranges *ranges, uint32_t first, uint32_t last)
{
    if (ranges->count == ranges->capacity) {
        const size_t capacity = ranges->capacity == 0 ? 16 : ranges->capacity * 2;
        tok_range *data = core_realloc_array(ranges->data, capacity, sizeof *data, "a class of characters");
        if (data == NULL)
            return OCLM_ERR_MEMORY;
        ranges->data = data;
        ranges->capacity = capacity;
    }
    ranges->data[ranges->count++] = (tok_range){ first, last };
    return OCLM_OK;
}

oclm_status tok_ranges_add_all(tok_ranges *ranges, const tok_range *data, size_t count)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = tok_ranges_add(ranges, data[i].first, data[i].last);
    return status;
}

/* What is known of a block of code points: many blocks are one and the same, and most are all in or all out. */
enum { UNKNOWN, ALL, NONE, MIXED };

static uint8_t look_at_block(uint32_t block, bool (*test)(uint32_t kind, const void *context), const void *context)
{
    const uint16_t *classes = tok_classes + (size_t)block * TOK_CLASS_BLOCK;
    const bool      first = test(classes[0], context);
    for (size_t i = 1; i < TOK_CLASS_BLOCK; i++) {
        if (test(classes[i], context) != first)
            return MIXED;
    }
    return first ? ALL : NONE;
}

oclm_status tok_ranges_add_class(tok_ranges *ranges, bool (*test)(uint32_t kind, const void *context), const void *context)
{
    uint8_t     known[TOK_CLASS_MAX_BLOCKS] = { 0 };
    uint32_t    first = UINT32_MAX; /* of the range that is open */
    oclm_status status = OCLM_OK;
    for (uint32_t c = 0; c <= TOK_LAST_CODE_POINT && status == OCLM_OK;) {
        const uint32_t block = tok_class_block[c / TOK_CLASS_BLOCK];
        if (known[block] == UNKNOWN)
            known[block] = look_at_block(block, test, context);
        const bool in = known[block] == MIXED ? test(tok_class_of(c), context) : known[block] == ALL;
        if (in && first == UINT32_MAX)
            first = c;
        if (!in && first != UINT32_MAX) {
            status = tok_ranges_add(ranges, first, c - 1);
            first = UINT32_MAX;
        }
        c = known[block] == MIXED ? c + 1 : (c / TOK_CLASS_BLOCK + 1) * TOK_CLASS_BLOCK;
    }
    return status == OCLM_OK && first != UINT32_MAX ? tok_ranges_add(ranges, first, TOK_LAST_CODE_POINT) : status;
}

static int compare_ranges(const void *a, const void *b)
{
    const tok_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

void tok_ranges_tidy(tok_ranges *ranges)
{
    size_t kept = 0;
    if (ranges->count == 0)
        return;
    qsort(ranges->data, ranges->count, sizeof *ranges->data, compare_ranges);
    for (size_t i = 1; i < ranges->count; i++) {
        tok_range *last = &ranges->data[kept];
        if (ranges->data[i].first > last->last + 1)
            ranges->data[++kept] = ranges->data[i];
        else if (ranges->data[i].last > last->last)
            last->last = ranges->data[i].last;
    }
    ranges->count = kept + 1;
}

oclm_status tok_ranges_invert(tok_ranges *ranges)
{
    tok_ranges gaps = TOK_RANGES_INIT;
    uint32_t next = 0;
    oclm_status status = OCLM_OK;
    tok_ranges_tidy(ranges);
    for (size_t i = 0; i < ranges->count && status == OCLM_OK; i++) {
        if (ranges->data[i].first > next)
            status = tok_ranges_add(&gaps, next, ranges->data[i].first - 1);
        next = ranges->data[i].last + 1;
    }
    if (status == OCLM_OK && next <= TOK_LAST_CODE_POINT)
        status = tok_ranges_add(&gaps, next, TOK_LAST_CODE_POINT);
    if (status != OCLM_OK) {
        tok_ranges_deinit(&gaps);
        return status;
    }
    tok_ranges_deinit(ranges);
    *ranges = gaps;
    return OCLM_OK;
}

oclm_status tok_ranges_intersect(tok_ranges *ranges, const tok_ranges *other)
{
    tok_ranges both = TOK_RANGES_INIT;
    oclm_status status = OCLM_OK;
    for (size_t i = 0, j = 0; i < ranges->count && j < other->count && status == OCLM_OK;) {
        const tok_range a = ranges->data[i], b = other->data[j];
        const uint32_t first = a.first > b.first ? a.first : b.first, last = a.last < b.last ? a.last : b.last;
        if (first <= last)
            status = tok_ranges_add(&both, first, last);
        if (a.last < b.last)
            i++;
        else
            j++;
    }
    if (status != OCLM_OK) {
        tok_ranges_deinit(&both);
        return status;
    }
    tok_ranges_deinit(ranges);
    *ranges = both;
    return OCLM_OK;
}

static bool has(const tok_ranges *ranges, size_t count, uint32_t code_point)
{
    size_t low = 0, high = count;
    while (low < high) { /* the first range that does not end before it */
        const size_t middle = low + (high - low) / 2;
        if (ranges->data[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges->data[low].first <= code_point;
}

static bool is_assigned(uint32_t code_point)
{
    return (tok_class_of(code_point) & TOK_CATEGORY) != TOK_CN;
}

oclm_status tok_ranges_fold(tok_ranges *ranges)
{
    const size_t count = ranges->count; /* what is added goes behind */
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < tok_lower_range_count && status == OCLM_OK; i++) {
        const tok_lower_range *pairs = &tok_lower_ranges[i];
        for (uint32_t upper = pairs->first; upper <= pairs->last && status == OCLM_OK; upper += pairs->step) {
            const uint32_t lower = (uint32_t)((int32_t)upper + pairs->distance);
            if (!is_assigned(upper) || !is_assigned(lower)) /* of Unicode 17.0 */
                continue;
            if (has(ranges, count, upper))
                status = tok_ranges_add(ranges, lower, lower);
            if (status == OCLM_OK && has(ranges, count, lower))
                status = tok_ranges_add(ranges, upper, upper);
        }
    }
    tok_ranges_tidy(ranges);
    return status;
}

void tok_ranges_deinit(tok_ranges *ranges)
{
    core_free(ranges->data);
    *ranges = (tok_ranges)TOK_RANGES_INIT;
}
