/* options.c: every option of the command, one row each: what it is called, what it takes, where that goes, which subcommands
 * have it, and its help. Names are those of transformers' keyword arguments, with dashes; underscores do as well. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option.h"

#define AT(member) offsetof(cli_args, member)
#define GEN(member) offsetof(cli_args, generate.member)
#define LOAD(member) offsetof(cli_args, loading.member)

/* IDS, LISTS and BIASES name the pointer and fill the count behind it too. */
#define COUNT_FOLLOWS(list, count) _Static_assert(GEN(count) == GEN(list) + sizeof(void *), #count " stands behind " #list)
COUNT_FOLLOWS(suppress_tokens, suppress_token_count);
COUNT_FOLLOWS(begin_suppress_tokens, begin_suppress_token_count);
COUNT_FOLLOWS(forced_eos_token_ids, forced_eos_token_count);
COUNT_FOLLOWS(negative_prompt_ids, negative_prompt_count);
COUNT_FOLLOWS(bad_words_ids, bad_words_count);
COUNT_FOLLOWS(sequence_bias, sequence_bias_count);
_Static_assert(LOAD(max_memory_map) == LOAD(max_memory) + sizeof(uint64_t), "MEMORY's text stands behind its number");

static const option options[] = {
    { "model", 'm', TEXT, "MODEL", CMD_ANY & ~CMD_DEVICES, AT(model), 0, "the same as MODEL" },
    { "prompt", 'p', TEXT, "PROMPT", CMD_GENERATE | CMD_LOGITS, AT(text), 0, "the same as PROMPT" },
    { "text", 0, TEXT, "TEXT", CMD_TOKENIZE, AT(text), 0, "the same as TEXT" },
    { "input-ids", 0, TEXT, "1,2,3", CMD_GENERATE | CMD_LOGITS, AT(input_ids), 0, "token ids instead of a text; - reads them from standard input" },
    { "ids", 0, TEXT, "1,2,3", CMD_DETOKENIZE, AT(ids), 0, "the same as 1,2,3" },
    { "max-new-tokens", 'n', U32, "N", CMD_MAKING, GEN(max_new_tokens), 1, "make at most N new tokens; beats --max-length" },
    { "generation-config", 0, TEXT, "FILE", CMD_MAKING, GEN(generation_config), 0,
      "options from FILE, which come before those of the model's generation_config.json" },
    { "max-length", 0, U32, "N", CMD_GENERATE, GEN(max_length), 0, "at most N tokens, prompt included (default: prompt + 20)" },
    { "min-new-tokens", 0, U32, "N", CMD_MAKING, GEN(min_new_tokens), 0, "no end-of-sequence token before N new ones" },
    { "min-length", 0, U32, "N", CMD_GENERATE, GEN(min_length), 0, "the same, prompt included" },
    { "max-time", 0, SECONDS, "S", CMD_MAKING, GEN(max_time), 0, "stop after S seconds" },
    { "stop-strings", 0, WORDS, "TEXT", CMD_MAKING, AT(stop_strings), 0,
      "stop at this text; may be given several times; \"\": at none, whatever the model's file says" },
    { "do-sample", 0, SWITCH, NULL, CMD_MAKING, GEN(do_sample), 0, "draw tokens at random; --no-do-sample: greedy, the default" },
    { "temperature", 0, FLOAT, "T", CMD_MAKING, GEN(temperature), 0, "sampling: divide logits by T > 0 (default 1.0)" },
    { "top-k", 0, U32, "K", CMD_MAKING, GEN(top_k), 0, "sampling: only the K likeliest tokens (default 50; 0: all)" },
    { "top-p", 0, FLOAT, "P", CMD_MAKING, GEN(top_p), 0, "sampling: the smallest set with probability P (default 1.0: all)" },
    { "seed", 's', U64, "N", CMD_MAKING, GEN(seed), 0, "sampling: the same seed gives the same tokens (default 0)" },
    { "eos-token-id", 0, EOS, "none|ID[,ID]", CMD_MAKING, GEN(use_eos_token), 0, "stop at these tokens; none: never stop early" },
    { "pad-token-id", 0, TOKEN, "none|ID", CMD_GENERATE, GEN(pad_token_id), 0, "what shorter rows are filled with (default: the first eos-token-id)" },
    { "bos-token-id", 0, TOKEN, "none|ID", CMD_GENERATE, GEN(bos_token_id), 0, "the prompt, where none is given" },
    { "num-return-sequences", 0, U32, "N", CMD_GENERATE, GEN(num_return_sequences), 1, "make N texts of each prompt (default 1)" },
    { "num-beams", 0, U32, "N", CMD_GENERATE, GEN(num_beams), 1, "beam search with N beams (default 1: none); with --do-sample beam sampling" },
    { "early-stopping", 0, ENUM, "false|true|never", CMD_GENERATE, GEN(early_stopping), 0,
      "beams: end when N have ended (true), when better ones are unlikely (false), or impossible (never)" },
    { "length-penalty", 0, FLOAT, "P", CMD_GENERATE, GEN(length_penalty), 0, "beams: above 0 favours long texts (default 1.0)" },
    { "repetition-penalty", 0, FLOAT, "P", CMD_MAKING, GEN(repetition_penalty), 0, "above 1: tokens that stand already become less likely (default 1.0)" },
    { "no-repeat-ngram-size", 0, U32, "N", CMD_MAKING, GEN(no_repeat_ngram_size), 0, "no group of N tokens comes twice (default 0: off)" },
    { "encoder-repetition-penalty", 0, FLOAT, "P", CMD_MAKING, GEN(encoder_repetition_penalty), 0, "above 1: tokens of the prompt become likelier" },
    { "encoder-no-repeat-ngram-size", 0, U32, "N", CMD_MAKING, GEN(encoder_no_repeat_ngram_size), 0, "no group of N tokens of the prompt comes again" },
    { "bad-words-ids", 0, LISTS, "JSON|@FILE", CMD_MAKING, GEN(bad_words_ids), 0, "token ids that never come in a row: [[1,2],[3]]" },
    { "sequence-bias", 0, BIASES, "JSON|@FILE", CMD_MAKING, GEN(sequence_bias), 0, "what is added to the last token's score: [[[1,2],-3.5]]" },
    { "suppress-tokens", 0, IDS, "none|1,2,3", CMD_MAKING, GEN(suppress_tokens), 0, "these tokens never come" },
    { "begin-suppress-tokens", 0, IDS, "none|1,2,3", CMD_MAKING, GEN(begin_suppress_tokens), 0, "these do not come first" },
    { "forced-bos-token-id", 0, TOKEN, "none|ID", CMD_MAKING, GEN(forced_bos_token_id), 0, "the token after a prompt of one" },
    { "forced-eos-token-id", 0, IDS, "none|ID[,ID]", CMD_MAKING, GEN(forced_eos_token_ids), 0, "the token at the length limit" },
    { "exponential-decay-length-penalty", 0, DECAY, "N,F", CMD_MAKING, GEN(exponential_decay_start), 0,
      "after N new tokens an end becomes likelier, F to the power of their number" },
    { "guidance-scale", 0, FLOAT, "G", CMD_GENERATE, GEN(guidance_scale), 0, "above 1: further away from what --negative-prompt leads to" },
    { "negative-prompt", 0, TEXT, "TEXT", CMD_GENERATE, AT(negative_prompt), 0, "for --guidance-scale (default: the prompt's last token alone)" },
    { "negative-prompt-ids", 0, IDS, "1,2,3", CMD_GENERATE, GEN(negative_prompt_ids), 0, "the same as ids" },
    { "remove-invalid-values", 0, SWITCH, NULL, CMD_MAKING, GEN(remove_invalid_values), 0, "scores that are no numbers become some" },
    { "renormalize-logits", 0, SWITCH, NULL, CMD_MAKING, GEN(renormalize_logits), 0, "scores become log-probabilities in the end" },
    { "top-h", 0, FLOAT, "H", CMD_MAKING, GEN(top_h), 0, "sampling: as many tokens as have the share H of the entropy (default 0: off)" },
    { "min-p", 0, FLOAT, "P", CMD_MAKING, GEN(min_p), 0, "sampling: no token less than P times as likely as the likeliest (default 0: off)" },
    { "typical-p", 0, FLOAT, "P", CMD_MAKING, GEN(typical_p), 0, "sampling: the most typical tokens with probability P (default 1.0: off)" },
    { "epsilon-cutoff", 0, FLOAT, "E", CMD_MAKING, GEN(epsilon_cutoff), 0, "sampling: no token less likely than E (default 0: off)" },
    { "eta-cutoff", 0, FLOAT, "E", CMD_MAKING, GEN(eta_cutoff), 0, "sampling: the same, milder where many are likely (default 0: off)" },
    { "prompt-lookup-num-tokens", 0, U32, "N", CMD_MAKING, GEN(prompt_lookup_num_tokens), 0,
      "try N tokens at once that followed the last ones earlier in the text (default 0: off)" },
    { "max-matching-ngram-size", 0, U32, "N", CMD_MAKING, GEN(max_matching_ngram_size), 1, "prompt lookup: the last N tokens, or fewer (default 2)" },
    { "assistant-model", 0, TEXT, "MODEL", CMD_MAKING, AT(assistant_model), 0, "a small model with the same vocabulary that guesses ahead" },
    { "assistant-OPTION", 0, HINT, "VALUE", CMD_MAKING, 0, 0,
      "assistant: its own --dtype to --context-length (below), as --assistant-load-in-4bit" },
    { "num-assistant-tokens", 0, U32, "N", CMD_MAKING, GEN(num_assistant_tokens), 1, "assistant: guesses at once (default 20)" },
    { "num-assistant-tokens-schedule", 0, ENUM, "constant|heuristic|heuristic_transient", CMD_MAKING, GEN(num_assistant_tokens_schedule), 0,
      "assistant: more guesses after all were right, fewer after a wrong one" },
    { "assistant-confidence-threshold", 0, FLOAT, "P", CMD_MAKING, GEN(assistant_confidence_threshold), 0,
      "assistant: a guess less likely than P is the last of its round (default 0.4)" },
    { "token-healing", 0, SWITCH, NULL, CMD_GENERATE, GEN(token_healing), 0, "make the prompt's last token anew, with the text it had" },
    { "cache-implementation", 0, TEXT, "NAME", CMD_MAKING, GEN(cache_implementation), 0,
      "dynamic (default): 32 bits; quantized: 8 bits; other names of transformers change nothing" },
    { "use-cache", 0, SWITCH, NULL, CMD_GENERATE, GEN(use_cache), 0, "changes speed only in transformers, and nothing here" },
    { "prefill-chunk-size", 0, U32, "N", CMD_GENERATE, GEN(prefill_chunk_size), 1, "tokens of the prompt read at once" },
    { "show-special-tokens", 0, FLAG, NULL, CMD_GENERATE, AT(show_special_tokens), 0, "keep special tokens in the text" },
    { "to", 't', ENUM, "nf4|fp4|int8|q4_0|q4_1|q5_0|q5_1|q8_0|f16", CMD_QUANTIZE, AT(quantize_to), 0, "what the weights become" },
    { "double-quant", 0, FLAG, NULL, CMD_QUANTIZE, AT(double_quant), 0, "nf4 and fp4: scales in 8 bits too, 0.4 bits less a weight" },
    { "positions", 0, CHOICE, "all|last", CMD_LOGITS, AT(positions), 0, "logits of all positions (default) or of the last" },
    { "npy", 0, TEXT, "FILE", CMD_LOGITS, AT(npy), 0, "write the logits to FILE, float32 in NumPy's format, and print none" },
    { "no-special-tokens", 0, FLAG, NULL, CMD_TOKENIZE | CMD_GENERATE | CMD_LOGITS, AT(no_special_tokens), 0,
      "do not add the tokenizer's special tokens, such as a leading BOS" },
    { "text-pair", 0, TEXT, "TEXT", CMD_TOKENIZE, AT(text_pair), 0, "a second text that belongs to the first, such as an answer" },
    { "file", 0, TEXT, "FILE", CMD_TOKENIZE, AT(file), 0, "the text is in FILE" },
    { "offsets", 0, FLAG, NULL, CMD_TOKENIZE, AT(offsets), 0, "tell which bytes of the text each token covers" },
    { "split-special-tokens", 0, SWITCH, NULL, CMD_TOKENIZE, AT(split_special_tokens), 0,
      "special tokens in the text are text: for text you do not trust" },
    { "padding", 0, CHOICE, "none|longest|max_length", CMD_TOKENIZE, AT(padding), 0,
      "make rows equally long: as the longest of a line's list, or --max-length" },
    { "padding-side", 0, CHOICE, "auto|left|right", CMD_TOKENIZE, AT(padding_side), 0, "where (default auto: as the tokenizer says)" },
    { "pad-to-multiple-of", 0, U32, "N", CMD_TOKENIZE, AT(pad_to_multiple_of), 1, "pad to a multiple of N" },
    { "pad-token-id", 0, U32, "ID", CMD_TOKENIZE, AT(pad_token_id), 0, "pad with this token (default: the tokenizer's pad_token)" },
    { "truncation", 0, CHOICE, "none|longest_first|only_first|only_second", CMD_TOKENIZE, AT(truncation), 0, "cut what is longer than --max-length" },
    { "truncation-side", 0, CHOICE, "auto|left|right", CMD_TOKENIZE, AT(truncation_side), 0, "where (default auto: as the tokenizer says)" },
    { "max-length", 0, U32, "N", CMD_TOKENIZE, AT(tokens_max_length), 1, "tokens, special ones included (default: the tokenizer's model_max_length)" },
    { "prompts", 0, TEXT, "FILE", CMD_GENERATE, AT(prompts), 0, "several prompts, one a line, side by side" },
    { "skip-special-tokens", 0, FLAG, NULL, CMD_DETOKENIZE, AT(skip_special_tokens), 0, "leave special tokens out of the text" },
    { "chat", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_GENERATE, AT(chat), 0,
      "a JSON list of messages for the model's chat template, instead of a text; - for standard input" },
    { "tools", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_MAKING, AT(tools), 0, "chat: tools the model may call, a JSON list" },
    { "documents", 0, TEXT, "FILE", CMD_TOKENIZE | CMD_MAKING, AT(documents), 0, "chat: documents for the model, a JSON list of objects" },
    { "chat-template", 0, TEXT, "NAME|FILE", CMD_TOKENIZE | CMD_MAKING, AT(chat_template), 0,
      "chat: one of the model's templates by its name, or a template of your own" },
    { "chat-template-kwargs", 0, TEXT, "JSON", CMD_TOKENIZE | CMD_MAKING, AT(chat_variables), 0,
      "chat: what else the template shall see, such as '{\"enable_thinking\": false}'" },
    { "add-generation-prompt", 0, SWITCH, NULL, CMD_TOKENIZE | CMD_GENERATE, AT(add_generation_prompt), 0,
      "chat: end where the answer begins (default of generate, not of tokenize)" },
    { "continue-final-message", 0, SWITCH, NULL, CMD_TOKENIZE | CMD_GENERATE, AT(continue_final_message), 0,
      "chat: end where the last message does, to go on with it" },
    { "system", 0, TEXT, "TEXT", CMD_CHAT, AT(system), 0, "what the model is told before the conversation" },
    { "context", 0, U32, "N", CMD_CHAT, AT(context), 2, "tokens the conversation may have (default 4096, or what the model allows)" },
    { "jsonl", 0, FLAG, NULL, CMD_TOKENIZE | CMD_DETOKENIZE, AT(jsonl), 0,
      "one JSON object a line from standard input, one a line out" },
    { "families", 0, FLAG, NULL, CMD_INFO, AT(families), 0, "without MODEL: list the kinds of models that oclm runs" },
    { "prompt", 'p', U32, "N", CMD_BENCH, AT(bench_prompt), 0, "tokens of prefill (default 512; 0: none)" },
    { "new", 'n', U32, "N", CMD_BENCH, AT(bench_decode), 0, "tokens to decode (default 64; 0: none)" },
    { "depth", 'd', U32, "N", CMD_BENCH, AT(bench_depth), 0, "positions in the cache before decoding starts (default 0)" },
    { "repetitions", 'r', U32, "N", CMD_BENCH, AT(bench_repetitions), 1, "how often to measure (default 3)" },
    { "dtype", 0, CHOICE, "auto|float32|float16|bfloat16", CMD_LOADING | CMD_INFO, LOAD(dtype), 0,
      "how weights are stored (default auto: as in the checkpoint)" },
    { "load-in-8bit", 0, FLAG, NULL, CMD_LOADING | CMD_INFO, LOAD(load_in_8bit), 0,
      "quantise weights while loading: signed bytes with a scale a row, as bitsandbytes makes them" },
    { "load-in-4bit", 0, FLAG, NULL, CMD_LOADING | CMD_INFO, LOAD(load_in_4bit), 0, "the same in 4 bits with a scale for 64" },
    { "bnb-4bit-quant-type", 0, TEXT, "fp4|nf4", CMD_LOADING | CMD_INFO, LOAD(bnb_4bit_quant_type), 0,
      "what the 4 bits stand for (default fp4, as in transformers; nf4 loses less)" },
    { "bnb-4bit-use-double-quant", 0, FLAG, NULL, CMD_LOADING | CMD_INFO, LOAD(bnb_4bit_use_double_quant), 0, "scales go through 8 bits" },
    { "llm-int8-skip-modules", 0, TEXT, "A,B", CMD_LOADING | CMD_INFO, LOAD(llm_int8_skip_modules), 0,
      "modules that stay as they are, by name or its end (default: lm_head and what is tied)" },
    { "device", 0, TEXT, "D", CMD_LOADING, LOAD(device), 0,
      "an index, platform:device, or part of a name; see oclm devices (default: OCLM_DEVICE, else the best)" },
    { "device-map", 0, TEXT, "MAP", CMD_LOADING | CMD_INFO, LOAD(device_map), 0,
      "over devices, host and disk: auto, balanced, balanced_low_0, sequential, JSON (default: one device)" },
    { "matmul", 0, CHOICE, "auto|clblast|builtin", CMD_LOADING, LOAD(matmul), 0,
      "who multiplies matrices (default auto: the fastest here; clblast: CLBlast, for 16 rows and more)" },
    { "max-memory", 0, MEMORY, "BYTES|JSON", CMD_LOADING | CMD_INFO, LOAD(max_memory), 0,
      "most to use of a device, as 4GiB (default: 90 % of it), or of each: '{\"0\": \"4GiB\", \"cpu\": \"8GiB\"}'" },
    { "offload-folder", 0, TEXT, "DIR", CMD_LOADING | CMD_INFO, LOAD(offload_folder), 0,
      "device-map: where weights on \"disk\" are written (default: a folder in oclm's cache)" },
    { "context-length", 0, U32, "N", CMD_LOADING | CMD_INFO, LOAD(context_length), 1,
      "device-map: positions to leave room for (default 4096, or what the model was made for)" },
    { "revision", 0, TEXT, "REV", CMD_MODEL | CMD_CACHE, AT(revision), 0, "of a model on the hub: a branch, a tag, refs/pr/N or a commit (default main)" },
    { "subfolder", 0, TEXT, "DIR", CMD_MODEL, AT(subfolder), 0, "where in the repository or folder the model is" },
    { "variant", 0, TEXT, "WORD", CMD_LOADING | CMD_INFO | CMD_DOWNLOAD, AT(variant), 0, "of the weights: fp16 means model.fp16.safetensors" },
    { "gguf-file", 0, TEXT, "NAME", CMD_MODEL, AT(gguf_file), 0, "a GGUF file in the repository or folder: the model is that file alone" },
    { "cache-dir", 0, TEXT, "DIR", CMD_MODEL | CMD_CACHE, AT(cache_dir), 0,
      "where models of the hub are kept (default ~/.cache/huggingface/hub, or as HF_HOME says)" },
    { "token", 0, TEXT, "TOKEN", CMD_MODEL, AT(token), 0, "for private and gated models (default: HF_TOKEN, else the file HF_HOME/token)" },
    { "offline", 0, FLAG, NULL, CMD_MODEL, AT(offline), 0, "ask no hub: only what is in the cache" },
    { "include", 0, WORDS, "PATTERN", CMD_DOWNLOAD, AT(include), 0, "fetch the files that match, not those oclm needs; may be given several times" },
    { "exclude", 0, WORDS, "PATTERN", CMD_DOWNLOAD, AT(exclude), 0, "leave out the files that match" },
    { "local-dir", 0, TEXT, "DIR", CMD_DOWNLOAD, AT(local_dir), 0, "also copy the files into DIR" },
    { "force", 0, FLAG, NULL, CMD_DOWNLOAD, AT(force), 0, "fetch again what is there" },
    { "text", 0, TEXT, "TEXT", CMD_SCORE, AT(text), 0, "the same as TEXT" },
    { "file", 0, TEXT, "FILE", CMD_PERPLEXITY, AT(text), 0, "the same as FILE" },
    { "input-ids", 0, TEXT, "1,2,3", CMD_SCORE | CMD_PERPLEXITY, AT(input_ids), 0, "token ids instead of a text; - reads them from standard input" },
    { "no-special-tokens", 0, FLAG, NULL, CMD_SCORE | CMD_PERPLEXITY, AT(no_special_tokens), 0,
      "do not add the tokenizer's special tokens, such as a leading BOS" },
    { "top-logprobs", 0, U32, "N", CMD_SCORE, AT(top_logprobs), 1, "the N likeliest tokens of each position too" },
    { "session", 0, TEXT, "FILE", CMD_CHAT, AT(session), 0, "go on with the conversation in FILE and FILE.json, if they are there, and save it there at the end" },
    { "max-length", 0, U32, "N", CMD_PERPLEXITY, AT(window), 2, "tokens of a window (default: what the model was made for)" },
    { "stride", 0, U32, "N", CMD_PERPLEXITY, AT(stride), 1, "tokens from one window to the next, at most --max-length (default 512)" },
    { "json", 0, FLAG, NULL, CMD_ANY, AT(json), 0, "print one JSON object and nothing else on standard output" },
    { "quiet", 'q', FLAG, NULL, CMD_ANY, AT(quiet), 0, "no progress and no warnings" },
    { "verbose", 'v', COUNTED, NULL, CMD_ANY, AT(verbose), 0, "tell more on standard error; twice: everything" },
    { "help", 'h', FLAG, NULL, CMD_ANY, AT(help), 0, "print this help" },
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

void cli_args_init(cli_args *args)
{
    oclm_bench_options bench;
    memset(args, 0, sizeof *args);
    oclm_generate_options_init(&args->generate, sizeof args->generate);
    oclm_bench_options_init(&bench, sizeof bench);
    args->pad_token_id = OCLM_UNSET;
    args->window = args->stride = OCLM_UNSET;
    args->bench_prompt = bench.prompt;
    args->bench_decode = bench.decode;
    args->bench_depth = bench.depth;
    args->bench_repetitions = bench.repetitions;
}

void cli_args_free(cli_args *args)
{
    for (size_t i = 0; i < args->kept_count; i++)
        free(args->kept[i]);
    free(args->kept);
    args->kept = NULL;
    args->kept_count = 0;
}

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

static bool unknown_option(const cli_command *command, const char *typed)
{
    const char *names[OPTION_COUNT], *elsewhere, *near;
    const char *word = typed + strspn(typed, "-");
    char        name[64];
    size_t      count = 0;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((options[i].commands & command->bit) && options[i].kind != HINT)
            names[count++] = options[i].name;
    elsewhere = cli_name_elsewhere(name);
    near = cli_nearest(name, names, count);
    if (strpbrk(typed, " \t\n"))
        cli_fail(EXIT_USAGE, "unknown option \"%s\"; a text that begins with - goes after --, as in oclm %s MODEL -- \"- a\"", typed,
                 command->name);
    else if (elsewhere)
        cli_fail(EXIT_USAGE, "unknown option %s; here it is %s (oclm help %s lists all)", typed, elsewhere, command->name);
    else if (near)
        cli_fail(EXIT_USAGE, "unknown option %s; did you mean --%s? (oclm help %s lists all)", typed, near, command->name);
    else
        cli_fail(EXIT_USAGE, "unknown option %s; oclm help %s lists the options", typed, command->name);
    return false;
}

/* The row that `word` names, with or without a leading "no-" for switches. `length` leaves out "=value". */
static const option *find(const cli_command *command, const char *word, size_t length, bool *negated)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        if (!(o->commands & command->bit) || o->kind == HINT)
            continue;
        *negated = false;
        if (cli_same_name(o->name, word, length))
            return o;
        *negated = true;
        if (o->kind == SWITCH && length > 3 && cli_same_name("no-", word, 3) && cli_same_name(o->name, word + 3, length - 3))
            return o;
    }
    return NULL;
}

