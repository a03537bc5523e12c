// SPDX-License-Identifier: Apache-2.0
/*
 * The certificates of a DICE chain: the device's own or the request for one, an alias for one partition,
 * the partition's identity. Their form is one that `openssl verify` accepts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <hsm/dice.h>

#define DEVICE_PREFIX	       "ihsm device "
#define UUID_TEXT_SIZE	       37
#define HEX_TEXT_SIZE	       (2 * HSM_DICE_ID_SIZE + 1)
#define DEVICE_EXTENSION_COUNT 2

/* A device has no clock to trust: no end (RFC 5280, 4.1.2.5). */
#define NOT_BEFORE "20250101000000Z"
#define NOT_AFTER  "99991231235959Z"

/* struct text_extension - an extension by libcrypto's text form */
struct text_extension {
	int nid;
	const char *value;
};

/* What the device asks for and gives itself: it certifies aliases, which certify partitions. */
static const struct text_extension device_extensions[DEVICE_EXTENSION_COUNT] = {
	{ NID_basic_constraints, "critical,CA:TRUE,pathlen:1" },
	{ NID_key_usage, "critical,keyCertSign" },
};

static void uuid_text(const uint8_t id[HSM_DICE_ID_SIZE], char text[UUID_TEXT_SIZE])
{
	snprintf(text, UUID_TEXT_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0],
		 id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11],
		 id[12], id[13], id[14], id[15]);
}

static void hex_text(const uint8_t id[HSM_DICE_ID_SIZE], char text[HEX_TEXT_SIZE])
{
	for (size_t i = 0; i < HSM_DICE_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/* ML-DSA hashes by itself. */
static const EVP_MD *digest_of(EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "EC") ? EVP_sha384() : NULL;
}

/* ---- names ---- */

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
	return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)value, -1,
					  -1, 0) == 1;
}

static bool set_name(X509_NAME *name, const char *unit, const char *common)
{
	return add_name(name, "O", "Integrated HSM") && (!unit || add_name(name, "OU", unit)) &&
	       add_name(name, "CN", common);
}

static bool device_name(X509_NAME *name, const struct hsm_dice_device *device)
{
	char common[16 + HEX_TEXT_SIZE], hex[HEX_TEXT_SIZE];

	hex_text(device->board_id, hex);
	snprintf(common, sizeof(common), DEVICE_PREFIX "%s", hex);
	return set_name(name, NULL, common) && add_name(name, "serialNumber", device->serial);
}

/* The one entry of its kind, as text without a NUL in it. Return: its length, -1: none, several, or too long */
static int only_entry(const X509_NAME *name, int nid, char *text, size_t size)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1), length;
	uint8_t *utf8 = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return -1;
	length =
		ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (length > 0 && ((size_t)length >= size || memchr(utf8, '\0', (size_t)length)))
		length = -1;
	if (length > 0) {
		memcpy(text, utf8, (size_t)length);
		text[length] = '\0';
	}
	OPENSSL_free(utf8);
	return length > 0 ? length : -1;
}

int hsm_dice_device_name(const X509 *cert, uint8_t board_id[HSM_DICE_ID_SIZE],
			 char serial[HSM_DICE_SERIAL_MAX + 1])
{
	const X509_NAME *name = X509_get_subject_name(cert);
	char common[sizeof(DEVICE_PREFIX) + HEX_TEXT_SIZE], again[HEX_TEXT_SIZE];
	const char *hex = common + strlen(DEVICE_PREFIX);
	size_t length;
	int ret = -EBADMSG;

	if (only_entry(name, NID_commonName, common, sizeof(common)) > 0 &&
	    only_entry(name, NID_serialNumber, serial, HSM_DICE_SERIAL_MAX + 1) > 0 &&
	    !strncmp(common, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) &&
	    OPENSSL_hexstr2buf_ex(board_id, HSM_DICE_ID_SIZE, &length, hex, '\0') == 1 &&
	    length == HSM_DICE_ID_SIZE) {
		/* One spelling: no two names are for the same board. */
		hex_text(board_id, again);
		ret = strcmp(hex, again) ? -EBADMSG : 0;
	}
	ERR_clear_error();
	return ret;
}

