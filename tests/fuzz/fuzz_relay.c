/*
 * fuzz_relay: what somebody PUTs to a relay, of any bytes: the head, the lines of a digest, every VFREEBUSY in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "davclient/busytext.h"
#include "relay_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_part(void *arg, const struct dav_busytext_part *part)
{
    unsigned *count = arg;

    (*count)++;
    if (strlen(part->address) > DAV_BUSYTEXT_ADDRESS_MAX || !str_is_utf8(part->address, strlen(part->address)))
        abort();
    if (!part->good && part->count > 0)
        abort();
    if (part->good && part->from >= part->until)
        abort();
    for (size_t i = 0; i < part->count; i++)
        if (part->spans[i].end <= part->spans[i].start || part->spans[i].kind > DAV_OOF)
            abort();
}

static void read_digest(const char *text, size_t size)
{
    char address[GW_RELAY_ADDRESS_MAX + 1];
    const char *at = text;
    uint64_t sequence;
    int64_t age;
    bool bad;

    while (gw_relay_next_has(&at, text + size, address, &sequence, &age, &bad))
        if (bad || age < 0 || address[0] == '\0' || at > text + size)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dav_busytext *reader;
    struct gw_relay_head head;
    unsigned count = 0;
    char *text = malloc(size + 1); /* ends with a NUL, as a request's body does */

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!reader)
        reader = dav_busytext_new(); /* one for many messages, as in the daemon */
    if (gw_relay_parse(text, size, &head)) { /* else nothing of it is used */
        if (head.made && (!head.stream[0] || head.keep_s <= 0 || head.sequence == 0))
            abort();
        if (head.parts && head.part >= head.parts)
            abort();
    }
    read_digest(text, size);
    bool whole = dav_busytext_read(reader, text, size, 20, on_part, &count);
    if (count > 20 || (whole && count == 0))
        abort();
    free(text);
    return 0;
}
