/* observe.c: rows of scores on their way to the host and back. Source of the rule for allowed tokens: transformers'
 * PrefixConstrainedLogitsProcessor: where it leaves none of a prompt's rows any token, the mask itself becomes the scores. */
#include "generation/observe.h"

#include <math.h>

static size_t vocab_of(const gen_run *run) { return run->model->architecture.vocab_size; }

bool gen_is_observed(const gen_run *run)
{
    return run->config.output_logits || run->config.output_scores || run->hooks.logits_buffer != NULL || run->hooks.scores_buffer != NULL ||
           run->hooks.on_allowed != NULL || run->hooks.on_logits != NULL;
}

/* ---- Keeping */

static oclm_status check_buffer(const gen_run *run, cl_mem buffer, const char *name)
{
    size_t bytes = 0, row = 0, needed = 0;
    cl_int error;
    if (buffer == NULL)
        return OCLM_OK;
    if ((error = clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof bytes, &bytes, NULL)) != CL_SUCCESS)
        return core_fail(OCLM_ERR_ARGUMENT, "%s is no buffer: %s", name, dev_cl_name(error));
    if (!core_mul_size((size_t)run->rows * gen_run_most_new(run), vocab_of(run), &row) || !core_mul_size(row, sizeof(float), &needed) || needed > bytes)
        return core_fail(OCLM_ERR_ARGUMENT, "%s has %zu bytes; %u steps of %u rows of %zu scores need %zu", name, bytes, gen_run_most_new(run), run->rows,
                         vocab_of(run), needed);
    return OCLM_OK;
}

oclm_status gen_observe_begin(gen_run *run, uint32_t rows)
{
    oclm_status status;
    run->rows = rows;
    if ((status = check_buffer(run, run->hooks.scores_buffer, "scores_buffer")) != OCLM_OK)
        return status;
    return check_buffer(run, run->hooks.logits_buffer, "logits_buffer");
}

static oclm_status transfer(const gen_run *run, const gen_scene *scene, float *host, bool back)
{
    const size_t none[3] = { 0, 0, 0 }, row = vocab_of(run) * sizeof(float), region[3] = { row, scene->rows, 1 };
    const size_t pitch = scene->stride * sizeof(float);
    const cl_int error = back ? clEnqueueWriteBufferRect(scene->queue, scene->scores->memory, CL_TRUE, none, none, region, pitch, 0, row, 0, host, 0, NULL, NULL)
                              : clEnqueueReadBufferRect(scene->queue, scene->scores->memory, CL_TRUE, none, none, region, pitch, 0, row, 0, host, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "%s scores %s the host", back ? "sending" : "reading", back ? "from" : "to");
}

static oclm_status copy_to_buffer(const gen_run *run, const gen_scene *scene, cl_mem buffer)
{
    const size_t none[3] = { 0, 0, 0 }, row = vocab_of(run) * sizeof(float), region[3] = { row, scene->rows, 1 };
    const size_t to[3] = { 0, (size_t)scene->step * scene->rows, 0 };
    const cl_int error = clEnqueueCopyBufferRect(scene->queue, scene->scores->memory, buffer, none, to, region, scene->stride * sizeof(float), 0, row, 0,
                                                 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "copying scores to the caller's buffer");
}

/* Room for one step more: [step + 1][rows][vocab]. A list is as long as a power of two of steps. */
static oclm_status keep(const gen_run *run, const gen_scene *scene, float **list)
{
    const size_t step = (size_t)scene->rows * vocab_of(run);
    oclm_status  status = OCLM_OK;
    if ((scene->step & (scene->step - 1)) == 0) { /* 0 and powers of two: it is full */
        const size_t steps = scene->step == 0 ? 1 : 2 * (size_t)scene->step;
        size_t       floats;
        if (!core_mul_size(steps, step, &floats))
            return core_fail(OCLM_ERR_MEMORY, "the scores of %zu steps do not fit into memory", steps);
        float *more = core_realloc_array(*list, floats, sizeof **list, "the scores of all steps");
        if (more == NULL)
            return OCLM_ERR_MEMORY;
        *list = more;
    }
    status = transfer(run, scene, *list + scene->step * step, false);
    return status;
}

static oclm_status observe(gen_run *run, const gen_scene *scene, bool wanted, cl_mem buffer, float **list)
{
    run->steps = scene->step + 1;
    if (buffer != NULL)
        return copy_to_buffer(run, scene, buffer);
    return wanted ? keep(run, scene, list) : OCLM_OK;
}

oclm_status gen_observe_logits(gen_run *run, const gen_scene *scene)
{
    return observe(run, scene, run->config.output_logits, run->hooks.logits_buffer, &run->logits);
}

