/* scoring.c: a text is read in chunks; those whose targets nobody asked for make no logits. */
#include "generation/scoring.h"

#include <assert.h>
#include <math.h>

#define PART 1024u /* logits of a work-item: see cl/log_prob.cl */
#define OPTIONS "-DPART=1024"
#define LOGITS_BYTES ((size_t)64 << 20) /* on the device, at most: enough rows to keep a pass busy */

struct gen_scoring {
    model_state *state;
    dev_buffer   targets; /* int32 [max_logit_rows] */
    dev_buffer   parts;   /* float32 [max_logit_rows][parts][2] */
    dev_buffer   pairs;   /* float32 [max_logit_rows][2] */
    dev_work    *work;    /* for `rows` rows */
    uint32_t     rows;
    float       *host;    /* [max_logit_rows][2] */
};

static uint32_t count_parts(const gen_scoring *scoring) { return (scoring->state->model->architecture.vocab_size + PART - 1) / PART; }

static uint32_t count_logit_rows(const model_model *model, uint32_t rows)
{
    const size_t fitting = LOGITS_BYTES / (model->architecture.vocab_size * sizeof(float));
    return fitting < 1 ? 1 : fitting < rows ? (uint32_t)fitting : rows;
}

oclm_status gen_scoring_new(const model_model *model, uint32_t positions, gen_scoring **scoring)
{
    const uint32_t            rows = positions < MODEL_CHUNK_ROWS ? positions : MODEL_CHUNK_ROWS;
    const model_state_options options = { .sequences = 1, .max_positions = positions, .max_rows = rows, .max_logit_rows = count_logit_rows(model, rows) };
    gen_scoring              *made = core_alloc_zero(1, sizeof *made, "a text's scoring");
    oclm_status               status = OCLM_ERR_MEMORY;
    *scoring = NULL;
    if (!made || (status = model_state_new(model, &options, &made->state)) != OCLM_OK)
        goto done;
    const size_t most = made->state->max_logit_rows;
    if ((status = dev_buffer_new(model->device, most * sizeof(int32_t), "the ids to score", &made->targets)) != OCLM_OK ||
        (status = dev_buffer_new(model->device, most * count_parts(made) * 2 * sizeof(float), "sums of logits", &made->parts)) != OCLM_OK ||
        (status = dev_buffer_new(model->device, most * 2 * sizeof(float), "log-probabilities", &made->pairs)) != OCLM_OK)
        goto done;
    if (!(made->host = core_alloc_array(most, 2 * sizeof *made->host, "log-probabilities")))
        status = OCLM_ERR_MEMORY;
done:
    if (status == OCLM_OK)
        *scoring = made;
    else
        gen_scoring_free(made);
    return status;
}

void gen_scoring_free(gen_scoring *scoring)
{
    if (!scoring)
        return;
    if (scoring->state) {
        dev_device *device = scoring->state->model->device;
        (void)model_finish(scoring->state);
        dev_work_free(scoring->work);
        dev_buffer_free(device, &scoring->targets);
        dev_buffer_free(device, &scoring->parts);
        dev_buffer_free(device, &scoring->pairs);
        model_state_free(scoring->state);
    }
    core_free(scoring->host);
    core_free(scoring);
}

/* Records what reduces `rows` rows of logits, unless that was recorded last. */
static oclm_status record(gen_scoring *scoring, uint32_t rows)
{
    const model_state *state = scoring->state;
    const dev_arg      args[] = { dev_arg_buffer(&state->logits), dev_arg_u32(state->logits_stride), dev_arg_u32(state->model->architecture.vocab_size),
                                  dev_arg_buffer(&scoring->parts), dev_arg_buffer(&scoring->targets), dev_arg_buffer(&scoring->pairs) };
    const dev_launch   cut = { .source = "log_prob", .kernel = "log_prob_parts", .options = OPTIONS, .dims = 2,
                               .global = { count_parts(scoring), rows }, .args = args, .arg_count = 4 };
    const dev_launch   join = { .source = "log_prob", .kernel = "log_prob_join", .options = OPTIONS, .dims = 1, .global = { rows },
                                .args = args, .arg_count = COUNT(args) };
    dev_work          *work;
    oclm_status        status;
    if (scoring->work && scoring->rows == rows)
        return OCLM_OK;
    if ((status = dev_work_new(state->model->device, &work)) != OCLM_OK)
        return status;
    if ((status = dev_work_add(work, &cut)) == OCLM_OK && (status = dev_work_add(work, &join)) == OCLM_OK) {
        dev_work_free(scoring->work);
        scoring->work = work;
        scoring->rows = rows;
        return OCLM_OK;
    }
    dev_work_free(work);
    return status;
}

