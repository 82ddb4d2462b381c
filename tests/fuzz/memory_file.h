/* memory_file.h: a checkpoint whose one file lies in memory. */
#ifndef OCLM_FUZZ_MEMORY_FILE_H
#define OCLM_FUZZ_MEMORY_FILE_H

#include "checkpoint/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "fuzz/fuzz.h"

/* Without a file as yet: give it one before anything reads it. */
static inline ckpt_checkpoint *fuzz_new_checkpoint(void)
{
    ckpt_checkpoint *checkpoint = core_alloc_zero(1, sizeof *checkpoint, "a checkpoint");
    FUZZ_CHECK(checkpoint != NULL);
    return checkpoint;
}

/* `bytes` are then the checkpoint's, from core_alloc(). */
static inline const core_map *fuzz_give_file(ckpt_checkpoint *checkpoint, const char *name, uint8_t *bytes, size_t size)
{
    FUZZ_CHECK(bytes != NULL && ckpt_files_alloc(checkpoint, 1) == OCLM_OK);
    checkpoint->files[0].path = core_copy_string(name, "a path");
    FUZZ_CHECK(checkpoint->files[0].path != NULL);
    checkpoint->files[0].map = (core_map){ bytes, size };
    checkpoint->file_count = 1;
    return &checkpoint->files[0].map;
}

static inline void fuzz_close_checkpoint(ckpt_checkpoint *checkpoint)
{
    if (checkpoint->file_count > 0) { /* its bytes are no mapped file */
        core_free((uint8_t *)(uintptr_t)checkpoint->files[0].map.data);
        checkpoint->files[0].map = (core_map)CORE_MAP_INIT;
    }
    ckpt_close(checkpoint);
}

#endif
