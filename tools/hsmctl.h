/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmctl from inside. hsmctl.c has the table of verbs and the options, hsmctl-device.c,
 * hsmctl-partition.c, hsmctl-policy.c, hsmctl-pin.c, hsmctl-user.c, hsmctl-officer.c, hsmctl-approval.c and
 * hsmctl-driver.c the verbs, hsmctl-link.c opens devices,
 * channels and sessions, hsmctl-secret.c reads PINs, hsmctl-output.c writes results and errors, as tool-output.c
 * does for all tools.
 *
 * A verb builds one JSON object in struct ctl.result. output() prints it as it is with
 * --json, else as a table; there is no second place that knows what a verb tells.
 */
#ifndef HSMCTL_H
#define HSMCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include <hsm/approval.h>
#include <hsm/hsm.h>
#include <hsm/policy.h>
#include "tool-output.h"

/* Exit statuses: X(name, number, meaning); --help prints them, and hsmctl(1) has them in the same words */
#define CTL_EXITS(X) \
	X(OK,		0, "done") \
	X(REFUSED,	1, "refused, or not as it should be: by the device, the policy, or a check") \
	X(USAGE,	2, "usage, configuration, a file, or a PIN that could not be read") \
	X(DEVICE,	3, "no such device or partition, or the way to it is broken") \
	X(CHANNEL,	4, "the device's identity is not the expected one, or the channel to it failed")

#define CTL_EXIT(name, number, meaning) CTL_##name = (number),
enum ctl_exit { CTL_EXITS(CTL_EXIT) };
#undef CTL_EXIT

/* A function cannot have more: the answer to discovery is one field (commands.rst). */
#define PARTITIONS_MAX (HSM_DATA_MAX / sizeof(struct hsm_partition_record))

#define SECRET_MAX 255 /* longest PIN that a command can carry */

/* struct secret - a PIN or claim code; wiped by secret_clear() */
struct secret {
	size_t length;
	char text[SECRET_MAX + 1];
};

/**
 * struct secret_source - where a secret comes from; nothing set: the terminal
 * @prompt: what to ask for, also the name in messages
 * @option: first word of its options, for messages
 * @confirm: a new secret: asked twice
 */
struct secret_source {
	const char *prompt;
	const char *option;
	const char *file;
	const char *fd;
	const char *credential;
	bool confirm;
};

/*
 * What was said on the command line. A verb is only run when every option given is one of its own.
 */
struct ctl {
	const char *device;
	const char *color;
	const char *partition;
	const char *role;
	const char *label;
	const char *function;
	const char *profile;
	const char *policy[HSM_POLICY_VALUES];
	const char *mechanisms;
	const char *mechanisms_file;
	const char *blob[HSM_POLICY_BLOBS];
	const char *request;
	const char *approval[HSM_APPROVALS_MAX + 1];
	size_t approvals;
	const char *opening;
	const char *certificates;
	const char *key;
	const char *output;
	const char *to;
	const char *threshold;
	const char *migration_roots;
	const char *migration_measurements;
	const char *client_roots;
	const char *name;
	const char *user;
	const char *as;
	const char *sideband;
	const char *batch;
	const char *interval;
	const char *nonce;
	const char *from;
	const char *format;
	const char *binding;
	const char *key_label;
	const char *key_id;
	const char *key_class;
	struct secret_source pin;
	struct secret_source new_pin;
	struct secret_source code;
	struct secret_source token_pin;
	bool json;
	bool yes;
	bool relax;
	bool ml_dsa;
	bool chain;
	bool dry_run;
	bool no_wrap;
	bool deep;
	bool http;
	bool once;
	bool shown; /* the verb has printed itself */
	struct json_object *result;
};

/* struct link - an open way to one partition; zero it first, link_close() takes any state */
struct link {
	struct hsm_device *device;
	struct hsm_channel *channel;
	struct hsm_partition_info partition;
	uint32_t session;
};

/* ---- hsmctl-link.c: each returns enum ctl_exit, having reported what went wrong ---- */

/*
 * link_partitions - list the partitions of @device's function, without the one that is the device
 * itself
 */
int link_partitions(struct ctl *ctl, struct hsm_device *device,
		    struct hsm_partition_info list[PARTITIONS_MAX], size_t *count);

/* link_open - open the device of -d, or the first of the configuration; @flags: HSM_OPEN_* */
int link_open(struct ctl *ctl, unsigned int flags, struct link *link);

/*
 * link_partition - open the device and a channel to the partition named @which; NULL: the only one
 * there is
 */
int link_partition(struct ctl *ctl, const char *which, struct link *link);

/* link_admin - open function 0 and a channel to the device partition, without login */
int link_admin(struct ctl *ctl, struct link *link);

/* link_officer - as link_admin(), then log in as officer unless the channel is one already */
int link_officer(struct ctl *ctl, struct link *link);

