/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the mechanisms: what mech.c, which runs operations, and mech_*.c, one family of algorithms each, share.
 */
#ifndef FIRMWARE_MECH_PRIVATE_H
#define FIRMWARE_MECH_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include "attributes.h"
#include "firmware.h"
#include "mech.h"

#define MECH_HELD_MAX		(16 * 1024 * 1024)	/* input held back until an operation's end */
#define MECH_RAW_MAX		1024			/* input of RSA and ECDSA that is not hashed here */
#define MECH_SIGNATURE_MAX	(49 * 1024)		/* the longest, of SLH-DSA with 256f, has 49856 bytes */
#define MECH_DERIVED_MIN	14			/* bytes: a derived key is not shorter, or it could be searched for */
#define MECH_DERIVED_MAX	4096			/* nor longer */
#define MECH_AES_BLOCK		16
#define MECH_PBKDF2_MAX		10000000		/* iterations: some ten seconds */
#define MECH_SECRET_MAX		4096			/* bytes of a secret key */

/* ---- what libcrypto has, fetched once (mech.c) ---- */

/**
 * struct mech_hash - one hash function under all the numbers that PKCS#11 has for it; 0 where it has none
 * @mechanism: CKM_
 * @mgf: CKG_MGF1_
 * @kdf: CKD_ of X9.63
 * @sp800: CKD_ of SP 800-56A
 * @hmac_key: CKK_ of keys for its HMAC alone
 * @name: libcrypto's
 * @oid: last arc of 2.16.840.1.101.3.4.2, which HashML-DSA and HashSLH-DSA sign with the hash
 * @size: bytes of the digest where libcrypto must be told; 0: it is the algorithm's own
 */
struct mech_hash {
	uint64_t mechanism;
	uint64_t mgf;
	uint64_t kdf;
	uint64_t sp800;
	uint64_t hmac_key;
	const char *name;
	uint8_t oid;
	uint8_t size;
};

/* Each looks for a hash by one of its numbers. NULL: there is none, or libcrypto does not have it. */
const struct mech_hash *mech_hash_find(uint64_t mechanism);
const struct mech_hash *mech_hash_by_mgf(uint64_t mgf);
const struct mech_hash *mech_hash_by_kdf(uint64_t kdf, bool *sp800);
const struct mech_hash *mech_hash_by_pbkd2(uint64_t prf);

/*
 * mech_gcm_tag - is this the length in bits of a tag of GCM and GMAC (SP 800-38D, 5.2.1.2)? Policy
 * may want more.
 */
static inline bool mech_gcm_tag(uint64_t bits)
{
	return bits == 32 || bits == 64 || (bits >= 96 && bits <= 128 && bits % 8 == 0);
}

/* mech_hash_of_row - hash that the row names, NULL when it names none */
const struct mech_hash *mech_hash_of_row(const struct hsm_mechanism_info *info);

/* mech_xof_of_row - extendable output function that the row names, NULL when it names none */
const EVP_MD *mech_xof_of_row(const struct hsm_mechanism_info *info);

/*
 * mech_hash_md - the fetched digest; mech_hash_size - bytes of its output, of SHAKE those
 * that FIPS 204 and 205 sign; mech_hash_init - start a digest in @ctx
 */
const EVP_MD *mech_hash_md(const struct mech_hash *hash);
size_t mech_hash_size(const struct mech_hash *hash);
bool mech_hash_init(EVP_MD_CTX *ctx, const struct mech_hash *hash);

/* mech_cipher - the row's cipher and mode with a key of so many bytes; NULL when no key is that long */
const EVP_CIPHER *mech_cipher(const struct hsm_mechanism_info *info, size_t key_length);
/* mech_cipher_ecb - block cipher of a key type, for single blocks; NULL when it has none */
const EVP_CIPHER *mech_cipher_ecb(uint64_t key_type, size_t key_length);

EVP_MAC *mech_mac_hmac(void);
EVP_MAC *mech_mac_cmac(void);
EVP_MAC *mech_mac_gmac(void);
EVP_MAC *mech_mac_poly1305(void);

/* mech_kdf - a fetched key derivation: "HKDF", "X963KDF", "SSKDF", "PBKDF2", "TLS1-PRF"; NULL otherwise */
EVP_KDF *mech_kdf(const char *name);

/* mech_implicit_rejection - does libcrypto answer bad PKCS#1 v1.5 padding with a made-up plaintext? */
bool mech_implicit_rejection(void);

/* ---- keys (mech_key.c, mech_secret.c) ---- */

#define KEY_PARKED	4	/* prepared operations that a key keeps for each use */

