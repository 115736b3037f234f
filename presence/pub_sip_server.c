/*
 * pub_sip_server: the small presence server. (Its parts follow.)
 */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/str.h"
#include "base/udp.h"
#include "presence/pub_sip.h"

struct pres_publisher *pres_sip_server_new(struct loop *loop, struct pres_table *table,
                                           const struct pres_publisher_settings *publisher,
                                           const struct pres_sip_server_settings *settings, char *why, size_t why_size)
{
    (void)loop, (void)table, (void)publisher, (void)settings;
    snprintf(why, why_size, "not yet");
    return NULL;
}

bool pres_sip_listen_parse(const char *text, char ret_transport[4], char *ret_host, size_t host_size,
                           unsigned *ret_port)
{
    struct udp_peer peer;
    snprintf(ret_transport, 4, "%.3s", text);
    return (str_starts(text, "udp:") || str_starts(text, "tcp:") || str_starts(text, "tls:")) &&
           io_parse_server(text + 4, ret_host, host_size, ret_port) && udp_peer(&peer, ret_host, *ret_port);
}
