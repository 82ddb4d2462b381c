/* test_discovery.c: order, duplicates and choice, on machines made up by a driver of ours (fake_icd.h). */
#include "device/devices.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "device/fake_icd_use.h"

#define GIB ((cl_ulong)1 << 30)
#define PCI "cl_khr_pci_bus_info cl_khr_fp16"
#define AMD "cl_amd_device_attribute_query"
#define UUID "cl_khr_device_uuid"

/* ---- Which devices are listed, in which order; * marks a duplicate, ! one that cannot be used. */
static const struct {
    const char *label, *want;
    fake_device devices[FAKE_DEVICES];
} machines[] = {
    { "discrete, integrated, accelerator, CPU, software",
      "card chip dsp host llvmpipe",
      { { .platform = 0, .name = "llvmpipe", .type = CL_DEVICE_TYPE_GPU, .global_mem = 64 * GIB },
        { .platform = 0, .name = "host", .type = CL_DEVICE_TYPE_CPU, .unified = true, .global_mem = 64 * GIB },
        { .platform = 0, .name = "dsp", .type = CL_DEVICE_TYPE_ACCELERATOR, .global_mem = 1 * GIB },
        { .platform = 1, .name = "chip", .type = CL_DEVICE_TYPE_GPU, .unified = true, .global_mem = 32 * GIB },
        { .platform = 1, .name = "card", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB } } },
    { "most memory first, then as the loader tells them",
      "large small one two",
      { { .platform = 0, .name = "small", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB },
        { .platform = 1, .name = "large", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB },
        { .platform = 2, .name = "one", .type = CL_DEVICE_TYPE_CPU, .global_mem = 8 * GIB },
        { .platform = 2, .name = "two", .type = CL_DEVICE_TYPE_CPU, .global_mem = 8 * GIB } } },
    { "one card, two drivers: the one with the larger buffer stays",
      "vendor open*",
      { { .platform = 0, .name = "open", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .max_alloc = 2 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 1, .name = "vendor", .type = CL_DEVICE_TYPE_GPU, .global_mem = 15 * GIB, .max_alloc = 12 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } } } },
    { "an address without its domain matches any domain",
      "vendor open*",
      { { .platform = 0, .name = "open", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .max_alloc = 2 * GIB, .extensions = PCI, .pci = { 5, 3, 0, 0 } },
        { .platform = 1, .name = "vendor", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = AMD, .pci = { 0, 3, 0, 0 } } } },
    { "equal addresses without domain in one platform say nothing",
      "a b c",
      { { .platform = 0, .name = "a", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = AMD, .pci = { 0, 3, 0, 0 } },
        { .platform = 0, .name = "b", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = AMD, .pci = { 0, 3, 0, 0 } },
        { .platform = 1, .name = "c", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 1, 3, 0, 0 } } } },
    { "equal cards at different addresses are two",
      "x x",
      { { .platform = 0, .name = "x", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 1, .name = "x", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 0, 4, 0, 0 } } } },
    { "the same address in one platform is two devices (a split card)",
      "x y",
      { { .platform = 0, .name = "x", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 0, .name = "y", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } } } },
    { "UUIDs count within one driver",
      "x z y*",
      { { .platform = 0, .name = "x", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .extensions = UUID, .uuid = 7, .driver_uuid = 1 },
        { .platform = 1, .name = "y", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .extensions = UUID, .uuid = 7, .driver_uuid = 1 },
        { .platform = 2, .name = "z", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .extensions = UUID, .uuid = 7, .driver_uuid = 2 } } },
    { "the CPU of two platforms is two devices",
      "host host",
      { { .platform = 0, .name = "host", .type = CL_DEVICE_TYPE_CPU, .global_mem = 8 * GIB },
        { .platform = 1, .name = "host", .type = CL_DEVICE_TYPE_CPU, .global_mem = 8 * GIB } } },
    { "what cannot be used comes last, and hides no other driver",
      "open busy! old!",
      { { .platform = 0, .name = "old", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .version = "OpenCL 1.1 fake" },
        { .platform = 0, .name = "busy", .type = CL_DEVICE_TYPE_GPU, .global_mem = 32 * GIB, .unavailable = true, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 1, .name = "open", .type = CL_DEVICE_TYPE_CPU, .global_mem = 1 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } } } },
    { "OpenCL 1.2 is enough, an emulator that is everything at once is software",
      "plain everything",
      { { .platform = 0, .name = "everything", .type = CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR, .global_mem = 16 * GIB },
        { .platform = 0, .name = "plain", .type = CL_DEVICE_TYPE_CPU, .global_mem = 1 * GIB, .version = "OpenCL 1.2 fake" } } },
};

