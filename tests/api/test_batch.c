/* test_batch.c: batches through the public door: options, their defaults, what is refused. (Which ids: tests/tokenizer.) */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/stories.h"

#include "core/memory.h"

static const oclm_text three[] = { { "Once upon a time", 16, NULL, 0 }, { "", 0, NULL, 0 }, { "One day", 7, "a cat", 5 } };

static oclm_encoding row_of(const oclm_batch *batch, size_t index)
{
    oclm_encoding row = { .struct_size = sizeof row };
    assert_ok(oclm_batch_get(batch, index, &row));
    return row;
}

static void a_batch_without_options_has_the_ids_of_each_text(void **state)
{
    oclm_batch *batch;
    (void)state;
    assert_ok(oclm_tokenizer_encode_batch(tokenizer, three, COUNT(three), NULL, &batch));
    assert_int_equal(oclm_batch_count(batch), COUNT(three));
    for (size_t i = 0; i < COUNT(three); i++) {
        const oclm_encoding row = row_of(batch, i);
        int32_t            *ids;
        size_t              count;
        assert_ok(oclm_tokenizer_encode(tokenizer, three[i].text, three[i].length, true, &ids, &count));
        assert_true(three[i].pair ? row.length > count : row.length == count);
        assert_memory_equal(row.ids, ids, count * sizeof *ids);
        assert_int_equal(row.text, i);
        assert_null(row.offsets);
        for (size_t k = 0; k < row.length; k++) {
            assert_int_equal(row.attention_mask[k], 1);
            assert_int_equal(row.sequence_ids[k], k < count ? 0 : 1);
        }
        oclm_free(ids);
    }
    oclm_batch_free(batch);
}

static void rows_are_padded_and_offsets_cover_the_text(void **state)
{
    oclm_encode_options options;
    oclm_batch         *batch;
    (void)state;
    oclm_encode_options_init(&options, sizeof options);
    options.padding = OCLM_PADDING_LONGEST;
    options.padding_side = OCLM_SIDE_LEFT;
    options.pad_token_id = 0;
    options.return_offsets = true;
    assert_ok(oclm_tokenizer_encode_batch(tokenizer, three, COUNT(three), &options, &batch));
    const size_t length = row_of(batch, 0).length;
    for (size_t i = 0; i < COUNT(three); i++) {
        const oclm_encoding row = row_of(batch, i);
        size_t              covered[2] = { 0, 0 };
        assert_int_equal(row.length, length);
        for (size_t k = 0; k < length; k++) {
            if (row.attention_mask[k]) {
                assert_int_equal(row.offsets[k].begin, covered[row.sequence_ids[k]]);
                covered[row.sequence_ids[k]] = row.offsets[k].end;
            } else {
                assert_int_equal(row.ids[k], 0);
                assert_int_equal(row.sequence_ids[k], -1);
                assert_true(k == 0 || !row.attention_mask[k - 1]); /* on the left */
            }
        }
        assert_int_equal(covered[0], three[i].length);
        assert_int_equal(covered[1], three[i].pair_length);
    }
    oclm_batch_free(batch);
}

