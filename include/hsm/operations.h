/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operations: dispatcher, library, tracer and Documentation/commands.rst follow from it.
 *
 * X(code, name, session, role, time class, repeat, request fields, response fields, summary)
 *   session	NONE or SESSION: does the command name a session?
 *   role	who may: ANY, USER, SO, OFFICER (of the device, function 0 only), or a finer rule in the handler, which the
 *		summary then names. SETUP: ANY, or the embedded owner, as the summary says
 *   repeat	REPEAT: libhsm may send it again on a new channel when the answer was lost. ONCE: never
 *   fields	HSM_IN/HSM_OUT of R(required) and O(optional) fields; HSM_PARAMETERS: any parameter fields; HSM_POLICY: any
 *		fields of a policy (hsm/policy.h)
 */
#ifndef HSM_OPERATIONS_H
#define HSM_OPERATIONS_H

#include <stdint.h>
#include <linux/ihsm_hw.h>
#include <hsm/wire.h>

#define HSM_OPERATION_TABLE(X) \
	X(0x0001, NOP,			NONE, ANY, SHORT, REPEAT, HSM_FIELDS(O(DATA)), HSM_FIELDS(O(DATA)), \
	  "does nothing; the data comes back") \
	X(0x0002, CHANNEL_CLOSE,	NONE, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, \
	  "close this channel; sessions that were not moved go with it") \
	X(0x0003, CHANNEL_OFFER,	NONE, ANY, SHORT, ONCE, HSM_NONE, HSM_FIELDS(R(TOKEN)), \
	  "ask for the secret with which a new channel of the same context takes over sessions and logins") \
	X(0x0004, CHANNEL_TAKE,		NONE, ANY, SHORT, ONCE, HSM_FIELDS(R(TOKEN)), HSM_NONE, \
	  "take over sessions and logins from the channel that made the offer, which closes") \
	X(0x0010, TOKEN_INFO,		NONE, ANY, SHORT, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(LABEL), R(SERIAL), R(FLAGS), R(SESSIONS), R(RW_SESSIONS), R(MAX_SESSIONS), R(TOTAL_MEMORY), \
		     R(FREE_MEMORY), R(MIN), R(MAX), R(PROFILE), R(TIME)), \
	  "state of the token; flags are CKF_ of CK_TOKEN_INFO, minimum and maximum those of a PIN's length") \
	X(0x0011, MECHANISM_LIST,	NONE, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(TYPES)), \
	  "mechanisms that work here and now") \
	X(0x0012, MECHANISM_INFO,	NONE, ANY, SHORT, REPEAT, HSM_FIELDS(R(MECHANISM)), \
	  HSM_FIELDS(R(MIN), R(MAX), R(FLAGS)), "key sizes and flags, as CK_MECHANISM_INFO") \
	X(0x0013, TOKEN_INIT,		NONE, ANY, LONG, ONCE, HSM_FIELDS(R(PIN), R(LABEL)), HSM_NONE, \
	  "destroy all objects and set the label; the first time the PIN becomes the SO's, later it must be the SO's") \
	X(0x0014, PIN_INIT,		SESSION, SO, LONG, ONCE, HSM_FIELDS(R(NEW_PIN)), HSM_NONE, \
	  "the SO sets the user's PIN") \
	X(0x0015, PIN_SET,		SESSION, ANY, LONG, ONCE, HSM_FIELDS(R(PIN), R(NEW_PIN), O(NAME), O(USER)), HSM_NONE, \
	  "change the PIN of a user by name, the CKU_ that user says, whoever is logged in, or the user's") \
	X(0x0018, POLICY,		NONE, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(HSM_POLICY, R(FINGERPRINT)), \
	  "the partition's policy") \
	X(0x0019, USER_CREATE,		SESSION, ANY, LONG, ONCE, HSM_FIELDS(R(NAME), R(USER_ROLE), R(NEW_PIN)), HSM_NONE, \
	  "make a user with a name; the SO, or a manager for users that are no managers") \
	X(0x001a, USER_REMOVE,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(NAME)), HSM_NONE, \
	  "remove a user and log it out; who may: as USER_CREATE") \
	X(0x001b, USER_LIST,		SESSION, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(USERS)), \
	  "users with names; for whoever is logged in") \
	X(0x001c, USER_PIN,		SESSION, ANY, LONG, ONCE, HSM_FIELDS(R(NAME), R(NEW_PIN)), HSM_NONE, \
	  "give a user a new PIN, which unlocks it; who may: as USER_CREATE") \
	X(0x001d, USER_UNLOCK,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(NAME)), HSM_NONE, \
	  "forget a user's wrong PINs; who may: as USER_CREATE") \
	X(0x001e, USER_ROLE,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(NAME), R(USER_ROLE)), HSM_NONE, \
	  "give a user another role and log it out; who may: as USER_CREATE") \
	X(0x0020, SESSION_OPEN,		NONE, ANY, SHORT, REPEAT, HSM_FIELDS(R(FLAGS)), HSM_NONE, \
	  "open a session; its number is in the response header") \
	X(0x0021, SESSION_CLOSE,	SESSION, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, "close a session") \
	X(0x0022, SESSION_CLOSE_ALL,	NONE, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, "close all sessions of the channel") \
	X(0x0023, SESSION_INFO,		SESSION, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(STATE), R(FLAGS)), \
	  "state of a session") \
	X(0x0024, LOGIN,		SESSION, ANY, LONG, ONCE, HSM_FIELDS(R(USER), R(PIN), O(NAME)), HSM_FIELDS(O(RETRY_AFTER)), \
	  "log the channel in, or, with CKU_CONTEXT_SPECIFIC, allow the active operation") \
	X(0x0025, LOGOUT,		SESSION, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, "log the channel out") \
	X(0x0026, SESSION_CANCEL,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(FLAGS)), HSM_NONE, \
	  "end active operations, named by CKF_ flags") \
	X(0x002a, SELF_TEST,		NONE, ANY, MEDIUM, REPEAT, HSM_NONE, HSM_FIELDS(R(TESTS), O(FAILED_TEST)), \
	  "run the known-answer tests; in the error state the test that led there is named") \
	X(0x002b, OBJECT_MASK,		SESSION, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(KEY)), HSM_FIELDS(R(MASKED)), \
	  "seal a session key to live outside of the device") \
	X(0x002c, OBJECT_UNMASK,	SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(MASKED)), HSM_FIELDS(R(HANDLE)), \
	  "load a masked key as a session object") \
	X(0x002d, OBJECT_REMASK,	SESSION, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(MASKED)), HSM_FIELDS(R(MASKED)), \
	  "seal a masked key of this or the last epoch anew") \
	X(0x002e, MASK_REVOKE,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(MASKED)), HSM_NONE, \
	  "destroy a masked key: whatever was masked of it is refused from now on, and what is loaded goes. Read-write session") \
	X(0x002f, MASK_STATE,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(O(FLAGS)), \
	  HSM_FIELDS(R(EPOCH), R(GRACE), R(COUNT), R(MAX)), \
	  "epoch of masked keys, revocations in it and room for them; FLAGS 1 ends the grace of the epoch before (SO or user)") \
	X(0x0030, OBJECT_CREATE,	SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(TEMPLATE)), HSM_FIELDS(R(HANDLE)), \
	  "create an object") \
	X(0x0031, OBJECT_COPY,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(KEY), O(TEMPLATE)), HSM_FIELDS(R(HANDLE)), \
	  "copy an object") \
	X(0x0032, OBJECT_DESTROY,	SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(KEY)), HSM_NONE, "destroy an object") \
	X(0x0033, OBJECT_SIZE,		SESSION, ANY, SHORT, REPEAT, HSM_FIELDS(R(KEY)), HSM_FIELDS(R(LENGTH)), \
	  "bytes that an object takes") \
	X(0x0034, ATTRIBUTES_GET,	SESSION, ANY, SHORT, REPEAT, HSM_FIELDS(R(KEY), R(TYPES)), HSM_FIELDS(R(ATTRIBUTES)), \
	  "read attributes; every one that can be read is filled in, the others are marked") \
	X(0x0035, ATTRIBUTES_SET,	SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(KEY), R(TEMPLATE)), HSM_NONE, \
	  "change attributes") \
	X(0x0036, FIND_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(TEMPLATE)), HSM_NONE, "start a search") \
	X(0x0037, FIND,			SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(COUNT)), HSM_FIELDS(R(HANDLES)), \
	  "next handles, at most count; none: the end") \
	X(0x0038, FIND_FINAL,		SESSION, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, "end a search") \
	X(0x0040, ENCRYPT_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start an encryption") \
	X(0x0041, ENCRYPT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), HSM_FIELDS(O(DATA), O(NEEDED)), \
	  "encrypt in one piece") \
	X(0x0042, ENCRYPT_UPDATE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX), O(PART)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "next part") \
	X(0x0043, ENCRYPT_FINAL,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(OUT_MAX), O(PART)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "end of the parts") \
	X(0x0044, DECRYPT_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a decryption") \
	X(0x0045, DECRYPT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), HSM_FIELDS(O(DATA), O(NEEDED)), \
	  "decrypt in one piece") \
	X(0x0046, DECRYPT_UPDATE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX), O(PART)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "next part") \
	X(0x0047, DECRYPT_FINAL,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(OUT_MAX), O(PART)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "end of the parts; NEEDED without an error: so much is left for the next such command") \
	X(0x0048, DIGEST_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a digest") \
	X(0x0049, DIGEST,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), HSM_FIELDS(O(DATA), O(NEEDED)), \
	  "digest in one piece") \
	X(0x004a, DIGEST_UPDATE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), O(PART)), HSM_NONE, "next part") \
	X(0x004b, DIGEST_KEY,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY)), HSM_NONE, "a key's value as next part") \
	X(0x004c, DIGEST_FINAL,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(OUT_MAX), O(PART)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "end of the parts") \
	X(0x0050, SIGN_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a signature or MAC") \
	X(0x0051, SIGN,			SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(O(DATA), R(OUT_MAX), O(KEY), O(MECHANISM), HSM_PARAMETERS), HSM_FIELDS(O(SIGNATURE), O(NEEDED)), \
	  "sign in one piece; with a key it begins as SIGN_INIT; the handler raises the time class for asymmetric keys") \
	X(0x0052, SIGN_UPDATE,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), O(PART)), HSM_NONE, "next part") \
	X(0x0053, SIGN_FINAL,		SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(OUT_MAX), O(PART), O(KEY), O(MECHANISM), O(DATA), HSM_PARAMETERS), \
	  HSM_FIELDS(O(SIGNATURE), O(NEEDED)), "end of the parts; with a key it begins as SIGN_INIT, and data is the first part") \
	X(0x0054, VERIFY_INIT,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a verification") \
	X(0x0055, VERIFY,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(SIGNATURE)), HSM_NONE, "verify in one piece") \
	X(0x0056, VERIFY_UPDATE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), O(PART)), HSM_NONE, "next part") \
	X(0x0057, VERIFY_FINAL,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(SIGNATURE), O(PART)), HSM_NONE, "end of the parts") \
	X(0x0058, SIGN_RECOVER_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a signature that carries its data") \
	X(0x0059, SIGN_RECOVER,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), \
	  HSM_FIELDS(O(SIGNATURE), O(NEEDED)), "sign") \
	X(0x005a, VERIFY_RECOVER_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start a verification that gives the data back") \
	X(0x005b, VERIFY_RECOVER,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(SIGNATURE), R(OUT_MAX)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "verify; a signature that is wrong is told before a buffer that is too small") \
	X(0x005c, VERIFY_SIGNATURE_INIT, SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(KEY), R(MECHANISM), R(SIGNATURE), HSM_PARAMETERS), HSM_NONE, \
	  "start a verification whose signature is known first") \
	X(0x005d, VERIFY_SIGNATURE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA)), HSM_NONE, "verify in one piece") \
	X(0x005e, VERIFY_SIGNATURE_UPDATE, SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), O(PART)), HSM_NONE, "next part") \
	X(0x005f, VERIFY_SIGNATURE_FINAL, SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(PART)), HSM_NONE, "end of the parts") \
	X(0x0060, GENERATE_KEY,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(MECHANISM), R(TEMPLATE), HSM_PARAMETERS), \
	  HSM_FIELDS(R(HANDLE)), "generate a secret key") \
	X(0x0061, GENERATE_PAIR,	SESSION, ANY, MEDIUM, ONCE, \
	  HSM_FIELDS(R(MECHANISM), R(TEMPLATE), R(PRIVATE_TEMPLATE), HSM_PARAMETERS), HSM_FIELDS(R(HANDLE), R(OTHER_HANDLE)), \
	  "generate a key pair; the handler raises the time class for RSA") \
	X(0x0062, WRAP,			SESSION, ANY, MEDIUM, REPEAT, \
	  HSM_FIELDS(R(MECHANISM), R(OTHER_KEY), R(KEY), R(OUT_MAX), O(GENERATOR), O(FIXED_BITS), HSM_PARAMETERS), \
	  HSM_FIELDS(O(DATA), O(NEEDED), O(IV)), \
	  "wrap key with other key; the nonce may be the token's, and is in the answer then") \
	X(0x0063, UNWRAP,		SESSION, ANY, MEDIUM, ONCE, \
	  HSM_FIELDS(R(MECHANISM), R(OTHER_KEY), R(DATA), R(TEMPLATE), HSM_PARAMETERS), HSM_FIELDS(R(HANDLE)), \
	  "unwrap data with other key into a new key") \
	X(0x0064, DERIVE,		SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(MECHANISM), R(KEY), R(TEMPLATE), HSM_PARAMETERS), \
	  HSM_FIELDS(O(HANDLE), O(HANDLES), O(IV), O(VERSION)), \
	  "derive a new key; handles: further keys, or with TLS those of MAC keys and keys, 0 where there is none") \
	X(0x0065, ENCAPSULATE,		SESSION, ANY, MEDIUM, ONCE, \
	  HSM_FIELDS(R(MECHANISM), R(KEY), R(TEMPLATE), R(OUT_MAX), HSM_PARAMETERS), HSM_FIELDS(O(CIPHERTEXT), O(HANDLE), O(NEEDED)), \
	  "draw a secret key and encapsulate it for a public key") \
	X(0x0066, DECAPSULATE,		SESSION, ANY, MEDIUM, ONCE, \
	  HSM_FIELDS(R(MECHANISM), R(KEY), R(CIPHERTEXT), R(TEMPLATE), HSM_PARAMETERS), HSM_FIELDS(R(HANDLE)), \
	  "open an encapsulated secret key") \
	X(0x0067, COMMAND_STOP,	SESSION, ANY, SHORT, ONCE, HSM_NONE, HSM_NONE, \
	  "ask the command that runs in the session to end; one that can answers CKR_FUNCTION_CANCELED") \
	X(0x0068, RANDOM,		SESSION, ANY, SHORT, REPEAT, HSM_FIELDS(R(LENGTH)), HSM_FIELDS(R(DATA)), "random bytes") \
	X(0x0069, SEED,			SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(DATA)), HSM_NONE, "mix bytes into the random generator") \
	X(0x006c, DIGEST_ENCRYPT_UPDATE, SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "a part for the digest and the encryption; an error ends both") \
	X(0x006d, DECRYPT_DIGEST_UPDATE, SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "a part for the decryption, whose text is digested") \
	X(0x006e, SIGN_ENCRYPT_UPDATE,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "a part for the signature and the encryption") \
	X(0x006f, DECRYPT_VERIFY_UPDATE, SESSION, ANY, SHORT, ONCE, HSM_FIELDS(O(DATA), R(OUT_MAX)), \
	  HSM_FIELDS(O(DATA), O(NEEDED)), "a part for the decryption, whose text is verified") \
	X(0x0070, MESSAGE_ENCRYPT_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM)), HSM_NONE, \
	  "start to encrypt messages under a key") \
	X(0x0071, MESSAGE_ENCRYPT,	SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(FLAGS), O(DATA), R(OUT_MAX), O(GENERATOR), O(FIXED_BITS), HSM_PARAMETERS), \
	  HSM_FIELDS(O(DATA), O(NEEDED), O(IV), O(TAG)), \
	  "a part of a message; flags HSM_PART_. The first brings the parameters, and the answer the nonce; the last the tag") \
	X(0x0072, MESSAGE_DECRYPT_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM)), HSM_NONE, \
	  "start to decrypt messages under a key") \
	X(0x0073, MESSAGE_DECRYPT,	SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(FLAGS), O(DATA), R(OUT_MAX), O(TAG), HSM_PARAMETERS), HSM_FIELDS(O(DATA), O(NEEDED)), \
	  "a part of a message; all of the text comes with the last, whose tag must be right") \
	X(0x0074, MESSAGE_SIGN_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start to sign messages with a key") \
	X(0x0075, MESSAGE_SIGN,		SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(FLAGS), O(DATA), R(OUT_MAX), HSM_PARAMETERS), HSM_FIELDS(O(SIGNATURE), O(NEEDED)), \
	  "a part of a message; parameters in the first are in place of those of the start") \
	X(0x0076, MESSAGE_VERIFY_INIT,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(KEY), R(MECHANISM), HSM_PARAMETERS), HSM_NONE, \
	  "start to verify messages with a key") \
	X(0x0077, MESSAGE_VERIFY,	SESSION, ANY, SHORT, ONCE, \
	  HSM_FIELDS(R(FLAGS), O(DATA), O(SIGNATURE), HSM_PARAMETERS), HSM_NONE, "a part of a message; the signature with the last") \
	X(0x0078, MESSAGE_FINAL,	SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(FLAGS)), HSM_NONE, \
	  "end of the messages; flags: one CKF_MESSAGE_") \
	X(0x0079, STATE_GET,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(OUT_MAX)), HSM_FIELDS(O(DATA), O(NEEDED)), \
	  "state of the active operations, sealed for this partition, login and profile") \
	X(0x007a, STATE_SET,		SESSION, ANY, SHORT, ONCE, HSM_FIELDS(R(DATA), O(KEY), O(OTHER_KEY)), HSM_NONE, \
	  "put a state back: key of the cipher, other key of the signature; what is active ends") \
	X(0x007b, VALIDATION_FLAGS,	SESSION, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(FLAGS)), \
	  "CKA_VALIDATION_FLAG of the validation that the session's last operation was true to; 0: none") \
	X(0x0080, CLAIM,		NONE, ANY, LONG, ONCE, HSM_FIELDS(O(CODE), R(NEW_PIN)), HSM_NONE, \
	  "become the first officer: by claim code, or as the embedded board's owner") \
	X(0x0081, OFFICER_LOGIN,	NONE, ANY, LONG, ONCE, HSM_FIELDS(R(PIN), O(NAME)), HSM_NONE, \
	  "log the channel in as device officer or auditor; no name: the first officer") \
	X(0x0082, OFFICER_PIN,		NONE, OFFICER, LONG, ONCE, HSM_FIELDS(R(PIN), R(NEW_PIN)), HSM_NONE, \
	  "change the officer's PIN") \
	X(0x0083, DEVICE_STATUS,	NONE, ANY, SHORT, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(FLAGS), R(COUNT), R(COUNTER), R(STATE)), \
	  "state of the board: flags BOARD_HELLO_*, number of functions, fuse counter; state 1 when this channel is an officer's") \
	X(0x0090, PARTITION_LIST,	NONE, OFFICER, SHORT, REPEAT, HSM_FIELDS(O(SLOT)), HSM_FIELDS(R(RECORDS), O(SLOT)), \
	  "the partitions, by slot number, from the given one on; SLOT in the answer: there are more from there on") \
	X(0x0091, PARTITION_CREATE,	NONE, OFFICER, MEDIUM, ONCE, \
	  HSM_FIELDS(R(NAME), O(FUNCTION), HSM_POLICY), \
	  HSM_FIELDS(R(PARTITION), R(SLOT)), "create a partition; what is not given begins as its profile has it") \
	X(0x0092, PARTITION_ASSIGN,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(PARTITION), R(FUNCTION)), HSM_NONE, \
	  "give a partition to a function, taking it from its former one") \
	X(0x0093, PARTITION_DESTROY,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(PARTITION), O(APPROVALS), O(APPROVAL_NONCE)), \
	  HSM_NONE, "destroy a partition and all its keys") \
	X(0x0094, PARTITION_UPDATE,	NONE, OFFICER, MEDIUM, ONCE, \
	  HSM_FIELDS(R(PARTITION), O(NAME), O(FLAGS), O(APPROVALS), O(APPROVAL_NONCE), HSM_POLICY), HSM_NONE, \
	  "change a partition's name and policy; with flag 1 the policy may become less strict") \
	X(0x00b8, MIGRATE_STATUS,	NONE, ANY, SHORT, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(PHASE), O(FLAGS), O(COUNTER), O(COUNT)), \
	  "phase of a partition's migration; flags: how it came to this board (1 moved, 2 restored from a backup), and" \
	  " bit 8 when a board on the way had no rollback protection, bit 9 when it was ever restored; counter and time (count)" \
	  " of what was imported") \
	X(0x00b9, MIGRATE_REQUEST,	SESSION, SO, MEDIUM, ONCE, HSM_NONE, HSM_FIELDS(R(DOCUMENT), O(REASON)), \
	  "a signed request for room on another board; a later one takes its place") \
	X(0x00ba, MIGRATE_FREEZE,	SESSION, SO, MEDIUM, ONCE, HSM_FIELDS(R(DOCUMENT), O(MORE_CERTIFICATES)), \
	  HSM_FIELDS(O(REASON)), "freeze the partition for the board that made this offer; certificates of roots that its chain lacks") \
	X(0x00bb, MIGRATE_EXPORT,	NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(O(CHUNK)), \
	  HSM_FIELDS(O(DOCUMENT), O(DATA), O(REASON)), \
	  "without a number: begin to export a frozen partition, and the document at the package's head; else the next chunk") \
	X(0x00bc, MIGRATE_FINISH,	NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(R(DOCUMENT)), HSM_FIELDS(O(REASON)), \
	  "destroy the frozen partition on the target's receipt, which the board keeps") \
	X(0x00bd, MIGRATE_RESUME,	NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(O(DOCUMENT)), HSM_FIELDS(O(REASON)), \
	  "take a frozen partition back into use on the target's statement that it has abandoned the import; or a request back (SO)") \
	X(0x00be, IMPORT_OFFER,	NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(DOCUMENT)), HSM_FIELDS(O(DOCUMENT), O(REASON)), \
	  "a one-time import key for the request or backup that the partition was made for, signed") \
	X(0x00bf, IMPORT_BEGIN,	NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(DOCUMENT), O(SHARES)), HSM_FIELDS(O(REASON)), \
	  "begin to import, with the document at the package's head; with a backup the custodians' shares") \
	X(0x00c0, IMPORT_CHUNK,	NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(R(CHUNK), R(DATA)), HSM_FIELDS(O(REASON)), \
	  "the next chunk of the package") \
	X(0x00c1, IMPORT_END,		NONE, ANY, LONG, REPEAT, HSM_NONE, HSM_FIELDS(O(DOCUMENT), O(REASON)), \
	  "put what has come into use, and the receipt for it; again: the receipt") \
	X(0x00c2, IMPORT_ABANDON,	NONE, ANY, MEDIUM, ONCE, HSM_NONE, HSM_FIELDS(O(DOCUMENT), O(REASON)), \
	  "destroy the import key and the empty partition, and a statement of that, which the board keeps") \
	X(0x00c3, BACKUP_BEGIN,	SESSION, SO, LONG, ONCE, HSM_FIELDS(R(CUSTODIANS), R(THRESHOLD)), \
	  HSM_FIELDS(O(DOCUMENT), O(REASON)), \
	  "take a copy of the partition for custodians, and the document at its head; chunks come by MIGRATE_EXPORT") \
	X(0x00c4, PARTITION_IMPORT,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(DOCUMENT), O(NAME), O(FUNCTION), O(APPROVALS), O(APPROVAL_NONCE)), \
	  HSM_FIELDS(O(PARTITION), O(SLOT), O(REASON)), "make an empty partition to be filled as a request or a backup says") \
	X(0x00c5, PARTITION_RECEIPT,	NONE, OFFICER, SHORT, REPEAT, HSM_FIELDS(R(PARTITION)), HSM_FIELDS(R(DOCUMENT)), \
	  "what a partition that has moved away or was never filled has left: the receipt or the statement") \
	X(0x0095, PARTITION_POLICY,	NONE, OFFICER, SHORT, REPEAT, HSM_FIELDS(R(PARTITION)), \
	  HSM_FIELDS(HSM_POLICY, R(FINGERPRINT)), "a partition's policy") \
	X(0x0096, CERTIFICATES,		NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(KEY_ALGORITHM)), HSM_FIELDS(R(CERTIFICATES)), \
	  "the partition's chain: its identity (P-384 alone), its alias, the device, and what is installed above that") \
	X(0x0097, DEVICE_REQUEST,	NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(KEY_ALGORITHM)), HSM_FIELDS(R(DATA)), \
	  "a certificate request for the device's key, PKCS#10") \
	X(0x0098, DEVICE_INSTALL,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(KEY_ALGORITHM), O(CERTIFICATES)), HSM_NONE, \
	  "install the vendor's certificate of the device's key; none: back to a self-signed one") \
	X(0x009a, EVIDENCE,		NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(KIND), O(NONCE), O(BINDING)), \
	  HSM_FIELDS(R(EVIDENCE)), "what the device says of itself or of the partition, signed") \
	X(0x009b, KEY_EVIDENCE,		SESSION, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(KEY), O(NONCE), O(BINDING)), \
	  HSM_FIELDS(R(EVIDENCE)), "what the device says of a key, signed") \
	X(0x00a8, DEVICE_CONDITION,	NONE, ANY, SHORT, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(LIFECYCLE), R(FLAGS), R(TAMPERS), R(RECOVERIES), R(ERASED), R(COUNTER), R(SENSORS)), \
	  "what happened to the board in its life, flags BOARD_HELLO_*, and its sensors") \
	X(0x00a9, DEVICE_STATEMENT,	NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(O(NONCE)), HSM_FIELDS(R(STATEMENT)), \
	  "the same, signed: of a board that was decommissioned, the certificate of its erase") \
	X(0x00aa, DEVICE_LIFECYCLE,	NONE, OFFICER, LONG, ONCE, \
	  HSM_FIELDS(R(LIFECYCLE), O(APPROVALS), O(APPROVAL_NONCE)), HSM_NONE, \
	  "take the board to another state of its life: all is erased, its officers too") \
	X(0x00ab, DEVICE_RECOVER,	NONE, OFFICER, LONG, ONCE, \
	  HSM_FIELDS(O(PARTITION), O(APPROVALS), O(APPROVAL_NONCE)), HSM_NONE, \
	  "go on after tampering, or with an old copy of the state or of a partition's rows") \
	X(0x00b0, OFFICER_ADD,		NONE, OFFICER, LONG, ONCE, \
	  HSM_FIELDS(R(NAME), R(USER_ROLE), R(NEW_PIN), O(PIN_COMMITMENT), O(PIN_OPENING), O(APPROVALS), \
	  O(APPROVAL_NONCE)), HSM_NONE, \
	  "make an officer or an auditor of the device; with approvals, the PIN is the one that was committed to") \
	X(0x00b1, OFFICER_REMOVE,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(NAME), O(APPROVALS), O(APPROVAL_NONCE)), HSM_NONE, \
	  "remove one, with the key") \
	X(0x00b2, OFFICER_LIST,		NONE, OFFICER, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(OFFICERS), R(QUORUM)), \
	  "officers and auditors, and the quorums of all classes of actions") \
	X(0x00b3, OFFICER_KEY,		NONE, OFFICER, MEDIUM, ONCE, \
	  HSM_FIELDS(O(NAME), R(PUBLIC_KEY), O(APPROVALS), O(APPROVAL_NONCE)), HSM_NONE, \
	  "set or take away the key with which an officer approves; no name: the first officer's") \
	X(0x00b4, QUORUM_SET,		NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(ACTION), R(COUNT), O(APPROVALS), O(APPROVAL_NONCE)), \
	  HSM_NONE, "how many officers must approve a class of actions; fewer than now needs approvals itself") \
	X(0x00b5, APPROVAL_NONCE,	NONE, OFFICER, MEDIUM, ONCE, HSM_NONE, HSM_FIELDS(R(APPROVAL_NONCE), R(COUNT)), \
	  "a nonce to bind approvals to, good once and for so many seconds") \
	X(0x00b7, EXPORT_RECEIPT,	SESSION, ANY, MEDIUM, ONCE, HSM_FIELDS(R(FLAGS), O(NONCE)), HSM_FIELDS(O(DATA)), \
	  "with flag 1 begin to list what the session wraps, with the reader's nonce; without end it: the list, signed") \
	X(0x00b6, APPROVAL_GRANT,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(DATA), O(APPROVALS), O(APPROVAL_NONCE)), HSM_NONE, \
	  "let a partition run one command that needs approvals; data: its bytes to sign, without a nonce") \
	X(0x00a0, AUDIT_STATUS,		NONE, ANY, SHORT, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(AUDIT_HEAD), R(COUNT), R(AUDIT_BYTES), R(AUDIT_FULL), R(AUDIT_KEYS)), \
	  "where the audit log stands: head, not signed, and bytes in use. For its readers: officers, auditors, the SO") \
	X(0x00a1, AUDIT_READ,		NONE, ANY, MEDIUM, REPEAT, HSM_FIELDS(R(SEQUENCE)), \
	  HSM_FIELDS(R(AUDIT_RECORDS), R(SEQUENCE), R(AUDIT_BASE)), \
	  "records of the audit log from the given one on, as many as fit; their first number, and the hash before it. For its readers") \
	X(0x00a2, AUDIT_SIGN,		NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(R(AUDIT_NONCE)), HSM_FIELDS(R(AUDIT_HEAD)), \
	  "write down what was only counted, and sign the head over the reader's nonce. For its readers") \
	X(0x00a3, AUDIT_RELEASE,	NONE, ANY, MEDIUM, ONCE, HSM_FIELDS(R(SEQUENCE)), HSM_NONE, \
	  "let go of the records up to this one, which were exported. For auditors") \
	X(0x00d0, FIRMWARE_STATUS,	NONE, ANY, MEDIUM, REPEAT, HSM_NONE, \
	  HSM_FIELDS(R(FIRMWARES), R(STATE), R(MIN), R(SECURITY_VERSION), O(REASON)), \
	  "firmware that the board knows; STATE of the last update: 0 none, 1 under way, 2 done, 3 failed; least security version by the fuses, and the highest that has used a partition") \
	X(0x00d1, FIRMWARE_STAGE,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(FLAGS), R(COUNT), O(DATA)), HSM_NONE, \
	  "take an image in: FLAGS is enum ihsm_stage, COUNT the total or, with bytes, their offset; it does not run") \
	X(0x00d2, FIRMWARE_ACTIVATE,	NONE, OFFICER, LONG, ONCE, HSM_FIELDS(R(MEASUREMENT), O(APPROVALS), O(APPROVAL_NONCE)), \
	  HSM_FIELDS(O(REASON)), "have firmware that the board knows follow the one that runs") \
	X(0x00d3, FIRMWARE_MINIMUM,	NONE, OFFICER, MEDIUM, ONCE, HSM_FIELDS(R(SECURITY_VERSION), O(APPROVALS), O(APPROVAL_NONCE)), \
	  HSM_NONE, "refuse older firmware for ever: the least security version, at most the one that runs") \
	X(0x00e0, STATISTICS,		NONE, ANY, SHORT, REPEAT, HSM_NONE, HSM_FIELDS(R(STATISTICS)), \
	  "what the partition's commands came to since its firmware started")

