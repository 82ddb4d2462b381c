/* commands.c: the subcommands, one row each: what it is called, what stands after it, its help. */
#include <string.h>

#include "cli/cli.h"

const cli_command cli_commands[] = {
    { "generate", "MODEL [PROMPT]", "continue a prompt",
      "MODEL is a model on the Hugging Face Hub (gpt2, owner/name), fetched once into the cache that Python uses too, or a\n"
      "folder with config.json, model.safetensors and tokenizer.json; a folder of that name wins. PROMPT may be - for standard\n"
      "input, of which every byte counts, a last line end too (printf, not echo); a text that begins with - goes after --.\n"
      "Values that are not given come from generation_config.json, then from transformers' defaults (20 new tokens, greedy).\n"
      "Ctrl-C ends with what was made so far, and exit status 130.\n\n"
      "  oclm generate gpt2 \"Once upon a time\" --max-new-tokens 40\n"
      "  oclm generate path/to/model --do-sample --temperature 0.8 --top-p 0.95 --seed 7 - < prompt.txt\n"
      "  oclm generate path/to/model -- \"- a list begins so\"\n", CMD_GENERATE, 2, 0, cmd_generate },
    { "chat", "MODEL", "have a conversation",
      "For models with a chat template, such as HuggingFaceTB/SmolLM2-135M-Instruct. Answers come as they are made; Ctrl-C ends an\n"
      "answer, Ctrl-D the conversation. A line that ends in a backslash goes on in the next one; three quotes (\"\"\") begin and end a\n"
      "text of several lines. What was read before is not read again. Input from a pipe: a line is a turn, and no prompt is printed.\n\n"
      "  /help              these commands\n"
      "  /reset             begin again (the system text stays)\n"
      "  /system [TEXT]     another system text, and begin again; without TEXT none\n"
      "  /regen             another answer to the last message, drawn at random\n"
      "  /save FILE         write the conversation, as JSON messages\n"
      "  /load FILE         go on with one that was saved\n"
      "  /exit              end\n\n"
      "  oclm chat HuggingFaceTB/SmolLM2-135M-Instruct --system \"Answer in one sentence.\"\n", CMD_CHAT, 1, 0, cmd_chat },
    { "logits", "MODEL [PROMPT]", "score a prompt: the logits of every position",
      "Without --json: for each position the five likeliest next tokens. PROMPT as in oclm generate.\n", CMD_LOGITS, 2, 0, cmd_logits },
    { "score", "MODEL [TEXT]", "tell how likely each token of a text is",
      "The logarithm of each token's probability, given those before it; their sum, mean, and the perplexity. TEXT may be - for\n"
      "standard input. For texts longer than the model takes: oclm perplexity.\n\n"
      "  oclm score gpt2 \"Once upon a time\"\n", CMD_SCORE, 2, 0, cmd_score },
    { "perplexity", "MODEL [FILE]", "measure how well a model predicts a text of any length",
      "A window slides over the text, as in \"Perplexity of fixed-length models\" of transformers' documentation: a smaller --stride\n"
      "gives each token more to go on, and takes longer. FILE may be - for standard input.\n\n"
      "  oclm perplexity gpt2 wikitext.txt --stride 512\n", CMD_PERPLEXITY, 2, 0, cmd_perplexity },
    { "tokenize", "MODEL [TEXT]", "turn text into token ids",
      "TEXT may be - for standard input, of which every byte counts. With --jsonl: lines {\"text\": \"...\"} in, {\"ids\": [...]}\n"
      "out, the tokenizer loaded once; \"text\" may be a list, a batch, and \"text_pair\" may stand beside it. With --chat: what the\n"
      "model's chat template makes of messages.\n\n"
      "  oclm tokenize gpt2 \"Once upon a time\" --offsets\n"
      "  oclm tokenize MODEL --jsonl --padding longest --padding-side left < batches.jsonl\n"
      "  oclm tokenize Qwen/Qwen3-0.6B --chat messages.json --tools tools.json --add-generation-prompt\n", CMD_TOKENIZE, 2, OCLM_HUB_TOKENIZER, cmd_tokenize },
    { "detokenize", "MODEL [1,2,3]", "turn token ids into text",
      "The ids may be - for standard input. With --jsonl: lines {\"ids\": [...]} in, {\"text\": \"...\"} out.\n", CMD_DETOKENIZE, 2, OCLM_HUB_TOKENIZER,
      cmd_detokenize },
    { "devices", "", "list the OpenCL devices", NULL, CMD_DEVICES, 0, 0, cmd_devices },
    { "info", "MODEL", "tell a model's size and where it fits, without loading it",
      "  oclm info Qwen/Qwen3-0.6B\n"
      "  oclm info --families       which kinds of models oclm runs\n", CMD_INFO, 1, OCLM_HUB_CONFIG | OCLM_HUB_WEIGHTS, cmd_info },
    { "bench", "MODEL", "measure prefill and decoding beside the device's own rates", NULL, CMD_BENCH, 1,
      OCLM_HUB_CONFIG | OCLM_HUB_WEIGHTS, cmd_bench },
    { "quantize", "MODEL OUT", "write a model in fewer bits, for oclm and other programs",
      "OUT, which must not exist, becomes a folder that transformers loads with bitsandbytes (nf4, fp4, int8), or a GGUF file that\n"
      "llama.cpp loads (the others; of every architecture that GGUF files are read of). It is there whole or, after an error or\n"
      "Ctrl-C, not at all. MODEL may be larger than memory.\n\n"
      "  oclm quantize HuggingFaceTB/SmolLM2-135M smollm2-nf4 --to nf4\n"
      "  oclm quantize path/to/model model.gguf --to q8_0\n", CMD_QUANTIZE, 2, 0, cmd_quantize },
    { "download", "MODEL", "fetch a model from the hub",
      "Fetches what oclm needs to run MODEL (or what --include and --exclude choose) into the cache that Python's huggingface_hub\n"
      "uses too, and prints the folder. What is there is not fetched again; after Ctrl-C the next run goes on from there.\n",
      CMD_DOWNLOAD, 1, 0, cmd_download },
    { "cache", "list|verify|remove [MODEL]", "what of the hub is on this machine",
      "  oclm cache list                    models with their revisions and sizes, counted as Python's huggingface_hub does\n"
      "  oclm cache verify [MODEL]          reads every file and compares it with the checksum it is named by\n"
      "  oclm cache remove MODEL            removes a model; with --revision one revision and what no other needs\n",
      CMD_CACHE, 2, 0, cmd_cache },
};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];

const cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}
