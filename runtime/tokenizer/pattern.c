/* pattern.c: reading and finding patterns. */
#include "tokenizer/pattern.h"

#include <string.h>

#include "core/log.h"
#include "tokenizer/unicode.h"

oclm_status tok_pattern_read(tok_pattern *pattern, const cJSON *config, const char *where)
{
    const cJSON *object = core_json_member(config, "pattern");
    const char *literal = NULL, *regex = NULL;
    oclm_status status;
    *pattern = (tok_pattern){ NULL, NULL, NULL, 0 };
    if (!cJSON_IsObject(object))
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"pattern\" is not {\"String\": ...} or {\"Regex\": ...}", where);
    if ((status = core_json_get_string(object, "String", where, &literal)) != OCLM_OK ||
        (status = core_json_get_string(object, "Regex", where, &regex)) != OCLM_OK)
        return status;
    if (literal != NULL) {
        pattern->length = strlen(literal);
        pattern->literal = core_copy_string(literal, "a pattern");
        return pattern->literal != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    }
    if (regex == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"pattern\" has neither \"String\" nor \"Regex\"", where);
    if ((pattern->scan = tok_scanner_of(regex)) != NULL)
        return OCLM_OK;
    core_log(OCLM_LOG_INFO, "%s: the pattern %s is none of those known: it is left to PCRE2, which is slower", where,
             regex);
    return tok_regex_new(regex, where, &pattern->regex);
}

void tok_pattern_deinit(tok_pattern *pattern)
{
    core_free(pattern->literal);
    tok_regex_free(pattern->regex);
    pattern->literal = NULL;
    pattern->regex = NULL;
}

oclm_status tok_replacement_read(tok_replacement *replacement, const cJSON *config, const char *where)
{
    const char *content = NULL;
    oclm_status status = core_json_get_string(config, "content", where, &content);
    if (status != OCLM_OK)
        return status;
    if (content == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"content\" is missing", where);
    replacement->content_length = strlen(content);
    if ((replacement->content = core_copy_string(content, "what replaces a pattern")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = tok_pattern_read(&replacement->pattern, config, where)) != OCLM_OK)
        tok_replacement_deinit(replacement);
    return status;
}

void tok_replacement_deinit(tok_replacement *replacement)
{
    tok_pattern_deinit(&replacement->pattern);
    core_free(replacement->content);
    replacement->content = NULL;
}

/* ---- Matches */

void tok_matches_begin(tok_matches *matches, const tok_pattern *pattern, const char *text, size_t length)
{
    *matches = (tok_matches){ pattern, text, text + length, text, NULL, NULL, NULL, NULL };
}

void tok_matches_end(tok_matches *matches)
{
    tok_regex_state_free(matches->state);
    matches->state = NULL;
}

static void find_literal(tok_matches *matches)
{
    const size_t length = matches->pattern->length;
    const char *p = matches->from;
    while ((size_t)(matches->end - p) >= length) {
        if (length > 0)
            p = memchr(p, matches->pattern->literal[0], (size_t)(matches->end - p) - length + 1);
        if (p == NULL)
            return;
        if (memcmp(p, matches->pattern->literal, length) == 0) {
            matches->begin = p;
            matches->stop = p + length;
            return;
        }
        p++;
    }
}

static void find_scanned(tok_matches *matches)
{
    size_t length;
    for (const char *p = matches->from; p < matches->end; p += length) {
        if ((matches->stop = matches->pattern->scan(p, matches->end)) != NULL) {
            matches->begin = p;
            return;
        }
        (void)tok_char_at(p, &length);
    }
}

static oclm_status find(tok_matches *matches)
{
    matches->begin = NULL;
    if (matches->pattern->regex != NULL)
        return tok_regex_find(matches->pattern->regex, &matches->state, matches->text,
                              (size_t)(matches->end - matches->text), (size_t)(matches->from - matches->text),
                              &matches->begin, &matches->stop);
    if (matches->pattern->scan != NULL)
        find_scanned(matches);
    else
        find_literal(matches);
    return OCLM_OK;
}

oclm_status tok_matches_next(tok_matches *matches)
{
    oclm_status status;
    size_t length;
    while (matches->from <= matches->end) {
        if ((status = find(matches)) != OCLM_OK)
            return status;
        if (matches->begin == NULL)
            break;
        if (matches->begin < matches->stop || matches->stop != matches->last) {
            matches->from = matches->last = matches->stop;
            return OCLM_OK;
        }
        if (matches->from == matches->end) /* an empty match right behind another is none: on by one character */
            break;
        (void)tok_char_at(matches->from, &length);
        matches->from += length;
    }
    matches->begin = NULL;
    matches->from = matches->end + 1;
    return OCLM_OK;
}
