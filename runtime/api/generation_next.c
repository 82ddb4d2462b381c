/* generation_next.c: for callers who pull: a sequence's new ids at a time, the sequences in turn. */
#include "api/generation.h"

/* The next sequence with ids or text that were not handed out; sequence_count: none. */
static uint32_t find_news(const oclm_generation *g)
{
    const uint32_t count = g->run->sequence_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t sequence = (g->turn + i) % count;
        if (g->run->sequences[sequence].count > g->told[sequence] ||
            (g->texts != NULL && g->run->mode == NULL && api_text_heard(g, sequence)->length > g->told_text[sequence]))
            return sequence;
    }
    return count;
}

static void hand_out(oclm_generation *g, uint32_t sequence, oclm_new_tokens *tokens)
{
    const gen_sequence *s = &g->run->sequences[sequence];
    tokens->sequence = sequence;
    tokens->ids = s->ids + g->told[sequence];
    tokens->count = s->count - g->told[sequence];
    g->told[sequence] = s->count;
    g->turn = (sequence + 1) % g->run->sequence_count;
    if (g->texts == NULL)
        return;
    const core_text *heard = api_text_heard(g, sequence);
    tokens->text_length = heard->length - g->told_text[sequence];
    tokens->text = tokens->text_length > 0 ? heard->data + g->told_text[sequence] : "";
    g->told_text[sequence] = heard->length;
}

oclm_status oclm_generation_next(oclm_generation *generation, oclm_new_tokens *tokens, bool *more)
{
    oclm_new_tokens mine = { .struct_size = sizeof mine };
    oclm_status     status;
    bool            making = true;
    if (!generation || !more)
        return api_missing("oclm_generation_next", generation ? "more" : "generation");
    *more = false;
    if ((status = api_result_check(tokens, sizeof mine, "oclm_new_tokens")) != OCLM_OK)
        return status;
    api_result_write(&mine, sizeof mine, tokens);
    while (making && find_news(generation) == generation->run->sequence_count) {
        if ((status = api_generation_next(generation, &making)) != OCLM_OK)
            return status;
    }
    const uint32_t sequence = find_news(generation);
    if (sequence == generation->run->sequence_count)
        return OCLM_OK;
    hand_out(generation, sequence, &mine);
    api_result_write(&mine, sizeof mine, tokens);
    *more = true;
    return OCLM_OK;
}
