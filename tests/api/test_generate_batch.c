/* test_generate_batch.c: several prompts and returned sequences through the public door: to the end and pulled, with scores, callbacks on the host,
 * stop strings, and what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/devices.h"

#include "oclm/opencl.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"
#define PROMPTS 3u

static cl_context       context;
static cl_command_queue queue;
static oclm_model     *model;
static oclm_tokenizer *tokenizer;
static oclm_token_ids  prompts[PROMPTS];
static size_t          vocab_size;

static int open_model(void **state)
{
    static const char *const texts[PROMPTS] = { "Once upon a time", "One day, a little fox went to the", "The" };
    oclm_model_info info = { .struct_size = sizeof info };
    dev_list       *list;
    size_t          index;
    cl_int          error;
    (void)state;
    assert_ok(dev_list_new(&list));
    assert_ok(dev_list_choose(list, NULL, &index));
    const cl_device_id device = list->entries[index].device;
    dev_list_free(list);
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    queue = clCreateCommandQueue(context, device, 0, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_ok(oclm_tokenizer_load(STORIES, NULL, &tokenizer));
    assert_ok(oclm_model_load_on(STORIES, context, queue, NULL, &model));
    assert_ok(oclm_model_get_info(model, &info));
    vocab_size = info.vocab_size;
    for (size_t i = 0; i < PROMPTS; i++) {
        int32_t *ids;
        assert_ok(oclm_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), true, &ids, &prompts[i].count));
        prompts[i].ids = ids;
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROMPTS; i++)
        oclm_free((void *)prompts[i].ids);
    oclm_model_free(model);
    oclm_tokenizer_free(tokenizer);
    assert_int_equal(clReleaseCommandQueue(queue), CL_SUCCESS);
    assert_int_equal(clReleaseContext(context), CL_SUCCESS);
    return 0;
}

static oclm_generate_options options(uint32_t max_new_tokens)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = max_new_tokens;
    return o;
}

static void a_batch_is_its_prompts_alone(void **state)
{
    oclm_generate_options o = options(12);
    oclm_generation      *all;
    (void)state;
    assert_ok(oclm_generate_batch(model, tokenizer, prompts, PROMPTS, &o, &all));
    assert_int_equal(oclm_generation_count(all), PROMPTS);
    for (size_t i = 0; i < PROMPTS; i++) {
        oclm_generation *one;
        size_t           count, want_count;
        const int32_t   *ids = oclm_generation_ids(all, i, &count), *want;
        assert_ok(oclm_generate_batch(model, tokenizer, &prompts[i], 1, &o, &one));
        want = oclm_generation_ids(one, 0, &want_count);
        assert_int_equal(count, want_count);
        assert_memory_equal(ids, want, count * sizeof *ids);
        assert_string_equal(oclm_generation_text(all, i), oclm_generation_text(one, 0));
        assert_string_equal(oclm_generation_new_text(all, i), oclm_generation_new_text(one, 0));
        assert_memory_equal(oclm_generation_prompt_of(all, i, &count), prompts[i].ids, prompts[i].count * sizeof *ids);
        assert_int_equal(count, prompts[i].count);
        assert_true(isnan(oclm_generation_score(all, i)));
        oclm_generation_free(one);
    }
    oclm_generation_free(all);
}

/* What is pulled, put together, is what the result holds. */
static void pulled_tokens_and_texts_are_the_result(void **state)
{
    (void)state;
    for (int words = 0; words < 2; words++) {
        oclm_generate_options o = options(30);
        oclm_generation      *g;
        oclm_new_tokens       t = { .struct_size = sizeof t };
        int32_t               ids[2 * PROMPTS][40];
        char                  texts[2 * PROMPTS][1000] = { "" };
        size_t                counts[2 * PROMPTS] = { 0 }, calls = 0;
        bool                  more;
        o.do_sample = OCLM_SWITCH_ON;
        o.num_return_sequences = 2;
        o.stream_words = words == 1;
        assert_ok(oclm_generation_begin(model, tokenizer, prompts, PROMPTS, &o, &g));
        assert_int_equal(oclm_generation_count(g), 2 * PROMPTS);
        assert_int_equal(oclm_generation_finish_reason(g, 0), OCLM_FINISH_NONE);
        assert_null(oclm_generation_text(g, 0));
        for (;;) {
            assert_ok(oclm_generation_next(g, &t, &more));
            if (!more)
                break;
            assert_true(t.sequence < 2 * PROMPTS && counts[t.sequence] + t.count <= 40);
            memcpy(ids[t.sequence] + counts[t.sequence], t.ids, t.count * sizeof(int32_t));
            counts[t.sequence] += t.count;
            strncat(texts[t.sequence], t.text, t.text_length);
            calls++;
        }
        assert_true(calls > 2 * PROMPTS);
        assert_int_equal(t.count, 0);
        for (size_t i = 0; i < 2 * PROMPTS; i++) {
            size_t count;
            assert_memory_equal(oclm_generation_ids(g, i, &count), ids[i], counts[i] * sizeof(int32_t));
            assert_int_equal(count, counts[i]);
            assert_string_equal(texts[i], oclm_generation_new_text(g, i));
            assert_non_null(oclm_generation_text(g, i));
        }
        assert_ok(oclm_generation_next(g, &t, &more));
        assert_false(more);
        oclm_generation_free(g);
    }
}

