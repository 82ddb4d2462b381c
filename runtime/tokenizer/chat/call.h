/* call.h: what can be called: rows of tables (filters, tests, methods, globals), macros, loops; and what they are
 * called with. */
#ifndef OCLM_TOKENIZER_CHAT_CALL_H
#define OCLM_TOKENIZER_CHAT_CALL_H

#include "tokenizer/chat/run.h"

#define JINJA_MAX_PARAMETERS 6

typedef struct jinja_arguments {
    const jinja_ref *items; /* by position */
    size_t count;
    const jinja_pair *named; /* by name, in the order given */
    size_t named_count;
} jinja_arguments;

/* `self`: the value before the bar, the test's, the method's owner; NULL for a global. `a`: the parameters' values,
 * NULL where not given; of a row without a list of parameters all stands in `all`. */
typedef jinja_ref (*jinja_function)(jinja_run *run, jinja_ref self, const jinja_ref *a, const jinja_arguments *all);

/* The head of such a function; each uses of it what it needs. */
#define JINJA_DEFINE(name)                                                                                             \
    static jinja_ref name(CORE_UNUSED jinja_run *run, CORE_UNUSED jinja_ref self, CORE_UNUSED const jinja_ref *a,        \
                          CORE_UNUSED const jinja_arguments *all)

struct jinja_callable {
    const char *name;
    const char *parameters; /* "old new count"; "" for none; NULL: takes whatever comes */
    unsigned required;      /* the first so many must be given */
    jinja_function call;
};

typedef struct jinja_table {
    const jinja_callable *rows;
    size_t count;
} jinja_table;

const jinja_callable *jinja_find(const jinja_table *table, jinja_ref name); /* NULL: none */
jinja_ref jinja_call_row(jinja_run *run, const jinja_callable *row, jinja_ref self, const jinja_arguments *arguments);
jinja_ref jinja_call(jinja_run *run, jinja_ref callee, const jinja_arguments *arguments);
bool jinja_is_callable(jinja_ref value);
jinja_ref jinja_method(jinja_run *run, const jinja_callable *row,
                       jinja_ref self); /* METHOD, or FUNCTION where self is NULL */

/* ---- Filters (filters.c) and tests (tests.c) by name */
jinja_ref jinja_filter(jinja_run *run, jinja_ref name, jinja_ref value, const jinja_arguments *arguments);
bool jinja_test(jinja_run *run, jinja_ref name, jinja_ref value, const jinja_arguments *arguments, bool *result);
extern const jinja_table jinja_text_filters, jinja_list_filters, jinja_select_filters, jinja_number_filters;

/* ---- Methods (methods.c), globals (globals.c) */
const jinja_callable *jinja_find_method(jinja_ref owner, jinja_ref name);
extern const jinja_table jinja_text_methods;
jinja_ref jinja_global(jinja_run *run, jinja_ref name); /* NULL without an error: none */
/* Whether a namespace may have an attribute of that name; false: the error is set. */
bool jinja_may_store(jinja_run *run, jinja_ref name);

/* ---- Attributes and items (lookup.c) */
jinja_ref jinja_get_attribute(jinja_run *run, jinja_ref owner, jinja_ref name);
jinja_ref jinja_get_item(jinja_run *run, jinja_ref owner, jinja_ref key);
jinja_ref jinja_get_slice(jinja_run *run, jinja_ref owner, jinja_ref slice);
/* Follows "a.b.0", as the attribute parameter of filters; `path` may also be an int, or NULL: `value` itself. */
jinja_ref jinja_follow(jinja_run *run, jinja_ref value, jinja_ref path, jinja_ref otherwise);

/* ---- Operators (operators.c); `sign` of ast.h */
jinja_ref jinja_binary(jinja_run *run, unsigned sign, jinja_ref a, jinja_ref b);
bool jinja_compare(jinja_run *run, unsigned sign, jinja_ref a, jinja_ref b, bool *result);
bool jinja_contains(jinja_run *run, jinja_ref container, jinja_ref item, bool *result);
jinja_ref jinja_negative(jinja_run *run, jinja_ref a, bool negate);
jinja_ref jinja_too_large(jinja_run *run); /* the error of an int that does not fit */

/* ---- Formatting (format.c: "%s" % x; format_method.c: "{}".format(x)) */
jinja_ref jinja_format(jinja_run *run, jinja_ref format, jinja_ref values);
jinja_ref jinja_format_method(jinja_run *run, jinja_ref format, const jinja_arguments *arguments);

/* ---- Sorting (sort.c): stable, by keys of jinja_follow(). */
typedef struct jinja_sort_order {
    jinja_ref attribute; /* NULL: the item itself; "a,b": several */
    bool lower, reverse;
    bool listed; /* keys are lists, whose equal items need no order */
} jinja_sort_order;
/* A new array with the items in order; NULL: the error is set. */
const jinja_ref *jinja_sorted(jinja_run *run, const jinja_ref *items, size_t count, const jinja_sort_order *order);
const jinja_pair *jinja_sorted_pairs(jinja_run *run, const jinja_dict *dict); /* by key */
jinja_ref jinja_lowered(jinja_run *run, jinja_ref value); /* a text in lower case; others as they are */

/* ---- Macros and loops (macro.c, loop.c) */
jinja_ref jinja_macro_name(const jinja_macro *macro); /* NULL: a caller */
jinja_ref jinja_call_macro(jinja_run *run, const jinja_macro *macro, const jinja_arguments *arguments);
size_t jinja_loop_length(const jinja_loop *loop);
jinja_ref jinja_loop_attribute(jinja_run *run, jinja_ref loop, jinja_ref name); /* NULL without an error: it has none */
jinja_ref jinja_call_loop(jinja_run *run, jinja_loop *loop, const jinja_arguments *arguments);

/* ---- Small helpers of those who print and read arguments */
bool jinja_add(jinja_run *run, core_text *out, const char *data, size_t length);
bool jinja_add_word(jinja_run *run, core_text *out, const char *literal);
/* An argument that must be an int (or bool); `*value` stays where it is NULL or none. */
bool jinja_want_int(jinja_run *run, jinja_ref argument, const char *what, int64_t *value);

#endif
