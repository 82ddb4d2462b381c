/* test_names.c: what a model's weight files are called: variants, and the names that config.json gives. */
#include "checkpoint/weights.h"

#include <stdio.h>

#include "checkpoint/checkpoint.h"
#include "core/folder.h"

static void write_config(const char *text)
{
    scratch_write(folder, "config.json", text, strlen(text));
}

static void variants_stand_before_the_extension(void **state)
{
    static const struct {
        const char *variant, *single, *index;
    } cases[] = {
        { NULL, "model.safetensors", "model.safetensors.index.json" },
        { "", "model.safetensors", "model.safetensors.index.json" },
        { "fp16", "model.fp16.safetensors", "model.safetensors.index.fp16.json" },
        { "8-bit_v1.0", "model.8-bit_v1.0.safetensors", "model.safetensors.index.8-bit_v1.0.json" },
    };
    ckpt_names names;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(ckpt_names_of(folder, cases[i].variant, &names), OCLM_OK);
        assert_string_equal(names.single, cases[i].single);
        assert_string_equal(names.index, cases[i].index);
    }
}

static void what_is_no_variant_is_refused(void **state)
{
    static const char *const bad[] = { "../x", "a/b", "a b", ".x", "fp16\n", "\xc3\xa9",
                                       "12345678901234567890123456789012345678901234567890123456789012345" };
    ckpt_names names;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (ckpt_names_of(folder, bad[i], &names) != OCLM_ERR_ARGUMENT || strstr(oclm_last_error(), bad[i]) == NULL)
            fail_msg("\"%s\": \"%s\"", bad[i], oclm_last_error());
    }
}

static void config_json_may_name_the_file(void **state)
{
    ckpt_names names;
    (void)state;
    write_config("{\"transformers_weights\": \"other.safetensors\"}");
    assert_int_equal(ckpt_names_of(folder, "fp16", &names), OCLM_OK);
    assert_string_equal(names.single, "other.safetensors");
    assert_string_equal(names.index, "");
    write_config("{\"transformers_weights\": \"other.safetensors.index.json\"}");
    assert_int_equal(ckpt_names_of(folder, NULL, &names), OCLM_OK);
    assert_string_equal(names.single, "");
    assert_string_equal(names.index, "other.safetensors.index.json");
    static const char *const silent[] = { "{\"transformers_weights\": null}", "{}", "[]", "{", "" };
    for (size_t i = 0; i < COUNT(silent); i++) {
        write_config(silent[i]);
        assert_int_equal(ckpt_names_of(folder, NULL, &names), OCLM_OK);
        assert_string_equal(names.single, "model.safetensors");
    }
}

static void names_that_leave_the_folder_are_refused(void **state)
{
    static const char *const bad[] = { "../a.safetensors", "/a.safetensors", "b/a.safetensors", "adapter_model.bin", ".safetensors", "" };
    ckpt_names names;
    char       text[100];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        (void)snprintf(text, sizeof text, "{\"transformers_weights\": \"%s\"}", bad[i]);
        write_config(text);
        if (ckpt_names_of(folder, NULL, &names) != OCLM_ERR_FORMAT || strstr(oclm_last_error(), bad[i]) == NULL)
            fail_msg("\"%s\": \"%s\"", bad[i], oclm_last_error());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(variants_stand_before_the_extension),
        IN_SCRATCH(what_is_no_variant_is_refused),
        IN_SCRATCH(config_json_may_name_the_file),
        IN_SCRATCH(names_that_leave_the_folder_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
