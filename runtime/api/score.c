/* score.c: how likely a text is: as one, or in windows. */
#include <inttypes.h>
#include <math.h>

#include "api/api.h"
#include "core/log.h"
#include "generation/prefill.h"
#include "generation/scoring.h"

#define DEFAULT_STRIDE 512u       /* of transformers' documentation */

static const oclm_score_options      score_defaults = { .struct_size = sizeof score_defaults };
static const oclm_perplexity_options perplexity_defaults = { .struct_size = sizeof perplexity_defaults, .max_length = OCLM_UNSET, .stride = OCLM_UNSET };

void oclm_score_options_init(oclm_score_options *options, size_t struct_size)
{
    api_options_write(&score_defaults, sizeof score_defaults, options, struct_size);
}

void oclm_perplexity_options_init(oclm_perplexity_options *options, size_t struct_size)
{
    api_options_write(&perplexity_defaults, sizeof perplexity_defaults, options, struct_size);
}

/* A table of learned positions ends; rotary positions go on, and what a model makes of more than it was trained on is its own affair. */
static uint32_t most_positions(const oclm_model *model)
{
    const model_architecture *a = &model->inside->architecture;
    return a->position == MODEL_POSITION_LEARNED ? a->max_position_embeddings : MODEL_MAX_POSITIONS;
}

static oclm_status open_scoring(const oclm_model *model, uint32_t positions, uint64_t ids, gen_scoring **scoring)
{
    const model_model *inside = model->inside;
    const oclm_status  status = gen_tune_for(inside, ids);
    *scoring = NULL;
    return status == OCLM_OK ? gen_scoring_new(inside, positions, scoring) : status;
}

/* ---- As one text ------------------------------------------------------------------------------------------------------------ */

