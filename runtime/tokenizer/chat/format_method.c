/* format_method.c: "{} {0} {name.x[1]!r:>{width}}".format(...). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/chat/format.h"
#include "tokenizer/chat/text.h"

typedef struct fields {
    jinja_run *run;
    const jinja_arguments *arguments;
    size_t next; /* of {} */
    bool numbered, automatic;
} fields;

static bool expand(fields *f, const char *p, const char *end, unsigned level, core_text *out);

/* ---- One value by its specification */

static bool read_number(jinja_run *run, const char **p, const char *end, int64_t *number)
{
    for (*number = 0; *p < end && **p >= '0' && **p <= '9'; (*p)++)
        if ((*number = *number * 10 + (**p - '0')) > JINJA_MAX_WIDTH)
            return jinja_fail(run, "a format's width or precision is above %d, which is the limit", JINJA_MAX_WIDTH) !=
                   NULL;
    return true;
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static bool read_specification(jinja_run *run, jinja_ref text, bool number, jinja_layout *layout)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length;
    size_t length = 0;
    *layout = (jinja_layout){ .sign = '-', .precision = -1, .align = number ? '>' : '<' };
    if (p < end)
        (void)tok_char_at(p, &length);
    if (p < end && p + length < end && p[length] && strchr("<>^=", p[length])) {
        if (!(layout->fill = jinja_part(run, p, length)))
            return false;
        layout->align = p[length];
        p += length + 1;
    } else if (p < end && *p && strchr("<>^=", *p)) {
        layout->align = *p++;
    }
    if (p < end && *p && strchr("+- ", *p))
        layout->sign = *p++;
    if (p < end && *p == '#') {
        layout->alternate = true;
        p++;
    }
    if (p < end && *p == '0') {
        if (!layout->fill && !(layout->fill = jinja_word(run, "0")))
            return false;
        layout->align = number ? '=' : layout->align;
        p++;
    }
    if (!read_number(run, &p, end, &layout->width))
        return false;
    if (p < end && (*p == ',' || *p == '_'))
        layout->grouping = *p++;
    if (p < end && *p == '.') {
        p++;
        if (!read_number(run, &p, end, &layout->precision))
            return false;
    }
    if (p < end)
        layout->type = *p++;
    return p == end || jinja_fail(run, "Invalid format specifier") != NULL;
}

static bool add_number(jinja_run *run, core_text *out, jinja_ref value, jinja_layout *layout)
{
    const bool whole = value->kind != JINJA_FLOAT;
    char text[32];
    if (whole && (!layout->type || (layout->type != 'c' && strchr("dbxXon", layout->type)))) {
        if (layout->precision >= 0)
            return jinja_fail(run, "Precision not allowed in integer format specifier") != NULL;
        return jinja_add_int(run, out, value->as.integer, layout);
    }
    if (layout->type && strchr("eEfFgG%", layout->type))
        return jinja_add_float(run, out, jinja_as_double(value), layout);
    if (!whole && !layout->type && layout->precision < 0) {
        jinja_float_text(fabs(value->as.real), text);
        return jinja_add_field(run, out,
                               signbit(value->as.real) ? "-"
                               : layout->sign == '-'   ? ""
                               : layout->sign == '+'   ? "+"
                                                       : " ",
                               text, strlen(text), layout);
    }
    return jinja_fail_as(run, OCLM_ERR_UNSUPPORTED, "format code '%c' for object of type '%s' is not supported",
                         layout->type ? layout->type : '.', jinja_type(value)) != NULL;
}

static bool add_value(jinja_run *run, core_text *out, jinja_ref value, jinja_ref specification)
{
    const bool number = value->kind == JINJA_INT || value->kind == JINJA_FLOAT || value->kind == JINJA_BOOL;
    jinja_layout layout;
    if (specification->as.text.length == 0)
        return jinja_print(run, value, out);
    if (!number && value->kind != JINJA_STRING)
        return jinja_fail(run, "unsupported format string passed to %s.__format__", jinja_type(value)) != NULL;
    if (!read_specification(run, specification, number, &layout))
        return false;
    if (number)
        return add_number(run, out, value, &layout);
    if (layout.type && layout.type != 's')
        return jinja_fail(run, "Unknown format code '%c' for object of type 'str'", layout.type) != NULL;
    if (layout.align == '=')
        return jinja_fail(run, "'=' alignment not allowed in string format specifier") != NULL;
    return jinja_add_text(run, out, value, &layout);
}

/* ---- Fields */

static jinja_ref positional(fields *f, size_t index)
{
    if (index >= f->arguments->count)
        return jinja_fail(f->run, "Replacement index %zu out of range for positional args tuple", index);
    return f->arguments->items[index];
}

