/* json_python.c: a tree of JSON as Python's json module reads it. cJSON knows no NaN and no infinity, so the tree is built here, value by value,
 * from what the pull reader gives. */
#include <string.h>

#include "core/json.h"
#include "core/platform.h"

static oclm_status build(core_json_reader *reader, cJSON **item);

/* The text of a key or string, which the reader gives without an end. */
static oclm_status copy(const char *text, size_t length, char **string)
{
    if (!(*string = core_alloc(length + 1, "a string of JSON")))
        return OCLM_ERR_MEMORY;
    memcpy(*string, text, length);
    (*string)[length] = '\0';
    return OCLM_OK;
}

static oclm_status add_member(core_json_reader *reader, cJSON *object)
{
    const char *text;
    size_t      length;
    char       *key = NULL;
    cJSON      *value = NULL;
    oclm_status status = core_json_key(reader, &text, &length);
    if (status == OCLM_OK && (status = copy(text, length, &key)) == OCLM_OK && (status = build(reader, &value)) == OCLM_OK &&
        !cJSON_AddItemToObject(object, key, value)) {
        cJSON_Delete(value);
        status = core_fail_memory(length, "a JSON tree");
    }
    core_free(key);
    return status;
}

static oclm_status add_element(core_json_reader *reader, cJSON *array)
{
    cJSON            *value;
    const oclm_status status = build(reader, &value);
    if (status == OCLM_OK)
        (void)cJSON_AddItemToArray(array, value);
    return status;
}

static oclm_status build_container(core_json_reader *reader, core_json_kind kind, cJSON **item)
{
    bool        first = true, more;
    oclm_status status = core_json_enter(reader, kind);
    *item = kind == CORE_JSON_OBJECT ? cJSON_CreateObject() : cJSON_CreateArray();
    if (!*item)
        return core_fail_memory(sizeof **item, "a JSON tree");
    while (status == OCLM_OK && (status = core_json_next(reader, kind, &first, &more)) == OCLM_OK && more)
        status = kind == CORE_JSON_OBJECT ? add_member(reader, *item) : add_element(reader, *item);
    return status;
}

static oclm_status build_leaf(core_json_reader *reader, core_json_kind kind, cJSON **item)
{
    const char *text;
    char       *string = NULL;
    size_t      length;
    double      number = 0;
    bool        truth = false;
    oclm_status status;
    switch (kind) {
    case CORE_JSON_NUMBER:
        if ((status = core_json_double(reader, &number)) == OCLM_OK)
            *item = cJSON_CreateNumber(number);
        break;
    case CORE_JSON_STRING:
        if ((status = core_json_string(reader, &text, &length)) == OCLM_OK && (status = copy(text, length, &string)) == OCLM_OK)
            *item = cJSON_CreateString(string);
        break;
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        if ((status = core_json_bool(reader, &truth)) == OCLM_OK)
            *item = cJSON_CreateBool(truth);
        break;
    default: /* null; at the end of the text the reader says what is missing */
        if ((status = core_json_skip(reader)) == OCLM_OK)
            *item = cJSON_CreateNull();
        break;
    }
    core_free(string);
    return status == OCLM_OK && !*item ? core_fail_memory(sizeof **item, "a JSON tree") : status;
}

/* On failure there is no item. */
static oclm_status build(core_json_reader *reader, cJSON **item)
{
    core_json_kind kind;
    oclm_status    status = core_json_peek(reader, &kind);
    *item = NULL;
    if (status == OCLM_OK)
        status = kind == CORE_JSON_ARRAY || kind == CORE_JSON_OBJECT ? build_container(reader, kind, item) : build_leaf(reader, kind, item);
    if (status != OCLM_OK) {
        cJSON_Delete(*item);
        *item = NULL;
    }
    return status;
}

oclm_status core_json_read_python(const char *path, size_t limit, cJSON **tree)
{
    core_json_reader reader;
    core_json_kind   kind = CORE_JSON_END;
    char            *text;
    size_t           length;
    oclm_status      status;
    *tree = NULL;
    if ((status = core_read_file(path, limit, &text, &length)) != OCLM_OK)
        return status;
    core_json_reader_init(&reader, text, length, path);
    reader.python = true;
    if ((status = build(&reader, tree)) == OCLM_OK && (status = core_json_peek(&reader, &kind)) == OCLM_OK && kind != CORE_JSON_END)
        status = core_json_error(&reader, "more text follows after the end of the JSON value");
    if (status != OCLM_OK) {
        cJSON_Delete(*tree);
        *tree = NULL;
    }
    core_json_reader_deinit(&reader);
    core_free(text);
    return status;
}
