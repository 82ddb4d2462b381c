/* format.c: numbers and texts in fields, and Python's "..." % values. */
#include "tokenizer/chat/format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "tokenizer/chat/text.h"

/* ---- Fields */

static bool add_fill(jinja_run *run, core_text *out, const jinja_layout *layout, size_t times)
{
    for (size_t i = 0; i < times; i++)
        if (!(layout->fill ? jinja_print(run, layout->fill, out) : jinja_add(run, out, " ", 1)))
            return false;
    return true;
}

bool jinja_add_field(jinja_run *run, core_text *out, const char *sign, const char *body, size_t length,
                     const jinja_layout *layout)
{
    size_t chars = strlen(sign), missing, before;
    for (size_t i = 0; i < length; i++)
        chars += ((unsigned char)body[i] & 0xC0) != 0x80;
    missing = layout->width > 0 && (size_t)layout->width > chars ? (size_t)layout->width - chars : 0;
    before = layout->align == '>' || layout->align == '=' ? missing : layout->align == '^' ? missing / 2 : 0;
    if (layout->align == '=')
        return jinja_add_word(run, out, sign) && add_fill(run, out, layout, before) &&
               jinja_add(run, out, body, length);
    return add_fill(run, out, layout, before) && jinja_add_word(run, out, sign) && jinja_add(run, out, body, length) &&
           add_fill(run, out, layout, missing - before);
}

static const char *sign_of(bool negative, const jinja_layout *layout)
{
    return negative ? "-" : layout->sign == '+' ? "+" : layout->sign == ' ' ? " " : "";
}

/* Digits with `mark` between thousands; those behind a point or an exponent stay as they are. */
static void group(char *text, size_t size, char mark)
{
    for (size_t at = strspn(text, "0123456789"); at > 3 && strlen(text) + 1 < size;) {
        at -= 3;
        memmove(text + at + 1, text + at, strlen(text) - at + 1);
        text[at] = mark;
    }
}

bool jinja_add_int(jinja_run *run, core_text *out, int64_t value, const jinja_layout *layout)
{
    const unsigned base = layout->type == 'b'                          ? 2
                          : layout->type == 'o'                        ? 8
                          : layout->type == 'x' || layout->type == 'X' ? 16
                                                                       : 10;
    const char *digits = layout->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char reversed[80], text[128];
    size_t used = 0, length = 0;
    char sign[4] = { 0 };
    do {
        reversed[used++] = digits[rest % base];
        rest /= base;
    } while (rest > 0);
    while (layout->precision > (int64_t)used && used < 64)
        reversed[used++] = '0';
    while (used > 0)
        text[length++] = reversed[--used];
    text[length] = '\0';
    if (layout->grouping)
        group(text, sizeof text, layout->grouping);
    (void)snprintf(sign, sizeof sign, "%s%s", sign_of(value < 0, layout),
                   !layout->alternate || base == 10 ? ""
                   : base == 2                      ? "0b"
                   : base == 8                      ? "0o"
                   : layout->type == 'X'            ? "0X"
                                                    : "0x");
    return jinja_add_field(run, out, sign, text, strlen(text), layout);
}

static void print_c(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(out, size, format, arguments);
    va_end(arguments);
}

