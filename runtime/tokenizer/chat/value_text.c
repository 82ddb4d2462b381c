/* value_text.c: values as Python's str() and repr() write them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/platform.h"
#include "tokenizer/chat/call.h"
#include "tokenizer/unicode.h"

core_text jinja_making(const jinja_run *run)
{
    core_text text = CORE_TEXT_INIT;
    (void)run;
    text.limit = JINJA_MAX_TEXT;
    return text;
}

jinja_ref jinja_made(jinja_run *run, core_text *text, bool good)
{
    jinja_ref value = good && run->status == OCLM_OK ? jinja_text(run, text->data, text->length) : NULL;
    core_text_free(text);
    return value;
}

bool jinja_add(jinja_run *run, core_text *out, const char *data, size_t length)
{
    oclm_status status;
    if (!jinja_work(run, 1 + length / 16))
        return false;
    if ((status = core_text_add(out, data, length)) == OCLM_OK)
        return true;
    if (status == OCLM_ERR_CAPACITY)
        return jinja_fail(run, "makes a text of more than %zu bytes, which is the limit", out->limit) != NULL;
    return jinja_failed(run, status) != NULL;
}

bool jinja_add_word(jinja_run *run, core_text *out, const char *literal)
{
    return jinja_add(run, out, literal, strlen(literal));
}

/* ---- Numbers */

static void print_c(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(out, size, format, arguments);
    va_end(arguments);
}

