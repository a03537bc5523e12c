// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs for leaving: every key that may leave, wrapped under a customer's public key in the form that PKCS#11 and
 * others have for it, with the device's receipts. What a key allows is the device's to say: a key that does not leave is listed
 * with the reason.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <hsm/cose.h>
#include <hsm/pkcs11.h>
#include <hsm/receipt.h>
#include "hsmctl-key.h"
#include "hsmctl-object.h"

#define WRAPPED_MAX	(32 * 1024)
#define NONCE_SIZE	32
#define PATH_MAX_LENGTH 4096

/**
 * struct export - one run
 * @wrapping: handle of the customer's key
 * @files: written so far; @listed: of these, in receipts that are closed
 */
struct export
{
	struct ctl *ctl;
	struct link *link;
	const char *dir;
	uint64_t wrapping;
	uint8_t nonce[NONCE_SIZE];
	size_t files;
	size_t listed;
	unsigned int receipts;
	size_t refused;
	struct json_object *rows;
	struct json_object *left;
};

/* ---- the customer's key ---- */

struct numbers {
	uint8_t modulus[2048];
	size_t modulus_length;
	uint8_t exponent[16];
	size_t exponent_length;
};

static int take_number(EVP_PKEY *key, const char *name, uint8_t *bytes, size_t room, size_t *length)
{
	BIGNUM *number = NULL;
	bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
		    (size_t)BN_num_bytes(number) <= room;

	*length = good ? (size_t)BN_bn2bin(number, bytes) : 0;
	BN_free(number);
	return good ? 0 : -EINVAL;
}

static int rsa_numbers(struct ctl *ctl, const uint8_t *der, size_t length, struct numbers *numbers)
{
	EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)length);
	bool good = key && EVP_PKEY_is_a(key, "RSA") &&
		    !take_number(key, OSSL_PKEY_PARAM_RSA_N, numbers->modulus,
				 sizeof(numbers->modulus), &numbers->modulus_length) &&
		    !take_number(key, OSSL_PKEY_PARAM_RSA_E, numbers->exponent,
				 sizeof(numbers->exponent), &numbers->exponent_length);

	EVP_PKEY_free(key);
	return good ? CTL_OK : fail(ctl, CTL_USAGE, "--to: not an RSA public key");
}

static void put_customer(struct hsm_writer *writer, const struct numbers *numbers,
			 const char *label)
{
	size_t mark = hsm_put_begin(writer, HSM_FIELD_TEMPLATE);

	object_number(writer, CKA_CLASS, CKO_PUBLIC_KEY);
	object_number(writer, CKA_KEY_TYPE, CKK_RSA);
	object_flag(writer, CKA_TOKEN, label != NULL);
	object_flag(writer, CKA_PRIVATE, false);
	object_flag(writer, CKA_WRAP, true);
	object_flag(writer, CKA_ENCRYPT, false);
	object_flag(writer, CKA_VERIFY, false);
	if (label)
		object_flag(writer, CKA_TRUSTED, true);
	if (label)
		hsm_put_attribute(writer, CKA_LABEL, 0, label, strlen(label));
	hsm_put_attribute(writer, CKA_MODULUS, 0, numbers->modulus, numbers->modulus_length);
	hsm_put_attribute(writer, CKA_PUBLIC_EXPONENT, 0, numbers->exponent,
			  numbers->exponent_length);
	hsm_put_end(writer, mark);
}

/* @label: a key that the SO trusts, kept in the token; NULL: one for this session */
static int create_customer(struct ctl *ctl, struct link *link, const struct numbers *numbers,
			   const char *label, uint64_t *handle)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_OBJECT_CREATE);
	int code;

	if (!request)
		return CTL_DEVICE;
	put_customer(hsm_request_writer(request), numbers, label);
	code = link_call(ctl, request);
	if (!code)
		*handle = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_HANDLE, 0);
	hsm_request_free(request);
	return code;
}

/* ---- searching ---- */

static int find_keys(struct ctl *ctl, struct link *link, uint64_t class, struct handles *handles)
{
	uint8_t bytes[128];
	struct hsm_writer template;

	hsm_writer_init(&template, bytes, sizeof(bytes));
	object_number(&template, CKA_CLASS, class);
	object_flag(&template, CKA_TOKEN, true);
	object_flag(&template, CKA_EXTRACTABLE, true);
	return object_find(ctl, link, &template, handles);
}

