/* cmd_score.c: oclm score: how likely each token of a text is, given those before it. */
#include <math.h>
#include <stdlib.h>

#include "cli/cli.h"

typedef struct job {
    const cli_args *args;
    oclm_tokenizer *tokenizer; /* NULL: ids only */
    oclm_model     *model;
    int32_t        *ids;
    size_t          count;
    float          *log_probs; /* [count]; the first is NAN */
    uint32_t        top;       /* --top-logprobs; 0 */
    int32_t        *top_ids;   /* [count][top] */
    float          *top_log_probs;
} job;

static int score(job *j)
{
    oclm_score_options options;
    oclm_status        status;
    oclm_score_options_init(&options, sizeof options);
    options.progress = cli_progress;
    options.cancel = &cli_interrupt_flag;
    if (j->count < 2)
        return cli_fail(EXIT_USAGE, "the text has %zu token%s; scoring needs at least 2, for nothing stands before the first", j->count,
                        j->count == 1 ? "" : "s");
    if (!(j->log_probs = malloc(j->count * sizeof *j->log_probs)))
        return cli_fail(EXIT_MEMORY, "out of memory for %zu log-probabilities", j->count);
    if ((j->top = j->args->top_logprobs) > 0) {
        j->top_ids = calloc(j->count, j->top * sizeof *j->top_ids);
        j->top_log_probs = calloc(j->count, j->top * sizeof *j->top_log_probs);
        if (!j->top_ids || !j->top_log_probs)
            return cli_fail(EXIT_MEMORY, "out of memory for %zu times %lu tokens", j->count, (unsigned long)j->top);
    }
    options.top_logprobs = j->top;
    options.top_ids = j->top_ids;
    options.top_log_probs = j->top_log_probs;
    options.top_capacity = j->count * j->top;
    status = oclm_score(j->model, j->ids, j->count, &options, j->log_probs, j->count);
    cli_progress_clear();
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

static const char *token_of(const job *j, int32_t id) { return j->tokenizer ? oclm_tokenizer_token(j->tokenizer, id) : NULL; }

static double sum(const job *j)
{
    double total = 0;
    for (size_t i = 1; i < j->count; i++)
        total += (double)j->log_probs[i];
    return total;
}

static void print_line(int32_t id, double log_prob, const char *mark, const char *token)
{
    (void)printf("%8ld %8.4f %8.4f  %s%s\n", (long)id, log_prob, exp(log_prob), mark, token ? token : "");
}

static void print_people(const job *j)
{
    const double mean = sum(j) / (double)(j->count - 1);
    (void)printf("      id    log p        p  token\n");
    for (size_t i = 0; i < j->count; i++) {
        const char *token = token_of(j, j->ids[i]);
        if (i == 0)
            (void)printf("%8ld        -        -  %s\n", (long)j->ids[i], token ? token : "");
        else
            print_line(j->ids[i], (double)j->log_probs[i], "", token);
        for (size_t t = i * j->top; i > 0 && t < (i + 1) * j->top; t++)
            print_line(j->top_ids[t], (double)j->top_log_probs[t], "    or ", token_of(j, j->top_ids[t]));
    }
    (void)printf("sum %.4f, mean %.4f over %zu tokens, perplexity %.4f\n", sum(j), mean, j->count - 1, exp(-mean));
}

/* A list for each position, empty at the first. */
static void print_top(const job *j, cli_json *json)
{
    cli_json_open(json, "top_logprobs", '[');
    for (size_t i = 0; i < j->count; i++) {
        cli_json_open(json, NULL, '[');
        for (size_t t = i * j->top; i > 0 && t < (i + 1) * j->top; t++) {
            cli_json_open(json, NULL, '{');
            cli_json_uint(json, "id", (uint64_t)j->top_ids[t]);
            cli_json_text(json, "token", token_of(j, j->top_ids[t]));
            cli_json_number(json, "logprob", (double)j->top_log_probs[t]);
            cli_json_close(json, '}');
        }
        cli_json_close(json, ']');
    }
    cli_json_close(json, ']');
}

static void print_json(const job *j)
{
    const double mean = sum(j) / (double)(j->count - 1);
    cli_json     json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_ids(&json, "input_ids", j->ids, j->count);
    cli_json_open(&json, "tokens", '[');
    for (size_t i = 0; i < j->count; i++)
        cli_json_text(&json, NULL, token_of(j, j->ids[i]));
    cli_json_close(&json, ']');
    cli_json_open(&json, "logprobs", '[');
    for (size_t i = 0; i < j->count; i++)
        cli_json_number(&json, NULL, (double)j->log_probs[i]);
    cli_json_close(&json, ']');
    if (j->top > 0)
        print_top(j, &json);
    cli_json_number(&json, "sum_logprob", sum(j));
    cli_json_number(&json, "mean_logprob", mean);
    cli_json_number(&json, "perplexity", exp(-mean));
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

int cmd_score(cli_args *args)
{
    job    j = { .args = args };
    double seconds;
    int    result = cli_check_prompt(args);
    if (result == EXIT_OK && (result = cli_load_tokenizer(args, args->input_ids != NULL, &j.tokenizer)) == EXIT_OK &&
        (result = cli_read_prompt(args, j.tokenizer, &j.ids, &j.count)) == EXIT_OK && (result = cli_load_model(args, &j.model, &seconds)) == EXIT_OK &&
        (result = score(&j)) == EXIT_OK) {
        if (args->json)
            print_json(&j);
        else
            print_people(&j);
    }
    oclm_model_free(j.model);
    oclm_tokenizer_free(j.tokenizer);
    free(j.ids);
    free(j.log_probs);
    free(j.top_ids);
    free(j.top_log_probs);
    return result;
}
