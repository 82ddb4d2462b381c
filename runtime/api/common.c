/* common.c: version, log, memory, and the structs that carry their size. (Status and messages: core/status.c.) */
#include <string.h>

#include "api/api.h"
#include "core/log.h"
#include "core/platform.h"

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *oclm_version(void)
{
    return VERSION_TEXT(OCLM_VERSION_MAJOR, OCLM_VERSION_MINOR, OCLM_VERSION_PATCH);
}

void oclm_free(void *memory)
{
    core_free(memory);
}

void oclm_set_log(oclm_log_callback callback, void *user, oclm_log_level level)
{
    core_log_set(callback, user, level);
}

static size_t size_of(const void *sized)
{
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

static oclm_status check_size(const void *sized, size_t size, const char *type, const char *way_out)
{
    const size_t theirs = size_of(sized);
    if (theirs < sizeof theirs)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: struct_size is %zu; %s", type, theirs, way_out);
    if (theirs > size)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: struct_size is %zu, but this is oclm %s, whose struct has %zu bytes: the program "
                         "was built for a newer oclm, or the struct was not initialised; %s", type, theirs, oclm_version(), size,
                         way_out);
    return OCLM_OK;
}

oclm_status api_options_read(const void *options, void *mine, size_t size, const char *type)
{
    size_t theirs;
    if (!options)
        return OCLM_OK;
    if (check_size(options, size, type, "call its _init function first") != OCLM_OK)
        return OCLM_ERR_ARGUMENT;
    theirs = size_of(options);
    memcpy((char *)mine + sizeof theirs, (const char *)options + sizeof theirs, theirs - sizeof theirs);
    return OCLM_OK;
}

void api_options_write(const void *mine, size_t size, void *options, size_t struct_size)
{
    if (!options || struct_size < sizeof struct_size)
        return;
    memset(options, 0, struct_size);
    memcpy(options, mine, struct_size < size ? struct_size : size);
    memcpy(options, &struct_size, sizeof struct_size);
}

oclm_status api_result_check(const void *result, size_t size, const char *type)
{
    if (!result)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: the pointer is NULL", type);
    return check_size(result, size, type, "set it to sizeof the struct before the call");
}

void api_result_write(const void *mine, size_t size, void *result)
{
    const size_t theirs = size_of(result), shared = theirs < size ? theirs : size;
    memcpy((char *)result + sizeof theirs, (const char *)mine + sizeof theirs, shared - sizeof theirs);
}

oclm_status api_missing(const char *function, const char *argument)
{
    return core_fail(OCLM_ERR_ARGUMENT, "%s: %s must not be NULL", function, argument);
}

oclm_status api_check_ids(const oclm_model *model, const int32_t *ids, size_t count)
{
    const uint32_t vocab = model->inside->architecture.vocab_size;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= vocab)
            return core_fail(OCLM_ERR_ARGUMENT, "id %d (number %zu of %zu) is outside the vocabulary: ids are 0 to %u; do model and "
                             "tokenizer belong together?", (int)ids[i], i + 1, count, vocab - 1);
    return OCLM_OK;
}
