/* json.c: a configuration file as a tree. The pull reader checks the text first (strict JSON, depth, UTF-8), with messages
 * that tell the byte; only then cJSON, which is laxer and tells little, makes the tree. */
#include "core/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/platform.h"

/* Reads one value and expects nothing after it. */
static oclm_status check(const char *text, size_t length, const char *origin)
{
    core_json_reader reader;
    core_json_kind   kind = CORE_JSON_END;
    oclm_status      status;
    core_json_reader_init(&reader, text, length, origin);
    if ((status = core_json_skip(&reader)) == OCLM_OK && (status = core_json_peek(&reader, &kind)) == OCLM_OK &&
        kind != CORE_JSON_END)
        status = core_json_error(&reader, "more text follows after the end of the JSON value");
    core_json_reader_deinit(&reader);
    return status;
}

oclm_status core_json_parse(const char *text, size_t length, const char *origin, cJSON **tree)
{
    oclm_status status = check(text, length, origin);
    *tree = NULL;
    if (status != OCLM_OK)
        return status;
    const size_t mark = core_json_mark_length(text, length); /* cJSON overlooks it before a single byte */
    core_locale *before = core_locale_enter();               /* cJSON reads numbers with strtod() */
    *tree = cJSON_ParseWithLength(text + mark, length - mark);
    core_locale_leave(before);
    return *tree != NULL ? OCLM_OK : core_fail_memory(length, "a JSON tree"); /* the text is known to be good */
}

oclm_status core_json_read_file(const char *path, size_t limit, cJSON **tree)
{
    char       *text;
    size_t      length;
    oclm_status status;
    *tree = NULL;
    if ((status = core_read_file(path, limit, &text, &length)) != OCLM_OK)
        return status;
    status = core_json_parse(text, length, path, tree);
    core_free(text);
    return status;
}

/* The last of that name, as Python and most others read duplicates; cJSON's own search gives the first. */
static const cJSON *find(const cJSON *object, const char *name)
{
    const cJSON *found = NULL;
    if (!cJSON_IsObject(object))
        return NULL;
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        if (strcmp(item->string, name) == 0)
            found = item;
    }
    return found;
}

const cJSON *core_json_member(const cJSON *object, const char *name)
{
    const cJSON *item = find(object, name);
    return cJSON_IsNull(item) ? NULL : item;
}

bool core_json_has(const cJSON *object, const char *name)
{
    return find(object, name) != NULL;
}

/* A value for a message: short ones as they are, long ones cut at a character. */
static void describe(const cJSON *item, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (cJSON_IsArray(item) || cJSON_IsObject(item)) {
        (void)strcpy(buffer, cJSON_IsArray(item) ? "an array" : "an object");
        return;
    }
    core_text text = CORE_TEXT_INIT;
    if (cJSON_IsString(item))
        (void)core_json_add_string(&text, item->valuestring, strlen(item->valuestring));
    else if (cJSON_IsNumber(item))
        (void)core_text_printf(&text, "%.17g", item->valuedouble);
    else
        (void)core_text_add_string(&text, cJSON_IsTrue(item) ? "true" : "false");
    if (text.data != NULL) {
        const bool   whole = text.length < size;
        const size_t length = whole ? text.length : core_utf8_cut(text.data, text.length, size - 4);
        memcpy(buffer, text.data, length);
        memcpy(buffer + length, whole ? "" : "...", whole ? 1 : 4);
    }
    core_text_free(&text);
}

oclm_status core_json_wrong(const cJSON *item, const char *name, const char *origin, const char *wanted)
{
    char value[80];
    describe(item, value, sizeof value);
    return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %s; it must be %s", origin, name, value, wanted);
}

bool core_json_is_whole(const cJSON *item, double min, double max)
{
    return cJSON_IsNumber(item) && item->valuedouble >= min && item->valuedouble <= max && floor(item->valuedouble) == item->valuedouble;
}

oclm_status core_json_get_u32(const cJSON *object, const char *name, const char *origin, uint32_t min, uint32_t max,
                              uint32_t *value)
{
    const cJSON *item = core_json_member(object, name);
    if (item == NULL)
        return OCLM_OK;
    if (!core_json_is_whole(item, min, max)) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "a whole number from %" PRIu32 " to %" PRIu32, min, max);
        return core_json_wrong(item, name, origin, wanted);
    }
    *value = (uint32_t)item->valuedouble;
    return OCLM_OK;
}

oclm_status core_json_get_float(const cJSON *object, const char *name, const char *origin, double *value)
{
    const cJSON *item = core_json_member(object, name);
    if (item == NULL)
        return OCLM_OK;
    if (!cJSON_IsNumber(item))
        return core_json_wrong(item, name, origin, "a number");
    *value = item->valuedouble;
    return OCLM_OK;
}

oclm_status core_json_get_bool(const cJSON *object, const char *name, const char *origin, bool *value)
{
    const cJSON *item = core_json_member(object, name);
    if (item == NULL)
        return OCLM_OK;
    if (!cJSON_IsBool(item))
        return core_json_wrong(item, name, origin, "true or false");
    *value = cJSON_IsTrue(item);
    return OCLM_OK;
}

oclm_status core_json_get_string(const cJSON *object, const char *name, const char *origin, const char **value)
{
    const cJSON *item = core_json_member(object, name);
    if (item == NULL)
        return OCLM_OK;
    if (!cJSON_IsString(item))
        return core_json_wrong(item, name, origin, "a string");
    *value = item->valuestring;
    return OCLM_OK;
}

oclm_status core_json_add_string(core_text *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    const size_t      length_before = out->length;
    oclm_status       status = core_text_add_char(out, '"');
    for (size_t i = 0; i < length && status == OCLM_OK; i++) {
        const unsigned char byte = (unsigned char)text[i];
        const char *const   named = byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : byte == '\r' ? "\\r"
                                    : byte == '"' ? "\\\"" : byte == '\\' ? "\\\\" : NULL;
        if (named != NULL) {
            status = core_text_add(out, named, 2);
        } else if (byte < 0x20 || byte == 0x7F) {
            const char escape[6] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };
            status = core_text_add(out, escape, sizeof escape);
        } else {
            status = core_text_add(out, text + i, 1);
        }
    }
    if (status == OCLM_OK)
        status = core_text_add_char(out, '"');
    if (status != OCLM_OK && out->data != NULL) { /* all or nothing */
        out->length = length_before;
        out->data[length_before] = '\0';
    }
    return status;
}
