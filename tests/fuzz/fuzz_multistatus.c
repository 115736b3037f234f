/* fuzz_multistatus: a 207 body of any bytes, in pieces of any size. The first byte chooses the size of the pieces. */
#include <stdint.h>

#include "multistatus.h"

static const struct dav_ms_prop props[] = {
    {"DAV:", "href", 200, DAV_MS_TEXT},
    {"DAV:", "resourcetype", 100, DAV_MS_NAMES},
    {"urn:schemas:calendar:", "dtstart", 40, DAV_MS_TEXT},
    {"http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/", "0x8205", 16, DAV_MS_TEXT},
    {"urn:ietf:params:xml:ns:caldav", "calendar-data", 4096, DAV_MS_TEXT},
};
static const struct dav_ms_spec spec = {props, sizeof(props) / sizeof(*props)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_response(void *arg, const struct dav_ms_response *response)
{
    size_t *sum = arg;
    *sum += response->href_len;
    for (size_t i = 0; i < spec.count; i++)
        for (size_t at = 0; response->value[i].text && at < response->value[i].len; at++)
            *sum += (unsigned char)response->value[i].text[at];
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dav_ms_limits limits = {.max_bytes = 1 << 20, .max_depth = 32, .max_rows = 1000};
    if (size == 0)
        return 0;
    size_t piece = data[0] ? data[0] : 1, sum = 0;
    struct dav_ms *m = dav_ms_new(&spec, &limits);
    for (int document = 0; document < 2; document++) { /* a parser is used for many documents */
        dav_ms_begin(m, on_response, &sum);
        for (size_t at = 1; at < size; at += piece)
            if (!dav_ms_feed(m, (const char *)data + at, size - at < piece ? size - at : piece))
                break;
        dav_ms_finish(m);
    }
    dav_ms_free(&m);
    return 0;
}
