/* pre_tokenize.c: the table of pre-tokenizers, and what they share: joining matches and gaps to pieces. */
#include "tokenizer/pre_tokenize.h"

#include "tokenizer/byte_level.h"
#include "tokenizer/pipeline.h"

static const tok_component components[] = {
    { "ByteLevel", tok_byte_level_make },
    { "Split", tok_split_make },
    { "Digits", tok_digits_make },
};
const tok_stage tok_pre_tokenizers = { "pre_tokenizer", "pretokenizers", components, COUNT(components) };

/* Whether a part belongs to the piece that is being made. `before`: the part before was a match. */
static bool joins(tok_behavior behavior, bool before, bool match)
{
    switch (behavior) {
    case TOK_MERGED_WITH_PREVIOUS: return match && !before;
    case TOK_MERGED_WITH_NEXT: return before && !match;
    case TOK_CONTIGUOUS: return before == match;
    case TOK_REMOVED:
    case TOK_ISOLATED: break;
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
