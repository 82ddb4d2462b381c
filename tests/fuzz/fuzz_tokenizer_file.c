/* fuzz_tokenizer_file.c: a tokenizer.json, then perhaps a NUL and a text: reads it, and uses what can be used. */
#include "fuzz/use_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char    *json = (const char *)data, *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t   json_length = nul != NULL ? (size_t)(nul - json) : size;
    tok_tokenizer *tokenizer;
    core_text      text = CORE_TEXT_INIT;
    if (tok_open_json(json, json_length, "fuzzed.json", &tokenizer) != OCLM_OK) {
        FUZZ_CHECK(tokenizer == NULL && oclm_last_error()[0] != '\0');
        return 0;
    }
    if (nul != NULL && size - json_length - 1 <= MAX_WORK)
        (void)core_utf8_add_lossy(&text, nul + 1, size - json_length - 1);
    use(tokenizer, sample, sizeof sample - 1);
    if (text.length > 0)
        use(tokenizer, text.data, text.length);
    core_text_free(&text);
    tok_close(tokenizer);
    return 0;
}
