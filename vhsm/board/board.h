/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running board: the loop, its functions and what they ask of it, sensors, updates, grants.
 * function.h has the life of one function.
 */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include <sys/types.h>
#include "directory.h"
#include "firmware.h"
#include "state.h"

/* ---- storage.c: storage requests of one function ---- */

/**
 * storage_handle - answer one request
 * @request: a whole message
 * @reply: room for BOARD_MESSAGE_MAX bytes
 *
 * Return: bytes of the reply, or -EPROTO: the request is not even a message, its sender is broken.
 */
ssize_t storage_handle(struct board *board, uint32_t function, const uint8_t *request,
		       size_t length, uint8_t *reply);

/* storage_serve - answer requests on @fd until its other end has gone */
void storage_serve(struct board *board, uint32_t function, int fd);

/* ---- validation.c ---- */

/* Attributes of a validation object as BOARD_VALIDATION gives them; @length 0: none */
struct validation {
	size_t length;
	uint8_t attributes[BOARD_VALIDATION_MAX];
};

/* validation_read - the file of --validation. Return: 0 or a negative errno with @error set. */
int validation_read(const char *path, struct validation *validation, struct error *error);

/* ---- board.c, function.c, connection.c: the running board ---- */

struct function;

#define TAMPER_SENSORS 4

/**
 * struct tamper_sensor - a sensor
 * @source: file with its value, NULL: it has its usual one
 * @injected: its value is a test's
 */
struct tamper_sensor {
	struct board_sensor now;
	const char *source;
	bool injected;
};

/**
 * struct watch - what an epoll event is about
 * @ready: called with the events
 */
struct watch {
	void (*ready)(struct watch *watch, uint32_t events);
	struct board *board;
	int fd;
};

/**
 * struct tamper - the sensors; @lock guards them. See tamper.h.
 * @unnoted: 1 << place of those that tripped while nothing could be written; tried again with each look
 */
struct tamper {
	pthread_mutex_t lock;
	struct tamper_sensor sensors[TAMPER_SENSORS];
	uint32_t unnoted;
	struct watch look;
};

/**
 * struct board_options - the command line
 * @sideband: path of the socket for a management controller, NULL: none
 * @presence: file that stands for the jumper of somebody at the machine, NULL: none
 * @inject: sensors take values of tests, in development
 * @lifecycle: enum hsm_lifecycle of a new board, 0: not said
 */
struct board_options {
	const char *state;
	const char *fuses;
	const char *run;
	const char *firmware;
	const char *log;
	const char *group;
	const char *validation;
	unsigned int functions;
	unsigned int dma_bits;
	unsigned int queues;
	unsigned int spin_us;
	long idle_exit; /* seconds, 0: never */
	int ready_fd;
	mode_t mode;
	uint8_t vendor[BOARD_HASH_SIZE];
	bool vendor_given;
	bool embedded;
	bool fips;
	bool zeroize;
	bool recover;
	bool inject;
	uint32_t lifecycle;
	const char *sideband;
	const char *presence;
	struct tamper *tamper;
};

/* Exit statuses, documented in vhsm(1) */
enum board_exit {
	EXIT_BOARD_OK = 0,
	EXIT_BOARD_FAILED = 1,
	EXIT_BOARD_USAGE = 2,
	EXIT_BOARD_BUSY = 3, /* another board runs on the directory */
	EXIT_BOARD_RECOVERY = 4, /* state or firmware does not verify */
};

/*
 * options_parse - 0, EXIT_BOARD_USAGE after a line on standard error, or -1: help or version was
 * printed
 */
int options_parse(int argc, char **argv, struct board_options *options);

/**
 * struct stage - a firmware image that is being taken in; function 0's storage thread alone
 * @fd: where to, -1: none
 * @size: bytes that were announced
 * @got: bytes that came
 */
struct stage {
	int fd;
	uint32_t size;
	uint32_t got;
};

/**
 * struct update - another firmware on its way to be the board's
 * @lock: guards @phase and @text, and the board's boot record with what runs, which function 0's storage
 *	thread and the main loop write
 * @place: where it lies, once it is decided
 * @go: an eventfd: it has passed its self-tests, the main loop replaces what runs
 * @patience: a timer, each second of the replacement
 * @waited: of these seconds
 * @due: it is about to be replaced
 * @switching: the main loop is at it
 */
