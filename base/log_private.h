/*
 * log_private: what log.c tells log_recent.c.
 */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include <stddef.h>

void log_recent_add(const char *line, size_t len); /* with its line end; from any thread */

#endif
