/* protobuf.h: walks the fields of a protobuf message in memory. Nothing a length says is believed. */
#ifndef OCLM_TOKENIZER_PROTOBUF_H
#define OCLM_TOKENIZER_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tok_wire { TOK_WIRE_VARINT = 0, TOK_WIRE_FIXED64 = 1, TOK_WIRE_BYTES = 2, TOK_WIRE_FIXED32 = 5 } tok_wire;

typedef struct tok_proto {
    const char *begin, *p, *end;
    bool broken; /* what stands at `p` is no field */
} tok_proto;

typedef struct tok_proto_field {
    uint32_t number;
    tok_wire wire;
    uint64_t value;    /* of a varint or a fixed number */
    const char *bytes; /* of a string or a message */
    size_t length;
} tok_proto_field;

static inline tok_proto tok_proto_of(const char *data, size_t length)
{
    return (tok_proto){ data, data, length > 0 ? data + length : data, false }; /* nothing may be at NULL, from which C lets no one count */
}

/* The next field; false at the end, and where the message is broken. */
bool tok_proto_next(tok_proto *message, tok_proto_field *field);
/* A field's value as what its kind says; of another kind it is `other`. */
float tok_proto_float(const tok_proto_field *field, float other);
int32_t tok_proto_int(const tok_proto_field *field, int32_t other);
bool tok_proto_bool(const tok_proto_field *field, bool other);

#endif
