/* test_config_golden.c: what a call, a file that it names and the model's file come to is what transformers' generate() makes of them
 * (golden/generation_configs.json). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/folders.h"

#include "core/json.h"
#include "core/log.h"
#include "generation/config_fields.h"

static char warnings[8192];

static void on_log(oclm_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    strncat(warnings, line, sizeof warnings - strlen(warnings) - 2);
    strcat(warnings, "\n");
}

/* ---- What was decided, in the golden file's words */

static cJSON *ids_tree(const int32_t *ids, uint32_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(ids[i]));
    return list;
}

static cJSON *bias_tree(const gen_bias *biases, uint32_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, ids_tree(biases[i].ids.ids, biases[i].ids.count));
        if (biases[i].bias > -INFINITY)
            cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)biases[i].bias));
        cJSON_AddItemToArray(list, pair);
    }
    return list;
}

static void add_number(cJSON *tree, const char *name, double value, double off)
{
    if (value != off && !isnan(value))
        cJSON_AddNumberToObject(tree, name, value);
}

static cJSON *processors_tree(const gen_config *c)
{
    cJSON *tree = cJSON_CreateObject();
    add_number(tree, "guidance_scale", (double)c->guidance_scale, 1);
    if (c->sequence_bias_count > 0)
        cJSON_AddItemToObject(tree, "sequence_bias", bias_tree(c->sequence_bias, c->sequence_bias_count));
    add_number(tree, "encoder_repetition_penalty", (double)c->encoder_repetition_penalty, 1);
    add_number(tree, "repetition_penalty", (double)c->repetition_penalty, 1);
    add_number(tree, "no_repeat_ngram_size", c->no_repeat_ngram_size, 0);
    add_number(tree, "encoder_no_repeat_ngram_size", c->encoder_no_repeat_ngram_size, 0);
    if (c->bad_word_count > 0)
        cJSON_AddItemToObject(tree, "bad_words_ids", bias_tree(c->bad_words, c->bad_word_count));
    add_number(tree, "min_length", c->min_length, 0);
    add_number(tree, "forced_bos_token_id", c->forced_bos_token_id, -1);
    if (c->forced_eos.count > 0)
        cJSON_AddItemToObject(tree, "forced_eos_token_id", ids_tree(c->forced_eos.ids, c->forced_eos.count));
    if (c->remove_invalid_values)
        cJSON_AddTrueToObject(tree, "remove_invalid_values");
    if (c->exponential_decay_start != OCLM_UNSET) {
        cJSON *pair = cJSON_AddArrayToObject(tree, "exponential_decay_length_penalty");
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(c->exponential_decay_start + c->prompt_length));
        cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)c->exponential_decay_factor));
    }
    if (c->suppress_tokens.count > 0)
        cJSON_AddItemToObject(tree, "suppress_tokens", ids_tree(c->suppress_tokens.ids, c->suppress_tokens.count));
    if (c->begin_suppress_tokens.count > 0) {
        cJSON *both = cJSON_AddObjectToObject(tree, "begin_suppress_tokens");
        cJSON_AddItemToObject(both, "tokens", ids_tree(c->begin_suppress_tokens.ids, c->begin_suppress_tokens.count));
        cJSON_AddNumberToObject(both, "length", c->begin_suppress_length);
    }
    add_number(tree, "temperature", (double)c->temperature, 1);
    add_number(tree, "top_h", (double)c->top_h, NAN);
    add_number(tree, "top_k", c->top_k, 0);
    add_number(tree, "top_p", (double)c->top_p, 1);
    add_number(tree, "min_p", (double)c->min_p, NAN);
    add_number(tree, "typical_p", (double)c->typical_p, 1);
    add_number(tree, "epsilon_cutoff", (double)c->epsilon_cutoff, 0);
    add_number(tree, "eta_cutoff", (double)c->eta_cutoff, 0);
    if (c->renormalize_logits)
        cJSON_AddTrueToObject(tree, "renormalize_logits");
    return tree;
}

static const char *mode_name(const gen_config *c)
{
    switch (c->mode) {
    case GEN_MODE_ASSISTED: return "assisted_generation";
    case GEN_MODE_BEAMS: return c->do_sample ? "beam_sample" : "beam_search";
    default: return c->do_sample ? "sample" : "greedy_search";
    }
}

static cJSON *resolved_tree(const gen_config *c)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON_AddStringToObject(tree, "mode", mode_name(c));
    cJSON_AddNumberToObject(tree, "limit", c->limit);
    cJSON_AddItemToObject(tree, "eos_token_id", ids_tree(c->eos_token_ids, c->eos_token_count));
    cJSON_AddNumberToObject(tree, "pad_token_id", c->pad_token_id);
    cJSON_AddNumberToObject(tree, "fill_token_id", c->fill_token_id);
    cJSON_AddNumberToObject(tree, "num_beams", c->num_beams);
    cJSON_AddNumberToObject(tree, "num_return_sequences", c->num_return_sequences);
    if (c->early_stopping == OCLM_EARLY_STOPPING_NEVER)
        cJSON_AddStringToObject(tree, "early_stopping", "never");
    else
        cJSON_AddBoolToObject(tree, "early_stopping", c->early_stopping == OCLM_EARLY_STOPPING_ON);
    cJSON_AddNumberToObject(tree, "length_penalty", (double)c->length_penalty);
    cJSON_AddNumberToObject(tree, "min_keep", c->min_keep);
    cJSON_AddNumberToObject(tree, "prompt_lookup_num_tokens", c->prompt_lookup_num_tokens);
    cJSON_AddItemToObject(tree, "processors", processors_tree(c));
    return tree;
}

