/* discovery.c: finds every OpenCL device once, and puts the best first.
 *
 * Order: what can be used before what cannot; discrete GPU, integrated GPU, accelerator, CPU, others, software renderers; then
 * most memory; then as the driver loader tells them. Platforms are never told apart by their number, which changes with the
 * contents of a folder. CPUs of two platforms are the same silicon and yet two devices: two runtimes to choose from. */
#include "device/device_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/memory.h"

#define MAX_PLATFORMS 64
#define MAX_DEVICES   256 /* of one platform */

#define HOW_TO_INSTALL                                                                                                             \
    "install a driver for your GPU, or PoCL to run on the CPU (Debian and Ubuntu: apt install pocl-opencl-icd, mesa-opencl-icd "  \
    "or intel-opencl-icd; Fedora: dnf install pocl, mesa-libOpenCL or intel-compute-runtime; AMD and NVIDIA have packages of "    \
    "their own)"

bool dev_same_card(const dev_identity *a, const dev_identity *b)
{
    if (a->pci_known && b->pci_known && !a->pci_shared && !b->pci_shared && a->is_gpu && b->is_gpu &&
        a->pci_bus == b->pci_bus && a->pci_device == b->pci_device && a->pci_function == b->pci_function)
        return !a->domain_known || !b->domain_known || a->pci_domain == b->pci_domain;
    if (a->luid_known && b->luid_known && memcmp(a->luid, b->luid, sizeof a->luid) == 0)
        return true;
    /* Each driver has its own way to number devices, so UUIDs compare within one driver only. */
    return a->uuid_known && b->uuid_known && memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 &&
           memcmp(a->driver_uuid, b->driver_uuid, sizeof a->driver_uuid) == 0;
}

static int rank_of(const oclm_device_info *info)
{
    if (info->software)
        return 5;
    switch (info->type) {
    case OCLM_DEVICE_DISCRETE_GPU: return 0;
    case OCLM_DEVICE_INTEGRATED_GPU: return 1;
    case OCLM_DEVICE_ACCELERATOR: return 2;
    case OCLM_DEVICE_CPU: return 3;
    default: return 4;
    }
}

static int better(const void *left, const void *right)
{
    const dev_entry *a = left, *b = right;
    if ((a->info.unusable != NULL) != (b->info.unusable != NULL))
        return a->info.unusable ? 1 : -1;
    if (rank_of(&a->info) != rank_of(&b->info))
        return rank_of(&a->info) < rank_of(&b->info) ? -1 : 1;
    if (a->info.global_mem_bytes != b->info.global_mem_bytes)
        return a->info.global_mem_bytes > b->info.global_mem_bytes ? -1 : 1;
    if (a->info.platform_index != b->info.platform_index)
        return a->info.platform_index < b->info.platform_index ? -1 : 1;
    return a->info.platform_device < b->info.platform_device ? -1 : 1;
}

static void sort(dev_list *list)
{
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof *list->entries, better);
    for (size_t i = 0; i < list->count; i++)
        list->entries[i].info.index = i;
}

static bool is_listed(const dev_list *list, cl_device_id device)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].device == device)
            return true;
    }
    return false;
}

static oclm_status add_platform(dev_list *list, cl_platform_id platform, size_t platform_index, cl_uint *found)
{
    static const char what[] = "the list of devices";
    cl_device_id      devices[MAX_DEVICES];
    cl_uint           count = 0; /* some drivers leave it as it is where they have no device */
    *found = 0;
    const cl_int error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &count);
    if (error != CL_SUCCESS) {
        if (error != CL_DEVICE_NOT_FOUND)
            core_log(OCLM_LOG_WARNING, "OpenCL platform %zu: clGetDeviceIDs: %s", platform_index, dev_cl_name(error));
        return OCLM_OK;
    }
    *found = count < MAX_DEVICES ? count : MAX_DEVICES;
    dev_entry *entries = core_realloc_array(list->entries, list->count + *found, sizeof *entries, what);
    if (!entries)
        return OCLM_ERR_MEMORY;
    list->entries = entries;
    for (cl_uint i = 0; i < *found; i++) {
        dev_entry  *entry = &entries[list->count];
        const char *extensions;
        oclm_status status;
        if (is_listed(list, devices[i]))
            continue;
        memset(entry, 0, sizeof *entry);
        entry->platform = platform;
        entry->device = devices[i];
        if ((status = dev_info_read(platform, devices[i], &entry->info, &entry->strings, &extensions)) != OCLM_OK)
            return status;
        dev_identity_read(devices[i], extensions, &entry->identity);
        entry->info.platform_index = platform_index;
        entry->info.platform_device = i;
        list->count++;
    }
    return OCLM_OK;
}

