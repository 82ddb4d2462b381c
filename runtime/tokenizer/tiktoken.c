/* tiktoken.c: tiktoken's files: a line is a token in base64, a space, its rank, which is its id. */
#include "tokenizer/readers.h"

#include <string.h>

#include "tokenizer/byte_vocab.h"
#include "tokenizer/pipeline.h"

#define MAX_FILE   ((size_t)256 << 20) /* bytes; Llama 3's is 2 MB */
#define MAX_DIGITS 8                   /* of a rank: TOK_MAX_ID has as many */

/* Files in the wild that need another pattern than cl100k's; nothing in the file tells it. */
static const struct {
    const char *name, *pattern;
} patterns[] = {
    { "qwen.tiktoken", TOK_PATTERN_QWEN2 },          { "o200k_base.tiktoken", TOK_PATTERN_O200K },
    { "p50k_base.tiktoken", TOK_PATTERN_GPT2 },      { "r50k_base.tiktoken", TOK_PATTERN_GPT2 },
    { "o200k_harmony.tiktoken", TOK_PATTERN_O200K },
};

static const char *pattern_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        if (strcmp(name, patterns[i].name) == 0)
            return patterns[i].pattern;
    }
    return NULL;
}

/* The space that ends the base64; NULL where the line is none of such a file. */
static const char *find_rank(const char *line, const char *end, int32_t *rank)
{
    const char *space = memchr(line, ' ', (size_t)(end - line));
    if (space == NULL || space == line || end - space - 1 < 1 || end - space - 1 > MAX_DIGITS)
        return NULL;
    *rank = 0;
    for (const char *p = space + 1; p < end; p++) {
        if (*p < '0' || *p > '9')
            return NULL;
        *rank = *rank * 10 + (*p - '0');
    }
    return space;
}

static const char *line_end(const char *line, const char *end)
{
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    stop = stop != NULL ? stop : end;
    return stop > line && stop[-1] == '\r' ? stop - 1 : stop;
}

bool tok_is_tiktoken(const char *text, size_t length)
{
    int32_t rank;
    return length > 0 && find_rank(text, line_end(text, text + length), &rank) != NULL;
}

static oclm_status read_lines(tok_vocab *vocab, const char *text, size_t length, const char *path)
{
    const char *const end = text + length;
    size_t number = 1;
    for (const char *line = text; line < end; number++) {
        const char *const stop = line_end(line, end), *const newline = memchr(line, '\n', (size_t)(end - line));
        int32_t rank;
        if (stop > line) {
            const char *space = find_rank(line, stop, &rank);
            if (space == NULL)
                return core_fail(OCLM_ERR_FORMAT,
                                 "%s: line %zu, \"%.*s\", is not a token in base64, a space, and its rank", path,
                                 number, (int)(stop - line < 80 ? stop - line : 80), line);
            if (rank > TOK_MAX_ID)
                return core_fail(OCLM_ERR_FORMAT, "%s: line %zu: rank %d is above the largest id, %d", path, number,
                                 (int)rank, TOK_MAX_ID);
            const oclm_status status = tok_byte_vocab_add(vocab, line, (size_t)(space - line), rank, path, number);
            if (status != OCLM_OK)
                return status;
        }
        line = newline != NULL ? newline + 1 : end;
    }
    return vocab->count > 0 ? OCLM_OK : core_fail(OCLM_ERR_FORMAT, "%s: has no tokens", path);
}

oclm_status tok_tiktoken_read(const char *text, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    tok_bpe *bpe;
    oclm_status status = tok_bpe_new(&bpe);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    tokenizer->settings.fill_gaps = true;
    if ((status = read_lines(&bpe->model.vocab, text, length, path)) != OCLM_OK)
        return status;
    return tok_byte_vocab_finish(tokenizer, bpe, pattern_of(path), path);
}
