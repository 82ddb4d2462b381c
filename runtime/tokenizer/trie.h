/* trie.h: which entries of a vocabulary a text begins with: one step down a tree for each byte.
 *
 * Nodes lie level by level, a node's children side by side in the order of their bytes: 12 bytes a node, built from the sorted
 * entries in one pass. */
#ifndef OCLM_TOKENIZER_TRIE_H
#define OCLM_TOKENIZER_TRIE_H

#include "tokenizer/vocab.h"

typedef struct tok_trie_node {
    uint32_t first; /* child */
    int32_t  id;    /* of the entry that ends here, or -1 */
    uint16_t count; /* of children */
    uint8_t  byte;  /* that leads here */
} tok_trie_node;

typedef struct tok_trie {
    tok_trie_node *nodes; /* [count]; node 0 is the root */
    size_t         count;
    uint32_t       after[256]; /* the root's children by their bytes; 0: none */
} tok_trie;

oclm_status tok_trie_build(tok_trie *trie, const tok_vocab *vocab);
void        tok_trie_deinit(tok_trie *trie);

/* The node one byte further down, or 0: no entry goes on so. */
static inline uint32_t tok_trie_step(const tok_trie *trie, uint32_t node, unsigned char byte)
{
    if (node == 0)
        return trie->after[byte];
    uint32_t low = trie->nodes[node].first, high = low + trie->nodes[node].count;
    while (high - low > 4) {
        const uint32_t middle = low + (high - low) / 2;
        if (trie->nodes[middle].byte <= byte)
            low = middle;
        else
            high = middle;
    }
    for (; low < high; low++) {
        if (trie->nodes[low].byte == byte)
            return low;
    }
    return 0;
}

#endif
