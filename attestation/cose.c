// SPDX-License-Identifier: Apache-2.0
/*
 * COSE_Sign (RFC 9052, 4.1 and 4.4): several signers over one payload. libcrypto signs; what is here
 * is the form.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <hsm/cose.h>

#define TAG_SIGN	 98
#define HEADER_ALGORITHM 1
#define HEADER_TYPE	 3
#define HEADER_KID	 4
#define HEADER_X5CHAIN	 33

static const struct {
	int number;
	const char *name;
	const char *key;	 /* libcrypto's name of the key type */
	const char *group; /* of elliptic curves */
	const char *digest;
	size_t half; /* bytes of r and of s (RFC 9053, 2.1) */
} algorithms[] = {
	{ HSM_COSE_ES256, "ES256", "EC", "prime256v1", "SHA256", 32 },
	{ HSM_COSE_ES384, "ES384", "EC", "secp384r1", "SHA384", 48 },
	{ HSM_COSE_ES512, "ES512", "EC", "secp521r1", "SHA512", 66 },
	{ HSM_COSE_EDDSA, "EdDSA", "ED25519", NULL, NULL, 0 },
	{ HSM_COSE_EDDSA, "EdDSA", "ED448", NULL, NULL, 0 },
	{ HSM_COSE_ML_DSA_44, "ML-DSA-44", "ML-DSA-44", NULL, NULL, 0 },
	{ HSM_COSE_ML_DSA_65, "ML-DSA-65", "ML-DSA-65", NULL, NULL, 0 },
	{ HSM_COSE_ML_DSA_87, "ML-DSA-87", "ML-DSA-87", NULL, NULL, 0 },
};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

struct hsm_cose {
	cbor_item_t *item;
	cbor_item_t *body; /* protected header, a byte string */
	cbor_item_t *payload;
	cbor_item_t *signatures;
};

static size_t row_of(EVP_PKEY *key)
{
	char group[32];
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		if (!EVP_PKEY_is_a(key, algorithms[i].key))
			continue;
		if (!algorithms[i].group)
			return i;
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
		    strcmp(group, algorithms[i].group) == 0)
			return i;
	}
	return ALGORITHMS;
}

int hsm_cose_algorithm(EVP_PKEY *key)
{
	size_t row = key ? row_of(key) : ALGORITHMS;

	return row < ALGORITHMS ? algorithms[row].number : 0;
}

const char *hsm_cose_algorithm_name(int algorithm)
{
	size_t i;

	for (i = 0; i < ALGORITHMS; i++)
		if (algorithms[i].number == algorithm)
			return algorithms[i].name;
	return "unknown";
}

/* ---- what is signed ---- */

/* A map with one entry as a byte string; one without entries is an empty string (RFC 9052, 3) */
static cbor_item_t *protect(int64_t key, cbor_item_t *value)
{
	cbor_item_t *map, *item = NULL;
	uint8_t *bytes = NULL;
	size_t length;

	if (!value)
		return NULL;
	map = cbor_new_definite_map(1);
	if (hsm_cbor_put(map, key, value) && hsm_cbor_write(map, &bytes, &length) == 0)
		item = cbor_build_bytestring(bytes, length);
	free(bytes);
	if (map)
		cbor_decref(&map);
	return item;
}

static cbor_item_t *empty(void)
{
	return cbor_build_bytestring((const uint8_t *)"", 0);
}

/* Sig_structure of RFC 9052, 4.4 */
static int to_be_signed(cbor_item_t *body, cbor_item_t *signer, const uint8_t *aad,
			size_t aad_length, cbor_item_t *payload, uint8_t **bytes, size_t *length)
{
	cbor_item_t *array = cbor_new_definite_array(5);
	int ret = -ENOMEM;

	if (hsm_cbor_push(array, cbor_build_string("Signature")) &&
	    hsm_cbor_push(array, cbor_incref(body)) && hsm_cbor_push(array, cbor_incref(signer)) &&
	    hsm_cbor_push(array, aad_length ? cbor_build_bytestring(aad, aad_length) : empty()) &&
	    hsm_cbor_push(array, cbor_incref(payload)))
		ret = hsm_cbor_write(array, bytes, length);
	if (array)
		cbor_decref(&array);
	return ret;
}

/* ---- signatures, from DER to the form of COSE and back ---- */

static int raw_of_der(const uint8_t *der, size_t length, size_t half, uint8_t *raw)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)length);
	int ret = -EIO;

	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) >= 0 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) >= 0)
		ret = 0;
	ECDSA_SIG_free(sig);
	return ret;
}

