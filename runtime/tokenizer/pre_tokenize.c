/* pre_tokenize.c: the table of pre-tokenizers, and what they share: joining matches and gaps to pieces. */
#include "tokenizer/pre_tokenize.h"

#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/pipeline.h"

static const tok_component components[] = {
    { "BertPreTokenizer", tok_bert_split_make },
    { "ByteLevel", tok_byte_level_make },
    { "CharDelimiterSplit", tok_char_delimiter_make },
    { "Delimiter", tok_char_delimiter_make },
    { "Metaspace", tok_metaspace_make },
    { "Whitespace", tok_whitespace_make },
    { "WhitespaceSplit", tok_whitespace_split_make },
    { "Split", tok_split_make },
    { "Punctuation", tok_punctuation_make },
    { "Digits", tok_digits_make },
    { "UnicodeScripts", tok_unicode_scripts_make },
    { "FixedLength", tok_fixed_length_make },
};
const tok_stage tok_pre_tokenizers = { "pre_tokenizer", "pretokenizers", components, COUNT(components) };

/* Whether a part belongs to the piece that is being made. `before`: the part before was a match. */
static bool joins(tok_behavior behavior, bool before, bool match)
{
    switch (behavior) {
    case TOK_MERGED_WITH_PREVIOUS:
        return match && !before;
    case TOK_MERGED_WITH_NEXT:
        return before && !match;
    case TOK_CONTIGUOUS:
        return before == match;
    case TOK_REMOVED:
    case TOK_ISOLATED:
        break;
    }
    return false;
}

oclm_status tok_splitter_finish(tok_splitter *splitter)
{
    const char *begin = splitter->begin;
    splitter->begin = NULL;
    if (begin == NULL)
        return OCLM_OK;
    return tok_run_piece(splitter->run, splitter->next, begin, (size_t)(splitter->end - begin));
}

oclm_status tok_splitter_part(tok_splitter *splitter, const char *begin, const char *end, bool match)
{
    oclm_status status = OCLM_OK;
    if (splitter->begin != NULL && joins(splitter->behavior, splitter->match, match)) {
        splitter->end = end;
    } else {
        status = tok_splitter_finish(splitter);
        splitter->begin = splitter->behavior == TOK_REMOVED && match ? NULL : begin;
        splitter->end = end;
    }
    splitter->match = match;
    return status;
}

oclm_status tok_json_behavior(const cJSON *config, const char *where, tok_behavior *behavior)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
    const char *name = NULL;
    oclm_status status = core_json_get_string(config, "behavior", where, &name);
    if (status != OCLM_OK || name == NULL)
        return status;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *behavior = (tok_behavior)i;
            return OCLM_OK;
        }
    }
    return core_fail(OCLM_ERR_FORMAT,
                     "%s: its \"behavior\" is \"%s\"; it must be Removed, Isolated, MergedWithPrevious, "
                     "MergedWithNext or Contiguous",
                     where, name);
}

oclm_status tok_json_char(const cJSON *config, const char *name, const char *where, const char **text, size_t *length)
{
    uint32_t code_point;
    oclm_status status = core_json_get_string(config, name, where, text);
    if (status != OCLM_OK)
        return status;
    if (*text == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is missing", where, name);
    *length = core_utf8_read(*text, *text + strlen(*text), &code_point);
    if (*length == 0 || (*text)[*length] != '\0')
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is \"%s\"; it must be one character", where, name, *text);
    return OCLM_OK;
}
