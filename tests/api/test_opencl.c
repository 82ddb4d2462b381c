/* test_opencl.c: opencl.h: a model on the caller's context and queue, ids and logits that stay on the device. */
#include <stdlib.h>
#include <string.h>

#include "device/released.h"
#include "model/folders.h"

#define VOCAB 70u

typedef struct scene {
    folder           made;
    cl_context       context;
    cl_device_id     device;
    cl_command_queue queue;
} scene;

/* A context and a queue on the device that oclm would choose too. */
static int open_scene(void **state)
{
    static scene s;
    cl_int       error;
    dev_list    *list;
    size_t       index;
    folder_new_llama(&s.made, CORE_F32);
    assert_ok(dev_list_new(&list));
    assert_ok(dev_list_choose(list, NULL, &index));
    s.device = list->entries[index].device;
    dev_list_free(list);
    s.context = clCreateContext(NULL, 1, &s.device, NULL, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    s.queue = clCreateCommandQueue(s.context, s.device, 0, &error);
    assert_int_equal(error, CL_SUCCESS);
    *state = &s;
    return 0;
}

static int close_scene(void **state)
{
    scene *s = *state;
    assert_references(s->queue, 1); /* nothing of ours still holds it */
    assert_int_equal(clReleaseCommandQueue(s->queue), CL_SUCCESS);
    assert_int_equal(clReleaseContext(s->context), CL_SUCCESS);
    folder_free(&s->made);
    return 0;
}

static oclm_session *new_session(const oclm_model *model, uint32_t batch)
{
    oclm_session_options o;
    oclm_session        *session;
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = 700;
    o.batch = batch;
    assert_ok(oclm_session_new(model, &o, &session));
    return session;
}

static void read_rows(const scene *s, cl_mem logits, size_t stride, cl_event ready, size_t rows, float *to)
{
    for (size_t row = 0; row < rows; row++)
        assert_int_equal(clEnqueueReadBuffer(s->queue, logits, CL_TRUE, row * stride * sizeof *to, VOCAB * sizeof *to, to + row * VOCAB,
                                             1, &ready, NULL), CL_SUCCESS);
}

static void logits_on_the_device_are_those_of_the_host(void **state)
{
    const scene  *s = *state;
    const size_t  lengths[] = { 1, 7, 600 };
    int32_t       ids[2 * 600];
    float        *all = malloc(2 * 600 * VOCAB * sizeof *all), got[2 * VOCAB];
    oclm_model   *model;
    oclm_session *session;
    assert_ok(oclm_model_load_on(s->made.path, s->context, s->queue, NULL, &model));
    session = new_session(model, 2);
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (int32_t)(i * 11 % VOCAB);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const size_t n = lengths[i];
        cl_mem       logits;
        cl_event     ready;
        size_t       stride;
        assert_ok(oclm_session_rewind(session, 0));
        assert_ok(oclm_forward(session, ids, 2, n, all, 2 * n * VOCAB));
        assert_ok(oclm_session_logits(session, &logits, &stride, &ready)); /* after all positions: the last ones' */
        assert_true(stride >= VOCAB);
        read_rows(s, logits, stride, ready, 2, got);
        clReleaseEvent(ready);
        for (size_t b = 0; b < 2; b++)
            assert_memory_equal(got + b * VOCAB, all + ((b + 1) * n - 1) * VOCAB, VOCAB * sizeof *got);
    }
    oclm_session_free(session);
    oclm_model_free(model);
    free(all);
}