struct update {
	pthread_mutex_t lock;
	enum board_update_phase phase;
	struct error text;
	enum board_place place;
	struct watch go;
	struct watch patience;
	unsigned int waited;
	bool due;
	bool switching;
};

/* ---- activate.c: the next firmware is chosen and tried; update.c: it takes over ---- */

/**
 * update_activate - for function 0's storage thread: have known firmware follow the one that runs
 * @measurement: of it
 *
 * Return: 0: it has passed its self-tests and takes over now; -ENOENT: none has that measurement; -EBUSY:
 * another update is under way; -EKEYREJECTED: fuses or partitions refuse it; -EBADMSG: it does not
 * verify; -ENOEXEC: it does not work. Then the update's text says more, and nothing else has changed.
 */
int update_activate(struct board *board, const uint8_t measurement[BOARD_HASH_SIZE]);

/* update_describe - struct board_update and the list of struct board_firmware. Return: bytes */
size_t update_describe(struct board *board, uint8_t *reply);

/* update_runs - is one on its way? */
bool update_runs(struct board *board);

/* struct boot_view - the boot record and where runs what runs, of one instant */
struct boot_view {
	struct boot_record record;
	enum board_place running;
};

/* update_boot, update_set_boot - both under the update's lock; from board_open() on nobody goes past it */
struct boot_view update_boot(struct board *board);
void update_set_boot(struct board *board, const struct boot_record *record,
		     enum board_place running);

/* update_end - the phase and its text, NULL: none */
void update_end(struct board *board, enum board_update_phase phase, const char *text);

/* update_open, update_close - what the main loop watches */
int update_open(struct board *board);
void update_close(struct board *board);

/* update_progress - a process has come or gone: is the replacement complete? */
void update_progress(struct board *board);

/* update_failed - a process of the next firmware died: the former one comes back */
void update_failed(struct board *board, const char *why);

/* ---- grant.c ---- */

#define BOARD_GRANTS_MAX	64
#define BOARD_GRANT_SECONDS_MAX 86400

/* struct grants - consent that waits to be used, the oldest first; @ends by CLOCK_BOOTTIME */
struct grants {
	pthread_mutex_t lock;
	uint32_t count;
	struct board_grant grant[BOARD_GRANTS_MAX];
	uint64_t ends[BOARD_GRANTS_MAX];
};

/**
 * grant_add - the oldest goes when there is no room. Return: 0, -EINVAL.
 * grant_take - use one up. Return: 0, -ENOENT.
 */
int grant_add(struct grants *grants, const struct board_grant *grant);
int grant_take(struct grants *grants, const struct board_grant *grant);

/* ---- board.c ---- */

/* struct signed_head - of the device's log, as function 0's firmware said last; for the sideband */
struct signed_head {
	pthread_mutex_t lock;
	size_t length;
	uint8_t message[BOARD_SIGNED_HEAD_MAX];
};

/* heads_sign - keep the message. heads_signed - it, in @room bytes. Return: its length, 0: there is none. */
void heads_sign(struct signed_head *head, const uint8_t *message, size_t length);
size_t heads_signed(struct signed_head *head, uint8_t *message, size_t room);

/**
 * struct board - all that runs
 * @owner: uid that the state directory belongs to
 * @bundles: the firmware, and room for another one that is about to follow it
 * @bundle: of these, what new processes are started from; the main loop's
 * @boot: as it is on disk; see update_boot()
 * @running: where @bundle lies
 * @started: the state's database is open
 * @note: what rom_boot() has to tell, while there is no log yet
 * @run: descriptor of the sockets' directory, -1: not open
 * @spare_fd: given up for a moment to turn a peer away when descriptors have run out
 * @connections: open now, on all functions
 * @changed: partitions that functions have to be told about; @changed_lock guards it
 * @late: when it fires, firmware that was told to end is killed
 * @events_wait: function 0's firmware has to be told of events for the log
 * @sideband_device, @sideband_inode: of the socket that is the sideband's, 0: none
 * @bricked: there is firmware, and none of it starts
 * @rescued: what runs was chosen over the sideband
 * @state_changed: firmware has to be told of another state of the board
 */
