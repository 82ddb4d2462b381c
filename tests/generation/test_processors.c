/* Every processor and filter against what transformers' own classes answer (tests/golden/processors.json), through the kernels, on every device
 * and in both shapes: a work-item a part, or a group of lanes. */
#include "cl/matrices.h"
#include "generation/filter_options.h"
#include "generation/processors.h"

#define PADDING  3u    /* NaN behind each row: whoever reads it shows */
#define MAX_ROWS 4u
#define LISTS    64u   /* of a case */

/* ---- A case as a configuration ------------------------------------------------------------------------------------------- */

static int32_t list_ids[LISTS][64]; /* of the lists of one configuration */
static uint32_t lists;

static gen_ids ids_from(const cJSON *item)
{
    gen_ids ids = { NULL, 0 };
    if (!item)
        return ids;
    assert_true(lists < LISTS);
    ids.ids = list_ids[lists++];
    if (cJSON_IsNumber(item))
        ids.ids[ids.count++] = item->valueint;
    for (const cJSON *id = cJSON_IsArray(item) ? item->child : NULL; id; id = id->next) {
        assert_true(ids.count < COUNT(list_ids[0]));
        ids.ids[ids.count++] = id->valueint;
    }
    return ids;
}

static float number_of(const cJSON *item)
{
    if (cJSON_IsNull(item))
        return -INFINITY;
    if (cJSON_IsString(item))
        return item->valuestring[0] == 'n' ? NAN : INFINITY;
    return (float)item->valuedouble;
}

static bool same_ids(const gen_ids *a, const gen_ids *b) { return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0; }

/* Of keys given twice the last counts. */
static uint32_t biases_from(const cJSON *list, gen_bias *biases)
{
    uint32_t count = 0;
    for (const cJSON *pair = list ? list->child : NULL; pair; pair = pair->next) {
        const gen_bias bias = { ids_from(pair->child), number_of(pair->child->next) };
        uint32_t       i = 0;
        while (i < count && !same_ids(&biases[i].ids, &bias.ids))
            i++;
        assert_true(i < LISTS);
        biases[i] = bias;
        count = i == count ? count + 1 : count;
    }
    return count;
}

/* Those that are an end alone are left out. */
static uint32_t bad_words_from(const cJSON *list, const gen_config *c, gen_bias *words)
{
    uint32_t count = 0;
    for (const cJSON *word = list ? list->child : NULL; word; word = word->next) {
        const gen_ids ids = ids_from(word);
        bool          end = false;
        for (uint32_t e = 0; e < c->eos_token_count; e++)
            end |= ids.count == 1 && ids.ids[0] == c->eos_token_ids[e];
        assert_true(count < LISTS);
        if (!end)
            words[count++] = (gen_bias){ ids, -INFINITY };
    }
    return count;
}

static void config_from(const cJSON *entry, gen_config *c)
{
    static gen_bias biases[LISTS], words[LISTS];
    const cJSON    *options = core_json_member(entry, "options"), *decay = core_json_member(options, "exponential_decay_length_penalty");
    const gen_ids   bos = (lists = 0, ids_from(core_json_member(options, "forced_bos_token_id"))), eos = ids_from(core_json_member(entry, "eos"));
    gen_config_init(c);
    c->prompt_length = count_option(entry, "prompt_length", 0);
    c->limit = count_option(entry, "limit", 1000);
    c->eos_token_count = eos.count;
    if (eos.count > 0)
        memcpy(c->eos_token_ids, eos.ids, eos.count * sizeof *eos.ids);
    c->do_sample = cJSON_IsTrue(core_json_member(options, "do_sample"));
    c->num_beams = count_option(options, "num_beams", 1);
    c->min_keep = min_keep_of(options, eos.count);
    c->guidance_scale = float_option(options, "guidance_scale", 1.0f);
    c->sequence_bias = biases;
    c->sequence_bias_count = biases_from(core_json_member(options, "sequence_bias"), biases);
    c->bad_words = words;
    c->bad_word_count = bad_words_from(core_json_member(options, "bad_words_ids"), c, words);
    c->repetition_penalty = float_option(options, "repetition_penalty", 1.0f);
    c->encoder_repetition_penalty = float_option(options, "encoder_repetition_penalty", 1.0f);
    c->no_repeat_ngram_size = count_option(options, "no_repeat_ngram_size", 0);
    c->encoder_no_repeat_ngram_size = count_option(options, "encoder_no_repeat_ngram_size", 0);
    c->min_length = count_option(options, "min_length", 0);
    c->min_new_tokens = count_option(options, "min_new_tokens", 0);
    c->forced_bos_token_id = bos.count > 0 ? bos.ids[0] : -1;
    c->forced_eos = ids_from(core_json_member(options, "forced_eos_token_id"));
    c->remove_invalid_values = cJSON_IsTrue(core_json_member(options, "remove_invalid_values"));
    c->exponential_decay_start = decay ? (uint32_t)decay->child->valueint : OCLM_UNSET;
    c->exponential_decay_factor = decay ? (float)decay->child->next->valuedouble : 1.0f;
    c->suppress_tokens = ids_from(core_json_member(options, "suppress_tokens"));
    c->begin_suppress_tokens = ids_from(core_json_member(options, "begin_suppress_tokens"));
    c->begin_suppress_length = c->prompt_length + (c->prompt_length <= 1 && bos.count > 0);
    c->renormalize_logits = cJSON_IsTrue(core_json_member(options, "renormalize_logits"));
    if (c->do_sample)
        filter_options(options, c);
}

