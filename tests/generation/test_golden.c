/* test_golden.c: whole generations through the public API against transformers' generate(): tests/golden/generation.json.
 *
 *   generation_test_golden [GOLDEN.json MODELS-FOLDER [PART-OF-A-NAME]]
 *
 * A case's options go the way a model's own would: as a generation_config.json. Its prompts are one batch. Ids must be equal, scores of beams
 * within 1e-4. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scratch.h"
#include "core/unit.h"

#include "core/json.h"

#define MOST_PROMPTS 16
#define SCORE_TOLERANCE 1e-4
#define FLOAT_TOLERANCE 1e-6 /* of scores that a negative length_penalty makes large */

static const char *golden_path = OCLM_SOURCE_DIR "/tests/golden/generation.json";
static const char *models = OCLM_SOURCE_DIR "/tests/golden/tiny";
static const char *only = "";

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int32_t *read_ids(const cJSON *list, size_t *count)
{
    int32_t     *ids = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *ids);
    const cJSON *item;
    assert_non_null(ids);
    *count = 0;
    cJSON_ArrayForEach(item, list)
        ids[(*count)++] = item->valueint;
    return ids;
}

/* "1 2 3", of as many as there is room for. */
static const char *show(const int32_t *ids, size_t count, char text[512])
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && used + 12 < 512; i++)
        used += (size_t)snprintf(text + used, 512 - used, "%d ", (int)ids[i]);
    return text;
}

/* Says what differs; 0: nothing. */
static int compare(const cJSON *test, const oclm_generation *generation)
{
    const cJSON *rows = member(test, "new_ids"), *scores = member(test, "sequences_scores");
    const char  *name = member(test, "name")->valuestring, *model = member(test, "model")->valuestring;
    int          different = 0;
    if (oclm_generation_count(generation) != (size_t)cJSON_GetArraySize(rows)) {
        print_error("%s %s: %zu sequences, want %d\n", model, name, oclm_generation_count(generation), cJSON_GetArraySize(rows));
        return 1;
    }
    for (size_t s = 0; s < oclm_generation_count(generation); s++) {
        size_t         count, wanted_count;
        char           a[512], b[512];
        const int32_t *ids = oclm_generation_ids(generation, s, &count);
        int32_t       *wanted = read_ids(cJSON_GetArrayItem(rows, (int)s), &wanted_count);
        if (count != wanted_count || memcmp(ids, wanted, count * sizeof *ids) != 0) {
            print_error("%s %s, sequence %zu:\n  got  %s\n  want %s\n", model, name, s, show(ids, count, a), show(wanted, wanted_count, b));
            different = 1;
        } else if (scores) {
            const double want = cJSON_GetArrayItem(scores, (int)s)->valuedouble, got = oclm_generation_score(generation, s);
            if (!(fabs(got - want) <= fmax(SCORE_TOLERANCE, FLOAT_TOLERANCE * fabs(want)))) {
                print_error("%s %s, sequence %zu: score %.7g, want %.7g\n", model, name, s, got, want);
                different = 1;
            }
        }
        free(wanted);
    }
    return different;
}

static int run(const oclm_model *model, const char *scratch, const cJSON *test)
{
    const cJSON          *prompts = member(test, "prompts"), *negative = member(test, "negative_prompt_ids");
    oclm_token_ids        rows[MOST_PROMPTS];
    int32_t              *prompt_ids[MOST_PROMPTS], *negative_ids = NULL;
    const size_t          count = (size_t)cJSON_GetArraySize(prompts);
    oclm_generate_options options;
    oclm_generation      *generation = NULL;
    char                 *config = cJSON_PrintUnformatted(member(test, "generation_config"));
    int                   different;
    assert_true(config != NULL && count > 0 && count <= MOST_PROMPTS);
    scratch_write(scratch, "generation_config.json", config, strlen(config));
    for (size_t i = 0; i < count; i++) {
        prompt_ids[i] = read_ids(cJSON_GetArrayItem(prompts, (int)i), &rows[i].count);
        rows[i].ids = prompt_ids[i];
    }
    oclm_generate_options_init(&options, sizeof options);
    options.generation_config = scratch_path(scratch, "generation_config.json");
    if (!member(member(test, "generation_config"), "eos_token_id"))
        options.use_eos_token = OCLM_SWITCH_OFF; /* else the model's own counts */
    if (negative)
        options.negative_prompt_ids = negative_ids = read_ids(negative, &options.negative_prompt_count);
    if (oclm_generate_batch(model, NULL, rows, count, &options, &generation) != OCLM_OK) {
        print_error("%s: %s\n", member(test, "name")->valuestring, oclm_last_error());
        different = 1;
    } else {
        different = compare(test, generation);
    }
    oclm_generation_free(generation);
    for (size_t i = 0; i < count; i++)
        free(prompt_ids[i]);
    free(negative_ids);
    cJSON_free(config);
    return different;
}

static void generations_are_those_of_transformers(void **state)
{
    (void)state;
    char         scratch[SCRATCH_PATH], path[2 * SCRATCH_PATH];
    cJSON       *golden = NULL;
    oclm_model  *model = NULL;
    const char  *loaded = "";
    const cJSON *test;
    size_t       seen = 0, different = 0;
    if (core_json_read_file(golden_path, (size_t)4 << 20, &golden) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    scratch_make(scratch);
    cJSON_ArrayForEach(test, member(golden, "cases")) {
        if (!strstr(member(test, "name")->valuestring, only))
            continue;
        if (strcmp(loaded, member(test, "model")->valuestring) != 0) {
            oclm_model_free(model);
            loaded = member(test, "model")->valuestring;
            snprintf(path, sizeof path, "%s/%s", models, loaded);
            if (oclm_model_load(path, NULL, &model) != OCLM_OK)
                fail_msg("%s", oclm_last_error());
        }
        different += (size_t)run(model, scratch, test);
        seen++;
    }
    oclm_model_free(model);
    cJSON_Delete(golden);
    scratch_remove(scratch);
    print_message("%zu cases, %zu different\n", seen, different);
    assert_true(seen > 0);
    assert_int_equal(different, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(generations_are_those_of_transformers) };
    if (argc > 2) {
        golden_path = argv[1];
        models = argv[2];
    }
    if (argc > 3)
        only = argv[3];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
