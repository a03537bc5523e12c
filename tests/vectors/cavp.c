// SPDX-License-Identifier: Apache-2.0
/*
 * Every file of the package of the Python cryptography project's vectors: run through the module,
 * or named here with the reason why not. A file that this table does not know fails the test.
 */
#define _XOPEN_SOURCE 700
#include "cavp.h"

#include <ftw.h>

#define DIRECTORY "/usr/lib/python3/dist-packages/cryptography_vectors"

#define NO_MECHANISM "PKCS#11 has no mechanism for it"
#define FORMATS	     "files of a format, no answers of a mechanism"
#define OTHER_FORM \
	"the same vectors are run from the file ending in .rsp, or with private keys that the token does not take"
#define OLD  "an old cipher that is not offered"
#define BITS "lengths in bits: calls of PKCS#11 count bytes"

/* clang-format off */
#define RUN(pattern, record, type, use, key)  { pattern, record, NULL, type, use, key, false, NULL }
#define TEXT(pattern, record, type, use, key) { pattern, record, NULL, type, use, key, true, NULL }
#define FILE_(pattern, file, type, use, key)  { pattern, NULL, NULL, type, use, key, false, file }
#define NOT(pattern, why)		      { pattern, NULL, why, 0, 0, 0, false, NULL }
#define CIPHER (CKF_ENCRYPT | CKF_DECRYPT)
#define MAC    (CKF_SIGN | CKF_VERIFY)
#define WRAP   (CKF_WRAP | CKF_UNWRAP)

