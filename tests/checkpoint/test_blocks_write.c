/* test_blocks_write.c: blocks_write.c against the blocks that gguf writes (tests/golden/gguf_blocks_written.json), byte for byte. */
#include "core/unit.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/blocks_write.h"
#include "core/json.h"

static uint8_t *bytes_of(const char *hex, size_t *count)
{
    *count = strlen(hex) / 2;
    uint8_t *bytes = malloc(*count + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *count; i++) {
        const char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static float *values_of(const char *hex, size_t *count)
{
    uint8_t *bytes = bytes_of(hex, count);
    float   *values = malloc(*count + 1);
    assert_non_null(values);
    *count /= 4;
    for (size_t i = 0; i < *count; i++) {
        const uint32_t bits = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 | (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
    free(bytes);
    return values;
}

static void blocks_are_those_that_gguf_writes(void **state)
{
    cJSON       *golden;
    const cJSON *type;
    size_t       count, wanted_bytes, types = 0;
    (void)state;
    if (core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/gguf_blocks_written.json", 1 << 20, &golden) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    float *values = values_of(cJSON_GetObjectItem(golden, "values")->valuestring, &count);
    cJSON_ArrayForEach(type, cJSON_GetObjectItem(golden, "types"))
    {
        const char    *name = cJSON_GetObjectItem(type, "name")->valuestring;
        const uint32_t id = (uint32_t)cJSON_GetObjectItem(type, "id")->valueint;
        uint8_t       *wanted = bytes_of(cJSON_GetObjectItem(type, "blocks")->valuestring, &wanted_bytes);
        uint8_t       *written = malloc(wanted_bytes);
        assert_non_null(written);
        assert_int_equal(count % ckpt_block_values(id), 0);
        if (ckpt_block_bytes(id, count) != wanted_bytes)
            fail_msg("%s: %zu bytes, want %zu", name, ckpt_block_bytes(id, count), wanted_bytes);
        ckpt_blocks_write(id, values, count, written);
        for (size_t i = 0; i < wanted_bytes; i++) {
            if (written[i] != wanted[i])
                fail_msg("%s: byte %zu of block %zu is 0x%02X, want 0x%02X", name, i % (wanted_bytes / (count / 32)), i / (wanted_bytes / (count / 32)),
                         (unsigned)written[i], (unsigned)wanted[i]);
        }
        free(written);
        free(wanted);
        types++;
    }
    assert_int_equal(types, 7);
    free(values);
    cJSON_Delete(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(blocks_are_those_that_gguf_writes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
