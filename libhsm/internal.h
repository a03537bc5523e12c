/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhsm inside: errors, configuration, devices. The other parts have a header each: transport.h
 * (what carries messages), channel.h (what seals them), trust.h (whom to believe).
 *
 * Order of locks: channel.lock, device.lock, then those of the transport (transport.h).
 */
#ifndef LIBHSM_INTERNAL_H
#define LIBHSM_INTERNAL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <hsm/hsm.h>

struct transport;
struct trust;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- error.c ---- */

/**
 * set_error - fill in an error
 * @error: may be NULL
 * @code: negative errno
 * @layer: enum hsm_layer
 * @format: one sentence: what was wrong, and what to do
 *
 * Return: @code, so that callers end with it.
 */
int set_error(struct hsm_error *error, int code, unsigned int layer, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * set_status_error - the error of a completion's status (enum ihsm_status). Return: its
 * negative errno.
 */
int set_status_error(struct hsm_error *error, unsigned int status, const char *what);

/* set_errno_error - a failed system call: "WHAT: reason". Return: -errno. */
int set_errno_error(struct hsm_error *error, unsigned int layer, const char *what);

void clear_error(struct hsm_error *error);

/* ---- guard.c: has this process forked since? ---- */

/**
 * struct guard - a page that the kernel wipes in a child
 * @page: not zero in the process that made it
 */
struct guard {
	volatile uint32_t *page;
};

int guard_init(struct guard *guard);
void guard_destroy(struct guard *guard);

/* guard_forked - are we in a child of the process that called guard_init()? One load. */
static inline bool guard_forked(const struct guard *guard)
{
	return *guard->page == 0;
}

/* ---- names.c ---- */

enum name_kind {
	NAME_DRIVER,		/* /dev/ihsmN */
	NAME_VFIO_USER,		/* vfio-user:SOCKET */
	NAME_EMBEDDED,		/* vhsm:DIR[,function=N] */
};

#define NAME_PATH_MAX 1024

/**
 * struct device_name - a device's name taken apart
 * @path: device file, socket, or state directory; absolute, without a slash at its end
 * @function: with NAME_EMBEDDED, 1 unless given
 */
struct device_name {
	enum name_kind kind;
	unsigned int function;
	char path[NAME_PATH_MAX];
};

/* name_parse - Return: 0, or -EINVAL with a sentence. */
int name_parse(const char *text, struct device_name *name, struct hsm_error *error);

/* name_admin - turn the name into that of function 0 of the same board. Return: 0 or -EINVAL. */
int name_admin(struct device_name *name, struct hsm_error *error);

/*
 * driver_names - append the driver's devices, @directory/ihsmN, in the order of their numbers.
 * Return: 0 or -ENOMEM.
 */
int driver_names(const char *directory, char ***names, unsigned int *count);

/* ---- conf.c: hsm.conf ---- */

#define CONF_PIN_SIZE 32	/* SHA-256 of a public key */

/* struct conf_pin - an identity that is believed: `pin = UUID sha256:HEX` */
struct conf_pin {
	uint8_t partition[HSM_PARTITION_ID_SIZE];
	uint8_t hash[CONF_PIN_SIZE];
	struct conf_pin *next;
};

/* struct conf_list - hashes of one length, one behind the other */
struct conf_list {
	uint8_t *bytes;
	size_t count;
};

/**
 * struct conf_section - settings for all devices, or for one
 * @device: name as in `[device NAME]`; NULL in the section that stands for all
 * @roots: PEM file of roots, or NULL
 * @minimum_version: lowest security version, 0: not given
 * @measurements: SHA-384 each
 * @revoked_devices, @revoked_aliases: SHA-256 each
 * @lifecycle: enum hsm_lifecycle, 0: not given
 * @client_certificate, @client_key: PEM files, or NULL
 */
struct conf_section {
	char *device;
	char *roots;
	struct conf_pin *pins;
	uint32_t minimum_version;
	struct conf_list measurements;
	struct conf_list revoked_devices;
	struct conf_list revoked_aliases;
	uint32_t lifecycle;
	char *client_certificate;
	char *client_key;
	struct conf_section *next;
};

/**
 * struct conf - hsm.conf
 * @path: file that was read, or NULL when there is none
 * @devices: names of `device` lines
 */
struct conf {
	char *path;
	char **devices;
	unsigned int device_count;
	struct conf_section *sections;
};

/**
 * conf_load - read $HSM_CONF, or the user's, or the system's hsm.conf
 *
 * No file is an empty configuration, unless $HSM_CONF names it.
 * Return: 0, -EINVAL naming file and line, -ENOMEM, or what opening the file gave.
 */
int conf_load(struct conf *conf, struct hsm_error *error);

/* conf_parse - the same from text. @path: for messages */
int conf_parse(struct conf *conf, const char *path, const char *text, struct hsm_error *error);
void conf_free(struct conf *conf);

/* conf_find - the section of a device, or NULL. With @device NULL: the one for all. */
const struct conf_section *conf_find(const struct conf *conf, const char *device);

/* ---- uuid.c: text forms ---- */

#define UUID_TEXT_SIZE 37

void uuid_format(const uint8_t id[HSM_PARTITION_ID_SIZE], char text[UUID_TEXT_SIZE]);
int uuid_parse(const char *text, uint8_t id[HSM_PARTITION_ID_SIZE]);
void hex_format(const uint8_t *data, size_t length, char *text);
int hex_parse(const char *text, uint8_t *data, size_t length);

/* ---- device.c ---- */

/**
 * struct hsm_device - an open device
 * @lock: one thread at a time recovers a lost transport
 * @transport: what carries messages; lives as long as the device
 * @links: channels that the device has for us now, as far as we know
 * @trust: whom to believe, with the OpenSSL library context of this device
 */
struct hsm_device {
	struct guard guard;
	pthread_mutex_t lock;
	struct transport *transport;
	atomic_int links;
	struct trust *trust;
	char name[256];
};

/**
 * device_exchange - one message in the clear and its answer (discovery, handshake)
 * @instance: of the transport that the message was made for
 * @request: whole message
 * @response: room for HSM_MESSAGE_MAX bytes
 * @what: for messages
 *
 * Return: bytes of the response, whose header has been checked for kind and length; or a negative
 * errno.
 */
int device_exchange(struct hsm_device *device, uint32_t instance, const uint8_t *request,
		    size_t length, uint8_t *response, const char *what, struct hsm_error *error);

/* device_ready - recover the transport if it was lost. Return: 0 or a negative errno. */
int device_ready(struct hsm_device *device, struct hsm_error *error);

/* message_header - put a clear header in front of @length bytes */
void message_header(uint8_t *message, unsigned int kind, uint32_t channel, uint64_t sequence,
		    size_t length);

#endif /* LIBHSM_INTERNAL_H */
