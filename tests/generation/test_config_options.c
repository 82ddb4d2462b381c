/* test_config_options.c: what is refused and what is told of the options of generation, each once; and what a call can switch off. The values
 * themselves are in test_config_golden.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/folders.h"

#include "core/json.h"
#include "core/log.h"
#include "generation/config.h"
#include "generation/warnings.h"

/* ---- One call, over a model's file. */

static model_architecture architecture; /* vocabulary of 100, 64 rotary positions */

typedef struct test_call {
    oclm_generate_options options;
    gen_defaults          defaults, assistant;
    gen_call              call;
    gen_config            config;
    oclm_status           status;
} test_call;

static gen_defaults defaults_of(const char *text, const char *origin)
{
    gen_defaults defaults;
    cJSON       *tree;
    assert_ok(core_json_parse(text, strlen(text), origin, &tree));
    assert_ok(gen_defaults_tree(tree, origin, &defaults));
    cJSON_Delete(tree);
    return defaults;
}

/* To be changed, then decided by decide(). */
static void begin(test_call *t, const char *file)
{
    memset(t, 0, sizeof *t);
    architecture.vocab_size = 100;
    architecture.max_position_embeddings = 64;
    architecture.position = MODEL_POSITION_ROPE;
    architecture.layers = 1;
    strcpy(architecture.model_type, "llama");
    t->defaults = defaults_of(file, "generation_config.json");
    gen_defaults_init(&t->assistant);
    oclm_generate_options_init(&t->options, sizeof t->options);
    t->options.max_new_tokens = 4;
    t->call = (gen_call){ .defaults = &t->defaults, .options = &t->options, .architecture = &architecture, .prompt_length = 10, .prompt_count = 1,
                          .has_tokenizer = true };
}

static void decide(test_call *t)
{
    gen_config_free(&t->config);
    warnings[0] = '\0';
    t->status = gen_config_resolve(&t->call, &t->config);
}

static void end(test_call *t)
{
    gen_config_free(&t->config);
    gen_defaults_free(&t->defaults);
    gen_defaults_free(&t->assistant);
}

/* ---- Of the call */

static const int32_t  far[] = { 5, 100 }, two[] = { 5, 6 }, seventeen[17] = { 0 };
static const char *const no_text[] = { "a", "" }, *const texts[] = { "a", "b" };
static const oclm_token_ids     far_word = { far, 2 };
static const oclm_sequence_bias far_bias = { far, 2, 1.0f }, empty_bias = { two, 0, 1.0f }, nan_bias = { two, 2, NAN }, null_bias = { NULL, 1, 1.0f };

