/* test_commands.c: what every subcommand prints when all goes well: for people, and as JSON; and that its answers belong together. */
#include "cli/cases.h"

#include <math.h>

/* ---- For people, and help */

static const command_case for_people[] = {
    { "generate", "generate @stories 'Once upon a time' -n 8", 0, "Once upon a time|\n", NULL },
    { "generate from ids, no tokenizer there", "generate @tiny/llama --input-ids 1,2 -n 3", 0, ",|\n", NULL },
    { "generate, sampled", "generate @stories 'One day' -n 5 --do-sample --temperature 0.8 --top-k 9 --top-p 0.95 --seed 7", 0, "One day", NULL },
    { "several sequences", "generate @stories 'One day' -n 4 --do-sample --num-return-sequences 2", 0, "== sequence 1\nOne day|== sequence 2\nOne day", NULL },
    { "several sequences of ids", "generate @tiny/llama --input-ids 1,2 -n 3 --num-beams 2 --num-return-sequences 2", 0, "== sequence 1|== sequence 2|,", NULL },
    { "options before the positionals", "generate -n 4 --quiet @stories Once", 0, "Once", NULL },
    { "options as a user of llama.cpp would", "generate -m @stories -p 'Once upon' -n 4 -s 3", 0, "Once upon", NULL },
    { "MODEL as an option, the prompt without", "generate --model @stories 'Once upon'", 0, "Once upon", NULL },
    { "underscores for dashes", "generate @stories Once --max_new_tokens=4 --no_do_sample", 0, "Once", NULL },
    { "a text that begins with a dash", "generate @stories -n 4 -- '- so'", 0, "- so", NULL },
    { "an option's name after --", "generate @stories -n 4 -- --json", 0, "--json", NULL },
    { "special tokens stay out of the text", "detokenize @stories 0,438 --skip-special-tokens", 0, "Once\n", NULL },
    { "special tokens in the text", "detokenize @stories 0,438", 0, "<|endoftext|>Once\n", NULL },
    { "ids as JSON writes them", "detokenize @stories '[438, 449]'", 0, "Once upon\n", NULL },
    { "ids as an option", "detokenize @stories --ids 438,449", 0, "Once upon\n", NULL },
    { "no ids", "detokenize @stories ''", 0, "\n", NULL },
    { "logits", "logits @stories 'Once upon'", 0, "0: 438 Once  ->|1: 449 Ġupon  ->|259 Ġa", NULL },
    { "logits of the last position", "logits @stories 'Once upon' --positions last", 0, "    1: 449 Ġupon  ->", NULL },
    { "logits without a tokenizer", "logits @tiny/gpt2 --input-ids 1,2", 0, "0: 1  ->|1: 2  ->", NULL },
    { "score", "score @stories 'Once upon a time'", 0, "     438        -        -  Once\n     449  -0.0001   0.9999  Ġupon\n|over 3 tokens, perplexity 1.0", NULL },
    { "score with alternatives", "score @stories 'Once upon' --top-logprobs 2", 0, "     449  -0.0001   0.9999      or Ġupon\n     391 -10.26", NULL },
    { "score without a tokenizer", "score @tiny/gpt2 --input-ids 1,2", 0, "       1        -        -  \n       2 |over 1 tokens", NULL },
    { "perplexity", "perplexity @stories @stories/README.md --stride 64 --max-length 128 -q", 0, "perplexity |windows (max length 128, stride 64)\n", NULL },
    { "tokenize", "tokenize @stories 'Once upon'", 0, "    438  Once\n    449  Ġupon\n", NULL },
    { "tokenize, TEXT as an option", "tokenize --model @stories --text Once", 0, "438  Once", NULL },
    { "tokenize, padded", "tokenize @stories Once --padding max_length --max-length 3 --pad-token-id 0 --padding-side left", 0,
      "      0  <|endoftext|>  (padding)\n      0  <|endoftext|>  (padding)\n    438  Once\n", NULL },
    { "tokenize, cut", "tokenize @stories 'Once upon a time' --truncation longest_first --max_length 2", 0, "    438  Once\n    449  Ġupon\n", NULL },
    { "tokenize, with offsets", "tokenize @stories 'Once upon' --offsets", 0, "    438       0-4       Once\n    449       4-9       Ġupon\n", NULL },
    { "tokenize a file", "tokenize @stories --file @stories/README.md", 0, "  ", NULL },
    { "tokenize text that is not trusted", "tokenize @stories '<|endoftext|>' --split-special-tokens", 0, "<|", NULL },
    { "devices", "devices", 0, "0  |platform |compute units", NULL },
    { "info", "info @stories", 0, "gpt2, 2.1 million parameters|float16|positions 256, learned|fits", NULL },
    { "info needs no device", "info @stories", 0, "gpt2|no device: no OpenCL driver", "OCL_ICD_VENDORS=/nonexistent" },
    { "families", "info --families", 0, "kinds of models|  gpt2                GPT2LMHeadModel|  llama               LlamaForCausalLM", NULL },
    { "families need no device", "info --families --json", 0, "{\"families\": [|{\"model_type\": \"llama\", \"class\": \"LlamaForCausalLM\", \"limits\": null}", "OCL_ICD_VENDORS=/nonexistent" },
    { "bench", "bench @tiny/llama -p 8 -n 4 -r 1 -d 2 --max-memory 100MB", 0, "prefill|decode|read rate|GFLOPS|loading|peak", NULL },
    { "bench without decoding", "bench @tiny/llama -p 8 -n 0 -r 1 --max-memory 100MB", 0, "prefill", NULL },
    { "the version", "--version", 0, "oclm 0.", NULL },
    { "the version, short", "-V", 0, "oclm 0.", NULL },
    { "the overview", "--help", 0, "oclm generate MODEL [PROMPT]|oclm bench MODEL|Exit status: 0 done", NULL },
    { "the overview, short", "-h", 0, "oclm generate MODEL [PROMPT]", NULL },
    { "the overview, in words", "help", 0, "oclm generate MODEL [PROMPT]", NULL },
    { "help of one, in words", "help generate", 0, "oclm generate MODEL [PROMPT]: |--max-new-tokens N|--temperature T|-h, --help", NULL },
    { "help before the model is missed", "generate --help", 0, "--max-new-tokens N|printf, not echo", NULL },
    { "help among other arguments", "generate @stories Once -h", 0, "--max-new-tokens N", NULL },
    { "help of logits", "logits -h", 0, "--npy FILE", NULL },
    { "help of tokenize", "tokenize --help", 0, "--no-special-tokens", NULL },
    { "help of detokenize", "detokenize --help", 0, "--skip-special-tokens", NULL },
    { "help of devices", "devices -h", 0, "oclm devices: |--json", NULL },
    { "help of info", "info -h", 0, "--dtype auto|float32", NULL },
    { "help of quantize", "quantize --help", 0, "oclm quantize MODEL OUT: |-t, --to nf4", NULL },
    { "help of bench", "bench --help", 0, "-p, --prompt N|-n, --new N|-r, --repetitions N", NULL },
};

