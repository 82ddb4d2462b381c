/* test_usage.c: command lines that are wrong: each is answered with one message that shows the value and the way out, and with the
 * exit status of its kind. */
#include "cli/cases.h"

static const command_case commands[] = {
    { "a mistyped command", "generat @stories x", 2, "\"generat\"|did you mean \"generate\"?", NULL },
    { "no command of ours", "frobnicate", 2, "\"frobnicate\"|oclm help lists all", NULL },
    { "a model where the command should be", "@stories x", 2, "oclm generate |samples/models/stories", NULL },
    { "an option where the command should be", "--json devices", 2, "the command comes first", NULL },
    { "help of what there is not", "help generat", 2, "did you mean \"generate\"?", NULL },
    { "help of two", "help generate logits", 2, "one command at a time", NULL },
    { "two kinds of prompts", "generate @stories Once --prompts @stories/README.md", 2, "both --prompts and a prompt", NULL },
    { "no model", "generate", 2, "which model? oclm generate MODEL [PROMPT]", NULL },
    { "no model, --json", "info --json", 2, "which model? oclm info MODEL", NULL },
    { "no prompt", "generate @stories", 2, "give a text, - for standard input, or --input-ids", NULL },
    { "nothing to score", "logits @stories", 2, "give a text", NULL },
    { "no text to score", "score @stories", 2, "give a text", NULL },
    { "an empty text to score", "score @stories ''", 2, "the text has 0 tokens; scoring needs at least 2", NULL },
    { "one token to score", "score @stories Once", 2, "the text has 1 token; scoring", NULL },
    { "a text to score that is longer than the model", "perplexity @stories --input-ids 1,2,3 --max-length 257", 2, "max_length is 257|256", NULL },
    { "windows with gaps", "perplexity @stories --input-ids 1,2,3 --max-length 3 --stride 4", 2, "stride is 4; it must be 1 to 3", NULL },
    { "no file for the perplexity", "perplexity @stories", 2, "give a file, - for standard input", NULL },
    { "a file that is not there", "perplexity @stories @here/none.txt", 3, "none.txt: No such file", NULL },
    { "an empty file", "perplexity @stories /dev/null", 2, "/dev/null has 0 tokens; perplexity needs at least 2", NULL },
    { "a file and ids", "perplexity @stories @here/none.txt --input-ids 1,2", 2, "both a file and --input-ids", NULL },
    { "nothing to tokenize", "tokenize @stories", 2, "no text", NULL },
    { "no ids", "detokenize @stories", 2, "no ids: give them as 1,2,3", NULL },
    { "a text without quotes", "generate @stories Once upon", 2, "\"upon\"|in quotes", NULL },
    { "two models", "info --model @stories @tiny/llama", 2, "one argument too many", NULL },
    { "a model where all families are listed", "info @stories --families", 2, "takes no model|stories", NULL },
    { "two prompts", "generate @stories --prompt a b", 2, "one argument too many: \"b\"", NULL },
    { "an argument where none is taken", "devices 0", 2, "\"0\"", NULL },
    { "nothing to do with the cache", "cache", 2, "what shall be done? oclm cache list|verify|remove [MODEL]", NULL },
    { "nothing that is done with the cache", "cache shrink", 2, "\"shrink\" is none of list, verify, remove", NULL },
    { "a model where all are listed", "cache list gpt2", 2, "takes no model, but \"gpt2\"", NULL },
    { "no model to remove", "cache remove", 2, "which model? oclm cache remove MODEL", NULL },
    { "no place for a quantised model", "quantize @stories --to nf4", 2, "written where? oclm quantize MODEL OUT --to FORMAT", NULL },
    { "quantised to nothing", "quantize @stories @here/out", 2, "to what? --to nf4, fp4 or int8", NULL },
    { "quantised to what there is not", "quantize @stories @here/out --to q4_k", 2, "\"q4_k\" is not one of nf4|fp4|int8|q4_0", NULL },
    { "scales that a format has not", "quantize @stories @here/out --to int8 --double-quant", 2, "for --to nf4 and fp4", NULL },
    { "quantised over a model", "quantize @stories @stories --to nf4", 2, "is there already", NULL },
    { "nothing to download", "download", 2, "which model? oclm download MODEL", NULL },
    { "no prompt for a model of the hub, which is not fetched then", "generate gpt2", 2, "no prompt", NULL },
    { "offline and again", "download gpt2 --offline --force", 2, "contradict each other", NULL },
    { "transformers' name for offline", "generate gpt2 x --local_files_only", 2, "here it is --offline", NULL },
};

