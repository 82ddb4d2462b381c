/* test_real_model.c: SmolLM2-135M-Instruct through the public API, against what transformers answers (golden/smollm2).
 *
 * $OCLM_REAL_MODELS is a folder that holds hf-float32 and hf-bfloat16 and the GGUF file they were made from (tests/real/get_smollm2.sh).
 * The golden answers are those of the float32 weights; the largest logit error may be twice that of torch's own float32. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <oclm/oclm.h>

#define NEW_TOKENS 48
#define TOP 20

static char   *folder;
static cJSON  *golden;

static void check(oclm_status status)
{
    if (status != OCLM_OK)
        fail_msg("%s: %s", oclm_status_name(status), oclm_last_error());
}

static void path_of(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
}

static size_t read_ids(const cJSON *array, int32_t *ids, size_t room)
{
    size_t       count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        assert_true(count < room);
        ids[count++] = item->valueint;
    }
    return count;
}

static double number(const cJSON *entry, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void texts_become_the_reference_s_ids(void **state)
{
    (void)state;
    char            path[4096];
    oclm_tokenizer *tokenizer;
    const cJSON    *entry;
    size_t          seen = 0;
    path_of("hf-float32", path, sizeof path);
    check(oclm_tokenizer_load(path, NULL, &tokenizer));
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(golden, "cases")) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(entry, "text");
        int32_t      want[1024], *got;
        size_t       count, wanted = read_ids(cJSON_GetObjectItemCaseSensitive(entry, "input_ids"), want, 1024);
        check(oclm_tokenizer_encode(tokenizer, text->valuestring, strlen(text->valuestring), true, &got, &count));
        if (count != wanted || memcmp(got, want, count * sizeof *got) != 0)
            fail_msg("\"%s\": other ids than the reference's (%zu, want %zu)", text->valuestring, count, wanted);
        oclm_free(got);
        seen++;
    }
    assert_true(seen >= 6);
    oclm_tokenizer_free(tokenizer);
}

/* The largest error over the golden top 20 and the log of the sum of exponentials, as multiples of torch's own error. */
static double logit_error(oclm_session *session, const cJSON *entry, const int32_t *ids, size_t count, float *logits, size_t vocab)
{
    int32_t      top[TOP];
    double       worst = 0, sum = 0, largest = -INFINITY;
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(entry, "top20_logits_float64");
    check(oclm_session_rewind(session, 0));
    check(oclm_forward_last(session, ids, 1, count, logits, vocab));
    assert_int_equal(read_ids(cJSON_GetObjectItemCaseSensitive(entry, "top20_ids"), top, TOP), TOP);
    for (int i = 0; i < TOP; i++)
        worst = fmax(worst, fabs((double)logits[top[i]] - cJSON_GetArrayItem(values, i)->valuedouble));
    for (size_t i = 0; i < vocab; i++)
        largest = fmax(largest, (double)logits[i]);
    for (size_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - largest);
    worst = fmax(worst, fabs(largest + log(sum) - number(entry, "logsumexp_float64")));
    /* The golden values are rounded to six decimals. */
    return worst / (number(entry, "float32_max_abs_error_of_torch") + 5e-7);
}

