/* test_load_memory.c: loading takes the weights once: peak host memory stays below weights + 300 MB, measured from outside; quantised while
 * loading, below 1.2 times the quantised weights + 300 MB, which is less than a float copy takes. The model is made here: its weights are zeros
 * in a sparse file, so it costs no disk. On devices with memory of their own the limit is generous. */
#define _DEFAULT_SOURCE /* wait4 */
#include "cli/cases.h"

#include <sys/resource.h>

#define OVERHEAD_BYTES 300e6
#define HIDDEN 1024
#define MIDDLE 4096
#define LAYERS 24
#define VOCAB 16000

static const struct { const char *name; int rows, columns; } layer_tensors[] = {
    { "input_layernorm", HIDDEN, 0 },        { "post_attention_layernorm", HIDDEN, 0 }, { "self_attn.q_proj", HIDDEN, HIDDEN },
    { "self_attn.k_proj", HIDDEN, HIDDEN },  { "self_attn.v_proj", HIDDEN, HIDDEN },    { "self_attn.o_proj", HIDDEN, HIDDEN },
    { "mlp.gate_proj", MIDDLE, HIDDEN },     { "mlp.up_proj", MIDDLE, HIDDEN },         { "mlp.down_proj", HIDDEN, MIDDLE },
};

static size_t end_of_data, header_length, linear_weights, linear_rows;
static char   header[65536];

static void add(const char *name, int rows, int columns)
{
    const size_t begin = end_of_data;
    char         shape[32];
    snprintf(shape, sizeof shape, columns ? "%d,%d" : "%d", rows, columns);
    end_of_data += 2 * (size_t)rows * (size_t)(columns ? columns : 1);
    header_length += (size_t)snprintf(header + header_length, sizeof header - header_length,
                                      "%s\"%s.weight\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", begin ? "," : "{",
                                      name, shape, begin, end_of_data);
    assert_true(header_length < sizeof header - 2);
}

static int make_model(void **state)
{
    char  config[512];
    FILE *file;
    (void)state;
    scratch_make(here);
    snprintf(config, sizeof config, "{\"model_type\": \"llama\", \"vocab_size\": %d, \"hidden_size\": %d, \"intermediate_size\": %d, "
             "\"num_hidden_layers\": %d, \"num_attention_heads\": 16, \"max_position_embeddings\": 256, \"tie_word_embeddings\": true, "
             "\"dtype\": \"bfloat16\"}", VOCAB, HIDDEN, MIDDLE, LAYERS);
    scratch_write(here, "config.json", config, strlen(config));
    add("model.embed_tokens", VOCAB, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++)
        for (size_t i = 0; i < COUNT(layer_tensors); i++) {
            char name[96];
            snprintf(name, sizeof name, "model.layers.%d.%s", layer, layer_tensors[i].name);
            add(name, layer_tensors[i].rows, layer_tensors[i].columns);
            linear_weights += (size_t)layer_tensors[i].rows * (size_t)layer_tensors[i].columns;
            linear_rows += layer_tensors[i].columns ? (size_t)layer_tensors[i].rows : 0;
        }
    add("model.norm", HIDDEN, 0);
    header[header_length++] = '}';
    scratch_check((file = fopen(scratch_path(here, "model.safetensors"), "wb")) != NULL, here);
    for (int i = 0; i < 8; i++)
        fputc((int)(header_length >> (8 * i) & 0xFF), file);
    fwrite(header, 1, header_length, file);
    fflush(file);
    scratch_check(ftruncate(fileno(file), (off_t)(8 + header_length + end_of_data)) == 0, "ftruncate");
    scratch_check(fclose(file) == 0, "fclose");
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    scratch_remove(here);
    return 0;
}

/* Peak resident memory in bytes of a run that loads the model, with an option or NULL, and makes two tokens. */
static double peak_of_run(const char *option)
{
    struct rusage usage;
    int           status;
    const pid_t   pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDOUT_FILENO);
        execl(OCLM_COMMAND, "oclm", "generate", here, "--input-ids", "1,2,3", "-n", "2", "--json", "--quiet", option, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#if defined(__APPLE__)
    return (double)usage.ru_maxrss;
#else
    return 1024.0 * (double)usage.ru_maxrss;
#endif
}

static void loading_holds_the_weights_once(void **state)
{
    (void)state;
    (void)peak_of_run(NULL); /* a CPU driver's compiler takes 150 MB of this process, once: not what is asked here */
    const double peak = peak_of_run(NULL);
    print_message("    weights %.0f MB, peak %.0f MB\n", (double)end_of_data / 1e6, peak / 1e6);
    assert_true((double)end_of_data > 2 * OVERHEAD_BYTES); /* or a second copy would not show */
    if (peak > (double)end_of_data + OVERHEAD_BYTES)
        fail_msg("peak host memory %.0f MB, the weights are %.0f MB", peak / 1e6, (double)end_of_data / 1e6);
}

static void quantising_never_holds_a_float_copy(void **state)
{
    /* A float32 scale for each 64 weights, or for each row; what stays, in bfloat16. */
    const double floats = (double)end_of_data, stays = floats - 2.0 * (double)linear_weights;
    const struct { const char *option; double bytes; } ways[] = {
        { "--load-in-4bit", stays + (double)linear_weights * (0.5 + 4.0 / 64) },
        { "--load-in-8bit", stays + (double)linear_weights + 4.0 * (double)linear_rows },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        (void)peak_of_run(ways[i].option); /* compiles */
        const double peak = peak_of_run(ways[i].option), most = 1.2 * ways[i].bytes + OVERHEAD_BYTES;
        print_message("    %s: weights %.0f MB, peak %.0f MB\n", ways[i].option, ways[i].bytes / 1e6, peak / 1e6);
        assert_true(most < ways[i].bytes + floats); /* or a float copy beside them would not show */
        if (peak > most)
            fail_msg("%s: peak host memory %.0f MB, the weights are %.0f MB", ways[i].option, peak / 1e6, ways[i].bytes / 1e6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(loading_holds_the_weights_once), cmocka_unit_test(quantising_never_holds_a_float_copy) };
    if (strlen(OCLM_SANITIZE) > 0) {
        print_message("skipped: a sanitizer's own memory counts here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
