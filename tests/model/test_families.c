/* test_families.c: a tiny model of a family (golden/families, made with transformers; weights from a seed), on every device, against float64:
 * logits within 3 times torch float32's own error, greedy ids, and the same bits however a prompt is cut, what runs beside it and how a layer is launched.
 * usage: model_test_families FOLDER [FILE]    the name of a folder of golden/families; ctest runs each as families/FOLDER. With a FILE it is that
 *                                             which is loaded: the same model as a GGUF file (golden/gguf), run as gguf/FOLDER */
#include <math.h>

#include "model/models.h"
#include "model/seeded.h"

#define MAX_PROMPT 64
#define MAX_VOCAB 128
#define MAX_NEW 32

typedef struct family_model {
    const char  *name;
    const cJSON *golden;
    folder       files;
    const char  *path;   /* what is loaded: the folder, or a file */
    double       largest;
} family_model;

static family_model tested;

typedef struct run {
    model_state *state;
    const place *where;
    uint32_t     vocab, count;
    int32_t      ids[MAX_PROMPT];
    float       *whole; /* logits of all positions, from one pass */
} run;

static float wholes[2][MAX_PROMPT * MAX_VOCAB], again[MAX_PROMPT * MAX_VOCAB];

/* ---- What is compared */

static void logits_are_close(run *r, const cJSON *prompt)
{
    const double allowed = 3.0 * core_json_member(tested.golden, "float32_max_abs_error_of_torch")->valuedouble;
    const cJSON *row = core_json_member(prompt, "logits")->child;
    models_rewind(r->state);
    models_logits(r->state, r->ids, r->count, r->count, r->whole);
    for (const cJSON *p = core_json_member(prompt, "positions")->child; p != NULL; p = p->next, row = row->next) {
        const uint32_t position = (uint32_t)p->valuedouble;
        uint32_t       i = 0;
        for (const cJSON *want = row->child; want != NULL; want = want->next, i++) {
            const double got = (double)r->whole[(size_t)position * r->vocab + i], error = fabs(got - want->valuedouble);
            tested.largest = error > tested.largest ? error : tested.largest;
            if (!(error <= allowed))
                fail_msg("%s: prompt of %u, position %u, id %u: logit %.9g, want %.9g: off by %.3g, allowed %.3g", tested.name, r->count, position,
                         i, got, want->valuedouble, error, allowed);
        }
        assert_int_equal(i, r->vocab);
    }
}

static void pieces_give_the_same_bits(run *r)
{
    static const uint32_t steps[] = { 3, 1, 17 };
    for (size_t i = 0; i < (r->where->interpreted ? 1 : COUNT(steps)); i++) {
        models_rewind(r->state);
        models_logits(r->state, r->ids, r->count, steps[i], again);
        for (uint32_t row = 0; row < r->count; row++) {
            if (memcmp(r->whole + (size_t)row * r->vocab, again + (size_t)row * r->vocab, r->vocab * sizeof(float)) != 0)
                fail_msg("%s: a prompt of %u in pieces of %u gives other bits than in one, from position %u on", tested.name, r->count, steps[i], row);
        }
    }
}

/* Token by token, a launch for each step of a layer: that several share one must not show. */
static void single_launches_give_the_same_bits(run *r, model_state *stepping)
{
    models_rewind(stepping);
    models_logits(stepping, r->ids, r->count, 1, again);
    if (memcmp(r->whole, again, (size_t)r->count * r->vocab * sizeof(float)) != 0)
        fail_msg("%s: a prompt of %u gives other bits with a launch for each step", tested.name, r->count);
}

static void greedy_ids_are_those_of_float64(run *r, const cJSON *prompt)
{
    int32_t        want[MAX_NEW];
    const uint32_t count = models_read_ids(core_json_member(prompt, "greedy_new_ids"), want, MAX_NEW);
    models_rewind(r->state);
    models_logits(r->state, r->ids, r->count, r->count, again);
    int32_t id = models_best(again + (size_t)(r->count - 1) * r->vocab, r->vocab);
    for (uint32_t i = 0; i < count; i++) {
        if (id != want[i])
            fail_msg("%s: prompt of %u: new id %u is %d, want %d", tested.name, r->count, i, (int)id, (int)want[i]);
        if (i + 1 < count) {
            models_logits(r->state, &id, 1, 1, again);
            id = models_best(again, r->vocab);
        }
    }
}

