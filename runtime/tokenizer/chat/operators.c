/* operators.c: arithmetic, comparison and `in`, with Python's results and Python's errors. Ints have 64 bits: what does
 * not fit is an error, not a wrong number. */
#include <math.h>
#include <string.h>

#include "tokenizer/chat/ast.h"
#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

static const char *const signs[] = { "+", "-", "*", "/", "//", "%", "** or pow()" };

static jinja_ref refuse(jinja_run *run, unsigned sign, jinja_ref a, jinja_ref b)
{
    return jinja_fail(run, "unsupported operand type(s) for %s: '%s' and '%s'", signs[sign], jinja_type(a),
                      jinja_type(b));
}

jinja_ref jinja_too_large(jinja_run *run)
{
    return jinja_fail(run, "an int of more than 64 bits; oclm's end at %lld", (long long)INT64_MAX);
}

/* ---- Numbers */

static jinja_ref int_pow(jinja_run *run, int64_t base, int64_t exponent)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0)
            return jinja_fail(run, "0.0 cannot be raised to a negative power");
        return jinja_float(run, pow((double)base, (double)exponent));
    }
    if (base == 0 || base == 1 || base == -1)
        return jinja_int(run, exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base);
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(result, base, &result))
            return jinja_too_large(run);
    return jinja_int(run, result);
}

static jinja_ref int_binary(jinja_run *run, unsigned sign, int64_t a, int64_t b)
{
    int64_t result;
    switch (sign) {
    case JINJA_ADD:
        return __builtin_add_overflow(a, b, &result) ? jinja_too_large(run) : jinja_int(run, result);
    case JINJA_SUB:
        return __builtin_sub_overflow(a, b, &result) ? jinja_too_large(run) : jinja_int(run, result);
    case JINJA_MUL:
        return __builtin_mul_overflow(a, b, &result) ? jinja_too_large(run) : jinja_int(run, result);
    case JINJA_DIV:
        return b == 0 ? jinja_fail(run, "division by zero") : jinja_float(run, (double)a / (double)b);
    case JINJA_POW:
        return int_pow(run, a, b);
    default:
        break;
    }
    if (b == 0)
        return jinja_fail(run, sign == JINJA_MOD ? "integer modulo by zero" : "integer division or modulo by zero");
    if (b == -1)
        return sign == JINJA_MOD ? jinja_int(run, 0) : a == INT64_MIN ? jinja_too_large(run) : jinja_int(run, -a);
    const bool inexact = a % b != 0 && (a % b < 0) != (b < 0); /* C cuts towards zero, Python floors */
    return jinja_int(run, sign == JINJA_MOD ? a % b + (inexact ? b : 0) : a / b - inexact);
}

static jinja_ref float_mod(jinja_run *run, double a, double b, bool floor_division)
{
    double rest;
    if (b == 0)
        return jinja_fail(run, floor_division ? "float floor division by zero" : "float modulo");
    rest = fmod(a, b);
    const double whole = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) {
        rest += b;
        if (floor_division)
            return jinja_float(run, floor(whole - 1.0 + 0.5));
    } else if (rest == 0) {
        rest = copysign(0.0, b);
    }
    if (!floor_division)
        return jinja_float(run, rest);
    if (whole == 0)
        return jinja_float(run, copysign(0.0, a / b));
    return jinja_float(run, floor(whole) + (whole - floor(whole) > 0.5 ? 1.0 : 0.0));
}

static jinja_ref float_binary(jinja_run *run, unsigned sign, double a, double b)
{
    switch (sign) {
    case JINJA_ADD:
        return jinja_float(run, a + b);
    case JINJA_SUB:
        return jinja_float(run, a - b);
    case JINJA_MUL:
        return jinja_float(run, a * b);
    case JINJA_DIV:
        return b == 0 ? jinja_fail(run, "float division by zero") : jinja_float(run, a / b);
    case JINJA_POW:
        if (a == 0 && b < 0)
            return jinja_fail(run, "0.0 cannot be raised to a negative power");
        if (a < 0 && b != floor(b))
            return jinja_fail(run, "complex numbers are not supported");
        if (isinf(pow(a, b)) && !isinf(a) && !isinf(b))
            return jinja_fail(run, "(34, 'Numerical result out of range')");
        return jinja_float(run, pow(a, b));
    default:
        return float_mod(run, a, b, sign == JINJA_FLOOR_DIV);
    }
}

