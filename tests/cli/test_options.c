/* test_options.c: what a command line becomes. What is refused, and how that is told, is in test_usage.c. */
#include "cli/capture.h"

#include <math.h>
#include <unistd.h>

/* Parses "name" and up to six words; false as cli_parse(). */
static bool parse(const char *name, const char *const *words, cli_args *args)
{
    char  *argv[8];
    int    argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    cli_args_init(args);
    return cli_parse(cli_command_find(name), argc, argv, args);
}

static void nothing_given_is_unset(void **state)
{
    cli_args args;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", NULL }, &args));
    assert_string_equal(args.model, "M");
    assert_null(args.text);
    assert_int_equal(args.generate.max_new_tokens, OCLM_UNSET);
    assert_int_equal(args.generate.top_k, OCLM_UNSET);
    assert_int_equal(args.generate.do_sample, OCLM_SWITCH_UNSET);
    assert_int_equal(args.generate.use_eos_token, OCLM_SWITCH_UNSET);
    assert_true(isnan(args.generate.temperature) && isnan(args.generate.top_p));
    assert_int_equal(args.generate.seed, 0);
    assert_true(args.generate.skip_special_tokens);
    assert_int_equal(args.loading.dtype, OCLM_DTYPE_AUTO);
    assert_int_equal(args.loading.max_memory, 0);
    assert_false(args.json || args.quiet || args.help || args.verbose);
    assert_int_equal(args.bench_prompt, 512);
    assert_int_equal(args.bench_decode, 64);
    assert_int_equal(args.bench_repetitions, 3);
}

static void every_option_fills_its_member(void **state)
{
    cli_args args;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", "--max-new-tokens", "7", "--max-length=9", "--min-new-tokens", "2", NULL }, &args));
    assert_int_equal(args.generate.max_new_tokens, 7);
    assert_int_equal(args.generate.max_length, 9);
    assert_int_equal(args.generate.min_new_tokens, 2);
    assert_true(parse("generate", (const char *const[]){ "M", "--temperature=0.5", "--top-p", "1e-1", "--top-k", "0", NULL }, &args));
    assert_true(args.generate.temperature == 0.5f && args.generate.top_p == 0.1f);
    assert_int_equal(args.generate.top_k, 0);
    assert_true(parse("generate", (const char *const[]){ "M", "--seed", "18446744073709551615", "--num-beams", "3", "--show-special-tokens", NULL }, &args));
    assert_true(args.generate.seed == UINT64_MAX);
    assert_int_equal(args.generate.num_beams, 3);
    assert_false(args.generate.skip_special_tokens);
    assert_true(parse("generate", (const char *const[]){ "M", "T", "--device", "0:1", "--dtype", "bfloat16", "--no-special-tokens", NULL }, &args));
    assert_string_equal(args.loading.device, "0:1");
    assert_int_equal(args.loading.dtype, OCLM_DTYPE_BFLOAT16);
    assert_true(args.no_special_tokens);
    assert_true(parse("generate", (const char *const[]){ "M", "--gguf-file", "m.Q4_K_M.gguf", NULL }, &args));
    assert_string_equal(args.gguf_file, "m.Q4_K_M.gguf");
    assert_true(parse("generate", (const char *const[]){ "M", "--matmul", "builtin", "--input-ids", "-", "--json", NULL }, &args));
    assert_int_equal(args.loading.matmul, OCLM_MATMUL_BUILTIN);
    assert_string_equal(args.input_ids, "-");
    assert_true(args.json);
    assert_true(parse("logits", (const char *const[]){ "M", "T", "--positions", "last", "--npy", "F", NULL }, &args));
    assert_int_equal(args.positions, POSITIONS_LAST);
    assert_string_equal(args.npy, "F");
    assert_true(parse("bench", (const char *const[]){ "M", "-p0", "-n", "4", "-d3", "-r1", NULL }, &args));
    assert_int_equal(args.bench_prompt, 0);
    assert_int_equal(args.bench_decode, 4);
    assert_int_equal(args.bench_depth, 3);
    assert_int_equal(args.bench_repetitions, 1);
    assert_true(parse("detokenize", (const char *const[]){ "M", "--skip-special-tokens", "--jsonl", "-q", NULL }, &args));
    assert_true(args.skip_special_tokens && args.jsonl && args.quiet);
    assert_true(parse("devices", (const char *const[]){ "-h", NULL }, &args));
    assert_true(args.help);
}

