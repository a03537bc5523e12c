// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs that move a partition to another board, back it up, and restore it. Every step is one verb, whose
 * documents are files: the two boards need not see each other. Documentation/migration.rst tells the order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <hsm/migration.h>
#include <hsm/pkcs11.h>
#include "hsmctl-approval.h"
#include "hsmctl-migrate.h"

/* ---- requests with a document ---- */

/* The device's reason, when it gives one, is what helps. */
int migrate_answer(struct ctl *ctl, struct hsm_request *request)
{
	const uint8_t *reason;
	size_t length;

	reason = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_REASON, &length);
	if (!reason || hsm_request_rv(request) == CKR_OK)
		return approval_answer(ctl, request);
	return fail(ctl, CTL_REFUSED, "refused: %.*s", (int)length, (const char *)reason);
}

static struct hsm_request *request_with(struct ctl *ctl, struct link *link,
					enum hsm_operation operation, const struct file *document)
{
	struct hsm_request *request = link_request(ctl, link, operation);

	if (request && document)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DOCUMENT, document->bytes,
			      document->length);
	return request;
}

/* Write the answer's document to the file of --output. */
static int keep_document(struct ctl *ctl, struct hsm_request *request)
{
	size_t length;
	const uint8_t *bytes =
		hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DOCUMENT, &length);
	int code;

	if (!bytes)
		return fail(ctl, CTL_DEVICE, "the device gave no document");
	code = file_write(ctl, ctl->output, bytes, length);
	if (!code)
		put_string(ctl->result, "output", ctl->output);
	return code;
}

static int send_document(struct ctl *ctl, struct link *link, enum hsm_operation operation,
			 const struct file *document, bool keep)
{
	struct hsm_request *request = request_with(ctl, link, operation, document);
	int code = request ? certificates_put(ctl, hsm_request_writer(request)) : CTL_DEVICE;

	code = code ?: link_try(ctl, request);
	code = code ?: migrate_answer(ctl, request);
	if (!code && keep)
		code = keep_document(ctl, request);
	hsm_request_free(request);
	return code;
}

/* Before the device does what cannot be done twice: there must be room for what it says. */
static int need_output(struct ctl *ctl)
{
	if (!ctl->output)
		return fail(ctl, CTL_USAGE, "--output names the file to write");
	if (!access(ctl->output, F_OK))
		return fail(ctl, CTL_USAGE, "%s: File exists", ctl->output);
	return CTL_OK;
}

static int link_so(struct ctl *ctl, const char *which, struct link *link)
{
	struct secret pin;
	int code = link_partition(ctl, which, link) ?: link_session(ctl, link);

	ctl->pin.prompt = "SO PIN";
	if (code)
		return code;
	code = secret_read(ctl, &ctl->pin, &pin) ?: link_login(ctl, link, CKU_SO, NULL, &pin);
	secret_clear(&pin);
	return code;
}

/* One step on the partition @which: send @path's document, write the answer's */
static int step(struct ctl *ctl, enum hsm_operation operation, const char *which, const char *path,
		bool keep)
{
	struct file document = { 0 };
	struct link link = { 0 };
	int code = keep ? need_output(ctl) : CTL_OK;

	if (!code && path)
		code = file_read(ctl, path, &document);
	if (!code)
		code = link_partition(ctl, which, &link);
	if (!code)
		code = send_document(ctl, &link, operation, path ? &document : NULL, keep);
	link_close(&link);
	file_free(&document);
	return code;
}

/* ---- migration ---- */

