/* device_info.c: asks a driver about one device. Drivers answer questions they do not know in many ways: every answer is
 * preset, and checked for its size. */
#include "device/device_internal.h"

#include <string.h>

#include "core/memory.h"

/* From extensions; not in every copy of the OpenCL headers. */
#define PCI_BUS_INFO_KHR    0x410F /* cl_khr_pci_bus_info: domain, bus, device, function as cl_uint */
#define UUID_KHR            0x106A /* cl_khr_device_uuid */
#define DRIVER_UUID_KHR     0x106B
#define LUID_VALID_KHR      0x106C
#define LUID_KHR            0x106D
#define TOPOLOGY_AMD        0x4037 /* cl_amd_device_attribute_query: cl_uint type = 1, 17 unused bytes, bus, device, function */
#define PCI_BUS_ID_NV       0x4008 /* cl_nv_device_attribute_query */
#define PCI_SLOT_ID_NV      0x4009 /* device * 8 + function */
#define PCI_DOMAIN_ID_NV    0x400A

#define LEAST_MAX_ALLOC ((uint64_t)128 << 20) /* OpenCL 1.2, table 4.3: a quarter of global memory, 128 MiB at least; 2.0 and up: .. */
#define MOST_OF_LEAST   ((uint64_t)1 << 30)   /* .. no more than 1 GiB of that quarter */
#define MAX_TEXT (64u << 10) /* bytes of one answer; real extension lists have a few kilobytes */

/* Renderers that emulate a GPU on the CPU. They call themselves CPU or GPU as their environment says, and no other property
 * they report tells them from a real device, so this is one of the two places where a name decides (by rank alone; the other
 * is a hint in a message). */
static const char *const renderers[] = { "llvmpipe", "softpipe", "swrast", "lavapipe", "swiftshader" };

static bool is_renderer(const char *name)
{
    char lower[128];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof lower; n++)
        lower[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] - 'A' + 'a') : name[n];
    lower[n] = '\0';
    for (size_t i = 0; i < COUNT(renderers); i++) {
        if (strstr(lower, renderers[i]))
            return true;
    }
    return false;
}

/* Adds a string's text, without blanks around it, and its NUL to `text`; tells where it begins. "" where the driver has none. */
static oclm_status add_answer(core_text *text, cl_platform_id platform, cl_device_id id, cl_uint what, size_t *begin)
{
    char       *answer = NULL;
    size_t      size = 0, first = 0;
    oclm_status status = OCLM_OK;
    *begin = text->length;
    const cl_int asked = id ? clGetDeviceInfo(id, what, 0, NULL, &size) : clGetPlatformInfo(platform, what, 0, NULL, &size);
    if (asked != CL_SUCCESS || size == 0 || size > MAX_TEXT)
        return core_text_add_char(text, '\0');
    if (!(answer = core_alloc_zero(size + 1, 1, "a device's description")))
        return OCLM_ERR_MEMORY;
    if ((id ? clGetDeviceInfo(id, what, size, answer, NULL) : clGetPlatformInfo(platform, what, size, answer, NULL)) != CL_SUCCESS)
        answer[0] = '\0';
    size = strlen(answer);
    while (size && answer[size - 1] == ' ')
        size--;
    while (first < size && answer[first] == ' ')
        first++;
    if ((status = core_text_add(text, answer + first, size - first)) == OCLM_OK)
        status = core_text_add_char(text, '\0');
    core_free(answer);
    return status;
}

static bool answer(cl_device_id id, cl_uint what, void *value, size_t bytes)
{
    size_t got = 0;
    memset(value, 0, bytes);
    if (clGetDeviceInfo(id, what, 0, NULL, &got) == CL_SUCCESS && got == bytes &&
        clGetDeviceInfo(id, what, bytes, value, NULL) == CL_SUCCESS)
        return true;
    memset(value, 0, bytes);
    return false;
}

