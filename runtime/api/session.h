/* session.h: what a session is, for the files that deal with it: session.c runs it, session_file.c copies, saves and loads it. */
#ifndef OCLM_API_SESSION_H
#define OCLM_API_SESSION_H

#include "api/api.h"

#define API_MAX_BATCH 4096u

struct oclm_session {
    const oclm_model *model;
    const oclm_tokenizer *tokenizer; /* NULL: ids alone */
    model_state      *state;
    model_piece      *pieces;     /* [batch] */
    uint32_t          batch;
    uint32_t          length;     /* positions of every sequence */
    int32_t          *ids;        /* [max_positions] of what the sequence holds; of one sequence alone, else NULL */
    uint32_t          known;      /* so many of them, the first: those that came from a buffer on the device nobody here knows */
    bool              has_logits; /* of the last position, in the first `batch` rows of state->logits */
};

/* A session, of whole options. */
oclm_status api_session_open(const oclm_model *model, const oclm_session_options *options, oclm_session **session);
/* Reads the session's first `length` ids, which must be known, from the first on into an empty cache. */
oclm_status api_session_read_again(oclm_session *session, uint32_t length);

#endif
