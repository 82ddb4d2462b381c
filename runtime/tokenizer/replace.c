/* replace.c: the normalisers Replace (every match of a pattern becomes a text) and Prepend (a text in front). */
#include <string.h>

#include "tokenizer/normalize.h"
#include "tokenizer/pattern.h"
#include "tokenizer/pipeline.h"

/* ---- Replace */

typedef struct replace_step {
    tok_step        step;
    tok_replacement what;
} replace_step;

static oclm_status replace(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const tok_replacement *what = &((const replace_step *)step)->what;
    const char *done = text; /* in `out` up to here */
    tok_matches matches;
    oclm_status status = core_text_reserve(&out->text, length);
    if (status != OCLM_OK || length == 0)
        return status;
    tok_matches_begin(&matches, &what->pattern, text, length);
    while ((status = tok_matches_next(&matches)) == OCLM_OK && matches.begin != NULL) {
        /* What replaces a match comes from its last byte; of an empty one, from the byte before. */
        const size_t source = matches.stop > text ? (size_t)(matches.stop - text) - 1 : TOK_SOURCE_EMPTY;
        if ((status = tok_normal_keep(out, done, (size_t)(matches.begin - done), (size_t)(done - text))) != OCLM_OK ||
            (status = tok_normal_put(out, what->content, what->content_length, source)) != OCLM_OK)
            break;
        done = matches.stop;
    }
    tok_matches_end(&matches);
    return status == OCLM_OK ? tok_normal_keep(out, done, (size_t)(text + length - done), (size_t)(done - text))
                             : status;
}

static void free_replace(tok_step *step)
{
    tok_replacement_deinit(&((replace_step *)step)->what);
    core_free(step);
}

oclm_status tok_replace_make(const cJSON *config, const char *where, tok_step **step)
{
    oclm_status   status;
    replace_step *made = core_alloc_zero(1, sizeof *made, "a normaliser");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.normalize = replace;
    made->step.free = free_replace;
    if ((status = tok_replacement_read(&made->what, config, where)) == OCLM_OK)
        *step = &made->step;
    else
        core_free(made);
    return status;
}

/* ---- Prepend */

typedef struct prepend_step {
    tok_step step;
    char *content;
} prepend_step;

static oclm_status prepend(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const char *content = ((const prepend_step *)step)->content;
    oclm_status status = OCLM_OK;
    if (length > 0 && (status = core_text_reserve(&out->text, strlen(content) + length)) == OCLM_OK &&
        (status = tok_normal_put(out, content, strlen(content), 0)) == OCLM_OK)
        status = tok_normal_keep(out, text, length, 0);
    return status;
}

static void free_prepend(tok_step *step)
{
    core_free(((prepend_step *)step)->content);
    core_free(step);
}

oclm_status tok_prepend_make(const cJSON *config, const char *where, tok_step **step)
{
    const char *content = NULL;
    prepend_step *made;
    oclm_status status = core_json_get_string(config, "prepend", where, &content);
    if (status != OCLM_OK)
        return status;
    if (content == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"prepend\" is missing", where);
    if ((made = core_alloc_zero(1, sizeof *made, "a normaliser")) == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.normalize = prepend;
    made->step.free = free_prepend;
    if ((made->content = core_copy_string(content, "a normaliser")) == NULL) {
        free_prepend(&made->step);
        return OCLM_ERR_MEMORY;
    }
    *step = &made->step;
    return OCLM_OK;
}