static void options_of_loading_are_the_model_s_or_the_assistant_s(void **state)
{
    static const char json[] = "{\"0\": \"1GiB\"}";
    cli_args args;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", "--device-map", "auto", "--offload-folder=F", "--context-length", "77", NULL }, &args));
    assert_string_equal(args.loading.device_map, "auto");
    assert_string_equal(args.loading.offload_folder, "F");
    assert_int_equal(args.loading.context_length, 77);
    assert_true(args.loading.max_memory == 0 && !args.loading.max_memory_map && !args.assistant_loading.device_map);
    assert_true(parse("info", (const char *const[]){ "M", "--device_map={\"\": 0}", "--max-memory", json, NULL }, &args));
    assert_string_equal(args.loading.max_memory_map, json);
    assert_int_equal(args.loading.max_memory, 0);
    assert_true(parse("bench", (const char *const[]){ "M", "--max-memory", json, "--max-memory=5KB", NULL }, &args)); /* the last one counts */
    assert_true(args.loading.max_memory == 5000 && !args.loading.max_memory_map);
    assert_true(parse("chat", (const char *const[]){ "M", "--assistant-model=A", "--assistant-load-in-4bit", "--assistant_bnb_4bit_quant_type=nf4", NULL }, &args));
    assert_true(args.assistant_loading.load_in_4bit && !args.loading.load_in_4bit && !args.loading.bnb_4bit_quant_type);
    assert_string_equal(args.assistant_loading.bnb_4bit_quant_type, "nf4");
    assert_true(parse("generate", (const char *const[]){ "M", "--assistant-device", "1", "--assistant-dtype=float16", "--dtype=float32", NULL }, &args));
    assert_string_equal(args.assistant_loading.device, "1");
    assert_true(args.assistant_loading.dtype == OCLM_DTYPE_FLOAT16 && args.loading.dtype == OCLM_DTYPE_FLOAT32 && !args.loading.device);
    assert_true(parse("generate", (const char *const[]){ "M", "--assistant-max-memory", json, "--assistant-context-length=9", "--assistant-device-map=cpu", NULL }, &args));
    assert_string_equal(args.assistant_loading.max_memory_map, json);
    assert_true(args.assistant_loading.context_length == 9 && args.loading.context_length == 0 && !args.loading.max_memory_map);
    assert_true(parse("score", (const char *const[]){ "M", "T", "--top-logprobs=5", NULL }, &args));
    assert_int_equal(args.top_logprobs, 5);
}

