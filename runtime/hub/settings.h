/* settings.h: what holds for all requests and files of one call: options where given, else the environment, else defaults.
 *
 * The variables are those of Python's huggingface_hub, so that both sides use one cache and one token. */
#ifndef OCLM_HUB_SETTINGS_H
#define OCLM_HUB_SETTINGS_H

#include "core/text.h"

#define HUB_TIMEOUT 10          /* seconds, where the environment says nothing */
#define HUB_TIMEOUT_PATIENT 60  /* for a HEAD that is asked again because nothing is in the cache */

typedef struct hub_settings {
    char    *cache;          /* absolute where the folder exists */
    char    *endpoint;       /* without a slash at the end */
    char    *token;          /* NULL: none. Never in a message, never to another origin than the endpoint's */
    char    *user_agent;
    char    *ca_file, *ca_folder; /* NULL: libcurl's */
    bool     offline;        /* no request at all */
    bool     asked_offline;  /* by option or variable, for the message */
    bool     force;          /* download what is there too */
    bool     no_links;       /* files in the snapshots themselves */
    uint32_t head_timeout, get_timeout; /* seconds */
    /* For tests: called instead of waiting before another try. NULL: waits. */
    void   (*wait)(double seconds, void *user);
    void    *wait_user;
} hub_settings;

/* Reads `options` (NULL: none given) and the environment. On failure too, free with hub_settings_deinit(). */
oclm_status hub_settings_init(hub_settings *settings, const oclm_hub_options *options);
void        hub_settings_deinit(hub_settings *settings);

/* Where the cache is: `given`, else as the environment says; without links where it exists. core_free(). */
oclm_status hub_cache_path(const char *given, char **path);

/* $HF_HOME and what it defaults to; a leading ~ and $NAME are expanded. */
oclm_status hub_home(core_text *out);
/* Expands a leading ~ or ~user, then $NAME and ${NAME}; unknown ones stay. */
oclm_status hub_expand(const char *text, core_text *out);
bool        hub_is_true(const char *text); /* 1, ON, YES, TRUE in any case; NULL is false */

#endif
