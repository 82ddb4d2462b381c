/* value.c: making values, asking them, comparing them. */
#include <math.h>
#include <string.h>

#include "tokenizer/chat/call.h"

const jinja_value jinja_none = { .kind = JINJA_NONE };
const jinja_value jinja_true = { .kind = JINJA_BOOL, .as.integer = 1 };
const jinja_value jinja_false = { .kind = JINJA_BOOL, .as.integer = 0 };
const jinja_value jinja_empty = { .kind = JINJA_STRING, .as.text = { "", 0, 0 } };

/* Where a list of none points to: a pointer that may be moved by none. */
static const jinja_ref nothing[1] = { NULL };

jinja_value *jinja_make(jinja_run *run, jinja_kind kind)
{
    jinja_value *value = jinja_take(run, sizeof *value);
    if (value) {
        memset(value, 0, sizeof *value);
        value->kind = kind;
    }
    return value;
}

jinja_ref jinja_int(jinja_run *run, int64_t number)
{
    jinja_value *value = jinja_make(run, JINJA_INT);
    if (value)
        value->as.integer = number;
    return value;
}

jinja_ref jinja_float(jinja_run *run, double number)
{
    jinja_value *value = jinja_make(run, JINJA_FLOAT);
    if (value)
        value->as.real = number;
    return value;
}

static size_t count_chars(const char *data, size_t length)
{
    size_t chars = 0;
    for (size_t i = 0; i < length; i++)
        chars += ((unsigned char)data[i] & 0xC0) != 0x80;
    return chars;
}

jinja_ref jinja_part(jinja_run *run, const char *data, size_t length)
{
    jinja_value *value;
    if (length == 0)
        return &jinja_empty;
    if (!jinja_work(run, length / 16) || !(value = jinja_make(run, JINJA_STRING)))
        return NULL;
    value->as.text.data = data;
    value->as.text.length = length;
    value->as.text.chars = count_chars(data, length);
    return value;
}

jinja_ref jinja_word(jinja_run *run, const char *literal)
{
    return jinja_part(run, literal, strlen(literal));
}

jinja_ref jinja_text(jinja_run *run, const char *data, size_t length)
{
    char *copy;
    if (length == 0)
        return &jinja_empty;
    if (length > JINJA_MAX_TEXT)
        return jinja_fail(run, "makes a text of %zu bytes; the limit is %zu", length, JINJA_MAX_TEXT);
    if (!(copy = jinja_take_bytes(run, length)))
        return NULL;
    memcpy(copy, data, length);
    return jinja_part(run, copy, length);
}

/* A text that grows by its end, as `s = s + x` in a loop, grows where it lies: `a` keeps its own length. */
jinja_ref jinja_join2(jinja_run *run, jinja_ref a, jinja_ref b)
{
    const size_t left = a->as.text.length, right = b->as.text.length;
    jinja_value *value;
    char *data;
    if (left == 0)
        return b;
    if (right == 0)
        return a;
    if (left + right > JINJA_MAX_TEXT)
        return jinja_fail(run, "makes a text of %zu bytes; the limit is %zu", left + right, JINJA_MAX_TEXT);
    if (!jinja_work(run, right / 16) || !(value = jinja_make(run, JINJA_STRING)))
        return NULL;
    if (jinja_arena_extend(&run->texts, a->as.text.data, left, right)) {
        memcpy((char *)(uintptr_t)a->as.text.data + left, b->as.text.data,
               right); /* behind the bytes of `a`, which nobody has */
        value->as.text.data = a->as.text.data;
    } else {
        if (!jinja_work(run, left / 16) || !(data = jinja_take_bytes(run, left + right)))
            return NULL;
        memcpy(data, a->as.text.data, left);
        memcpy(data + left, b->as.text.data, right);
        value->as.text.data = data;
    }
    value->as.text.length = left + right;
    value->as.text.chars = a->as.text.chars + b->as.text.chars;
    return value;
}

