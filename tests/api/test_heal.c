/* test_heal.c: token_healing makes the last token of a prompt anew as transformers' heal_tokens() does (golden/healing.json, made by
 * make_healing_golden.py). */
#include <stdio.h>
#include <string.h>

#include "api/stories.h"
#include "core/json.h"
#include "core/platform.h"

static oclm_model *model;
static cJSON      *golden;

static int begin(void **state)
{
    char  *text;
    size_t length;
    if (open_tokenizer(state) != 0 || oclm_model_load(STORIES, NULL, &model) != OCLM_OK ||
        core_read_file(OCLM_SOURCE_DIR "/tests/golden/healing.json", (size_t)1 << 20, &text, &length) != OCLM_OK)
        return -1;
    const oclm_status status = core_json_parse(text, length, "healing.json", &golden);
    core_free(text);
    return status == OCLM_OK ? 0 : -1;
}

static int end(void **state)
{
    cJSON_Delete(golden);
    oclm_model_free(model);
    return close_tokenizer(state);
}

static oclm_generate_options healing(void)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    o.token_healing = OCLM_SWITCH_ON;
    o.max_new_tokens = 8;
    return o;
}

static void expect_ids(const char *text, const char *what, const int32_t *got, size_t count, const cJSON *want)
{
    for (size_t i = 0; i < count || i < (size_t)cJSON_GetArraySize(want); i++) {
        const cJSON *id = cJSON_GetArrayItem(want, (int)i);
        if (i >= count || id == NULL || got[i] != id->valueint)
            fail_msg("\"%s\": id %zu of the %s is %d, want %d", text, i, what, i < count ? (int)got[i] : -1, id != NULL ? id->valueint : -1);
    }
}

static void prompts_are_healed_as_transformers_heals_them(void **state)
{
    const oclm_generate_options o = healing();
    const cJSON                *line;
    size_t                      count, lines = 0;
    (void)state;
    cJSON_ArrayForEach(line, core_json_member(golden, "prompts"))
    {
        const char      *text = core_json_member(line, "text")->valuestring;
        oclm_generation *got;
        if (oclm_generate_text(model, tokenizer, text, &o, &got) != OCLM_OK)
            fail_msg("\"%s\": %s", text, oclm_last_error());
        const int32_t *ids = oclm_generation_prompt_ids(got, &count);
        expect_ids(text, "prompt", ids, count, core_json_member(line, "healed_ids"));
        ids = oclm_generation_ids(got, 0, &count);
        expect_ids(text, "new text", ids, count, core_json_member(line, "output_ids"));
        oclm_generation_free(got);
        lines++;
    }
    assert_true(lines >= 20);
}

static void each_prompt_of_a_batch_is_healed(void **state)
{
    const oclm_generate_options o = healing();
    const cJSON                *list = core_json_member(golden, "prompts");
    oclm_token_ids              prompts[4];
    static int32_t              ids[4][64];
    oclm_generation            *got;
    (void)state;
    for (int i = 0; i < 4; i++) {
        const cJSON *id, *from = core_json_member(cJSON_GetArrayItem(list, i), "input_ids");
        size_t       n = 0;
        cJSON_ArrayForEach(id, from) ids[i][n++] = id->valueint;
        prompts[i] = (oclm_token_ids){ ids[i], n };
    }
    assert_ok(oclm_generate_batch(model, tokenizer, prompts, 4, &o, &got));
    for (size_t i = 0; i < 4; i++) {
        const cJSON *line = cJSON_GetArrayItem(list, (int)i);
        size_t       count;
        const char  *text = core_json_member(line, "text")->valuestring;
        const int32_t *made = oclm_generation_prompt_of(got, i, &count);
        expect_ids(text, "prompt", made, count, core_json_member(line, "healed_ids"));
        made = oclm_generation_ids(got, i, &count);
        expect_ids(text, "new text", made, count, core_json_member(line, "output_ids"));
    }
    oclm_generation_free(got);
}

static void white_space_alone_stays_and_ids_alone_are_refused(void **state)
{
    const oclm_generate_options o = healing();
    const int32_t               id = 5;
    oclm_generation            *got;
    int32_t                    *want;
    size_t                      count, wanted;
    (void)state;
    assert_ok(oclm_tokenizer_encode(tokenizer, "  \n", 3, true, &want, &wanted));
    assert_ok(oclm_generate_text(model, tokenizer, "  \n", &o, &got));
    const int32_t *ids = oclm_generation_prompt_ids(got, &count);
    assert_int_equal(count, wanted);
    assert_memory_equal(ids, want, count * sizeof *ids);
    oclm_generation_free(got);
    oclm_free(want);
    assert_int_equal(oclm_generate(model, &id, 1, &o, &got), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "token_healing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_are_healed_as_transformers_heals_them),
        cmocka_unit_test(each_prompt_of_a_batch_is_healed),
        cmocka_unit_test(white_space_alone_stays_and_ids_alone_are_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