static void names_and_lengths_come_from_the_files(void **state)
{
    int32_t id = 7;
    (void)state;
    assert_string_equal(oclm_tokenizer_special_token(tokenizer, "eos_token", &id), "<|endoftext|>");
    assert_int_equal(id, 0);
    assert_null(oclm_tokenizer_special_token(tokenizer, "pad_token", &id));
    assert_int_equal(id, -1);
    assert_null(oclm_tokenizer_special_token(NULL, "eos_token", NULL));
    assert_int_equal(oclm_tokenizer_max_length(tokenizer), 256);
    assert_int_equal(oclm_tokenizer_max_length(NULL), 0);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char         *label;
        oclm_encode_options options;
        const char         *says;
    } bad[] = {
        { "no pad token", { .padding = OCLM_PADDING_LONGEST, .pad_token_id = -1 }, "pad_token" },
        { "an unknown padding", { .padding = (oclm_padding)3, .pad_token_id = -1 }, "padding is 3" },
        { "an unknown side", { .padding_side = (oclm_side)9, .pad_token_id = -1 }, "padding_side is 9" },
        { "a pad token beyond the vocabulary", { .pad_token_id = 99999 }, "pad_token_id is 99999" },
        { "a pad token below it", { .pad_token_id = -2 }, "pad_token_id is -2" },
        { "no second text to cut", { .truncation = OCLM_TRUNCATION_ONLY_SECOND, .max_length = 2, .pad_token_id = -1 }, "text 0" },
        { "a stride as long as a part", { .truncation = OCLM_TRUNCATION_LONGEST_FIRST, .max_length = 2, .stride = 3, .pad_token_id = -1 }, "stride" },
    };
    oclm_encode_options options;
    oclm_encoding       row = { .struct_size = sizeof row };
    oclm_batch         *batch = (oclm_batch *)1;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        options = bad[i].options;
        options.struct_size = sizeof options;
        assert_status(oclm_tokenizer_encode_batch(tokenizer, three, COUNT(three), &options, &batch), OCLM_ERR_ARGUMENT);
        assert_null(batch);
        if (!strstr(oclm_last_error(), bad[i].says))
            fail_msg("%s: \"%s\"", bad[i].label, oclm_last_error());
    }
    const oclm_text not_utf8[] = { { "ok", 2, NULL, 0 }, { "a\xff", 2, NULL, 0 } }, no_text = { NULL, 3, NULL, 0 };
    assert_status(oclm_tokenizer_encode_batch(tokenizer, not_utf8, 2, NULL, &batch), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "text 1"));
    assert_status(oclm_tokenizer_encode_batch(tokenizer, &no_text, 1, NULL, &batch), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_encode_batch(tokenizer, three, 0, NULL, &batch), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_encode_batch(NULL, three, 1, NULL, &batch), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_encode_batch(tokenizer, NULL, 1, NULL, &batch), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_encode_batch(tokenizer, three, 1, NULL, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_batch_get(NULL, 0, &row), OCLM_ERR_ARGUMENT);
    assert_ok(oclm_tokenizer_encode_batch(tokenizer, three, 1, NULL, &batch));
    assert_status(oclm_batch_get(batch, 1, &row), OCLM_ERR_ARGUMENT);
    row.struct_size = 0;
    assert_status(oclm_batch_get(batch, 0, &row), OCLM_ERR_ARGUMENT);
    oclm_batch_free(batch);
    oclm_batch_free(NULL);
    assert_int_equal(oclm_batch_count(NULL), 0);
}

static oclm_status encode_three(oclm_batch **batch)
{
    oclm_encode_options options;
    oclm_encode_options_init(&options, sizeof options);
    options.return_offsets = options.return_overflowing_tokens = true;
    options.truncation = OCLM_TRUNCATION_ONLY_FIRST;
    options.max_length = 3;
    options.padding = OCLM_PADDING_LONGEST;
    options.pad_token_id = 0;
    return oclm_tokenizer_encode_batch(tokenizer, three, 2, &options, batch);
}

static void *encode_again(void *user)
{
    const oclm_batch *want = user;
    const char       *fault = NULL;
    for (size_t n = 0; n < 50 && !fault; n++) {
        oclm_batch *batch;
        if (encode_three(&batch) != OCLM_OK)
            return "it failed";
        for (size_t i = 0; i < oclm_batch_count(want); i++) {
            const oclm_encoding a = row_of(batch, i), b = row_of(want, i);
            if (a.length != b.length || memcmp(a.ids, b.ids, a.length * sizeof *a.ids) != 0 ||
                memcmp(a.offsets, b.offsets, a.length * sizeof *a.offsets) != 0)
                fault = "other ids, or offsets";
        }
        oclm_batch_free(batch);
    }
    return (void *)(uintptr_t)fault;
}

static void threads_share_a_tokenizer(void **state)
{
    pthread_t   threads[4];
    oclm_batch *want;
    (void)state;
    assert_ok(encode_three(&want));
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_again, want), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *fault;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        if (fault)
            fail_msg("thread %zu: %s", i, (const char *)fault);
    }
    oclm_batch_free(want);
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    const size_t live = core_memory_live();
    oclm_status  status = OCLM_ERR_MEMORY;
    (void)state;
    for (size_t n = 1; status != OCLM_OK && n < 1000; n++) {
        oclm_batch *batch;
        core_memory_fail_at(n, false);
        status = encode_three(&batch);
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        oclm_batch_free(batch);
        assert_int_equal(core_memory_live(), live);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_without_options_has_the_ids_of_each_text),
        cmocka_unit_test(rows_are_padded_and_offsets_cover_the_text),
        cmocka_unit_test(names_and_lengths_come_from_the_files),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(threads_share_a_tokenizer),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
