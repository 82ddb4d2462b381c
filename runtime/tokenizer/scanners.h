/* scanners.h: hand-written matchers for the split patterns in wide use: several times faster than a regex engine, with the
 * Unicode tables of the reference's. */
#ifndef OCLM_TOKENIZER_SCANNERS_H
#define OCLM_TOKENIZER_SCANNERS_H

#include <stddef.h>

/* The end of the match that begins at `p` < `end`, or NULL if none begins there. The text is valid UTF-8; `end` is the end
 * of the piece, which lookaheads do not see beyond. */
typedef const char *(*tok_scanner)(const char *p, const char *end);

const char *tok_scan_gpt2(const char *p, const char *end); /* matches at every place */

/* The scanner of a pattern, written exactly so but for CR and LF; NULL if there is none. */
tok_scanner tok_scanner_of(const char *pattern);

#endif
