/* profile.c: what the matrix product of dev_matmul_add() reaches on this device, now. */
#include "device/profile.h"

#include "device/trial.h"

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

oclm_status dev_measure_matmul(dev_device *device, const core_storage *storage, uint32_t rows, uint32_t n, uint32_t k, double *flops_per_s)
{
    const dev_trial_shape shape = { .storage = *storage, .rows = rows, .n = n, .k = k };
    oclm_status           status;
    double                seconds = 0;
    dev_trial             trial;
    *flops_per_s = 0;
    if ((status = dev_trial_new(device, &shape, NULL, &trial)) != OCLM_OK)
        return status;
    if ((status = time_product(device, &trial.m, &seconds)) == OCLM_OK && seconds > 0)
        *flops_per_s = 2.0 * rows * n * k / seconds;
    dev_trial_free(device, &trial);
    return status;
}
