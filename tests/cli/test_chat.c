/* test_chat.c: conversations on the command line: oclm chat on a pipe and on a terminal, --chat of tokenize and
 * generate. The model is the sample that tells stories: what it answers does not matter here, that it is the same twice
 * does. */
#define _XOPEN_SOURCE 700

#include <time.h>
#include "cli/cases.h"

#include <termios.h>

#define TEMPLATE                                                                                                       \
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ 'assistant:' if add_generation_prompt }}"
#define CHAT "chat @stories --chat-template @here/t.jinja -n 6 --eos-token-id none"

static int begin(void **state)
{
    (void)state;
    scratch_make(here);
    scratch_write(here, "t.jinja", TEMPLATE, strlen(TEMPLATE));
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(here);
    return 0;
}

static void put(const char *name, const char *text)
{
    scratch_write(here, name, text, strlen(text));
}

/* Runs a line with `input`, expects its exit status; for process_free(). */
static process run_on(const char *line, const char *input, int status)
{
    const setting how = { .open_input = true };
    words w;
    process p;
    split_line(line, &w);
    p = process_start(w.list, &how);
    process_write(&p, input, strlen(input), true);
    process_finish(&p);
    if (p.status != status)
        fail_msg("oclm %s: ended with %d, want %d: \"%s\", \"%s\"", line, p.status, status, p.out.data, p.err.data);
    return p;
}

static cJSON *json_of(const process *p)
{
    cJSON *tree = cJSON_Parse(p->out.data);
    if (!tree)
        fail_msg("no JSON: %s", p->out.data);
    return tree;
}

/* ---- --chat
 * -------------------------------------------------------------------------------------------------------------------------
 */

static void tokenize_shows_the_prompt(void **state)
{
    process p, q;
    cJSON *tree, *plain;
    (void)state;
    put("m.json", "[{\"role\": \"user\", \"content\": \"Once upon\"}]");
    p = run_on("tokenize @stories --chat @here/m.json --chat-template @here/t.jinja --add-generation-prompt --json", "",
               0);
    q = run_on("tokenize @stories 'user: Once upon\nassistant:' --json --no-special-tokens", "", 0);
    tree = json_of(&p);
    plain = json_of(&q);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "text")), "user: Once upon\nassistant:");
    assert_true(cJSON_Compare(cJSON_GetObjectItem(tree, "ids"), cJSON_GetObjectItem(plain, "ids"), true));
    assert_true(cJSON_Compare(cJSON_GetObjectItem(tree, "tokens"), cJSON_GetObjectItem(plain, "tokens"), true));
    cJSON_Delete(tree);
    cJSON_Delete(plain);
    process_free(&p);
    process_free(&q);
    p = run_on("tokenize @stories --chat - --chat-template @here/t.jinja --continue-final-message",
               "[{\"role\": \"user\", \"content\": \"Once \"}]", 0);
    assert_non_null(strstr(p.out.data, "user: Once \n"));
    process_free(&p);
}

static void generate_prints_the_answer_alone(void **state)
{
    process chat, plain;
    (void)state;
    put("m.json", "[{\"role\": \"user\", \"content\": \"Once upon\"}]");
    chat =
        run_on("generate @stories --chat @here/m.json --chat-template @here/t.jinja -n 6 --eos-token-id none", "", 0);
    plain = run_on("generate @stories 'user: Once upon\nassistant:' -n 6 --eos-token-id none", "", 0);
    assert_string_equal(strstr(plain.out.data, "assistant:") + strlen("assistant:"), chat.out.data);
    process_free(&chat);
    process_free(&plain);
}

static const command_case wrong[] = {
    { "a model without a template", "chat @stories", 3, "no chat template|--chat-template FILE", NULL },
    { "no model", "chat", 2, "which model? oclm chat MODEL", NULL },
    { "one JSON object of many answers", "chat @stories --json", 2, "oclm generate --chat FILE --json", NULL },
    { "no such template", "tokenize @stories --chat @here/one.json --chat-template nosuch", 3,
      "chat_template is not set", NULL },
    { "no such file", "tokenize @stories --chat @here/nosuch.json", 3, "nosuch.json", NULL },
    { "no messages", "tokenize @stories --chat @here/empty.json --chat-template @here/t.jinja", 2,
      "at least one message", NULL },
    { "no JSON", "tokenize @stories --chat @here/t.jinja --chat-template @here/t.jinja", 6, "the messages: byte",
      NULL },
    { "a broken template", "tokenize @stories --chat @here/one.json --chat-template @here/broken.jinja", 6,
      "chat template, line 1|if", NULL },
    { "a template that refuses", "generate @stories --chat @here/one.json --chat-template @here/refuse.jinja", 2,
      "not today", NULL },
    { "both a text and a conversation", "tokenize @stories Once --chat @here/one.json", 2,
      "--chat takes the place of a text", NULL },
    { "tools without a conversation", "generate @stories Once --tools @here/one.json", 2, "--chat FILE", NULL },
    { "variables that are none",
      "tokenize @stories --chat @here/one.json --chat-template @here/t.jinja --chat-template-kwargs 1", 2,
      "JSON object", NULL },
};

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    put("one.json", "[{\"role\": \"user\", \"content\": \"x\"}]");
    put("empty.json", "[]");
    put("broken.jinja", "{% if 1 %}");
    put("refuse.jinja", "{{ raise_exception('not today') }}");
    check_cases(wrong, COUNT(wrong));
}

