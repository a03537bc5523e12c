/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface between the board (vhsm) and the firmware that runs on it.
 *
 * Two SOCK_SEQPACKET sockets are handed to each function's process:
 *   BOARD_CONTROL_FD: connections, their descriptors, notices. Neither side waits for an answer,
 *		     except where a message says so.
 *   BOARD_STORAGE_FD: storage requests, each with one reply, one at a time.
 * The board authorizes a request by the descriptor that it came on and by nothing else.
 * Both ends run on one machine: numbers are in the machine's own byte order.
 */
#ifndef HSM_BOARD_H
#define HSM_BOARD_H

#include <stdint.h>
#include <hsm/lifecycle.h>

#define BOARD_CONTROL_FD	3
#define BOARD_STORAGE_FD	4
#define BOARD_FIRST_FREE_FD	5	/* the bundle's memfds; closed by the firmware after start */

#define BOARD_ID_SIZE		16
#define PARTITION_ID_SIZE	16
#define BOARD_KEY_SIZE		32
#define BOARD_NAME_MAX		64
#define BOARD_MESSAGE_MAX	(192 * 1024)	/* below the default socket buffer */
#define BOARD_BLOB_MAX		(96 * 1024)	/* one sealed row or header */
#define BOARD_RECORD_SIZE	8192		/* transport record of one connection, a memfd */
#define BOARD_MAX_FDS		16		/* descriptors in one message */

/* Ids of the device's own partition: function 0's officers, claim state, audit. */
#define BOARD_DEVICE_PARTITION	{ 0 }

/**
 * struct board_message - head of every message on either socket
 * @type: enum board_control or enum board_request
 * @status: in replies 0 or a negative errno; 0 in requests
 * @connection: the connection that a control message is about
 * @length: bytes that follow
 */
struct board_message {
	uint32_t type;
	int32_t status;
	uint32_t connection;
	uint32_t length;
};

enum board_control {
	/*
	 * Board to firmware: a peer has connected. Descriptors: the socket, the transport record,
	 * and for an adopted connection what BOARD_KEEP_* messages had kept, in BOARD_ADOPT
	 * messages that follow. Body: struct board_connection.
	 */
	BOARD_CONNECTION	= 1,
	/*
	 * Board to firmware: body struct board_keep, with its descriptor. One for each kept
	 * descriptor.
	 */
	BOARD_ADOPT		= 2,
	/*
	 * Board to firmware: all BOARD_ADOPT messages of the connection have been sent; serve it.
	 */
	BOARD_SERVE		= 3,
	/*
	 * Board to firmware: the partitions assigned to the function have changed. Body: a
	 * partition id.
	 */
	BOARD_PARTITION_CHANGED	= 4,
	/*
	 * Board to firmware: finish what runs, exit. Connections stay: they end with the board, or a
	 * successor serves them.
	 */
	BOARD_STOP		= 5,
	/*
	 * Board to firmware: the firmware that this process runs has become the board's. Its partitions go
	 * up the ladder now, see BOARD_LADDER.
	 */
	BOARD_UPDATED		= 6,

	/*
	 * Firmware to board: keep this descriptor for a successor; answered by BOARD_KEPT. Body:
	 * struct board_keep.
	 */
	BOARD_KEEP		= 16,
	/* Firmware to board: forget one. Body: struct board_keep, no descriptor. Not answered. */
	BOARD_FORGET		= 17,
	/* Firmware to board: the peer has gone or was refused; drop everything kept for it. */
	BOARD_CLOSED		= 18,
	/*
	 * Firmware to board: started, sandboxed, self-tests passed. No connection is handed over
	 * before.
	 */
	BOARD_READY		= 19,
	/* Board to firmware: the descriptor of the oldest unanswered BOARD_KEEP is kept. */
	BOARD_KEPT		= 20,
	/*
	 * Board to firmware: the board is in another state. Tell it and exit: a successor begins under it. After
	 * tampering at once, without another look at anything, else when what runs has ended. Body: uint32_t,
	 * enum ihsm_device_state.
	 */
	BOARD_STATE		= 24,
	/* Board to firmware, function 0: there are events for the log, see BOARD_EVENTS. */
	BOARD_EVENTS_WAIT	= 25,
};

