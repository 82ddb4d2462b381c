/* chat_case.h: one line of a file of chat template cases, rendered: {"template", "messages", "tools", "documents",
 * "kwargs", "special", "now", ...}. "special" and "kwargs" are the template's variables; arguments of
 * apply_chat_template stand among the latter. Values are handed on as they are written: a tree would make 1 of 1.0. */
#ifndef OCLM_TESTS_CHAT_CASE_H
#define OCLM_TESTS_CHAT_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/chat/chat.h"

/* Seconds since 1970 of "2025-03-04 05:06:07", by the days of the civil calendar. */
static int64_t chat_case_time(const char *text)
{
    int y, m, d, hour, minute, second;
    if (!text || sscanf(text, "%d-%d-%d %d:%d:%d", &y, &m, &d, &hour, &minute, &second) != 6)
        return JINJA_CLOCK;
    y -= m <= 2;
    const int64_t era = y / 400, year = y - era * 400, day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    const int64_t days = era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/* The text of a member's value in an object's; NULL where there is none, or it is null. core_free(). */
static char *chat_case_raw(const char *object, size_t size, const char *name)
{
    core_json_reader reader;
    char *found = NULL;
    bool first, more;
    core_json_reader_init(&reader, object, size, "a case");
    if (core_json_enter(&reader, CORE_JSON_OBJECT) == OCLM_OK)
        for (first = true; !found && core_json_next(&reader, CORE_JSON_OBJECT, &first, &more) == OCLM_OK && more;) {
            const char *key, *begin;
            size_t length;
            core_json_kind kind = CORE_JSON_END;
            if (core_json_key(&reader, &key, &length) != OCLM_OK)
                break;
            const bool same = length == strlen(name) && memcmp(key, name, length) == 0;
            if (core_json_peek(&reader, &kind) != OCLM_OK)
                break;
            begin = reader.p;
            if (core_json_skip(&reader) != OCLM_OK)
                break;
            if (same && kind != CORE_JSON_NULL &&
                (found = core_alloc((size_t)(reader.p - begin) + 1, "a test")) != NULL) {
                memcpy(found, begin, (size_t)(reader.p - begin));
                found[reader.p - begin] = '\0';
            }
        }
    core_json_reader_deinit(&reader);
    return found;
}

/* "{a}" and "{b}" as "{a,b}"; core_free(). */
static char *chat_case_merge(const char *a, const char *b)
{
    core_text text = CORE_TEXT_INIT;
    a = a ? a : "{}";
    b = b ? b : "{}";
    (void)core_text_add(&text, a, strlen(a) - 1);
    if (strlen(a) > 2 && strlen(b) > 2)
        (void)core_text_add_string(&text, ",");
    (void)core_text_add_string(&text, b + 1);
    return core_text_take(&text, NULL);
}

/* Renders the case of `line`. */
static oclm_status chat_case_render(const char *line, size_t length, core_text *out)
{
    static const tok_templates none = TOK_TEMPLATES_INIT;
    static const char *const names[] = { "messages", "tools", "documents", "kwargs", "special" };
    char *raw[COUNT(names)], *variables;
    cJSON *tree = NULL;
    tok_chat_request request = { .templates = &none };
    oclm_status status = core_json_parse(line, length, "a case", &tree);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(names); i++)
        raw[i] = chat_case_raw(line, length, names[i]);
    variables = chat_case_merge(raw[4], raw[3]);
    const cJSON *kwargs = core_json_member(tree, "kwargs"), *more = core_json_member(kwargs, "continue_final_message");
    const cJSON *now = core_json_member(tree, "now");
    request.messages = raw[0] ? raw[0] : "[]";
    request.tools = raw[1];
    request.documents = raw[2];
    request.variables = variables;
    request.template_text = core_json_member(tree, "template")->valuestring;
    request.add_generation_prompt = cJSON_IsTrue(core_json_member(kwargs, "add_generation_prompt"));
    request.continue_final_message = cJSON_IsTrue(more) || cJSON_IsString(more);
    request.continue_field = cJSON_IsString(more) ? more->valuestring : NULL;
    request.now = chat_case_time(cJSON_IsString(now) ? now->valuestring : NULL);
    status = tok_chat_render(&request, out);
    cJSON_Delete(tree);
    core_free(variables);
    for (size_t i = 0; i < COUNT(names); i++)
        core_free(raw[i]);
    return status;
}

#endif