int verb_migrate_status(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	uint64_t flags;
	int code = link_partition(ctl, args[0], &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_MIGRATE_STATUS);
		code = request ? link_call(ctl, request) : CTL_DEVICE;
	}
	if (!code) {
		const struct hsm_fields *fields = hsm_request_fields(request);
		const char *phase =
			hsm_migration_phase_name(hsm_fields_u64(fields, HSM_FIELD_PHASE, 0));

		flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
		put_string(ctl->result, "partition", link.partition.name);
		put_string(ctl->result, "phase", phase ?: "unknown");
		put_string(ctl->result, "origin",
			   (flags & 0xff) == HSM_MIGRATION_ORIGIN_RESTORED
				   ? "restored from a backup"
			   : (flags & 0xff) == HSM_MIGRATION_ORIGIN_MOVED ? "moved"
									  : "made here");
		put_bool(ctl->result, "other_copies_possible",
			 (flags & 0xff) == HSM_MIGRATION_ORIGIN_RESTORED ||
				 (flags & HSM_ORIGIN_UNSAFE));
		if (flags) {
			put_number(ctl->result, "origin_counter",
				   hsm_fields_u64(fields, HSM_FIELD_COUNTER, 0));
			put_number(ctl->result, "origin_time",
				   hsm_fields_u64(fields, HSM_FIELD_COUNT, 0));
		}
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}

int verb_migrate_request(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	int code = need_output(ctl) ?: link_so(ctl, args[0], &link);

	if (!code)
		code = send_document(ctl, &link, HSM_OP_MIGRATE_REQUEST, NULL, true);
	link_close(&link);
	return code;
}

/* PARTITION_IMPORT: the officer of the target makes room. */
int verb_partition_import(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct file document = { 0 };
	struct link link = { 0 };
	const uint8_t *id;
	uint32_t function;
	size_t length;
	int code = file_read(ctl, args[0], &document) ?: link_officer(ctl, &link);

	/* Of a package the document at its head */
	if (!code)
		package_head(&document);
	if (!code && ctl->function && parse_u32(ctl->function, &function))
		code = fail(ctl, CTL_USAGE, "--function: '%s' is no number", ctl->function);
	if (!code) {
		request = request_with(ctl, &link, HSM_OP_PARTITION_IMPORT, &document);
		code = request ? CTL_OK : CTL_DEVICE;
	}
	if (!code && ctl->function)
		hsm_put_u32(hsm_request_writer(request), HSM_FIELD_FUNCTION, function);
	if (!code)
		code = approval_try(ctl, &link, request, HSM_OP_PARTITION_IMPORT);
	if (!code && !approval_is_asked(ctl)) {
		code = migrate_answer(ctl, request);
		id = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_PARTITION, &length);
		if (!code && length == HSM_PARTITION_ID_SIZE) {
			put_id(ctl->result, "id", id);
			put_number(ctl->result, "slot",
				   hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_SLOT, 0));
		}
	}
	hsm_request_free(request);
	link_close(&link);
	file_free(&document);
	return code;
}

int verb_migrate_prepare(struct ctl *ctl, char **args)
{
	struct file document = { 0 };
	struct link link = { 0 };
	int code = need_output(ctl) ?: file_read(ctl, args[0], &document);

	if (!code) {
		package_head(&document);
		code = link_partition(ctl, args[1], &link);
	}
	if (!code)
		code = send_document(ctl, &link, HSM_OP_IMPORT_OFFER, &document, true);
	link_close(&link);
	file_free(&document);
	return code;
}

/* Over function 0: a partition may run one command, whose fields are these. */
static int allow(struct ctl *ctl, const char *which, enum hsm_operation operation,
		 struct hsm_writer *fields)
{
	uint8_t id[HSM_PARTITION_ID_SIZE];
	struct link link = { 0 };
	int code = link_officer(ctl, &link) ?: partition_id(ctl, &link, which, id);

	if (!code && fields->error)
		code = fail(ctl, CTL_USAGE, "too long for one command");
	if (!code)
		code = approval_grant(ctl, &link, id, operation, fields);
	link_close(&link);
	return code;
}