static int der_of_raw(const uint8_t *raw, size_t half, uint8_t **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)half, NULL), *s = BN_bin2bn(raw + half, (int)half, NULL);
	int length = -1;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL;
		length = i2d_ECDSA_SIG(sig, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return length;
}

/* Signature over @bytes in COSE's form, for free() */
static int sign_bytes(OSSL_LIB_CTX *libctx, EVP_PKEY *key, size_t row, const uint8_t *bytes,
		      size_t length, uint8_t **signature, size_t *size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t half = algorithms[row].half, n = 0;
	uint8_t *out = NULL, *raw;
	int ret = -EIO;

	if (!ctx ||
	    EVP_DigestSignInit_ex(ctx, NULL, algorithms[row].digest, libctx, NULL, key, NULL) !=
		    1 ||
	    EVP_DigestSign(ctx, NULL, &n, bytes, length) != 1)
		goto out;
	ret = -ENOMEM;
	out = malloc(n);
	if (!out)
		goto out;
	ret = EVP_DigestSign(ctx, out, &n, bytes, length) == 1 ? 0 : -EIO;
	if (ret || !half)
		goto out;
	raw = malloc(2 * half);
	ret = raw ? raw_of_der(out, n, half, raw) : -ENOMEM;
	free(out);
	out = raw;
	n = 2 * half;
out:
	EVP_MD_CTX_free(ctx);
	if (ret) {
		free(out);
		return ret;
	}
	*signature = out;
	*size = n;
	return 0;
}

static int verify_bytes(OSSL_LIB_CTX *libctx, EVP_PKEY *key, size_t row, const uint8_t *bytes,
			size_t length, const uint8_t *signature, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t half = algorithms[row].half;
	uint8_t *der = NULL;
	int ret = -EBADMSG, n;

	if (!ctx)
		return -ENOMEM;
	if (half) {
		n = size == 2 * half ? der_of_raw(signature, half, &der) : -1;
		if (n <= 0)
			goto out;
		signature = der;
		size = (size_t)n;
	}
	if (EVP_DigestVerifyInit_ex(ctx, NULL, algorithms[row].digest, libctx, NULL, key, NULL) ==
		    1 &&
	    EVP_DigestVerify(ctx, signature, size, bytes, length) == 1)
		ret = 0;
out:
	ERR_clear_error();
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	return ret;
}

/* ---- making a message ---- */

static cbor_item_t *certificate_item(X509 *cert)
{
	uint8_t *der = NULL;
	int length = i2d_X509(cert, &der);
	cbor_item_t *item = length > 0 ? cbor_build_bytestring(der, (size_t)length) : NULL;

	OPENSSL_free(der);
	return item;
}

/* One certificate is a byte string, several are an array (RFC 9360, 2). */
static cbor_item_t *chain_item(STACK_OF(X509) * chain)
{
	int i, count = sk_X509_num(chain);
	cbor_item_t *array;

	if (count == 1)
		return certificate_item(sk_X509_value(chain, 0));
	array = cbor_new_definite_array((size_t)count);
	for (i = 0; array && i < count; i++)
		if (!hsm_cbor_push(array, certificate_item(sk_X509_value(chain, i))))
			cbor_decref(&array);
	return array;
}

static cbor_item_t *unprotected(const struct hsm_cose_signer *signer)
{
	cbor_item_t *map;
	bool done = true;

	map = cbor_new_definite_map((signer->kid ? 1 : 0) + (signer->chain ? 1 : 0));
	if (!map)
		return NULL;
	if (signer->kid)
		done = hsm_cbor_put(map, HEADER_KID,
				    cbor_build_bytestring(signer->kid, signer->kid_length));
	if (done && signer->chain)
		done = hsm_cbor_put(map, HEADER_X5CHAIN, chain_item(signer->chain));
	if (!done)
		cbor_decref(&map);
	return map;
}

/* One COSE_Signature */
static int add_signature(OSSL_LIB_CTX *libctx, const struct hsm_cose_signer *signer,
			 cbor_item_t *body, const uint8_t *aad, size_t aad_length,
			 cbor_item_t *payload, cbor_item_t *signatures)
{
	size_t row = row_of(signer->key), length, size;
	uint8_t *bytes = NULL, *signature = NULL;
	cbor_item_t *header, *item = NULL;
	int ret;

	if (row == ALGORITHMS)
		return -EINVAL;
	header = protect(HEADER_ALGORITHM, hsm_cbor_int(algorithms[row].number));
	if (!header)
		return -ENOMEM;
	ret = to_be_signed(body, header, aad, aad_length, payload, &bytes, &length);
	if (!ret)
		ret = sign_bytes(libctx, signer->key, row, bytes, length, &signature, &size);
	if (ret)
		goto out;
	ret = -ENOMEM;
	item = cbor_new_definite_array(3);
	if (hsm_cbor_push(item, cbor_incref(header)) && hsm_cbor_push(item, unprotected(signer)) &&
	    hsm_cbor_push(item, cbor_build_bytestring(signature, size)) &&
	    cbor_array_push(signatures, item))
		ret = 0;
out:
	if (item)
		cbor_decref(&item);
	cbor_decref(&header);
	free(signature);
	free(bytes);
	return ret;
}

