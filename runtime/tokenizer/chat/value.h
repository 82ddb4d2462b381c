/* value.h: the values of a template, which are Python's: what they are, how they compare, print and become JSON.
 *
 * A jinja_ref points to an immutable value in the run's arena; only namespaces, iterators, cyclers and joiners have a
 * state. A function that returns NULL (or false) has set the run's error, and all callers pass that on. */
#ifndef OCLM_TOKENIZER_CHAT_VALUE_H
#define OCLM_TOKENIZER_CHAT_VALUE_H

#include "core/json.h"
#include "tokenizer/chat/arena.h"

typedef enum jinja_kind {
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_STRING,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_DICT,
    JINJA_RANGE,    /* a list of ints by another name */
    JINJA_VIEW,     /* what dict.items(), keys() and values() give */
    JINJA_ITERATOR, /* what map, select and others give: can be read once */
    JINJA_SLICE,    /* a:b:c, inside [] only */
    JINJA_NAMESPACE,
    JINJA_MACRO,
    JINJA_LOOP,
    JINJA_FUNCTION,
    JINJA_METHOD,
    JINJA_CYCLER,
    JINJA_JOINER
} jinja_kind;

typedef struct jinja_run jinja_run;
typedef struct jinja_value jinja_value;
typedef const jinja_value *jinja_ref;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_macro jinja_macro;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_callable jinja_callable; /* a row of a table of methods or functions: call.h */

struct jinja_value {
    jinja_kind kind;
    bool markup;   /* STRING: HTML that e or safe made */
    bool is_group; /* TUPLE: of groupby, with .grouper and .list */
    union {
        int64_t integer; /* INT; BOOL: 0 or 1 */
        double real;
        struct {
            const char *data;
            size_t length, chars;
        } text; /* UTF-8, its bytes and its code points */
        struct {
            const jinja_ref *items;
            size_t count;
            int64_t stop, step;
        } list; /* LIST, TUPLE; SLICE: three; RANGE: as it was asked for */
        struct {
            const jinja_ref *items;
            size_t count;
            const char *type;
        } view;
        struct {
            const jinja_ref *items;
            size_t count;
            size_t *next;
            const char *type;
        } iterator;
        jinja_dict *dict; /* DICT: no more changed; NAMESPACE: changed by {% set n.x = ... %} */
        /* UNDEFINED: what a message says of it: `hint`, or the name that `owner` has not (NULL: a variable) */
        struct {
            const char *hint;
            jinja_ref name, owner;
            bool unsafe;
        } undefined;
        const jinja_macro *macro;
        jinja_loop *loop;
        struct {
            const jinja_callable *row;
            jinja_ref self;
        } call; /* FUNCTION, METHOD */
        struct {
            const jinja_ref *items;
            size_t count;
            size_t *position;
        } cycler;
        struct {
            jinja_ref separator;
            bool *used;
        } joiner;
    } as;
};

typedef struct jinja_pair {
    jinja_ref key, value;
} jinja_pair;

/* In the order of insertion; above a few pairs `slots` finds them: index + 1 by hash, 0: free. */
struct jinja_dict {
    jinja_pair *pairs;
    size_t count, capacity;
    uint32_t *slots;
    size_t slot_count; /* a power of two, or 0 */
};

/* ---- Making them. NULL: the error is set. */
extern const jinja_value jinja_none, jinja_true, jinja_false, jinja_empty; /* the last: "" */

