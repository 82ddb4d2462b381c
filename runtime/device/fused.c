/* fused.c: finds out whether a device multiplies and adds with one rounding. Where it does, kernels ask for that by fma() (cl/common.h);
 * where it does not, fma() would be a slow function. Not every driver tells: PoCL and Intel's CPU runtime define no FP_FAST_FMAF, and the
 * latter denies it (CL_FP_FMA), yet both round a * b + c once wherever they see fit. So a product and a sum are computed and looked at: a
 * compiler that rounds once has the instruction. */
#include "device/device_internal.h"

#include "core/log.h"
#include "core/memory.h"

enum { ITEMS = 64 }; /* enough for compilers that use vectors only for many work-items */

static const char text[] =
    "__kernel void probe(__global float *y, const __global float *a, const __global float *c)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    y[i] = a[i] * a[i] + c[i];\n"
    "}\n";

/* (1 + e)^2 - (1 + 2 e) with e = 2^-12: e^2 is half of the last place of the square, which is even without: rounded twice it is lost. */
static cl_int compute(const dev_device *device, cl_command_queue queue, cl_kernel kernel, float *y)
{
    enum { Y, A, C, BUFFERS };
    float  values[BUFFERS][ITEMS];
    cl_mem buffers[BUFFERS] = { NULL };
    cl_int error = CL_SUCCESS;
    const size_t items = ITEMS;
    for (size_t i = 0; i < ITEMS; i++) {
        values[Y][i] = 0.0f;
        values[A][i] = 1.0f + 0x1p-12f;
        values[C][i] = -(1.0f + 0x1p-11f);
    }
    for (cl_uint i = 0; i < BUFFERS && error == CL_SUCCESS; i++) {
        buffers[i] = clCreateBuffer(device->context, CL_MEM_READ_WRITE, sizeof values[i], NULL, &error);
        if (error == CL_SUCCESS)
            error = clEnqueueWriteBuffer(queue, buffers[i], CL_TRUE, 0, sizeof values[i], values[i], 0, NULL, NULL);
        if (error == CL_SUCCESS)
            error = clSetKernelArg(kernel, i, sizeof buffers[i], &buffers[i]);
    }
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
    if (error == CL_SUCCESS)
        error = clEnqueueReadBuffer(queue, buffers[Y], CL_TRUE, 0, ITEMS * sizeof *y, y, 0, NULL, NULL);
    for (size_t i = 0; i < BUFFERS; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    return error;
}

bool dev_measure_fused(const dev_device *device)
{
    const char      *texts[] = { text };
    float            y[ITEMS] = { 0 };
    cl_program       program = NULL;
    cl_kernel        kernel = NULL;
    cl_int           error = CL_SUCCESS;
    size_t           fused = 0;
    cl_command_queue queue = clCreateCommandQueue(device->context, device->id, 0, &error); /* a caller's may be busy */
    if (error == CL_SUCCESS)
        program = clCreateProgramWithSource(device->context, 1, texts, NULL, &error);
    if (error == CL_SUCCESS)
        error = clBuildProgram(program, 1, &device->id, DEV_COMMON_OPTIONS, NULL, NULL);
    if (error == CL_SUCCESS)
        kernel = clCreateKernel(program, "probe", &error);
    if (error == CL_SUCCESS)
        error = compute(device, queue, kernel, y);
    for (size_t i = 0; i < ITEMS && error == CL_SUCCESS; i++)
        fused += y[i] != 0.0f;
    if (kernel)
        clReleaseKernel(kernel);
    if (program)
        clReleaseProgram(program);
    if (queue)
        clReleaseCommandQueue(queue);
    if (error == CL_SUCCESS)
        core_log(OCLM_LOG_DEBUG, "a product and a sum are rounded %s", fused ? "once" : "twice");
    else
        core_log(OCLM_LOG_DEBUG, "whether a product and a sum are rounded once could not be found out: %s", dev_cl_name(error));
    return fused > 0;
}
