/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c: directories, the lock, sockets.
 */
#ifndef BOARD_DIRECTORY_H
#define BOARD_DIRECTORY_H

#include <sys/types.h>
#include "text.h"

/* directory_prepare - make @path when missing; @private: it must be the caller's and 0700 */
int directory_prepare(const char *path, bool private, struct error *error);

/**
 * directory_lock - only one board runs on a directory
 * Return: a descriptor that holds the lock, -EBUSY when another board has it (@error names its
 * pid).
 */
int directory_lock(const char *path, struct error *error);

/**
 * directory_listen - a function's socket
 * @run: directory of the sockets
 * @gid: group of the socket, or (gid_t)-1
 *
 * A path too long for a socket address is reached through a descriptor of the directory.
 * Return: the listening descriptor, non-blocking, or a negative errno.
 */
int directory_listen(const char *run, unsigned int function, mode_t mode, gid_t gid,
		     struct error *error);

/*
 * directory_hold - a descriptor of the sockets' directory. By it, and not by the path, the names go
 * when the board ends: another directory may be at the path then, with another board's sockets.
 */
int directory_hold(const char *run, struct error *error);
void directory_unlisten(int run, unsigned int function);

/* directory_hide - give the socket a name that no peer looks for, or its own one back */
void directory_hide(int run, unsigned int function, bool hidden);

#endif /* BOARD_DIRECTORY_H */