static void every_option_of_generation_fills_its_member(void **state)
{
    cli_args                     args;
    const oclm_generate_options *const o = &args.generate;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", "--min-length", "3", "--max-time=1.5", "--pad-token-id", "0", NULL }, &args));
    assert_true(o->min_length == 3 && o->max_time == 1.5 && o->pad_token_id == 0 && o->bos_token_id == OCLM_NO_TOKEN);
    assert_true(parse("generate", (const char *const[]){ "M", "--bos-token-id=none", "--num-return-sequences", "2", "--early-stopping", "never", NULL }, &args));
    assert_true(o->bos_token_id == OCLM_TOKEN_OFF && o->num_return_sequences == 2 && o->early_stopping == OCLM_EARLY_STOPPING_NEVER);
    assert_true(parse("generate", (const char *const[]){ "M", "--early-stopping=false", "--length-penalty", "-1", "--repetition-penalty=1.5", NULL }, &args));
    assert_true(o->early_stopping == OCLM_EARLY_STOPPING_OFF && o->length_penalty == -1 && o->repetition_penalty == 1.5f);
    assert_true(parse("generate", (const char *const[]){ "M", "--early_stopping=true", "--no-repeat-ngram-size=2", "--encoder-repetition-penalty=2", NULL }, &args));
    assert_true(o->early_stopping == OCLM_EARLY_STOPPING_ON && o->no_repeat_ngram_size == 2 && o->encoder_repetition_penalty == 2);
    assert_true(parse("generate", (const char *const[]){ "M", "--encoder-no-repeat-ngram-size=4", "--forced-bos-token-id=7", "--forced-eos-token-id=8,9", NULL }, &args));
    assert_true(o->encoder_no_repeat_ngram_size == 4 && o->forced_bos_token_id == 7 && o->forced_eos_token_count == 2 && o->forced_eos_token_ids[1] == 9);
    cli_args_free(&args);
    assert_true(parse("generate", (const char *const[]){ "M", "--guidance-scale=0.5", "--negative-prompt-ids=4,5", "--negative-prompt=bad", NULL }, &args));
    assert_true(o->guidance_scale == 0.5f && o->negative_prompt_count == 2 && o->negative_prompt_ids[0] == 4);
    assert_string_equal(args.negative_prompt, "bad");
    cli_args_free(&args);
    assert_true(parse("generate", (const char *const[]){ "M", "--remove-invalid-values", "--no-renormalize-logits", "--exponential-decay-length-penalty=5,1.5", NULL }, &args));
    assert_true(o->remove_invalid_values == OCLM_SWITCH_ON && o->renormalize_logits == OCLM_SWITCH_OFF);
    assert_true(o->exponential_decay_start == 5 && o->exponential_decay_factor == 1.5f);
    assert_true(parse("generate", (const char *const[]){ "M", "--top-h=0.5", "--min-p=0.1", "--typical-p=0.2", "--epsilon-cutoff=0.25", "--eta-cutoff=0.75", NULL }, &args));
    assert_true(o->top_h == 0.5f && o->min_p == 0.1f && o->typical_p == 0.2f && o->epsilon_cutoff == 0.25f && o->eta_cutoff == 0.75f);
    assert_true(parse("generate", (const char *const[]){ "M", "--prompt-lookup-num-tokens=6", "--max-matching-ngram-size=3", "--token-healing", NULL }, &args));
    assert_true(o->prompt_lookup_num_tokens == 6 && o->max_matching_ngram_size == 3 && o->token_healing == OCLM_SWITCH_ON);
    assert_true(parse("generate", (const char *const[]){ "M", "--assistant-model=A", "--num-assistant-tokens=5", "--assistant-confidence-threshold=0", NULL }, &args));
    assert_true(o->num_assistant_tokens == 5 && o->assistant_confidence_threshold == 0);
    assert_string_equal(args.assistant_model, "A");
    assert_true(parse("generate", (const char *const[]){ "M", "--num-assistant-tokens-schedule=heuristic", "--cache-implementation=static", "--no-use-cache", NULL }, &args));
    assert_int_equal(o->num_assistant_tokens_schedule, OCLM_ASSISTANT_SCHEDULE_HEURISTIC);
    assert_string_equal(o->cache_implementation, "static");
    assert_int_equal(o->use_cache, OCLM_SWITCH_OFF);
    assert_true(parse("generate", (const char *const[]){ "M", "--prefill-chunk-size=32", "--generation-config=F", NULL }, &args));
    assert_int_equal(o->prefill_chunk_size, 32);
    assert_string_equal(o->generation_config, "F");
}

static void lists_are_read_from_words_json_and_files(void **state)
{
    char     path[] = "/tmp/oclm-test-XXXXXX", option[64];
    int      file = mkstemp(path);
    cli_args args;
    const oclm_generate_options *const o = &args.generate;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", "--suppress-tokens", "1,2,3", "--begin-suppress-tokens=none", NULL }, &args));
    assert_true(o->suppress_token_count == 3 && o->suppress_tokens[2] == 3);
    assert_true(o->begin_suppress_tokens && o->begin_suppress_token_count == 0); /* a list of none, which switches a file's off */
    cli_args_free(&args);
    assert_true(parse("generate", (const char *const[]){ "M", "--bad-words-ids", "[[1, 2], [], [3]]", "--sequence-bias=[[[1, 2], -3.5], [[7], 2]]", NULL }, &args));
    assert_true(o->bad_words_count == 3 && o->bad_words_ids[0].count == 2 && o->bad_words_ids[1].count == 0 && o->bad_words_ids[2].ids[0] == 3);
    assert_true(o->sequence_bias_count == 2 && o->sequence_bias[0].ids[1] == 2 && o->sequence_bias[0].bias == -3.5f && o->sequence_bias[1].ids[0] == 7);
    cli_args_free(&args);
    assert_int_equal(write(file, "[[5]]\n", 6), 6);
    (void)close(file);
    snprintf(option, sizeof option, "--bad-words-ids=@%s", path);
    assert_true(parse("generate", (const char *const[]){ "M", option, "--stop-strings", "a b", "--stop-strings=\n", NULL }, &args));
    assert_true(o->bad_words_count == 1 && o->bad_words_ids[0].ids[0] == 5);
    assert_int_equal(o->stop_string_count, 2);
    assert_string_equal(o->stop_strings[0], "a b");
    assert_string_equal(o->stop_strings[1], "\n");
    cli_args_free(&args);
    (void)remove(path);
    assert_true(parse("generate", (const char *const[]){ "M", "--stop-strings=", "--bad-words-ids=[]", NULL }, &args));
    assert_true(o->stop_strings && o->stop_string_count == 0 && o->bad_words_ids && o->bad_words_count == 0);
    cli_args_free(&args);
}