/* Given up half way: everything is given back (the sanitizers and valgrind look). */
static void a_pulled_generation_may_be_left(void **state)
{
    oclm_generate_options o = options(60);
    oclm_generation      *g;
    oclm_new_tokens       t = { .struct_size = sizeof t };
    bool                  more;
    (void)state;
    assert_ok(oclm_generation_begin(model, NULL, prompts, PROMPTS, &o, &g));
    oclm_generation_free(g);
    assert_ok(oclm_generation_begin(model, NULL, prompts, PROMPTS, &o, &g));
    assert_ok(oclm_generation_next(g, &t, &more));
    assert_true(more && t.count > 0);
    assert_null(t.text);
    oclm_generation_free(g);
}

/* ---- Scores */

static size_t best_of(const float *scores)
{
    size_t best = 0;
    for (size_t i = 1; i < vocab_size; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}

static void scores_are_what_was_chosen_by(void **state)
{
    oclm_generate_options o = options(5);
    oclm_generation      *g;
    size_t                steps, rows, vocab, count;
    float                 transition[5], normal[5];
    (void)state;
    o.output_scores = o.output_logits = true;
    o.repetition_penalty = 1.5f;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g));
    const float *scores = oclm_generation_scores(g, &steps, &rows, &vocab);
    const float *logits = oclm_generation_logits(g, NULL, NULL, NULL);
    assert_non_null(scores);
    assert_non_null(logits);
    assert_int_equal(steps, 5);
    assert_int_equal(rows, PROMPTS);
    assert_int_equal(vocab, vocab_size);
    for (size_t row = 0; row < rows; row++) {
        const int32_t *ids = oclm_generation_ids(g, row, &count);
        assert_ok(oclm_generation_transition_scores(g, row, false, transition, 5));
        assert_ok(oclm_generation_transition_scores(g, row, true, normal, 5));
        for (size_t step = 0; step < count; step++) {
            const float *at = scores + (step * rows + row) * vocab, *raw = logits + (step * rows + row) * vocab;
            const size_t penal = (size_t)prompts[row].ids[0];
            double       sum = 0;
            assert_int_equal(best_of(at), ids[step]);
            assert_true(transition[step] == at[ids[step]]);
            for (size_t i = 0; i < vocab; i++)
                sum += exp((double)at[i] - at[ids[step]]);
            assert_true(fabs(normal[step] + log(sum)) < 1e-5);
            assert_true(raw[penal] < 0 ? at[penal] < raw[penal] : at[penal] <= raw[penal]); /* a token of the prompt */
        }
    }
    assert_status(oclm_generation_transition_scores(g, 0, false, transition, 4), OCLM_ERR_CAPACITY);
    assert_status(oclm_generation_transition_scores(g, PROMPTS, false, transition, 5), OCLM_ERR_ARGUMENT);
    assert_null(oclm_generation_beam_indices(g, 0, &count));
    oclm_generation_free(g);
    o = options(2);
    assert_ok(oclm_generate_batch(model, NULL, prompts, 1, &o, &g));
    assert_null(oclm_generation_scores(g, &steps, &rows, &vocab));
    assert_int_equal(steps, 0);
    assert_status(oclm_generation_transition_scores(g, 0, false, transition, 5), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "output_scores"));
    oclm_generation_free(g);
}

