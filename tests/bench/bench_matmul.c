/* bench_matmul.c: products of a model's shapes, beside what the device reads per second in the same run.
 *
 * usage: bench_matmul [STORAGE[,STORAGE..]] [ROWS] [PROVIDER]
 *     STORAGE is float32, float16, bfloat16, or a kind of codes as in the table below: q4_0, q4_k, q8_0, nf4, ..
 *     PROVIDER is one of those for the device, such as "tile 1x32x8"; else they are chosen as a model's are
 *
 * Each shape is multiplied with so many matrices of its own that none is still in a cache when its turn comes again, in one list
 * of launches as a forward pass has it. A line: shape, time of a product, weights read per second, as bytes and their share of the
 * read rate and as numbers, and the arithmetic. Timings of one run are to be compared with each other only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/status.h"
#include "device/launch.h"
#include "device/matmul.h"
#include "device/profile.h"
#include "device/provider.h"

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

#define CODES(name, code, bits, group, scale, minimum, table)                                                                      \
    { name, { CORE_CODE_##code, bits, CORE_SCALE_##scale, CORE_SCALE_##minimum, CORE_TABLE_##table, group } }

static const struct stored {
    const char  *name;
    core_storage storage;
} storages[] = {
    { "float32", { CORE_CODE_F32, 32, 0, 0, 0, 0 } },
    { "float16", { CORE_CODE_F16, 16, 0, 0, 0, 0 } },
    { "bfloat16", { CORE_CODE_BF16, 16, 0, 0, 0, 0 } },
    CODES("q4_0", INT, 4, 32, F16, NONE, NF4),
    CODES("q4_1", UINT, 4, 32, F16, F16, NF4),
    CODES("q5_0", INT, 5, 32, F16, NONE, NF4),
    CODES("q5_1", UINT, 5, 32, F16, F16, NF4),
    CODES("q8_0", INT, 8, 32, F16, NONE, NF4),
    CODES("q2_k", UINT, 2, 16, U8_F16, U8_F16, NF4),
    CODES("q3_k", INT, 3, 16, I8_F16, NONE, NF4),
    CODES("q4_k", UINT, 4, 32, U8_F16, U8_F16, NF4),
    CODES("q5_k", UINT, 5, 32, U8_F16, U8_F16, NF4),
    CODES("q6_k", INT, 6, 16, I8_F16, NONE, NF4),
    CODES("iq4_nl", TABLE, 4, 32, F16, NONE, IQ4_NL),
    CODES("iq4_xs", TABLE, 4, 32, I8_F16, NONE, IQ4_NL),
    CODES("mxfp4", TABLE, 4, 32, E8M0, NONE, MXFP4),
    CODES("nf4", TABLE, 4, 64, F32, NONE, NF4),
    CODES("fp4", TABLE, 4, 64, F32, NONE, FP4),
    CODES("int8", INT, 8, CORE_WHOLE_ROW, F32, NONE, NF4),
    CODES("gptq4", UINT, 4, 128, F16, F32, NF4),
    CODES("fp8", E4M3, 8, 128, F32, NONE, NF4),
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

static void make(scene *s, const struct shape *shape, const core_storage *storage, uint32_t rows,
                 const dev_provider *provider)
{
    const uint64_t bytes = dev_storage_bytes(storage, shape->n, shape->k);
    const dev_matrix_run all = { *storage, shape->n };
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
        check(dev_matrix_new_stored(s->device, &all, 1, shape->k, "weights", &s->weights[i]));
        const size_t scratch = dev_matmul_scratch(s->device, &s->weights[i], rows, shape->norm, shape->epilogue);
        if (i == 0)
            check(dev_buffer_new(s->device, (scratch + 1) * sizeof(float), "scratch", &s->scratch));
        const dev_matmul m = {
            .weight = &s->weights[i], .x = &s->x, .x_stride = shape->k, .y = &s->y, .y_stride = y_stride, .rows = rows,
            .norm = { .kind = shape->norm, .weight = s->norm_weight, .eps = 1e-5f }, .scratch = &s->scratch,
            .scratch_floats = scratch, .epilogue = shape->epilogue, .activation = shape->activation,
        };
        check(provider ? dev_matmul_add_by(s->work, provider, &m) : dev_matmul_add(s->work, &m));
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

static void bench(dev_device *device, const struct stored *stored, uint32_t rows, const dev_provider *provider, double read)
{
    printf("%s, rows %" PRIu32 "\n", stored->name, rows);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const uint64_t numbers = (uint64_t)shapes[i].n * shapes[i].k;
        scene          s = { .device = device };
        make(&s, &shapes[i], &stored->storage, rows, provider);
        const double seconds = best_seconds(&s);
        const double rate = (double)dev_storage_bytes(&stored->storage, shapes[i].n, shapes[i].k) / seconds;
        printf("  %-18s %5" PRIu32 " x %-5" PRIu32 " %9.1f us %7.1f GB/s (%.2f of the read rate) %7.1f G weights/s %7.1f GFLOPS\n", shapes[i].label,
               shapes[i].n, shapes[i].k, 1e6 * seconds, rate * 1e-9, rate / read, 1e-9 * (double)numbers / seconds,
               2e-9 * rows * (double)numbers / seconds);
        drop(&s);
    }
}

/* Is it one of the names in the list, which commas part? */
static bool is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    const char    *list = argc > 1 ? argv[1] : "float32";
    const uint32_t rows = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    dev_device    *device;
    double         read = 0;
    check(dev_open(NULL, &device));
    check(dev_measure_read(device, READ_BYTES, &read));
    printf("%s: reads %.1f GB/s\n", dev_get_traits(device)->info.name, read * 1e-9);
    for (size_t i = 0; i < COUNT(storages); i++) {
        if (is_listed(list, storages[i].name))
            bench(device, &storages[i], rows, argc > 3 ? dev_provider_find(argv[3]) : NULL, read);
    }
    dev_close(device);
    return 0;
}
