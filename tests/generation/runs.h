/* runs.h: a generation of one prompt from beginning to end, for tests. */
#ifndef OCLM_TESTS_GENERATION_RUNS_H
#define OCLM_TESTS_GENERATION_RUNS_H

#include "model/models.h"

#include "generation/run.h"

typedef struct runs_result {
    int32_t           *ids; /* the run's */
    size_t             count;
    oclm_finish_reason finish_reason;
    oclm_timing        timing;
    gen_run           *run;
} runs_result;

/* Greedy, `limit` positions. */
static inline gen_config runs_greedy(uint32_t limit)
{
    gen_config config;
    gen_config_init(&config);
    config.limit = limit;
    return config;
}

/* Runs to the end; on failure there is none. */
static inline oclm_status runs_finish(gen_run **run)
{
    oclm_status status = OCLM_OK;
    for (bool more = true; more && status == OCLM_OK;)
        status = gen_run_next(*run, &more);
    if (status != OCLM_OK) {
        gen_run_free(*run);
        *run = NULL;
    }
    return status;
}

/* `config` says all but the prompt's length, and has no lists. */
static inline oclm_status runs_generate(const model_model *model, const int32_t *ids, size_t count, const gen_config *config,
                                        const gen_hooks *hooks, gen_place *going_on, runs_result *result)
{
    const gen_prompt prompt = { ids, (uint32_t)count };
    gen_config       mine = *config;
    oclm_status      status;
    memset(result, 0, sizeof *result);
    mine.prompt_length = (uint32_t)count;
    if ((status = gen_run_new(model, NULL, &prompt, 1, &mine, hooks, going_on, NULL, &result->run)) != OCLM_OK ||
        (status = runs_finish(&result->run)) != OCLM_OK)
        return status;
    result->ids = result->run->sequences[0].ids;
    result->count = result->run->sequences[0].count;
    result->finish_reason = result->run->sequences[0].finish_reason;
    result->timing = result->run->timing;
    return OCLM_OK;
}

static inline void runs_free(runs_result *result)
{
    gen_run_free(result->run);
    memset(result, 0, sizeof *result);
}

#endif
