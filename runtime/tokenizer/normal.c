/* normal.c: text with the source of each byte. */
#include "tokenizer/normal.h"

#include "tokenizer/unicode.h"

static oclm_status reserve_sources(tok_normal *normal, size_t more)
{
    size_t needed;
    if (!core_add_size(normal->text.length, more, &needed))
        return core_fail_memory(SIZE_MAX, "normalised text");
    if (needed <= normal->capacity)
        return OCLM_OK;
    const size_t capacity = needed < 128 ? 256 : needed + needed / 2;
    uint32_t *sources = core_realloc_array(normal->sources, capacity, sizeof *sources, "normalised text");
    if (sources == NULL)
        return OCLM_ERR_MEMORY;
    normal->sources = sources;
    normal->capacity = capacity;
    return OCLM_OK;
}

/* The first byte comes from `source`, each next one from `step` bytes further on. */
static oclm_status add(tok_normal *normal, const char *text, size_t length, size_t source, size_t step)
{
    const size_t before = normal->text.length;
    oclm_status status;
    if (normal->traced && (status = reserve_sources(normal, length)) != OCLM_OK)
        return status;
    if ((status = core_text_add(&normal->text, text, length)) != OCLM_OK || !normal->traced)
        return status;
    for (size_t i = 0; i < length; i++)
        normal->sources[before + i] = (uint32_t)(source + i * step);
    return OCLM_OK;
}

oclm_status tok_normal_keep(tok_normal *normal, const char *text, size_t length, size_t source)
{
    return add(normal, text, length, source, 1);
}

oclm_status tok_normal_put(tok_normal *normal, const char *text, size_t length, size_t source)
{
    return add(normal, text, length, source, 0);
}

oclm_status tok_normal_put_char(tok_normal *normal, uint32_t code_point, size_t source)
{
    char bytes[4];
    return tok_normal_put(normal, bytes, core_utf8_write(code_point, bytes), source);
}

oclm_status tok_rewriter_put(tok_rewriter *rewriter, uint32_t code_point, int change)
{
    const size_t at = (size_t)(rewriter->at - rewriter->text);
    size_t length, source = at;
    if (!rewriter->out->traced)
        return tok_normal_put_char(rewriter->out, code_point, 0);
    if (change > 0 || rewriter->at == rewriter->end)
        source = at > 0 ? at - 1 : TOK_SOURCE_EMPTY;
    for (; change <= 0 && rewriter->at < rewriter->end; change++) {
        (void)tok_char_at(rewriter->at, &length);
        rewriter->at += length;
    }
    return tok_normal_put_char(rewriter->out, code_point, source);
}

void tok_normal_clear(tok_normal *normal)
{
    core_text_clear(&normal->text);
}

void tok_normal_free(tok_normal *normal)
{
    core_text_free(&normal->text);
    core_free(normal->sources);
    *normal = (tok_normal)TOK_NORMAL_INIT;
}
