/* model.c: which model a tokenizer.json holds, and handing over to its reader. */
#include "tokenizer/model.h"

#include <string.h>

#include "tokenizer/bpe.h"
#include "tokenizer/model_read.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordpiece.h"

/* In the order in which the reference tries them on old files, which tell no type: the first whose members are there. */
static const struct {
    const char *type;
    oclm_status (*read)(core_json_reader *reader, tok_model **model);
    const char *members[4]; /* that such a file must have */
} models[] = {
    { "BPE", tok_bpe_read, { "vocab", "merges" } },
    { "WordPiece", tok_wordpiece_read, { "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word" } },
    { "WordLevel", tok_wordlevel_read, { "vocab", "unk_token" } },
    { "Unigram", tok_unigram_read, { "vocab" } },
};

static const char *const members[] = { "vocab", "merges", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word" };

/* What can be told about a model object without reading its million entries: where its members are is not known before,
 * so they are skipped; "type" comes first in every file the reference writes. */
typedef struct outline {
    core_text type; /* data is NULL where there is none */
    bool      has[COUNT(members)], vocab_is_list;
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
        const bool is_type = core_is_word(text, length, "type"), is_vocab = core_is_word(text, length, "vocab");
        for (size_t i = 0; i < COUNT(members); i++)
            out->has[i] |= core_is_word(text, length, members[i]);
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

static bool has_member(const outline *seen, const char *name)
{
    for (size_t i = 0; i < COUNT(members); i++) {
        if (strcmp(members[i], name) == 0)
            return seen->has[i];
    }
    return false;
}

static bool fits(const outline *seen, size_t model)
{
    if (seen->type.data != NULL)
        return strcmp(seen->type.data, models[model].type) == 0;
    if (seen->vocab_is_list != (models[model].read == tok_unigram_read))
        return false;
    for (size_t i = 0; i < COUNT(models[model].members) && models[model].members[i] != NULL; i++) {
        if (!has_member(seen, models[model].members[i]))
            return false;
    }
    return true;
}

oclm_status tok_model_read(core_json_reader *reader, tok_model **model)
{
    outline          seen;
    core_json_reader ahead = *reader; /* reads the same text once more */
    oclm_status      status;
    memset(&seen, 0, sizeof seen);
    *model = NULL;
    ahead.scratch = (core_text)CORE_TEXT_INIT;
    if ((status = read_outline(&ahead, &seen)) != OCLM_OK)
        goto done;
    for (size_t i = 0; i < COUNT(models); i++) {
        if (fits(&seen, i)) {
            status = models[i].read(reader, model);
            goto done;
        }
    }
    if (seen.type.data != NULL)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: model: type \"%s\" is not supported; a model may be BPE, WordPiece, WordLevel, "
                           "Unigram", reader->origin, seen.type.data);
    else
        status = core_fail(OCLM_ERR_FORMAT, "%s: model: has no \"type\", nor the members of any: BPE has \"vocab\" and \"merges\", "
                           "WordPiece and WordLevel \"vocab\" and \"unk_token\", Unigram a list \"vocab\"", reader->origin);
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