static void use(const fake_device *devices)
{
    size_t count = 0;
    while (count < FAKE_DEVICES && devices[count].name)
        count++;
    fake_devices(devices, count);
}

static void devices_are_listed_once_and_the_best_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(machines); i++) {
        dev_list *list;
        core_text got = CORE_TEXT_INIT;
        use(machines[i].devices);
        assert_ok(dev_list_new(&list));
        for (size_t j = 0; j < list->count; j++) {
            const dev_entry *entry = &list->entries[j];
            assert_int_equal(entry->info.index, j);
            assert_int_equal(entry->info.unusable != NULL, entry->duplicate || entry->info.unusable != NULL);
            assert_ok(core_text_printf(&got, "%s%s%s", j ? " " : "", entry->info.name,
                                       entry->duplicate ? "*" : entry->info.unusable ? "!" : ""));
        }
        if (strcmp(got.data, machines[i].want) != 0)
            fail_msg("%s: \"%s\", want \"%s\"", machines[i].label, got.data, machines[i].want);
        core_text_free(&got);
        dev_list_free(list);
    }
}

static void a_duplicate_names_the_device_it_is(void **state)
{
    dev_list *list;
    (void)state;
    use(machines[2].devices);
    assert_ok(dev_list_new(&list));
    assert_non_null(strstr(list->entries[1].info.unusable, "same card as device 0"));
    dev_list_free(list);
}

/* ---- Choice, on one machine: 0 card (1:0), 1 host (0:0), 2 the card's second driver (2:0), 3 old (0:1). */
static const fake_device choice_machine[FAKE_DEVICES] = {
    { .platform = 0, .name = "Host CPU", .type = CL_DEVICE_TYPE_CPU, .global_mem = 64 * GIB },
    { .platform = 0, .name = "Old thing", .type = CL_DEVICE_TYPE_GPU, .global_mem = 1 * GIB, .version = "OpenCL 1.0" },
    { .platform = 1, .name = "Big Card", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .extensions = PCI },
    { .platform = 2, .name = "Big Card (open)", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .max_alloc = 1 * GIB, .extensions = PCI },
};

static const struct {
    const char *label, *spec, *environment;
    int         want; /* an index of the list; -1: refused */
} choices[] = {
    { "nothing said", NULL, NULL, 0 },
    { "an empty name", "", NULL, 0 },
    { "the environment", NULL, "host", 1 },
    { "a name beats the environment", "card", "host", 0 },
    { "an index", "1", NULL, 1 },
    { "platform and device", "1:0", NULL, 0 },
    { "platform and device, the first of the first", "0:0", NULL, 1 },
    { "part of a name, any case", "bIG cARD", NULL, 0 },
    { "a platform's name", "fake a", NULL, 1 },
    { "a duplicate, by index", "2:0", NULL, 2 },
    { "a duplicate, by the name of its platform", "rusticl", NULL, 2 },
    { "an index too large", "7", NULL, -1 },
    { "a pair that is none", "1:5", NULL, -1 },
    { "a name that is none", "voodoo", NULL, -1 },
    { "a name from the environment that is none", NULL, "voodoo", -1 },
    { "one that is too old", "0:1", NULL, -1 },
    { "a number too large for any", "99999999999999999999999", NULL, -1 },
    { "half a pair", "1:", NULL, -1 },
};

