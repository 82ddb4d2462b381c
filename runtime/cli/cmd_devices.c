/* cmd_devices.c: oclm devices: what the machine has. */
#include <string.h>

#include "cli/cli.h"

static const char *type_name(const oclm_device_info *d)
{
    switch (d->type) {
    case OCLM_DEVICE_CPU: return "cpu";
    case OCLM_DEVICE_INTEGRATED_GPU: return "integrated_gpu";
    case OCLM_DEVICE_DISCRETE_GPU: return "discrete_gpu";
    case OCLM_DEVICE_ACCELERATOR: return "accelerator";
    default: return "other";
    }
}

static const char *type_words(const oclm_device_info *d)
{
    if (d->software)
        return "software renderer";
    switch (d->type) {
    case OCLM_DEVICE_CPU: return "CPU";
    case OCLM_DEVICE_INTEGRATED_GPU: return "integrated GPU";
    case OCLM_DEVICE_DISCRETE_GPU: return "GPU";
    case OCLM_DEVICE_ACCELERATOR: return "accelerator";
    default: return "other";
    }
}

static void print_people(const oclm_device_info *d)
{
    char memory[32], largest[32];
    (void)printf("%zu  %s (%s)%s\n", d->index, d->name, type_words(d), d->index == 0 && !d->unusable ? ", the default" : "");
    (void)printf("   platform %zu:%zu, %s; %s; driver %s\n", d->platform_index, d->platform_device, d->platform_name, d->version,
                 d->driver_version);
    (void)printf("   %lu compute units, %s of memory (one buffer: %s)%s%s%s\n", (unsigned long)d->compute_units,
                 cli_format_bytes(d->global_mem_bytes, memory), cli_format_bytes(d->max_alloc_bytes, largest),
                 d->host_unified ? ", shared with the host" : "", d->fp16 ? ", fp16" : "", d->subgroups ? ", subgroups" : "");
    if (d->unusable)
        (void)printf("   not used: %s\n", d->unusable);
}

static void print_device_json(cli_json *json, const oclm_device_info *d)
{
    cli_json_open(json, NULL, '{');
    cli_json_uint(json, "index", d->index);
    cli_json_uint(json, "platform_device", d->platform_device);
    cli_json_text(json, "name", d->name);
    cli_json_text(json, "vendor", d->vendor);
    cli_json_text(json, "type", type_name(d));
    cli_json_bool(json, "software", d->software);
    cli_json_text(json, "version", d->version);
    cli_json_text(json, "driver_version", d->driver_version);
    cli_json_uint(json, "compute_units", d->compute_units);
    cli_json_uint(json, "max_work_group_size", d->max_work_group_size);
    cli_json_uint(json, "global_mem_bytes", d->global_mem_bytes);
    cli_json_uint(json, "max_alloc_bytes", d->max_alloc_bytes);
    cli_json_uint(json, "budget_bytes", d->budget_bytes);
    cli_json_uint(json, "local_mem_bytes", d->local_mem_bytes);
    cli_json_bool(json, "host_unified", d->host_unified);
    cli_json_bool(json, "fp16", d->fp16);
    cli_json_bool(json, "fp64", d->fp64);
    cli_json_bool(json, "subgroups", d->subgroups);
    cli_json_text(json, "unusable", d->unusable);
    cli_json_close(json, '}');
}

static oclm_device_info get(const oclm_device_list *list, size_t i)
{
    oclm_device_info info = { .struct_size = sizeof info };
    (void)oclm_device_list_get(list, i, &info); /* fails for a wrong index only */
    return info;
}

/* Devices come best first; JSON has them by platform, so each platform collects its own. */
static void print_json(const oclm_device_list *list)
{
    const size_t count = oclm_device_list_count(list);
    size_t       platforms = 0;
    cli_json     json = cli_json_begin(stdout);
    for (size_t i = 0; i < count; i++)
        if (get(list, i).platform_index >= platforms)
            platforms = get(list, i).platform_index + 1;
    cli_json_open(&json, NULL, '{');
    cli_json_open(&json, "platforms", '[');
    for (size_t p = 0; p < platforms; p++) {
        bool opened = false;
        for (size_t i = 0; i < count; i++) {
            const oclm_device_info info = get(list, i);
            if (info.platform_index != p)
                continue;
            if (!opened) {
                cli_json_open(&json, NULL, '{');
                cli_json_uint(&json, "index", p);
                cli_json_text(&json, "name", info.platform_name);
                cli_json_text(&json, "version", info.platform_version);
                cli_json_open(&json, "devices", '[');
                opened = true;
            }
            print_device_json(&json, &info);
        }
        if (opened) {
            cli_json_close(&json, ']');
            cli_json_close(&json, '}');
        }
    }
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

int cmd_devices(cli_args *args)
{
    oclm_device_list *list;
    const oclm_status status = oclm_device_list_new(&list);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (args->json)
        print_json(list);
    else
        for (size_t i = 0; i < oclm_device_list_count(list); i++) {
            const oclm_device_info info = get(list, i);
            print_people(&info);
        }
    oclm_device_list_free(list);
    return EXIT_OK;
}
