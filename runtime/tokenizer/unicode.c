/* unicode.c: what is asked of a code point less often than its class. */
#include "tokenizer/unicode.h"

unsigned tok_script_of(uint32_t code_point)
{
    size_t low = 0, high = tok_script_start_count; /* the entry is in [low, high); the first begins at 0 */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (tok_script_starts[middle] >> 8 <= code_point)
            low = middle;
        else
            high = middle;
    }
    return tok_script_starts[low] & 0xFF;
}

uint32_t tok_lower(uint32_t code_point)
{
    size_t low = 0, high = tok_lower_range_count;
    if (code_point < 0x80)
        return code_point >= 'A' && code_point <= 'Z' ? code_point | 0x20 : code_point;
    if (code_point == 0x130)
        return 'i';
    while (low < high) { /* the first range that does not end before it */
        const size_t middle = low + (high - low) / 2;
        if (tok_lower_ranges[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tok_lower_range_count)
        return code_point;
    const tok_lower_range *range = &tok_lower_ranges[low];
    if (code_point < range->first || (code_point - range->first) % range->step != 0)
        return code_point;
    return (uint32_t)((int32_t)code_point + range->distance);
}

bool tok_is_white_space(uint32_t code_point)
{
    return (tok_class_of(code_point) & TOK_SPACE) != 0;
}

bool tok_is_old_control(uint32_t code_point)
{
    const uint32_t kind = tok_class_of(code_point), category = kind & TOK_CATEGORY;
    return (kind & TOK_AGE_8) && (category == TOK_CC || category == TOK_CF || category == TOK_CO);
}

bool tok_is_old_nonspacing(uint32_t code_point)
{
    const uint32_t kind = tok_class_of(code_point);
    if (code_point == 0x1734 || code_point == 0x1171E) /* Mc since */
        return true;
    /* Lo, Lo, Mc and Po then */
    if (code_point == 0x1885 || code_point == 0x1886 || code_point == 0xA9BD || code_point == 0x111C9)
        return false;
    return (kind & TOK_AGE_8) && (kind & TOK_CATEGORY) == TOK_MN;
}

bool tok_is_old_mark(uint32_t code_point)
{
    const uint32_t kind = tok_class_of(code_point);
    if (code_point == 0x1CF2 || code_point == 0x1CF3) /* Lo since */
        return true;
    return (kind & TOK_OLD) && (kind & TOK_MARK) && code_point != 0x111C9; /* Po then */
}
