/* test_copy_rate.c: what is measured for planning: on any size, within the budget, remembered, and never believed where a file is odd. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/memory.h"
#include "device/profile.h"
#include "device/program_cache.h"

#define MIB ((size_t)1 << 20)

static void assert_rate(double rate, const char *which)
{
    if (!(rate > 0 && rate < 1e15))
        fail_msg("%s: %g bytes per second", which, rate);
}

static void check_sizes(dev_device *device, void *user)
{
    static const size_t sizes[] = { 64, 65, 1000 * 1000 };
    (void)user;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        double in = -1, out = -1;
        assert_ok(dev_measure_copy(device, sizes[i], &in, &out));
        assert_rate(in, "in");
        assert_rate(out, "out");
        assert_int_equal(dev_memory_used(device), 0);
    }
}

static void copies_are_measured_on_any_size(void **state)
{
    (void)state;
    devices_each(check_sizes, NULL);
}

static void check_budget(dev_device *device, void *user)
{
    double     in, out;
    dev_buffer model;
    (void)user;
    assert_ok(dev_buffer_new(device, 3 * MIB, "a model", &model));
    assert_ok(dev_measure_copy(device, (size_t)1 << 40, &in, &out)); /* far more than there is */
    assert_rate(in, "in");
    assert_int_equal(dev_memory_peak(device), 4 * MIB);
    dev_buffer_free(device, &model);
    assert_ok(dev_buffer_new(device, 4 * MIB - 63, "a larger model", &model));
    assert_status(dev_measure_copy(device, MIB, &in, &out), OCLM_ERR_DEVICE_MEMORY);
    assert_true(in == 0 && out == 0);
    assert_non_null(strstr(oclm_last_error(), dev_get_traits(device)->info.name));
    dev_buffer_free(device, &model);
}

static void beside_a_model_what_is_left_is_used_or_told(void **state)
{
    (void)state;
    devices_each_with(check_budget, NULL, 4 * MIB);
}

static const char fact_name[] = "rates: own in out, bytes per second"; /* as copy_rate.c remembers them */

static void check_memory_of_rates(dev_device *device, void *user)
{
    static const char *const odd[] = { "1e9 nan 3e9", "1e9 2e9", "1e9 2e9 3e9 4e9" };
    dev_rates                rates, again;
    (void)user;
    for (size_t i = 0; i < COUNT(odd); i++) {
        dev_fact_store(dev_get_traits(device), fact_name, odd[i]);
        assert_ok(dev_measure_rates(device, &rates));
        if (rates.own == 1e9 || rates.in == 2e9 || rates.out == 3e9)
            fail_msg("\"%s\" is believed", odd[i]);
        assert_rate(rates.own, odd[i]);
        assert_rate(rates.in, odd[i]);
        assert_rate(rates.out, odd[i]);
        if (devices_is_slow(device))
            break;
    }
    dev_fact_store(dev_get_traits(device), fact_name, "1.5e9 2e9 3e9");
    assert_ok(dev_measure_rates(device, &again));
    assert_true(again.own == 1.5e9 && again.in == 2e9 && again.out == 3e9);
    dev_fact_store(dev_get_traits(device), fact_name, "forgotten");
    assert_int_equal(dev_memory_used(device), 0);
}

static void rates_are_remembered_and_an_odd_memory_is_measured_again(void **state)
{
    (void)state;
    devices_each(check_memory_of_rates, NULL);
}

/* Too little to be typical: it serves, but is not remembered. */
static void check_little(dev_device *device, void *user)
{
    dev_rates rates;
    core_text fact = CORE_TEXT_INIT;
    (void)user;
    dev_fact_store(dev_get_traits(device), fact_name, "forgotten");
    assert_ok(dev_measure_rates(device, &rates));
    assert_rate(rates.own, "own");
    assert_true(dev_fact_load(dev_get_traits(device), fact_name, &fact));
    assert_string_equal(fact.data, "forgotten");
    core_text_free(&fact);
}

static void what_little_memory_says_is_not_remembered(void **state)
{
    (void)state;
    devices_each_with(check_little, NULL, 16 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_measured_on_any_size),
        cmocka_unit_test(beside_a_model_what_is_left_is_used_or_told),
        cmocka_unit_test(rates_are_remembered_and_an_odd_memory_is_measured_again),
        cmocka_unit_test(what_little_memory_says_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
