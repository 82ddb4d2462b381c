/* test_config.c: where each option's value comes from, and what is refused; the expected values are those of transformers 5.23. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/folders.h"

#include "core/log.h"
#include "generation/config.h"
#include "generation/warnings.h"

/* ---- Reading files */

static model_architecture architecture(void)
{
    model_architecture a;
    memset(&a, 0, sizeof a);
    a.vocab_size = 100;
    a.max_position_embeddings = 64;
    a.position = MODEL_POSITION_LEARNED;
    return a;
}

/* Reads the defaults of a folder with this config.json, and this generation_config.json (NULL: none). */
static oclm_status read_defaults(const char *config, const char *generation, gen_defaults *defaults)
{
    folder             f;
    char               path[128];
    model_architecture a = architecture();
    oclm_status        status;
    a.eos_token_count = strstr(config, "eos_token_id") != NULL;
    folder_new(&f, config);
    folder_write(&f, "model.safetensors", "", 0);
    folder_file(&f, "generation_config.json", path);
    if (generation)
        folder_write(&f, "generation_config.json", generation, strlen(generation));
    status = gen_defaults_read(f.path, &a, defaults);
    (void)remove(path);
    folder_free(&f);
    return status;
}

static void the_file_s_values_are_read(void **state)
{
    gen_defaults                 d;
    const oclm_generate_options *const o = &d.said;
    (void)state;
    assert_ok(read_defaults("{\"eos_token_id\": 7, \"top_k\": 3}",
                   "{\"max_new_tokens\": 5, \"max_length\": 40, \"min_new_tokens\": 2, \"min_length\": 9, \"top_k\": 11, \"num_beams\": 1, "
                   "\"temperature\": 0.5, \"top_p\": 0.25, \"do_sample\": true, \"eos_token_id\": [3, 4], \"bos_token_id\": 1, "
                   "\"transformers_version\": \"5.23.0\", \"something_new\": {\"a\": [1]}}", &d));
    assert_int_equal(o->max_new_tokens, 5);
    assert_int_equal(o->max_length, 40);
    assert_int_equal(o->min_new_tokens, 2);
    assert_int_equal(o->min_length, 9);
    assert_int_equal(o->top_k, 11);
    assert_true(o->temperature == 0.5f && o->top_p == 0.25f);
    assert_int_equal(o->do_sample, OCLM_SWITCH_ON);
    assert_int_equal(o->eos_token_count, 2);
    assert_int_equal(o->eos_token_ids[1], 4);
    assert_int_equal(o->bos_token_id, 1);
    assert_int_equal(o->pad_token_id, OCLM_NO_TOKEN);
    assert_int_equal(d.refused, 0);
    assert_string_equal(warnings, "");
    gen_defaults_free(&d);
    assert_ok(read_defaults("{}",
                   "{\"max_time\": 2.5, \"stop_strings\": [\"a\", \"\\u00e9b\"], \"pad_token_id\": 0, \"num_return_sequences\": 2, \"early_stopping\": \"never\", "
                   "\"length_penalty\": -1, \"use_cache\": false, \"prefill_chunk_size\": 64, \"cache_implementation\": \"static\", \"guidance_scale\": 1.5, "
                   "\"sequence_bias\": [[[1, 2], -3.5], [[3], 2]], \"encoder_repetition_penalty\": 1.1, \"repetition_penalty\": 1.2, "
                   "\"no_repeat_ngram_size\": 3, \"encoder_no_repeat_ngram_size\": -4, \"bad_words_ids\": [[5, 6, 7], [], [8]], \"forced_bos_token_id\": 9, "
                   "\"forced_eos_token_id\": 10, \"remove_invalid_values\": true, \"exponential_decay_length_penalty\": [5, 1.1], "
                   "\"suppress_tokens\": [-1, 11, 12], \"begin_suppress_tokens\": [], \"top_h\": 0.4, \"min_p\": 0.1, \"typical_p\": 0.9, "
                   "\"epsilon_cutoff\": 0.0003, \"eta_cutoff\": 0.002, \"renormalize_logits\": true, \"prompt_lookup_num_tokens\": 7, "
                   "\"max_matching_ngram_size\": 3, \"num_assistant_tokens\": 4, \"num_assistant_tokens_schedule\": \"heuristic_transient\", "
                   "\"assistant_confidence_threshold\": 0.2, \"token_healing\": true}", &d));
    assert_true(o->max_time == 2.5 && o->length_penalty == -1 && o->guidance_scale == 1.5f && o->encoder_repetition_penalty == 1.1f);
    assert_int_equal(o->stop_string_count, 2);
    assert_string_equal(o->stop_strings[1], "\xc3\xa9" "b");
    assert_int_equal(o->pad_token_id, 0);
    assert_int_equal(o->num_return_sequences, 2);
    assert_int_equal(o->early_stopping, OCLM_EARLY_STOPPING_NEVER);
    assert_int_equal(o->use_cache, OCLM_SWITCH_OFF);
    assert_int_equal(o->prefill_chunk_size, 64);
    assert_string_equal(o->cache_implementation, "static");
    assert_int_equal(o->sequence_bias_count, 2);
    assert_int_equal(o->sequence_bias[0].count, 2);
    assert_int_equal(o->sequence_bias[0].ids[1], 2);
    assert_true(o->sequence_bias[0].bias == -3.5f && o->sequence_bias[1].bias == 2.0f && o->sequence_bias[1].ids[0] == 3);
    assert_true(o->repetition_penalty == 1.2f && o->no_repeat_ngram_size == 3);
    assert_int_equal(o->encoder_no_repeat_ngram_size, 0); /* a negative one is off */
    assert_int_equal(o->bad_words_count, 3);
    assert_int_equal(o->bad_words_ids[0].ids[2], 7);
    assert_int_equal(o->bad_words_ids[1].count, 0);
    assert_int_equal(o->bad_words_ids[2].ids[0], 8);
    assert_int_equal(o->forced_bos_token_id, 9);
    assert_true(o->forced_eos_token_count == 1 && o->forced_eos_token_ids[0] == 10);
    assert_int_equal(o->remove_invalid_values, OCLM_SWITCH_ON);
    assert_true(o->exponential_decay_start == 5 && o->exponential_decay_factor == 1.1f);
    assert_true(o->suppress_token_count == 2 && o->suppress_tokens[0] == 11); /* -1 is no token */
    assert_true(o->begin_suppress_tokens && o->begin_suppress_token_count == 0);
    assert_true(o->top_h == 0.4f && o->min_p == 0.1f && o->typical_p == 0.9f && o->epsilon_cutoff == 0.0003f && o->eta_cutoff == 0.002f);
    assert_int_equal(o->renormalize_logits, OCLM_SWITCH_ON);
    assert_true(o->prompt_lookup_num_tokens == 7 && o->max_matching_ngram_size == 3 && o->num_assistant_tokens == 4);
    assert_int_equal(o->num_assistant_tokens_schedule, OCLM_ASSISTANT_SCHEDULE_HEURISTIC_TRANSIENT);
    assert_true(o->assistant_confidence_threshold == 0.2f);
    assert_int_equal(o->token_healing, OCLM_SWITCH_ON);
    assert_string_equal(warnings, "");
    gen_defaults_free(&d);
}

