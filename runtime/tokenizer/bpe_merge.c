/* bpe_merge.c: the table of merges, and applying them: lowest rank first, leftmost among equals.
 *
 * Short words: an array of ranks, searched for its minimum after each merge. Long ones (a whole text may be one word): a
 * heap of (rank, position) over a linked list, O(n log n). Both give the same result.
 *
 * Half of the pairs that are looked up have no merge. A filter of some bits a merge, small enough for a processor's cache, tells most
 * of them without a visit to the table of megabytes. */
#include <string.h>

#include "tokenizer/bpe.h"
#include "tokenizer/pipeline.h"

#define FIRST_SLOTS 1024
#define EMPTY 0
#define NO_RANK UINT32_MAX

static inline uint64_t pair_of(int32_t left, int32_t right)
{
    return ((uint64_t)(uint32_t)left + 1) << 32 | (uint32_t)right;
}

static inline uint64_t hash_of(uint64_t pair)
{
    return tok_hash_mix(pair * TOK_HASH_ODD);
}

static inline size_t first_slot(const tok_merges *merges, uint64_t hash)
{
    return (size_t)(hash >> 8) & (merges->slot_count - 1);
}

/* The filter's bit for a hash: FILTER_BITS for each slot. */
#define FILTER_BITS 4
static inline size_t filter_bit(const tok_merges *merges, uint64_t hash)
{
    return (size_t)(hash >> 32 ^ hash << 4) & (merges->slot_count * FILTER_BITS - 1);
}

static inline tok_merge *slot_of(const tok_merges *merges, uint64_t pair, uint64_t hash)
{
    const size_t mask = merges->slot_count - 1;
    size_t       at = first_slot(merges, hash);
    while (merges->slots[at].pair != pair && merges->slots[at].pair != EMPTY)
        at = (at + 1) & mask;
    return &merges->slots[at];
}

/* True if the pair is new. */
static bool put(tok_merges *merges, tok_merge merge)
{
    const uint64_t hash = hash_of(merge.pair);
    const size_t   bit = filter_bit(merges, hash);
    tok_merge     *slot = slot_of(merges, merge.pair, hash);
    const bool     is_new = slot->pair == EMPTY;
    merges->filter[bit / 64] |= (uint64_t)1 << (bit % 64);
    *slot = merge;
    return is_new;
}

static oclm_status grow(tok_merges *merges, size_t reserve)
{
    tok_merges larger = { NULL, NULL, merges->slot_count == 0 ? FIRST_SLOTS : merges->slot_count * 2, merges->count };
    while (larger.slot_count < reserve && larger.slot_count < TOK_MAX_MERGES)
        larger.slot_count *= 2;
    larger.slots = core_table_new(larger.slot_count, sizeof *larger.slots, "a table of merges");
    larger.filter = core_alloc_zero(larger.slot_count * FILTER_BITS / 64, sizeof *larger.filter, "a table of merges");
    if (larger.slots == NULL || larger.filter == NULL) {
        core_table_free(larger.slots, larger.slot_count, sizeof *larger.slots);
        core_free(larger.filter);
        return OCLM_ERR_MEMORY;
    }
    for (size_t i = 0; i < merges->slot_count; i++) {
        if (merges->slots[i].pair != EMPTY)
            put(&larger, merges->slots[i]);
    }
    core_free(merges->filter);
    core_table_free(merges->slots, merges->slot_count, sizeof *merges->slots);
    *merges = larger;
    return OCLM_OK;
}

oclm_status tok_merges_add(tok_merges *merges, int32_t left, int32_t right, uint32_t rank, int32_t result, size_t reserve)
{
    oclm_status status;
    if (merges->count * 8 >= merges->slot_count * 5 && (status = grow(merges, reserve)) != OCLM_OK)
        return status;
    merges->count += put(merges, (tok_merge){ pair_of(left, right), rank, result });
    return OCLM_OK;
}

void tok_merges_prefetch(const tok_merges *merges, int32_t left, int32_t right)
{
    if (merges->slot_count == 0)
        return;
    const uint64_t hash = hash_of(pair_of(left, right));
    tok_prefetch(&merges->slots[first_slot(merges, hash)]);
    tok_prefetch(&merges->filter[filter_bit(merges, hash) / 64]);
}

void tok_merges_deinit(tok_merges *merges)
{
    core_table_free(merges->slots, merges->slot_count, sizeof *merges->slots);
    core_free(merges->filter);
    *merges = (tok_merges){ NULL, NULL, 0, 0 };
}

/* ---- Short words */

typedef struct ranked {
    uint32_t rank; /* of the symbol with its right neighbour; NO_RANK: no merge */
    int32_t  result;
} ranked;

static inline ranked rank_of(const tok_merges *merges, int32_t left, int32_t right)
{
    const uint64_t pair = pair_of(left, right), hash = hash_of(pair);
    const size_t   bit = filter_bit(merges, hash);
    if (!(merges->filter[bit / 64] >> (bit % 64) & 1))
        return (ranked){ NO_RANK, -1 };
    const tok_merge *slot = slot_of(merges, pair, hash);
    return slot->pair == EMPTY ? (ranked){ NO_RANK, -1 } : (ranked){ slot->rank, slot->result };
}

