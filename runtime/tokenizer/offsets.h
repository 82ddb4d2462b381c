/* offsets.h: which bytes of the original text each id covers, exactly as the reference tells it (in bytes, not in characters).
 *
 * Only runs that ask for offsets trace where rewritten text comes from (normal.h), and only they ask the model which bytes of
 * a piece each of its ids covers. */
#ifndef OCLM_TOKENIZER_OFFSETS_H
#define OCLM_TOKENIZER_OFFSETS_H

#include "tokenizer/tokenizer.h"

struct tok_run;

/* Adds the spans of the ids that the model gave for a piece: those of run->encoded from `first` on. */
oclm_status tok_offsets_of_piece(struct tok_run *run, const char *text, size_t length, size_t first);
/* Adds the span of the last id, an added token found at [text, text + length) of the frame's text. */
oclm_status tok_offsets_of_added(struct tok_run *run, const char *text, size_t length);

#endif
