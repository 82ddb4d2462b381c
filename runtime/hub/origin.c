/* origin.c: scheme, host and port of a URL, as libcurl reads it: the same reading decides where a request goes. */
#include "hub/origin.h"

#include <string.h>

#include "hub/headers.h"

void hub_origin_deinit(hub_origin *o)
{
    curl_free(o->scheme);
    curl_free(o->host);
    curl_free(o->port);
}

bool hub_origin_of(CURLU *url, hub_origin *o)
{
    o->scheme = o->host = o->port = NULL;
    return curl_url_get(url, CURLUPART_SCHEME, &o->scheme, 0) == CURLUE_OK && curl_url_get(url, CURLUPART_HOST, &o->host, 0) == CURLUE_OK &&
           curl_url_get(url, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

bool hub_same_text(const char *a, const char *b)
{
    return hub_same_word(a, strlen(a), b);
}

CURLU *hub_url_parse(const char *text)
{
    CURLU *url = curl_url();
    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
        curl_url_cleanup(url);
        url = NULL;
    }
    return url;
}

bool hub_same_origin(const char *a, const char *b)
{
    CURLU *one = hub_url_parse(a), *two = hub_url_parse(b);
    hub_origin first = { NULL, NULL, NULL }, second = { NULL, NULL, NULL };
    const bool same = one != NULL && two != NULL && hub_origin_of(one, &first) && hub_origin_of(two, &second) && hub_same_text(first.scheme, second.scheme) &&
                      hub_same_text(first.host, second.host) && hub_same_text(first.port, second.port);
    hub_origin_deinit(&first);
    hub_origin_deinit(&second);
    curl_url_cleanup(one);
    curl_url_cleanup(two);
    return same;
}
