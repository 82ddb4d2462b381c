/* test_device_map.c: what device_map and max_memory mean on a machine with every kind of device, and what is refused. */
#include "core/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/device_map.h"

#define DEVICE(i, p, d, what, of, kind) { .info = { .index = i, .platform_index = p, .platform_device = d, .name = what, .platform_name = of, .type = kind } }

static dev_entry entries[] = {
    DEVICE(0, 0, 0, "Radeon RX 7900", "AMD Accelerated Parallel Processing", OCLM_DEVICE_DISCRETE_GPU),
    DEVICE(1, 1, 0, "Arc A770", "Intel(R) OpenCL Graphics", OCLM_DEVICE_DISCRETE_GPU),
    DEVICE(2, 1, 1, "UHD Graphics", "Intel(R) OpenCL Graphics", OCLM_DEVICE_INTEGRATED_GPU),
    DEVICE(3, 2, 0, "pthread-haswell", "Portable Computing Language", OCLM_DEVICE_CPU),
    DEVICE(4, 3, 0, "Xeon", "Intel(R) OpenCL", OCLM_DEVICE_CPU),
    DEVICE(5, 4, 0, "llvmpipe", "rusticl", OCLM_DEVICE_CPU),
    DEVICE(6, 4, 1, "RADV NAVI31", "rusticl", OCLM_DEVICE_DISCRETE_GPU),
};
static const dev_list machine = { entries, COUNT(entries) }, processors = { entries + 3, 2 };

static int name_oddities(void **state)
{
    (void)state;
    entries[5].info.software = true;
    entries[6].info.unusable = "is the same card as device 0";
    entries[6].duplicate = true;
    return unsetenv("OCLM_DEVICE");
}

/* "auto 0:90 1 | cpu 7 | model=0 lm_head=cpu": kind; devices opened and their budgets; limits other than budgets in brackets; entries. */
static void describe(const api_device_map *map, char *text)
{
    static const char *const kinds[] = { "balanced", "low_0", "sequential", "given" };
    text += sprintf(text, "%s", map->given ? kinds[map->plan.kind] : "one");
    for (uint32_t i = 0; i < map->count; i++) {
        text += sprintf(text, " %zu", map->indexes[i]);
        if (map->budgets[i] > 0)
            text += sprintf(text, ":%llu", (unsigned long long)map->budgets[i]);
        if (map->plan.device_limits && map->plan.device_limits[i] == MODEL_UNLISTED)
            text += sprintf(text, "(unlisted)");
        else if (map->plan.device_limits && map->plan.device_limits[i] != map->budgets[i])
            text += sprintf(text, "(%llu)", (unsigned long long)map->plan.device_limits[i]);
    }
    if (map->plan.host_given)
        text += sprintf(text, " | cpu %llu", (unsigned long long)map->plan.host_limit);
    for (size_t i = 0; i < map->plan.entry_count; i++) {
        const model_map_entry *e = &map->plan.entries[i];
        text += sprintf(text, "%s%s=", i ? " " : " | ", e->module);
        text += e->place.kind == MODEL_ON_DEVICE ? sprintf(text, "%zu", map->indexes[e->place.device]) : sprintf(text, e->place.kind == MODEL_ON_CPU ? "cpu" : "disk");
    }
}

