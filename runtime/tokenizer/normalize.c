/* normalize.c: the table of normalisers, and how a chain of them is run. */
#include "tokenizer/normalize.h"

#include "tokenizer/pipeline.h"

static const tok_component components[] = {
    { "BertNormalizer", tok_bert_normal_make },
    { "Strip", tok_strip_make },
    { "StripAccents", tok_strip_accents_make },
    { "NFC", tok_nfc_make },
    { "NFD", tok_nfd_make },
    { "NFKC", tok_nfkc_make },
    { "NFKD", tok_nfkd_make },
    { "Lowercase", tok_lowercase_make },
    { "Nmt", tok_nmt_make },
    { "Precompiled", tok_precompiled_make },
    { "Replace", tok_replace_make },
    { "Prepend", tok_prepend_make },
    { "ByteLevel", tok_byte_level_normal_make },
};
const tok_stage tok_normalizers = { "normalizer", "normalizers", components, COUNT(components) };

/* `after` was made of a text that was itself made, with these sources: leads back to the first one. */
static void trace_back(tok_normal *after, const uint32_t *sources)
{
    for (size_t i = 0; i < after->text.length; i++) {
        const uint32_t at = after->sources[i];
        after->sources[i] = at & TOK_SOURCE_EMPTY ? TOK_SOURCE_EMPTY : sources[at];
    }
}

oclm_status tok_normalize_traced(const tok_chain *chain, const char *text, size_t length, tok_normal *out)
{
    tok_normal before = TOK_NORMAL_INIT;
    oclm_status status = OCLM_OK;
    if (chain->count == 0)
        return tok_normal_keep(out, text, length, 0);
    /* All but the last step write to a text of their own, which the next step reads. */
    for (size_t i = 0; i < chain->count && status == OCLM_OK; i++) {
        const tok_step *step = chain->steps[i];
        tok_normal own = TOK_NORMAL_INIT, *after = i + 1 == chain->count ? out : &own;
        own.traced = out->traced;
        status = step->does.normalize(step, text, length, after);
        if (status == OCLM_OK && after->traced && i > 0)
            trace_back(after, before.sources);
        tok_normal_free(&before);
        before = own;
        text = own.text.data != NULL ? own.text.data : "";
        length = own.text.length;
    }
    tok_normal_free(&before);
    return status;
}

oclm_status tok_normalize(const tok_chain *chain, const char *text, size_t length, core_text *out)
{
    tok_normal normal = TOK_NORMAL_INIT;
    oclm_status status = tok_normalize_traced(chain, text, length, &normal);
    if (status == OCLM_OK)
        status = core_text_add(out, normal.text.data != NULL ? normal.text.data : "", normal.text.length);
    tok_normal_free(&normal);
    return status;
}
