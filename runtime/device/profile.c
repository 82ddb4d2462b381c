/* profile.c: what the matrix product of dev_matmul_add() reaches on this device, now. */
#include "device/profile.h"

#include "device/matmul.h"

#define RUNS 5

static oclm_status time_product(dev_device *device, const dev_matmul *m, double *best)
{
    oclm_status status;
    dev_work   *work = NULL;
    *best = 0;
    if ((status = dev_work_new(device, &work)) != OCLM_OK || (status = dev_matmul_add(work, m)) != OCLM_OK)
        goto done;
    for (int run = 0; run <= RUNS; run++) { /* the first run is not counted: it builds, wakes and maps */
        const double begin = core_seconds();
        if ((status = dev_work_enqueue(work, dev_queue(device), NULL)) != OCLM_OK ||
            (status = dev_finish(dev_queue(device))) != OCLM_OK)
            goto done;
        const double seconds = core_seconds() - begin;
        if (run > 0 && (*best == 0 || seconds < *best))
            *best = seconds;
    }
done:
    dev_work_free(work);
    return status;
}

oclm_status dev_measure_matmul(dev_device *device, int dtype, uint32_t rows, uint32_t n, uint32_t k, double *flops_per_s)
{
    const char *what = "measuring the matrix product";
    oclm_status status;
    double      seconds = 0;
    dev_matrix  weight = { 0 };
    dev_buffer  x = { NULL, 0 }, y = { NULL, 0 };
    *flops_per_s = 0;
    if ((status = dev_matrix_new(device, (core_dtype)dtype, n, k, what, &weight)) != OCLM_OK)
        return status;
    const uint32_t y_stride = weight.panels * DEV_PANEL;
    if ((status = dev_buffer_new_zero(device, dev_queue(device), (size_t)rows * k * sizeof(float), what, &x)) != OCLM_OK ||
        (status = dev_buffer_new(device, (size_t)rows * y_stride * sizeof(float), what, &y)) != OCLM_OK)
        goto done;
    const dev_matmul m = { .weight = &weight, .x = &x, .x_stride = k, .y = &y, .y_stride = y_stride, .rows = rows };
    if ((status = time_product(device, &m, &seconds)) == OCLM_OK && seconds > 0)
        *flops_per_s = 2.0 * rows * n * k / seconds;
done:
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &x);
    dev_matrix_free(device, &weight);
    return status;
}
