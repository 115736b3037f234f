/*
 * pub_template: what the configuration's check must know of the texts that outlets fill in.
 */
#ifndef PRESENCE_PUB_TEMPLATE_H
#define PRESENCE_PUB_TEMPLATE_H

#include <stdbool.h>

/* NULL: it is one; else a phrase. */
const char *pres_template_wrong(const char *text);
bool pres_template_has(const char *text, const char *word);

/* A template of a name, filled in for a person, nothing escaped. False: too long. `group` may be NULL. */
struct buf;
bool pres_template_person(struct buf *out, const char *text, const char *address, const char *group);

#endif