static inline jinja_ref jinja_bool(bool value)
{
    return value ? &jinja_true : &jinja_false;
}
jinja_value *jinja_make(jinja_run *run, jinja_kind kind); /* all else zero */
jinja_ref jinja_int(jinja_run *run, int64_t value);
jinja_ref jinja_float(jinja_run *run, double value);
jinja_ref jinja_text(jinja_run *run, const char *data, size_t length); /* copies; valid UTF-8 */
jinja_ref jinja_part(jinja_run *run, const char *data, size_t length); /* points into what lives as long as the run */
jinja_ref jinja_word(jinja_run *run, const char *literal);             /* jinja_part() of a string literal */
jinja_ref jinja_join2(jinja_run *run, jinja_ref a, jinja_ref b);       /* a + b, of strings */
jinja_ref jinja_markup(jinja_run *run, jinja_ref text);
/* Arrays are taken over: made by jinja_array(). */
jinja_ref *jinja_array(jinja_run *run, size_t count);
jinja_ref jinja_sequence(jinja_run *run, jinja_kind kind, const jinja_ref *items,
                         size_t count); /* LIST, TUPLE, RANGE, SLICE */
jinja_ref jinja_pair_of(jinja_run *run, jinja_ref first, jinja_ref second); /* a TUPLE */
jinja_ref jinja_iterator(jinja_run *run, const jinja_ref *items, size_t count, const char *type);
jinja_ref jinja_undefined_name(jinja_run *run, jinja_ref name, jinja_ref owner);
jinja_ref jinja_undefined_hint(jinja_run *run, const char *hint, jinja_ref name);

/* ---- Dicts */
jinja_dict *jinja_dict_new(jinja_run *run);
jinja_ref jinja_dict_value(jinja_run *run, jinja_kind kind, jinja_dict *dict); /* DICT or NAMESPACE */
bool jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_ref key, jinja_ref value);
/* `*value` NULL: no such key. False: the key cannot be one (a list). */
bool jinja_dict_find(jinja_run *run, const jinja_dict *dict, jinja_ref key, jinja_ref *value);
jinja_ref jinja_dict_get(const jinja_dict *dict, const char *key, size_t length); /* a string key; NULL: none */

/* ---- Asking them */
const char *jinja_type(jinja_ref value); /* Python's name of its type */
bool jinja_truth(jinja_ref value);
bool jinja_is_number(jinja_ref value); /* bool, int, float */
bool jinja_is_text(jinja_ref value, const char *literal);
double jinja_as_double(jinja_ref number);
bool jinja_equal(jinja_run *run, jinja_ref a, jinja_ref b, bool *equal);
/* a < b as Python orders them: `sign` of the comparison in a message. */
bool jinja_less(jinja_run *run, jinja_ref a, jinja_ref b, const char *sign, bool *less);
/* Everything that a loop over it would see, in an array; an iterator is empty afterwards. */
bool jinja_items(jinja_run *run, jinja_ref value, const jinja_ref **items, size_t *count);
bool jinja_is_iterable(jinja_ref value);
/* len(): false where it has none, without an error. */
bool jinja_length(jinja_ref value, size_t *length);

/* ---- Text of them (value_text.c) and JSON (value_json.c) */
jinja_ref jinja_str(jinja_run *run, jinja_ref value);                   /* str(x) */
jinja_ref jinja_repr(jinja_run *run, jinja_ref value);                  /* repr(x) */
bool jinja_print(jinja_run *run, jinja_ref value, core_text *out);      /* str(x), added */
bool jinja_print_repr(jinja_run *run, jinja_ref value, core_text *out); /* repr(x), added */
void jinja_float_text(double value, char text[32]);                     /* repr(float) */

typedef struct jinja_json_style {
    bool ascii, sort;
    jinja_ref indent;             /* NULL: one line; a string */
    jinja_ref between, after_key; /* separators; NULL: as json.dumps() has them */
} jinja_json_style;
bool jinja_print_json(jinja_run *run, jinja_ref value, const jinja_json_style *style, core_text *out);
/* A value from JSON; `origin` names it in messages. */
jinja_ref jinja_from_json(jinja_run *run, const char *text, size_t length, const char *origin);

/* ---- A text that is being made: `out`, with the run's limit. jinja_made() gives it as a value and frees it, also
 * after a failure. */
core_text jinja_making(const jinja_run *run);
jinja_ref jinja_made(jinja_run *run, core_text *text, bool good);

#endif
