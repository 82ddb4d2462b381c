/* test_score.c: log-probabilities and perplexities equal transformers' (golden/scores.json, made by make_scores_golden.py), within 1e-4,
 * or twice the error of torch's own float32 where that is more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/platform.h"
#include "device/devices.h"

#define TOLERANCE 1e-4
#define MOST 2048u

static cJSON *golden;

static int read_golden(void **state)
{
    char  *text;
    size_t length;
    (void)state;
    if (core_read_file(OCLM_SOURCE_DIR "/tests/golden/scores.json", (size_t)16 << 20, &text, &length) != OCLM_OK)
        return -1;
    const oclm_status status = core_json_parse(text, length, "scores.json", &golden);
    core_free(text);
    return status == OCLM_OK ? 0 : -1;
}

static int free_golden(void **state)
{
    (void)state;
    cJSON_Delete(golden);
    return 0;
}

static size_t get_ids(const cJSON *list, int32_t *ids)
{
    const cJSON *id;
    size_t       count = 0;
    cJSON_ArrayForEach(id, core_json_member(list, "input_ids"))
    {
        assert_true(count < MOST);
        ids[count++] = id->valueint;
    }
    return count;
}

static oclm_model *load(const char *name)
{
    char        path[4096];
    oclm_model *model;
    (void)snprintf(path, sizeof path, "%s/%s", OCLM_SOURCE_DIR, name);
    if (oclm_model_load(path, NULL, &model) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    return model;
}

static void check_text(const oclm_model *model, const char *name, const cJSON *text)
{
    static int32_t ids[MOST];
    static float   got[MOST];
    const cJSON   *want = core_json_member(text, "log_probs");
    const size_t   count = get_ids(text, ids);
    const double   of_torch = core_json_member(text, "float32_max_abs_error_of_torch")->valuedouble; /* long rotary tables in float32 */
    const double   tolerance = 2 * of_torch > TOLERANCE ? 2 * of_torch : TOLERANCE;
    if (oclm_score(model, ids, count, NULL, got, count) != OCLM_OK)
        fail_msg("%s, %zu ids: %s", name, count, oclm_last_error());
    assert_true(isnan(got[0]));
    assert_int_equal(cJSON_GetArraySize(want), count - 1);
    for (size_t i = 1; i < count; i++) {
        const double wanted = cJSON_GetArrayItem(want, (int)i - 1)->valuedouble;
        if (!(fabs((double)got[i] - wanted) < tolerance))
            fail_msg("%s, %zu ids: id %zu has %.9g, want %.9g", name, count, i, (double)got[i], wanted);
    }
}

static void check_perplexity(const oclm_model *model, const char *name, const cJSON *line)
{
    static int32_t          ids[MOST];
    const size_t            count = get_ids(line, ids);
    const double            wanted = core_json_member(line, "mean_nll")->valuedouble;
    oclm_perplexity_result  got = { .struct_size = sizeof got };
    oclm_perplexity_options o;
    oclm_perplexity_options_init(&o, sizeof o);
    o.max_length = (uint32_t)core_json_member(line, "max_length")->valueint;
    o.stride = (uint32_t)core_json_member(line, "stride")->valueint;
    if (oclm_perplexity(model, ids, count, &o, &got) != OCLM_OK)
        fail_msg("%s, %zu ids: %s", name, count, oclm_last_error());
    if (!(fabs(got.mean_nll - wanted) < TOLERANCE) || fabs(got.perplexity - exp(got.mean_nll)) > 1e-9 * got.perplexity)
        fail_msg("%s, %zu ids, max_length %u, stride %u: mean %.9g, want %.9g", name, count, o.max_length, o.stride, got.mean_nll, wanted);
    assert_int_equal(got.tokens, core_json_member(line, "tokens")->valueint);
    assert_int_equal(got.windows, core_json_member(line, "windows")->valueint);
    assert_int_equal(got.max_length, o.max_length);
    assert_int_equal(got.stride, o.stride);
}

static void log_probabilities_and_perplexities_equal_transformers(void **state)
{
    const cJSON *entry, *line;
    size_t       texts = 0, windows = 0;
    (void)state;
    cJSON_ArrayForEach(entry, core_json_member(golden, "models"))
    {
        const char *name = core_json_member(entry, "model")->valuestring;
        oclm_model *model = load(name);
        cJSON_ArrayForEach(line, core_json_member(entry, "texts")) check_text(model, name, line), texts++;
        cJSON_ArrayForEach(line, core_json_member(entry, "perplexities")) check_perplexity(model, name, line), windows++;
        oclm_model_free(model);
    }
    assert_true(texts >= 10 && windows >= 11);
}

/* ---- The likeliest */

/* Log-probabilities of all tokens at a position, from the logits themselves. */
static void reference(const float *logits, size_t vocab, double *log_probs)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < vocab; i++)
        most = (double)logits[i] > most ? (double)logits[i] : most;
    for (size_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - most);
    for (size_t i = 0; i < vocab; i++)
        log_probs[i] = (double)logits[i] - most - log(sum);
}