static void scores_go_to_a_buffer_of_the_callers(void **state)
{
    oclm_generate_options o = options(3);
    oclm_generation      *kept, *sent;
    const size_t          bytes = 3 * PROMPTS * vocab_size * sizeof(float);
    float                *got = malloc(bytes);
    size_t                steps;
    cl_int                error;
    (void)state;
    assert_non_null(got);
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &error), small = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes - 4, NULL, &error);
    o.output_logits = true;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &kept));
    o.output_logits = false;
    o.logits_buffer = small;
    assert_status(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &sent), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "logits_buffer"));
    o.logits_buffer = buffer;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &sent));
    assert_null(oclm_generation_logits(sent, &steps, NULL, NULL));
    assert_int_equal(steps, 3);
    assert_int_equal(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes, got, 0, NULL, NULL), CL_SUCCESS);
    assert_memory_equal(got, oclm_generation_logits(kept, NULL, NULL, NULL), bytes);
    clReleaseMemObject(buffer);
    clReleaseMemObject(small);
    oclm_generation_free(kept);
    oclm_generation_free(sent);
    free(got);
}

/* ---- The caller's functions */

static const int32_t few[] = { 300, 301, 302 }, outside[] = { 1 << 20 };

typedef struct host {
    size_t         calls, stop_after, longest;
    const int32_t *allowed;
    size_t         allowed_count;
} host;

static bool allow(size_t prompt, const int32_t *ids, size_t count, const int32_t **allowed, size_t *count_allowed, void *user)
{
    host *h = user;
    assert_true(prompt < PROMPTS && count >= h->longest);
    assert_int_equal(ids[h->longest - 1], prompts[prompt].ids[prompts[prompt].count - 1]); /* padded on the left */
    *allowed = h->allowed;
    *count_allowed = h->allowed_count;
    return ++h->calls != h->stop_after;
}

static bool favour(size_t row, const int32_t *ids, size_t count, float *scores, size_t size, void *user)
{
    host *h = user;
    (void)ids;
    assert_true(row < PROMPTS && size == vocab_size);
    scores[400 + row + count - h->longest] = 1e30f;
    return ++h->calls != h->stop_after;
}

static bool stop_at_three(size_t row, const int32_t *ids, size_t count, void *user)
{
    const host *h = user;
    (void)ids;
    return row == 1 && count == h->longest + 3;
}

static size_t longest_prompt(void)
{
    size_t longest = 0;
    for (size_t i = 0; i < PROMPTS; i++)
        longest = prompts[i].count > longest ? prompts[i].count : longest;
    return longest;
}

static void the_callers_functions_decide(void **state)
{
    oclm_generate_options o = options(6);
    host                  h = { .longest = longest_prompt(), .allowed = few, .allowed_count = 3 };
    oclm_generation      *g;
    size_t                count;
    (void)state;
    o.user = &h;
    o.on_allowed = allow;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g));
    for (size_t row = 0; row < PROMPTS; row++) {
        const int32_t *ids = oclm_generation_ids(g, row, &count);
        assert_int_equal(count, 6);
        for (size_t i = 0; i < count; i++)
            assert_in_range(ids[i], 300, 302);
    }
    oclm_generation_free(g);
    o.suppress_tokens = few; /* nothing is left: the mask is what remains, and the first of it is taken */
    o.suppress_token_count = 0;
    h.allowed_count = 0;
    assert_status(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "on_allowed"));
    h.allowed = outside;
    h.allowed_count = 1;
    assert_status(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g), OCLM_ERR_ARGUMENT);
    o = options(6);
    o.user = &h;
    o.on_logits = favour;
    o.on_stopping = stop_at_three;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g));
    for (size_t row = 0; row < PROMPTS; row++) {
        const int32_t *ids = oclm_generation_ids(g, row, &count);
        assert_int_equal(count, row == 1 ? 3 : 6);
        assert_int_equal(oclm_generation_finish_reason(g, row), row == 1 ? OCLM_FINISH_STOPPING : OCLM_FINISH_LENGTH);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(ids[i], 400 + row + i);
    }
    oclm_generation_free(g);
    h.calls = 0;
    h.stop_after = 5; /* rows 0, 1, 2 of the first step, then 0, 1 */
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g));
    for (size_t row = 0; row < PROMPTS; row++) {
        (void)oclm_generation_ids(g, row, &count);
        assert_int_equal(count, 1);
        assert_int_equal(oclm_generation_finish_reason(g, row), OCLM_FINISH_CANCELLED);
    }
    oclm_generation_free(g);
}

/* ---- Ends */