bool hsm_dice_is_passing(const X509 *cert)
{
	char unit[sizeof(HSM_DICE_PASSING)];

	return only_entry(X509_get_subject_name(cert), NID_organizationalUnitName, unit,
			  sizeof(unit)) > 0 &&
	       !strcmp(unit, HSM_DICE_PASSING);
}

bool hsm_dice_names_partition(const X509 *cert, const uint8_t partition[HSM_DICE_ID_SIZE])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char want[16 + UUID_TEXT_SIZE] = "urn:uuid:";
	bool found = false;

	uuid_text(partition, want + strlen(want));
	/* One name alone: it must not stand for two partitions. */
	if (names && sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
		const ASN1_STRING *uri = name->type == GEN_URI ? name->d.uniformResourceIdentifier
							       : NULL;

		found = uri && ASN1_STRING_length(uri) == (int)strlen(want) &&
			memcmp(ASN1_STRING_get0_data(uri), want, strlen(want)) == 0;
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}

/* ---- extensions ---- */

static bool add_text(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool added;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	added = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool add_partition(X509 *cert, const uint8_t partition[HSM_DICE_ID_SIZE])
{
	char uuid[UUID_TEXT_SIZE], uri[16 + UUID_TEXT_SIZE];

	uuid_text(partition, uuid);
	snprintf(uri, sizeof(uri), "URI:urn:uuid:%s", uuid);
	return add_text(cert, cert, NID_subject_alt_name, uri);
}

static bool add_tcb_info(X509 *cert, const struct hsm_tcb_info *tcb)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(HSM_TCB_INFO_OID, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;
	uint8_t *der = NULL;
	int length = hsm_tcb_info_encode(tcb, &der);
	bool added = false;

	/* Not critical: nobody but us would accept the certificate. Who needs it requires it. */
	if (oid && value && length > 0 && ASN1_OCTET_STRING_set(value, der, length))
		extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	if (extension)
		added = X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
	OPENSSL_free(der);
	return added;
}

static bool put_subtree(NAME_CONSTRAINTS *constraints, X509_NAME *name)
{
	GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();

	constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
	if (!subtree || !constraints->permittedSubtrees ||
	    !sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree)) {
		GENERAL_SUBTREE_free(subtree);
		return false;
	}
	GENERAL_NAME_set0_value(subtree->base, GEN_DIRNAME, name);
	return true;
}

/* The one name under which this certificate's key may certify another */
static bool add_constraint(X509 *cert, const uint8_t partition[HSM_DICE_ID_SIZE])
{
	NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
	X509_NAME *name = X509_NAME_new();
	char uuid[UUID_TEXT_SIZE];
	bool added = false;

	uuid_text(partition, uuid);
	if (constraints && name && set_name(name, NULL, uuid) && put_subtree(constraints, name)) {
		name = NULL;
		added = X509_add1_ext_i2d(cert, NID_name_constraints, constraints, 1, 0) == 1;
	}
	X509_NAME_free(name);
	NAME_CONSTRAINTS_free(constraints);
	return added;
}

/* ---- certificates ---- */

static bool set_serial(OSSL_LIB_CTX *libctx, X509 *cert)
{
	uint8_t random[16];
	BIGNUM *number;
	bool set;

	if (RAND_bytes_ex(libctx, random, sizeof(random), 0) != 1)
		return false;
	random[0] = (random[0] & 0x7f) | 0x40; /* positive, and always as long */
	number = BN_bin2bn(random, sizeof(random), NULL);
	set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return set;
}

/* What every certificate has. @issuer NULL: it is its own */
static bool begin(OSSL_LIB_CTX *libctx, X509 *cert, X509 *issuer, EVP_PKEY *key)
{
	const X509_NAME *from = X509_get_subject_name(issuer ? issuer : cert);

	return X509_set_version(cert, X509_VERSION_3) && set_serial(libctx, cert) &&
	       X509_set_issuer_name(cert, from) && X509_set_pubkey(cert, key) &&
	       ASN1_TIME_set_string(X509_getm_notBefore(cert), NOT_BEFORE) &&
	       ASN1_TIME_set_string(X509_getm_notAfter(cert), NOT_AFTER) &&
	       add_text(cert, cert, NID_subject_key_identifier, "hash") &&
	       add_text(cert, issuer ? issuer : cert, NID_authority_key_identifier, "keyid:always");
}