jinja_ref jinja_markup(jinja_run *run, jinja_ref text)
{
    jinja_value *value = jinja_make(run, JINJA_STRING);
    if (value) {
        value->as = text->as;
        value->markup = true;
    }
    return value;
}

jinja_ref *jinja_array(jinja_run *run, size_t count)
{
    size_t bytes;
    if (!core_mul_size(count, sizeof(jinja_ref), &bytes) || bytes > JINJA_MAX_MEMORY)
        return jinja_fail(run, "makes a list of %zu items; the limit is %zu", count,
                          JINJA_MAX_MEMORY / sizeof(jinja_ref));
    return jinja_take(run, bytes);
}

jinja_ref jinja_sequence(jinja_run *run, jinja_kind kind, const jinja_ref *items, size_t count)
{
    jinja_value *value = jinja_make(run, kind);
    if (value) {
        value->as.list.items = items ? items : nothing;
        value->as.list.count = count;
    }
    return value;
}

jinja_ref jinja_pair_of(jinja_run *run, jinja_ref first, jinja_ref second)
{
    jinja_ref *items = jinja_array(run, 2);
    if (!items)
        return NULL;
    items[0] = first;
    items[1] = second;
    return jinja_sequence(run, JINJA_TUPLE, items, 2);
}

jinja_ref jinja_iterator(jinja_run *run, const jinja_ref *items, size_t count, const char *type)
{
    jinja_value *value = jinja_make(run, JINJA_ITERATOR);
    size_t *next = jinja_take(run, sizeof *next);
    if (!value || !next)
        return NULL;
    *next = 0;
    value->as.iterator.items = items ? items : nothing;
    value->as.iterator.count = count;
    value->as.iterator.next = next;
    value->as.iterator.type = type;
    return value;
}

jinja_ref jinja_undefined_name(jinja_run *run, jinja_ref name, jinja_ref owner)
{
    jinja_value *value = jinja_make(run, JINJA_UNDEFINED);
    if (value) {
        value->as.undefined.name = name;
        value->as.undefined.owner = owner;
    }
    return value;
}

jinja_ref jinja_undefined_hint(jinja_run *run, const char *hint, jinja_ref name)
{
    jinja_value *value = jinja_make(run, JINJA_UNDEFINED);
    if (value) {
        value->as.undefined.hint = hint;
        value->as.undefined.name = name;
    }
    return value;
}

/* ---- Asking them */

const char *jinja_type(jinja_ref value)
{
    switch (value->kind) {
    case JINJA_UNDEFINED:
        return "Undefined";
    case JINJA_NONE:
        return "NoneType";
    case JINJA_BOOL:
        return "bool";
    case JINJA_INT:
        return "int";
    case JINJA_FLOAT:
        return "float";
    case JINJA_STRING:
        return value->markup ? "Markup" : "str";
    case JINJA_LIST:
        return "list";
    case JINJA_TUPLE:
        return "tuple";
    case JINJA_DICT:
        return "dict";
    case JINJA_RANGE:
        return "range";
    case JINJA_VIEW:
        return value->as.view.type;
    case JINJA_ITERATOR:
        return value->as.iterator.type;
    case JINJA_SLICE:
        return "slice";
    case JINJA_NAMESPACE:
        return "TemplateNamespace";
    case JINJA_MACRO:
        return "Macro";
    case JINJA_LOOP:
        return "LoopContext";
    case JINJA_FUNCTION:
        return "function";
    case JINJA_METHOD:
        return "builtin_function_or_method";
    case JINJA_CYCLER:
        return "Cycler";
    case JINJA_JOINER:
        return "Joiner";
    }
    return "object";
}

bool jinja_is_number(jinja_ref value)
{
    return value->kind == JINJA_BOOL || value->kind == JINJA_INT || value->kind == JINJA_FLOAT;
}

double jinja_as_double(jinja_ref number)
{
    return number->kind == JINJA_FLOAT ? number->as.real : (double)number->as.integer;
}