#define HSM_OPERATION_ENUM(code, name, ...) HSM_OP_##name = (code),
enum hsm_operation {
	HSM_OPERATION_TABLE(HSM_OPERATION_ENUM)
};
#undef HSM_OPERATION_ENUM

enum hsm_role {
	HSM_ROLE_ANY, HSM_ROLE_USER, HSM_ROLE_SO, HSM_ROLE_OFFICER,
};

#define HSM_OPERATION_FIELDS	12
#define HSM_FIELD_REQUIRED	0x8000U	/* in the lists below */
#define HSM_FIELD_PARAMETERS	0x7fffU	/* in the lists below: any parameter field may come */
#define HSM_FIELD_POLICY	0x7ffeU	/* likewise: any field of a policy */

/**
 * struct hsm_operation_info - one row of the table
 * @request: tags, with HSM_FIELD_REQUIRED or without, ended by 0
 * @response: likewise
 */
struct hsm_operation_info {
	uint16_t code;
	uint8_t session;
	uint8_t role;		/* enum hsm_role */
	uint8_t time_class;	/* enum ihsm_time_class */
	uint8_t repeat;
	const char *name;
	const char *summary;
	uint16_t request[HSM_OPERATION_FIELDS];
	uint16_t response[HSM_OPERATION_FIELDS];
};

/* Exported by libhsm, see hsm/hsm.h */
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/* MIGRATE_STATUS, in FLAGS: a board on the way had no rollback protection, so that other copies may exist */
#define HSM_ORIGIN_UNSAFE	(1U << 8)
/* ..., and it was restored from a backup here or before it came here, so that they may likewise */
#define HSM_ORIGIN_RESTORED	(1U << 9)

/* hsm_operation_find - row of an operation code, or NULL */
const struct hsm_operation_info *hsm_operation_find(unsigned int code);

/* hsm_operation_at - row by index, for documents and tools; NULL past the end */
const struct hsm_operation_info *hsm_operation_at(size_t index);

/**
 * hsm_operation_check - do the fields of a request suit the operation?
 * Return: 0, or -EBADMSG when a required field is missing or one came that is not allowed.
 */
int hsm_operation_check(const struct hsm_operation_info *info, const struct hsm_fields *fields);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif /* HSM_OPERATIONS_H */
