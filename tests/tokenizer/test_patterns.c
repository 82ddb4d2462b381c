/* test_patterns.c: patterns that cannot be used are errors that show them; those that take too long end; matches of nothing; and
 * broken files and failing memory leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/tokenizer.h"

#define MODEL "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"x\": 2}, \"merges\": []}"

/* A tokenizer with one pre-tokenizer; NULL after a message. */
static tok_tokenizer *open_with(const char *pre_tokenizer, oclm_status *status)
{
    core_text      json = CORE_TEXT_INIT;
    tok_tokenizer *tokenizer = NULL;
    assert_int_equal(core_text_printf(&json, "{\"pre_tokenizer\": %s, " MODEL "}", pre_tokenizer), OCLM_OK);
    *status = tok_open_json(json.data, json.length, "test", &tokenizer);
    core_text_free(&json);
    return tokenizer;
}

static void add_split(core_text *json, const char *pattern)
{
    assert_int_equal(core_text_add_string(json, "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"invert\": false, \"pattern\": {\"Regex\": "), OCLM_OK);
    assert_int_equal(core_json_add_string(json, pattern, strlen(pattern)), OCLM_OK);
    assert_int_equal(core_text_add_string(json, "}}"), OCLM_OK);
}

static tok_tokenizer *open_split(const char *pattern, oclm_status *status)
{
    core_text json = CORE_TEXT_INIT;
    add_split(&json, pattern);
    tok_tokenizer *tokenizer = open_with(json.data, status);
    core_text_free(&json);
    return tokenizer;
}

/* ---- Errors */

static const struct { const char *pattern; oclm_status status; const char *shows; } bad_patterns[] = {
    { "(a", OCLM_ERR_FORMAT, "not closed" },
    { "a)", OCLM_ERR_FORMAT, "closes nothing" },
    { "[a", OCLM_ERR_FORMAT, "not closed" },
    { "[]", OCLM_ERR_FORMAT, "is empty" },
    { "[^]", OCLM_ERR_FORMAT, "is empty" },
    { "*a", OCLM_ERR_FORMAT, "nothing to repeat" },
    { "a|+", OCLM_ERR_FORMAT, "nothing to repeat" },
    { "a\\", OCLM_ERR_FORMAT, "backslash" },
    { "[b-a]", OCLM_ERR_FORMAT, "empty" },
    { "[a-\\d]", OCLM_ERR_FORMAT, "range" },
    { "[\\d-a]", OCLM_ERR_FORMAT, "'-'" },
    { "\\p{L", OCLM_ERR_FORMAT, "without }" },
    { "\\p{Nonsense}", OCLM_ERR_UNSUPPORTED, "property" },
    { "[[:nonsense:]]", OCLM_ERR_UNSUPPORTED, "property" },
    { "\\p{Emoji}", OCLM_ERR_UNSUPPORTED, "property" },
    { "\\x{110000}", OCLM_ERR_FORMAT, "no code point" },
    { "\\uD800", OCLM_ERR_FORMAT, "no code point" },
    { "\\u00", OCLM_ERR_FORMAT, "four" },
    { "\\xC3", OCLM_ERR_FORMAT, "UTF-8" },
    { "(?x)a b", OCLM_ERR_UNSUPPORTED, "free spacing" },
    { "(?~a)", OCLM_ERR_UNSUPPORTED, "group" },
    { "(?u)a", OCLM_ERR_UNSUPPORTED, "group" },
    { "\\X", OCLM_ERR_UNSUPPORTED, "\\X" },
    { "\\Ga", OCLM_ERR_UNSUPPORTED, "\\G" },
    { "(?<=a+)b", OCLM_ERR_UNSUPPORTED, "lookbehind" },
    { "a{70000}", OCLM_ERR_UNSUPPORTED, "65535" },
    { "(?<a>b", OCLM_ERR_FORMAT, "not closed" },
    { "(?<ab", OCLM_ERR_FORMAT, "not closed" },
    { "(?#ab", OCLM_ERR_FORMAT, "not closed" },
    { "\\k<ab", OCLM_ERR_FORMAT, "name" },
};

static void patterns_that_cannot_be_used_are_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_patterns); i++) {
        const char    *pattern = bad_patterns[i].pattern;
        oclm_status    status;
        tok_tokenizer *tokenizer = open_split(pattern, &status);
        if (status != bad_patterns[i].status || tokenizer != NULL)
            fail_msg("%s: status %d, want %d: %s", pattern, (int)status, (int)bad_patterns[i].status, oclm_last_error());
        if (strstr(oclm_last_error(), bad_patterns[i].shows) == NULL || strstr(oclm_last_error(), pattern) == NULL ||
            strstr(oclm_last_error(), "pre_tokenizer") == NULL)
            fail_msg("%s: the message lacks it, its place or \"%s\": %s", pattern, bad_patterns[i].shows, oclm_last_error());
    }
}