/**
 * struct key - see mech.h
 * @references: the last one frees
 * @attributes: own copy
 * @class: CKO_
 * @type: CKK_
 * @size: in the unit of the table's sizes
 * @value: CKA_VALUE of a secret key, NULL of others
 * @lock: taken while @pkey is made
 * @pkey: made on first use
 * @parked: finished operations with their contexts, to begin the next one faster; taken and put back by exchange alone
 */
struct key {
	atomic_uint references;
	struct attributes attributes;
	uint64_t class;
	uint64_t type;
	size_t size;
	const struct attribute *value;
	pthread_mutex_t lock;
	_Atomic(EVP_PKEY *) pkey;
	_Atomic(struct mech_operation *) parked[MECH_USES][KEY_PARKED];
};

/* key_pkey - libcrypto's form of a public or private key, made on first use; the key owns it. NULL: bad material. */
EVP_PKEY *key_pkey(struct key *key);

/* key_drop_parked - free the operations parked at a key that nobody has any more (mech.c) */
void key_drop_parked(struct key *key);

/* mech_pkey_from - a new EVP_PKEY from the attributes of a public or private key; NULL when they make no key */
EVP_PKEY *mech_pkey_from(const struct attributes *attributes);

/* mech_pkey_fill - set the attributes of key material from @pkey; @class says which half */
CK_RV mech_pkey_fill(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class, uint64_t type);

/* mech_secret_valid - may a key of this type have this value? mech_secret_fixed - the one length of a key type, 0: it has none */
bool mech_secret_valid(uint64_t key_type, const uint8_t *value, size_t length);
size_t mech_secret_fixed(uint64_t key_type);
/* mech_set_number - a libcrypto parameter as big-endian attribute of @size bytes, 0: of as many as the number has */
CK_RV mech_set_number(struct attributes *attributes, uint64_t type, EVP_PKEY *pkey, const char *param, size_t size);

/* mech_import_pair - mech_import() for public and private keys */
CK_RV mech_import_pair(struct attributes *attributes, uint64_t class, uint64_t type);

/* mech_secret_fill - set CKA_VALUE, CKA_VALUE_LEN where the key type has it, and CKA_CHECK_VALUE */
CK_RV mech_secret_fill(struct attributes *attributes, const uint8_t *value, size_t length);

/* mech_secret_length - length that a template asks for, or that its key type has; 0: left open */
CK_RV mech_secret_length(const struct attributes *attributes, size_t *length);

/**
 * mech_secret_derived - make a derived secret the value of the key in @attributes
 * @secret: what the mechanism gives; longer than asked for: bytes are removed from its leading end, as PKCS#11 says
 */
CK_RV mech_secret_derived(struct attributes *attributes, const uint8_t *secret, size_t length);

/* mech_secret_leading - the same for functions whose first bytes are the key */
CK_RV mech_secret_leading(struct attributes *attributes, const uint8_t *secret, size_t length);

/* mech_derived_length - length wanted of a derived secret: the template's, that of the key type, or @fallback (0: none) */
CK_RV mech_derived_length(const struct attributes *attributes, size_t fallback, size_t *length);

/* mech_kdf_run - one of mech_kdf() with its parameters */
CK_RV mech_kdf_run(const char *name, const OSSL_PARAM *params, uint8_t *out, size_t length);

/* ---- pseudo-random functions and the derivations built on them ---- */

/* One piece of a function's input */
struct mech_part {
	const uint8_t *data;
	size_t length;
};

/**
 * struct mech_prf - a MAC with its key set (mech_prf.c)
 * @size: bytes of its output
 */
struct mech_prf {
	EVP_MAC_CTX *ctx;
	size_t size;
};

/* mech_prf_begin - @mechanism: CKM_ of an HMAC or CMAC at its full length; mech_prf_end() afterwards, in any case */
CK_RV mech_prf_begin(struct mech_prf *prf, uint64_t mechanism, const uint8_t *key, size_t length);
/* mech_prf_begin_key - the same with a key object, which must be of a type that the mechanism takes */
CK_RV mech_prf_begin_key(struct mech_prf *prf, uint64_t mechanism, struct key *key);
CK_RV mech_prf_run(struct mech_prf *prf, const struct mech_part *parts, size_t count, uint8_t out[EVP_MAX_MD_SIZE]);
void mech_prf_end(struct mech_prf *prf);

/* mech_field - a parameter field's bytes as a part; mech_other - value of one of the mechanism's other keys, or none */
struct mech_part mech_field(const struct mechanism *mechanism, enum hsm_field_tag tag);
struct mech_part mech_other(const struct mechanism *mechanism, unsigned int index);

