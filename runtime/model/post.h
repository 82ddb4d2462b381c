/* post.h: what the host tells a device before a pass: sent without waiting for what the device still does. */
#ifndef OCLM_MODEL_POST_H
#define OCLM_MODEL_POST_H

#include "device/memory.h"

#define MODEL_POST_SLOTS 15u    /* most of a post; a pass takes up to five for its rows: so the host is three passes ahead, at most */
#define MODEL_POST_OF_TABLES 3u /* and one for a page table */

/* Copies of what is under way. All zero: none. */
typedef struct model_post {
    uint8_t *memory; /* [count][bytes] */
    size_t   bytes;
    cl_event sent[MODEL_POST_SLOTS]; /* NULL: nothing is under way from there */
    uint32_t count, next;
} model_post;

/* With room for `count` sends of at most `bytes` each. */
oclm_status model_post_new(uint32_t count, size_t bytes, model_post *post);
/* Enqueues the write of `bytes` of `data`, which is copied first; bytes 0 does nothing. Waits only where all slots are under way.
 * Errors: OCLM_ERR_DEVICE. */
oclm_status model_post_send(model_post *post, cl_command_queue queue, const dev_buffer *buffer, size_t offset, const void *data, size_t bytes);
void        model_post_free(model_post *post); /* waits for what is under way */

#endif
