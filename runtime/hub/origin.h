/* origin.h: where a URL leads: two with the same origin are the same party, to whom a token may be shown. */
#ifndef OCLM_HUB_ORIGIN_H
#define OCLM_HUB_ORIGIN_H

#include <stdbool.h>

#include <curl/curl.h>

typedef struct hub_origin {
    char *scheme, *host, *port; /* libcurl's memory; the port also where the URL leaves it out */
} hub_origin;

CURLU *hub_url_parse(const char *text); /* NULL for what is no URL; curl_url_cleanup() */
bool   hub_origin_of(CURLU *url, hub_origin *origin); /* false where it has none; deinitialise it in any case */
void   hub_origin_deinit(hub_origin *origin);
bool   hub_same_text(const char *a, const char *b); /* in any case */
bool   hub_same_origin(const char *a, const char *b);

#endif
