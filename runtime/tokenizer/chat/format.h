/* format.h: what "%5.2f" % x and "{:5.2f}".format(x) share: one number or text, laid out. */
#ifndef OCLM_TOKENIZER_CHAT_FORMAT_H
#define OCLM_TOKENIZER_CHAT_FORMAT_H

#include "tokenizer/chat/call.h"

#define JINJA_MAX_WIDTH 100000 /* of a field, and most digits of a fraction */

typedef struct jinja_layout {
    bool alternate; /* '#' */
    char sign;      /* '-': of negative ones only; '+', ' ' */
    char align;     /* '<', '>', '^', or '=': between sign and digits */
    jinja_ref fill; /* NULL: a space */
    int64_t width;
    int64_t precision; /* -1: none */
    char grouping;     /* ',' or '_' between thousands; 0 */
    char type;
} jinja_layout;

/* Adds `body` (its sign apart) in the field's width. */
bool jinja_add_field(jinja_run *run, core_text *out, const char *sign, const char *body, size_t length,
                     const jinja_layout *layout);
/* d, b, o, x, X of an int; e, f, g and their capitals, and % of a float. */
bool jinja_add_int(jinja_run *run, core_text *out, int64_t value, const jinja_layout *layout);
bool jinja_add_float(jinja_run *run, core_text *out, double value, const jinja_layout *layout);
/* A text, cut to the precision. */
bool jinja_add_text(jinja_run *run, core_text *out, jinja_ref text, const jinja_layout *layout);

#endif
