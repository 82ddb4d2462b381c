/* test_session.c: forward passes through the public door: whole, in pieces, in batches, and refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/sessions.h"

#define LENGTH 600u /* more than one pass */

static int32_t ids[2 * LENGTH];

static int begin(void **state)
{
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (int32_t)(i * 7 % VOCAB);
    return open_model(state);
}

static float *room(size_t rows)
{
    float *logits = malloc(rows * VOCAB * sizeof *logits);
    assert_non_null(logits);
    for (size_t i = 0; i < rows * VOCAB; i++)
        logits[i] = NAN;
    return logits;
}

static void assert_rows_equal(const float *got, const float *want, size_t rows, const char *label)
{
    for (size_t i = 0; i < rows * VOCAB; i++)
        if (!(got[i] == want[i]))
            fail_msg("%s: row %zu, id %zu: %.9g, want %.9g", label, i / VOCAB, i % VOCAB, (double)got[i], (double)want[i]);
}

static void pieces_give_what_the_whole_gives(void **state)
{
    static const size_t cuts[] = { 1, 2, 40, 41, 300, LENGTH };
    oclm_session *session = open_session(0, 1);
    float        *whole = room(LENGTH), *pieces = room(LENGTH), last[VOCAB];
    (void)state;
    assert_ok(oclm_forward(session, ids, 1, LENGTH, whole, LENGTH * VOCAB));
    assert_int_equal(oclm_session_length(session), LENGTH);
    assert_ok(oclm_session_rewind(session, 0));
    for (size_t i = 0, done = 0; i < COUNT(cuts); done = cuts[i++])
        assert_ok(oclm_forward(session, ids + done, 1, cuts[i] - done, pieces + done * VOCAB, (cuts[i] - done) * VOCAB));
    assert_rows_equal(pieces, whole, LENGTH, "in pieces");
    assert_ok(oclm_session_rewind(session, 0));
    assert_ok(oclm_forward_last(session, ids, 1, LENGTH, last, VOCAB));
    assert_rows_equal(last, whole + (LENGTH - 1) * VOCAB, 1, "the last alone");
    assert_ok(oclm_session_rewind(session, 100)); /* back, and on with what came then */
    assert_int_equal(oclm_session_length(session), 100);
    assert_ok(oclm_forward(session, ids + 100, 1, 50, pieces, 50 * VOCAB));
    assert_rows_equal(pieces, whole + 100 * VOCAB, 50, "after a rewind");
    oclm_session_free(session);
    free(whole);
    free(pieces);
}

static void a_batch_gives_each_row_what_it_gets_alone(void **state)
{
    oclm_session *both = open_session(LENGTH, 2), *one = open_session(LENGTH, 1);
    float        *together = room(2 * LENGTH), *alone = room(LENGTH), last[2 * VOCAB];
    (void)state;
    assert_ok(oclm_forward(both, ids, 2, LENGTH, together, 2 * LENGTH * VOCAB));
    for (size_t b = 0; b < 2; b++) {
        assert_ok(oclm_session_rewind(one, 0));
        assert_ok(oclm_forward(one, ids + b * LENGTH, 1, LENGTH, alone, LENGTH * VOCAB));
        assert_rows_equal(together + b * LENGTH * VOCAB, alone, LENGTH, b ? "the second" : "the first");
    }
    assert_ok(oclm_session_rewind(both, 0));
    assert_ok(oclm_forward_last(both, ids, 2, LENGTH, last, 2 * VOCAB));
    for (size_t b = 0; b < 2; b++)
        assert_rows_equal(last + b * VOCAB, together + ((b + 1) * LENGTH - 1) * VOCAB, 1, "the last of a batch");
    oclm_session_free(both);
    oclm_session_free(one);
    free(together);
    free(alone);
}

static const struct { const char *label; int32_t bad_id; size_t batch, length, capacity; oclm_status want; const char *says; } wrong[] = {
    { "an id past the vocabulary", 70, 1, 4, 4 * VOCAB, OCLM_ERR_ARGUMENT, "id 70 (number 3 of 4)" },
    { "a negative id", -1, 1, 4, 4 * VOCAB, OCLM_ERR_ARGUMENT, "0 to 69" },
    { "another batch", 1, 2, 4, 8 * VOCAB, OCLM_ERR_ARGUMENT, "opened for 1" },
    { "no ids", 1, 1, 0, 0, OCLM_ERR_ARGUMENT, "length is 0" },
    { "too little room", 1, 1, 4, 4 * VOCAB - 1, OCLM_ERR_CAPACITY, "280 floats, capacity is 279" },
    { "too many positions", 1, 1, 11, 11 * VOCAB, OCLM_ERR_CAPACITY, "holds 16" },
};

