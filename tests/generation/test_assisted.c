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

/* ---- Against plain generation */

/* Runs to the end; `assistant` may be NULL. */
static oclm_status generate(const model_model *model, const model_model *assistant, const int32_t *ids, uint32_t count, const gen_config *config,
                            const gen_hooks *hooks, gen_place *going_on, gen_run **run)
{
    const gen_prompt prompt = { ids, count };
    gen_config       mine = *config;
    mine.prompt_length = count;
    const oclm_status status = gen_run_new(model, assistant, &prompt, 1, &mine, hooks, going_on, NULL, run);
    return status == OCLM_OK ? runs_finish(run) : status;
}

static gen_config lookup_of(const gen_config *plain, uint32_t guesses)
{
    gen_config config = *plain;
    config.mode = GEN_MODE_ASSISTED;
    config.prompt_lookup_num_tokens = guesses;
    config.max_matching_ngram_size = 2;
    return config;
}

static gen_config draft_of(const gen_config *plain, uint32_t guesses, float threshold)
{
    gen_config config = *plain;
    config.mode = GEN_MODE_ASSISTED;
    config.num_assistant_tokens = guesses;
    config.num_assistant_tokens_schedule = OCLM_ASSISTANT_SCHEDULE_CONSTANT;
    config.assistant_confidence_threshold = threshold;
    return config;
}

static void expect_same(const char *label, const gen_run *got, const gen_run *want)
{
    const gen_sequence *a = &got->sequences[0], *b = &want->sequences[0];
    for (uint32_t i = 0; i < a->count && i < b->count; i++)
        if (a->ids[i] != b->ids[i])
            fail_msg("%s: new id %u is %d, plainly it is %d", label, i, (int)a->ids[i], (int)b->ids[i]);
    if (a->count != b->count || a->finish_reason != b->finish_reason)
        fail_msg("%s: %u new ids, reason %d; plainly %u, reason %d", label, a->count, (int)a->finish_reason, b->count, (int)b->finish_reason);
}

static model_model *load_tiny(const char *name, const place *where)
{
    char path[600];
    return models_load(folder_of(name, NULL, path), where, OCLM_DTYPE_AUTO);
}

static const int32_t repeating[] = { 3, 14, 15, 92, 6, 3, 14, 15, 92, 6, 3, 14 };

/* Long enough for a second span of attention, for guesses that are kept and for some that are not. */
static void compare_with_plain(const place *where, void *user)
{
    static const struct { const char *label; bool do_sample; float temperature; uint32_t top_k; uint64_t seed; } ways[] = {
        { "greedy", false, 1.0f, 0, 0 }, { "sampling coldly", true, 0.1f, 0, 7 }, { "sampling", true, 1.0f, 3, 8 },
    };
    const uint32_t limit = where->slow ? COUNT(repeating) + 12 : 150;
    model_model   *model = load_tiny("llama-gqa", where);
    (void)user;
    for (size_t i = 0; i < COUNT(ways); i++) {
        gen_config config = runs_greedy(limit);
        gen_run   *plain, *guessing;
        config.do_sample = ways[i].do_sample;
        config.temperature = ways[i].temperature;
        config.top_k = ways[i].top_k;
        config.seed = ways[i].seed;
        const gen_config lookup = lookup_of(&config, 5);
        assert_ok(generate(model, NULL, repeating, COUNT(repeating), &config, &silent, NULL, &plain));
        assert_ok(generate(model, NULL, repeating, COUNT(repeating), &lookup, &silent, NULL, &guessing));
        expect_same(ways[i].label, guessing, plain);
        print_message("      %s: %d of %d guesses kept\n", ways[i].label, (int)guessing->timing.accepted_tokens, (int)guessing->timing.guessed_tokens);
        assert_true(guessing->timing.guessed_tokens > 0);
        gen_run_free(plain);
        gen_run_free(guessing);
    }
    model_free(model);
}

static void a_lookup_gives_the_ids_of_plain_generation(void **state)
{
    (void)state;
    models_each_device(compare_with_plain, NULL);
}

