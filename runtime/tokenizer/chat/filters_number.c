/* filters_number.c: default, attr, and filters of numbers. */
#include <math.h>
#include <stdio.h>

#include "core/platform.h"
#include "tokenizer/chat/ast.h"
#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

JINJA_DEFINE(filter_default)
{
    if (self->kind == JINJA_UNDEFINED || (a[1] && jinja_truth(a[1]) && !jinja_truth(self)))
        return a[0] ? a[0] : &jinja_empty;
    return self;
}

JINJA_DEFINE(filter_attr)
{
    jinja_ref found;
    if (a[0]->kind != JINJA_STRING)
        return jinja_undefined_name(run, a[0], self);
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (self->kind == JINJA_DICT && !jinja_find_method(self, a[0])) /* no way to items */
        return jinja_undefined_name(run, a[0], self);
    found = jinja_get_attribute(run, self, a[0]);
    return found;
}

/* ---- Numbers from text */

/* The text without white space around it and without underscores between digits; false: too long for a number, or odd
 * underscores. */
static bool bare_number(jinja_run *run, jinja_ref text, char *out, size_t size)
{
    const jinja_ref bare = jinja_strip(run, text, NULL, true, true);
    size_t used = 0;
    if (!bare || bare->as.text.length >= size)
        return false;
    for (size_t i = 0; i < bare->as.text.length; i++) {
        const char c = bare->as.text.data[i];
        if (c == '\0' || (c == '_' && (used == 0 || i + 1 >= bare->as.text.length || out[used - 1] == '_' ||
                                       bare->as.text.data[i + 1] == '_')))
            return false;
        if (c != '_')
            out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool parse_double(const char *text, double *value)
{
    static const struct {
        const char *name;
        double value;
    } words[] = {
        { "inf", INFINITY },
        { "infinity", INFINITY },
        { "nan", NAN },
    };
    const char *p = text + (*text == '+' || *text == '-');
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t k = 0;
        while (words[i].name[k] && (p[k] | 0x20) == words[i].name[k])
            k++;
        if (!words[i].name[k] && !p[k]) {
            *value = *text == '-' ? -words[i].value : words[i].value;
            return true;
        }
    }
    return core_parse_double(text, value);
}

/* int(text, base): false where it is no int; `*large` where it is one of more than 64 bits. */
static bool parse_int(const char *text, int64_t base, int64_t *value, bool *large)
{
    const bool negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+');
    uint64_t number = 0;
    *large = false;
    if (p[0] == '0' && p[1] &&
        ((base == 16 && (p[1] | 0x20) == 'x') || (base == 8 && (p[1] | 0x20) == 'o') ||
         (base == 2 && (p[1] | 0x20) == 'b')))
        p += 2;
    if (!*p)
        return false;
    for (; *p; p++) {
        const int digit = *p >= '0' && *p <= '9'                     ? *p - '0'
                          : (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z' ? (*p | 0x20) - 'a' + 10
                                                                     : 99;
        if (digit >= base)
            return false;
        if (number > ((uint64_t)INT64_MAX - (uint64_t)digit) / (uint64_t)base)
            *large = true;
        else
            number = number * (uint64_t)base + (uint64_t)digit;
    }
    *value = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* int(float): cut towards zero; `otherwise` where it is not finite. */
static jinja_ref int_of_double(jinja_run *run, double value, jinja_ref otherwise)
{
    if (!isfinite(value))
        return otherwise;
    if (fabs(value) >= 9223372036854775808.0)
        return jinja_too_large(run);
    return jinja_int(run, (int64_t)value);
}

JINJA_DEFINE(filter_int)
{
    const jinja_ref otherwise = a[0] ? a[0] : jinja_int(run, 0);
    int64_t base = 10, whole;
    double real;
    char text[512];
    bool large;
    if (!otherwise || !jinja_want_int(run, a[1], "int", &base))
        return NULL;
    if (base < 2 || base > 36)
        return jinja_fail(run, "int: base must be 2 to 36 here");
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (self->kind == JINJA_BOOL || self->kind == JINJA_INT)
        return jinja_int(run, self->as.integer);
    if (self->kind == JINJA_FLOAT)
        return int_of_double(run, self->as.real, otherwise);
    if (self->kind != JINJA_STRING || !bare_number(run, self, text, sizeof text))
        return run->status == OCLM_OK ? otherwise : NULL;
    if (parse_int(text, base, &whole, &large))
        return large ? jinja_too_large(run)
                     : jinja_int(run, whole);
    return parse_double(text, &real) ? int_of_double(run, real, otherwise) : otherwise;
}

JINJA_DEFINE(filter_float)
{
    const jinja_ref otherwise = a[0] ? a[0] : jinja_float(run, 0.0);
    double real;
    char text[512];
    if (!otherwise)
        return NULL;
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (jinja_is_number(self))
        return jinja_float(run, jinja_as_double(self));
    if (self->kind != JINJA_STRING || !bare_number(run, self, text, sizeof text) || !parse_double(text, &real))
        return run->status == OCLM_OK ? otherwise : NULL;
    return jinja_float(run, real);
}

/* ---- Arithmetic */

JINJA_DEFINE(filter_abs)
{
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (!jinja_is_number(self))
        return jinja_fail(run, "bad operand type for abs(): '%s'", jinja_type(self));
    if (self->kind == JINJA_FLOAT)
        return jinja_float(run, fabs(self->as.real));
    return self->as.integer < 0 ? jinja_negative(run, self, true) : jinja_int(run, self->as.integer);
}

static void print_c(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(out, size, format, arguments);
    va_end(arguments);
}

/* round(int, -2): to the even one of two as near. */
static jinja_ref round_int(jinja_run *run, int64_t value, int64_t precision)
{
    int64_t unit = 1, rest;
    if (precision >= 0)
        return jinja_int(run, value);
    for (; precision < 0; precision++)
        if (__builtin_mul_overflow(unit, 10, &unit))
            return jinja_int(run, 0);
    rest = value % unit;
    if (rest < 0)
        rest += unit;
    value -= rest;
    if (rest > unit - rest || (rest == unit - rest && value / unit % 2 != 0))
        value += unit;
    return jinja_int(run, value);
}

static double round_double(double value, int64_t precision)
{
    char text[512];
    double unit;
    if (!isfinite(value) || precision > 300)
        return value;
    if (precision >= 0) { /* printf() rounds the exact value, as Python does */
        print_c(text, sizeof text, "%.*f", (int)precision, value);
        return fabs(value) < 1e300 && precision < 100 ? core_strtod(text, NULL) : value;
    }
    unit = pow(10.0, (double)-precision);
    return isfinite(unit) ? nearbyint(value / unit) * unit : 0.0;
}

JINJA_DEFINE(filter_round)
{
    int64_t precision = 0;
    if (!jinja_want_int(run, a[0], "round", &precision))
        return NULL;
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (!jinja_is_number(self))
        return jinja_fail(run, "type %s doesn't define __round__ method", jinja_type(self));
    if (!a[1] || jinja_is_text(a[1], "common"))
        return self->kind == JINJA_FLOAT ? jinja_float(run, round_double(self->as.real, precision))
                                         : round_int(run, self->as.integer, precision);
    const double unit = pow(10.0, (double)precision), scaled = jinja_as_double(self) * unit;
    if (jinja_is_text(a[1], "ceil"))
        return jinja_float(run, ceil(scaled) / unit);
    if (jinja_is_text(a[1], "floor"))
        return jinja_float(run, floor(scaled) / unit);
    return jinja_fail(run, "method must be common, ceil or floor");
}

JINJA_DEFINE(filter_sum)
{
    const jinja_ref *items;
    jinja_ref sum = a[1] ? a[1] : jinja_int(run, 0);
    size_t count;
    if (sum && sum->kind == JINJA_STRING)
        return jinja_fail(run, "sum() can't sum strings [use ''.join(seq) instead]");
    if (!sum || !jinja_items(run, self, &items, &count))
        return NULL;
    for (size_t i = 0; i < count && sum; i++) {
        const jinja_ref item = jinja_follow(run, items[i], a[0], NULL);
        sum = item ? jinja_binary(run, JINJA_ADD, sum, item) : NULL;
    }
    return sum;
}

static const jinja_callable rows[] = {
    { "default", "default_value boolean", 0, filter_default },
    { "d", "default_value boolean", 0, filter_default },
    { "int", "default base", 0, filter_int },
    { "float", "default", 0, filter_float },
    { "abs", "", 0, filter_abs },
    { "round", "precision method", 0, filter_round },
    { "sum", "attribute start", 0, filter_sum },
    { "attr", "name", 1, filter_attr },
};
const jinja_table jinja_number_filters = { rows, COUNT(rows) };