static int write_message(cbor_item_t *body, cbor_item_t *payload, cbor_item_t *signatures,
			 uint8_t **message, size_t *length)
{
	cbor_item_t *array = cbor_new_definite_array(4), *tagged = NULL;
	int ret = -ENOMEM;

	if (hsm_cbor_push(array, cbor_incref(body)) &&
	    hsm_cbor_push(array, cbor_new_definite_map(0)) &&
	    hsm_cbor_push(array, cbor_incref(payload)) &&
	    hsm_cbor_push(array, cbor_incref(signatures)))
		tagged = cbor_build_tag(TAG_SIGN, array);
	if (tagged) {
		ret = hsm_cbor_write(tagged, message, length);
		cbor_decref(&tagged);
	}
	if (array)
		cbor_decref(&array);
	return ret;
}

int hsm_cose_sign(OSSL_LIB_CTX *libctx, const struct hsm_cose_signer *signers, size_t count,
		  const char *type, const uint8_t *payload, size_t length, const uint8_t *aad,
		  size_t aad_length, uint8_t **message, size_t *message_length)
{
	cbor_item_t *body, *text, *signatures;
	int ret = -ENOMEM;
	size_t i;

	if (!count || count > HSM_COSE_MAX_SIGNERS)
		return -EINVAL;
	body = type ? protect(HEADER_TYPE, cbor_build_string(type)) : empty();
	text = cbor_build_bytestring(payload, length);
	signatures = cbor_new_definite_array(count);
	if (body && text && signatures)
		ret = 0;
	for (i = 0; !ret && i < count; i++)
		ret = add_signature(libctx, &signers[i], body, aad, aad_length, text, signatures);
	if (!ret)
		ret = write_message(body, text, signatures, message, message_length);
	if (body)
		cbor_decref(&body);
	if (text)
		cbor_decref(&text);
	if (signatures)
		cbor_decref(&signatures);
	return ret;
}

/* ---- reading one ---- */

/* The map inside of a protected header; new */
static cbor_item_t *protected_map(const cbor_item_t *header)
{
	const uint8_t *bytes;
	cbor_item_t *map;
	size_t length;

	if (!hsm_cbor_as_bytes(header, &bytes, &length))
		return NULL;
	if (!length)
		return cbor_new_definite_map(0);
	map = hsm_cbor_read(bytes, length);
	if (map && !cbor_isa_map(map))
		cbor_decref(&map);
	return map;
}

/* Of a protected header we take what we know and nothing else: it may be critical. */
static bool type_is(const cbor_item_t *header, const char *type)
{
	cbor_item_t *map = protected_map(header);
	bool is = false;

	if (map && cbor_map_size(map) == (type ? 1 : 0)) {
		const char *text;
		size_t length;

		is = !type || (hsm_cbor_as_text(hsm_cbor_get(map, HEADER_TYPE), &text, &length) &&
			       length == strlen(type) && memcmp(text, type, length) == 0);
	}
	if (map)
		cbor_decref(&map);
	return is;
}

static cbor_item_t *element(const cbor_item_t *array, size_t index)
{
	return cbor_array_handle(array)[index];
}

static bool is_signature(const cbor_item_t *item)
{
	return cbor_isa_array(item) && cbor_array_size(item) == 3 &&
	       cbor_isa_bytestring(element(item, 0)) && cbor_isa_map(element(item, 1)) &&
	       cbor_isa_bytestring(element(item, 2));
}

static int take_apart(struct hsm_cose *message, const char *type)
{
	cbor_item_t *array;
	size_t i, count;

	if (!cbor_isa_tag(message->item) || cbor_tag_value(message->item) != TAG_SIGN)
		return -EBADMSG;
	array = cbor_tag_item(message->item);
	cbor_decref(&(cbor_item_t *){ array }); /* borrowed: the tag holds it */
	if (!cbor_isa_array(array) || cbor_array_size(array) != 4)
		return -EBADMSG;
	message->body = element(array, 0);
	message->payload = element(array, 2);
	message->signatures = element(array, 3);
	if (!cbor_isa_bytestring(message->body) || !type_is(message->body, type) ||
	    !cbor_isa_map(element(array, 1)) || !cbor_isa_bytestring(message->payload) ||
	    !cbor_isa_array(message->signatures))
		return -EBADMSG;
	count = cbor_array_size(message->signatures);
	if (!count || count > HSM_COSE_MAX_SIGNERS)
		return -EBADMSG;
	for (i = 0; i < count; i++)
		if (!is_signature(element(message->signatures, i)))
			return -EBADMSG;
	return 0;
}

