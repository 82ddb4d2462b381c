/* test_safetensors.c: one file's header, each of its fields good, wrong and hostile. */
#include "checkpoint/weights.h"

#include <stdio.h>

#include "checkpoint/safetensors.h"

#define PATH "some/model.safetensors"

/* Reads a file of these bytes, from memory of exactly their size. */
static oclm_status read_bytes(const char *bytes, size_t size, ckpt_table *table)
{
    char             *copy = exact_copy(bytes, size);
    const core_map    map = { (const unsigned char *)copy, size };
    const oclm_status status = ckpt_safetensors_read(&map, PATH, 3, table);
    for (size_t i = 0; i < table->count && status == OCLM_OK; i++) { /* what a tensor says holds: within the file, behind the header */
        const ckpt_tensor *const tensor = &table->tensors[i];
        const unsigned char     *data = tensor->data;
        uint64_t                 elements = 1;
        for (uint32_t j = 0; j < tensor->dims; j++)
            elements *= tensor->shape[j];
        if (data < map.data + 8 || tensor->bytes > size || data > map.data + size - tensor->bytes || elements != tensor->elements ||
            elements * core_dtype_size(tensor->dtype) != tensor->bytes || tensor->file != 3)
            fail_msg("tensor \"%s\" is not what it says", tensor->name);
    }
    free(copy);
    return status;
}

/* A file of this header and so many bytes of data. */
static oclm_status read_header(const char *header, size_t size, ckpt_table *table)
{
    const size_t      length = strlen(header);
    char             *bytes = weights_bytes(length, header, length, size);
    const oclm_status status = read_bytes(bytes, 8 + length + size, table);
    free(bytes);
    return status;
}

/* A refusal names the file, and what to do. */
static void check_refusal(const char *label, oclm_status status, const char *message)
{
    if ((status != OCLM_ERR_FORMAT && status != OCLM_ERR_UNSUPPORTED) || strncmp(oclm_last_error(), PATH ": ", strlen(PATH) + 2) != 0 ||
        strstr(oclm_last_error(), message) == NULL)
        fail_msg("%s: status %d, \"%s\", want \"%s\"", label, (int)status, oclm_last_error(), message);
    if (strstr(oclm_last_error(), "download it again") == NULL && strstr(oclm_last_error(), "convert the checkpoint") == NULL &&
        strstr(oclm_last_error(), "git lfs pull") == NULL && strstr(oclm_last_error(), "no model") == NULL)
        fail_msg("%s: no way out in \"%s\"", label, oclm_last_error());
}

/* ---- Good files */

static void every_type_is_read_with_its_size(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < CORE_DTYPE_COUNT; dtype++) {
        ckpt_table   table = { NULL, 0, 0 };
        char         header[200];
        const size_t size = 6 * core_dtype_size((core_dtype)dtype);
        snprintf(header, sizeof header, "{\"w\":{\"dtype\":\"%s\",\"shape\":[2,3],\"data_offsets\":[0,%zu]}}",
                 core_dtype_name((core_dtype)dtype), size);
        if (read_header(header, size, &table) != OCLM_OK)
            fail_msg("%s", oclm_last_error());
        assert_int_equal(table.count, 1);
        assert_string_equal(table.tensors[0].name, "w");
        assert_int_equal(table.tensors[0].dtype, dtype);
        assert_int_equal(table.tensors[0].dims, 2);
        assert_int_equal(table.tensors[0].shape[0], 2);
        assert_int_equal(table.tensors[0].shape[1], 3);
        assert_int_equal(table.tensors[0].elements, 6);
        assert_int_equal(table.tensors[0].bytes, size);
        ckpt_table_deinit(&table);
    }
}

#define SCALAR(name, begin, end) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[" #begin "," #end "]}"
#define BYTES(name, begin, end) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" #end "],\"data_offsets\":[" #begin "," #end "]}"
#define EMPTY(name, at) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[3,0,5],\"data_offsets\":[" #at "," #at "]}"