/* Two drivers for one card: the one that allows the larger buffer, then the one that was first, stays. */
static bool is_preferred(const dev_entry *a, const dev_entry *b)
{
    if (a->info.max_alloc_bytes != b->info.max_alloc_bytes)
        return a->info.max_alloc_bytes > b->info.max_alloc_bytes;
    return a->info.platform_index < b->info.platform_index;
}

/* An address without its domain says nothing where one platform has several devices at it (some multi-card machines). */
static bool is_ambiguous(const dev_list *list, const dev_entry *entry)
{
    const dev_identity *a = &entry->identity;
    for (size_t i = 0; a->pci_known && !a->domain_known && i < list->count; i++) {
        const dev_identity *b = &list->entries[i].identity;
        if (&list->entries[i] != entry && list->entries[i].platform == entry->platform && b->pci_known &&
            a->pci_bus == b->pci_bus && a->pci_device == b->pci_device && a->pci_function == b->pci_function)
            return true;
    }
    return false;
}

static void find_duplicates(dev_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        dev_entry *a = &list->entries[i];
        a->identity.pci_shared = is_ambiguous(list, a);
    }
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = i + 1; j < list->count; j++) {
            dev_entry *a = &list->entries[i], *b = &list->entries[j];
            if (a->platform != b->platform && !a->info.unusable && !b->info.unusable && dev_same_card(&a->identity, &b->identity))
                (is_preferred(a, b) ? b : a)->duplicate = true;
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].duplicate)
            list->entries[i].info.unusable = "";
    }
}

/* Once places are known: which device a duplicate is the same card as. */
static oclm_status name_duplicates(dev_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        dev_entry  *entry = &list->entries[i];
        core_text   text = CORE_TEXT_INIT;
        oclm_status status;
        size_t      same = 0;
        if (!entry->duplicate)
            continue;
        while (list->entries[same].duplicate || !dev_same_card(&list->entries[same].identity, &entry->identity)) {
            if (++same == list->count) /* three drivers, of which only neighbours agree on an identity */
                return core_fail(OCLM_ERR_INTERNAL, "device %zu duplicates a device that is not listed", i);
        }
        if ((status = core_text_printf(&text, "is the same card as device %zu, through another driver", same)) != OCLM_OK)
            return status;
        if (!(entry->reason = core_text_take(&text, NULL)))
            return OCLM_ERR_MEMORY;
        entry->info.unusable = entry->reason;
    }
    return OCLM_OK;
}

static void add_platform_name(core_text *names, cl_platform_id platform)
{
    char name[128] = "";
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, NULL) != CL_SUCCESS || !name[0])
        strcpy(name, "one without a name");
    (void)core_text_printf(names, "%s%s", names->length ? ", " : "", name); /* a name lost to lack of memory is no harm */
}

static oclm_status fail_without_devices(const core_text *empty)
{
    const char *vendors = core_env("OCL_ICD_VENDORS");
    char        note[512] = "";
    if (vendors && strlen(vendors) < 400) {
        strcpy(note, "; OCL_ICD_VENDORS is set to \"");
        strcat(note, vendors);
        strcat(note, "\", which hides all drivers not there");
    }
    if (empty->length == 0)
        return core_fail(OCLM_ERR_NO_DEVICE, "no OpenCL driver is installed%s: %s", note, HOW_TO_INSTALL);
    if (strstr(empty->data, "rusticl") && !core_env("RUSTICL_ENABLE"))
        strcat(note, "; rusticl shows none until RUSTICL_ENABLE names its drivers (such as radeonsi, iris or llvmpipe)");
    return core_fail(OCLM_ERR_NO_DEVICE, "no OpenCL device: the platforms here have none (%s)%s: %s", empty->data, note,
                     HOW_TO_INSTALL);
}

static oclm_status collect(dev_list *list)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint        count = 0, found = 0;
    size_t         platform_index = 0;
    core_text      empty = CORE_TEXT_INIT; /* names of platforms without devices */
    oclm_status    status = OCLM_OK;
    if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &count) != CL_SUCCESS)
        count = 0;
    if (count > MAX_PLATFORMS)
        count = MAX_PLATFORMS;
    for (cl_uint i = 0; i < count && status == OCLM_OK; i++) {
        bool again = false; /* a driver registered twice gives the same platform twice */
        for (cl_uint j = 0; j < i; j++)
            again = again || platforms[j] == platforms[i];
        if (again)
            continue;
        status = add_platform(list, platforms[i], platform_index++, &found);
        if (status == OCLM_OK && found == 0)
            add_platform_name(&empty, platforms[i]);
    }
    if (status == OCLM_OK && list->count == 0)
        status = fail_without_devices(&empty);
    else if (status == OCLM_OK && empty.length)
        core_log(OCLM_LOG_DEBUG, "OpenCL platforms without devices: %s", empty.data);
    core_text_free(&empty);
    return status;
}