static void strings_and_time_end_sequences(void **state)
{
    static const char *const stops[] = { "the", "." };
    oclm_generate_options    o = options(200);
    oclm_generation         *g;
    size_t                   count;
    (void)state;
    o.stop_strings = stops;
    o.stop_string_count = 2;
    assert_ok(oclm_generate_batch(model, tokenizer, prompts, PROMPTS, &o, &g));
    for (size_t row = 0; row < PROMPTS; row++) {
        assert_int_equal(oclm_generation_finish_reason(g, row), OCLM_FINISH_STOP_STRING);
        const char *text = oclm_generation_new_text(g, row);
        assert_true(strstr(text, "the") || strchr(text, '.'));
    }
    oclm_generation_free(g);
    assert_status(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g), OCLM_ERR_ARGUMENT); /* texts need a tokenizer */
    o = options(200);
    o.max_time = 1e-9;
    assert_ok(oclm_generate_batch(model, NULL, prompts, PROMPTS, &o, &g));
    for (size_t row = 0; row < PROMPTS; row++) {
        (void)oclm_generation_ids(g, row, &count);
        assert_int_equal(count, 1); /* the step that passes it is the last */
        assert_int_equal(oclm_generation_finish_reason(g, row), OCLM_FINISH_MAX_TIME);
    }
    oclm_generation_free(g);
}

static void what_is_wrong_is_told(void **state)
{
    const int32_t         wrong[] = { 1, -5 };
    oclm_token_ids        bad[2] = { prompts[0], { wrong, 2 } };
    oclm_generate_options o = options(5);
    oclm_generation      *none = (oclm_generation *)1;
    oclm_new_tokens       t = { .struct_size = sizeof t };
    bool                  more;
    (void)state;
    assert_status(oclm_generate_batch(model, NULL, bad, 2, &o, &none), OCLM_ERR_ARGUMENT);
    assert_null(none);
    assert_non_null(strstr(oclm_last_error(), "prompt 1 of 2"));
    bad[1].count = 0;
    assert_status(oclm_generate_batch(model, NULL, bad, 2, &o, &none), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "prompt 1 of 2 is empty"));
    bad[1] = (oclm_token_ids){ NULL, 2 };
    assert_status(oclm_generate_batch(model, NULL, bad, 2, &o, &none), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate_batch(model, NULL, bad, 0, &o, &none), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate_batch(model, NULL, NULL, 1, &o, &none), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate_batch(NULL, NULL, bad, 1, &o, &none), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generate_batch(model, NULL, bad, 1, &o, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generation_begin(model, NULL, bad, 5000, &o, &none), OCLM_ERR_ARGUMENT);
    assert_status(oclm_generation_next(NULL, &t, &more), OCLM_ERR_ARGUMENT);
    o.num_return_sequences = 3; /* greedy: all would be the same */
    assert_status(oclm_generate_batch(model, NULL, prompts, 1, &o, &none), OCLM_ERR_ARGUMENT);
    assert_ok(oclm_generation_begin(model, NULL, prompts, 1, NULL, &none));
    t.struct_size = 0;
    assert_status(oclm_generation_next(none, &t, &more), OCLM_ERR_ARGUMENT);
    oclm_generation_free(none);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    oclm_generate_options o = options(3);
    oclm_generation      *g;
    oclm_status           status = OCLM_ERR_MEMORY;
    size_t                live;
    (void)state;
    o.do_sample = OCLM_SWITCH_ON;
    o.num_return_sequences = 2;
    o.output_scores = true;
    o.guidance_scale = 1.5f;
    assert_ok(oclm_generate_batch(model, tokenizer, prompts, PROMPTS, &o, &g)); /* builds what the device keeps */
    oclm_generation_free(g);
    live = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 20000; n += n < 40 ? 1 : 29) {
        core_memory_fail_at(n, true);
        status = oclm_generate_batch(model, tokenizer, prompts, PROMPTS, &o, &g);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK && (status != OCLM_ERR_MEMORY || g))
            fail_msg("request %zu failed: %s: %s", n, oclm_status_name(status), oclm_last_error());
        oclm_generation_free(g);
        if (core_memory_live() != live)
            fail_msg("request %zu failed: %zu allocations are left, %zu before", n, core_memory_live(), live);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_its_prompts_alone),
        cmocka_unit_test(pulled_tokens_and_texts_are_the_result),
        cmocka_unit_test(a_pulled_generation_may_be_left),
        cmocka_unit_test(scores_are_what_was_chosen_by),
        cmocka_unit_test(scores_go_to_a_buffer_of_the_callers),
        cmocka_unit_test(the_callers_functions_decide),
        cmocka_unit_test(strings_and_time_end_sequences),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
