/* test_safetensors_hostile.c: safetensors.c on files that are cut, flipped, deep or long, and without memory. */
#include "checkpoint/weights.h"

#include <stdio.h>

#include "checkpoint/safetensors.h"

#define PATH "some/model.safetensors"

static const char header[] =
    "{\"__metadata__\":{\"format\":\"pt\"},\"wte\":{\"dtype\":\"F16\",\"shape\":[4,3],\"data_offsets\":[0,24]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]},\"e\":{\"dtype\":\"BF16\",\"shape\":[0],\"data_offsets\":[28,28]}}";
#define HEADER_SIZE (sizeof header - 1)
#define FILE_SIZE (8 + HEADER_SIZE + 28)

static char *make_file(void)
{
    return weights_bytes(HEADER_SIZE, header, HEADER_SIZE, 28);
}

/* Every byte that a tensor claims is within the file and behind the header, and belongs to no other tensor. */
static void check_tensors(const core_map *map, const ckpt_table *table)
{
    uint64_t sum = 0;
    const size_t length = map->data[0] | (size_t)map->data[1] << 8; /* more than the file has is refused */
    for (size_t i = 0; i < table->count; i++) {
        const ckpt_tensor *const tensor = &table->tensors[i];
        const size_t             begin = (size_t)((const unsigned char *)tensor->data - map->data);
        if (begin < 8 + length || begin > map->size || tensor->bytes > map->size - begin)
            fail_msg("tensor \"%s\" begins at byte %zu and has %zu", tensor->name, begin, tensor->bytes);
        sum += tensor->bytes;
    }
    assert_int_equal(8 + length + sum, map->size);
}

static oclm_status read_bytes(const char *bytes, size_t size)
{
    const size_t      live = core_memory_live();
    char             *copy = exact_copy(bytes, size); /* a sanitizer sees what reads beyond it */
    const core_map    map = { (const unsigned char *)copy, size };
    ckpt_table        table = { NULL, 0, 0 };
    const oclm_status status = ckpt_safetensors_read(&map, PATH, 0, &table);
    if (status == OCLM_OK)
        check_tensors(&map, &table);
    else if ((status != OCLM_ERR_FORMAT && status != OCLM_ERR_UNSUPPORTED) || strstr(oclm_last_error(), PATH ": ") != oclm_last_error())
        fail_msg("status %d, \"%s\"", (int)status, oclm_last_error());
    ckpt_table_deinit(&table);
    free(copy);
    if (core_memory_live() != live)
        fail_msg("%zu blocks lost; status %d, \"%s\"", core_memory_live() - live, (int)status, oclm_last_error());
    return status;
}

static void a_file_cut_short_is_refused_at_each_byte(void **state)
{
    char *bytes = make_file();
    (void)state;
    assert_int_equal(read_bytes(bytes, FILE_SIZE), OCLM_OK);
    for (size_t size = 0; size < FILE_SIZE; size++) {
        char want[64];
        snprintf(want, sizeof want, size < 8 ? "%zu bytes are no safetensors file" : size < 8 + HEADER_SIZE
                 ? "the file has only %zu after its length" : "of the data, the file at %zu",
                 size < 8 ? size : size < 8 + HEADER_SIZE ? size - 8 : size - 8 - HEADER_SIZE);
        if (read_bytes(bytes, size) != OCLM_ERR_FORMAT || strstr(oclm_last_error(), want) == NULL ||
            strstr(oclm_last_error(), "cut short or broken: download it again") == NULL)
            fail_msg("%zu bytes: \"%s\", want \"%s\"", size, oclm_last_error(), want);
    }
    free(bytes);
}

static void a_byte_too_many_is_refused(void **state)
{
    char *bytes = weights_bytes(HEADER_SIZE, header, HEADER_SIZE, 29);
    (void)state;
    assert_int_equal(read_bytes(bytes, FILE_SIZE + 1), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "the tensors end at byte 28 of the data, the file at 29: the rest belongs to no tensor"));
    free(bytes);
}

static void a_flipped_bit_is_read_or_refused(void **state)
{
    char  *bytes = make_file();
    size_t good = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * FILE_SIZE; bit++) {
        const char before = bytes[bit / 8];
        bytes[bit / 8] = (char)(before ^ 1 << bit % 8);
        good += read_bytes(bytes, FILE_SIZE) == OCLM_OK;
        bytes[bit / 8] = before;
    }
    assert_int_equal(read_bytes(bytes, FILE_SIZE), OCLM_OK);
    if (good < 8 * 28 || good > 8 * 28 + 200) /* all of the data, and letters of names and of the free text */
        fail_msg("%zu flips of %zu were read", good, 8 * FILE_SIZE);
    free(bytes);
}