static const command_case options[] = {
    { "a mistyped option", "generate @stories x --max-new-token 4", 2, "--max-new-token;|did you mean --max-new-tokens?", NULL },
    { "a mistyped option with a value", "generate @stories x --temperatur=0.5", 2, "did you mean --temperature?", NULL },
    { "a beginning of a name", "generate @stories x --max-new 4", 2, "did you mean --max-new-tokens?", NULL },
    { "transformers' other name", "generate @stories x --torch_dtype float32", 2, "here it is --dtype", NULL },
    { "llama.cpp's name", "generate @stories x --temp 1", 2, "here it is --temperature", NULL },
    { "llama.cpp's number of tokens", "generate @stories x --n-predict 4", 2, "here it is --max-new-tokens", NULL },
    { "no option of ours", "generate @stories x --zzzzzz", 2, "--zzzzzz;|oclm help generate lists the options", NULL },
    { "no letter of ours", "generate @stories x -z", 2, "unknown option -z", NULL },
    { "an option of another command", "devices --top-k 4", 2, "unknown option --top-k", NULL },
    { "a text that begins with a dash", "generate @stories '-5 degrees'", 2, "a text that begins with - goes after --", NULL },
    { "no value", "generate @stories x -n", 2, "--max-new-tokens needs a value: --max-new-tokens N", NULL },
    { "an option instead of a value", "generate @stories x --device --json", 2, "--device needs a value, but --json follows", NULL },
    { "a value where none is taken", "generate @stories x --json=yes", 2, "--json takes no value|\"yes\"", NULL },
    { "no count", "generate @stories x -n many", 2, "--max-new-tokens|\"many\"|a whole number from 1 to 4294967294", NULL },
    { "a count of none", "generate @stories x -n 0", 2, "\"0\"|from 1 to", NULL },
    { "a negative count", "generate @stories x --top-k -1", 2, "--top-k|\"-1\"", NULL },
    { "a count with a fraction", "bench @tiny/llama -p 1.5", 2, "--prompt|\"1.5\"", NULL },
    { "a count beyond all", "generate @stories x -n 99999999999999999999999", 2, "4294967294", NULL },
    { "a seed beyond all", "generate @stories x --seed 18446744073709551616", 2, "18446744073709551615", NULL },
    { "no number", "generate @stories x --temperature hot", 2, "--temperature|\"hot\"|a number", NULL },
    { "not a number", "generate @stories x --temperature nan", 2, "\"nan\"", NULL },
    { "no size", "generate @stories x --max-memory lots", 2, "--max-memory|\"lots\"|500MB or 4GiB", NULL },
    { "a size of nothing", "generate @stories x --max-memory 0", 2, "greater than 0", NULL },
    { "a size beyond all", "generate @stories x --max-memory 99999999999GiB", 2, "--max-memory", NULL },
    { "no dtype", "generate @stories x --dtype float8", 2, "\"float8\"|auto|float32|float16|bfloat16", NULL },
    { "no switch", "generate @stories x --do-sample=perhaps", 2, "\"perhaps\"|true or false", NULL },
    { "no positions", "logits @stories x --positions first", 2, "\"first\"|all|last", NULL },
    { "no ids", "generate @stories --input-ids 1,x,3", 2, "--input-ids|\"x\"|as 1,2,3", NULL },
    { "ids beyond 32 bits", "detokenize @stories 1,4294967296", 2, "4294967296", NULL },
    { "no end-of-sequence ids", "generate @stories x --eos-token-id 1,b", 2, "--eos-token-id|\"b\"", NULL },
    { "too many of them", "generate @stories x --eos-token-id 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 2, "17 ids; give 1 to 16", NULL },
    { "no list of words", "generate @stories x --bad-words-ids [1,2]", 2, "--bad-words-ids|\"[1,2]\"|as [[1,2],[3]]", NULL },
    { "no list of biases", "generate @stories x --sequence-bias [[1,2]]", 2, "--sequence-bias|as [[[1,2],-3.5],[[3],2]]", NULL },
    { "a file of words that is not there", "generate @stories x --bad-words-ids @/nonexistent/x", 2, "/nonexistent/x", NULL },
    { "no pair", "generate @stories x --exponential-decay-length-penalty 5", 2, "such as 5,1.1", NULL },
    { "no way to end", "generate @stories x --early-stopping maybe", 2, "\"maybe\"|false|true|never", NULL },
    { "what oclm has not", "generate @stories x --penalty-alpha 0.6", 2, "unknown option --penalty-alpha|contrastive search is not there", NULL },
    { "what others call it", "generate @stories x --repeat-penalty 1.1", 2, "here it is --repetition-penalty", NULL },
    { "none of them", "generate @stories x --eos-token-id ,", 2, "0 ids; give 1 to 16, or none", NULL },
};

static const command_case contradictions[] = {
    { "a text and ids", "generate @stories x --input-ids 1", 2, "both a text and --input-ids", NULL },
    { "a text and ids to score", "logits @stories x --input-ids 1", 2, "both a text and --input-ids", NULL },
    { "quiet and verbose", "generate @stories x --quiet --verbose", 2, "contradict", NULL },
    { "lines and a text", "tokenize @stories x --jsonl", 2, "neither a text nor --json", NULL },
    { "lines and one object", "tokenize @stories --jsonl --json", 2, "neither a text nor --json", NULL },
    { "lines and ids", "detokenize @stories 1,2 --jsonl", 2, "neither ids nor --json", NULL },
    { "a temperature of 0 for sampling", "generate @stories x --do-sample --temperature 0", 2, "temperature is 0|switch do_sample off", NULL },
    { "a temperature below 0", "generate @stories x --do-sample --temperature -1", 2, "temperature is -1|greater than 0", NULL },
    { "more than all probability", "generate @stories x --do-sample --top-p 1.5", 2, "top_p is 1.5|between 0 and 1", NULL },
    { "two negative prompts", "generate @stories x --guidance-scale 2 --negative-prompt a --negative-prompt-ids 1", 2, "both --negative-prompt and", NULL },
    { "several greedy texts", "generate @stories x --num-return-sequences 2", 2, "num_return_sequences is 2, but greedy decoding makes one", NULL },
    { "more texts than beams", "generate @stories x --num-beams 2 --num-return-sequences 3", 2, "at most num_beams, which is 2", NULL },
    { "a bad word outside the vocabulary", "generate @stories x --bad-words-ids [[99999]]", 2, "bad_words_ids holds token 99999|0 to 1535", NULL },
    { "an end likelier without one", "generate @stories x --eos-token-id none --exponential-decay-length-penalty 5,1.1", 2, "set eos_token_id", NULL },
    { "a cache of another kind", "generate @stories x --cache-implementation attic", 2, "\"attic\"|quantized", NULL },
    { "more alternatives than tokens", "score @stories 'Once upon' --top-logprobs 2000", 2, "top_logprobs is 2000; the vocabulary has 1536", NULL },
    { "no alternatives", "score @stories 'Once upon' --top-logprobs 0", 2, "--top-logprobs: \"0\"", NULL },
    { "nothing to measure", "bench @tiny/llama -p 0 -n 0", 2, "nothing to measure", NULL },
};

#define TEN "1,2,3,4,5,6,7,8,9,10,"
#define LONG_PROMPT TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN /* 140 ids */

static const command_case prompts[] = {
    { "an empty prompt", "generate @stories ''", 2, "empty|at least one token", NULL },
    { "an empty prompt, --json", "generate @stories '' --json", 2, "empty", NULL },
    { "no ids at all", "generate @stories --input-ids ''", 2, "empty", NULL },
    { "an empty prompt to score", "logits @stories ''", 2, "empty|at least one token", NULL },
    { "an id outside the vocabulary", "generate @stories --input-ids 5,1536", 2, "id 1536 (number 2 of 2)|0 to 1535", NULL },
    { "a negative id", "generate @stories --input-ids -1", 2, "id -1|0 to 1535", NULL },
    { "an id outside the vocabulary to score", "logits @stories --input-ids 1536 --json", 2, "id 1536|0 to 1535", NULL },
    { "a text that is not UTF-8", "generate @stories 'ab\xff'", 2, "UTF-8|byte 2", NULL },
    { "a prompt longer than the model allows", "generate @tiny/gpt2 --input-ids " LONG_PROMPT, 2, "140|130|max_position_embeddings", NULL },
    { "a prompt longer than the model allows to score", "logits @tiny/gpt2 --input-ids " LONG_PROMPT, 2, "140|130", NULL },
    { "a prompt as long as all may be", "generate @stories 'Once upon a time' --max-length 4", 2, "prompt has 4 tokens|max_length is 4", NULL },
    { "more to measure than the model has", "bench @tiny/gpt2 -p 5000 -n 1", 2, "5000", NULL },
    { "depth beyond the model", "bench @tiny/gpt2 -p 0 -n 1 -d 5000", 2, "5000", NULL },
};

static const command_case machines[] = {
    { "an unknown device", "generate @stories x --device nobodys", 5, "\"nobodys\"|there are: 0 (", NULL },
    { "an unknown device by number", "logits @stories x --device 99", 5, "\"99\"|there are: 0 (", NULL },
    { "an unknown device of the environment", "generate @stories x", 5, "\"nobodys\"|OCLM_DEVICE", "OCLM_DEVICE=nobodys" },
    { "no driver", "devices", 5, "no OpenCL driver is installed|OCL_ICD_VENDORS is set|pocl-opencl-icd", "OCL_ICD_VENDORS=/nonexistent" },
    { "no driver, --json", "devices --json", 5, "pocl-opencl-icd", "OCL_ICD_VENDORS=/nonexistent" },
    { "no driver for generating", "generate @stories x", 5, "pocl-opencl-icd", "OCL_ICD_VENDORS=/nonexistent" },
    { "no driver for scoring", "logits @stories x --json", 5, "pocl-opencl-icd", "OCL_ICD_VENDORS=/nonexistent" },
    { "no driver for measuring", "bench @tiny/llama", 5, "pocl-opencl-icd", "OCL_ICD_VENDORS=/nonexistent" },
    { "too little memory for any dtype", "generate @stories x --max-memory 1MB", 4, "float16 need |available are 976 KiB|--max-memory", NULL },
    { "enough for a smaller dtype", "generate @stories x --dtype float32 --max-memory 9400KB", 4, "float32 need |as float16 or bfloat16 they need |which fits", NULL },
    { "a file of options that is not there", "generate @stories x --generation-config /nonexistent/x.json", 3, "/nonexistent/x.json", NULL },
    { "a file that cannot be written", "logits @stories x --npy /nonexistent/x.npy", 1, "/nonexistent/x.npy", NULL },
};

static void wrong_commands_are_answered(void **state)
{
    (void)state;
    check_cases(commands, COUNT(commands));
}

static void wrong_options_are_answered(void **state)
{
    (void)state;
    check_cases(options, COUNT(options));
}

static void contradictions_are_answered(void **state)
{
    (void)state;
    check_cases(contradictions, COUNT(contradictions));
}

static void wrong_prompts_are_answered(void **state)
{
    (void)state;
    check_cases(prompts, COUNT(prompts));
}

static void machines_that_cannot_are_answered(void **state)
{
    (void)state;
    check_cases(machines, COUNT(machines));
}

static void nothing_at_all_shows_the_overview(void **state)
{
    const char *const none[] = { NULL };
    process           p = process_run(none);
    (void)state;
    assert_int_equal(p.status, 2);
    assert_string_equal(p.out.data, "");
    assert_true(holds_all(p.err.data, "oclm generate MODEL [PROMPT]|Exit status"));
    process_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_commands_are_answered),
        cmocka_unit_test(wrong_options_are_answered),
        cmocka_unit_test(contradictions_are_answered),
        cmocka_unit_test(wrong_prompts_are_answered),
        cmocka_unit_test(machines_that_cannot_are_answered),
        cmocka_unit_test(nothing_at_all_shows_the_overview),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