static const struct { const char *config, *shows; } bad_configs[] = {
    { "{\"type\": \"Nonsense\"}", "Nonsense" },
    { "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Isolated\"}", "invert" },
    { "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"invert\": false}", "behavior" },
    { "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Sideways\", \"invert\": false}", "Sideways" },
    { "{\"type\": \"Split\", \"pattern\": \"a\", \"behavior\": \"Isolated\", \"invert\": false}", "pattern" },
    { "{\"type\": \"Punctuation\", \"behavior\": \"Sideways\"}", "Sideways" },
    { "{\"type\": \"CharDelimiterSplit\"}", "delimiter" },
    { "{\"type\": \"CharDelimiterSplit\", \"delimiter\": \"ab\"}", "one character" },
    { "{\"type\": \"CharDelimiterSplit\", \"delimiter\": \"\"}", "one character" },
    { "{\"type\": \"Metaspace\"}", "replacement" },
    { "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"often\"}", "often" },
    { "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"add_prefix_space\": false}", "never" },
    { "{\"type\": \"FixedLength\", \"length\": 0}", "length" },
};

static void configurations_that_make_no_sense_are_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_configs); i++) {
        oclm_status    status;
        tok_tokenizer *tokenizer = open_with(bad_configs[i].config, &status);
        if (status == OCLM_OK || tokenizer != NULL || strstr(oclm_last_error(), bad_configs[i].shows) == NULL)
            fail_msg("%s: status %d; the message should show \"%s\": %s", bad_configs[i].config, (int)status, bad_configs[i].shows,
                     oclm_last_error());
    }
}

/* ---- Limits */

static void a_pattern_that_takes_too_long_ends_with_a_message(void **state)
{
    (void)state;
    static const char *const patterns[] = { "(x+x+)+y", "(?:(x|xx)+)+y", "(?:x*)*y" };
    char text[64];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(patterns); i++) {
        tok_ids        ids = TOK_IDS_INIT;
        oclm_status    status;
        tok_tokenizer *tokenizer = open_split(patterns[i], &status);
        assert_int_equal(status, OCLM_OK);
        status = tok_encode(tokenizer, text, sizeof text, false, &ids);
        if (status == OCLM_OK) /* PCRE2 may see that there is no y */
            assert_int_equal(ids.count, sizeof text);
        else if (status != OCLM_ERR_CAPACITY || strstr(oclm_last_error(), patterns[i]) == NULL)
            fail_msg("%s: status %d: %s", patterns[i], (int)status, oclm_last_error());
        tok_ids_free(&ids);
        tok_close(tokenizer);
    }
    tok_ids        ids = TOK_IDS_INIT;
    oclm_status    status;
    tok_tokenizer *tokenizer = open_split("(?:x|xx)+(?<!x)", &status);
    assert_int_equal(status, OCLM_OK);
    assert_int_equal(tok_encode(tokenizer, text, sizeof text, false, &ids), OCLM_ERR_CAPACITY);
    assert_non_null(strstr(oclm_last_error(), "steps"));
    tok_ids_free(&ids);
    tok_close(tokenizer);
}

/* Were a scanner to take quadratic time, this would take hours. */
static void known_patterns_take_linear_time(void **state)
{
    (void)state;
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    static const char *const patterns[] = {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" TAIL,
        CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" TAIL,
        "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" CONTRACTIONS
        "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" TAIL,
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" TAIL,
    };
    static const char *const units[] = { "A", " ", "\n ", "'", "\u65e5A", "A\u0301", "1", "!", "/\n", "\u01c5", "\u0378" };
    const size_t length = (size_t)100 << 10;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        oclm_status    status;
        tok_tokenizer *tokenizer = open_split(patterns[i], &status);
        assert_int_equal(status, OCLM_OK);
        for (size_t unit = 0; unit < COUNT(units); unit++) {
            core_text text = CORE_TEXT_INIT;
            tok_ids   ids = TOK_IDS_INIT;
            while (text.length < length)
                assert_int_equal(core_text_add_string(&text, units[unit]), OCLM_OK);
            assert_int_equal(tok_encode(tokenizer, text.data, text.length, false, &ids), OCLM_OK);
            core_text_free(&text);
            tok_ids_free(&ids);
        }
        tok_close(tokenizer);
    }
}

/* ---- Matches of nothing */

static const struct { const char *pattern, *text, *want; } replacements[] = {
    { "{\"String\": \"\"}", "abc", "-a-b-c-" },      { "{\"Regex\": \"\"}", "abc", "-a-b-c-" },
    { "{\"Regex\": \"x*\"}", "abc", "-a-b-c-" },     { "{\"Regex\": \"x*\"}", "xxa\u00e9xb", "-a-\u00e9-b-" },
    { "{\"Regex\": \"(?=b)\"}", "abc", "a-bc" },     { "{\"String\": \"\"}", "", "" },
    { "{\"Regex\": \"$\"}", "a\nb\n", "a-\nb-\n-" }, { "{\"Regex\": \"^\"}", "a\nb\n", "-a\n-b\n" },
};

