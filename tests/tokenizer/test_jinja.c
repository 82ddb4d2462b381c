/* test_jinja.c: the sandbox: templates that are broken, greedy or endless get one error each, in time, and no failing
 * request for memory does harm. What good templates give is in test_chat.c. */
#include "core/unit.h"

#include <stdio.h>

#include "core/platform.h"
#include "tokenizer/chat/chat.h"

static oclm_status render(const char *source, const char *variables, core_text *out)
{
    static const tok_templates none = TOK_TEMPLATES_INIT;
    const tok_chat_request request = { .templates = &none,
                                       .messages = "[{\"role\": \"user\", \"content\": \"Hi\"}]",
                                       .variables = variables,
                                       .template_text = source,
                                       .now = 0,
                                       .max_work = getenv("OCLM_TEST_QUICK") ? 300000 : 0 };
    return tok_chat_render(&request, out);
}

/* A template of `times` copies of `middle`. */
static char *repeat(const char *begin, const char *middle, size_t times, const char *end)
{
    const size_t size = strlen(begin) + times * strlen(middle) + strlen(end) + 1;
    char *text = malloc(size), *p = text;
    assert_non_null(text);
    p += sprintf(p, "%s", begin);
    for (size_t i = 0; i < times; i++)
        p += sprintf(p, "%s", middle);
    (void)sprintf(p, "%s", end);
    return text;
}

static void refuse(const char *label, const char *source, const char *says)
{
    core_text out = CORE_TEXT_INIT;
    const double start = core_seconds();
    const oclm_status status = render(source, NULL, &out);
    if (status == OCLM_OK || strstr(oclm_last_error(), says) == NULL)
        fail_msg("%s: status %d, \"%s\", want \"%s\"", label, (int)status, oclm_last_error(), says);
    if (core_seconds() - start > 60)
        fail_msg("%s: took %.1f s", label, core_seconds() - start);
    assert_int_equal(out.length, 0);
    core_text_free(&out);
}

static const struct {
    const char *label, *source, *says;
} endless[] = {
    { "a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "levels deep" },
    { "macros that call each other",
      "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}x{{ f() }}{% endmacro %}{{ f() }}", "levels deep" },
    { "loops in loops",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% "
      "endfor %}",
      "limit" },
    { "a condition that is always false, in loops",
      "{% for a in range(100000) %}{% for b in range(100000) if false %}{% endfor %}{% endfor %}", "limit" },
    { "a text that doubles",
      "{% set n = namespace(s='abcdefgh') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "limit" },
    { "a list that doubles",
      "{% set n = namespace(s=[1, 2]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "limit" },
    { "a list that holds itself twice, printed",
      "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
      "limit" },
    { "the same compared",
      "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] "
      "%}{% endfor %}{{ n.s == n.t }}",
      "limit" },
    { "a namespace that holds itself", "{% set n = namespace() %}{% set n.n = n %}{{ n }}", "levels deep" },
    { "a text repeated without end", "{{ 'abc' * 9223372036854775807 }}", "limit" },
    { "a list repeated without end", "{{ [1, 2] * 9223372036854775807 }}", "limit" },
    { "a wide field", "{{ '%999999999d' % 1 }}", "limit" },
    { "a wide format", "{{ '{:>999999999}'.format(1) }}", "limit" },
    { "a wide center", "{{ 'x'.center(9223372036854775807) }}", "limit" },
    { "an output without end", "{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}", "limit" },
    { "a power", "{{ 10 ** 100 }}", "64 bits" },
    { "a number of many digits", "{{ 123456789012345678901234567890 }}", "bits" },
    { "the smallest int negated", "{{ -(-9223372036854775807 - 1) }}", "64 bits" },
    { "the smallest int divided", "{{ (-9223372036854775807 - 1) // -1 }}", "64 bits" },
    { "a range as wide as can be", "{{ range(-9223372036854775807, 9223372036854775807) }}", "Range too big" },
    { "formats in formats", "{{ '{0:{0:{0}}}'.format('x') }}", "recursion" },
    { "a search that is quadratic",
      "{% set a = 'a' * 1000000 %}{{ (a + 'b') in (a * 60) }}{{ (a + 'b') in (a * 61) }}{{ (a.replace('aa', 'a', "
      "400000) + 'b') in a * 60 }}{{ a.rfind('b' + 'a' * 500000) }}{{ a.rfind('b' + 'a' * 500000) }}",
      "" },
};

static void what_has_no_end_is_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(endless) - 1; i++)
        refuse(endless[i].label, endless[i].source, endless[i].says);
    /* The last may go either way, but in time. */
    core_text out = CORE_TEXT_INIT;
    const double start = core_seconds();
    (void)render(endless[COUNT(endless) - 1].source, NULL, &out);
    assert_true(core_seconds() - start < 60);
    core_text_free(&out);
}

static const struct {
    const char *label, *begin, *middle;
    size_t times;
    const char *end;
} deep[] = {
    { "brackets", "{{ ", "(", 100000, "" },
    { "lists", "{{ ", "[", 90, "" },
    { "minus signs", "{{ ", "-", 100000, "1 }}" },
    { "nots", "{{ ", "not ", 100000, "1 }}" },
    { "a sum", "{{ 1", " + 1", 100000, " }}" },
    { "filters", "{{ 1", " | abs", 100000, " }}" },
    { "attributes", "{{ x", ".x", 100000, " }}" },
    { "calls", "{{ x", "()", 100000, " }}" },
    { "powers", "{{ 1", " ** 1", 100000, " }}" },
    { "blocks", "", "{% if 1 %}", 100000, "" },
    { "loops", "", "{% for i in [1] %}", 5000, "" },
    { "conditions", "{{ 1", " if 1 else 1", 100000, " }}" },
    { "comparisons", "{{ 1", " < 1", 100000, " }}" },
    { "ands", "{{ 1", " and 1", 100000, " }}" },
    { "tests", "{{ 1", " is not none", 100000, " }}" },
    { "items", "{{ x", "[0]", 100000, " }}" },
};

static void what_is_too_deep_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(deep); i++) {
        char *source = repeat(deep[i].begin, deep[i].middle, deep[i].times, deep[i].end);
        refuse(deep[i].label, source, "");
        free(source);
    }
}

