/* relay.c: steps of other devices, played from a call in the main device's list (relay.h). */
#include "model/relay.h"

#include <string.h>

/* A list of one part to be enqueued, or something to be sent. */
typedef struct step {
    const model_state *part;   /* whose list it is, or where it is sent to */
    dev_work          *work;   /* NULL: something is sent: */
    const model_state *from;
    dev_link          *link;
    dev_buffer         source, target; /* copies: who records may keep theirs on the stack */
    size_t             bytes;
} step;

struct model_relay {
    model_relay       *next;
    const model_state *state; /* the main device's part: its queue is the one that plays the list */
    step              *steps;
    size_t             count, capacity;
};

static void free_relay(void *payload)
{
    model_relay *relay = payload;
    if (relay == NULL)
        return;
    for (size_t i = 0; i < relay->count; i++)
        dev_work_free(relay->steps[i].work);
    core_free(relay->steps);
    core_free(relay);
}

/* ---- Playing */

static cl_command_queue queue_of(const model_relay *relay, cl_command_queue main_queue, const model_state *part)
{
    return part == relay->state ? main_queue : part->queue;
}

static oclm_status play(cl_command_queue queue, void *payload)
{
    const model_relay *relay = payload;
    oclm_status        status = OCLM_OK;
    for (size_t i = 0; i < relay->count && status == OCLM_OK; i++) {
        const step            *s = &relay->steps[i];
        const cl_command_queue to = queue_of(relay, queue, s->part);
        status = s->work != NULL ? dev_work_enqueue(s->work, to, NULL)
                                 : dev_link_send(s->link, queue_of(relay, queue, s->from), &s->source, 0, to, &s->target, 0, s->bytes);
    }
    return status;
}

oclm_status model_relay_profile(const model_relay *first)
{
    oclm_status status = OCLM_OK;
    for (const model_relay *relay = first; relay != NULL; relay = relay->next) {
        for (size_t i = 0; i < relay->count && status == OCLM_OK; i++) {
            if (relay->steps[i].work != NULL)
                status = dev_work_profile(relay->steps[i].work);
        }
    }
    return status;
}

/* ---- Links */

/* The most that one send of a state takes. */
static size_t most_bytes(const model_state *state)
{
    const size_t row = state->row_bytes;
    return state->max_rows * row > state->page_bytes ? state->max_rows * row : state->page_bytes;
}

oclm_status model_link(model_state *state, const model_state *from, const model_state *to, dev_link **link)
{
    dev_link  **own = &state->links[from->device_index * state->model->device_count + to->device_index];
    oclm_status status = OCLM_OK;
    if (*own == NULL)
        status = dev_link_new(from->device, to->device, most_bytes(state), own);
    *link = *own;
    return status;
}

/* ---- Recording */

model_relay_writer model_relay_begin(model_state *state, dev_work *work) { return (model_relay_writer){ .state = state, .work = work }; }

static oclm_status close_relay(model_relay_writer *w)
{
    model_relay *relay = w->open;
    w->open = NULL;
    if (relay == NULL)
        return OCLM_OK;
    const oclm_status status = dev_work_add_call(w->work, play, relay, free_relay); /* frees it where this fails */
    if (status == OCLM_OK) {
        relay->next = w->first;
        w->first = relay;
    }
    return status;
}

static oclm_status next_step(model_relay_writer *w, step **out)
{
    model_relay *relay = w->open;
    if (relay == NULL && (relay = w->open = core_alloc_zero(1, sizeof *relay, "what other devices do")) == NULL)
        return OCLM_ERR_MEMORY;
    relay->state = w->state;
    step *grown = core_grow_array(relay->steps, relay->count, &relay->capacity, 8, sizeof *grown, "what other devices do");
    if (grown == NULL)
        return OCLM_ERR_MEMORY;
    relay->steps = grown;
    *out = &relay->steps[relay->count++];
    memset(*out, 0, sizeof **out);
    return OCLM_OK;
}

oclm_status model_relay_work(model_relay_writer *w, const model_state *part, dev_work **work)
{
    step       *s;
    oclm_status status;
    *work = w->work;
    if (part == w->state)
        return close_relay(w);
    if (w->open != NULL && w->open->count > 0 && w->open->steps[w->open->count - 1].work != NULL &&
        w->open->steps[w->open->count - 1].part == part) {
        *work = w->open->steps[w->open->count - 1].work;
        return OCLM_OK;
    }
    if ((status = next_step(w, &s)) != OCLM_OK)
        return status;
    s->part = part;
    status = dev_work_new(part->device, &s->work);
    *work = s->work;
    return status;
}

oclm_status model_relay_send(model_relay_writer *w, const model_state *from, const dev_buffer *source, const model_state *to,
                             const dev_buffer *target, size_t bytes)
{
    dev_link   *link;
    step       *s;
    oclm_status status;
    if ((status = model_link(w->state, from, to, &link)) != OCLM_OK || (status = next_step(w, &s)) != OCLM_OK)
        return status;
    *s = (step){ .part = to, .from = from, .link = link, .source = *source, .target = *target, .bytes = bytes };
    return OCLM_OK;
}

oclm_status model_relay_end(model_relay_writer *w) { return close_relay(w); }
