// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers for each kind of algorithm that the device relies on, from published examples: FIPS 180-4 and 202,
 * SP 800-38A and B, the GCM submission, RFC 3394, 4231, 5869, 5903, 6979, 8032. The RSA key and the OAEP ciphertext are
 * Wycheproof's; the PKCS#1 v1.5 signature and the CTR_DRBG output were computed from RFC 8017 and SP 800-90A without
 * libcrypto. The lattice keys are those of the seed 00 01 02 ... that the certificates of RFC 9881 and RFC 9935 have;
 * their signature and ciphertext were recorded from OpenSSL 3.5.
 */
#include <hsm/pkcs11.h>
#include <hsm/wire.h>
#include "selftest_kat.h"

#define BYTES(type, hex)     { (type), (hex), 0 }
#define NUMBER(type, number) { (type), NULL, (number) }

/* 1.2.840.10045.3.1.7 and 1.3.101.112, DER */
#define P256_OID    "06082a8648ce3d030107"
#define ED25519_OID "06032b6570"

#define SEED_32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SEED_64 SEED_32 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"

#define RSA_N                                                                          \
	"a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e637f9746d3f7c" \
	"afd31878d80325b6ef5a1700f65903b469429e89d6eac8845097b5ab393189db92512ed8a771" \
	"1a1253facd20f79c15e8247f3d3e42e46e48c98e254a2fe9765313a03eff8f17e1a029397a1f" \
	"a26a8dce26f490ed81299615d9814c22da610428e09c7d9658594266f5c021d0fceca08d945a" \
	"12be82de4d1ece6b4c03145b5d3495d4ed5411eb878daf05fd7afc3e09ada0f1126422f59097" \
	"5a1969816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0f7c1a45d12569a" \
	"62807d3b9a02e5a530e773066f453d1f5b4c2e9cf7820283f742b9d5"
#define RSA_D                                                                          \
	"24cdc62317f5d72a6f6ba6cc9632899b01d1ff28867d72f61688995bc855a4e420a840525008" \
	"9bdb13cf8e09543827b748b9d27fbb2b4d9e20af8c5a6a862796d1a4cc18ad16ea678bc1bd4a" \
	"83bbbe9c5e57453b5ce7388e41a3ba4ce2b77b4438a229e954f720dae0353dc088ac8a76b26d" \
	"c276f8e1b7851ddd6398ad16ff2e78195123b9b036e945c38c9d12434f6df76fe22359eb3e1a" \
	"c9c011678fc926fad3ae475a4fffff55feb2d147e9c894f4c0e29a599e762462482d968bf427" \
	"80945fc0d2c31c573c4431b8f4fe8b8c67bec815abd44f7a86edca1c2308737358d2c2ae5e2e" \
	"0e2dadf730980262377e58b13b7d9992060a0bc870ccfdb4a9319ee1"
#define RSA_P                                                                          \
	"dc431050f782e894fb5248247d98cb7d58b8d1e24f3b55d041c56e4de086b0d5bb028bda42ee" \
	"b5d234d5681e5809d415e6a289ad4cfbf78f978f6c35814f50eebff1c5b80a69f788e81e6bab" \
	"5ddaa78369d659d143ec6f17e79813a575cfad9c569156b90113e2e9110ad9e7b48a1c9348a6" \
	"e653321191290ea36cfb3a5b18f1"
#define RSA_Q                                                                          \
	"bd1a81e7977f9898122273ae3222b598ea5fb19eb4eabc38308a5e32196603b2e500ffb79f5b" \
	"886816611debc472fac45544070beb057c941378a6868af3b7a03d3f9880ec47d5e089b94fbd" \
	"e542aba9ae8d72c57088d7abf5b131f39098f7bc160f90536abc9492fd4e06f3ed7299d4b97b" \
	"b03677207d95669f140cfbc20f25"
#define RSA_DP                                                                         \
	"a94b528b28f291599121d91952ffd1c7f21d7c1479d99d478885fb161870ee1218bf08472612" \
	"dbe5497e8d9c650688e09c786961ae3e2c354dc48ae34514759c4c23c4588488961dc06b414e" \
	"61c0e1e7fbbd2923d31532fe289f96da220711e58c14019808e00414276933bb07e4efb9b4a9" \
	"b37656917205209f33f09515d7c1"
#define RSA_DQ                                                                         \
	"3af0e72a933aef09ff2503df78bafed531c02ff1a2bc437c540cdcbd4ad35435cf5117635965" \
	"43480629b114ca7f780ff7efa32ea0cb6e000d6d9ea1f2ef71fd9cf9948422a165557e37e755" \
	"edfe70d90b920502eb478bc98a63f788ce3a0f856d6ede7251a383bfa8fa480a81a925af7b3c" \
	"c538c4bab8c9f7597ffb68011d8d"
