/* bench_matmul.c: products of a model's shapes, beside what the device reads per second in the same run.
 *
 * usage: bench_matmul [float32|float16|bfloat16] [ROWS]
 *
 * Each shape is multiplied with so many matrices of its own that none is still in a cache when its turn comes again, in one list
 * of launches as a forward pass has it. A line: shape, time of a product, weights read per second and their share of the read
 * rate, and the arithmetic. Timings of one run are to be compared with each other only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/status.h"
#include "device/launch.h"
#include "device/matmul.h"
#include "device/profile.h"

#define TOTAL_BYTES ((uint64_t)640 << 20)
#define READ_BYTES ((size_t)512 << 20)
#define MAX_COPIES 1024u
#define RUNS 7

/* Of SmolLM2-135M. */
static const struct shape {
    const char    *label;
    uint32_t       n, k;
    dev_norm_kind  norm;
    dev_epilogue   epilogue;
    dev_activation activation;
} shapes[] = {
    { "qkv, norm", 960, 576, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE },
    { "output, residual", 576, 576, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE },
    { "gate and up, norm", 3072, 576, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU },
    { "down, residual", 576, 1536, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE },
    { "head, norm", 49152, 576, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE },
};

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "bench_matmul: %s\n", oclm_last_error());
    exit(1);
}

typedef struct scene {
    dev_device *device;
    dev_matrix *weights;
    uint32_t    count;
    dev_buffer  x, y, scratch, norm_weight;
    dev_work   *work;
} scene;

static void make(scene *s, const struct shape *shape, core_dtype dtype, uint32_t rows)
{
    const uint64_t bytes = dev_matrix_bytes(dtype, shape->n, shape->k);
    const uint32_t y_stride = (shape->n + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL;
    s->count = bytes * MAX_COPIES < TOTAL_BYTES ? MAX_COPIES : (uint32_t)(TOTAL_BYTES / bytes + 1);
    s->count = rows > 16 && s->count > 8 ? 8 : s->count; /* arithmetic decides there, not memory */
    s->weights = core_alloc_zero(s->count, sizeof *s->weights, "matrices");
    if (!s->weights)
        check(OCLM_ERR_MEMORY);
    check(dev_buffer_new_zero(s->device, dev_queue(s->device), (size_t)rows * shape->k * sizeof(float), "x", &s->x));
    check(dev_buffer_new_zero(s->device, dev_queue(s->device), (size_t)rows * y_stride * sizeof(float), "y", &s->y));
    check(dev_buffer_new_zero(s->device, dev_queue(s->device), (size_t)shape->k * sizeof(float), "norm", &s->norm_weight));
    check(dev_work_new(s->device, &s->work));
    for (uint32_t i = 0; i < s->count; i++) {
        check(dev_matrix_new(s->device, dtype, shape->n, shape->k, "weights", &s->weights[i]));
        const size_t scratch = dev_matmul_scratch(&s->weights[i], rows, shape->norm, shape->epilogue);
        if (i == 0)
            check(dev_buffer_new(s->device, (scratch + 1) * sizeof(float), "scratch", &s->scratch));
        const dev_matmul m = {
            .weight = &s->weights[i], .x = &s->x, .x_stride = shape->k, .y = &s->y, .y_stride = y_stride, .rows = rows,
            .norm = { .kind = shape->norm, .weight = s->norm_weight, .eps = 1e-5f }, .scratch = &s->scratch,
            .scratch_floats = scratch, .epilogue = shape->epilogue, .activation = shape->activation,
        };
        check(dev_matmul_add(s->work, &m));
    }
}

static void drop(scene *s)
{
    dev_work_free(s->work);
    for (uint32_t i = 0; i < s->count; i++)
        dev_matrix_free(s->device, &s->weights[i]);
    core_free(s->weights);
    dev_buffer_free(s->device, &s->x);
    dev_buffer_free(s->device, &s->y);
    dev_buffer_free(s->device, &s->scratch);
    dev_buffer_free(s->device, &s->norm_weight);
}

static double best_seconds(const scene *s)
{
    double best = 0;
    for (int run = 0; run <= RUNS; run++) { /* the first builds and wakes */
        const double start = core_seconds();
        check(dev_work_enqueue(s->work, dev_queue(s->device), NULL));
        check(dev_finish(dev_queue(s->device)));
        const double seconds = core_seconds() - start;
        if (run > 0 && (run == 1 || seconds < best))
            best = seconds;
    }
    return best / s->count;
}

int main(int argc, char **argv)
{
    const char      *dtype_name = argc > 1 ? argv[1] : "float32";
    const core_dtype dtype = strcmp(dtype_name, "bfloat16") == 0 ? CORE_BF16 : strcmp(dtype_name, "float16") == 0 ? CORE_F16 : CORE_F32;
    const uint32_t   rows = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    dev_device      *device;
    double           read = 0;
    check(dev_open(NULL, &device));
    check(dev_measure_read(device, READ_BYTES, &read));
    printf("%s: reads %.1f GB/s; %s, rows %" PRIu32 "\n", dev_get_traits(device)->info.name, read * 1e-9, core_dtype_name(dtype), rows);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        scene s = { .device = device };
        make(&s, &shapes[i], dtype, rows);
        const double seconds = best_seconds(&s);
        const double rate = (double)dev_matrix_bytes(dtype, shapes[i].n, shapes[i].k) / seconds;
        printf("  %-18s %5" PRIu32 " x %-5" PRIu32 " %9.1f us %7.1f GB/s (%.2f of the read rate) %7.1f GFLOPS\n", shapes[i].label, shapes[i].n,
               shapes[i].k, 1e6 * seconds, rate * 1e-9, rate / read, 2e-9 * rows * shapes[i].n * shapes[i].k / seconds);
        drop(&s);
    }
    dev_close(device);
    return 0;
}
