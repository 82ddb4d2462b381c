/* render_chat.c: for comparisons with the reference: cases of chat_case.h on standard input, a line each, give {"text"}
 * or {"error"}. */
#include "tokenizer/chat_case.h"

static char *read_line(char **line, size_t *capacity, size_t *length)
{
    int c;
    for (*length = 0; (c = getchar()) != EOF && c != '\n';) {
        if (*length + 1 >= *capacity) {
            *capacity = *capacity ? *capacity * 2 : 4096;
            if ((*line = realloc(*line, *capacity)) == NULL)
                return NULL;
        }
        (*line)[(*length)++] = (char)c;
    }
    return c == EOF && *length == 0 ? NULL : *line;
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0, length;
    while (read_line(&line, &capacity, &length) != NULL) {
        core_text text = CORE_TEXT_INIT, answer = CORE_TEXT_INIT;
        const oclm_status status = chat_case_render(line, length, &text);
        const char *said = status == OCLM_OK ? (text.data ? text.data : "") : oclm_last_error();
        (void)core_text_printf(&answer, "{\"status\": %d, \"%s\": ", (int)status, status == OCLM_OK ? "text" : "error");
        (void)core_json_add_string(&answer, said, status == OCLM_OK ? text.length : strlen(said));
        (void)fputs(answer.data, stdout);
        (void)fputs("}\n", stdout);
        (void)fflush(stdout);
        core_text_free(&text);
        core_text_free(&answer);
    }
    free(line);
    return 0;
}