#define RSA_QI                                                                         \
	"2640fbfbcfefb163ee7a87b6483a66ee41f956d90fa8a7939bfc042ee0924b1b7993d0445f75" \
	"8d51933e85179c0320b0c968b48a91c38b5be923e1097c0c562f88d42294b6a2759bafa5428a" \
	"74f1270874e45f6fcc60f21602de5eccd143cf31241f5921b5ad3983fb54ef17be3b285367e5" \
	"0c999c67247b552fe4bfce945f7b"
#define RSA_SIGNATURE                                                                  \
	"485a79470c145bce2d3e40c64a583e79f5697dc362bc916db830b95b71b6d0fbf34cc2a15eb7" \
	"05ab1df59cfd7d9f65ba6190307f5a63a8c7a11672257d542971db3f53e2eebd91526759f317" \
	"76a52dc85021c27fcc10b48e54978fd95d1f0a745bc5ae939c1dd25bdb670d2f8dc96d3b3055" \
	"374358de0fde977d1049f762c91da426bdadf05bbddd745b28b9032977564f65be790aeb60e1" \
	"73398aa0ebaceec7293a88744cb6cbfca7d1becb283e3879ae3840bc162bcad40a51bd75bbf0" \
	"35a4de880108c0559ab02b63a30db0328169234c4a4960534ab452c283f392c2472218fc9586" \
	"cde1af9ed268ddcabd5979b02be4fccab8b01dee18c49a67d216e49c"
#define OAEP_CIPHERTEXT                                                                \
	"207180c340658b5154ae45d2e4e7326a0997c683a26b595e536a29333c4b66149af85e029d54" \
	"19a39e3a147b221516ffd86b6b4b66c3e0c4c49fe8c57a2f5c37b8704b9b592b80db9cd788a4" \
	"ed51ab4f0a1cbed63bd18d1f06a22f225866b0c2c417cb23473b7ba4250b1353bd2e5b4f0f93" \
	"7cd2efe5fa38db3c295f7748b970088657db4aa9a76e1ee6fbff166ec1861d00d085326c7384" \
	"bdd1bc2f400d4f74dbdfadaf3fdc46073e668573e02030b9eb5af58eb540c66677a771194479" \
	"ec0098d858a2ea45d0ba1e6b32440dfbac745000554d51a17684ca964b02a74d479f1d432ef7" \
	"63ef4059715a4348cfe36a215359712f25b6977903be4adb92febbf6"
#define ML_KEM_CIPHERTEXT                                                              \
	"416599acde63704decfa8aab2b198dcb8a8d9f4759b143940d029dd979060150629d42f94565" \
	"75b8926739d860372ab0e9b351c192c1666f51085990e243972e77846e12f6c20f2bec57d00d" \
	"aaf0648d1a04ab264501eb06611b3a7989707df898f3f34f15910f655227e0e3af39895896cb" \
	"fc771a1583e4abdd764e80ec5ccc723dfff6ada64f0b512be519a93c4dd8425cb2ff1c125a36" \
	"935f11c605e08d6c12610a7b6579a8e9cafc41e2a9ea2619403abe33349ae0ec6b4316f241be" \
	"d17c2b6e4918308ba30e4411c2d0c5a4f9854da4238cd63ef12a6fbd622b75fce685cf473843" \
	"776c3f03a8e5d1e092f7abbcd480411d21bc430d9dddd25245d9ade920469983f0836e2801bd" \
	"05db23c0aae6138cc116a8c05900b5c7d0ba2c3ebf6db83fe25e0f1523ab83174acf1169baae" \
	"df717c5b0248d6dac5e116d097f4df0098b07d8c4d2d2acce2d9243f584b5191751a955d7158" \
	"c64368586ddacb4561c9956956aa83ee996dc3bf87b58576d5e791ea22424a876d6961dcb6f7" \
	"790f6f0f7d50d491e60b845ecbcc9e825c53d6409d7d6e994b4d418038e8fa7c3d405b6a9855" \
	"89e05ab6c6db3f508aa04a638a15c35df865b053640e2e0925beea60ee10b5689f129e0fe700" \
	"6870f40c11bdea5086eef5feb5219083675abb6dfac5f3a183667c783bc50dbc9e6c15c4a433" \
	"64d98d9ee02f9af5fe8fe78f95f4947666d1c9117958cccd630ceb1ffcf10c9384947d240de2" \
	"ed046844ac37aab72142fdcd0754b23316ed51c8e4e418fcfb6cbb61b97a6c4d96c554942c75" \
	"3639580a69acfda1ed58f6b66a4b2fe4efbee310b3c5bbd4a9e33fda4f2037e52d56a307e987" \
	"93a0aa4b653e9d260fbd27f3cf93f18dce9cc6425bdb2467e2541d4a2ece1b385b6dee9eeeef" \
	"66025e349a23d1f5a0f536969123e70aa0abaa33c0a8b83270bf203872d9ede0620388d80a0d" \
	"aa375417fa74a59182ccb561df48c1a005de43fb32707160f3382353d9b1a8b23582b814144f" \
	"9dd6fa4f8384a04ec4d6b180aa712d2c3837ab41c4826b1f91f1abb157bfc0a7e2f262de3a84" \
	"ed7fe16fb7687486"

