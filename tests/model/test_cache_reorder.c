/* test_cache_reorder.c: after a reordering each sequence reads what its origin held, whole pages, the page being filled and states alike, on
 * every device; and what a sequence writes then, no other sees. Against copies of everything, in plain arrays. */
#include <string.h>

#include "device/devices.h"

#include "core/memory.h"
#include "model/cache_reorder.h"

#define LAYERS    6
#define KV_HEADS  2
#define HEAD_DIM  3
#define PAGE      (MODEL_PAGE * KV_HEADS * HEAD_DIM)
#define POSITIONS 130u
#define GROUPS    2u

/* Attention, a convolution of 3 taps over 5 channels (states that are no multiple of 4 floats), attention, ... */
static model_architecture shape_of(bool hybrid)
{
    model_architecture a = { .layers = LAYERS, .kv_heads = KV_HEADS, .head_dim = HEAD_DIM, .hidden_size = 5 };
    a.short_conv.taps = 4;
    if (hybrid)
        a.layer[1].mixer = MODEL_MIXER_SHORT_CONV;
    return a;
}

typedef struct scene {
    dev_device *device;
    model_cache cache;
    dev_buffer  origins, positions;
    dev_work   *work;
    uint32_t    group, sequences;
    float       held[8][POSITIONS]; /* a number for each position of each sequence: what all of its keys and values are */
    float       state[8];
} scene;

/* Writes a float to what is of one position in a page: keys [heads][dim][page], values [heads][page][dim]. */
static void write_position(scene *s, const int32_t *table, uint32_t sequence, uint32_t position, float value)
{
    const size_t start = (size_t)table[sequence * s->cache.pages_per_sequence + position / MODEL_PAGE] * PAGE;
    const float  values[HEAD_DIM] = { value, value + 0.25f, value + 0.5f };
    for (uint32_t i = 0; i < LAYERS; i++) {
        if (s->cache.keys[i].memory == NULL)
            continue;
        for (uint32_t h = 0; h < KV_HEADS; h++) {
            for (uint32_t d = 0; d < HEAD_DIM; d++)
                assert_ok(dev_buffer_write(dev_queue(s->device), &s->cache.keys[i],
                                           (start + (h * HEAD_DIM + d) * MODEL_PAGE + position % MODEL_PAGE) * sizeof(float), &values[d], sizeof(float)));
            assert_ok(dev_buffer_write(dev_queue(s->device), &s->cache.values[i],
                                       (start + (h * MODEL_PAGE + position % MODEL_PAGE) * HEAD_DIM) * sizeof(float), values, sizeof values));
        }
    }
}

static void check_position(scene *s, const int32_t *table, float *const *keys, float *const *values, uint32_t sequence, uint32_t position)
{
    const size_t start = (size_t)table[sequence * s->cache.pages_per_sequence + position / MODEL_PAGE] * PAGE;
    const float  want = s->held[sequence][position];
    for (uint32_t i = 0; i < LAYERS; i++) {
        for (uint32_t h = 0; h < KV_HEADS && keys[i] != NULL; h++) {
            const float key = keys[i][start + (h * HEAD_DIM + 1) * MODEL_PAGE + position % MODEL_PAGE];
            const float value = values[i][start + (h * MODEL_PAGE + position % MODEL_PAGE) * HEAD_DIM + 2];
            if (key != want + 0.25f || value != want + 0.5f)
                fail_msg("group of %u, layer %u: sequence %u, position %u holds %g and %g, want %g", s->group, i, sequence, position,
                         (double)key - 0.25, (double)value - 0.5, (double)want);
        }
    }
}

static void check_all(scene *s, uint32_t length)
{
    float   *keys[LAYERS] = { NULL }, *values[LAYERS] = { NULL };
    int32_t *table = core_alloc(s->cache.table.bytes, "the page table");
    assert_non_null(table);
    assert_ok(dev_buffer_read(dev_queue(s->device), &s->cache.table, 0, table, s->cache.table.bytes));
    for (uint32_t i = 0; i < LAYERS; i++) {
        if (s->cache.keys[i].memory == NULL)
            continue;
        keys[i] = core_alloc(s->cache.keys[i].bytes, "keys");
        values[i] = core_alloc(s->cache.values[i].bytes, "values");
        assert_true(keys[i] && values[i]);
        assert_ok(dev_buffer_read(dev_queue(s->device), &s->cache.keys[i], 0, keys[i], s->cache.keys[i].bytes));
        assert_ok(dev_buffer_read(dev_queue(s->device), &s->cache.values[i], 0, values[i], s->cache.values[i].bytes));
    }
    for (uint32_t r = 0; r < s->sequences; r++) {
        for (uint32_t p = 0; p < length; p++)
            check_position(s, table, keys, values, r, p);
    }
    for (uint32_t i = 0; i < s->cache.recurrent.layer_count; i++) {
        const size_t bytes = s->cache.recurrent.tail_bytes[i];
        float        tail[32];
        assert_true(bytes <= sizeof tail);
        for (uint32_t r = 0; r < s->sequences && bytes > 0; r++) {
            assert_ok(dev_buffer_read(dev_queue(s->device), &s->cache.recurrent.tails[i], r * bytes, tail, bytes));
            for (size_t k = 0; k < bytes / sizeof *tail; k++)
                assert_true(tail[k] == s->state[r]);
        }
    }
    for (uint32_t i = 0; i < LAYERS; i++) {
        core_free(keys[i]);
        core_free(values[i]);
    }
    core_free(table);
}

