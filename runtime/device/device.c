/* device.c: opens and closes devices. */
#include "device/device_internal.h"

#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "device/launch.h"

/* Called by drivers, from threads of their own, with what went wrong in a context. */
static void CL_CALLBACK on_context_error(const char *message, const void *data, size_t size, void *user)
{
    (void)data, (void)size, (void)user;
    core_log(OCLM_LOG_WARNING, "OpenCL driver: %s", message ? message : "an error without a message");
}

/* Names what is remembered on disk about a device: whatever may change a compiled program or a measurement. Not its memory,
 * which some CPU drivers tell anew each time. */
static void make_key(cl_device_id id, const oclm_device_info *info, const char *extensions, char key[65])
{
    const char *texts[] = { info->platform_name, info->platform_version, info->name,      info->vendor,
                            info->version,       info->driver_version,   extensions };
    static const cl_uint asked[] = { CL_DEVICE_VENDOR_ID, CL_DEVICE_MAX_COMPUTE_UNITS, CL_DEVICE_MAX_WORK_GROUP_SIZE,
                                     CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, CL_DEVICE_ADDRESS_BITS };
    core_sha256 sha;
    uint8_t     digest[32];
    core_sha256_init(&sha);
    for (size_t i = 0; i < COUNT(texts); i++)
        core_sha256_add(&sha, texts[i], strlen(texts[i]) + 1);
    for (size_t i = 0; i < COUNT(asked); i++) {
        const uint64_t value = dev_ask(id, asked[i]);
        core_sha256_add(&sha, &value, sizeof value);
    }
    const uint64_t pointer = sizeof(void *);
    core_sha256_add(&sha, &pointer, sizeof pointer);
    core_sha256_end(&sha, digest);
    core_sha256_hex(digest, key);
}

/* The most oclm allocates: what the caller says, or its default. */
static uint64_t budget_for(const oclm_device_info *info, uint64_t wish, size_t sharing)
{
    const bool     nonsense = info->global_mem_bytes == 0;
    const uint64_t budget = dev_default_budget(info, sharing);
    char           text[32];
    if (nonsense && !wish)
        core_log(OCLM_LOG_WARNING, "device \"%s\": its driver reports no memory at all; oclm takes %s at most: max_memory says how much there is",
                 info->name, core_format_bytes(budget, text));
    return wish && (nonsense || wish < info->global_mem_bytes) ? wish : budget;
}

/* GPUs run a work-item a lane. So do CPU drivers that say their native vector is one float wide: they fill vectors with
 * neighbouring work-items, as software renderers do. */
static bool has_lanes_in_items(const dev_device *device)
{
    if (device->traits.info.type == OCLM_DEVICE_CPU && !device->traits.info.software)
        return false;
    return device->traits.info.type == OCLM_DEVICE_DISCRETE_GPU || device->traits.info.type == OCLM_DEVICE_INTEGRATED_GPU ||
           dev_ask(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT) <= 1;
}

/* Everything about a device that does not need its context. */
static oclm_status read_traits(dev_device *device, cl_platform_id platform, const dev_entry *entry, const dev_open_options *options,
                               size_t sharing)
{
    dev_traits *traits = &device->traits;
    oclm_status status;
    if ((status = dev_info_read(platform, device->id, &traits->info, &device->strings, &device->extensions)) != OCLM_OK)
        return status;
    if (traits->info.unusable)
        return core_fail(OCLM_ERR_DEVICE, "device \"%s\" of %s cannot be used: %s", traits->info.name, traits->info.platform_name,
                         traits->info.unusable);
    if (entry) {
        traits->info.index = entry->info.index;
        traits->info.platform_index = entry->info.platform_index;
        traits->info.platform_device = entry->info.platform_device;
    }
    traits->budget_bytes = budget_for(&traits->info, options ? options->budget_bytes : 0, sharing);
    traits->max_group = traits->info.max_work_group_size ? traits->info.max_work_group_size : 1;
    traits->base_align_bytes = (size_t)dev_ask(device->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    if (traits->base_align_bytes == 0)
        traits->base_align_bytes = 128; /* the largest OpenCL C type */
    traits->vector_width = dev_ask(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT) >= 16 ? 16 : 8;
    traits->lanes_in_items = has_lanes_in_items(device);
    device->matmul = options ? options->matmul : OCLM_MATMUL_AUTO;
    make_key(device->id, &traits->info, device->extensions, traits->key);
    return OCLM_OK;
}

static oclm_status new_empty(dev_device **out)
{
    oclm_status status;
    *out = NULL;
    dev_device *device = core_alloc_zero(1, sizeof *device, "a device");
    if (!device)
        return OCLM_ERR_MEMORY;
    atomic_store(&device->refused_at, UINT64_MAX);
    status = core_mutex_new(&device->programs_lock);
    for (size_t i = 0; i < DEV_SLOT_COUNT && status == OCLM_OK; i++)
        status = core_mutex_new(&device->slots[i].lock);
    if (status != OCLM_OK) {
        dev_close(device);
        return status;
    }
    *out = device;
    return OCLM_OK;
}

/* `sharing`: devices opened together that live in the host's memory. */
static oclm_status open_entry(const dev_entry *entry, const dev_open_options *options, size_t sharing, dev_device **out)
{
    dev_device *device = NULL;
    oclm_status status;
    cl_int      error;
    *out = NULL;
    if ((status = new_empty(&device)) != OCLM_OK)
        return status;
    device->id = entry->device;
    if ((status = read_traits(device, entry->platform, entry, options, sharing)) != OCLM_OK)
        goto done;
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)entry->platform, 0 };
    device->context = clCreateContext(properties, 1, &device->id, on_context_error, NULL, &error);
    if (error != CL_SUCCESS) {
        device->context = NULL;
        status = dev_cl_fail(error, "opening device \"%s\" of %s: clCreateContext", entry->info.name, entry->info.platform_name);
        goto done;
    }
    if ((status = dev_health_begin(device->context, &device->health)) != OCLM_OK ||
        (status = dev_queue_new(device, &device->queue)) != OCLM_OK)
        goto done;
    core_log(OCLM_LOG_INFO, "device %zu: %s (%s, %s, driver %s)", entry->info.index, entry->info.name, entry->info.platform_name,
             entry->info.version, entry->info.driver_version);
    *out = device;
    device = NULL;
