/*
 * io_private: what io_listen.c needs of io.c.
 */
#ifndef BASE_IO_PRIVATE_H
#define BASE_IO_PRIVATE_H

#include "base/io.h"

/* A stream over a socket that is connected already; takes the socket. */
struct io *io_adopt(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler, void *arg,
                    int fd);

#endif
