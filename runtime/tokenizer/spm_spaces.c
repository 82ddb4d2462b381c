/* spm_spaces.c: SentencePiece's treatment of spaces, in its order: extra ones go, the others become visible. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/spm.h"

typedef struct spaces_step {
    tok_step step;
    tok_spm_spaces what;
} spaces_step;

static oclm_status add_space(const spaces_step *self, size_t source, tok_normal *out)
{
    return self->what.escape ? tok_normal_put(out, TOK_VISIBLE_SPACE, 3, source) : tok_normal_put(out, " ", 1, source);
}

static oclm_status normalize(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const spaces_step *self = (const spaces_step *)step;
    const bool trim = self->what.trim;
    const char *p = text, *end = text + length;
    oclm_status status = OCLM_OK;
    while (trim && p < end && *p == ' ')
        p++;
    while (trim && p < end && end[-1] == ' ')
        end--;
    const bool visible = (p < end && *p == ' ' && self->what.escape) || (end - p >= 3 && memcmp(p, TOK_VISIBLE_SPACE, 3) == 0);
    if (visible && self->what.double_first)
        status = tok_normal_put(out, TOK_VISIBLE_SPACE, 3, (size_t)(p - text));
    while (p < end && status == OCLM_OK) {
        const char *stop;
        if (*p == ' ') {
            status = add_space(self, (size_t)(p - text), out);
            do
                p++;
            while (trim && *p == ' '); /* the text does not end in a space then */
            continue;
        }
        if ((stop = memchr(p, ' ', (size_t)(end - p))) == NULL)
            stop = end;
        status = tok_normal_keep(out, p, (size_t)(stop - p), (size_t)(p - text));
        p = stop;
    }
    return status;
}

oclm_status tok_spm_spaces_add(tok_chain *chain, const tok_spm_spaces *what)
{
    spaces_step *made;
    if (!what->trim && !what->escape && !what->double_first)
        return OCLM_OK;
    if ((made = core_alloc_zero(1, sizeof *made, "a normaliser")) == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.normalize = normalize;
    made->what = *what;
    return tok_chain_add(chain, &made->step, "SentencePiece's spaces");
}