/* ---- Its rows on a device ------------------------------------------------------------------------------------------------ */

/* [rows][columns] from lists of lists; the rest of a row, `stride` wide, is NaN. */
static float *table_of(const cJSON *list, uint32_t *rows, uint32_t *columns, uint32_t padding)
{
    *rows = (uint32_t)cJSON_GetArraySize(list);
    *columns = (uint32_t)cJSON_GetArraySize(list->child);
    const uint32_t stride = *columns + padding;
    float         *table = core_alloc_array((size_t)*rows * stride, sizeof *table, "a table");
    float         *value = table;
    assert_non_null(table);
    for (const cJSON *row = list->child; row; row = row->next) {
        for (const cJSON *item = row->child; item; item = item->next)
            *value++ = number_of(item);
        for (uint32_t i = 0; i < padding; i++)
            *value++ = NAN;
    }
    return table;
}

static dev_buffer buffer_of(dev_device *device, const void *data, size_t bytes)
{
    dev_buffer buffer = { NULL, 0 };
    assert_ok(dev_buffer_new(device, bytes, "a case", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, data, bytes));
    return buffer;
}

/* The first place where attention_mask is not 0. */
static void begins_of(const cJSON *entry, uint32_t *begins)
{
    const cJSON *mask = core_json_member(entry, "attention_mask");
    for (const cJSON *row = mask ? mask->child : NULL; row; row = row->next, begins++)
        for (const cJSON *item = row->child; item && item->valueint == 0; item = item->next)
            ++*begins;
}

typedef struct scene {
    dev_device *device;
    gen_rows    rows;
    dev_buffer  scores;
} scene;

static scene open_scene(dev_device *device, const cJSON *entry)
{
    scene    s = { .device = device };
    uint32_t ids_rows, ids_count, begins[MAX_ROWS] = { 0 }, lengths[MAX_ROWS];
    float   *scores = table_of(core_json_member(entry, "scores"), &s.rows.rows, &s.rows.vocab, PADDING);
    float   *ids = table_of(core_json_member(entry, "ids"), &ids_rows, &ids_count, 0);
    int32_t  history[MAX_ROWS * 64];
    assert_true(ids_rows == s.rows.rows && ids_rows <= MAX_ROWS && ids_rows * (ids_count + 1) <= COUNT(history));
    s.rows.stride = s.rows.vocab + PADDING;
    s.rows.history_stride = ids_count + 1; /* what is behind the ids is nobody's */
    for (uint32_t r = 0; r < ids_rows; r++) {
        lengths[r] = ids_count;
        for (uint32_t i = 0; i < ids_count; i++)
            history[r * (ids_count + 1) + i] = (int32_t)ids[r * ids_count + i];
        history[r * (ids_count + 1) + ids_count] = 1;
    }
    begins_of(entry, begins);
    s.rows.history = buffer_of(device, history, ids_rows * (ids_count + 1) * sizeof *history);
    s.rows.lengths = buffer_of(device, lengths, ids_rows * sizeof *lengths);
    s.rows.begins = buffer_of(device, begins, ids_rows * sizeof *begins);
    const cJSON *uncond = core_json_member(entry, "uncond");
    if (uncond) {
        uint32_t     rows, vocab;
        float       *other = table_of(uncond, &rows, &vocab, PADDING);
        const size_t bytes = (size_t)rows * s.rows.stride * sizeof(float);
        float       *both = core_alloc_array(2, bytes, "both runs");
        assert_non_null(both);
        memcpy(both, scores, bytes);
        memcpy((char *)both + bytes, other, bytes);
        s.scores = buffer_of(device, both, 2 * bytes);
        core_free(both);
        core_free(other);
    } else {
        s.scores = buffer_of(device, scores, (size_t)s.rows.rows * s.rows.stride * sizeof(float));
    }
    core_free(scores);
    core_free(ids);
    return s;
}

