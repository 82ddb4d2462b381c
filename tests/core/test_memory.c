/* test_memory.c: memory, checked products, and requests made to fail. */
#include "core/unit.h"

#include <pthread.h>
#include <stdatomic.h>

static void nothing_is_still_a_pointer(void **state)
{
    (void)state;
    const size_t live = core_memory_live();
    void *blocks[] = { core_alloc(0, "x"), core_alloc_zero(0, 8, "x"), core_alloc_array(8, 0, "x"), core_copy(NULL, 0, "x"),
                       core_realloc_array(NULL, 0, 1, "x") };
    for (size_t i = 0; i < COUNT(blocks); i++) {
        assert_non_null(blocks[i]);
        core_free(blocks[i]);
    }
    core_free(NULL);
    assert_int_equal(core_memory_live(), live);
}

static void zeroed_memory_is_zero_and_copies_are_equal(void **state)
{
    (void)state;
    unsigned char *zero = core_alloc_zero(1000, 3, "zeros");
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(zero[i], 0);
    char *text = core_copy_string("text", "a text");
    char *bytes = core_copy("a\0b", 3, "bytes");
    assert_string_equal(text, "text");
    assert_memory_equal(bytes, "a\0b", 3);
    assert_null(core_copy_string(NULL, "nothing"));
    core_free(zero);
    core_free(text);
    core_free(bytes);
}

static void growing_keeps_the_content_and_counts_once(void **state)
{
    (void)state;
    const size_t live = core_memory_live();
    uint32_t    *numbers = core_alloc_array(2, sizeof *numbers, "numbers");
    numbers[0] = 7, numbers[1] = 9;
    numbers = core_realloc_array(numbers, 100000, sizeof *numbers, "numbers");
    assert_int_equal(numbers[0], 7);
    assert_int_equal(numbers[1], 9);
    assert_int_equal(core_memory_live(), live + 1);
    core_free(numbers);
    assert_int_equal(core_memory_live(), live);
}

static void an_array_grows_when_it_is_full(void **state)
{
    (void)state;
    uint32_t *all = NULL;
    size_t    room = 0;
    for (uint32_t count = 0; count < 9; count++) {
        assert_non_null(all = core_grow_array(all, count, &room, 4, sizeof *all, "numbers"));
        assert_int_equal(room, count < 4 ? 4 : count < 8 ? 8 : 16);
        all[count] = count;
    }
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(all[i], i);
    core_memory_fail_at(1, false);
    assert_ptr_equal(core_grow_array(all, 15, &room, 4, sizeof *all, "numbers"), all);
    assert_null(core_grow_array(all, 16, &room, 4, sizeof *all, "numbers"));
    assert_int_equal(room, 16);
    size_t hostile = SIZE_MAX;
    assert_null(core_grow_array(all, SIZE_MAX, &hostile, 4, sizeof *all, "too many numbers"));
    assert_non_null(strstr(oclm_last_error(), "too many numbers"));
    core_free(all);
}

static void products_and_sums_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        size_t a, b;
        bool   product, sum;
    } cases[] = {
        { 0, 0, true, true },
        { 0, SIZE_MAX, true, true },
        { SIZE_MAX, 0, true, true },
        { 1, SIZE_MAX, true, false },
        { SIZE_MAX, 1, true, false },
        { 2, SIZE_MAX / 2, true, true },
        { 2, SIZE_MAX / 2 + 1, false, true },
        { SIZE_MAX, SIZE_MAX, false, false },
        { (size_t)1 << 32, (size_t)1 << 31, true, true },
        { (size_t)1 << 32, (size_t)1 << 32, false, true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t product = 123, sum = 123;
        if (core_mul_size(cases[i].a, cases[i].b, &product) != cases[i].product ||
            core_add_size(cases[i].a, cases[i].b, &sum) != cases[i].sum)
            fail_msg("%zu and %zu", cases[i].a, cases[i].b);
        assert_int_equal(product, cases[i].product ? cases[i].a * cases[i].b : 123);
        assert_int_equal(sum, cases[i].sum ? cases[i].a + cases[i].b : 123);
    }
    assert_null(core_alloc_array(SIZE_MAX / 2, 3, "a hostile count"));
    assert_non_null(strstr(oclm_last_error(), "a hostile count"));
    assert_null(core_alloc_zero(SIZE_MAX / 2, 3, "a hostile count"));
}

static void a_failed_growth_leaves_the_old_block(void **state)
{
    (void)state;
    char *text = core_copy_string("still here", "a text");
    assert_null(core_realloc_array(text, SIZE_MAX, 2, "too much"));
    core_memory_fail_at(1, false);
    assert_null(core_realloc_array(text, 100, 1, "a growing text"));
    assert_string_equal(text, "still here");
    assert_non_null(strstr(oclm_last_error(), "100 bytes"));
    assert_non_null(strstr(oclm_last_error(), "a growing text"));
    core_free(text);
}

static void the_nth_request_fails_once_or_for_ever(void **state)
{
    (void)state;
    for (int forever = 0; forever <= 1; forever++) {
        for (size_t n = 1; n <= 4; n++) {
            core_memory_fail_at(n, forever != 0);
            for (size_t i = 1; i <= 6; i++) {
                void *block = core_alloc(8, "a block");
                if ((block == NULL) != (forever ? i >= n : i == n))
                    fail_msg("request %zu with failure at %zu, for ever %d", i, n, forever);
                core_free(block);
            }
            core_memory_fail_at(0, false);
            void *block = core_alloc(8, "a block");
            assert_non_null(block);
            core_free(block);
        }
    }
}

static atomic_size_t failures;

static void *allocate_much(void *user)
{
    (void)user;
    for (size_t i = 0; i < 2000; i++) {
        void *block = core_alloc(16, "a block");
        if (block == NULL)
            atomic_fetch_add(&failures, 1);
        core_free(block);
    }
    return NULL;
}

static void among_threads_exactly_one_request_fails(void **state)
{
    pthread_t    threads[4];
    const size_t live = core_memory_live();
    (void)state;
    atomic_store(&failures, 0);
    core_memory_fail_at(3001, false);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_much, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    core_memory_fail_at(0, false);
    assert_int_equal(atomic_load(&failures), 1);
    assert_int_equal(core_memory_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_still_a_pointer),
        cmocka_unit_test(zeroed_memory_is_zero_and_copies_are_equal),
        cmocka_unit_test(growing_keeps_the_content_and_counts_once),
        cmocka_unit_test(an_array_grows_when_it_is_full),
        cmocka_unit_test(products_and_sums_that_do_not_fit_are_refused),
        cmocka_unit_test(a_failed_growth_leaves_the_old_block),
        cmocka_unit_test(the_nth_request_fails_once_or_for_ever),
        cmocka_unit_test(among_threads_exactly_one_request_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
