/* ordered.c: finds out whether work-groups of one launch may wait for each other: a group for what groups wrote that took their work
 * earlier (cl/decode_layers.cl). OpenCL 3.0 promises that they see it, where the device says so; that a group which has started goes on
 * while others wait it does not promise. Devices whose groups are threads of a CPU keep it; only these are asked. What a driver says is then
 * tried in the way it will be used: launch behind launch, the counters set back by the last group of each; and a program of two that are linked,
 * as those launches are. */
#include "device/device_internal.h"

#include <stdio.h>

#include "core/log.h"

/* Each of STAGES stages has WIDTH tickets; each ticket adds up what all tickets of the stage before wrote, and 1. */
#define STAGES   8u
#define WIDTH    12u
#define LAUNCHES 200u
#define FLUSH_EVERY 32u
/* OpenCL 3.0, which the headers tell only to whom targets that. */
#define ATOMIC_MEMORY_CAPABILITIES 0x1063u
#define ATOMIC_ORDER_ACQ_REL       (1u << 1)
#define ATOMIC_SCOPE_DEVICE        (1u << 5)

/* wrong[0] counts launches that others did not wait for, or that gave up waiting: a probe must not hang where a promise is broken. */
static const char text[] =
    "#define ADD(i, n, order) atomic_fetch_add_explicit(progress + (i), n, order, memory_scope_device)\n"
    "#define SET(i) atomic_store_explicit(progress + (i), 0u, memory_order_relaxed, memory_scope_device)\n"
    "__kernel void probe(volatile __global atomic_uint *progress, __global uint *y, volatile __global atomic_uint *wrong)\n"
    "{\n"
    "    for (;;) {\n"
    "        uint ticket = atomic_load_explicit(progress, memory_order_relaxed, memory_scope_device);\n"
    "        while (!atomic_compare_exchange_strong_explicit(progress, &ticket, ticket + 1, memory_order_relaxed, memory_order_relaxed,"
    " memory_scope_device))\n"
    "            ;\n"
    "        const uint stage = ticket / WIDTH;\n"
    "        uint sum = 1, spins = 0;\n"
    "        if (stage >= STAGES)\n"
    "            break;\n"
    "        while (atomic_load_explicit(progress + 16, memory_order_acquire, memory_scope_device) < stage * WIDTH)\n"
    "            if (++spins == 1u << 26) {\n"
    "                atomic_fetch_add_explicit(wrong, 1u, memory_order_relaxed, memory_scope_device);\n"
    "                break;\n"
    "            }\n"
    "        for (uint i = 0; stage > 0 && i < WIDTH; i++)\n"
    "            sum += y[(stage - 1) * WIDTH + i];\n"
    "        y[ticket] = sum;\n"
    "        ADD(16, 1u, memory_order_release);\n"
    "    }\n"
    "    if (ADD(32, 1u, memory_order_acq_rel) + 1 == (uint)get_num_groups(0)) {\n"
    "        SET(0);\n"
    "        SET(16);\n"
    "        SET(32);\n"
    "    }\n"
    "}\n"
    "__kernel void check(__global uint *y, volatile __global atomic_uint *wrong)\n"
    "{\n"
    "    uint sum = 1, bad = 0;\n"
    "    for (uint stage = 0; stage < STAGES; stage++, sum = 1 + WIDTH * sum)\n"
    "        for (uint i = 0; i < WIDTH; i++) {\n"
    "            bad |= y[stage * WIDTH + i] != sum;\n"
    "            y[stage * WIDTH + i] = 0;\n"
    "        }\n"
    "    if (bad)\n"
    "        atomic_fetch_add_explicit(wrong, 1u, memory_order_relaxed, memory_scope_device);\n"
    "}\n";

enum { PROGRESS, Y, WRONG, BUFFERS };
enum { PROBE, CHECK };

static cl_int make(const dev_device *device, dev_probe *probe)
{
    const cl_uint zeros[STAGES * WIDTH] = { 0 };
    char          options[64];
    cl_int        error;
    snprintf(options, sizeof options, "-cl-std=CL3.0 -DSTAGES=%u -DWIDTH=%u", STAGES, WIDTH);
    error = dev_probe_new(device, text, options, probe);
    for (size_t i = 0; i < BUFFERS && error == CL_SUCCESS; i++)
        error = dev_probe_buffer(probe, i, sizeof zeros, zeros);
    if (error == CL_SUCCESS)
        error = dev_probe_kernel(probe, PROBE, "probe", PROGRESS, BUFFERS);
    return error == CL_SUCCESS ? dev_probe_kernel(probe, CHECK, "check", Y, 2) : error;
}