static void unusual_but_right_headers_are_read(void **state)
{
    static const struct {
        const char *label, *header;
        size_t      size, count;
    } cases[] = {
        { "no tensors", "{}", 0, 0 },
        { "only free text", "{\"__metadata__\":{\"format\":\"pt\"}}", 0, 0 },
        { "padding behind the JSON", "{" SCALAR("a", 0, 1) "}     ", 1, 1 },
        { "free text before, with anything in it", "{\"__metadata__\":{\"a\":[1,{}],\"b\":null}," SCALAR("a", 0, 1) "}", 1, 1 },
        { "free text behind", "{" SCALAR("a", 0, 1) ",\"__metadata__\":{}}", 1, 1 },
        { "a single number", "{" SCALAR("a", 0, 1) "}", 1, 1 },
        { "an empty tensor alone", "{" EMPTY("a", 0) "}", 0, 1 },
        { "empty tensors at each seam",
          "{" EMPTY("z", 2) "," SCALAR("b", 1, 2) "," EMPTY("m", 1) "," SCALAR("a", 0, 1) "," EMPTY("k", 0) "}", 2, 5 },
        { "an empty tensor of more elements than memory, were it not for the 0",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807,0],\"data_offsets\":[0,0]}}", 0, 1 },
        { "tensors not in the order of their data", "{" SCALAR("a", 2, 3) "," SCALAR("b", 0, 1) "," SCALAR("c", 1, 2) "}", 3, 3 },
        { "as many dimensions as there may be",
          "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,2,1,1,1,1,1],\"data_offsets\":[0,2]}}", 2, 1 },
        { "fields in another order, and one more",
          "{\"a\":{\"data_offsets\":[0,1],\"x\":{\"y\":[1]},\"shape\":[1],\"dtype\":\"I8\"}}", 1, 1 },
        { "no name", "{" SCALAR("", 0, 1) "}", 1, 1 },
        { "a name with an escape", "{" SCALAR("\\u0061\\n\\\"", 0, 1) "}", 1, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ckpt_table table = { NULL, 0, 0 };
        if (read_header(cases[i].header, cases[i].size, &table) != OCLM_OK || table.count != cases[i].count)
            fail_msg("%s: %zu tensors, %s", cases[i].label, table.count, oclm_last_error());
        ckpt_table_deinit(&table);
    }
}

static void data_is_where_the_offsets_say(void **state)
{
    static const char header[] = "{" SCALAR("second", 1, 2) "," SCALAR("third", 2, 3) "," SCALAR("first", 0, 1) "}";
    ckpt_table     table = { NULL, 0, 0 };
    char          *bytes = weights_bytes(sizeof header - 1, header, sizeof header - 1, 3);
    const core_map map = { (const unsigned char *)bytes, 8 + sizeof header - 1 + 3 };
    (void)state;
    assert_int_equal(ckpt_safetensors_read(&map, PATH, 0, &table), OCLM_OK);
    for (size_t i = 0; i < table.count; i++) {
        const char *const name = table.tensors[i].name;
        assert_int_equal(*(const char *)table.tensors[i].data, name[0] == 'f' ? 0 : name[0] == 's' ? 1 : 2);
    }
    ckpt_table_deinit(&table);
    free(bytes);
}

/* ---- Bad fields */

#define TENSOR(fields) "{\"w\":{" fields "}}"
#define DTYPE "\"dtype\":\"U8\""
#define SHAPE "\"shape\":[4]"
#define OFFSETS "\"data_offsets\":[0,4]"

