/* test_beams.c: beam search and beam sampling of tiny models. Against transformers' generate() in float64 (tests/golden/beams.json, and beam_stops.json
 * where strings end sequences): ids and beam indices are equal, scores within 1e-4. What the host is asked for changes nothing where it has nothing to say, and ends sequences where it does. */
#include <math.h>

#include "generation/runs.h"

#include "core/json.h"
#include "generation/beams.h"
#include "generation/stop_strings.h"
#include "core/scratch.h"

#define MOST_PROMPTS 4
#define MOST_IDS     64
#define TOLERANCE    1e-4
#define ULPS         5e-7 /* of a score: a length penalty below 0 makes it large */

static const gen_hooks silent = { 0 };

static const char *folder_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", OCLM_SOURCE_DIR, strcmp(name, "stories") == 0 ? "samples/models" : "tests/golden/tiny", name);
    return path;
}

static void load(const char *name, const place *where, model_model **model) { *model = models_load(folder_of(name), where, OCLM_DTYPE_AUTO); }

/* ---- Golden searches */

typedef struct batch_of_prompts {
    gen_prompt prompts[MOST_PROMPTS];
    int32_t    ids[MOST_PROMPTS][MOST_IDS];
    uint32_t   count, longest;
} batch_of_prompts;

static void read_prompts(const cJSON *list, batch_of_prompts *batch)
{
    memset(batch, 0, sizeof *batch);
    for (const cJSON *p = list->child; p != NULL; p = p->next) {
        assert_in_range(batch->count, 0, MOST_PROMPTS - 1);
        const uint32_t count = models_read_ids(p, batch->ids[batch->count], MOST_IDS);
        batch->prompts[batch->count] = (gen_prompt){ batch->ids[batch->count], count };
        batch->longest = count > batch->longest ? count : batch->longest;
        batch->count++;
    }
}

static void check_numbers(const char *label, uint32_t sequence, const char *what, const cJSON *want, const int32_t *got, uint32_t count)
{
    uint32_t i = 0;
    for (const cJSON *w = want->child; w != NULL; w = w->next, i++) {
        if (i < count && got[i] != (int32_t)w->valuedouble)
            fail_msg("%s, sequence %u: %s %u is %d, want %d", label, sequence, what, i, (int)got[i], w->valueint);
    }
    if (i != count)
        fail_msg("%s, sequence %u: %u ids, want %u", label, sequence, count, i);
}

static void check_sequences(const char *label, const gen_run *run, const cJSON *test)
{
    const cJSON *ids = core_json_member(test, "new_ids")->child, *rows = core_json_member(test, "beam_indices")->child;
    const cJSON *score = core_json_member(test, "sequences_scores")->child;
    for (uint32_t i = 0; i < run->sequence_count; i++, ids = ids->next, rows = rows->next, score = score->next) {
        const gen_sequence *s = &run->sequences[i];
        assert_non_null(ids);
        check_numbers(label, i, "id", ids, s->ids, s->count);
        check_numbers(label, i, "beam index", rows, s->beam_indices, s->count);
        if (!(fabs(s->score - score->valuedouble) <= TOLERANCE + ULPS * fabs(score->valuedouble)))
            fail_msg("%s, sequence %u: score %.7g, want %.7g", label, i, (double)s->score, score->valuedouble);
        assert_int_not_equal(s->finish_reason, OCLM_FINISH_NONE);
    }
    assert_null(ids);
}

