/* test_common.c: version, names of statuses, messages per thread, and structs that carry their size. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "device/devices.h"

#include "api/api.h"

static void the_version_is_that_of_the_header(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", OCLM_VERSION_MAJOR, OCLM_VERSION_MINOR, OCLM_VERSION_PATCH);
    assert_string_equal(oclm_version(), text);
}

static void statuses_have_names(void **state)
{
    (void)state;
    assert_string_equal(oclm_status_name(OCLM_OK), "OCLM_OK");
    assert_string_equal(oclm_status_name(OCLM_ERR_FORMAT), "OCLM_ERR_FORMAT");
    assert_string_equal(oclm_status_name(OCLM_ERR_CANCELLED), "OCLM_ERR_CANCELLED");
    assert_string_equal(oclm_status_name((oclm_status)999), "OCLM_ERR_UNKNOWN");
}

static void *fail_elsewhere(void *user)
{
    oclm_tokenizer *tokenizer;
    assert_int_equal(oclm_tokenizer_load("/nowhere/else", NULL, &tokenizer), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "/nowhere/else"));
    return user;
}

static void messages_belong_to_their_thread(void **state)
{
    oclm_tokenizer *tokenizer;
    pthread_t       thread;
    (void)state;
    assert_int_equal(oclm_tokenizer_load("/nowhere/here", NULL, &tokenizer), OCLM_ERR_NOT_FOUND);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(strstr(oclm_last_error(), "/nowhere/here"));
}

/* ---- Options: as an older, a newer and a careless caller passes them */

typedef struct sized { /* this version's struct */
    size_t   struct_size;
    uint32_t old_member, another;
    uint64_t new_member;
} sized;

static const struct { const char *label; size_t size; oclm_status want; uint64_t new_member; } sizes[] = {
    { "this version's",         sizeof(sized),                    OCLM_OK,           2 },
    { "an older one's",         offsetof(sized, new_member),      OCLM_OK,           7 },
    { "one that ends early",    offsetof(sized, another),         OCLM_OK,           7 },
    { "a newer one's",          sizeof(sized) + 8,                OCLM_ERR_ARGUMENT, 7 },
    { "one never initialised",  0,                                OCLM_ERR_ARGUMENT, 7 },
    { "one with a random size", (size_t)0x7ffedeadbeef,           OCLM_ERR_ARGUMENT, 7 },
};

static void options_of_every_age_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const sized theirs = { .struct_size = sizes[i].size, .old_member = 1, .another = 1, .new_member = 2 };
        sized       mine = { .struct_size = sizeof mine, .old_member = 5, .another = 6, .new_member = 7 };
        const oclm_status got = api_options_read(&theirs, &mine, sizeof mine, "oclm_things");
        if (got != sizes[i].want || mine.new_member != sizes[i].new_member || mine.struct_size != sizeof mine)
            fail_msg("%s: %s, new_member %d, struct_size %zu", sizes[i].label, oclm_status_name(got), (int)mine.new_member,
                     mine.struct_size);
        if (got == OCLM_OK)
            assert_int_equal(mine.old_member, 1);
        else
            assert_non_null(strstr(oclm_last_error(), "oclm_things: struct_size is"));
    }
}

static void no_options_are_all_defaults(void **state)
{
    sized mine = { .struct_size = sizeof mine, .old_member = 5, .another = 6, .new_member = 7 };
    (void)state;
    assert_ok(api_options_read(NULL, &mine, sizeof mine, "oclm_things"));
    assert_int_equal(mine.old_member, 5);
}

static void results_fill_what_the_caller_has_room_for(void **state)
{
    const sized mine = { .struct_size = sizeof mine, .old_member = 5, .another = 6, .new_member = 7 };
    sized       theirs = { .struct_size = offsetof(sized, new_member), .new_member = 99 };
    (void)state;
    assert_ok(api_result_check(&theirs, sizeof mine, "oclm_things"));
    api_result_write(&mine, sizeof mine, &theirs);
    assert_int_equal(theirs.another, 6);
    assert_int_equal(theirs.new_member, 99);
    assert_int_equal(theirs.struct_size, offsetof(sized, new_member));
    theirs.struct_size = sizeof mine + 8;
    assert_status(api_result_check(&theirs, sizeof mine, "oclm_things"), OCLM_ERR_ARGUMENT);
    assert_status(api_result_check(NULL, sizeof mine, "oclm_things"), OCLM_ERR_ARGUMENT);
}