/* ---- Texts and lists */

static jinja_ref add_texts(jinja_run *run, jinja_ref a, jinja_ref b)
{
    if (a->markup != b->markup) { /* the plain one is escaped */
        a = a->markup ? a : jinja_escape(run, a);
        b = !b || !a ? NULL : b->markup ? b : jinja_escape(run, b);
        a = b ? jinja_join2(run, a, b) : NULL;
        return a ? jinja_markup(run, a) : NULL;
    }
    const jinja_ref sum = jinja_join2(run, a, b);
    return sum && a->markup && !sum->markup ? jinja_markup(run, sum) : sum;
}

static jinja_ref add_lists(jinja_run *run, jinja_ref a, jinja_ref b)
{
    const size_t count = a->as.list.count + b->as.list.count;
    jinja_ref *items = jinja_array(run, count);
    if (!items)
        return NULL;
    if (a->as.list.count > 0)
        memcpy(items, a->as.list.items, a->as.list.count * sizeof *items);
    if (b->as.list.count > 0)
        memcpy(items + a->as.list.count, b->as.list.items, b->as.list.count * sizeof *items);
    return jinja_sequence(run, a->kind, items, count);
}

static jinja_ref add(jinja_run *run, jinja_ref a, jinja_ref b)
{
    if (a->kind == JINJA_STRING && b->kind == JINJA_STRING)
        return add_texts(run, a, b);
    if (a->kind == b->kind && (a->kind == JINJA_LIST || a->kind == JINJA_TUPLE))
        return add_lists(run, a, b);
    if (a->kind == JINJA_STRING || a->kind == JINJA_LIST || a->kind == JINJA_TUPLE)
        return jinja_fail(run, "can only concatenate %s (not \"%s\") to %s", jinja_type(a), jinja_type(b),
                          jinja_type(a));
    return refuse(run, JINJA_ADD, a, b);
}

static jinja_ref repeat_text(jinja_run *run, jinja_ref text, uint64_t times)
{
    core_text out = jinja_making(run);
    bool good = true;
    if (text->as.text.length > 0 && times > JINJA_MAX_TEXT / text->as.text.length)
        return jinja_fail(run, "makes a text of more than %zu bytes, which is the limit", JINJA_MAX_TEXT);
    for (uint64_t i = 0; i < times && text->as.text.length > 0 && good; i++)
        good = jinja_work(run, 1) && jinja_print(run, text, &out);
    return jinja_made(run, &out, good);
}

static jinja_ref repeat_list(jinja_run *run, jinja_ref list, uint64_t times)
{
    const size_t count = list->as.list.count;
    jinja_ref *items;
    if (count == 0)
        times = 0;
    if (count > 0 && times > JINJA_MAX_MEMORY / sizeof(jinja_ref) / count)
        return jinja_fail(run, "makes a list of more than %zu items, which is the limit",
                          JINJA_MAX_MEMORY / sizeof(jinja_ref));
    if (!(items = jinja_array(run, count * (size_t)times)))
        return NULL;
    for (size_t i = 0; i < times; i++)
        memcpy(items + i * count, list->as.list.items, count * sizeof *items);
    return jinja_sequence(run, list->kind, items, count * (size_t)times);
}

