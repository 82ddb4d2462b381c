/* normalize.c: the table of normalisers, and how a chain of them is run. */
#include "tokenizer/normalize.h"

#include "tokenizer/pipeline.h"

static const tok_component components[] = {
    { "NFC", tok_nfc_make },
};
const tok_stage tok_normalizers = { "normalizer", "normalizers", components, COUNT(components) };

oclm_status tok_normalize(const tok_chain *chain, const char *text, size_t length, core_text *out)
{
    core_text   before = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    if (chain->count == 0)
        return core_text_add(out, text, length);
    /* All but the last step write to a text of their own, which the next step reads. */
    for (size_t i = 0; i + 1 < chain->count && status == OCLM_OK; i++) {
        core_text after = CORE_TEXT_INIT;
        status = chain->steps[i]->does.normalize(chain->steps[i], text, length, &after);
        core_text_free(&before);
        before = after;
        text = before.data != NULL ? before.data : "";
        length = before.length;
    }
    if (status == OCLM_OK)
        status = chain->steps[chain->count - 1]->does.normalize(chain->steps[chain->count - 1], text, length, out);
    core_text_free(&before);
    return status;
}
