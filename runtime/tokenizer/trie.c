/* trie.c: building a trie. A node is a range of the sorted entries that begin alike; its children divide that range. */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

typedef struct key {
    const unsigned char *text;
    uint32_t             length;
    int32_t              id;
} key;

typedef struct range {
    uint32_t begin, end; /* of the sorted keys */
    uint32_t depth;
} range;

typedef struct building {
    tok_trie *trie;
    range    *ranges; /* of each node */
    size_t    capacity;
} building;

static int compare_keys(const void *a, const void *b)
{
    const key   *x = a, *y = b;
    const size_t both = x->length < y->length ? x->length : y->length;
    const int    order = both > 0 ? memcmp(x->text, y->text, both) : 0;
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

static oclm_status add_node(building *b, unsigned char byte, range entries)
{
    tok_trie *trie = b->trie;
    if (trie->count == b->capacity) {
        const size_t capacity = b->capacity == 0 ? 1024 : b->capacity * 2;
        if (capacity > UINT32_MAX)
            return core_fail(OCLM_ERR_FORMAT, "the vocabulary is too long: more than %u different beginnings", UINT32_MAX / 2);
        tok_trie_node *nodes = core_realloc_array(trie->nodes, capacity, sizeof *nodes, "a vocabulary's tree");
        if (nodes == NULL)
            return OCLM_ERR_MEMORY;
        trie->nodes = nodes;
        range *ranges = core_realloc_array(b->ranges, capacity, sizeof *ranges, "a vocabulary's tree");
        if (ranges == NULL)
            return OCLM_ERR_MEMORY;
        b->ranges = ranges;
        b->capacity = capacity;
    }
    trie->nodes[trie->count] = (tok_trie_node){ 0, -1, 0, byte };
    b->ranges[trie->count++] = entries;
    return OCLM_OK;
}

/* The key that ends at the node is the first of its range; the others go on with some byte. */
static oclm_status add_children(building *b, const key *keys, size_t node)
{
    tok_trie    *trie = b->trie;
    const range  all = b->ranges[node];
    uint32_t     at = all.begin;
    const size_t first = trie->count;
    oclm_status  status = OCLM_OK;
    if (at < all.end && keys[at].length == all.depth)
        trie->nodes[node].id = keys[at++].id;
    while (at < all.end && status == OCLM_OK) {
        const unsigned char byte = keys[at].text[all.depth];
        uint32_t            end = at + 1;
        while (end < all.end && keys[end].text[all.depth] == byte)
            end++;
        status = add_node(b, byte, (range){ at, end, all.depth + 1 });
        at = end;
    }
    trie->nodes[node].first = (uint32_t)first;
    trie->nodes[node].count = (uint16_t)(trie->count - first);
    return status;
}

oclm_status tok_trie_build(tok_trie *trie, const tok_vocab *vocab)
{
    building    b = { trie, NULL, 0 };
    oclm_status status;
    key        *keys = core_alloc_array(vocab->count, sizeof *keys, "a vocabulary's tree");
    if (keys == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < vocab->count; i++)
        keys[i] = (key){ (const unsigned char *)vocab->pool.data + vocab->entries[i].start, vocab->entries[i].length,
                         vocab->entries[i].id };
    if (vocab->count > 0)
        qsort(keys, vocab->count, sizeof *keys, compare_keys);
    status = add_node(&b, 0, (range){ 0, (uint32_t)vocab->count, 0 });
    for (size_t node = 0; node < trie->count && status == OCLM_OK; node++)
        status = add_children(&b, keys, node);
    for (uint32_t i = 0; status == OCLM_OK && i < trie->nodes[0].count; i++)
        trie->after[trie->nodes[1 + i].byte] = 1 + i;
    core_free(keys);
    core_free(b.ranges);
    return status;
}

void tok_trie_deinit(tok_trie *trie)
{
    core_free(trie->nodes);
    memset(trie, 0, sizeof *trie);
}
