/*
 * A name server that the test plays: what stands in `records` is so, every other name does not exist. One at a time.
 */
#ifndef TESTS_NAME_SERVER_H
#define TESTS_NAME_SERVER_H

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/udp.h"

#define RECORDS 8

static struct record {
    const char *name; /* NULL: none */
    int type;
    const char *text; /* of SRV the host, of TXT the string, of NAPTR "SERVICE NEXT", with the flag S */
    unsigned port, priority;
} records[RECORDS];
static struct udp *dns;
static char dns_address[UDP_TEXT_MAX];
static unsigned dns_asked;
static bool mute;

static size_t add_string(unsigned char *out, const char *text, size_t len)
{
    out[0] = (unsigned char)len;
    memcpy(out + 1, text, len);
    return 1 + len;
}

static size_t add_name(unsigned char *out, const char *name)
{
    return (size_t)ns_name_compress(name, out, 300, NULL, NULL);
}

static size_t add_record(unsigned char *out, const struct record *r)
{
    enum { HEAD = 12 };
    unsigned char *at = out + HEAD;

    memcpy(out, (const unsigned char[]){0xc0, 12, 0, (unsigned char)r->type, 0, 1, 0, 0, 0, 60, 0, 0}, HEAD);
    if (r->type == ns_t_srv) {
        memcpy(at,
               (const unsigned char[]){0, (unsigned char)r->priority, 0, 0, (unsigned char)(r->port >> 8),
                                       (unsigned char)r->port},
               6);
        at += 6;
        at += add_name(at, r->text);
    } else if (r->type == ns_t_naptr) {
        memcpy(at, (const unsigned char[]){0, 1, 0, (unsigned char)r->priority}, 4);
        at += 4;
        at += add_string(at, "s", 1);
        at += add_string(at, r->text, strcspn(r->text, " "));
        at += add_string(at, "", 0);
        at += add_name(at, strchr(r->text, ' ') + 1);
    } else {
        at += add_string(at, r->text, strlen(r->text));
    }
    out[11] = (unsigned char)(at - out - HEAD);
    return (size_t)(at - out);
}

static void on_question(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    unsigned char out[4000];
    char name[300] = "";
    size_t at = 12, end;

    (void)arg;
    dns_asked++;
    if (mute || len > 600)
        return;
    memcpy(out, data, len);
    while (out[at] != 0) {
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s", at > 12 ? "." : "", out[at],
                 (const char *)out + at + 1);
        at += 1 + (size_t)out[at];
    }
    end = at + 5;
    out[2] = 0x81;
    out[3] = ns_r_nxdomain;
    out[11] = 0;
    for (const struct record *r = records; r < records + RECORDS && r->name != NULL; r++) {
        if (strcmp(r->name, name) != 0 || out[at + 2] != r->type)
            continue;
        out[3] = 0;
        out[7]++;
        end += add_record(out + end, r);
    }
    udp_send(dns, from, out, end);
}

static void name_server_begin(struct loop *on)
{
    char why[200];

    memset(records, 0, sizeof(records));
    mute = false;
    dns_asked = 0;
    dns = udp_open(on, "dns", "127.0.0.1", 0, on_question, NULL, why, sizeof(why));
    assert_non_null(dns);
    snprintf(dns_address, sizeof(dns_address), "127.0.0.1:%u", udp_port(dns));
}

#endif