static const struct { const char *map, *memory; uint64_t most; const char *want; } good[] = {
    { NULL, NULL, 0, "one" },
    { "null", NULL, 5, "one" },
    { "None", "null", 0, "one" },
    { "auto", NULL, 0, "balanced 0 1 2 3" },
    { "balanced", NULL, 9, "balanced 0:9 1:9 2:9 3:9" },
    { "balanced_low_0", NULL, 0, "low_0 0 1 2 3" },
    { "sequential", NULL, 0, "sequential 0 1 2 3" },
    { "auto", "{\"0\": 100, \"1\": 2000, \"cpu\": 7}", 0, "balanced 0:100 1:2000 | cpu 7" },
    { "sequential", "{\"1:1\": \"1KB\", \"Radeon\": \"2KiB\"}", 0, "sequential 0:2048 2:1000" },
    { "auto", "{\"3\": 5, \"4\": 6}", 0, "balanced 3:5 4:6" },
    { "auto", "{\"0\": 0, \"1\": 6, \"disk\": \"100GB\"}", 0, "balanced 1:6" },
    { "auto", "{\"cpu\": 6}", 0, "balanced 0(unlisted) | cpu 6" },
    { "0", NULL, 0, "given 0 | =0" },
    { "1:1", NULL, 0, "given 2 | =2" },
    { "arc", NULL, 0, "given 1 | =1" },
    { "portable", "{\"3\": 77}", 0, "given 3:77 | =3" },
    { "cpu", NULL, 0, "given 0 3 | =cpu" },
    { "cpu", "{\"0\": \"1KB\", \"cpu\": \"2KB\"}", 0, "given 0:1000 3(unlisted) | cpu 2000 | =cpu" },
    { "disk", NULL, 0, "given 0 | =disk" },
    { "{\"\": 1}", NULL, 0, "given 1 | =1" },
    { "{\"\": \"1\"}", NULL, 0, "given 1 | =1" },
    { "\n{\"model.embed_tokens\": 0, \"model.layers.0\": \"1\", \"model.layers\": \"0:0\", \"lm_head\": \"cpu\", \"model.norm\": \"disk\"}", NULL, 0,
      "given 0 1 3 | model.embed_tokens=0 model.layers.0=1 model.layers=0 lm_head=cpu model.norm=disk" },
    { "{\"model\": 2, \"lm_head\": 1}", NULL, 8, "given 1:8 2:8 | model=2 lm_head=1" },
    { "{\"model\": 2.0, \"lm_head\": \"Xeon\"}", "{\"2\": 5}", 0, "given 2:5 4(unlisted) | model=2 lm_head=4" },
    { "{\"model\": \"disk\", \"lm_head\": \"disk\"}", NULL, 0, "given 0 | model=disk lm_head=disk" },
    { "6", NULL, 0, "given 6 | =6" }, /* who names a card's second driver means it */
    { NULL, "{\"0\": \"1KB\"}", 0, "one 0:1000" },
};

static oclm_status read(const dev_list *list, const char *map, const char *memory, const char *device, uint64_t most, api_device_map *got)
{
    oclm_model_options o = { .struct_size = sizeof o, .device_map = map, .max_memory = memory, .device = device, .max_device_bytes = most, .context_length = 77 };
    return api_device_map_read(list, &o, got);
}

static void every_value_says_which_devices_are_opened(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        api_device_map got;
        char           text[1000];
        const size_t   live = core_memory_live();
        if (read(&machine, good[i].map, good[i].memory, NULL, good[i].most, &got) != OCLM_OK)
            fail_msg("%s, %s: %s", good[i].map, good[i].memory, oclm_last_error());
        describe(&got, text);
        if (strcmp(text, good[i].want) != 0 || got.plan.context_length != 77)
            fail_msg("%s, %s: %s, want %s", good[i].map, good[i].memory, text, good[i].want);
        api_device_map_free(&got);
        assert_int_equal(core_memory_live(), live);
    }
}

static void the_processor_s_memory_is_counted_once(void **state)
{
    api_device_map got;
    char           text[1000];
    (void)state;
    entries[3].info.index = 0;
    entries[4].info.index = 1;
    assert_int_equal(read(&processors, "auto", NULL, NULL, 0, &got), OCLM_OK);
    describe(&got, text);
    assert_string_equal(text, "balanced 0");
    api_device_map_free(&got);
    assert_int_equal(read(&processors, "auto", "{\"0\": 3, \"1\": 4}", NULL, 0, &got), OCLM_OK); /* who names them means it */
    describe(&got, text);
    assert_string_equal(text, "balanced 0:3 1:4");
    api_device_map_free(&got);
    entries[3].info.index = 3;
    entries[4].info.index = 4;
}

