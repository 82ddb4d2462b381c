/* names.c: what a typed name may have meant: the same with underscores, a slip of the finger, another program's word. */
#include <string.h>

#include "cli/cli.h"

/* What others call it, where spelling does not lead there, and what is not there: transformers, llama.cpp. */
static const struct { const char *typed, *ours; } others[] = {
    { "assistant", "--assistant-model" },
    { "assistant-early-exit", "nothing: guessing by a model's own first layers is not there" },
    { "best-of", "--num-beams" },
    { "constraints", "nothing: constrained beam search is not there" },
    { "diversity-penalty", "nothing: group beam search is not there" },
    { "dola-layers", "nothing: decoding by contrasting layers is not there" },
    { "draft", "--num-assistant-tokens" },
    { "draft-max", "--num-assistant-tokens" },
    { "draft-p-min", "--assistant-confidence-threshold" },
    { "file", "- (standard input) as the prompt, with < FILE" },
    { "force-download", "--force" },
    { "force-words-ids", "nothing: constrained beam search is not there" },
    { "frequency-penalty", "--repetition-penalty, which multiplies where others add" },
    { "greedy", "--no-do-sample" },
    { "hf-token", "--token" },
    { "ignore-eos", "--eos-token-id none" },
    { "local-files-only", "--offline" },
    { "logit-bias", "--sequence-bias" },
    { "lookup", "--prompt-lookup-num-tokens" },
    { "low-memory", "nothing: a beam search with less memory is not there" },
    { "max-tokens", "--max-new-tokens" },
    { "model-draft", "--assistant-model" },
    { "n-predict", "--max-new-tokens" },
    { "no-cnv", "nothing: oclm generate only continues the prompt" },
    { "num-beam-groups", "nothing: group beam search is not there" },
    { "num-return", "--num-return-sequences" },
    { "penalty-alpha", "nothing: contrastive search is not there" },
    { "predict", "--max-new-tokens" },
    { "presence-penalty", "--repetition-penalty, which multiplies where others add" },
    { "repeat-penalty", "--repetition-penalty" },
    { "reverse-prompt", "--stop-strings" },
    { "special", "--show-special-tokens" },
    { "speculation-type", "nothing: any guessing but an assistant's or a prompt lookup's is not there" },
    { "stop", "--stop-strings" },
    { "stop-sequence", "--stop-strings" },
    { "temp", "--temperature" },
    { "tokens", "--input-ids" },
    { "torch-dtype", "--dtype" },
    { "typical", "--typical-p" },
    { "use-mtp", "nothing: guessing by a model's own heads is not there" },
    { "watermarking-config", "nothing: watermarking is not there" },
};

bool cli_same_name(const char *name, const char *typed, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (name[i] == '\0' || (name[i] != typed[i] && !(name[i] == '-' && typed[i] == '_')))
            return false;
    return name[length] == '\0';
}

const char *cli_name_elsewhere(const char *typed)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cli_same_name(others[i].typed, typed, strlen(typed)))
            return others[i].ours;
    return NULL;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Letters to insert, remove or replace; 99 for words too long to be ours. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t       row[33];
    const size_t n = strlen(a), m = strlen(b);
    if (n > 32 || m > 32)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}

const char *cli_nearest(const char *typed, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t      best_distance = strlen(typed) / 3 + 2; /* more is no slip of the finger */
    for (size_t i = 0; i < count; i++) {
        const bool   begins = strlen(typed) >= 3 && strncmp(names[i], typed, strlen(typed)) == 0;
        const size_t distance = begins ? 1 : edit_distance(typed, names[i]);
        if (distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}
