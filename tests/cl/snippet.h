/* snippet.h: for tests of what the headers of cl/ hold: a kernel of the test's own, compiled behind an embedded kernel file that includes it. */
#ifndef OCLM_TESTS_CL_SNIPPET_H
#define OCLM_TESTS_CL_SNIPPET_H

#include "cl/matrices.h"
#include "device/program.h"

/* Runs `kernel` of `text` over `items` work-items: arguments (const __global in *, __global out *). `before`: lines that
 * stand before all, for macros. */
static inline void run_snippet_with(dev_device *device, const char *before, const char *base, const char *text, const char *kernel,
                                    size_t items, const void *in, size_t in_bytes, void *out, size_t out_bytes)
{
    const char *texts[3] = { before, dev_embedded_source(base), text };
    cl_int      error = CL_SUCCESS;
    dev_buffer  from = { NULL, 0 }, to = { NULL, 0 };
    assert_non_null(texts[1]);
    cl_program program = clCreateProgramWithSource(dev_context(device), 3, texts, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    const cl_device_id id = dev_id(device);
    if (clBuildProgram(program, 1, &id, "-cl-std=CL1.2", NULL, NULL) != CL_SUCCESS)
        fail_msg("%s does not compile after:\n%s", kernel, before);
    cl_kernel object = clCreateKernel(program, kernel, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_ok(dev_buffer_new(device, in_bytes, "a snippet's input", &from));
    assert_ok(dev_buffer_new(device, out_bytes, "a snippet's output", &to));
    assert_ok(dev_buffer_write(dev_queue(device), &from, 0, in, in_bytes));
    assert_int_equal(clSetKernelArg(object, 0, sizeof from.memory, &from.memory), CL_SUCCESS);
    assert_int_equal(clSetKernelArg(object, 1, sizeof to.memory, &to.memory), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(dev_queue(device), object, 1, NULL, &items, NULL, 0, NULL, NULL), CL_SUCCESS);
    assert_ok(dev_buffer_read(dev_queue(device), &to, 0, out, out_bytes));
    dev_buffer_free(device, &from);
    dev_buffer_free(device, &to);
    clReleaseKernel(object);
    clReleaseProgram(program);
}

static inline void run_snippet(dev_device *device, const char *base, const char *text, const char *kernel, size_t items,
                               const void *in, size_t in_bytes, void *out, size_t out_bytes)
{
    run_snippet_with(device, "", base, text, kernel, items, in, in_bytes, out, out_bytes);
}

#endif