/* ---- oclm chat on a pipe
 * -------------------------------------------------------------------------------------------------------------------
 */

static void each_line_is_a_turn(void **state)
{
    process p, again;
    cJSON *saved;
    char line[4096];
    (void)state;
    (void)snprintf(line, sizeof line, "Once upon\n\nThe end\n/save %s/nosuch/x\n", here);
    p = run_on(CHAT, line, 1);
    assert_non_null(strstr(p.err.data, "cannot write"));
    process_free(&p);
    (void)snprintf(line, sizeof line, "Once upon\nThe \\\nend\n/save %s/saved.json\n", here);
    p = run_on(CHAT " --system 'Be good'", line, 0);
    again = run_on(CHAT " --system 'Be good'", line, 0);
    assert_string_equal(p.out.data, again.out.data);
    process_free(&again);
    char *text = NULL;
    FILE *file = fopen(scratch_path(here, "saved.json"), "rb");
    char bytes[8192];
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_non_null(saved = cJSON_Parse(bytes));
    assert_int_equal(cJSON_GetArraySize(saved), 5);
    static const char *const roles[] = { "system", "user", "assistant", "user", "assistant" }, *const contents[] = {
        "Be good", "Once upon", NULL, "The \nend", NULL
    };
    for (int i = 0; i < 5; i++) {
        const cJSON *message = cJSON_GetArrayItem(saved, i);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(message, "role")), roles[i]);
        if (contents[i])
            assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(message, "content")), contents[i]);
    }
    /* The output is the answers, a line end behind each. */
    text = strstr(p.out.data, cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(saved, 2), "content")));
    assert_ptr_equal(text, p.out.data);
    cJSON_Delete(saved);
    process_free(&p);
}

static void a_saved_conversation_goes_on(void **state)
{
    process whole, rest;
    char input[4096];
    (void)state;
    (void)snprintf(input, sizeof input, "Once upon\n/save %s/saved.json\nThe end\n", here);
    whole = run_on(CHAT, input, 0);
    (void)snprintf(input, sizeof input, "/load %s/saved.json\nThe end\n", here);
    rest = run_on(CHAT, input, 0);
    assert_true(rest.out.length > 0 && rest.out.length < whole.out.length);
    assert_string_equal(whole.out.data + whole.out.length - rest.out.length, rest.out.data);
    process_free(&whole);
    process_free(&rest);
}

static void a_session_goes_on_in_another_run(void **state)
{
    process whole, rest, first;
    const char *read;
    unsigned long long count, of;
    FILE *file;
    (void)state;
    whole = run_on(CHAT, "Once upon\nThe end\n", 0);
    first = run_on(CHAT " --session @here/talk", "Once upon\n", 0);
    rest = run_on(CHAT " --session @here/talk -v", "The end\n", 0);
    assert_true(rest.out.length > 0 && rest.out.length < whole.out.length);
    assert_string_equal(whole.out.data + whole.out.length - rest.out.length, rest.out.data);
    assert_non_null(read = strstr(rest.err.data, "oclm: read ")); /* not what the first run read */
    assert_int_equal(sscanf(read, "oclm: read %llu of %llu tokens", &count, &of), 2);
    assert_true(count + 8 < of);
    process_free(&first);
    process_free(&rest);
    first = run_on(CHAT " --session @here/talk", "", 0); /* nothing said, nothing lost */
    process_free(&first);
    rest = run_on(CHAT " --session @here/talk", "/save /nonexistent/x\n", 1); /* and nothing saved after a failure */
    process_free(&rest);
    assert_non_null(file = fopen(scratch_path(here, "talk"), "r+b"));
    assert_int_equal(fseek(file, 300, SEEK_SET), 0);
    const int before = fgetc(file);
    assert_int_equal(fseek(file, 300, SEEK_SET), 0);
    assert_true(fputc(before ^ 1, file) == (before ^ 1) && fclose(file) == 0);
    rest = run_on(CHAT " --session @here/talk", "The end\n", 6);
    assert_non_null(strstr(rest.err.data, "talk: its checksum is wrong"));
    process_free(&rest);
    assert_int_equal(remove(scratch_path(here, "talk")), 0); /* the messages alone are enough */
    rest = run_on(CHAT " --session @here/talk", "The end\n", 0);
    assert_true(rest.out.length > 0);
    process_free(&rest);
    process_free(&whole);
    whole = run_on(CHAT " --cache-implementation quantized", "Once upon\nThe end\n", 0);
    first = run_on(CHAT " --session @here/small --cache-implementation quantized", "Once upon\n", 0);
    rest = run_on(CHAT " --session @here/small", "The end\n", 0); /* 8 bits, as it was saved */
    assert_string_equal(whole.out.data + whole.out.length - rest.out.length, rest.out.data);
    process_free(&whole);
    process_free(&first);
    process_free(&rest);
}

