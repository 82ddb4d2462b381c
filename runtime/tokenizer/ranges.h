/* ranges.h: sets of code points as ranges, for the classes of regular expressions. */
#ifndef OCLM_TOKENIZER_RANGES_H
#define OCLM_TOKENIZER_RANGES_H

#include "core/memory.h"
#include "tokenizer/unicode.h"

#define TOK_LAST_CODE_POINT 0x10FFFFu

/* In any order until tok_ranges_tidy(); sorted, apart from one another after it. */
typedef struct tok_ranges {
    tok_range *data;
    size_t     count, capacity;
} tok_ranges;

#define TOK_RANGES_INIT { NULL, 0, 0 }

oclm_status tok_ranges_add(tok_ranges *ranges, uint32_t first, uint32_t last);
oclm_status tok_ranges_add_all(tok_ranges *ranges, const tok_range *data, size_t count);
/* Code points whose class satisfies `test`. */
oclm_status tok_ranges_add_class(tok_ranges *ranges, bool (*test)(uint32_t kind, const void *context), const void *context);
void        tok_ranges_tidy(tok_ranges *ranges);
oclm_status tok_ranges_invert(tok_ranges *ranges);
oclm_status tok_ranges_intersect(tok_ranges *ranges, const tok_ranges *other); /* both tidy */
/* Adds the upper and lower case of what a tidy set has (Unicode 16.0), and tidies it. */
oclm_status tok_ranges_fold(tok_ranges *ranges);
void        tok_ranges_deinit(tok_ranges *ranges);

/* Adds a Unicode property as Oniguruma 6.9.10 has it, by name: a general category, a script, a POSIX name, Any, Assigned,
 * Alphabetic, White_Space; case, spaces, '-' and '_' do not count. `posix`: within [: :], where "punct" has symbols too.
 * *known is false where the name is none of those. */
oclm_status tok_property_add(tok_ranges *ranges, const char *name, size_t length, bool posix, bool *known);

#endif