/* struct board_connection.flags */
#define BOARD_CONNECTION_OWNER		(1U << 0)	/* the peer is the user who owns the state directory (SO_PEERCRED) */
#define BOARD_CONNECTION_ADOPTED	(1U << 1)	/* a predecessor served it */

struct board_connection {
	uint32_t flags;
	uint32_t uid;		/* of the peer, by SO_PEERCRED */
	uint32_t pid;
};

enum board_keep_kind {
	BOARD_KEEP_DMA		= 1,	/* memory map: @key the address, @length, @offset into the file, @prot */
	BOARD_KEEP_IRQ		= 2,	/* eventfd of vector @key */
};

struct board_keep {
	uint32_t kind;
	uint32_t prot;		/* PROT_READ | PROT_WRITE */
	uint64_t key;
	uint64_t length;
	uint64_t offset;
};

/* Bytes of a validation's attributes at most */
#define BOARD_VALIDATION_MAX	4096

/**
 * enum board_request - on BOARD_STORAGE_FD
 *
 * "Own" means: assigned to the function of the descriptor. The device partition (id 0) belongs to
 * function 0. Requests about a partition that is not the function's own are answered with -ENOENT.
 */
enum board_request {
	BOARD_HELLO		= 1,	/* reply: struct board_hello */
	BOARD_LIST		= 2,	/* reply: struct board_partition[]; function 0 sees all, others their own */
	BOARD_OPEN		= 3,	/* own; request: id; reply: struct board_open, then the header blob */
	BOARD_ROWS		= 4,	/* own; request: struct board_rows; reply: rows, struct board_row + blob each */
	BOARD_COMMIT		= 5,	/* own; request: struct board_commit ...; reply: struct board_committed */
	BOARD_POLICY		= 6,	/* own, function 0: any; request: id; reply: the policy's bytes, none: there is none */

	/*
	 * reply: attributes, in the form of templates on the wire, of the validation that the board was
	 * told of; none: no validation
	 */
	BOARD_VALIDATION	= 7,

	/*
	 * own; request: id; reply: struct board_alias, then for each algorithm that the board's libcrypto has
	 * struct board_chain and certificates
	 */
	BOARD_ALIAS		= 32,
	/*
	 * own; request: id; reply: struct board_ladder, the key that the storage key is to be wrapped under
	 * now; -EALREADY: it is
	 */
	BOARD_LADDER		= 58,

	/*
	 * own; request: struct board_retire, then a signed document. The partition is destroyed as by BOARD_PARTITION_DESTROY, and the
	 * document kept in its place and the event for the device's log, in one step.
	 */
	BOARD_RETIRE		= 54,

	/* function 0 only */
	BOARD_RECEIPT		= 55,	/* request: id of a partition that was retired; reply: the document */
	/* request: struct board_device; reply: a certificate request (PKCS#10, DER) for the device's key */
	BOARD_DEVICE_REQUEST	= 33,
	/*
	 * request: struct board_device, then certificates (DER, one behind the other), the device's first; none: back
	 * to the self-signed one. -EKEYREJECTED: not for the device's key, or not one that can certify aliases
	 */
	BOARD_DEVICE_INSTALL	= 34,
	/*
	 * request: struct board_partition (id zero: the board draws one), then the policy's bytes;
	 * reply: struct board_partition
	 */
	BOARD_PARTITION_CREATE	= 16,
	BOARD_PARTITION_ASSIGN	= 17,	/* request: struct board_partition: id and function; moved off its former function */
	BOARD_PARTITION_DESTROY	= 18,	/* request: id. Crypto-erase: its wrapping secret is gone and the storage root rotated */
	BOARD_CLAIM		= 19,	/* request: claim code bytes; reply empty, -EACCES when wrong, -EALREADY when claimed */
	BOARD_COUNTER		= 20,	/* reply: uint64_t, the fuse counter */
	/* request: struct board_partition: name, flags and quotas by id; then the policy's bytes */
	BOARD_STAGE		= 22,	/* request: struct board_stage, bytes with IHSM_STAGE_WRITE; reply empty */
	BOARD_PARTITION_UPDATE	= 21,

