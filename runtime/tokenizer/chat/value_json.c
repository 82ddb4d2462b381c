/* value_json.c: values from JSON text, and to it as Python's json.dumps() writes them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/unicode.h"

/* ---- Writing */

static bool write_escape(jinja_run *run, core_text *out, uint32_t c)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    char text[16];
    const char *named = c < 0x80 && c ? strchr(from, (int)c) : NULL;
    if (named)
        (void)snprintf(text, sizeof text, "\\%c", to[named - from]);
    else if (c < 0x10000)
        (void)snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    else
        (void)snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (unsigned)((c - 0x10000) >> 10),
                       0xDC00 + (unsigned)(c & 0x3FF));
    return jinja_add_word(run, out, text);
}

static bool write_text(jinja_run *run, const char *data, size_t size, bool ascii, core_text *out)
{
    const char *p = data, *const end = p + size, *plain = p; /* from `plain` to p nothing needs an escape */
    if (!jinja_add_word(run, out, "\""))
        return false;
    while (p < end) {
        size_t length;
        const uint32_t c = tok_char_at(p, &length);
        if (c == '"' || c == '\\' || c < 0x20 || (ascii && c >= 0x7F && c != 0x7F)) {
            if (!jinja_add(run, out, plain, (size_t)(p - plain)) || !write_escape(run, out, c))
                return false;
            plain = p + length;
        }
        p += length;
    }
    return jinja_add(run, out, plain, (size_t)(p - plain)) && jinja_add_word(run, out, "\"");
}

/* A number, true, false or null; false where it is none of these. */
static bool scalar_text(jinja_ref value, char text[32])
{
    switch (value->kind) {
    case JINJA_NONE:
        (void)strcpy(text, "null");
        return true;
    case JINJA_BOOL:
        (void)strcpy(text, value->as.integer ? "true" : "false");
        return true;
    case JINJA_INT:
        (void)snprintf(text, 32, "%" PRId64, value->as.integer);
        return true;
    case JINJA_FLOAT:
        if (isnan(value->as.real) || isinf(value->as.real))
            (void)strcpy(text, isnan(value->as.real) ? "NaN" : value->as.real < 0 ? "-Infinity" : "Infinity");
        else
            jinja_float_text(value->as.real, text);
        return true;
    default:
        return false;
    }
}

typedef struct writer {
    jinja_run *run;
    const jinja_json_style *style;
    core_text *out;
    size_t level;
} writer;

static bool line_break(writer *w)
{
    if (!w->style->indent)
        return true;
    if (!jinja_add_word(w->run, w->out, "\n"))
        return false;
    for (size_t i = 0; i < w->level; i++)
        if (!jinja_print(w->run, w->style->indent, w->out))
            return false;
    return true;
}

/* What stands between two items, or before the first. */
static bool between(writer *w, bool first)
{
    if (!first && !(w->style->between ? jinja_print(w->run, w->style->between, w->out)
                                      : jinja_add_word(w->run, w->out, w->style->indent ? "," : ", ")))
        return false;
    return line_break(w);
}

static bool write_value(writer *w, jinja_ref value);

static bool write_list(writer *w, jinja_ref value)
{
    if (value->as.list.count == 0)
        return jinja_add_word(w->run, w->out, "[]");
    if (!jinja_add_word(w->run, w->out, "["))
        return false;
    w->level++;
    for (size_t i = 0; i < value->as.list.count; i++)
        if (!between(w, i == 0) || !write_value(w, value->as.list.items[i]))
            return false;
    w->level--;
    return line_break(w) && jinja_add_word(w->run, w->out, "]");
}

static bool write_key(writer *w, jinja_ref key)
{
    char text[32];
    if (key->kind == JINJA_STRING)
        return write_text(w->run, key->as.text.data, key->as.text.length, w->style->ascii, w->out);
    if (scalar_text(key, text))
        return write_text(w->run, text, strlen(text), w->style->ascii, w->out);
    return jinja_fail(w->run, "keys must be str, int, float, bool or None, not %s", jinja_type(key)) != NULL;
}

static bool write_dict(writer *w, const jinja_dict *dict)
{
    const jinja_pair *pairs = dict->pairs;
    if (dict->count == 0)
        return jinja_add_word(w->run, w->out, "{}");
    if (!jinja_add_word(w->run, w->out, "{"))
        return false;
    if (w->style->sort && !(pairs = jinja_sorted_pairs(w->run, dict)))
        return false;
    w->level++;
    for (size_t i = 0; i < dict->count; i++)
        if (!between(w, i == 0) || !write_key(w, pairs[i].key) ||
            !(w->style->after_key ? jinja_print(w->run, w->style->after_key, w->out)
                                  : jinja_add_word(w->run, w->out, ": ")) ||
            !write_value(w, pairs[i].value))
            return false;
    w->level--;
    return line_break(w) && jinja_add_word(w->run, w->out, "}");
}

static bool write_inside(writer *w, jinja_ref value)
{
    char text[32];
    if (scalar_text(value, text))
        return jinja_add_word(w->run, w->out, text);
    switch (value->kind) {
    case JINJA_STRING:
        return write_text(w->run, value->as.text.data, value->as.text.length, w->style->ascii, w->out);
    case JINJA_LIST:
    case JINJA_TUPLE:
        return write_list(w, value);
    case JINJA_DICT:
        return write_dict(w, value->as.dict);
    default:
        return jinja_fail(w->run, "Object of type %s is not JSON serializable", jinja_type(value)) != NULL;
    }
}

