/*
 * outlets_check: what the checks of the outlets' configuration share. Each kind has its check beside the code that
 * makes it; outlets_check.c calls them.
 */
#ifndef GATEWAY_OUTLETS_CHECK_H
#define GATEWAY_OUTLETS_CHECK_H

#include "config_private.h"

void gw_outlets_check_mqtt(struct gw_reading *r, const struct gw_config_mqtt *m);
void gw_outlets_check_sip(struct gw_reading *r, const struct gw_config_sip *s);
void gw_outlets_check_webhooks(struct gw_reading *r, const struct gw_config *c);
void gw_outlets_check_relays(struct gw_reading *r, const struct gw_config *c);

/* wrong NULL: nothing is. */
void gw_check_say(struct gw_reading *r, const char *wrong, const char *key);
void gw_check_say_at(struct gw_reading *r, const char *wrong, const char *list, unsigned i);
/* The texts of an outlet, and the zone of their times (NULL: none). */
void gw_check_words(struct gw_reading *r, const char *outlet, char *const texts[GW_KINDS_TOLD], const char *zone);
/* Files of TLS, where it is spoken. */
void gw_check_tls(struct gw_reading *r, const char *outlet, bool plain, const char *ca_file, const char *cert_file,
                  const char *key_file);
void gw_check_secret(struct gw_reading *r, const char *key, const char *path); /* NULL: none */

#endif
