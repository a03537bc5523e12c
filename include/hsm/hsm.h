/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhsm: the way from a program to a partition of an integrated HSM. A thin library: it finds the
 * device, opens an authenticated and encrypted channel, and carries commands (hsm/operations.h) and
 * their fields (hsm/wire.h). It decides nothing that protects a key; the device does.
 *
 * Threads: every call may be made from any thread, but one request belongs to one thread at a time.
 * Fork: a child must not use what its parent opened; every call then returns -ECHILD, and closing
 * frees only memory.
 */
#ifndef HSM_HSM_H
#define HSM_HSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert	/* which C++ calls so */
#endif

#include <hsm/operations.h>
#include <hsm/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HSM_API __attribute__((visibility("default")))

struct hsm_device;
struct hsm_channel;
struct hsm_request;

/* Which layer an error comes from */
enum hsm_layer {
	HSM_LAYER_NONE		= 0,
	HSM_LAYER_CONFIG	= 1,	/* HSM_DEVICE, hsm.conf, arguments */
	HSM_LAYER_SYSTEM	= 2,	/* files, sockets, memory */
	HSM_LAYER_TRANSPORT	= 3,	/* vfio-user, driver, rings */
	HSM_LAYER_DEVICE	= 4,	/* the device answered with a status; see @device_status */
	HSM_LAYER_CHANNEL	= 5,	/* handshake, identity, sealed messages */
	HSM_LAYER_COMMAND	= 6,	/* the command was executed and answered with @rv */
};

/**
 * struct hsm_error - what went wrong, where
 * @error: negative errno
 * @layer: enum hsm_layer
 * @device_status: enum ihsm_status, with HSM_LAYER_DEVICE
 * @rv: CKR_ number, with HSM_LAYER_COMMAND
 * @text: one line for a person: what was wrong, and what to do
 */
struct hsm_error {
	int error;
	unsigned int layer;
	unsigned int device_status;
	uint64_t rv;
	char text[256];
};

/**
 * struct hsm_device_info - identity and state of a device, as the transport tells it
 * Not authenticated: what counts is what the channel proves.
 */
struct hsm_device_info {
	char name[256];		/* as opened */
	char serial[33];
	char model[41];
	char firmware[33];
	uint8_t board_id[16];
	uint8_t measurement[48];
	uint32_t version;
	uint32_t security_version;
	uint32_t min_security_version; /* of firmware that the board lets run; 0: not told */
	uint32_t function;
	uint32_t functions;
	uint32_t partitions;
	uint32_t state;		/* enum ihsm_device_state */
	uint32_t flags;		/* IHSM_IDENTIFY_* */
	uint32_t class_ms[IHSM_TIME_CLASSES];
};

struct hsm_partition_info {
	uint8_t id[HSM_PARTITION_ID_SIZE];
	uint32_t slot;
	uint32_t flags;
	uint32_t changes;	/* moves on when the token is initialized or zeroized */
	char name[65];
};

/* hsm_open() flags */
#define HSM_OPEN_ADMIN		(1U << 0)	/* function 0 of the board that the name stands for */
#define HSM_OPEN_NO_START	(1U << 1)	/* embedded: fail with -ENODEV when no board runs */

/**
 * hsm_default_devices - names of the devices to use when the user named none
 * @names: set to an array of strings ended by NULL; free it with hsm_free_names()
 * @error: filled in on failure, may be NULL
 *
 * HSM_DEVICE (names separated by commas), else the `device` lines of hsm.conf ($HSM_CONF,
 * $XDG_CONFIG_HOME/hsm/hsm.conf, /etc/hsm/hsm.conf), else every /dev/ihsm*.
 * Return: number of names, or -EINVAL when the configuration is wrong.
 */
HSM_API int hsm_default_devices(char ***names, struct hsm_error *error);
HSM_API void hsm_free_names(char **names);

#define HSM_CONFIG_PATH_SIZE	4096

/**
 * hsm_config_check - is hsm.conf, as this process would read it, right as a whole?
 * @path: set to the file that was read, "" when there is none
 * @error: filled in on failure, may be NULL
 *
 * Beyond its lines: names of devices, and the files of certificates and keys that it names. No device is
 * opened. Return: number of device sections, -EINVAL when something is wrong, or what reading gave.
 */
HSM_API int hsm_config_check(char path[HSM_CONFIG_PATH_SIZE], struct hsm_error *error);

