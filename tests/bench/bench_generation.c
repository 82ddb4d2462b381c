/* bench_generation.c: what the ways of generating cost beside plain greedy search, on one model, in one run.
 *
 *   bench_generation MODEL [ROUNDS]
 *
 * Prints a table of tokens per second (the best of ROUNDS, which take turns so that what else the machine does meets all) and of ratios:
 *   sampling     temperature, top_k and top_p, over greedy
 *   4 beams      tokens of the four beams, over four greedy runs one after the other
 *   batch of 8   eight rows, over one row
 *   lookup       prompt_lookup_num_tokens on a text that repeats its prompt, over greedy on the same */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oclm/oclm.h>

#define NEW_TOKENS 64
#define ROWS 8
#define REPEATED 24 /* tokens that the prompt of `lookup` says again and again */
#define PROMPT (8 * REPEATED)

typedef struct way {
    const char *name;
    size_t      prompts;
    uint32_t    prompt;             /* tokens */
    double      tokens_per_s;       /* best so far, all rows together, without the prompt's reading */
    void      (*set)(oclm_generate_options *options);
} way;

static void set_greedy(oclm_generate_options *o) { (void)o; }

static void set_sampling(oclm_generate_options *o)
{
    o->do_sample = OCLM_SWITCH_ON;
    o->temperature = 0.8f;
    o->top_k = 50;
    o->top_p = 0.95f;
}

static void set_beams(oclm_generate_options *o)
{
    o->num_beams = 4;
    o->early_stopping = OCLM_EARLY_STOPPING_NEVER;
}

static void set_lookup(oclm_generate_options *o) { o->prompt_lookup_num_tokens = 10; }

enum { GREEDY, SAMPLING, BEAMS, BATCH, REPEATING, LOOKUP, WAYS };

static way ways[WAYS] = {
    [GREEDY] = { "greedy", 1, REPEATED, 0, set_greedy },       [SAMPLING] = { "sampling: temperature, top_k, top_p", 1, REPEATED, 0, set_sampling },
    [BEAMS] = { "4 beams", 1, REPEATED, 0, set_beams },        [BATCH] = { "greedy, 8 rows", ROWS, REPEATED, 0, set_greedy },
    [REPEATING] = { "greedy, repeated prompt", 1, PROMPT, 0, set_greedy }, [LOOKUP] = { "prompt lookup, the same", 1, PROMPT, 0, set_lookup },
};

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "%s\n", oclm_last_error());
    exit(1);
}

static void measure(const oclm_model *model, way *w, size_t vocab)
{
    static int32_t        ids[ROWS][PROMPT];
    oclm_token_ids        prompts[ROWS];
    oclm_generate_options options;
    oclm_generation      *generation;
    oclm_timing           timing = { .struct_size = sizeof timing };
    for (size_t row = 0; row < w->prompts; row++) {
        for (uint32_t i = 0; i < w->prompt; i++)
            ids[row][i] = (int32_t)((1000 + 7919 * (size_t)(i % REPEATED) + 104729 * row) % vocab);
        prompts[row] = (oclm_token_ids){ ids[row], w->prompt };
    }
    oclm_generate_options_init(&options, sizeof options);
    options.max_new_tokens = NEW_TOKENS;
    options.use_eos_token = OCLM_SWITCH_OFF;
    w->set(&options);
    check(oclm_generate_batch(model, NULL, prompts, w->prompts, &options, &generation));
    oclm_generation_get_timing(generation, &timing);
    const double rows = options.num_beams == OCLM_UNSET ? (double)w->prompts : (double)w->prompts * options.num_beams;
    const double rate = timing.decode_s > 0 ? rows * (NEW_TOKENS - 1) / timing.decode_s : 0;
    w->tokens_per_s = fmax(w->tokens_per_s, rate);
    oclm_generation_free(generation);
}

static void print_ratio(const char *what, int which, int over, const char *goal)
{
    (void)printf("| %s | %.2f | %s |\n", what, ways[which].tokens_per_s / ways[over].tokens_per_s, goal);
}

int main(int argc, char **argv)
{
    oclm_model     *model;
    oclm_model_info info = { .struct_size = sizeof info };
    const int       rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (argc < 2 || rounds < 1) {
        (void)fprintf(stderr, "usage: bench_generation MODEL [ROUNDS]\n");
        return 2;
    }
    check(oclm_model_load(argv[1], NULL, &model));
    check(oclm_model_get_info(model, &info));
    for (int round = 0; round <= rounds; round++) {
        for (int w = 0; w < WAYS; w++) {
            measure(model, &ways[w], info.vocab_size);
            if (round == 0)
                ways[w].tokens_per_s = 0; /* the first builds programs */
        }
    }
    (void)printf("%s on %s, %d new tokens a row\n\n| way | tokens/s |\n|---|---|\n", argv[1], info.device_name, NEW_TOKENS);
    for (int w = 0; w < WAYS; w++)
        (void)printf("| %s | %.1f |\n", ways[w].name, ways[w].tokens_per_s);
    (void)printf("\n| ratio | here | wanted |\n|---|---|---|\n");
    print_ratio("sampling / greedy", SAMPLING, GREEDY, "0.95");
    print_ratio("4 beams / 4 greedy runs", BEAMS, GREEDY, "2.5");
    print_ratio("8 rows / 1 row", BATCH, GREEDY, "3");
    print_ratio("prompt lookup / greedy", LOOKUP, REPEATING, "1.5");
    oclm_model_free(model);
    return 0;
}
