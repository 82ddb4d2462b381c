/* template_of_two.c: the post-processor that a tokenizer without one gets from "add_bos_token" and "add_eos_token":
 * `[bos] A [eos]`, and for a pair `[bos] A [eos] [bos] B [eos]`. */
#include <inttypes.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/settings_read.h"

#define SPECIAL(name, type)  "{\"SpecialToken\": {\"id\": \"" name "\", \"type_id\": " type "}}"
#define SEQUENCE(name, type) "{\"Sequence\": {\"id\": \"" name "\", \"type_id\": " type "}}"

oclm_status tok_template_of_two(tok_chain *chain, int32_t bos, int32_t eos)
{
    core_text json = CORE_TEXT_INIT;
    const bool b = bos >= 0, e = eos >= 0;
    const char *const a_bos = b ? SPECIAL("bos", "0") ", " : "", *const a_eos = e ? ", " SPECIAL("eos", "0") : "";
    const char *const b_bos = b ? SPECIAL("bos", "1") ", " : "", *const b_eos = e ? ", " SPECIAL("eos", "1") : "";
    oclm_status status;
    if (!b && !e)
        return OCLM_OK;
    status = core_text_printf(
        &json,
        "{\"type\": \"TemplateProcessing\", \"single\": [%s%s%s], \"pair\": [%s%s%s, %s%s%s], \"special_tokens\": "
        "{\"bos\": {\"id\": \"bos\", \"ids\": [%" PRId32 "], \"tokens\": [\"bos\"]}, "
        "\"eos\": {\"id\": \"eos\", \"ids\": [%" PRId32 "], \"tokens\": [\"eos\"]}}}",
        a_bos, SEQUENCE("A", "0"), a_eos, a_bos, SEQUENCE("A", "0"), a_eos, b_bos, SEQUENCE("B", "1"), b_eos,
        b ? bos : 0, e ? eos : 0);
    if (status == OCLM_OK)
        status = tok_chain_read_text(chain, &tok_post_processors, json.data,
                                     "the template of add_bos_token and add_eos_token");
    core_text_free(&json);
    return status;
}
