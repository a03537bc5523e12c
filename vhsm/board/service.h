/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.c: the board and the service manager that started it, if one did.
 */
#ifndef BOARD_SERVICE_H
#define BOARD_SERVICE_H

#include "internal.h"

/**
 * service_socket - the function's listening socket, when the service manager has made it
 * @run: directory of the sockets, as the manager knows it
 *
 * Its name in the file system is the manager's, too: it stays when the board ends.
 * Return: the descriptor, non-blocking and not inherited any more, or -1 when there is none.
 */
int service_socket(const char *run, unsigned int function);

/* service_tell - assignments for the manager, as "READY=1"; nothing happens where there is none */
void service_tell(const char *text);

#endif /* BOARD_SERVICE_H */
