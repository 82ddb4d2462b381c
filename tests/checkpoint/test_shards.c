/* test_shards.c: model.safetensors.index.json, good, wrong and hostile. */
#include "core/unit.h"

#include <stdio.h>

#include "checkpoint/shards.h"
#include "core/text.h"

#define PATH "some/model.safetensors.index.json"

static oclm_status read_text(const char *text, size_t length, ckpt_shard_index *index)
{
    char             *copy = exact_copy(text, length);
    const oclm_status status = ckpt_shard_index_read(copy, length, PATH, index);
    free(copy);
    return status;
}

#define MAP(entries) "{\"weight_map\":{" entries "}}"

static void an_index_is_kept_in_order_of_name(void **state)
{
    static const char text[] =
        "{\"metadata\": {\"total_size\": 123, \"x\": [1]}, \"weight_map\": {\"norm\": \"model-00002-of-00002.safetensors\",\n"
        " \"wte\": \"model-00001-of-00002.safetensors\", \"a\": \"model-00002-of-00002.safetensors\",\n"
        " \"\": \"m.safetensors\"}, \"y\": null}";
    static const char *const shards[] = { "m.safetensors", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" };
    static const struct {
        const char *tensor;
        size_t      shard;
    } entries[] = { { "", 0 }, { "a", 2 }, { "norm", 2 }, { "wte", 1 } };
    ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
    (void)state;
    assert_int_equal(read_text(text, sizeof text - 1, &index), OCLM_OK);
    assert_int_equal(index.count, COUNT(entries));
    assert_int_equal(index.shard_count, COUNT(shards));
    for (size_t i = 0; i < COUNT(shards); i++)
        assert_string_equal(index.shards[i], shards[i]);
    for (size_t i = 0; i < COUNT(entries); i++) {
        assert_string_equal(index.entries[i].tensor, entries[i].tensor);
        assert_ptr_equal(index.entries[i].shard, index.shards[entries[i].shard]);
    }
    ckpt_shard_index_deinit(&index);
    assert_int_equal(index.count + index.shard_count, 0);
    ckpt_shard_index_deinit(&index);
}

static void a_name_that_begins_like_another_is_another(void **state)
{
    static const char text[] = MAP("\"a\":\"x.safetensors.safetensors\",\"b\":\"x.safetensors\",\"c\":\"x.safetensors.safetensors\","
                                   "\"d\":\"y.safetensors\",\"e\":\"x.safetensors\"");
    ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
    (void)state;
    assert_int_equal(read_text(text, sizeof text - 1, &index), OCLM_OK);
    assert_int_equal(index.shard_count, 3);
    assert_string_equal(index.shards[0], "x.safetensors");
    assert_string_equal(index.shards[1], "x.safetensors.safetensors");
    assert_string_equal(index.entries[0].shard, "x.safetensors.safetensors");
    assert_string_equal(index.entries[1].shard, "x.safetensors");
    assert_ptr_equal(index.entries[1].shard, index.entries[4].shard);
    ckpt_shard_index_deinit(&index);
}

static void a_broken_index_is_told_with_its_value(void **state)
{
    static const struct {
        const char *label, *text, *message;
    } cases[] = {
        { "nothing", "", "byte 0: the text ends where an object should follow" },
        { "no JSON", "<html>", "byte 0: '<' stands where an object should" },
        { "a list", "[]", "byte 0: '[' stands where an object should" },
        { "text behind", MAP("\"a\":\"x.safetensors\"") "x", "'x' stands where" },
        { "two values", MAP("\"a\":\"x.safetensors\"") "{}", "more text follows" },
        { "no map", "{}", "has no \"weight_map\" with tensors" },
        { "another map", "{\"weights\":{}}", "has no \"weight_map\" with tensors" },
        { "an empty map", MAP(""), "has no \"weight_map\" with tensors" },
        { "a map that is null", "{\"weight_map\":null}", "'n' stands where an object should" },
        { "a map that is a list", "{\"weight_map\":[]}", "'[' stands where an object should" },
        { "two maps", "{\"weight_map\":{},\"weight_map\":{}}", "\"weight_map\" is there twice" },
        { "a tensor twice", MAP("\"a\":\"x.safetensors\",\"a\":\"y.safetensors\""), "tensor \"a\" is listed twice" },
        { "a tensor twice, once as an escape", MAP("\"a\":\"x.safetensors\",\"\\u0061\":\"x.safetensors\""),
          "tensor \"a\" is listed twice" },
        { "a NUL in a tensor's name", MAP("\"a\\u0000\":\"x.safetensors\""), "a tensor's name holds a NUL" },
        { "a map in the map", MAP("\"a\":{\"b\":\"x.safetensors\"}"), "'{' stands where a string should" },
        { "a number for a file", MAP("\"a\":1"), "'1' stands where a string should" },
        { "null for a file", MAP("\"a\":null"), "'n' stands where a string should" },
        { "no file", MAP("\"a\":\"\""), "\"\" is not a .safetensors file" },
        { "the folder above", MAP("\"a\":\"../x.safetensors\""), "\"../x.safetensors\" is not the plain name of a file in this folder" },
        { "a folder below", MAP("\"a\":\"sub/x.safetensors\""), "\"sub/x.safetensors\" is not the plain name" },
        { "a slash as an escape", MAP("\"a\":\"..\\u002fx.safetensors\""), "\"../x.safetensors\" is not the plain name" },
        { "the root", MAP("\"a\":\"/etc/x.safetensors\""), "\"/etc/x.safetensors\" is not the plain name" },
        { "a folder below in Windows", MAP("\"a\":\"sub\\\\x.safetensors\""), "\"sub\\x.safetensors\" is not the plain name" },
        { "a way up in Windows", MAP("\"a\":\"..\\\\x.safetensors\""), "\"..\\x.safetensors\" is not the plain name" },
        { "a hidden file", MAP("\"a\":\".x.safetensors\""), "\".x.safetensors\" is not the plain name" },
        { "the folder above itself", MAP("\"a\":\"..\""), "\"..\" is not the plain name" },
        { "a NUL in a file's name", MAP("\"a\":\"x\\u0000.safetensors\""), "is not the plain name" },
        { "a pickle", MAP("\"a\":\"pytorch_model.bin\""), "\"pytorch_model.bin\" is not a .safetensors file" },
        { "nothing but the suffix", MAP("\"a\":\"safetensors\""), "\"safetensors\" is not a .safetensors file" },
        { "a suffix in capitals", MAP("\"a\":\"x.SAFETENSORS\""), "\"x.SAFETENSORS\" is not a .safetensors file" },
    };
    const size_t live = core_memory_live();
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ckpt_shard_index  index = CKPT_SHARD_INDEX_INIT;
        const oclm_status status = read_text(cases[i].text, strlen(cases[i].text), &index);
        if (status != OCLM_ERR_FORMAT || strncmp(oclm_last_error(), PATH ": ", strlen(PATH) + 2) != 0 ||
            strstr(oclm_last_error(), cases[i].message) == NULL || strstr(oclm_last_error(), "; download the file again") == NULL)
            fail_msg("%s: status %d, \"%s\", want \"%s\"", cases[i].label, (int)status, oclm_last_error(), cases[i].message);
        ckpt_shard_index_deinit(&index);
        assert_int_equal(core_memory_live(), live);
    }
}

