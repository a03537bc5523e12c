// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about certificates: what a device shows of itself, and its provisioning by a vendor.
 * Files are PEM. Whether a chain is to be believed is the business of whoever reads it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <hsm/dice.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"

#define CERTIFICATES_MAX (48 * 1024) /* as the device takes */

static uint32_t algorithm(const struct ctl *ctl)
{
	return ctl->ml_dsa ? HSM_DICE_ML_DSA_87 : HSM_DICE_P384;
}

static int write_bio(struct ctl *ctl, BIO *bio, const char *path)
{
	char *text;
	long length = BIO_get_mem_data(bio, &text);
	int code = write_file(ctl, path, (const uint8_t *)text, (size_t)length);

	if (!code)
		put_string(ctl->result, "file", path);
	return code;
}

/* Send a request that has the algorithm, and take @tag of the answer. */
static int ask(struct ctl *ctl, struct hsm_request *request, enum hsm_field_tag tag,
	       const uint8_t **data, size_t *length)
{
	int code;

	hsm_put_u32(hsm_request_writer(request), HSM_FIELD_KEY_ALGORITHM, algorithm(ctl));
	code = link_try(ctl, request);
	if (!code && hsm_request_rv(request) == CKR_MECHANISM_INVALID)
		return fail(ctl, CTL_REFUSED, "the device has no %s key",
			    ctl->ml_dsa ? "ML-DSA-87" : "P-384");
	if (!code)
		code = link_answer(ctl, request);
	if (!code)
		*data = hsm_fields_bytes(hsm_request_fields(request), tag, length);
	return code;
}

/* ---- device certificate ---- */

/* From which certificate on: the device's is the one above that with a TCBInfo. */
static bool is_device(X509 *below)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(HSM_TCB_INFO_OID, 1);
	bool alias = below && oid && X509_get_ext_by_OBJ(below, oid, -1) >= 0;

	ASN1_OBJECT_free(oid);
	return alias;
}

static bool to_pem(BIO *bio, const uint8_t *der, size_t length, bool whole)
{
	const uint8_t *end = der + length;
	X509 *below = NULL, *cert;
	bool done = true, wanted = whole;

	while (done && der < end) {
		cert = d2i_X509(NULL, &der, end - der);
		wanted = whole || is_device(below);
		done = cert && (!wanted || PEM_write_bio_X509(bio, cert) == 1);
		X509_free(below);
		below = cert;
		if (wanted && !whole)
			break;
	}
	X509_free(below);
	return done && wanted;
}

int verb_device_certificate(struct ctl *ctl, char **args)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct hsm_request *request = NULL;
	const uint8_t *der = NULL;
	struct link link = { 0 };
	size_t length = 0;
	int code = ctl->partition ? link_partition(ctl, ctl->partition, &link)
				  : link_admin(ctl, &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_CERTIFICATES);
		code = request ? ask(ctl, request, HSM_FIELD_CERTIFICATES, &der, &length)
			       : CTL_DEVICE;
	}
	if (!code && (!bio || !to_pem(bio, der, length, ctl->chain)))
		code = fail(ctl, CTL_DEVICE, "the device's certificates cannot be read");
	if (!code)
		code = write_bio(ctl, bio, args[0]);
	hsm_request_free(request);
	link_close(&link);
	BIO_free(bio);
	ERR_clear_error();
	return code;
}

/* ---- device csr ---- */

int verb_device_csr(struct ctl *ctl, char **args)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct hsm_request *request = NULL;
	X509_REQ *wish = NULL;
	const uint8_t *der = NULL;
	struct link link = { 0 };
	size_t length = 0;
	int code = link_admin(ctl, &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_DEVICE_REQUEST);
		code = request ? ask(ctl, request, HSM_FIELD_DATA, &der, &length) : CTL_DEVICE;
	}
	if (!code) {
		wish = d2i_X509_REQ(NULL, &der, (long)length);
		if (!bio || !wish || PEM_write_bio_X509_REQ(bio, wish) != 1)
			code = fail(ctl, CTL_DEVICE, "the device's request cannot be read");
	}
	if (!code)
		code = write_bio(ctl, bio, args[0]);
	X509_REQ_free(wish);
	hsm_request_free(request);
	link_close(&link);
	BIO_free(bio);
	ERR_clear_error();
	return code;
}

/* ---- device install-certificate ---- */

static int put_file(struct ctl *ctl, const char *path, struct hsm_writer *writer)
{
	BIO *bio = BIO_new_file(path, "r");
	uint8_t *all = malloc(CERTIFICATES_MAX), *at = all;
	int code = CTL_OK, length, count = 0;
	X509 *cert;

	if (!bio || !all)
		code = fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	while (!code && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		length = i2d_X509(cert, NULL);
		if (length <= 0 || length > all + CERTIFICATES_MAX - at)
			code = fail(ctl, CTL_USAGE, "%s: more certificates than the device takes",
				    path);
		else
			i2d_X509(cert, &at);
		X509_free(cert);
		count++;
	}
	if (!code && !count)
		code = fail(ctl, CTL_USAGE, "%s: no certificate in PEM form", path);
	if (!code)
		hsm_put_bytes(writer, HSM_FIELD_CERTIFICATES, all, (size_t)(at - all));
	ERR_clear_error();
	free(all);
	BIO_free(bio);
	return code;
}

int verb_device_install(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	const uint8_t *nothing;
	size_t length;
	int code = link_officer(ctl, &link);

	if (!code) {
		request = link_request(ctl, &link, HSM_OP_DEVICE_INSTALL);
		code = request ? CTL_OK : CTL_DEVICE;
	}
	if (!code && args[0])
		code = put_file(ctl, args[0], hsm_request_writer(request));
	if (!code)
		code = ask(ctl, request, HSM_FIELD_CERTIFICATES, &nothing, &length);
	if (code == CTL_REFUSED && request && hsm_request_rv(request) == CKR_ARGUMENTS_BAD)
		fprintf(stderr,
			"hsmctl: not a chain for this device's key whose first certificate may certify aliases\n");
	hsm_request_free(request);
	link_close(&link);
	return code;
}
