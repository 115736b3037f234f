/*
 * outlet_names: is somebody's name in a row of an outlet? Outlets write names in the ways of their protocols.
 */
#ifndef GATEWAY_OUTLET_NAMES_H
#define GATEWAY_OUTLET_NAMES_H

#include <stdbool.h>

struct gw_row_name; /* a list; NULL: empty */

void gw_row_name_add(struct gw_row_name **list, const char *name, const char *domain);
void gw_row_names_free(struct gw_row_name **list);
void gw_row_names_close(struct gw_row_name *list); /* all that are on it now */
/* Any of them, or of those that were closed. */
bool gw_row_names_in(const struct gw_row_name *list, const char *space, const char *text, bool closed_only);

#endif
