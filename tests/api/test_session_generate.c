/* test_session_generate.c: a session that goes on: each answer is the one that a fresh start gives, and only what is
 * new is read. */
#include <stdlib.h>
#include <string.h>

#include "api/sessions.h"

#define NEW 12u

static oclm_generate_options some(uint32_t count)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = count;
    o.use_eos_token = OCLM_SWITCH_OFF;
    return o;
}

static void fill(int32_t *ids, size_t count, int32_t by)
{
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)(((int32_t)i * by + 3) % (int32_t)VOCAB);
}

/* Generates in the session, expects what oclm_generate() gives, and that `read` ids of the prompt were read. Adds the
 * new ids to the prompt, and returns its new length. */
static size_t go_on(oclm_session *session, int32_t *prompt, size_t count, size_t read, const char *label)
{
    oclm_generate_options o = some(NEW);
    oclm_generation *got, *want;
    oclm_timing timing = { .struct_size = sizeof timing };
    size_t got_count, want_count;
    assert_ok(oclm_session_generate(session, prompt, count, &o, &got));
    assert_ok(oclm_generate(model, prompt, count, &o, &want));
    const int32_t *a = oclm_generation_ids(got, 0, &got_count), *b = oclm_generation_ids(want, 0, &want_count);
    if (got_count != want_count || memcmp(a, b, got_count * sizeof *a) != 0)
        fail_msg("%s: %zu ids that are not those of a fresh start (%zu)", label, got_count, want_count);
    oclm_generation_get_timing(got, &timing);
    if (timing.prefill_tokens != read)
        fail_msg("%s: %llu ids of the prompt were read, want %zu", label, (unsigned long long)timing.prefill_tokens,
                 read);
    if (oclm_session_length(session) != count + got_count - 1)
        fail_msg("%s: the session holds %zu positions, want %zu", label, oclm_session_length(session),
                 count + got_count - 1);
    memcpy(prompt + count, a, got_count * sizeof *a);
    oclm_generation_free(got);
    oclm_generation_free(want);
    return count + got_count;
}

static void a_conversation_is_read_once(void **state)
{
    oclm_session *session = open_session(700, 1);
    int32_t ids[800];
    size_t count = 20;
    (void)state;
    fill(ids, count, 7);
    count = go_on(session, ids, count, 20, "the first turn");
    for (int turn = 0; turn < 3; turn++) {
        fill(ids + count, 9, 5 + turn);
        count = go_on(session, ids, count + 9, 10,
                      "a turn: nine new ids, and the last of the answer, which nobody read yet");
    }
    fill(ids + count, 580 - count, 11); /* more than one pass */
    count = go_on(session, ids, 580, 580 - count + 1, "a long turn");
    ids[30] = (ids[30] + 1) % (int32_t)VOCAB;
    count = go_on(session, ids, 60, 30, "another way from position 30 on");
    count = go_on(session, ids, 40, 1, "the same, cut: the last id is read again, for its logits");
    ids[0] = (ids[0] + 1) % (int32_t)VOCAB;
    (void)go_on(session, ids, 25, 25, "something else");
    oclm_session_free(session);
}

static void forward_passes_count_too(void **state)
{
    oclm_session *session = open_session(100, 1);
    int32_t ids[100];
    (void)state;
    fill(ids, 40, 7);
    assert_ok(oclm_forward(session, ids, 1, 30, NULL, 0));
    (void)go_on(session, ids, 40, 10, "after a forward pass");
    assert_ok(oclm_session_rewind(session, 12));
    (void)go_on(session, ids, 40, 28, "after a rewind");
    oclm_session_free(session);
}

static bool stop_at_once(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    (void)sequence;
    (void)ids;
    (void)count;
    (void)user;
    return false;
}

static void what_is_stopped_can_go_on(void **state)
{
    oclm_session *session = open_session(200, 1);
    oclm_generate_options o = some(100);
    oclm_generation *generation;
    volatile int cancel = 1;
    int32_t ids[200];
    size_t count;
    (void)state;
    fill(ids, 40, 7);
    o.cancel = &cancel; /* before anything is read */
    assert_ok(oclm_session_generate(session, ids, 40, &o, &generation));
    assert_int_equal(oclm_generation_finish_reason(generation, 0), OCLM_FINISH_CANCELLED);
    assert_int_equal(oclm_session_length(session), 0);
    oclm_generation_free(generation);
    o.cancel = NULL;
    o.on_tokens = stop_at_once;
    assert_ok(oclm_session_generate(session, ids, 40, &o, &generation));
    (void)oclm_generation_ids(generation, 0, &count);
    assert_int_equal(oclm_session_length(session), 40 + count - 1);
    oclm_generation_free(generation);
    (void)go_on(session, ids, 40, 1, "after a stop");
    oclm_session_free(session);
}

static void what_does_not_fit_is_refused(void **state)
{
    oclm_session *session = open_session(50, 1), *two = open_session(50, 2);
    oclm_generate_options o = some(100);
    oclm_generation *generation;
    int32_t ids[100];
    size_t count;
    (void)state;
    fill(ids, 100, 7);
    assert_ok(oclm_session_generate(session, ids, 30, &o, &generation)); /* ends where the session does */
    (void)oclm_generation_ids(generation, 0, &count);
    assert_int_equal(count, 20);
    oclm_generation_free(generation);
    assert_status(oclm_session_generate(session, ids, 50, &o, &generation), OCLM_ERR_CAPACITY);
    assert_null(generation);
    assert_int_equal(oclm_session_length(session), 30); /* what both begin with */
    (void)go_on(session, ids, 31, 1, "after a refusal");
    ids[5] = (int32_t)VOCAB;
    assert_status(oclm_session_generate(session, ids, 30, &o, &generation), OCLM_ERR_ARGUMENT);
    assert_int_equal(oclm_session_length(session), 5);
    assert_status(oclm_session_generate(session, ids, 0, &o, &generation), OCLM_ERR_ARGUMENT);
    assert_status(oclm_session_generate(two, ids, 5, &o, &generation), OCLM_ERR_ARGUMENT);
    assert_status(oclm_session_generate(NULL, ids, 5, &o, &generation), OCLM_ERR_ARGUMENT);
    assert_status(oclm_session_generate(session, ids, 5, &o, NULL), OCLM_ERR_ARGUMENT);
    oclm_session_free(session);
    oclm_session_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_is_read_once),
        cmocka_unit_test(forward_passes_count_too),
        cmocka_unit_test(what_is_stopped_can_go_on),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