done:
    dev_close(device);
    return status;
}

oclm_status dev_open(const dev_open_options *options, dev_device **device)
{
    dev_list   *list = NULL;
    oclm_status status;
    size_t      index = 0;
    const char *spec = options ? options->spec : NULL;
    *device = NULL;
    if ((status = dev_list_new(&list)) != OCLM_OK || (status = dev_list_choose(list, spec, &index)) != OCLM_OK)
        goto done;
    status = open_entry(&list->entries[index], options, 1, device);
    /* A default that does not open (taken, lost, out of memory) gives way to the next; what the user chose does not. */
    const bool chosen = (spec && spec[0]) || core_env("OCLM_DEVICE");
    while (status != OCLM_OK && status != OCLM_ERR_MEMORY && !chosen && index + 1 < list->count &&
           !list->entries[index + 1].info.unusable) {
        core_log(OCLM_LOG_WARNING, "%s; trying the next device", oclm_last_error());
        status = open_entry(&list->entries[++index], options, 1, device);
    }
done:
    dev_list_free(list);
    return status;
}

/* Where each of the options' devices stands in the list. */
static oclm_status choose_several(const dev_list *list, const dev_open_options *options, size_t count, size_t *indexes)
{
    for (size_t i = 0; i < count; i++) {
        const oclm_status status = dev_list_choose(list, options[i].spec, &indexes[i]);
        if (status != OCLM_OK)
            return status;
        for (size_t j = 0; j < i; j++) {
            if (indexes[i] == indexes[j])
                return core_fail(OCLM_ERR_ARGUMENT, "\"%s\" and \"%s\" are one device, \"%s\" of %s: name it once", options[j].spec ? options[j].spec : "",
                                 options[i].spec ? options[i].spec : "", list->entries[indexes[i]].info.name,
                                 list->entries[indexes[i]].info.platform_name);
        }
    }
    return OCLM_OK;
}

oclm_status dev_open_several(const dev_open_options *options, size_t count, dev_device **devices)
{
    dev_list   *list = NULL;
    size_t     *indexes = NULL;
    size_t      sharing = 0;
    oclm_status status;
    for (size_t i = 0; i < count; i++)
        devices[i] = NULL;
    if ((status = dev_list_new(&list)) != OCLM_OK)
        goto done;
    if (!(indexes = core_alloc_array(count, sizeof *indexes, "a list of devices"))) {
        status = OCLM_ERR_MEMORY;
        goto done;
    }
    if ((status = choose_several(list, options, count, indexes)) != OCLM_OK)
        goto done;
    for (size_t i = 0; i < count; i++)
        sharing += dev_is_in_host(&list->entries[indexes[i]].info);
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = open_entry(&list->entries[indexes[i]], &options[i], sharing ? sharing : 1, &devices[i]);
    for (size_t i = 0; i < count && status != OCLM_OK; i++) {
        dev_close(devices[i]);
        devices[i] = NULL;
    }
done:
    core_free(indexes);
    dev_list_free(list);
    return status;
}

/* The queue's context, device and properties must be what a pass needs. */
static oclm_status check_callers(cl_context context, cl_command_queue queue, cl_device_id *id)
{
    cl_context                  of_queue = NULL;
    cl_command_queue_properties properties = 0;
    cl_int                      error;
    if (!context || !queue)
        return core_fail(OCLM_ERR_ARGUMENT, "%s is NULL: pass an OpenCL context and one of its in-order queues",
                         context ? "the command queue" : "the context");
    if ((error = clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof of_queue, &of_queue, NULL)) != CL_SUCCESS ||
        (error = clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof *id, id, NULL)) != CL_SUCCESS ||
        (error = clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL)) != CL_SUCCESS)
        return core_fail(OCLM_ERR_ARGUMENT, "the command queue is not usable: clGetCommandQueueInfo: %s", dev_cl_name(error));
    if (of_queue != context)
        return core_fail(OCLM_ERR_ARGUMENT, "the command queue belongs to another context than the one given: pass the queue's own");
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)
        return core_fail(OCLM_ERR_ARGUMENT, "the command queue is out-of-order: create it without "
                                            "CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE");
    return OCLM_OK;
}