static void the_environment_names_the_device_that_computes_for_the_host(void **state)
{
    static const struct { const char *map, *want; } cases[] = { { "disk", "given 1 | =disk" }, { "auto", "balanced 0 1 2 3" }, { "{\"\": 0}", "given 0 | =0" } };
    (void)state;
    assert_int_equal(setenv("OCLM_DEVICE", "arc", 1), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        api_device_map got;
        char           text[1000];
        assert_int_equal(read(&machine, cases[i].map, NULL, NULL, 0, &got), OCLM_OK);
        describe(&got, text);
        assert_string_equal(text, cases[i].want);
        api_device_map_free(&got);
    }
    assert_int_equal(unsetenv("OCLM_DEVICE"), 0);
}

#define ARG OCLM_ERR_ARGUMENT
#define NONE OCLM_ERR_NO_DEVICE

static const struct { const char *label, *map, *memory, *device; uint64_t most; oclm_status status; const char *says; } bad[] = {
    { "nothing", "", NULL, NULL, 0, ARG, "device_map is empty; give one of \"auto\"" },
    { "a negative index", "-1", NULL, NULL, 0, ARG, "device_map: device -1: devices count from 0 on" },
    { "a slip of the finger", "blanced", NULL, NULL, 0, NONE, "\"blanced\", which is none of \"auto\"" },
    { "a device of CUDA", "cuda:0", NULL, NULL, 0, NONE, "there are: 0 (0:0) \"Radeon" },
    { "an index too many", "7", NULL, NULL, 0, NONE, "matches \"7\"" },
    { "a pair too many", "1:7", NULL, NULL, 0, NONE, "matches \"1:7\"" },
    { "a word in capitals", "AUTO", NULL, NULL, 0, NONE, "\"AUTO\"" },
    { "JSON cut short", "{\"model\": 0", NULL, NULL, 0, ARG, "device_map: byte 11: the text ends" },
    { "an open brace", "{", NULL, NULL, 0, ARG, "give JSON such as {\"model\": 0" },
    { "Python's quotes", "{'model': 0}", NULL, NULL, 0, ARG, "device_map: byte 1" },
    { "more behind", "{\"model\": 0} x", NULL, NULL, 0, ARG, "device_map: byte 13" },
    { "a list", "[0, 1]", NULL, NULL, 0, ARG, "no JSON object" },
    { "an empty map", "{}", NULL, NULL, 0, ARG, "an empty object" },
    { "a name twice", "{\"model\": 0, \"lm_head\": 1, \"model\": 1}", NULL, NULL, 0, ARG, "\"model\" stands there twice" },
    { "true", "{\"model\": true}", NULL, NULL, 0, ARG, "\"model\" is true; it must be the index" },
    { "null", "{\"model\": null}", NULL, NULL, 0, ARG, "\"model\" is" },
    { "half a device", "{\"model\": 1.5}", NULL, NULL, 0, ARG, "\"model\" is 1.5" },
    { "a negative number", "{\"model\": -2}", NULL, NULL, 0, ARG, "device_map: \"model\": device -2" },
    { "a negative text", "{\"model\": \"-2\"}", NULL, NULL, 0, ARG, "device_map: \"model\": device -2" },
    { "a list of devices", "{\"model\": [0, 1]}", NULL, NULL, 0, ARG, "\"model\" is an array" },
    { "nobody's device", "{\"model\": \"nobody\"}", NULL, NULL, 0, NONE, "device_map: \"model\": no usable OpenCL device matches \"nobody\"" },
    { "no device's index", "{\"model\": 12}", NULL, NULL, 0, NONE, "matches \"12\"" },
    { "an index beyond all", "{\"model\": 1e30}", NULL, NULL, 0, ARG, "\"model\" is 1" },
    { "an empty name", "{\"model\": \"\"}", NULL, NULL, 0, ARG, "a device's name is empty" },
    { "the host in capitals", "{\"model\": \"DISK\"}", NULL, NULL, 0, NONE, "\"DISK\"" },
    { "both", "auto", NULL, "0", 0, ARG, "device is \"0\" and device_map is \"auto\"" },
    { "both of memory", "auto", "{\"0\": 1}", NULL, 5, ARG, "max_memory and max_device_bytes (5)" },
    { "no object of memory", "auto", "4GiB", NULL, 0, ARG, "max_memory: byte 1" },
    { "a number of memory", "auto", "4", NULL, 0, ARG, "max_memory: \"4\" is no JSON object" },
    { "an empty object of memory", "auto", "{}", NULL, 0, ARG, "max_memory: \"{}\" is an empty object" },
    { "a wrong unit", "auto", "{\"0\": \"10 GiBs\"}", NULL, 0, ARG, "max_memory: \"0\" is \"10 GiBs\"" },
    { "a size without unit", "auto", "{\"0\": \"10\"}", NULL, 0, ARG, "number of bytes without quotes" },
    { "less than nothing", "auto", "{\"0\": -1}", NULL, 0, ARG, "max_memory: \"0\" is -1" },
    { "half a byte", "auto", "{\"0\": 0.5}", NULL, 0, ARG, "max_memory: \"0\" is 0.5" },
    { "a size beyond all", "auto", "{\"0\": \"1e30GiB\"}", NULL, 0, ARG, "more than any device has" },
    { "no size", "auto", "{\"cpu\": null}", NULL, 0, ARG, "\"cpu\" is" },
    { "a wrong size of the disk", "auto", "{\"0\": 5, \"disk\": \"big\"}", NULL, 0, ARG, "\"disk\" is \"big\"" },
    { "memory of nobody's device", "auto", "{\"nobody\": 5}", NULL, 0, NONE, "max_memory: no usable OpenCL device matches \"nobody\"" },
    { "Apple's device", "auto", "{\"mps\": 5}", NULL, 0, NONE, "matches \"mps\"" },
    { "a negative device's memory", "auto", "{\"-1\": 5}", NULL, 0, ARG, "max_memory: device -1" },
    { "memory of one device twice", "auto", "{\"0\": 5, \"0:0\": 6}", NULL, 0, ARG, "\"0:0\" is device 0, which stands there already" },
    { "memory of one name twice", "auto", "{\"0\": 5, \"0\": 6}", NULL, 0, ARG, "\"0\" stands there twice" },
    { "several without a map", NULL, "{\"0\": 5, \"1\": 6}", NULL, 0, ARG, "add device_map \"auto\"" },
    { "the host without a map", NULL, "{\"0\": 5, \"cpu\": 6}", NULL, 0, ARG, "add device_map \"auto\"" },
    { "another device without a map", NULL, "{\"1\": 5}", NULL, 0, ARG, "device 0 is used alone" },
    { "nothing without a map", NULL, "{\"0\": 0}", NULL, 0, ARG, "gives device 0 nothing" },
};

