/* test_size.c: sizes of max_memory as accelerate reads them. */
#include "core/unit.h"

#include "api/device_map.h"

static const struct { const char *text; uint64_t want; } good[] = {
    { "1GiB", 1u << 30 },   { "10GiB", (uint64_t)10 << 30 }, { "3MiB", 3u << 20 },  { "7KiB", 7u << 10 },    { "2GB", 2000000000u }, { "5MB", 5000000 },
    { "9KB", 9000 },        { "1gib", 1u << 30 },            { "1GIB", 1u << 30 },  { "1Gib", 1u << 30 },    { "8Gb", 1000000000u }, { "8gb", 1000000000u },
    { "16Mb", 2000000 },    { "80kb", 10000 },               { "1.5GiB", 3u << 29 }, { "0.5GB", 500000000u }, { "10 GiB", (uint64_t)10 << 30 },
    { " 2 MB", 2000000 },   { "0GiB", 0 },                   { "1e3KB", 1000000 },  { "1.0000001KB", 1000 }, { "0.1KiB", 102 },
};

static void sizes_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t got;
        if (api_size_read("0", good[i].text, &got) != OCLM_OK || got != good[i].want)
            fail_msg("\"%s\": %llu, want %llu", good[i].text, (unsigned long long)got, (unsigned long long)good[i].want);
    }
}

static const char *const bad[] = { "", "GiB", "10", "10 GiBs", "10G", "10B", "ten GiB", "-1GiB", "1,5GiB", "1GiB 2GiB", "0x10GiB", "infGiB", "nanMB", "1TiB", "1e99GB",
                                   "9999999999GiB", "1..5MB", "1GB!" };

static void what_is_no_size_is_shown_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t got = 7;
        if (api_size_read("cpu", bad[i], &got) != OCLM_ERR_ARGUMENT || got != 0)
            fail_msg("\"%s\" was read as %llu", bad[i], (unsigned long long)got);
        if (!strstr(oclm_last_error(), "max_memory: \"cpu\" is ") || !strstr(oclm_last_error(), "10GiB"))
            fail_msg("\"%s\": %s", bad[i], oclm_last_error());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_transformers),
        cmocka_unit_test(what_is_no_size_is_shown_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
