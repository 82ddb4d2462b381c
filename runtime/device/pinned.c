/* pinned.c: see pinned.h. */
#include "device/pinned.h"

#include "device/launch.h"

cl_int dev_pinned_new(dev_device *device, size_t bytes, dev_pinned *pinned)
{
    cl_int       error;
    const cl_mem buffer = clCreateBuffer(dev_context(device), CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &error);
    *pinned = (dev_pinned){ NULL, NULL };
    if (error != CL_SUCCESS)
        return error;
    void *memory = clEnqueueMapBuffer(dev_queue(device), buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, NULL, NULL, &error);
    if (error == CL_SUCCESS)
        *pinned = (dev_pinned){ memory, buffer };
    else
        clReleaseMemObject(buffer);
    return error;
}

void dev_pinned_free(dev_device *device, dev_pinned *pinned)
{
    if (pinned->buffer == NULL)
        return;
    if (clEnqueueUnmapMemObject(dev_queue(device), pinned->buffer, pinned->memory, 0, NULL, NULL) == CL_SUCCESS)
        (void)dev_finish(dev_queue(device));
    clReleaseMemObject(pinned->buffer);
    *pinned = (dev_pinned){ NULL, NULL };
}