bool jinja_is_text(jinja_ref value, const char *literal)
{
    return value->kind == JINJA_STRING && value->as.text.length == strlen(literal) &&
           memcmp(value->as.text.data, literal, value->as.text.length) == 0;
}

bool jinja_length(jinja_ref value, size_t *length)
{
    switch (value->kind) {
    case JINJA_UNDEFINED:
        *length = 0;
        return true;
    case JINJA_STRING:
        *length = value->as.text.chars;
        return true;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
        *length = value->as.list.count;
        return true;
    case JINJA_VIEW:
        *length = value->as.view.count;
        return true;
    case JINJA_DICT:
        *length = value->as.dict->count;
        return true;
    case JINJA_LOOP:
        *length = jinja_loop_length(value->as.loop);
        return true;
    default:
        return false;
    }
}

bool jinja_truth(jinja_ref value)
{
    size_t length;
    switch (value->kind) {
    case JINJA_NONE:
        return false;
    case JINJA_BOOL:
    case JINJA_INT:
        return value->as.integer != 0;
    case JINJA_FLOAT:
        return value->as.real != 0.0;
    default:
        return !jinja_length(value, &length) || length > 0;
    }
}

bool jinja_is_iterable(jinja_ref value)
{
    switch (value->kind) {
    case JINJA_UNDEFINED:
    case JINJA_STRING:
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
    case JINJA_DICT:
    case JINJA_VIEW:
    case JINJA_ITERATOR:
    case JINJA_LOOP:
        return true;
    default:
        return false;
    }
}

static bool characters(jinja_run *run, jinja_ref text, const jinja_ref **items, size_t *count)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length;
    jinja_ref *array = jinja_array(run, text->as.text.chars);
    if (!array)
        return false;
    for (size_t i = 0; i < text->as.text.chars; i++) {
        const char *next = p + 1;
        while (next < end && ((unsigned char)*next & 0xC0) == 0x80)
            next++;
        if (!(array[i] = jinja_part(run, p, (size_t)(next - p))))
            return false;
        p = next;
    }
    *items = array;
    *count = text->as.text.chars;
    return true;
}

bool jinja_items(jinja_run *run, jinja_ref value, const jinja_ref **items, size_t *count)
{
    jinja_ref *array;
    *items = nothing;
    *count = 0;
    switch (value->kind) {
    case JINJA_UNDEFINED:
        return true;
    case JINJA_STRING:
        return characters(run, value, items, count);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
        *items = value->as.list.items;
        *count = value->as.list.count;
        return true;
    case JINJA_VIEW:
        *items = value->as.view.items;
        *count = value->as.view.count;
        return true;
    case JINJA_DICT:
        if (!(array = jinja_array(run, value->as.dict->count)))
            return false;
        for (size_t i = 0; i < value->as.dict->count; i++)
            array[i] = value->as.dict->pairs[i].key;
        *items = array;
        *count = value->as.dict->count;
        return true;
    case JINJA_ITERATOR:
        *items = value->as.iterator.items + *value->as.iterator.next;
        *count = value->as.iterator.count - *value->as.iterator.next;
        *value->as.iterator.next = value->as.iterator.count;
        return true;
    default:
        (void)jinja_fail(run, "'%s' object is not iterable", jinja_type(value));
        return false;
    }
}

/* ---- Comparing */

/* Three ways: exact also between an int and a float. NaN is told apart by the callers. */
static int compare_numbers(jinja_ref a, jinja_ref b)
{
    if (a->kind == JINJA_FLOAT || b->kind == JINJA_FLOAT) {
        const double x = jinja_as_double(a), y = jinja_as_double(b);
        if (x != y || (a->kind == JINJA_FLOAT && b->kind == JINJA_FLOAT))
            return (x > y) - (x < y);
        if (fabs(x) >= 9007199254740992.0) { /* the int was rounded */
            const int64_t whole = a->kind == JINJA_FLOAT ? b->as.integer : a->as.integer;
            const int way = a->kind == JINJA_FLOAT ? 1 : -1;
            if (x >= 9223372036854775808.0)
                return way;
            return way * (((int64_t)x > whole) - ((int64_t)x < whole));
        }
        return 0;
    }
    return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
}

