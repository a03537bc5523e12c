// SPDX-License-Identifier: Apache-2.0
/*
 * Approvals in hsmctl: writing the request that people sign, showing and signing it, and sending what they signed. What is
 * signed is built in attestation/approval.c, by the same code as in the device.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <hsm/cose.h>
#include <hsm/mechanisms.h>
#include <hsm/pkcs11.h>
#include "hsmctl-approval.h"
#include "hsmctl-key.h"

#define FILE_MAX (256 * 1024) /* of a request or an approval */

/* ---- files ---- */

static int read_whole(struct ctl *ctl, const char *path, uint8_t **bytes, size_t *length)
{
	FILE *file = fopen(path, "re");

	*bytes = file ? malloc(FILE_MAX + 1) : NULL;
	*length = *bytes ? fread(*bytes, 1, FILE_MAX + 1, file) : 0;
	if (!file || !*bytes || ferror(file) || *length > FILE_MAX) {
		if (file)
			fclose(file);
		free(*bytes);
		*bytes = NULL;
		return fail(ctl, CTL_USAGE, "%s: %s", path,
			    *length > FILE_MAX ? "too long" : strerror(errno));
	}
	fclose(file);
	return CTL_OK;
}

static int write_whole(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length)
{
	FILE *file = fopen(path, "wxe");
	bool good;

	if (!file)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	good = fwrite(bytes, 1, length, file) == length;
	good = !fclose(file) && good;
	if (good)
		return CTL_OK;
	unlink(path);
	return fail(ctl, CTL_USAGE, "%s: cannot be written", path);
}

/* ---- showing ---- */

static void put_hash(struct json_object *object, const char *key,
		     const uint8_t hash[HSM_APPROVAL_ID_SIZE])
{
	char text[sizeof("sha384:") + 2 * HSM_APPROVAL_ID_SIZE];
	size_t n = (size_t)snprintf(text, sizeof(text), "sha384:");

	for (size_t i = 0; i < HSM_APPROVAL_ID_SIZE; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", hash[i]);
	put_string(object, key, text);
}

/* As the long ones are that come as hashes */
static void show_hash(struct json_object *object, const char *key, const struct hsm_field *field)
{
	uint8_t hash[HSM_APPROVAL_ID_SIZE];

	if (field->length &&
	    EVP_Digest(field->data, field->length, hash, NULL, EVP_sha384(), NULL) == 1)
		put_hash(object, key, hash);
	else
		put_string(object, key, "none");
}

static void show_mechanisms(struct json_object *object, const char *key,
			    const struct hsm_field *field)
{
	struct json_object *names = json_object_new_array();
	const struct hsm_mechanism_info *info;
	char number[32];

	for (size_t i = 0; i + 8 <= field->length; i += 8) {
		info = hsm_mechanism_find(hsm_get_le64(field->data + i));
		snprintf(number, sizeof(number), "0x%llx",
			 (unsigned long long)hsm_get_le64(field->data + i));
		json_object_array_add(names, json_object_new_string(info ? info->name : number));
	}
	if (!field->length)
		json_object_array_add(names, json_object_new_string("all"));
	json_object_object_add(object, key, names);
}

static void show_text(struct json_object *object, const char *key, const struct hsm_field *field)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)field->length, (const char *)field->data);
	put_string(object, key, text);
}

/* By what the field holds; nothing is left out that is signed */
static void show_field(struct json_object *object, const struct hsm_field *field)
{
	const char *key = hsm_field_name(field->tag);
	struct hsm_fields one = { .count = 1, .field = { *field } };
	const char *word;

	switch (field->tag) {
	case HSM_FIELD_PARTITION:
		put_id(object, key, field->data);
		break;
	case HSM_FIELD_NAME:
		show_text(object, key, field);
		break;
	case HSM_FIELD_MECHANISMS:
		show_mechanisms(object, key, field);
		break;
	case HSM_FIELD_ACTION:
		word = hsm_action_word(hsm_fields_u64(&one, field->tag, 0));
		put_string(object, key, word ?: "unknown");
		break;
	case HSM_FIELD_PROFILE:
		word = hsm_profile_name(hsm_fields_u64(&one, field->tag, 0));
		put_string(object, key, word ?: "unknown");
		break;
	default:
		if (hsm_field_number(field->tag))
			put_number(object, key, hsm_fields_u64(&one, field->tag, 0));
		else
			show_hash(object, key, field);
		break;
	}
}

