/* metaspace.c: the Metaspace pre-tokenizer: spaces become a visible character, one is put in front, and words begin
 * with it. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"
#include "tokenizer/unicode.h"

typedef enum scheme { ALWAYS, FIRST, NEVER } scheme;

typedef struct metaspace {
    tok_step step;
    char replacement[4]; /* one character */
    size_t replacement_length;
    scheme scheme;
    bool split;
} metaspace;

static bool starts_with(const metaspace *self, const char *p, const char *end)
{
    return (size_t)(end - p) >= self->replacement_length && memcmp(p, self->replacement, self->replacement_length) == 0;
}

/* Each replacement begins a piece. */
static oclm_status cut(const metaspace *self, tok_run *run, size_t index, const char *p, const char *end)
{
    oclm_status status = OCLM_OK;
    const char *begin = p;
    size_t length;
    for (; p < end && status == OCLM_OK; p += length) {
        if (p > begin && *p == self->replacement[0] && starts_with(self, p, end)) {
            status = tok_run_piece(run, index + 1, begin, (size_t)(p - begin));
            begin = p;
        }
        (void)tok_char_at(p, &length);
    }
    return status == OCLM_OK ? tok_run_piece(run, index + 1, begin, (size_t)(end - begin)) : status;
}

static oclm_status rewrite(const metaspace *self, const tok_run *run, const char *text, size_t length, tok_normal *out)
{
    const char *const end = text + length;
    oclm_status status = core_text_reserve(&out->text, length + self->replacement_length);
    const bool has_one = *text == ' ' || starts_with(self, text, end);
    if (status == OCLM_OK && !has_one &&
        (self->scheme == ALWAYS || (self->scheme == FIRST && (tok_run_source(run, text) & ~(size_t)TOK_SOURCE_EMPTY) == 0)))
        status = tok_normal_put(out, self->replacement, self->replacement_length, 0);
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        if (*p == ' ') {
            status = tok_normal_put(out, self->replacement, self->replacement_length, (size_t)(p - text));
            stop = p + 1;
            continue;
        }
        if ((stop = memchr(p, ' ', (size_t)(end - p))) == NULL)
            stop = end;
        status = tok_normal_keep(out, p, (size_t)(stop - p), (size_t)(p - text));
    }
    return status;
}

static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const metaspace *self = (const metaspace *)step;
    tok_normal *own = &run->scratch->step_text[index];
    tok_frame before;
    oclm_status status;
    tok_run_rewrite(run, own);
    if ((status = rewrite(self, run, text, length, own)) != OCLM_OK)
        return status;
    before = tok_run_enter(run, own, text);
    status = self->split ? cut(self, run, index, own->text.data, own->text.data + own->text.length)
                         : tok_run_piece(run, index + 1, own->text.data, own->text.length);
    run->frame = before;
    return status;
}

bool tok_metaspace_looks_back(const tok_step *step)
{
    return step->does.split == split && ((const metaspace *)step)->scheme == FIRST;
}

static oclm_status read_scheme(const cJSON *config, const char *where, scheme *value)
{
    static const char *const names[] = { "always", "first", "never" };
    const char *name = NULL;
    bool prefix = true;
    size_t i = 0;
    oclm_status status;
    *value = ALWAYS;
    if ((status = core_json_get_string(config, "prepend_scheme", where, &name)) != OCLM_OK ||
        (status = core_json_get_bool(config, "add_prefix_space", where, &prefix)) != OCLM_OK)
        return status;
    if (name != NULL) {
        while (i < COUNT(names) && strcmp(name, names[i]) != 0)
            i++;
        if (i == COUNT(names))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"prepend_scheme\" is \"%s\"; it must be always, first or never",
                             where, name);
        *value = (scheme)i;
    }
    if (!prefix && *value != NEVER)
        return core_fail(OCLM_ERR_FORMAT,
                         "%s: \"add_prefix_space\" is false, but \"prepend_scheme\" is %s; it must be never then",
                         where, name != NULL ? name : "not there, which means always");
    return OCLM_OK;
}

oclm_status tok_metaspace_make(const cJSON *config, const char *where, tok_step **step)
{
    metaspace made;
    const char *replacement = NULL;
    oclm_status status;
    memset(&made, 0, sizeof made);
    made.step.does.split = split;
    made.split = true;
    if ((status = tok_json_char(config, "replacement", where, &replacement, &made.replacement_length)) != OCLM_OK ||
        (status = core_json_get_bool(config, "split", where, &made.split)) != OCLM_OK ||
        (status = read_scheme(config, where, &made.scheme)) != OCLM_OK)
        return status;
    memcpy(made.replacement, replacement, made.replacement_length);
    return tok_step_copy(&made, sizeof made, step);
}