static bool write_value(writer *w, jinja_ref value)
{
    bool good;
    if (!jinja_enter(w->run))
        return false;
    good = write_inside(w, value);
    jinja_leave(w->run);
    return good;
}

bool jinja_print_json(jinja_run *run, jinja_ref value, const jinja_json_style *style, core_text *out)
{
    writer w = { run, style, out, 0 };
    return write_value(&w, value);
}

/* ---- Reading */

static jinja_ref read_value(jinja_run *run, core_json_reader *reader);

static jinja_ref read_list(jinja_run *run, core_json_reader *reader)
{
    jinja_ref *items = NULL;
    size_t count = 0, capacity = 0;
    bool first, more;
    oclm_status status;
    if ((status = core_json_enter(reader, CORE_JSON_ARRAY)) != OCLM_OK)
        return jinja_failed(run, status);
    for (first = true; (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more; count++) {
        if (count == capacity) {
            jinja_ref *larger = jinja_array(run, capacity = capacity ? capacity * 2 : 4);
            if (!larger)
                return NULL;
            if (count > 0)
                memcpy(larger, items, count * sizeof *items);
            items = larger;
        }
        if (!(items[count] = read_value(run, reader)))
            return NULL;
    }
    return status == OCLM_OK ? jinja_sequence(run, JINJA_LIST, items, count) : jinja_failed(run, status);
}

static jinja_ref read_dict(jinja_run *run, core_json_reader *reader)
{
    jinja_dict *dict = jinja_dict_new(run);
    bool first, more;
    oclm_status status;
    if (!dict)
        return NULL;
    if ((status = core_json_enter(reader, CORE_JSON_OBJECT)) != OCLM_OK)
        return jinja_failed(run, status);
    for (first = true; (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more;) {
        const char *text;
        size_t length;
        jinja_ref key, value;
        if ((status = core_json_key(reader, &text, &length)) != OCLM_OK)
            return jinja_failed(run, status);
        if (!(key = jinja_text(run, text, length)) || !(value = read_value(run, reader)) ||
            !jinja_dict_set(run, dict, key, value))
            return NULL;
    }
    return status == OCLM_OK ? jinja_dict_value(run, JINJA_DICT, dict) : jinja_failed(run, status);
}

/* An int where it is written as one, as Python reads it. */
static jinja_ref read_number(jinja_run *run, core_json_reader *reader)
{
    const char *p = reader->p;
    double real;
    int64_t whole;
    oclm_status status;
    while (p < reader->end && strchr(" \t\r\n", *p) && *p)
        p++;
    while (p < reader->end && ((*p >= '0' && *p <= '9') || *p == '-'))
        p++;
    if (p < reader->end && (*p == '.' || *p == 'e' || *p == 'E')) {
        status = core_json_double(reader, &real);
        return status == OCLM_OK ? jinja_float(run, real) : jinja_failed(run, status);
    }
    status = core_json_int(reader, INT64_MIN, INT64_MAX, &whole);
    return status == OCLM_OK ? jinja_int(run, whole) : jinja_failed(run, status);
}

static jinja_ref read_inside(jinja_run *run, core_json_reader *reader)
{
    core_json_kind kind = CORE_JSON_END;
    const char *text;
    size_t length;
    oclm_status status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return jinja_failed(run, status);
    switch (kind) {
    case CORE_JSON_ARRAY:
        return read_list(run, reader);
    case CORE_JSON_OBJECT:
        return read_dict(run, reader);
    case CORE_JSON_NUMBER:
        return read_number(run, reader);
    case CORE_JSON_STRING:
        status = core_json_string(reader, &text, &length);
        return status == OCLM_OK ? jinja_text(run, text, length) : jinja_failed(run, status);
    case CORE_JSON_END:
        return jinja_failed(run, core_json_error(reader, "the text ends where a value should stand"));
    default:
        if ((status = core_json_skip(reader)) != OCLM_OK)
            return jinja_failed(run, status);
        return kind == CORE_JSON_NULL ? &jinja_none : jinja_bool(kind == CORE_JSON_TRUE);
    }
}

static jinja_ref read_value(jinja_run *run, core_json_reader *reader)
{
    jinja_ref value;
    if (!jinja_enter(run))
        return NULL;
    value = read_inside(run, reader);
    jinja_leave(run);
    return value;
}

jinja_ref jinja_from_json(jinja_run *run, const char *text, size_t length, const char *origin)
{
    core_json_reader reader;
    core_json_kind kind = CORE_JSON_END;
    jinja_ref value;
    core_json_reader_init(&reader, text, length, origin);
    value = read_value(run, &reader);
    if (value) {
        oclm_status status = core_json_peek(&reader, &kind);
        if (status == OCLM_OK && kind != CORE_JSON_END)
            status = core_json_error(&reader, "more text follows after the end of the JSON value");
        if (status != OCLM_OK)
            value = jinja_failed(run, status);
    }
    core_json_reader_deinit(&reader);
    return value;
}