static void a_choice_means_one_device_or_is_refused_with_the_list(void **state)
{
    dev_list *list;
    (void)state;
    use(choice_machine);
    assert_ok(dev_list_new(&list));
    assert_int_equal(list->count, 4);
    for (size_t i = 0; i < COUNT(choices); i++) {
        size_t index = 99;
        if (choices[i].environment)
            setenv("OCLM_DEVICE", choices[i].environment, 1);
        const oclm_status status = dev_list_choose(list, choices[i].spec, &index);
        unsetenv("OCLM_DEVICE");
        const int got = status == OCLM_OK ? (int)index : -1;
        if (got != choices[i].want)
            fail_msg("%s: %d, want %d (%s)", choices[i].label, got, choices[i].want, oclm_last_error());
        if (status != OCLM_OK) {
            const char *named = choices[i].spec ? choices[i].spec : choices[i].environment;
            assert_int_equal(status, OCLM_ERR_NO_DEVICE);
            assert_non_null(strstr(oclm_last_error(), named));
            assert_non_null(strstr(oclm_last_error(), "Big Card"));
        }
    }
    dev_list_free(list);
}

/* ---- Several at once. */

static const struct {
    const char *label, *want; /* names in order */
    fake_device devices[FAKE_DEVICES];
} sharers[] = {
    { "cards, then one CPU; neither a duplicate nor a renderer",
      "large small shared cell host",
      { { .platform = 0, .name = "host", .type = CL_DEVICE_TYPE_CPU, .global_mem = 64 * GIB },
        { .platform = 1, .name = "other host", .type = CL_DEVICE_TYPE_CPU, .global_mem = 32 * GIB },
        { .platform = 1, .name = "large", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 1, .name = "small", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .extensions = PCI, .pci = { 0, 4, 0, 0 } },
        { .platform = 2, .name = "large again", .type = CL_DEVICE_TYPE_GPU, .global_mem = 16 * GIB, .max_alloc = GIB, .extensions = PCI, .pci = { 0, 3, 0, 0 } },
        { .platform = 2, .name = "llvmpipe", .type = CL_DEVICE_TYPE_GPU, .global_mem = 2 * GIB },
        { .platform = 1, .name = "cell", .type = CL_DEVICE_TYPE_ACCELERATOR, .global_mem = 1 * GIB },
        { .platform = 1, .name = "shared", .type = CL_DEVICE_TYPE_GPU, .unified = true, .global_mem = 32 * GIB } } },
    { "CPUs of two drivers are one, whatever a renderer says",
      "host",
      { { .platform = 0, .name = "host", .type = CL_DEVICE_TYPE_CPU, .global_mem = 64 * GIB },
        { .platform = 1, .name = "host again", .type = CL_DEVICE_TYPE_CPU, .global_mem = 8 * GIB },
        { .platform = 2, .name = "llvmpipe", .type = CL_DEVICE_TYPE_CPU, .global_mem = 2 * GIB } } },
    { "a renderer is better than nothing",
      "llvmpipe",
      { { .platform = 0, .name = "llvmpipe", .type = CL_DEVICE_TYPE_CPU, .global_mem = 2 * GIB },
        { .platform = 0, .name = "softpipe", .type = CL_DEVICE_TYPE_CPU, .global_mem = 1 * GIB },
        { .platform = 1, .name = "relic", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .version = "OpenCL 1.1" } } },
};

