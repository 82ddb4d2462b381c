/* chat.c: conversations to text and to ids. */
#include <string.h>

#include "api/api.h"

static const oclm_chat_options defaults = { .struct_size = sizeof defaults };

void oclm_chat_options_init(oclm_chat_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

bool oclm_tokenizer_has_chat_template(const oclm_tokenizer *tokenizer)
{
    return tokenizer && tokenizer->templates.count > 0;
}

static oclm_status render(const char *function, const oclm_tokenizer *tokenizer, const char *messages,
                          const oclm_chat_options *options, core_text *out)
{
    oclm_chat_options mine = defaults;
    oclm_status status;
    if (!tokenizer || !messages)
        return api_missing(function, tokenizer ? "messages_json" : "tokenizer");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_chat_options")) != OCLM_OK)
        return status;
    const tok_chat_request request = {
        .templates = &tokenizer->templates,
        .tokenizer = tokenizer->inside,
        .messages = messages,
        .tools = mine.tools_json,
        .documents = mine.documents_json,
        .variables = mine.variables_json,
        .template_name = mine.template_name,
        .template_text = mine.template_text,
        .add_generation_prompt = mine.add_generation_prompt,
        .continue_final_message = mine.continue_final_message,
        .continue_field = mine.continue_field,
        .now = JINJA_CLOCK,
    };
    return tok_chat_render(&request, out);
}

oclm_status oclm_chat_render(const oclm_tokenizer *tokenizer, const char *messages_json,
                             const oclm_chat_options *options, char **text, size_t *length)
{
    core_text out = CORE_TEXT_INIT;
    oclm_status status;
    if (!text)
        return api_missing("oclm_chat_render", "text");
    *text = NULL;
    if (length)
        *length = 0;
    status = render("oclm_chat_render", tokenizer, messages_json, options, &out);
    if (status == OCLM_OK && !(*text = core_text_take(&out, length)))
        status = OCLM_ERR_MEMORY;
    core_text_free(&out);
    return status;
}

oclm_status oclm_chat_encode(const oclm_tokenizer *tokenizer, const char *messages_json,
                             const oclm_chat_options *options, int32_t **ids, size_t *count)
{
    core_text out = CORE_TEXT_INIT;
    oclm_status status;
    if (!ids || !count)
        return api_missing("oclm_chat_encode", ids ? "count" : "ids");
    *ids = NULL;
    *count = 0;
    status = render("oclm_chat_encode", tokenizer, messages_json, options, &out);
    if (status == OCLM_OK)
        status = oclm_tokenizer_encode(tokenizer, out.data, out.length, false, ids, count);
    core_text_free(&out);
    return status;
}

/* {"role": "...", "content": "..."} */
static oclm_status add_message(core_text *out, const oclm_message *message, size_t index)
{
    const char *const parts[2] = { message->role, message->content };
    oclm_status status = OCLM_OK;
    if (!message->role)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_messages_to_json: message %zu has no role", index);
    for (size_t i = 0; i < 2 && parts[i] && status == OCLM_OK; i++) {
        const size_t bad = core_utf8_check(parts[i], strlen(parts[i]));
        if (bad != SIZE_MAX)
            return core_fail(OCLM_ERR_ARGUMENT,
                             "oclm_messages_to_json: message %zu is no valid UTF-8 at byte %zu of its %s", index, bad,
                             i ? "content" : "role");
        if ((status = core_text_add_string(out, i       ? ", \"content\": "
                                                : index ? ", {\"role\": "
                                                        : "{\"role\": ")) == OCLM_OK)
            status = core_json_add_string(out, parts[i], strlen(parts[i]));
    }
    return status == OCLM_OK ? core_text_add_string(out, "}") : status;
}

oclm_status oclm_messages_to_json(const oclm_message *messages, size_t count, char **json)
{
    core_text out = CORE_TEXT_INIT;
    oclm_status status;
    if (!json)
        return api_missing("oclm_messages_to_json", "json");
    *json = NULL;
    if (!messages && count > 0)
        return api_missing("oclm_messages_to_json", "messages");
    status = core_text_add_string(&out, "[");
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = add_message(&out, &messages[i], i);
    if (status == OCLM_OK)
        status = core_text_add_string(&out, "]");
    if (status == OCLM_OK && !(*json = core_text_take(&out, NULL)))
        status = OCLM_ERR_MEMORY;
    core_text_free(&out);
    return status;
}
