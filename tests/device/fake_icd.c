/* fake_icd.c: see fake_icd.h. Answers what discovery, opening, buffers and waits ask; everything else is missing on purpose. */
#include "device/fake_icd.h"

#include <string.h>

#include <CL/cl_icd.h>

struct _cl_platform_id {
    cl_icd_dispatch *dispatch;
    const char      *name;
};
struct _cl_device_id {
    cl_icd_dispatch *dispatch;
    fake_device      is;
};
struct _cl_context {
    cl_icd_dispatch *dispatch;
    cl_device_id     device;
};
struct _cl_command_queue {
    cl_icd_dispatch *dispatch;
    cl_device_id     device;
};
struct _cl_mem {
    cl_icd_dispatch *dispatch;
};
struct _cl_event {
    cl_icd_dispatch *dispatch;
};

static cl_icd_dispatch          dispatch;
static struct _cl_platform_id   platforms[FAKE_PLATFORMS] = { { &dispatch, "Fake A" }, { &dispatch, "Fake B" }, { &dispatch, "Fake rusticl" } };
static struct _cl_device_id     devices[FAKE_DEVICES];
static size_t                   device_count;
static struct _cl_context       context = { &dispatch, NULL };
static struct _cl_command_queue queue = { &dispatch, NULL };
static struct _cl_mem           memory = { &dispatch };
static struct _cl_event         marker = { &dispatch };

static cl_int give(const void *value, size_t bytes, size_t room, void *out, size_t *size)
{
    if (size)
        *size = bytes;
    if (!out)
        return CL_SUCCESS;
    if (room < bytes)
        return CL_INVALID_VALUE;
    memcpy(out, value, bytes);
    return CL_SUCCESS;
}

static cl_int give_text(const char *text, size_t room, void *out, size_t *size) { return give(text, strlen(text) + 1, room, out, size); }

static cl_int CL_API_CALL platform_ids(cl_uint room, cl_platform_id *out, cl_uint *count)
{
    if (count)
        *count = FAKE_PLATFORMS;
    for (cl_uint i = 0; out && i < room && i < FAKE_PLATFORMS; i++)
        out[i] = &platforms[i];
    return CL_SUCCESS;
}

static cl_int CL_API_CALL platform_info(cl_platform_id platform, cl_platform_info what, size_t room, void *out, size_t *size)
{
    switch (what) {
    case CL_PLATFORM_NAME: return give_text(platform->name, room, out, size);
    case CL_PLATFORM_VERSION: return give_text("OpenCL 3.0 fake", room, out, size);
    case CL_PLATFORM_EXTENSIONS: return give_text("cl_khr_icd", room, out, size);
    case CL_PLATFORM_ICD_SUFFIX_KHR: return give_text("FAKE", room, out, size);
    case CL_PLATFORM_VENDOR:
    case CL_PLATFORM_PROFILE: return give_text("FULL_PROFILE", room, out, size);
    default: return CL_INVALID_VALUE;
    }
}

/* Without a device: an error, and the count left as it is, as rusticl and Clover do. */
static cl_int CL_API_CALL device_ids(cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *out, cl_uint *count)
{
    cl_uint found = 0;
    (void)type;
    for (size_t i = 0; i < device_count; i++) {
        if (&platforms[devices[i].is.platform] != platform)
            continue;
        if (out && found < room)
            out[found] = &devices[i];
        found++;
    }
    if (found == 0)
        return CL_DEVICE_NOT_FOUND;
    if (count)
        *count = found;
    return CL_SUCCESS;
}

static cl_int give_number(cl_ulong value, size_t bytes, size_t room, void *out, size_t *size)
{
    const cl_uint narrow = (cl_uint)value;
    return bytes == sizeof narrow ? give(&narrow, bytes, room, out, size) : give(&value, bytes, room, out, size);
}

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info what, size_t room, void *out, size_t *size)
{
    const fake_device *is = &device->is;
    unsigned char      bytes[24] = { 1 }; /* AMD: the first of four says PCI Express */
    switch (what) {
    case CL_DEVICE_NAME: return give_text(is->name, room, out, size);
    case CL_DEVICE_VENDOR:
    case CL_DRIVER_VERSION: return give_text("fake", room, out, size);
    case CL_DEVICE_VERSION: return give_text(is->version ? is->version : "OpenCL 3.0 fake", room, out, size);
    case CL_DEVICE_EXTENSIONS: return give_text(is->extensions ? is->extensions : "", room, out, size);
    case CL_DEVICE_TYPE: return give_number(is->type, 8, room, out, size);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return give_number(is->global_mem, 8, room, out, size);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: return give_number(is->max_alloc ? is->max_alloc : is->global_mem, 8, room, out, size);
    case CL_DEVICE_LOCAL_MEM_SIZE: return give_number(32768, 8, room, out, size);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return give_number(256, sizeof(size_t), room, out, size);
    case CL_DEVICE_HOST_UNIFIED_MEMORY: return give_number(is->unified, 4, room, out, size);
    case CL_DEVICE_AVAILABLE: return give_number(!is->unavailable, 4, room, out, size);
    case CL_DEVICE_COMPILER_AVAILABLE:
    case CL_DEVICE_ENDIAN_LITTLE:
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT: return give_number(1, 4, room, out, size);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN: return give_number(1024, 4, room, out, size);
    case 0x410F: return give(is->pci, sizeof is->pci, room, out, size); /* CL_DEVICE_PCI_BUS_INFO_KHR */
    case 0x4037:                                                        /* CL_DEVICE_TOPOLOGY_AMD */
        for (size_t i = 1; i < 4; i++)
            bytes[20 + i] = (unsigned char)is->pci[i];
        return give(bytes, 24, room, out, size);
    case 0x106A: memset(bytes, is->uuid, 16); return give(bytes, 16, room, out, size);
    case 0x106B: memset(bytes, is->driver_uuid, 16); return give(bytes, 16, room, out, size);
    case CL_DEVICE_PLATFORM: {
        const cl_platform_id platform = &platforms[is->platform];
        return give(&platform, sizeof platform, room, out, size);
    }
    default: return CL_INVALID_VALUE;
    }
}

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint count, const cl_device_id *ids,
                                             void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user,
                                             cl_int *error)
{
    (void)properties, (void)count, (void)notify, (void)user;
    *error = ids[0]->is.open_error;
    context.device = ids[0];
    return *error == CL_SUCCESS ? &context : NULL;
}

