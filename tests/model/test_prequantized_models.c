/* test_prequantized_models.c: whole models that repositories or GGUF files keep quantised (golden/prequantized-models), on every device: logits as a float64
 * forward pass makes them of the numbers that the codes stand for, greedy ids, and the same bits however a prompt is cut. */
#include <math.h>

#include "model/models.h"

#include "core/json.h"

#define MAX_PROMPT 64
#define MAX_VOCAB 64
#define MAX_NEW 32
#define RELATIVE 2e-5 /* error allowed, of the largest logit */

static const char *const names[] = {
    "llama-nf4", "gpt_oss-mxfp4", /* these two on slow devices as well */
    "llama-fp4-40", "gpt2-nf4", "llama-gptq", "llama-gptq-order", "llama-awq", "llama-compressed", "llama-fp8", "llama-int8",
    "deepseek_v2-q8_0", /* a GGUF file, whose keys lie turned */
};
#define NAMES_ON_SLOW_DEVICES 2

static float whole[MAX_PROMPT * MAX_VOCAB], again[MAX_PROMPT * MAX_VOCAB];

static double check_logits(const char *name, const cJSON *prompt, uint32_t vocab)
{
    double       largest = 0.0, most = 0.0;
    const cJSON *row = core_json_member(prompt, "logits")->child;
    for (const cJSON *p = core_json_member(prompt, "positions")->child; p != NULL; p = p->next, row = row->next) {
        const float *got = whole + (size_t)p->valuedouble * vocab;
        for (const cJSON *want = row->child; want != NULL; want = want->next, got++) {
            const double error = fabs((double)*got - want->valuedouble);
            if (!(error <= largest))
                largest = error;
            most = fmax(most, fabs(want->valuedouble));
        }
    }
    if (!(largest <= RELATIVE * most))
        fail_msg("%s: a logit is off by %.3g; %.3g are allowed", name, largest, RELATIVE * most);
    return largest / most;
}

static void check_pieces(const char *name, model_state *state, const int32_t *ids, uint32_t count, uint32_t vocab)
{
    static const uint32_t steps[] = { 1, 3, 17 };
    for (size_t i = 0; i < COUNT(steps) && count > 1; i++) {
        models_rewind(state);
        models_logits(state, ids, count, steps[i], again);
        if (memcmp(whole, again, (size_t)count * vocab * sizeof *whole) != 0)
            fail_msg("%s: a prompt of %u in pieces of %u gives other bits than in one", name, count, steps[i]);
    }
}

static void check_greedy(const char *name, model_state *state, const cJSON *prompt, uint32_t count, uint32_t vocab)
{
    int32_t        want[MAX_NEW], id = models_best(whole + (size_t)(count - 1) * vocab, vocab);
    const uint32_t all = models_read_ids(core_json_member(prompt, "greedy_new_ids"), want, MAX_NEW);
    for (uint32_t i = 0; i < all; i++) {
        if (id != want[i])
            fail_msg("%s: new id %u is %d, want %d", name, i, (int)id, (int)want[i]);
        models_logits(state, &id, 1, 1, again);
        id = models_best(again, vocab);
    }
}

/* Act-order leaves its weights in codes: their inputs are put in order. */
static void check_ordered(const char *name, const model_weights *w)
{
    for (uint32_t i = 0; i < w->layer_count && strstr(name, "-order") != NULL; i++) {
        const model_layer *l = &w->layers[i];
        assert_true(l->qkv.ordered && l->output.ordered && l->up.ordered && l->down.ordered);
        assert_true(!core_storage_is_float(dev_matrix_storage(&l->qkv)) && l->qkv.part_count == 3);
    }
}

static void check_model(const char *name, const place *where)
{
    char    path[256];
    int32_t ids[MAX_PROMPT];
    double  largest = 0.0;
    cJSON  *golden;
    snprintf(path, sizeof path, "%s/tests/golden/prequantized-models/%s/golden.json", OCLM_SOURCE_DIR, name);
    assert_ok(core_json_read_file(path, 1u << 20, &golden));
    strcpy(strrchr(path, '/'), "/model.gguf");
    if (!core_path_is_file(path))
        *strrchr(path, '/') = '\0';
    model_model *const model = models_load(path, where, OCLM_DTYPE_AUTO);
    model_state *const state = models_state(model, 1, 2 * MAX_PROMPT, MAX_PROMPT);
    const uint32_t     vocab = model->architecture.vocab_size;
    assert_in_range(vocab, 1, MAX_VOCAB);
    check_ordered(name, &model->weights);
    for (const cJSON *prompt = core_json_member(golden, "prompts")->child; prompt != NULL; prompt = prompt->next) {
        const uint32_t count = models_read_ids(core_json_member(prompt, "input_ids"), ids, MAX_PROMPT);
        models_rewind(state);
        models_logits(state, ids, count, count, whole);
        largest = fmax(largest, check_logits(name, prompt, vocab));
        if (where->interpreted)
            break;
        check_greedy(name, state, prompt, count, vocab);
        check_pieces(name, state, ids, count, vocab);
    }
    print_message("      %-18s largest error %.1e of the largest logit\n", name, largest);
    model_state_free(state);
    model_free(model);
    cJSON_Delete(golden);
}

static void check_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < (where->slow ? NAMES_ON_SLOW_DEVICES : COUNT(names)); i++)
        check_model(names[i], where);
}

static void quantised_models_agree_with_float64(void **state)
{
    (void)state;
    models_each_device(check_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(quantised_models_agree_with_float64) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
