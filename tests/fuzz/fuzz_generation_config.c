/* fuzz_generation_config.c: a generation_config.json: reads it, decides on calls by it, and checks that what comes out can be acted on. */
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "fuzz/fuzz.h"
#include "generation/config.h"

#define VOCABULARY 50

static void check_ids(const gen_ids *ids)
{
    for (uint32_t i = 0; i < ids->count; i++)
        FUZZ_CHECK(ids->ids[i] >= 0 && ids->ids[i] < VOCABULARY);
}

static void check_biases(const gen_bias *biases, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_CHECK(biases[i].ids.count > 0 && !isnan(biases[i].bias));
        check_ids(&biases[i].ids);
    }
}

static void check(const gen_config *c)
{
    FUZZ_CHECK(c->limit > c->prompt_length && c->limit <= MODEL_MAX_POSITIONS && c->eos_token_count <= OCLM_MAX_EOS_TOKENS);
    FUZZ_CHECK(c->num_beams >= 1 && c->num_return_sequences >= 1 && c->min_keep >= 1);
    FUZZ_CHECK((c->mode == GEN_MODE_BEAMS) == (c->num_beams > 1) && (c->num_beams == 1 || c->num_return_sequences <= c->num_beams));
    FUZZ_CHECK(c->mode == GEN_MODE_BEAMS || c->do_sample || c->num_return_sequences == 1);
    FUZZ_CHECK(c->mode != GEN_MODE_ASSISTED || c->prompt_lookup_num_tokens > 0);
    FUZZ_CHECK(c->temperature > 0 && isfinite(c->temperature) && c->top_p >= 0 && c->top_p <= 1 && c->typical_p > 0 && c->typical_p <= 1);
    FUZZ_CHECK(c->epsilon_cutoff >= 0 && c->epsilon_cutoff < 1 && c->eta_cutoff >= 0 && c->eta_cutoff < 1);
    FUZZ_CHECK(isnan(c->min_p) || (c->min_p > 0 && c->min_p <= 1));
    FUZZ_CHECK(isnan(c->top_h) || (c->top_h > 0 && c->top_h <= 1));
    FUZZ_CHECK(c->repetition_penalty > 0 && isfinite(c->repetition_penalty) && c->encoder_repetition_penalty > 0 && isfinite(c->encoder_repetition_penalty));
    FUZZ_CHECK(isfinite(c->guidance_scale) && isfinite(c->length_penalty) && isfinite(c->exponential_decay_factor) && c->max_time >= 0);
    FUZZ_CHECK(c->do_sample || (c->temperature == 1 && c->top_k == 0 && c->top_p == 1 && isnan(c->min_p)));
    FUZZ_CHECK(c->pad_token_id >= 0 && c->pad_token_id < VOCABULARY && c->fill_token_id < VOCABULARY && c->forced_bos_token_id < VOCABULARY);
    FUZZ_CHECK(c->exponential_decay_start == OCLM_UNSET || c->eos_token_count > 0);
    check_ids(&(gen_ids){ (int32_t *)(uintptr_t)c->eos_token_ids, c->eos_token_count });
    check_ids(&c->forced_eos);
    check_ids(&c->suppress_tokens);
    check_ids(&c->begin_suppress_tokens);
    check_biases(c->sequence_bias, c->sequence_bias_count);
    check_biases(c->bad_words, c->bad_word_count);
    for (uint32_t i = 0; i < c->stop_string_count; i++)
        FUZZ_CHECK(c->stop_strings[i][0] != '\0');
}

static void decide(const gen_defaults *defaults, const oclm_generate_options *options, uint32_t prompt)
{
    static model_architecture architecture;
    gen_config                config;
    gen_call                  call = { .defaults = defaults, .options = options, .architecture = &architecture, .prompt_length = prompt, .prompt_count = 1,
                                       .has_tokenizer = true };
    oclm_status               status;
    architecture.vocab_size = VOCABULARY;
    architecture.max_position_embeddings = 64;
    architecture.position = MODEL_POSITION_ROPE;
    architecture.layers = 1;
    status = gen_config_resolve(&call, &config);
    FUZZ_CHECK(status == OCLM_OK || status == OCLM_ERR_ARGUMENT || status == OCLM_ERR_UNSUPPORTED);
    FUZZ_CHECK(status == OCLM_OK || oclm_last_error()[0] != '\0');
    if (status == OCLM_OK)
        check(&config);
    gen_config_free(&config);
}

/* By itself; with sampling and with beams asked for; and as what a call says, too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    oclm_generate_options options;
    gen_defaults          defaults, none;
    cJSON                *tree = NULL;
    oclm_status           status = core_json_parse((const char *)data, size, "generation_config.json", &tree);
    if (status != OCLM_OK)
        return 0;
    status = gen_defaults_tree(tree, "generation_config.json", &defaults);
    cJSON_Delete(tree);
    FUZZ_CHECK(status == OCLM_OK || oclm_last_error()[0] != '\0');
    FUZZ_CHECK(status != OCLM_ERR_INTERNAL);
    if (status != OCLM_OK)
        return 0;
    oclm_generate_options_init(&options, sizeof options);
    decide(&defaults, &options, 1);
    options.do_sample = OCLM_SWITCH_ON;
    options.max_new_tokens = 3;
    decide(&defaults, &options, 9);
    options.do_sample = OCLM_SWITCH_UNSET;
    options.num_beams = 4;
    options.num_return_sequences = 1;
    decide(&defaults, &options, 9);
    gen_defaults_init(&none);
    options = defaults.said;
    decide(&none, &options, 2);
    gen_defaults_free(&defaults);
    return 0;
}