/**
 * hsm_open - open a device
 * @name: /dev/ihsmN, vfio-user:SOCKET, vhsm:DIR or vhsm:DIR,function=N; NULL: the first of
 *	hsm_default_devices()
 * @flags: HSM_OPEN_*
 * @device: set on success; close it with hsm_close()
 * @error: filled in on failure, may be NULL
 *
 * `vhsm:DIR` starts a virtual HSM for that directory when none runs (program: $HSM_VHSM, else the
 * installed one).
 * Return: 0, -EINVAL for a name that cannot be understood, -ENODEV when there is no device,
 * -EACCES, -ENOMEM, -EIO.
 */
HSM_API int hsm_open(const char *name, unsigned int flags, struct hsm_device **device, struct hsm_error *error);

/* hsm_close - close a device and free it; its channels must have been closed. NULL is allowed. */
HSM_API void hsm_close(struct hsm_device *device);

/* hsm_device_info - what the device says of itself. Return: 0 or a negative errno. */
HSM_API int hsm_device_info(struct hsm_device *device, struct hsm_device_info *info, struct hsm_error *error);

/**
 * hsm_partitions - list the partitions of the device's function
 * @list: room for *@count entries, may be NULL when *@count is 0
 * @count: in: room; out: the number of partitions
 *
 * Not authenticated: the channel to a partition proves its id.
 * Return: 0, -ENOSPC when the room was too small (*@count then says how many), or a negative errno.
 */
HSM_API int hsm_partitions(struct hsm_device *device, struct hsm_partition_info *list, size_t *count,
			   struct hsm_error *error);

/**
 * hsm_connect - open the channel to a partition
 * @device: open device, must outlive the channel
 * @partition: id; all zeros: the device's own partition on function 0
 * @channel: set on success; close it with hsm_disconnect()
 *
 * Runs the TLS handshake and checks the identity against hsm.conf, or pins it on first use where
 * the socket is the caller's own. Return: 0, -EKEYREJECTED when the identity is not the expected
 * one, -ENODEV, -EPROTO, -EIO.
 */
HSM_API int hsm_connect(struct hsm_device *device, const uint8_t partition[HSM_PARTITION_ID_SIZE],
			struct hsm_channel **channel, struct hsm_error *error);

/* hsm_disconnect - close a channel with all its sessions, and free it. NULL is allowed. */
HSM_API void hsm_disconnect(struct hsm_channel *channel);

/**
 * hsm_channel_generation - how often the channel was replaced with loss of its sessions
 *
 * A caller that sees another number than before has to open its sessions and log in anew. A planned
 * replacement, which carries sessions over, does not count.
 */
HSM_API unsigned int hsm_channel_generation(struct hsm_channel *channel);

#define HSM_IDENTITY_SIZE	32

/**
 * hsm_channel_identity - who the other end of the channel has proven to be
 * @identity: set to SHA-256 of the SubjectPublicKeyInfo in the partition's certificate, as a `pin` in hsm.conf has it
 *
 * Return: 0, or -ECONNRESET when the channel is lost and has not been made anew.
 */
HSM_API int hsm_channel_identity(struct hsm_channel *channel, uint8_t identity[HSM_IDENTITY_SIZE]);

/**
 * hsm_request_new - a request for one command
 * @channel: to send it on
 * @operation: enum hsm_operation
 * @session: device session, 0 where the operation takes none
 *
 * Taken from a pool of the channel. Return: NULL when out of memory; otherwise free it with
 * hsm_request_free().
 */
HSM_API struct hsm_request *hsm_request_new(struct hsm_channel *channel, enum hsm_operation operation, uint32_t session);

/*
 * hsm_request_free - wipe a request and give it back. NULL is allowed. A submitted request is
 * completed first.
 */
HSM_API void hsm_request_free(struct hsm_request *request);

/**
 * hsm_request_writer - where the request's fields are written with hsm_put_*() of hsm/wire.h
 *
 * The first failure sticks in the writer, and hsm_call() or hsm_submit() reports it.
 */
HSM_API struct hsm_writer *hsm_request_writer(struct hsm_request *request);

/**
 * hsm_call - send a request and wait for its response
 * @request: with its fields written
 * @error: filled in on failure, may be NULL
 *
 * Return: 0 when the command was executed, whatever it answered: see hsm_request_rv(). -ECONNRESET
 * when the channel was lost and the command must not be repeated: it may or may not have been
 * executed. -ETIMEDOUT, -ENODEV, -EIO, -EMSGSIZE, -ECHILD.
 */
