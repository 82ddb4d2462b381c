/* filter_options.h: for tests with golden data: the filters of sampling in a configuration, from GenerationConfig's fields as JSON. */
#ifndef OCLM_TESTS_GENERATION_FILTER_OPTIONS_H
#define OCLM_TESTS_GENERATION_FILTER_OPTIONS_H

#include <cjson/cJSON.h>
#include <math.h>

#include "core/json.h"
#include "generation/config.h"

static inline float float_option(const cJSON *options, const char *name, float fallback)
{
    const cJSON *item = core_json_member(options, name);
    return item ? (float)item->valuedouble : fallback;
}

static inline uint32_t count_option(const cJSON *options, const char *name, uint32_t fallback)
{
    const cJSON *item = core_json_member(options, name);
    return item ? (uint32_t)item->valueint : fallback;
}

/* How many tokens filters leave at least. `ends`: how many end-of-sequence ids there are. */
static inline uint32_t min_keep_of(const cJSON *options, uint32_t ends)
{
    return count_option(options, "num_beams", 1) == 1 ? 1 : ends > 0 ? ends + 1 : 2;
}

static inline void filter_options(const cJSON *options, gen_config *c)
{
    c->temperature = float_option(options, "temperature", 1.0f);
    c->top_h = float_option(options, "top_h", NAN);
    c->top_k = count_option(options, "top_k", 0);
    c->top_p = float_option(options, "top_p", 1.0f);
    c->min_p = float_option(options, "min_p", NAN);
    c->typical_p = float_option(options, "typical_p", 1.0f);
    c->epsilon_cutoff = float_option(options, "epsilon_cutoff", 0.0f);
    c->eta_cutoff = float_option(options, "eta_cutoff", 0.0f);
}

#endif