/* A row of the model's loading as one of the assistant's, under its name there. */
typedef struct assistant_option {
    option option;
    char   name[64];
} assistant_option;

static bool is_of_loading(const option *o)
{
    return o->offset >= offsetof(cli_args, loading) && o->offset < offsetof(cli_args, loading) + sizeof(cli_loading);
}

/* --assistant-load-in-4bit is --load-in-4bit of the assistant. */
static const option *find_assistant(const cli_command *command, const char *word, size_t length, assistant_option *made)
{
    static const char prefix[] = "assistant-";
    const size_t      skip = sizeof prefix - 1;
    bool              negated;
    const option     *o;
    if (!(command->bit & CMD_MAKING) || length <= skip || !cli_same_name(prefix, word, skip) ||
        !(o = find(command, word + skip, length - skip, &negated)) || !is_of_loading(o))
        return NULL;
    made->option = *o;
    made->option.offset += offsetof(cli_args, assistant_loading) - offsetof(cli_args, loading);
    (void)snprintf(made->name, sizeof made->name, "%s%s", prefix, o->name);
    made->option.name = made->name;
    return &made->option;
}

static const option *find_letter(const cli_command *command, char letter)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (letter && options[i].letter == letter && (options[i].commands & command->bit))
            return &options[i];
    return NULL;
}