uint64_t dev_ask(cl_device_id id, cl_uint what)
{
    cl_ulong wide;
    cl_uint  narrow;
    if (answer(id, what, &wide, sizeof wide)) /* also size_t and bit fields where they have 64 bits */
        return wide;
    return answer(id, what, &narrow, sizeof narrow) ? narrow : 0; /* also cl_bool */
}

static oclm_device_type type_of(cl_device_id id, bool *software)
{
    const uint64_t bits = dev_ask(id, CL_DEVICE_TYPE) & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR);
    if (bits & (bits - 1)) /* several at once: only an emulator is a CPU and a GPU */
        *software = true;
    if (bits & CL_DEVICE_TYPE_CPU)
        return OCLM_DEVICE_CPU;
    if (bits & CL_DEVICE_TYPE_GPU)
        return dev_ask(id, CL_DEVICE_HOST_UNIFIED_MEMORY) ? OCLM_DEVICE_INTEGRATED_GPU : OCLM_DEVICE_DISCRETE_GPU;
    return bits ? OCLM_DEVICE_ACCELERATOR : OCLM_DEVICE_OTHER;
}

/* Why oclm cannot run on a device, or NULL. */
static const char *why_unusable(cl_device_id id, const char *version)
{
    cl_bool answered;
    if (!answer(id, CL_DEVICE_AVAILABLE, &answered, sizeof answered) || !answered)
        return "the driver says it is not available";
    if (!dev_ask(id, CL_DEVICE_COMPILER_AVAILABLE))
        return "its driver has no OpenCL C compiler";
    if (!dev_ask(id, CL_DEVICE_ENDIAN_LITTLE))
        return "it is big-endian";
    if (strncmp(version, "OpenCL 1.0", 10) == 0 || strncmp(version, "OpenCL 1.1", 10) == 0)
        return "it is older than OpenCL 1.2";
    return NULL;
}

/* What a device takes in one buffer at least. */
static uint64_t least_alloc(uint64_t quarter)
{
    return quarter < LEAST_MAX_ALLOC ? LEAST_MAX_ALLOC : quarter < MOST_OF_LEAST ? quarter : MOST_OF_LEAST;
}

bool dev_is_in_host(const oclm_device_info *info) { return info->host_unified || info->type == OCLM_DEVICE_CPU; }

/* CPU drivers report all memory that there is, or more. A driver that reports none is believed in what it says of one buffer, or has the host's
 * where it computes there. Nobody probes by allocating: on many drivers that succeeds, and fails later. */
uint64_t dev_default_budget(const oclm_device_info *info, size_t sharing)
{
    const uint64_t host = dev_is_in_host(info) ? core_host_memory_available() / sharing : 0;
    const uint64_t told = info->global_mem_bytes != 0 ? info->global_mem_bytes : host ? host : info->max_alloc_bytes; /* it has room for that, once */
    return (host && host < told ? host : told) / 10 * 9;
}

