/* model.c: which model a tokenizer.json holds, and handing over to its reader. */
#include "tokenizer/model.h"

#include <string.h>

#include "tokenizer/bpe.h"

static const struct {
    const char *type;
    oclm_status (*read)(core_json_reader *reader, tok_model **model);
} models[] = {
    { "BPE", tok_bpe_read },
};

/* What can be told about a model object without reading its million entries: where its members are is not known before,
 * so they are skipped; "type" comes first in every file the reference writes. */
typedef struct outline {
    core_text type; /* data is NULL where there is none */
    bool      has_merges, vocab_is_list;
} outline;

static oclm_status read_outline(core_json_reader *reader, outline *out)
{
    bool        first = true, more;
    const char *text;
    size_t      length;
    oclm_status status = core_json_enter(reader, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        core_json_kind kind;
        if ((status = core_json_key(reader, &text, &length)) != OCLM_OK)
            break;
        const bool is_type = length == 4 && memcmp(text, "type", 4) == 0;
        const bool is_vocab = length == 5 && memcmp(text, "vocab", 5) == 0;
        out->has_merges |= length == 6 && memcmp(text, "merges", 6) == 0;
        if ((status = core_json_peek(reader, &kind)) != OCLM_OK)
            break;
        if (is_type && kind == CORE_JSON_STRING) {
            if ((status = core_json_string(reader, &text, &length)) == OCLM_OK)
                status = core_text_add(&out->type, text, length);
            break; /* the rest is for the model's own reader */
        }
        out->vocab_is_list |= is_vocab && kind == CORE_JSON_ARRAY;
        status = core_json_skip(reader);
    }
    return status;
}

oclm_status tok_model_read(core_json_reader *reader, tok_model **model)
{
    outline          seen = { CORE_TEXT_INIT, false, false };
    core_json_reader ahead = *reader; /* reads the same text once more */
    oclm_status      status;
    *model = NULL;
    ahead.scratch = (core_text)CORE_TEXT_INIT;
    if ((status = read_outline(&ahead, &seen)) != OCLM_OK)
        goto done;
    /* Old files tell no type: the reference takes the first whose members are there. */
    const char *type = seen.type.data != NULL ? seen.type.data : seen.has_merges ? "BPE" : seen.vocab_is_list ? "Unigram"
                                                                                                             : "WordPiece or WordLevel";
    for (size_t i = 0; i < COUNT(models); i++) {
        if (strcmp(type, models[i].type) == 0) {
            status = models[i].read(reader, model);
            goto done;
        }
    }
    status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: model: type \"%s\" is not supported; a model may be BPE", reader->origin, type);
done:
    core_text_free(&seen.type);
    core_json_reader_deinit(&ahead);
    return status;
}

void tok_model_free(tok_model *model)
{
    if (model != NULL)
        model->free(model);
}
