/* test_device_map.c: --device-map, --max-memory and their friends through the command, on two devices that PoCL makes of one processor: the same
 * text wherever a model's parts are, tables and JSON that say where, and messages that lead to what works. */
#include "cli/cases.h"

#define TWO "POCL_DEVICES=pthread pthread"
#define TELL "generate @stories 'Once upon a time' -n 24 --device-map "

static bool two_devices;

static process run_two(const char *line)
{
    const setting how = { .environment = TWO };
    words         w;
    process       p;
    split_line(line, &w);
    p = process_start(w.list, &how);
    process_finish(&p);
    return p;
}

static int look_for_devices(void **state)
{
    process p = run_two("info @stories --json");
    (void)state;
    cJSON *tree = p.status == 0 ? only_object("info", p.out.data) : NULL;
    two_devices = cJSON_GetArraySize(at_path(tree, "devices")) >= 2 && strstr(p.out.data, "pthread") != NULL;
    cJSON_Delete(tree);
    process_free(&p);
    return 0;
}

/* ---- The same text everywhere */

static const char *const maps[] = {
    TELL "auto", TELL "balanced", TELL "balanced_low_0", TELL "sequential", TELL "0", TELL "1", TELL "0:1", TELL "cpu", TELL "disk", TELL "null",
    TELL "pthread",
    TELL "'{\"\": 1}'",
    TELL "'{\"transformer.wte\": 0, \"transformer.wpe\": 0, \"transformer.h.0\": 0, \"transformer.h.1\": 1, \"transformer.h.2\": 0, \"transformer.h.3\": 1, \"transformer.ln_f\": 0, "
         "\"lm_head\": 0}'",
    TELL "'{\"transformer\": \"1\", \"transformer.h.2\": \"0:0\", \"lm_head\": 1}'",
    TELL "'{\"\": 0, \"transformer.h.1\": \"cpu\", \"transformer.h.3\": \"disk\"}'",
    TELL "'{\"\": \"cpu\", \"transformer.h.1\": 1}'",
    TELL "auto --max-memory '{\"0\": \"30MiB\", \"1\": \"30MiB\"}' --context-length 64",
    TELL "sequential --max-memory '{\"0\": \"1GiB\", \"1\": 1000000000}'",
    TELL "auto --max-memory 1GiB",
};

static void the_text_is_the_same_wherever_a_model_is(void **state)
{
    process want = run_two("generate @stories 'Once upon a time' -n 24");
    (void)state;
    assert_int_equal(want.status, 0);
    for (size_t i = 0; i < COUNT(maps) && two_devices; i++) {
        process p = run_two(maps[i]);
        if (p.status != 0 || strcmp(p.out.data, want.out.data) != 0)
            fail_msg("oclm %s: ended with %d, \"%s\", want \"%s\"; %s", maps[i], p.status, p.out.data, want.out.data, p.err.data);
        process_free(&p);
    }
    process_free(&want);
    if (!two_devices)
        skip();
}

static const command_case others[] = {
    { "score", "score @stories 'Once upon a time' --device-map balanced", 0, "over 3 tokens, perplexity 1.0", TWO },
    { "logits", "logits @stories 'Once upon a time' --positions last --device-map balanced", 0, "", TWO },
    { "bench", "bench @tiny/llama -p 8 -n 4 -r 1 --device-map balanced", 0, "prefill|decode", TWO },
    { "perplexity", "perplexity @stories --input-ids 438,449,259,391 --device-map balanced", 0, "perplexity", TWO },
    { "beams", "generate @stories Once -n 8 --num-beams 3 --device-map balanced", 0, "Once upon a time", TWO },
    { "an assistant elsewhere", "generate @stories Once -n 8 --device 0 --assistant-model @stories --assistant-device 1", 0, "Once upon a time", TWO },
    { "an assistant in 4 bits", "generate @stories Once -n 8 --assistant-model @stories --assistant-load-in-4bit --assistant-bnb-4bit-quant-type nf4", 0, "Once upon a time", NULL },
    { "the load's log", "generate @stories Once -n 4 --device-map auto --json", 0, "\"devices\": [\"", TWO },
};

static void all_commands_that_load_take_it(void **state)
{
    (void)state;
    if (!two_devices)
        skip();
    check_cases(others, COUNT(others));
}

static void the_log_tells_each_place(void **state)
{
    process p = run_two("generate @stories Once -n 4 -v --device-map balanced");
    (void)state;
    assert_int_equal(p.status, 0);
    if (!holds_all(p.err.data, "device_map: transformer.wte| of weights, | of cache on device 0 (pthread"))
        fail_msg("%s", p.err.data);
    process_free(&p);
}

/* ---- info */

static void info_prints_the_table(void **state)
{
    (void)state;
    check_case(&(command_case){ "a table", "info @stories --device-map auto", 0,
                                "placement, with room for 256 positions:|module|weights|cache|device|why|transformer.wte|  device 0, |workspace", NULL });
    check_case(&(command_case){ "the host", "info @stories --device-map cpu", 0, "placement, |transformer.h.0", NULL });
    check_case(&(command_case){ "a shorter context", "info @stories --device-map auto --context-length 64", 0, "room for 64 positions", NULL });
    check_case(&(command_case){ "what does not fit", "info @stories --device-map 0 --max-memory 2MiB", 0, "does not fit: |device 0", NULL });
}

