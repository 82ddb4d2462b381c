/* draft.c: the small model reads what is new in the text in one pass, then steps follow, recorded once as those of loop.c. Where each guess
 * decides whether there is a next one, the host waits for it; else all are enqueued at once. */
#include "generation/draft.h"

#include "core/log.h"

#define SEED_OF_DRAFTS 0x6A09E667F3BCC909u /* any: what is drawn here and what is drawn instead must not depend on each other */

static oclm_status make_buffers(gen_draft *draft, bool keep)
{
    dev_device *device = draft->state->model->device;
    oclm_status status;
    if ((status = dev_buffer_new_zero(device, draft->state->queue, sizeof(uint32_t), "the count of guesses", &draft->counter)) != OCLM_OK ||
        (status = dev_buffer_new_zero(device, draft->state->queue, draft->most * sizeof(gen_chance), "the chances of guesses", &draft->chances)) != OCLM_OK)
        return status;
    draft->kept = (gen_score_rows){ &draft->kept_scores, draft->state->logits_stride, draft->state->model->architecture.vocab_size, 0 };
    return keep ? dev_buffer_new(device, (size_t)draft->most * draft->state->logits_stride * sizeof(float), "the scores of guesses", &draft->kept_scores)
                : OCLM_OK;
}

/* Records the choice behind what is in `work`. */
static oclm_status add_choice(const gen_draft *draft, dev_work *work, bool advance)
{
    const model_state   *state = draft->state;
    const gen_score_rows row = { &state->logits, state->logits_stride, state->model->architecture.vocab_size, 0 };
    const oclm_status    status = gen_choice_add(&draft->choice, work, &state->logits, &state->ids, &state->positions, advance);
    return status == OCLM_OK ? gen_chance_add(work, &row, 1, &state->ids, 0, &draft->chances, &draft->counter,
                                              draft->kept_scores.memory ? &draft->kept : NULL)
                             : status;
}

static oclm_status fill(gen_draft *draft, const model_model *model, const gen_config *config, uint32_t limit)
{
    const uint32_t            room = model->architecture.max_position_embeddings, vocab = model->architecture.vocab_size;
    const uint32_t            positions = model->architecture.position == MODEL_POSITION_LEARNED && limit > room ? room : limit;
    const model_state_options options = { .sequences = 1, .max_positions = positions, .max_logit_rows = 1,
        .max_rows = positions < MODEL_CHUNK_ROWS ? positions : MODEL_CHUNK_ROWS };
    gen_config                mine = *config;
    oclm_status               status;
    mine.seed ^= SEED_OF_DRAFTS;
    draft->host_chances = core_alloc_array(draft->most, sizeof *draft->host_chances, "the chances of guesses");
    draft->guesses = core_alloc_array(draft->most, sizeof *draft->guesses, "guesses");
    if (!draft->host_chances || !draft->guesses)
        return OCLM_ERR_MEMORY;
    if ((status = model_state_new(model, &options, &draft->state)) != OCLM_OK || (status = make_buffers(draft, config->do_sample)) != OCLM_OK ||
        (status = gen_told_init(&draft->told, model->device, config, limit, 1)) != OCLM_OK)
        return status;
    gen_rows rows = { .rows = 1, .vocab = vocab, .stride = draft->state->logits_stride, .rows_per_prompt = 1 };
    gen_told_to(&draft->told, &rows);
    if ((status = gen_choice_init(&draft->choice, model->device, draft->state->queue, &mine, &rows)) != OCLM_OK ||
        (status = dev_work_new(model->device, &draft->choose)) != OCLM_OK)
        return status;
    return add_choice(draft, draft->choose, false);
}

oclm_status gen_draft_new(const model_model *model, const gen_config *config, uint32_t limit, uint32_t most, gen_draft **out)
{
    gen_draft  *draft = core_alloc_zero(1, sizeof *draft, "a draft model's round");
    oclm_status status = OCLM_ERR_MEMORY;
    *out = NULL;
    if (!draft)
        return status;
    draft->most = most;
    draft->config = config;
    if ((status = fill(draft, model, config, limit)) == OCLM_OK)
        *out = draft;
    else
        gen_draft_free(draft);
    return status;
}

void gen_draft_free(gen_draft *draft)
{
    if (!draft)
        return;
    if (draft->state) {
        dev_device *device = draft->state->model->device;
        (void)model_finish(draft->state);
        dev_work_free(draft->step);
        dev_work_free(draft->choose);
        gen_choice_deinit(&draft->choice);
        gen_told_deinit(&draft->told, device);
        dev_buffer_free(device, &draft->counter);
        dev_buffer_free(device, &draft->chances);
        dev_buffer_free(device, &draft->kept_scores);
        model_state_free(draft->state);
    }
    core_free(draft->host_chances);
    core_free(draft->guesses);
    core_free(draft);
}

/* ---- A round */

