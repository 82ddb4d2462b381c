/* test_cache.c: the paged cache: what is held, what is shared, and that nobody writes what another reads. */
#include <string.h>

#include "device/devices.h"

#include "core/memory.h"
#include "model/cache.h"

static const model_architecture shape = { .layers = 2, .kv_heads = 2, .head_dim = 3 };
#define SHAPE(sequences_, positions_) (&(model_cache_shape){ .sequences = (sequences_), .positions = (positions_), .rows = 64 })
#define PAGE_FLOATS (MODEL_PAGE * 2 * 3)

static int32_t page_of(const model_cache *cache, uint32_t sequence, uint32_t page)
{
    return cache->host_table[sequence * cache->pages_per_sequence + page];
}

/* Every page is counted as often as tables name it, free pages are named by none, and all pages are accounted for. */
static void check_books(const model_cache *cache)
{
    uint32_t named[64] = { 0 }, in_use = 0;
    assert_in_range(cache->pages, 1, COUNT(named));
    for (uint32_t s = 0; s < cache->sequences; s++) {
        for (uint32_t i = 0; i < cache->pages_per_sequence; i++) {
            const int32_t page = page_of(cache, s, i);
            assert_int_equal(page >= 0, i < cache->held[s]);
            if (page >= 0)
                named[page]++;
        }
        assert_true(cache->lengths[s] <= cache->held[s] * MODEL_PAGE);
    }
    for (uint32_t i = 0; i < cache->pages; i++) {
        assert_int_equal(cache->references[i], named[i]);
        in_use += named[i] > 0;
    }
    assert_int_equal(cache->free_count + in_use, cache->pages);
    for (uint32_t i = 0; i < cache->free_count; i++)
        assert_int_equal(cache->references[cache->free_pages[i]], 0);
}

/* What a forward pass does: room for `count` more, then they are there. */
static oclm_status grow(model_cache *cache, uint32_t sequence, uint32_t count)
{
    oclm_status status = model_cache_reserve(cache, sequence, cache->lengths[sequence] + count);
    if (status == OCLM_OK)
        cache->lengths[sequence] += count;
    return status;
}

static void pages_on_device(dev_device *device, void *user)
{
    model_cache cache;
    (void)user;
    const uint64_t before = dev_memory_used(device);
    assert_ok(model_cache_new(device, &shape, SHAPE(3, 100), &cache));
    assert_int_equal(dev_memory_used(device) - before, model_cache_bytes(&shape, SHAPE(3, 100)));
    assert_int_equal(cache.pages_per_sequence, 4);
    assert_int_equal(cache.pages, 12);
    check_books(&cache);

    assert_ok(grow(&cache, 0, 33));
    assert_int_equal(cache.held[0], 2);
    assert_ok(model_cache_reserve(&cache, 0, 34)); /* room that is there already */
    assert_int_equal(cache.held[0], 2);
    assert_ok(grow(&cache, 0, 95));
    assert_int_equal(cache.held[0], 4);
    assert_status(grow(&cache, 0, 1), OCLM_ERR_CAPACITY);
    assert_int_equal(cache.lengths[0], 128);
    check_books(&cache);
    model_cache_truncate(&cache, 0, 64);
    assert_int_equal(cache.held[0], 2);
    assert_int_equal(cache.lengths[0], 64);
    model_cache_truncate(&cache, 0, 500); /* nothing to cut */
    assert_int_equal(cache.lengths[0], 64);
    check_books(&cache);
    model_cache_free(device, &cache);
    assert_int_equal(dev_memory_used(device), before);
}

static void pages_are_taken_and_given_back(void **state)
{
    (void)state;
    devices_each(pages_on_device, NULL);
}

static void fill_page(dev_device *device, const model_cache *cache, int32_t page, float base)
{
    float floats[PAGE_FLOATS];
    for (uint32_t layer = 0; layer < cache->layer_count; layer++) {
        for (uint32_t i = 0; i < PAGE_FLOATS; i++)
            floats[i] = base + (float)(layer * 1000 + i);
        assert_ok(dev_buffer_write(dev_queue(device), &cache->keys[layer], (size_t)page * sizeof floats, floats, sizeof floats));
        assert_ok(dev_buffer_write(dev_queue(device), &cache->values[layer], (size_t)page * sizeof floats, floats, sizeof floats));
    }
}