static void the_devices_that_share_a_model_are_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sharers); i++) {
        dev_list    *list;
        core_text    got = CORE_TEXT_INIT;
        size_t       indexes[FAKE_DEVICES];
        use(sharers[i].devices);
        assert_ok(dev_list_new(&list));
        const size_t count = dev_list_several(list, indexes);
        for (size_t j = 0; j < count; j++)
            assert_ok(core_text_printf(&got, "%s%s", j ? " " : "", list->entries[indexes[j]].info.name));
        if (!got.data || strcmp(got.data, sharers[i].want) != 0)
            fail_msg("%s: \"%s\", want \"%s\"", sharers[i].label, got.data ? got.data : "", sharers[i].want);
        core_text_free(&got);
        dev_list_free(list);
    }
}

static void several_devices_open_together_or_not_at_all(void **state)
{
    const dev_open_options card_and_host[] = { { .spec = "card" }, { .spec = "host", .budget_bytes = 123 } };
    const dev_open_options twice[] = { { .spec = "host" }, { .spec = "1:0" }, { .spec = "HOST CPU" } };
    const dev_open_options unknown[] = { { .spec = "host" }, { .spec = "voodoo" } };
    dev_device            *devices[3];
    (void)state;
    use(choice_machine);
    assert_ok(dev_open_several(card_and_host, 2, devices));
    assert_string_equal(dev_get_traits(devices[0])->info.name, "Big Card");
    assert_string_equal(dev_get_traits(devices[1])->info.name, "Host CPU");
    assert_int_equal(dev_get_traits(devices[1])->budget_bytes, 123);
    dev_close(devices[0]);
    dev_close(devices[1]);
    assert_status(dev_open_several(twice, 3, devices), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "\"host\" and \"HOST CPU\" are one device"));
    assert_true(devices[0] == NULL && devices[1] == NULL && devices[2] == NULL);
    assert_status(dev_open_several(unknown, 2, devices), OCLM_ERR_NO_DEVICE);
    assert_true(devices[0] == NULL && devices[1] == NULL);
    const size_t live = core_memory_live();
    for (size_t n = 1;; n++) {
        assert_true(n < 1000);
        core_memory_fail_at(n, false);
        const oclm_status status = dev_open_several(card_and_host, 2, devices);
        core_memory_fail_at(0, false);
        assert_int_equal(status == OCLM_OK, devices[0] && devices[1]);
        assert_int_equal(status == OCLM_OK, devices[0] || devices[1]);
        dev_close(devices[0]);
        dev_close(devices[1]);
        assert_int_equal(core_memory_live(), live);
        if (status == OCLM_OK)
            break;
        assert_int_equal(status, OCLM_ERR_MEMORY);
    }
}

/* More than any host has: what it has left decides, and two that live there have half of it each. */
static void devices_in_the_hosts_memory_share_it(void **state)
{
    static const fake_device machine[FAKE_DEVICES] = {
        { .name = "card", .type = CL_DEVICE_TYPE_GPU, .global_mem = 1 * GIB },
        { .name = "shared", .type = CL_DEVICE_TYPE_GPU, .unified = true, .global_mem = (cl_ulong)1 << 60 },
        { .name = "host", .type = CL_DEVICE_TYPE_CPU, .unified = true, .global_mem = (cl_ulong)1 << 60 } };
    const dev_open_options options[] = { { .spec = "shared" }, { .spec = "card" }, { .spec = "host" } };
    dev_device            *devices[3], *alone;
    (void)state;
    use(machine);
    assert_ok(dev_open_several(options, 3, devices));
    assert_ok(dev_open(&options[0], &alone));
    const double all = (double)dev_get_traits(alone)->budget_bytes;
    assert_true(all < (double)((cl_ulong)1 << 59));
    assert_int_equal(dev_get_traits(devices[1])->budget_bytes, 1 * GIB / 10 * 9);
    for (size_t i = 0; i < 3; i += 2) {
        const double part = (double)dev_get_traits(devices[i])->budget_bytes / all;
        if (!(part > 0.4 && part < 0.6)) /* other processes take and give memory meanwhile */
            fail_msg("%s has %g of the host's memory", options[i].spec, part);
    }
    for (size_t i = 0; i < 3; i++)
        dev_close(devices[i]);
    dev_close(alone);
}

