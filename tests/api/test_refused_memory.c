/* test_refused_memory.c: a driver that refuses a buffer which the budget allowed, each in turn, while a model is loaded and generates: what
 * cannot do without it fails cleanly, what can gives the same ids; nothing is left behind, and the next try works. And one that has less than it
 * says: the model is placed with what there is. */
#include "core/scratch.h"
#include "model/folders.h"

#include <pthread.h>
#include <string.h>

#include "core/memory.h"
#include "device/interpose.h"
#include "device/memory.h"
#include "device/released.h"

/* ---- A driver of which one device gives no more than `limit` bytes */

enum { MOST_HELD = 4000 };

/* Buffers are counted by what oclm asks for and gives back: when a driver lets go of them is its own business. */
static struct {
    cl_device_id    device; /* NULL: all give what they are asked for */
    uint64_t        limit, given, most;
    struct held { cl_mem memory; uint64_t bytes; size_t references; } held[MOST_HELD];
    pthread_mutex_t lock;
} tight = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_tight(cl_context context)
{
    cl_device_id id = NULL;
    return tight.device && clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof id, &id, NULL) == CL_SUCCESS && id == tight.device;
}

/* With tight.lock held; `memory` NULL: a free place. */
static struct held *find_held(cl_mem memory)
{
    for (size_t i = 0; i < MOST_HELD; i++) {
        if (tight.held[i].memory == memory)
            return &tight.held[i];
    }
    return NULL;
}

cl_mem CL_API_CALL clCreateBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *memory, cl_int *error)
{
    if (!is_tight(context))
        return OPENCL_BEHIND(clCreateBuffer)(context, flags, bytes, memory, error);
    cl_mem made = NULL;
    pthread_mutex_lock(&tight.lock);
    struct held *const place = find_held(NULL);
    *error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    if (place && bytes <= tight.limit - tight.given && (made = OPENCL_BEHIND(clCreateBuffer)(context, flags, bytes, memory, error)) != NULL) {
        *place = (struct held){ made, bytes, 1 };
        tight.given += bytes;
        tight.most = tight.given > tight.most ? tight.given : tight.most;
    }
    pthread_mutex_unlock(&tight.lock);
    return made;
}

cl_int CL_API_CALL clRetainMemObject(cl_mem memory)
{
    pthread_mutex_lock(&tight.lock);
    struct held *const of = find_held(memory);
    if (of)
        of->references++;
    pthread_mutex_unlock(&tight.lock);
    return OPENCL_BEHIND(clRetainMemObject)(memory);
}

cl_int CL_API_CALL clReleaseMemObject(cl_mem memory)
{
    pthread_mutex_lock(&tight.lock);
    struct held *const of = find_held(memory);
    if (of && --of->references == 0) {
        tight.given -= of->bytes;
        of->memory = NULL;
    }
    pthread_mutex_unlock(&tight.lock);
    return OPENCL_BEHIND(clReleaseMemObject)(memory);
}

#define TINY OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa"

enum { NEW = 6, MOST_BUFFERS = 2000, MOVED = 12 /* buffers of weights, the first ones */ };

static char scratch[SCRATCH_PATH];

static oclm_status load_and_generate(const char *device_map, int32_t ids[NEW])
{
    static const int32_t  prompt[] = { 5, 9, 2, 7, 11 };
    oclm_generate_options options;
    oclm_model_options    load;
    oclm_model           *model = NULL;
    oclm_generation      *story = NULL;
    const int32_t        *got;
    size_t                count;
    oclm_status           status;
    oclm_model_options_init(&load, sizeof load);
    oclm_generate_options_init(&options, sizeof options);
    options.max_new_tokens = options.min_new_tokens = NEW;
    load.device_map = device_map;
    load.max_memory = device_map && *device_map != '{' ? "{\"0\": \"1GiB\", \"1\": \"1GiB\"}" : NULL;
    load.offload_folder = scratch;
    if ((status = oclm_model_load(TINY, &load, &model)) != OCLM_OK ||
        (status = oclm_generate(model, prompt, COUNT(prompt), &options, &story)) != OCLM_OK)
        goto done;
    got = oclm_generation_ids(story, 0, &count);
    assert_int_equal(count, NEW);
    memcpy(ids, got, NEW * sizeof *ids);
done:
    oclm_generation_free(story);
    oclm_model_free(model);
    return status;
}

/* The models that are tried. */
static const struct { const char *label, *map; bool moves; } ways[] = {
    { "one device", NULL, false },
    { "two, as they fit", "auto", true },
    { "two, by a map", "{\"model.embed_tokens\": 0, \"model.layers.0\": 0, \"model.layers.1\": 1, \"\": 1}", true },
    { "visiting from the host", "{\"model.embed_tokens\": 0, \"model.layers.0\": 0, \"\": \"cpu\"}", true },
    { "visiting from everywhere", "{\"model.embed_tokens\": \"cpu\", \"model.layers.0\": \"disk\", \"\": 0}", true },
};

