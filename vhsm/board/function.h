/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function of the board: its socket, its firmware process and the connections that outlive the
 * process. function.c holds the process's life, connection.c the connections, control.c the control
 * socket between the two programs. All of it runs in the main loop's thread, but for the storage
 * thread.
 */
#ifndef BOARD_FUNCTION_H
#define BOARD_FUNCTION_H

#include "internal.h"

#define FUNCTION_MAX_CONNECTIONS 1024
#define CONNECTION_MAX_KEPT	 4096

struct kept {
	struct kept *next;
	struct board_keep what;
	int fd;
};

/**
 * struct connection - what the board keeps of a peer
 * @socket, @record: duplicates stay here while firmware processes come and go
 * @handed: a firmware process has had it
 */
struct connection {
	struct connection *next;
	uint32_t id;
	struct board_connection peer;
	int socket;
	int record;
	bool handed;
	struct kept *kept;
	unsigned int kept_count;
};

/**
 * struct outgoing - a control message that the socket had no room for
 * @fds: borrowed from the connection; the message goes when that goes
 */
struct outgoing {
	struct outgoing *next;
	struct board_message head;
	union {
		struct board_connection peer;
		struct board_keep keep;
		uint8_t id[PARTITION_ID_SIZE];
		uint32_t state;
	} body;
	int fds[2];
	int fd_count;
};

/**
 * struct function - one function
 * @running: there is a process; @ready: it has said so
 * @trial: it must not serve when a self-test fails
 * @replaced: it was told to end for another firmware
 * @bundle: that the process was started from
 * @starts: processes started, the incarnation of the present one
 * @leaving: the start whose process was told to end, for another state of the board
 * @leave_by: monotonic milliseconds at which it is killed
 * @quick_deaths: in a row, each within seconds of its start
 * @never_ready: of those, in a row, without BOARD_READY
 * @started: monotonic milliseconds
 * @failed: given up until this time, 0: not
 */
struct function {
	struct board *board;
	uint32_t number;
	struct watch listen;
	bool handed; /* the socket is the service manager's: its name is not the board's to take away */
	struct watch pidfd;
	struct watch control;
	struct watch log;
	struct watch backoff;
	struct process process;
	const struct bundle *bundle;
	pthread_t storage;
	bool running;
	bool ready;
	bool trial;
	bool replaced;
	uint32_t starts;
	uint32_t leaving;
	int64_t leave_by;
	unsigned int quick_deaths;
	unsigned int never_ready;
	int64_t started;
	int64_t failed;
	struct connection *connections;
	unsigned int connection_count;
	struct outgoing *first_out;
	struct outgoing **last_out;
};

#define function_of(watch, member) \
	((struct function *)(void *)((char *)(watch) - offsetof(struct function, member)))

/* ---- connection.c ---- */

/*
 * connection_accept - take one peer off the listening socket; 1: turned away, -EAGAIN: none left,
 * or another errno
 */
int connection_accept(struct function *function, struct connection **connection);
struct connection *connection_find(struct function *function, uint32_t id);

/* connection_keep - takes @fd, also when it fails */
int connection_keep(struct connection *connection, const struct board_keep *what, int fd);
void connection_forget(struct connection *connection, const struct board_keep *what);

/* connection_close - close and free it, and take its messages off the queue */
void connection_close(struct function *function, struct connection *connection);

/* ---- control.c ---- */

/* control_hand_over - give the connection to the ready process, with all that was kept for it */
void control_hand_over(struct function *function, struct connection *connection);

/* control_notify - BOARD_PARTITION_CHANGED; control_stop - BOARD_STOP */
void control_notify(struct function *function, const uint8_t id[PARTITION_ID_SIZE]);
void control_stop(struct function *function);

/* control_state - BOARD_STATE */
void control_state(struct function *function, uint32_t state);

/* control_events - BOARD_EVENTS_WAIT */
void control_events(struct function *function);

/* control_updated - BOARD_UPDATED */
void control_updated(struct function *function);

/* control_flush - send what waits, as far as there is room */
void control_flush(struct function *function);
void control_drop(struct function *function, uint32_t connection);
void control_drop_all(struct function *function);

/* control_receive - read messages until there are none. -EPROTO: the firmware talks nonsense. */
int control_receive(struct function *function);

/* ---- function.c ---- */

/* function_ready - BOARD_READY has come */
void function_ready(struct function *function);

/* function_kill - end its process, which runs, by force */
void function_kill(struct function *function);

#endif /* BOARD_FUNCTION_H */
