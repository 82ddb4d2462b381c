/* batch.c: many texts to rows of ids, truncated and padded. */
#include "tokenizer/batch.h"

#include <string.h>

#include "api/api.h"
#include "tokenizer/special.h"

struct oclm_batch {
    tok_batch inside;
};

static const oclm_encode_options defaults = {
    .struct_size = sizeof defaults,
    .add_special_tokens = true,
    .pad_token_id = -1,
};

void oclm_encode_options_init(oclm_encode_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

static oclm_status check_options(const oclm_encode_options *options, const oclm_tokenizer *tokenizer)
{
    const struct {
        const char *name;
        unsigned value, last;
    } choices[] = {
        { "split_special_tokens", options->split_special_tokens, OCLM_SWITCH_OFF },
        { "padding", options->padding, OCLM_PADDING_MAX_LENGTH },
        { "padding_side", options->padding_side, OCLM_SIDE_RIGHT },
        { "truncation", options->truncation, OCLM_TRUNCATION_ONLY_SECOND },
        { "truncation_side", options->truncation_side, OCLM_SIDE_RIGHT },
    };
    for (size_t i = 0; i < COUNT(choices); i++) {
        if (choices[i].value > choices[i].last)
            return core_fail(OCLM_ERR_ARGUMENT, "oclm_encode_options: %s is %u; it is 0 to %u", choices[i].name, choices[i].value, choices[i].last);
    }
    const size_t vocab = tok_vocab_size(tokenizer->inside);
    if (options->pad_token_id < -1 || (options->pad_token_id >= 0 && (size_t)options->pad_token_id >= vocab))
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_encode_options: pad_token_id is %d; it is -1, or an id of the tokenizer: 0 to %zu",
                         (int)options->pad_token_id, vocab - 1);
    return OCLM_OK;
}

oclm_status oclm_tokenizer_encode_batch(const oclm_tokenizer *tokenizer, const oclm_text *texts, size_t count,
                                        const oclm_encode_options *options, oclm_batch **batch)
{
    oclm_encode_options mine = defaults;
    oclm_batch *made;
    oclm_status status;
    if (!batch)
        return api_missing("oclm_tokenizer_encode_batch", "batch");
    *batch = NULL;
    if (!tokenizer || !texts)
        return api_missing("oclm_tokenizer_encode_batch", tokenizer ? "texts" : "tokenizer");
    if (count == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_tokenizer_encode_batch: no texts; give at least one");
    for (size_t i = 0; i < count; i++) {
        if ((!texts[i].text && texts[i].length > 0) || (!texts[i].pair && texts[i].pair_length > 0))
            return core_fail(OCLM_ERR_ARGUMENT, "oclm_tokenizer_encode_batch: text %zu is NULL, but has a length", i);
    }
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_encode_options")) != OCLM_OK ||
        (status = check_options(&mine, tokenizer)) != OCLM_OK)
        return status;
    if (!(made = core_alloc_zero(1, sizeof *made, "a batch")))
        return OCLM_ERR_MEMORY;
    if ((status = tok_batch_encode(tokenizer->inside, texts, count, &mine, &made->inside)) == OCLM_OK)
        *batch = made;
    else
        oclm_batch_free(made);
    return status;
}

size_t oclm_batch_count(const oclm_batch *batch)
{
    return batch ? batch->inside.row_count : 0;
}

oclm_status oclm_batch_get(const oclm_batch *batch, size_t index, oclm_encoding *encoding)
{
    oclm_encoding mine;
    oclm_status status;
    if (!batch)
        return api_missing("oclm_batch_get", "batch");
    if ((status = api_result_check(encoding, sizeof *encoding, "oclm_encoding")) != OCLM_OK)
        return status;
    if (index >= batch->inside.row_count)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_batch_get: row %zu of %zu", index, batch->inside.row_count);
    const tok_batch *from = &batch->inside;
    const tok_row *row = &from->rows[index];
    mine = (oclm_encoding){
        .struct_size = sizeof mine,
        .length = row->length,
        .text = row->sample,
        .ids = from->ids + row->start,
        .type_ids = from->type_ids + row->start,
        .attention_mask = from->attention_mask + row->start,
        .special_tokens_mask = from->special_mask + row->start,
        .sequence_ids = from->sequence_ids + row->start,
        .offsets = from->offsets ? from->offsets + row->start : NULL,
    };
    api_result_write(&mine, sizeof mine, encoding);
    return OCLM_OK;
}

void oclm_batch_free(oclm_batch *batch)
{
    if (!batch)
        return;
    tok_batch_deinit(&batch->inside);
    core_free(batch);
}

const char *oclm_tokenizer_special_token(const oclm_tokenizer *tokenizer, const char *name, int32_t *id)
{
    if (id)
        *id = -1;
    for (size_t i = 0; tokenizer && name && i < tok_special_named(tokenizer->inside); i++) {
        const char *text;
        int32_t found;
        if (strcmp(tok_special_at(tokenizer->inside, i, &text, NULL, &found), name) == 0) {
            if (id)
                *id = found;
            return text;
        }
    }
    return NULL;
}

uint64_t oclm_tokenizer_max_length(const oclm_tokenizer *tokenizer)
{
    return tokenizer ? tok_max_length(tokenizer->inside) : 0;
}