/* Each change alone is refused, with a message that holds `says`. */
static void refused(test_call *t, oclm_status want, const char *says, int line)
{
    decide(t);
    if (t->status != want || !strstr(oclm_last_error(), says))
        fail_msg("line %d: %s (%s), want %s with \"%s\"", line, oclm_status_name(t->status), t->status != OCLM_OK ? oclm_last_error() : "",
                 oclm_status_name(want), says);
    end(t);
    begin(t, "{}");
}
#define REFUSED(change, status, says)                                                                                                  \
    do {                                                                                                                               \
        change;                                                                                                                        \
        refused(&t, OCLM_ERR_##status, says, __LINE__);                                                                                \
    } while (0)

static void what_a_call_cannot_ask_for_is_refused(void **state)
{
    test_call                    t;
    oclm_generate_options *const o = &t.options;
    (void)state;
    begin(&t, "{}");
    REFUSED(o->num_beams = 0, ARGUMENT, "num_beams is 0; it must be at least 1");
    REFUSED(o->num_return_sequences = 0, ARGUMENT, "num_return_sequences is 0; it must be at least 1");
    REFUSED(o->num_return_sequences = 2, ARGUMENT, "num_return_sequences is 2, but greedy");
    REFUSED(o->num_beams = 2; o->num_return_sequences = 3, ARGUMENT, "at most num_beams, which is 2");
    REFUSED(o->repetition_penalty = 0, ARGUMENT, "repetition_penalty is 0; it must be greater than 0");
    REFUSED(o->repetition_penalty = INFINITY, ARGUMENT, "repetition_penalty is inf");
    REFUSED(o->encoder_repetition_penalty = -2, ARGUMENT, "encoder_repetition_penalty is -2");
    REFUSED(o->num_beams = 2; o->length_penalty = INFINITY, ARGUMENT, "length_penalty is inf; it must be a finite");
    REFUSED(o->guidance_scale = -INFINITY, ARGUMENT, "guidance_scale is -inf; it must be a finite number");
    REFUSED(o->max_time = -1, ARGUMENT, "max_time is -1; it must be at least 0");
    REFUSED(o->max_matching_ngram_size = 0, ARGUMENT, "max_matching_ngram_size is 0");
    REFUSED(o->num_assistant_tokens = 0, ARGUMENT, "num_assistant_tokens is 0; it must be at least 1");
    REFUSED(o->assistant_confidence_threshold = 1.5f, ARGUMENT, "assistant_confidence_threshold is 1.5; it must be between 0 and 1");
    REFUSED(o->num_assistant_tokens_schedule = (oclm_assistant_schedule)9, ARGUMENT, "num_assistant_tokens_schedule is 9");
    REFUSED(o->early_stopping = (oclm_early_stopping)9, ARGUMENT, "early_stopping is 9");
    REFUSED(o->do_sample = OCLM_SWITCH_ON; o->top_h = 1.5f, ARGUMENT, "top_h is 1.5; it must be greater than 0 and at most 1");
    REFUSED(o->do_sample = OCLM_SWITCH_ON; o->min_p = -0.5f, ARGUMENT, "min_p is -0.5; it must be between 0 and 1");
    REFUSED(o->do_sample = OCLM_SWITCH_ON; o->typical_p = 0, ARGUMENT, "typical_p is 0");
    REFUSED(o->do_sample = OCLM_SWITCH_ON; o->epsilon_cutoff = 1, ARGUMENT,
            "epsilon_cutoff is 1; it must be at least 0 and less than 1");
    REFUSED(o->do_sample = OCLM_SWITCH_ON; o->eta_cutoff = -0.5f, ARGUMENT, "eta_cutoff is -0.5");
    REFUSED(o->pad_token_id = 100, ARGUMENT, "pad_token_id 100 is outside the vocabulary: ids are 0 to 99");
    REFUSED(o->pad_token_id = -3, ARGUMENT, "pad_token_id is -3");
    REFUSED(o->forced_bos_token_id = 100, ARGUMENT, "forced_bos_token_id 100 is outside");
    REFUSED(o->forced_eos_token_ids = far; o->forced_eos_token_count = 2, ARGUMENT, "forced_eos_token_id holds token 100");
    REFUSED(o->suppress_tokens = far; o->suppress_token_count = 2, ARGUMENT, "suppress_tokens holds token 100");
    REFUSED(o->bad_words_ids = &far_word; o->bad_words_count = 1, ARGUMENT, "bad_words_ids holds token 100, which is outside");
    REFUSED(o->sequence_bias = &far_bias; o->sequence_bias_count = 1, ARGUMENT, "sequence_bias holds token 100");
    REFUSED(o->sequence_bias = &empty_bias; o->sequence_bias_count = 1, ARGUMENT, "sequence_bias: entry 0 has no token ids");
    REFUSED(o->sequence_bias = &nan_bias; o->sequence_bias_count = 1, ARGUMENT, "the bias of entry 0 is no number");
    REFUSED(o->sequence_bias = &null_bias; o->sequence_bias_count = 1, ARGUMENT, "sequence_bias: a list of 1 token ids is NULL");
    REFUSED(o->suppress_token_count = 2, ARGUMENT, "suppress_tokens is a list of 2, but the pointer to it is NULL");
    REFUSED(o->eos_token_ids = seventeen; o->eos_token_count = 17, ARGUMENT, "eos_token_id lists 17 ids");
    REFUSED(o->stop_strings = no_text; o->stop_string_count = 2, ARGUMENT, "stop_strings: string 1 is empty");
    REFUSED(o->guidance_scale = 2; o->negative_prompt_ids = far; o->negative_prompt_count = 2, ARGUMENT,
            "negative_prompt_ids holds token 100");
    REFUSED(o->guidance_scale = 2; o->negative_prompt_count = 2, ARGUMENT, "negative_prompt_ids is NULL");
    REFUSED(o->exponential_decay_start = 2, ARGUMENT, "exponential_decay_length_penalty is a pair");
    REFUSED(o->exponential_decay_factor = 2, ARGUMENT, "exponential_decay_length_penalty is a pair");
    REFUSED(o->exponential_decay_start = 2; o->exponential_decay_factor = INFINITY, ARGUMENT, "is infinite");
    REFUSED(o->exponential_decay_start = 2; o->exponential_decay_factor = 2, ARGUMENT, "there is none: set eos_token_id");
    REFUSED(o->cache_implementation = "attic", ARGUMENT,
            "cache_implementation is \"attic\"; it must be one of dynamic, quantized, static");
    REFUSED(o->forced_eos_token_ids = two; o->forced_eos_token_count = 1; o->suppress_tokens = two; o->suppress_token_count = 2, ARGUMENT,
            "every token of forced_eos_token_id (the first is 5) is also in suppress_tokens");
    REFUSED(o->forced_bos_token_id = 6; o->suppress_tokens = two; o->suppress_token_count = 2, ARGUMENT,
            "forced_bos_token_id 6 is also in suppress_tokens");
    REFUSED(o->prompt_lookup_num_tokens = 3; o->do_sample = OCLM_SWITCH_ON; o->num_return_sequences = 2, ARGUMENT,
            "num_return_sequences is 2; with prompt_lookup_num_tokens it must be 1");
    REFUSED(o->generation_config = "/nowhere/at.json", NOT_FOUND, "/nowhere/at.json");
    REFUSED(t.call.has_tokenizer = false; o->token_healing = OCLM_SWITCH_ON, ARGUMENT, "token_healing needs a tokenizer");
    REFUSED(t.call.has_tokenizer = false; o->stop_strings = texts; o->stop_string_count = 2, ARGUMENT, "stop_strings needs a tokenizer");
    REFUSED(t.call.prompt_count = 3; o->prompt_lookup_num_tokens = 3, ARGUMENT, "goes with one prompt, but there are 3");
    REFUSED(architecture.layer[0].mixer = MODEL_MIXER_DELTA_NET; o->prompt_lookup_num_tokens = 3, UNSUPPORTED, "(llama) keeps a state that cannot go back");
    architecture.layer[0].mixer = MODEL_MIXER_ATTENTION;
    end(&t);
}

/* ---- Of files: what is wrong there is told with the file's name. */

static const struct { const char *label, *file; bool sampling; oclm_status want; const char *says; } files[] = {
    { "a number", "{\"repetition_penalty\": 0}", false, OCLM_ERR_ARGUMENT, "repetition_penalty is 0 (from generation_config.json); it must be greater than 0" },
    { "a number of sampling", "{\"min_p\": 2}", true, OCLM_ERR_ARGUMENT, "min_p is 2 (from generation_config.json); it must be between 0 and 1" },
    { "the same without sampling", "{\"min_p\": 2}", false, OCLM_OK, NULL },
    { "a word outside", "{\"bad_words_ids\": [[100]]}", false, OCLM_ERR_ARGUMENT, "bad_words_ids (from generation_config.json) holds token 100" },
    { "a bias outside", "{\"sequence_bias\": [[[100], 1]]}", false, OCLM_ERR_ARGUMENT, "sequence_bias (from generation_config.json) holds token 100" },
    { "a forced end outside", "{\"forced_eos_token_id\": 100}", false, OCLM_ERR_ARGUMENT, "forced_eos_token_id (from generation_config.json) holds token 100" },
    { "a forced bos outside", "{\"forced_bos_token_id\": 100}", false, OCLM_ERR_ARGUMENT, "forced_bos_token_id 100 (from generation_config.json)" },
    { "suppressed outside: passed over", "{\"suppress_tokens\": [100, -1]}", false, OCLM_OK, NULL },
    { "a pad outside: none", "{\"pad_token_id\": 100}", false, OCLM_OK, NULL },
    { "sequences", "{\"num_return_sequences\": 2}", false, OCLM_ERR_ARGUMENT, "num_return_sequences is 2 (from generation_config.json), but greedy" },
    { "more than beams", "{\"num_beams\": 2, \"num_return_sequences\": 3}", false, OCLM_ERR_ARGUMENT, "num_beams, which is 2 (from generation_config.json)" },
    { "a decay without an end", "{\"exponential_decay_length_penalty\": [1, 2]}", false, OCLM_ERR_ARGUMENT, "exponential_decay_length_penalty (from generation_config.json)" },
    { "an empty stop string", "{\"stop_strings\": \"\"}", false, OCLM_ERR_ARGUMENT, "stop_strings (from generation_config.json): string 0 is empty" },
    { "contrastive search", "{\"penalty_alpha\": 0.6, \"top_k\": 4}", false, OCLM_ERR_UNSUPPORTED, "penalty_alpha (from generation_config.json) asks for contrastive search" },
    { "constraints", "{\"constraints\": [1]}", false, OCLM_ERR_UNSUPPORTED, "constraints (from" },
    { "words that must come", "{\"force_words_ids\": [[1]]}", false, OCLM_ERR_UNSUPPORTED, "force_words_ids (from" },
    { "groups", "{\"num_beams\": 4, \"num_beam_groups\": 2}", false, OCLM_ERR_UNSUPPORTED, "num_beam_groups (from" },
    { "less memory", "{\"num_beams\": 4, \"low_memory\": true}", false, OCLM_ERR_UNSUPPORTED, "low_memory (from" },
    { "layers in contrast", "{\"dola_layers\": [1, 2]}", true, OCLM_ERR_UNSUPPORTED, "dola_layers (from" },
    { "watermarks", "{\"watermarking_config\": {\"bias\": 2.0}}", false, OCLM_ERR_UNSUPPORTED, "watermarking_config (from" },
    { "early exits", "{\"assistant_early_exit\": 4}", false, OCLM_ERR_UNSUPPORTED, "assistant_early_exit (from" },
    { "heads that guess", "{\"use_mtp\": true}", false, OCLM_ERR_UNSUPPORTED, "use_mtp (from" },
    { "switched off", "{\"use_mtp\": false, \"penalty_alpha\": 0, \"num_beam_groups\": 1, \"diversity_penalty\": 0.0, \"low_memory\": null, \"constraints\": []}", false,
      OCLM_OK, NULL },
    { "what only an assistant would see", "{\"speculation_type\": \"dflash\", \"assistant_ensemble_weight\": 0.5}", false, OCLM_OK, NULL },
};

static void what_a_file_cannot_ask_for_is_told_with_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        test_call t;
        begin(&t, files[i].file);
        t.options.do_sample = files[i].sampling ? OCLM_SWITCH_ON : OCLM_SWITCH_UNSET;
        decide(&t);
        if (t.status != files[i].want || (files[i].says && !strstr(oclm_last_error(), files[i].says)))
            fail_msg("%s: %s (%s), want %s with \"%s\"", files[i].label, oclm_status_name(t.status), t.status != OCLM_OK ? oclm_last_error() : "",
                     oclm_status_name(files[i].want), files[i].says ? files[i].says : "");
        end(&t);
    }
}