static cl_command_queue CL_API_CALL create_queue(cl_context of, cl_device_id device, cl_command_queue_properties properties,
                                                 cl_int *error)
{
    (void)of, (void)properties;
    queue.device = device;
    *error = CL_SUCCESS;
    return &queue;
}

static cl_mem CL_API_CALL create_buffer(cl_context of, cl_mem_flags flags, size_t bytes, void *host, cl_int *error)
{
    (void)of, (void)flags, (void)bytes, (void)host;
    *error = CL_SUCCESS; /* always: memory comes at first use */
    return &memory;
}

static cl_int CL_API_CALL write_buffer(cl_command_queue to, cl_mem buffer, cl_bool wait, size_t offset, size_t bytes, const void *data,
                                       cl_uint events, const cl_event *list, cl_event *event)
{
    (void)buffer, (void)wait, (void)data, (void)events, (void)list, (void)event;
    const size_t limit = to->device->is.real_bytes;
    return limit && offset + bytes > limit ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_SUCCESS;
}

static cl_int CL_API_CALL queue_info(cl_command_queue of, cl_command_queue_info what, size_t room, void *out, size_t *size)
{
    const cl_context whole = &context;
    switch (what) {
    case CL_QUEUE_CONTEXT: return give(&whole, sizeof whole, room, out, size);
    case CL_QUEUE_DEVICE: return give(&of->device, sizeof of->device, room, out, size);
    default: return CL_INVALID_VALUE;
    }
}

/* Whatever is waited for is there already. */
static cl_int CL_API_CALL put_marker(cl_command_queue in, cl_uint count, const cl_event *list, cl_event *event)
{
    (void)in, (void)count, (void)list;
    if (event)
        *event = &marker;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL event_info(cl_event of, cl_event_info what, size_t room, void *out, size_t *size)
{
    (void)of;
    return what == CL_EVENT_COMMAND_EXECUTION_STATUS ? give_number(CL_COMPLETE, 4, room, out, size) : CL_INVALID_VALUE;
}

static cl_int CL_API_CALL wait_events(cl_uint count, const cl_event *list) { return (void)count, (void)list, CL_SUCCESS; }
static cl_int CL_API_CALL release_event(cl_event of) { return (void)of, CL_SUCCESS; }
static cl_int CL_API_CALL finish(cl_command_queue of) { return (void)of, CL_SUCCESS; }
static cl_int CL_API_CALL release_context(cl_context of) { return (void)of, CL_SUCCESS; }
static cl_int CL_API_CALL release_memory(cl_mem of) { return (void)of, CL_SUCCESS; }

static void fill_dispatch(void)
{
    dispatch.clGetPlatformInfo = platform_info;
    dispatch.clGetDeviceIDs = device_ids;
    dispatch.clGetDeviceInfo = device_info;
    dispatch.clCreateContext = create_context;
    dispatch.clCreateCommandQueue = create_queue;
    dispatch.clCreateBuffer = create_buffer;
    dispatch.clEnqueueWriteBuffer = write_buffer;
    dispatch.clFinish = finish;
    dispatch.clFlush = finish;
    dispatch.clGetCommandQueueInfo = queue_info;
    dispatch.clEnqueueMarkerWithWaitList = put_marker;
    dispatch.clGetEventInfo = event_info;
    dispatch.clWaitForEvents = wait_events;
    dispatch.clReleaseEvent = release_event;
    dispatch.clReleaseCommandQueue = finish;
    dispatch.clReleaseContext = release_context;
    dispatch.clReleaseMemObject = release_memory;
}

/* The two entry points a loader looks for. */
__attribute__((visibility("default"))) void *CL_API_CALL clGetExtensionFunctionAddress(const char *name);
void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    union {
        cl_int(CL_API_CALL *ids)(cl_uint, cl_platform_id *, cl_uint *);
        cl_int(CL_API_CALL *info)(cl_platform_id, cl_platform_info, size_t, void *, size_t *);
        void *address;
    } entry = { NULL };
    fill_dispatch();
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        entry.ids = platform_ids;
    else if (strcmp(name, "clGetPlatformInfo") == 0)
        entry.info = platform_info;
    return entry.address;
}

__attribute__((visibility("default"))) void fake_icd_set_devices(const fake_device *list, size_t count);
void fake_icd_set_devices(const fake_device *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        devices[i].dispatch = &dispatch;
        devices[i].is = list[i];
    }
    device_count = count;
}