static cl_int run(const dev_probe *probe, cl_uint *wrong)
{
    const size_t groups = 4 * (size_t)probe->device->traits.info.compute_units, one = 1;
    cl_int       error = CL_SUCCESS;
    *wrong = 0;
    for (cl_uint i = 1; i <= LAUNCHES && error == CL_SUCCESS && *wrong == 0; i++) {
        if ((error = clEnqueueNDRangeKernel(probe->queue, probe->kernels[PROBE], 1, NULL, &groups, &one, 0, NULL, NULL)) == CL_SUCCESS)
            error = clEnqueueNDRangeKernel(probe->queue, probe->kernels[CHECK], 1, NULL, &one, &one, 0, NULL, NULL);
        if (error == CL_SUCCESS && i % FLUSH_EVERY == 0)
            error = clEnqueueReadBuffer(probe->queue, probe->buffers[WRONG], CL_TRUE, 0, sizeof *wrong, wrong, 0, NULL, NULL);
    }
    return error == CL_SUCCESS ? clEnqueueReadBuffer(probe->queue, probe->buffers[WRONG], CL_TRUE, 0, sizeof *wrong, wrong, 0, NULL, NULL) : error;
}

/* ---- Linking */

static const char *const halves[] = {
    "void add(__local uint *to, const __global uint *n);\n"
    "__kernel void whole(__global uint *y, const __global uint *n)\n"
    "{\n"
    "    __local uint sum[16];\n"
    "    sum[0] = 1;\n"
    "    add(sum, n);\n"
    "    y[0] = sum[0];\n"
    "}\n",
    "void add(__local uint *to, const __global uint *n) { to[0] += n[0]; }\n",
};

static bool links(const dev_device *device)
{
    cl_program parts[COUNT(halves)] = { NULL }, linked = NULL;
    cl_kernel  kernel = NULL;
    cl_int     error = dev_ask(device->id, CL_DEVICE_LINKER_AVAILABLE) != 0 ? CL_SUCCESS : CL_LINKER_NOT_AVAILABLE;
    for (size_t i = 0; i < COUNT(halves) && error == CL_SUCCESS; i++) {
        const char *text_of = halves[i];
        parts[i] = clCreateProgramWithSource(device->context, 1, &text_of, NULL, &error);
        if (error == CL_SUCCESS)
            error = dev_compile(device, parts[i], DEV_COMMON_OPTIONS);
    }
    if (error == CL_SUCCESS)
        linked = dev_link_parts(device, COUNT(halves), parts, &error);
    if (error == CL_SUCCESS)
        kernel = clCreateKernel(linked, "whole", &error);
    if (kernel != NULL)
        clReleaseKernel(kernel);
    if (linked != NULL)
        clReleaseProgram(linked);
    for (size_t i = 0; i < COUNT(halves); i++) {
        if (parts[i] != NULL)
            clReleaseProgram(parts[i]);
    }
    return error == CL_SUCCESS;
}

bool dev_measure_ordered(const dev_device *device)
{
    const uint64_t needed = ATOMIC_ORDER_ACQ_REL | ATOMIC_SCOPE_DEVICE;
    const bool     promised = !device->traits.lanes_in_items && device->traits.info.type == OCLM_DEVICE_CPU &&
                          (dev_ask(device->id, ATOMIC_MEMORY_CAPABILITIES) & needed) == needed;
    bool           ordered = false;
    if (promised) {
        dev_probe    probe;
        cl_uint      wrong = 0;
        const cl_int error = make(device, &probe);
        ordered = error == CL_SUCCESS && run(&probe, &wrong) == CL_SUCCESS && wrong == 0 && links(device);
        dev_probe_free(&probe);
    }
    core_log(OCLM_LOG_DEBUG, "work-groups %s", ordered ? "see what those before them wrote: steps of decoding share launches"
                                               : promised ? "do not see what those before them wrote, or programs cannot be linked, though the driver says so"
                                                          : "cannot wait for each other: each step is a launch");
    return ordered;
}