static void platforms_without_devices_are_named_with_what_to_install(void **state)
{
    dev_list *list;
    (void)state;
    unsetenv("RUSTICL_ENABLE");
    fake_devices(NULL, 0);
    assert_status(dev_list_new(&list), OCLM_ERR_NO_DEVICE);
    assert_null(list);
    const char *const parts[] = { "Fake A, Fake B, Fake rusticl", "RUSTICL_ENABLE", "pocl-opencl-icd" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!strstr(oclm_last_error(), parts[i]))
            fail_msg("\"%s\" is not in: %s", parts[i], oclm_last_error());
    }
}

static void a_machine_whose_devices_are_all_unusable_is_refused_with_their_reasons(void **state)
{
    static const fake_device old[FAKE_DEVICES] = { { .name = "relic", .type = CL_DEVICE_TYPE_GPU, .global_mem = GIB, .version = "OpenCL 1.1" } };
    dev_list                *list;
    size_t                   index;
    (void)state;
    use(old);
    assert_ok(dev_list_new(&list));
    assert_status(dev_list_choose(list, NULL, &index), OCLM_ERR_NO_DEVICE);
    assert_non_null(strstr(oclm_last_error(), "relic"));
    assert_non_null(strstr(oclm_last_error(), "OpenCL 1.2"));
    dev_list_free(list);
}

static void a_default_that_does_not_open_gives_way_to_the_next(void **state)
{
    static const fake_device two[FAKE_DEVICES] = {
        { .name = "taken", .type = CL_DEVICE_TYPE_GPU, .global_mem = 8 * GIB, .open_error = CL_DEVICE_NOT_AVAILABLE },
        { .name = "free", .type = CL_DEVICE_TYPE_CPU, .global_mem = 4 * GIB } };
    const dev_open_options taken = { .spec = "taken" };
    dev_device            *device;
    (void)state;
    use(two);
    assert_ok(dev_open(NULL, &device));
    assert_string_equal(dev_get_traits(device)->info.name, "free");
    dev_close(device);
    assert_status(dev_open(&taken, &device), OCLM_ERR_DEVICE); /* what the user chose is not exchanged */
    assert_null(device);
    assert_non_null(strstr(oclm_last_error(), "CL_DEVICE_NOT_AVAILABLE"));
}

static void every_failing_allocation_leaves_nothing_behind(void **state)
{
    dev_list *list;
    (void)state;
    use(choice_machine);
    const size_t live = core_memory_live();
    for (size_t n = 1; n < 1000; n++) {
        core_memory_fail_at(n, false);
        const oclm_status status = dev_list_new(&list);
        core_memory_fail_at(0, false);
        dev_list_free(list);
        assert_int_equal(core_memory_live(), live);
        if (status == OCLM_OK)
            return;
        assert_int_equal(status, OCLM_ERR_MEMORY);
    }
    fail_msg("discovery asks for memory a thousand times");
}

int main(void)
{
    if (!fake_icd_load())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_listed_once_and_the_best_first),
        cmocka_unit_test(a_duplicate_names_the_device_it_is),
        cmocka_unit_test(a_choice_means_one_device_or_is_refused_with_the_list),
        cmocka_unit_test(the_devices_that_share_a_model_are_chosen),
        cmocka_unit_test(several_devices_open_together_or_not_at_all),
        cmocka_unit_test(devices_in_the_hosts_memory_share_it),
        cmocka_unit_test(platforms_without_devices_are_named_with_what_to_install),
        cmocka_unit_test(a_machine_whose_devices_are_all_unusable_is_refused_with_their_reasons),
        cmocka_unit_test(a_default_that_does_not_open_gives_way_to_the_next),
        cmocka_unit_test(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
