/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm-verify from inside. hsm-verify.c has the table of subcommands and the options, one file
 * hsm-verify-NAME.c for each subcommand, hsm-verify-message.c what all of them do with a signed
 * message. No device is asked: files go in, a report and an exit code come out.
 *
 * A subcommand builds one JSON object in struct verify.result, which is printed with --json as it
 * is, else as text.
 */
#ifndef HSM_VERIFY_H
#define HSM_VERIFY_H

#include <hsm/cose.h>
#include "tool-output.h"

/* Exit codes, documented in hsm-verify(1). When several apply, the first of this order. */
enum verify_exit {
	VERIFY_OK = 0,
	VERIFY_FORGED = 1, /* not what it claims to be: form, signature, certificate, nonce */
	VERIFY_USAGE = 2, /* arguments, the policy file, a root that is no certificate */
	VERIFY_SYSTEM = 3, /* a file that cannot be read, memory */
	VERIFY_POLICY = 4, /* genuine, and not what the policy asks for */
};

#define VERIFY_ROOTS 16 /* --root may be given so often */
#define VERIFY_FILE_MAX (64U << 20)

/**
 * struct verify - what was said on the command line, and what came of it
 * @root: files with certificates that chains may end in
 * @libctx: of this program's own, without configuration
 */
struct verify {
	const char *root[VERIFY_ROOTS];
	size_t roots;
	const char *policy;
	const char *nonce;
	const char *binding;
	bool json;
	OSSL_LIB_CTX *libctx;
	struct json_object *result;
};

/* fail - report an error. Return: @code */
int fail(struct verify *verify, enum verify_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* read_file - a whole file, or standard input for "-"; bytes for free(). Return: enum verify_exit */
int read_file(struct verify *verify, const char *path, uint8_t **bytes, size_t *length);

/* read_hex - @text, given for @what, as bytes. Return: enum verify_exit */
int read_hex(struct verify *verify, const char *what, const char *text, uint8_t *bytes, size_t room,
	     size_t *length);

/* ---- hsm-verify-message.c ---- */

/**
 * message_verify - take a signed message apart, verify every signature, and its certificates to a root of --root
 * @type: content type that it must have
 * @message: set with VERIFY_OK, for hsm_cose_free()
 *
 * Return: enum verify_exit, having reported what is wrong.
 */
int message_verify(struct verify *verify, const uint8_t *bytes, size_t length, const char *type,
		   struct hsm_cose **message);

/*
 * ---- subcommands: @args holds the words after the name, as many as its row asks for, NULL after
 * the last ----
 */

int verify_evidence(struct verify *verify, char **args);

#endif /* HSM_VERIFY_H */
