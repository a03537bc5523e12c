/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm-fw-sign from inside: hsm-fw-sign.c has the command line, hsm-fw-sign-keys.c the vendor's keys,
 * hsm-fw-sign-bundle.c bundles and images.
 */
#ifndef HSM_FW_SIGN_H
#define HSM_FW_SIGN_H

#include <hsm/fw_manifest.h>

/* Exit codes, documented in hsm-fw-sign(1) */
enum fw_exit {
	FW_OK = 0,
	FW_WRONG = 1, /* what was verified is not right */
	FW_USAGE = 2,
	FW_FAILED = 3, /* a file, a key, libcrypto */
};

struct fw_options {
	const char *keys;
	const char *key[HSM_FW_KEYS];
	bool development;
	const char *version;
	const char *security_version;
	const char *vendor;
};

/* struct fw_keys - the vendor's keys; the second may be NULL where libcrypto has no ML-DSA */
struct fw_keys {
	EVP_PKEY *key[HSM_FW_KEYS];
	bool development;
};

/* fw_complain - a line on standard error. Return: @code. */
int fw_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fw_keys_load - as the options name them; enum fw_exit */
int fw_keys_load(const struct fw_options *options, struct fw_keys *keys);
void fw_keys_free(struct fw_keys *keys);

/* fw_hex - @size bytes as digits, with the end of the string */
void fw_hex(const uint8_t *bytes, size_t size, char *text);

/* The subcommands. Return: enum fw_exit. */
int fw_keygen(const struct fw_options *options, char **args);
int fw_vendor_hash(const struct fw_options *options, char **args);
int fw_sign(const struct fw_options *options, char **args);
int fw_image(const struct fw_options *options, char **args);
int fw_inspect(const struct fw_options *options, char **args);
int fw_verify(const struct fw_options *options, char **args);

#endif /* HSM_FW_SIGN_H */
