/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam inside the firmware: below it the transport (vfio-user, registers, rings, workers,
 * contexts), above it command execution (channels, partitions, objects). Neither side knows more
 * of the other than this header.
 */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/ihsm_hw.h>
#include <hsm/board.h>

struct task;

/* ---- what the transport offers to command execution ---- */

/**
 * task_set_class - tell the transport how long the command at hand will take
 * @task: the command
 * @time_class: enum ihsm_time_class from the operation table, known once the message is open
 *
 * A command starts as IHSM_TIME_SHORT on the worker that polls its queue. For a longer class the worker
 * first hands the polling to another; IHSM_TIME_LONG and above wait for a place in the bounded pool.
 * Return: 0, or -ECANCELED when the command was aborted meanwhile.
 */
int task_set_class(struct task *task, enum ihsm_time_class time_class);

/**
 * task_cancelled - has the command been aborted, or its context or queue gone?
 *
 * Long operations ask now and then (from the callback of the key generation).
 */
bool task_cancelled(const struct task *task);

/* task_stop - another command wants it to end; from now on task_cancelled() says so */
void task_stop(struct task *task);

/**
 * task_wait_begin, task_wait_end - in between, the command waits for something that is no processor
 *
 * Such a command does not count among those that run at a time. Not to be nested.
 */
void task_wait_begin(struct task *task);
void task_wait_end(struct task *task);

/**
 * firmware_event - report an asynchronous event to every connection of the function
 * @event: enum ihsm_event
 * @detail: the event's detail, 24 bits
 */
void firmware_event(enum ihsm_event event, uint32_t detail);

/* ---- what command execution offers to the transport ---- */

/**
 * struct context_info - who opened a context
 * @id: as given to the host: epoch << 32 | index
 * @epoch: of the controller when it was made
 * @owner: the peer of the connection owns the state directory
 * @uid: of the peer
 */
struct context_info {
	uint64_t id;
	uint32_t epoch;
	bool owner;
	uint32_t uid;
};

struct firmware_context;

/**
 * commands_start - open storage, the partitions and their identities
 * @hello: from the board
 *
 * Called once, before the sandbox closes and before any connection.
 * Return: 0 or a negative errno, after a line on standard error.
 */
int commands_start(const struct board_hello *hello);

/* commands_stop - wipe and free everything; no context is open any more */
void commands_stop(void);

/* The number of partitions of this function, for IHSM_ADMIN_IDENTIFY. */
uint32_t commands_partitions(void);

/* commands_partition_list - the first of them, by slot. Return: how many were written. */
unsigned int commands_partition_list(struct ihsm_partition_entry *list, unsigned int room);

/* commands_self_test - result of the last self-test */
enum ihsm_self_test commands_self_test(void);

/* commands_minimum_version - least security version of firmware that the board lets run */
uint32_t commands_minimum_version(void);

/* commands_wipe - the board was tampered with: forget the partitions' keys, now and without waiting for anybody */
void commands_wipe(void);

/* commands_random - for IHSM_ADMIN_RANDOM. Return: 0 or -EIO. */
int commands_random(uint8_t *out, size_t length);

/* BOARD_UPDATED came: the partitions follow to this firmware's security version. */
void commands_updated(void);

/* commands_board_events - BOARD_EVENTS_WAIT has come */
void commands_board_events(void);

/* BOARD_PARTITION_CHANGED came: open, drop or refresh the partition. */
void commands_partition_changed(const uint8_t id[PARTITION_ID_SIZE]);

/**
 * context_open - a context was created
 * @info: copied
 * @context: set to the new context, which the transport hands back with every message
 *
 * Return: 0, -ENOMEM or -EUSERS.
 */
int context_open(const struct context_info *info, struct firmware_context **context);

/**
 * context_close - the context is gone: drop its channels, sessions and session objects
 *
 * The transport has waited for, or cancelled, every task of the context before.
 */
void context_close(struct firmware_context *context);

/**
 * message_execute - execute one message
 * @task: for task_set_class() and task_cancelled()
 * @context: the context that the command was stamped with
 * @request: private copy of the message, may be overwritten
 * @request_length: bytes
 * @response: private buffer
 * @capacity: room in @response, as the command offered it and at most HSM_MESSAGE_MAX
 * @response_length: set to the bytes to copy out
 *
 * May be called by several threads at a time, also for one context.
 * Return: enum ihsm_status for the completion. Only with IHSM_SC_SUCCESS is a response copied out.
 */
enum ihsm_status message_execute(struct task *task, struct firmware_context *context, uint8_t *request,
				 size_t request_length, uint8_t *response, size_t capacity,
				 size_t *response_length);

/* ---- the way to the board, shared by both (board_link.c) ---- */

/**
 * storage_call - send one storage request to the board and wait for its reply
 * @type: enum board_request
 * @parts: pieces of the request body, sent one after the other
 * @count: number of @parts
 * @reply: buffer for the reply's body
 * @capacity: its size
 * @length: set to the bytes of the reply
 *
 * Serialized inside; any thread. Return: the board's status, -EPROTO on a malformed reply, -EPIPE when the board is gone.
 */
struct iovec;
int storage_call(enum board_request type, const struct iovec *parts, int count, void *reply, size_t capacity,
		 size_t *length);

/*
 * storage_begin, storage_finish - the two halves of storage_call(): between them the board works on the request. When
 * begin has succeeded, the same thread calls finish, and in between nothing else of the board.
 */
int storage_begin(enum board_request type, const struct iovec *parts, int count);
int storage_finish(enum board_request type, void *reply, size_t capacity, size_t *length);

#endif /* FIRMWARE_H */