static void people_read_what_they_asked_for(void **state)
{
    (void)state;
    check_cases(for_people, COUNT(for_people));
}

/* ---- JSON: keys and their kinds: string, number, array, object, bool, null */

static const struct { const char *line, *keys; } as_json[] = {
    { "generate @stories 'Once upon a time' -n 4 --json",
      "model:s dtype:s devices:a devices.0:s seed:n input_ids:a input_ids.0:n sequences:a sequences.0.output_ids:a sequences.0.text:s "
      "sequences.0.new_text:s sequences.0.finish_reason:s sequences.0.score:z timing.load_s:n timing.prefill_tokens:n "
      "timing.prefill_s:n timing.decode_tokens:n timing.decode_s:n" },
    { "generate @stories 'One day' -n 4 --do-sample --num-return-sequences 2 --json",
      "input_ids:a sequences.1.prompt:n sequences.1.output_ids:a sequences.1.text:s sequences.1.score:z" },
    { "generate @stories --prompts @stories/README.md -n 1 --json", "prompts.0.0:n prompts.2:a sequences.2.prompt:n sequences.2.new_text:s" },
    { "generate @tiny/llama --input-ids 1,2 -n 3 --num-beams 2 --num-return-sequences 2 --json", "sequences.1.output_ids:a sequences.1.score:n" },
    { "generate @tiny/llama --input-ids 1,2,3 -n 4 --json",
      "model:s input_ids.2:n sequences.0.output_ids.3:n sequences.0.text:z sequences.0.new_text:z" },
    { "logits @stories 'Once upon' --json", "input_ids:a vocab_size:n positions:a positions.1:n logits:a logits.1:a logits.1.1535:n" },
    { "logits @stories 'Once upon' --positions last --json", "positions.0:n logits.0.1535:n" },
    { "logits @stories 'Once upon' --npy @here/x.npy --json", "input_ids:a positions.1:n npy:s" },
    { "score @stories 'Once upon' --json",
      "input_ids.1:n tokens.1:s logprobs:a logprobs.0:z logprobs.1:n sum_logprob:n mean_logprob:n perplexity:n" },
    { "score @tiny/gpt2 --input-ids 1,2,3 --top-logprobs 2 --json", "top_logprobs.0:a top_logprobs.2.1.id:n top_logprobs.2.1.token:z top_logprobs.2.1.logprob:n" },
    { "score @tiny/gpt2 --input-ids 1,2,3 --json", "input_ids.2:n tokens.2:z logprobs.0:z logprobs.2:n" },
    { "perplexity @stories @stories/README.md -q --json", "model:s perplexity:n mean_nll:n tokens:n windows:n max_length:n stride:n" },
    { "perplexity @tiny/gpt2 --input-ids 1,2,3,4,5 --stride 2 --max-length 3 --json", "tokens:n windows:n" },
    { "tokenize @stories 'Once upon' --json", "ids:a ids.1:n tokens:a tokens.1:s" },
    { "tokenize @stories '' --json", "ids:a tokens:a" },
    { "tokenize @stories Once --text-pair upon --offsets --json",
      "ids:a ids.0:n tokens.0:s type_ids.0:n attention_mask.0:n special_tokens_mask.0:n offsets.0.1:n" },
    { "detokenize @stories --ids 438,449 --json", "text:s" },
    { "devices --json",
      "platforms:a platforms.0.index:n platforms.0.name:s platforms.0.version:s platforms.0.devices:a platforms.0.devices.0.index:n "
      "platforms.0.devices.0.name:s platforms.0.devices.0.type:s platforms.0.devices.0.version:s platforms.0.devices.0.compute_units:n "
      "platforms.0.devices.0.global_mem_bytes:n platforms.0.devices.0.max_alloc_bytes:n platforms.0.devices.0.budget_bytes:n platforms.0.devices.0.fp16:b "
      "platforms.0.devices.0.subgroups:b platforms.0.devices.0.vendor:s platforms.0.devices.0.driver_version:s" },
    { "info @stories --json",
      "model:s model_type:s parameters:n dtype:s checkpoint_dtype:s weight_bytes:n bytes.float32:n bytes.float16:n bytes.bfloat16:n "
      "kv_bytes_per_token:n kv_whole_bytes_per_token:n kv_window_bytes:n kv_quantized_bytes_per_token:n vocab_size:n hidden_size:n num_hidden_layers:n max_position_embeddings:n tie_word_embeddings:b "
      "devices:a devices.0.index:n devices.0.name:s devices.0.budget_bytes:n devices.0.positions_that_fit.float32:n" },
    { "bench @tiny/llama -p 8 -n 4 -r 2 --max-memory 100MB --json",
      "model:s dtype:s prefill.tokens:n prefill.tokens_per_s.min:n prefill.tokens_per_s.median:n prefill.tokens_per_s.max:n "
      "decode.tokens:n decode.tokens_per_s.min:n decode.tokens_per_s.median:n decode.tokens_per_s.max:n "
      "decode.weight_bytes_per_token:n decode.cache_bytes_per_token:n decode.read_fraction:n device.name:s "
      "device.read_bytes_per_s:n device.gemm_flops_per_s:n load_s:n first_token_s:n peak_host_bytes:n peak_device_bytes:n" },
};

