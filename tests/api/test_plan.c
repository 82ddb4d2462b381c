/* test_plan.c: plans as programs see them: before loading, of a loaded model, and of one that does not fit. */
#include <string.h>

#include "device/devices.h"

#include <cjson/cJSON.h>
#include <oclm/opencl.h>

#include "core/memory.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"

static oclm_model_options with_map(const char *map)
{
    oclm_model_options o;
    oclm_model_options_init(&o, sizeof o);
    o.device_map = map;
    return o;
}

static oclm_plan_row row_at(const oclm_plan *plan, size_t i)
{
    oclm_plan_row row = { .struct_size = sizeof row };
    assert_ok(oclm_plan_get_row(plan, i, &row));
    return row;
}

/* Everything that holds of any plan that fits. */
static void check_plan(const oclm_plan *plan)
{
    uint64_t weights = 0, rows = 0, cache = 0, row_cache = 0;
    assert_null(oclm_plan_problem(plan));
    assert_int_equal(oclm_plan_choice_count(plan), 0);
    assert_true(oclm_plan_row_count(plan) >= 1 && oclm_plan_share_count(plan) >= 3);
    for (size_t i = 0; i < oclm_plan_row_count(plan); i++) {
        const oclm_plan_row row = row_at(plan, i);
        assert_true(row.modules && row.device_name && row.why && row.weight_bytes > 0);
        rows += row.weight_bytes;
        row_cache += row.kv_bytes;
    }
    for (size_t i = 0; i < oclm_plan_share_count(plan); i++) {
        oclm_plan_share share = { .struct_size = sizeof share };
        assert_ok(oclm_plan_get_share(plan, i, &share));
        const size_t devices = oclm_plan_share_count(plan) - 2;
        assert_int_equal(share.place, i < devices ? OCLM_PLACE_DEVICE : i == devices ? OCLM_PLACE_CPU : OCLM_PLACE_DISK);
        assert_true((share.place == OCLM_PLACE_DEVICE) == (share.device_name != NULL));
        if (share.place == OCLM_PLACE_DEVICE)
            assert_true(share.used_bytes <= share.budget_bytes && share.left_bytes == share.budget_bytes - share.used_bytes);
        weights += share.weight_bytes;
        cache += share.kv_bytes;
    }
    assert_true(rows > 0 && rows <= weights); /* on the host and on the disk in whole pages */
    assert_int_equal(row_cache, cache);
    assert_true(cache > 0);
}

static void a_plan_is_made_without_loading(void **state)
{
    static const char *const maps[] = { NULL, "auto", "sequential", "0", "cpu", "disk", "{\"\": 0}", "{\"transformer\": 0, \"lm_head\": 0}",
                                        "{\"\": 0, \"transformer.h.1\": \"cpu\", \"transformer.h.2\": \"disk\"}" };
    (void)state;
    for (size_t i = 0; i < COUNT(maps); i++) {
        oclm_model_options o = with_map(maps[i]);
        const size_t       live = core_memory_live();
        oclm_plan         *plan;
        if (oclm_plan_new(STORIES, &o, &plan) != OCLM_OK)
            fail_msg("%s: %s", maps[i], oclm_last_error());
        check_plan(plan);
        assert_int_equal(oclm_plan_context_length(plan), 256); /* what the model was made for */
        cJSON *map = cJSON_Parse(oclm_plan_device_map(plan));
        assert_true(cJSON_IsObject(map) && map->child);
        cJSON_Delete(map);
        oclm_plan_free(plan);
        assert_int_equal(core_memory_live(), live);
    }
}

static void expect_map(const oclm_model *model, const char *want)
{
    char *map;
    assert_ok(oclm_model_device_map(model, &map));
    assert_string_equal(map, want);
    oclm_free(map);
}

static void a_loaded_model_tells_its_map(void **state)
{
    oclm_model_options o = with_map("{\"\": 0, \"transformer.h.1\": \"cpu\"}");
    oclm_model        *model;
    oclm_plan         *plan;
    (void)state;
    assert_ok(oclm_model_load(STORIES, NULL, &model));
    assert_null(oclm_model_plan(model));
    expect_map(model, "{\"\": 0}");
    oclm_model_free(model);
    assert_ok(oclm_plan_new(STORIES, &o, &plan));
    assert_ok(oclm_model_load(STORIES, &o, &model));
    check_plan(oclm_model_plan(model));
    expect_map(model, oclm_plan_device_map(plan));
    cJSON *map = cJSON_Parse(oclm_plan_device_map(plan));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, "transformer.h.1")), "cpu");
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(map, "transformer.h.2")->valueint, 0);
    cJSON_Delete(map);
    oclm_plan_free(plan);
    oclm_model_free(model);
    o = with_map("auto");
    o.context_length = 40;
    assert_ok(oclm_model_load(STORIES, &o, &model));
    assert_int_equal(oclm_plan_context_length(oclm_model_plan(model)), 40);
    expect_map(model, "{\"\": 0}");
    oclm_model_free(model);
}