/* The shortest digits that read back the same; an exponent below 1e-4 and from 1e16 on. */
void jinja_float_text(double value, char text[32])
{
    char digits[32];
    int exponent, precision = 1;
    if (isnan(value) || isinf(value)) {
        (void)strcpy(text, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (; precision <= 17; precision++) {
        print_c(digits, sizeof digits, "%.*e", precision - 1, value);
        if (core_strtod(digits, NULL) == value)
            break;
    }
    if (precision > 17)
        precision = 17;
    exponent = value == 0 ? 0 : (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        char *e = strchr(digits, 'e'); /* Python writes 1e-05 and 1e+16, as C does */
        *e = '\0';
        print_c(text, 32, "%se%c%02d", digits, exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    } else {
        const int decimals = precision - 1 - exponent;
        print_c(text, 32, "%.*f", decimals > 1 ? decimals : 1, value);
    }
}

/* ---- repr */

static bool is_printable(uint32_t c)
{
    switch (tok_class_of(c) & TOK_CATEGORY) {
    case TOK_CN:
    case TOK_CC:
    case TOK_CF:
    case TOK_CO:
    case TOK_CS:
    case TOK_ZL:
    case TOK_ZP:
        return false;
    case TOK_ZS:
        return c == ' ';
    default:
        return true;
    }
}

static bool escape(jinja_run *run, core_text *out, uint32_t c, char quote)
{
    char text[12];
    if (c == '\n' || c == '\r' || c == '\t' || c == '\\' || c == (unsigned char)quote)
        (void)snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : (char)c);
    else if (c < 0x100)
        (void)snprintf(text, sizeof text, "\\x%02x", (unsigned)c);
    else
        (void)snprintf(text, sizeof text, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
    return jinja_add_word(run, out, text);
}

static bool repr_text(jinja_run *run, jinja_ref value, core_text *out)
{
    const char *p = value->as.text.data, *const end = p + value->as.text.length;
    const char quote = memchr(p, '\'', value->as.text.length) && !memchr(p, '"', value->as.text.length) ? '"' : '\'';
    if (value->markup && !jinja_add_word(run, out, "Markup("))
        return false;
    if (!jinja_add(run, out, &quote, 1))
        return false;
    while (p < end) {
        size_t length;
        const uint32_t c = tok_char_at(p, &length);
        if (c == '\\' || c == (unsigned char)quote || !is_printable(c) ? !escape(run, out, c, quote)
                                                                       : !jinja_add(run, out, p, length))
            return false;
        p += length;
    }
    return jinja_add(run, out, &quote, 1) && (!value->markup || jinja_add_word(run, out, ")"));
}

static bool repr_items(jinja_run *run, const jinja_ref *items, size_t count, const char *brackets, core_text *out)
{
    if (!jinja_add(run, out, brackets, 1))
        return false;
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && !jinja_add_word(run, out, ", ")) || !jinja_print_repr(run, items[i], out))
            return false;
    if (brackets[0] == '(' && count == 1 && !jinja_add_word(run, out, ","))
        return false;
    return jinja_add(run, out, brackets + 1, 1);
}

static bool repr_dict(jinja_run *run, const jinja_dict *dict, core_text *out)
{
    if (!jinja_add_word(run, out, "{"))
        return false;
    for (size_t i = 0; i < dict->count; i++)
        if ((i > 0 && !jinja_add_word(run, out, ", ")) || !jinja_print_repr(run, dict->pairs[i].key, out) ||
            !jinja_add_word(run, out, ": ") || !jinja_print_repr(run, dict->pairs[i].value, out))
            return false;
    return jinja_add_word(run, out, "}");
}

/* What only Python knows the address of. */
static bool repr_object(jinja_run *run, jinja_ref value, core_text *out)
{
    return jinja_add_word(run, out, "<") && jinja_add_word(run, out, jinja_type(value)) &&
           jinja_add_word(run, out, " object>");
}

static bool repr_range(jinja_run *run, jinja_ref value, core_text *out)
{
    char text[80];
    const int64_t first = value->as.list.count ? value->as.list.items[0]->as.integer : 0, step = value->as.list.step;
    (void)snprintf(text, sizeof text,
                   step == 1 ? "range(%" PRId64 ", %" PRId64 ")" : "range(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                   first, value->as.list.stop, step);
    return jinja_add_word(run, out, text);
}

static bool print_inside(jinja_run *run, jinja_ref value, core_text *out)
{
    char text[32];
    switch (value->kind) {
    case JINJA_UNDEFINED:
        return jinja_add_word(run, out, "Undefined");
    case JINJA_NONE:
        return jinja_add_word(run, out, "None");
    case JINJA_BOOL:
        return jinja_add_word(run, out, value->as.integer ? "True" : "False");
    case JINJA_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, value->as.integer);
        return jinja_add_word(run, out, text);
    case JINJA_FLOAT:
        jinja_float_text(value->as.real, text);
        return jinja_add_word(run, out, text);
    case JINJA_STRING:
        return repr_text(run, value, out);
    case JINJA_LIST:
        return repr_items(run, value->as.list.items, value->as.list.count, "[]", out);
    case JINJA_TUPLE:
        return repr_items(run, value->as.list.items, value->as.list.count, "()", out);
    case JINJA_DICT:
        return repr_dict(run, value->as.dict, out);
    case JINJA_RANGE:
        return repr_range(run, value, out);
    case JINJA_VIEW:
        return jinja_add_word(run, out, value->as.view.type) && jinja_add_word(run, out, "(") &&
               repr_items(run, value->as.view.items, value->as.view.count, "[]", out) && jinja_add_word(run, out, ")");
    case JINJA_NAMESPACE:
        return jinja_add_word(run, out, "<Namespace ") && repr_dict(run, value->as.dict, out) &&
               jinja_add_word(run, out, ">");
    case JINJA_MACRO: {
        jinja_ref name = jinja_macro_name(value->as.macro);
        if (!name)
            return jinja_add_word(run, out, "<Macro anonymous>");
        return jinja_add_word(run, out, "<Macro ") && repr_text(run, name, out) && jinja_add_word(run, out, ">");
    }
    default:
        return repr_object(run, value, out);
    }
}

bool jinja_print_repr(jinja_run *run, jinja_ref value, core_text *out)
{
    bool good;
    if (!jinja_enter(run))
        return false;
    good = print_inside(run, value, out);
    jinja_leave(run);
    return good;
}

bool jinja_print(jinja_run *run, jinja_ref value, core_text *out)
{
    if (value->kind == JINJA_STRING)
        return jinja_add(run, out, value->as.text.data, value->as.text.length);
    if (value->kind == JINJA_UNDEFINED)
        return true;
    if (value->kind == JINJA_JOINER || value->kind == JINJA_CYCLER)
        return repr_object(run, value, out);
    return jinja_print_repr(run, value, out);
}

jinja_ref jinja_str(jinja_run *run, jinja_ref value)
{
    core_text out;
    if (value->kind == JINJA_STRING)
        return value;
    out = jinja_making(run);
    const bool good = jinja_print(run, value, &out);
    return jinja_made(run, &out, good);
}

jinja_ref jinja_repr(jinja_run *run, jinja_ref value)
{
    core_text out = jinja_making(run);
    const bool good = jinja_print_repr(run, value, &out);
    return jinja_made(run, &out, good);
}