/* Is entry `i` of a row what stands `i`-th when all tokens are sorted? Those before it are likelier, or as likely with a lower id. */
static void check_row(const double *want, size_t vocab, const int32_t *ids, const float *log_probs, size_t count, size_t position)
{
    size_t better = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= vocab || fabs((double)log_probs[i] - want[ids[i]]) > 1e-4)
            fail_msg("position %zu, entry %zu: id %d with %g", position, i, (int)ids[i], (double)log_probs[i]);
        if (i > 0 && (log_probs[i] > log_probs[i - 1] || (log_probs[i] == log_probs[i - 1] && ids[i] < ids[i - 1])))
            fail_msg("position %zu: entries %zu and %zu are in the wrong order", position, i - 1, i);
    }
    for (size_t i = 0; i < vocab; i++)
        better += want[i] > (double)log_probs[count - 1] + 1e-4;
    if (better > count - 1)
        fail_msg("position %zu: %zu tokens are likelier than the last of %zu", position, better, count);
}

static void the_likeliest_tokens_are_those_of_the_logits(void **state)
{
    enum { LENGTH = 9, TOP = 7 };
    static const int32_t ids[LENGTH] = { 3, 14, 15, 92, 65, 35, 89, 79, 32 };
    int32_t              top_ids[LENGTH * TOP];
    float                got[LENGTH], plain[LENGTH], top[LENGTH * TOP];
    oclm_model          *model = load("tests/golden/tiny/llama");
    oclm_model_info      info = { .struct_size = sizeof info };
    oclm_score_options   o;
    oclm_session        *session;
    (void)state;
    assert_ok(oclm_model_get_info(model, &info));
    float  *logits = malloc(LENGTH * info.vocab_size * sizeof *logits);
    double *want = malloc(info.vocab_size * sizeof *want);
    assert_true(logits && want);
    assert_ok(oclm_session_new(model, NULL, &session));
    assert_ok(oclm_forward(session, ids, 1, LENGTH, logits, (size_t)LENGTH * info.vocab_size));
    oclm_session_free(session);
    oclm_score_options_init(&o, sizeof o);
    o.top_logprobs = TOP;
    o.top_ids = top_ids;
    o.top_log_probs = top;
    o.top_capacity = LENGTH * TOP;
    assert_ok(oclm_score(model, ids, LENGTH, &o, got, LENGTH));
    assert_ok(oclm_score(model, ids, LENGTH, NULL, plain, LENGTH));
    assert_memory_equal(got + 1, plain + 1, sizeof got - sizeof *got); /* asking for more changes nothing */
    for (size_t i = 0; i < TOP; i++)
        assert_true(top_ids[i] == -1 && isnan(top[i]));
    for (size_t p = 1; p < LENGTH; p++) {
        reference(logits + (p - 1) * info.vocab_size, info.vocab_size, want);
        check_row(want, info.vocab_size, top_ids + p * TOP, top + p * TOP, TOP, p);
        for (size_t i = 0; i < TOP; i++)
            assert_true(top_ids[p * TOP + i] != ids[p] || top[p * TOP + i] == got[p]); /* the text's own, to the bit */
    }
    o.top_capacity = LENGTH * TOP - 1;
    assert_int_equal(oclm_score(model, ids, LENGTH, &o, got, LENGTH), OCLM_ERR_CAPACITY);
    assert_non_null(strstr(oclm_last_error(), "room for 63, top_capacity is 62"));
    o.top_logprobs = info.vocab_size + 1;
    assert_int_equal(oclm_score(model, ids, LENGTH, &o, got, LENGTH), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "top_logprobs is "));
    o.top_logprobs = 1;
    o.top_ids = NULL;
    assert_int_equal(oclm_score(model, ids, LENGTH, &o, got, LENGTH), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "top_ids is NULL"));
    o.top_ids = top_ids;
    assert_ok(oclm_score(model, ids, 1, &o, got, LENGTH)); /* nothing stands before it */
    assert_true(top_ids[0] == -1 && isnan(top[0]));
    free(logits);
    free(want);
    oclm_model_free(model);
}

static void what_is_not_given_is_what_the_model_was_made_for(void **state)
{
    static int32_t         ids[1100];
    oclm_perplexity_result got = { .struct_size = sizeof got };
    oclm_model            *model = load("tests/golden/tiny/llama-llama3");
    (void)state;
    for (size_t i = 0; i < 1100; i++)
        ids[i] = (int32_t)(i * 7 % 101);
    assert_ok(oclm_perplexity(model, ids, 1100, NULL, &got));
    assert_int_equal(got.max_length, 512);
    assert_int_equal(got.stride, 512);
    assert_int_equal(got.windows, 3);
    assert_int_equal(got.tokens, 1100 - 3);
    assert_ok(oclm_perplexity(model, ids, 20, NULL, &got));
    assert_int_equal(got.max_length, 20);
    assert_int_equal(got.stride, 20);
    oclm_model_free(model);
}