/* ---- Parsing --------------------------------------------------------------------------------------------------------------- */

static bool takes_value(const option *o)
{
    return o->kind != FLAG && o->kind != COUNTED && o->kind != SWITCH;
}

/* Words that were collected become lists of the library's. An empty word: the empty list, which switches a file's off. */
static void collect(cli_args *args)
{
    size_t kept = 0;
    if (args->stop_strings.count == 0)
        return;
    for (size_t i = 0; i < args->stop_strings.count; i++)
        if (*args->stop_strings.words[i])
            args->stop_strings.words[kept++] = args->stop_strings.words[i];
    args->generate.stop_strings = args->stop_strings.words;
    args->generate.stop_string_count = args->stop_strings.count = kept;
}

static bool parse_option(const cli_command *command, int argc, char **argv, int *at, cli_args *args)
{
    const char   *word = argv[*at];
    const bool    is_long = word[1] == '-';
    const char   *equals = is_long ? strchr(word, '=') : NULL;
    const size_t  length = equals ? (size_t)(equals - word) - 2 : strlen(word) - (is_long ? 2 : 1);
    const char   *value = equals ? equals + 1 : NULL;
    bool          negated = false;
    assistant_option assistant;
    const option *o = is_long ? find(command, word + 2, length, &negated) : find_letter(command, word[1]);
    if (!o && is_long)
        o = find_assistant(command, word + 2, length, &assistant);
    if (!o)
        return unknown_option(command, word);
    if (!is_long && word[2]) {
        if (o->kind == COUNTED && strspn(word + 1, (const char[]){ o->letter, '\0' }) == length) {
            for (size_t i = 1; i < length; i++)
                (void)cli_store(o, NULL, false, args); /* -vv */
        } else if (!takes_value(o)) {
            return unknown_option(command, word);
        } else {
            value = word + 2; /* -n64 */
        }
    }
    if (value && (o->kind == FLAG || o->kind == COUNTED)) {
        cli_fail(EXIT_USAGE, "--%s takes no value, but \"%s\" was given", o->name, value);
        return false;
    }
    if (!value && takes_value(o)) {
        if (*at + 1 >= argc) {
            cli_fail(EXIT_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
            return false;
        }
        value = argv[++*at];
        if (o->kind == TEXT && strncmp(value, "--", 2) == 0) { /* a forgotten value, not a file with that name */
            cli_fail(EXIT_USAGE, "--%s needs a value, but %s follows; if that is the value: --%s=%s", o->name, value, o->name, value);
            return false;
        }
    }
    return cli_store(o, value, negated, args);
}

/* What stands without an option's name fills MODEL, then the text or the ids, unless an option has filled them. */
static bool place(const cli_command *command, char **words, size_t count, cli_args *args)
{
    const bool   action = command->bit == CMD_CACHE; /* "list", "remove MODEL" */
    const char **slots[] = { action ? &args->text : &args->model,
                             action ? &args->model : command->bit == CMD_DETOKENIZE ? &args->ids : &args->text };
    size_t       next = 0;
    for (size_t i = 0; i < count; i++) {
        while (next < command->positional && *slots[next])
            next++;
        if (next == command->positional) {
            cli_fail(EXIT_USAGE, "%s: one argument too many: \"%s\"; put a text with spaces in quotes (oclm %s %s)", command->name,
                     words[i], command->name, command->usage);
            return false;
        }
        *slots[next] = words[i];
    }
    if (!args->help && !args->families && command->positional > 0 && !*slots[0]) {
        cli_fail(EXIT_USAGE, "%s: %s? oclm %s %s", command->name, action ? "what shall be done" : "which model", command->name, command->usage);
        return false;
    }
    return true;
}

bool cli_parse(const cli_command *command, int argc, char **argv, cli_args *args)
{
    size_t words = 0; /* moved to the front of argv */
    bool   only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (only_words || argv[i][0] != '-' || !argv[i][1])
            argv[words++] = argv[i];
        else if (!parse_option(command, argc, argv, &i, args))
            return false;
    }
    args->generate.skip_special_tokens = !args->show_special_tokens;
    collect(args);
    return place(command, argv, words, args);
}

void cli_print_options(FILE *out, unsigned command_bit)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option *o = &options[i];
        char          left[96];
        if (!(o->commands & command_bit))
            continue;
        (void)snprintf(left, sizeof left, "%c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                       o->letter ? ',' : ' ', o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        if (strlen(left) > 26)
            (void)fprintf(out, "  %s\n  %-26s  %s\n", left, "", o->help);
        else
            (void)fprintf(out, "  %-26s  %s\n", left, o->help);
    }
}