/* One function for each family of derivations; the base key and the parameter fields have been checked against the row. */
CK_RV mech_derive_kbkdf(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);
CK_RV mech_derive_tls(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);
CK_RV mech_derive_ike(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);
CK_RV mech_derive_pieces(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);
CK_RV mech_derive_digest(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);
CK_RV mech_derive_encrypt(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);

/* mech_piece_leading - the first bytes of the base key, by the rules for pieces of keys */
CK_RV mech_piece_leading(struct key *base, struct mech_derived *derived, size_t length);

/* mech_generate_pbkdf2 - a key from a password */
CK_RV mech_generate_pbkdf2(const struct mechanism *mechanism, struct attributes *attributes);

extern const struct mech_ops mech_tls_mac_ops, mech_otp_ops;

/* ---- key agreement (mech_agree.c) ---- */

#define MECH_SHARED_MAX	1024	/* bytes of a secret agreed on, and of a public value: DH with 8192 bits */

/* mech_agree_peer - key of the other party from its public value, in the curve or group of @base; NULL: it is none */
EVP_PKEY *mech_agree_peer(const struct key *base, const uint8_t *data, size_t length);

/* mech_agree_ephemeral - a new pair in the curve or group of @partner, or NULL */
EVP_PKEY *mech_agree_ephemeral(struct key *partner);

/* mech_agree_public - public value as the other party takes it; *length: in room, out bytes */
bool mech_agree_public(EVP_PKEY *pkey, uint8_t *out, size_t *length);

/* mech_agree - the secret of @own and @peer; CKR_MECHANISM_PARAM_INVALID when libcrypto refuses one */
CK_RV mech_agree(EVP_PKEY *own, EVP_PKEY *peer, bool cofactor, uint8_t secret[MECH_SHARED_MAX], size_t *length);

/**
 * struct mech_agree_kdf - what KDF and SHARED of a command say
 * @hash: NULL: the secret is taken as it is
 * @sp800: SP 800-56A, otherwise X9.63
 * @shared: in the command
 */
struct mech_agree_kdf {
	const struct mech_hash *hash;
	bool sp800;
	const uint8_t *shared;
	size_t shared_length;
};

CK_RV mech_agree_kdf_take(const struct mechanism *mechanism, struct mech_agree_kdf *kdf);

/* mech_agree_kdf - @length bytes from the secret; without a hash its first ones */
CK_RV mech_agree_kdf(const struct mech_agree_kdf *kdf, const uint8_t *secret, size_t secret_length, uint8_t *out,
		     size_t length);

CK_RV mech_agree_derive(const struct mechanism *mechanism, struct key *base, struct attributes *attributes);
CK_RV mech_agree_encapsulate(const struct mechanism *mechanism, struct key *partner, uint8_t *ciphertext, size_t *length,
			     struct attributes *attributes);
CK_RV mech_agree_decapsulate(const struct mechanism *mechanism, struct key *private_key, const uint8_t *ciphertext,
			     size_t length, struct attributes *attributes);

/* ---- curves (mech_curve.c) ---- */

/**
 * struct mech_curve - an elliptic curve
 * @name: libcrypto's group or key type
 * @curve_name: printable name in CKA_EC_PARAMS
 * @type: CKK_
 * @bits: size of the field, which is the key's size
 * @size: bytes of a field element, of a private key and of half a signature
 * @approved: SP 800-186 has it for signatures, or SP 800-56A for key agreement
 * @oid: DER of the object identifier
 */
struct mech_curve {
	const char *name;
	const char *curve_name;
	uint64_t type;
	uint16_t bits;
	uint8_t size;
	bool approved;
	uint8_t oid_length;
	uint8_t oid[11];
};

/* mech_curve_find - curve of a CKA_EC_PARAMS for keys of @type, or NULL */
const struct mech_curve *mech_curve_find(uint64_t type, const uint8_t *params, size_t length);

/* mech_curve_check - what is wrong with a CKA_EC_PARAMS: CKR_OK, CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID */
CK_RV mech_curve_check(uint64_t type, const uint8_t *params, size_t length);

const struct mech_curve *mech_curve_of(const struct attributes *attributes);
const struct mech_curve *mech_curve_of_pkey(EVP_PKEY *pkey);

/* mech_curve_point - public value inside a CKA_EC_POINT or ECDH parameter, raw or in a DER OCTET STRING; NULL: neither */
const uint8_t *mech_curve_point(const struct mech_curve *curve, const uint8_t *data, size_t length, size_t *point_length);

/* ---- parameter sets of ML-DSA, ML-KEM and SLH-DSA (mech_set.c) ---- */

