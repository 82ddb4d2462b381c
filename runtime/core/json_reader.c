/* json_reader.c: JSON (RFC 8259) read value by value, without a tree: a tokenizer.json holds a million entries.
 *
 * Strict: what Python's json.loads() refuses is refused. Also refused: NaN and Infinity (but see `python`), nesting deeper than
 * CORE_JSON_MAX_DEPTH, numbers longer than MAX_NUMBER bytes (cJSON's own limit), text that is not UTF-8, lone surrogates. */
#include "core/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/platform.h"

#define MAX_NUMBER 63

size_t core_json_mark_length(const char *text, size_t length)
{
    return length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

void core_json_reader_init(core_json_reader *reader, const char *text, size_t length, const char *origin)
{
    memset(reader, 0, sizeof *reader);
    reader->begin = text;
    reader->p = text + core_json_mark_length(text, length);
    reader->end = text + length;
    reader->origin = origin;
}

void core_json_reader_deinit(core_json_reader *reader)
{
    core_text_free(&reader->scratch);
}

oclm_status core_json_error(const core_json_reader *reader, const char *format, ...)
{
    char    text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return core_fail(OCLM_ERR_FORMAT, "%s: byte %zu: %s%s%s", reader->origin, (size_t)(reader->p - reader->begin), text,
                     reader->way_out != NULL ? "; " : "", reader->way_out != NULL ? reader->way_out : "");
}

/* "at the end of the text" or the byte there, for messages. */
static oclm_status unexpected(const core_json_reader *reader, const char *wanted)
{
    if (reader->p == reader->end)
        return core_json_error(reader, "the text ends where %s should follow; it is cut short: download it again", wanted);
    const unsigned char byte = (unsigned char)*reader->p;
    if (byte > 0x20 && byte < 0x7F)
        return core_json_error(reader, "'%c' stands where %s should; repair the file or download it again", byte, wanted);
    return core_json_error(reader, "byte 0x%02X stands where %s should; repair the file or download it again", byte,
                           wanted);
}

static void skip_space(core_json_reader *reader)
{
    while (reader->p < reader->end && (*reader->p == ' ' || *reader->p == '\n' || *reader->p == '\r' || *reader->p == '\t'))
        reader->p++;
}

oclm_status core_json_peek(core_json_reader *reader, core_json_kind *kind)
{
    skip_space(reader);
    if (reader->p == reader->end) {
        *kind = CORE_JSON_END;
        return OCLM_OK;
    }
    switch (*reader->p) {
    case 'n': *kind = CORE_JSON_NULL; return OCLM_OK;
    case 'f': *kind = CORE_JSON_FALSE; return OCLM_OK;
    case 't': *kind = CORE_JSON_TRUE; return OCLM_OK;
    case '"': *kind = CORE_JSON_STRING; return OCLM_OK;
    case '[': *kind = CORE_JSON_ARRAY; return OCLM_OK;
    case '{': *kind = CORE_JSON_OBJECT; return OCLM_OK;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        *kind = CORE_JSON_NUMBER;
        return OCLM_OK;
    case 'N': case 'I':
        if (reader->python) {
            *kind = CORE_JSON_NUMBER;
            return OCLM_OK;
        }
        break;
    default: break;
    }
    *kind = CORE_JSON_END;
    return unexpected(reader, "a JSON value");
}

/* ---- Containers */

oclm_status core_json_enter(core_json_reader *reader, core_json_kind kind)
{
    const char open = kind == CORE_JSON_ARRAY ? '[' : '{';
    skip_space(reader);
    if (reader->p == reader->end || *reader->p != open)
        return unexpected(reader, kind == CORE_JSON_ARRAY ? "an array" : "an object");
    if (reader->depth == CORE_JSON_MAX_DEPTH)
        return core_json_error(reader, "arrays and objects are nested deeper than the %d levels allowed", CORE_JSON_MAX_DEPTH);
    reader->depth++;
    reader->p++;
    return OCLM_OK;
}

/* `*first` starts as true, set by the caller. */
oclm_status core_json_next(core_json_reader *reader, core_json_kind container, bool *first, bool *more)
{
    const char close = container == CORE_JSON_ARRAY ? ']' : '}';
    const bool was_first = *first;
    *first = false;
    *more = false;
    skip_space(reader);
    if (reader->p < reader->end && *reader->p == close) {
        reader->p++;
        reader->depth--;
        return OCLM_OK;
    }
    if (!was_first) {
        if (reader->p == reader->end || *reader->p != ',')
            return unexpected(reader, container == CORE_JSON_ARRAY ? "',' or ']'" : "',' or '}'");
        reader->p++;
        skip_space(reader);
    }
    if (reader->p == reader->end || *reader->p == ']' || *reader->p == '}') /* "[1,]" too */
        return unexpected(reader, "another element");
    *more = true;
    return OCLM_OK;
}

/* ---- Strings */

static bool read_hex4(core_json_reader *reader, uint32_t *value)
{
    *value = 0;
    if (reader->end - reader->p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        const char c = reader->p[i];
        if (c >= '0' && c <= '9')
            *value = *value << 4 | (uint32_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            *value = *value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    reader->p += 4;
    return true;
}

/* After "\u": four digits, and those of the other half where they are a surrogate. */
static oclm_status read_unicode_escape(core_json_reader *reader, uint32_t *code_point)
{
    uint32_t high, low;
    if (!read_hex4(reader, &high))
        return unexpected(reader, "four hexadecimal digits of a \\u escape");
    if (high >= 0xD800 && high <= 0xDFFF) {
        if (high >= 0xDC00 || reader->end - reader->p < 2 || reader->p[0] != '\\' || reader->p[1] != 'u')
            return core_json_error(reader, "\\u%04X is half of a surrogate pair, the other half is missing", (unsigned)high);
        reader->p += 2;
        if (!read_hex4(reader, &low))
            return unexpected(reader, "four hexadecimal digits of a \\u escape");
        if (low < 0xDC00 || low > 0xDFFF)
            return core_json_error(reader, "\\u%04X\\u%04X is no surrogate pair", (unsigned)high, (unsigned)low);
        high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    *code_point = high;
    return OCLM_OK;
}

/* At a backslash: adds what the escape means to the scratch. */
static oclm_status read_escape(core_json_reader *reader)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    reader->p++;
    if (reader->p == reader->end)
        return unexpected(reader, "the rest of an escape");
    const char  c = *reader->p;
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known != NULL) {
        reader->p++;
        return core_text_add_char(&reader->scratch, to[known - from]);
    }
    if (c != 'u')
        return unexpected(reader, "one of \"\\/bfnrtu after a backslash");
    reader->p++;
    uint32_t    code_point = 0;
    oclm_status status = read_unicode_escape(reader, &code_point);
    return status == OCLM_OK ? core_text_add_code_point(&reader->scratch, code_point) : status;
}

/* Moves over characters that stand for themselves, up to a quote, backslash or the end. */
static oclm_status skip_plain(core_json_reader *reader)
{
    const char *p = reader->p;
    while (p < reader->end) {
        const unsigned char byte = (unsigned char)*p;
        if (byte == '"' || byte == '\\')
            break;
        if (byte < 0x20) {
            reader->p = p;
            return core_json_error(reader, "control character 0x%02X inside a string; it must be written as an escape", byte);
        }
        uint32_t code_point;
        size_t   length = 1;
        if (byte >= 0xC2 && byte < 0xE0 && reader->end - p > 1 && ((unsigned char)p[1] & 0xC0) == 0x80)
            length = 2; /* every other character of a byte-level vocabulary: no call for it */
        else if (byte >= 0x80)
            length = core_utf8_read(p, reader->end, &code_point);
        if (length == 0) {
            reader->p = p;
            return core_json_error(reader, "byte 0x%02X is not valid UTF-8", byte);
        }
        p += length;
    }
    reader->p = p;
    return OCLM_OK;
}

oclm_status core_json_string(core_json_reader *reader, const char **text, size_t *length)
{
    oclm_status status;
    *text = NULL;
    *length = 0;
    skip_space(reader);
    if (reader->p == reader->end || *reader->p != '"')
        return unexpected(reader, "a string");
    const char *start = ++reader->p;
    if ((status = skip_plain(reader)) != OCLM_OK)
        return status;
    if (reader->p < reader->end && *reader->p == '"') { /* no escape: the input itself */
        *text = start;
        *length = (size_t)(reader->p++ - start);
        return OCLM_OK;
    }
    core_text_clear(&reader->scratch);
    for (;;) {
        if ((status = core_text_add(&reader->scratch, start, (size_t)(reader->p - start))) != OCLM_OK)
            return status;
        if (reader->p == reader->end)
            return unexpected(reader, "the closing quote of a string");
        if (*reader->p == '"')
            break;
        if ((status = read_escape(reader)) != OCLM_OK)
            return status;
        start = reader->p;
        if ((status = skip_plain(reader)) != OCLM_OK)
            return status;
    }
    reader->p++;
    *text = reader->scratch.data;
    *length = reader->scratch.length;
    return OCLM_OK;
}

oclm_status core_json_key(core_json_reader *reader, const char **text, size_t *length)
{
    oclm_status status = core_json_string(reader, text, length);
    if (status != OCLM_OK)
        return status;
    skip_space(reader);
    if (reader->p == reader->end || *reader->p != ':')
        return unexpected(reader, "':'");
    reader->p++;
    return OCLM_OK;
}

/* ---- Numbers and words */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* At what is no number, or begins like one. */
static oclm_status malformed_number(const core_json_reader *reader)
{
    const char *p = reader->p;
    if (p == reader->end || (*p != '-' && skip_digits(p, p + 1) == p))
        return unexpected(reader, "a number");
    while (p < reader->end && p - reader->p < MAX_NUMBER && *p != '\0' && strchr("0123456789.+-eE", *p) != NULL)
        p++;
    return core_json_error(reader, "%.*s is a malformed number", (int)(p - reader->p), reader->p);
}

/* Checks a number's grammar, copies it NUL-ended, moves behind it. `*whole`: without fraction and exponent. */
static oclm_status read_number(core_json_reader *reader, char buffer[MAX_NUMBER + 1], bool *whole)
{
    skip_space(reader);
    const char *const start = reader->p, *const end = reader->end;
    const char       *p = start + (start < end && *start == '-');
    const char       *digits = p;
    p = skip_digits(p, end);
    bool good = p > digits && (*digits != '0' || p == digits + 1);
    *whole = true;
    if (good && p < end && *p == '.') {
        *whole = false;
        digits = ++p;
        p = skip_digits(p, end);
        good = p > digits;
    }
    if (good && p < end && (*p == 'e' || *p == 'E')) {
        *whole = false;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        p = skip_digits(p, end);
        good = p > digits;
    }
    if (!good)
        return malformed_number(reader);
    if (p - start > MAX_NUMBER)
        return core_json_error(reader, "a number of %zu characters; at most %d are allowed", (size_t)(p - start), MAX_NUMBER);
    memcpy(buffer, start, (size_t)(p - start));
    buffer[p - start] = '\0';
    reader->p = p;
    return OCLM_OK;
}

oclm_status core_json_int(core_json_reader *reader, int64_t min, int64_t max, int64_t *value)
{
    char        buffer[MAX_NUMBER + 1];
    bool        whole;
    int64_t     number;
    const char *start;
    skip_space(reader);
    start = reader->p;
    const oclm_status status = read_number(reader, buffer, &whole);
    if (status != OCLM_OK)
        return status;
    if (!whole || !core_parse_i64(buffer, &number) || number < min || number > max) {
        reader->p = start;
        return core_json_error(reader, "%s is not a whole number from %" PRId64 " to %" PRId64, buffer, min, max);
    }
    *value = number;
    return OCLM_OK;
}

/* One of the words that are numbers in Python: moves behind it. */
static bool read_python_number(core_json_reader *reader, double *value)
{
    static const struct { const char *word; double value; } words[] = { { "NaN", NAN }, { "Infinity", INFINITY }, { "-Infinity", -INFINITY } };
    skip_space(reader);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t length = strlen(words[i].word);
        if ((size_t)(reader->end - reader->p) >= length && memcmp(reader->p, words[i].word, length) == 0) {
            reader->p += length;
            *value = words[i].value;
            return true;
        }
    }
    return false;
}

oclm_status core_json_double(core_json_reader *reader, double *value)
{
    char              buffer[MAX_NUMBER + 1];
    bool              whole;
    const char *const start = reader->p;
    if (reader->python && read_python_number(reader, value))
        return OCLM_OK;
    const oclm_status status = read_number(reader, buffer, &whole);
    if (status != OCLM_OK)
        return status;
    if (!core_parse_double(buffer, value)) {
        reader->p = start;
        return core_json_error(reader, "%s is too large for a number", buffer);
    }
    return OCLM_OK;
}

static oclm_status read_word(core_json_reader *reader, const char *word)
{
    const size_t length = strlen(word);
    skip_space(reader);
    if ((size_t)(reader->end - reader->p) < length || memcmp(reader->p, word, length) != 0)
        return unexpected(reader, word);
    reader->p += length;
    return OCLM_OK;
}

oclm_status core_json_bool(core_json_reader *reader, bool *value)
{
    core_json_kind kind;
    oclm_status    status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return status;
    if (kind != CORE_JSON_TRUE && kind != CORE_JSON_FALSE)
        return unexpected(reader, "true or false");
    if ((status = read_word(reader, kind == CORE_JSON_TRUE ? "true" : "false")) == OCLM_OK)
        *value = kind == CORE_JSON_TRUE;
    return status;
}

/* ---- Anything */

static oclm_status skip_container(core_json_reader *reader, core_json_kind kind)
{
    bool        first = true, more;
    const char *text;
    size_t      length;
    oclm_status status = core_json_enter(reader, kind);
    while (status == OCLM_OK && (status = core_json_next(reader, kind, &first, &more)) == OCLM_OK && more) {
        if (kind == CORE_JSON_OBJECT && (status = core_json_key(reader, &text, &length)) != OCLM_OK)
            return status;
        status = core_json_skip(reader); /* as deep as CORE_JSON_MAX_DEPTH */
    }
    return status;
}

oclm_status core_json_skip(core_json_reader *reader)
{
    core_json_kind kind;
    const char    *text;
    size_t         length;
    double         number;
    oclm_status    status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return status;
    switch (kind) {
    case CORE_JSON_NULL: return read_word(reader, "null");
    case CORE_JSON_FALSE: return read_word(reader, "false");
    case CORE_JSON_TRUE: return read_word(reader, "true");
    case CORE_JSON_NUMBER: return core_json_double(reader, &number);
    case CORE_JSON_STRING: return core_json_string(reader, &text, &length);
    case CORE_JSON_ARRAY:
    case CORE_JSON_OBJECT: return skip_container(reader, kind);
    case CORE_JSON_END: break;
    }
    return unexpected(reader, "a JSON value");
}

oclm_status core_json_read_object(core_json_reader *reader, oclm_status (*member)(core_json_reader *reader, const char *key, size_t length, void *user),
                                  void *user)
{
    bool        first = true, more;
    const char *key;
    size_t      length;
    oclm_status status = core_json_enter(reader, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        if ((status = core_json_key(reader, &key, &length)) == OCLM_OK)
            status = member(reader, key, length, user);
    }
    return status;
}