HSM_API int hsm_call(struct hsm_request *request, struct hsm_error *error);

/**
 * hsm_submit - send a request without waiting
 * Return: 0, or a negative errno; on success the request is collected by hsm_wait() or hsm_poll().
 */
HSM_API int hsm_submit(struct hsm_request *request, struct hsm_error *error);

/* hsm_wait - wait for a submitted request. Return: as hsm_call(). */
HSM_API int hsm_wait(struct hsm_request *request, struct hsm_error *error);

/*
 * hsm_poll - has a submitted request ended? Return: 1 (then hsm_wait() does not block), 0, or a
 * negative errno.
 */
HSM_API int hsm_poll(struct hsm_request *request);

/**
 * hsm_poll_fd - descriptor that becomes readable when submitted requests of the device may have
 * ended
 *
 * For event loops: after it was readable, ask each request with hsm_poll(); before waiting on it
 * again, call hsm_poll_arm() and ask once more. The descriptor stays the library's own.
 */
HSM_API int hsm_poll_fd(struct hsm_device *device);
HSM_API int hsm_poll_arm(struct hsm_device *device);

/**
 * hsm_wait_events - wait until something happens to the partitions of some devices
 * @devices, @count: open devices
 * @wake: descriptor that ends the wait when it is readable, -1: none
 * @timeout_ms: -1: no limit
 *
 * By one thread at a time. Return: 1 when hsm_partitions() may have something new to tell of one of the
 * devices, or one was lost; 0 when not; -ECHILD, -ENOMEM.
 */
HSM_API int hsm_wait_events(struct hsm_device *const *devices, size_t count, int wake, int timeout_ms);

/* hsm_request_rv - CKR_ number of the response */
HSM_API uint64_t hsm_request_rv(const struct hsm_request *request);

/*
 * hsm_request_approved - was the command an approved service? False outside of approved mode. That says which algorithms
 * were used, not that the device was validated.
 */
HSM_API bool hsm_request_approved(const struct hsm_request *request);

/*
 * hsm_request_again - a signature was begun, and nothing was used up by that: beginning another one alike will go as
 * well until something about the key, the login or the policy changes
 */
HSM_API bool hsm_request_again(const struct hsm_request *request);

/* hsm_request_session - session in the response, for SESSION_OPEN */
HSM_API uint32_t hsm_request_session(const struct hsm_request *request);

/* hsm_request_fields - the response's fields; they live until the request is freed or sent again */
HSM_API const struct hsm_fields *hsm_request_fields(const struct hsm_request *request);

#define HSM_EVIDENCE_ROOM	65536	/* bytes that any evidence fits */

/**
 * struct hsm_attest_request - what evidence is asked for
 * @kind: enum hsm_evidence_kind
 * @session, @key: with HSM_EVIDENCE_KEY: a session of the channel and a key's handle
 * @nonce: of whoever will verify it, 8 to 64 bytes; NULL: none, then nothing shows when the evidence was made
 * @binding: 1 to 64 bytes to be bound to it; NULL: none
 */
struct hsm_attest_request {
	unsigned int kind;
	uint32_t session;
	uint64_t key;
	const void *nonce;
	size_t nonce_length;
	const void *binding;
	size_t binding_length;
};

/**
 * hsm_attest - have the device say, signed, what it is, what the channel's partition is, or what a key is
 * @evidence: room for *@length bytes; gets a COSE_Sign message (Documentation/attestation.rst)
 * @length: in: room; out: bytes
 *
 * The library does not verify it: that is for whoever the evidence is meant for, see hsm-verify(1).
 * Return: 0; -EACCES when the device refused (the layer is HSM_LAYER_COMMAND, and rv says why); -ENOSPC when the room
 * was too small (*@length then says how much); or as hsm_call().
 */
HSM_API int hsm_attest(struct hsm_channel *channel, const struct hsm_attest_request *request, void *evidence,
		       size_t *length, struct hsm_error *error);

/* hsm_layer_name - "transport", "device", ... for messages */
HSM_API const char *hsm_layer_name(unsigned int layer);

/* hsm_library_version - "0.1.0" */
HSM_API const char *hsm_library_version(void);

#ifdef __cplusplus
}
#endif

#endif /* HSM_HSM_H */
