/* test_refused_memory.c: a driver that refuses a buffer which the budget allowed, each in turn, while a model is loaded and generates: what
 * cannot do without it fails cleanly, what can gives the same ids; nothing is left behind, and the next try works. */
#include "model/folders.h"

#include <string.h>

#include "core/memory.h"
#include "device/memory.h"

#define TINY OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa"

enum { NEW = 6, MOST_BUFFERS = 2000, MOVED = 12 /* buffers of weights, the first ones */ };

static oclm_status load_and_generate(const char *device_map, int32_t ids[NEW])
{
    static const int32_t  prompt[] = { 5, 9, 2, 7, 11 };
    oclm_generate_options options;
    oclm_model_options    load;
    oclm_model           *model = NULL;
    oclm_generation      *story = NULL;
    const int32_t        *got;
    size_t                count;
    oclm_status           status;
    oclm_model_options_init(&load, sizeof load);
    oclm_generate_options_init(&options, sizeof options);
    options.max_new_tokens = options.min_new_tokens = NEW;
    load.device_map = device_map;
    load.max_memory = device_map ? "{\"0\": \"1GiB\", \"1\": \"1GiB\"}" : NULL;
    if ((status = oclm_model_load(TINY, &load, &model)) != OCLM_OK ||
        (status = oclm_generate(model, prompt, COUNT(prompt), &options, &story)) != OCLM_OK)
        goto done;
    got = oclm_generation_ids(story, 0, &count);
    assert_int_equal(count, NEW);
    memcpy(ids, got, NEW * sizeof *ids);
done:
    oclm_generation_free(story);
    oclm_model_free(model);
    return status;
}

static void each_refused_buffer_ends_in_the_same_ids_or_in_a_clean_error(void **state)
{
    int32_t want[NEW], got[NEW];
    size_t  fell_back = 0, refused = 0;
    (void)state;
    assert_ok(load_and_generate(NULL, want)); /* also builds what is kept on disk */
    const size_t live = core_memory_live();
    for (size_t n = 1;; n++) {
        if (n > MOST_BUFFERS)
            fail_msg("more than %d buffers", MOST_BUFFERS);
        (void)dev_memory_fail_at(n, false);
        const oclm_status status = load_and_generate(NULL, got);
        const bool        met = dev_memory_fail_at(0, false) == 0;
        if (core_memory_live() != live)
            fail_msg("buffer %zu: %zu blocks of memory are left", n, core_memory_live() - live);
        if (status == OCLM_OK)
            assert_memory_equal(got, want, sizeof want);
        else if (status != OCLM_ERR_DEVICE_MEMORY)
            fail_msg("buffer %zu: %s: %s", n, oclm_status_name(status), oclm_last_error());
        else if (!strstr(oclm_last_error(), "device \""))
            fail_msg("buffer %zu: no device is named: %s", n, oclm_last_error());
        if (!met)
            break;
        status == OCLM_OK ? fell_back++ : refused++;
    }
    print_message("    %zu buffers: without %zu of them it fails\n", fell_back + refused, refused);
    assert_true(refused > 10);
    assert_ok(load_and_generate(NULL, got));
    assert_memory_equal(got, want, sizeof want);
}

static void a_driver_that_gives_nothing_at_all_is_told(void **state)
{
    int32_t got[NEW];
    (void)state;
    const size_t live = core_memory_live();
    (void)dev_memory_fail_at(1, true);
    const oclm_status status = load_and_generate(NULL, got);
    (void)dev_memory_fail_at(0, false);
    assert_int_equal(status, OCLM_ERR_DEVICE_MEMORY);
    assert_int_equal(core_memory_live(), live);
}

/* The model has two devices to choose from, and needs one. */
static void a_model_is_placed_anew_where_a_driver_gives_less_than_it_said(void **state)
{
    int32_t want[NEW], got[NEW];
    (void)state;
    if (!devices_has(2))
        skip();
    assert_ok(load_and_generate("auto", want));
    const size_t live = core_memory_live();
    for (size_t n = 1; n <= MOVED; n++) {
        (void)dev_memory_fail_at(n, false);
        const oclm_status status = load_and_generate("auto", got);
        assert_int_equal(dev_memory_fail_at(0, false), 0);
        assert_int_equal(core_memory_live(), live);
        if (status != OCLM_OK)
            fail_msg("buffer %zu: %s: %s", n, oclm_status_name(status), oclm_last_error());
        assert_memory_equal(got, want, sizeof want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refused_buffer_ends_in_the_same_ids_or_in_a_clean_error),
        cmocka_unit_test(a_driver_that_gives_nothing_at_all_is_told),
        cmocka_unit_test(a_model_is_placed_anew_where_a_driver_gives_less_than_it_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
