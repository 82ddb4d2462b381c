/* gguf_write.h: a GGUF file (version 3) to write: key-values first, then the list of tensors, in memory; their data follows from elsewhere.
 *
 * The first failure (memory) is kept in `status`, and what follows does nothing: ask once, at the end. */
#ifndef OCLM_CORE_GGUF_WRITE_H
#define OCLM_CORE_GGUF_WRITE_H

#include "core/gguf.h"
#include "core/text.h"

#define CORE_GGUF_ALIGNMENT 32u /* of each tensor's data, where a file says nothing else */

typedef struct core_gguf_writer {
    core_text   values, tensors;
    uint64_t    value_count, tensor_count;
    uint64_t    data_bytes; /* of all tensors so far, each rounded up to the alignment */
    oclm_status status;
} core_gguf_writer;

#define CORE_GGUF_WRITER_INIT { CORE_TEXT_INIT, CORE_TEXT_INIT, 0, 0, 0, OCLM_OK }

/* ---- Key-values. A key comes once. */
void core_gguf_put_u32(core_gguf_writer *writer, const char *key, uint32_t value);
void core_gguf_put_f32(core_gguf_writer *writer, const char *key, float value);
void core_gguf_put_bool(core_gguf_writer *writer, const char *key, bool value);
void core_gguf_put_string(core_gguf_writer *writer, const char *key, const char *text, size_t length);
/* An array's head; its `count` items follow, by core_gguf_add_ and the type. */
void core_gguf_put_array(core_gguf_writer *writer, const char *key, core_gguf_type type, uint64_t count);
void core_gguf_add_u32(core_gguf_writer *writer, uint32_t value); /* also CORE_GGUF_I32, as its bits */
void core_gguf_add_f32(core_gguf_writer *writer, float value);
void core_gguf_add_bool(core_gguf_writer *writer, bool value);
void core_gguf_add_string(core_gguf_writer *writer, const char *text, size_t length);

/* ---- Tensors, in the order of their data. `shape`: outermost first. `bytes`: of its data, which the writer of the file pads to the alignment. */
void core_gguf_put_tensor(core_gguf_writer *writer, const char *name, const uint64_t *shape, uint32_t dims, uint32_t type, uint64_t bytes);

/* All that stands before the data, padded to the alignment. Returns `status`. */
oclm_status core_gguf_head(core_gguf_writer *writer, core_text *head);
void        core_gguf_writer_free(core_gguf_writer *writer);

#endif