static void commands_change_the_conversation(void **state)
{
    process first, second;
    (void)state;
    first = run_on(CHAT, "Once upon\n/reset\nOnce upon\n/system\nOnce upon\n/exit\nOnce upon\n", 0);
    second = run_on(CHAT, "Once upon\n", 0);
    assert_int_equal(first.out.length, 3 * second.out.length);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(first.out.data + i * second.out.length, second.out.data, second.out.length);
    process_free(&first);
    first = run_on(CHAT, "/system Be good\nOnce upon\n", 0);
    process_free(&second);
    second = run_on(CHAT " --system 'Be good'", "Once upon\n", 0);
    assert_string_equal(first.out.data, second.out.data);
    process_free(&first);
    process_free(&second);
    first = run_on(CHAT " --seed 3", "Once upon\n/regen\n/regen\n", 0);
    second = run_on(CHAT " --seed 3", "Once upon\n/regen\n/regen\n", 0);
    assert_string_equal(first.out.data, second.out.data);
    process_free(&first);
    process_free(&second);
    first = run_on(CHAT, "/help\n/nosuch\n", 2);
    assert_non_null(strstr(first.out.data, "/regen"));
    assert_non_null(strstr(first.err.data, "unknown command /nosuch"));
    process_free(&first);
    first = run_on(CHAT, "/regen\n", 2);
    assert_non_null(strstr(first.err.data, "nothing to answer"));
    process_free(&first);
    first = run_on(CHAT " --context 8", "Once upon a time there was a dog\n", 2);
    assert_non_null(strstr(first.err.data, "/reset begins again"));
    process_free(&first);
}

