/* ordered.c: finds out whether work-groups of one launch may wait for each other: a group for what groups wrote that took their work
 * earlier (cl/decode_layers.cl). OpenCL 3.0 promises that they see it, where the device says so; that a group which has started goes on
 * while others wait it does not promise. Devices whose groups are threads of a CPU keep it; only these are asked. What a driver says is then
 * tried, in the way it will be used. */
#include "device/device_internal.h"

#include "core/log.h"
#include "core/memory.h"

/* Each of STAGES stages has WIDTH tickets; each ticket adds up what all tickets of the stage before wrote, and 1. */
#define STAGES 64u
#define WIDTH  16u
/* OpenCL 3.0, which the headers tell only to whom targets that. */
#define ATOMIC_MEMORY_CAPABILITIES 0x1063u
#define ATOMIC_ORDER_ACQ_REL       (1u << 1)
#define ATOMIC_SCOPE_DEVICE        (1u << 5)
#define PROBE_OPTIONS "-cl-std=CL3.0 -DSTAGES=64 -DWIDTH=16"

static const char text[] =
    "__kernel void probe(volatile __global atomic_uint *progress, __global uint *y)\n"
    "{\n"
    "    for (;;) {\n"
    "        const uint ticket = atomic_fetch_add_explicit(progress, 1u, memory_order_relaxed, memory_scope_device);\n"
    "        const uint stage = ticket / WIDTH;\n"
    "        if (stage >= STAGES)\n"
    "            break;\n"
    "        while (atomic_load_explicit(progress + 16, memory_order_acquire, memory_scope_device) < stage * WIDTH) {\n"
    "        }\n"
    "        uint sum = 1;\n"
    "        for (uint i = 0; stage > 0 && i < WIDTH; i++)\n"
    "            sum += y[(stage - 1) * WIDTH + i];\n"
    "        y[ticket] = sum;\n"
    "        atomic_fetch_add_explicit(progress + 16, 1u, memory_order_release, memory_scope_device);\n"
    "    }\n"
    "}\n";

static cl_int compute(const dev_device *device, cl_command_queue queue, cl_kernel kernel, cl_uint *y)
{
    const cl_uint zeros[32] = { 0 };
    const size_t  groups = 4 * (size_t)device->traits.info.compute_units, local = 1;
    cl_int        error = CL_SUCCESS;
    cl_mem        results = NULL;
    cl_mem        progress = clCreateBuffer(device->context, CL_MEM_READ_WRITE, sizeof zeros, NULL, &error);
    if (error == CL_SUCCESS)
        results = clCreateBuffer(device->context, CL_MEM_READ_WRITE, STAGES * WIDTH * sizeof *y, NULL, &error);
    if (error == CL_SUCCESS)
        error = clEnqueueWriteBuffer(queue, progress, CL_TRUE, 0, sizeof zeros, zeros, 0, NULL, NULL);
    if (error == CL_SUCCESS)
        error = clSetKernelArg(kernel, 0, sizeof progress, &progress);
    if (error == CL_SUCCESS)
        error = clSetKernelArg(kernel, 1, sizeof results, &results);
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &groups, &local, 0, NULL, NULL);
    if (error == CL_SUCCESS)
        error = clEnqueueReadBuffer(queue, results, CL_TRUE, 0, STAGES * WIDTH * sizeof *y, y, 0, NULL, NULL);
    if (results)
        clReleaseMemObject(results);
    if (progress)
        clReleaseMemObject(progress);
    return error;
}

static bool is_right(const cl_uint *y)
{
    cl_uint sum = 1; /* goes round past 2^32, here as there */
    for (size_t stage = 0; stage < STAGES; stage++, sum = 1 + WIDTH * sum)
        for (size_t i = 0; i < WIDTH; i++)
            if (y[stage * WIDTH + i] != sum)
                return false;
    return true;
}

static bool try_it(const dev_device *device)
{
    const char      *texts[] = { text };
    cl_uint          y[STAGES * WIDTH] = { 0 };
    cl_program       program = NULL;
    cl_kernel        kernel = NULL;
    cl_int           error = CL_SUCCESS;
    cl_command_queue queue = clCreateCommandQueue(device->context, device->id, 0, &error); /* a caller's may be busy */
    if (error == CL_SUCCESS)
        program = clCreateProgramWithSource(device->context, 1, texts, NULL, &error);
    if (error == CL_SUCCESS)
        error = clBuildProgram(program, 1, &device->id, PROBE_OPTIONS, NULL, NULL);
    if (error == CL_SUCCESS)
        kernel = clCreateKernel(program, "probe", &error);
    if (error == CL_SUCCESS)
        error = compute(device, queue, kernel, y);
    if (kernel)
        clReleaseKernel(kernel);
    if (program)
        clReleaseProgram(program);
    if (queue)
        clReleaseCommandQueue(queue);
    return error == CL_SUCCESS && is_right(y);
}

bool dev_measure_ordered(const dev_device *device)
{
    const uint64_t needed = ATOMIC_ORDER_ACQ_REL | ATOMIC_SCOPE_DEVICE;
    const bool promised = !device->traits.lanes_in_items && device->traits.info.type == OCLM_DEVICE_CPU &&
                          (dev_ask(device->id, ATOMIC_MEMORY_CAPABILITIES) & needed) == needed;
    const bool ordered = promised && try_it(device);
    core_log(OCLM_LOG_DEBUG, "work-groups %s", ordered ? "see what those before them wrote: decoding steps share launches"
                                                       : promised ? "do not see what those before them wrote, though the driver says so"
                                                                  : "cannot wait for each other: each step is a launch");
    return ordered;
}