/* Equal, but for the rounding of numbers to float. */
static bool same(const cJSON *a, const cJSON *b)
{
    const cJSON *other = b ? b->child : NULL;
    if (!a || !b)
        return a == b;
    if (cJSON_IsNumber(a))
        return cJSON_IsNumber(b) && fabs(a->valuedouble - b->valuedouble) <= 1e-6 * fabs(b->valuedouble);
    if (!cJSON_IsObject(a) && !cJSON_IsArray(a))
        return cJSON_Compare(a, b, true);
    if (a->type != b->type || cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
        return false;
    for (const cJSON *item = a->child; item; item = item->next, other = other->next)
        if (!same(item, cJSON_IsObject(a) ? core_json_member(b, item->string) : other))
            return false;
    return true;
}

/* ---- Cases */

static const char *label_of(const cJSON *c)
{
    return core_json_member(c, "label")->valuestring;
}

static void write_file(const cJSON *tree, char *path)
{
    char     *text = cJSON_PrintUnformatted(tree);
    const int file = mkstemp(path);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    (void)close(file);
    cJSON_free(text);
}

/* Reads all three as JSON, then decides. */
static oclm_status resolve(const cJSON *c, const model_architecture *architecture, gen_config *config)
{
    const cJSON          *call_tree = core_json_member(c, "call"), *file = core_json_member(c, "file");
    char                  path[] = "/tmp/oclm-test-XXXXXX";
    gen_defaults          model, said;
    oclm_generate_options options;
    oclm_status           status;
    const gen_call        call = { .defaults = &model, .options = &options, .architecture = architecture, .has_tokenizer = true,
                                   .prompt_length = (uint32_t)core_json_member(c, "prompt")->valuedouble, .prompt_count = 1 };
    gen_config_init(config);
    if ((status = gen_defaults_tree(core_json_member(c, "model"), "generation_config.json", &model)) != OCLM_OK)
        return status;
    if (file)
        write_file(file, path);
    if ((status = gen_defaults_tree(call_tree, "the call", &said)) == OCLM_OK) {
        oclm_generate_options_init(&options, sizeof options);
        for (size_t i = 0; i < gen_field_count; i++)
            gen_field_copy(&gen_fields[i], &said.said, &options);
        if (core_json_has(call_tree, "eos_token_id") && !core_json_member(call_tree, "eos_token_id"))
            options.use_eos_token = OCLM_SWITCH_OFF; /* None */
        options.generation_config = file ? path : NULL;
        status = gen_config_resolve(&call, config);
    }
    if (file)
        (void)remove(path);
    gen_defaults_free(&said);
    gen_defaults_free(&model);
    return status;
}

/* Whether the log told that an option has no effect. */
static bool is_told(const char *name)
{
    char begin[64];
    snprintf(begin, sizeof begin, "%s (=", name);
    for (const char *line = warnings; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, begin, strlen(begin)) == 0 && strstr(line, "has no effect"))
            return true;
    return false;
}

static void check_unused(const cJSON *c)
{
    for (size_t i = 0; i < gen_field_count; i++) {
        bool want = false;
        for (const cJSON *name = core_json_member(c, "unused")->child; name; name = name->next)
            want = want || strcmp(name->valuestring, gen_fields[i].name) == 0;
        if (want != is_told(gen_fields[i].name))
            fail_msg("%s: %s is %s; all warnings: %s", label_of(c), gen_fields[i].name, want ? "not told to be unused" : "told to be unused", warnings);
    }
}

static void check_case(const cJSON *c, const model_architecture *architecture)
{
    const cJSON      *error = core_json_member(c, "error"), *resolved = core_json_member(c, "resolved");
    gen_config        config;
    oclm_status       status;
    warnings[0] = '\0';
    status = resolve(c, architecture, &config);
    if (error) {
        const bool hub = strstr(error->child->next->valuestring, "trust_remote_code") != NULL; /* not in transformers itself */
        if (status == OCLM_OK || hub != (status == OCLM_ERR_UNSUPPORTED))
            fail_msg("%s: %s, where transformers raises %s: %s", label_of(c), oclm_status_name(status), error->child->valuestring,
                     error->child->next->valuestring);
        return;
    }
    if (status != OCLM_OK)
        fail_msg("%s: %s: %s", label_of(c), oclm_status_name(status), oclm_last_error());
    cJSON *got = resolved_tree(&config);
    if (!same(got, resolved) || !same(resolved, got))
        fail_msg("%s:\n  %s, want\n  %s", label_of(c), cJSON_PrintUnformatted(got), cJSON_PrintUnformatted(resolved));
    cJSON_Delete(got);
    gen_config_free(&config);
    check_unused(c);
}

static void options_come_to_what_transformers_makes_of_them(void **state)
{
    static model_architecture architecture;
    cJSON                    *golden;
    size_t                    count = 0;
    const size_t              live = core_memory_live();
    (void)state;
    architecture.position = MODEL_POSITION_ROPE;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/generation_configs.json", 1u << 20, &golden));
    architecture.vocab_size = (uint32_t)core_json_member(golden, "vocab_size")->valuedouble;
    architecture.max_position_embeddings = (uint32_t)core_json_member(golden, "max_position_embeddings")->valuedouble;
    core_log_set(on_log, NULL, OCLM_LOG_WARNING);
    for (const cJSON *c = core_json_member(golden, "cases")->child; c; c = c->next, count++)
        check_case(c, &architecture);
    core_log_set(NULL, NULL, OCLM_LOG_WARNING);
    assert_true(count >= 80);
    cJSON_Delete(golden);
    assert_int_equal(core_memory_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_to_what_transformers_makes_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