static void info_s_json_has_it_all(void **state)
{
    cJSON *tree = run_json("info @stories --device-map auto --json");
    double weights = 0, rows = 0;
    (void)state;
    const cJSON *row, *share;
    assert_true(cJSON_IsTrue(at_path(tree, "placement.fits")) && cJSON_IsNull(at_path(tree, "placement.problem")));
    assert_int_equal(at_path(tree, "placement.context_length")->valueint, 256);
    cJSON *map = cJSON_Parse(at_path(tree, "placement.device_map")->valuestring);
    assert_true(cJSON_IsObject(map) && map->child);
    cJSON_Delete(map);
    cJSON_ArrayForEach(row, at_path(tree, "placement.rows"))
    {
        assert_true(cJSON_IsString(at_path(row, "modules")) && cJSON_IsString(at_path(row, "place")) && cJSON_IsNumber(at_path(row, "device")));
        rows += at_path(row, "weight_bytes")->valuedouble;
    }
    cJSON_ArrayForEach(share, at_path(tree, "placement.memory"))
    {
        weights += at_path(share, "weight_bytes")->valuedouble;
        if (strcmp(at_path(share, "place")->valuestring, "device") == 0)
            assert_true(at_path(share, "used_bytes")->valuedouble + at_path(share, "left_bytes")->valuedouble == at_path(share, "budget_bytes")->valuedouble);
    }
    assert_true(rows > 0 && rows == weights);
    cJSON_Delete(tree);
    tree = run_json("info @stories --json --device-map 0 --max-memory 2MiB");
    assert_true(cJSON_IsFalse(at_path(tree, "placement.fits")) && cJSON_IsString(at_path(tree, "placement.problem")));
    assert_true(cJSON_GetArraySize(at_path(tree, "placement.choices")) > 0);
    cJSON_Delete(tree);
    tree = run_json("info @stories --json");
    assert_null(at_path(tree, "placement"));
    cJSON_Delete(tree);
}

/* ---- Too little memory: a new user reads the message and does what it says */

static const char *const too_large[] = {
    "generate @stories Once -n 4 --dtype float32 --max-memory 10900KB",
    "generate @stories Once -n 4 --device-map 0 --max-memory 11MiB",
    "generate @stories Once -n 4 --device-map 0 --dtype float32 --max-memory '{\"0\": \"13MiB\"}'",
    "info @stories --device-map 0 --max-memory 11MiB",
};

/* Runs `line` with what stands in brackets behind "--" added, up to the bracket's end. */
static void follow(const char *line, const char *advice, const char *message)
{
    const char *option = strstr(advice, "--"), *map = strstr(line, " --device-map 0");
    char        text[600];
    assert_non_null(option);
    const bool   replaces = map && strncmp(option, "--device-map", 12) == 0; /* one map in place of the other */
    const size_t before = replaces ? (size_t)(map - line) : strlen(line);
    snprintf(text, sizeof text, "%.*s%s %.*s", (int)before, line, replaces ? map + strlen(" --device-map 0") : "", (int)strcspn(option, ")"), option);
    process p = run_line(text);
    if (p.status != 0 || !strstr(p.out.data, strncmp(line, "info", 4) == 0 ? "placement" : "Once upon a time") || strstr(p.out.data, "does not fit:"))
        fail_msg("oclm %s said: %s\n but oclm %s ended with %d: %s%s", line, message, text, p.status, p.out.data, p.err.data);
    process_free(&p);
}

static void each_advice_of_a_refusal_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(too_large); i++) {
        const bool info = strncmp(too_large[i], "info", 4) == 0;
        process    p = run_line(too_large[i]);
        char      *said = info ? p.out.data : p.err.data, *at = strstr(said, "what fits:");
        if (p.status != (info ? 0 : 4) || !holds_all(said, "device|available ") || !at)
            fail_msg("oclm %s: ended with %d: %s%s", too_large[i], p.status, p.out.data, p.err.data);
        at[strcspn(at, "\n")] = '\0';
        for (char *bracket = strchr(at, '('); bracket; bracket = strchr(bracket + 1, '('))
            follow(too_large[i], bracket, said);
        process_free(&p);
    }
}

/* ---- What is refused */

#define BAD "generate @stories x -n 1 --device-map "

