/* spm_symbols.c: user-defined symbols, which SentencePiece never merges with what stands beside them. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/spm.h"

typedef struct symbols_step {
    tok_step step;
    tok_added symbols;
} symbols_step;

static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const tok_added_set *set = &((const symbols_step *)step)->symbols.raw;
    const char *const end = text + length;
    const char *rest = text; /* not given on yet */
    oclm_status status = OCLM_OK;
    for (const char *p = text; p < end && status == OCLM_OK;) {
        const tok_added_token *token = tok_added_longest_at(set, p, end);
        if (token == NULL) {
            p++;
            continue;
        }
        if ((status = tok_run_piece(run, index + 1, rest, (size_t)(p - rest))) == OCLM_OK)
            status = tok_run_piece(run, index + 1, p, token->length);
        rest = p += token->length;
    }
    return status == OCLM_OK ? tok_run_piece(run, index + 1, rest, (size_t)(end - rest)) : status;
}

static void free_symbols(tok_step *step)
{
    tok_added_deinit(&((symbols_step *)step)->symbols);
    core_free(step);
}

oclm_status tok_spm_symbols_add(tok_chain *chain, tok_added *symbols)
{
    const tok_chain none = { NULL, 0, false };
    symbols_step *made;
    oclm_status status = tok_added_finish(symbols, &none);
    if (status != OCLM_OK)
        return status;
    if ((made = core_alloc_zero(1, sizeof *made, "a pre-tokenizer")) == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.split = split;
    made->step.free = free_symbols;
    made->symbols = *symbols;
    memset(symbols, 0, sizeof *symbols);
    return tok_chain_add(chain, &made->step, "SentencePiece's symbols");
}
