// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about evidence: of the device, of a partition, of a key. Written to a file as it
 * comes; hsm-verify(1) is for whoever wants to know whether it is true.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"
#include "tool-file.h"

/* ---- options ---- */

int take_hex(struct ctl *ctl, const char *option, const char *text, uint8_t *bytes, size_t least,
	     size_t *length)
{
	/* Pairs of digits and nothing else */
	if (OPENSSL_hexstr2buf_ex(bytes, NONCE_MAX, length, text, '\0') != 1 || *length < least) {
		ERR_clear_error();
		return fail(ctl, CTL_USAGE, "--%s: %zu to %d bytes in hexadecimal", option, least,
			    NONCE_MAX);
	}
	return CTL_OK;
}

/* struct asked - a request, and the bytes that it points to */
struct asked {
	struct hsm_attest_request request;
	uint8_t nonce[NONCE_MAX];
	uint8_t binding[NONCE_MAX];
};

static int take_options(struct ctl *ctl, struct asked *asked)
{
	struct hsm_attest_request *request = &asked->request;
	int code = CTL_OK;

	if (ctl->nonce) {
		code = take_hex(ctl, "nonce", ctl->nonce, asked->nonce, 8, &request->nonce_length);
		request->nonce = asked->nonce;
	}
	if (!code && ctl->binding) {
		code = take_hex(ctl, "binding", ctl->binding, asked->binding, 1,
				&request->binding_length);
		request->binding = asked->binding;
	}
	return code;
}

/* ---- the evidence into its file ---- */

int write_file(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length)
{
	struct file_draft draft;
	int ret = file_begin(&draft, path);

	if (!ret)
		ret = file_end(&draft, fwrite(bytes, 1, length, draft.stream) == length);
	return ret ? fail(ctl, CTL_USAGE, "%s: %s", path, strerror(-ret)) : CTL_OK;
}

static int attest(struct ctl *ctl, struct link *link, struct asked *asked, const char *path)
{
	uint8_t *evidence = malloc(HSM_EVIDENCE_ROOM);
	size_t length = HSM_EVIDENCE_ROOM;
	struct hsm_error error = { 0 };
	int code;

	if (!evidence)
		return fail(ctl, CTL_DEVICE, "out of memory");
	if (hsm_attest(link->channel, &asked->request, evidence, &length, &error))
		code = error.rv ? fail_rv(ctl, error.rv) : fail_hsm(ctl, &error);
	else
		code = write_file(ctl, path, evidence, length);
	free(evidence);
	if (code)
		return code;
	put_string(ctl->result, "evidence", path);
	put_number(ctl->result, "bytes", length);
	return CTL_OK;
}

/* ---- device and partition ---- */

/* Has the function that the device's name stands for any partition to ask through? A guest sees no other function. */
static int find_partitions(struct ctl *ctl, size_t *count)
{
	struct hsm_partition_info list[PARTITIONS_MAX];
	struct link link = { 0 };
	int code = link_open(ctl, 0, &link);

	*count = 0;
	if (!code)
		code = link_partitions(ctl, link.device, list, count);
	link_close(&link);
	return code;
}

int verb_attest_device(struct ctl *ctl, char **args)
{
	struct asked asked = { .request.kind = HSM_EVIDENCE_DEVICE };
	struct link link = { 0 };
	size_t count = 0;
	int code = take_options(ctl, &asked);

	if (!code)
		code = find_partitions(ctl, &count);
	if (!code && count)
		code = link_partition(ctl, ctl->partition, &link);
	else if (!code)
		code = link_admin(ctl, &link);
	if (!code)
		code = attest(ctl, &link, &asked, args[0]);
	link_close(&link);
	return code;
}

int verb_attest_partition(struct ctl *ctl, char **args)
{
	struct asked asked = { .request.kind = HSM_EVIDENCE_PARTITION };
	struct link link = { 0 };
	int code = take_options(ctl, &asked);

	if (!code)
		code = link_partition(ctl, ctl->partition, &link);
	if (!code)
		code = attest(ctl, &link, &asked, args[0]);
	link_close(&link);
	return code;
}

/* ---- keys ---- */

static const struct {
	const char *name;
	uint64_t class;
} classes[] = {
	{ "private", CKO_PRIVATE_KEY },
	{ "secret", CKO_SECRET_KEY },
	{ "public", CKO_PUBLIC_KEY },
	{ "otp", CKO_OTP_KEY },
};