static bool is_nan(jinja_ref value)
{
    return value->kind == JINJA_FLOAT && isnan(value->as.real);
}

static bool equal_items(jinja_run *run, jinja_ref a, jinja_ref b, bool *equal)
{
    *equal = a->as.list.count == b->as.list.count;
    for (size_t i = 0; i < a->as.list.count && *equal; i++)
        if (!jinja_equal(run, a->as.list.items[i], b->as.list.items[i], equal))
            return false;
    return true;
}

static bool equal_dicts(jinja_run *run, const jinja_dict *a, const jinja_dict *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        jinja_ref other;
        if (!jinja_dict_find(run, b, a->pairs[i].key, &other))
            return false;
        *equal = other != NULL;
        if (other && !jinja_equal(run, a->pairs[i].value, other, equal))
            return false;
    }
    return true;
}

bool jinja_equal(jinja_run *run, jinja_ref a, jinja_ref b, bool *equal)
{
    bool good = true;
    *equal = false;
    if (jinja_is_number(a) && jinja_is_number(b)) {
        *equal = !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
        return true;
    }
    if (a->kind != b->kind)
        return true;
    if (a == b) {
        *equal = true;
        return true;
    }
    if (!jinja_enter(run))
        return false;
    switch (a->kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        *equal = true;
        break;
    case JINJA_STRING:
        *equal =
            a->as.text.length == b->as.text.length && memcmp(a->as.text.data, b->as.text.data, a->as.text.length) == 0;
        good = jinja_work(run, a->as.text.length / 64);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
    case JINJA_SLICE:
        good = equal_items(run, a, b, equal);
        break;
    case JINJA_DICT:
        good = equal_dicts(run, a->as.dict, b->as.dict, equal);
        break;
    default:
        break;
    }
    jinja_leave(run);
    return good;
}

static bool less_items(jinja_run *run, jinja_ref a, jinja_ref b, const char *sign, bool *less)
{
    const size_t shared = a->as.list.count < b->as.list.count ? a->as.list.count : b->as.list.count;
    for (size_t i = 0; i < shared; i++) {
        bool equal;
        if (!jinja_equal(run, a->as.list.items[i], b->as.list.items[i], &equal))
            return false;
        if (!equal)
            return jinja_less(run, a->as.list.items[i], b->as.list.items[i], sign, less);
    }
    *less = a->as.list.count < b->as.list.count;
    return true;
}

bool jinja_less(jinja_run *run, jinja_ref a, jinja_ref b, const char *sign, bool *less)
{
    bool good;
    *less = false;
    if (jinja_is_number(a) && jinja_is_number(b)) {
        *less = !is_nan(a) && !is_nan(b) && compare_numbers(a, b) < 0;
        return true;
    }
    if (a->kind == JINJA_STRING && b->kind == JINJA_STRING) { /* by code point, which is UTF-8's order too */
        const size_t shared = a->as.text.length < b->as.text.length ? a->as.text.length : b->as.text.length;
        const int order = shared ? memcmp(a->as.text.data, b->as.text.data, shared) : 0;
        *less = order < 0 || (order == 0 && a->as.text.length < b->as.text.length);
        return jinja_work(run, 1 + shared / 64);
    }
    if (a->kind == JINJA_UNDEFINED || b->kind == JINJA_UNDEFINED) {
        (void)jinja_fail_undefined(run, a->kind == JINJA_UNDEFINED ? a : b);
        return false;
    }
    if (a->kind != b->kind || (a->kind != JINJA_LIST && a->kind != JINJA_TUPLE)) {
        (void)jinja_fail(run, "'%s' not supported between instances of '%s' and '%s'", sign, jinja_type(a),
                         jinja_type(b));
        return false;
    }
    if (!jinja_enter(run))
        return false;
    good = less_items(run, a, b, sign, less);
    jinja_leave(run);
    return good;
}
