/* test_stop_strings.c: sequences stop where transformers' StopStringCriteria stops them.
 *
 * data/stop_strings.jsonl.xz is made by make_stop_strings_golden.py. The tokenizers of some lines are only where OCLM_SHARED_DATA names them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "generation/stop_strings.h"
#include "tokenizer/golden.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"
#define MAX_STRINGS 8

static size_t hits_seen, refusals_seen, left_out;

static oclm_status open_json(const char *path, tok_tokenizer **tokenizer)
{
    size_t      length;
    char       *text;
    oclm_status status = core_read_file(path, (size_t)1 << 30, &text, &length);
    if (status != OCLM_OK)
        return status;
    status = tok_open_json(text, length, path, tokenizer);
    core_free(text);
    return status;
}

/* NULL: its files are not here. */
static tok_tokenizer *open_tokenizer(const cJSON *line)
{
    char           path[4200];
    tok_tokenizer *tokenizer = NULL;
    const cJSON   *text = core_json_member(line, "tokenizer");
    const char    *label = core_json_member(line, "label")->valuestring;
    oclm_status    status;
    if (text != NULL) {
        status = tok_open_json(text->valuestring, strlen(text->valuestring), label, &tokenizer);
    } else if (strcmp(label, "stories") == 0) {
        status = tok_open(STORIES, &tokenizer);
    } else if (strcmp(label, "gpt2") == 0) {
        assert_true(unpack_tar(TEST_DATA, label));
        (void)snprintf(path, sizeof path, "%s/%s", unpack_folder, label);
        status = tok_open(path, &tokenizer);
    } else {
        if (OCLM_SHARED_DATA[0] == '\0') {
            left_out++;
            return NULL;
        }
        assert_true(unpack_tar(SHARED_DATA, label));
        (void)snprintf(path, sizeof path, "%s/%s/tokenizer.json", unpack_folder, label);
        status = open_json(path, &tokenizer);
    }
    if (status != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    return tokenizer;
}

/* At each length the answer is the reference's, wherever the ids are cut into what stands before and what is new. */
static void check_row(const gen_stop_strings *stop, const cJSON *row, const char *label, const char *string)
{
    tok_ids      ids = golden_ids(core_json_member(row, "ids")), hits = golden_ids(core_json_member(row, "hits"));
    size_t       at = 0;
    for (size_t n = 1; n <= ids.count; n++) {
        const bool   want = at < hits.count && (size_t)hits.data[at] == n;
        const size_t cuts[] = { 0, n / 2, n - 1 };
        for (size_t c = 0; c < COUNT(cuts); c++) {
            if (gen_stop_strings_hit(stop, ids.data, cuts[c], ids.data + cuts[c], n - cuts[c]) != want)
                fail_msg("%s, \"%s\": %s after %zu ids, the last %d (%zu before)", label, string, want ? "goes on" : "stops", n, (int)ids.data[n - 1],
                         cuts[c]);
        }
        at += want;
    }
    hits_seen += hits.count;
    tok_ids_free(&ids);
    tok_ids_free(&hits);
}

static void check_set(const tok_tokenizer *tokenizer, const cJSON *set, const char *label)
{
    const char       *strings[MAX_STRINGS];
    const cJSON      *list = core_json_member(set, "stop"), *item;
    uint32_t          count = 0;
    gen_stop_strings *stop;
    const bool        refused = core_json_has(set, "refused");
    assert_true(cJSON_GetArraySize(list) <= MAX_STRINGS);
    cJSON_ArrayForEach(item, list) strings[count++] = item->valuestring;
    const oclm_status status = gen_stop_strings_new(tokenizer, strings, count, &stop);
    if (status != (refused ? OCLM_ERR_ARGUMENT : OCLM_OK))
        fail_msg("%s, \"%s\": status %d, want %s", label, strings[0], (int)status, refused ? "a refusal" : "none");
    if (refused) {
        assert_non_null(strstr(oclm_last_error(), "no token of this model can end"));
        refusals_seen++;
        return;
    }
    cJSON_ArrayForEach(item, core_json_member(set, "rows")) check_row(stop, item, label, strings[0]);
    gen_stop_strings_free(stop);
}

static void check_line(const cJSON *line)
{
    tok_tokenizer *tokenizer = open_tokenizer(line);
    const cJSON   *set;
    if (tokenizer == NULL)
        return;
    cJSON_ArrayForEach(set, core_json_member(line, "sets")) check_set(tokenizer, set, core_json_member(line, "label")->valuestring);
    tok_close(tokenizer);
}

static void sequences_stop_where_transformers_stops_them(void **state)
{
    (void)state;
    const size_t count = each_line(OCLM_SOURCE_DIR "/tests/generation/data/stop_strings.jsonl.xz", check_line);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= 30);
    assert_true(hits_seen >= 500);
    assert_true(refusals_seen >= 5);
    if (left_out > 0)
        print_message("left out: %zu real tokenizers; -DOCLM_SHARED_DATA=FOLDER tells where they are\n", left_out);
}

static void an_empty_string_is_refused(void **state)
{
    static const char *const strings[] = { "a", "" };
    tok_tokenizer           *tokenizer;
    gen_stop_strings        *stop;
    (void)state;
    assert_int_equal(tok_open(STORIES, &tokenizer), OCLM_OK);
    assert_int_equal(gen_stop_strings_new(tokenizer, strings, 2, &stop), OCLM_ERR_ARGUMENT);
    assert_null(stop);
    assert_non_null(strstr(oclm_last_error(), "string 2"));
    tok_close(tokenizer);
}

static void no_ids_and_unknown_ids_hit_nothing(void **state)
{
    static const char *const string = "a";
    const int32_t            odd[] = { 1 << 30, -1 };
    tok_tokenizer           *tokenizer;
    gen_stop_strings        *stop;
    (void)state;
    assert_int_equal(tok_open(STORIES, &tokenizer), OCLM_OK);
    assert_int_equal(gen_stop_strings_new(tokenizer, &string, 1, &stop), OCLM_OK);
    assert_false(gen_stop_strings_hit(stop, NULL, 0, NULL, 0));
    assert_false(gen_stop_strings_hit(stop, NULL, 0, odd, 1));
    assert_false(gen_stop_strings_hit(stop, odd, 1, odd + 1, 1));
    gen_stop_strings_free(stop);
    tok_close(tokenizer);
}

static void failing_allocations_leave_nothing_behind(void **state)
{
    static const char *const strings[] = { "The end", "\n" };
    tok_tokenizer           *tokenizer;
    gen_stop_strings        *stop;
    (void)state;
    assert_int_equal(tok_open(STORIES, &tokenizer), OCLM_OK);
    const size_t live = core_memory_live();
    for (size_t n = 1;; n++) {
        core_memory_fail_at(n, true);
        const oclm_status status = gen_stop_strings_new(tokenizer, strings, 2, &stop);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK) {
            assert_true(n > 3);
            break;
        }
        assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
    }
    gen_stop_strings_free(stop);
    assert_int_equal(core_memory_live(), live);
    tok_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_stop_where_transformers_stops_them),
        cmocka_unit_test(an_empty_string_is_refused),
        cmocka_unit_test(no_ids_and_unknown_ids_hit_nothing),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
