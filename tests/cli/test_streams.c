/* test_streams.c: standard input and output as programs and terminals use them: pipes in both directions, text while it is made, Ctrl-C,
 * readers that leave, disks that are full. */
#include "cli/cases.h"

#include <sys/socket.h>

#define LONG_RUN "generate @here --input-ids 1,2 -n 100000 --eos-token-id none" /* longer than any of these tests waits */

static process start_line(const char *line, const setting *how)
{
    words w;
    split_line(line, &w);
    return process_start(w.list, how);
}

/* `line` with `input` on its standard input; it must succeed. */
static process run_with(const char *line, const char *input, size_t length)
{
    const setting how = { .open_input = true };
    process       p = start_line(line, &how);
    process_write(&p, input, length, true);
    process_finish(&p);
    if (p.status != 0)
        fail_msg("oclm %s: ended with %d: %s", line, p.status, p.err.data);
    return p;
}

/* ---- Standard input */

static const struct { const char *line, *input, *same_as; } inputs[] = {
    { "generate @stories - -n 6", "Once upon a time", "generate @stories 'Once upon a time' -n 6" },
    { "generate @stories -n 6 -p -", "Once\nupon\n", "generate @stories -n 6 'Once\nupon\n'" }, /* the last line end counts */
    { "generate @stories --input-ids - -n 6", "[438, 449,\n259]\n", "generate @stories --input-ids 438,449,259 -n 6" },
    { "logits @stories -", "Once upon", "logits @stories 'Once upon'" },
    { "tokenize @stories - --json", "Once upon", "tokenize @stories 'Once upon' --json" },
    { "tokenize @stories - --json", "", "tokenize @stories '' --json" },
    { "detokenize @stories -", "438 449\n", "detokenize @stories 438,449" },
    { "detokenize @stories --ids - --json", "438,449", "detokenize @stories 438,449 --json" },
};

static void standard_input_counts_as_the_argument_would(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(inputs); i++) {
        process from_input = run_with(inputs[i].line, inputs[i].input, strlen(inputs[i].input)), from_argument = run_line(inputs[i].same_as);
        if (strcmp(from_input.out.data, from_argument.out.data) != 0)
            fail_msg("oclm %s: \"%s\", as an argument \"%s\"", inputs[i].line, from_input.out.data, from_argument.out.data);
        process_free(&from_input);
        process_free(&from_argument);
    }
}

/* A text longer than a pipe holds, with every byte of one character each; and U+0000 in the middle. */
static void texts_of_any_length_and_byte_pass(void **state)
{
    enum { REPEATS = 30000 };
    static const char piece[] = "a\0\xC3\xA9\n";
    const size_t      length = REPEATS * (sizeof piece - 1);
    char             *text = malloc(length);
    process           ids, back;
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < length; i++)
        text[i] = piece[i % (sizeof piece - 1)];
    ids = run_with("tokenize @stories - --json", text, length);
    back = run_with("detokenize @stories -", strchr(ids.out.data, '['), (size_t)(strchr(ids.out.data, ']') - strchr(ids.out.data, '[')));
    assert_int_equal(back.out.length, length + 1);
    assert_memory_equal(back.out.data, text, length);
    process_free(&ids);
    process_free(&back);
    free(text);
}

/* Each answer comes before the next question is asked. */
static void lines_are_answered_one_by_one(void **state)
{
    static const struct { const char *line, *ask, *answer; } asked[] = {
        { "tokenize @stories --jsonl", "{\"text\": \"Once upon\"}\n", "{\"ids\": [438, 449]}\n" },
        { "detokenize @stories --jsonl", "{\"ids\": [438, 449]}\r\n", "{\"text\": \"Once upon\"}\n" },
        { "detokenize @stories --jsonl --skip-special-tokens", "{\"ids\": [0, 438], \"more\": null}\n", "{\"text\": \"Once\"}\n" },
        { "tokenize @stories --jsonl", "{\"text\": \"\"}\n", "{\"ids\": []}\n" },
        { "tokenize @stories --jsonl", "{\"text\": [\"Once\", \"Once upon\"]}\n", "{\"ids\": [[438], [438, 449]]}\n" },
        { "tokenize @stories --jsonl --padding longest --pad-token-id 0 --padding-side left --offsets", "{\"text\": [\"Once\", \"Once upon\"]}\n",
          "{\"ids\": [[0, 438], [438, 449]], \"type_ids\": [[0, 0], [0, 0]], \"attention_mask\": [[0, 1], [1, 1]], "
          "\"special_tokens_mask\": [[1, 0], [0, 0]], \"offsets\": [[[0, 0], [0, 4]], [[0, 4], [4, 9]]]}\n" },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\", \"text_pair\": \" upon\"}\n",
          "{\"ids\": [438, 449], \"type_ids\": [0, 1], \"attention_mask\": [1, 1], \"special_tokens_mask\": [0, 0]}\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        const setting how = { .open_input = true };
        process       p = start_line(asked[i].line, &how);
        char          want[2048] = "";
        for (size_t round = 0; round < 3; round++) {
            process_write(&p, asked[i].ask, strlen(asked[i].ask), false);
            strcat(want, asked[i].answer);
            process_wait_for(&p, &p.out, want);
        }
        process_write(&p, asked[i].ask, strlen(asked[i].ask) - 1, true); /* a last line without its end counts */
        process_finish(&p);
        strcat(want, asked[i].answer);
        assert_int_equal(p.status, 0);
        assert_string_equal(p.out.data, want);
        process_free(&p);
    }
}