/* How many positions of the state hold what the text says: the guesses of the last round, but its last one, were read. */
static uint32_t held(const gen_draft *draft, const int32_t *text, uint32_t count)
{
    uint32_t good = draft->from;
    for (uint32_t i = 0; i + 1 < draft->made && good + 1 < count && text[good] == draft->guesses[i]; i++)
        good++;
    return good + 1 < count ? good : count - 1;
}

/* Reads the text from where the state stands, and enqueues the first choice. */
static oclm_status read_text(gen_draft *draft, const int32_t *text, uint32_t count)
{
    model_state *state = draft->state;
    uint32_t     first = held(draft, text, count), done;
    oclm_status  status = OCLM_OK;
    model_decode_end(state, 0, first);
    if (!model_can_go_on(state, 0, first))
        model_truncate(state, 0, first = 0);
    done = first;
    draft->made = 0;
    draft->from = done;
    if (done == 0)
        model_state_expect(state, count);
    while (done < count && status == OCLM_OK) {
        const uint32_t    left = count - done, rows = left < state->max_rows ? left : state->max_rows;
        const model_piece piece = { .sequence = 0, .first = done, .count = rows, .ids = text + done };
        status = model_forward(state, &piece, 1, rows == left ? MODEL_LOGITS_LAST : MODEL_LOGITS_NONE);
        done += rows;
    }
    if (status == OCLM_OK)
        status = gen_told_send(&draft->told, state->queue, text, first, count, count, 1);
    if (status == OCLM_OK && (status = dev_buffer_write(state->queue, &draft->counter, 0, &(uint32_t){ 0 }, sizeof(uint32_t))) == OCLM_OK)
        status = dev_work_enqueue(draft->choose, state->queue, NULL);
    if (status == OCLM_OK)
        draft->from = count;
    return status;
}

/* Records a step that may stand at any position of the same span as `position`. */
static oclm_status record(gen_draft *draft, uint32_t position)
{
    const uint32_t bound = model_decode_bound(position, draft->state->max_positions);
    dev_work      *work = NULL;
    oclm_status    status;
    if (draft->step && draft->bound == bound)
        return OCLM_OK;
    if ((status = dev_work_new(draft->state->model->device, &work)) == OCLM_OK &&
        (status = model_record_decode(draft->state, work, 1, bound)) == OCLM_OK && (status = add_choice(draft, work, true)) == OCLM_OK) {
        dev_work_free(draft->step);
        draft->step = work;
        draft->bound = bound;
        return OCLM_OK;
    }
    dev_work_free(work);
    return status;
}

/* Steps, of which the first reads the guess at `first`. */
static oclm_status enqueue_steps(gen_draft *draft, uint32_t first, uint32_t steps)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < steps && status == OCLM_OK; i++)
        if ((status = record(draft, draft->from + first + i)) == OCLM_OK)
            status = dev_work_enqueue(draft->step, draft->state->queue, NULL);
    return status;
}

/* Is this the last guess of its round? */
static bool ends(const gen_draft *draft, const gen_chance *chance)
{
    return gen_is_eos(draft->config, (int32_t)chance->id) || gen_chance_probability(chance) < draft->config->assistant_confidence_threshold;
}

/* Takes guesses in, from number `first` on, once they are here. */
static oclm_status take(gen_draft *draft, uint32_t first, uint32_t count, bool *more)
{
    gen_chance       *chances = draft->host_chances + first;
    const oclm_status status = dev_buffer_read(draft->state->queue, &draft->chances, first * sizeof *chances, chances, count * sizeof *chances);
    for (uint32_t i = 0; i < count && status == OCLM_OK && *more; i++) {
        if ((*more = chances[i].id >= 0)) {
            draft->guesses[draft->made++] = (int32_t)chances[i].id;
            *more = !ends(draft, &chances[i]);
        }
    }
    return status;
}

oclm_status gen_draft_guess(gen_draft *draft, const int32_t *text, uint32_t count, uint32_t most)
{
    model_state   *state = draft->state;
    const uint32_t room = state->max_positions >= count ? state->max_positions - count + 1 : 0; /* the last guess is not read */
    bool           more = true;
    oclm_status    status;
    most = most < draft->most ? most : draft->most;
    most = most < room ? most : room;
    if (most == 0) {
        draft->made = 0;
        draft->from = draft->from < count ? draft->from : count;
        return OCLM_OK;
    }
    if ((status = read_text(draft, text, count)) == OCLM_OK && most > 1)
        status = model_decode_begin(state, 1, count + most - 1);
    for (uint32_t next = 0; next < most && more && status == OCLM_OK;) {
        const uint32_t batch = draft->config->assistant_confidence_threshold > 0.0f ? 1 : most - next; /* the first choice is enqueued already */
        status = enqueue_steps(draft, next > 0 ? next - 1 : 0, next > 0 ? batch : batch - 1);
        if (status == OCLM_OK)
            status = take(draft, next, batch, &more);
        next += batch;
    }
    if (status != OCLM_OK)
        (void)model_finish(state);
    return status;
}