static bool finish(X509 *cert, EVP_PKEY *key)
{
	return X509_sign(cert, key, digest_of(key)) > 0;
}

/* @cert when @done, else nothing is left of it */
static X509 *result(X509 *cert, bool done)
{
	if (done)
		return cert;
	X509_free(cert);
	return NULL;
}

X509 *hsm_dice_device_certificate(OSSL_LIB_CTX *libctx, const struct hsm_dice_device *device,
				  EVP_PKEY *key)
{
	X509 *cert = X509_new_ex(libctx, NULL);
	bool done = cert && device_name(X509_get_subject_name(cert), device) &&
		    begin(libctx, cert, NULL, key);

	for (size_t i = 0; done && i < DEVICE_EXTENSION_COUNT; i++)
		done = add_text(cert, cert, device_extensions[i].nid, device_extensions[i].value);
	return result(cert, done && finish(cert, key));
}

static bool add_request_extensions(X509_REQ *request)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *extension;
	bool done = list != NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, NULL, NULL, request, NULL, 0);
	for (size_t i = 0; done && i < DEVICE_EXTENSION_COUNT; i++) {
		extension = X509V3_EXT_conf_nid(NULL, &ctx, device_extensions[i].nid,
						device_extensions[i].value);
		done = extension && sk_X509_EXTENSION_push(list, extension);
		if (!done)
			X509_EXTENSION_free(extension);
	}
	done = done && X509_REQ_add_extensions(request, list) == 1;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return done;
}

X509_REQ *hsm_dice_device_request(OSSL_LIB_CTX *libctx, const struct hsm_dice_device *device,
				  EVP_PKEY *key)
{
	X509_REQ *request = X509_REQ_new_ex(libctx, NULL);

	if (request && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
	    device_name(X509_REQ_get_subject_name(request), device) &&
	    X509_REQ_set_pubkey(request, key) && add_request_extensions(request) &&
	    X509_REQ_sign(request, key, digest_of(key)) > 0)
		return request;
	X509_REQ_free(request);
	return NULL;
}

X509 *hsm_dice_alias_certificate(OSSL_LIB_CTX *libctx, X509 *issuer, EVP_PKEY *issuer_key,
				 EVP_PKEY *alias, const struct hsm_tcb_info *tcb,
				 const uint8_t partition[HSM_DICE_ID_SIZE])
{
	X509 *cert = X509_new_ex(libctx, NULL);
	char unit[32];
	bool done;

	snprintf(unit, sizeof(unit), "function %u", tcb->function);
	done = cert && set_name(X509_get_subject_name(cert), unit, "ihsm alias") &&
	       begin(libctx, cert, issuer, alias) &&
	       add_text(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_text(cert, cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
	       add_partition(cert, partition) && add_constraint(cert, partition) &&
	       add_tcb_info(cert, tcb);
	return result(cert, done && finish(cert, issuer_key));
}

X509 *hsm_dice_partition_certificate(OSSL_LIB_CTX *libctx, X509 *issuer, EVP_PKEY *issuer_key,
				     EVP_PKEY *identity, const uint8_t partition[HSM_DICE_ID_SIZE],
				     const char *unit)
{
	X509 *cert = X509_new_ex(libctx, NULL);
	char uuid[UUID_TEXT_SIZE];
	bool done;

	uuid_text(partition, uuid);
	/* Behind what the name constraints of the alias demand */
	done = cert && set_name(X509_get_subject_name(cert), NULL, uuid) &&
	       (!unit || add_name(X509_get_subject_name(cert), "OU", unit)) &&
	       begin(libctx, cert, issuer, identity) &&
	       add_text(cert, cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_text(cert, cert, NID_key_usage, "critical,digitalSignature") &&
	       add_partition(cert, partition);
	return result(cert, done && finish(cert, issuer_key));
}