oclm_status gen_observe_scores(gen_run *run, const gen_scene *scene)
{
    return observe(run, scene, run->config.output_scores, run->hooks.scores_buffer, &run->scores);
}

/* ---- The caller's functions */

typedef oclm_status (*change_fn)(gen_run *run, const gen_scene *scene, float *scores, bool *stop);

/* Brings the scores to the host, has them changed, and sends them back. */
static oclm_status change_on_host(gen_run *run, const gen_scene *scene, change_fn what, bool *stop)
{
    float      *scores;
    oclm_status status;
    if ((scores = core_alloc_array((size_t)scene->rows * vocab_of(run), sizeof *scores, "scores on the host")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = transfer(run, scene, scores, false)) == OCLM_OK && (status = what(run, scene, scores, stop)) == OCLM_OK)
        status = transfer(run, scene, scores, true);
    core_free(scores);
    return status;
}

static bool is_bare(const float *scores, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (scores[i] != -INFINITY)
            return false;
    }
    return true;
}

/* Adds 0 where a token is allowed, -INFINITY elsewhere; `mask` true: writes them. */
static oclm_status allow(const gen_run *run, size_t row, const int32_t *allowed, size_t count, bool *is_allowed, float *scores, bool mask)
{
    const size_t vocab = vocab_of(run);
    for (size_t i = 0; i < vocab; i++)
        is_allowed[i] = false;
    if (allowed == NULL || count == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "on_allowed gave no token for row %zu; at least one must be allowed", row);
    for (size_t i = 0; i < count; i++) {
        if (allowed[i] < 0 || (size_t)allowed[i] >= vocab)
            return core_fail(OCLM_ERR_ARGUMENT, "on_allowed gave id %d for row %zu; ids are 0 to %zu", (int)allowed[i], row, vocab - 1);
        is_allowed[allowed[i]] = true;
    }
    for (size_t i = 0; i < vocab; i++) {
        const float change = is_allowed[i] ? 0.0f : -INFINITY;
        scores[i] = mask ? change : scores[i] + change;
    }
    return OCLM_OK;
}

/* One prompt's rows, twice where the first time leaves none of them anything. */
static oclm_status allow_prompt(gen_run *run, const gen_scene *scene, uint32_t first, bool *is_allowed, float *scores, bool *stop)
{
    const size_t vocab = vocab_of(run);
    oclm_status  status = OCLM_OK;
    bool         bare = true;
    for (int pass = 0; pass < 2 && bare && status == OCLM_OK && !*stop; pass++) {
        for (uint32_t row = first; row < first + scene->rows_per_prompt && status == OCLM_OK && !*stop; row++) {
            const gen_prompt *h = &scene->histories[row];
            const int32_t    *allowed = NULL;
            size_t            count = 0;
            if (h->ids == NULL)
                continue;
            if (!run->hooks.on_allowed(row / scene->rows_per_prompt, h->ids, h->count, &allowed, &count, run->hooks.user))
                *stop = true;
            else if ((status = allow(run, row, allowed, count, is_allowed, scores + row * vocab, pass == 1)) == OCLM_OK)
                bare = bare && is_bare(scores + row * vocab, vocab);
        }
    }
    return status;
}

static oclm_status allow_all(gen_run *run, const gen_scene *scene, float *scores, bool *stop)
{
    bool       *is_allowed = core_alloc(vocab_of(run) * sizeof *is_allowed, "the tokens that are allowed");
    oclm_status status = is_allowed != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t row = 0; row < scene->rows && status == OCLM_OK && !*stop; row += scene->rows_per_prompt)
        status = allow_prompt(run, scene, row, is_allowed, scores, stop);
    core_free(is_allowed);
    return status;
}

oclm_status gen_observe_allowed(gen_run *run, const gen_scene *scene, bool *stop)
{
    return run->hooks.on_allowed != NULL ? change_on_host(run, scene, allow_all, stop) : OCLM_OK;
}

static oclm_status change_all(gen_run *run, const gen_scene *scene, float *scores, bool *stop)
{
    for (uint32_t row = 0; row < scene->rows && !*stop; row++) {
        const gen_prompt *h = &scene->histories[row];
        if (h->ids != NULL)
            *stop = !run->hooks.on_logits(row, h->ids, h->count, scores + row * vocab_of(run), vocab_of(run), run->hooks.user);
    }
    return OCLM_OK;
}

oclm_status gen_observe_changed(gen_run *run, const gen_scene *scene, bool *stop)
{
    return run->hooks.on_logits != NULL ? change_on_host(run, scene, change_all, stop) : OCLM_OK;
}