static const char *const wrong_lists[] = {
    "--suppress-tokens=", "--suppress-tokens=a", "--suppress-tokens=1,,a", "--pad-token-id=-1", "--pad-token-id=x", "--forced-eos-token-id=",
    "--bad-words-ids=[1,2]", "--bad-words-ids=[[1,-2]]", "--bad-words-ids=[[1.5]]", "--bad-words-ids=[[1]", "--bad-words-ids=[[\"a\"]]",
    "--bad-words-ids={}", "--bad-words-ids=@/nowhere/at all", "--sequence-bias=[[1,2]]", "--sequence-bias=[[[1]]]", "--sequence-bias=[[[1],2,3]]",
    "--sequence-bias=[[[1],\"a\"]]", "--sequence-bias=[[[1],2.0]] x", "--exponential-decay-length-penalty=5", "--exponential-decay-length-penalty=5,",
    "--exponential-decay-length-penalty=5,x", "--exponential-decay-length-penalty=a,1", "--exponential-decay-length-penalty=5,inf",
    "--early-stopping=maybe", "--num-assistant-tokens-schedule=daily", "--max-time=soon", "--max-time=nan", "--num-return-sequences=0",
};

static void wrong_lists_are_told_with_their_option(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong_lists); i++) {
        char     name[64];
        cli_args args;
        capture  c;
        bool     good;
        capture_begin(&c);
        good = parse("generate", (const char *const[]){ "M", wrong_lists[i], NULL }, &args);
        capture_end(&c);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(wrong_lists[i], "="), wrong_lists[i]);
        if (good || (!strstr(c.text, name) && !strstr(c.text, "/nowhere")))
            fail_msg("%s: %s, message: %s", wrong_lists[i], good ? "taken" : "refused", c.text);
        cli_args_free(&args);
    }
}

static const struct { const char *label; const char *words[4]; oclm_switch want; } switches[] = {
    { "alone", { "--do-sample" }, OCLM_SWITCH_ON },
    { "true", { "--do-sample=true" }, OCLM_SWITCH_ON },
    { "as Python writes it", { "--do_sample=True" }, OCLM_SWITCH_ON },
    { "false", { "--do-sample=false" }, OCLM_SWITCH_OFF },
    { "no", { "--no-do-sample" }, OCLM_SWITCH_OFF },
    { "not no", { "--no-do-sample=false" }, OCLM_SWITCH_ON },
    { "the last one counts", { "--do-sample", "--no-do-sample" }, OCLM_SWITCH_OFF },
};

static void switches_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(switches); i++) {
        const char *words[6] = { "M" };
        cli_args    args;
        memcpy(words + 1, switches[i].words, sizeof switches[i].words);
        if (!parse("generate", words, &args) || args.generate.do_sample != switches[i].want)
            fail_msg("%s: %d, want %d", switches[i].label, (int)args.generate.do_sample, (int)switches[i].want);
    }
}

static const struct { const char *text; uint64_t want; } sizes[] = {
    { "1", 1 }, { "8000000000", 8000000000u }, { "500MB", 500000000u }, { "500mb", 500000000u }, { "3KB", 3000 }, { "3KiB", 3072 },
    { "3k", 3072 }, { "4GiB", (uint64_t)4 << 30 }, { "4G", (uint64_t)4 << 30 }, { "2gb", 2000000000u }, { "7B", 7 }, { "1M", 1u << 20 },
    { "16MiB", 16u << 20 },
    { "", 0 }, { "0", 0 }, { "4 GiB", 0 }, { "4TiB!", 0 }, { "GiB", 0 }, { "-1", 0 }, { "4GiBs", 0 }, { "1.5GiB", 0 }, /* refused */
    { "18446744073709551616", 0 }, { "17179869184GiB", 0 },
};

static void sizes_are_read_with_their_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char     option[64];
        cli_args args;
        capture  c;
        bool     good;
        snprintf(option, sizeof option, "--max-memory=%s", sizes[i].text);
        capture_begin(&c);
        good = parse("generate", (const char *const[]){ "M", option, NULL }, &args);
        capture_end(&c);
        if (good != (sizes[i].want > 0) || (good && args.loading.max_memory != sizes[i].want))
            fail_msg("\"%s\": %llu, want %llu", sizes[i].text, (unsigned long long)args.loading.max_memory, (unsigned long long)sizes[i].want);
        if (!good)
            assert_non_null(strstr(c.text, "4GiB")); /* shows what is right */
    }
}

