/* retry.c: the schedule of further tries, as Python's huggingface_hub has it. */
#include "hub/retry.h"

#include "hub/fault.h"

static bool retry_after(const core_text *headers, double *seconds)
{
    core_text  text = CORE_TEXT_INIT;
    uint64_t   value = 0;
    const bool given = hub_header_get(headers, "retry-after", &text) == HUB_HEADER_ONE && text.length > 0 && core_parse_u64(text.data, &value);
    core_text_free(&text);
    if (given) /* a date is not understood, as in the reference */
        *seconds = (double)value + 1;
    return given;
}

bool hub_retry_next(hub_retry *retry, const hub_request *request, double *seconds)
{
    static const double schedule[HUB_RETRIES] = { 1, 2, 4, 8, 8 };
    if (retry->used == HUB_RETRIES)
        return false;
    *seconds = schedule[retry->used++];
    if (request->net == HUB_NET_ANSWERED) {
        const hub_rate rate = hub_rate_of(&request->headers);
        if (request->code == 429 && rate.known && rate.left == 0)
            *seconds = (double)rate.seconds + 1;
        else
            (void)retry_after(&request->headers, seconds);
    }
    return *seconds <= HUB_MAX_WAIT;
}