/* The next position of each sequence, and its state. */
static void grow(scene *s, uint32_t position)
{
    int32_t *table = core_alloc(s->cache.table.bytes, "the page table");
    assert_non_null(table);
    assert_ok(dev_buffer_read(dev_queue(s->device), &s->cache.table, 0, table, s->cache.table.bytes));
    for (uint32_t r = 0; r < s->sequences; r++) {
        s->held[r][position] = (float)(position * 8 + r);
        write_position(s, table, r, position, s->held[r][position]);
        s->state[r] = (float)(position * 8 + r);
        for (uint32_t i = 0; i < s->cache.recurrent.layer_count; i++) {
            float        tail[32];
            const size_t bytes = s->cache.recurrent.tail_bytes[i];
            for (size_t k = 0; k < COUNT(tail); k++)
                tail[k] = s->state[r];
            assert_ok(dev_buffer_write(dev_queue(s->device), &s->cache.recurrent.tails[i], r * bytes, tail, bytes));
        }
    }
    core_free(table);
}

static void reorder(scene *s, uint32_t length, uint32_t seed)
{
    int32_t  origins[8], positions[8];
    float    held[8][POSITIONS], state[8];
    for (uint32_t r = 0; r < s->sequences; r++) {
        seed = seed * 1664525u + 1013904223u;
        origins[r] = (int32_t)(r / s->group * s->group + (seed >> 16) % s->group);
        positions[r] = (int32_t)length;
    }
    memcpy(held, s->held, sizeof held);
    memcpy(state, s->state, sizeof state);
    for (uint32_t r = 0; r < s->sequences; r++) {
        memcpy(s->held[r], held[origins[r]], sizeof held[0]);
        s->state[r] = state[origins[r]];
    }
    assert_ok(dev_buffer_write(dev_queue(s->device), &s->origins, 0, origins, s->origins.bytes));
    assert_ok(dev_buffer_write(dev_queue(s->device), &s->positions, 0, positions, s->positions.bytes));
    assert_ok(dev_work_enqueue(s->work, dev_queue(s->device), NULL));
    assert_ok(dev_finish(dev_queue(s->device)));
}

static void open_scene(scene *s, dev_device *device, uint32_t group, bool hybrid)
{
    static model_architecture a;
    a = shape_of(hybrid);
    memset(s, 0, sizeof *s);
    s->device = device;
    s->group = group;
    s->sequences = group * GROUPS;
    const model_cache_shape shape = { .sequences = s->sequences, .positions = POSITIONS, .rows = s->sequences, .whole_windows = true };
    assert_ok(model_cache_new(device, &a, &shape, &s->cache));
    assert_ok(dev_buffer_new(device, s->sequences * sizeof(int32_t), "origins", &s->origins));
    assert_ok(dev_buffer_new(device, s->sequences * sizeof(int32_t), "positions", &s->positions));
    assert_ok(dev_work_new(device, &s->work));
    const model_reorder r = { .groups = GROUPS, .group = group, .origins = s->origins, .positions = s->positions };
    assert_ok(model_reorder_add(&s->cache, s->work, &r));
}

static void close_scene(scene *s)
{
    dev_work_free(s->work);
    dev_buffer_free(s->device, &s->origins);
    dev_buffer_free(s->device, &s->positions);
    model_cache_free(s->device, &s->cache);
}

/* A prompt of 40 positions in the first of each group, shared by the others; then each grows, reordered after some of its steps. */
static void try_reordering(dev_device *device, uint32_t group, bool hybrid)
{
    const uint32_t prompt = 40, last = devices_is_slow(device) ? 44 : POSITIONS;
    scene          s;
    open_scene(&s, device, group, hybrid);
    for (uint32_t g = 0; g < GROUPS; g++) {
        const uint32_t first = g * group;
        assert_ok(model_cache_reserve(&s.cache, first, prompt));
        s.cache.lengths[first] = prompt;
        for (uint32_t p = 0; p < prompt; p++) {
            write_position(&s, s.cache.host_table, first, p, (float)(1000 * g + p));
            for (uint32_t k = 0; k < group; k++)
                s.held[first + k][p] = (float)(1000 * g + p);
        }
        for (uint32_t k = 1; k < group; k++)
            assert_ok(model_cache_fork(&s.cache, dev_queue(device), first, first + k));
    }
    for (uint32_t r = 0; r < s.sequences; r++)
        assert_ok(model_cache_reserve(&s.cache, r, POSITIONS));
    assert_ok(model_cache_sync(&s.cache, dev_queue(device)));
    for (uint32_t p = prompt; p < last; p++) {
        grow(&s, p);
        if (p % 3 != 1 || p % MODEL_PAGE > MODEL_PAGE - 3)
            reorder(&s, p + 1, p);
        if (p % 9 == 0 || p % MODEL_PAGE < 2)
            check_all(&s, p + 1);
    }
    check_all(&s, last);
    model_reorder_end(&s.cache);
    assert_true(s.cache.dirty);
    for (uint32_t r = 0; r < s.sequences; r++)
        model_cache_truncate(&s.cache, r, 0);
    assert_int_equal(s.cache.free_count, s.cache.pages);
    close_scene(&s);
}

static void on_device(dev_device *device, void *user)
{
    (void)user;
    try_reordering(device, 3, false);
    try_reordering(device, 2, true);
    if (!devices_is_slow(device))
        try_reordering(device, 4, false);
}

static void sequences_go_on_from_their_origins(void **state)
{
    (void)state;
    devices_each(on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sequences_go_on_from_their_origins) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