/* Goes on in one state, turn by turn, as a chat does. */
static void take_turns(const place *where, void *user)
{
    model_model     *model = load_tiny("llama-gqa", where), *assistant = load_tiny("llama-gqa", where);
    model_state     *held[2] = { models_state(model, 1, 150, 64), models_state(model, 1, 150, 64) };
    gen_place        places[2] = { { .state = held[0] }, { .state = held[1] } };
    int32_t          text[150];
    uint32_t         count = COUNT(repeating);
    (void)user;
    memcpy(text, repeating, sizeof repeating);
    for (uint32_t turn = 0; turn < (where->slow ? 2 : 5); turn++) {
        gen_config       config = runs_greedy(count + 9);
        const gen_config guessing = turn % 2 ? draft_of(&config, 4, 0.0f) : lookup_of(&config, 4);
        gen_run         *runs[2];
        assert_ok(generate(model, NULL, text, count, &config, &silent, &places[0], &runs[0]));
        assert_ok(generate(model, turn % 2 ? assistant : NULL, text, count, &guessing, &silent, &places[1], &runs[1]));
        expect_same("a turn", runs[1], runs[0]);
        assert_int_equal(places[1].held, places[0].held);
        assert_int_equal(held[1]->cache.lengths[0], places[1].held);
        memcpy(text + count, runs[0]->sequences[0].ids, 9 * sizeof *text);
        count += 9;
        text[count++] = (int32_t)turn + 5;
        gen_run_free(runs[0]);
        gen_run_free(runs[1]);
    }
    model_state_free(held[0]);
    model_state_free(held[1]);
    model_free(model);
    model_free(assistant);
}

static void turns_go_on_where_the_last_one_ended(void **state)
{
    (void)state;
    models_each_device(take_turns, NULL);
}

/* ---- Ends and errors */

typedef struct listener {
    uint32_t calls, ids, stop_at;
} listener;

static bool listen(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    listener *l = user;
    (void)sequence, (void)ids;
    l->calls++;
    l->ids += (uint32_t)count;
    return l->ids < l->stop_at;
}

static void try_ends(const place *where, void *user)
{
    model_model     *model = load_tiny("llama-gqa", where), *itself = load_tiny("llama-gqa", where), *other = load_tiny("gpt2", where);
    const gen_config config = runs_greedy(COUNT(repeating) + 12), one = runs_greedy(COUNT(repeating) + 1);
    gen_config       guessing = draft_of(&config, 4, 0.0f);
    listener         l = { .stop_at = 6 };
    gen_hooks        hooks = { .on_tokens = listen, .user = &l };
    volatile int     cancel = 1;
    gen_run         *plain, *run;
    (void)user;
    assert_ok(generate(model, NULL, repeating, COUNT(repeating), &config, &silent, NULL, &plain));
    /* A model that guesses what it says itself is always right, and stopping ends after the round. */
    assert_ok(generate(model, itself, repeating, COUNT(repeating), &guessing, &silent, NULL, &run));
    expect_same("guessed by itself", run, plain);
    assert_int_equal(run->timing.accepted_tokens, run->timing.guessed_tokens);
    assert_int_equal(run->timing.guessed_tokens, 4 + 4 + 1);
    assert_int_equal(run->timing.prefill_tokens, COUNT(repeating));
    assert_int_equal(run->timing.decode_tokens, 11);
    assert_true(run->timing.prefill_s > 0 && run->timing.decode_s > 0);
    gen_run_free(run);
    assert_ok(generate(model, itself, repeating, COUNT(repeating), &guessing, &hooks, NULL, &run));
    assert_int_equal(run->sequences[0].finish_reason, OCLM_FINISH_CANCELLED);
    assert_int_equal(l.calls, 2);
    assert_int_equal(run->sequences[0].count, 10);
    gen_run_free(run);
    /* An end within a round ends there. */
    guessing.eos_token_ids[0] = plain->sequences[0].ids[2];
    guessing.eos_token_count = 1;
    assert_ok(generate(model, itself, repeating, COUNT(repeating), &guessing, &silent, NULL, &run));
    assert_int_equal(run->sequences[0].finish_reason, OCLM_FINISH_EOS_TOKEN);
    assert_true(run->sequences[0].count <= 3);
    assert_int_equal(run->sequences[0].ids[run->sequences[0].count - 1], guessing.eos_token_ids[0]);
    gen_run_free(run);
    gen_run_free(plain);
    /* No room for a guess. */
    guessing = draft_of(&one, 4, 0.4f);
    assert_ok(generate(model, itself, repeating, COUNT(repeating), &guessing, &silent, NULL, &run));
    assert_int_equal(run->sequences[0].count, 1);
    assert_int_equal(run->timing.guessed_tokens, 0);
    gen_run_free(run);
    hooks = (gen_hooks){ .cancel = &cancel };
    const gen_config lookup = lookup_of(&config, 3);
    assert_ok(generate(model, NULL, repeating, COUNT(repeating), &lookup, &hooks, NULL, &run));
    assert_int_equal(run->sequences[0].finish_reason, OCLM_FINISH_CANCELLED);
    assert_int_equal(run->sequences[0].count, 0);
    gen_run_free(run);
    /* Where each step's logits are wanted, it is a step. */
    gen_config watched = lookup_of(&config, 3);
    watched.output_logits = true;
    assert_ok(generate(model, NULL, repeating, COUNT(repeating), &config, &silent, NULL, &plain));
    assert_ok(generate(model, NULL, repeating, COUNT(repeating), &watched, &silent, NULL, &run));
    expect_same("watched", run, plain);
    assert_int_equal(run->timing.guessed_tokens, 0);
    assert_int_equal(run->steps, 12);
    assert_non_null(run->logits);
    gen_run_free(run);
    gen_run_free(plain);
    /* Another vocabulary. */
    assert_int_equal(generate(model, other, repeating, COUNT(repeating), &guessing, &silent, NULL, &run), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "97"));
    assert_non_null(strstr(oclm_last_error(), "111"));
    model_free(model);
    model_free(itself);
    model_free(other);
}