/* ---- What the call switches off, as Python's None does. */

static void a_call_switches_a_file_s_options_off(void **state)
{
    static const char file[] =
        "{\"repetition_penalty\": 1.5, \"encoder_repetition_penalty\": 1.5, \"no_repeat_ngram_size\": 3, \"encoder_no_repeat_ngram_size\": 3, \"guidance_scale\": 2, "
        "\"do_sample\": true, \"temperature\": 0.5, \"top_h\": 0.5, \"top_k\": 9, \"top_p\": 0.5, \"min_p\": 0.5, \"typical_p\": 0.5, \"epsilon_cutoff\": 0.1, "
        "\"eta_cutoff\": 0.1, \"renormalize_logits\": true, \"remove_invalid_values\": true, \"exponential_decay_length_penalty\": [1, 2], \"eos_token_id\": 7, "
        "\"pad_token_id\": 9, \"forced_bos_token_id\": 5, \"forced_eos_token_id\": 5, \"suppress_tokens\": [1], \"begin_suppress_tokens\": [2], \"bad_words_ids\": [[3]], "
        "\"sequence_bias\": [[[4], 1]], \"stop_strings\": \"a\", \"max_time\": 3, \"min_new_tokens\": 2, \"prompt_lookup_num_tokens\": 3, \"token_healing\": true, "
        "\"cache_implementation\": \"quantized\", \"prefill_chunk_size\": 16, \"num_return_sequences\": 1}";
    static const int32_t            no_ids[1] = { 0 };
    static const char *const        no_strings[1] = { "" };
    static const oclm_token_ids     no_words[1] = { { NULL, 0 } };
    static const oclm_sequence_bias no_biases[1] = { { NULL, 0, 0 } };
    test_call                    t;
    oclm_generate_options *const o = &t.options;
    const gen_config *const      c = &t.config;
    gen_config                   plain;
    (void)state;
    begin(&t, file);
    t.call.prompt_length = 1;
    decide(&t);
    assert_ok(t.status);
    assert_true(c->mode == GEN_MODE_ASSISTED && c->do_sample && c->temperature == 0.5f && c->top_h == 0.5f && c->top_k == 9 && c->min_p == 0.5f);
    assert_true(c->exponential_decay_start == 1 && c->forced_eos.count == 1 && c->forced_bos_token_id == 5 && c->suppress_tokens.count == 1);
    assert_true(c->begin_suppress_tokens.count == 1 && c->bad_word_count == 1 && c->sequence_bias_count == 1 && c->stop_string_count == 1);
    assert_true(c->max_time == 3 && c->min_new_tokens == 2 && c->token_healing && c->quantized_cache && c->prefill_chunk_size == 16);
    assert_true(c->pad_token_id == 9 && c->fill_token_id == 9 && c->begin_suppress_length == 2);
    o->repetition_penalty = o->encoder_repetition_penalty = o->guidance_scale = 1;
    o->no_repeat_ngram_size = o->encoder_no_repeat_ngram_size = 0;
    o->temperature = o->top_p = o->typical_p = 1;
    o->top_h = o->min_p = o->epsilon_cutoff = o->eta_cutoff = 0;
    o->top_k = 0;
    o->renormalize_logits = o->remove_invalid_values = o->token_healing = OCLM_SWITCH_OFF;
    o->exponential_decay_start = 1;
    o->exponential_decay_factor = 1;
    o->use_eos_token = OCLM_SWITCH_OFF;
    o->pad_token_id = o->forced_bos_token_id = OCLM_TOKEN_OFF;
    o->forced_eos_token_ids = o->suppress_tokens = o->begin_suppress_tokens = no_ids;
    o->bad_words_ids = no_words;
    o->sequence_bias = no_biases;
    o->stop_strings = no_strings;
    o->max_time = INFINITY;
    o->min_new_tokens = 0;
    o->prompt_lookup_num_tokens = 0;
    o->cache_implementation = "dynamic";
    o->prefill_chunk_size = 0;
    decide(&t);
    assert_ok(t.status);
    assert_string_equal(warnings, "");
    gen_config_init(&plain);
    assert_true(c->mode == GEN_MODE_ROWS && c->eos_token_count == 0 && c->pad_token_id == 0 && c->fill_token_id == -1 && c->min_new_tokens == 0);
    assert_true(c->max_time == plain.max_time && c->stop_string_count == 0 && c->prefill_chunk_size == 0 && !c->quantized_cache && !c->token_healing);
    assert_true(c->guidance_scale == 1 && c->encoder_repetition_penalty == 1 && c->repetition_penalty == 1 && c->no_repeat_ngram_size == 0);
    assert_true(c->encoder_no_repeat_ngram_size == 0 && c->sequence_bias_count == 0 && c->bad_word_count == 0 && c->forced_bos_token_id == -1);
    assert_true(c->forced_eos.count == 0 && !c->remove_invalid_values && c->exponential_decay_start == OCLM_UNSET && c->suppress_tokens.count == 0);
    assert_true(c->begin_suppress_tokens.count == 0 && c->temperature == 1 && isnan(c->top_h) && c->top_k == 0 && c->top_p == 1 && isnan(c->min_p));
    assert_true(c->typical_p == 1 && c->epsilon_cutoff == 0 && c->eta_cutoff == 0 && !c->renormalize_logits);
    end(&t);
}