static void wrong_values_are_told_with_the_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        api_device_map    got;
        const size_t      live = core_memory_live();
        const oclm_status status = read(&machine, bad[i].map, bad[i].memory, bad[i].device, bad[i].most, &got);
        if (status != bad[i].status || !strstr(oclm_last_error(), bad[i].says))
            fail_msg("%s: %s \"%s\", want %s \"%s\"", bad[i].label, oclm_status_name(status), oclm_last_error(), oclm_status_name(bad[i].status), bad[i].says);
        assert_int_equal(got.count, 0);
        assert_null(got.indexes);
        assert_int_equal(core_memory_live(), live);
    }
}

static oclm_status read_much(void *user)
{
    api_device_map    got;
    const oclm_status status = read(user, "{\"model\": 0, \"lm_head\": \"cpu\"}", "{\"0\": \"2GiB\", \"cpu\": 5}", NULL, 0, &got);
    api_device_map_free(&got);
    return status;
}

static void undo_nothing(void *user) { (void)user; }

static void a_failing_request_leaves_nothing_behind(void **state)
{
    (void)state;
    fails_cleanly_at_every_request("a device map", read_much, undo_nothing, (void *)(uintptr_t)&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_says_which_devices_are_opened),
        cmocka_unit_test(the_processor_s_memory_is_counted_once),
        cmocka_unit_test(the_environment_names_the_device_that_computes_for_the_host),
        cmocka_unit_test(wrong_values_are_told_with_the_way_out),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, name_oddities, NULL);
}