static void a_refused_pass_leaves_the_session_as_it_was(void **state)
{
    oclm_session *session = open_session(16, 1);
    float         logits[16 * VOCAB], before[VOCAB], after[VOCAB];
    (void)state;
    assert_ok(oclm_forward(session, ids, 1, 6, NULL, 0));
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int32_t     given[16] = { 1, 2, wrong[i].bad_id, 4 };
        oclm_status got = oclm_forward(session, given, wrong[i].batch, wrong[i].length, logits, wrong[i].capacity);
        if (got != wrong[i].want || !strstr(oclm_last_error(), wrong[i].says))
            fail_msg("%s: %s, \"%s\" (want \"%s\" in it)", wrong[i].label, oclm_status_name(got), oclm_last_error(), wrong[i].says);
        assert_int_equal(oclm_session_length(session), 6);
    }
    assert_status(oclm_forward(session, NULL, 1, 4, logits, COUNT(logits)), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_last(session, ids, 1, 4, NULL, 0), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_last(session, ids, 1, 4, logits, VOCAB - 1), OCLM_ERR_CAPACITY);
    assert_status(oclm_session_rewind(session, 7), OCLM_ERR_ARGUMENT);
    assert_ok(oclm_forward_last(session, ids + 6, 1, 1, after, VOCAB));
    assert_ok(oclm_session_rewind(session, 0));
    assert_ok(oclm_forward_last(session, ids, 1, 7, before, VOCAB));
    assert_rows_equal(after, before, 1, "after refusals");
    oclm_session_free(session);
}

static void sessions_are_refused_with_the_limit(void **state)
{
    oclm_session_options o;
    oclm_session        *session;
    (void)state;
    oclm_session_options_init(&o, sizeof o);
    o.batch = 0;
    assert_status(oclm_session_new(model, &o, &session), OCLM_ERR_ARGUMENT);
    o.batch = 5000;
    assert_status(oclm_session_new(model, &o, &session), OCLM_ERR_ARGUMENT);
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = 1u << 24; /* 16 million positions of a small model: several gigabytes */
    o.batch = 4000;
    assert_status(oclm_session_new(model, &o, &session), OCLM_ERR_DEVICE_MEMORY);
    assert_null(session);
}

/* The n-th allocation of a pass over several chunks fails: the session is cut back. */
static void a_failing_allocation_leaves_the_session_as_it_was(void **state)
{
    oclm_session *session = open_session(LENGTH, 1);
    float        *want = room(1), *got = room(1);
    oclm_status   status = OCLM_ERR_MEMORY;
    size_t        n = 1;
    (void)state;
    assert_ok(oclm_forward(session, ids, 1, 5, NULL, 0));
    for (; status != OCLM_OK && n < 20000; n += n < 20 ? 1 : 23) {
        core_memory_fail_at(n, true);
        status = oclm_forward_last(session, ids + 5, 1, LENGTH - 5, got, VOCAB);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK)
            break;
        if (status != OCLM_ERR_MEMORY || oclm_session_length(session) != 5)
            fail_msg("request %zu failed: %s, length %zu: %s", n, oclm_status_name(status), oclm_session_length(session), oclm_last_error());
    }
    assert_ok(status);
    assert_true(n > 1); /* something did fail */
    assert_ok(oclm_session_rewind(session, 0));
    assert_ok(oclm_forward_last(session, ids, 1, LENGTH, want, VOCAB));
    assert_rows_equal(got, want, 1, "after failures");
    oclm_session_free(session);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_allocation_leaves_the_session_as_it_was), /* first: nothing is recorded yet */
        cmocka_unit_test(pieces_give_what_the_whole_gives),
        cmocka_unit_test(a_batch_gives_each_row_what_it_gets_alone),
        cmocka_unit_test(a_refused_pass_leaves_the_session_as_it_was),
        cmocka_unit_test(sessions_are_refused_with_the_limit),
    };
    return cmocka_run_group_tests(tests, begin, close_model);
}