/* ---- An assistant: its file says how to guess. */

static void an_assistant_guesses_as_its_own_file_says(void **state)
{
    static const char *const assistant = "a model"; /* nobody looks inside */
    test_call                t;
    (void)state;
    begin(&t, "{\"num_assistant_tokens\": 3, \"assistant_confidence_threshold\": 0.1}");
    t.options.assistant_model = (const oclm_model *)(const void *)assistant;
    decide(&t); /* the model's own file does not say */
    assert_ok(t.status);
    assert_true(t.config.mode == GEN_MODE_ASSISTED && t.config.num_assistant_tokens == 20 && t.config.assistant_confidence_threshold == 0.4f);
    assert_int_equal(t.config.num_assistant_tokens_schedule, OCLM_ASSISTANT_SCHEDULE_CONSTANT);
    assert_int_equal(t.config.prompt_lookup_num_tokens, 0);
    t.assistant = defaults_of("{\"num_assistant_tokens\": 5, \"assistant_confidence_threshold\": 1.5, \"num_assistant_tokens_schedule\": \"heuristic\"}", "its file");
    t.call.assistant = &t.assistant;
    decide(&t);
    assert_status(t.status, OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "assistant_confidence_threshold is 1.5 (from its file)"));
    t.options.assistant_confidence_threshold = 0;
    decide(&t);
    assert_ok(t.status);
    assert_true(t.config.num_assistant_tokens == 5 && t.config.assistant_confidence_threshold == 0);
    assert_int_equal(t.config.num_assistant_tokens_schedule, OCLM_ASSISTANT_SCHEDULE_HEURISTIC);
    t.options.num_assistant_tokens = 7;
    decide(&t);
    assert_ok(t.status);
    assert_int_equal(t.config.num_assistant_tokens, 7);
    t.options.prompt_lookup_num_tokens = 2;
    decide(&t);
    assert_ok(t.status);
    assert_int_equal(t.config.max_matching_ngram_size, 2);
    assert_non_null(strstr(warnings, "assistant_model has no effect beside prompt_lookup_num_tokens"));
    t.options.prompt_lookup_num_tokens = OCLM_UNSET;
    t.options.num_beams = 2;
    decide(&t);
    assert_ok(t.status);
    assert_int_equal(t.config.mode, GEN_MODE_BEAMS);
    assert_non_null(strstr(warnings, "assistant_model has no effect with num_beams above 1"));
    t.options.num_beams = 1;
    gen_defaults_free(&t.defaults);
    t.defaults = defaults_of("{\"speculation_type\": \"dflash\"}", "generation_config.json");
    decide(&t);
    assert_status(t.status, OCLM_ERR_UNSUPPORTED);
    end(&t);
}