static void try_each_buffer(const char *label, const char *map, const int32_t want[NEW])
{
    int32_t got[NEW];
    size_t  fell_back = 0, refused = 0;
    assert_ok(load_and_generate(map, got)); /* also builds what is kept on disk */
    assert_memory_equal(got, want, sizeof got);
    size_t live = core_memory_live();
    for (size_t n = 1;; n++) {
        if (n > MOST_BUFFERS)
            fail_msg("more than %d buffers", MOST_BUFFERS);
        (void)dev_memory_fail_at(n, false);
        const oclm_status status = load_and_generate(map, got);
        const bool        met = dev_memory_fail_at(0, false) == 0;
        assert_released(&live, label, n);
        if (status == OCLM_OK)
            assert_memory_equal(got, want, sizeof got);
        else if (status != OCLM_ERR_DEVICE_MEMORY)
            fail_msg("%s, buffer %zu: %s: %s", label, n, oclm_status_name(status), oclm_last_error());
        else if (!strstr(oclm_last_error(), "device "))
            fail_msg("%s, buffer %zu: no device is named: %s", label, n, oclm_last_error());
        if (!met)
            break;
        status == OCLM_OK ? fell_back++ : refused++;
    }
    print_message("    %s: %zu buffers, without %zu of them it fails\n", label, fell_back + refused, refused);
    assert_true(refused > 10);
    assert_ok(load_and_generate(map, got));
    assert_memory_equal(got, want, sizeof got);
}

static void each_refused_buffer_ends_in_the_same_ids_or_in_a_clean_error(void **state)
{
    int32_t want[NEW];
    (void)state;
    assert_ok(load_and_generate(NULL, want));
    for (size_t i = 0; i < COUNT(ways); i++) {
        if (!ways[i].moves || devices_has(2))
            try_each_buffer(ways[i].label, ways[i].map, want);
    }
}

static void a_driver_that_gives_nothing_at_all_is_told(void **state)
{
    int32_t got[NEW];
    (void)state;
    size_t live = core_memory_live();
    (void)dev_memory_fail_at(1, true);
    const oclm_status status = load_and_generate(NULL, got);
    (void)dev_memory_fail_at(0, false);
    assert_int_equal(status, OCLM_ERR_DEVICE_MEMORY);
    assert_released(&live, "no buffer", 0);
}

/* The model has two devices to choose from, and needs one. */
static void a_model_is_placed_anew_where_a_driver_gives_less_than_it_said(void **state)
{
    int32_t want[NEW], got[NEW];
    (void)state;
    if (!devices_has(2))
        skip();
    assert_ok(load_and_generate("auto", want));
    size_t live = core_memory_live();
    for (size_t n = 1; n <= MOVED; n++) {
        (void)dev_memory_fail_at(n, false);
        const oclm_status status = load_and_generate("auto", got);
        assert_int_equal(dev_memory_fail_at(0, false), 0);
        assert_released(&live, "placed anew, buffer", n);
        if (status != OCLM_OK)
            fail_msg("buffer %zu: %s: %s", n, oclm_status_name(status), oclm_last_error());
        assert_memory_equal(got, want, sizeof want);
    }
}

static cl_device_id first_device(void)
{
    const dev_open_options options = { .spec = "0" };
    dev_device            *device = NULL;
    assert_ok(dev_open(&options, &device));
    const cl_device_id id = dev_id(device);
    dev_close(device);
    return id;
}

/* Of what it needs for weights and all else, the first device has the weights and half of the rest. */
static void what_comes_after_loading_is_seen_to_before_it_is_too_late(void **state)
{
    int32_t     want[NEW], got[NEW];
    oclm_model *model = NULL;
    (void)state;
    if (!devices_has(2))
        skip();
    tight.device = first_device();
    tight.limit = UINT64_MAX;
    tight.given = tight.most = 0;
    assert_ok(load_and_generate("auto", want));
    const uint64_t all = tight.most;
    assert_int_equal(tight.given, 0);
    tight.most = 0;
    oclm_model_options load;
    oclm_model_options_init(&load, sizeof load);
    load.device_map = "auto";
    load.max_memory = "{\"0\": \"1GiB\", \"1\": \"1GiB\"}";
    assert_ok(oclm_model_load(TINY, &load, &model));
    const uint64_t weights = tight.given;
    oclm_model_free(model);
    assert_in_range(weights, 1, all - 2);
    size_t live = core_memory_live();
    for (uint64_t part = 1; part < 4; part++) {
        tight.limit = weights + (all - weights) * part / 4;
        const oclm_status status = load_and_generate("auto", got);
        if (status != OCLM_OK)
            fail_msg("%llu of %llu bytes: %s: %s", (unsigned long long)tight.limit, (unsigned long long)all, oclm_status_name(status), oclm_last_error());
        assert_memory_equal(got, want, sizeof got);
        assert_int_equal(tight.given, 0);
        assert_released(&live, "part", (size_t)part);
    }
    tight.device = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refused_buffer_ends_in_the_same_ids_or_in_a_clean_error),
        cmocka_unit_test(a_driver_that_gives_nothing_at_all_is_told),
        cmocka_unit_test(a_model_is_placed_anew_where_a_driver_gives_less_than_it_said),
        cmocka_unit_test(what_comes_after_loading_is_seen_to_before_it_is_too_late),
    };
    scratch_make(scratch);
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(scratch);
    return failures;
}