static void a_bad_line_is_told_by_number_and_ends_it(void **state)
{
    static const struct { const char *line, *input, *says; } bad[] = {
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\nOnce\n", "line 2 |no JSON|\"text\"" },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\n{\"text\": \"a", "line 2 |no JSON" },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\n\n", "line 2 " },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\n{\"txt\": \"a\"}\n", "line 2 |\"text\"" },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\n{\"text\": 5}\n", "line 2 |no string" },
        { "tokenize @stories --jsonl", "{\"text\": \"Once\"}\n{\"text\": \"\xff\"}\n", "line 2 |UTF-8" },
        { "detokenize @stories --jsonl", "{\"ids\": [1]}\n{\"ids\": 1}\n", "line 2 |no list" },
        { "detokenize @stories --jsonl", "{\"ids\": [1]}\n{\"ids\": [1, 1.5]}\n", "line 2 |entry 1 |no token id" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const setting how = { .open_input = true };
        process       p = start_line(bad[i].line, &how);
        process_write(&p, bad[i].input, strlen(bad[i].input), true);
        process_finish(&p);
        if (p.status != 2 || count_messages(p.err.data) != 1 || !holds_all(p.err.data, bad[i].says) || strchr(p.out.data, '\n') != p.out.data + p.out.length - 1)
            fail_msg("\"%s\": status %d, \"%s\", \"%s\"", bad[i].input, p.status, p.out.data, p.err.data);
        process_free(&p);
    }
}

/* ---- Text while it is made: each write arrives as one datagram; buffered text would come as one, at the end */

static void text_streams_while_it_is_made(void **state)
{
    int           ends[2];
    size_t        writes = 0, length = 0;
    char          text[65536];
    process       p;
    struct pollfd ready;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
    p = start_line("generate @stories 'Once upon a time' -n 60 --eos-token-id none", &(setting){ .out = ends[1] });
    ready = (struct pollfd){ ends[0], POLLIN, 0 };
    for (;;) {
        const bool over = process_has_ended(&p, WNOHANG); /* asked first: then what it wrote is there */
        if (poll(&ready, 1, over ? 0 : 20) > 0) {
            const ssize_t got = recv(ends[0], text + length, sizeof text - length - 1, 0);
            assert_true(got > 0);
            if (writes++ == 0)
                assert_memory_equal(text, "Once upon a time", 16);
            length += (size_t)got;
        } else if (over) {
            break;
        }
    }
    text[length] = '\0';
    process_finish(&p);
    assert_int_equal(p.status, 0);
    assert_int_equal(text[length - 1], '\n');
    if (writes < 4)
        fail_msg("60 tokens came in %zu writes: \"%s\"", writes, text);
    close(ends[0]);
    process_free(&p);
}

/* ---- Ctrl-C */

static void ctrl_c_keeps_what_was_made(void **state)
{
    process p = start_line(LONG_RUN, NULL);
    size_t  ids = 1;
    (void)state;
    process_wait_for(&p, &p.out, ",");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    process_finish(&p);
    for (const char *c = p.out.data; *c; c++)
        ids += *c == ',';
    assert_int_equal(p.status, 130);
    assert_string_equal(p.err.data, "");
    assert_true(ids >= 2 && ids < 100000);
    assert_true(p.out.data[strspn(p.out.data, "0123456789,")] == '\n'); /* whole ids, and the line's end */
    assert_int_equal(p.out.data[p.out.length - 1], '\n');
    process_free(&p);
}

static void ctrl_c_leaves_json_whole(void **state)
{
    process p = start_line(LONG_RUN " --json -v", NULL);
    cJSON  *tree;
    (void)state;
    process_wait_for(&p, &p.err, "loaded in");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    process_finish(&p);
    assert_int_equal(p.status, 130);
    tree = only_object(LONG_RUN, p.out.data);
    assert_string_equal(at_path(tree, "sequences.0.finish_reason")->valuestring, "cancelled");
    assert_true(cJSON_GetArraySize(at_path(tree, "sequences.0.output_ids")) < 100000);
    cJSON_Delete(tree);
    process_free(&p);
}

/* The output is a pipe that is full, so the first one cannot end the process: it waits to write. */
static void a_second_ctrl_c_ends_the_process(void **state)
{
    const double deadline = seconds_now() + DEADLINE_S;
    int          ends[2];
    process      p;
    (void)state;
    make_pipe(ends);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], "x", 1) == 1)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    p = start_line(LONG_RUN " -v", &(setting){ .out = ends[1] });
    process_wait_for(&p, &p.err, "loaded in");
    while (!process_has_ended(&p, WNOHANG) && seconds_now() < deadline) {
        kill(p.pid, SIGINT);
        (void)poll(NULL, 0, 20);
    }
    process_finish(&p);
    assert_int_equal(p.status, 128 + SIGINT);
    close(ends[0]);
    process_free(&p);
}

