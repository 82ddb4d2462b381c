/* test_generate.c: generating through the public door: from ids, from text, streamed, stopped, refused. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/folders.h"

#include "core/json.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"

static oclm_model     *model;
static oclm_tokenizer *tokenizer;

static int open_model(void **state)
{
    (void)state;
    assert_ok(oclm_tokenizer_load(STORIES, NULL, &tokenizer));
    assert_ok(oclm_model_load(STORIES, NULL, &model));
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    oclm_model_free(model);
    oclm_tokenizer_free(tokenizer);
    return 0;
}

static oclm_generate_options options(uint32_t max_new_tokens)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = max_new_tokens;
    return o;
}

typedef struct seen {
    char    text[4096];
    size_t  length, count;
    int32_t ids[300];
    size_t  stop_at;
} seen;

static bool on_text(size_t sequence, const char *text, size_t length, void *user)
{
    seen *s = user;
    assert_int_equal(sequence, 0);
    assert_true(length > 0 && s->length + length < sizeof s->text);
    memcpy(s->text + s->length, text, length);
    s->length += length;
    return !s->stop_at || s->length < s->stop_at;
}

static bool on_tokens(size_t sequence, const int32_t *ids, size_t count, void *user)
{
    seen *s = user;
    assert_int_equal(sequence, 0);
    assert_true(count > 0 && s->count + count <= COUNT(s->ids));
    memcpy(s->ids + s->count, ids, count * sizeof *ids);
    s->count += count;
    return true;
}

static void text_streams_and_is_the_result(void **state)
{
    static const char     prompt[] = "Once upon a time";
    oclm_generate_options o = options(60);
    seen                  s = { .stop_at = 0 };
    oclm_generation      *story;
    oclm_timing           timing = { .struct_size = sizeof timing };
    const int32_t        *ids;
    size_t                count, prompt_count;
    (void)state;
    o.on_text = on_text;
    o.on_tokens = on_tokens;
    o.user = &s;
    assert_ok(oclm_generate_text(model, tokenizer, prompt, &o, &story));
    assert_int_equal(oclm_generation_count(story), 1);
    ids = oclm_generation_ids(story, 0, &count);
    assert_int_equal(count, s.count);
    assert_memory_equal(ids, s.ids, count * sizeof *ids);
    assert_string_equal(oclm_generation_new_text(story, 0), s.text);
    assert_memory_equal(oclm_generation_text(story, 0), prompt, strlen(prompt));
    assert_string_equal(oclm_generation_text(story, 0) + strlen(prompt), s.text);
    assert_non_null(oclm_generation_prompt_ids(story, &prompt_count));
    oclm_generation_get_timing(story, &timing);
    assert_int_equal(timing.prefill_tokens, prompt_count);
    assert_int_equal(timing.decode_tokens, count - 1);
    assert_null(oclm_generation_ids(story, 1, &count));
    assert_int_equal(count, 0);
    assert_null(oclm_generation_text(story, 1));
    oclm_generation_free(story);
}

static void ids_give_the_same_without_text(void **state)
{
    oclm_generate_options o = options(30);
    oclm_generation      *from_text, *from_ids;
    const int32_t        *prompt;
    size_t                count, a, b;
    (void)state;
    assert_ok(oclm_generate_text(model, tokenizer, "One day, a fox", &o, &from_text));
    prompt = oclm_generation_prompt_ids(from_text, &count);
    assert_ok(oclm_generate(model, prompt, count, &o, &from_ids));
    assert_memory_equal(oclm_generation_ids(from_text, 0, &a), oclm_generation_ids(from_ids, 0, &b), 30 * sizeof(int32_t));
    assert_int_equal(a, b);
    assert_null(oclm_generation_text(from_ids, 0));
    assert_null(oclm_generation_new_text(from_ids, 0));
    oclm_generation_free(from_ids);
    oclm_generation_free(from_text);
}

/* The sample model's golden stories: ids, text, and the end-of-text token where the story is over. */
static void the_sample_model_tells_its_golden_stories(void **state)
{
    cJSON *golden;
    (void)state;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/stories.json", CORE_JSON_MAX_CONFIG, &golden));
    for (const cJSON *p = core_json_member(golden, "prompts")->child; p; p = p->next) {
        const cJSON          *want = core_json_member(p, "greedy_new_ids");
        const char           *text = NULL, *new_text = NULL;
        const int             want_count = cJSON_GetArraySize(want);
        oclm_generate_options o = options((uint32_t)want_count);
        oclm_generation      *story;
        const int32_t        *ids;
        size_t                count;
        assert_ok(core_json_get_string(p, "text", "stories.json", &text));
        assert_ok(core_json_get_string(p, "new_text", "stories.json", &new_text));
        assert_ok(oclm_generate_text(model, tokenizer, text, &o, &story));
        ids = oclm_generation_ids(story, 0, &count);
        assert_int_equal(count, want_count);
        for (int i = 0; i < want_count; i++)
            if (ids[i] != cJSON_GetArrayItem(want, i)->valueint)
                fail_msg("\"%s\": new id %d is %d, want %d", text, i, (int)ids[i], cJSON_GetArrayItem(want, i)->valueint);
        assert_string_equal(oclm_generation_new_text(story, 0), new_text);
        oclm_generation_free(story);
    }
    cJSON_Delete(golden);
}

