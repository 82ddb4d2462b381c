/* gguf.h: the key-values at the beginning of a GGUF file, in memory. Here because two rooms need them: checkpoint/ for the
 * model, tokenizer/ for the tokenizer; neither may use the other, and a list of typed values knows nothing of models.
 *
 * Every length is checked when the file is opened; afterwards values are read without further checks. */
#ifndef OCLM_CORE_GGUF_H
#define OCLM_CORE_GGUF_H

#include "core/status.h"

typedef enum core_gguf_type {
    CORE_GGUF_U8, CORE_GGUF_I8, CORE_GGUF_U16, CORE_GGUF_I16, CORE_GGUF_U32, CORE_GGUF_I32, CORE_GGUF_F32, CORE_GGUF_BOOL,
    CORE_GGUF_STRING, CORE_GGUF_ARRAY, CORE_GGUF_U64, CORE_GGUF_I64, CORE_GGUF_F64, CORE_GGUF_TYPE_COUNT
} core_gguf_type;

typedef struct core_gguf_value {
    const char *key;        /* not NUL-ended */
    size_t      key_length;
    core_gguf_type type;    /* of the value; of an array, of its items */
    bool        array;
    uint64_t    count;      /* of an array's items; else 1 */
    const char *data;       /* the first item */
} core_gguf_value;

typedef struct core_gguf {
    const char      *origin;
    core_gguf_value *values;
    size_t           count;
    uint64_t         tensor_count;
    size_t           tensors;   /* where the list of tensors begins */
} core_gguf;

/* Reads the key-values of versions 2 and 3. `data` and `origin` stay valid while they are used. Free with core_gguf_free(), also
 * where it fails. Errors: OCLM_ERR_FORMAT, OCLM_ERR_UNSUPPORTED (version, byte order), OCLM_ERR_MEMORY. */
oclm_status core_gguf_open(core_gguf *file, const void *data, size_t size, const char *origin);
void        core_gguf_free(core_gguf *file);

const core_gguf_value *core_gguf_find(const core_gguf *file, const char *key); /* NULL: there is none */
/* Typed values: an absent one leaves `*value` as it is; one of another kind is OCLM_ERR_FORMAT naming file and key. Any type of
 * whole number will do for one, and for bool. */
oclm_status core_gguf_get_int(const core_gguf *file, const char *key, int64_t *value);
oclm_status core_gguf_get_bool(const core_gguf *file, const char *key, bool *value);
oclm_status core_gguf_get_string(const core_gguf *file, const char *key, const char **text, size_t *length);
/* Arrays: *value is NULL where there is none. */
oclm_status core_gguf_get_array(const core_gguf *file, const char *key, core_gguf_type type, const core_gguf_value **value);

/* Item `index` of an array of numbers, or a single number (0); as a float, any number. */
int64_t core_gguf_int(const core_gguf_value *value, uint64_t index);
double  core_gguf_float(const core_gguf_value *value, uint64_t index);
/* Strings follow one another: start with *at = value->data, call it value->count times. */
const char *core_gguf_next_string(const char **at, size_t *length);

/* A place in a file, for reading on where the key-values end: at file->tensors. `what` is read, for the message where the file ends before. */
typedef struct core_gguf_cursor {
    const char *begin, *p, *end;
    const char *origin;
} core_gguf_cursor;
oclm_status core_gguf_read_bits(core_gguf_cursor *at, size_t bytes, const char *what, uint64_t *bits); /* a number of up to 8 bytes */
oclm_status core_gguf_read_string(core_gguf_cursor *at, const char *what, const char **text, size_t *length);

#endif
