/* test_names.c: what a typed name may have meant. */
#include "cli/capture.h"

static const char *const names[] = { "max-new-tokens", "max-length", "temperature", "top-k", "top-p", "seed", "json" };

static const struct { const char *typed, *want; } slips[] = {
    { "max-new-tokens", "max-new-tokens" }, { "max-new-token", "max-new-tokens" }, { "maxnewtokens", "max-new-tokens" },
    { "max_new_tokens", "max-new-tokens" }, { "max-lenght", "max-length" },         { "tempertaure", "temperature" },
    { "temp", "temperature" },              { "top_k", "top-k" },                   { "topp", "top-p" },
    { "sed", "seed" },                      { "jsno", "json" },                     { "x", NULL },
    { "", NULL },                           { "repetition-penalty", NULL },         { "quantize", NULL },
    { "a-word-that-is-longer-than-any-name-of-ours-can-be", NULL },
};

static void the_nearest_name_is_found_where_one_is_near(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(slips); i++) {
        const char *got = cli_nearest(slips[i].typed, names, COUNT(names));
        if (got != slips[i].want && (!got || !slips[i].want || strcmp(got, slips[i].want) != 0))
            fail_msg("\"%s\": %s, want %s", slips[i].typed, got ? got : "none", slips[i].want ? slips[i].want : "none");
    }
    assert_null(cli_nearest("seed", names, 0));
}

static const struct { const char *name, *typed; size_t length; bool want; } pairs[] = {
    { "top-k", "top-k", 5, true },   { "top-k", "top_k", 5, true },    { "top-k", "top-k=3", 5, true }, { "top-k", "top-", 4, false },
    { "top-k", "top-kk", 6, false }, { "top-k", "topsk", 5, false },   { "top_k", "top-k", 5, false },  { "top-k", "", 0, false },
};

static void an_underscore_does_for_a_dash(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (cli_same_name(pairs[i].name, pairs[i].typed, pairs[i].length) != pairs[i].want)
            fail_msg("\"%s\" and \"%s\"", pairs[i].name, pairs[i].typed);
}

static void names_of_other_programs_lead_to_ours(void **state)
{
    (void)state;
    assert_string_equal(cli_name_elsewhere("n-predict"), "--max-new-tokens");
    assert_string_equal(cli_name_elsewhere("torch_dtype"), "--dtype");
    assert_null(cli_name_elsewhere("dtype"));
    assert_null(cli_name_elsewhere(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_name_is_found_where_one_is_near),
        cmocka_unit_test(an_underscore_does_for_a_dash),
        cmocka_unit_test(names_of_other_programs_lead_to_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