static void a_text_callback_stops(void **state)
{
    oclm_generate_options o = options(200);
    seen                  s = { .stop_at = 12 };
    oclm_generation      *story;
    size_t                count;
    char                 *decoded;
    (void)state;
    o.on_text = on_text;
    o.user = &s;
    assert_ok(oclm_generate_text(model, tokenizer, "Once upon a time", &o, &story));
    assert_int_equal(oclm_generation_finish_reason(story, 0), OCLM_FINISH_CANCELLED);
    (void)oclm_generation_ids(story, 0, &count);
    assert_true(count > 0 && count < 200);
    /* ids and text of what was made belong together */
    assert_ok(oclm_tokenizer_decode(tokenizer, oclm_generation_ids(story, 0, NULL), count, true, &decoded, NULL));
    assert_string_equal(oclm_generation_new_text(story, 0), decoded);
    oclm_free(decoded);
    oclm_generation_free(story);
}

static void a_flag_stops(void **state)
{
    static volatile int   flag = 1;
    oclm_generate_options o = options(200);
    oclm_generation      *story;
    size_t                count;
    (void)state;
    o.cancel = &flag;
    assert_ok(oclm_generate_text(model, tokenizer, "Once upon a time", &o, &story));
    assert_int_equal(oclm_generation_finish_reason(story, 0), OCLM_FINISH_CANCELLED);
    (void)oclm_generation_ids(story, 0, &count);
    assert_int_equal(count, 0);
    assert_string_equal(oclm_generation_text(story, 0), "Once upon a time");
    assert_string_equal(oclm_generation_new_text(story, 0), "");
    oclm_generation_free(story);
}

static void eos_of_the_call_ends_the_story(void **state)
{
    oclm_generate_options o = options(40);
    oclm_generation      *whole, *cut;
    int32_t               eos;
    size_t                count;
    const int32_t        *ids;
    (void)state;
    assert_ok(oclm_generate_text(model, tokenizer, "Once upon a time", &o, &whole));
    eos = oclm_generation_ids(whole, 0, &count)[5];
    o.eos_token_ids = &eos;
    o.eos_token_count = 1;
    assert_ok(oclm_generate_text(model, tokenizer, "Once upon a time", &o, &cut));
    ids = oclm_generation_ids(cut, 0, &count);
    assert_int_equal(oclm_generation_finish_reason(cut, 0), OCLM_FINISH_EOS_TOKEN);
    assert_true(count <= 6);
    assert_int_equal(ids[count - 1], eos);
    oclm_generation_free(cut);
    oclm_generation_free(whole);
}

static void a_seed_means_its_tokens(void **state)
{
    oclm_generate_options o = options(40);
    oclm_generation      *a, *b, *c;
    (void)state;
    o.do_sample = OCLM_SWITCH_ON;
    o.temperature = 1.2f;
    o.seed = 7;
    assert_ok(oclm_generate_text(model, tokenizer, "One day", &o, &a));
    assert_ok(oclm_generate_text(model, tokenizer, "One day", &o, &b));
    o.seed = 8;
    assert_ok(oclm_generate_text(model, tokenizer, "One day", &o, &c));
    assert_string_equal(oclm_generation_text(a, 0), oclm_generation_text(b, 0));
    assert_string_not_equal(oclm_generation_text(a, 0), oclm_generation_text(c, 0));
    oclm_generation_free(a);
    oclm_generation_free(b);
    oclm_generation_free(c);
}

