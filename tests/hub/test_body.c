/* test_body.c: receiving a file: counting, hashing, resuming, keeping. */
#include "core/unit.h"

#include "hub/body.h"
#include "hub/store.h"

static void answer(hub_request *request, long code, const char *headers, bool range, uint64_t from)
{
    *request = (hub_request)HUB_REQUEST_INIT;
    request->code = code;
    request->range = range;
    request->from = from;
    assert_int_equal(core_text_add_string(&request->headers, headers), OCLM_OK);
}

static void bytes_are_believed_when_size_and_hash_are_right(void **state)
{
    static const struct {
        const char *etag, *text;
        bool        right;
    } cases[] = { { HELLO_SHA256, "hello", true }, { HELLO_SHA256, "hellO", false }, { HELLO_SHA256, "hell", false }, { HELLO_GIT, "hello", true },
                  { HELLO_GIT, "jello", false },   { "promises-nothing", "hello", true } };
    (void)state;
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        hub_body body;
        assert_int_equal(hub_body_open(&body, &cache, cases[i].etag, 5), OCLM_OK);
        assert_int_equal(hub_body_data(cases[i].text, 2, &body), OCLM_OK);
        assert_int_equal(hub_body_data(cases[i].text + 2, strlen(cases[i].text) - 2, &body), OCLM_OK);
        if (hub_body_is_right(&body) != cases[i].right)
            fail_msg("row %zu", i);
        assert_false(hub_body_abandon(&body, &cache, true)); /* too short to keep */
    }
    hub_cache_deinit(&cache);
}

static void more_than_the_file_has_is_refused(void **state)
{
    hub_body body;
    (void)state;
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    assert_int_equal(hub_body_open(&body, &cache, HELLO_SHA256, 5), OCLM_OK);
    assert_int_not_equal(hub_body_data("hello!", 6, &body), OCLM_OK);
    assert_int_equal(body.fault, HUB_BODY_TOO_LONG);
    assert_int_equal(body.have, 0);
    (void)hub_body_abandon(&body, &cache, false);
    hub_cache_deinit(&cache);
}

static void an_answer_to_a_range_must_be_that_range(void **state)
{
    static const struct {
        const char    *label;
        long           code;
        const char    *headers;
        hub_body_fault fault;
        uint64_t       have;
    } cases[] = {
        { "the part", 206, "Content-Range: bytes 2-4/5\n", HUB_BODY_FINE, 2 },
        { "another beginning", 206, "Content-Range: bytes 1-4/5\n", HUB_BODY_WRONG_PART, 2 },
        { "another end", 206, "Content-Range: bytes 2-3/5\n", HUB_BODY_WRONG_PART, 2 },
        { "another file", 206, "Content-Range: bytes 2-4/6\n", HUB_BODY_WRONG_PART, 2 },
        { "no range told", 206, "", HUB_BODY_WRONG_PART, 2 },
        { "the whole file", 200, "", HUB_BODY_FINE, 0 },
        { "compressed", 200, "Content-Encoding: gzip\n", HUB_BODY_ENCODED, 2 },
        { "called identity", 200, "Content-Encoding: identity\n", HUB_BODY_FINE, 0 },
    };
    (void)state;
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        hub_body    body;
        hub_request request;
        answer(&request, cases[i].code, cases[i].headers, true, 2);
        assert_int_equal(hub_body_open(&body, &cache, HELLO_SHA256, 5), OCLM_OK);
        assert_int_equal(hub_body_data("he", 2, &body), OCLM_OK);
        const oclm_status status = hub_body_begin(&request, &body);
        if ((status == OCLM_OK) != (cases[i].fault == HUB_BODY_FINE) || body.fault != cases[i].fault || body.have != cases[i].have)
            fail_msg("%s: status %d, fault %d, %llu bytes", cases[i].label, (int)status, (int)body.fault, (unsigned long long)body.have);
        (void)hub_body_abandon(&body, &cache, false);
        hub_request_deinit(&request);
    }
    hub_cache_deinit(&cache);
}

static void a_beginning_that_was_left_is_hashed_and_gone_on_from(void **state)
{
    hub_body body;
    (void)state;
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    scratch_write(folder, REPO "blobs/" HELLO_SHA256 ".incomplete", "hel", 3);
    assert_int_equal(hub_body_open(&body, &cache, HELLO_SHA256, 5), OCLM_OK);
    assert_int_equal(body.have, 3);
    assert_int_equal(hub_body_data("lo", 2, &body), OCLM_OK);
    assert_true(hub_body_is_right(&body));
    assert_int_equal(hub_body_publish(&body, &cache, COMMIT, "x"), OCLM_OK);
    expect_text(REPO "snapshots/" COMMIT "/x", "hello");
    assert_int_equal(kind_of(REPO "blobs/" HELLO_SHA256 ".incomplete"), CORE_NOTHING);

    scratch_write(folder, REPO "blobs/" HELLO_GIT ".incomplete", "xxx", 3); /* garbage: seen at the end, then from nothing */
    assert_int_equal(hub_body_open(&body, &cache, HELLO_GIT, 5), OCLM_OK);
    assert_int_equal(hub_body_data("lo", 2, &body), OCLM_OK);
    assert_false(hub_body_is_right(&body));
    assert_int_equal(hub_body_restart(&body), OCLM_OK);
    assert_int_equal(hub_body_data("hello", 5, &body), OCLM_OK);
    assert_true(hub_body_is_right(&body));
    (void)hub_body_abandon(&body, &cache, false);
    hub_cache_deinit(&cache);
}

static void a_long_beginning_is_kept_for_the_next_run(void **state)
{
    enum { LONG = 8 << 20 };
    char *const zeros = calloc(1, LONG);
    hub_body    body;
    (void)state;
    assert_non_null(zeros);
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    assert_int_equal(hub_body_open(&body, &cache, HELLO_SHA256, 2 * LONG), OCLM_OK);
    assert_int_equal(hub_body_data(zeros, LONG, &body), OCLM_OK);
    assert_true(hub_body_abandon(&body, &cache, true));
    assert_int_equal(core_path_info(path_of(REPO "blobs/" HELLO_SHA256 ".incomplete"), false).size, LONG);
    assert_false(hub_body_abandon(&body, &cache, true)); /* not open any more */
    assert_int_equal(hub_body_open(&body, &cache, HELLO_GIT, 2 * LONG), OCLM_OK); /* what has no SHA-256 is not kept */
    assert_int_equal(hub_body_data(zeros, LONG, &body), OCLM_OK);
    assert_false(hub_body_abandon(&body, &cache, true));
    assert_int_equal(kind_of(REPO "blobs/" HELLO_GIT ".incomplete"), CORE_NOTHING);
    free(zeros);
    hub_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(bytes_are_believed_when_size_and_hash_are_right),
        IN_SCRATCH(more_than_the_file_has_is_refused),
        IN_SCRATCH(an_answer_to_a_range_must_be_that_range),
        IN_SCRATCH(a_beginning_that_was_left_is_hashed_and_gone_on_from),
        IN_SCRATCH(a_long_beginning_is_kept_for_the_next_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