int verb_migrate_allow(struct ctl *ctl, char **args)
{
	uint8_t *room = malloc(HSM_DATA_MAX);
	struct file offer = { 0 };
	struct hsm_writer fields;
	int code = room ? file_read(ctl, args[0], &offer) : fail(ctl, CTL_DEVICE, "out of memory");

	hsm_writer_init(&fields, room, room ? HSM_DATA_MAX : 0);
	hsm_put_bytes(&fields, HSM_FIELD_DOCUMENT, offer.bytes, offer.length);
	code = code ?: certificates_put(ctl, &fields);
	if (!code)
		code = allow(ctl, args[1], HSM_OP_MIGRATE_FREEZE, &fields);
	file_free(&offer);
	free(room);
	return code;
}

static int phase_of(struct ctl *ctl, struct link *link, uint64_t *phase)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_MIGRATE_STATUS);
	int code = request ? link_call(ctl, request) : CTL_DEVICE;

	if (!code)
		*phase = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_PHASE, 0);
	hsm_request_free(request);
	return code;
}

/* Frozen it stays, whatever happens to the package: the same may be exported again. */
static int freeze(struct ctl *ctl, struct link *link, const char *path)
{
	struct file offer = { 0 };
	struct secret pin;
	int code = file_read(ctl, path, &offer);

	if (!code)
		code = confirm(
			ctl,
			"Partition %s will serve nothing from now on, until the target has it "
			"or has abandoned it.",
			link->partition.name);
	ctl->pin.prompt = "SO PIN";
	code = code ?: link_session(ctl, link);
	if (!code) {
		code = secret_read(ctl, &ctl->pin, &pin)
			       ?: link_login(ctl, link, CKU_SO, NULL, &pin);
		secret_clear(&pin);
	}
	if (!code)
		code = send_document(ctl, link, HSM_OP_MIGRATE_FREEZE, &offer, false);
	link->session = 0;
	file_free(&offer);
	return code;
}

int verb_migrate_export(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	uint64_t phase = 0;
	int code = need_output(ctl) ?: link_partition(ctl, args[1], &link);

	code = code ?: phase_of(ctl, &link, &phase);
	if (!code && phase != HSM_MIGRATION_PHASE_FROZEN)
		code = freeze(ctl, &link, args[0]);
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_MIGRATE_EXPORT);
		code = request ? link_try(ctl, request) : CTL_DEVICE;
		code = code ?: migrate_answer(ctl, request);
	}
	if (!code)
		code = package_export(ctl, &link, HSM_MIGRATION_PACKAGE, request);
	hsm_request_free(request);
	link_close(&link);
	return code;
}

static int begin_import(struct ctl *ctl, struct link *link, const struct file *head, char **shares)
{
	struct hsm_request *request = request_with(ctl, link, HSM_OP_IMPORT_BEGIN, head);
	int code = request ? CTL_OK : CTL_DEVICE;

	if (!code && shares)
		code = shares_put(ctl, hsm_request_writer(request), shares);
	code = code ?: link_try(ctl, request);
	code = code ?: migrate_answer(ctl, request);
	hsm_request_free(request);
	return code;
}

/* @shares: of a backup, NULL: none */
static int import_package(struct ctl *ctl, const char *path, const char *which, char **shares)
{
	struct package package = { 0 };
	struct link link = { 0 };
	uint64_t phase = 0;
	int code = need_output(ctl) ?: package_open(ctl, path, &package);

	code = code ?: link_partition(ctl, which, &link);
	code = code ?: phase_of(ctl, &link, &phase);
	if (!code && phase != HSM_MIGRATION_PHASE_IMPORTED) {
		code = begin_import(ctl, &link, &package.head, shares);
		if (!code)
			code = package_import(ctl, &link, &package);
	}
	if (!code)
		code = send_document(ctl, &link, HSM_OP_IMPORT_END, NULL, true);
	link_close(&link);
	package_close(&package);
	return code;
}

int verb_migrate_import(struct ctl *ctl, char **args)
{
	return import_package(ctl, args[0], args[1], NULL);
}

