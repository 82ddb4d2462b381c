/* Rows of keys and values leave the pages of one cache and arrive at the same places of another, as floats and as 8-bit integers with their scales;
 * nothing else is written. */
#include "cl/matrices.h"

enum { PAGE = 32, PAGES = 4, SEQUENCES = 2, PAGES_PER_SEQUENCE = 2, ROWS = 5 };

static const struct { const char *label; uint32_t head_dim, kv_heads; bool quantized; } cases[] = {
    { "floats", 12, 3, false },
    { "one head", 64, 1, false },
    { "bytes", 16, 2, true },
    { "fewer bytes than a scale has", 2, 1, true },
};
static const int32_t table[SEQUENCES * PAGES_PER_SEQUENCE] = { 2, 0, 3, 1 };
static const int32_t positions[ROWS] = { 0, 31, 32, 40, 63 }, sequences[ROWS] = { 0, 1, 0, 1, 1 };

typedef struct scene {
    dev_device *device;
    size_t      head_bytes, bytes; /* of a head's page; of all pages */
    dev_buffer  keys[2], values[2], table, positions, sequences, packed;
} scene;

static dev_buffer new_bytes(dev_device *device, const void *data, size_t bytes)
{
    dev_buffer buffer = { NULL, 0 };
    assert_ok(dev_buffer_new(device, bytes, "bytes of a test", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, data, bytes));
    return buffer;
}

static void add(const scene *s, dev_work *work, const char *kernel, size_t which, size_t c)
{
    char options[80];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DKV_HEADS=%u -DQUANTIZED=%d", cases[c].head_dim, cases[c].kv_heads, cases[c].quantized);
    const dev_arg args[] = { dev_arg_buffer(&s->keys[which]), dev_arg_buffer(&s->values[which]), dev_arg_buffer(&s->table),
                             dev_arg_u32(PAGES_PER_SEQUENCE), dev_arg_buffer(&s->positions), dev_arg_buffer(&s->sequences), dev_arg_buffer(&s->packed) };
    const dev_launch launch = { .source = "cache_rows", .kernel = kernel, .options = options, .dims = 3,
                                .global = { cases[c].head_dim, 2 * cases[c].kv_heads, ROWS }, .args = args, .arg_count = COUNT(args) };
    assert_ok(dev_work_add(work, &launch));
}

/* Marks the bytes of all rows' elements, by the layouts that kept.h describes. */
static void mark(size_t c, bool value, size_t head_bytes, uint8_t *moved)
{
    const size_t element = cases[c].quantized ? 1 : sizeof(float), dim = cases[c].head_dim;
    for (size_t r = 0; r < ROWS; r++) {
        const size_t page = (size_t)table[sequences[r] * PAGES_PER_SEQUENCE + positions[r] / PAGE], place = (size_t)positions[r] % PAGE;
        for (size_t h = 0; h < cases[c].kv_heads; h++) {
            uint8_t *head = moved + (page * cases[c].kv_heads + h) * head_bytes;
            for (size_t d = 0; d < dim; d++)
                memset(head + (value ? place * dim + d : d * PAGE + place) * element, 1, element);
            if (cases[c].quantized)
                memset(head + PAGE * dim + place * sizeof(float), 1, sizeof(float));
        }
    }
}

static void compare(const scene *s, size_t c, bool value, const dev_buffer *got, const uint8_t *from, uint8_t untouched)
{
    uint8_t *moved = core_alloc_zero(s->bytes, 1, "bytes of a test"), *now = core_alloc_zero(s->bytes, 1, "bytes of a test");
    assert_true(moved != NULL && now != NULL);
    mark(c, value, s->head_bytes, moved);
    assert_ok(dev_buffer_read(dev_queue(s->device), got, 0, now, s->bytes));
    for (size_t i = 0; i < s->bytes; i++) {
        if (now[i] != (moved[i] ? from[i] : untouched))
            fail_msg("%s: byte %zu of %s is %u, want %u", cases[c].label, i, value ? "values" : "keys", now[i], moved[i] ? from[i] : untouched);
    }
    core_free(moved);
    core_free(now);
}

static void move_rows(dev_device *device, size_t c)
{
    const size_t head_bytes = (size_t)PAGE * (cases[c].quantized ? cases[c].head_dim + sizeof(float) : cases[c].head_dim * sizeof(float));
    scene        s = { .device = device, .head_bytes = head_bytes, .bytes = PAGES * cases[c].kv_heads * head_bytes };
    uint8_t     *bytes[3];
    dev_work    *work;
    for (size_t i = 0; i < COUNT(bytes); i++) {
        assert_non_null(bytes[i] = core_alloc_zero(s.bytes, 1, "bytes of a test"));
        for (size_t b = 0; b < s.bytes; b++)
            bytes[i][b] = i == 2 ? 0xEE : (uint8_t)(b * 7 + b / 251 + i * 101);
    }
    s.keys[0] = new_bytes(device, bytes[0], s.bytes), s.values[0] = new_bytes(device, bytes[1], s.bytes);
    s.keys[1] = new_bytes(device, bytes[2], s.bytes), s.values[1] = new_bytes(device, bytes[2], s.bytes);
    s.table = new_bytes(device, table, sizeof table), s.positions = new_bytes(device, positions, sizeof positions);
    s.sequences = new_bytes(device, sequences, sizeof sequences);
    s.packed = new_bytes(device, bytes[2], ROWS * 2 * cases[c].kv_heads * (head_bytes / PAGE));
    assert_ok(dev_work_new(device, &work));
    add(&s, work, "cache_rows_take", 0, c);
    add(&s, work, "cache_rows_put", 1, c);
    assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
    compare(&s, c, false, &s.keys[1], bytes[0], 0xEE);
    compare(&s, c, true, &s.values[1], bytes[1], 0xEE);
    dev_work_free(work);
    dev_buffer *const all[] = { &s.keys[0], &s.keys[1], &s.values[0], &s.values[1], &s.table, &s.positions, &s.sequences, &s.packed };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(device, all[i]);
    for (size_t i = 0; i < COUNT(bytes); i++)
        core_free(bytes[i]);
}

static void move_on_device(dev_device *device, void *user)
{
    (void)user;
    for (size_t c = 0; c < COUNT(cases); c++)
        move_rows(device, c);
}

static void rows_arrive_where_they_were(void **state)
{
    (void)state;
    devices_each(move_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_arrive_where_they_were) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