/* link_session - open a read-write session in the channel */
int link_session(struct ctl *ctl, struct link *link);

/* link_login - log in: @user is a CKU_ number; @name: with CKU_USER the user with that name, else NULL */
int link_login(struct ctl *ctl, struct link *link, uint64_t user, const char *name, const struct secret *pin);

/* link_officer_login - log in on the channel to the device partition */
int link_officer_login(struct ctl *ctl, struct link *link, const struct secret *pin);

void link_close(struct link *link);

/*
 * link_call - send a request; the answer must be CKR_OK. The caller frees the request in any case.
 */
int link_call(struct ctl *ctl, struct hsm_request *request);

/* link_try - send it, and leave the answer to the caller; link_answer - report an answer that is not CKR_OK */
int link_try(struct ctl *ctl, struct hsm_request *request);
int link_answer(struct ctl *ctl, struct hsm_request *request);

/* struct field - one field of bytes for link_send(); a list ends with tag 0 */
struct field {
	enum hsm_field_tag tag;
	const void *data;
	size_t length;
};

#define SECRET_FIELD(tag, secret) { tag, (secret)->text, (secret)->length }

/* link_send - send a command of byte fields, whose answer holds nothing but its return value */
int link_send(struct ctl *ctl, struct link *link, enum hsm_operation operation,
	      const struct field *fields);

/* link_request - a request on the link's channel and session, NULL (reported) when out of memory */
struct hsm_request *link_request(struct ctl *ctl, struct link *link, enum hsm_operation operation);

/* ---- hsmctl-secret.c ---- */

/*
 * secret_read - read a secret from its source. Return: enum ctl_exit; secret_clear() is due in any
 * case.
 */
int secret_read(struct ctl *ctl, const struct secret_source *source, struct secret *secret);
void secret_clear(struct secret *secret);

/*
 * confirm - ask on the terminal before something is destroyed. Return: CTL_OK when the answer, or
 * --yes, is yes.
 */
