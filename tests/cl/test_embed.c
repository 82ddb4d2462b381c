/* Gathered rows are the weight's, times a scale: the product to the last bit; added, within the rounding of a product and a sum
 * (2^-24 of each). Matrices lie in one part and in several. */
#include "cl/launches.h"
#include "device/device_internal.h"

static const core_dtype dtypes[] = { CORE_F32, CORE_F16, CORE_BF16 };

typedef struct problem {
    const char *label;
    uint32_t    rows, columns, count;
    float       scale;
    bool        add;
    uint32_t    panels_in_a_part; /* 0: as the device likes */
    bool        large;
} problem;

static const problem problems[] = {
    { "one element", 1, 1, 1, 1.0f, false, 0, false },
    { "a column less than a block", 33, 63, 3, 1.0f, false, 0, false },
    { "a block, scaled", 32, 64, 5, 0.7f, false, 0, false },
    { "a column more than a block, added", 70, 65, 7, 1.3f, true, 0, false },
    { "in parts", 150, 37, 23, 3.1f, false, 2, false },
    { "in parts, added", 150, 37, 23, 0.3f, true, 2, false },
    { "SmolLM2's width", 500, 576, 13, 1.0f, false, 4, true },
};

/* Ids of all rows in turn, and some that are none: those mean row 0. */
static int32_t id_at(const problem *p, uint32_t i)
{
    static const int32_t wrong[] = { -1, INT32_MIN, INT32_MAX, 0 };
    if (i % 6 == 5)
        return wrong[i / 6 % 4] == 0 ? (int32_t)p->rows : wrong[i / 6 % 4];
    return (int32_t)((i * 37u + p->rows - 1) % p->rows);
}

typedef struct stage {
    const problem *p;
    float         *w, *before;
    int32_t       *ids;
    dev_matrix     matrix;
    dev_buffer     ids_buffer, y;
    uint32_t       ids_offset, y_stride;
} stage;

static stage open_stage(dev_device *device, const problem *p, core_dtype dtype)
{
    stage    s = { .p = p, .ids_offset = 3, .y_stride = p->columns + 5 };
    uint64_t largest = device->traits.info.max_alloc_bytes;
    s.w = new_numbers(1, (size_t)p->rows * p->columns);
    s.before = new_numbers(2, (size_t)p->count * p->columns);
    s.ids = core_alloc_array(p->count + s.ids_offset, sizeof *s.ids, "ids");
    assert_non_null(s.ids);
    for (uint32_t i = 0; i < s.ids_offset + p->count; i++)
        s.ids[i] = i < s.ids_offset ? 0 : id_at(p, i - s.ids_offset);
    s.ids_buffer = new_bytes(device, s.ids, (p->count + s.ids_offset) * sizeof *s.ids);
    if (p->panels_in_a_part)
        device->traits.info.max_alloc_bytes = (uint64_t)p->panels_in_a_part * 32 * p->columns * core_dtype_size(dtype);
    s.matrix = new_matrix(device, dtype, s.w, p->rows, p->columns);
    device->traits.info.max_alloc_bytes = largest;
    if (p->panels_in_a_part)
        assert_int_equal(s.matrix.part_count, (s.matrix.panels + p->panels_in_a_part - 1) / p->panels_in_a_part);
    return s;
}

static void close_stage(dev_device *device, stage *s)
{
    dev_matrix_free(device, &s->matrix);
    dev_buffer_free(device, &s->ids_buffer);
    core_free(s->w);
    core_free(s->before);
    core_free(s->ids);
}

static void check_rows(const stage *s, const char *how, const float *y)
{
    const problem *p = s->p;
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t k = 0; k < s->y_stride; k++) {
            const int32_t  id = id_at(p, i);
            const uint32_t row = id < 0 || (uint32_t)id >= p->rows ? 0 : (uint32_t)id;
            const float    got = y[(size_t)i * s->y_stride + k];
            if (k >= p->columns) {
                if (!isnan(got))
                    fail_msg("%s%s: row %u, element %u behind it was written: %g", p->label, how, i, k, (double)got);
                continue;
            }
            const double product = (double)p->scale * s->w[(size_t)row * p->columns + k], was = s->before[(size_t)i * p->columns + k];
            const double want = p->add ? was + product : (double)(float)product;
            const double error = p->add ? 0x1p-24 * (fabs(product) + fabs(want)) : 0;
            if (!(fabs(got - want) <= error))
                fail_msg("%s%s, %s: id %d, element %u: %.9g, want %.9g within %.3g", p->label, how, core_dtype_name((core_dtype)dev_matrix_storage(&s->matrix)->code), (int)id, k,
                         (double)got, want, error);
        }
}

/* As the runtime records it, or (block > 0) by a launch of our own on a matrix of one part. */
static void try_gather(dev_device *device, stage *s, int block, const char *more)
{
    const problem *p = s->p;
    char           options[96];
    dev_buffer     y = p->add ? new_rows(device, s->before, p->count, p->columns, s->y_stride, 0)
                              : new_nan_buffer(device, (size_t)p->count * s->y_stride);
    if (block == 0) {
        dev_work *work = NULL;
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_rows_add(work, &s->matrix, &s->ids_buffer, s->ids_offset, p->count, p->scale, p->add, &y, s->y_stride));
        assert_int_equal(dev_work_count(work), s->matrix.part_count);
        run_work(device, work);
        dev_work_free(work);
    } else {
        const dev_arg args[] = { dev_arg_buffer(&y), dev_arg_u32(s->y_stride), dev_arg_buffer(&s->ids_buffer), dev_arg_u32(s->ids_offset),
                                 dev_arg_buffer(&s->matrix.parts[0].buffer), dev_arg_u32(p->columns), dev_arg_u32(p->rows), dev_arg_u32(0),
                                 dev_arg_u32(s->matrix.panels * 32), dev_arg_f32(p->scale) };
        snprintf(options, sizeof options, "-DSTORAGE=%d -DADD=%d -DBLOCK=%d%s", (int)dev_matrix_storage(&s->matrix)->code, (int)p->add, block, more);
        const dev_launch launch = { .source = "embed", .kernel = "rows_gather", .options = options, .dims = 2,
                                    .global = { (p->columns + (uint32_t)block - 1) / (uint32_t)block, p->count }, .args = args, .arg_count = COUNT(args) };
        run_launch(device, &launch);
    }
    float *got = read_floats(device, &y);
    check_rows(s, block == 0 ? " as the runtime records it" : more, got);
    core_free(got);
    dev_buffer_free(device, &y);
}

static void try_problems(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(problems); i++) {
        if (problems[i].large && devices_is_slow(device))
            continue;
        for (size_t d = 0; d < COUNT(dtypes); d++) {
            stage s = open_stage(device, &problems[i], dtypes[d]);
            try_gather(device, &s, 0, "");
            if (s.matrix.part_count == 1) {
                try_gather(device, &s, 1, " -DHAS_VLOAD_HALF"); /* for lanes */
                try_gather(device, &s, 64, "");
                try_gather(device, &s, 17, "");
            }
            close_stage(device, &s);
        }
    }
}

static void rows_are_gathered_scaled_and_added_from_every_part(void **state)
{
    (void)state;
    devices_each(try_problems, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_gathered_scaled_and_added_from_every_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