static void a_file_name_is_as_long_as_file_systems_allow(void **state)
{
    (void)state;
    for (size_t length = 255; length <= 256; length++) {
        ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
        char             text[600] = "{\"weight_map\":{\"a\":\"x";
        for (size_t i = 0; i < (length - 13) / 2; i++)
            strcat(text, "\xC3\xA9");
        strcat(text, length % 2 == 0 ? "x.safetensors\"}}" : ".safetensors\"}}");
        assert_int_equal(read_text(text, strlen(text), &index), length <= 255 ? OCLM_OK : OCLM_ERR_FORMAT);
        if (length > 255) {
            assert_non_null(strstr(oclm_last_error(), "\xC3\xA9\" is not the plain name")); /* cut between characters */
            assert_int_equal(core_utf8_check(oclm_last_error(), strlen(oclm_last_error())), SIZE_MAX);
        } else {
            assert_int_equal(strlen(index.shards[0]), 255);
        }
        ckpt_shard_index_deinit(&index);
    }
}

static const char small[] = "{\"metadata\":{\"total_size\":9},"
                            "\"weight_map\":{\"b\":\"m-2.safetensors\",\"a\":\"m-1.safetensors\",\"c\\n\":\"m-2.safetensors\"}}";

static oclm_status read_and_forget(const char *text, size_t length)
{
    const size_t      live = core_memory_live();
    ckpt_shard_index  index = CKPT_SHARD_INDEX_INIT;
    const oclm_status status = read_text(text, length, &index);
    for (size_t i = 0; i < index.count && status == OCLM_OK; i++) {
        assert_true(strchr(index.entries[i].shard, '/') == NULL && index.entries[i].shard[0] != '.');
        assert_true(i == 0 || strcmp(index.entries[i - 1].tensor, index.entries[i].tensor) < 0);
    }
    ckpt_shard_index_deinit(&index);
    if ((status != OCLM_OK && status != OCLM_ERR_FORMAT) || core_memory_live() != live ||
        (status != OCLM_OK && strncmp(oclm_last_error(), PATH ": ", strlen(PATH) + 2) != 0))
        fail_msg("status %d, %zu blocks lost, \"%s\"", (int)status, core_memory_live() - live, oclm_last_error());
    return status;
}

