/* batch.h: texts and pairs of texts to rows of ids: truncated, with what belongs around them, padded. */
#ifndef OCLM_TOKENIZER_BATCH_H
#define OCLM_TOKENIZER_BATCH_H

#include "tokenizer/tokenizer.h"

typedef struct tok_row {
    size_t start, length; /* in the batch's arrays */
    size_t sample;        /* the text that it comes from */
} tok_row;

typedef struct tok_batch {
    tok_row *rows;
    size_t row_count;
    int32_t *ids, *type_ids;
    uint8_t *attention_mask, *special_mask;
    int8_t *sequence_ids;
    oclm_span *offsets; /* NULL unless asked for */
} tok_batch;

/* `options` are complete: checked, and as long as this version's. Free with tok_batch_deinit(), also where it fails. */
oclm_status tok_batch_encode(const tok_tokenizer *tokenizer, const oclm_text *texts, size_t count,
                             const oclm_encode_options *options, tok_batch *batch);
void tok_batch_deinit(tok_batch *batch);

#endif