static void a_wrong_field_is_told_with_its_value(void **state)
{
    static const struct {
        const char *label, *header; /* before four bytes of data */
        const char *message;
    } cases[] = {
        { "no JSON", "hello", "byte 8: 'h' stands where an object should" },
        { "no object", "[]", "byte 8: '[' stands where an object should" },
        { "text behind the JSON", "{}x", "byte 10: 'x' stands where" },
        { "two values", "{} {}", "byte 11: more text follows" },
        { "an entry that is no object", "{\"w\":7}", "byte 13: '7' stands where an object should" },
        { "an entry that is null", "{\"w\":null}", "'n' stands where an object should" },
        { "free text twice", "{\"__metadata__\":{},\"__metadata__\":{}}", "\"__metadata__\" is there twice" },
        { "a NUL in a name", "{\"a\\u0000b\":{" DTYPE "," SHAPE "," OFFSETS "}}", "a tensor's name holds a NUL" },
        { "no type", TENSOR(SHAPE "," OFFSETS), "tensor \"w\" has no \"dtype\"" },
        { "no shape", TENSOR(DTYPE "," OFFSETS), "tensor \"w\" has no \"shape\"" },
        { "no offsets", TENSOR(DTYPE "," SHAPE), "tensor \"w\" has no \"data_offsets\"" },
        { "nothing at all", TENSOR(""), "tensor \"w\" has no \"dtype\"" },
        { "two types", TENSOR(DTYPE "," DTYPE "," SHAPE "," OFFSETS), "tensor \"w\" has two \"dtype\"" },
        { "two shapes", TENSOR(SHAPE "," DTYPE "," SHAPE "," OFFSETS), "tensor \"w\" has two \"shape\"" },
        { "two offsets", TENSOR(OFFSETS "," DTYPE "," SHAPE "," OFFSETS), "tensor \"w\" has two \"data_offsets\"" },

        { "an unknown type", TENSOR("\"dtype\":\"F4\"," SHAPE "," OFFSETS), "tensor \"w\" is of dtype \"F4\"" },
        { "a type in small letters", TENSOR("\"dtype\":\"f32\"," SHAPE "," OFFSETS), "is of dtype \"f32\"" },
        { "no type's name", TENSOR("\"dtype\":\"\"," SHAPE "," OFFSETS), "is of dtype \"\"" },
        { "a type with a NUL", TENSOR("\"dtype\":\"U8\\u0000\"," SHAPE "," OFFSETS), "is of dtype \"U8" },
        { "a type that is a number", TENSOR("\"dtype\":8," SHAPE "," OFFSETS), "'8' stands where a string should" },

        { "a shape that is a number", TENSOR(DTYPE ",\"shape\":4," OFFSETS), "'4' stands where an array should" },
        { "a shape of text", TENSOR(DTYPE ",\"shape\":[\"4\"]," OFFSETS), "'\"' stands where a number should" },
        { "a shape of shapes", TENSOR(DTYPE ",\"shape\":[[4]]," OFFSETS), "'[' stands where a number should" },
        { "a negative size", TENSOR(DTYPE ",\"shape\":[-4]," OFFSETS), "-4 is not a whole number from 0" },
        { "half a size", TENSOR(DTYPE ",\"shape\":[4.0]," OFFSETS), "4.0 is not a whole number" },
        { "a size beyond 64 bits", TENSOR(DTYPE ",\"shape\":[18446744073709551620]," OFFSETS),
          "18446744073709551620 is not a whole number" },
        { "nine dimensions", TENSOR(DTYPE ",\"shape\":[4,1,1,1,1,1,1,1,1]," OFFSETS), "tensor \"w\" has more than 8 dimensions" },
        { "too few elements", TENSOR(DTYPE ",\"shape\":[3]," OFFSETS),
          "tensor \"w\", [3] of U8, needs 3 bytes, but its offsets span 4" },
        { "too many elements", TENSOR(DTYPE ",\"shape\":[5]," OFFSETS), "[5] of U8, needs 5 bytes, but its offsets span 4" },
        { "a wider type than the offsets", TENSOR("\"dtype\":\"F16\"," SHAPE "," OFFSETS),
          "[4] of F16, needs 8 bytes, but its offsets span 4" },
        { "a single number in four bytes", TENSOR(DTYPE ",\"shape\":[]," OFFSETS),
          "[] of U8, needs 1 bytes, but its offsets span 4" },
        { "an empty tensor with bytes", TENSOR(DTYPE ",\"shape\":[4,0]," OFFSETS),
          "[4, 0] of U8, needs 0 bytes, but its offsets span 4" },
        { "a product that wraps to 4", TENSOR(DTYPE ",\"shape\":[4611686018427387905,4]," OFFSETS),
          "[4611686018427387905, 4] of U8 is beyond all memory" },
        { "a product that wraps to 0", TENSOR(DTYPE ",\"shape\":[4294967296,4294967296]," OFFSETS),
          "[4294967296, 4294967296] of U8 is beyond" },
        { "bytes that wrap to 4", TENSOR("\"dtype\":\"F32\",\"shape\":[4611686018427387905]," OFFSETS),
          "[4611686018427387905] of F32 is beyond" },
        { "the largest shape there is",
          TENSOR(DTYPE ",\"shape\":[9223372036854775807,9223372036854775807,9223372036854775807,9223372036854775807,9223372036854775807,"
                 "9223372036854775807,9223372036854775807,9223372036854775807]," OFFSETS),
          "9223372036854775807, 9223372036854775807] of U8 is beyond all memory" },

        { "offsets that are text", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":\"0,4\""), "'\"' stands where an array should" },
        { "no offsets in the list", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[]"), "must hold two numbers, it holds 0" },
        { "one offset", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[4]"), "must hold two numbers, it holds 1" },
        { "three offsets", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[0,4,4]"), "holds more than two numbers" },
        { "a negative offset", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[-4,0]"), "-4 is not a whole number" },
        { "an offset beyond 64 bits", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[0,18446744073709551620]"),
          "18446744073709551620 is not" },
        { "an end before the beginning", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[4,0]"),
          "tensor \"w\" begins at byte 4 of the data and ends before it, at 0" },
        { "an end behind the file", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[1,5]"),
          "tensor \"w\" ends at byte 5 of the data, the file at 4" },
        { "an end far behind the file", TENSOR(DTYPE "," SHAPE ",\"data_offsets\":[9223372036854775803,9223372036854775807]"),
          "ends at byte 9223372036854775807 of the data, the file at 4" },

        { "the same bytes twice", "{" BYTES("a", 0, 4) "," BYTES("b", 0, 4) "}",
          "overlap: one ends at byte 4 of the data, the other begins at 0" },
        { "one byte twice", "{" BYTES("a", 0, 3) ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
          "tensors \"a\" and \"b\" overlap: one ends at byte 3 of the data, the other begins at 2" },
        { "an empty tensor within another", "{" EMPTY("a", 2) "," BYTES("b", 0, 4) "}", "tensors \"b\" and \"a\" overlap" },
        { "a hole", "{" SCALAR("a", 0, 1) "," SCALAR("b", 3, 4) "}",
          "bytes 1 to 3 of the data, before tensor \"b\", belong to no tensor" },
        { "a hole at the beginning", "{" SCALAR("a", 3, 4) "}",
          "bytes 0 to 3 of the data, before tensor \"a\", belong to no tensor" },
        { "a hole at the end", "{" SCALAR("a", 0, 1) "}",
          "the tensors end at byte 1 of the data, the file at 4: the rest belongs to no tensor" },
        { "data without tensors", "{}", "the tensors end at byte 0 of the data, the file at 4" },
        { "an empty tensor behind a hole", "{" BYTES("a", 0, 3) "," EMPTY("b", 4) "}",
          "bytes 3 to 4 of the data, before tensor \"b\"" },
    };
    const size_t live = core_memory_live();
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ckpt_table table = { NULL, 0, 0 };
        check_refusal(cases[i].label, read_header(cases[i].header, 4, &table), cases[i].message);
        ckpt_table_deinit(&table);
        assert_int_equal(core_memory_live(), live);
    }
}

static void a_dtype_is_shown_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        ckpt_table table = { NULL, 0, 0 };
        char       header[800] = "{\"w\":{\"dtype\":\"";
        memset(header + strlen(header), 'x', shift);
        for (size_t i = 0; i < 200; i++)
            memcpy(header + strlen(header), "\xE2\x82\xAC", 4);
        strcat(header, "\"}}");
        assert_int_equal(read_header(header, 0, &table), OCLM_ERR_UNSUPPORTED);
        assert_int_equal(core_utf8_check(oclm_last_error(), strlen(oclm_last_error())), SIZE_MAX);
        assert_non_null(strstr(oclm_last_error(), "\xE2\x82\xAC\", which oclm does not know"));
        ckpt_table_deinit(&table);
    }
}

