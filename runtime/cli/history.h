/* history.h: the messages of a conversation on the command line. Each function prints its message and returns the exit
 * status. */
#ifndef OCLM_CLI_HISTORY_H
#define OCLM_CLI_HISTORY_H

#include <cjson/cJSON.h>

#include "cli/cli.h"

typedef struct cli_history {
    cJSON *messages; /* an array of {"role", "content"} */
} cli_history;

/* Begins again, with a system text (NULL or "": none). */
int cli_history_reset(cli_history *history, const char *system);
void cli_history_free(cli_history *history);
int cli_history_add(cli_history *history, const char *role, const char *content);
/* Removes the last message. */
void cli_history_drop(cli_history *history);
/* The role of the last message; "" if there is none. */
const char *cli_history_last_role(const cli_history *history);
/* The system text; NULL: none. Lives until the history changes. */
const char *cli_history_system(const cli_history *history);
size_t cli_history_count(const cli_history *history);
/* As JSON; free(). */
int cli_history_json(const cli_history *history, char **json);
int cli_history_save(const cli_history *history, const char *path);
/* Takes the place of what is there, if the file is a list of messages. */
int cli_history_load(cli_history *history, const char *path);

/* ---- Conversations that go on in another run (chat_session.c): --session FILE. */
/* A session for so many tokens: what was saved, with its messages, where there is any; else a new one. */
int cli_session_open(const cli_args *args, const oclm_model *model, const oclm_tokenizer *tokenizer, uint32_t context, cli_history *history,
                     oclm_session **session);
/* Saves both; does nothing without --session. */
int cli_session_save(const cli_args *args, const cli_history *history, oclm_session *session);

#endif