	/*
	 * function 0 only; reply: struct board_event[], those that wait for the log, serials ascending. They stay as
	 * they are until BOARD_EVENTS_TAKEN; what comes later has serials of its own.
	 */
	BOARD_EVENTS		= 40,
	BOARD_EVENTS_TAKEN	= 41,	/* function 0 only; request: uint64_t: the log has those up to this serial */
	/* any function; request: struct board_event, its event a self-test's; the board says which function */
	BOARD_REPORT		= 42,
	/*
	 * own; request: struct board_log_head, then, of the device's log, the signed head (hsm/audit.h) or nothing: what
	 * the sideband tells of the log until a commit says otherwise
	 */
	BOARD_LOG_HEAD		= 43,

	/* state of the board: any function */
	BOARD_SENSORS		= 44,	/* reply: struct board_sensor[] */
	BOARD_CONDITION		= 45,	/* reply: struct board_condition */
	/* function 0 only; after either but the last all firmware starts anew */
	BOARD_LIFECYCLE		= 46,	/* request: uint32_t, the next enum hsm_lifecycle; -EINVAL: no way leads there */
	BOARD_RECOVER		= 47,	/* after tampering, or with an old copy; -EALREADY: nothing to recover from */
	BOARD_ACCEPT		= 48,	/* request: id; its rows are taken as they are, once */

	/* request: struct board_grant; function 0 only */
	BOARD_GRANT		= 50,
	/* own; request: struct board_grant, its seconds zero; -ENOENT: there is none. It is used up. */
	BOARD_GRANT_TAKE	= 51,
	BOARD_FIRMWARE		= 59,	/* reply: struct board_update, then struct board_firmware[] */
	/*
	 * request: measurement; what is known to the board with that measurement follows the firmware that
	 * runs. Answered when it has passed its self-tests; then this process, too, is stopped.
	 */
	BOARD_ACTIVATE		= 60,
	BOARD_MINIMUM		= 61,	/* request: uint32_t, the least security version from now on */
};

/* struct board_retire - @event: HSM_AUDIT_MIGRATED_OUT, or HSM_AUDIT_MIGRATION_CANCELLED when nothing ever came */
struct board_retire {
	uint8_t partition[PARTITION_ID_SIZE];
	uint32_t event;
	uint32_t reserved;
};

#define BOARD_EVENTS_MAX 64
#define BOARD_EVENT_TEXT 64

/**
 * struct board_event - something that happened to the board, for the device's log
 * @serial: from 1 without a gap since the board's database was made; none is used twice
 * @first, @last: when, milliseconds since 1970
 * @event: enum hsm_audit_event
 * @count: how often
 * @function: whose firmware
 * @number: as the event's record has it
 * @partition: that it happened to; zeros: to none
 * @version, @measurement: of firmware; zeros: the event is not about any
 * @detail: for people, NUL-padded
 */
struct board_event {
	uint64_t serial;
	uint64_t first;
	uint64_t last;
	uint32_t event;
	uint32_t count;
	uint32_t function;
	uint32_t number;
	uint32_t version;
	uint32_t reserved;
	uint8_t partition[PARTITION_ID_SIZE];
	uint8_t measurement[48];
	char detail[BOARD_EVENT_TEXT];
};

