/* chat.c: chooses the template, gathers what it sees, renders. */
#include "tokenizer/chat/chat.h"

#include <string.h>

#include "tokenizer/special.h"

/* ---- Choosing */

/* "a", "b": the names there are, for a message. */
static oclm_status unknown_name(const tok_templates *templates, const char *wanted)
{
    core_text names = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < templates->count && status == OCLM_OK; i++)
        status = core_text_printf(&names, "%s\"%s\"", i ? ", " : "", templates->items[i].name);
    if (status == OCLM_OK && templates->count == 0)
        status =
            core_fail(OCLM_ERR_NOT_FOUND,
                      "Cannot use chat template functions because tokenizer.chat_template is not set and no template "
                      "argument was passed! The model has no chat_template.jinja, and its tokenizer_config.json no "
                      "chat_template: it is "
                      "not made for conversations, or its template must be given (--chat-template FILE)");
    else if (status == OCLM_OK && wanted)
        status = core_fail(OCLM_ERR_NOT_FOUND, "the model has no chat template \"%s\"; it has %s", wanted, names.data);
    else if (status == OCLM_OK)
        status = core_fail(
            OCLM_ERR_NOT_FOUND,
            "This model has multiple chat templates with no default specified! Choose one by its name: %s", names.data);
    core_text_free(&names);
    return status;
}

static oclm_status choose(const tok_chat_request *request, tok_template *chosen)
{
    const tok_template *found = NULL;
    if (request->template_text) {
        chosen->text = (char *)(uintptr_t)request->template_text; /* read only */
        chosen->length = strlen(request->template_text);
        return OCLM_OK;
    }
    if (request->template_name)
        found = tok_templates_find(request->templates, request->template_name);
    else if (!request->tools || !(found = tok_templates_find(request->templates, "tool_use")))
        found = tok_templates_find(request->templates, "default");
    if (!found)
        return unknown_name(request->templates, request->template_name);
    *chosen = *found;
    return OCLM_OK;
}

/* ---- What the template sees */

static bool set(jinja_run *run, jinja_dict *dict, const char *key, jinja_ref value)
{
    const jinja_ref name = value ? jinja_word(run, key) : NULL;
    return name && jinja_dict_set(run, dict, name, value);
}

static bool set_special_tokens(jinja_run *run, jinja_dict *dict, const tok_tokenizer *tokenizer)
{
    const size_t count = tokenizer ? tok_special_named(tokenizer) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *text;
        size_t length;
        int32_t id;
        const char *key = tok_special_at(tokenizer, i, &text, &length, &id);
        if (!set(run, dict, key, jinja_part(run, text, length)))
            return false;
    }
    return true;
}

static bool set_variables(jinja_run *run, jinja_dict *dict, const char *json)
{
    const jinja_ref object = json ? jinja_from_json(run, json, strlen(json), "the variables") : &jinja_none;
    if (!object || object->kind == JINJA_NONE)
        return object != NULL;
    if (object->kind != JINJA_DICT)
        return jinja_fail_as(run, OCLM_ERR_ARGUMENT,
                             "the variables must be a JSON object, such as {\"enable_thinking\": false}") != NULL;
    for (size_t i = 0; i < object->as.dict->count; i++)
        if (!jinja_dict_set(run, dict, object->as.dict->pairs[i].key, object->as.dict->pairs[i].value))
            return false;
    return true;
}

/* ---- Rendering */

static bool render(jinja_run *run, const tok_chat_request *request, const tok_template *chosen, core_text *out)
{
    const char *const field = request->continue_field ? request->continue_field : "content";
    jinja_ref messages = tok_chat_messages(run, request->messages), final = NULL;
    jinja_dict *dict = messages ? jinja_dict_new(run) : NULL;
    core_text text = CORE_TEXT_INIT;
    bool good;
    if (!dict)
        return false;
    if (request->continue_final_message &&
        !(messages = tok_chat_mark(run, messages, field, chosen->text, chosen->length, &final)))
        return false;
    if (!set(run, dict, "messages", messages) ||
        !set(run, dict, "tools", tok_chat_objects(run, request->tools, "the tools")) ||
        !set(run, dict, "documents", tok_chat_objects(run, request->documents, "the documents")) ||
        !set(run, dict, "add_generation_prompt", jinja_bool(request->add_generation_prompt)) ||
        !set_special_tokens(run, dict, request->tokenizer) || !set_variables(run, dict, request->variables))
        return false;
    good = jinja_render(run, chosen->text, chosen->length, dict, &text) == OCLM_OK;
    run->line = 0;
    if (good && final)
        good = tok_chat_cut(run, final, &text);
    if (good && (run->status = core_text_add(out, text.data ? text.data : "", text.length)) != OCLM_OK)
        good = false;
    core_text_free(&text);
    return good;
}

oclm_status tok_chat_render(const tok_chat_request *request, core_text *out)
{
    tok_template chosen = { NULL, NULL, 0 };
    jinja_run run;
    oclm_status status;
    if (request->continue_final_message && request->add_generation_prompt)
        return core_fail(
            OCLM_ERR_ARGUMENT,
            "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when "
            "you want the model to continue the final message, and add_generation_prompt when you want to add a header "
            "that will "
            "prompt it to start a new assistant message instead.");
    if ((status = choose(request, &chosen)) != OCLM_OK)
        return status;
    jinja_begin(&run, "chat template");
    run.now = request->now;
    if (request->max_work)
        run.max_work = request->max_work;
    if (!render(&run, request, &chosen, out) && run.status == OCLM_OK)
        run.status = core_fail(OCLM_ERR_INTERNAL, "a chat template failed without a reason");
    status = run.status;
    jinja_end(&run);
    return status;
}
