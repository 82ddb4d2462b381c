/* test_two_models.c: two models on the same devices at once, and threads each with a model of its own: all get the ids that they get alone. */
#include "model/folders.h"

#include <pthread.h>
#include <string.h>

#include "core/memory.h"

#define TINY OCLM_SOURCE_DIR "/tests/golden/tiny/"

enum { NEW = 24, ROUNDS = 4, MAX_DEVICES = 3 };

static const char *const models[] = { TINY "llama-gqa", TINY "gpt2" };

typedef struct job {
    const char *folder;
    char        device[24];
    int32_t     ids[NEW];
    oclm_status status;
    char        error[512];
} job;

static oclm_status generate(const oclm_model *model, int32_t ids[NEW])
{
    static const int32_t  prompt[] = { 5, 9, 2, 7, 11 };
    oclm_generate_options options;
    oclm_generation      *story = NULL;
    size_t                count;
    oclm_generate_options_init(&options, sizeof options);
    options.max_new_tokens = options.min_new_tokens = NEW;
    const oclm_status status = oclm_generate(model, prompt, COUNT(prompt), &options, &story);
    if (status == OCLM_OK) {
        const int32_t *got = oclm_generation_ids(story, 0, &count);
        memcpy(ids, got, NEW * sizeof *ids);
    }
    oclm_generation_free(story);
    return status;
}

static oclm_status load(const job *j, oclm_model **model)
{
    oclm_model_options options;
    oclm_model_options_init(&options, sizeof options);
    options.device = j->device;
    return oclm_model_load(j->folder, &options, model);
}

/* A model of its own, several times. */
static void *work(void *user)
{
    job *j = user;
    for (size_t round = 0; round < ROUNDS && j->status == OCLM_OK; round++) {
        oclm_model *model = NULL;
        int32_t     ids[NEW];
        if ((j->status = load(j, &model)) == OCLM_OK && (j->status = generate(model, round ? ids : j->ids)) == OCLM_OK && round &&
            memcmp(ids, j->ids, sizeof ids) != 0) {
            j->status = OCLM_ERR_INTERNAL;
            snprintf(j->error, sizeof j->error, "round %zu gave other ids than the first", round);
        } else if (j->status != OCLM_OK) {
            snprintf(j->error, sizeof j->error, "%s", oclm_last_error());
        }
        oclm_model_free(model);
    }
    return NULL;
}

/* Each model on each device: alone. Returns how many jobs there are. */
static size_t make_jobs(job *jobs)
{
    dev_list *list = NULL;
    size_t    count = 0;
    assert_ok(dev_list_new(&list));
    for (size_t d = 0; d < list->count && d < MAX_DEVICES && !list->entries[d].info.unusable; d++) {
        if (list->entries[d].info.software && d > 0)
            continue; /* a renderer builds these programs for minutes */
        for (size_t m = 0; m < COUNT(models); m++) {
            job        *j = &jobs[count++];
            oclm_model *model;
            *j = (job){ .folder = models[m] };
            snprintf(j->device, sizeof j->device, "%zu", d);
            assert_ok(load(j, &model));
            assert_ok(generate(model, j->ids));
            oclm_model_free(model);
        }
    }
    dev_list_free(list);
    return count;
}

static void models_share_their_devices(void **state)
{
    job         alone[MAX_DEVICES * COUNT(models)];
    oclm_model *loaded[COUNT(alone)];
    (void)state;
    const size_t count = make_jobs(alone);
    for (size_t i = 0; i < count; i++)
        assert_ok(load(&alone[i], &loaded[i]));
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            int32_t ids[NEW];
            assert_ok(generate(loaded[i], ids));
            assert_memory_equal(ids, alone[i].ids, sizeof ids);
        }
    }
    for (size_t i = 0; i < count; i++) /* the others go on when one is gone */
        oclm_model_free(loaded[i]);
}

static void threads_with_models_of_their_own_do_not_meet(void **state)
{
    job       alone[MAX_DEVICES * COUNT(models)], jobs[COUNT(alone)];
    pthread_t threads[COUNT(alone)];
    (void)state;
    const size_t count = make_jobs(alone);
    const size_t live = core_memory_live();
    for (size_t i = 0; i < count; i++) {
        jobs[i] = alone[i];
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].status != OCLM_OK)
            fail_msg("%s on device %s: %s", jobs[i].folder, jobs[i].device, jobs[i].error);
        assert_memory_equal(jobs[i].ids, alone[i].ids, sizeof jobs[i].ids);
    }
    assert_int_equal(core_memory_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_share_their_devices),
        cmocka_unit_test(threads_with_models_of_their_own_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
