/* safetensors.h: the tensors that one .safetensors file declares. Inside the room. */
#ifndef OCLM_CHECKPOINT_SAFETENSORS_H
#define OCLM_CHECKPOINT_SAFETENSORS_H

#include "checkpoint/files.h"

/* "[4096, 11008]", for messages. */
#define CKPT_SHAPE_TEXT (CKPT_MAX_DIMS * 22 + 3)
const char *ckpt_shape_text(const uint64_t *shape, uint32_t dims, char buffer[CKPT_SHAPE_TEXT]);

/* Adds the tensors of a mapped file, each checked against the file and all of them against each other. `path` is for
 * messages, `file` goes into each tensor. On failure the table is still to be deinitialised. */
oclm_status ckpt_safetensors_read(const core_map *map, const char *path, uint32_t file, ckpt_table *table);

#endif
