/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm-verify from inside. hsm-verify.c has the table of subcommands and the options, one file
 * hsm-verify-NAME.c for each subcommand; hsm-verify-trust.c reads whom to believe, hsm-verify-message.c
 * verifies a signed message, hsm-verify-rules.c holds a policy file's conditions against what it says.
 * No device is asked: files go in, a report and an exit code come out.
 *
 * A subcommand builds one JSON object in struct verify.result, which is printed with --json as it
 * is, else as text.
 */
#ifndef HSM_VERIFY_H
#define HSM_VERIFY_H

#include <stdio.h>
#include <hsm/cose.h>
#include <hsm/dice.h>
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
 * struct verify_trust - whom to believe, as --root and the policy file say
 * @all: roots, and what is asked of devices and firmware; points into the other members
 * @certificates: number of roots
 * @one_signature: the one by ML-DSA-87 may be missing
 * @policy: the policy file, NULL: there is none
 * @claims: its conditions on claims, NULL: none; part of @policy
 */
struct verify_trust {
	struct hsm_trust_policy all;
	size_t certificates;
	bool one_signature;
	uint8_t *measurements;
	uint8_t *devices;
	uint8_t *aliases;
	struct json_object *policy;
	struct json_object *claims;
};

/**
 * struct verify - what was said on the command line, and what came of it
 * @root: files with certificates that chains may end in
 * @trust: filled in before a subcommand runs that takes --root and --policy
 * @libctx: of this program's own, without configuration
 */
struct verify {
	const char *root[VERIFY_ROOTS];
	size_t roots;
	const char *policy;
	const char *nonce;
	const char *binding;
	const char *public_key;
	bool json;
	OSSL_LIB_CTX *libctx;
	struct verify_trust trust;
	struct json_object *result;
};

/* ---- hsm-verify-input.c ---- */

/* fail - report an error. Return: @code */
int fail(struct verify *verify, enum verify_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* read_file - a whole file, or standard input for "-"; bytes for free(). Return: enum verify_exit */
int read_file(struct verify *verify, const char *path, uint8_t **bytes, size_t *length);

/* read_hex - @text, given for @what, as bytes. Return: enum verify_exit */
int read_hex(struct verify *verify, const char *what, const char *text, uint8_t *bytes, size_t room,
	     size_t *length);

/* ---- hsm-verify-trust.c ---- */

/* trust_load - read the roots and the policy file into verify->trust. Return: enum verify_exit */
int trust_load(struct verify *verify);
void trust_free(struct verify *verify);

/* ---- hsm-verify-message.c ---- */

/**
 * message_read - take a signed message apart; nothing is verified yet
 * @type: content type that it must have
 * @message: set with VERIFY_OK, for hsm_cose_free()
 */
int message_read(struct verify *verify, const uint8_t *bytes, size_t length, const char *type,
		 struct hsm_cose **message);

/**
 * message_verify - verify the signatures, and the signers' certificates against verify->trust
 * @partition: that the signers must be aliases for
 * @facts: set with VERIFY_OK: what the certificates of the signer by ES384 prove
 *
 * Both signers have to be one alias of one board, as far as their certificates say. Also puts what was found into
 * the result. Return: enum verify_exit, having reported what is wrong.
 */
int message_verify(struct verify *verify, const struct hsm_cose *message,
		   const uint8_t partition[HSM_DICE_ID_SIZE], struct hsm_dice_facts *facts);

/* message_board - is it the board that the certificates name? Return: enum verify_exit, having reported that not */
int message_board(struct verify *verify, const struct hsm_dice_facts *facts,
		  const uint8_t board_id[HSM_DICE_ID_SIZE]);

/* ---- hsm-verify-rules.c ---- */

/**
 * rules_check - hold conditions of a policy file against values
 * @name: what they are about, for messages
 * @rules: NULL: none
 *
 * Return: VERIFY_OK, or VERIFY_POLICY, having reported each condition that does not hold.
 */
int rules_check(struct verify *verify, const char *name, struct json_object *rules,
		struct json_object *values);

/*
 * ---- subcommands: @args holds the words after the name, as many as its row asks for, NULL after
 * the last ----
 */

int verify_evidence(struct verify *verify, char **args);
int verify_statement(struct verify *verify, char **args);
int verify_migration(struct verify *verify, char **args);
int verify_receipt(struct verify *verify, char **args);
int verify_audit(struct verify *verify, char **args);

#endif /* HSM_VERIFY_H */