/* ---- Refusals */

static void expect(oclm_status got, oclm_status want, const char *says)
{
    if (got != want || strstr(oclm_last_error(), says) == NULL)
        fail_msg("status %d and \"%s\", want %d and \"%s\"", (int)got, oclm_last_error(), (int)want, says);
}

static void wrong_arguments_are_named(void **state)
{
    oclm_model             *model = load("tests/golden/tiny/gpt2");
    int32_t                 ids[200] = { 1, 2, 3 };
    float                   got[200];
    oclm_perplexity_options o;
    oclm_perplexity_result  result = { .struct_size = sizeof result };
    (void)state;
    expect(oclm_score(NULL, ids, 3, NULL, got, 3), OCLM_ERR_ARGUMENT, "model");
    expect(oclm_score(model, NULL, 3, NULL, got, 3), OCLM_ERR_ARGUMENT, "ids");
    expect(oclm_score(model, ids, 3, NULL, NULL, 3), OCLM_ERR_ARGUMENT, "log_probs");
    expect(oclm_score(model, ids, 0, NULL, got, 3), OCLM_ERR_ARGUMENT, "count is 0");
    expect(oclm_score(model, ids, 3, NULL, got, 2), OCLM_ERR_CAPACITY, "room for 3");
    expect(oclm_score(model, ids, 131, NULL, got, 200), OCLM_ERR_ARGUMENT, "131 tokens, but the model allows 130");
    ids[1] = 111;
    expect(oclm_score(model, ids, 3, NULL, got, 3), OCLM_ERR_ARGUMENT, "111");
    expect(oclm_perplexity(model, ids, 3, NULL, &result), OCLM_ERR_ARGUMENT, "111");
    ids[1] = 2;
    expect(oclm_perplexity(model, ids, 1, NULL, &result), OCLM_ERR_ARGUMENT, "at least 2");
    expect(oclm_perplexity(model, ids, 3, NULL, NULL), OCLM_ERR_ARGUMENT, "NULL");
    oclm_perplexity_options_init(&o, sizeof o);
    o.max_length = 131;
    expect(oclm_perplexity(model, ids, 3, &o, &result), OCLM_ERR_ARGUMENT, "max_length is 131; it must be 2 to 130");
    o.max_length = 1;
    expect(oclm_perplexity(model, ids, 3, &o, &result), OCLM_ERR_ARGUMENT, "max_length is 1");
    o.max_length = 10;
    o.stride = 11;
    expect(oclm_perplexity(model, ids, 3, &o, &result), OCLM_ERR_ARGUMENT, "stride is 11; it must be 1 to 10");
    o.stride = 0;
    expect(oclm_perplexity(model, ids, 3, &o, &result), OCLM_ERR_ARGUMENT, "stride is 0");
    oclm_model_free(model);
}

typedef struct progress {
    uint64_t last, total;
    unsigned calls, stop_at;
} progress;

static bool note(const char *what, uint64_t done, uint64_t total, void *user)
{
    progress *p = user;
    assert_string_equal(what, "scoring");
    assert_true(done >= p->last && done <= total);
    p->last = done;
    p->total = total;
    return ++p->calls != p->stop_at;
}

static void progress_is_told_and_may_end_it(void **state)
{
    oclm_model             *model = load("tests/golden/tiny/llama");
    static int32_t          ids[100];
    float                   got[100];
    volatile int            cancel = 1;
    progress                seen = { 0 };
    oclm_score_options      o;
    oclm_perplexity_options p;
    oclm_perplexity_result  result = { .struct_size = sizeof result };
    (void)state;
    oclm_score_options_init(&o, sizeof o);
    o.progress = note;
    o.user = &seen;
    assert_ok(oclm_score(model, ids, 100, &o, got, 100));
    assert_true(seen.last == 100 && seen.total == 100);
    oclm_perplexity_options_init(&p, sizeof p);
    p.max_length = 40;
    p.stride = 30;
    p.progress = note;
    p.user = &seen;
    memset(&seen, 0, sizeof seen);
    assert_ok(oclm_perplexity(model, ids, 100, &p, &result));
    assert_true(seen.last == seen.total && seen.total == 120); /* windows of 40, 40, 40 */
    memset(&seen, 0, sizeof seen);
    seen.stop_at = 3;
    assert_int_equal(oclm_perplexity(model, ids, 100, &p, &result), OCLM_ERR_CANCELLED);
    assert_int_equal(seen.calls, 3);
    o.progress = NULL;
    o.cancel = &cancel;
    assert_int_equal(oclm_score(model, ids, 100, &o, got, 100), OCLM_ERR_CANCELLED);
    oclm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_and_perplexities_equal_transformers),
        cmocka_unit_test(the_likeliest_tokens_are_those_of_the_logits),
        cmocka_unit_test(what_is_not_given_is_what_the_model_was_made_for),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(progress_is_told_and_may_end_it),
    };
    return cmocka_run_group_tests(tests, read_golden, free_golden);
}