static void matches_of_nothing_are_replaced_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replacements); i++) {
        tok_chain chain = { NULL, 0, false };
        cJSON    *tree;
        core_text json = CORE_TEXT_INIT, got = CORE_TEXT_INIT;
        assert_int_equal(core_text_printf(&json, "{\"type\": \"Replace\", \"content\": \"-\", \"pattern\": %s}", replacements[i].pattern),
                         OCLM_OK);
        assert_int_equal(core_json_parse(json.data, json.length, "test", &tree), OCLM_OK);
        assert_int_equal(tok_chain_read(&chain, &tok_normalizers, tree, "test"), OCLM_OK);
        assert_int_equal(tok_normalize(&chain, replacements[i].text, strlen(replacements[i].text), &got), OCLM_OK);
        if (strcmp(got.data != NULL ? got.data : "", replacements[i].want) != 0)
            fail_msg("%s in \"%s\": \"%s\", want \"%s\"", replacements[i].pattern, replacements[i].text, got.data, replacements[i].want);
        core_text_free(&json);
        core_text_free(&got);
        cJSON_Delete(tree);
        tok_chain_deinit(&chain);
    }
}

/* ---- Broken files, failing memory */

#define EVERYTHING                                                                                                                         \
    "{\"added_tokens\": [{\"id\": 3, \"content\": \"<s>\", \"single_word\": true, \"lstrip\": true, \"rstrip\": true, \"normalized\": "    \
    "false, \"special\": true}, {\"id\": 4, \"content\": \"B\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "            \
    "\"normalized\": true, \"special\": false}], \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}, "        \
    "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": true, \"lowercase\": true}, " \
    "{\"type\": \"Prepend\", \"prepend\": \"a\"}, {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"[aeiou&&[^u]]+|(?i)\\\\p{Lu}{2}+\"}, " \
    "\"content\": \"b\"}, {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"BAAAAAAAAABhAA==\"}, {\"type\": \"Strip\", "             \
    "\"strip_left\": true, \"strip_right\": true}]}, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": "          \
    "\"Split\", \"pattern\": {\"Regex\": \"\\\\w+?|[[:punct:]]\"}, \"behavior\": \"MergedWithNext\", \"invert\": true}, {\"type\": "       \
    "\"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"first\"}, {\"type\": \"UnicodeScripts\"}, {\"type\": \"ByteLevel\", "     \
    "\"add_prefix_space\": true, \"use_regex\": true}]}, \"post_processor\": {\"type\": \"ByteLevel\", \"trim_offsets\": true}, " MODEL "}"

static const char hard_text[] = "<s> Hello  \u00c5\u0301 \u65e5\u672c\u8a9e BB ab-x!\u0130 <s>\n\ufb01n";

static oclm_status open_and_encode(const char *json, size_t length)
{
    tok_tokenizer *tokenizer = NULL;
    tok_encoded    encoded = TOK_ENCODED_INIT;
    oclm_status    status = tok_open_json(json, length, "test", &tokenizer);
    if (status == OCLM_OK)
        status = tok_encode_spans(tokenizer, hard_text, sizeof hard_text - 1, false, true, &encoded);
    for (size_t i = 0; i < encoded.span_count; i++) {
        assert_true(encoded.spans[i].begin <= encoded.spans[i].end);
        assert_true(encoded.spans[i].end <= sizeof hard_text - 1);
    }
    tok_encoded_free(&encoded);
    tok_close(tokenizer);
    return status;
}

static void broken_files_are_refused_or_work(void **state)
{
    (void)state;
    const size_t length = strlen(EVERYTHING);
    char        *copy = core_copy_string(EVERYTHING, "test");
    uint64_t     random = 20;
    assert_int_equal(open_and_encode(EVERYTHING, length), OCLM_OK);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_not_equal(open_and_encode(EVERYTHING, cut), OCLM_OK);
    for (size_t round = 0; round < 600; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const size_t at = (size_t)(random >> 33) % length;
        copy[at] ^= (char)(1 << (random >> 29 & 7));
        (void)open_and_encode(copy, length);
        copy[at] = EVERYTHING[at];
    }
    core_free(copy);
}

static void failing_memory_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    const size_t before = core_memory_live();
    oclm_status  status = OCLM_ERR_MEMORY;
    for (size_t n = 1; status == OCLM_ERR_MEMORY && n < 100000; n++) {
        core_memory_fail_at(n, false);
        status = open_and_encode(EVERYTHING, strlen(EVERYTHING));
        core_memory_fail_at(0, false);
        if (status != OCLM_OK && status != OCLM_ERR_MEMORY)
            fail_msg("request %zu failed: status %d: %s", n, (int)status, oclm_last_error());
        assert_int_equal(core_memory_live(), before);
    }
    assert_int_equal(status, OCLM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_that_cannot_be_used_are_shown),
        cmocka_unit_test(configurations_that_make_no_sense_are_errors),
        cmocka_unit_test(a_pattern_that_takes_too_long_ends_with_a_message),
        cmocka_unit_test(known_patterns_take_linear_time),
        cmocka_unit_test(matches_of_nothing_are_replaced_too),
        cmocka_unit_test(broken_files_are_refused_or_work),
        cmocka_unit_test(failing_memory_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
