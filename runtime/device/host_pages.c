/* host_pages.c: buffers of devices that compute in the host's memory are cut, one behind the other, from blocks of large pages.
 *
 * CPU drivers take their buffers from malloc(), so in pages of 4 KiB. Decoding then reads 44 tokens' weights a second where it
 * reads 48 with pages of 2 MiB (SmolLM2-135M in float32, PoCL, 2 cores). A block lives until all that was cut from it is gone. */
#include "device/device_internal.h"

#include "core/memory.h"

#define BLOCK_BYTES ((size_t)64 << 20)  /* untouched pages of a block take no memory */
#define LEAST_BYTES ((size_t)256 << 10) /* smaller buffers stay in caches: pages do not matter */
#define ALIGNMENT   ((size_t)4096)      /* what drivers want to use memory in place; more than any OpenCL C type */

struct dev_host_pages {
    char            *memory;
    size_t           bytes, used;
    _Atomic uint32_t users; /* buffers cut from it, and the device while it cuts more */
};

void dev_host_pages_drop(dev_host_pages *block)
{
    if (!block || atomic_fetch_sub(&block->users, 1) > 1)
        return;
    core_pages_free(block->memory, block->bytes);
    core_free(block);
}

static dev_host_pages *new_block(size_t bytes)
{
    dev_host_pages *block = core_alloc_zero(1, sizeof *block, "a block of pages");
    if (!block)
        return NULL;
    block->bytes = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    if (!(block->memory = core_pages_new(block->bytes, "a block of pages"))) {
        core_free(block);
        return NULL;
    }
    atomic_store(&block->users, 1);
    return block;
}

/* The slot's value is an address, so that the block it holds can change. */
static oclm_status current_make(dev_device *device, void **value)
{
    (void)device;
    *value = core_alloc_zero(1, sizeof(dev_host_pages *), "a block of pages");
    return *value ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void current_drop(dev_device *device, void *value)
{
    (void)device;
    dev_host_pages **current = value;
    dev_host_pages_drop(*current);
    core_free(current);
}

static bool computes_in_host_memory(const dev_device *device)
{
    const oclm_device_info *info = &device->traits.info;
    return info->type == OCLM_DEVICE_CPU && info->host_unified && !info->software;
}

void *dev_host_pages_new(dev_device *device, size_t bytes, dev_host_pages **owner)
{
    void *value = NULL, *memory = NULL;
    *owner = NULL;
    if (bytes < LEAST_BYTES || bytes > SIZE_MAX - ALIGNMENT || !computes_in_host_memory(device) ||
        dev_slot_get(device, DEV_SLOT_PAGES, current_make, current_drop, &value) != OCLM_OK)
        return NULL;
    const size_t     size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    dev_host_pages **current = value;
    dev_slot_lock(device, DEV_SLOT_PAGES);
    if (!*current || (*current)->bytes - (*current)->used < size) {
        dev_host_pages *next = new_block(size);
        if (next) {
            dev_host_pages_drop(*current);
            *current = next;
        }
    }
    dev_host_pages *block = *current;
    if (block && block->bytes - block->used >= size) {
        memory = block->memory + block->used;
        block->used += size;
        atomic_fetch_add(&block->users, 1);
        *owner = block;
    }
    dev_slot_unlock(device, DEV_SLOT_PAGES);
    return memory;
}

static void CL_CALLBACK on_released(cl_mem buffer, void *block)
{
    (void)buffer;
    dev_host_pages_drop(block);
}

cl_int dev_host_pages_attach(dev_host_pages *block, cl_mem buffer)
{
    return clSetMemObjectDestructorCallback(buffer, on_released, block);
}
