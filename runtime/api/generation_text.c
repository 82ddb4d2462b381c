/* generation_text.c: new ids become text on their way to the caller, each sequence by a stream of its own. */
#include <string.h>

#include "api/generation.h"

/* The stream that makes new text sees the end of the prompt first: what a token reads as may depend on what stands before it. */
#define STREAM_CONTEXT 32u

static oclm_status begin_text(oclm_generation *g, size_t sequence)
{
    const gen_prompt *prompt = api_prompt_of(g, sequence);
    api_text         *t = &g->texts[sequence];
    const char       *text;
    size_t            length;
    oclm_status       status = tok_stream_new(g->tokenizer->inside, g->options.skip_special_tokens, &t->stream);
    for (uint32_t i = prompt->count > STREAM_CONTEXT ? prompt->count - STREAM_CONTEXT : 0; i < prompt->count && status == OCLM_OK; i++)
        status = tok_stream_push(t->stream, prompt->ids[i], &text, &length);
    if (status == OCLM_OK && g->options.stream_words)
        status = tok_words_new(g->tokenizer->inside, g->options.skip_special_tokens, &t->words);
    return status;
}

oclm_status api_texts_begin(oclm_generation *g)
{
    oclm_status status = OCLM_OK;
    if (g->tokenizer == NULL)
        return OCLM_OK;
    if ((g->texts = core_alloc_zero(g->run->sequence_count, sizeof *g->texts, "the texts")) == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < g->run->sequence_count && status == OCLM_OK; i++)
        status = begin_text(g, i);
    return status;
}

void api_texts_free(oclm_generation *g)
{
    for (size_t i = 0; g->texts != NULL && i < g->run->sequence_count; i++) {
        api_text *t = &g->texts[i];
        tok_stream_free(t->stream);
        tok_words_free(t->words);
        core_text_free(&t->new_text);
        core_text_free(&t->heard);
        core_free(t->whole);
    }
    core_free(g->texts);
    g->texts = NULL;
}

const core_text *api_text_heard(const oclm_generation *g, size_t sequence)
{
    return g->texts[sequence].words != NULL ? &g->texts[sequence].heard : &g->texts[sequence].new_text;
}

/* ---- New ids */

/* Hands text to the caller. */
static bool tell(oclm_generation *g, size_t sequence, const char *text, size_t length)
{
    return length == 0 || g->options.on_text == NULL || g->options.on_text(sequence, text, length, g->options.user);
}

static bool push_words(oclm_generation *g, size_t sequence, int32_t id)
{
    api_text   *t = &g->texts[sequence];
    const char *text = "";
    size_t      length = 0;
    if ((g->status = tok_words_push(t->words, &id, 1, &text, &length)) != OCLM_OK ||
        (length > 0 && (g->status = core_text_add(&t->heard, text, length)) != OCLM_OK))
        return false;
    return tell(g, sequence, text, length);
}

static bool push_id(oclm_generation *g, size_t sequence, int32_t id)
{
    api_text   *t = &g->texts[sequence];
    const char *text = "";
    size_t      length = 0;
    if ((g->status = tok_stream_push(t->stream, id, &text, &length)) != OCLM_OK ||
        (length > 0 && (g->status = core_text_add(&t->new_text, text, length)) != OCLM_OK))
        return false;
    return t->words != NULL ? push_words(g, sequence, id) : tell(g, sequence, text, length);
}

/* What was held back comes: no id follows. */
static bool flush(oclm_generation *g, size_t sequence)
{
    api_text   *t = &g->texts[sequence];
    const char *text = "", *words = "";
    size_t      length = 0, words_length = 0;
    t->flushed = true;
    if ((g->status = tok_stream_flush(t->stream, &text, &length)) != OCLM_OK ||
        (length > 0 && (g->status = core_text_add(&t->new_text, text, length)) != OCLM_OK))
        return false;
    if (t->words == NULL)
        return tell(g, sequence, text, length);
    if ((g->status = tok_words_flush(t->words, &words, &words_length)) != OCLM_OK ||
        (words_length > 0 && (g->status = core_text_add(&t->heard, words, words_length)) != OCLM_OK))
        return false;
    return tell(g, sequence, words, words_length);
}

bool api_texts_push(oclm_generation *g, size_t sequence, const int32_t *ids, size_t count)
{
    bool go_on = true;
    for (size_t i = 0; i < count; i++) { /* also after a stop: text and ids of the result belong together */
        go_on = push_id(g, sequence, ids[i]) && go_on;
        if (g->status != OCLM_OK)
            return false;
    }
    if (g->run->sequences[sequence].finish_reason != OCLM_FINISH_NONE)
        go_on = flush(g, sequence) && go_on;
    return go_on && g->status == OCLM_OK;
}

/* ---- The end */

static oclm_status make_whole(oclm_generation *g, size_t sequence)
{
    const gen_sequence *s = &g->run->sequences[sequence];
    const gen_prompt   *prompt = api_prompt_of(g, sequence);
    core_text           whole = CORE_TEXT_INIT;
    oclm_status         status = tok_decode(g->tokenizer->inside, s->ids - prompt->count, (size_t)prompt->count + s->count,
                                            g->options.skip_special_tokens, &whole);
    if (status == OCLM_OK && (g->texts[sequence].whole = core_text_take(&whole, NULL)) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&whole);
    return status;
}

oclm_status api_texts_end(oclm_generation *g)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; g->texts != NULL && i < g->run->sequence_count && status == OCLM_OK; i++) {
        if (!g->texts[i].flushed)
            (void)flush(g, i); /* there is nothing left to stop */
        if ((status = g->status) == OCLM_OK && g->texts[i].whole == NULL)
            status = make_whole(g, i);
        if (status == OCLM_OK && g->texts[i].new_text.data == NULL)
            status = core_text_add(&g->texts[i].new_text, "", 0);
    }
    return status;
}