/* ---- The rest */

static void a_prompt_of_nothing_begins_with_bos(void **state)
{
    test_call t;
    int32_t   id = 0;
    (void)state;
    begin(&t, "{\"bos_token_id\": 11}");
    assert_ok(gen_call_bos(&t.call, &id));
    assert_int_equal(id, 11);
    t.options.bos_token_id = 12;
    assert_ok(gen_call_bos(&t.call, &id));
    assert_int_equal(id, 12);
    t.options.bos_token_id = OCLM_TOKEN_OFF;
    assert_status(gen_call_bos(&t.call, &id), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "bos_token_id"));
    t.options.bos_token_id = 100;
    assert_status(gen_call_bos(&t.call, &id), OCLM_ERR_ARGUMENT);
    end(&t);
}

static void what_has_no_effect_is_told(void **state)
{
    test_call                    t;
    oclm_generate_options *const o = &t.options;
    (void)state;
    begin(&t, "{\"cache_implementation\": \"quantized\", \"dola_layers\": \"low\"}");
    o->num_beams = 2;
    o->use_cache = OCLM_SWITCH_OFF;
    o->negative_prompt_ids = two;
    o->negative_prompt_count = 2;
    decide(&t);
    assert_ok(t.status);
    assert_non_null(strstr(warnings, "cache_implementation (=quantized) (from generation_config.json) has no effect without use_cache"));
    assert_non_null(strstr(warnings, "dola_layers (from generation_config.json) has no effect with num_beams above 1"));
    assert_non_null(strstr(warnings, "negative_prompt_ids has no effect without guidance_scale"));
    assert_true(!t.config.quantized_cache && t.config.negative_prompt.count == 0);
    o->guidance_scale = 2;
    o->min_new_tokens = 2;
    o->min_length = 20;
    decide(&t);
    assert_ok(t.status);
    assert_non_null(strstr(warnings, "both min_new_tokens (=2) and min_length (=20) are set: min_new_tokens counts"));
    assert_true(t.config.negative_prompt.count == 2 && t.config.negative_prompt.ids[1] == 6);
    end(&t);
}

