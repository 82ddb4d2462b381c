/* test_tiny_models.c: whole models of both families against float64 (golden/tiny, made with transformers), on every device:
 * logits within twice torch float32's own error, greedy ids, and the same bits however a prompt is cut. */
#include <math.h>

#include "model/models.h"

#include "core/json.h"

#define MAX_PROMPT 128
#define MAX_VOCAB 128
#define MAX_NEW 64

static const char *const names[] = {
    "gpt2", "llama-gqa", /* these two on slow devices as well */
    "gpt2-base", "gpt2-float16", "gpt2-untied", "llama", "llama-bfloat16", "llama-bias", "llama-dynamic", "llama-dynamic-old",
    "llama-linear", "llama-linear-old", "llama-llama3", "llama-llama3-old", "llama-sharded", "llama-tied", "llama-yarn",
    "llama-yarn-mscale", "llama-yarn-old",
};
#define NAMES_ON_SLOW_DEVICES 2
#define INTERPRETED_PROMPT 7 /* ids, and */
#define INTERPRETED_NEW 3    /* new ids, where each takes a second */

typedef struct tiny {
    const char  *name;
    model_model *model;
    model_state *state;
    const place *where;
    double       allowed, largest;
    int32_t      ids[MAX_PROMPT];
    uint32_t     count;
} tiny;

static float whole[MAX_PROMPT * MAX_VOCAB], again[MAX_PROMPT * MAX_VOCAB];

static void logits_are_within_twice_the_error_of_torch(tiny *t, const cJSON *prompt)
{
    const uint32_t vocab = t->model->architecture.vocab_size;
    const cJSON   *row = core_json_member(prompt, "logits")->child;
    models_rewind(t->state);
    models_logits(t->state, t->ids, t->count, t->count, whole);
    for (const cJSON *p = core_json_member(prompt, "positions")->child; p != NULL; p = p->next, row = row->next) {
        const uint32_t position = (uint32_t)p->valuedouble;
        uint32_t       i = 0;
        for (const cJSON *want = row->child; want != NULL; want = want->next, i++) {
            const double got = (double)whole[(size_t)position * vocab + i], error = fabs(got - want->valuedouble);
            t->largest = error > t->largest ? error : t->largest;
            if (!(error <= t->allowed))
                fail_msg("%s: prompt of %u, position %u, id %u: logit %.9g, want %.9g: off by %.3g, allowed %.3g", t->name, t->count,
                         position, i, got, want->valuedouble, error, t->allowed);
        }
        assert_int_equal(i, vocab);
    }
}

static void a_prompt_in_pieces_gives_the_same_bits(tiny *t)
{
    static const uint32_t steps[] = { 3, 1, 33 };
    const size_t bytes = (size_t)t->count * t->model->architecture.vocab_size * sizeof(float);
    for (size_t i = 0; i < (t->where->interpreted ? 1 : COUNT(steps)) && t->count > 1; i++) {
        models_rewind(t->state);
        models_logits(t->state, t->ids, t->count, steps[i], again);
        if (memcmp(whole, again, bytes) != 0)
            fail_msg("%s: a prompt of %u in pieces of %u gives other bits than in one", t->name, t->count, steps[i]);
    }
}

static void greedy_ids_are_those_of_float64(tiny *t, const cJSON *prompt)
{
    const uint32_t vocab = t->model->architecture.vocab_size;
    int32_t        want[MAX_NEW];
    const uint32_t all = models_read_ids(core_json_member(prompt, "greedy_new_ids"), want, MAX_NEW);
    const uint32_t count = t->where->interpreted ? INTERPRETED_NEW : all;
    models_rewind(t->state);
    models_logits(t->state, t->ids, t->count, t->count, again);
    int32_t id = models_best(again + (size_t)(t->count - 1) * vocab, vocab);
    for (uint32_t i = 0; i < count; i++) {
        if (id != want[i])
            fail_msg("%s: prompt of %u: new id %u is %d, want %d", t->name, t->count, i, (int)id, (int)want[i]);
        if (i + 1 < count) {
            models_logits(t->state, &id, 1, 1, again);
            id = models_best(again, vocab);
        }
    }
}

static void check_model(const char *name, const place *where)
{
    char   path[256];
    cJSON *golden;
    tiny   t = { .name = name, .where = where };
    snprintf(path, sizeof path, "%s/tests/golden/tiny/%s/golden.json", OCLM_SOURCE_DIR, name);
    assert_ok(core_json_read_file(path, 1u << 20, &golden));
    *strrchr(path, '/') = '\0';
    t.allowed = 2.0 * core_json_member(golden, "float32_max_abs_error_of_torch")->valuedouble;
    t.model = models_load(path, where, OCLM_DTYPE_AUTO);
    const uint32_t learned = t.model->architecture.max_position_embeddings;
    const bool     bounded = t.model->architecture.position == MODEL_POSITION_LEARNED;
    t.state = models_state(t.model, 1, bounded ? learned : 180, bounded && learned < MAX_PROMPT ? learned : MAX_PROMPT);
    assert_in_range(t.model->architecture.vocab_size, 1, MAX_VOCAB);
    for (const cJSON *prompt = core_json_member(golden, "prompts")->child; prompt != NULL; prompt = prompt->next) {
        t.count = models_read_ids(core_json_member(prompt, "input_ids"), t.ids, MAX_PROMPT);
        if (where->interpreted && t.count > INTERPRETED_PROMPT)
            continue;
        logits_are_within_twice_the_error_of_torch(&t, prompt);
        a_prompt_in_pieces_gives_the_same_bits(&t);
        greedy_ids_are_those_of_float64(&t, prompt);
    }
    print_message("      %-18s largest error %.1e, torch's %.1e\n", name, t.largest, t.allowed / 2.0);
    model_state_free(t.state);
    model_free(t.model);
    cJSON_Delete(golden);
}

static void check_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < (where->slow ? NAMES_ON_SLOW_DEVICES : COUNT(names)); i++)
        check_model(names[i], where);
}

static void tiny_models_agree_with_float64(void **state)
{
    (void)state;
    models_each_device(check_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tiny_models_agree_with_float64) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