static void rounds_end_where_they_should(void **state)
{
    (void)state;
    models_each_device(try_ends, NULL);
}

static void fail_each(const place *where, void *user)
{
    model_model *model = load_tiny("llama-gqa", where), *assistant = load_tiny("llama-gqa", where);
    gen_config   config = runs_greedy(COUNT(repeating) + 8);
    (void)user;
    config.do_sample = true;
    config.top_k = 5;
    config.repetition_penalty = 1.1f;
    for (int way = 0; way < 2 && !where->slow; way++) {
        const gen_config  guessing = way ? draft_of(&config, 3, 0.0f) : lookup_of(&config, 3);
        oclm_status       status = OCLM_ERR_MEMORY;
        gen_run          *run;
        assert_ok(generate(model, way ? assistant : NULL, repeating, COUNT(repeating), &guessing, &silent, NULL, &run)); /* what is kept for good */
        gen_run_free(run);
        const size_t live = core_memory_live();
        for (size_t n = 1; status != OCLM_OK; n += n < 60 ? 1 : 37) {
            core_memory_fail_at(n, true);
            status = generate(model, way ? assistant : NULL, repeating, COUNT(repeating), &guessing, &silent, NULL, &run);
            core_memory_fail_at(0, false);
            if (status != OCLM_OK && status != OCLM_ERR_MEMORY)
                fail_msg("request %zu failed: %s: %s", n, oclm_status_name(status), oclm_last_error());
            if (status == OCLM_OK)
                gen_run_free(run);
            if (core_memory_live() != live)
                fail_msg("request %zu failed: %zu allocations are left, %zu before", n, core_memory_live(), live);
        }
    }
    model_free(model);
    model_free(assistant);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    models_each_device(fail_each, NULL);
}

/* ---- Distributions */

#define KEPT 3u /* top_k: so many tokens may come */

/* Probabilities of the tokens behind a text by the model alone, the best KEPT of them. */
static void probabilities(model_state *state, const int32_t *ids, uint32_t count, int32_t *best, double *p)
{
    const uint32_t    vocab = state->model->architecture.vocab_size;
    const model_piece piece = { .count = count, .ids = ids };
    float            *logits = malloc(vocab * sizeof *logits);
    double            total = 0;
    assert_non_null(logits);
    models_rewind(state);
    assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_LAST));
    assert_ok(dev_buffer_read(state->queue, &state->logits, 0, logits, vocab * sizeof *logits));
    for (uint32_t k = 0; k < KEPT; k++) {
        best[k] = models_best(logits, vocab);
        total += p[k] = exp((double)logits[best[k]]);
        logits[best[k]] = -INFINITY;
    }
    for (uint32_t k = 0; k < KEPT; k++)
        p[k] /= total;
    free(logits);
}