/* "", "0" or "name": what a field begins with. */
static jinja_ref first_value(fields *f, const char *p, size_t length)
{
    size_t index = 0;
    if (length == 0) {
        f->automatic = true;
        if (f->numbered)
            return jinja_fail(f->run, "cannot switch from manual field specification to automatic field numbering");
        return positional(f, f->next++);
    }
    for (size_t i = 0; i < length && index < 100000; i++) {
        if (p[i] < '0' || p[i] > '9')
            break;
        index = index * 10 + (size_t)(p[i] - '0');
        if (i + 1 == length) {
            f->numbered = true;
            return f->automatic
                       ? jinja_fail(f->run,
                                    "cannot switch from automatic field numbering to manual field specification")
                       : positional(f, index);
        }
    }
    for (size_t i = 0; i < f->arguments->named_count; i++)
        if (f->arguments->named[i].key->as.text.length == length &&
            memcmp(f->arguments->named[i].key->as.text.data, p, length) == 0)
            return f->arguments->named[i].value;
    return jinja_fail(f->run, "'%.*s'", (int)length, p);
}

/* .name and [key] behind it. */
static jinja_ref rest_of(fields *f, jinja_ref value, const char *p, const char *end)
{
    while (p < end && value) {
        const bool item = *p == '[';
        const char *begin = p + 1, *stop = begin;
        jinja_ref name;
        while (stop < end && (item ? *stop != ']' : *stop != '.' && *stop != '['))
            stop++;
        if ((*p != '.' && !item) || stop == begin || (item && stop >= end))
            return jinja_fail(f->run, "Empty attribute in format string");
        if (!(name = jinja_part(f->run, begin, (size_t)(stop - begin))))
            return NULL;
        value = item ? jinja_follow(f->run, value, name, NULL) : jinja_get_attribute(f->run, value, name);
        p = stop + item;
    }
    return value;
}

static jinja_ref field_value(fields *f, const char *p, const char *end)
{
    const char *stop = p;
    while (stop < end && *stop != '.' && *stop != '[')
        stop++;
    return rest_of(f, first_value(f, p, (size_t)(stop - p)), stop, end);
}

/* What stands between { and }. */
static bool add_field(fields *f, const char *p, const char *end, unsigned level, core_text *out)
{
    const char *stop = p, *specification;
    char conversion = 0;
    jinja_ref value, text;
    core_text expanded;
    while (stop < end && *stop != ':' && *stop != '!')
        stop++;
    if (!(value = field_value(f, p, stop)))
        return false;
    if (stop < end && *stop == '!') {
        conversion = stop + 1 < end ? stop[1] : 0;
        if (conversion != 'r' && conversion != 's' && conversion != 'a')
            return jinja_fail(f->run, "Unknown conversion specifier") != NULL;
        if (!(value = conversion == 's' ? jinja_str(f->run, value) : jinja_repr(f->run, value)))
            return false;
        stop += 2;
    }
    specification = stop < end ? stop + 1 : stop;
    expanded = jinja_making(f->run);
    const bool good = expand(f, specification, end, level + 1, &expanded);
    text = jinja_made(f->run, &expanded, good);
    return text && add_value(f->run, out, value, text);
}

static bool expand(fields *f, const char *p, const char *end, unsigned level, core_text *out)
{
    if (level > 2)
        return jinja_fail(f->run, "Max string recursion exceeded") != NULL;
    while (p < end) {
        const char *stop = p;
        int depth = 0;
        while (stop < end && *stop != '{' && *stop != '}')
            stop++;
        if (!jinja_add(f->run, out, p, (size_t)(stop - p)))
            return false;
        if (stop >= end)
            return true;
        if (stop + 1 < end && stop[1] == *stop && level == 0) {
            if (!jinja_add(f->run, out, stop, 1))
                return false;
            p = stop + 2;
            continue;
        }
        if (*stop == '}')
            return jinja_fail(f->run, "Single '}' encountered in format string") != NULL;
        for (p = stop; p < end; p++) {
            depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
            if (depth == 0)
                break;
        }
        if (p >= end)
            return jinja_fail(f->run, "expected '}' before end of string") != NULL;
        if (!jinja_work(f->run, 1) || !add_field(f, stop + 1, p, level, out))
            return false;
        p++;
    }
    return true;
}

jinja_ref jinja_format_method(jinja_run *run, jinja_ref format, const jinja_arguments *arguments)
{
    fields f = { run, arguments, 0, false, false };
    core_text out = jinja_making(run);
    const bool good = expand(&f, format->as.text.data, format->as.text.data + format->as.text.length, 0, &out);
    return jinja_made(run, &out, good);
}
