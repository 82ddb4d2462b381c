/* test_options.c: what a command line becomes. What is refused, and how that is told, is in test_usage.c. */
#include "cli/capture.h"

#include <math.h>

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
    assert_int_equal(args.dtype, OCLM_DTYPE_AUTO);
    assert_int_equal(args.max_memory, 0);
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
    assert_string_equal(args.device, "0:1");
    assert_int_equal(args.dtype, OCLM_DTYPE_BFLOAT16);
    assert_true(args.no_special_tokens);
    assert_true(parse("generate", (const char *const[]){ "M", "--matmul", "builtin", "--input-ids", "-", "--json", NULL }, &args));
    assert_int_equal(args.matmul, OCLM_MATMUL_BUILTIN);
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
        if (good != (sizes[i].want > 0) || (good && args.max_memory != sizes[i].want))
            fail_msg("\"%s\": %llu, want %llu", sizes[i].text, (unsigned long long)args.max_memory, (unsigned long long)sizes[i].want);
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
        char  *text = NULL, names[64][32];
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
        cmocka_unit_test(switches_go_both_ways),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(end_of_sequence_ids_are_read_or_switched_off),
        cmocka_unit_test(words_find_their_places),
        cmocka_unit_test(verbosity_is_counted),
        cmocka_unit_test(help_lists_every_option_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