/* Three quotes hold several lines together; the cache goes on between turns. */
static void only_what_is_new_is_read(void **state)
{
    process p;
    unsigned long long read[3], all[3];
    const char *at;
    (void)state;
    p = run_on(CHAT " -v", "\"\"\"Once\nupon\na time\"\"\"\nThe end\nAnd then\n", 0);
    at = p.err.data;
    for (size_t i = 0; i < 3; i++) {
        at = strstr(at, "oclm: read ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "oclm: read %llu of %llu tokens", &read[i], &all[i]), 2);
        at++;
    }
    assert_int_equal(read[0], all[0]);
    assert_true(read[1] < all[1] && read[2] < all[2] && all[1] > all[0] + 6);
    assert_true(read[2] < all[2] / 2);
    process_free(&p);
}

/* The session knows the tokenizer, so a turn may end at a text, whether the command line or a file says so; guessing ahead changes nothing. */
static void turns_end_at_stop_strings_and_may_be_guessed(void **state)
{
    process whole, cut;
    char line[512], file[64], stop[4];
    (void)state;
    whole = run_on(CHAT " -n 20", "Once upon\n", 0);
    assert_true(strlen(whole.out.data) > 20);
    memcpy(stop, whole.out.data + 9, 3);
    stop[3] = '\0';
    (void)snprintf(line, sizeof line, CHAT " -n 20 '--stop-strings=%s'", stop);
    cut = run_on(line, "Once upon\n", 0);
    const size_t length = strlen(cut.out.data) - 1; /* without the line end */
    assert_true(length < strlen(whole.out.data) - 1 && memcmp(cut.out.data, whole.out.data, length) == 0);
    assert_non_null(strstr(cut.out.data, stop));
    (void)snprintf(file, sizeof file, "{\"stop_strings\": [\"%s\"]}", stop);
    put("g.json", file);
    process again = run_on(CHAT " -n 20 --generation-config @here/g.json", "Once upon\n", 0);
    assert_string_equal(again.out.data, cut.out.data);
    process_free(&again);
    again = run_on(CHAT " -n 20 --prompt-lookup-num-tokens 3", "Once upon\n", 0);
    assert_string_equal(again.out.data, whole.out.data);
    process_free(&again);
    process_free(&cut);
    process_free(&whole);
}

/* ---- On a terminal
 * --------------------------------------------------------------------------------------------------------------------------
 */

/* Starts it on a terminal of its own; p.out is what the terminal shows, p.in what is typed. */
static process start_on_terminal(const char *line)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    words w;
    process p = { .in = -1, .err.end = -1 };
    char *argv[MOST_ARGUMENTS + 2] = { (char[]){ OCLM_COMMAND } };
    scratch_check(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "a terminal");
    split_line(line, &w);
    for (size_t i = 0; w.list[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)w.list[i];
    fflush(NULL);
    p.pid = fork();
    scratch_check(p.pid >= 0, "fork");
    if (p.pid == 0) {
        setsid();
        const int slave = open(ptsname(master), O_RDWR); /* which becomes its terminal */
        dup2(slave, 0);
        dup2(slave, 1);
        dup2(slave, 2);
        close(master);
        setenv("TERM", "xterm", 1);
        unsetenv("OCLM_DEVICE_DEBUG");
        execv(OCLM_COMMAND, argv);
        _exit(127);
    }
    p.in = dup(master);
    p.out.end = master;
    return p;
}

static void type(process *p, const char *keys)
{
    process_write(p, keys, strlen(keys), false);
}

/* Takes what was shown so far away, so that the next text is waited for anew. */
static void forget(process *p)
{
    p->out.length = 0;
    if (p->out.data)
        p->out.data[0] = '\0';
}

/* Waits for a prompt that stands behind `text`: the editor takes keys once it is shown. */
static void wait_for_prompt(process *p, const char *text)
{
    const double deadline = seconds_now() + DEADLINE_S;
    const char *at;
    process_wait_for(p, &p->out, text);
    while ((at = strstr(p->out.data, text)) && !strstr(at + strlen(text), "> "))
        assert_true(process_pump(p, deadline));
}

static void settle(void)
{
    const struct timespec second = { .tv_sec = 1 };
    (void)nanosleep(&second, NULL);
}

static void a_terminal_shows_a_prompt_and_keeps_going_after_ctrl_c(void **state)
{
    process p = start_on_terminal("chat @stories --chat-template @here/t.jinja --eos-token-id none --context 250 -q");
    (void)state;
    wait_for_prompt(&p, "/help lists commands");
    forget(&p);
    type(&p, "/help\r");
    process_wait_for(&p, &p.out, "/regen");
    wait_for_prompt(&p, "several lines.");
    forget(&p);
    type(&p, "half a li\003"); /* Ctrl-C drops the line */
    process_wait_for(&p, &p.out, "^C\r\n> ");
    forget(&p);
    type(&p, "/nosuch\r"); /* an error ends nothing here */
    wait_for_prompt(&p, "unknown command /nosuch");
    forget(&p);
    type(&p, "Once upon\r");
    process_wait_for(&p, &p.out, "\r\n");
    type(&p, "\003"); /* in an answer, at the next prompt, or just before it: neither ends the program */
    process_wait_for(&p, &p.out, "\r\n> "); /* a prompt behind the message, be it from before the key */
    settle(); /* there may be a second prompt, and what is typed between two is lost, as on any terminal */
    forget(&p);
    type(&p, "/reset\r");
    wait_for_prompt(&p, "begins again");
    type(&p, "\004"); /* Ctrl-D */
    process_finish(&p);
    assert_int_equal(p.status, 0);
    process_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokenize_shows_the_prompt, begin, end),
        cmocka_unit_test_setup_teardown(generate_prints_the_answer_alone, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told, begin, end),
        cmocka_unit_test_setup_teardown(each_line_is_a_turn, begin, end),
        cmocka_unit_test_setup_teardown(a_saved_conversation_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_session_goes_on_in_another_run, begin, end),
        cmocka_unit_test_setup_teardown(commands_change_the_conversation, begin, end),
        cmocka_unit_test_setup_teardown(only_what_is_new_is_read, begin, end),
        cmocka_unit_test_setup_teardown(turns_end_at_stop_strings_and_may_be_guessed, begin, end),
        cmocka_unit_test_setup_teardown(a_terminal_shows_a_prompt_and_keeps_going_after_ctrl_c, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