static void check_page(dev_device *device, const model_cache *cache, int32_t page, float base)
{
    float keys[PAGE_FLOATS], values[PAGE_FLOATS];
    for (uint32_t layer = 0; layer < cache->layer_count; layer++) {
        assert_ok(dev_buffer_read(dev_queue(device), &cache->keys[layer], (size_t)page * sizeof keys, keys, sizeof keys));
        assert_ok(dev_buffer_read(dev_queue(device), &cache->values[layer], (size_t)page * sizeof keys, values, sizeof values));
        for (uint32_t i = 0; i < PAGE_FLOATS; i++) {
            assert_true(keys[i] == base + (float)(layer * 1000 + i));
            assert_true(values[i] == keys[i]);
        }
    }
}

static void forks_on_device(dev_device *device, void *user)
{
    cl_command_queue queue = dev_queue(device);
    model_cache      cache;
    int32_t          table[12];
    (void)user;
    assert_ok(model_cache_new(device, &shape, SHAPE(3, 100), &cache));
    assert_ok(grow(&cache, 0, 70));
    fill_page(device, &cache, page_of(&cache, 0, 2), 5.0f);
    assert_ok(model_cache_fork(&cache, queue, 0, 1));
    assert_int_equal(cache.lengths[1], 70);
    assert_int_equal(page_of(&cache, 1, 0), page_of(&cache, 0, 0)); /* whole pages are shared, */
    assert_int_equal(page_of(&cache, 1, 1), page_of(&cache, 0, 1));
    assert_int_not_equal(page_of(&cache, 1, 2), page_of(&cache, 0, 2)); /* the last one, to be written, is copied */
    check_page(device, &cache, page_of(&cache, 1, 2), 5.0f);
    check_books(&cache);
    assert_status(model_cache_fork(&cache, queue, 0, 1), OCLM_ERR_INTERNAL); /* it is not empty any more */

    /* Cut back into a shared page, both write it: the first gets a copy, the last keeps the page. */
    fill_page(device, &cache, page_of(&cache, 0, 1), 7.0f);
    const int32_t shared = page_of(&cache, 0, 1);
    model_cache_truncate(&cache, 0, 40);
    model_cache_truncate(&cache, 1, 40);
    assert_ok(grow(&cache, 1, 1));
    assert_ok(grow(&cache, 0, 1));
    assert_int_equal(page_of(&cache, 0, 1), shared);
    assert_int_not_equal(page_of(&cache, 1, 1), shared);
    assert_ok(model_cache_sync(&cache, queue));
    check_page(device, &cache, page_of(&cache, 1, 1), 7.0f);
    check_books(&cache);
    assert_ok(dev_buffer_read(queue, &cache.table, 0, table, sizeof table));
    assert_memory_equal(table, cache.host_table, sizeof table);
    model_cache_free(device, &cache);
}

static void forks_share_whole_pages_and_copy_what_they_write(void **state)
{
    (void)state;
    devices_each(forks_on_device, NULL);
}

/* A fork while copies are still due, of pages that were given back since: contents must be those of the moment of sharing. */
static void due_copies_on_device(dev_device *device, void *user)
{
    cl_command_queue queue = dev_queue(device);
    model_cache      cache;
    (void)user;
    assert_ok(model_cache_new(device, &shape, SHAPE(4, 40), &cache));
    assert_ok(grow(&cache, 0, 32));
    fill_page(device, &cache, page_of(&cache, 0, 0), 3.0f);
    assert_ok(model_cache_fork(&cache, queue, 0, 1));
    model_cache_truncate(&cache, 1, 20);
    assert_ok(grow(&cache, 1, 4));             /* notes a copy */
    model_cache_truncate(&cache, 0, 0);        /* the page it is copied from goes back */
    assert_ok(grow(&cache, 2, 1));             /* and is taken by another */
    assert_int_equal(cache.copy_count, 1);
    assert_ok(model_cache_fork(&cache, queue, 1, 3));
    assert_int_equal(cache.copy_count, 0);
    check_page(device, &cache, page_of(&cache, 1, 0), 3.0f);
    check_page(device, &cache, page_of(&cache, 3, 0), 3.0f);
    check_books(&cache);
    assert_ok(grow(&cache, 0, 32));
    assert_status(model_cache_fork(&cache, queue, 0, 0), OCLM_ERR_INTERNAL);
    model_cache_free(device, &cache);
}

static void copies_that_are_due_survive_what_happens_in_between(void **state)
{
    (void)state;
    devices_each(due_copies_on_device, NULL);
}

