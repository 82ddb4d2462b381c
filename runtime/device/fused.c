/* fused.c: finds out whether a device multiplies and adds with one rounding. Where it does, kernels ask for that by fma() (cl/common.h);
 * where it does not, fma() would be a slow function. Not every driver tells: PoCL and Intel's CPU runtime define no FP_FAST_FMAF, and the
 * latter denies it (CL_FP_FMA), yet both round a * b + c once wherever they see fit. So a product and a sum are computed and looked at: a
 * compiler that rounds once has the instruction. */
#include "device/device_internal.h"

#include <math.h>
#include <stdio.h>

#include "core/hash.h"
#include "core/log.h"

enum { ITEMS = 64 }; /* enough for compilers that use vectors only for many work-items */

static const char text[] =
    "__kernel void probe(__global float *y, const __global float *a, const __global float *c)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    y[i] = a[i] * a[i] + c[i];\n"
    "}\n";

/* (1 + e)^2 - (1 + 2 e) with e = 2^-12: e^2 is half of the last place of the square, which is even without: rounded twice it is lost. */
static cl_int compute(dev_probe *probe, float *y)
{
    enum { Y, A, C, BUFFERS };
    float        values[BUFFERS][ITEMS];
    cl_int       error = CL_SUCCESS;
    const size_t items = ITEMS;
    for (size_t i = 0; i < ITEMS; i++) {
        values[Y][i] = 0.0f;
        values[A][i] = 1.0f + 0x1p-12f;
        values[C][i] = -(1.0f + 0x1p-11f);
    }
    for (size_t i = 0; i < BUFFERS && error == CL_SUCCESS; i++)
        error = dev_probe_buffer(probe, i, sizeof values[i], values[i]);
    if (error == CL_SUCCESS)
        error = dev_probe_kernel(probe, 0, "probe", Y, BUFFERS);
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(probe->queue, probe->kernels[0], 1, NULL, &items, NULL, 0, NULL, NULL);
    return error == CL_SUCCESS ? clEnqueueReadBuffer(probe->queue, probe->buffers[Y], CL_TRUE, 0, ITEMS * sizeof *y, y, 0, NULL, NULL) : error;
}

/* INFINITY where the driver gives none. */
static double time_binary(cl_program program)
{
    size_t         length;
    const double   begin = core_seconds();
    unsigned char *binary = dev_program_binary(program, &length);
    const double   seconds = core_seconds() - begin;
    core_free(binary);
    return binary != NULL ? seconds : (double)INFINITY;
}

bool dev_measure_fused(const dev_device *device, double *binary_seconds)
{
    float        y[ITEMS] = { 0 };
    size_t       fused = 0;
    dev_probe    probe;
    char         options[96]; /* with a word that no driver's cache can know, since that would hide what a binary costs */
    const double now = core_seconds();
    snprintf(options, sizeof options, DEV_COMMON_OPTIONS " -DSALT=%uu", (unsigned)core_hash64(&now, sizeof now, 0));
    cl_int error = dev_probe_new(device, text, options, &probe);
    if (error == CL_SUCCESS)
        error = compute(&probe, y);
    *binary_seconds = error == CL_SUCCESS ? time_binary(probe.program) : (double)INFINITY;
    dev_probe_free(&probe);
    for (size_t i = 0; i < ITEMS && error == CL_SUCCESS; i++)
        fused += y[i] != 0.0f;
    if (error == CL_SUCCESS)
        core_log(OCLM_LOG_DEBUG, "a product and a sum are rounded %s", fused ? "once" : "twice");
    else
        core_log(OCLM_LOG_DEBUG, "whether a product and a sum are rounded once could not be found out: %s", dev_cl_name(error));
    return fused > 0;
}
