/* test_assisted.c: guessing ahead: greedy ids and rounds are those of transformers (tests/golden/assisted.json), whatever guesses; sampling gives
 * plain sampling's ids where the text guesses, and its distribution where a model does; on every device. */
#include <cjson/cJSON.h>
#include <math.h>

#include "core/scratch.h"
#include "generation/runs.h"
#include "model/folders.h"

#include "core/json.h"
#include "generation/assisted.h"

#define MOST_IDS 256

static const gen_hooks silent;

/* ---- Golden generations */

/* The noisy model of make_assisted.py: the low bits of each float16 flipped by a fixed rule. */
static void make_noisy(const char *stories, const char *to, unsigned bits)
{
    static const char *const names[] = { "config.json", "generation_config.json", "model.safetensors" };
    for (size_t i = 0; i < COUNT(names); i++) {
        char  path[700];
        FILE *file;
        long  bytes;
        snprintf(path, sizeof path, "%s/%s", stories, names[i]);
        assert_non_null(file = fopen(path, "rb"));
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        bytes = ftell(file);
        rewind(file);
        uint8_t *data = malloc((size_t)bytes);
        assert_non_null(data);
        assert_int_equal(fread(data, 1, (size_t)bytes, file), bytes);
        fclose(file);
        if (i == 2) {
            size_t begin = 8;
            for (int k = 0; k < 8; k++)
                begin += (size_t)data[k] << (8 * k);
            for (size_t at = begin, n = 0; at + 1 < (size_t)bytes; at += 2, n++) {
                const uint32_t flips = ((uint32_t)n * 2654435761u) >> (32 - bits);
                data[at] ^= (uint8_t)flips;
                data[at + 1] ^= (uint8_t)(flips >> 8);
            }
        }
        scratch_write(to, names[i], data, (size_t)bytes);
        free(data);
    }
}

static const char *folder_of(const char *name, const char *noisy, char path[600])
{
    if (strcmp(name, "noisy") == 0)
        return noisy;
    snprintf(path, 600, strcmp(name, "stories") == 0 ? "%s/samples/models/stories" : "%s/tests/golden/tiny/%s", OCLM_SOURCE_DIR, name);
    return path;
}

/* A call with the options that a case has. */
static void read_options(const cJSON *test, const model_model *model, const char *where_from, gen_config *config)
{
    static const struct { const char *name; size_t at; } counts[] = {
        { "max_new_tokens", offsetof(oclm_generate_options, max_new_tokens) },
        { "min_new_tokens", offsetof(oclm_generate_options, min_new_tokens) },
        { "no_repeat_ngram_size", offsetof(oclm_generate_options, no_repeat_ngram_size) },
        { "prompt_lookup_num_tokens", offsetof(oclm_generate_options, prompt_lookup_num_tokens) },
        { "max_matching_ngram_size", offsetof(oclm_generate_options, max_matching_ngram_size) },
        { "num_assistant_tokens", offsetof(oclm_generate_options, num_assistant_tokens) },
    };
    static const struct { const char *name; size_t at; } numbers_of[] = {
        { "repetition_penalty", offsetof(oclm_generate_options, repetition_penalty) },
        { "assistant_confidence_threshold", offsetof(oclm_generate_options, assistant_confidence_threshold) },
    };
    int32_t               suppressed[8];
    const int             some_model = 0;
    gen_defaults          defaults;
    oclm_generate_options options;
    oclm_generate_options_init(&options, sizeof options);
    options.do_sample = OCLM_SWITCH_OFF;
    for (size_t i = 0; i < COUNT(counts); i++)
        if (cJSON_GetObjectItem(test, counts[i].name))
            *(uint32_t *)((char *)&options + counts[i].at) = (uint32_t)cJSON_GetObjectItem(test, counts[i].name)->valueint;
    for (size_t i = 0; i < COUNT(numbers_of); i++)
        if (cJSON_GetObjectItem(test, numbers_of[i].name))
            *(float *)((char *)&options + numbers_of[i].at) = (float)cJSON_GetObjectItem(test, numbers_of[i].name)->valuedouble;
    const cJSON *schedule = cJSON_GetObjectItem(test, "num_assistant_tokens_schedule"), *suppress = cJSON_GetObjectItem(test, "suppress_tokens");
    if (schedule)
        options.num_assistant_tokens_schedule = strcmp(schedule->valuestring, "heuristic") == 0 ? OCLM_ASSISTANT_SCHEDULE_HEURISTIC
                                                                                                  : OCLM_ASSISTANT_SCHEDULE_HEURISTIC_TRANSIENT;
    if (suppress) {
        options.suppress_token_count = models_read_ids(suppress, suppressed, COUNT(suppressed));
        options.suppress_tokens = suppressed;
    }
    if (cJSON_IsString(cJSON_GetObjectItem(test, "assistant")))
        options.assistant_model = (const oclm_model *)(const void *)&some_model; /* that there is one: the run is given it */
    assert_ok(gen_defaults_read(where_from, &model->architecture, &defaults));
    const gen_call call = { .defaults = &defaults, .options = &options, .architecture = &model->architecture,
                            .prompt_length = (uint32_t)cJSON_GetArraySize(cJSON_GetObjectItem(test, "input_ids")), .prompt_count = 1 };
    assert_ok(gen_config_resolve(&call, config));
    gen_defaults_free(&defaults);
}

