/* pattern.c: reading and finding patterns. */
#include "tokenizer/pattern.h"

#include <string.h>

#include "tokenizer/unicode.h"

oclm_status tok_pattern_read(tok_pattern *pattern, const cJSON *config, const char *where)
{
    const cJSON *object = core_json_member(config, "pattern");
    const char  *literal = NULL, *regex = NULL;
    oclm_status  status;
    *pattern = (tok_pattern){ NULL, NULL, 0 };
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
    pattern->scan = tok_scanner_of(regex);
    return pattern->scan != NULL ? OCLM_OK
        : core_fail(OCLM_ERR_UNSUPPORTED, "%s: the pattern %s is none of those supported (GPT-2's, Llama 3's, Qwen's)", where, regex);
}

void tok_pattern_deinit(tok_pattern *pattern)
{
    core_free(pattern->literal);
    pattern->literal = NULL;
}

static const char *find_literal(const tok_pattern *pattern, const char *p, const char *end)
{
    if (pattern->length == 0)
        return NULL;
    while ((size_t)(end - p) >= pattern->length) {
        p = memchr(p, pattern->literal[0], (size_t)(end - p) - pattern->length + 1);
        if (p == NULL || memcmp(p, pattern->literal, pattern->length) == 0)
            return p;
        p++;
    }
    return NULL;
}

const char *tok_pattern_find(const tok_pattern *pattern, const char *p, const char *end, const char **stop)
{
    size_t length;
    if (pattern->scan == NULL) {
        p = find_literal(pattern, p, end);
        *stop = p != NULL ? p + pattern->length : NULL;
        return p;
    }
    for (; p < end; p += length) {
        if ((*stop = pattern->scan(p, end)) != NULL)
            return p;
        (void)tok_char_at(p, &length);
    }
    return NULL;
}