/* Thousands of random steps. After each, the books are right, and the page where a sequence writes next is its own. */
static void random_steps_on_device(dev_device *device, void *user)
{
    model_cache cache;
    uint32_t    random = 12345;
    (void)user;
    assert_ok(model_cache_new(device, &shape, SHAPE(5, 96), &cache));
    for (uint32_t step = 0; step < (devices_is_slow(device) ? 300u : 3000u); step++) {
        random = random * 1664525u + 1013904223u;
        const uint32_t s = (random >> 8) % 5, other = (random >> 12) % 5, amount = (random >> 16) % 50;
        switch ((random >> 28) % 4) {
        case 0:
            model_cache_truncate(&cache, s, amount);
            break;
        case 1:
            if (s != other) {
                model_cache_truncate(&cache, other, 0);
                const oclm_status status = model_cache_fork(&cache, dev_queue(device), s, other);
                assert_true(status == OCLM_OK || (status == OCLM_ERR_CAPACITY && cache.free_count == 0));
            }
            break;
        case 2:
            assert_ok(model_cache_sync(&cache, dev_queue(device)));
            break;
        default:
            if (grow(&cache, s, amount) == OCLM_OK && amount > 0)
                assert_int_equal(cache.references[page_of(&cache, s, (cache.lengths[s] - 1) / MODEL_PAGE)], 1);
        }
        check_books(&cache);
    }
    model_cache_free(device, &cache);
}

static void books_stay_right_through_random_steps(void **state)
{
    (void)state;
    devices_each(random_steps_on_device, NULL);
}

static void limits_on_device(dev_device *device, void *user)
{
    const model_architecture huge = { .layers = 1, .kv_heads = 64, .head_dim = 1024 };
    model_cache cache;
    oclm_status status = OCLM_ERR_MEMORY;
    (void)user;
    const uint64_t used = dev_memory_used(device);
    assert_status(model_cache_check(device, &huge, SHAPE(4096, 1u << 24)), OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "positions would fit"));
    for (size_t n = 1; status != OCLM_OK; n++) {
        const size_t live = core_memory_live();
        core_memory_fail_at(n, true);
        status = model_cache_new(device, &shape, SHAPE(3, 100), &cache);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK)
            model_cache_free(device, &cache);
        else
            assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
        assert_int_equal(dev_memory_used(device), used);
        assert_in_range(n, 1, 1000);
    }
}

static void too_much_and_failing_allocations_are_told(void **state)
{
    (void)state;
    devices_each(limits_on_device, NULL);
}

/* ---- Windows: what a sequence of 32,768 positions costs */

/* gemma-3-270m: each sixth layer sees everything. */
static model_architecture gemma3(void)
{
    model_architecture a = { .layers = 18, .kv_heads = 1, .head_dim = 256 };
    for (uint32_t i = 0; i < a.layers; i++)
        a.layer[i].window = i % 6 == 5 ? 0 : 512;
    return a;
}

static void layers_with_a_window_keep_no_more_than_it_needs(void **state)
{
    (void)state;
    const model_architecture a = gemma3();
    const uint64_t           token = 2 * 256 * sizeof(float), table = 1024 * sizeof(int32_t); /* of one layer; of 1024 pages */
    model_cache_shape        cache = { .sequences = 1, .positions = 32768, .rows = 512, .whole_windows = true };
    assert_int_equal(model_cache_bytes(&a, &cache), 18 * 32768 * token + table); /* 1152 MiB */
    assert_int_equal(model_cache_ring_bytes(&a, &cache), 0);
    cache.whole_windows = false;
    assert_int_equal(model_ring_pages(&a, &cache), 33); /* of 32 positions: 511 that are seen and 512 of a pass, wherever they begin */
    assert_int_equal(model_cache_ring_bytes(&a, &cache), 15 * 33 * 32 * token);
    assert_int_equal(model_cache_bytes(&a, &cache), (3 * 32768 + 15 * 33 * 32) * token + 2 * table); /* 223 MiB */
    cache.sequences = 4;
    assert_int_equal(model_cache_bytes(&a, &cache), 4 * ((3 * 32768 + 15 * 33 * 32) * token + 2 * table));
    cache.rows = 1;
    assert_int_equal(model_ring_pages(&a, &cache), (511 + 256 + 62) / 32); /* some to go back to */
    cache.positions = 800;
    assert_int_equal(model_ring_pages(&a, &cache), 0); /* all 25 are no more */
    assert_int_equal(model_cache_bytes(&a, &cache), 4 * 18 * 25 * 32 * token + 4 * 25 * sizeof(int32_t));
    cache.positions = 801;
    assert_int_equal(model_ring_pages(&a, &cache), 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_taken_and_given_back),
        cmocka_unit_test(forks_share_whole_pages_and_copy_what_they_write),
        cmocka_unit_test(copies_that_are_due_survive_what_happens_in_between),
        cmocka_unit_test(books_stay_right_through_random_steps),
        cmocka_unit_test(layers_with_a_window_keep_no_more_than_it_needs),
        cmocka_unit_test(too_much_and_failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