static void describe(const cJSON *test, char text[400])
{
    cJSON *copy = cJSON_Duplicate(test, true);
    static const char *const long_ones[] = { "new_ids", "rounds", "input_ids" };
    for (size_t i = 0; i < COUNT(long_ones); i++)
        cJSON_DeleteItemFromObject(copy, long_ones[i]);
    char *printed = cJSON_PrintUnformatted(copy);
    snprintf(text, 400, "%s", printed);
    cJSON_free(printed);
    cJSON_Delete(copy);
}

static void check_case(const cJSON *test, const model_model *model, const model_model *assistant, const char *where_from)
{
    const cJSON     *rounds = cJSON_GetObjectItem(test, "rounds");
    int32_t          prompt_ids[MOST_IDS], want[MOST_IDS];
    const uint32_t   count = models_read_ids(cJSON_GetObjectItem(test, "input_ids"), prompt_ids, MOST_IDS);
    const uint32_t   want_count = models_read_ids(cJSON_GetObjectItem(test, "new_ids"), want, MOST_IDS);
    const gen_prompt prompt = { prompt_ids, count };
    const cJSON     *round_of = cJSON_IsArray(rounds) ? rounds->child : NULL;
    gen_config       config;
    gen_run         *run;
    char             text[400];
    uint64_t         guessed = 0, kept = 0;
    describe(test, text);
    read_options(test, model, where_from, &config);
    assert_int_equal(config.mode, GEN_MODE_ASSISTED);
    if (gen_run_new(model, assistant, &prompt, 1, &config, &silent, NULL, NULL, &run) != OCLM_OK)
        fail_msg("%s: %s", text, oclm_last_error());
    for (bool more = true; more;) {
        const uint32_t before = run->sequences[0].count;
        if (gen_run_next(run, &more) != OCLM_OK)
            fail_msg("%s: %s", text, oclm_last_error());
        if (!more || run->sequences[0].count == before || !cJSON_IsArray(rounds))
            continue;
        if (!round_of)
            fail_msg("%s: more rounds than %d", text, cJSON_GetArraySize(rounds));
        const int want_guessed = round_of->child->valueint, want_kept = round_of->child->next->valueint;
        if (run->timing.guessed_tokens - guessed != (uint64_t)want_guessed || run->sequences[0].count - before != (uint32_t)want_kept + 1)
            fail_msg("%s: the round from id %u: %d guessed, %d kept; want %d, %d", text, before, (int)(run->timing.guessed_tokens - guessed),
                     (int)(run->sequences[0].count - before) - 1, want_guessed, want_kept);
        guessed = run->timing.guessed_tokens;
        kept += (uint64_t)want_kept;
        round_of = round_of->next;
    }
    assert_null(round_of);
    const gen_sequence *s = &run->sequences[0];
    for (uint32_t i = 0; i < s->count && i < want_count; i++)
        if (s->ids[i] != want[i])
            fail_msg("%s: new id %u is %d, want %d", text, i, (int)s->ids[i], (int)want[i]);
    if (s->count != want_count)
        fail_msg("%s: %u new ids, want %u", text, s->count, want_count);
    assert_true(run->timing.accepted_tokens <= run->timing.guessed_tokens && run->timing.accepted_tokens >= kept);
    gen_run_free(run);
}

#define MOST_MODELS 8

static void golden_on(const place *where, void *user)
{
    struct { const char *name; model_model *model; } loaded[MOST_MODELS] = { { NULL, NULL } };
    cJSON       *golden = NULL;
    char         noisy[SCRATCH_PATH], path[600], stories[600];
    const cJSON *test;
    uint32_t     cases = 0;
    (void)user;
    snprintf(path, sizeof path, "%s/tests/golden/assisted.json", OCLM_SOURCE_DIR);
    assert_ok(core_json_read_file(path, (size_t)1 << 20, &golden));
    scratch_make(noisy);
    make_noisy(folder_of("stories", NULL, stories), noisy, (unsigned)cJSON_GetObjectItem(golden, "noisy_bits")->valueint);
    cJSON_ArrayForEach(test, cJSON_GetObjectItem(golden, "cases"))
    {
        const cJSON *names[2] = { cJSON_GetObjectItem(test, "model"), cJSON_GetObjectItem(test, "assistant") };
        model_model *models[2] = { NULL, NULL };
        if (where->slow && cases++ % 8 != 0)
            continue;
        for (int i = 0; i < 2 && cJSON_IsString(names[i]); i++) {
            size_t k = 0;
            while (loaded[k].name && strcmp(loaded[k].name, names[i]->valuestring) != 0)
                k++;
            assert_in_range(k, 0, MOST_MODELS - 1);
            if (!loaded[k].name) {
                loaded[k].name = names[i]->valuestring;
                loaded[k].model = models_load(folder_of(loaded[k].name, noisy, path), where, OCLM_DTYPE_AUTO);
            }
            models[i] = loaded[k].model;
        }
        check_case(test, models[0], models[1], folder_of(names[0]->valuestring, noisy, path));
    }
    for (size_t k = 0; k < MOST_MODELS; k++)
        model_free(loaded[k].model);
    scratch_remove(noisy);
    cJSON_Delete(golden);
}

static void rounds_are_those_of_transformers(void **state)
{
    (void)state;
    models_each_device(golden_on, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_are_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
