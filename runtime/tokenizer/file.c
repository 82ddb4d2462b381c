/* file.c: tokenizer.json: one object; its keys may come in any order.
 *
 * The model is read where it stands, straight into its tables. The other sections are small, or need the model: they are
 * noted and read afterwards. */
#include <string.h>

#include "core/log.h"
#include "tokenizer/pipeline.h"

typedef enum section { NORMALIZER, PRE_TOKENIZER, POST_PROCESSOR, DECODER, ADDED_TOKENS, VERSION, SECTION_COUNT } section;

static const char *const section_keys[SECTION_COUNT] = { "normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens",
                                                         "version" };

typedef struct layout {
    tok_tokenizer   *tokenizer;              /* gets the model as it comes */
    core_json_reader readers[SECTION_COUNT]; /* each at its section's value */
    const char      *ends[SECTION_COUNT];    /* NULL: the file has no such section */
} layout;

static oclm_status note_section(core_json_reader *reader, layout *found, size_t which)
{
    core_json_kind kind;
    oclm_status    status = core_json_peek(reader, &kind); /* moves to the value */
    if (status != OCLM_OK)
        return status;
    found->readers[which] = *reader;
    found->readers[which].scratch = (core_text)CORE_TEXT_INIT;
    status = core_json_skip(reader);
    found->ends[which] = kind != CORE_JSON_NULL ? reader->p : NULL;
    return status;
}

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    layout *found = user;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (core_is_word(key, length, section_keys[i]))
            return note_section(reader, found, i);
    }
    if (core_is_word(key, length, "model")) {
        if (found->tokenizer->model != NULL)
            return core_json_error(reader, "the file has two models");
        return tok_model_read(reader, &found->tokenizer->model);
    }
    /* transformers switches the file's own truncation and padding off, too: whoever encodes decides. */
    if (!core_is_word(key, length, "truncation") && !core_is_word(key, length, "padding"))
        core_log(OCLM_LOG_WARNING, "%s: unknown section \"%.*s\" is ignored", reader->origin, (int)(length < 100 ? length : 100), key);
    return core_json_skip(reader);
}

static oclm_status read_layout(core_json_reader *reader, layout *found)
{
    core_json_kind kind;
    oclm_status    status = core_json_read_object(reader, read_member, found);
    if (status == OCLM_OK && (status = core_json_peek(reader, &kind)) == OCLM_OK && kind != CORE_JSON_END)
        status = core_json_error(reader, "more text follows after the end");
    if (status == OCLM_OK && found->tokenizer->model == NULL)
        status = core_json_error(reader, "there is no \"model\"; this is not a tokenizer.json");
    return status;
}

static oclm_status check_version(layout *found)
{
    core_json_reader *reader = &found->readers[VERSION];
    const char       *text;
    size_t            length;
    oclm_status       status;
    if (found->ends[VERSION] == NULL)
        return OCLM_OK;
    if ((status = core_json_string(reader, &text, &length)) != OCLM_OK)
        return status;
    if (!core_is_word(text, length, "1.0"))
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: version \"%.*s\" of the format; oclm reads \"1.0\"", reader->origin,
                         (int)(length < 100 ? length : 100), text);
    return OCLM_OK;
}

static oclm_status read_chain(const layout *found, section which, const tok_stage *stage, tok_chain *chain)
{
    const core_json_reader *reader = &found->readers[which];
    cJSON                  *tree;
    oclm_status             status;
    if (found->ends[which] == NULL)
        return OCLM_OK;
    if ((status = core_json_parse(reader->p, (size_t)(found->ends[which] - reader->p), reader->origin, &tree)) == OCLM_OK)
        status = tok_chain_read(chain, stage, tree, reader->origin);
    cJSON_Delete(tree);
    return status;
}

oclm_status tok_read_json(const char *text, size_t length, const char *origin, tok_tokenizer *tokenizer)
{
    core_json_reader reader;
    layout           found;
    oclm_status      status;
    memset(&found, 0, sizeof found);
    found.tokenizer = tokenizer;
    core_json_reader_init(&reader, text, length, origin);
    if ((status = read_layout(&reader, &found)) == OCLM_OK && (status = check_version(&found)) == OCLM_OK &&
        (status = read_chain(&found, NORMALIZER, &tok_normalizers, &tokenizer->normalizer)) == OCLM_OK &&
        (status = read_chain(&found, PRE_TOKENIZER, &tok_pre_tokenizers, &tokenizer->pre_tokenizer)) == OCLM_OK &&
        (status = read_chain(&found, POST_PROCESSOR, &tok_post_processors, &tokenizer->post_processor)) == OCLM_OK &&
        (status = read_chain(&found, DECODER, &tok_decoders, &tokenizer->decoder)) == OCLM_OK && found.ends[ADDED_TOKENS] != NULL)
        status = tok_added_read(&tokenizer->added, &found.readers[ADDED_TOKENS], &tokenizer->model->vocab);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        core_json_reader_deinit(&found.readers[i]);
    core_json_reader_deinit(&reader);
    return status;
}
