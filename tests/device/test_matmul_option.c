/* test_matmul_option.c: `oclm generate --matmul ...`: whoever multiplies, greedy ids are those of float64 (golden/tiny). */
#include <string.h>

#include "device/devices.h"

#include "core/json.h"

#define MODEL OCLM_SOURCE_DIR "/tests/golden/tiny/llama"
#define MAX_COMMAND 4096
#define MAX_OUTPUT 65536

/* The prompt of at least 16 ids whose greedy ids are the surest. */
static const cJSON *choose_prompt(const cJSON *golden)
{
    const cJSON *best = NULL;
    for (const cJSON *p = core_json_member(golden, "prompts")->child; p; p = p->next) {
        if (cJSON_GetArraySize(core_json_member(p, "input_ids")) >= 16 &&
            (!best || core_json_member(p, "greedy_smallest_lead")->valuedouble > core_json_member(best, "greedy_smallest_lead")->valuedouble))
            best = p;
    }
    assert_non_null(best);
    return best;
}

static void write_command(const char *matmul, const cJSON *prompt, int new_ids, char command[MAX_COMMAND])
{
    size_t length = (size_t)snprintf(command, MAX_COMMAND, "'%s' generate '%s' --quiet --json --eos-token-id none --matmul %s --max-new-tokens %d"
                                     " --input-ids ", OCLM_COMMAND, MODEL, matmul, new_ids);
    for (const cJSON *id = core_json_member(prompt, "input_ids")->child; id; id = id->next) {
        assert_true(length < MAX_COMMAND - 16);
        length += (size_t)snprintf(command + length, MAX_COMMAND - length, "%d%s", id->valueint, id->next ? "," : "");
    }
}

static cJSON *run(const char *command)
{
    static char output[MAX_OUTPUT];
    cJSON      *result = NULL;
    FILE       *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    const int status = pclose(pipe);
    if (status != 0)
        fail_msg("exit status %d of %s", status, command);
    assert_ok(core_json_parse(output, length, "oclm's output", &result));
    return result;
}

static void greedy_ids_are_those_of_float64_whoever_multiplies(void **state)
{
    static const char *const values[] = { "builtin", "auto", "clblast" };
    char        command[MAX_COMMAND];
    cJSON      *golden = NULL;
    dev_device *device = NULL;
    (void)state;
    assert_ok(dev_open(NULL, &device));
    const bool slow = devices_is_slow(device);
    dev_close(device);
    assert_ok(core_json_read_file(MODEL "/golden.json", CORE_JSON_MAX_CONFIG, &golden));
    const cJSON *prompt = choose_prompt(golden), *want = core_json_member(prompt, "greedy_new_ids");
    for (size_t i = 0; i < COUNT(values) - (slow ? 1 : 0); i++) {
        write_command(values[i], prompt, cJSON_GetArraySize(want), command);
        cJSON       *result = run(command);
        const cJSON *got = core_json_member(core_json_member(result, "sequences")->child, "output_ids");
        if (!cJSON_Compare(got, want, true)) {
            char *text = cJSON_PrintUnformatted(got);
            fail_msg("--matmul %s: %s", values[i], text);
        }
        cJSON_Delete(result);
    }
    cJSON_Delete(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(greedy_ids_are_those_of_float64_whoever_multiplies) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
