/* gguf_write.c: little-endian numbers, strings with their length in front (ggml/docs/gguf.md). */
#include "core/gguf_write.h"

#include <string.h>

#include "core/memory.h"

static void add_bits(core_gguf_writer *writer, core_text *to, uint64_t bits, size_t bytes)
{
    char little[8];
    for (size_t i = 0; i < bytes; i++)
        little[i] = (char)(unsigned char)(bits >> 8 * i);
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(to, little, bytes);
}

static void add_text(core_gguf_writer *writer, core_text *to, const char *text, size_t length)
{
    add_bits(writer, to, length, 8);
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(to, text, length);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put(core_gguf_writer *writer, const char *key, core_gguf_type type)
{
    add_text(writer, &writer->values, key, strlen(key));
    add_bits(writer, &writer->values, type, 4);
    writer->value_count++;
}

void core_gguf_put_u32(core_gguf_writer *writer, const char *key, uint32_t value)
{
    put(writer, key, CORE_GGUF_U32);
    core_gguf_add_u32(writer, value);
}

void core_gguf_put_f32(core_gguf_writer *writer, const char *key, float value)
{
    put(writer, key, CORE_GGUF_F32);
    core_gguf_add_f32(writer, value);
}

void core_gguf_put_bool(core_gguf_writer *writer, const char *key, bool value)
{
    put(writer, key, CORE_GGUF_BOOL);
    core_gguf_add_bool(writer, value);
}

void core_gguf_put_string(core_gguf_writer *writer, const char *key, const char *text, size_t length)
{
    put(writer, key, CORE_GGUF_STRING);
    core_gguf_add_string(writer, text, length);
}

void core_gguf_put_array(core_gguf_writer *writer, const char *key, core_gguf_type type, uint64_t count)
{
    put(writer, key, CORE_GGUF_ARRAY);
    add_bits(writer, &writer->values, type, 4);
    add_bits(writer, &writer->values, count, 8);
}

void core_gguf_add_u32(core_gguf_writer *writer, uint32_t value)
{
    add_bits(writer, &writer->values, value, 4);
}

void core_gguf_add_bool(core_gguf_writer *writer, bool value)
{
    add_bits(writer, &writer->values, value, 1);
}

void core_gguf_add_f32(core_gguf_writer *writer, float value)
{
    add_bits(writer, &writer->values, bits_of(value), 4);
}

void core_gguf_add_string(core_gguf_writer *writer, const char *text, size_t length)
{
    add_text(writer, &writer->values, text, length);
}

static uint64_t padded(uint64_t bytes)
{
    return (bytes + CORE_GGUF_ALIGNMENT - 1) / CORE_GGUF_ALIGNMENT * CORE_GGUF_ALIGNMENT;
}

void core_gguf_put_tensor(core_gguf_writer *writer, const char *name, const uint64_t *shape, uint32_t dims, uint32_t type, uint64_t bytes)
{
    core_text *to = &writer->tensors;
    add_text(writer, to, name, strlen(name));
    add_bits(writer, to, dims, 4);
    for (uint32_t i = dims; i > 0; i--)
        add_bits(writer, to, shape[i - 1], 8);
    add_bits(writer, to, type, 4);
    add_bits(writer, to, writer->data_bytes, 8);
    writer->data_bytes += padded(bytes);
    writer->tensor_count++;
}

oclm_status core_gguf_head(core_gguf_writer *writer, core_text *head)
{
    static const char zeros[CORE_GGUF_ALIGNMENT];
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(head, "GGUF", 4);
    add_bits(writer, head, 3, 4);
    add_bits(writer, head, writer->tensor_count, 8);
    add_bits(writer, head, writer->value_count, 8);
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(head, writer->values.data, writer->values.length);
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(head, writer->tensors.data, writer->tensors.length);
    if (writer->status == OCLM_OK)
        writer->status = core_text_add(head, zeros, (size_t)(padded(head->length) - head->length));
    return writer->status;
}

void core_gguf_writer_free(core_gguf_writer *writer)
{
    core_text_free(&writer->values);
    core_text_free(&writer->tensors);
}