oclm_status dev_list_new(dev_list **out)
{
    oclm_status status;
    *out = NULL;
    dev_list *list = core_alloc_zero(1, sizeof *list, "the list of devices");
    if (!list)
        return OCLM_ERR_MEMORY;
    if ((status = collect(list)) != OCLM_OK)
        goto done;
    find_duplicates(list);
    sort(list);
    if ((status = name_duplicates(list)) != OCLM_OK)
        goto done;
    *out = list;
    list = NULL;
done:
    dev_list_free(list);
    return status;
}

void dev_list_free(dev_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        core_free(list->entries[i].strings);
        core_free(list->entries[i].reason);
    }
    core_free(list->entries);
    core_free(list);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && lower(text[i]) == lower(part[i]))
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

/* "3" or "1:0"; false where it is a name. */
static bool parse_index(const char *spec, bool *pair, uint64_t *first, uint64_t *second)
{
    char        part[24];
    const char *colon = strchr(spec, ':');
    *pair = colon != NULL;
    if (!colon)
        return core_parse_u64(spec, first);
    const size_t length = (size_t)(colon - spec);
    if (length >= sizeof part)
        return false;
    memcpy(part, spec, length);
    part[length] = '\0';
    return core_parse_u64(part, first) && core_parse_u64(colon + 1, second);
}

static bool matches(const dev_entry *entry, const char *spec)
{
    bool     pair;
    uint64_t first = 0, second = 0;
    if (parse_index(spec, &pair, &first, &second))
        return pair ? entry->info.platform_index == first && entry->info.platform_device == second : entry->info.index == first;
    return contains(entry->info.name, spec) || contains(entry->info.platform_name, spec);
}

static oclm_status fail_choice(const dev_list *list, const char *spec, const char *where)
{
    enum { SHOWN = 8 };
    core_text text = CORE_TEXT_INIT;
    for (size_t i = 0; i < list->count && i < SHOWN; i++) {
        const oclm_device_info *info = &list->entries[i].info;
        (void)core_text_printf(&text, "%s%zu (%zu:%zu) \"%s\" of %s", i ? ", " : "", i, info->platform_index,
                               info->platform_device, info->name, info->platform_name);
        if (info->unusable)
            (void)core_text_printf(&text, " (not usable: %s)", info->unusable);
    }
    if (list->count > SHOWN)
        (void)core_text_printf(&text, " and %zu more", list->count - SHOWN);
    const char *devices = text.data ? text.data : "";
    if (spec)
        core_fail(OCLM_ERR_NO_DEVICE, "no usable OpenCL device matches \"%s\"%s; there are: %s", spec, where, devices);
    else
        core_fail(OCLM_ERR_NO_DEVICE, "no OpenCL device here can be used: %s: %s", devices, HOW_TO_INSTALL);
    core_text_free(&text);
    return OCLM_ERR_NO_DEVICE;
}

oclm_status dev_list_choose(const dev_list *list, const char *spec, size_t *index)
{
    const char *where = "";
    *index = 0;
    if (!spec || !spec[0]) {
        spec = core_env("OCLM_DEVICE");
        where = " (OCLM_DEVICE in the environment)";
    }
    for (size_t i = 0; i < list->count; i++) {
        const dev_entry *entry = &list->entries[i];
        if (spec ? matches(entry, spec) && (!entry->info.unusable || entry->duplicate) : !entry->info.unusable) {
            *index = i;
            return OCLM_OK;
        }
    }
    return fail_choice(list, spec, where);
}

size_t dev_list_several(const dev_list *list, size_t *indexes)
{
    size_t count = 0;
    bool   has_cpu = false;
    for (size_t i = 0; i < list->count && !list->entries[i].info.unusable; i++) {
        const oclm_device_info *info = &list->entries[i].info;
        const bool              cpu = info->type == OCLM_DEVICE_CPU;
        if (count > 0 && (info->software || (cpu && has_cpu)))
            continue;
        has_cpu = has_cpu || cpu;
        indexes[count++] = i;
    }
    return count;
}