#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

static void put_template(struct ctl *ctl, struct hsm_writer *writer, const uint8_t *id,
			 size_t id_length, uint64_t class)
{
	size_t mark = hsm_put_begin(writer, HSM_FIELD_TEMPLATE);

	class = htole64(class);
	hsm_put_attribute(writer, CKA_CLASS, 0, &class, sizeof(class));
	if (ctl->key_label)
		hsm_put_attribute(writer, CKA_LABEL, 0, ctl->key_label, strlen(ctl->key_label));
	if (id_length)
		hsm_put_attribute(writer, CKA_ID, 0, id, id_length);
	hsm_put_end(writer, mark);
}

static int find_init(struct ctl *ctl, struct link *link, uint64_t class)
{
	struct hsm_request *request;
	uint8_t id[NONCE_MAX];
	size_t length = 0;
	int code = CTL_OK;

	if (ctl->key_id)
		code = take_hex(ctl, "key-id", ctl->key_id, id, 1, &length);
	if (code)
		return code;
	request = link_request(ctl, link, HSM_OP_FIND_INIT);
	if (!request)
		return CTL_DEVICE;
	put_template(ctl, hsm_request_writer(request), id, length, class);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

/* Keys of one class, at most two: more than one is too many. */
static int find(struct ctl *ctl, struct link *link, uint64_t class, uint64_t *handle, size_t *count)
{
	struct hsm_request *request;
	const uint8_t *list;
	size_t length;
	int code = find_init(ctl, link, class);

	if (code)
		return code;
	request = link_request(ctl, link, HSM_OP_FIND);
	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_COUNT, 2);
	code = link_call(ctl, request);
	if (!code) {
		list = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_HANDLES, &length);
		*count = length / 8;
		*handle = *count ? hsm_get_le64(list) : 0;
	}
	hsm_request_free(request);
	return code ?: link_send(ctl, link, HSM_OP_FIND_FINAL, (const struct field[]){ { 0 } });
}

/* The one key that is meant: of a pair the private half, unless the class is said */
static int find_key(struct ctl *ctl, struct link *link, uint64_t *handle)
{
	size_t count = 0, i;
	int code = CTL_OK;

	if (!ctl->key_label && !ctl->key_id)
		return fail(ctl, CTL_USAGE, "which key? --key-label TEXT or --key-id HEX");
	for (i = 0; ctl->key_class && i < N_CLASSES; i++)
		if (!strcmp(classes[i].name, ctl->key_class))
			break;
	if (i == N_CLASSES)
		return fail(ctl, CTL_USAGE,
			    "--key-class: '%s' is none of private, secret, public, otp",
			    ctl->key_class);
	for (; !code && !count && i < N_CLASSES; i++) {
		code = find(ctl, link, classes[i].class, handle, &count);
		if (ctl->key_class)
			break;
	}
	if (!code && !count)
		code = fail(ctl, CTL_REFUSED,
			    "there is no such key that is seen here; private ones are seen by who "
			    "logs in (--pin-...)");
	if (!code && count > 1)
		code = fail(ctl, CTL_REFUSED,
			    "more than one key is meant; --key-id and --key-class tell more");
	return code;
}

static bool pin_given(const struct ctl *ctl)
{
	return ctl->pin.file || ctl->pin.fd || ctl->pin.credential;
}

/* As the user, or the one with the name of --user. Without a PIN what is public is seen all the same. */
static int log_in(struct ctl *ctl, struct link *link)
{
	struct secret pin = { 0 };
	int code;

	if (!pin_given(ctl))
		return CTL_OK;
	code = secret_read(ctl, &ctl->pin, &pin)
		       ?: link_login(ctl, link, CKU_USER, ctl->user, &pin);
	secret_clear(&pin);
	return code;
}

int verb_attest_key(struct ctl *ctl, char **args)
{
	struct asked asked = { .request.kind = HSM_EVIDENCE_KEY };
	struct link link = { 0 };
	int code = take_options(ctl, &asked);

	if (!code)
		code = link_partition(ctl, ctl->partition, &link);
	if (!code)
		code = link_session(ctl, &link);
	if (!code)
		code = log_in(ctl, &link);
	if (!code)
		code = find_key(ctl, &link, &asked.request.key);
	asked.request.session = link.session;
	if (!code)
		code = attest(ctl, &link, &asked, args[0]);
	link_close(&link);
	return code;
}