static void show_approval(struct json_object *object, const struct hsm_approval *what)
{
	const struct hsm_operation_info *info = hsm_operation_find(what->operation);
	static const uint8_t device[HSM_PARTITION_ID_SIZE];
	const char *action = hsm_action_meaning(hsm_guarded(what->operation));

	put_hex(object, "board_id", what->board, sizeof(what->board));
	if (memcmp(what->partition, device, sizeof(device)))
		put_id(object, "in_partition", what->partition);
	put_string(object, "command", info ? info->name : "unknown");
	put_string(object, "meaning", info ? info->summary : "unknown");
	put_string(object, "class", action ?: "unknown");
	for (unsigned int i = 0; i < what->fields.count; i++)
		show_field(object, &what->fields.field[i]);
	for (unsigned int i = 0; i < what->hashed.count; i++)
		put_hash(object, hsm_field_name(what->hashed.field[i].tag),
			 what->hashed.field[i].data);
	put_hex(object, "nonce", what->nonce, sizeof(what->nonce));
}

/* ---- the request ---- */

static int fetch_nonce(struct ctl *ctl, struct link *link, struct hsm_approval *what)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_APPROVAL_NONCE);
	int code = request ? link_call(ctl, request) : CTL_DEVICE;
	const uint8_t *nonce;
	size_t length;

	if (!code) {
		nonce = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_APPROVAL_NONCE,
					 &length);
		if (length == sizeof(what->nonce)) {
			memcpy(what->nonce, nonce, length);
			what->has_nonce = true;
			put_number(ctl->result, "good_for_seconds",
				   hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_COUNT, 0));
		} else {
			code = fail(ctl, CTL_DEVICE, "the device gave no nonce");
		}
	}
	hsm_request_free(request);
	return code;
}

static int write_request(struct ctl *ctl, struct link *link, const struct hsm_approval *asked)
{
	struct hsm_approval what = *asked;
	uint8_t *bytes = NULL;
	size_t length = 0;
	int code = fetch_nonce(ctl, link, &what);

	if (!code && hsm_approval_build(&what, &bytes, &length) < 0)
		code = fail(ctl, CTL_USAGE, "this command needs no approvals");
	if (!code)
		code = write_whole(ctl, ctl->request, bytes, length);
	if (!code) {
		show_approval(ctl->result, &what);
		put_string(ctl->result, "request", ctl->request);
	}
	free(bytes);
	return code;
}

/* ---- sending ---- */

/* The first approval's nonce is the one that all must have. */
static int take_nonce(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length,
		      struct hsm_writer *writer)
{
	struct hsm_approval what = { .has_nonce = false };
	struct hsm_cose *message;
	const uint8_t *payload;
	uint8_t *kept = NULL;
	size_t size;
	int ret = hsm_cose_read(bytes, length, HSM_APPROVAL_TYPE, &message);

	if (!ret) {
		payload = hsm_cose_payload(message, &size);
		ret = hsm_approval_parse(payload, size, &what, &kept);
		hsm_cose_free(message);
	}
	free(kept);
	if (ret || !what.has_nonce)
		return fail(ctl, CTL_USAGE, "%s: not an approval; hsmctl approve makes one", path);
	hsm_put_bytes(writer, HSM_FIELD_APPROVAL_NONCE, what.nonce, sizeof(what.nonce));
	return CTL_OK;
}

static int put_approval(struct ctl *ctl, size_t index, struct hsm_writer *list,
			struct hsm_writer *writer)
{
	const char *path = ctl->approval[index];
	struct hsm_record record = { 0 };
	uint8_t *bytes;
	size_t length;
	int code = read_whole(ctl, path, &bytes, &length);