int hsm_cose_read(const uint8_t *bytes, size_t length, const char *type, struct hsm_cose **message)
{
	struct hsm_cose *m;
	int ret = -EBADMSG;

	if (length > HSM_COSE_MAX)
		return -EBADMSG;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->item = hsm_cbor_read(bytes, length);
	if (m->item)
		ret = take_apart(m, type);
	if (ret) {
		hsm_cose_free(m);
		return ret;
	}
	*message = m;
	return 0;
}

void hsm_cose_free(struct hsm_cose *message)
{
	if (!message)
		return;
	if (message->item)
		cbor_decref(&message->item);
	free(message);
}

const uint8_t *hsm_cose_payload(const struct hsm_cose *message, size_t *length)
{
	*length = cbor_bytestring_length(message->payload);
	return cbor_bytestring_handle(message->payload);
}

size_t hsm_cose_signatures(const struct hsm_cose *message)
{
	return cbor_array_size(message->signatures);
}

static cbor_item_t *signature_part(const struct hsm_cose *message, size_t index, size_t part)
{
	return element(element(message->signatures, index), part);
}

int hsm_cose_signer_algorithm(const struct hsm_cose *message, size_t index)
{
	cbor_item_t *map = protected_map(signature_part(message, index, 0));
	int64_t number = 0;

	/* As above: a header that we do not know could mean something. */
	if (map && (cbor_map_size(map) != 1 ||
		    !hsm_cbor_as_int(hsm_cbor_get(map, HEADER_ALGORITHM), &number)))
		number = 0;
	if (map)
		cbor_decref(&map);
	return number >= INT16_MIN && number < 0 ? (int)number : 0;
}

const uint8_t *hsm_cose_signer_kid(const struct hsm_cose *message, size_t index, size_t *length)
{
	const uint8_t *kid;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(signature_part(message, index, 1), HEADER_KID), &kid,
			       length))
		return NULL;
	return kid;
}

static bool add_certificate(STACK_OF(X509) * chain, const cbor_item_t *item, OSSL_LIB_CTX *libctx)
{
	X509 *cert = X509_new_ex(libctx, NULL);
	const uint8_t *der, *at;
	size_t length;

	if (cert && hsm_cbor_as_bytes(item, &der, &length) && length <= INT_MAX) {
		at = der;
		if (d2i_X509(&cert, &at, (long)length) && at == der + length &&
		    sk_X509_push(chain, cert) > 0)
			return true;
	}
	ERR_clear_error();
	X509_free(cert);
	return false;
}

STACK_OF(X509) *
	hsm_cose_signer_chain(const struct hsm_cose *message, size_t index, OSSL_LIB_CTX *libctx)
{
	cbor_item_t *item = hsm_cbor_get(signature_part(message, index, 1), HEADER_X5CHAIN);
	STACK_OF(X509) *chain = item ? sk_X509_new_null() : NULL;
	bool good;
	size_t i;

	if (!chain)
		return NULL;
	if (cbor_isa_array(item)) {
		good = cbor_array_size(item) >= 2 && cbor_array_size(item) <= HSM_COSE_MAX_CHAIN;
		for (i = 0; good && i < cbor_array_size(item); i++)
			good = add_certificate(chain, element(item, i), libctx);
	} else {
		good = add_certificate(chain, item, libctx);
	}
	if (good)
		return chain;
	sk_X509_pop_free(chain, X509_free);
	return NULL;
}

int hsm_cose_verify(const struct hsm_cose *message, size_t index, OSSL_LIB_CTX *libctx,
		    EVP_PKEY *key, const uint8_t *aad, size_t aad_length)
{
	size_t row = row_of(key), length, size;
	const uint8_t *signature;
	uint8_t *bytes;
	int ret;

	if (index >= hsm_cose_signatures(message) || row == ALGORITHMS ||
	    hsm_cose_signer_algorithm(message, index) != algorithms[row].number)
		return -EBADMSG;
	ret = to_be_signed(message->body, signature_part(message, index, 0), aad, aad_length,
			   message->payload, &bytes, &length);
	if (ret)
		return ret;
	hsm_cbor_as_bytes(signature_part(message, index, 2), &signature, &size);
	ret = verify_bytes(libctx, key, row, bytes, length, signature, size);
	free(bytes);
	return ret;
}