/* Chi-square of pairs of tokens; five deviations above its mean are seen once in a million. */
static void check_pairs(const char *label, uint32_t counts[KEPT][KEPT], double p[KEPT][KEPT], double draws)
{
    double chi = 0;
    const double free_cells = KEPT * KEPT - 1.0;
    for (uint32_t i = 0; i < KEPT; i++)
        for (uint32_t j = 0; j < KEPT; j++)
            chi += (counts[i][j] - p[i][j] * draws) * (counts[i][j] - p[i][j] * draws) / (p[i][j] * draws);
    print_message("      %s: chi-square %.1f with %g degrees of freedom after %g texts\n", label, chi, free_cells, draws);
    if (chi > free_cells + 5 * sqrt(2 * free_cells))
        fail_msg("%s: not the model's distribution", label);
}

static uint32_t which(const int32_t *best, int32_t id)
{
    for (uint32_t k = 0; k < KEPT; k++)
        if (best[k] == id)
            return k;
    fail_msg("token %d came, which top_k rules out", (int)id);
    return 0;
}

#define BEGINNING (COUNT(repeating) + 12u)

/* `beginning`: ids that all texts begin with. */
static void check_distribution(const char *label, const model_model *model, const model_model *assistant, const int32_t *beginning, uint32_t texts)
{
    int32_t      ids[BEGINNING + 1], best[KEPT], behind[KEPT][KEPT];
    double       p[KEPT], q[KEPT][KEPT];
    uint32_t     counts[KEPT][KEPT] = { { 0 } };
    uint64_t     guessed = 0, kept = 0;
    model_state *state = models_state(model, 1, COUNT(ids), COUNT(ids));
    gen_config   config = runs_greedy(BEGINNING + 3);
    memcpy(ids, beginning, BEGINNING * sizeof *ids);
    probabilities(state, ids, BEGINNING, best, p);
    for (uint32_t i = 0; i < KEPT; i++) {
        ids[BEGINNING] = best[i];
        probabilities(state, ids, COUNT(ids), behind[i], q[i]);
        for (uint32_t j = 0; j < KEPT; j++)
            q[i][j] *= p[i];
    }
    model_state_free(state);
    config.do_sample = true;
    config.top_k = KEPT;
    for (uint32_t text = 0; text < texts; text++) {
        gen_run *run;
        config.seed = 1000 + text;
        const gen_config guessing = assistant ? draft_of(&config, 2, 0.0f) : lookup_of(&config, 2);
        assert_ok(generate(model, assistant, beginning, BEGINNING, &guessing, &silent, NULL, &run));
        const uint32_t first = which(best, run->sequences[0].ids[0]);
        counts[first][which(behind[first], run->sequences[0].ids[1])]++;
        guessed += run->timing.guessed_tokens;
        kept += run->timing.accepted_tokens;
        gen_run_free(run);
    }
    print_message("      %s: %d of %d guesses kept\n", label, (int)kept, (int)guessed);
    assert_true(kept > 0 && kept < guessed);
    check_pairs(label, counts, q, texts);
}

static void check_distributions(const place *where, void *user)
{
    model_model *model = load_tiny("llama-linear", where), *assistant = load_tiny("llama-yarn-mscale", where);
    const gen_config config = runs_greedy(BEGINNING);
    int32_t          beginning[BEGINNING];
    gen_run         *run;
    (void)user;
    if (!where->slow) { /* what the model itself goes on with repeats, as its guesses will */
        memcpy(beginning, repeating, sizeof repeating);
        assert_ok(generate(model, NULL, repeating, COUNT(repeating), &config, &silent, NULL, &run));
        memcpy(beginning + COUNT(repeating), run->sequences[0].ids, 12 * sizeof *beginning);
        gen_run_free(run);
        check_distribution("a model guesses", model, assistant, beginning, 500);
        check_distribution("the text guesses", model, NULL, beginning, 500);
    }
    model_free(model);
    model_free(assistant);
}

static void sampled_texts_are_distributed_as_without_guesses(void **state)
{
    (void)state;
    models_each_device(check_distributions, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_are_those_of_transformers),
        cmocka_unit_test(a_lookup_gives_the_ids_of_plain_generation),
        cmocka_unit_test(turns_go_on_where_the_last_one_ended),
        cmocka_unit_test(rounds_end_where_they_should),
        cmocka_unit_test(sampled_texts_are_distributed_as_without_guesses),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
