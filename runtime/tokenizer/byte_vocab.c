/* byte_vocab.c: vocabularies of byte strings, in the form that byte-level BPE has in a tokenizer.json. */
#include "tokenizer/byte_vocab.h"

#include <string.h>

#include "core/base64.h"
#include "tokenizer/bpe_make.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/pipeline.h"

oclm_status tok_byte_vocab_add(tok_vocab *vocab, const char *base64, size_t length, int32_t id, const char *origin,
                               size_t line)
{
    core_text bytes = CORE_TEXT_INIT, chars = CORE_TEXT_INIT;
    bool valid;
    oclm_status status = core_base64_add(&bytes, base64, length, &valid);
    if (status == OCLM_OK && (!valid || bytes.length == 0))
        status = core_fail(OCLM_ERR_FORMAT, "%s: token %zu, \"%.*s\", is not base64", origin, line,
                           (int)(length < 80 ? length : 80), base64);
    if (status == OCLM_OK && (status = tok_add_byte_chars(&chars, bytes.data, bytes.length)) == OCLM_OK)
        status = tok_vocab_add(vocab, chars.data, chars.length, id);
    core_text_free(&bytes);
    core_text_free(&chars);
    return status;
}

static oclm_status add_pre_tokenizers(tok_chain *chain, const char *pattern, const char *origin)
{
    core_text json = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = core_text_add_string(
             &json, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": ")) ==
            OCLM_OK &&
        (status = core_json_add_string(&json, pattern, strlen(pattern))) == OCLM_OK &&
        (status =
             core_text_add_string(&json, "}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", "
                                         "\"add_prefix_space\": false, \"use_regex\": false}]}")) == OCLM_OK)
        status = tok_chain_read_text(chain, &tok_pre_tokenizers, json.data, origin);
    core_text_free(&json);
    return status;
}

oclm_status tok_byte_vocab_finish(tok_tokenizer *tokenizer, tok_bpe *bpe, const char *pattern, const char *origin)
{
    tok_merge_order order = { NULL, 0, NULL, TOK_CUTS_BY_IDS, 0 };
    int32_t *ids = NULL;
    oclm_status status;
    bpe->ignore_merges = true;
    if ((status = tok_vocab_index_ids(&bpe->model.vocab)) == OCLM_OK &&
        (status = tok_vocab_ids(&bpe->model.vocab, &ids, &order.count)) == OCLM_OK) {
        order.ids = ids;
        status = tok_bpe_find_merges(bpe, &order, origin);
    }
    core_free(ids);
    if (status != OCLM_OK ||
        (status = add_pre_tokenizers(&tokenizer->pre_tokenizer, pattern != NULL ? pattern : TOK_PATTERN_CL100K,
                                     origin)) != OCLM_OK)
        return status;
    return tok_chain_read_text(&tokenizer->decoder, &tok_decoders, "{\"type\": \"ByteLevel\"}", origin);
}
