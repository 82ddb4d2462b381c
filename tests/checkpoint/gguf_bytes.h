/* gguf_bytes.h: GGUF files made up for a test: any key-values, any tensors, true or not. */
#ifndef OCLM_TESTS_CHECKPOINT_GGUF_BYTES_H
#define OCLM_TESTS_CHECKPOINT_GGUF_BYTES_H

#include "core/gguf.h"
#include "core/scratch.h"
#include "core/text.h"
#include "core/unit.h"

/* What a file says of a tensor; the list is ended by one without a name. */
typedef struct gguf_tensor {
    const char *name;
    uint32_t    dims;
    uint64_t    shape[8]; /* as the file has it: innermost first */
    uint32_t    type;
    uint64_t    offset;
} gguf_tensor;

static inline void gguf_number(core_text *file, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(core_text_add_char(file, (char)(number >> 8 * i)), OCLM_OK);
}

static inline void gguf_string(core_text *file, const char *text)
{
    gguf_number(file, strlen(text), 8);
    assert_int_equal(core_text_add(file, text, strlen(text)), OCLM_OK);
}

/* Replaces what `file` held. */
static inline void gguf_begin(core_text *file, uint64_t version, uint64_t tensors, uint64_t keys)
{
    core_text_clear(file);
    assert_int_equal(core_text_add_string(file, "GGUF"), OCLM_OK);
    gguf_number(file, version, 4);
    gguf_number(file, tensors, 8);
    gguf_number(file, keys, 8);
}

static inline void gguf_key_int(core_text *file, const char *key, core_gguf_type type, int64_t value)
{
    static const size_t bytes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8 };
    gguf_string(file, key);
    gguf_number(file, type, 4);
    gguf_number(file, (uint64_t)value, bytes[type]);
}

static inline void gguf_key_string(core_text *file, const char *key, const char *value)
{
    gguf_string(file, key);
    gguf_number(file, CORE_GGUF_STRING, 4);
    gguf_string(file, value);
}

static inline void gguf_list(core_text *file, const gguf_tensor *tensors)
{
    for (; tensors->name != NULL; tensors++) {
        gguf_string(file, tensors->name);
        gguf_number(file, tensors->dims, 4);
        for (uint32_t i = 0; i < tensors->dims && i < COUNT(tensors->shape); i++)
            gguf_number(file, tensors->shape[i], 8);
        gguf_number(file, tensors->type, 4);
        gguf_number(file, tensors->offset, 8);
    }
}

static inline void gguf_pad(core_text *file, size_t alignment)
{
    while (file->length % alignment != 0)
        gguf_number(file, 0, 1);
}

#endif