int verb_partition_restore(struct ctl *ctl, char **args)
{
	return import_package(ctl, args[0], ctl->partition, args + 1);
}

int verb_migrate_finish(struct ctl *ctl, char **args)
{
	int code = confirm(ctl, "The partition will be destroyed here; the target has it.");

	return code ?: step(ctl, HSM_OP_MIGRATE_FINISH, args[1], args[0], false);
}

int verb_migrate_abort(struct ctl *ctl, char **args)
{
	int code = confirm(ctl, "The import key and the empty partition will be destroyed.");

	return code ?: step(ctl, HSM_OP_IMPORT_ABANDON, args[0], NULL, true);
}

int verb_migrate_resume(struct ctl *ctl, char **args)
{
	return step(ctl, HSM_OP_MIGRATE_RESUME, args[1], args[0], false);
}

int verb_partition_receipt(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	uint8_t id[HSM_PARTITION_ID_SIZE];
	struct link link = { 0 };
	int code = need_output(ctl);

	if (!code && parse_id(args[0], id))
		code = fail(ctl, CTL_USAGE, "'%s' is no partition id", args[0]);
	code = code ?: link_officer(ctl, &link);
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_PARTITION_RECEIPT);
		code = request ? CTL_OK : CTL_DEVICE;
	}
	if (!code) {
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_PARTITION, id, sizeof(id));
		code = link_call(ctl, request) ?: keep_document(ctl, request);
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}

/* ---- backup ---- */

static int put_custodians(struct ctl *ctl, struct hsm_writer *writer, char **paths)
{
	uint8_t keys[HSM_CUSTODIANS_MAX][HSM_HYBRID_PUBLIC];
	struct hsm_hybrid key;
	uint32_t threshold;
	size_t count = 0;
	int code = CTL_OK;

	if (!ctl->threshold || parse_u32(ctl->threshold, &threshold))
		return fail(ctl, CTL_USAGE, "--threshold: how many custodians restore it");
	for (; *paths && !code; paths++) {
		if (count == HSM_CUSTODIANS_MAX)
			return fail(ctl, CTL_USAGE, "at most %d custodians", HSM_CUSTODIANS_MAX);
		code = hybrid_read(ctl, *paths, false, &key);
		if (!code && hsm_hybrid_public(&key, keys[count++]))
			code = fail(ctl, CTL_USAGE, "%s: needs a P-384 and an ML-KEM-1024 key",
				    *paths);
		hsm_hybrid_free(&key);
	}
	if (!code) {
		hsm_put_bytes(writer, HSM_FIELD_CUSTODIANS, keys, count * HSM_HYBRID_PUBLIC);
		hsm_put_u32(writer, HSM_FIELD_THRESHOLD, threshold);
	}
	return code;
}

int verb_backup_allow(struct ctl *ctl, char **args)
{
	uint8_t *room = malloc(HSM_DATA_MAX);
	struct hsm_writer fields;
	int code = room ? CTL_OK : fail(ctl, CTL_DEVICE, "out of memory");

	hsm_writer_init(&fields, room, room ? HSM_DATA_MAX : 0);
	code = code ?: put_custodians(ctl, &fields, args + 1);
	if (!code)
		code = allow(ctl, args[0], HSM_OP_BACKUP_BEGIN, &fields);
	free(room);
	return code;
}

int verb_partition_backup(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	int code = need_output(ctl) ?: link_so(ctl, args[0], &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_BACKUP_BEGIN);
		code = request ? put_custodians(ctl, hsm_request_writer(request), args + 1)
			       : CTL_DEVICE;
	}
	code = code ?: link_try(ctl, request);
	code = code ?: migrate_answer(ctl, request);
	if (!code) {
		link.session = 0;
		code = package_export(ctl, &link, HSM_MIGRATION_BACKUP, request);
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}