struct board {
	const struct board_options *options;
	struct state *state;
	uid_t owner;
	struct bundle bundles[2];
	struct bundle *bundle;
	struct boot_record boot;
	enum board_place running;
	bool started;
	struct error note;
	struct update update;
	struct validation validation;
	int epoll;
	struct watch signals;
	struct watch idle;
	struct watch changes;
	int run;
	int spare_fd;
	uint32_t next_connection;
	unsigned int connections;
	bool stopping;
	struct function *functions;
	pthread_mutex_t changed_lock;
	struct notice *changed;
	struct watch late;
	struct watch sideband;
	dev_t sideband_device;
	ino_t sideband_inode;
	bool state_changed;
	bool events_wait;
	struct signed_head signed_head;
	bool bricked;
	bool rescued;
	struct tamper tamper;
	struct stage stage;
	struct grants grants;
};

/**
 * stage_handle - a step in taking a firmware image
 * @board: locked by nobody: only function 0's storage thread comes here
 * @request: step
 * @bytes: of the image, with IHSM_STAGE_WRITE
 * @length: how many
 *
 * Return: 0, -EINVAL when the step is out of order, or what the file system says; then nothing is left
 * of what was not ended.
 */
int stage_handle(struct board *board, const struct board_stage *request, const uint8_t *bytes,
		 size_t length);

/* stage_put - the same, which nobody is told of: there is no log while no firmware starts */
int stage_put(struct board *board, const struct board_stage *request, const uint8_t *bytes,
	      size_t length);

/* board_partition_changed - any thread: tell function @function about partition @id */
void board_partition_changed(struct board *board, uint32_t function,
			     const uint8_t id[PARTITION_ID_SIZE]);

/* board_drop_changes - forget those that nobody was told of; no storage thread runs any more */
void board_drop_changes(struct board *board);

/* board_starts - how often the function's firmware has been started */
uint32_t board_starts(const struct board *board, uint32_t function);

/*
 * board_bundle - what the function's present process was started from. For its storage thread: while
 * that runs the bundle stays.
 */
const struct bundle *board_bundle(const struct board *board, uint32_t function);

/* board_watch - add @watch to the loop; board_unwatch - remove it */
int board_watch(struct board *board, struct watch *watch, uint32_t events);
void board_unwatch(struct board *board, struct watch *watch);
void board_rewatch(struct board *board, struct watch *watch, uint32_t events);

/* board_count_connections - @change is +1 or -1; arms or disarms the idle timer */
void board_count_connections(struct board *board, int change);

/* board_open - the loop and what it watches, sockets included; board_close - undo it */
int board_open(struct board *board, gid_t gid, struct error *error);
void board_close(struct board *board);

/* board_run - serve until told to stop or idle for long enough; 0 or a negative errno */
int board_run(struct board *board);

/*
 * functions_open - listen; functions_close - end the firmware, close what is open, remove the
 * sockets
 */
int functions_open(struct board *board, gid_t gid, struct error *error);
void functions_close(struct board *board);

/**
 * functions_retire - make sure that no peer is left in a backlog
 *
 * Return: true: nobody can connect any more and nobody has; false: somebody had, and all goes on.
 */
bool functions_retire(struct board *board);
void function_notify(struct board *board, uint32_t function, const uint8_t id[PARTITION_ID_SIZE]);

/* functions_replace - end the processes that are not of the board's bundle; what has connections follows at once */
void functions_replace(struct board *board);

/* functions_kill_old - those of them that have not ended */
void functions_kill_old(struct board *board);

/* functions_settled - has every process been replaced, and is each one ready? */
bool functions_settled(const struct board *board);

/* functions_updated - tell all of them BOARD_UPDATED; function 0 is started for it */
void functions_updated(struct board *board);

/* functions_tell_events - function 0's firmware is to ask for the events that wait */
void functions_tell_events(struct board *board);

/* functions_run - does any process run this bundle? */
bool functions_run(const struct board *board, const struct bundle *bundle);

/* board_trial - is the function's process on trial? For its storage thread. */
bool board_trial(const struct board *board, uint32_t function);

/* functions_probe - the entry behind the last function, for a process that serves nobody; its number */
uint32_t functions_probe(struct board *board, const struct bundle *bundle);

#endif /* BOARD_BOARD_H */
