/* http.h: requests, several at once in one thread. A request is started, hub_http_run() moves all of them on, and one that is done has its
 * answer beside it.
 *
 * Redirects are followed here, one by one, never by libcurl: the token goes to the origin (scheme, host, port) of the endpoint alone. */
#ifndef OCLM_HUB_HTTP_H
#define OCLM_HUB_HTTP_H

#include <curl/curl.h>

#include "hub/headers.h"
#include "hub/origin.h"
#include "hub/settings.h"

#define HUB_MAX_HEADERS (256u << 10)    /* bytes of one answer's header lines */
#define HUB_MAX_ERROR_BODY (64u << 10)  /* of an answer that tells of an error; the rest is not read */
#define HUB_MAX_REDIRECTS 10

typedef struct hub_http hub_http;

/* How far a request came. */
typedef enum hub_net {
    HUB_NET_ANSWERED, /* `code` counts */
    HUB_NET_FAILED,   /* no connection, a timeout, a connection that broke: another try may help */
    HUB_NET_TLS,      /* the other side is not who it should be */
    HUB_NET_PROXY,    /* a proxy refused */
    HUB_NET_PROTOCOL, /* what came is not HTTP, too long, or leads astray; `reason` tells */
    HUB_NET_STOPPED   /* our own receiver failed: `stopped` is its status, its message is set */
} hub_net;

typedef struct hub_request hub_request;

struct hub_request {
    /* ---- Asked */
    bool      head;       /* HEAD, which stops at a redirect to another origin: that is its answer */
    bool      range;      /* with Range: bytes=from- */
    uint64_t  from;
    uint32_t  timeout;    /* seconds: of the whole HEAD; of a GET, without a byte */
    core_text url;        /* becomes the one that answered */
    size_t    body_limit; /* without a receiver: most bytes of `body` */
    /* Receives the body of a 2xx: `begin` before its first byte (also of an empty one), then `data`. NULL: it goes to `body`. */
    oclm_status (*begin)(hub_request *request, void *user);
    oclm_status (*data)(const void *bytes, size_t count, void *user);
    void       *user;
    /* ---- Answered, once done */
    bool        done;
    hub_net     net;
    oclm_status stopped;
    long        code;
    core_text   headers;  /* "name: value\n" each */
    core_text   body;     /* of an error, or without a receiver */
    core_text   location; /* where a HEAD's redirect leads, absolute; empty: nowhere */
    char        reason[CURL_ERROR_SIZE + 64];
    /* ---- Inside */
    CURL              *easy;
    struct curl_slist *lines;
    hub_http          *http;
    hub_request       *next; /* of those under way */
    uint32_t           hops;
    bool               begun, cut, too_long;
};

#define HUB_REQUEST_INIT { .timeout = HUB_TIMEOUT, .net = HUB_NET_FAILED }

oclm_status hub_http_new(const hub_settings *settings, hub_http **http);
void        hub_http_free(hub_http *http); /* its requests have been deinitialised before */

/* Starts a request; one that was answered may be started again with another url. */
oclm_status hub_request_start(hub_http *http, hub_request *request);
void        hub_request_deinit(hub_request *request); /* also stops it */
/* Moves all requests on, waiting at most so long for something to happen. */
oclm_status hub_http_run(hub_http *http, double seconds);

#endif
