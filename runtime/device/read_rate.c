/* read_rate.c: how fast the device reads its own memory, by kernels that do nothing else. */
#include "device/profile.h"

#include "core/log.h"
#include "device/launch.h"

#define RUNS          5
#define MAX_ITEMS     (1u << 20)
#define VECTOR_BYTES  64 /* a float16 */

/* A shape of read: how many work-items of which kernel. */
typedef struct shape {
    const char *kernel;
    uint32_t    items_per_unit; /* for each compute unit */
    uint32_t    group;          /* 0: the driver's choice */
} shape;

/* Measured on a 2-core CPU with PoCL: one block a core reads slower than several, which even out a core that wakes late. */
static const shape shapes[] = {
    { "read_block", 8, 1 },
    { "read_lanes", 2048, 256 },
};

/* Seconds of a run that is one of many. The best of them would tell what a machine that others use too lends for a moment; what reads for
 * longer, as a model does, gets the mean. Stops early where the first counted run shows that it will not come near `enough` seconds. */
static oclm_status time_work(const dev_work *work, cl_command_queue queue, double enough, double *seconds)
{
    double      sum = 0;
    oclm_status status;
    for (int run = 0; run <= RUNS; run++) { /* the first run is not counted: it builds, wakes and maps */
        const double begin = core_seconds();
        if ((status = dev_work_enqueue(work, queue, NULL)) != OCLM_OK || (status = dev_finish(queue)) != OCLM_OK)
            return status;
        if (run == 0)
            continue;
        sum += core_seconds() - begin;
        *seconds = sum / run;
        if (*seconds > 2 * enough)
            break;
    }
    return OCLM_OK;
}

static oclm_status measure_shape(dev_device *device, const shape *how, const dev_buffer *x, const dev_buffer *sums, double to_beat,
                                 double *rate)
{
    const dev_traits *traits = dev_get_traits(device);
    dev_work         *work = NULL;
    const double      enough = to_beat > 0 ? (double)x->bytes / to_beat : 1e9;
    double            seconds = 0;
    oclm_status       status;
    const uint64_t    vectors = x->bytes / VECTOR_BYTES;
    const size_t      group = how->group && how->group <= traits->max_group ? how->group : 1;
    size_t            items = (size_t)traits->info.compute_units * how->items_per_unit;
    if (items > MAX_ITEMS)
        items = MAX_ITEMS;
    if (items > vectors)
        items = (size_t)vectors;
    items = items < group ? group : items / group * group;
    const dev_arg    args[] = { dev_arg_buffer(sums), dev_arg_buffer(x), dev_arg_u64(vectors) };
    const dev_launch launch = { .source = "read", .kernel = how->kernel, .options = "", .dims = 1, .global = { items },
                                .local = { group }, .args = args, .arg_count = 3 };
    if ((status = dev_work_new(device, &work)) == OCLM_OK && (status = dev_work_add(work, &launch)) == OCLM_OK &&
        (status = time_work(work, dev_queue(device), enough, &seconds)) == OCLM_OK) {
        *rate = seconds > 0 ? (double)x->bytes / seconds : 0;
        core_log(OCLM_LOG_DEBUG, "%s, %zu work-items: %.1f GB/s", how->kernel, items, *rate * 1e-9);
    }
    dev_work_free(work);
    return status;
}

oclm_status dev_measure_read(dev_device *device, size_t bytes, double *bytes_per_s)
{
    const dev_traits *traits = dev_get_traits(device);
    dev_buffer        x = { NULL, 0 }, sums = { NULL, 0 };
    oclm_status       status;
    *bytes_per_s = 0;
    if (bytes > traits->info.max_alloc_bytes)
        bytes = (size_t)traits->info.max_alloc_bytes;
    if (bytes > dev_memory_left(device) / 2) /* a model may be loaded */
        bytes = (size_t)(dev_memory_left(device) / 2);
    bytes = bytes / VECTOR_BYTES * VECTOR_BYTES;
    if (bytes == 0)
        return core_fail(OCLM_ERR_DEVICE_MEMORY, "no device memory is left to measure the read rate on (at least %d bytes)",
                         VECTOR_BYTES);
    if ((status = dev_buffer_new_zero(device, dev_queue(device), bytes, "measuring the read rate", &x)) != OCLM_OK ||
        (status = dev_buffer_new(device, MAX_ITEMS * sizeof(float), "measuring the read rate", &sums)) != OCLM_OK)
        goto done;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        double rate = 0;
        if ((status = measure_shape(device, &shapes[i], &x, &sums, *bytes_per_s, &rate)) != OCLM_OK)
            goto done;
        if (rate > *bytes_per_s)
            *bytes_per_s = rate;
    }
done:
    dev_buffer_free(device, &sums);
    dev_buffer_free(device, &x);
    return status;
}