/* Both prompts in passes of both: the first with all but the last ids of each, then a row of each. `runs` have their logits alone. */
#define TOGETHER 2
#define ROWS_OF_DECODING 2

static void compare_rows(const run *r, uint32_t position, const float *rows, uint32_t count)
{
    if (memcmp(r->whole + (size_t)position * r->vocab, rows, (size_t)count * r->vocab * sizeof(float)) != 0)
        fail_msg("%s: a prompt of %u gives other bits beside another one, from position %u on", tested.name, r->count, position);
}

static void prompts_together_give_the_same_bits(const model_model *model, const run runs[TOGETHER])
{
    model_state *state = models_state(model, TOGETHER, MAX_PROMPT, MAX_PROMPT);
    uint32_t     done[TOGETHER] = { 0, 0 };
    for (uint32_t pass = 0; pass <= ROWS_OF_DECODING; pass++) {
        model_piece pieces[TOGETHER];
        uint32_t    row = 0;
        for (uint32_t s = 0; s < TOGETHER; s++) {
            const uint32_t count = pass == 0 ? runs[s].count - ROWS_OF_DECODING : 1;
            pieces[s] = (model_piece)PIECE(s, done[s], count, runs[s].ids + done[s]);
        }
        assert_ok(model_forward(state, pieces, TOGETHER, MODEL_LOGITS_ALL));
        for (uint32_t s = 0; s < TOGETHER; s++) {
            models_read_logits(state, row, pieces[s].count, again);
            compare_rows(&runs[s], done[s], again, pieces[s].count);
            row += pieces[s].count;
            done[s] += pieces[s].count;
        }
    }
    model_state_free(state);
}

/* ---- Where */

static void check_prompt(run *r, model_state *stepping, const cJSON *prompt)
{
    r->count = models_read_ids(core_json_member(prompt, "input_ids"), r->ids, MAX_PROMPT);
    logits_are_close(r, prompt);
    pieces_give_the_same_bits(r);
    if (r->where->interpreted)
        return; /* a row takes a second */
    single_launches_give_the_same_bits(r, stepping);
    greedy_ids_are_those_of_float64(r, prompt);
}

static void check_device(const place *where, void *user)
{
    model_model *model = models_load(tested.path, where, OCLM_DTYPE_AUTO);
    model_state *state = models_state(model, 1, MAX_PROMPT, MAX_PROMPT), *stepping = models_state(model, 1, MAX_PROMPT, MAX_PROMPT);
    run          runs[TOGETHER];
    uint32_t     count = 0;
    (void)user;
    assert_in_range(model->architecture.vocab_size, 1, MAX_VOCAB);
    stepping->step_by_step = true;
    for (const cJSON *prompt = core_json_member(tested.golden, "prompts")->child; prompt != NULL && count < TOGETHER; prompt = prompt->next) {
        if (where->slow && count > 0)
            break; /* the first prompt is the short one */
        runs[count] = (run){ .state = state, .where = where, .vocab = model->architecture.vocab_size, .whole = wholes[count] };
        check_prompt(&runs[count], stepping, prompt);
        count++;
    }
    const bool alike = model_rope_prompt(&model->architecture, runs[count - 1].count) == 0; /* or all turn as the longest needs */
    if (count == TOGETHER && alike)
        prompts_together_give_the_same_bits(model, runs);
    model_state_free(stepping);
    model_state_free(state);
    model_free(model);
}

static void the_model_agrees_with_float64(void **state)
{
    (void)state;
    models_each_device(check_device, NULL);
    print_message("    largest error %.1e, torch's %.1e\n", tested.largest,
                  core_json_member(tested.golden, "float32_max_abs_error_of_torch")->valuedouble);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_model_agrees_with_float64) };
    tested.name = count >= 2 ? arguments[1] : "llama";
    cJSON *golden = seeded_read(tested.name, "golden.json"), *config = seeded_read(tested.name, "config.json");
    char  *text = cJSON_PrintUnformatted(config);
    if (golden == NULL || text == NULL)
        return 1;
    tested.golden = golden;
    seeded_folder(&tested.files, text, golden);
    tested.path = count == 3 ? arguments[2] : tested.files.path;
    const int failures = cmocka_run_group_tests_name(tested.name, tests, NULL, NULL);
    folder_free(&tested.files);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(golden);
    return failures;
}