static void config_json_counts_only_where_the_file_is_missing(void **state)
{
    static const char config[] = "{\"eos_token_id\": 7, \"top_k\": 3, \"text_config\": {\"top_k\": 4, \"top_p\": 0.5}}";
    gen_defaults d;
    (void)state;
    assert_ok(read_defaults(config, "{}", &d));
    assert_null(d.said.eos_token_ids);
    assert_int_equal(d.said.top_k, OCLM_UNSET);
    assert_non_null(strstr(warnings, "sets no eos_token_id")); /* that generation then never stops early is told */
    gen_defaults_free(&d);
    warnings[0] = '\0';
    assert_ok(read_defaults(config, NULL, &d));
    assert_int_equal(d.said.eos_token_count, 1);
    assert_int_equal(d.said.eos_token_ids[0], 7);
    assert_int_equal(d.said.top_k, 3);
    assert_true(d.said.top_p == 0.5f);
    assert_string_equal(d.origin, "config.json");
    assert_string_equal(warnings, "");
    gen_defaults_free(&d);
}

static void a_file_that_is_no_json_counts_as_missing(void **state)
{
    static const char *const broken[] = { "{\"top_k\": ", "[1, 2]", "", "\xff" };
    gen_defaults d;
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        warnings[0] = '\0';
        assert_ok(read_defaults("{\"top_k\": 3}", broken[i], &d));
        assert_int_equal(d.said.top_k, 3);
        assert_non_null(strstr(warnings, "counts as missing"));
        gen_defaults_free(&d);
    }
}

