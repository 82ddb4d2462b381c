/* arena.h: the memory of one rendering: taken piece by piece, given back all at once. So values may share parts and
 * even form circles, and no error path has anything to free. A ceiling keeps a hostile template from eating the
 * machine. */
#ifndef OCLM_TOKENIZER_CHAT_ARENA_H
#define OCLM_TOKENIZER_CHAT_ARENA_H

#include "core/memory.h"

typedef struct jinja_block jinja_block;

typedef struct jinja_arena {
    jinja_block *blocks; /* newest first */
    char *next;          /* what is free in the newest */
    size_t left;
    const char *tail; /* where the last taken ends */
    size_t used;      /* bytes of all blocks */
    size_t limit;     /* most that `used` may be */
} jinja_arena;

/* Memory for `bytes`, aligned for any value of ours, not zeroed; NULL after a message: OCLM_ERR_MEMORY's where the
 * machine has none, else none and `used` near `limit`. */
void *jinja_arena_take(jinja_arena *arena, size_t bytes);
/* Makes room for `more` bytes right behind the `length` at `data`, where these end what was taken last and there is
 * space; else false. */
bool jinja_arena_extend(jinja_arena *arena, const char *data, size_t length, size_t more);
void jinja_arena_free(jinja_arena *arena);

#endif