static void close_scene(scene *s)
{
    dev_buffer_free(s->device, &s->scores);
    dev_buffer_free(s->device, &s->rows.history);
    dev_buffer_free(s->device, &s->rows.lengths);
    dev_buffer_free(s->device, &s->rows.begins);
}

static void process(const scene *s, const gen_config *c, uint32_t group)
{
    gen_processors *processors = NULL;
    dev_work       *work = NULL;
    assert_ok(gen_processors_new(s->device, dev_queue(s->device), c, &s->rows, &processors));
    gen_parts_share(gen_processors_parts(processors), s->device, group);
    assert_ok(dev_work_new(s->device, &work));
    if (c->guidance_scale != 1.0f)
        assert_ok(gen_guidance_add(processors, work, &s->scores, c->guidance_scale));
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST; stage++)
        assert_ok(gen_processors_add(processors, work, (gen_stage)stage, &s->scores));
    assert_ok(dev_work_enqueue(work, dev_queue(s->device), NULL));
    assert_ok(dev_finish(dev_queue(s->device)));
    dev_work_free(work);
    gen_processors_free(processors);
}

/* ---- Comparing ----------------------------------------------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static bool is_close(float got, float want)
{
    return isnan(want) ? isnan(got) : isinf(want) ? got == want : fabsf(got - want) <= 2e-5f * fmaxf(1.0f, fabsf(want));
}

static bool check_row(const char *name, const char *shape, uint32_t row, float *got, float *want, uint32_t vocab, bool tie)
{
    for (uint32_t i = 0; i < PADDING; i++)
        assert_true(isnan(got[vocab + i]));
    if (tie) { /* which of several equal ones stays is open */
        qsort(got, vocab, sizeof *got, descending);
        qsort(want, vocab, sizeof *want, descending);
    }
    for (uint32_t i = 0; i < vocab; i++)
        if (!is_close(got[i], want[i])) {
            print_error("%s (%s), row %u: token %u has %.9g, want %.9g\n", name, shape, row, i, (double)got[i], (double)want[i]);
            return false;
        }
    return true;
}

static bool check_case(dev_device *device, const cJSON *entry, uint32_t group)
{
    const char *name = core_json_member(entry, "name")->valuestring;
    gen_config  config;
    uint32_t    rows, vocab;
    scene       s = open_scene(device, entry);
    float      *want = table_of(core_json_member(entry, "expected"), &rows, &vocab, PADDING);
    bool        good = true;
    config_from(entry, &config);
    process(&s, &config, group);
    float *got = read_floats(device, &s.scores);
    for (uint32_t r = 0; r < rows; r++)
        good &= check_row(name, group > 1 ? "lanes" : "cores", r, got + (size_t)r * s.rows.stride, want + (size_t)r * s.rows.stride, vocab,
                          cJSON_IsTrue(core_json_member(entry, "tie")));
    core_free(got);
    core_free(want);
    close_scene(&s);
    return good;
}

static void try_cases(dev_device *device, void *user)
{
    const cJSON *golden = user;
    uint32_t     ran = 0, wrong = 0, number = 0;
    for (const cJSON *entry = core_json_member(golden, "cases")->child; entry; entry = entry->next, number++) {
        if (core_json_member(entry, "allowed")) /* the host's: prefix_allowed_tokens_fn */
            continue;
        if (getenv("OCLM_TEST_QUICK") && number % 4 != 0) /* interpreted kernels */
            continue;
        wrong += !check_case(device, entry, 1);
        wrong += !check_case(device, entry, 128);
        ran++;
    }
    print_message("      %u cases, two shapes\n", ran);
    assert_true(ran >= 50);
    assert_int_equal(wrong, 0);
}

static void processors_answer_as_those_of_transformers(void **state)
{
    cJSON *golden = NULL;
    (void)state;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/processors.json", CORE_JSON_MAX_CONFIG, &golden));
    devices_each(try_cases, golden);
    cJSON_Delete(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_answer_as_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