static void ctrl_c_ends_what_waits_for_input(void **state)
{
    const double  deadline = seconds_now() + DEADLINE_S;
    const setting how = { .open_input = true };
    process       p = start_line("tokenize @stories --jsonl", &how);
    (void)state;
    process_write(&p, "{\"text\": \"\"}\n", 13, false);
    process_wait_for(&p, &p.out, "\n");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    while (!process_has_ended(&p, WNOHANG) && seconds_now() < deadline) /* the end of the input would end it, too, and may be seen first */
        (void)poll(NULL, 0, 20);
    process_finish(&p);
    assert_int_equal(p.status, 128 + SIGINT);
    process_free(&p);
}

static void a_background_job_does_not_listen_to_ctrl_c(void **state)
{
    void (*const before)(int) = signal(SIGINT, SIG_IGN); /* as a shell starts one; it is inherited */
    process p = start_line("generate @stories Once -n 40 --eos-token-id none -v", NULL);
    (void)state;
    signal(SIGINT, before);
    process_wait_for(&p, &p.err, "loaded in");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    process_finish(&p);
    assert_int_equal(p.status, 0);
    process_free(&p);
}

/* ---- Readers that leave, disks that are full */

static void a_reader_that_leaves_ends_it(void **state)
{
    static const struct { bool ignored; int status; const char *says; } ways[] = {
        { false, 128 + SIGPIPE, "" },                                          /* as in oclm ... | head -1 */
        { true, 1, "oclm: writing to standard output failed: Broken pipe\n" }, /* under a program that ignores the signal */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        process p;
        int     ends[2];
        make_pipe(ends);
        close(ends[0]);
        p = start_line(LONG_RUN, &(setting){ .out = ends[1], .ignore_sigpipe = ways[i].ignored });
        process_finish(&p); /* long before its end, or the deadline strikes */
        assert_int_equal(p.status, ways[i].status);
        assert_string_equal(p.err.data, ways[i].says);
        process_free(&p);
    }
}

static void a_full_disk_is_told(void **state)
{
    static const char *const lines[] = {
        "generate @stories Once -n 40", "generate @stories Once -n 4 --json", LONG_RUN, "logits @stories 'Once upon'",
        "logits @stories 'Once upon' --json", "tokenize @stories Once", "tokenize @stories Once --json", "detokenize @stories 438", "devices",
        "devices --json", "info @stories", "info @stories --json", "--help", "--version", "generate --help",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        process   p;
        if (full < 0) { /* no such device on this system */
            skip();
            return;
        }
        p = start_line(lines[i], &(setting){ .out = full });
        process_finish(&p);
        if (p.status != 1 || strcmp(p.err.data, "oclm: writing to standard output failed: No space left on device\n") != 0)
            fail_msg("oclm %s > /dev/full: status %d, \"%s\"", lines[i], p.status, p.err.data);
        process_free(&p);
    }
    {
        const command_case npy = { "a full disk for the file", "logits @stories Once --npy /dev/full", 1, "writing /dev/full failed|space", NULL };
        check_case(&npy);
    }
}

/* A model that could go on for ever: rotary positions reach as far as the configuration says. */
static int make_endless(void **state)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    static const char        limit[] = "\"max_position_embeddings\": ";
    (void)state;
    scratch_make(here);
    for (size_t i = 0; i < COUNT(names); i++) {
        static char data[200000];
        FILE       *file = fopen(scratch_path(TINY "/llama", names[i]), "rb");
        size_t      length;
        char       *at;
        scratch_check(file != NULL, names[i]);
        length = fread(data, 1, sizeof data - 1, file);
        fclose(file);
        data[length] = '\0';
        if (i == 0) {
            at = strstr(data, limit);
            scratch_check(at != NULL, limit);
            at += strlen(limit);
            memmove(at + 4, at, length - (size_t)(at - data) + 1); /* 160 becomes 1000160 */
            memcpy(at, "1000", 4);
            length += 4;
        }
        scratch_write(here, names[i], data, length);
    }
    return 0;
}

static int remove_endless(void **state)
{
    (void)state;
    scratch_remove(here);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_input_counts_as_the_argument_would),
        cmocka_unit_test(texts_of_any_length_and_byte_pass),
        cmocka_unit_test(lines_are_answered_one_by_one),
        cmocka_unit_test(a_bad_line_is_told_by_number_and_ends_it),
        cmocka_unit_test(text_streams_while_it_is_made),
        cmocka_unit_test(ctrl_c_keeps_what_was_made),
        cmocka_unit_test(ctrl_c_leaves_json_whole),
        cmocka_unit_test(a_second_ctrl_c_ends_the_process),
        cmocka_unit_test(ctrl_c_ends_what_waits_for_input),
        cmocka_unit_test(a_background_job_does_not_listen_to_ctrl_c),
        cmocka_unit_test(a_reader_that_leaves_ends_it),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, make_endless, remove_endless);
}