static const struct { const char *label, *text; oclm_status want; const char *says; } files[] = {
    { "null is unset", "{\"top_k\": null, \"eos_token_id\": null, \"do_sample\": null}", OCLM_OK, NULL },
    { "a whole number for a float", "{\"temperature\": 2}", OCLM_OK, NULL },
    { "max_new_tokens of 0", "{\"max_new_tokens\": 0}", OCLM_ERR_FORMAT, "max_new_tokens" },
    { "a negative top_k", "{\"top_k\": -1}", OCLM_ERR_FORMAT, "top_k" },
    { "a fraction of tokens", "{\"max_length\": 1.5}", OCLM_ERR_FORMAT, "max_length" },
    { "a word for a number", "{\"temperature\": \"hot\"}", OCLM_ERR_FORMAT, "temperature" },
    { "a number for a switch", "{\"do_sample\": 1}", OCLM_ERR_FORMAT, "do_sample" },
    { "no beams", "{\"num_beams\": 0}", OCLM_ERR_FORMAT, "num_beams" },
    { "a word for an id", "{\"eos_token_id\": \"</s>\"}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "a word in a list of ids", "{\"eos_token_id\": [1, \"</s>\"]}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "an id beyond 32 bits", "{\"eos_token_id\": 1e12}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "a whole number too large for 32 bits", "{\"max_length\": 1e30}", OCLM_OK, NULL },
    { "an empty list of words", "{\"bad_words_ids\": [], \"stop_strings\": []}", OCLM_OK, NULL },
    { "a word for stop_strings", "{\"stop_strings\": \"</s>\"}", OCLM_OK, NULL },
    { "a number for stop_strings", "{\"stop_strings\": [3]}", OCLM_ERR_FORMAT, "stop_strings" },
    { "a number for all stop_strings", "{\"stop_strings\": 3}", OCLM_ERR_FORMAT, "stop_strings" },
    { "early_stopping sometimes", "{\"early_stopping\": \"sometimes\"}", OCLM_ERR_FORMAT, "early_stopping" },
    { "early_stopping as a number", "{\"early_stopping\": 1}", OCLM_ERR_FORMAT, "early_stopping" },
    { "a schedule that is none", "{\"num_assistant_tokens_schedule\": \"daily\"}", OCLM_ERR_FORMAT, "heuristic_transient" },
    { "a cache that is none", "{\"cache_implementation\": \"attic\"}", OCLM_ERR_FORMAT, "offloaded_static" },
    { "a number for a cache", "{\"cache_implementation\": 4}", OCLM_ERR_FORMAT, "cache_implementation" },
    { "words that are no lists", "{\"bad_words_ids\": [1, 2]}", OCLM_ERR_FORMAT, "bad_words_ids" },
    { "a negative id in a word", "{\"bad_words_ids\": [[1, -2]]}", OCLM_ERR_FORMAT, "bad_words_ids" },
    { "words in an object", "{\"bad_words_ids\": {\"a\": [1]}}", OCLM_ERR_FORMAT, "bad_words_ids" },
    { "a bias without a number", "{\"sequence_bias\": [[[1]]]}", OCLM_ERR_FORMAT, "sequence_bias" },
    { "a bias of three", "{\"sequence_bias\": [[[1], 2.0, 3]]}", OCLM_ERR_FORMAT, "sequence_bias" },
    { "a bias the wrong way round", "{\"sequence_bias\": [[2.0, [1]]]}", OCLM_ERR_FORMAT, "sequence_bias" },
    { "a bias of words", "{\"sequence_bias\": {\"a\": 2.0}}", OCLM_ERR_FORMAT, "sequence_bias" },
    { "a decay of one number", "{\"exponential_decay_length_penalty\": [5]}", OCLM_ERR_FORMAT, "exponential_decay_length_penalty" },
    { "a decay from half a token on", "{\"exponential_decay_length_penalty\": [0.5, 1.1]}", OCLM_ERR_FORMAT, "exponential_decay_length_penalty" },
    { "a word for a token", "{\"pad_token_id\": \"<pad>\"}", OCLM_ERR_FORMAT, "pad_token_id" },
    { "a negative forced token", "{\"forced_eos_token_id\": [3, -1]}", OCLM_ERR_FORMAT, "forced_eos_token_id" },
    { "a word in suppress_tokens", "{\"suppress_tokens\": [3, \"a\"]}", OCLM_ERR_FORMAT, "suppress_tokens" },
    { "an object for suppress_tokens", "{\"suppress_tokens\": {}}", OCLM_ERR_FORMAT, "suppress_tokens" },
    { "a word for a time", "{\"max_time\": \"long\"}", OCLM_ERR_FORMAT, "max_time" },
    { "no number for a penalty", "{\"repetition_penalty\": NaN}", OCLM_ERR_FORMAT, "repetition_penalty" },
    { "no number for a time", "{\"max_time\": NaN}", OCLM_ERR_FORMAT, "max_time" },
    { "no number for a length", "{\"max_length\": NaN}", OCLM_ERR_FORMAT, "max_length" },
    { "no number for a token", "{\"pad_token_id\": NaN}", OCLM_ERR_FORMAT, "pad_token_id" },
    { "no number in a list of ids", "{\"eos_token_id\": [3, NaN]}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "an infinite id", "{\"eos_token_id\": -Infinity}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "a bias that is no number", "{\"sequence_bias\": [[[1], NaN]]}", OCLM_ERR_FORMAT, "sequence_bias" },
    { "a decay that is no number", "{\"exponential_decay_length_penalty\": [5, NaN]}", OCLM_ERR_FORMAT, "exponential_decay_length_penalty" },
    { "Python's numbers where nobody looks", "{\"mine\": [NaN, {\"a\": -Infinity}], \"top_k\": 3}", OCLM_OK, NULL },
    { "what belongs to a call", "{\"streamer\": null}", OCLM_ERR_FORMAT, "streamer" },
    { "17 ids", "{\"eos_token_id\": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}", OCLM_ERR_UNSUPPORTED, "eos_token_id" },
};

static void invalid_values_of_the_file_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        gen_defaults      d;
        const oclm_status got = read_defaults("{}", files[i].text, &d);
        if (got != files[i].want)
            fail_msg("%s: %s, want %s", files[i].label, oclm_status_name(got), oclm_status_name(files[i].want));
        if (files[i].says && (!strstr(oclm_last_error(), files[i].says) || !strstr(oclm_last_error(), "generation_config.json")))
            fail_msg("%s: the message lacks \"%s\" or the file: %s", files[i].label, files[i].says, oclm_last_error());
        if (got == OCLM_OK)
            gen_defaults_free(&d);
    }
}

/* Python's json module writes them, and transformers reads them. */
static void infinities_of_the_file_are_numbers(void **state)
{
    gen_defaults                       d;
    const oclm_generate_options *const o = &d.said;
    (void)state;
    assert_ok(read_defaults("{}", "{\"sequence_bias\": [[[1, 2], -Infinity], [[3], Infinity]], \"max_time\": Infinity, \"max_length\": Infinity, "
                            "\"top_k\": 7, \"eos_token_id\": 5}", &d));
    assert_string_equal(warnings, "");
    assert_int_equal(o->sequence_bias_count, 2);
    assert_true(o->sequence_bias[0].bias == -INFINITY && o->sequence_bias[1].bias == INFINITY);
    assert_true(o->max_time == INFINITY && o->max_length == OCLM_UNSET - 1 && o->top_k == 7);
    gen_defaults_free(&d);
    assert_ok(read_defaults("{\"top_k\": 9, \"temperature\": Infinity}", NULL, &d)); /* config.json, where that file is missing */
    assert_true(o->top_k == 9 && isinf(o->temperature));
    gen_defaults_free(&d);
}

static void a_negative_eos_only_warns(void **state)
{
    gen_defaults d;
    (void)state;
    assert_ok(read_defaults("{}", "{\"eos_token_id\": [-1, 5]}", &d));
    assert_int_equal(d.said.eos_token_count, 1);
    assert_int_equal(d.said.eos_token_ids[0], 5);
    assert_non_null(strstr(warnings, "-1"));
    gen_defaults_free(&d);
}

/* ---- Resolving: what counts in the end. -1 stands for "not looked at". */

static gen_defaults defaults_of(const char *generation)
{
    gen_defaults d;
    assert_ok(read_defaults("{}", generation, &d));
    return d;
}

/* One prompt, a tokenizer at hand. */
static oclm_status resolve(const gen_defaults *d, const oclm_generate_options *o, const model_architecture *a, uint32_t prompt, gen_config *c)
{
    const gen_call call = { .defaults = d, .options = o, .architecture = a, .prompt_length = prompt, .prompt_count = 1, .has_tokenizer = true };
    return gen_config_resolve(&call, c);
}

static oclm_generate_options options(void)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    return o;
}

static const struct {
    const char *label, *file;
    uint32_t    max_new, max_length, min_new, prompt;
    oclm_status want;
    uint32_t    limit, minimum;
    const char *warns, *fails; /* what the log, the message hold */
} lengths[] = {
#define U OCLM_UNSET
    { "nothing set: 20 new tokens", "{}", U, U, U, 10, OCLM_OK, 30, 0, "default", NULL },
    { "the default stops at the model's positions", "{}", U, U, U, 50, OCLM_OK, 64, 0, "default", NULL },
    { "max_length counts the prompt", "{}", U, 25, U, 10, OCLM_OK, 25, 0, NULL, NULL },
    { "max_new_tokens does not", "{}", 25, U, U, 10, OCLM_OK, 35, 0, NULL, NULL },
    { "max_new_tokens beats max_length", "{}", 3, 40, U, 10, OCLM_OK, 13, 0, "max_new_tokens counts", NULL },
    { "also where the file has it", "{\"max_new_tokens\": 3}", U, 40, U, 10, OCLM_OK, 13, 0, "from generation_config.json", NULL },
    { "the call beats the file", "{\"max_new_tokens\": 3}", 4, U, U, 10, OCLM_OK, 14, 0, NULL, NULL },
    { "quietly, where it names the other one", "{\"max_length\": 40}", 4, U, U, 10, OCLM_OK, 14, 0, NULL, NULL },
    { "the file beats the default", "{\"max_length\": 33}", U, U, U, 10, OCLM_OK, 33, 0, NULL, NULL },
    { "learned positions end", "{}", 1000, U, U, 10, OCLM_OK, 64, 0, "ends there", NULL },
    { "min_new_tokens", "{\"eos_token_id\": 1}", 20, U, 5, 10, OCLM_OK, 30, 5, NULL, NULL },
    { "min_length of the file counts the prompt", "{\"min_length\": 14, \"eos_token_id\": 1}", 20, U, U, 10, OCLM_OK, 30, 4, NULL, NULL },
    { "min_new_tokens beats min_length", "{\"min_length\": 14, \"eos_token_id\": 1}", 20, U, 1, 10, OCLM_OK, 30, 1, NULL, NULL },
    { "without an end there is none to hold back", "{\"min_length\": 14}", 20, U, 7, 10, OCLM_OK, 30, 0, NULL, NULL },
    { "a min_length that the prompt has", "{\"min_length\": 4}", 20, U, U, 10, OCLM_OK, 30, 0, NULL, NULL },
    { "more than the limit only warns", "{\"eos_token_id\": 1}", 4, U, 5, 10, OCLM_OK, 14, 5, "leaves 4", NULL },
    { "an empty prompt", "{}", 4, U, U, 0, OCLM_ERR_ARGUMENT, 0, 0, NULL, "empty" },
    { "no new tokens", "{}", 0, U, U, 10, OCLM_ERR_ARGUMENT, 0, 0, NULL, "max_new_tokens is 0" },
    { "a prompt as long as max_length", "{}", U, 10, U, 10, OCLM_ERR_ARGUMENT, 0, 0, NULL, "max_length is 10" },
    { "a prompt longer than the file's", "{\"max_length\": 5}", U, U, U, 10, OCLM_ERR_ARGUMENT, 0, 0, NULL,
      "max_length (from generation_config.json) is 5" },
    { "a prompt as long as the model", "{}", 4, U, U, 64, OCLM_ERR_ARGUMENT, 0, 0, NULL, "64 positions" },
    { "a prompt longer than the model", "{}", U, U, U, 6400, OCLM_ERR_ARGUMENT, 0, 0, NULL, "6400 tokens" },
#undef U
};

static void lengths_follow_transformers(void **state)
{
    const model_architecture a = architecture();
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        gen_defaults          d = defaults_of(lengths[i].file);
        oclm_generate_options o = options();
        gen_config            c;
        oclm_status           got;
        o.max_new_tokens = lengths[i].max_new;
        o.max_length = lengths[i].max_length;
        o.min_new_tokens = lengths[i].min_new;
        warnings[0] = '\0';
        got = resolve(&d, &o, &a, lengths[i].prompt, &c);
        if (got != lengths[i].want || (got == OCLM_OK && (c.limit != lengths[i].limit || c.min_new_tokens != lengths[i].minimum)))
            fail_msg("%s: %s, limit %u, minimum %u", lengths[i].label, oclm_status_name(got), c.limit, c.min_new_tokens);
        if (got != OCLM_OK && !strstr(oclm_last_error(), lengths[i].fails))
            fail_msg("%s: the message lacks \"%s\": %s", lengths[i].label, lengths[i].fails, oclm_last_error());
        if (lengths[i].warns ? !strstr(warnings, lengths[i].warns) : got == OCLM_OK && warnings[0])
            fail_msg("%s: want the warning \"%s\", got: %s", lengths[i].label, lengths[i].warns ? lengths[i].warns : "(none)", warnings);
        gen_config_free(&c);
        gen_defaults_free(&d);
    }
}

static void rotary_positions_go_on_with_a_warning(void **state)
{
    model_architecture    a = architecture();
    gen_defaults          d = defaults_of("{}");
    oclm_generate_options o = options();
    gen_config            c;
    (void)state;
    a.position = MODEL_POSITION_ROPE;
    o.max_new_tokens = 100;
    assert_ok(resolve(&d, &o, &a, 10, &c));
    assert_int_equal(c.limit, 110);
    assert_non_null(strstr(warnings, "made for 64"));
    gen_defaults_free(&d);
}

static const struct {
    const char *label, *file;
    oclm_switch do_sample;
    float       temperature, top_p;
    uint32_t    top_k;
    oclm_status want;
    bool        samples;
    float       t, p;
    uint32_t    k;
    const char *warns, *fails;
} sampling[] = {
#define U OCLM_UNSET
#define ON OCLM_SWITCH_ON
#define OFF OCLM_SWITCH_OFF
    { "greedy is the default", "{}", 0, NAN, NAN, U, OCLM_OK, false, 1, 1, 0, NULL, NULL },
    { "sampling's defaults", "{}", ON, NAN, NAN, U, OCLM_OK, true, 1, 1, 50, NULL, NULL },
    { "the file samples", "{\"do_sample\": true, \"temperature\": 0.7, \"top_p\": 0.8, \"top_k\": 20}", 0, NAN, NAN, U, OCLM_OK, true,
      0.7f, 0.8f, 20, NULL, NULL },
    { "the call beats the file", "{\"do_sample\": true, \"temperature\": 0.7, \"top_p\": 0.8, \"top_k\": 20}", ON, 0.5f, 0.1f, 0, OCLM_OK,
      true, 0.5f, 0.1f, 0, NULL, NULL },
    { "greedy over a file that samples is quiet", "{\"do_sample\": true, \"temperature\": 0.7}", OFF, NAN, NAN, U, OCLM_OK, false, 1, 1,
      0, NULL, NULL },
    { "a temperature without sampling", "{}", 0, 0.7f, NAN, U, OCLM_OK, false, 1, 1, 0, "temperature (=0.7) has no effect", NULL },
    { "also if the call is greedy by itself", "{}", OFF, NAN, 0.5f, U, OCLM_OK, false, 1, 1, 0, "top_p", NULL },
    { "the file's, where nobody samples", "{\"top_k\": 7}", 0, NAN, NAN, U, OCLM_OK, false, 1, 1, 0, "from generation_config.json", NULL },
    { "temperature 0 without sampling only warns", "{}", 0, 0.0f, NAN, U, OCLM_OK, false, 1, 1, 0, "temperature", NULL },
    { "temperature 0", "{}", ON, 0.0f, NAN, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL, "switch do_sample off" },
    { "a negative temperature", "{}", ON, -1.0f, NAN, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL, "temperature is -1" },
    { "the file's temperature 0", "{\"temperature\": 0.0}", ON, NAN, NAN, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL,
      "from generation_config.json" },
    { "an infinite temperature", "{}", ON, INFINITY, NAN, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL, "temperature is inf" },
    { "top_p above 1", "{}", ON, NAN, 1.5f, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL, "top_p is 1.5" },
    { "top_p below 0", "{}", ON, NAN, -0.5f, U, OCLM_ERR_ARGUMENT, false, 0, 0, 0, NULL, "top_p is -0.5" },
    { "top_p of 0 keeps the best", "{}", ON, NAN, 0.0f, U, OCLM_OK, true, 1, 0, 50, NULL, NULL },
    { "the file's top_p above 1 is off", "{\"top_p\": 1.5}", ON, NAN, NAN, U, OCLM_OK, true, 1, 1, 50, NULL, NULL },
#undef U
#undef ON
#undef OFF
};

static void sampling_follows_transformers(void **state)
{
    const model_architecture a = architecture();
    (void)state;
    for (size_t i = 0; i < COUNT(sampling); i++) {
        gen_defaults          d = defaults_of(sampling[i].file);
        oclm_generate_options o = options();
        gen_config            c;
        oclm_status           got;
        o.max_new_tokens = 4;
        o.do_sample = sampling[i].do_sample;
        o.temperature = sampling[i].temperature;
        o.top_p = sampling[i].top_p;
        o.top_k = sampling[i].top_k;
        o.seed = 12345678901u;
        warnings[0] = '\0';
        got = resolve(&d, &o, &a, 10, &c);
        if (got != sampling[i].want)
            fail_msg("%s: %s (%s)", sampling[i].label, oclm_status_name(got), got != OCLM_OK ? oclm_last_error() : "");
        if (got == OCLM_OK && (c.do_sample != sampling[i].samples || c.temperature != sampling[i].t || c.top_p != sampling[i].p ||
                               c.top_k != sampling[i].k || c.seed != o.seed))
            fail_msg("%s: sampling %d, temperature %g, top_p %g, top_k %u", sampling[i].label, c.do_sample, (double)c.temperature,
                     (double)c.top_p, c.top_k);
        if (got != OCLM_OK && !strstr(oclm_last_error(), sampling[i].fails))
            fail_msg("%s: the message lacks \"%s\": %s", sampling[i].label, sampling[i].fails, oclm_last_error());
        if (sampling[i].warns ? !strstr(warnings, sampling[i].warns) : warnings[0] != '\0')
            fail_msg("%s: want the warning \"%s\", got: %s", sampling[i].label, sampling[i].warns ? sampling[i].warns : "(none)", warnings);
        gen_config_free(&c);
        gen_defaults_free(&d);
    }
}

static void eos_tokens_come_from_the_call_or_the_file(void **state)
{
    static const int32_t     mine[] = { 8, 9 }, outside[] = { 8, 100 };
    const model_architecture a = architecture();
    gen_defaults             d = defaults_of("{\"eos_token_id\": [3, 400], \"max_new_tokens\": 4}");
    oclm_generate_options    o = options();
    gen_config               c;
    (void)state;
    warnings[0] = '\0';
    assert_ok(resolve(&d, &o, &a, 10, &c)); /* the file's; 400 is no id of this model */
    assert_int_equal(c.eos_token_count, 1);
    assert_int_equal(c.eos_token_ids[0], 3);
    assert_non_null(strstr(warnings, "400"));
    o.eos_token_ids = mine;
    o.eos_token_count = 2;
    assert_ok(resolve(&d, &o, &a, 10, &c));
    assert_int_equal(c.eos_token_count, 2);
    assert_int_equal(c.eos_token_ids[1], 9);
    o.use_eos_token = OCLM_SWITCH_OFF;
    assert_status(resolve(&d, &o, &a, 10, &c), OCLM_ERR_ARGUMENT); /* both at once */
    o.eos_token_count = 0;
    assert_ok(resolve(&d, &o, &a, 10, &c));
    assert_int_equal(c.eos_token_count, 0);
    o = options();
    o.eos_token_ids = outside;
    o.eos_token_count = 2;
    assert_status(resolve(&d, &o, &a, 10, &c), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "100 is outside the vocabulary: ids are 0 to 99"));
    o.eos_token_ids = NULL;
    assert_status(resolve(&d, &o, &a, 10, &c), OCLM_ERR_ARGUMENT);
    o.eos_token_ids = mine;
    o.eos_token_count = OCLM_MAX_EOS_TOKENS + 1;
    assert_status(resolve(&d, &o, &a, 10, &c), OCLM_ERR_ARGUMENT);
    gen_defaults_free(&d);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    static const char        file[] = "{\"top_k\": 4, \"stop_strings\": [\"a\"], \"bad_words_ids\": [[1]], \"sequence_bias\": [[[1], 2.0]], \"suppress_tokens\": [3]}";
    const model_architecture a = architecture();
    folder                   f;
    char                     path[128];
    gen_defaults             d;
    oclm_status              status = OCLM_ERR_MEMORY;
    (void)state;
    folder_new(&f, "{}");
    folder_write(&f, "model.safetensors", "", 0);
    folder_file(&f, "generation_config.json", path);
    folder_write(&f, "generation_config.json", file, strlen(file));
    const size_t live = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 100; n++) {
        core_memory_fail_at(n, false);
        status = gen_defaults_read(f.path, &a, &d);
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        if (status != OCLM_OK)
            assert_int_equal(core_memory_live(), live);
    }
    assert_ok(status);
    assert_int_equal(d.said.top_k, 4);
    gen_defaults_free(&d);
    assert_int_equal(core_memory_live(), live);
    (void)remove(path);
    folder_free(&f);
}

int main(void)
{
#define LISTENING(test) cmocka_unit_test_setup_teardown(test, listen, unlisten)
    const struct CMUnitTest tests[] = {
        LISTENING(the_file_s_values_are_read),
        LISTENING(config_json_counts_only_where_the_file_is_missing),
        LISTENING(a_file_that_is_no_json_counts_as_missing),
        LISTENING(invalid_values_of_the_file_are_told),
        LISTENING(infinities_of_the_file_are_numbers),
        LISTENING(a_negative_eos_only_warns),
        LISTENING(lengths_follow_transformers),
        LISTENING(rotary_positions_go_on_with_a_warning),
        LISTENING(sampling_follows_transformers),
        LISTENING(eos_tokens_come_from_the_call_or_the_file),
        LISTENING(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