	if (!code && !index)
		code = take_nonce(ctl, path, bytes, length, writer);
	if (!code) {
		record.length = htole32((uint32_t)length);
		hsm_put_raw(list, &record, sizeof(record));
		hsm_put_raw(list, bytes, length);
	}
	free(bytes);
	return code;
}

static int put_approvals(struct ctl *ctl, struct hsm_writer *writer)
{
	uint8_t *bytes = malloc(HSM_DATA_MAX);
	struct hsm_writer list;
	int code = bytes ? CTL_OK : fail(ctl, CTL_DEVICE, "out of memory");

	hsm_writer_init(&list, bytes, bytes ? HSM_DATA_MAX : 0);
	for (size_t i = 0; !code && i < ctl->approvals; i++)
		code = put_approval(ctl, i, &list, writer);
	if (!code && list.error)
		code = fail(ctl, CTL_USAGE, "the approvals are too long for one command");
	if (!code)
		hsm_put_bytes(writer, HSM_FIELD_APPROVALS, list.data, list.length);
	free(bytes);
	return code;
}

static int report_missing(struct ctl *ctl, const uint8_t *field, size_t length)
{
	struct hsm_quorum_status status;
	char text[1024];
	uint32_t verdict;
	size_t n, i;

	memcpy(&status, field, sizeof(status));
	n = (size_t)snprintf(text, sizeof(text),
			     "%s needs the approval of %u officer%s, %u %s given",
			     hsm_action_word(le32toh(status.action)) ?: "this",
			     le32toh(status.needed), le32toh(status.needed) == 1 ? "" : "s",
			     le32toh(status.given), le32toh(status.given) == 1 ? "was" : "were");
	if (le32toh(status.flags) & HSM_QUORUM_OWNER)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      ", and the partition's owner's, which was%s",
				      le32toh(status.flags) & HSM_QUORUM_OWNER_GIVEN ? "" : " not");
	for (i = sizeof(status); i + 4 <= length && n < sizeof(text); i += 4) {
		verdict = hsm_get_le32(field + i);
		if (verdict != HSM_VERDICT_GOOD)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "; signature %zu: %s",
					      (i - sizeof(status)) / 4 + 1,
					      hsm_verdict_text(verdict));
	}
	return fail(ctl, CTL_REFUSED,
		    "CKR_ACTION_PROHIBITED: %s. --request FILE writes what has to be signed", text);
}

int approval_answer(struct ctl *ctl, struct hsm_request *request)
{
	const uint8_t *field;
	size_t length;

	field = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_QUORUM, &length);
	if (hsm_request_rv(request) == CKR_ACTION_PROHIBITED &&
	    length >= sizeof(struct hsm_quorum_status))
		return report_missing(ctl, field, length);
	return link_answer(ctl, request);
}

int approval_try(struct ctl *ctl, struct link *link, struct hsm_request *request,
		 enum hsm_operation operation)
{
	struct hsm_writer *writer = hsm_request_writer(request);
	struct hsm_approval what = { .operation = operation };
	struct hsm_device_info info;
	struct hsm_error error = { 0 };
	int code;

	if (ctl->request && ctl->approvals)
		return fail(ctl, CTL_USAGE, "give either --request or --approval");
	if (!ctl->request) {
		code = ctl->approvals ? put_approvals(ctl, writer) : CTL_OK;
		return code ?: link_try(ctl, request);
	}
	if (hsm_device_info(link->device, &info, &error))
		return fail_hsm(ctl, &error);
	memcpy(what.board, info.board_id, sizeof(what.board));
	if (hsm_fields_parse(&what.fields, writer->data, writer->length) < 0)
		return fail(ctl, CTL_USAGE, "the request is too long");
	return write_request(ctl, link, &what);
}

int approval_call(struct ctl *ctl, struct link *link, struct hsm_request *request,
		  enum hsm_operation operation)
{
	int code = approval_try(ctl, link, request, operation);

