/* piece_cache.c: pieces that were seen before cost one cache line: most prose is made of few different ones. */
#include <string.h>

#include "tokenizer/hash.h"
#include "tokenizer/pipeline.h"

oclm_status tok_encode_cached(const tok_model *model, tok_encode_function *encode, tok_scratch *scratch, const char *text,
                              size_t length, tok_ids *ids)
{
    tok_cached_piece *cached = NULL;
    const size_t      before = ids->count;
    oclm_status       status;
    if (length <= sizeof cached->text && scratch->cache != NULL) {
        cached = &scratch->cache[tok_hash(text, length) & (TOK_CACHE_SLOTS - 1)];
        if (cached->length == length && memcmp(cached->text, text, length) == 0)
            return tok_ids_append(ids, cached->ids, cached->count);
    }
    if ((status = encode(model, scratch, text, length, ids)) != OCLM_OK || cached == NULL)
        return status;
    const size_t count = ids->count - before;
    if (count > COUNT(cached->ids))
        return OCLM_OK;
    cached->length = (uint8_t)length;
    cached->count = (uint8_t)count;
    memcpy(cached->text, text, length);
    if (count > 0)
        memcpy(cached->ids, ids->data + before, count * sizeof *cached->ids);
    return OCLM_OK;
}