static void bytes_changed_at_random_are_read_or_refused(void **state)
{
    static const char likely[] = "0123456789[]{},:\"-eUFB\\";
    const int         rounds = getenv("OCLM_TEST_QUICK") != NULL ? 3000 : 200000;
    char             *bytes = make_file();
    char              changed[FILE_SIZE];
    uint32_t          random = 1;
    (void)state;
    for (int round = 0; round < rounds; round++) {
        memcpy(changed, bytes, FILE_SIZE);
        random = random * 1664525 + 1013904223;
        for (uint32_t i = 0; i <= random >> 30; i++) {
            random = random * 1664525 + 1013904223;
            changed[8 + (random >> 8) % HEADER_SIZE] = likely[(random >> 16) % (sizeof likely - 1)];
        }
        (void)read_bytes(changed, FILE_SIZE); /* which checks what it gives */
    }
    free(bytes);
}

static void nesting_ends_at_its_limit(void **state)
{
    enum { DEEP = 100000 };
    char *text = malloc(DEEP + 64);
    char *bytes;
    (void)state;
    assert_non_null(text);
    strcpy(text, "{\"__metadata__\":");
    const size_t begin = strlen(text);
    memset(text + begin, '[', DEEP);
    bytes = weights_bytes(begin + DEEP, text, begin + DEEP, 0);
    assert_int_equal(read_bytes(bytes, 8 + begin + DEEP), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "nested deeper than the 128 levels allowed"));
    free(bytes);
    free(text);
}

/* ---- Many tensors */

static void thousands_of_tensors_are_kept(void **state)
{
    enum { MANY = 3000 };
    core_text  text = CORE_TEXT_INIT;
    ckpt_table table = { NULL, 0, 0 };
    char       name[32];
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(core_text_printf(&text, "%s\"layers.%u\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                                          i == 0 ? "{" : ",", i, 2 * i, 2 * i + 2), OCLM_OK);
    assert_int_equal(core_text_add_char(&text, '}'), OCLM_OK);
    char          *bytes = weights_bytes(text.length, text.data, text.length, 2 * MANY);
    const core_map map = { (const unsigned char *)bytes, 8 + text.length + 2 * MANY };
    for (uint32_t file = 0; file < 2; file++) /* the second file's come behind the first's */
        assert_int_equal(ckpt_safetensors_read(&map, PATH, file, &table), OCLM_OK);
    assert_int_equal(table.count, 2 * MANY);
    for (unsigned i = 0; i < 2 * MANY; i++) {
        snprintf(name, sizeof name, "layers.%u", i % MANY); /* in order of place */
        assert_string_equal(table.tensors[i].name, name);
        assert_int_equal(table.tensors[i].file, i / MANY);
        assert_ptr_equal(table.tensors[i].data, map.data + 8 + text.length + 2 * (i % MANY));
    }
    ckpt_table_deinit(&table);
    free(bytes);
    core_text_free(&text);
}

static void more_tensors_than_any_model_has_are_refused(void **state)
{
    static const char one[] = "{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    char          *bytes = weights_bytes(sizeof one - 1, one, sizeof one - 1, 1);
    const core_map map = { (const unsigned char *)bytes, 8 + sizeof one };
    ckpt_table     full = { NULL, CKPT_MAX_TENSORS, CKPT_MAX_TENSORS }; /* as if other files had filled it */
    (void)state;
    assert_int_equal(ckpt_safetensors_read(&map, PATH, 0, &full), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), PATH ": more than 1048576 tensors; no model has so many");
    assert_int_equal(full.count, CKPT_MAX_TENSORS);
    free(bytes);
}

/* ---- Without memory */

static ckpt_table table_of_call;

static oclm_status read_a_file(void *user)
{
    const core_map    map = { user, FILE_SIZE };
    const oclm_status status = ckpt_safetensors_read(&map, PATH, 0, &table_of_call);
    if (status != OCLM_OK)
        ckpt_table_deinit(&table_of_call);
    return status;
}

static void undo(void *user)
{
    (void)user;
    ckpt_table_deinit(&table_of_call);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char *bytes = make_file();
    (void)state;
    fails_cleanly_at_every_request("a safetensors file", read_a_file, undo, bytes);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_short_is_refused_at_each_byte),
        cmocka_unit_test(a_byte_too_many_is_refused),
        cmocka_unit_test(a_flipped_bit_is_read_or_refused),
        cmocka_unit_test(bytes_changed_at_random_are_read_or_refused),
        cmocka_unit_test(nesting_ends_at_its_limit),
        cmocka_unit_test(thousands_of_tensors_are_kept),
        cmocka_unit_test(more_tensors_than_any_model_has_are_refused),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