static jinja_ref multiply(jinja_run *run, jinja_ref a, jinja_ref b)
{
    const bool left = a->kind == JINJA_STRING || a->kind == JINJA_LIST || a->kind == JINJA_TUPLE;
    const jinja_ref what = left ? a : b, times = left ? b : a;
    if (what->kind != JINJA_STRING && what->kind != JINJA_LIST && what->kind != JINJA_TUPLE)
        return refuse(run, JINJA_MUL, a, b);
    if (times->kind != JINJA_INT && times->kind != JINJA_BOOL)
        return jinja_fail(run, "can't multiply sequence by non-int of type '%s'", jinja_type(times));
    const uint64_t count = times->as.integer > 0 ? (uint64_t)times->as.integer : 0;
    return what->kind == JINJA_STRING ? repeat_text(run, what, count) : repeat_list(run, what, count);
}

jinja_ref jinja_binary(jinja_run *run, unsigned sign, jinja_ref a, jinja_ref b)
{
    if (a->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, a);
    if (sign == JINJA_MOD && a->kind == JINJA_STRING)
        return jinja_format(run, a, b);
    if (b->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, b);
    if (jinja_is_number(a) && jinja_is_number(b)) {
        if (a->kind == JINJA_FLOAT || b->kind == JINJA_FLOAT)
            return float_binary(run, sign, jinja_as_double(a), jinja_as_double(b));
        return int_binary(run, sign, a->as.integer, b->as.integer);
    }
    if (sign == JINJA_ADD)
        return add(run, a, b);
    return sign == JINJA_MUL ? multiply(run, a, b) : refuse(run, sign, a, b);
}

jinja_ref jinja_negative(jinja_run *run, jinja_ref a, bool negate)
{
    if (a->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, a);
    if (!jinja_is_number(a))
        return jinja_fail(run, "bad operand type for unary %c: '%s'", negate ? '-' : '+', jinja_type(a));
    if (a->kind == JINJA_FLOAT)
        return jinja_float(run, negate ? -a->as.real : a->as.real);
    if (negate && a->as.integer == INT64_MIN)
        return jinja_too_large(run);
    return jinja_int(run, negate ? -a->as.integer : a->as.integer);
}

/* ---- Comparing */

bool jinja_contains(jinja_run *run, jinja_ref container, jinja_ref item, bool *result)
{
    const jinja_ref *items;
    size_t count, at;
    jinja_ref found;
    *result = false;
    if (container->kind == JINJA_STRING) {
        if (item->kind != JINJA_STRING)
            return jinja_fail(run, "'in <string>' requires string as left operand, not %s", jinja_type(item)) != NULL;
        if (!jinja_text_find(run, container, item, 0, &at))
            return false;
        *result = at != SIZE_MAX;
        return true;
    }
    if (container->kind == JINJA_DICT) {
        if (!jinja_dict_find(run, container->as.dict, item, &found))
            return false;
        *result = found != NULL;
        return true;
    }
    if (!jinja_is_iterable(container))
        return jinja_fail(run, "argument of type '%s' is not iterable", jinja_type(container)) != NULL;
    if (!jinja_items(run, container, &items, &count))
        return false;
    for (size_t i = 0; i < count && !*result; i++)
        if (!jinja_work(run, 1) || !jinja_equal(run, items[i], item, result))
            return false;
    return true;
}

bool jinja_compare(jinja_run *run, unsigned sign, jinja_ref a, jinja_ref b, bool *result)
{
    bool good = true, other = false;
    switch (sign) {
    case JINJA_EQ:
        return jinja_equal(run, a, b, result);
    case JINJA_NE:
        good = jinja_equal(run, a, b, result);
        *result = !*result;
        return good;
    case JINJA_LT:
        return jinja_less(run, a, b, "<", result);
    case JINJA_GT:
        return jinja_less(run, b, a, ">", result);
    case JINJA_LE:
    case JINJA_GE:
        good = sign == JINJA_LE ? jinja_less(run, a, b, "<=", result) : jinja_less(run, b, a, ">=", result);
        if (!good || *result)
            return good;
        good = jinja_equal(run, a, b, &other);
        *result = other;
        return good;
    case JINJA_IN:
        return jinja_contains(run, b, a, result);
    default:
        good = jinja_contains(run, b, a, result);
        *result = !*result;
        return good;
    }
}
