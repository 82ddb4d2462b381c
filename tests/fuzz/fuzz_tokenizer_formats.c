/* fuzz_tokenizer_formats.c: a file's name, a line end, its bytes: SentencePiece, tiktoken, tekken.json, GGUF. */
#include "fuzz/use_tokenizer.h"

#define MAX_NAME 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char    *text = (const char *)data, *line = size > 0 ? memchr(data, '\n', size) : NULL;
    char           name[MAX_NAME] = "";
    tok_tokenizer *tokenizer;
    if (line == NULL || line - text >= MAX_NAME)
        return 0;
    memcpy(name, text, (size_t)(line - text));
    if (tok_open_bytes(line + 1, size - (size_t)(line + 1 - text), name, &tokenizer) != OCLM_OK) {
        FUZZ_CHECK(tokenizer == NULL && oclm_last_error()[0] != '\0');
        return 0;
    }
    use(tokenizer, sample, sizeof sample - 1);
    tok_close(tokenizer);
    return 0;
}