/* The customer's key in the token, where the SO may have made it trusted; 0: it is not there */
static int find_customer(struct ctl *ctl, struct link *link, const struct numbers *numbers,
			 uint64_t *handle)
{
	struct handles handles = { 0 };
	uint8_t bytes[4096];
	struct hsm_writer template;
	int code;

	hsm_writer_init(&template, bytes, sizeof(bytes));
	object_number(&template, CKA_CLASS, CKO_PUBLIC_KEY);
	object_flag(&template, CKA_WRAP, true);
	hsm_put_attribute(&template, CKA_MODULUS, 0, numbers->modulus, numbers->modulus_length);
	code = object_find(ctl, link, &template, &handles);
	*handle = handles.count ? handles.list[0] : 0;
	free(handles.list);
	return code;
}

/* ---- files ---- */

static int put_file(struct export *run, const char *name, const uint8_t *bytes, size_t length)
{
	char path[PATH_MAX_LENGTH];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", run->dir, name) >= sizeof(path))
		return fail(run->ctl, CTL_USAGE, "%s: the name is too long", run->dir);
	return write_file(run->ctl, path, bytes, length);
}

static void key_name(char name[32], size_t number)
{
	snprintf(name, 32, "key-%04zu.wrapped", number);
}

/* ---- receipts ---- */

static int begin_receipt(struct export *run)
{
	struct hsm_request *request = link_request(run->ctl, run->link, HSM_OP_EXPORT_RECEIPT);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_FLAGS, HSM_RECEIPT_BEGIN);
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_NONCE, run->nonce, sizeof(run->nonce));
	code = link_call(run->ctl, request);
	hsm_request_free(request);
	return code;
}

/* What the receipt says, beside the names of the files that it is about */
static int put_rows(struct export *run, const uint8_t *message, size_t length, const char *name)
{
	struct hsm_receipt *receipt = malloc(sizeof(*receipt));
	struct hsm_cose *cose = NULL;
	struct json_object *row;
	const uint8_t *payload;
	char file[32];
	size_t size;
	bool good = receipt && !hsm_cose_read(message, length, HSM_RECEIPT_TYPE, &cose);

	if (good) {
		payload = hsm_cose_payload(cose, &size);
		good = !hsm_receipt_decode(payload, size, receipt) &&
		       receipt->count == run->files - run->listed;
	}
	for (size_t i = 0; good && receipt && i < receipt->count; i++) {
		const struct hsm_receipt_entry *entry = &receipt->entry[i];

		row = json_object_new_object();
		key_name(file, run->listed + i + 1);
		put_string(row, "file", file);
		put_chars(row, "label", entry->label.bytes, entry->label.length);
		put_hex(row, "id", entry->id.bytes, entry->id.length);
		put_number(row, "class", entry->object_class);
		put_number(row, "key_type", entry->key_type);
		put_string(row, "receipt", name);
		json_object_array_add(run->rows, row);
	}
	hsm_cose_free(cose);
	free(receipt);
	run->listed = run->files;
	return good ? CTL_OK
		    : fail(run->ctl, CTL_DEVICE,
			   "the device's receipt does not list what was written");
}

static int end_receipt(struct export *run)
{
	struct hsm_request *request = link_request(run->ctl, run->link, HSM_OP_EXPORT_RECEIPT);
	const uint8_t *message;
	char name[32];
	size_t length;
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_FLAGS, 0);
	code = link_call(run->ctl, request);
	if (!code) {
		message = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA, &length);
		snprintf(name, sizeof(name), "receipt-%u.cose", ++run->receipts);
		code = put_file(run, name, message, length) ?: put_rows(run, message, length, name);
	}
	hsm_request_free(request);
	return code;
}

/* ---- keys ---- */

static const char *reason(uint64_t rv)
{
	switch (rv) {
	case CKR_KEY_NOT_WRAPPABLE:
		return "CKR_KEY_NOT_WRAPPABLE: wrapped by trusted keys alone, or its values do not suit";
	case CKR_KEY_UNEXTRACTABLE:
		return "CKR_KEY_UNEXTRACTABLE: it does not leave";
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		return "CKR_KEY_FUNCTION_NOT_PERMITTED: not for this use, or this user";
	case CKR_WRAPPING_KEY_HANDLE_INVALID:
		return "CKR_WRAPPING_KEY_HANDLE_INVALID: the customer's key may not wrap it";
	case CKR_WRAPPING_KEY_SIZE_RANGE:
		return "CKR_WRAPPING_KEY_SIZE_RANGE: the customer's key is weaker than this one";
	default:
		return NULL;
	}
}