int confirm(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* confirm_result - show what the result holds so far, then ask; in text the result begins anew afterwards */
int confirm_result(struct ctl *ctl, const char *question);

/* ---- hsmctl-output.c ---- */

/* fail - report an error of hsmctl's own. Return: @code */
int fail(struct ctl *ctl, enum ctl_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* fail_hsm - report an error of libhsm. Return: the exit code that suits its layer */
int fail_hsm(struct ctl *ctl, const struct hsm_error *error);

/* fail_rv - report that the device refused a command. Return: CTL_REFUSED */
int fail_rv(struct ctl *ctl, uint64_t rv);

/* fail_wait - likewise, where it says after how many milliseconds to try again */
int fail_wait(struct ctl *ctl, uint64_t rv, uint64_t wait);

/* refusal_text - what a CKR_ code means, with its name or number first */
void refusal_text(uint64_t rv, char *text, size_t size);

/*
 * output - print ctl->result. Return: CTL_OK, or CTL_DEVICE when standard output cannot be written
 */
int output(struct ctl *ctl);

/* write_file - a whole file or none: a reader never sees half of one. Return: enum ctl_exit */
int write_file(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length);
/* ---- hsmctl-user.c ---- */

/*
 * link_open_as - open a session in which the SO, or who --as names, is logged in; @new_pin: read a new PIN as well. Return: enum
 * ctl_exit
 */
int link_open_as(struct ctl *ctl, struct link *link, struct secret *new_pin);

/* ---- hsmctl-device.c ---- */

/* state_name - of an enum ihsm_device_state */
const char *state_name(uint32_t state);

/* ---- hsmctl-policy.c ---- */

/* policy_options - the options of a policy as fields of a request. Return: enum ctl_exit */
int policy_options(struct ctl *ctl, struct hsm_writer *writer);

/* ---- hsmctl-partition.c ---- */

/* partition_id - id of the partition @which, for an officer's link. Return: enum ctl_exit */
int partition_id(struct ctl *ctl, struct link *link, const char *which, uint8_t id[HSM_PARTITION_ID_SIZE]);

/* ---- hsmctl-migration-policy.c: where a partition may move, in a policy; likewise ---- */

int migration_options(struct ctl *ctl, struct hsm_writer *writer);

/* ---- hsmctl-attest.c ---- */

#define NONCE_MAX 64 /* as the fields NONCE and BINDING */

/* take_hex - the argument of --@option: @least to NONCE_MAX bytes. Return: enum ctl_exit */
int take_hex(struct ctl *ctl, const char *option, const char *text, uint8_t *bytes, size_t least,
	     size_t *length);

/* ---- arguments ---- */

/* parse_u64, parse_u32 - a decimal number within so many bits. Return: 0 or -EINVAL */
int parse_u64(const char *text, uint64_t *value);
int parse_u32(const char *text, uint32_t *value);

/* parse_id - a UUID with or without hyphens. Return: 0 or -EINVAL */
int parse_id(const char *text, uint8_t id[HSM_PARTITION_ID_SIZE]);

/*
 * ---- verbs: @args holds the words after the verb, as many as its row asks for, NULL after the
 * last ----
 */

int verb_list(struct ctl *ctl, char **args);
int verb_info(struct ctl *ctl, char **args);
int verb_identity(struct ctl *ctl, char **args);
int verb_config_check(struct ctl *ctl, char **args);
int verb_doctor(struct ctl *ctl, char **args);
int verb_top(struct ctl *ctl, char **args);
int verb_metrics(struct ctl *ctl, char **args);
int verb_status(struct ctl *ctl, char **args);
int verb_self_test(struct ctl *ctl, char **args);
int verb_claim(struct ctl *ctl, char **args);
int verb_partition_create(struct ctl *ctl, char **args);
int verb_partition_list(struct ctl *ctl, char **args);
int verb_partition_show(struct ctl *ctl, char **args);
int verb_partition_update(struct ctl *ctl, char **args);
int verb_partition_assign(struct ctl *ctl, char **args);
int verb_partition_destroy(struct ctl *ctl, char **args);
int verb_partition_import(struct ctl *ctl, char **args);
int verb_partition_receipt(struct ctl *ctl, char **args);
int verb_partition_backup(struct ctl *ctl, char **args);
int verb_partition_restore(struct ctl *ctl, char **args);
int verb_backup_allow(struct ctl *ctl, char **args);
int verb_backup_share(struct ctl *ctl, char **args);
int verb_migrate_status(struct ctl *ctl, char **args);
int verb_migrate_request(struct ctl *ctl, char **args);
int verb_migrate_prepare(struct ctl *ctl, char **args);
int verb_migrate_allow(struct ctl *ctl, char **args);
int verb_migrate_export(struct ctl *ctl, char **args);
int verb_migrate_import(struct ctl *ctl, char **args);
int verb_migrate_finish(struct ctl *ctl, char **args);
int verb_migrate_abort(struct ctl *ctl, char **args);
int verb_migrate_resume(struct ctl *ctl, char **args);
int verb_partition_init(struct ctl *ctl, char **args);
int verb_policy(struct ctl *ctl, char **args);
int verb_user_add(struct ctl *ctl, char **args);
int verb_user_remove(struct ctl *ctl, char **args);
int verb_user_list(struct ctl *ctl, char **args);
int verb_user_pin(struct ctl *ctl, char **args);
int verb_user_unlock(struct ctl *ctl, char **args);
int verb_user_role(struct ctl *ctl, char **args);
int verb_officer_add(struct ctl *ctl, char **args);
int verb_officer_remove(struct ctl *ctl, char **args);
int verb_officer_enroll(struct ctl *ctl, char **args);
int verb_officer_list(struct ctl *ctl, char **args);
int verb_quorum_show(struct ctl *ctl, char **args);
int verb_quorum_set(struct ctl *ctl, char **args);
int verb_approve(struct ctl *ctl, char **args);
int verb_export_keys(struct ctl *ctl, char **args);
int verb_export_trust(struct ctl *ctl, char **args);
int verb_schema(struct ctl *ctl, char **args);
int verb_migrate_softhsm(struct ctl *ctl, char **args);
int verb_pin_set(struct ctl *ctl, char **args);
int verb_pin_init(struct ctl *ctl, char **args);
int verb_audit_status(struct ctl *ctl, char **args);
int verb_audit_show(struct ctl *ctl, char **args);
int verb_audit_export(struct ctl *ctl, char **args);
int verb_audit_release(struct ctl *ctl, char **args);
int verb_attest_device(struct ctl *ctl, char **args);
int verb_device_show(struct ctl *ctl, char **args);
int verb_bmc(struct ctl *ctl, char **args);
int verb_device_statement(struct ctl *ctl, char **args);
int verb_device_lifecycle(struct ctl *ctl, char **args);
int verb_device_recover(struct ctl *ctl, char **args);
int verb_attest_partition(struct ctl *ctl, char **args);
int verb_attest_key(struct ctl *ctl, char **args);
int verb_device_certificate(struct ctl *ctl, char **args);
int verb_device_csr(struct ctl *ctl, char **args);
int verb_device_install(struct ctl *ctl, char **args);
int verb_firmware_status(struct ctl *ctl, char **args);
int verb_firmware_stage(struct ctl *ctl, char **args);
int verb_firmware_activate(struct ctl *ctl, char **args);
int verb_firmware_update(struct ctl *ctl, char **args);
int verb_firmware_minimum(struct ctl *ctl, char **args);
int verb_driver_status(struct ctl *ctl, char **args);
int verb_driver_load(struct ctl *ctl, char **args);
int verb_driver_unload(struct ctl *ctl, char **args);

#endif /* HSMCTL_H */