/* struct board_hello.flags */
#define BOARD_HELLO_EMBEDDED		(1U << 0)	/* a user's own directory: its owner is the officer */
#define BOARD_HELLO_CLAIMED		(1U << 1)
#define BOARD_HELLO_ROLLBACK_SAFE	(1U << 2)	/* fuses lie outside the state directory */
#define BOARD_HELLO_SECRET_SAFE		(1U << 3)	/* the fuse secret is held by a TPM or system credential */
#define BOARD_HELLO_APPROVED		(1U << 4)	/* approved mode: approved algorithms, in an unvalidated build */
#define BOARD_HELLO_TAMPERED		(1U << 7)	/* a sensor tripped: the partitions are gone */
#define BOARD_HELLO_STALE		(1U << 8)	/* an old copy of the state: officers may accept it, nobody is served */
#define BOARD_HELLO_RECOVERED		(1U << 9)	/* an old copy was accepted at some time */

#define BOARD_HELLO_TRIAL		(1U << 16)	/* on trial: end, do not serve, when a self-test fails */

struct board_hello {
	uint32_t flags;
	uint32_t function;
	uint32_t functions;
	uint32_t security_version;
	uint8_t board_id[BOARD_ID_SIZE];
	char serial[32];
	uint8_t measurement[48];	/* SHA-384 over the firmware bundle's manifest */
	char version[32];		/* of that manifest */
	uint32_t dma_bits;		/* address width to report, 32 to 64 */
	uint32_t max_queues;		/* I/O queue pairs of a controller */
	uint32_t incarnation;		/* counts starts of this function's firmware process, from 1 */
	uint32_t spin_us;		/* bound of spinning, 0: never spin */
	uint32_t lifecycle;		/* enum hsm_lifecycle */
	uint32_t sensors;		/* how many BOARD_SENSORS tells of */
	uint32_t min_security_version;	/* of firmware that the fuses let run, when this process began */
};

/**
 * struct board_condition - what happened to the board in its life
 * @lifecycle: enum hsm_lifecycle
 * @flags: BOARD_HELLO_*
 * @tamper: sensors that tripped the last time, 1 << place in the list
 * @tampers: how often
 * @recoveries: old copies that officers accepted as the present state
 * @erased_partitions: that the last erase of the whole board destroyed
 * @erased: fuse counter after that erase, 0: never
 * @erased_time: of that erase, seconds since 1970
 * @counter: fuse counter
 */
struct board_condition {
	uint32_t lifecycle;
	uint32_t flags;
	uint32_t tamper;
	uint32_t tampers;
	uint32_t recoveries;
	uint32_t erased_partitions;
	uint64_t erased;
	uint64_t erased_time;
	uint64_t counter;
};

/* One sensor; kind, flags and units as in struct ihsm_sensor */
struct board_sensor {
	uint32_t kind;
	uint32_t flags;
	int32_t value;
	int32_t min;
	int32_t max;
	char label[16];
};

/* struct board_partition.flags: the profile, at most one; neither: compatible */
#define BOARD_PARTITION_STRICT		(1U << 0)
#define BOARD_PARTITION_LEGACY		(1U << 1)

/*
 * What a partition's policy has beside flags and quotas, as bytes that the firmware writes and reads. The board keeps
 * them with their hash in its root record and understands none.
 */
#define BOARD_POLICY_MAX	32768

struct board_partition {
	uint8_t id[PARTITION_ID_SIZE];
	char name[BOARD_NAME_MAX];	/* the officer's name for it, UTF-8, NUL-padded */
	uint32_t function;		/* 0: assigned to none (function 0 owns only the device partition) */
	uint32_t flags;
	uint32_t slot;			/* stable PKCS#11 slot number, unique on the board, never used again */
	uint32_t max_objects;		/* quotas, kept by the firmware; 0: the board's default has been filled in */
	uint32_t max_sessions;
	uint32_t max_bytes;
};

/**
 * struct board_open - what a function's process gets of its own partition
 * @key: KDF(ladder key and the partition's wrapping secret, id, generation). It unwraps the storage
 *	key; the board never sees that.
 * @generation: moves on when the wrapping secret is made anew
 * @counter: the header's counter that the board's root record vouches for. A header with this
 *	number is current, one with this number + 1 an interrupted commit, every other an old copy.
 * @header_length: bytes of the header blob that follow; 0: the partition is new
 * @rows: rows in storage
 * @flags: BOARD_OPEN_ACCEPT: an officer has accepted the rows as they are. The next commit with
 *	BOARD_COMMIT_ADVANCE ends that.
 */