/**
 * struct mech_set - a parameter set
 * @type: CKK_
 * @set: CKP_
 * @name: libcrypto's algorithm
 * @public_size: bytes of a public key, which are the key's size
 * @output: bytes of a signature or a ciphertext
 * @slow: signing may take longer than tens of milliseconds
 */
struct mech_set {
	uint64_t type;
	uint64_t set;
	const char *name;
	uint16_t public_size;
	uint16_t output;
	bool slow;
};

/* mech_set_type - are keys of this CKK_ told apart by CKA_PARAMETER_SET? */
bool mech_set_type(uint64_t type);
/* mech_set_first - the first set of a CKK_, which stands for the others when libcrypto is asked what it has; or NULL */
const struct mech_set *mech_set_first(uint64_t type);
/* mech_set_of - by CKA_KEY_TYPE and CKA_PARAMETER_SET; NULL: none */
const struct mech_set *mech_set_of(const struct attributes *attributes);
const struct mech_set *mech_set_of_pkey(const EVP_PKEY *pkey);
/* mech_set_check - CKR_OK, CKR_TEMPLATE_INCOMPLETE or CKR_PARAMETER_SET_NOT_SUPPORTED */
CK_RV mech_set_check(const struct attributes *attributes);

/* ---- groups of Diffie-Hellman (mech_dh.c) ---- */

/* mech_dh_check - are prime and base those of a group that is offered? Otherwise CKR_DOMAIN_PARAMS_INVALID. */
CK_RV mech_dh_check(const struct attributes *attributes, uint64_t type);
/* mech_dh_import - the same of domain parameters, and their CKA_PRIME_BITS and CKA_SUBPRIME_BITS */
CK_RV mech_dh_import(struct attributes *attributes, uint64_t type);
EVP_PKEY *mech_dh_from(const struct attributes *attributes, uint64_t class, uint64_t type);
CK_RV mech_dh_fill(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class, uint64_t type);

/* ---- operations (mech.c) ---- */

/* Input that is held back until the end */
struct mech_held {
	uint8_t *data;
	size_t length;
	size_t room;
};

/* Parameters in libcrypto's terms; which are used depends on the family */
struct mech_params {
	const struct mech_hash *hash;
	const struct mech_hash *mgf;
	bool sp800;
	uint32_t length;	/* salt, tag or MAC, in bytes */
	uint32_t iv_length;
	uint8_t iv[256];
};

/**
 * struct mech_operation - an operation, and the libcrypto contexts that stay when it is parked for the next one
 * @ops: the family's functions
 * @hash: of a signature over the hash of its input; NULL: none
 * @md_ctx: runs @hash
 * @params: parsed; the family compares them with what its contexts were set up with
 * @prepared: the contexts are set up for @params.hash, @params.mgf and @params.length
 * @started: some input has come in parts
 * @broken: something failed, not to be used again
 * @held: input held back
 * @count: bytes that have gone through
 * @limit: how many may
 * @tail: last ciphertext block of a decryption with padding, or of a CBC-MAC
 * @block: bytes of the cipher's block
 * @form: enum cipher_form (mech_cipher.c)
 */
struct mech_operation {
	const struct mech_ops *ops;
	const struct hsm_mechanism_info *info;
	struct key *key;
	enum mech_use use;
	bool prepared;
	bool started;
	bool broken;
	const struct mech_hash *hash;
	EVP_MD_CTX *md_ctx;
	EVP_PKEY_CTX *pkey_ctx;
	EVP_MD_CTX *sign_ctx;
	EVP_CIPHER_CTX *cipher_ctx;
	EVP_MAC_CTX *mac_ctx;
	struct mech_params params;
	struct mech_held held;
	struct mech_held extra;		/* AAD, context string or label */
	uint64_t count;
	uint64_t limit;
	uint8_t iv[MECH_AES_BLOCK];	/* that a counter began with */
	uint8_t tail[MECH_AES_BLOCK];
	uint8_t tail_length;
	uint8_t block;
	uint8_t form;
};

/**
 * struct mech_ops - a family of mechanisms
 * @begin: read the parameters and set up the contexts, or set back those of a parked operation
 * @update: a part; NULL: the parts are gathered and @finish sees them as one
 * @finish: the rest, or with a single part all of the input (the digest of it where the row names a hash)
 * @verify: the same for signatures
 * @size: bytes that @finish writes for so much input; NULL: none
 * @position: see mech_position(); NULL: there is none
 * @exact: @size is the very number, so that room is checked before anything happens. Otherwise @finish does that.
 * @digest: the row's hash is applied to the input first
 * @hold_max: bytes of input that are worth gathering, 0: MECH_HELD_MAX. More is CKR_DATA_LEN_RANGE in any case.
 */