/* The configuration comes the way a model's own would: as a file. */
static void resolve(const model_model *model, const char *scratch, const cJSON *test, const batch_of_prompts *batch, gen_config *config)
{
    oclm_generate_options options;
    gen_defaults          none;
    char                 *text = cJSON_PrintUnformatted(core_json_member(test, "generation_config"));
    assert_non_null(text);
    scratch_write(scratch, "generation_config.json", text, strlen(text));
    cJSON_free(text);
    oclm_generate_options_init(&options, sizeof options);
    options.generation_config = scratch_path(scratch, "generation_config.json");
    gen_defaults_init(&none);
    const gen_call call = { .defaults = &none, .options = &options, .architecture = &model->architecture, .prompt_length = batch->longest,
                            .prompt_count = batch->count, .has_tokenizer = true };
    if (gen_config_resolve(&call, config) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    gen_defaults_free(&none);
}

/* The strings that end sequences; both NULL: there are none. */
static void make_stops(const char *name, const gen_config *config, tok_tokenizer **tokenizer, gen_stop_strings **stop)
{
    *tokenizer = NULL;
    *stop = NULL;
    if (config->stop_string_count == 0)
        return;
    assert_ok(tok_open(folder_of(name), tokenizer));
    assert_ok(gen_stop_strings_new(*tokenizer, (const char *const *)config->stop_strings, config->stop_string_count, stop));
}

static void run_case(const model_model *model, const char *scratch, const cJSON *test)
{
    char             label[64];
    batch_of_prompts batch;
    gen_config       config;
    gen_run         *run = NULL;
    tok_tokenizer    *tokenizer;
    gen_stop_strings *stop;
    snprintf(label, sizeof label, "%s %s", core_json_member(test, "model")->valuestring, core_json_member(test, "name")->valuestring);
    read_prompts(core_json_member(test, "prompts"), &batch);
    resolve(model, scratch, test, &batch, &config);
    assert_int_equal(config.mode, GEN_MODE_BEAMS);
    make_stops(core_json_member(test, "model")->valuestring, &config, &tokenizer, &stop);
    if (gen_run_new(model, NULL, batch.prompts, batch.count, &config, &silent, NULL, stop, &run) != OCLM_OK || runs_finish(&run) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    check_sequences(label, run, test);
    gen_run_free(run);
    gen_stop_strings_free(stop);
    tok_close(tokenizer);
}

static void golden_on_device(const place *where, void *user)
{
    const cJSON *golden = user;
    model_model *model = NULL;
    const char  *loaded = "";
    char         scratch[SCRATCH_PATH];
    uint32_t     seen = 0;
    scratch_make(scratch);
    for (const cJSON *test = core_json_member(golden, "cases")->child; test != NULL; test = test->next) {
        const char *name = core_json_member(test, "model")->valuestring;
        if (where->slow && seen++ % 9 > 0)
            continue;
        if (strcmp(loaded, name) != 0) {
            model_free(model);
            load(name, where, &model);
            loaded = name;
        }
        run_case(model, scratch, test);
    }
    model_free(model);
    scratch_remove(scratch);
}

static void compare_with(const char *path)
{
    cJSON *golden = NULL;
    if (core_json_read_file(path, 4u << 20, &golden) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    models_each_device(golden_on_device, golden);
    cJSON_Delete(golden);
}

static void searches_are_those_of_transformers(void **state)
{
    (void)state;
    compare_with(OCLM_SOURCE_DIR "/tests/golden/beams.json");
}

static void strings_end_sequences_as_in_transformers(void **state)
{
    (void)state;
    compare_with(OCLM_SOURCE_DIR "/tests/golden/beam_stops.json");
}

/* ---- What the host is asked for */

static const int32_t prompt[] = { 5, 17, 3, 44, 9 };
#define NEW_IDS 10u

static gen_config beams_of(uint32_t beams, uint32_t returned)
{
    gen_config config = runs_greedy(COUNT(prompt) + NEW_IDS);
    config.mode = GEN_MODE_BEAMS;
    config.num_beams = beams;
    config.num_return_sequences = returned;
    return config;
}

static void search(const model_model *model, const gen_config *config, const gen_hooks *hooks, runs_result *result)
{
    if (runs_generate(model, prompt, COUNT(prompt), config, hooks, NULL, result) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
}

typedef struct asked {
    uint32_t calls, rows, longest, limit; /* of ids: on_stopping ends all then; on_logits and on_allowed want no more */
    bool     good;
} asked;

static bool note_call(asked *a, size_t row, const int32_t *ids, size_t count)
{
    a->calls++;
    a->rows |= 1u << row;
    a->longest = (uint32_t)count > a->longest ? (uint32_t)count : a->longest;
    a->good = a->good && memcmp(ids, prompt, sizeof prompt) == 0;
    return a->limit > 0 && count >= a->limit;
}

static bool stops_at_limit(size_t row, const int32_t *ids, size_t count, void *user) { return note_call(user, row, ids, count); }

static bool leaves_scores(size_t row, const int32_t *ids, size_t count, float *scores, size_t vocab, void *user)
{
    asked *a = user;
    a->good = a->good && vocab > 0 && scores[0] <= 0.0f; /* log-probabilities */
    return !note_call(a, row, ids, count);
}

/* Odd ids alone. */
static bool allows_odd(size_t which, const int32_t *ids, size_t count, const int32_t **allowed, size_t *count_allowed, void *user)
{
    static int32_t odd[40];
    for (int32_t i = 0; i < (int32_t)COUNT(odd); i++)
        odd[i] = 2 * i + 1;
    *allowed = odd;
    *count_allowed = COUNT(odd);
    return !note_call(user, which, ids, count);
}

static void same_results(const char *what, const runs_result *a, const runs_result *b)
{
    for (uint32_t i = 0; i < a->run->sequence_count; i++) {
        const gen_sequence *x = &a->run->sequences[i], *y = &b->run->sequences[i];
        if (x->count != y->count || memcmp(x->ids, y->ids, x->count * sizeof *x->ids) != 0 ||
            memcmp(x->beam_indices, y->beam_indices, x->count * sizeof *x->ids) != 0 || x->score != y->score)
            fail_msg("%s: sequence %u differs", what, i);
    }
}

static void asking_changes_nothing(const model_model *model, bool sample)
{
    gen_config  config = beams_of(3, 3), odd = beams_of(3, 3);
    asked       stopping = { .good = true }, scores = { .good = true };
    gen_hooks   hooks[2] = { { .on_stopping = stops_at_limit, .user = &stopping }, { .on_logits = leaves_scores, .user = &scores } };
    runs_result ahead, asking;
    config.do_sample = odd.do_sample = sample;
    config.eos_token_count = 1;
    search(model, &config, &silent, &ahead);
    for (size_t i = 0; i < COUNT(hooks); i++) {
        search(model, &config, &hooks[i], &asking);
        same_results(i == 0 ? "on_stopping" : "on_logits", &ahead, &asking);
        runs_free(&asking);
    }
    runs_free(&ahead);
    assert_true(stopping.good && scores.good);
    assert_true(stopping.calls > scores.calls); /* continuations are more than beams */
    assert_int_equal(scores.rows, 7);
}

static void a_criterion_ends_sequences(const model_model *model)
{
    const gen_config config = beams_of(3, 3);
    asked            stopping = { .good = true, .limit = COUNT(prompt) + 4 };
    const gen_hooks  hooks = { .on_stopping = stops_at_limit, .user = &stopping };
    runs_result      result;
    search(model, &config, &hooks, &result);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(result.run->sequences[i].count, 4);
        assert_int_equal(result.run->sequences[i].finish_reason, OCLM_FINISH_STOPPING);
        assert_true(i == 0 || result.run->sequences[i].score <= result.run->sequences[i - 1].score);
    }
    runs_free(&result);
}

static void only_what_is_allowed_comes(const model_model *model)
{
    const gen_config config = beams_of(3, 2);
    asked            allowing = { .good = true };
    gen_hooks        hooks = { .on_allowed = allows_odd, .user = &allowing };
    runs_result      result;
    search(model, &config, &hooks, &result);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t t = 0; t < result.run->sequences[i].count; t++)
            assert_int_equal(result.run->sequences[i].ids[t] % 2, 1);
    }
    runs_free(&result);
    allowing.limit = COUNT(prompt) + 3; /* enough */
    search(model, &config, &hooks, &result);
    assert_int_equal(result.count, 4);
    assert_int_equal(result.finish_reason, OCLM_FINISH_CANCELLED);
    runs_free(&result);
}

static bool end_at_once(const char *what, uint64_t done, uint64_t total, void *user)
{
    (void)what, (void)done, (void)total;
    *(int *)user = 1;
    return true;
}

static void time_and_cancelling_end_all(const model_model *model)
{
    gen_config  config = beams_of(2, 2);
    int         cancel = 0;
    gen_hooks   hooks = { .progress = end_at_once, .user = &cancel, .cancel = &cancel };
    runs_result result;
    config.max_time = 0;
    search(model, &config, &silent, &result);
    assert_int_equal(result.count, 1); /* the step that passes it is the last */
    assert_int_equal(result.finish_reason, OCLM_FINISH_MAX_TIME);
    runs_free(&result);
    config.max_time = INFINITY;
    search(model, &config, &hooks, &result);
    assert_in_range(result.count, 1, NEW_IDS);
    assert_true(result.finish_reason == OCLM_FINISH_CANCELLED || result.count == NEW_IDS);
    runs_free(&result);
    search(model, &config, &hooks, &result); /* set before anything was read */
    assert_int_equal(result.count, 0);
    assert_int_equal(result.finish_reason, OCLM_FINISH_CANCELLED);
    runs_free(&result);
}

typedef struct heard {
    uint32_t calls, ids, next;
} heard;

static bool hear(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    heard *h = user;
    (void)ids;
    assert_int_equal(sequence, h->next++);
    h->calls++;
    h->ids += (uint32_t)count;
    return true;
}

static void finished_sequences_are_told(const model_model *model)
{
    const gen_config config = beams_of(4, 3);
    heard            h = { 0 };
    const gen_hooks  hooks = { .on_tokens = hear, .user = &h };
    runs_result      result;
    search(model, &config, &hooks, &result);
    assert_int_equal(h.calls, 3);
    assert_int_equal(h.ids, 3 * NEW_IDS);
    assert_int_equal(result.timing.prefill_tokens, COUNT(prompt));
    assert_true(result.timing.prefill_s > 0);
    runs_free(&result);
}

/* What each new id had in the row it was chosen in adds up to its sequence's score. */
static void kept_scores_add_up(const model_model *model)
{
    gen_config   config = beams_of(3, 3);
    const size_t vocab = model->architecture.vocab_size;
    runs_result  result;
    config.output_scores = config.output_logits = true;
    config.length_penalty = 0.5f;
    search(model, &config, &silent, &result);
    assert_int_equal(result.run->steps, NEW_IDS);
    assert_int_equal(result.run->rows, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const gen_sequence *s = &result.run->sequences[i];
        double              sum = 0;
        for (uint32_t t = 0; t < s->count; t++) {
            const size_t row = ((size_t)t * 3 + (size_t)s->beam_indices[t]) * vocab;
            double       all = 0;
            for (size_t v = 0; v < vocab; v++)
                all += exp(result.run->logits[row + v]);
            sum += result.run->scores[row + (size_t)s->ids[t]];
            assert_true(fabs(result.run->scores[row + (size_t)s->ids[t]] - (result.run->logits[row + (size_t)s->ids[t]] - log(all))) < 1e-4);
        }
        assert_true(fabs(sum / sqrt(s->count) - (double)s->score) < 1e-4);
    }
    runs_free(&result);
}

/* Rows that run without the prompt are read, stepped and reordered with the others: where they have the same prompt, guidance changes nothing; the
 * prompt's last id alone does. */
static void guidance_follows_the_beams(const model_model *model)
{
    gen_config  plain = beams_of(3, 3), guided = beams_of(3, 3);
    runs_result one, other;
    guided.guidance_scale = 3.0f;
    search(model, &plain, &silent, &one);
    search(model, &guided, &silent, &other);
    assert_true(fabsf(one.run->sequences[0].score - other.run->sequences[0].score) > 1e-2f);
    runs_free(&other);
    guided.negative_prompt = (gen_ids){ core_copy(prompt, sizeof prompt, "a negative prompt"), COUNT(prompt) }; /* becomes the run's */
    assert_non_null(guided.negative_prompt.ids);
    search(model, &guided, &silent, &other);
    for (uint32_t i = 0; i < 3; i++) {
        const gen_sequence *x = &one.run->sequences[i], *y = &other.run->sequences[i];
        assert_int_equal(x->count, y->count);
        assert_memory_equal(x->ids, y->ids, x->count * sizeof *x->ids);
        assert_memory_equal(x->beam_indices, y->beam_indices, x->count * sizeof *x->ids);
        assert_true(fabsf(x->score - y->score) < 1e-4f);
    }
    runs_free(&other);
    runs_free(&one);
}

/* Beams are drawn: the same for a seed, other ones for others; and what is drawn has a score of its own. */
static void sampling_repeats(const model_model *model)
{
    gen_config  config = beams_of(3, 3);
    runs_result one, again, other;
    config.do_sample = true;
    search(model, &config, &silent, &one);
    search(model, &config, &silent, &again);
    same_results("the same seed", &one, &again);
    config.seed = 1;
    search(model, &config, &silent, &other);
    assert_true(memcmp(one.ids, other.ids, NEW_IDS * sizeof *one.ids) != 0);
    runs_free(&one);
    runs_free(&again);
    runs_free(&other);
}

static void too_many_are_refused(const model_model *model)
{
    gen_config  config = beams_of(GEN_MAX_BEAMS + 1, 1);
    runs_result result;
    assert_status(runs_generate(model, prompt, COUNT(prompt), &config, &silent, NULL, &result), OCLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(oclm_last_error(), "257"));
}

static void hooks_on_device(const place *where, void *user)
{
    model_model *model = NULL;
    (void)user;
    if (where->interpreted)
        return;
    load("llama", where, &model);
    asking_changes_nothing(model, false);
    asking_changes_nothing(model, true);
    a_criterion_ends_sequences(model);
    only_what_is_allowed_comes(model);
    time_and_cancelling_end_all(model);
    finished_sequences_are_told(model);
    kept_scores_add_up(model);
    guidance_follows_the_beams(model);
    sampling_repeats(model);
    too_many_are_refused(model);
    model_free(model);
}

static void the_host_may_look_and_speak(void **state)
{
    (void)state;
    models_each_device(hooks_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_are_those_of_transformers),
        cmocka_unit_test(strings_end_sequences_as_in_transformers),
        cmocka_unit_test(the_host_may_look_and_speak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
