/* vocab_batch.h: adding many strings to a vocabulary: a few dozen at a time, so that their places in the table, which lie anywhere in
 * megabytes, are asked of memory together. */
#ifndef OCLM_TOKENIZER_VOCAB_BATCH_H
#define OCLM_TOKENIZER_VOCAB_BATCH_H

#include "tokenizer/vocab.h"

#define TOK_VOCAB_BATCH 32

typedef struct tok_vocab_batch {
    tok_vocab *vocab;
    core_text  text; /* the strings, one after the other */
    size_t     lengths[TOK_VOCAB_BATCH];
    int32_t    ids[TOK_VOCAB_BATCH];
    size_t     count;
} tok_vocab_batch;

#define TOK_VOCAB_BATCH_INIT(vocab) { (vocab), CORE_TEXT_INIT, { 0 }, { 0 }, 0 }

/* As tok_vocab_add(), but what was added is found after tok_vocab_batch_end() only. */
oclm_status tok_vocab_batch_add(tok_vocab_batch *batch, const char *text, size_t length, int32_t id);
oclm_status tok_vocab_batch_end(tok_vocab_batch *batch);
void        tok_vocab_batch_deinit(tok_vocab_batch *batch);

#endif