static size_t apply_short(const tok_merges *merges, int32_t *symbols, size_t count)
{
    ranked pairs[TOK_SHORT_WORD];
    for (size_t i = 0; i + 1 < count; i++)
        pairs[i] = rank_of(merges, symbols[i], symbols[i + 1]);
    while (count > 1) {
        size_t   best = 0;
        uint32_t lowest = pairs[0].rank;
        for (size_t i = 1; i + 1 < count; i++) {
            if (pairs[i].rank < lowest) {
                lowest = pairs[i].rank;
                best = i;
            }
        }
        if (lowest == NO_RANK)
            break;
        symbols[best] = pairs[best].result;
        count--;
        memmove(symbols + best + 1, symbols + best + 2, (count - best - 1) * sizeof *symbols);
        memmove(pairs + best, pairs + best + 1, (count - best) * sizeof *pairs);
        if (best + 1 < count)
            pairs[best] = rank_of(merges, symbols[best], symbols[best + 1]);
        if (best > 0)
            pairs[best - 1] = rank_of(merges, symbols[best - 1], symbols[best]);
    }
    return count;
}

/* ---- Long words */

#define NOWHERE UINT32_MAX

/* A symbol of the linked list; one that was merged into its left neighbour has rank NO_RANK for good. */
typedef struct link {
    uint32_t previous, next;
    uint32_t rank; /* with its right neighbour */
    int32_t  result;
} link;

typedef struct heap {
    uint64_t *keys; /* rank << 32 | position: the lowest is the next merge */
    size_t    count;
} heap;

static void sift_down(uint64_t *keys, size_t count, size_t at, uint64_t key)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && keys[child + 1] < keys[child];
        if (keys[child] >= key)
            break;
        keys[at] = keys[child];
    }
    keys[at] = key;
}

static void heap_push(heap *queue, uint64_t key)
{
    size_t at = queue->count++;
    for (size_t parent; at > 0 && queue->keys[parent = (at - 1) / 2] > key; at = parent)
        queue->keys[at] = queue->keys[parent];
    queue->keys[at] = key;
}

static uint64_t heap_pop(heap *queue)
{
    const uint64_t lowest = queue->keys[0];
    queue->count--;
    if (queue->count > 0)
        sift_down(queue->keys, queue->count, 0, queue->keys[queue->count]);
    return lowest;
}

/* Looks the pair that begins at `at` up and queues it. */
static void rank_link(const tok_merges *merges, const int32_t *symbols, link *links, uint32_t at, heap *queue)
{
    const ranked found = rank_of(merges, symbols[at], symbols[links[at].next]);
    links[at].rank = found.rank;
    links[at].result = found.result;
    if (found.rank != NO_RANK)
        heap_push(queue, (uint64_t)found.rank << 32 | at);
}

static void merge_link(const tok_merges *merges, int32_t *symbols, link *links, uint32_t at, heap *queue)
{
    const uint32_t gone = links[at].next, after = links[gone].next;
    symbols[at] = links[at].result;
    links[gone].rank = NO_RANK;
    links[at].next = after;
    links[at].rank = NO_RANK;
    if (after != NOWHERE) {
        links[after].previous = at;
        rank_link(merges, symbols, links, at, queue);
    }
    if (links[at].previous != NOWHERE)
        rank_link(merges, symbols, links, links[at].previous, queue);
}

static size_t apply_long(const tok_merges *merges, int32_t *symbols, size_t count, tok_scratch *scratch)
{
    /* Each merge takes one key and adds at most two, after count - 1 at the start. */
    size_t keys_bytes, links_bytes, bytes;
    if (!core_mul_size(count, 3 * sizeof(uint64_t), &keys_bytes) || !core_mul_size(count, sizeof(link), &links_bytes) ||
        !core_add_size(keys_bytes, links_bytes, &bytes))
        return (void)core_fail_memory(SIZE_MAX, "a long word"), SIZE_MAX;
    char *memory = tok_scratch_memory(scratch, bytes);
    if (memory == NULL)
        return SIZE_MAX;
    heap  queue = { (uint64_t *)(void *)memory, 0 };
    link *links = (link *)(void *)(memory + keys_bytes);
    for (size_t i = 0; i < count; i++)
        links[i] = (link){ i > 0 ? (uint32_t)i - 1 : NOWHERE, i + 1 < count ? (uint32_t)i + 1 : NOWHERE, NO_RANK, -1 };
    for (size_t i = 0; i + 1 < count; i++)
        rank_link(merges, symbols, links, (uint32_t)i, &queue);
    while (queue.count > 0) {
        const uint64_t key = heap_pop(&queue);
        const uint32_t at = (uint32_t)key;
        if (links[at].rank == (uint32_t)(key >> 32)) /* else the pair is no more */
            merge_link(merges, symbols, links, at, &queue);
    }
    size_t left = 0;
    for (uint32_t at = 0; at != NOWHERE; at = links[at].next)
        symbols[left++] = symbols[at];
    return left;
}

size_t tok_merges_apply(const tok_merges *merges, int32_t *symbols, size_t count, tok_scratch *scratch)
{
    if (merges->count == 0)
        return count;
    return count <= TOK_SHORT_WORD ? apply_short(merges, symbols, count) : apply_long(merges, symbols, count, scratch);
}