static void initialisers_give_the_documented_defaults(void **state)
{
    oclm_generate_options generate;
    oclm_model_options    model;
    oclm_session_options  session;
    oclm_bench_options    bench;
    struct { oclm_bench_options now; uint64_t future; } newer;
    (void)state;
    oclm_generate_options_init(&generate, sizeof generate);
    assert_int_equal(generate.struct_size, sizeof generate);
    assert_int_equal(generate.max_new_tokens, OCLM_UNSET);
    assert_int_equal(generate.max_length, OCLM_UNSET);
    assert_int_equal(generate.min_new_tokens, OCLM_UNSET);
    assert_int_equal(generate.top_k, OCLM_UNSET);
    assert_int_equal(generate.num_beams, OCLM_UNSET);
    assert_true(isnan(generate.temperature) && isnan(generate.top_p));
    assert_int_equal(generate.do_sample, OCLM_SWITCH_UNSET);
    assert_int_equal(generate.use_eos_token, OCLM_SWITCH_UNSET);
    assert_true(generate.skip_special_tokens);
    assert_true(!generate.on_tokens && !generate.on_text && !generate.cancel && !generate.progress && generate.seed == 0);
    oclm_model_options_init(&model, sizeof model);
    assert_true(model.dtype == OCLM_DTYPE_AUTO && model.matmul == OCLM_MATMUL_AUTO && !model.device && model.max_device_bytes == 0);
    oclm_session_options_init(&session, sizeof session);
    assert_true(session.max_positions == 0 && session.batch == 1);
    oclm_bench_options_init(&bench, sizeof bench);
    assert_true(bench.prompt == 512 && bench.decode == 64 && bench.depth == 0 && bench.repetitions == 3);
    memset(&newer, 0xAA, sizeof newer); /* a newer program's struct is cleared to its end, and refused when used */
    oclm_bench_options_init(&newer.now, sizeof newer);
    assert_int_equal(newer.now.struct_size, sizeof newer);
    assert_true(newer.future == 0);
}

static void every_free_accepts_null(void **state)
{
    (void)state;
    oclm_free(NULL);
    oclm_device_list_free(NULL);
    oclm_model_free(NULL);
    oclm_tokenizer_free(NULL);
    oclm_token_stream_free(NULL);
    oclm_generation_free(NULL);
    oclm_session_free(NULL);
}

static void missing_arguments_are_named(void **state)
{
    oclm_device_list *list = NULL;
    oclm_model_info   info = { .struct_size = sizeof info };
    oclm_generation  *generation = (oclm_generation *)&info;
    oclm_session     *session = (oclm_session *)&info;
    const int32_t     id = 1;
    (void)state;
    assert_status(oclm_device_list_new(NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_device_list_get(list, 0, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_model_load(NULL, NULL, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_model_get_info(NULL, &info), OCLM_ERR_ARGUMENT);
    assert_status(oclm_model_inspect(NULL, NULL, &info), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate(NULL, &id, 1, NULL, &generation), OCLM_ERR_ARGUMENT);
    assert_null(generation); /* NULL on failure, whatever it was */
    assert_non_null(strstr(oclm_last_error(), "oclm_generate: model"));
    assert_status(oclm_generate(NULL, &id, 1, NULL, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate_text(NULL, NULL, "", NULL, &generation), OCLM_ERR_ARGUMENT);
    assert_status(oclm_session_new(NULL, NULL, &session), OCLM_ERR_ARGUMENT);
    assert_null(session);
    assert_status(oclm_session_rewind(NULL, 0), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward(NULL, &id, 1, 1, NULL, 0), OCLM_ERR_ARGUMENT);
    assert_status(oclm_bench_run(NULL, NULL, NULL), OCLM_ERR_ARGUMENT);
    assert_int_equal(oclm_device_list_count(NULL), 0);
    assert_int_equal(oclm_generation_count(NULL), 0);
    assert_null(oclm_generation_ids(NULL, 0, NULL));
    assert_null(oclm_generation_text(NULL, 0));
    assert_int_equal(oclm_session_length(NULL), 0);
}

static void devices_are_listed(void **state)
{
    oclm_device_list *list;
    oclm_device_info  info = { .struct_size = sizeof info };
    (void)state;
    assert_ok(oclm_device_list_new(&list));
    assert_true(oclm_device_list_count(list) > 0);
    for (size_t i = 0; i < oclm_device_list_count(list); i++) {
        assert_ok(oclm_device_list_get(list, i, &info));
        assert_int_equal(info.index, i);
        assert_true(info.name && info.name[0] && info.platform_name && info.version);
        assert_true(info.compute_units > 0 && info.global_mem_bytes > 0 && info.max_alloc_bytes > 0);
    }
    assert_status(oclm_device_list_get(list, oclm_device_list_count(list), &info), OCLM_ERR_ARGUMENT);
    info.struct_size = sizeof info + 8;
    assert_status(oclm_device_list_get(list, 0, &info), OCLM_ERR_ARGUMENT);
    oclm_device_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_that_of_the_header),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(messages_belong_to_their_thread),
        cmocka_unit_test(options_of_every_age_are_read_or_refused),
        cmocka_unit_test(no_options_are_all_defaults),
        cmocka_unit_test(results_fill_what_the_caller_has_room_for),
        cmocka_unit_test(initialisers_give_the_documented_defaults),
        cmocka_unit_test(every_free_accepts_null),
        cmocka_unit_test(missing_arguments_are_named),
        cmocka_unit_test(devices_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
