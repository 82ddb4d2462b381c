/* shards.h: model.safetensors.index.json, which says which file holds which tensor. Inside the room. */
#ifndef OCLM_CHECKPOINT_SHARDS_H
#define OCLM_CHECKPOINT_SHARDS_H

#include "checkpoint/checkpoint.h"

typedef struct ckpt_shard_entry {
    char       *tensor;
    const char *shard; /* one of `shards` */
} ckpt_shard_entry;

typedef struct ckpt_shard_index {
    char            **shards; /* plain file names, in order of name, each once */
    size_t            shard_count;
    ckpt_shard_entry *entries; /* in order of tensor, each once */
    size_t            count, capacity;
} ckpt_shard_index;

#define CKPT_SHARD_INDEX_INIT { NULL, 0, NULL, 0, 0 }

/* Reads the index's text. On failure the index is still to be deinitialised. */
oclm_status ckpt_shard_index_read(const char *text, size_t length, const char *path, ckpt_shard_index *index);
void        ckpt_shard_index_deinit(ckpt_shard_index *index);

#endif
