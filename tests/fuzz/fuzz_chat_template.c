/* fuzz_chat_template.c: a chat template, then perhaps a NUL and the messages' JSON: renders it, within a fraction of the usual steps. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "tokenizer/chat/chat.h"

#define MAX_WORK 1000000u

static const char messages[] =
    "[{\"role\": \"system\", \"content\": \"S \\u00e9\"}, {\"role\": \"user\", \"content\": \"a, b\\n\"}, {\"role\": \"assistant\", \"content\": null, "
    "\"reasoning\": \"r\", \"tool_calls\": [{\"id\": \"1\", \"function\": {\"name\": \"f\", \"arguments\": {\"x\": [1, 2.5, true, null]}}}]}]";
static const char tools[] = "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"type\": \"object\", \"properties\": {}}}}]";
static const char variables[] = "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"n\": -3, \"f\": 1e300, \"l\": [3, \"b\", [1]], \"d\": {\"a\": {\"b\": 1}}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tok_templates none = { NULL, 0 };
    core_text   template = CORE_TEXT_INIT, given = CORE_TEXT_INIT, out = CORE_TEXT_INIT;
    const void *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t length = nul != NULL ? (size_t)((const uint8_t *)nul - data) : size;
    tok_chat_request request = { .templates = &none, .messages = messages, .tools = size % 2 ? tools : NULL, .variables = variables,
                                 .add_generation_prompt = size % 3 == 0, .continue_final_message = size % 3 == 1, .now = 1741064767,
                                 .continue_field = size % 6 == 1 ? "reasoning_content" : NULL, .max_work = MAX_WORK };
    if (core_text_add(&template, data, length) != OCLM_OK)
        return 0;
    if (nul != NULL && core_text_add(&given, data + length + 1, size - length - 1) == OCLM_OK && memchr(given.data, 0, given.length) == NULL)
        request.messages = given.data;
    request.template_text = template.data;
    if (tok_chat_render(&request, &out) == OCLM_OK)
        FUZZ_CHECK(out.length == 0 || core_utf8_check(out.data, out.length) == SIZE_MAX);
    else
        FUZZ_CHECK(oclm_last_error()[0] != '\0');
    core_text_free(&template);
    core_text_free(&given);
    core_text_free(&out);
    return 0;
}
