/* regex.c: patterns by PCRE2, compiled to machine code where that can be had, and bounded in steps, memory and time.
 *
 * PCRE2's limits count the steps from one place in the text; a pattern can also take long by trying a long way from
 * every place. So a search goes on in windows of starting places, and the clock is looked at between them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex.h"

#include <pcre2.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "tokenizer/regex_rewrite.h"

#define MAX_STEPS          10000000     /* from one place in the text: Oniguruma's limit too */
#define MAX_HEAP_KIB       (256u << 10) /* for backtracking */
#define MAX_SECONDS        5.0          /* for one text, and so much for each byte: */
#define MAX_SECONDS_A_BYTE 1e-5
#define FIRST_WINDOW       16  /* starting places; then ever more while they take no time */
#define MAX_WINDOW         ((size_t)1 << 20)
#define QUICK              1e-3 /* seconds */

struct tok_regex {
    char *pattern; /* as the file writes it */
    pcre2_code *code;
    pcre2_match_context *context;
};

struct tok_regex_state {
    pcre2_match_data *data;
    pcre2_match_context *context; /* its own, as each search sets where to end */
    double spent;                 /* seconds */
};

static void *allocate(size_t bytes, void *user)
{
    (void)user;
    return core_alloc(bytes, "a regular expression");
}

static void release(void *memory, void *user)
{
    (void)user;
    core_free(memory);
}

static oclm_status compile(const char *pattern, const core_text *rewritten, const char *where, tok_regex *regex)
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES | PCRE2_USE_OFFSET_LIMIT;
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, NULL);
    pcre2_compile_context *context = general != NULL ? pcre2_compile_context_create(general) : NULL;
    PCRE2_SIZE place = 0;
    int error = 0;
    oclm_status status = OCLM_OK;
    if (context == NULL || (regex->context = pcre2_match_context_create(general)) == NULL) {
        status = OCLM_ERR_MEMORY;
        goto done;
    }
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    (void)pcre2_set_match_limit(regex->context, MAX_STEPS);
    (void)pcre2_set_heap_limit(regex->context, MAX_HEAP_KIB);
    regex->code = pcre2_compile((PCRE2_SPTR)rewritten->data, rewritten->length, options, &error, &place, context);
    if (regex->code == NULL && error == PCRE2_ERROR_HEAP_FAILED) {
        status = OCLM_ERR_MEMORY;
    } else if (regex->code == NULL) {
        unsigned char reason[256] = "";
        (void)pcre2_get_error_message(error, reason, sizeof reason);
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: the pattern %s cannot be used: %s", where, pattern,
                           (const char *)reason);
    } else if (core_env("OCLM_NO_REGEX_JIT") == NULL) { /* valgrind cannot follow that code */
        (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* else it is interpreted */
    }
done:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return status;
}

oclm_status tok_regex_new(const char *pattern, const char *where, tok_regex **regex)
{
    core_text rewritten = CORE_TEXT_INIT;
    tok_regex *made = core_alloc_zero(1, sizeof *made, "a regular expression");
    oclm_status status;
    *regex = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = tok_regex_rewrite(pattern, where, &rewritten)) == OCLM_OK &&
        (status = core_text_reserve(&rewritten, 1)) == OCLM_OK && /* an empty pattern is one too */
        (status = compile(pattern, &rewritten, where, made)) == OCLM_OK &&
        (made->pattern = core_copy_string(pattern, "a regular expression")) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&rewritten);
    if (status == OCLM_OK)
        *regex = made;
    else
        tok_regex_free(made);
    return status;
}

void tok_regex_free(tok_regex *regex)
{
    if (regex == NULL)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->context);
    core_free(regex->pattern);
    core_free(regex);
}

/* ---- Searching */

static oclm_status new_state(const tok_regex *regex, tok_regex_state **state)
{
    pcre2_general_context *general;
    if ((*state = core_alloc_zero(1, sizeof **state, "a regular expression")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((general = pcre2_general_context_create(allocate, release, NULL)) == NULL)
        return OCLM_ERR_MEMORY;
    (*state)->data = pcre2_match_data_create_from_pattern(regex->code, general);
    (*state)->context = pcre2_match_context_copy(regex->context);
    pcre2_general_context_free(general);
    return (*state)->data != NULL && (*state)->context != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

void tok_regex_state_free(tok_regex_state *state)
{
    if (state == NULL)
        return;
    pcre2_match_data_free(state->data);
    pcre2_match_context_free(state->context);
    core_free(state);
}

static oclm_status too_much(const tok_regex *regex, const char *what)
{
    return core_fail(OCLM_ERR_CAPACITY,
                     "the tokenizer's pattern %s %s on this text: cut the text, or use a tokenizer with "
                     "another pattern",
                     regex->pattern, what);
}

/* One window of starting places, [from, to]. *result as pcre2_match() returns it. */
static oclm_status search_window(const tok_regex *regex, const tok_regex_state *state, const char *text, size_t length,
                                 size_t from, size_t to, int *result)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    (void)pcre2_set_offset_limit(state->context, to);
    *result = pcre2_match(regex->code, subject, length, from, PCRE2_NO_UTF_CHECK, state->data, state->context);
    if (*result == PCRE2_ERROR_JIT_STACKLIMIT) /* deep groups: the interpreter has the heap for them */
        *result = pcre2_match(regex->code, subject, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state->data,
                              state->context);
    switch (*result) {
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
        return too_much(regex, "takes too many steps");
    case PCRE2_ERROR_HEAPLIMIT:
        return too_much(regex, "takes too much memory");
    case PCRE2_ERROR_NOMEMORY:
        return OCLM_ERR_MEMORY;
    default:
        break;
    }
    if (*result < 0 && *result != PCRE2_ERROR_NOMATCH) {
        unsigned char reason[256] = "";
        (void)pcre2_get_error_message(*result, reason, sizeof reason);
        return core_fail(OCLM_ERR_INTERNAL, "the tokenizer's pattern %s fails: %s", regex->pattern,
                         (const char *)reason);
    }
    return OCLM_OK;
}

oclm_status tok_regex_find(const tok_regex *regex, tok_regex_state **state, const char *text, size_t length,
                           size_t from, const char **begin, const char **stop)
{
    const double limit = MAX_SECONDS + MAX_SECONDS_A_BYTE * (double)length;
    size_t window = FIRST_WINDOW;
    oclm_status status;
    *begin = *stop = NULL;
    if (*state == NULL && (status = new_state(regex, state)) != OCLM_OK)
        return status;
    while (from <= length) {
        const size_t to = length - from < window ? length : from + window;
        const double start = core_seconds();
        int result;
        if ((status = search_window(regex, *state, text, length, from, to, &result)) != OCLM_OK)
            return status;
        const double taken = core_seconds() - start;
        (*state)->spent += taken;
        if (result >= 0) {
            const PCRE2_SIZE *places = pcre2_get_ovector_pointer((*state)->data);
            /* \K may move the beginning */
            *begin = text + (places[0] > from ? places[0] : from);
            *stop = text + places[1] > *begin ? text + places[1] : *begin;
            return OCLM_OK;
        }
        if ((*state)->spent > limit)
            return too_much(regex, "takes too long");
        if (taken < QUICK && window < MAX_WINDOW)
            window *= 2;
        for (from = to + 1; from < length && ((unsigned char)text[from] & 0xC0) == 0x80;)
            from++;
    }
    return OCLM_OK;
}
