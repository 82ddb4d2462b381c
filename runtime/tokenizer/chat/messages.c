/* messages.c: the caller's JSON as a template sees it. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/chat.h"

/* Names under which reasoning comes; the first that is there counts. */
static const char *const reasoning_names[] = { "reasoning_content", "thinking", "reasoning" };

static jinja_ref member(jinja_ref dict, const char *name)
{
    return jinja_dict_get(dict->as.dict, name, strlen(name));
}

jinja_ref tok_chat_with(jinja_run *run, jinja_ref dict, const char *key, jinja_ref value)
{
    jinja_dict *copy = jinja_dict_new(run);
    const jinja_ref name = jinja_word(run, key);
    if (!copy || !name || !value)
        return NULL;
    for (size_t i = 0; i < dict->as.dict->count; i++)
        if (!jinja_dict_set(run, copy, dict->as.dict->pairs[i].key, dict->as.dict->pairs[i].value))
            return NULL;
    return jinja_dict_set(run, copy, name, value) ? jinja_dict_value(run, JINJA_DICT, copy) : NULL;
}

static jinja_ref without_null(jinja_run *run, jinja_ref message)
{
    jinja_dict *kept = jinja_dict_new(run);
    if (!kept)
        return NULL;
    for (size_t i = 0; i < message->as.dict->count; i++) {
        const jinja_pair *pair = &message->as.dict->pairs[i];
        if (pair->value->kind != JINJA_NONE && !jinja_dict_set(run, kept, pair->key, pair->value))
            return NULL;
    }
    return jinja_dict_value(run, JINJA_DICT, kept);
}

/* {"thinking": r, **message, "reasoning_content": r} */
static jinja_ref with_reasoning(jinja_run *run, jinja_ref message)
{
    jinja_ref reasoning = NULL;
    jinja_dict *dict;
    jinja_ref name;
    for (size_t i = 0; i < COUNT(reasoning_names) && !reasoning; i++)
        reasoning = member(message, reasoning_names[i]);
    if (!reasoning)
        return message;
    if (!(dict = jinja_dict_new(run)) || !(name = jinja_word(run, "thinking")) ||
        !jinja_dict_set(run, dict, name, reasoning))
        return NULL;
    for (size_t i = 0; i < message->as.dict->count; i++)
        if (!jinja_dict_set(run, dict, message->as.dict->pairs[i].key, message->as.dict->pairs[i].value))
            return NULL;
    if (!(name = jinja_word(run, "reasoning_content")) || !jinja_dict_set(run, dict, name, reasoning))
        return NULL;
    return jinja_dict_value(run, JINJA_DICT, dict);
}

/* A list of objects, or none. */
static jinja_ref read_list(jinja_run *run, const char *json, const char *what)
{
    jinja_ref list = jinja_from_json(run, json, strlen(json), what);
    if (!list || list->kind == JINJA_NONE)
        return list;
    if (list->kind != JINJA_LIST)
        return jinja_fail_as(run, OCLM_ERR_ARGUMENT, "%s must be a JSON list of objects, not of type %s", what,
                             jinja_type(list));
    for (size_t i = 0; i < list->as.list.count; i++)
        if (list->as.list.items[i]->kind != JINJA_DICT)
            return jinja_fail_as(run, OCLM_ERR_ARGUMENT, "%s: item %zu is no JSON object, but of type %s", what, i,
                                 jinja_type(list->as.list.items[i]));
    return list;
}

jinja_ref tok_chat_objects(jinja_run *run, const char *json, const char *what)
{
    return json ? read_list(run, json, what) : &jinja_none;
}

jinja_ref tok_chat_messages(jinja_run *run, const char *json)
{
    const jinja_ref list = read_list(run, json, "the messages");
    jinja_ref *items;
    if (!list)
        return NULL;
    if (list->kind == JINJA_NONE || list->as.list.count == 0)
        return jinja_fail_as(run, OCLM_ERR_ARGUMENT,
                             "Cannot apply chat template to an empty conversation. Provide at least one message.");
    if (!(items = jinja_array(run, list->as.list.count)))
        return NULL;
    for (size_t i = 0; i < list->as.list.count; i++) {
        const jinja_ref bare = without_null(run, list->as.list.items[i]);
        if (!bare || !(items[i] = with_reasoning(run, bare)))
            return NULL;
    }
    return jinja_sequence(run, JINJA_LIST, items, list->as.list.count);
}