struct board_open {
	struct board_partition partition;
	uint8_t key[BOARD_KEY_SIZE];
	uint64_t generation;
	uint64_t counter;
	uint32_t header_length;
	uint32_t rows;
	uint32_t flags;
	uint32_t reserved;
};

#define BOARD_OPEN_ACCEPT		(1U << 0)

/* Rows with an id above @after, in ascending order, as many as fit; none: the end. */
struct board_rows {
	uint8_t partition[PARTITION_ID_SIZE];
	uint64_t after;
};

struct board_row {
	uint64_t id;
	uint32_t length;
	uint32_t reserved;
};

/**
 * struct board_alias - what a function's process gets to attest with
 * @cdi: KDF of the device's secret, what was measured and the function: the aliases' keys come from it (hsm/dice.h)
 */
struct board_alias {
	uint8_t cdi[BOARD_KEY_SIZE];
};

/**
 * struct board_chain - certificates of one algorithm
 * @algorithm: enum hsm_dice_algorithm
 * @length: bytes of certificates that follow, DER, one behind the other: the alias's for the partition, the device's,
 *	and what else was installed with that
 */
struct board_chain {
	uint32_t algorithm;
	uint32_t length;
};

/* struct board_device - @algorithm: enum hsm_dice_algorithm */
struct board_device {
	uint32_t algorithm;
};

#define BOARD_DEVICE_CHAIN_MAX	(48 * 1024)	/* certificates that can be installed for one algorithm */

/* struct board_commit.flags */
#define BOARD_COMMIT_ADVANCE		(1U << 0)	/* move the fuse counter and this header's counter on by one */
/* with ADVANCE: the header's storage key is wrapped under the key of BOARD_LADDER for version @ladder */
#define BOARD_COMMIT_LADDER		(1U << 1)

/**
 * struct board_commit - one transaction: a new header and the rows that change with it
 * @header_length: bytes of the header blob, which follows this structure; must not be 0
 * @changes: number of struct board_change, which follow the header, each with its blob
 * @ladder: with BOARD_COMMIT_LADDER its security version, else zero; -ESTALE: it is another one now
 * @sequence, @head: last record of the audit log and its hash, for the sideband; zeros: there is none
 *
 * On disk when answered with status 0, or, with any other status, not done at all.
 */
struct board_commit {
	uint8_t partition[PARTITION_ID_SIZE];
	uint32_t flags;
	uint32_t header_length;
	uint32_t changes;
	uint32_t ladder;
	uint64_t sequence;
	uint8_t head[48];
};

/* struct board_log_head - where a log stands, as in struct board_commit */
struct board_log_head {
	uint8_t partition[PARTITION_ID_SIZE];
	uint64_t sequence;
	uint8_t head[48];
};

#define BOARD_SIGNED_HEAD_MAX (48 * 1024)

/* @length 0: the row is deleted */
struct board_change {
	uint64_t id;
	uint32_t length;
	uint32_t reserved;
};

/*
 * Rows with ids from here on are the partition's audit log. They do not count for max_bytes, but have this much of their
 * own at most; what the log really gets is in the policy.
 */
#define BOARD_AUDIT_ROWS	(1ULL << 63)
#define BOARD_AUDIT_MAX		(20U << 20)

struct board_committed {
	uint64_t counter;	/* the header's counter after the commit */
};

/* struct board_ladder - as struct board_open has it, for firmware of @security_version */
struct board_ladder {
	uint32_t security_version;
	uint8_t key[BOARD_KEY_SIZE];
};

enum board_update_phase {
	BOARD_UPDATE_NONE	= 0,	/* none since the board's start */
	BOARD_UPDATE_RUNS	= 1,
	BOARD_UPDATE_DONE	= 2,
	BOARD_UPDATE_FAILED	= 3,	/* the former firmware runs on */
};