#define RSA_PRIVATE                                                                       \
	{                                                                                 \
		BYTES(CKA_MODULUS, RSA_N),	    BYTES(CKA_PUBLIC_EXPONENT, "010001"), \
		BYTES(CKA_PRIVATE_EXPONENT, RSA_D), BYTES(CKA_PRIME_1, RSA_P),            \
		BYTES(CKA_PRIME_2, RSA_Q),	    BYTES(CKA_EXPONENT_1, RSA_DP),        \
		BYTES(CKA_EXPONENT_2, RSA_DQ),	    BYTES(CKA_COEFFICIENT, RSA_QI),       \
	}

static const struct selftest table[] = {
	{
		.name = "SHA-1",
		.kind = SELFTEST_DIGEST,
		.mechanism = CKM_SHA_1,
		.in = "616263",
		.out = "a9993e364706816aba3e25717850c26c9cd0d89d",
	},
	{
		.name = "SHA-256",
		.kind = SELFTEST_DIGEST,
		.mechanism = CKM_SHA256,
		.in = "616263",
		.out = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	},
	{
		.name = "SHA-512",
		.kind = SELFTEST_DIGEST,
		.mechanism = CKM_SHA512,
		.in = "616263",
		.out = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	},
	{
		.name = "SHA3-256",
		.kind = SELFTEST_DIGEST,
		.mechanism = CKM_SHA3_256,
		.in = "616263",
		.out = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	},
	{
		.name = "HMAC-SHA-256",
		.kind = SELFTEST_SIGN,
		.mechanism = CKM_SHA256_HMAC,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_GENERIC_SECRET,
		.key = { BYTES(CKA_VALUE, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b") },
		.in = "4869205468657265",
		.out = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	},
	{
		.name = "AES-CMAC",
		.kind = SELFTEST_SIGN,
		.mechanism = CKM_AES_CMAC,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_AES,
		.key = { BYTES(CKA_VALUE, "2b7e151628aed2a6abf7158809cf4f3c") },
		.in = "6bc1bee22e409f96e93d7e117393172a",
		.out = "070a16b46b4d4144f79bdd9dd04a287c",
	},
	{
		.name = "AES-ECB",
		.kind = SELFTEST_CIPHER,
		.mechanism = CKM_AES_ECB,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_AES,
		.key = { BYTES(CKA_VALUE, "2b7e151628aed2a6abf7158809cf4f3c") },
		.in = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		.out = "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf",
	},
	{
		.name = "AES-CBC",
		.kind = SELFTEST_CIPHER,
		.mechanism = CKM_AES_CBC,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_AES,
		.key = { BYTES(CKA_VALUE, "2b7e151628aed2a6abf7158809cf4f3c") },
		.parameters = { BYTES(HSM_FIELD_IV, "000102030405060708090a0b0c0d0e0f") },
		.in = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		.out = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
	},
	{
		.name = "AES-GCM",
		.kind = SELFTEST_CIPHER,
		.mechanism = CKM_AES_GCM,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_AES,
		.key = { BYTES(CKA_VALUE,
			       "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308") },
		.parameters = { BYTES(HSM_FIELD_IV, "cafebabefacedbaddecaf888"),
				BYTES(HSM_FIELD_AAD, "feedfacedeadbeeffeedfacedeadbeefabaddad2"),
				NUMBER(HSM_FIELD_TAG_BITS, 128) },
		.in = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		.out = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		       "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		       "76fc6ece0f4e1768cddf8853bb2d551b",
	},
	{
		.name = "CTR_DRBG",
		.kind = SELFTEST_RANDOM,
		.in = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f",
		.parameters = { BYTES(
			0,
			"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f") },
		.out = "7bcf87b864ddd8d71857112b43953db4c09f0985f3d49e815f04b796bc7277df"
		       "c362512a53424d2876558f4ac0254d9443c2e2720d2b4a7a74ea8a3570b02880",
	},
	{
		.name = "HKDF-SHA-256",
		.kind = SELFTEST_DERIVE,
		.mechanism = CKM_HKDF_DERIVE,
		.class = CKO_SECRET_KEY,
		.key_type = CKK_GENERIC_SECRET,
		.key = { BYTES(CKA_VALUE, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b") },
		.parameters = { NUMBER(HSM_FIELD_EXTRACT, 1), NUMBER(HSM_FIELD_EXPAND, 1),
				NUMBER(HSM_FIELD_HASH, CKM_SHA256),
				BYTES(HSM_FIELD_SALT, "000102030405060708090a0b0c"),
				BYTES(HSM_FIELD_INFO, "f0f1f2f3f4f5f6f7f8f9") },
		.out = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf3400"
		       "7208d5b887185865",
	},
	{
		.name = "ECDH P-256",
		.kind = SELFTEST_DERIVE,
		.mechanism = CKM_ECDH1_DERIVE,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_EC,
		.key = { BYTES(CKA_EC_PARAMS, P256_OID),
			 BYTES(CKA_VALUE,
			       "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433") },
		.parameters = { BYTES(HSM_FIELD_PUBLIC,
				      "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
				      "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"),
				NUMBER(HSM_FIELD_KDF, CKD_NULL) },
		.out = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
	},
	{
		.name = "ECDSA P-256 verification",
		.kind = SELFTEST_VERIFY,
		.mechanism = CKM_ECDSA_SHA256,
		.class = CKO_PUBLIC_KEY,
		.key_type = CKK_EC,
		.key = { BYTES(CKA_EC_PARAMS, P256_OID),
			 BYTES(CKA_EC_POINT,
			       "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
			       "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299") },
		.in = "73616d706c65",
		.out = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		       "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
	},
	{
		.name = "ECDSA P-256 signature",
		.kind = SELFTEST_SIGN,
		.mechanism = CKM_ECDSA_SHA256,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_EC,
		.key = { BYTES(CKA_EC_PARAMS, P256_OID),
			 BYTES(CKA_VALUE,
			       "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721") },
		.in = "73616d706c65",
	},
	{
		.name = "EdDSA Ed25519",
		.kind = SELFTEST_SIGN,
		.mechanism = CKM_EDDSA,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_EC_EDWARDS,
		.key = { BYTES(CKA_EC_PARAMS, ED25519_OID),
			 BYTES(CKA_VALUE,
			       "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb") },
		.in = "72",
		.out = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		       "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	},
	{
		.name = "RSA PKCS #1 v1.5 signature",
		.kind = SELFTEST_SIGN,
		.mechanism = CKM_SHA256_RSA_PKCS,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_RSA,
		.key = RSA_PRIVATE,
		.in = "616263",
		.out = RSA_SIGNATURE,
	},
	{
		.name = "RSA OAEP decryption",
		.kind = SELFTEST_DECRYPT,
		.mechanism = CKM_RSA_PKCS_OAEP,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_RSA,
		.key = RSA_PRIVATE,
		.parameters = { NUMBER(HSM_FIELD_HASH, CKM_SHA256),
				NUMBER(HSM_FIELD_MGF, CKG_MGF1_SHA256) },
		.in = OAEP_CIPHERTEXT,
		.out = "0000000000000000000000000000000000000000",
	},
	{
		.name = "ML-DSA-44",
		.kind = SELFTEST_SIGN,
		.hashed = true,
		.mechanism = CKM_ML_DSA,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_ML_DSA,
		.key = { NUMBER(CKA_PARAMETER_SET, CKP_ML_DSA_44), BYTES(CKA_SEED, SEED_32) },
		.parameters = { NUMBER(HSM_FIELD_HEDGE, CKH_DETERMINISTIC_REQUIRED) },
		.in = "616263",
		.out = "9c2afc5db0e15c199977be79eaee52ca0b538a1b6f8039dcac032a06120cfa87",
	},
	{
		.name = "ML-KEM-512",
		.kind = SELFTEST_DECAPSULATE,
		.mechanism = CKM_ML_KEM,
		.class = CKO_PRIVATE_KEY,
		.key_type = CKK_ML_KEM,
		.key = { NUMBER(CKA_PARAMETER_SET, CKP_ML_KEM_512), BYTES(CKA_SEED, SEED_64) },
		.in = ML_KEM_CIPHERTEXT,
		.out = "4d06b467b3ef03cbd181d7e23059ad7d443178cb538f54a4c3263e1e4345eeba",
	},
};

size_t selftest_table(const struct selftest **rows)
{
	*rows = table;
	return sizeof(table) / sizeof(table[0]);
}