static char kind_of(const cJSON *item)
{
    return cJSON_IsString(item) ? 's' : cJSON_IsNumber(item) ? 'n' : cJSON_IsArray(item) ? 'a' : cJSON_IsObject(item) ? 'o'
           : cJSON_IsBool(item) ? 'b' : cJSON_IsNull(item) ? 'z' : '?';
}

static void json_is_one_object_with_its_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(as_json); i++) {
        cJSON *tree = run_json(as_json[i].line);
        char   path[128], kind;
        int    taken;
        for (const char *p = as_json[i].keys; sscanf(p, " %127[^:]:%c%n", path, &kind, &taken) == 2; p += taken)
            if (kind_of(at_path(tree, path)) != kind)
                fail_msg("oclm %s: \"%s\" is of kind %c, want %c", as_json[i].line, path, kind_of(at_path(tree, path)), kind);
        cJSON_Delete(tree);
    }
}

/* ---- Answers that belong together */

static const char *text_at(const cJSON *tree, const char *path)
{
    const cJSON *item = at_path(tree, path);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

static double number_at(const cJSON *tree, const char *path)
{
    const cJSON *item = at_path(tree, path);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void assert_same(const cJSON *a, const cJSON *b)
{
    char *first = cJSON_PrintUnformatted(a), *second = cJSON_PrintUnformatted(b);
    assert_string_equal(first, second);
    cJSON_free(first);
    cJSON_free(second);
}

static void text_and_ids_generate_the_same(void **state)
{
    cJSON  *from_text = run_json("generate @stories 'Once upon a time' -n 12 --json");
    cJSON  *from_ids = run_json("generate @stories --input-ids 438,449,259,391 -n 12 --json");
    cJSON  *tokens = run_json("tokenize @stories 'Once upon a time' --json");
    process p = run_line("generate @stories 'Once upon a time' -n 12");
    char    whole[512];
    (void)state;
    assert_same(at_path(from_text, "input_ids"), at_path(tokens, "ids"));
    assert_same(at_path(from_ids, "input_ids"), at_path(tokens, "ids"));
    assert_same(at_path(from_text, "sequences"), at_path(from_ids, "sequences"));
    assert_int_equal(cJSON_GetArraySize(at_path(from_text, "sequences.0.output_ids")), 12);
    assert_string_equal(text_at(from_text, "sequences.0.finish_reason"), "length");
    assert_int_equal((int)number_at(from_text, "timing.prefill_tokens"), 4);
    assert_int_equal((int)number_at(from_text, "timing.decode_tokens"), 11);
    snprintf(whole, sizeof whole, "Once upon a time%s", text_at(from_text, "sequences.0.new_text"));
    assert_string_equal(text_at(from_text, "sequences.0.text"), whole);
    strcat(whole, "\n");
    assert_string_equal(p.out.data, whole); /* what streams is what JSON holds */
    process_free(&p);
    cJSON_Delete(from_text);
    cJSON_Delete(from_ids);
    cJSON_Delete(tokens);
}

static void a_seed_repeats_and_is_told(void **state)
{
    cJSON *a = run_json("generate @stories 'One day' --do-sample --temperature 1.2 --seed 18446744073709551615 -n 12 --json");
    cJSON *b = run_json("generate @stories 'One day' --do-sample=true --temperature 1.2 --seed=18446744073709551615 -n12 --json");
    cJSON *other = run_json("generate @stories 'One day' --do-sample --temperature 1.2 --seed 2 -n 12 --json");
    (void)state;
    assert_same(at_path(a, "sequences"), at_path(b, "sequences"));
    assert_false(cJSON_Compare(at_path(a, "sequences"), at_path(other, "sequences"), true));
    assert_true(number_at(other, "seed") == 2);
    cJSON_Delete(a);
    cJSON_Delete(b);
    cJSON_Delete(other);
}

static void an_end_of_sequence_token_is_told_and_can_be_switched_off(void **state)
{
    cJSON *free_run = run_json("generate @stories 'Once upon a time' -n 6 --json");
    char   line[128];
    cJSON *cut, *uncut;
    int    eos = (int)number_at(free_run, "sequences.0.output_ids.3");
    (void)state;
    snprintf(line, sizeof line, "generate @stories 'Once upon a time' -n 6 --eos-token-id 0,%d --json", eos);
    cut = run_json(line);
    assert_string_equal(text_at(cut, "sequences.0.finish_reason"), "eos_token");
    assert_int_equal((int)number_at(cut, "sequences.0.output_ids.3"), eos);
    assert_null(at_path(cut, "sequences.0.output_ids.4"));
    uncut = run_json("generate @stories 'Once upon a time' -n 240 --eos-token-id none --json"); /* the story ends before that */
    assert_int_equal(cJSON_GetArraySize(at_path(uncut, "sequences.0.output_ids")), 240);
    cJSON_Delete(free_run);
    cJSON_Delete(cut);
    cJSON_Delete(uncut);
}

/* 9 significant digits are a float32 exactly, so text and file must agree in every bit. */
static void logits_agree_in_json_in_the_file_and_with_what_is_generated(void **state)
{
    cJSON         *all = run_json("logits @stories 'Once upon a time' --json");
    cJSON         *last = run_json("logits @stories 'Once upon a time' --positions last --json");
    cJSON         *made = run_json("generate @stories 'Once upon a time' -n 1 --json");
    process        p = run_line("logits @stories 'Once upon a time' --npy @here/logits.npy");
    const cJSON   *item, *row = at_path(all, "logits.3");
    unsigned char  head[128];
    float          value;
    int            best = 0, at = 0;
    FILE          *file = fopen(scratch_path(here, "logits.npy"), "rb");
    (void)state;
    assert_int_equal(p.status, 0);
    assert_int_equal(p.out.length, 0);
    assert_non_null(file);
    assert_same(row, at_path(last, "logits.0"));
    assert_int_equal((int)number_at(last, "positions.0"), 3);
    assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
    assert_memory_equal(head, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1536), }", 70);
    assert_int_equal(head[127], '\n');
    for (int r = 0; r < 4; r++)
        cJSON_ArrayForEach(item, cJSON_GetArrayItem(at_path(all, "logits"), r)) {
            assert_int_equal(fread(&value, sizeof value, 1, file), 1);
            if (value != (float)item->valuedouble)
                fail_msg("row %d: the file holds %.9g, JSON %.17g", r, (double)value, item->valuedouble);
        }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    cJSON_ArrayForEach(item, row) {
        if (item->valuedouble > cJSON_GetArrayItem(row, best)->valuedouble)
            best = at;
        at++;
    }
    assert_int_equal(best, (int)number_at(made, "sequences.0.output_ids.0"));
    process_free(&p);
    cJSON_Delete(all);
    cJSON_Delete(last);
    cJSON_Delete(made);
}

static void devices_are_found_by_each_name_they_have(void **state)
{
    cJSON      *list = run_json("devices --json");
    const char *name = NULL;
    char        line[512];
    int         platform = 0, device = 0;
    (void)state;
    for (const cJSON *p = at_path(list, "platforms.0"); p; p = p->next)
        for (const cJSON *d = cJSON_GetObjectItem(p, "devices")->child; d; d = d->next)
            if (cJSON_GetObjectItem(d, "index")->valueint == 0) {
                name = cJSON_GetObjectItem(d, "name")->valuestring;
                platform = cJSON_GetObjectItem(p, "index")->valueint;
                device = cJSON_GetObjectItem(d, "platform_device")->valueint;
            }
    assert_non_null(name);
    for (int i = 0; i < 3; i++) {
        cJSON *made;
        if (i == 2)
            snprintf(line, sizeof line, "generate @tiny/gpt2 --input-ids 1 -n 1 --json --device '%s'", name);
        else
            snprintf(line, sizeof line, i == 0 ? "generate @tiny/gpt2 --input-ids 1 -n 1 --json --device 0"
                                               : "generate @tiny/gpt2 --input-ids 1 -n 1 --json --device %d:%d", platform, device);
        made = run_json(line);
        assert_string_equal(text_at(made, "devices.0"), name);
        cJSON_Delete(made);
    }
    cJSON_Delete(list);
}

static void a_dtype_is_what_was_asked_for(void **state)
{
    static const char *const names[] = { "float32", "float16", "bfloat16" };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char   line[128];
        cJSON *made, *seen;
        snprintf(line, sizeof line, "generate @tiny/llama --input-ids 1,2 -n 2 --json --dtype %s", names[i]);
        made = run_json(line);
        snprintf(line, sizeof line, "info @tiny/llama --json --dtype %s", names[i]);
        seen = run_json(line);
        assert_string_equal(text_at(made, "dtype"), names[i]);
        assert_string_equal(text_at(seen, "dtype"), names[i]);
        snprintf(line, sizeof line, "bytes.%s", names[i]);
        assert_true(number_at(seen, "weight_bytes") == number_at(seen, line));
        cJSON_Delete(made);
        cJSON_Delete(seen);
    }
}