static void check_model(const char *name, oclm_dtype dtype, double allowed)
{
    char                  path[4096];
    oclm_model           *model;
    oclm_session         *session;
    oclm_model_options    options;
    oclm_session_options  room;
    oclm_generate_options generate;
    oclm_model_info       info = { .struct_size = sizeof info };
    const cJSON          *entry;
    double                worst = 0;
    path_of(name, path, sizeof path);
    oclm_model_options_init(&options, sizeof options);
    options.dtype = dtype;
    check(oclm_model_load(path, &options, &model));
    check(oclm_model_get_info(model, &info));
    oclm_session_options_init(&room, sizeof room);
    room.max_positions = 1024;
    check(oclm_session_new(model, &room, &session));
    oclm_generate_options_init(&generate, sizeof generate);
    generate.max_new_tokens = NEW_TOKENS;
    float *logits = malloc(info.vocab_size * sizeof *logits);
    assert_non_null(logits);

    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(golden, "cases")) {
        int32_t          ids[1024], want[NEW_TOKENS];
        size_t           made;
        oclm_generation *generation;
        size_t           count = read_ids(cJSON_GetObjectItemCaseSensitive(entry, "input_ids"), ids, 1024);
        size_t           wanted = read_ids(cJSON_GetObjectItemCaseSensitive(entry, "greedy_48"), want, NEW_TOKENS);
        double           error = logit_error(session, entry, ids, count, logits, info.vocab_size);
        worst = fmax(worst, error);
        if (error > allowed)
            fail_msg("%s: logit error %.2f times torch's own float32 error, allowed %.2f", name, error, allowed);
        check(oclm_generate(model, ids, count, &generate, &generation));
        const int32_t *got = oclm_generation_ids(generation, 0, &made);
        if (made != wanted || memcmp(got, want, made * sizeof *got) != 0) {
            size_t at = 0;
            while (at < made && at < wanted && got[at] == want[at])
                at++;
            fail_msg("%s, prompt \"%.40s\": new id %zu differs from the reference", name,
                     cJSON_GetObjectItemCaseSensitive(entry, "text")->valuestring, at);
        }
        oclm_generation_free(generation);
    }
    print_message("%s as %d on %s: largest logit error %.2f of torch's own, all greedy ids equal\n", name, (int)info.dtype,
                  info.device_name, worst);
    free(logits);
    oclm_session_free(session);
    oclm_model_free(model);
}

static void float32_weights_give_the_reference_s_answers(void **state)
{
    (void)state;
    check_model("hf-float32", OCLM_DTYPE_AUTO, 2.0);
}

/* The last logits of a prompt, as a model folder gives them when stored in `dtype`. */
static float *logits_of(const char *name, oclm_dtype dtype, const int32_t *ids, size_t count, size_t *vocab)
{
    char                 path[4096];
    oclm_model          *model;
    oclm_session        *session;
    oclm_model_options   options;
    oclm_session_options room;
    oclm_model_info      info = { .struct_size = sizeof info };
    path_of(name, path, sizeof path);
    oclm_model_options_init(&options, sizeof options);
    options.dtype = dtype;
    check(oclm_model_load(path, &options, &model));
    check(oclm_model_get_info(model, &info));
    oclm_session_options_init(&room, sizeof room);
    room.max_positions = (uint32_t)count;
    check(oclm_session_new(model, &room, &session));
    *vocab = info.vocab_size;
    float *logits = malloc(*vocab * sizeof *logits);
    assert_non_null(logits);
    check(oclm_forward_last(session, ids, 1, count, logits, *vocab));
    oclm_session_free(session);
    oclm_model_free(model);
    return logits;
}

/* The file that those weights were made from, its blocks as they are. */
static void the_gguf_file_itself_gives_the_reference_s_answers(void **state)
{
    (void)state;
    check_model("SmolLM2-135M-Instruct.Q4_1.gguf", OCLM_DTYPE_AUTO, 2.0);
}

static void weights_are_the_same_numbers_in_every_storage_type_that_holds_them(void **state)
{
    (void)state;
    static const int32_t ids[] = { 504, 3575, 282, 4649, 314 };
    size_t               vocab;
    float *exact = logits_of("hf-bfloat16", OCLM_DTYPE_FLOAT32, ids, 5, &vocab);
    float *stored = logits_of("hf-bfloat16", OCLM_DTYPE_AUTO, ids, 5, &vocab);
    for (size_t i = 0; i < vocab; i++) {
        if (exact[i] != stored[i])
            fail_msg("logit %zu: %.9g from float32 storage, %.9g from bfloat16", i, (double)exact[i], (double)stored[i]);
    }
    free(exact);
    free(stored);
}

int main(void)
{
    const char *golden_path = OCLM_SOURCE_DIR "/tests/golden/smollm2/golden.json";
    folder = getenv("OCLM_REAL_MODELS");
    if (folder == NULL || *folder == '\0') {
        puts("skipped: OCLM_REAL_MODELS names no folder (scripts/test.sh --real-model sets it)");
        return 77;
    }
    FILE *file = fopen(golden_path, "rb");
    if (file == NULL)
        return 1;
    static char text[4 << 20];
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    golden = cJSON_Parse(text);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_reference_s_ids),
        cmocka_unit_test(float32_weights_give_the_reference_s_answers),
        cmocka_unit_test(the_gguf_file_itself_gives_the_reference_s_answers),
        cmocka_unit_test(weights_are_the_same_numbers_in_every_storage_type_that_holds_them),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cJSON_Delete(golden);
    return failed;
}
