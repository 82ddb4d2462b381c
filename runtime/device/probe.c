/* probe.c: a small program that finds something out about a device: built here, on a queue of its own, for a caller's may be busy. */
#include "device/device_internal.h"

cl_int dev_probe_new(const dev_device *device, const char *text, const char *options, dev_probe *probe)
{
    cl_int error;
    *probe = (dev_probe){ .device = device };
    probe->queue = clCreateCommandQueue(device->context, device->id, 0, &error);
    if (error == CL_SUCCESS)
        probe->program = clCreateProgramWithSource(device->context, 1, &text, NULL, &error);
    return error == CL_SUCCESS ? dev_build(device, probe->program, options) : error;
}

cl_int dev_probe_buffer(dev_probe *probe, size_t which, size_t bytes, const void *contents)
{
    cl_int error;
    probe->buffers[which] = clCreateBuffer(probe->device->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    return error == CL_SUCCESS ? clEnqueueWriteBuffer(probe->queue, probe->buffers[which], CL_TRUE, 0, bytes, contents, 0, NULL, NULL) : error;
}

cl_int dev_probe_kernel(dev_probe *probe, size_t which, const char *name, size_t first_buffer, size_t count)
{
    cl_int error;
    probe->kernels[which] = clCreateKernel(probe->program, name, &error);
    for (size_t i = 0; i < count && error == CL_SUCCESS; i++)
        error = clSetKernelArg(probe->kernels[which], (cl_uint)i, sizeof(cl_mem), &probe->buffers[first_buffer + i]);
    return error;
}

void dev_probe_free(dev_probe *probe)
{
    for (size_t i = 0; i < DEV_PROBE_BUFFERS; i++)
        if (probe->buffers[i])
            clReleaseMemObject(probe->buffers[i]);
    for (size_t i = 0; i < DEV_PROBE_KERNELS; i++)
        if (probe->kernels[i])
            clReleaseKernel(probe->kernels[i]);
    if (probe->program)
        clReleaseProgram(probe->program);
    if (probe->queue)
        clReleaseCommandQueue(probe->queue);
}