static void what_does_not_fit_is_a_plan_too(void **state)
{
    oclm_model_options o = with_map("0");
    oclm_model        *model;
    oclm_plan         *plan;
    char               problem[2048];
    (void)state;
    o.max_device_bytes = 2u << 20;
    assert_ok(oclm_plan_new(STORIES, &o, &plan));
    assert_non_null(oclm_plan_problem(plan));
    assert_true(oclm_plan_row_count(plan) > 0 && oclm_plan_choice_count(plan) > 0);
    for (size_t i = 0; i < oclm_plan_choice_count(plan); i++) {
        oclm_plan_choice choice = { .struct_size = sizeof choice };
        assert_ok(oclm_plan_get_choice(plan, i, &choice));
        assert_true(choice.words && *choice.words && choice.bytes > 0);
    }
    snprintf(problem, sizeof problem, "%s", oclm_plan_problem(plan));
    oclm_plan_free(plan);
    assert_int_equal(oclm_model_load(STORIES, &o, &model), OCLM_ERR_DEVICE_MEMORY);
    assert_null(model);
    assert_string_equal(oclm_last_error(), problem);
}

static void expect_error(oclm_status got, oclm_status want, const char *says)
{
    if (got != want || !strstr(oclm_last_error(), says))
        fail_msg("%s \"%s\", want %s \"%s\"", oclm_status_name(got), oclm_last_error(), oclm_status_name(want), says);
}

static void wrong_arguments_are_named(void **state)
{
    oclm_plan       *plan;
    oclm_plan_row    row = { .struct_size = sizeof row };
    oclm_plan_share  share = { .struct_size = sizeof share };
    oclm_plan_choice choice = { .struct_size = sizeof choice };
    char            *map;
    (void)state;
    expect_error(oclm_plan_new(STORIES, NULL, NULL), OCLM_ERR_ARGUMENT, "plan must not be NULL");
    expect_error(oclm_plan_new(NULL, NULL, &plan), OCLM_ERR_ARGUMENT, "name must not be NULL");
    assert_null(plan);
    expect_error(oclm_plan_new("/nonexistent", NULL, &plan), OCLM_ERR_NOT_FOUND, "/nonexistent");
    expect_error(oclm_model_device_map(NULL, &map), OCLM_ERR_ARGUMENT, "model must not be NULL");
    assert_null(map);
    assert_ok(oclm_plan_new(STORIES, NULL, &plan));
    expect_error(oclm_plan_get_row(NULL, 0, &row), OCLM_ERR_ARGUMENT, "plan must not be NULL");
    expect_error(oclm_plan_get_row(plan, oclm_plan_row_count(plan), &row), OCLM_ERR_ARGUMENT, "rows");
    expect_error(oclm_plan_get_share(plan, 99, &share), OCLM_ERR_ARGUMENT, "index 99");
    expect_error(oclm_plan_get_choice(plan, 0, &choice), OCLM_ERR_ARGUMENT, "has 0 choices");
    row.struct_size = 0;
    expect_error(oclm_plan_get_row(plan, 0, &row), OCLM_ERR_ARGUMENT, "struct_size is 0");
    expect_error(oclm_plan_get_share(plan, 0, NULL), OCLM_ERR_ARGUMENT, "oclm_plan_share");
    oclm_plan_free(plan);
    oclm_plan_free(NULL);
    assert_int_equal(oclm_plan_row_count(NULL), 0);
    assert_null(oclm_plan_device_map(NULL));
    assert_null(oclm_model_plan(NULL));
}

static void on_the_caller_s_queue_there_is_one_device(void **state)
{
    static const struct { const char *map, *memory, *says; } cases[] = {
        { "auto", NULL, "device_map is \"auto\", but the model has the one device of the queue" },
        { "{\"\": \"cpu\"}", NULL, "oclm_model_load()" },
        { NULL, "{\"0\": \"1GiB\"}", "max_memory is \"{\"0\": \"1GiB\"}\"" },
    };
    const dev_open_options none = { 0 };
    dev_device            *device;
    (void)state;
    assert_ok(dev_open(&none, &device));
    for (size_t i = 0; i < COUNT(cases); i++) {
        oclm_model_options o = with_map(cases[i].map);
        oclm_model        *model;
        o.max_memory = cases[i].memory;
        expect_error(oclm_model_load_on(STORIES, dev_context(device), dev_queue(device), &o, &model), OCLM_ERR_ARGUMENT, cases[i].says);
        assert_null(model);
    }
    dev_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_made_without_loading),
        cmocka_unit_test(a_loaded_model_tells_its_map),
        cmocka_unit_test(what_does_not_fit_is_a_plan_too),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(on_the_caller_s_queue_there_is_one_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