struct mech_ops {
	CK_RV (*begin)(struct mech_operation *operation, const struct mechanism *mechanism);
	CK_RV (*update)(struct mech_operation *operation, const uint8_t *in, size_t in_length, uint8_t *out,
			size_t *out_length);
	CK_RV (*finish)(struct mech_operation *operation, const uint8_t *in, size_t in_length, uint8_t *out,
			size_t *out_length);
	CK_RV (*verify)(struct mech_operation *operation, const uint8_t *in, size_t in_length, const uint8_t *signature,
			size_t length);
	size_t (*size)(const struct mech_operation *operation, size_t in_length);
	bool (*position)(const struct mech_operation *operation, uint8_t iv[MECH_AES_BLOCK], size_t *tail);
	bool exact;
	bool digest;
	size_t hold_max;
};

extern const struct mech_ops mech_rsa_pkcs_ops, mech_rsa_raw_ops, mech_rsa_pss_ops, mech_rsa_oaep_ops, mech_ecdsa_ops, mech_eddsa_ops,
	mech_set_sign_ops, mech_cipher_ops, mech_aead_ops, mech_key_wrap_ops, mech_hmac_ops, mech_cmac_ops, mech_digest_ops;
extern const struct mech_ops mech_rsa_aes_ops, mech_ecdh_aes_ops;
extern const struct mech_ops mech_cipher_whole_ops, mech_gmac_ops, mech_poly1305_ops, mech_cbc_mac_ops;

/* mech_begin_any - mech_begin() without the question whether the table allows this use, for wrap and unwrap */
CK_RV mech_begin_any(struct mech_operation **operation, enum mech_use use, const struct mechanism *mechanism,
		     struct key *key);

/* mech_key_wrap_kwp - RFC 5649 under a key that is no object; *out_length: in room for all of it, out bytes */
CK_RV mech_key_wrap_kwp(bool wrap, const uint8_t *kek, size_t kek_length, const uint8_t *in, size_t in_length, uint8_t *out,
			size_t *out_length);

/* mech_check_parameters - are the parameter fields of the command those of the row's form, and no others? */
CK_RV mech_check_parameters(const struct mechanism *mechanism);

/* mech_check_key - type and size of the key against the row */
CK_RV mech_check_key(const struct hsm_mechanism_info *info, const struct key *key);

/* mech_hold - append to held input. Return: CKR_OK, CKR_DATA_LEN_RANGE above the quota, CKR_HOST_MEMORY. */
CK_RV mech_hold(struct mech_held *held, const uint8_t *in, size_t length);
void mech_held_free(struct mech_held *held);

/* mech_load_provider - make algorithms come from the mode's provider (mech_approved.c). Return: 0 or a negative errno. */
int mech_load_provider(OSSL_LIB_CTX *ctx, OSSL_PROVIDER **provider);

/* mech_rehearse - run operations once, so that what libcrypto sets up on first use is there before the sandbox closes */
int mech_rehearse(void);

/* mech_iv_stop - forget all counts (mech_iv.c) */
void mech_iv_stop(void);

/* mech_failed - clear libcrypto's error queue and return @rv */
CK_RV mech_failed(CK_RV rv);

/* mech_is_private_use - does the use need the private half of a pair? */
static inline bool mech_is_private_use(enum mech_use use)
{
	return use == MECH_SIGN || use == MECH_DECRYPT || use == MECH_SIGN_RECOVER;
}

/* ---- generation, by family ---- */

CK_RV mech_rsa_generate(const struct mechanism *mechanism, const struct attributes *public_key, EVP_PKEY **pkey);
CK_RV mech_ec_generate(const struct mechanism *mechanism, const struct attributes *public_key, EVP_PKEY **pkey);
CK_RV mech_set_generate(const struct mechanism *mechanism, const struct attributes *public_key, EVP_PKEY **pkey);
CK_RV mech_dh_generate(const struct mechanism *mechanism, const struct attributes *public_key,
		       const struct attributes *private_key, EVP_PKEY **pkey);

/* mech_dh_parameters - a group of CKA_PRIME_BITS as domain parameters in @attributes */
CK_RV mech_dh_parameters(const struct mechanism *mechanism, struct attributes *attributes);

/* mech_generate_run - run a generation that is set up, stopping when the task is cancelled; frees @ctx */
CK_RV mech_generate_run(const struct mechanism *mechanism, EVP_PKEY_CTX *ctx, EVP_PKEY **pkey);

#endif /* FIRMWARE_MECH_PRIVATE_H */