/* ---- Bad lengths */

static void a_wrong_header_length_is_told(void **state)
{
    static const struct {
        const char *label;
        uint64_t    told; /* with a header of 2 bytes and 4 bytes of data */
        const char *message;
    } cases[] = {
        { "none", 0, "byte 8: the text ends where an object should follow" },
        { "one too short", 1, "byte 9: the text ends" },
        { "one too long", 3, "byte 10: byte 0x00 stands where" },
        { "the data too", 6, "byte 10: byte 0x00" },
        { "one behind the file", 7, "the header is 7 bytes long, the file has only 6 after its length" },
        { "the limit", CKPT_MAX_HEADER, "the header is 100000000 bytes long, the file has only 6" },
        { "above the limit", CKPT_MAX_HEADER + 1, "its header would be 100000001 bytes long, more than the 100000000 allowed" },
        { "one that wraps with its own 8 bytes", UINT64_MAX - 7, "its header would be 18446744073709551608 bytes long" },
        { "the largest", UINT64_MAX, "its header would be 18446744073709551615 bytes long" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ckpt_table table = { NULL, 0, 0 };
        char      *bytes = weights_bytes(cases[i].told, "{}", 2, 4);
        check_refusal(cases[i].label, read_bytes(bytes, 14, &table), cases[i].message);
        ckpt_table_deinit(&table);
        free(bytes);
    }
}

static void other_files_are_told_apart(void **state)
{
    static const struct {
        const char *label, *bytes, *message;
    } cases[] = {
        { "an empty file", "", "0 bytes are no safetensors file" },
        { "a line of text", "oops", "4 bytes are no safetensors file, which starts with 8 bytes of length" },
        { "a page of the web", "<!DOCTYPE html><html>", "its header would be" },
        { "a zip archive, as PyTorch makes", "PK\x03\x04\x01\x01\x01\x01zip", "its header would be" },
        { "a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
          "is Git LFS's pointer to the file" },
        { "the beginning of such a pointer", "version https://git-lf", "its header would be" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ckpt_table table = { NULL, 0, 0 };
        check_refusal(cases[i].label, read_bytes(cases[i].bytes, strlen(cases[i].bytes), &table), cases[i].message);
        ckpt_table_deinit(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_with_its_size),
        cmocka_unit_test(unusual_but_right_headers_are_read),
        cmocka_unit_test(data_is_where_the_offsets_say),
        cmocka_unit_test(a_wrong_field_is_told_with_its_value),
        cmocka_unit_test(a_dtype_is_shown_cut_between_characters),
        cmocka_unit_test(a_wrong_header_length_is_told),
        cmocka_unit_test(other_files_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
