/* test_blocks.c: blocks.c against gguf's own decoder (tests/golden/blocks.json): what is read of a tensor of each type stands for the same floats,
 * to the last bit. */
#include "checkpoint/gguf_bytes.h"

#include "checkpoint/checkpoint.h"
#include "core/folder.h"
#include "core/json.h"

#define TYPES 13

static cJSON *golden;

static int read_golden(void **state)
{
    (void)state;
    if (core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/blocks.json", 1 << 24, &golden) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    return 0;
}

static int free_golden(void **state)
{
    (void)state;
    cJSON_Delete(golden);
    return 0;
}

static uint64_t number(const cJSON *entry, const char *key)
{
    const cJSON *const item = cJSON_GetObjectItem(entry, key);
    assert_true(cJSON_IsNumber(item));
    return (uint64_t)item->valuedouble;
}

static uint32_t hex(const char *text, size_t digits)
{
    char part[9] = "";
    memcpy(part, text, digits);
    return (uint32_t)strtoul(part, NULL, 16);
}

/* A file with the entry's blocks as its tensor "w". */
static ckpt_checkpoint *open_entry(const cJSON *entry)
{
    const gguf_tensor  list[] = { { "w", 2, { number(entry, "columns"), number(entry, "rows") }, (uint32_t)number(entry, "id"), 0 }, { 0 } };
    const char *const  blocks = cJSON_GetObjectItem(entry, "blocks")->valuestring;
    core_text          file = CORE_TEXT_INIT;
    ckpt_checkpoint   *checkpoint;
    gguf_begin(&file, 3, 1, 0);
    gguf_list(&file, list);
    gguf_pad(&file, 32);
    for (size_t i = 0; blocks[i] != '\0'; i += 2)
        gguf_number(&file, hex(blocks + i, 2), 1);
    scratch_write(folder, "model.gguf", file.data, file.length);
    core_text_free(&file);
    if (ckpt_open_gguf(path_of("model.gguf"), &checkpoint) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    return checkpoint;
}

static void check_row(const char *type, uint64_t row, const float *values, const char *want, uint64_t columns)
{
    assert_int_equal(strlen(want), 8 * columns);
    for (uint64_t k = 0; k < columns; k++) {
        const float    value = values[k] == 0.0f ? 0.0f : values[k]; /* -0 and 0 alike */
        const uint32_t bits = hex(want + 8 * k, 8);
        float          wanted;
        memcpy(&wanted, &bits, sizeof wanted);
        if (memcmp(&value, &wanted, sizeof value) != 0)
            fail_msg("%s: row %u, column %u: %.9g, want %.9g", type, (unsigned)row, (unsigned)k, (double)value, (double)wanted);
    }
}

/* Rows first .. rows - 1 of the tensor. */
static void check_rows(const cJSON *entry, const ckpt_tensor *tensor, uint64_t first)
{
    const char *const  type = cJSON_GetObjectItem(entry, "type")->valuestring;
    const uint64_t     rows = number(entry, "rows") - first, columns = number(entry, "columns");
    const core_storage storage = tensor->quantized->storage;
    float *const       values = malloc((size_t)(rows * columns) * sizeof *values);
    core_codes         codes;
    assert_non_null(values);
    assert_int_equal(core_codes_new(&storage, rows, columns, &codes), OCLM_OK);
    assert_int_equal(tensor->quantized->read(tensor, first, rows, &codes), OCLM_OK);
    for (uint64_t i = 0; i < rows * columns; i++) {
        if (codes.codes[i] >> storage.bits != 0)
            fail_msg("%s: code %u is %u, of %u bits", type, (unsigned)i, codes.codes[i], storage.bits);
    }
    core_codes_values(&storage, &codes, rows, columns, values);
    for (uint64_t row = 0; row < rows; row++)
        check_row(type, first + row, values + row * columns, cJSON_GetArrayItem(cJSON_GetObjectItem(entry, "values"), (int)(first + row))->valuestring,
                  columns);
    core_codes_free(&codes);
    free(values);
}

static void blocks_stand_for_the_floats_that_gguf_gives(void **state)
{
    const cJSON *entry;
    unsigned     types = 0;
    (void)state;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(golden, "types")) {
        ckpt_checkpoint *const   checkpoint = open_entry(entry);
        const ckpt_tensor *const tensor = ckpt_find(checkpoint, "w");
        if (!core_storage_is_valid(&tensor->quantized->storage))
            fail_msg("%s: no kernel is built for its storage", cJSON_GetObjectItem(entry, "type")->valuestring);
        assert_int_equal(tensor->quantized->bytes, strlen(cJSON_GetObjectItem(entry, "blocks")->valuestring) / 2);
        for (uint64_t first = 0; first < number(entry, "rows"); first++)
            check_rows(entry, tensor, first);
        ckpt_close(checkpoint);
        types++;
    }
    assert_int_equal(types, TYPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = { IN_SCRATCH(blocks_stand_for_the_floats_that_gguf_gives) };
    return cmocka_run_group_tests(tests, read_golden, free_golden);
}
