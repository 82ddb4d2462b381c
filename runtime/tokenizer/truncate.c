/* truncate.c: lengths, then windows that overlap by the stride. */
#include "tokenizer/truncate.h"

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Of a pair the longer text gives up first; what is still too much is shared. */
static void share(size_t max, size_t *shorter, size_t *longer)
{
    *longer = *shorter > max ? *shorter : largest(*shorter, max - *shorter);
    if (*shorter + *longer > max) {
        *shorter = max / 2;
        *longer = *shorter + max % 2;
    }
}

/* One text alone gives up what is too much. */
static oclm_status cut_one(size_t length, size_t too_many, const char *which, size_t *keep)
{
    if (length <= too_many)
        return core_fail(OCLM_ERR_ARGUMENT, "the %s text has %zu tokens, and %zu are too many: it cannot be cut so far; raise max_length, or cut the "
                         "other text too (OCLM_TRUNCATION_LONGEST_FIRST)", which, length, too_many);
    *keep = length - too_many;
    return OCLM_OK;
}

static oclm_status lengths(const tok_cut *cut, size_t length, bool has_pair, size_t pair_length, size_t *keep, size_t *pair_keep)
{
    const size_t max = cut->max_length, too_many = length + pair_length - max;
    if (cut->strategy == OCLM_TRUNCATION_ONLY_FIRST)
        return cut_one(length, too_many, "first", keep);
    if (cut->strategy == OCLM_TRUNCATION_ONLY_SECOND && !has_pair)
        return core_fail(OCLM_ERR_ARGUMENT, "only_second truncates the second text, but there is one text");
    if (cut->strategy == OCLM_TRUNCATION_ONLY_SECOND)
        return cut_one(pair_length, too_many, "second", pair_keep);
    if (!has_pair)
        *keep = max;
    else if (length <= pair_length)
        share(max, keep, pair_keep);
    else
        share(max, pair_keep, keep);
    return OCLM_OK;
}

oclm_status tok_cut_lengths(const tok_cut *cut, size_t length, bool has_pair, size_t pair_length, size_t *keep, size_t *pair_keep)
{
    *keep = length;
    *pair_keep = pair_length;
    if (cut->strategy == OCLM_TRUNCATION_NONE || length + pair_length <= cut->max_length)
        return OCLM_OK;
    if (cut->max_length == 0) {
        *keep = *pair_keep = 0;
        return OCLM_OK;
    }
    const oclm_status status = lengths(cut, length, has_pair, pair_length, keep, pair_keep);
    if (status != OCLM_OK)
        return status;
    if ((*keep < length && *keep > 0 && cut->stride >= *keep) || (*pair_keep < pair_length && *pair_keep > 0 && cut->stride >= *pair_keep))
        return core_fail(OCLM_ERR_ARGUMENT, "a stride of %zu leaves no progress in parts of %zu tokens; it must be smaller", cut->stride,
                         *keep < length ? *keep : *pair_keep);
    return OCLM_OK;
}

bool tok_cut_part(const tok_cut *cut, size_t length, size_t keep, size_t number, size_t *begin, size_t *end)
{
    if (keep >= length || keep == 0) { /* whole; or nothing, then all of it */
        *begin = 0;
        *end = keep == 0 && number == 0 ? 0 : length;
        return number == 0 || (number == 1 && keep == 0 && length > 0);
    }
    const size_t step = keep - cut->stride, before = number * step; /* ids that earlier parts have and this one has not */
    if (number > 0 && before - step + keep >= length)
        return false; /* the part before reached the end */
    *begin = cut->from_left ? (length - before > keep ? length - before - keep : 0) : before;
    *end = cut->from_left ? length - before : (length - before > keep ? before + keep : length);
    return true;
}
