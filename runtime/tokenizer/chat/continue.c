/* continue.c: continue_final_message. A tag is put at the end of the last message; the prompt ends where the tag comes
 * out. A template may strip the message: then the tag's space is gone, and the prompt is stripped too. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/chat.h"
#include "tokenizer/chat/text.h"

#define TAG "CONTINUE_FINAL_MESSAGE_TAG "

static const char *const reasoning_names[] = { "reasoning_content", "thinking", "reasoning" };

static jinja_ref member(jinja_ref dict, const char *name)
{
    return jinja_dict_get(dict->as.dict, name, strlen(name));
}

static bool is_reasoning(const char *field)
{
    for (size_t i = 0; i < COUNT(reasoning_names); i++)
        if (strcmp(field, reasoning_names[i]) == 0)
            return true;
    return false;
}

static bool mentions(jinja_run *run, const char *source, size_t length, const char *field, bool *found)
{
    const jinja_ref text = jinja_part(run, source, length), word = jinja_word(run, field);
    size_t at;
    if (!text || !word || !jinja_text_find(run, text, word, 0, &at))
        return false;
    *found = *found || at != SIZE_MAX;
    return true;
}

/* Text with the tag behind it. */
static jinja_ref tagged(jinja_run *run, jinja_ref text, const char *field)
{
    const jinja_ref tag = jinja_word(run, TAG);
    if (text->kind != JINJA_STRING)
        return jinja_fail_as(run, OCLM_ERR_ARGUMENT,
                             "continue_final_message: \"%s\" of the final message is no text, but of type %s", field,
                             jinja_type(text));
    return tag ? jinja_join2(run, text, tag) : NULL;
}

/* Marks the last of the parts that has a text. */
static jinja_ref tag_parts(jinja_run *run, jinja_ref parts, jinja_ref *final)
{
    jinja_ref *items = jinja_array(run, parts->as.list.count);
    size_t i = parts->as.list.count;
    if (!items)
        return NULL;
    if (i > 0)
        memcpy(items, parts->as.list.items, i * sizeof *items);
    while (i-- > 0) {
        jinja_ref text;
        if (items[i]->kind != JINJA_DICT || !(text = member(items[i], "text")))
            continue;
        *final = text;
        if (!(text = tagged(run, text, "text")) || !(items[i] = tok_chat_with(run, items[i], "text", text)))
            return NULL;
        return jinja_sequence(run, JINJA_LIST, items, parts->as.list.count);
    }
    return jinja_fail_as(
        run, OCLM_ERR_ARGUMENT,
        "continue_final_message is set but we could not find any text to continue in the final message!");
}

/* Reasoning stands under several names: all that hold the same are marked. */
static jinja_ref tag_reasoning(jinja_run *run, jinja_ref message, jinja_ref value)
{
    const jinja_ref text = tagged(run, value, "reasoning");
    for (size_t i = 0; i < COUNT(reasoning_names) && text && message; i++) {
        const jinja_ref other = member(message, reasoning_names[i]);
        bool equal = false;
        if (other && !jinja_equal(run, other, value, &equal))
            return NULL;
        if (equal)
            message = tok_chat_with(run, message, reasoning_names[i], text);
    }
    return text ? message : NULL;
}

jinja_ref tok_chat_mark(jinja_run *run, jinja_ref messages, const char *field, const char *source, size_t length,
                        jinja_ref *final)
{
    const size_t last = messages->as.list.count - 1;
    jinja_ref message = messages->as.list.items[last], value = member(message, field);
    jinja_ref *items;
    bool found = false;
    if (!value)
        return jinja_fail_as(run, OCLM_ERR_ARGUMENT,
                             "continue_final_message is set but the final message has no \"%s\" to continue!", field);
    *final = value;
    if (!mentions(run, source, length, field, &found))
        return NULL;
    for (size_t i = 0; i < COUNT(reasoning_names) && is_reasoning(field); i++)
        if (member(message, reasoning_names[i]) && !mentions(run, source, length, reasoning_names[i], &found))
            return NULL;
    if (!found)
        return jinja_fail_as(
            run, OCLM_ERR_ARGUMENT,
            "continue_final_message is set to \"%s\" but this is not an accepted field in the chat_template", field);
    if (value->kind == JINJA_LIST)
        message = tok_chat_with(run, message, field, tag_parts(run, value, final));
    else if (is_reasoning(field))
        message = tag_reasoning(run, message, value);
    else
        message = tok_chat_with(run, message, field, tagged(run, value, field));
    if (!message || !(items = jinja_array(run, last + 1)))
        return NULL;
    memcpy(items, messages->as.list.items, (last + 1) * sizeof *items);
    items[last] = message;
    return jinja_sequence(run, JINJA_LIST, items, last + 1);
}

bool tok_chat_cut(jinja_run *run, jinja_ref final, core_text *text)
{
    const jinja_ref whole = jinja_text(run, text->data ? text->data : "", text->length),
                    tag = jinja_part(run, TAG, strlen(TAG) - 1);
    const jinja_ref bare = whole && tag ? jinja_strip(run, final, NULL, true, true) : NULL;
    jinja_ref kept;
    size_t at, mark;
    if (!bare || !jinja_text_find(run, whole, bare, 0, &at) || !jinja_text_find_last(run, whole, tag, &mark))
        return false;
    if (at == SIZE_MAX || mark == SIZE_MAX)
        return jinja_fail_as(
                   run, OCLM_ERR_ARGUMENT,
                   "continue_final_message is set but the final message does not appear in the chat after "
                   "applying the chat template! This can happen if the chat template deletes portions of the final "
                   "message. Please "
                   "verify the chat template and final message in your chat to ensure they are compatible.") != NULL;
    kept = jinja_part(run, whole->as.text.data, mark);
    if (kept && (whole->as.text.length < mark + strlen(TAG) || whole->as.text.data[mark + strlen(TAG) - 1] != ' '))
        kept = jinja_strip(run, kept, NULL, false, true);
    if (!kept)
        return false;
    text->length = kept->as.text.length;
    if (text->data)
        text->data[text->length] = '\0';
    return true;
}
