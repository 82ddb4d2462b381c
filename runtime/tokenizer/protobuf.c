/* protobuf.c: keys, varints, lengths. https://protobuf.dev/programming-guides/encoding */
#include "tokenizer/protobuf.h"

#include <string.h>

#define MAX_VARINT 10 /* bytes */

static bool read_varint(tok_proto *message, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < MAX_VARINT && message->p < message->end; i++) {
        const unsigned char byte = (unsigned char)*message->p++;
        *value |= (uint64_t)(byte & 0x7F) << 7 * i;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool read_fixed(tok_proto *message, size_t bytes, uint64_t *value)
{
    *value = 0;
    if ((size_t)(message->end - message->p) < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint64_t)(unsigned char)*message->p++ << 8 * i;
    return true;
}

static bool read_value(tok_proto *message, tok_proto_field *field)
{
    switch (field->wire) {
    case TOK_WIRE_VARINT:
        return read_varint(message, &field->value);
    case TOK_WIRE_FIXED64:
        return read_fixed(message, 8, &field->value);
    case TOK_WIRE_FIXED32:
        return read_fixed(message, 4, &field->value);
    case TOK_WIRE_BYTES:
        if (!read_varint(message, &field->value) || field->value > (uint64_t)(message->end - message->p))
            return false;
        field->bytes = message->p;
        field->length = (size_t)field->value;
        message->p += field->length;
        return true;
    }
    return false; /* groups are out of use; 6 and 7 never were */
}

bool tok_proto_next(tok_proto *message, tok_proto_field *field)
{
    const char *start = message->p;
    uint64_t key;
    memset(field, 0, sizeof *field);
    if (message->broken || message->p == message->end)
        return false;
    if (read_varint(message, &key) && key >> 3 != 0 && key >> 3 <= 0x1FFFFFFF) {
        field->number = (uint32_t)(key >> 3);
        field->wire = (tok_wire)(key & 7);
        if (read_value(message, field))
            return true;
    }
    message->broken = true;
    message->p = start;
    return false;
}

float tok_proto_float(const tok_proto_field *field, float other)
{
    const uint32_t bits = (uint32_t)field->value;
    float value;
    memcpy(&value, &bits, sizeof value);
    return field->wire == TOK_WIRE_FIXED32 ? value : other;
}

int32_t tok_proto_int(const tok_proto_field *field, int32_t other)
{
    /* A negative int32 is written as 64 bits. */
    return field->wire == TOK_WIRE_VARINT ? (int32_t)(uint32_t)field->value : other;
}

bool tok_proto_bool(const tok_proto_field *field, bool other)
{
    return field->wire == TOK_WIRE_VARINT ? field->value != 0 : other;
}
