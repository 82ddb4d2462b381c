/* test_session_recurrent.c: sessions of a model whose layers cannot all go back: what was rewound, or generated too far, is read again
 * where it must be, and nobody sees it but by the time it takes. */
#include "model/seeded.h"

#define VOCAB 61u
#define LENGTH 30u

static oclm_model *model;
static folder      made;
static int32_t     ids[2 * LENGTH];
static float       whole[LENGTH * VOCAB], again[2 * LENGTH * VOCAB];

static int open_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (int32_t)(i * 7 % VOCAB);
    seeded_family(&made, "qwen3_5");
    return oclm_model_load(made.path, NULL, &model) == OCLM_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    oclm_model_free(model);
    folder_free(&made);
    return 0;
}

static oclm_session *open_session(uint32_t batch)
{
    oclm_session_options o;
    oclm_session        *session;
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = 100;
    o.batch = batch;
    assert_ok(oclm_session_new(model, &o, &session));
    return session;
}

static void a_session_goes_back_to_where_it_was(void **state)
{
    oclm_session *session = open_session(1);
    (void)state;
    assert_ok(oclm_forward(session, ids, 1, LENGTH, whole, COUNT(whole)));
    assert_ok(oclm_session_rewind(session, 12));
    assert_int_equal(oclm_session_length(session), 12);
    assert_ok(oclm_forward(session, ids + 12, 1, 9, again, COUNT(again)));
    assert_memory_equal(again, whole + 12 * VOCAB, 9 * VOCAB * sizeof *again);
    assert_int_equal(oclm_session_length(session), 21);
    assert_ok(oclm_forward(session, ids + 21, 1, 9, again, COUNT(again))); /* and on, without a second reading */
    assert_memory_equal(again, whole + 21 * VOCAB, 9 * VOCAB * sizeof *again);
    assert_ok(oclm_session_rewind(session, 0));
    assert_ok(oclm_forward(session, ids, 1, LENGTH, again, COUNT(again)));
    assert_memory_equal(again, whole, sizeof whole);
    oclm_session_free(session);
}

static void a_session_of_several_sequences_goes_back_to_its_start_alone(void **state)
{
    oclm_session *session = open_session(2);
    (void)state;
    assert_ok(oclm_forward(session, ids, 2, LENGTH, again, COUNT(again)));
    assert_status(oclm_session_rewind(session, 12), OCLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(oclm_last_error(), "rewind to 0"));
    assert_int_equal(oclm_session_length(session), LENGTH);
    assert_ok(oclm_session_rewind(session, LENGTH));
    assert_ok(oclm_session_rewind(session, 0));
    assert_ok(oclm_forward(session, ids, 2, LENGTH, again, COUNT(again)));
    assert_memory_equal(again, whole, sizeof whole);
    oclm_session_free(session);
}

/* Each turn gives what a fresh start gives, whatever was thrown away in between. */
static void turns_give_the_ids_of_a_fresh_start(void **state)
{
    static const uint32_t keep[] = { 0, 100, 20, 33, 100 }; /* of what the session holds, before each turn */
    oclm_session *session = open_session(1);
    int32_t       prompt[100];
    size_t        count = 10;
    oclm_generate_options o;
    (void)state;
    oclm_generate_options_init(&o, sizeof o);
    o.use_eos_token = OCLM_SWITCH_OFF;
    memcpy(prompt, ids, sizeof ids);
    for (size_t turn = 0; turn < COUNT(keep); turn++) {
        oclm_generation *got, *want;
        size_t           got_count, want_count;
        if (oclm_session_length(session) > keep[turn]) {
            assert_ok(oclm_session_rewind(session, keep[turn]));
            count = keep[turn] + 5;
            prompt[count - 1] = (int32_t)turn; /* the conversation takes another way */
        }
        o.max_new_tokens = 7 + (uint32_t)turn;
        assert_ok(oclm_session_generate(session, prompt, count, &o, &got));
        assert_ok(oclm_generate(model, prompt, count, &o, &want));
        const int32_t *a = oclm_generation_ids(got, 0, &got_count), *b = oclm_generation_ids(want, 0, &want_count);
        if (got_count != want_count || memcmp(a, b, got_count * sizeof *a) != 0)
            fail_msg("turn %zu: other ids than from a fresh start", turn);
        assert_int_equal(oclm_session_length(session), count + got_count - 1);
        memcpy(prompt + count, a, got_count * sizeof *a);
        count += got_count;
        oclm_generation_free(got);
        oclm_generation_free(want);
        if (turn % 2 == 0)
            continue;
        prompt[count++] = 9; /* what a user says */
        prompt[count++] = 4;
    }
    oclm_session_free(session);
}

/* Cancelled while it reads what it had read before: it holds less then, and knows that. */
static bool stop(const char *phase, uint64_t done, uint64_t total, void *user)
{
    (void)phase, (void)done, (void)total, (void)user;
    return false;
}

static void a_turn_that_is_cancelled_leaves_a_session_that_goes_on(void **state)
{
    oclm_session         *session = open_session(1);
    oclm_generate_options o;
    oclm_generation      *generation;
    (void)state;
    oclm_generate_options_init(&o, sizeof o);
    o.progress = stop;
    assert_ok(oclm_forward(session, ids, 1, LENGTH, whole, COUNT(whole)));
    assert_status(oclm_session_generate(session, ids, 20, &o, &generation), OCLM_ERR_CANCELLED);
    const size_t held = oclm_session_length(session);
    assert_in_range(held, 0, 20);
    assert_ok(oclm_forward(session, ids + held, 1, LENGTH - held, again, COUNT(again)));
    assert_memory_equal(again, whole + held * VOCAB, (LENGTH - held) * VOCAB * sizeof *again);
    oclm_session_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_goes_back_to_where_it_was),
        cmocka_unit_test(a_session_of_several_sequences_goes_back_to_its_start_alone),
        cmocka_unit_test(turns_give_the_ids_of_a_fresh_start),
        cmocka_unit_test(a_turn_that_is_cancelled_leaves_a_session_that_goes_on),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
