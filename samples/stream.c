/* stream.c: sampled text, printed as it is made.
 *
 * usage: stream MODEL_FOLDER PROMPT [SEED] */
#include <oclm/oclm.h>
#include <stdio.h>
#include <stdlib.h>

/* Gets whole characters only. Returning false would stop the generation. */
static bool print_text(size_t sequence, const char *text, size_t length, void *user)
{
    (void)sequence;
    fwrite(text, 1, length, user);
    fflush(user);
    return true;
}

int main(int argc, char **argv)
{
    oclm_tokenizer *tokenizer = NULL;
    oclm_model *model = NULL;
    oclm_generation *story = NULL;
    oclm_generate_options options;

    if (argc < 3) {
        fputs("usage: stream MODEL_FOLDER PROMPT [SEED]\n", stderr);
        return 2;
    }
    oclm_generate_options_init(&options, sizeof options);
    options.max_new_tokens = 100;
    options.do_sample = OCLM_SWITCH_ON;
    options.temperature = 0.8f;
    options.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    options.on_text = print_text;
    options.user = stdout;

    fputs(argv[2], stdout);
    int failed = oclm_tokenizer_load(argv[1], NULL, &tokenizer) || oclm_model_load(argv[1], NULL, &model) ||
                 oclm_generate_text(model, tokenizer, argv[2], &options, &story);
    putchar('\n');
    if (failed)
        fprintf(stderr, "%s\n", oclm_last_error());

    oclm_generation_free(story);
    oclm_model_free(model);
    oclm_tokenizer_free(tokenizer);
    return failed;
}
