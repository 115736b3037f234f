/* fuzz_url: an href or a path of any bytes. What comes out must be a path that survives being taken apart again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';

    struct dav_url url;
    struct buf out;
    buf_init(&out, DAV_URL_PATH_MAX);
    if (dav_url_parse(text, &url)) {
        dav_url_origin(&url, &out);
        dav_url_is_loopback(url.host);
    }
    buf_reset(&out);
    if (dav_url_path_of(&out, text, size, true) && (out.data[0] != '/' || !dav_url_path_equal(out.data, out.data)))
        abort();
    buf_reset(&out);
    dav_url_add_store_segment(&out, text);
    buf_reset(&out);
    dav_url_add_segment(&out, text);
    if (!out.failed && strchr(out.data, '/'))
        abort(); /* one segment must stay one */
    buf_free(&out);
    free(text);
    return 0;
}