/* Each beginning of a template: it renders, or is refused; a sanitizer sees what is read behind it. */
static void a_template_may_be_cut_anywhere(void **state)
{
    static const char source[] = "{#- c -#}{% macro m(a, b='x\\u00e9', *) %}{% endmacro %}{%- raw -%}{{ {%- endraw "
                                 "%}{% set a, b.c = [1, 0x1F, 2.5e3][::-1], {'k': (1,)} %}"
                                 "{% for k, v in a.items() if v is not divisibleby 2 recursive -%}{{ loop(v) | "
                                 "default('é', true) ~ 'a' 'b' }}{% else %}{% break %}{% endfor +%}"
                                 "{% call(x) m(*a, **b) %}{% endcall %}{% filter upper %}{% endfilter %}{% set x | "
                                 "trim %}{% endset %}{{ 1 if x else -y ** 2 // 3 not in z }}";
    (void)state;
    for (size_t length = 0; length < sizeof source; length++) {
        core_text out = CORE_TEXT_INIT;
        char *copy = exact_copy(source, length + 1);
        copy[length] = '\0';
        if (render(copy, NULL, &out) != OCLM_OK)
            assert_true(oclm_last_error()[0] != '\0');
        core_text_free(&out);
        free(copy);
    }
}

static void messages_that_are_none_are_refused(void **state)
{
    static const tok_templates none = TOK_TEMPLATES_INIT;
    static const struct {
        const char *messages, *tools, *variables, *says;
    } cases[] = {
        { "", NULL, NULL, "ends" },
        { "[", NULL, NULL, "ends" },
        { "[]", NULL, NULL, "at least one message" },
        { "null", NULL, NULL, "at least one message" },
        { "{}", NULL, NULL, "JSON list" },
        { "[1]", NULL, NULL, "item 0" },
        { "[{\"role\": \"user\"}] x", NULL, NULL, "byte 19" },
        { "[{\"role\": \"\xFF\"}]", NULL, NULL, "UTF-8" },
        { "[{}]", "{}", NULL, "the tools" },
        { "[{}]", "[\"f\"]", NULL, "the tools" },
        { "[{}]", NULL, "[]", "JSON object" },
        { "[{}]", NULL, "{\"a\": 99999999999999999999}", "variables" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        core_text out = CORE_TEXT_INIT;
        const tok_chat_request request = { .templates = &none,
                                           .messages = cases[i].messages,
                                           .tools = cases[i].tools,
                                           .variables = cases[i].variables,
                                           .template_text = "x",
                                           .now = 0 };
        const oclm_status status = tok_chat_render(&request, &out);
        if (status == OCLM_OK || strstr(oclm_last_error(), cases[i].says) == NULL)
            fail_msg("%s: status %d, \"%s\", want \"%s\"", cases[i].messages, (int)status, oclm_last_error(),
                     cases[i].says);
        core_text_free(&out);
    }
}

static core_text made;

static oclm_status render_most(void *user)
{
    (void)user;
    return render("{% macro m(a) %}[{{ a | tojson(indent=2) }}]{% endmacro %}{% for k, v in d | dictsort %}{{ m(v) ~ "
                  "k.split(',') }}{% endfor %}"
                  "{{ messages | map(attribute='role') | join(', ') }}{{ '%s' | format(d) }}",
                  "{\"d\": {\"b,c\": [1, 2.5, null], \"a\": \"\\u00e9\"}}", &made);
}

static void free_made(void *user)
{
    (void)user;
    core_text_free(&made);
}

static void any_request_for_memory_may_fail(void **state)
{
    (void)state;
    fails_cleanly_at_every_request("a template", render_most, free_made, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_end_is_ended),        cmocka_unit_test(what_is_too_deep_is_refused),
        cmocka_unit_test(a_template_may_be_cut_anywhere),  cmocka_unit_test(messages_that_are_none_are_refused),
        cmocka_unit_test(any_request_for_memory_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
