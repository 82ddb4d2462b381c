/* chat.h: a conversation becomes a prompt: transformers' apply_chat_template(tokenize=False). */
#ifndef OCLM_TOKENIZER_CHAT_CHAT_H
#define OCLM_TOKENIZER_CHAT_CHAT_H

#include "tokenizer/chat/jinja.h"
#include "tokenizer/tokenizer.h"

/* ---- The templates of a model (templates.c) */

typedef struct tok_template {
    char *name; /* "default", "tool_use", ... */
    char *text;
    size_t length;
} tok_template;

typedef struct tok_templates {
    tok_template *items;
    size_t count;
} tok_templates;
#define TOK_TEMPLATES_INIT                                                                                             \
    {                                                                                                                  \
        NULL, 0                                                                                                        \
    }

/* Reads those of a model's folder: chat_template.jinja and additional_chat_templates/NAME.jinja; where there are none,
 * what tokenizer_config.json has; of a GGUF file, or a folder with nothing but one, the file's own. A folder without any
 * is fine. */
oclm_status tok_templates_read(const char *folder, tok_templates *templates);
void tok_templates_free(tok_templates *templates);
const tok_template *tok_templates_find(const tok_templates *templates, const char *name); /* NULL: none */

/* ---- A conversation (chat.c) */

typedef struct tok_chat_request {
    const tok_templates *templates;
    const tok_tokenizer *tokenizer; /* for its named special tokens; NULL: the template sees none */
    const char *messages;           /* JSON: a list of objects */
    const char *tools, *documents;  /* JSON lists; NULL: none */
    const char *variables;          /* a JSON object of what else the template shall see; NULL: none */
    const char *template_name;      /* NULL: "tool_use" where there are tools and such a template, else "default" */
    const char *template_text;      /* NULL: one of the model's */
    bool add_generation_prompt;
    bool continue_final_message;
    const char *continue_field; /* NULL: "content" */
    int64_t now;                /* JINJA_CLOCK: the real time */
    uint64_t max_work;          /* 0: JINJA_MAX_WORK */
} tok_chat_request;

/* Adds the prompt to `out`. Errors: OCLM_ERR_ARGUMENT (what the template refuses, or a caller did wrong),
 * OCLM_ERR_FORMAT (JSON, the template: line and reason), OCLM_ERR_UNSUPPORTED, OCLM_ERR_NOT_FOUND (no template),
 * OCLM_ERR_MEMORY. */
oclm_status tok_chat_render(const tok_chat_request *request, core_text *out);

/* ---- Inside (messages.c, continue.c): values of the run; NULL: the error is set */

/* The messages as a template sees them: without members that are null, with reasoning under all its names. */
jinja_ref tok_chat_messages(jinja_run *run, const char *json);
/* A list of objects, `what` in messages; jinja_none where `json` is NULL or null. */
jinja_ref tok_chat_objects(jinja_run *run, const char *json, const char *what);
/* `dict` with `key` changed to `value`, or added last. */
jinja_ref tok_chat_with(jinja_run *run, jinja_ref dict, const char *key, jinja_ref value);

/* continue_final_message: marks the end of the last message. `*final` is its text before. */
jinja_ref tok_chat_mark(jinja_run *run, jinja_ref messages, const char *field, const char *source, size_t length,
                        jinja_ref *final);
/* Cuts the rendered text at the mark. */
bool tok_chat_cut(jinja_run *run, jinja_ref final, core_text *text);

#endif