/**
 * struct board_update - the last update
 * @phase: enum board_update_phase
 * @minimum: least security version, by the fuses
 * @rung: highest security version that has used a partition; nothing lower can be activated
 * @text: what was wrong, NUL-padded
 */
struct board_update {
	uint32_t phase;
	uint32_t minimum;
	uint32_t rung;
	uint32_t reserved;
	char text[224];
};

/* struct board_firmware.place */
enum board_place {
	BOARD_PLACE_INSTALLED	= 0,	/* the directory that came with the board's program */
	BOARD_PLACE_A		= 1,
	BOARD_PLACE_B		= 2,
	BOARD_PLACE_STAGED	= 3,	/* taken in, in neither slot yet */
	BOARD_PLACES
};

/* struct board_firmware.flags */
#define BOARD_FIRMWARE_ACTIVE		(1U << 0)	/* what the board starts */
#define BOARD_FIRMWARE_RUNNING		(1U << 1)
#define BOARD_FIRMWARE_PROVEN		(1U << 2)	/* it has run: the board may fall back to it */
#define BOARD_FIRMWARE_BAD		(1U << 3)	/* its manifest does not verify; nothing below is known */
#define BOARD_FIRMWARE_DEVELOPMENT	(1U << 4)	/* signed with development keys */
#define BOARD_FIRMWARE_REFUSED		(1U << 5)	/* the vendor's, but not for this board any more */

/* struct board_firmware - firmware that the board knows, by its manifest */
struct board_firmware {
	uint32_t place;
	uint32_t flags;
	uint32_t security_version;
	uint32_t reserved;
	char version[32];
	uint8_t measurement[48];
};

/**
 * struct board_grant - an officer's consent to one command of a partition, on its way from function 0 to the partition's
 * @digest: SHA-384 of what was approved (hsm/approval.h)
 * @seconds: that it is good for
 *
 * Kept in memory: after a restart of the board it has to be given again.
 */
struct board_grant {
	uint8_t partition[PARTITION_ID_SIZE];
	uint8_t digest[48];
	uint32_t seconds;
	uint32_t reserved;
};

/**
 * struct board_stage - a step in taking a firmware image; function 0 only
 * @step: enum ihsm_stage
 * @number: total bytes with IHSM_STAGE_BEGIN, offset with IHSM_STAGE_WRITE, else zero
 *
 * -EINVAL: out of order, or longer than was said. The image is neither checked nor run.
 */
struct board_stage {
	uint32_t step;
	uint32_t number;
};

/**
 * struct transport_record - what a successor needs of a connection, in a memfd that both map
 *
 * Written by the firmware before each reply on the socket. No payload and no key is ever in it. The
 * board only keeps it. A successor treats it as untrusted: its predecessor may have been broken.
 * @phase: enum transport_phase
 * @header: the vfio-user message being handled, as it came
 * @remaining: bytes of it that have not been read yet
 * @sent: bytes of the reply that have been sent
 * @config: PCI configuration space
 * @registers: BAR 0 registers up to the doorbells
 * @epoch: of the controller
 */
struct transport_record {
	uint32_t magic;
	uint32_t phase;
	uint8_t header[16];
	uint32_t remaining;
	uint32_t sent;
	uint32_t reply_length;
	uint32_t version_done;
	uint32_t epoch;
	uint32_t reserved[5];
	uint8_t registers[64];
	uint8_t config[4096];
};

#define TRANSPORT_RECORD_MAGIC	0x52545348U	/* "HSTR" */

enum transport_phase {
	TRANSPORT_IDLE		= 0,
	TRANSPORT_READING	= 1,
	TRANSPORT_HANDLING	= 2,
	TRANSPORT_REPLYING	= 3,
};

_Static_assert(sizeof(struct board_message) == 16, "board_message");
_Static_assert(sizeof(struct transport_record) <= BOARD_RECORD_SIZE, "transport_record");

#endif /* HSM_BOARD_H */
