/* arena.c: blocks that double in size up to 1 MiB; what is larger gets a block of its own. */
#include "tokenizer/chat/arena.h"

#define FIRST_BLOCK   ((size_t)16 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)
#define ALIGNMENT     ((size_t)8)

struct jinja_block {
    jinja_block *before;
    size_t size;
};

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static bool add_block(jinja_arena *arena, size_t bytes)
{
    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    jinja_block *block;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < bytes)
        size = bytes;
    if (arena->used > arena->limit || size > arena->limit - arena->used)
        return false;
    if (!(block = core_alloc(sizeof *block + size, "a chat template's values")))
        return false;
    block->before = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->next = (char *)(block + 1);
    arena->left = size;
    arena->used += size;
    return true;
}

void *jinja_arena_take(jinja_arena *arena, size_t bytes)
{
    const size_t whole = aligned(bytes ? bytes : 1);
    char *taken;
    if (bytes > arena->limit || (whole > arena->left && !add_block(arena, whole)))
        return NULL;
    taken = arena->next;
    arena->tail = taken + bytes;
    arena->next += whole;
    arena->left -= whole;
    return taken;
}

bool jinja_arena_extend(jinja_arena *arena, const char *data, size_t length, size_t more)
{
    size_t spare, needed;
    if (!arena->tail || data + length != arena->tail || more > arena->limit)
        return false;
    spare = (size_t)(arena->next - arena->tail);
    needed = more > spare ? aligned(more - spare) : 0;
    if (needed > arena->left)
        return false;
    arena->tail += more;
    arena->next += needed;
    arena->left -= needed;
    return true;
}

void jinja_arena_free(jinja_arena *arena)
{
    while (arena->blocks) {
        jinja_block *before = arena->blocks->before;
        core_free(arena->blocks);
        arena->blocks = before;
    }
    *arena = (jinja_arena){ .limit = arena->limit };
}