static void a_warning_stands_before_the_text_and_quiet_leaves_it_out(void **state)
{
    process loud = run_line("generate @stories Once --top-p 0.5 -n 2"), quiet = run_line("generate @stories Once --top-p 0.5 -n 2 --quiet");
    process told = run_line("generate @stories Once -n 2 -v");
    (void)state;
    assert_true(holds_all(loud.err.data, "oclm: warning: top_p (=0.5) has no effect without do_sample\n"));
    assert_string_equal(quiet.err.data, "");
    assert_string_equal(loud.out.data, quiet.out.data);
    assert_string_equal(loud.out.data, told.out.data);
    assert_true(holds_all(told.err.data, "device 0: |loaded in |tokens/s"));
    process_free(&loud);
    process_free(&quiet);
    process_free(&told);
}

static int make_here(void **state)
{
    (void)state;
    scratch_make(here);
    return 0;
}

static int remove_here(void **state)
{
    (void)state;
    scratch_remove(here);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_read_what_they_asked_for),
        cmocka_unit_test(json_is_one_object_with_its_keys),
        cmocka_unit_test(text_and_ids_generate_the_same),
        cmocka_unit_test(a_seed_repeats_and_is_told),
        cmocka_unit_test(an_end_of_sequence_token_is_told_and_can_be_switched_off),
        cmocka_unit_test(logits_agree_in_json_in_the_file_and_with_what_is_generated),
        cmocka_unit_test(devices_are_found_by_each_name_they_have),
        cmocka_unit_test(a_dtype_is_what_was_asked_for),
        cmocka_unit_test(a_warning_stands_before_the_text_and_quiet_leaves_it_out),
    };
    return cmocka_run_group_tests(tests, make_here, remove_here);
}