oclm_status dev_open_on(cl_context context, cl_command_queue queue, const dev_open_options *options, dev_device **out)
{
    dev_device    *device = NULL;
    cl_platform_id platform = NULL;
    cl_device_id   id = NULL;
    oclm_status    status;
    cl_int         error;
    *out = NULL;
    if (options && options->spec && options->spec[0])
        return core_fail(OCLM_ERR_ARGUMENT, "device \"%s\" is named beside a command queue, which has a device of its own: leave it out",
                         options->spec);
    if ((status = check_callers(context, queue, &id)) != OCLM_OK || (status = new_empty(&device)) != OCLM_OK)
        return status;
    device->id = id;
    device->callers = true;
    if ((error = clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL)) != CL_SUCCESS) {
        status = dev_cl_fail(error, "the queue's device: clGetDeviceInfo");
        goto done;
    }
    if ((status = read_traits(device, platform, NULL, options, 1)) != OCLM_OK)
        goto done;
    if ((error = clRetainContext(context)) == CL_SUCCESS)
        device->context = context;
    if (error == CL_SUCCESS && (error = clRetainCommandQueue(queue)) == CL_SUCCESS)
        device->queue = queue;
    if (error != CL_SUCCESS) {
        status = dev_cl_fail(error, "keeping the caller's context and queue");
        goto done;
    }
    if ((status = dev_health_begin(context, &device->health)) != OCLM_OK)
        goto done;
    *out = device;
    device = NULL;
done:
    dev_close(device);
    return status;
}

/* A lost device's queue may never end, or end when we are gone: whatever it may touch stays as it is, until the process ends. */
static void abandon(dev_device *device)
{
    core_log(OCLM_LOG_WARNING, "device \"%s\" is given up: what it holds is not freed", device->traits.info.name);
    dev_health_abandon(device);
}

void dev_close(dev_device *device)
{
    if (!device)
        return;
    if (device->queue)
        (void)dev_finish(device->queue);
    if (dev_health_is_lost(device->health)) {
        abandon(device);
        return;
    }
    for (size_t i = 0; i < DEV_SLOT_COUNT; i++) {
        if (device->slots[i].value)
            device->slots[i].drop(device, device->slots[i].value);
        core_mutex_free(device->slots[i].lock);
    }
    dev_programs_drop(device);
    if (device->queue)
        clReleaseCommandQueue(device->queue);
    dev_health_end(device->health);
    if (device->context)
        clReleaseContext(device->context);
    core_mutex_free(device->programs_lock);
    core_free(device->strings);
    core_free(device);
}

oclm_status dev_queue_new(dev_device *device, cl_command_queue *queue)
{
    cl_int error;
    *queue = NULL;
    if (device->callers) {
        if ((error = clRetainCommandQueue(device->queue)) != CL_SUCCESS)
            return dev_cl_fail(error, "device \"%s\": clRetainCommandQueue", device->traits.info.name);
        *queue = device->queue;
        return OCLM_OK;
    }
    cl_command_queue made = clCreateCommandQueue(device->context, device->id, 0, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "device \"%s\": clCreateCommandQueue", device->traits.info.name);
    *queue = made;
    return OCLM_OK;
}

const dev_traits *dev_get_traits(const dev_device *device) { return &device->traits; }
cl_context        dev_context(const dev_device *device) { return device->context; }
cl_device_id      dev_id(const dev_device *device) { return device->id; }
oclm_matmul       dev_matmul_choice(const dev_device *device) { return device->matmul; }
cl_command_queue  dev_queue(const dev_device *device) { return device->queue; }
bool              dev_has_extension(const dev_device *device, const char *name) { return core_has_word(device->extensions, name); }
bool              dev_is_callers(const dev_device *device) { return device->callers; }

oclm_status dev_slot_get(dev_device *device, dev_slot slot, dev_slot_make make, dev_slot_drop drop, void **value)
{
    oclm_status status = OCLM_OK;
    *value = NULL;
    dev_slot_lock(device, slot);
    if (!device->slots[slot].value) {
        void *made = NULL;
        if ((status = make(device, &made)) == OCLM_OK) {
            device->slots[slot].value = made;
            device->slots[slot].drop = drop;
        }
    }
    *value = device->slots[slot].value;
    dev_slot_unlock(device, slot);
    return status;
}

void dev_slot_lock(dev_device *device, dev_slot slot) { core_mutex_lock(device->slots[slot].lock); }
void dev_slot_unlock(dev_device *device, dev_slot slot) { core_mutex_unlock(device->slots[slot].lock); }
