/* vocab_batch.c: adding many strings to a vocabulary. */
#include "tokenizer/vocab_batch.h"

#include "tokenizer/hash.h"

oclm_status tok_vocab_batch_end(tok_vocab_batch *batch)
{
    tok_vocab   *vocab = batch->vocab;
    uint64_t     hashes[TOK_VOCAB_BATCH];
    const char  *text = batch->text.data != NULL ? batch->text.data : ""; /* all are empty */
    oclm_status  status = OCLM_OK;
    for (size_t i = 0; i < batch->count; i++) {
        hashes[i] = tok_hash(text, batch->lengths[i]);
        text += batch->lengths[i];
        if (vocab->slot_count > 0)
            tok_prefetch(&vocab->slots[(size_t)hashes[i] & (vocab->slot_count - 1)]);
    }
    text = batch->text.data != NULL ? batch->text.data : "";
    for (size_t i = 0; i < batch->count && status == OCLM_OK; i++) {
        status = tok_vocab_add_hashed(vocab, text, batch->lengths[i], batch->ids[i], hashes[i]);
        text += batch->lengths[i];
    }
    batch->count = 0;
    core_text_clear(&batch->text);
    return status;
}

oclm_status tok_vocab_batch_add(tok_vocab_batch *batch, const char *text, size_t length, int32_t id)
{
    oclm_status status;
    if (batch->count == TOK_VOCAB_BATCH && (status = tok_vocab_batch_end(batch)) != OCLM_OK)
        return status;
    if ((status = core_text_add(&batch->text, text, length)) != OCLM_OK)
        return status;
    batch->lengths[batch->count] = length;
    batch->ids[batch->count++] = id;
    return OCLM_OK;
}

void tok_vocab_batch_deinit(tok_vocab_batch *batch)
{
    core_text_free(&batch->text);
}
