/* test_family_beams.c: the best of three beams of a tiny model of each family (golden/families), as float64 finds it: ten new ids, no end of text. So
 * every kind of cache and state is reordered. On every device.
 * usage: generation_test_family_beams FOLDER    the name of a folder of golden/families; ctest runs each as beams/FOLDER */
#include "generation/runs.h"

#include "model/seeded.h"

#define MAX_PROMPT 64
#define MAX_NEW    32

static const char  *name;
static const cJSON *golden;
static folder       files;

static void search(const model_model *model, const cJSON *prompt)
{
    static const gen_hooks silent = { 0 };
    const cJSON *wanted = core_json_member(prompt, "beams_3_new_ids");
    int32_t      ids[MAX_PROMPT], want[MAX_NEW];
    if (wanted == NULL)
        return;
    const uint32_t count = models_read_ids(core_json_member(prompt, "input_ids"), ids, MAX_PROMPT), new_ids = models_read_ids(wanted, want, MAX_NEW);
    gen_config     config = runs_greedy(count + new_ids);
    runs_result    result;
    config.mode = GEN_MODE_BEAMS;
    config.num_beams = 3;
    if (runs_generate(model, ids, count, &config, &silent, NULL, &result) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    assert_int_equal(result.count, new_ids);
    for (uint32_t i = 0; i < new_ids; i++) {
        if (result.ids[i] != want[i])
            fail_msg("%s: prompt of %u: new id %u is %d, want %d", name, count, i, (int)result.ids[i], (int)want[i]);
    }
    runs_free(&result);
}

static void check_device(const place *where, void *user)
{
    model_model *model = models_load(files.path, where, OCLM_DTYPE_AUTO);
    (void)user;
    for (const cJSON *prompt = core_json_member(golden, "prompts")->child; prompt != NULL; prompt = prompt->next)
        search(model, prompt);
    model_free(model);
}

static void the_best_beam_is_that_of_float64(void **state)
{
    (void)state;
    models_each_device(check_device, NULL);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_best_beam_is_that_of_float64) };
    name = count == 2 ? arguments[1] : "llama";
    cJSON *tree = seeded_read(name, "golden.json"), *config = seeded_read(name, "config.json");
    char  *text = cJSON_PrintUnformatted(config);
    if (tree == NULL || text == NULL)
        return 1;
    golden = tree;
    seeded_folder(&files, text, tree);
    const int failures = cmocka_run_group_tests_name(name, tests, NULL, NULL);
    folder_free(&files);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(tree);
    return failures;
}