	return code || ctl->request ? code : approval_answer(ctl, request);
}

static int send_grant(struct ctl *ctl, struct link *link, const struct hsm_approval *what)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_APPROVAL_GRANT);
	uint8_t *bytes = NULL;
	size_t length = 0;
	int code = request ? CTL_OK : CTL_DEVICE;

	if (!code && hsm_approval_build(what, &bytes, &length) < 0)
		code = fail(ctl, CTL_USAGE, "this command needs no approvals");
	if (!code)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, bytes, length);
	if (!code && ctl->approvals)
		code = put_approvals(ctl, hsm_request_writer(request));
	code = code ?: link_try(ctl, request);
	code = code ?: approval_answer(ctl, request);
	hsm_request_free(request);
	free(bytes);
	return code;
}

int approval_grant(struct ctl *ctl, struct link *link,
		   const uint8_t partition[HSM_PARTITION_ID_SIZE], enum hsm_operation operation,
		   const struct hsm_writer *fields)
{
	struct hsm_approval what = { .operation = operation };
	struct hsm_device_info info;
	struct hsm_error error = { 0 };

	if (ctl->request && ctl->approvals)
		return fail(ctl, CTL_USAGE, "give either --request or --approval");
	if (hsm_device_info(link->device, &info, &error))
		return fail_hsm(ctl, &error);
	memcpy(what.board, info.board_id, sizeof(what.board));
	memcpy(what.partition, partition, sizeof(what.partition));
	if (hsm_fields_parse(&what.fields, fields->data, fields->length) < 0)
		return fail(ctl, CTL_USAGE, "the command is too long");
	return ctl->request ? write_request(ctl, link, &what) : send_grant(ctl, link, &what);
}

bool approval_is_asked(const struct ctl *ctl)
{
	return ctl->request != NULL;
}

/* ---- approving ---- */

static int sign(struct ctl *ctl, const uint8_t *payload, size_t size, const char *path)
{
	uint8_t id[HSM_APPROVAL_ID_SIZE], *message = NULL;
	struct hsm_cose_signer signer = { .kid = id, .kid_length = sizeof(id) };
	size_t length;
	int ret, code = key_private(ctl, ctl->key, &signer.key);

	if (code)
		return code;
	ret = key_id(signer.key, id) ? hsm_cose_sign(NULL, &signer, 1, HSM_APPROVAL_TYPE, payload,
						     size, NULL, 0, &message, &length)
				     : -EIO;
	if (ret)
		code = fail(ctl, CTL_USAGE, "%s: %s", ctl->key,
			    ret == -EINVAL
				    ? "keys of this type sign no approvals: use P-256, P-384, "
				      "P-521, Ed25519 or ML-DSA"
				    : "the signature failed");
	else
		code = write_whole(ctl, path, message, length);
	if (!code) {
		put_hex(ctl->result, "key", id, sizeof(id));
		put_string(ctl->result, "approval", path);
	}
	EVP_PKEY_free(signer.key);
	free(message);
	return code;
}

int verb_approve(struct ctl *ctl, char **args)
{
	struct hsm_approval what;
	uint8_t *bytes, *kept = NULL;
	char path[4096];
	size_t length;
	int code;

	if (!ctl->key)
		return fail(ctl, CTL_USAGE, "--key names the private key to approve with");
	if ((size_t)snprintf(path, sizeof(path), "%s.approval", args[0]) >= sizeof(path))
		return fail(ctl, CTL_USAGE, "the name of the file is too long");
	code = read_whole(ctl, args[0], &bytes, &length);
	if (!code && (hsm_approval_parse(bytes, length, &what, &kept) || !what.has_nonce))
		code = fail(ctl, CTL_USAGE,
			    "%s: not a request for approval; --request of the command makes one",
			    args[0]);
	if (!code)
		show_approval(ctl->result, &what);
	code = code ?: confirm_result(ctl, "You approve this command of the device.");
	if (!code)
		code = sign(ctl, bytes, length, ctl->output ?: path);
	free(kept);
	free(bytes);
	return code;
}