static void put_left(struct export *run, uint64_t handle, uint64_t rv)
{
	struct json_object *row = json_object_new_object();
	char number[32];

	snprintf(number, sizeof(number), "CKR 0x%08llx", (unsigned long long)rv);
	put_number(row, "handle", handle);
	put_string(row, "reason", reason(rv) ?: number);
	json_object_array_add(run->left, row);
	run->refused++;
}

static int wrap(struct export *run, uint64_t key)
{
	struct hsm_request *request = link_request(run->ctl, run->link, HSM_OP_WRAP);
	struct hsm_writer *writer;
	const uint8_t *wrapped;
	char name[32];
	size_t length;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_u64(writer, HSM_FIELD_MECHANISM, CKM_RSA_AES_KEY_WRAP);
	hsm_put_u64(writer, HSM_FIELD_OTHER_KEY, run->wrapping);
	hsm_put_u64(writer, HSM_FIELD_KEY, key);
	hsm_put_u64(writer, HSM_FIELD_OUT_MAX, WRAPPED_MAX);
	hsm_put_u64(writer, HSM_FIELD_AES_BITS, 256);
	hsm_put_u64(writer, HSM_FIELD_HASH, CKM_SHA256);
	hsm_put_u64(writer, HSM_FIELD_MGF, CKG_MGF1_SHA256);
	code = link_try(run->ctl, request);
	if (!code && hsm_request_rv(request)) {
		put_left(run, key, hsm_request_rv(request));
	} else if (!code) {
		wrapped = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA, &length);
		key_name(name, ++run->files);
		code = put_file(run, name, wrapped, length);
	}
	hsm_request_free(request);
	return code;
}

static int export_class(struct export *run, uint64_t class)
{
	struct handles handles = { 0 };
	int code = find_keys(run->ctl, run->link, class, &handles);

	for (size_t i = 0; !code && i < handles.count; i++) {
		code = wrap(run, handles.list[i]);
		if (!code && run->files - run->listed == HSM_RECEIPT_MAX)
			code = end_receipt(run) ?: begin_receipt(run);
	}
	free(handles.list);
	return code;
}

static int export_all(struct export *run)
{
	int code;

	if (RAND_bytes(run->nonce, sizeof(run->nonce)) != 1)
		return fail(run->ctl, CTL_DEVICE, "no random bytes");
	if (mkdir(run->dir, 0700))
		return fail(run->ctl, CTL_USAGE, "%s: %s", run->dir, strerror(errno));
	code = begin_receipt(run) ?: export_class(run, CKO_PRIVATE_KEY) ?: export_class(run, CKO_SECRET_KEY);
	if (!code && (run->files > run->listed || !run->receipts))
		code = end_receipt(run);
	if (!code && run->refused)
		code = fail(
			run->ctl, CTL_REFUSED,
			"%zu keys that could leave did not; the list tells why. A customer's key "
			"that the SO trusts may help: hsmctl export trust",
			run->refused);
	return code;
}

/* ---- verbs ---- */

static int read_customer(struct ctl *ctl, const char *uri, struct numbers *numbers)
{
	uint8_t *der = NULL;
	size_t length;
	int code = key_public(ctl, uri, &der, &length);

	code = code ?: rsa_numbers(ctl, der, length, numbers);
	OPENSSL_free(der);
	return code;
}

int verb_export_keys(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	struct export run = {
		.ctl = ctl,
		.link = &link,
		.dir = args[0],
		.rows = json_object_new_array(),
		.left = json_object_new_array(),
	};
	struct numbers numbers;
	int code;

	code = ctl->to ? read_customer(ctl, ctl->to, &numbers)
		       : fail(ctl, CTL_USAGE, "--to names the public key to wrap under");
	code = code ?: link_user(ctl, &link, CKU_USER) ?: find_customer(ctl, &link, &numbers, &run.wrapping);
	if (!code && !run.wrapping)
		code = create_customer(ctl, &link, &numbers, NULL, &run.wrapping);
	code = code ?: export_all(&run);
	put_hex(ctl->result, "nonce", run.nonce, sizeof(run.nonce));
	put_number(ctl->result, "keys", run.listed);
	json_object_object_add(ctl->result, "exported", run.rows);
	json_object_object_add(ctl->result, "left", run.left);
	link_close(&link);
	return code;
}

/* By the SO: strict partitions wrap under nothing else. */
int verb_export_trust(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	struct numbers numbers;
	uint64_t handle;
	int code = read_customer(ctl, args[0], &numbers);

	code = code ?: link_user(ctl, &link, CKU_SO) ?: create_customer(ctl, &link, &numbers, ctl->label ?: "export", &handle);
	link_close(&link);
	return code;
}