/* The first row that fits a path is the file's. */
static const struct row rows[] = {
	RUN("ciphers/AES/CBC/*.rsp", record_cipher, CKM_AES_CBC, CIPHER, CKK_AES),
	RUN("ciphers/AES/ECB/*.rsp", record_cipher, CKM_AES_ECB, CIPHER, CKK_AES),
	RUN("ciphers/AES/OFB/*.rsp", record_cipher, CKM_AES_OFB, CIPHER, CKK_AES),
	RUN("ciphers/AES/CFB/CFB128*.rsp", record_cipher, CKM_AES_CFB128, CIPHER, CKK_AES),
	RUN("ciphers/AES/CFB/CFB8*.rsp", record_cipher, CKM_AES_CFB8, CIPHER, CKK_AES),
	NOT("ciphers/AES/CFB/CFB1*.rsp", BITS),
	RUN("ciphers/AES/CTR/*.txt", record_ctr, CKM_AES_CTR, CIPHER, CKK_AES),
	RUN("ciphers/AES/XTS/*/*.rsp", record_xts, CKM_AES_XTS, CIPHER, CKK_AES_XTS),
	RUN("ciphers/AES/GCM/*.rsp", record_gcm, CKM_AES_GCM, CIPHER, CKK_AES),
	RUN("ciphers/AES/CCM/*.rsp", record_ccm, CKM_AES_CCM, CIPHER, CKK_AES),
	NOT("ciphers/AES/CCM/*.txt", OTHER_FORM),
	NOT("ciphers/AES/GCM-SIV/*", NO_MECHANISM),
	NOT("ciphers/AES/OCB3/*", NO_MECHANISM),
	NOT("ciphers/AES/SIV/*", NO_MECHANISM),
	NOT("ciphers/3DES/CBC/TCBCI*.rsp", "the interleaved mode has no mechanism"),
	RUN("ciphers/3DES/CBC/TCBC*.rsp", record_cipher, CKM_DES3_CBC, CIPHER, CKK_DES3),
	RUN("ciphers/3DES/ECB/TECB*.rsp", record_cipher, CKM_DES3_ECB, CIPHER, CKK_DES3),
	NOT("ciphers/3DES/CFB/*.rsp", "PKCS#11 has this mode for DES, not for triple DES"),
	NOT("ciphers/3DES/OFB/*.rsp", "PKCS#11 has this mode for DES, not for triple DES"),
	RUN("ciphers/Camellia/*-ecb.txt", record_camellia, CKM_CAMELLIA_ECB, CIPHER, CKK_CAMELLIA),
	RUN("ciphers/Camellia/camellia-cbc.txt", record_cipher, CKM_CAMELLIA_CBC, CIPHER, CKK_CAMELLIA),
	NOT("ciphers/Camellia/*", NO_MECHANISM),
	RUN("ciphers/ChaCha20/*.txt", record_chacha, CKM_CHACHA20, CIPHER, CKK_CHACHA20),
	RUN("ciphers/ChaCha20Poly1305/*.txt", record_chacha_poly1305, CKM_CHACHA20_POLY1305, CIPHER, CKK_CHACHA20),
	NOT("ciphers/ARC4/*", OLD),
	NOT("ciphers/Blowfish/*", OLD),
	NOT("ciphers/CAST5/*", OLD),
	NOT("ciphers/IDEA/*", OLD),
	NOT("ciphers/RC2/*", OLD),
	NOT("ciphers/SEED/*", OLD),
	NOT("ciphers/SM4/*", NO_MECHANISM),
	NOT("ciphers/*/Readme.txt", "a text"),
	NOT("**/Readme.txt", "a text"),

	NOT("CMAC/nist-800-38b-3des.txt", "CMAC with triple DES is not offered"),
	RUN("CMAC/nist-800-38b-aes*.txt", record_cmac, CKM_AES_CMAC, MAC, CKK_AES),
	NOT("HMAC/rfc-2202-md5.txt", "MD5 is not offered"),
	NOT("HMAC/*ripemd160.txt", "RIPEMD-160 is not offered"),
	RUN("HMAC/rfc-2202-sha1.txt", record_hmac, CKM_SHA_1_HMAC_GENERAL, MAC, CKK_GENERIC_SECRET),
	RUN("HMAC/rfc-4231-sha224.txt", record_hmac, CKM_SHA224_HMAC_GENERAL, MAC, CKK_GENERIC_SECRET),
	RUN("HMAC/rfc-4231-sha256.txt", record_hmac, CKM_SHA256_HMAC_GENERAL, MAC, CKK_GENERIC_SECRET),
	RUN("HMAC/rfc-4231-sha384.txt", record_hmac, CKM_SHA384_HMAC_GENERAL, MAC, CKK_GENERIC_SECRET),
	RUN("HMAC/rfc-4231-sha512.txt", record_hmac, CKM_SHA512_HMAC_GENERAL, MAC, CKK_GENERIC_SECRET),
	RUN("poly1305/rfc7539.txt", record_poly1305, CKM_POLY1305, MAC, CKK_POLY1305),

	NOT("KDF/ansx963_2001.txt", "the token runs this function on the result of a key agreement, which the vectors give without its keys"),
	RUN("KDF/hkdf-generated.txt", record_hkdf, CKM_HKDF_DERIVE, CKF_DERIVE, CKK_HKDF),
	RUN("KDF/rfc-5869-*.txt", record_hkdf, CKM_HKDF_DERIVE, CKF_DERIVE, CKK_HKDF),
	NOT("KDF/scrypt.txt", NO_MECHANISM),
	RUN("KDF/rfc-6070-PBKDF2-SHA1.txt", record_pbkdf2, CKM_PKCS5_PBKD2, CKF_GENERATE, 0),
	RUN("KDF/nist-800-108-KBKDF-CTR.txt", record_kbkdf, CKM_SP800_108_COUNTER_KDF, CKF_DERIVE, 0),
	NOT("twofactor/rfc-6238.txt", "times of 2009 to 2603: the token's clock is its own"),
	RUN("twofactor/rfc-4226.txt", record_hotp, CKM_HOTP, MAC, CKK_HOTP),

	NOT("hashes/*/*Monte.txt", "the steps between the answers of the file ending in .rsp"),
	RUN("hashes/SHA1/SHA1Monte.rsp", record_monte, CKM_SHA_1, CKF_DIGEST, 0),
	RUN("hashes/SHA1/*Msg.rsp", record_digest, CKM_SHA_1, CKF_DIGEST, 0),
#define SHA(dir, name, type) \
	RUN("hashes/" dir "/" name "Monte.rsp", record_monte, type, CKF_DIGEST, 0), \
	RUN("hashes/" dir "/" name "*Msg.rsp", record_digest, type, CKF_DIGEST, 0)
	SHA("SHA2", "SHA224", CKM_SHA224),
	SHA("SHA2", "SHA256", CKM_SHA256),
	SHA("SHA2", "SHA384", CKM_SHA384),
	SHA("SHA2", "SHA512_224", CKM_SHA512_224),
	SHA("SHA2", "SHA512_256", CKM_SHA512_256),
	SHA("SHA2", "SHA512", CKM_SHA512),
	SHA("SHA3", "SHA3_224", CKM_SHA3_224),
	SHA("SHA3", "SHA3_256", CKM_SHA3_256),
	SHA("SHA3", "SHA3_384", CKM_SHA3_384),
	SHA("SHA3", "SHA3_512", CKM_SHA3_512),
	NOT("hashes/SHAKE/*Monte.rsp", "SHAKE is no digest mechanism; a chain needs digests"),
	RUN("hashes/SHAKE/SHAKE128*.rsp", record_shake, CKM_SHAKE_128_KEY_DERIVATION, CKF_DERIVE, 0),
	RUN("hashes/SHAKE/SHAKE256*.rsp", record_shake, CKM_SHAKE_256_KEY_DERIVATION, CKF_DERIVE, 0),
	RUN("hashes/blake2/blake2b.txt", record_digest, CKM_BLAKE2B_512, CKF_DIGEST, 0),
	NOT("hashes/blake2/blake2s.txt", NO_MECHANISM),
	NOT("hashes/MD5/*", "MD5 is not offered"),
	NOT("hashes/SM3/*", NO_MECHANISM),
	NOT("hashes/ripemd160/*", "RIPEMD-160 is not offered"),

	NOT("keywrap/kwtestvectors/*_inv.txt", "with the inverse cipher, which PKCS#11 does not have"),
	NOT("keywrap/kwtestvectors/TKW*", "key wrapping with triple DES has no mechanism"),
	RUN("keywrap/kwtestvectors/KW_*.txt", record_kw, CKM_AES_KEY_WRAP, WRAP, CKK_AES),
	RUN("keywrap/kwtestvectors/KWP_*.txt", record_kw, CKM_AES_KEY_WRAP_KWP, WRAP, CKK_AES),
	RUN("keywrap/kwp_botan.txt", record_kwp_botan, CKM_AES_KEY_WRAP_KWP, WRAP, CKK_AES),

	NOT("asymmetric/RSA/FIPS_186-2/KeyGenRSA.rsp", "primes from given random numbers: a token draws its own"),
	NOT("asymmetric/RSA/FIPS_186-2/*.txt", OTHER_FORM),
	NOT("asymmetric/RSA/FIPS_186-2/*RSA*.rsp", "signatures of X9.31 are not offered"),
	RUN("asymmetric/RSA/FIPS_186-2/*15_*.rsp", record_rsa_pkcs, CKM_RSA_PKCS, CKF_VERIFY, CKK_RSA),
	RUN("asymmetric/RSA/FIPS_186-2/*PSS_*.rsp", record_rsa_pss, CKM_RSA_PKCS_PSS, CKF_VERIFY, CKK_RSA),
	RUN("asymmetric/RSA/SigVer15EMTest.txt", record_rsa_pkcs, CKM_RSA_PKCS, CKF_VERIFY, CKK_RSA),
	TEXT("asymmetric/RSA/oaep-custom/oaep-*.txt", record_oaep, CKM_RSA_PKCS_OAEP, CKF_DECRYPT, CKK_RSA),
	TEXT("asymmetric/RSA/pkcs-1v2-1d2-vec/oaep-vect.txt", record_oaep, CKM_RSA_PKCS_OAEP, CKF_DECRYPT, CKK_RSA),
	TEXT("asymmetric/RSA/pkcs-1v2-1d2-vec/pss-vect.txt", record_pss_text, CKM_RSA_PKCS_PSS, CKF_VERIFY, CKK_RSA),
	NOT("asymmetric/RSA/pkcs-1v2-1d2-vec/*-int.txt", "the steps inside one vector of the other file"),
	NOT("asymmetric/RSA/pkcs-1v2-1d2-vec/readme.txt", "a text"),
	RUN("asymmetric/RSA/oaep-label.txt", record_oaep_label, CKM_RSA_PKCS_OAEP, CKF_DECRYPT, CKK_RSA),
	TEXT("asymmetric/RSA/pkcs1v15crypt-vectors.txt", record_pkcs1_crypt, CKM_RSA_PKCS, CKF_DECRYPT, CKK_RSA),
	TEXT("asymmetric/RSA/pkcs1v15sign-vectors.txt", record_pkcs1_sign, CKM_RSA_PKCS, CKF_VERIFY, CKK_RSA),
	NOT("asymmetric/DSA/**", "DSA is withdrawn and not offered"),
	RUN("asymmetric/ECDSA/FIPS_186-*/KeyPair.rsp", record_ecdsa_pair, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC),
	RUN("asymmetric/ECDSA/FIPS_186-*/PKV.rsp", record_ecdsa_public, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	NOT("asymmetric/ECDSA/FIPS_186-*/SigGen.rsp", "the file SigGen.txt has these vectors and their private keys"),
	RUN("asymmetric/ECDSA/FIPS_186-*/Sig*", record_ecdsa, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	RUN("asymmetric/ECDSA/SECP256K1/SigGen.txt", record_ecdsa, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	FILE_("asymmetric/ECDSA/RFC6979/*.txt", file_rfc6979, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	FILE_("asymmetric/Ed25519/sign.input", file_ed25519, CKM_EDDSA, MAC, CKK_EC_EDWARDS),
	RUN("asymmetric/Ed448/rfc8032.txt", record_eddsa, CKM_EDDSA, MAC, CKK_EC_EDWARDS),
	RUN("asymmetric/X25519/rfc7748.txt", record_xdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC_MONTGOMERY),
	RUN("asymmetric/X448/rfc7748.txt", record_xdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC_MONTGOMERY),
	RUN("asymmetric/ECDH/*_ZZOnly_*.fax", record_ecdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC),
	RUN("asymmetric/ECDH/*_KDFConcat_*.fax", record_ecdh_kdf, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC),
	RUN("asymmetric/ECDH/brainpool.txt", record_ecdh_brainpool, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC),
	NOT("asymmetric/DH/KASValidityTest*.fax", "Diffie-Hellman over groups without a name is refused"),
	NOT("asymmetric/DH/RFC5114.txt", "its groups are of the X9.42 form with small subgroups, and not offered"),
	NOT("asymmetric/DH/rfc3526.txt", "groups, and no answers"),
	NOT("asymmetric/DH/bad_exchange.txt", "Diffie-Hellman over groups without a name is refused"),
	NOT("asymmetric/DH/vec.txt", "Diffie-Hellman over groups without a name is refused"),
	NOT("asymmetric/DH/dh*", FORMATS),
	NOT("asymmetric/EC/*", FORMATS),
	NOT("asymmetric/*/*.der", FORMATS),
	NOT("asymmetric/*/*.pem", FORMATS),
	NOT("asymmetric/PEM_Serialization/README.txt", "a text"),
	NOT("asymmetric/OpenSSH/**", FORMATS),
	NOT("asymmetric/public/**", FORMATS),

	NOT("x509/**", "certificates, requests and their like: no answers of a mechanism"),
	NOT("pkcs12/**", FORMATS),
	NOT("pkcs7/*", FORMATS),
	NOT("fernet/*", "a protocol on top of AES-CBC and HMAC"),
	NOT("*.py", "the package's own"),
	NOT("py.typed", "the package's own"),
	NOT("__pycache__/*", "the package's own"),
};
/* clang-format on */

static struct report report = { .suite = "cavp" };
static unsigned int not_run[COUNT(rows)];
static const char *only;

static const struct row *row_of(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		if (name_matches(rows[i].pattern, name))
			return &rows[i];
	}
	return NULL;
}

static void run_file(const struct row *row, const char *path, const char *name)
{
	struct record_style style = { .headings = row->headings };
	struct cavp cavp = { &report, row };

	report_file(&report, name);
	if (row->file)
		row->file(&report, row, path);
	else
		records_read(path, &style, row->record, &cavp);
	report_file_end(&report);
}

static int take_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + sizeof(DIRECTORY);
	const struct row *row;
	char text[300];

	(void)st;
	(void)ftw;
	if (type != FTW_F || (only && !name_matches(only, name)))
		return 0;
	row = row_of(name);
	if (!row) {
		snprintf(text, sizeof(text), "%s is in no row of the table", name);
		report_point(&report, false, text);
	} else if (row->why) {
		not_run[row - rows]++;
	} else if (!token_has(row->type, row->use)) {
		snprintf(text, sizeof(text), "the token does not offer mechanism 0x%lx", row->type);
		report_skip(&report, name, text);
	} else {
		run_file(row, path, name);
	}
	return 0;
}

/* cavp [PATTERN]: the files of the package, or those whose paths fit */
int main(int argc, char **argv)
{
	struct stat st;
	size_t i;

	if (stat(DIRECTORY, &st)) {
		printf("1..0 # SKIP python3-cryptography-vectors is not installed\n");
		return 0;
	}
	only = argc > 1 ? argv[1] : NULL;
	token_open();
	nftw(DIRECTORY, take_file, 16, FTW_PHYS);
	token_close();
	for (i = 0; i < COUNT(rows); i++) {
		if (not_run[i])
			printf("# not run: %s (%u): %s\n", rows[i].pattern, not_run[i],
			       rows[i].why);
	}
	return report_end(&report);
}
