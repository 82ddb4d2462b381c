/* vocab.c: strings with ids, found both ways. */
#include "tokenizer/vocab.h"

#include <string.h>

#include "tokenizer/hash.h"

#define FIRST_SLOTS 1024

static const tok_entry *entry_at(const tok_vocab *vocab, uint64_t slot)
{
    return &vocab->entries[(uint32_t)slot - 1];
}

/* The slot of the string, or the empty one where it belongs. */
static uint64_t *slot_for(const tok_vocab *vocab, const char *text, size_t length, uint64_t hash)
{
    const uint64_t tag = hash & 0xFFFFFFFF00000000u;
    const size_t   mask = vocab->slot_count - 1;
    size_t         at = (size_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        uint64_t *slot = &vocab->slots[at];
        if (*slot == 0)
            return slot;
        if ((*slot & 0xFFFFFFFF00000000u) != tag)
            continue;
        const tok_entry *entry = entry_at(vocab, *slot);
        if (entry->length == length && memcmp(vocab->pool.data + entry->start, text, length) == 0)
            return slot;
    }
}

static oclm_status set_slot_count(tok_vocab *vocab, size_t count)
{
    uint64_t    *slots = core_table_new(count, sizeof *slots, "a vocabulary's table");
    if (slots == NULL)
        return OCLM_ERR_MEMORY;
    core_table_free(vocab->slots, vocab->slot_count, sizeof *slots);
    vocab->slots = slots;
    vocab->slot_count = count;
    for (size_t i = 0; i < vocab->count; i++) {
        const tok_entry *entry = &vocab->entries[i];
        const uint64_t   hash = tok_hash(vocab->pool.data + entry->start, entry->length);
        size_t           at = (size_t)hash & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (hash & 0xFFFFFFFF00000000u) | (i + 1);
    }
    return OCLM_OK;
}

oclm_status tok_vocab_reserve(tok_vocab *vocab, size_t count)
{
    size_t slots = FIRST_SLOTS;
    while (slots / 2 < count && slots < TOK_MAX_ID)
        slots *= 2;
    return slots > vocab->slot_count ? set_slot_count(vocab, slots) : OCLM_OK;
}

static oclm_status grow_entries(tok_vocab *vocab)
{
    const size_t capacity = vocab->capacity == 0 ? FIRST_SLOTS : vocab->capacity * 2;
    tok_entry   *entries = core_realloc_array(vocab->entries, capacity, sizeof *entries, "a vocabulary");
    if (entries == NULL)
        return OCLM_ERR_MEMORY;
    vocab->entries = entries;
    vocab->capacity = capacity;
    return OCLM_OK;
}

oclm_status tok_vocab_add(tok_vocab *vocab, const char *text, size_t length, int32_t id)
{
    return tok_vocab_add_hashed(vocab, text, length, id, tok_hash(text, length));
}

oclm_status tok_vocab_add_hashed(tok_vocab *vocab, const char *text, size_t length, int32_t id, uint64_t hash)
{
    oclm_status status;
    if (vocab->count >= TOK_MAX_ID || length > UINT32_MAX)
        return core_fail(OCLM_ERR_FORMAT, "a vocabulary of more than %d entries", TOK_MAX_ID);
    if (vocab->count * 2 >= vocab->slot_count && (status = set_slot_count(vocab, vocab->slot_count == 0 ? FIRST_SLOTS : vocab->slot_count * 2)) != OCLM_OK)
        return status;
    uint64_t *slot = slot_for(vocab, text, length, hash);
    if (*slot != 0) {
        vocab->entries[(uint32_t)*slot - 1].id = id;
        return OCLM_OK;
    }
    if (vocab->count == vocab->capacity && (status = grow_entries(vocab)) != OCLM_OK)
        return status;
    const size_t start = vocab->pool.length;
    if ((status = core_text_reserve(&vocab->pool, length + 1)) != OCLM_OK)
        return status;
    if (length > 0)
        memcpy(vocab->pool.data + start, text, length);
    vocab->pool.data[start + length] = '\0';
    vocab->pool.length += length + 1;
    vocab->entries[vocab->count] = (tok_entry){ start, (uint32_t)length, id };
    *slot = (hash & 0xFFFFFFFF00000000u) | ++vocab->count;
    return OCLM_OK;
}

oclm_status tok_vocab_index_ids(tok_vocab *vocab)
{
    int32_t highest = -1;
    for (size_t i = 0; i < vocab->count; i++) {
        if (vocab->entries[i].id > highest)
            highest = vocab->entries[i].id;
    }
    uint32_t *by_id = core_alloc_zero((size_t)highest + 1, sizeof *by_id, "a vocabulary's ids");
    if (by_id == NULL)
        return OCLM_ERR_MEMORY;
    core_free(vocab->by_id);
    vocab->by_id = by_id;
    vocab->id_count = (size_t)(highest + 1);
    for (size_t i = 0; i < vocab->count; i++)
        by_id[vocab->entries[i].id] = (uint32_t)i + 1;
    return OCLM_OK;
}

void tok_vocab_deinit(tok_vocab *vocab)
{
    core_text_free(&vocab->pool);
    core_free(vocab->entries);
    core_table_free(vocab->slots, vocab->slot_count, sizeof *vocab->slots);
    core_free(vocab->by_id);
    memset(vocab, 0, sizeof *vocab);
}

int32_t tok_vocab_find_hashed(const tok_vocab *vocab, const char *text, size_t length, uint64_t hash)
{
    if (vocab->slot_count == 0)
        return -1;
    const uint64_t slot = *slot_for(vocab, text, length, hash);
    return slot != 0 ? entry_at(vocab, slot)->id : -1;
}

void tok_vocab_find_all(const tok_vocab *vocab, tok_key *keys, size_t count)
{
    const size_t mask = vocab->slot_count - 1;
    for (size_t i = 0; i < count; i++) {
        keys[i].hash = tok_hash(keys[i].text, keys[i].length);
        if (vocab->slot_count > 0)
            tok_prefetch(&vocab->slots[(size_t)keys[i].hash & mask]);
    }
    for (size_t i = 0; i < count && vocab->slot_count > 0; i++) {
        const uint64_t slot = vocab->slots[(size_t)keys[i].hash & mask];
        if (slot != 0)
            tok_prefetch(entry_at(vocab, slot));
    }
    for (size_t i = 0; i < count && vocab->slot_count > 0; i++) {
        const uint64_t slot = vocab->slots[(size_t)keys[i].hash & mask];
        if (slot != 0)
            tok_prefetch(vocab->pool.data + entry_at(vocab, slot)->start);
    }
    for (size_t i = 0; i < count; i++)
        keys[i].id = tok_vocab_find_hashed(vocab, keys[i].text, keys[i].length, keys[i].hash);
}

int32_t tok_vocab_find(const tok_vocab *vocab, const char *text, size_t length)
{
    return tok_vocab_find_hashed(vocab, text, length, tok_hash(text, length));
}

const char *tok_vocab_text(const tok_vocab *vocab, int32_t id, size_t *length)
{
    if (id < 0 || (size_t)id >= vocab->id_count || vocab->by_id[id] == 0)
        return NULL;
    const tok_entry *entry = &vocab->entries[vocab->by_id[id] - 1];
    if (length != NULL)
        *length = entry->length;
    return vocab->pool.data + entry->start;
}