/* The library's lists are its own: those of the call are only read during it. */
static void lists_are_copied_and_a_failing_allocation_leaks_nothing(void **state)
{
    static const char file[] = "{\"suppress_tokens\": [1], \"bad_words_ids\": [[3, 4]], \"sequence_bias\": [[[4], 1]], \"stop_strings\": \"a\", "
                               "\"forced_eos_token_id\": 5, \"begin_suppress_tokens\": [2]}";
    int32_t      mine[] = { 8, 9 };
    test_call    t;
    const size_t before = core_memory_live();
    (void)state;
    begin(&t, file);
    t.options.suppress_tokens = mine;
    t.options.suppress_token_count = 2;
    t.options.guidance_scale = 2;
    t.options.negative_prompt_ids = mine;
    t.options.negative_prompt_count = 2;
    const size_t live = core_memory_live();
    t.status = OCLM_ERR_MEMORY;
    for (size_t n = 1; t.status != OCLM_OK && n < 100; n++) {
        core_memory_fail_at(n, false);
        decide(&t);
        core_memory_fail_at(0, false);
        assert_true(t.status == OCLM_OK || t.status == OCLM_ERR_MEMORY);
        if (t.status != OCLM_OK)
            assert_int_equal(core_memory_live(), live);
    }
    mine[0] = 50;
    assert_int_equal(t.config.suppress_tokens.ids[0], 8);
    assert_int_equal(t.config.negative_prompt.ids[0], 8);
    end(&t);
    assert_int_equal(core_memory_live(), before);
}

int main(void)
{
#define LISTENING(test) cmocka_unit_test_setup_teardown(test, listen, unlisten)
    const struct CMUnitTest tests[] = {
        LISTENING(what_a_call_cannot_ask_for_is_refused),
        LISTENING(what_a_file_cannot_ask_for_is_told_with_its_name),
        LISTENING(a_call_switches_a_file_s_options_off),
        LISTENING(an_assistant_guesses_as_its_own_file_says),
        LISTENING(a_prompt_of_nothing_begins_with_bos),
        LISTENING(what_has_no_effect_is_told),
        LISTENING(lists_are_copied_and_a_failing_allocation_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