oclm_status dev_info_read(cl_platform_id platform, cl_device_id id, oclm_device_info *info, char **strings, const char **extensions)
{
    enum { PLATFORM_NAME, PLATFORM_VERSION, NAME, VENDOR, VERSION, DRIVER_VERSION, EXTENSIONS, TEXTS };
    static const cl_uint what[TEXTS] = { CL_PLATFORM_NAME,  CL_PLATFORM_VERSION, CL_DEVICE_NAME,      CL_DEVICE_VENDOR,
                                         CL_DEVICE_VERSION, CL_DRIVER_VERSION,   CL_DEVICE_EXTENSIONS };
    core_text   text = CORE_TEXT_INIT;
    size_t      begin[TEXTS];
    oclm_status status;
    memset(info, 0, sizeof *info);
    *strings = NULL;
    for (size_t i = 0; i < TEXTS; i++) {
        if ((status = add_answer(&text, platform, i <= PLATFORM_VERSION ? NULL : id, what[i], &begin[i])) != OCLM_OK)
            goto done;
    }
    const char *words = text.data + begin[EXTENSIONS];
    info->struct_size = sizeof *info;
    info->platform_name = text.data + begin[PLATFORM_NAME];
    info->platform_version = text.data + begin[PLATFORM_VERSION];
    info->name = text.data + begin[NAME];
    info->vendor = text.data + begin[VENDOR];
    info->version = text.data + begin[VERSION];
    info->driver_version = text.data + begin[DRIVER_VERSION];
    info->unusable = why_unusable(id, info->version);
    info->software = is_renderer(info->name);
    info->type = type_of(id, &info->software);
    info->host_unified = dev_ask(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    info->fp16 = core_has_word(words, "cl_khr_fp16");
    info->fp64 = core_has_word(words, "cl_khr_fp64");
    info->subgroups = core_has_word(words, "cl_khr_subgroups") || core_has_word(words, "cl_intel_subgroups");
    info->compute_units = (uint32_t)dev_ask(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->max_work_group_size = (uint32_t)dev_ask(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info->global_mem_bytes = dev_ask(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_alloc_bytes = dev_ask(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    if (info->max_alloc_bytes == 0) /* no device may take less than OpenCL's least */
        info->max_alloc_bytes = least_alloc(info->global_mem_bytes / 4);
    info->local_mem_bytes = dev_ask(id, CL_DEVICE_LOCAL_MEM_SIZE);
    info->budget_bytes = dev_default_budget(info, 1);
    *extensions = words;
    *strings = text.data; /* info's strings point into it: from here the caller owns it */
    text = (core_text)CORE_TEXT_INIT;
done:
    core_text_free(&text);
    return status;
}

static bool any_byte(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i])
            return true;
    }
    return false;
}

/* Asks only what the extensions promise: checking layers report each unknown question as an error. */
static void read_pci(cl_device_id id, const char *extensions, dev_identity *identity)
{
    const bool has_khr = core_has_word(extensions, "cl_khr_pci_bus_info");
    const bool has_amd = core_has_word(extensions, "cl_amd_device_attribute_query");
    const bool has_nv = core_has_word(extensions, "cl_nv_device_attribute_query");
    cl_uint khr[4], bus, slot;
    uint8_t amd[24];
    if (has_khr && answer(id, PCI_BUS_INFO_KHR, khr, sizeof khr)) {
        identity->pci_known = identity->domain_known = true;
        identity->pci_domain = khr[0], identity->pci_bus = khr[1], identity->pci_device = khr[2], identity->pci_function = khr[3];
    } else if (has_amd && answer(id, TOPOLOGY_AMD, amd, sizeof amd) && amd[0] == 1) {
        identity->pci_known = true;
        identity->pci_bus = amd[21], identity->pci_device = amd[22], identity->pci_function = amd[23];
    } else if (has_nv && answer(id, PCI_BUS_ID_NV, &bus, sizeof bus) && answer(id, PCI_SLOT_ID_NV, &slot, sizeof slot)) {
        identity->pci_known = true;
        identity->pci_bus = bus, identity->pci_device = slot >> 3, identity->pci_function = slot & 7;
        identity->domain_known = answer(id, PCI_DOMAIN_ID_NV, &identity->pci_domain, sizeof identity->pci_domain);
    }
}

void dev_identity_read(cl_device_id id, const char *extensions, dev_identity *identity)
{
    cl_bool valid;
    memset(identity, 0, sizeof *identity);
    identity->is_gpu = (dev_ask(id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) != 0;
    read_pci(id, extensions, identity);
    if (!core_has_word(extensions, "cl_khr_device_uuid"))
        return;
    identity->luid_known = answer(id, LUID_VALID_KHR, &valid, sizeof valid) && valid &&
                           answer(id, LUID_KHR, identity->luid, sizeof identity->luid);
    identity->uuid_known = answer(id, UUID_KHR, identity->uuid, sizeof identity->uuid) &&
                           answer(id, DRIVER_UUID_KHR, identity->driver_uuid, sizeof identity->driver_uuid) &&
                           any_byte(identity->uuid, sizeof identity->uuid);
}
