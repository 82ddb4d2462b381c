/* test_bpe.c: BPE against the definition itself: of all neighbouring pairs that have a merge the one of lowest rank, leftmost among
 * equals, becomes one, until there is none. Models and words are random; some words are long, so that heap, cuts and cache are met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer/tokenizer.h"

#define MODELS 150
#define WORDS 60
#define MAX_TOKENS 64
#define MAX_MERGES 60
#define MAX_WORD 400 /* characters */

/* Four that are in each vocabulary, one that is not. */
static const char *const letters[] = { "a", "b", "\xE2\x96\x81", "\xC3\xA9", "x" };
#define KNOWN 4

static uint64_t seed = 20;
static uint32_t random_below(uint32_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % limit;
}

typedef struct random_model {
    char   tokens[MAX_TOKENS][128];
    size_t token_count;
    size_t merges[MAX_MERGES][3]; /* left, right, result */
    size_t merge_count;
} random_model;

static size_t find_token(const random_model *model, const char *text)
{
    size_t i = 0;
    while (i < model->token_count && strcmp(model->tokens[i], text) != 0)
        i++;
    return i;
}

/* Token 0 is the unknown one. */
static void make_model(random_model *model)
{
    memset(model, 0, sizeof *model);
    (void)snprintf(model->tokens[model->token_count++], sizeof model->tokens[0], "<unk>");
    for (size_t i = 0; i < KNOWN; i++)
        (void)snprintf(model->tokens[model->token_count++], sizeof model->tokens[0], "%s", letters[i]);
    const size_t wanted = 1 + random_below(MAX_MERGES - 1);
    for (size_t tries = 0; tries < 1000 && model->merge_count < wanted && model->token_count < MAX_TOKENS; tries++) {
        char         joined[256];
        const size_t left = 1 + random_below((uint32_t)model->token_count - 1), right = 1 + random_below((uint32_t)model->token_count - 1);
        bool         again = false;
        for (size_t i = 0; i < model->merge_count; i++)
            again |= model->merges[i][0] == left && model->merges[i][1] == right;
        (void)snprintf(joined, sizeof joined, "%s%s", model->tokens[left], model->tokens[right]);
        if (again || strlen(joined) >= sizeof model->tokens[0])
            continue;
        const size_t result = find_token(model, joined);
        if (result == model->token_count)
            memcpy(model->tokens[model->token_count++], joined, strlen(joined) + 1);
        model->merges[model->merge_count][0] = left;
        model->merges[model->merge_count][1] = right;
        model->merges[model->merge_count++][2] = result;
    }
}

static tok_tokenizer *open_model(const random_model *model, bool fuse)
{
    core_text      json = CORE_TEXT_INIT;
    tok_tokenizer *tokenizer;
    assert_int_equal(core_text_printf(&json, "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": %s, \"vocab\": {",
                                      fuse ? "true" : "false"), OCLM_OK);
    for (size_t i = 0; i < model->token_count; i++)
        assert_int_equal(core_text_printf(&json, "%s\"%s\": %zu", i > 0 ? ", " : "", model->tokens[i], i), OCLM_OK);
    assert_int_equal(core_text_add_string(&json, "}, \"merges\": ["), OCLM_OK);
    for (size_t i = 0; i < model->merge_count; i++)
        assert_int_equal(core_text_printf(&json, "%s[\"%s\", \"%s\"]", i > 0 ? ", " : "", model->tokens[model->merges[i][0]],
                                          model->tokens[model->merges[i][1]]), OCLM_OK);
    assert_int_equal(core_text_add_string(&json, "]}}"), OCLM_OK);
    if (tok_open_json(json.data, json.length, "a random model", &tokenizer) != OCLM_OK)
        fail_msg("%s\n%s", oclm_last_error(), json.data);
    core_text_free(&json);
    return tokenizer;
}

/* The definition; `word` is of indices in `letters`. */
static size_t merge_slowly(const random_model *model, bool fuse, const size_t *word, size_t length, size_t *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        if (word[i] < KNOWN)
            ids[count++] = 1 + word[i];
        else if (!fuse || i == 0 || word[i - 1] < KNOWN)
            ids[count++] = 0;
    }
    for (size_t rank = 0; rank < model->merge_count;) {
        size_t at = 0;
        while (at + 1 < count && (ids[at] != model->merges[rank][0] || ids[at + 1] != model->merges[rank][1]))
            at++;
        if (at + 1 >= count) {
            rank++;
            continue;
        }
        ids[at] = model->merges[rank][2];
        memmove(ids + at + 1, ids + at + 2, (count - at - 2) * sizeof *ids);
        count--;
        rank = 0; /* a merge may have made a pair of lower rank */
    }
    return count;
}

static void check_word(const random_model *model, const tok_tokenizer *tokenizer, bool fuse)
{
    size_t       word[MAX_WORD], want[MAX_WORD];
    const size_t length = 1 + random_below(random_below(4) == 0 ? MAX_WORD : 20);
    const uint32_t kinds = random_below(3) == 0 ? KNOWN + 1 : 1 + random_below(KNOWN);
    core_text    text = CORE_TEXT_INIT;
    tok_ids      got = TOK_IDS_INIT;
    for (size_t i = 0; i < length; i++) {
        word[i] = random_below(kinds);
        assert_int_equal(core_text_add_string(&text, letters[word[i]]), OCLM_OK);
    }
    const size_t count = merge_slowly(model, fuse, word, length, want);
    assert_int_equal(tok_encode(tokenizer, text.data, text.length, false, &got), OCLM_OK);
    for (size_t i = 0; i < count || i < got.count; i++) {
        if (i >= count || i >= got.count || got.data[i] != (int32_t)want[i])
            fail_msg("\"%s\": id %zu is %d, want %d (%zu ids, want %zu)", text.data, i, i < got.count ? (int)got.data[i] : -1,
                     i < count ? (int)want[i] : -1, got.count, count);
    }
    core_text_free(&text);
    tok_ids_free(&got);
}

static void words_are_merged_as_defined(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        random_model   model;
        const bool     fuse = i % 2 == 1;
        make_model(&model);
        tok_tokenizer *tokenizer = open_model(&model, fuse);
        for (size_t n = 0; n < WORDS; n++)
            check_word(&model, tokenizer, fuse);
        tok_close(tokenizer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_merged_as_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