static void end_of_sequence_ids_are_read_or_switched_off(void **state)
{
    cli_args args;
    (void)state;
    assert_true(parse("generate", (const char *const[]){ "M", "--eos-token-id", "5,6", NULL }, &args));
    assert_int_equal(args.generate.eos_token_count, 2);
    assert_int_equal(args.generate.eos_token_ids[1], 6);
    assert_int_equal(args.generate.use_eos_token, OCLM_SWITCH_UNSET);
    assert_true(parse("generate", (const char *const[]){ "M", "--eos-token-id", "5", "--eos-token-id=none", NULL }, &args));
    assert_int_equal(args.generate.eos_token_count, 0);
    assert_int_equal(args.generate.use_eos_token, OCLM_SWITCH_OFF);
    assert_true(parse("generate", (const char *const[]){ "M", "--eos-token-id=None", "--eos-token-id", "[7]", NULL }, &args));
    assert_int_equal(args.generate.eos_token_ids[0], 7);
    assert_int_equal(args.generate.use_eos_token, OCLM_SWITCH_UNSET);
}

static const struct { const char *label, *command; const char *words[6]; const char *model, *text, *ids; } places[] = {
    { "both in order", "generate", { "M", "T" }, "M", "T", NULL },
    { "options between and behind", "generate", { "-n", "4", "M", "--json", "T", "-q" }, "M", "T", NULL },
    { "standard input", "tokenize", { "M", "-" }, "M", "-", NULL },
    { "everything after --", "tokenize", { "M", "--", "--jsonl" }, "M", "--jsonl", NULL },
    { "a second --", "tokenize", { "M", "--", "--" }, "M", "--", NULL },
    { "the model by name", "generate", { "-m", "M", "T" }, "M", "T", NULL },
    { "the model by name, behind", "generate", { "T", "-mM" }, "M", "T", NULL },
    { "the text by name", "logits", { "--prompt", "T", "M" }, "M", "T", NULL },
    { "a text like an option, by name", "generate", { "M", "--prompt=--T" }, "M", "--T", NULL },
    { "ids", "detokenize", { "M", "1,2" }, "M", NULL, "1,2" },
    { "ids by name", "detokenize", { "--ids", "1,2", "M" }, "M", NULL, "1,2" },
    { "an empty text", "generate", { "M", "" }, "M", "", NULL },
};

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void words_find_their_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        const char *words[8] = { NULL };
        cli_args    args;
        memcpy(words, places[i].words, sizeof places[i].words);
        if (!parse(places[i].command, words, &args) || !same(args.model, places[i].model) || !same(args.text, places[i].text) ||
            !same(args.ids, places[i].ids))
            fail_msg("%s: model %s, text %s, ids %s", places[i].label, args.model, args.text, args.ids);
    }
}

static void verbosity_is_counted(void **state)
{
    cli_args args;
    (void)state;
    assert_true(parse("info", (const char *const[]){ "M", "-v", NULL }, &args));
    assert_int_equal(args.verbose, 1);
    assert_true(parse("info", (const char *const[]){ "M", "-vv", "--verbose", NULL }, &args));
    assert_int_equal(args.verbose, 3);
}

/* Each option's line begins "  -n, --name" or "      --name". */
static void help_lists_every_option_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++) {
        char  *text = NULL, names[128][40];
        size_t length, count = 0;
        FILE  *out = open_memstream(&text, &length);
        cli_print_options(out, cli_commands[i].bit);
        fclose(out);
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
            const int size = (int)strcspn(line, "\n");
            if (size > 130)
                fail_msg("%s: a line of %d characters: %.*s", cli_commands[i].name, size, size, line);
            if (strncmp(line + 6, "--", 2) != 0)
                continue; /* the help of a long name stands on a line of its own */
            snprintf(names[count], sizeof names[count], "%.*s", (int)strcspn(line + 6, " \n"), line + 6);
            for (size_t n = 0; n < count; n++)
                if (strcmp(names[n], names[count]) == 0)
                    fail_msg("%s lists %s twice", cli_commands[i].name, names[n]);
            count++;
        }
        assert_true(count >= 4 && count < COUNT(names));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_is_unset),
        cmocka_unit_test(every_option_fills_its_member),
        cmocka_unit_test(options_of_loading_are_the_model_s_or_the_assistant_s),
        cmocka_unit_test(every_option_of_generation_fills_its_member),
        cmocka_unit_test(lists_are_read_from_words_json_and_files),
        cmocka_unit_test(wrong_lists_are_told_with_their_option),
        cmocka_unit_test(switches_go_both_ways),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(end_of_sequence_ids_are_read_or_switched_off),
        cmocka_unit_test(words_find_their_places),
        cmocka_unit_test(verbosity_is_counted),
        cmocka_unit_test(help_lists_every_option_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