bool jinja_add_float(jinja_run *run, core_text *out, double value, const jinja_layout *layout)
{
    const bool percent = layout->type == '%';
    const int precision = layout->precision < 0 ? 6 : layout->precision > 400 ? 400 : (int)layout->precision;
    char format[16], text[1200];
    const bool upper = layout->type == 'E' || layout->type == 'G' || layout->type == 'F';
    if (isnan(value) || isinf(value)) {
        (void)strcpy(text, isnan(value) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf");
    } else {
        (void)snprintf(format, sizeof format, "%%%s.*%c", layout->alternate ? "#" : "", percent ? 'f' : layout->type);
        print_c(text, sizeof text, format, precision, percent ? fabs(value) * 100 : fabs(value));
    }
    if (layout->grouping)
        group(text, sizeof text, layout->grouping);
    if (percent)
        (void)strcat(text, "%");
    return jinja_add_field(run, out, sign_of(signbit(value) && !isnan(value), layout), text, strlen(text), layout);
}

bool jinja_add_text(jinja_run *run, core_text *out, jinja_ref text, const jinja_layout *layout)
{
    if (layout->precision >= 0 && (size_t)layout->precision < text->as.text.chars &&
        !(text = jinja_substring(run, text, 0, (size_t)layout->precision)))
        return false;
    return jinja_add_field(run, out, "", text->as.text.data, text->as.text.length, layout);
}

/* ---- "..." % values */

typedef struct percent {
    jinja_run *run;
    const char *p, *end;
    jinja_ref values;
    size_t next;  /* of a tuple; of a single value: 0 or 1 */
    bool by_name; /* a name was used */
    core_text *out;
} percent;

static jinja_ref next_value(percent *f)
{
    const bool tuple = f->values->kind == JINJA_TUPLE;
    if (f->next >= (tuple ? f->values->as.list.count : 1))
        return jinja_fail(f->run, "not enough arguments for format string");
    f->next++;
    return tuple ? f->values->as.list.items[f->next - 1] : f->values;
}

/* (name) before the flags. */
static bool named_value(percent *f, jinja_ref *value)
{
    const char *begin = ++f->p;
    jinja_ref name;
    int depth = 1;
    if (f->values->kind != JINJA_DICT)
        return jinja_fail(f->run, "format requires a mapping") != NULL;
    for (; f->p < f->end; f->p++) {
        depth += *f->p == '(' ? 1 : *f->p == ')' ? -1 : 0;
        if (depth == 0)
            break;
    }
    if (f->p >= f->end)
        return jinja_fail(f->run, "incomplete format key") != NULL;
    if (!(name = jinja_part(f->run, begin, (size_t)(f->p - begin))) ||
        !jinja_dict_find(f->run, f->values->as.dict, name, value))
        return false;
    f->p++;
    f->by_name = true;
    if (!*value)
        return jinja_fail(f->run, "'%.*s'", (int)name->as.text.length, name->as.text.data) != NULL;
    return true;
}

/* A width or precision: digits, or * for one of the values. */
static bool read_number(percent *f, int64_t *number)
{
    *number = 0;
    if (f->p < f->end && *f->p == '*') {
        const jinja_ref value = next_value(f);
        f->p++;
        if (!value)
            return false;
        if (value->kind != JINJA_INT)
            return jinja_fail(f->run, "* wants int") != NULL;
        *number = value->as.integer;
    } else {
        for (; f->p < f->end && *f->p >= '0' && *f->p <= '9' && *number <= JINJA_MAX_WIDTH; f->p++)
            *number = *number * 10 + (*f->p - '0');
    }
    if (*number > JINJA_MAX_WIDTH || *number < -JINJA_MAX_WIDTH)
        return jinja_fail(f->run, "a format's width or precision is above %d, which is the limit", JINJA_MAX_WIDTH) !=
               NULL;
    return true;
}

static bool read_layout(percent *f, jinja_layout *layout)
{
    bool zero = false, left = false;
    for (; f->p < f->end && *f->p && strchr("-+ #0", *f->p); f->p++) {
        left = left || *f->p == '-';
        zero = zero || *f->p == '0';
        layout->alternate = layout->alternate || *f->p == '#';
        if (*f->p == '+' || (*f->p == ' ' && layout->sign != '+'))
            layout->sign = *f->p;
    }
    if (!read_number(f, &layout->width))
        return false;
    if (layout->width < 0) {
        left = true;
        layout->width = -layout->width;
    }
    if (f->p < f->end && *f->p == '.') {
        f->p++;
        if (!read_number(f, &layout->precision))
            return false;
        if (layout->precision < 0)
            layout->precision = 0;
    }
    while (f->p < f->end && *f->p && strchr("hlL", *f->p))
        f->p++;
    layout->align = left ? '<' : zero ? '=' : '>';
    if (f->p >= f->end)
        return jinja_fail(f->run, "incomplete format") != NULL;
    layout->type = *f->p++;
    return true;
}

static bool add_whole(percent *f, jinja_ref value, jinja_layout *layout)
{
    jinja_ref zero = layout->align == '=' ? jinja_word(f->run, "0") : NULL;
    if (layout->align == '=' && !zero)
        return false;
    layout->fill = zero;
    if (value->kind == JINJA_FLOAT && strchr("diu", layout->type)) {
        if (!isfinite(value->as.real) || fabs(value->as.real) >= 9e18)
            return jinja_fail(f->run, "cannot convert float to a 64-bit integer") != NULL;
        return jinja_add_int(f->run, f->out, (int64_t)value->as.real, layout);
    }
    if (value->kind != JINJA_INT && value->kind != JINJA_BOOL)
        return jinja_fail(f->run, "%%%c format: %s is required, not %s", layout->type,
                          strchr("diu", layout->type) ? "a real number" : "an integer", jinja_type(value)) != NULL;
    return jinja_add_int(f->run, f->out, value->as.integer, layout);
}

static bool add_real(percent *f, jinja_ref value, jinja_layout *layout)
{
    jinja_ref zero = layout->align == '=' ? jinja_word(f->run, "0") : NULL;
    if (layout->align == '=' && !zero)
        return false;
    layout->fill = zero;
    if (!jinja_is_number(value))
        return jinja_fail(f->run, "must be real number, not %s", jinja_type(value)) != NULL;
    return jinja_add_float(f->run, f->out, jinja_as_double(value), layout);
}

static bool add_char(percent *f, jinja_ref value, jinja_layout *layout)
{
    char bytes[4];
    if (value->kind == JINJA_STRING && value->as.text.chars == 1)
        return jinja_add_text(f->run, f->out, value, layout);
    if ((value->kind != JINJA_INT && value->kind != JINJA_BOOL) || value->as.integer < 0 ||
        value->as.integer > 0x10FFFF || (value->as.integer >= 0xD800 && value->as.integer < 0xE000))
        return jinja_fail(f->run, "%%c requires int or char") != NULL;
    return jinja_add_field(f->run, f->out, "", bytes, core_utf8_write((uint32_t)value->as.integer, bytes), layout);
}

/* One conversion, behind its '%'. */
static bool convert(percent *f)
{
    jinja_layout layout = { .precision = -1, .sign = '-' };
    jinja_ref value = NULL, text;
    if (f->p < f->end && *f->p == '(' && !named_value(f, &value))
        return false;
    if (!read_layout(f, &layout))
        return false;
    if (layout.type == '%')
        return jinja_add(f->run, f->out, "%", 1);
    if (!value && !(value = next_value(f)))
        return false;
    switch (layout.type) {
    case 's':
    case 'r':
    case 'a':
        layout.align = layout.align == '=' ? '>' : layout.align;
        text = layout.type == 's' ? jinja_str(f->run, value) : jinja_repr(f->run, value);
        return text && jinja_add_text(f->run, f->out, text, &layout);
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        return add_whole(f, value, &layout);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        return add_real(f, value, &layout);
    case 'c':
        layout.align = layout.align == '=' ? '>' : layout.align;
        return add_char(f, value, &layout);
    default:
        return jinja_fail(f->run, "unsupported format character '%c' (0x%x)", layout.type,
                          (unsigned char)layout.type) != NULL;
    }
}

/* Python tells what was not used, but for values that have items, as a mapping has: also lists, and Jinja's undefined. */
static bool may_be_left(jinja_ref values)
{
    return values->kind == JINJA_DICT || values->kind == JINJA_LIST || values->kind == JINJA_RANGE || values->kind == JINJA_UNDEFINED;
}

static bool format(percent *f)
{
    while (f->p < f->end) {
        const char *sign = memchr(f->p, '%', (size_t)(f->end - f->p));
        if (!jinja_add(f->run, f->out, f->p, (size_t)((sign ? sign : f->end) - f->p)))
            return false;
        if (!sign)
            break;
        f->p = sign + 1;
        if (!convert(f))
            return false;
    }
    if (f->by_name || may_be_left(f->values))
        return true;
    if (f->next < (f->values->kind == JINJA_TUPLE ? f->values->as.list.count : 1))
        return jinja_fail(f->run, "not all arguments converted during string formatting") != NULL;
    return true;
}

jinja_ref jinja_format(jinja_run *run, jinja_ref text, jinja_ref values)
{
    core_text out = jinja_making(run);
    percent f = { run, text->as.text.data, text->as.text.data + text->as.text.length, values, 0, false, &out };
    const bool good = format(&f);
    return jinja_made(run, &out, good);
}