static void an_index_cut_short_is_refused_at_each_byte(void **state)
{
    (void)state;
    assert_int_equal(read_and_forget(small, sizeof small - 1), OCLM_OK);
    for (size_t part = 0; part < sizeof small - 1; part++)
        assert_int_equal(read_and_forget(small, part), OCLM_ERR_FORMAT);
}

static void a_flipped_bit_is_read_or_refused(void **state)
{
    char   text[sizeof small];
    size_t good = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof small - 1); bit++) {
        memcpy(text, small, sizeof small);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        good += read_and_forget(text, sizeof small - 1) == OCLM_OK;
    }
    assert_true(good > 50 && good < 4 * sizeof small);
}

static void more_files_than_any_model_has_are_refused(void **state)
{
    (void)state;
    for (unsigned count = CKPT_MAX_SHARDS; count <= CKPT_MAX_SHARDS + 1; count++) {
        core_text        text = CORE_TEXT_INIT;
        ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
        assert_int_equal(core_text_add_string(&text, "{\"weight_map\":{"), OCLM_OK);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(core_text_printf(&text, "%s\"w%u\":\"%05u.safetensors\"", i > 0 ? "," : "", i, (i * 7919) % count), OCLM_OK);
        assert_int_equal(core_text_add_string(&text, "}}"), OCLM_OK);
        if (count <= CKPT_MAX_SHARDS) {
            assert_int_equal(read_text(text.data, text.length, &index), OCLM_OK);
            assert_int_equal(index.shard_count, count);
            for (unsigned i = 1; i < count; i++)
                assert_true(strcmp(index.shards[i - 1], index.shards[i]) < 0);
        } else {
            assert_int_equal(read_text(text.data, text.length, &index), OCLM_ERR_FORMAT);
            assert_non_null(strstr(oclm_last_error(), ": more than 16384 files; no model has so many"));
        }
        ckpt_shard_index_deinit(&index);
        core_text_free(&text);
    }
}

static void more_tensors_than_any_model_has_are_refused(void **state)
{
    ckpt_shard_index full = { NULL, 0, NULL, CKPT_MAX_TENSORS, CKPT_MAX_TENSORS }; /* as if so many had been read */
    (void)state;
    assert_int_equal(ckpt_shard_index_read(small, sizeof small - 1, PATH, &full), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), ": more than 1048576 tensors; no model has so many"));
}

static ckpt_shard_index index_of_call;

static oclm_status read_small(void *user)
{
    (void)user;
    const oclm_status status = read_text(small, sizeof small - 1, &index_of_call);
    if (status != OCLM_OK)
        ckpt_shard_index_deinit(&index_of_call);
    return status;
}

static void undo(void *user)
{
    (void)user;
    ckpt_shard_index_deinit(&index_of_call);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    (void)state;
    fails_cleanly_at_every_request("an index of shards", read_small, undo, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_kept_in_order_of_name),
        cmocka_unit_test(a_name_that_begins_like_another_is_another),
        cmocka_unit_test(a_broken_index_is_told_with_its_value),
        cmocka_unit_test(a_file_name_is_as_long_as_file_systems_allow),
        cmocka_unit_test(an_index_cut_short_is_refused_at_each_byte),
        cmocka_unit_test(a_flipped_bit_is_read_or_refused),
        cmocka_unit_test(more_files_than_any_model_has_are_refused),
        cmocka_unit_test(more_tensors_than_any_model_has_are_refused),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