/* Ids in a buffer, behind an event that this thread sets only after the call: the call must not wait for it. */
static void ids_in_a_buffer_wait_for_their_events(void **state)
{
    const scene  *s = *state;
    const int32_t ids[] = { 99, 5, 6, 7, 8, 9, 10 }; /* 99: before the offset, never read */
    float         want[2 * VOCAB], got[2 * VOCAB];
    oclm_model   *model;
    oclm_session *session;
    cl_int        error;
    size_t        stride;
    cl_mem        logits, buffer = clCreateBuffer(s->context, CL_MEM_READ_WRITE, sizeof ids, NULL, &error);
    cl_event      gate, ready;
    assert_int_equal(error, CL_SUCCESS);
    assert_ok(oclm_model_load_on(s->made.path, s->context, s->queue, NULL, &model));
    session = new_session(model, 2);
    assert_ok(oclm_forward_last(session, ids + 1, 2, 3, want, 2 * VOCAB));
    assert_ok(oclm_session_rewind(session, 0));
    assert_int_equal(clEnqueueWriteBuffer(s->queue, buffer, CL_TRUE, 0, sizeof ids, ids, 0, NULL, NULL), CL_SUCCESS);
    gate = clCreateUserEvent(s->context, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_ok(oclm_forward_buffer(session, buffer, 1, 2, 3, 1, &gate));
    assert_ok(oclm_session_logits(session, &logits, &stride, &ready));
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    read_rows(s, logits, stride, ready, 2, got);
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(oclm_session_length(session), 3);
    clReleaseEvent(ready);
    clReleaseEvent(gate);
    /* What does not fit is refused before anything is enqueued. */
    assert_status(oclm_forward_buffer(session, buffer, 2, 2, 3, 0, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_buffer(session, buffer, SIZE_MAX, 2, 3, 0, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_buffer(session, NULL, 0, 2, 3, 0, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_buffer(session, buffer, 0, 2, 3, 1, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_forward_buffer(session, buffer, 0, 2, 5000, 0, NULL), OCLM_ERR_CAPACITY);
    assert_int_equal(oclm_session_length(session), 3);
    clReleaseMemObject(buffer);
    oclm_session_free(session);
    oclm_model_free(model);
}

static void generating_works_there_too(void **state)
{
    const scene          *s = *state;
    const int32_t         ids[] = { 5, 6, 7 };
    oclm_generate_options o;
    oclm_model           *theirs, *ours;
    oclm_generation      *a, *b;
    size_t                count_a, count_b;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = 30;
    assert_ok(oclm_model_load_on(s->made.path, s->context, s->queue, NULL, &theirs));
    assert_ok(oclm_model_load(s->made.path, NULL, &ours));
    assert_ok(oclm_generate(theirs, ids, COUNT(ids), &o, &a));
    assert_ok(oclm_generate(ours, ids, COUNT(ids), &o, &b));
    assert_memory_equal(oclm_generation_ids(a, 0, &count_a), oclm_generation_ids(b, 0, &count_b), 30 * sizeof(int32_t));
    assert_int_equal(count_a, count_b);
    oclm_generation_free(a);
    oclm_generation_free(b);
    oclm_model_free(theirs);
    oclm_model_free(ours);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    const scene       *s = *state;
    oclm_model        *model = (oclm_model *)1;
    oclm_model_options o;
    oclm_session      *session;
    cl_int             error;
    cl_mem             logits;
    size_t             stride;
    cl_command_queue   unordered = clCreateCommandQueue(s->context, s->device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &error);
    cl_context         other = clCreateContext(NULL, 1, &s->device, NULL, NULL, NULL);
    assert_non_null(other);
    oclm_model_options_init(&o, sizeof o);
    o.device = "0";
    assert_status(oclm_model_load_on(s->made.path, s->context, s->queue, &o, &model), OCLM_ERR_ARGUMENT);
    assert_null(model);
    assert_status(oclm_model_load_on(s->made.path, other, s->queue, NULL, &model), OCLM_ERR_ARGUMENT);
    assert_status(oclm_model_load_on(s->made.path, NULL, s->queue, NULL, &model), OCLM_ERR_ARGUMENT);
    assert_status(oclm_model_load_on(s->made.path, s->context, NULL, NULL, &model), OCLM_ERR_ARGUMENT);
    if (error == CL_SUCCESS) {
        assert_status(oclm_model_load_on(s->made.path, s->context, unordered, NULL, &model), OCLM_ERR_ARGUMENT);
        clReleaseCommandQueue(unordered);
    }
    clReleaseContext(other);
    assert_ok(oclm_model_load_on(s->made.path, s->context, s->queue, NULL, &model));
    session = new_session(model, 1);
    assert_status(oclm_session_logits(session, &logits, &stride, NULL), OCLM_ERR_ARGUMENT); /* no pass yet */
    assert_null(logits);
    oclm_session_free(session);
    oclm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_on_the_device_are_those_of_the_host),
        cmocka_unit_test(ids_in_a_buffer_wait_for_their_events),
        cmocka_unit_test(generating_works_there_too),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
    };
    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
