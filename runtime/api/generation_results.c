/* generation_results.c: what a generation has made. */
#include <math.h>

#include "api/generation.h"

bool api_has_sequence(const oclm_generation *generation, size_t sequence) { return sequence < oclm_generation_count(generation); }

const gen_prompt *api_prompt_of(const oclm_generation *generation, size_t sequence)
{
    return &generation->run->prompts[sequence / generation->run->config.num_return_sequences];
}

size_t oclm_generation_count(const oclm_generation *generation)
{
    return generation ? generation->run->sequence_count : 0;
}

/* A list of ids and how many they are; none of a sequence that is not there. */
static const int32_t *give(const int32_t *ids, size_t ids_count, size_t *count)
{
    if (count)
        *count = ids ? ids_count : 0;
    return ids;
}

const int32_t *oclm_generation_ids(const oclm_generation *generation, size_t sequence, size_t *count)
{
    if (!api_has_sequence(generation, sequence))
        return give(NULL, 0, count);
    return give(generation->run->sequences[sequence].ids, generation->run->sequences[sequence].count, count);
}

const int32_t *oclm_generation_prompt_of(const oclm_generation *generation, size_t sequence, size_t *count)
{
    if (!api_has_sequence(generation, sequence))
        return give(NULL, 0, count);
    return give(api_prompt_of(generation, sequence)->ids, api_prompt_of(generation, sequence)->count, count);
}

const int32_t *oclm_generation_prompt_ids(const oclm_generation *generation, size_t *count)
{
    return oclm_generation_prompt_of(generation, 0, count);
}

const int32_t *oclm_generation_beam_indices(const oclm_generation *generation, size_t sequence, size_t *count)
{
    if (!api_has_sequence(generation, sequence))
        return give(NULL, 0, count);
    return give(generation->run->sequences[sequence].beam_indices, generation->run->sequences[sequence].count, count);
}

const char *oclm_generation_text(const oclm_generation *generation, size_t sequence)
{
    return api_has_sequence(generation, sequence) && generation->texts ? generation->texts[sequence].whole : NULL;
}

const char *oclm_generation_new_text(const oclm_generation *generation, size_t sequence)
{
    if (!api_has_sequence(generation, sequence) || !generation->texts)
        return NULL;
    return generation->texts[sequence].new_text.data ? generation->texts[sequence].new_text.data : "";
}

oclm_finish_reason oclm_generation_finish_reason(const oclm_generation *generation, size_t sequence)
{
    return api_has_sequence(generation, sequence) ? generation->run->sequences[sequence].finish_reason : OCLM_FINISH_NONE;
}

float oclm_generation_score(const oclm_generation *generation, size_t sequence)
{
    return api_has_sequence(generation, sequence) ? generation->run->sequences[sequence].score : NAN;
}

/* Scores, or NULL where they lie in a buffer of the caller's, and how many there are. */
static const float *give_scores(const oclm_generation *generation, const float *scores, const void *buffer, size_t *steps, size_t *rows,
                                size_t *vocab_size)
{
    const bool kept = scores || buffer;
    if (steps)
        *steps = kept ? generation->run->steps : 0;
    if (rows)
        *rows = kept ? generation->run->rows : 0;
    if (vocab_size)
        *vocab_size = kept ? generation->model->inside->architecture.vocab_size : 0;
    return scores;
}

const float *oclm_generation_scores(const oclm_generation *generation, size_t *steps, size_t *rows, size_t *vocab_size)
{
    return give_scores(generation, generation ? generation->run->scores : NULL, generation ? generation->options.scores_buffer : NULL, steps, rows, vocab_size);
}

const float *oclm_generation_logits(const oclm_generation *generation, size_t *steps, size_t *rows, size_t *vocab_size)
{
    return give_scores(generation, generation ? generation->run->logits : NULL, generation ? generation->options.logits_buffer : NULL, steps, rows, vocab_size);
}

/* log(sum(e^x)) of a row of scores, of which some may be -INFINITY. */
static double log_sum(const float *scores, size_t count)
{
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        largest = scores[i] > largest ? scores[i] : largest;
    for (size_t i = 0; i < count; i++)
        sum += exp(scores[i] - largest);
    return largest + log(sum);
}

oclm_status oclm_generation_transition_scores(const oclm_generation *generation, size_t sequence, bool normalize_logits, float *scores,
                                              size_t capacity)
{
    if (!generation || !scores)
        return api_missing("oclm_generation_transition_scores", generation ? "scores" : "generation");
    const gen_run *run = generation->run;
    const size_t   vocab_size = generation->model->inside->architecture.vocab_size;
    if (!api_has_sequence(generation, sequence))
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_generation_transition_scores: sequence is %zu; there are %u, from 0 on", sequence, run->sequence_count);
    if (!run->scores)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_generation_transition_scores: the scores were not kept; set output_scores");
    const gen_sequence *s = &run->sequences[sequence];
    if (capacity < s->count)
        return core_fail(OCLM_ERR_CAPACITY, "oclm_generation_transition_scores: room for %zu floats, %u are needed", capacity, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const size_t row = s->beam_indices ? (size_t)s->beam_indices[i] : sequence;
        const float *at = run->scores + ((size_t)i * run->rows + row) * vocab_size;
        scores[i] = (float)(at[s->ids[i]] - (normalize_logits ? log_sum(at, vocab_size) : 0.0));
    }
    return OCLM_OK;
}

void oclm_generation_get_timing(const oclm_generation *generation, oclm_timing *timing)
{
    if (generation && api_result_check(timing, sizeof *timing, "oclm_timing") == OCLM_OK)
        api_result_write(&generation->run->timing, sizeof *timing, timing);
}