/* The log-probabilities of `targets` by the rows of logits that the last pass made. */
static oclm_status reduce(gen_scoring *scoring, const int32_t *targets, uint32_t rows, double *log_probs)
{
    cl_command_queue queue = scoring->state->queue;
    oclm_status      status;
    if ((status = record(scoring, rows)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &scoring->targets, 0, targets, rows * sizeof *targets)) != OCLM_OK ||
        (status = dev_work_enqueue(scoring->work, queue, NULL)) != OCLM_OK ||
        (status = dev_buffer_read(queue, &scoring->pairs, 0, scoring->host, rows * 2 * sizeof *scoring->host)) != OCLM_OK)
        return status;
    for (uint32_t r = 0; r < rows; r++)
        log_probs[r] = (double)scoring->host[2 * r] - log((double)scoring->host[2 * r + 1]);
    return OCLM_OK;
}

/* The tokens that might have stood behind those rows, the first of which is row `at` of the text's. */
static oclm_status find_likeliest(gen_scoring *scoring, uint32_t rows, uint32_t at, const gen_likeliest *likeliest)
{
    const model_state *state = scoring->state;
    const uint32_t     vocab = state->model->architecture.vocab_size, count = likeliest->count;
    float             *logits = core_alloc_array(vocab, sizeof *logits, "a row of logits");
    oclm_status        status = logits ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t r = 0; r < rows && status == OCLM_OK; r++) {
        float *const log_probs = likeliest->log_probs + (size_t)(at + r) * count;
        status = dev_buffer_read(state->queue, &state->logits, (size_t)r * state->logits_stride * sizeof *logits, logits, vocab * sizeof *logits);
        if (status != OCLM_OK)
            break;
        gen_likeliest_find(logits, vocab, count, likeliest->ids + (size_t)(at + r) * count, log_probs);
        const float  largest = log_probs[0];
        const double log_sum = log((double)scoring->host[2 * r + 1]);
        for (uint32_t i = 0; i < count; i++) /* as reduce() has the target's */
            log_probs[i] = (float)((double)(log_probs[i] - largest) - log_sum);
    }
    core_free(logits);
    return status;
}

static oclm_status tell(gen_scoring_progress *progress, uint32_t more)
{
    progress->done += more;
    if ((progress->cancel && *progress->cancel) ||
        (progress->callback && !progress->callback("scoring", progress->done, progress->total, progress->user)))
        return core_fail(OCLM_ERR_CANCELLED, "cancelled after %llu of %llu tokens", (unsigned long long)progress->done,
                         (unsigned long long)progress->total);
    return OCLM_OK;
}

oclm_status gen_scoring_run(gen_scoring *scoring, const int32_t *ids, uint32_t first, uint32_t count, gen_scoring_progress *progress, double *log_probs,
                            const gen_likeliest *likeliest)
{
    model_state   *state = scoring->state;
    const uint32_t begin = first - 1, end = count - 1; /* rows whose logits count; the last id is read for nobody */
    oclm_status    status = tell(progress, 0);
    assert(first >= 1 && first < count && count <= state->max_positions);
    (void)model_finish(state);
    model_truncate(state, 0, 0);
    model_state_expect(state, count);
    for (uint32_t done = 0, rows; done < end && status == OCLM_OK; done += rows) {
        const bool     counts = done >= begin;
        const uint32_t left = counts ? end - done : begin - done, most = counts ? state->max_logit_rows : state->max_rows;
        rows = left < most ? left : most;
        const model_piece piece = { .sequence = 0, .first = done, .count = rows, .ids = ids + done };
        status = model_forward(state, &piece, 1, counts ? MODEL_LOGITS_ALL : MODEL_LOGITS_NONE);
        if (status == OCLM_OK && counts)
            status = reduce(scoring, ids + done + 1, rows, log_probs + (done - begin));
        if (status == OCLM_OK && counts && likeliest)
            status = find_likeliest(scoring, rows, done - begin, likeliest);
        if (status == OCLM_OK)
            status = tell(progress, rows + (done + rows == end));
    }
    return status;
}
