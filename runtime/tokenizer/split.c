/* split.c: the Split pre-tokenizer: cuts at the matches of a pattern. */
#include <string.h>

#include "tokenizer/pattern.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"

typedef struct split_step {
    tok_step step;
    tok_pattern pattern;
    tok_behavior behavior;
    bool invert; /* the gaps count as matches */
} split_step;

static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const split_step *self = (const split_step *)step;
    tok_splitter splitter = { run, index + 1, self->behavior, NULL, NULL, false };
    const char *const end = text + length;
    const char *done = text;
    tok_matches matches;
    oclm_status status;
    tok_matches_begin(&matches, &self->pattern, text, length);
    while ((status = tok_matches_next(&matches)) == OCLM_OK && matches.begin != NULL) {
        if (done < matches.begin &&
            (status = tok_splitter_part(&splitter, done, matches.begin, self->invert)) != OCLM_OK)
            break;
        /* An empty match cuts too. */
        if ((status = tok_splitter_part(&splitter, matches.begin, matches.stop, !self->invert)) != OCLM_OK)
            break;
        done = matches.stop;
    }
    tok_matches_end(&matches);
    if (done < end && status == OCLM_OK)
        status = tok_splitter_part(&splitter, done, end, self->invert);
    return status == OCLM_OK ? tok_splitter_finish(&splitter) : status;
}

static void free_split(tok_step *step)
{
    tok_pattern_deinit(&((split_step *)step)->pattern);
    core_free(step);
}

oclm_status tok_split_make(const cJSON *config, const char *where, tok_step **step)
{
    split_step made;
    split_step *copy;
    oclm_status status;
    memset(&made, 0, sizeof made);
    made.step.does.split = split;
    made.step.free = free_split;
    if (core_json_member(config, "invert") == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"invert\" is missing", where);
    if (core_json_member(config, "behavior") == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"behavior\" is missing", where);
    if ((status = core_json_get_bool(config, "invert", where, &made.invert)) != OCLM_OK ||
        (status = tok_json_behavior(config, where, &made.behavior)) != OCLM_OK ||
        (status = tok_pattern_read(&made.pattern, config, where)) != OCLM_OK)
        return status;
    if ((copy = core_copy(&made, sizeof made, "a pre-tokenizer")) == NULL) {
        tok_pattern_deinit(&made.pattern);
        return OCLM_ERR_MEMORY;
    }
    *step = &copy->step;
    return OCLM_OK;
}
