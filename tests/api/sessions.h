/* sessions.h: for tests: a small model, and sessions of it, through the public door. */
#ifndef OCLM_TESTS_API_SESSIONS_H
#define OCLM_TESTS_API_SESSIONS_H

#include "model/folders.h"

#define VOCAB 70u

static oclm_model *model;
static folder      made;

static inline int open_model(void **state)
{
    (void)state;
    folder_new_llama(&made, CORE_F32);
    return oclm_model_load(made.path, NULL, &model) == OCLM_OK ? 0 : -1;
}

static inline int close_model(void **state)
{
    (void)state;
    oclm_model_free(model);
    folder_free(&made);
    return 0;
}

static inline oclm_session *open_session(uint32_t positions, uint32_t batch)
{
    oclm_session_options o;
    oclm_session        *session;
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = positions;
    o.batch = batch;
    assert_ok(oclm_session_new(model, &o, &session));
    return session;
}

#endif