static oclm_status check_score(const oclm_model *model, const int32_t *ids, size_t count, const float *log_probs, size_t capacity)
{
    if (!model || !ids || !log_probs)
        return api_missing("oclm_score", !model ? "model" : !ids ? "ids" : "log_probs");
    if (count == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_score: count is 0; give at least one id");
    if (count > most_positions(model))
        return core_fail(OCLM_ERR_ARGUMENT, "the text has %zu tokens, but the model allows %u positions; shorten the text, or ask for its perplexity, "
                         "which is computed in windows", count, most_positions(model));
    if (capacity < count)
        return core_fail(OCLM_ERR_CAPACITY, "oclm_score: the log-probabilities need room for %zu floats, capacity is %zu", count, capacity);
    return api_check_ids(model, ids, count);
}

static oclm_status check_top(const oclm_model *model, size_t count, const oclm_score_options *o)
{
    const uint32_t vocab = model->inside->architecture.vocab_size;
    if (o->top_logprobs == 0)
        return OCLM_OK;
    if (o->top_logprobs > vocab)
        return core_fail(OCLM_ERR_ARGUMENT, "top_logprobs is %u; the vocabulary has %u tokens", o->top_logprobs, vocab);
    if (!o->top_ids || !o->top_log_probs)
        return core_fail(OCLM_ERR_ARGUMENT, "top_logprobs is %u, but %s is NULL", o->top_logprobs, o->top_ids ? "top_log_probs" : "top_ids");
    if (o->top_capacity / o->top_logprobs < count)
        return core_fail(OCLM_ERR_CAPACITY, "oclm_score: the likeliest tokens of %zu positions need room for %" PRIu64 ", top_capacity is %zu", count,
                         (uint64_t)count * o->top_logprobs, o->top_capacity);
    for (uint32_t i = 0; i < o->top_logprobs; i++) { /* nothing stands before the first id */
        o->top_ids[i] = -1;
        o->top_log_probs[i] = NAN;
    }
    return OCLM_OK;
}

oclm_status oclm_score(const oclm_model *model, const int32_t *ids, size_t count, const oclm_score_options *options, float *log_probs, size_t capacity)
{
    oclm_score_options mine = score_defaults;
    gen_scoring       *scoring = NULL;
    double            *exact = NULL;
    oclm_status        status;
    if ((status = check_score(model, ids, count, log_probs, capacity)) != OCLM_OK ||
        (status = api_options_read(options, &mine, sizeof mine, "oclm_score_options")) != OCLM_OK ||
        (status = check_top(model, count, &mine)) != OCLM_OK)
        return status;
    log_probs[0] = NAN;
    if (count == 1)
        return OCLM_OK;
    if (count > model->inside->architecture.max_position_embeddings)
        core_log(OCLM_LOG_WARNING, "the text has %zu tokens, but the model was made for %u (max_position_embeddings): expect nonsense beyond", count,
                 model->inside->architecture.max_position_embeddings);
    gen_scoring_progress progress = { .callback = mine.progress, .user = mine.user, .cancel = mine.cancel, .total = count };
    const gen_likeliest  top = { mine.top_logprobs, mine.top_ids ? mine.top_ids + mine.top_logprobs : NULL,
                                 mine.top_log_probs ? mine.top_log_probs + mine.top_logprobs : NULL };
    if (!(exact = core_alloc_array(count, sizeof *exact, "log-probabilities")))
        return OCLM_ERR_MEMORY;
    if ((status = open_scoring(model, (uint32_t)count, count, &scoring)) == OCLM_OK)
        status = gen_scoring_run(scoring, ids, 1, (uint32_t)count, &progress, exact, mine.top_logprobs > 0 ? &top : NULL);
    for (size_t i = 1; i < count && status == OCLM_OK; i++)
        log_probs[i] = (float)exact[i - 1];
    gen_scoring_free(scoring);
    core_free(exact);
    return status;
}

/* ---- In windows ------------------------------------------------------------------------------------------------------------- */

typedef struct window {
    size_t   begin;
    uint32_t length; /* ids */
    uint32_t first;  /* whose targets count; at least 1, for nothing stands before the window's first */
    uint32_t valid;  /* targets that are not -100, before labels are shifted: the weight is one less */
} window;

static window window_at(size_t index, size_t count, uint32_t max_length, uint32_t stride)
{
    const size_t begin = index * stride, before = index == 0 ? 0 : begin - stride + max_length; /* where the one before ended */
    const size_t end = count - begin < max_length ? count : begin + max_length;
    window       w = { .begin = begin, .length = (uint32_t)(end - begin), .valid = (uint32_t)(end - before) };
    w.first = w.valid < w.length ? w.length - w.valid : 1;
    return w;
}

static size_t count_windows(size_t count, uint32_t max_length, uint32_t stride)
{
    return count <= max_length ? 1 : (count - max_length + stride - 1) / stride + 1;
}

static oclm_status resolve(const oclm_model *model, size_t count, oclm_perplexity_options *mine)
{
    const uint32_t trained = model->inside->architecture.max_position_embeddings, most = most_positions(model);
    if (mine->max_length == OCLM_UNSET)
        mine->max_length = trained < 2 ? 2 : count < trained ? (uint32_t)count : trained;
    if (mine->max_length < 2 || mine->max_length > most)
        return core_fail(OCLM_ERR_ARGUMENT, "max_length is %u; it must be 2 to %u, the positions that the model allows", mine->max_length, most);
    if (mine->stride == OCLM_UNSET)
        mine->stride = mine->max_length < DEFAULT_STRIDE ? mine->max_length : DEFAULT_STRIDE;
    if (mine->stride < 1 || mine->stride > mine->max_length)
        return core_fail(OCLM_ERR_ARGUMENT, "stride is %u; it must be 1 to %u (max_length), or tokens between windows would be left out", mine->stride,
                         mine->max_length);
    return OCLM_OK;
}

/* The sum over all windows of the mean of each, times its weight; `log_probs`: room for a window's. */
static oclm_status sum_windows(gen_scoring *scoring, const int32_t *ids, size_t count, const oclm_perplexity_options *o, double *log_probs,
                               oclm_perplexity_result *result)
{
    gen_scoring_progress progress = { .callback = o->progress, .user = o->user, .cancel = o->cancel };
    oclm_status          status = OCLM_OK;
    double               total = 0;
    for (size_t i = 0; i < result->windows; i++)
        progress.total += window_at(i, count, o->max_length, o->stride).length;
    for (size_t i = 0; i < result->windows && status == OCLM_OK; i++) {
        const window   w = window_at(i, count, o->max_length, o->stride);
        const uint32_t counted = w.length - w.first, weight = w.valid - 1;
        double         sum = 0;
        if (counted == 0)
            continue; /* the text's last id alone: nothing stands before it */
        if ((status = gen_scoring_run(scoring, ids + w.begin, w.first, w.length, &progress, log_probs, NULL)) != OCLM_OK)
            break;
        for (uint32_t t = 0; t < counted; t++)
            sum -= log_probs[t];
        total += sum / counted * weight;
        result->tokens += weight;
    }
    result->mean_nll = total / (double)result->tokens;
    result->perplexity = exp(result->mean_nll);
    return status;
}

oclm_status oclm_perplexity(const oclm_model *model, const int32_t *ids, size_t count, const oclm_perplexity_options *options,
                            oclm_perplexity_result *result)
{
    oclm_perplexity_options mine = perplexity_defaults;
    oclm_perplexity_result  found = { .struct_size = sizeof found };
    gen_scoring            *scoring = NULL;
    double                 *log_probs = NULL;
    oclm_status             status;
    if (!model || !ids)
        return api_missing("oclm_perplexity", model ? "ids" : "model");
    if ((status = api_result_check(result, sizeof found, "oclm_perplexity_result")) != OCLM_OK ||
        (status = api_options_read(options, &mine, sizeof mine, "oclm_perplexity_options")) != OCLM_OK)
        return status;
    if (count < 2)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_perplexity: %zu tokens; it takes at least 2, for the first is only read", count);
    if ((status = api_check_ids(model, ids, count)) != OCLM_OK || (status = resolve(model, count, &mine)) != OCLM_OK)
        return status;
    found.max_length = mine.max_length;
    found.stride = mine.stride;
    found.windows = count_windows(count, mine.max_length, mine.stride);
    const uint32_t longest = count < mine.max_length ? (uint32_t)count : mine.max_length;
    if (!(log_probs = core_alloc_array(longest, sizeof *log_probs, "log-probabilities")))
        return OCLM_ERR_MEMORY;
    if ((status = open_scoring(model, longest, count, &scoring)) == OCLM_OK)
        status = sum_windows(scoring, ids, count, &mine, log_probs, &found);
    if (status == OCLM_OK)
        api_result_write(&found, sizeof found, result);
    gen_scoring_free(scoring);
    core_free(log_probs);
    return status;
}