static void without_a_prompt_the_beginning_of_text_is_one(void **state)
{
    const int32_t         begin = 0, other = 5; /* <|endoftext|>, the bos_token_id of stories */
    oclm_generate_options o = options(5);
    oclm_generation      *none_given, *given;
    const int32_t        *ids, *wanted;
    size_t                count, wanted_count;
    (void)state;
    for (int i = 0; i < 2; i++) {
        o.bos_token_id = i == 0 ? OCLM_NO_TOKEN : other;
        assert_ok(oclm_generate(model, NULL, 0, &o, &none_given));
        assert_ok(oclm_generate(model, i == 0 ? &begin : &other, 1, &o, &given));
        ids = oclm_generation_prompt_ids(none_given, &count);
        assert_int_equal(count, 1);
        assert_int_equal(ids[0], i == 0 ? begin : other);
        ids = oclm_generation_ids(none_given, 0, &count);
        wanted = oclm_generation_ids(given, 0, &wanted_count);
        assert_int_equal(count, wanted_count);
        assert_memory_equal(ids, wanted, count * sizeof *ids);
        oclm_generation_free(none_given);
        oclm_generation_free(given);
    }
}

static void what_is_wrong_is_told(void **state)
{
    static int32_t        long_prompt[513];
    const int32_t         outside[] = { 1, 2, 100000 };
    oclm_generate_options o = options(5);
    oclm_generation      *none = (oclm_generation *)1;
    (void)state;
    assert_status(oclm_generate(model, outside, 3, &o, &none), OCLM_ERR_ARGUMENT);
    assert_null(none);
    assert_non_null(strstr(oclm_last_error(), "id 100000 (number 3 of 3)"));
    assert_status(oclm_generate(model, outside, 0, &o, &none), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "empty"));
    assert_status(oclm_generate_text(model, tokenizer, "", &o, &none), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "empty"));
    assert_status(oclm_generate(model, long_prompt, COUNT(long_prompt), &o, &none), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "max_position_embeddings"));
    assert_status(oclm_generate_text(model, tokenizer, "ab\xff", &o, &none), OCLM_ERR_ARGUMENT);
    o.on_text = on_text;
    assert_status(oclm_generate(model, outside, 2, &o, &none), OCLM_ERR_ARGUMENT); /* text without a tokenizer */
    o = options(5);
    o.do_sample = OCLM_SWITCH_ON;
    o.temperature = 0;
    assert_status(oclm_generate(model, outside, 2, &o, &none), OCLM_ERR_ARGUMENT);
    o = options(0);
    assert_status(oclm_generate(model, outside, 2, &o, &none), OCLM_ERR_ARGUMENT);
    o = options(5);
    o.struct_size++;
    assert_status(oclm_generate(model, outside, 2, &o, &none), OCLM_ERR_ARGUMENT);
    o = options(5);
    o.struct_size = offsetof(oclm_generate_options, num_beams); /* an older program's is fine */
    o.num_beams = 5;
    assert_ok(oclm_generate(model, outside, 2, &o, &none));
    oclm_generation_free(none);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    oclm_generate_options o = options(8);
    oclm_generation      *story;
    oclm_status           status = OCLM_ERR_MEMORY;
    size_t                live;
    (void)state;
    assert_ok(oclm_generate_text(model, tokenizer, "One day", &o, &story)); /* builds what the device keeps */
    oclm_generation_free(story);
    live = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 20000; n += n < 20 ? 1 : 7) {
        core_memory_fail_at(n, true);
        status = oclm_generate_text(model, tokenizer, "One day", &o, &story);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK && (status != OCLM_ERR_MEMORY || story))
            fail_msg("request %zu failed: %s: %s", n, oclm_status_name(status), oclm_last_error());
        oclm_generation_free(story);
        if (core_memory_live() != live)
            fail_msg("request %zu failed: %zu allocations are left, %zu before", n, core_memory_live(), live);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_streams_and_is_the_result),
        cmocka_unit_test(ids_give_the_same_without_text),
        cmocka_unit_test(the_sample_model_tells_its_golden_stories),
        cmocka_unit_test(a_text_callback_stops),
        cmocka_unit_test(a_flag_stops),
        cmocka_unit_test(eos_of_the_call_ends_the_story),
        cmocka_unit_test(a_seed_means_its_tokens),
        cmocka_unit_test(without_a_prompt_the_beginning_of_text_is_one),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
