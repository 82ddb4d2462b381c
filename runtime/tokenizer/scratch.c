/* scratch.c: the memory that calls write to. A tokenizer is immutable and shared; what a call changes lives here, is taken
 * at its start and given back at its end, so that memory and the cache of pieces outlive calls. */
#include <string.h>

#include "tokenizer/pipeline.h"

#define MAX_KEPT ((size_t)8 << 20) /* bytes: larger buffers, after a huge text, are not kept */

/* ---- Ids */

oclm_status tok_ids_reserve(tok_ids *ids, size_t more)
{
    size_t needed;
    if (!core_add_size(ids->count, more, &needed))
        return core_fail_memory(SIZE_MAX, "token ids");
    if (needed <= ids->capacity)
        return OCLM_OK;
    size_t capacity = ids->capacity < SIZE_MAX / 2 ? ids->capacity * 2 : SIZE_MAX;
    capacity = capacity < needed ? needed : capacity;
    capacity = capacity < 64 ? 64 : capacity;
    int32_t *data = core_realloc_array(ids->data, capacity, sizeof *data, "token ids");
    if (data == NULL)
        return OCLM_ERR_MEMORY;
    ids->data = data;
    ids->capacity = capacity;
    return OCLM_OK;
}

oclm_status tok_ids_add(tok_ids *ids, int32_t id)
{
    if (ids->count == ids->capacity) {
        const oclm_status status = tok_ids_reserve(ids, 1);
        if (status != OCLM_OK)
            return status;
    }
    ids->data[ids->count++] = id;
    return OCLM_OK;
}

oclm_status tok_ids_append(tok_ids *ids, const int32_t *data, size_t count)
{
    if (ids->capacity - ids->count < count) {
        const oclm_status status = tok_ids_reserve(ids, count);
        if (status != OCLM_OK)
            return status;
    }
    if (count > 0)
        memcpy(ids->data + ids->count, data, count * sizeof *data);
    ids->count += count;
    return OCLM_OK;
}

void tok_ids_free(tok_ids *ids)
{
    core_free(ids->data);
    *ids = (tok_ids)TOK_IDS_INIT;
}

/* ---- Scratch */

oclm_status tok_scratch_new(tok_scratch **scratch)
{
    tok_scratch *made = core_alloc_zero(1, sizeof *made, "a tokenizer's working memory");
    *scratch = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    *scratch = made;
    return OCLM_OK;
}

void tok_scratch_free(tok_scratch *scratch)
{
    if (scratch == NULL)
        return;
    tok_normal_free(&scratch->normal);
    for (size_t i = 0; i < TOK_MAX_STEPS; i++)
        tok_normal_free(&scratch->step_text[i]);
    tok_ids_free(&scratch->ids);
    tok_ids_free(&scratch->symbols);
    core_free(scratch->memory);
    tok_strings_deinit(&scratch->strings[0]);
    tok_strings_deinit(&scratch->strings[1]);
    core_text_free(&scratch->text);
    core_free(scratch->cache);
    core_free(scratch);
}

void tok_scratch_free_all(tok_tokenizer *tokenizer)
{
    while (tokenizer->idle != NULL) {
        tok_scratch *scratch = tokenizer->idle;
        tokenizer->idle = scratch->next;
        tok_scratch_free(scratch);
    }
}

void *tok_scratch_memory(tok_scratch *scratch, size_t bytes)
{
    if (bytes > scratch->memory_bytes) {
        core_free(scratch->memory);
        scratch->memory_bytes = 0;
        if ((scratch->memory = core_alloc(bytes, "a tokenizer's working memory")) == NULL)
            return NULL;
        scratch->memory_bytes = bytes;
    }
    return scratch->memory;
}

oclm_status tok_scratch_take(const tok_tokenizer *tokenizer, tok_scratch **scratch)
{
    tok_tokenizer *shared = (tok_tokenizer *)tokenizer; /* only `idle` changes, under the lock */
    core_mutex_lock(shared->lock);
    tok_scratch *taken = shared->idle;
    if (taken != NULL)
        shared->idle = taken->next;
    core_mutex_unlock(shared->lock);
    *scratch = taken;
    return taken != NULL ? OCLM_OK : tok_scratch_new(scratch);
}

static void drop_large(tok_scratch *scratch)
{
    if (scratch->memory_bytes > MAX_KEPT) {
        core_free(scratch->memory);
        scratch->memory = NULL;
        scratch->memory_bytes = 0;
    }
    if (scratch->ids.capacity > MAX_KEPT / sizeof(int32_t))
        tok_ids_free(&scratch->ids);
    if (scratch->symbols.capacity > MAX_KEPT / sizeof(int32_t))
        tok_ids_free(&scratch->symbols);
    if (scratch->normal.text.capacity > MAX_KEPT)
        tok_normal_free(&scratch->normal);
    if (scratch->text.capacity > MAX_KEPT)
        core_text_free(&scratch->text);
    for (size_t i = 0; i < TOK_MAX_STEPS; i++) {
        if (scratch->step_text[i].text.capacity > MAX_KEPT)
            tok_normal_free(&scratch->step_text[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        if (scratch->strings[i].text.capacity > MAX_KEPT || scratch->strings[i].capacity > MAX_KEPT / sizeof(size_t))
            tok_strings_deinit(&scratch->strings[i]);
    }
}

void tok_scratch_give(const tok_tokenizer *tokenizer, tok_scratch *scratch)
{
    tok_tokenizer *shared = (tok_tokenizer *)tokenizer;
    drop_large(scratch);
    core_mutex_lock(shared->lock);
    scratch->next = shared->idle;
    shared->idle = scratch;
    core_mutex_unlock(shared->lock);
}