static const command_case bad[] = {
    { "a negative index", BAD "-1", 2, "device_map: device -1|count from 0", NULL },
    { "no such word", BAD "blanced", 5, "\"blanced\"|balanced_low_0|there are: 0 (", NULL },
    { "no such device", BAD "99", 5, "\"99\"|there are: 0 (", NULL },
    { "a device of CUDA", BAD "cuda:0", 5, "\"cuda:0\"|there are: 0 (", NULL },
    { "an empty value", BAD "''", 2, "device_map is empty", NULL },
    { "broken JSON", BAD "'{\"transformer\": 0'", 2, "device_map: byte 17|give JSON such as", NULL },
    { "a list", BAD "[0]", 2, "no JSON object", NULL },
    { "an empty map", BAD "{}", 2, "empty object", NULL },
    { "a name twice", BAD "'{\"transformer\": 0, \"lm_head\": 0, \"transformer\": 0}'", 2, "\"transformer\" stands there twice", NULL },
    { "a value that is none", BAD "'{\"transformer\": true, \"lm_head\": 0}'", 2, "\"transformer\" is true", NULL },
    { "half a device", BAD "'{\"transformer\": 0.5}'", 2, "\"transformer\" is 0.5", NULL },
    { "an unknown device in it", BAD "'{\"transformer\": \"nobody\"}'", 5, "\"transformer\"|\"nobody\"", NULL },
    { "modules left out", BAD "'{\"transformer.wte\": 0, \"transformer.h.0\": 0}'", 2, "transformer.h.1", NULL },
    { "a word of another name's", BAD "'{\"transformer.h.1\": 0, \"transformer.h.10\": 0}'", 2, "transformer.", NULL },
    { "both", BAD "auto --device 0", 2, "device is \"0\" and device_map is \"auto\"", NULL },
    { "a wrong unit", BAD "auto --max-memory '{\"0\": \"10 GiBs\"}'", 2, "max_memory: \"0\" is \"10 GiBs\"|10GiB", NULL },
    { "a size below nothing", BAD "auto --max-memory '{\"0\": -5}'", 2, "max_memory: \"0\" is -5", NULL },
    { "a size without a unit", BAD "auto --max-memory '{\"0\": \"5\"}'", 2, "without quotes", NULL },
    { "broken JSON of sizes", BAD "auto --max-memory '{\"0\": '", 2, "max_memory: byte 6", NULL },
    { "a size for nobody", BAD "auto --max-memory '{\"nobody\": 5}'", 5, "max_memory|\"nobody\"", NULL },
    { "a size twice", BAD "auto --max-memory '{\"0\": 5, \"0:0\": 5}'", 2, "stands there already", NULL },
    { "sizes without a map", "generate @stories x --max-memory '{\"0\": \"1GiB\", \"cpu\": \"1GiB\"}'", 2, "--device-map auto", NULL },
    { "no number of positions", BAD "auto --context-length none", 2, "--context-length: \"none\"", NULL },
    { "no positions", BAD "auto --context-length 0", 2, "--context-length: \"0\"", NULL },
    { "an offload folder that is a file", BAD "disk --offload-folder @stories/config.json", 1, "config.json: cannot make this folder", NULL },
    { "a map for who loads nothing", "tokenize @stories x --device-map auto", 2, "unknown option --device-map", NULL },
    { "an assistant's map", "generate @stories x --assistant-model @stories --assistant-device-map nowhere", 5, "\"nowhere\"", NULL },
    { "an assistant's unknown option", "generate @stories x --assistant-model @stories --assistant-seed 5", 2, "unknown option --assistant-seed", NULL },
    { "an assistant's wrong value", "generate @stories x --assistant-model @stories --assistant-dtype int3", 2, "--assistant-dtype: \"int3\" is not one of", NULL },
    { "an assistant where nothing is made", "score @stories x --assistant-dtype float32", 2, "unknown option --assistant-dtype", NULL },
};

/* As in transformers, which warns. */
static void names_of_no_module_are_warned_of(void **state)
{
    static const struct { const char *line, *says; } cases[] = {
        { BAD "'{\"\": 0, \"model.layers.0\": 0}'", "oclm: warning: device_map: \"model.layers.0\" names no module|transformer.h.0" },
        { BAD "'{\"\": 0, \"transformer.h.4\": 0}'", "oclm: warning: device_map: \"transformer.h.4\" names no module" },
        { BAD "'{\"transformer\": \"0:0\", \"transformer.wte\": 0, \"lm_head\": \"cpu\"}'", "\"lm_head\" goes where \"transformer.wte\" goes" },
        { BAD "'{\"\": 0, \"transformer.h.1x\": \"cpu\"}'", "\"transformer.h.1x\" names no module" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        process p = run_line(cases[i].line);
        if (p.status != 0 || !holds_all(p.err.data, cases[i].says))
            fail_msg("oclm %s: ended with %d: %s", cases[i].line, p.status, p.err.data);
        process_free(&p);
    }
}

static void what_is_wrong_is_told_with_the_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (!bad[i].environment || two_devices)
            check_case(&bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_the_same_wherever_a_model_is),
        cmocka_unit_test(all_commands_that_load_take_it),
        cmocka_unit_test(the_log_tells_each_place),
        cmocka_unit_test(info_prints_the_table),
        cmocka_unit_test(info_s_json_has_it_all),
        cmocka_unit_test(each_advice_of_a_refusal_works),
        cmocka_unit_test(names_of_no_module_are_warned_of),
        cmocka_unit_test(what_is_wrong_is_told_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, look_for_devices, NULL);
}
