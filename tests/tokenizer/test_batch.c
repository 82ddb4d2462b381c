/* test_batch.c: batches of texts and pairs, padded and truncated, equal to what transformers makes of them.
 *
 * data/batches.jsonl.xz is made by make_batch_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/batch.h"
#include "tokenizer/folder.h"

/* The number of a word among others; 0 for one that is not there, or is false. */
static unsigned word(const cJSON *options, const char *key, const char *const *words)
{
    const cJSON *item = core_json_member(options, key);
    if (!cJSON_IsString(item))
        return 0;
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], item->valuestring) == 0)
            return i + 1;
    }
    fail_msg("%s: \"%s\"", key, item->valuestring);
    return 0;
}

static uint32_t number(const cJSON *options, const char *key)
{
    const cJSON *item = core_json_member(options, key);
    return item != NULL ? (uint32_t)item->valueint : 0;
}

static oclm_encode_options read_options(const cJSON *from)
{
    static const char *const paddings[] = { "longest", "max_length", NULL }, *const sides[] = { "left", "right", NULL };
    static const char *const truncations[] = { "longest_first", "only_first", "only_second", NULL };
    return (oclm_encode_options){
        .struct_size = sizeof(oclm_encode_options),
        .add_special_tokens = cJSON_IsTrue(core_json_member(from, "add_special_tokens")),
        .return_offsets = true,
        .return_overflowing_tokens = cJSON_IsTrue(core_json_member(from, "return_overflowing_tokens")),
        .split_special_tokens = cJSON_IsTrue(core_json_member(from, "split_special_tokens")) ? OCLM_SWITCH_ON : OCLM_SWITCH_UNSET,
        .padding = (oclm_padding)word(from, "padding", paddings),
        .padding_side = (oclm_side)word(from, "padding_side", sides),
        .pad_to_multiple_of = number(from, "pad_to_multiple_of"),
        .pad_token_id = -1,
        .truncation = (oclm_truncation)word(from, "truncation", truncations),
        .max_length = number(from, "max_length"),
        .stride = number(from, "stride"),
    };
}

typedef int64_t (*value_at)(const tok_batch *batch, size_t index);

static int64_t id_at(const tok_batch *batch, size_t i) { return batch->ids[i]; }
static int64_t type_at(const tok_batch *batch, size_t i) { return batch->type_ids[i]; }
static int64_t attention_at(const tok_batch *batch, size_t i) { return batch->attention_mask[i]; }
static int64_t special_at(const tok_batch *batch, size_t i) { return batch->special_mask[i]; }
static int64_t sequence_at(const tok_batch *batch, size_t i) { return batch->sequence_ids[i]; }

static void check_row(const tok_batch *batch, size_t index, const cJSON *want, const char *where)
{
    static const struct { const char *key; value_at at; } lists[] = {
        { "ids", id_at }, { "type_ids", type_at }, { "attention_mask", attention_at }, { "special_tokens_mask", special_at }, { "sequence_ids", sequence_at },
    };
    const tok_row *row = &batch->rows[index];
    const cJSON   *item;
    size_t         i = 0;
    if (row->sample != (size_t)core_json_member(want, "text")->valueint)
        fail_msg("%s, row %zu: it comes from text %zu", where, index, row->sample);
    for (size_t k = 0; k < COUNT(lists); k++) {
        i = 0;
        cJSON_ArrayForEach(item, core_json_member(want, lists[k].key))
        {
            if (i >= row->length || lists[k].at(batch, row->start + i) != item->valueint)
                fail_msg("%s, row %zu: %s[%zu] is %lld, want %d (%zu tokens)", where, index, lists[k].key, i,
                         i < row->length ? (long long)lists[k].at(batch, row->start + i) : -1LL, item->valueint, row->length);
            i++;
        }
        if (i != row->length)
            fail_msg("%s, row %zu: %zu tokens, want %zu", where, index, row->length, i);
    }
    i = 0;
    cJSON_ArrayForEach(item, core_json_member(want, "offsets"))
    {
        const oclm_span got = batch->offsets[row->start + i];
        const size_t    begin = (size_t)item->child->valueint, end = (size_t)item->child->next->valueint;
        if (got.begin != begin || got.end != end)
            fail_msg("%s, row %zu: token %zu covers %zu to %zu, want %zu to %zu", where, index, i, got.begin, got.end, begin, end);
        i++;
    }
}

static void check_batch(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where)
{
    const cJSON              *rows = core_json_member(tree, "rows"), *pairs = core_json_member(tree, "pairs"), *text, *row;
    const oclm_encode_options options = read_options(core_json_member(tree, "options"));
    oclm_text                 texts[8];
    size_t                    count = 0, index = 0;
    tok_batch                 batch;
    memset(texts, 0, sizeof texts);
    cJSON_ArrayForEach(text, core_json_member(tree, "texts"))
    {
        assert_true(count < COUNT(texts));
        texts[count].text = text->valuestring;
        texts[count].length = strlen(text->valuestring);
        texts[count].pair = pairs != NULL ? cJSON_GetArrayItem(pairs, (int)count)->valuestring : NULL;
        texts[count].pair_length = pairs != NULL ? strlen(texts[count].pair) : 0;
        count++;
    }
    const oclm_status status = tok_batch_encode(tokenizer, texts, count, &options, &batch);
    if ((status == OCLM_OK) != (rows != NULL))
        fail_msg("%s: status %d (%s), want %s", where, (int)status, status != OCLM_OK ? oclm_last_error() : "fine",
                 rows != NULL ? "rows" : core_json_member(tree, "error")->valuestring);
    if (rows != NULL && batch.row_count != (size_t)cJSON_GetArraySize(rows))
        fail_msg("%s: %zu rows, want %d", where, batch.row_count, cJSON_GetArraySize(rows));
    cJSON_ArrayForEach(row, rows) check_row(&batch, index++, row, where);
    tok_batch_deinit(&batch);
}

static void check_tokenizer(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    tok_tokenizer *tokenizer = folder_open(core_json_member(tree, "files"), label);
    const cJSON   *item;
    size_t         line = 0;
    cJSON_ArrayForEach(item, core_json_member(tree, "cases"))
    {
        char  *options = cJSON_PrintUnformatted(core_json_member(item, "options")), where[512];
        (void)snprintf(where, sizeof where, "%s, case %zu, %s", label, ++line, options);
        free(options);
        check_batch(tokenizer, item, where);
    }
    tok_close(tokenizer);
}

static void batches_equal_transformers(void **state)
{
    (void)state;
    const size_t count = each_line(TEST_DATA "/batches.jsonl.xz", check_tokenizer);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_equal_transformers),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
