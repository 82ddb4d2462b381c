/* weights.h: safetensors files made up for a test: any header, any data. */
#ifndef OCLM_TESTS_CHECKPOINT_WEIGHTS_H
#define OCLM_TESTS_CHECKPOINT_WEIGHTS_H

#include "core/scratch.h"
#include "core/text.h"
#include "core/unit.h"

/* The file's bytes: the header's length as given, the header, then `size` bytes of data: 0, 1, 2, ... For free(). */
static inline char *weights_bytes(uint64_t told, const char *header, size_t length, size_t size)
{
    char *bytes = malloc(8 + length + size);
    if (bytes == NULL)
        abort();
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)(told >> (8 * i));
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < size; i++)
        bytes[8 + length + i] = (char)i;
    return bytes;
}

static inline void weights_write(const char *folder, const char *name, const char *header, size_t size)
{
    const size_t length = strlen(header);
    char        *bytes = weights_bytes(length, header, length, size);
    scratch_write(folder, name, bytes, 8 + length + size);
    free(bytes);
}

#endif
