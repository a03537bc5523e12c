// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl administers integrated HSMs: the table of verbs, the options, and help, which is
 * made from both. Manual: hsmctl(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <hsm/migration.h>
#include "hsmctl-schema.h"
#include "tool-nearest.h"
#include "tool-options.h"
#include "tool-terminal.h"

/* One bit for each option that belongs to some verbs only */
enum {
	OPT_PARTITION = 1 << 0,
	OPT_ROLE = 1 << 1,
	OPT_LABEL = 1 << 2,
	OPT_FUNCTION = 1 << 3,
	OPT_PROFILE = 1 << 4,
	OPT_POLICY = 1 << 5,
	OPT_PIN = 1 << 6,
	OPT_NEW_PIN = 1 << 7,
	OPT_CODE = 1 << 8,
	OPT_YES = 1 << 9,
	OPT_CHANGE = 1 << 10,
	OPT_USER = 1 << 11,
	OPT_AS = 1 << 12,
	OPT_SOFTHSM = 1 << 16,
	OPT_CHAIN = 1 << 18,
	OPT_ML_DSA = 1 << 19,
	OPT_NONCE = 1 << 13,
	OPT_FROM = 1 << 14,
	OPT_FORMAT = 1 << 15,
	OPT_BINDING = 1 << 20,
	OPT_ATTEST = OPT_NONCE | OPT_BINDING,
	OPT_KEY = 1 << 21,
	OPT_APPROVAL = 1 << 22,
	OPT_OUTPUT = 1 << 23,
	OPT_SIGNER = 1 << 24,
	OPT_EXPORT = 1 << 25,
	OPT_SIDEBAND = 1 << 28,
	OPT_THRESHOLD = 1 << 27,
	OPT_ROOTS = 1 << 29,
	OPT_OPENING = 1 << 26,
	OPT_CERTIFICATES = 1 << 30,
	OPT_DEEP = 1 << 17,
	OPT_WATCH = (int)(1U << 31),
	OPT_OFFICER = OPT_PIN | OPT_AS, /* what a login as officer takes */
};

/**
 * struct verb - one row of the table
 * @words: one or two words
 * @args: what follows, for help; words in brackets may be left out
 * @least: number of arguments that must be there
 * @most: number that may be there
 * @options: OPT_ bits
 */
struct verb {
	const char *words;
	const char *args;
	int least, most;
	unsigned int options;
	int (*run)(struct ctl *ctl, char **args);
	const char *help;
};

static const struct verb verbs[] = {
	{ "list", "", 0, 0, 0, verb_list, "list devices and their partitions" },
	{ "info", "", 0, 0, 0, verb_info, "identity of the device, and its partitions' tokens" },
	{ "identity", "", 0, 0, 0, verb_identity,
	  "identities of the device's partitions, as lines for hsm.conf" },
	{ "config check", "", 0, 0, 0, verb_config_check,
	  "is hsm.conf right, and the files that it names" },
	{ "doctor", "", 0, 0, OPT_DEEP | OPT_PIN, verb_doctor,
	  "look at everything from the PCI bus to PKCS#11, and name the broken layer" },
	{ "top", "", 0, 0, OPT_WATCH, verb_top,
	  "operations per second and latency of partitions and queues, live" },
	{ "metrics", "", 0, 0, OPT_WATCH, verb_metrics,
	  "what there is to count, as OpenMetrics text" },
	{ "status", "", 0, 0, 0, verb_status, "state of the board" },
	{ "self-test", "", 0, 0, OPT_PARTITION, verb_self_test,
	  "run the known-answer tests of a partition's function" },
	{ "claim", "", 0, 0, OPT_CODE | OPT_NEW_PIN, verb_claim, "become the first officer" },
	{ "partition create", "NAME", 1, 1, OPT_FUNCTION | OPT_PROFILE | OPT_POLICY | OPT_OFFICER,
	  verb_partition_create, "create a partition (officer)" },
	{ "partition update", "PARTITION", 1, 1,
	  OPT_CHANGE | OPT_PROFILE | OPT_POLICY | OPT_OFFICER | OPT_APPROVAL, verb_partition_update,
	  "change a partition's name and policy (officer)" },
	{ "partition list", "", 0, 0, OPT_OFFICER, verb_partition_list,
	  "list all partitions (officer)" },
	{ "partition show", "PARTITION", 1, 1, OPT_OFFICER, verb_partition_show,
	  "show one partition and its policy (officer)" },
	{ "partition assign", "PARTITION FUNCTION", 2, 2, OPT_OFFICER, verb_partition_assign,
	  "give a partition to a function (officer)" },
	{ "partition destroy", "PARTITION", 1, 1, OPT_OFFICER | OPT_YES | OPT_APPROVAL,
	  verb_partition_destroy, "destroy a partition and all its keys (officer)" },
	{ "partition init", "[PARTITION]", 0, 1, OPT_LABEL | OPT_PIN | OPT_NEW_PIN | OPT_YES,
	  verb_partition_init, "set label, SO PIN (--pin-...) and user PIN (--new-pin-...)" },
	{ "policy", "[PARTITION]", 0, 1, 0, verb_policy,
	  "what a partition's officer allows in it" },
	{ "partition import", "FILE", 1, 1, OPT_FUNCTION | OPT_OFFICER | OPT_APPROVAL,
	  verb_partition_import, "make room for the partition of a request or a backup (officer)" },
	{ "partition migrate-status", "[PARTITION]", 0, 1, 0, verb_migrate_status,
	  "how far a migration has come, and where the partition came from" },
	{ "partition migrate-request", "[PARTITION]", 0, 1, OPT_PIN | OPT_OUTPUT,
	  verb_migrate_request, "a request for room on another board (SO)" },
	{ "partition migrate-prepare", "FILE [PARTITION]", 1, 2, OPT_OUTPUT, verb_migrate_prepare,
	  "a one-time import key for a request or a backup, in a signed offer" },
	{ "partition migrate-allow", "OFFER PARTITION", 2, 2,
	  OPT_OFFICER | OPT_APPROVAL | OPT_CERTIFICATES, verb_migrate_allow,
	  "let a partition be frozen for that offer (officer)" },
	{ "partition migrate-export", "OFFER [PARTITION]", 1, 2,
	  OPT_PIN | OPT_OUTPUT | OPT_YES | OPT_CERTIFICATES, verb_migrate_export,
	  "freeze a partition and export it, or export it again (SO)" },
	{ "partition migrate-import", "PACKAGE [PARTITION]", 1, 2, OPT_OUTPUT, verb_migrate_import,
	  "import a package; the output is the receipt" },
	{ "partition migrate-finish", "RECEIPT [PARTITION]", 1, 2, OPT_YES, verb_migrate_finish,
	  "destroy the frozen partition on the target's receipt" },
	{ "partition migrate-abort", "[PARTITION]", 0, 1, OPT_OUTPUT | OPT_YES, verb_migrate_abort,
	  "on the target: destroy the import key; the output is a statement of that" },
	{ "partition migrate-resume", "STATEMENT [PARTITION]", 1, 2, 0, verb_migrate_resume,
	  "take a frozen partition back into use on that statement" },
	{ "partition receipt", "ID", 1, 1, OPT_OFFICER | OPT_OUTPUT, verb_partition_receipt,
	  "what a partition that has gone has left: receipt or statement (officer)" },
	{ "partition backup", "PARTITION KEY...", 2, 1 + HSM_CUSTODIANS_MAX,
	  OPT_PIN | OPT_OUTPUT | OPT_THRESHOLD, verb_partition_backup,
	  "back a partition up for the custodians with these public keys (SO)" },
	{ "partition restore", "BACKUP SHARE...", 2, 1 + HSM_CUSTODIANS_MAX,
	  OPT_PARTITION | OPT_OUTPUT, verb_partition_restore,
	  "restore a backup with custodians' shares; the output is a receipt" },
	{ "backup allow", "PARTITION KEY...", 2, 1 + HSM_CUSTODIANS_MAX,
	  OPT_OFFICER | OPT_THRESHOLD | OPT_APPROVAL, verb_backup_allow,
	  "let a partition be backed up for these custodians (officer)" },
	{ "backup share", "BACKUP OFFER", 2, 2, OPT_SIGNER | OPT_OUTPUT | OPT_ROOTS | OPT_YES,
	  verb_backup_share, "a custodian's share, for the device of that offer" },
	{ "user add", "NAME", 1, 1, OPT_PARTITION | OPT_ROLE | OPT_AS | OPT_PIN | OPT_NEW_PIN,
	  verb_user_add, "make a user with a name (SO, manager)" },
	{ "user remove", "NAME", 1, 1, OPT_PARTITION | OPT_AS | OPT_PIN, verb_user_remove,
	  "remove a user (SO, manager)" },
	{ "user list", "", 0, 0, OPT_PARTITION | OPT_AS | OPT_PIN, verb_user_list,
	  "list a partition's users" },
	{ "user pin", "NAME", 1, 1, OPT_PARTITION | OPT_AS | OPT_PIN | OPT_NEW_PIN, verb_user_pin,
	  "give a user a new PIN (SO, manager)" },
	{ "user unlock", "NAME", 1, 1, OPT_PARTITION | OPT_AS | OPT_PIN, verb_user_unlock,
	  "forget a user's wrong PINs (SO, manager)" },
	{ "user role", "NAME ROLE", 2, 2, OPT_PARTITION | OPT_AS | OPT_PIN, verb_user_role,
	  "give a user another role (SO, manager)" },
	{ "officer add", "NAME", 1, 1,
	  OPT_ROLE | OPT_OFFICER | OPT_NEW_PIN | OPT_APPROVAL | OPT_OPENING, verb_officer_add,
	  "make an officer or an auditor of the device (officer)" },
	{ "officer remove", "NAME", 1, 1, OPT_OFFICER | OPT_APPROVAL, verb_officer_remove,
	  "remove one (officer)" },
	{ "officer enroll", "KEY [NAME]", 1, 2, OPT_OFFICER | OPT_APPROVAL, verb_officer_enroll,
	  "public key that an officer, or the first one, approves with; none: no more (officer)" },
	{ "officer list", "", 0, 0, OPT_OFFICER, verb_officer_list,
	  "officers and auditors of the device (officer)" },
	{ "quorum show", "", 0, 0, OPT_OFFICER, verb_quorum_show,
	  "how many officers must approve what (officer)" },
	{ "quorum set", "CLASS N", 2, 2, OPT_OFFICER | OPT_APPROVAL, verb_quorum_set,
	  "change that for one class of actions (officer)" },
	{ "approve", "FILE", 1, 1, OPT_SIGNER | OPT_OUTPUT | OPT_YES, verb_approve,
	  "show a request for approval, and sign it" },
	{ "pin set", "", 0, 0, OPT_PARTITION | OPT_ROLE | OPT_USER | OPT_AS | OPT_PIN | OPT_NEW_PIN,
	  verb_pin_set, "change the PIN of a user, the SO or the officer" },
	{ "pin init", "", 0, 0, OPT_PARTITION | OPT_PIN | OPT_NEW_PIN, verb_pin_init,
	  "the SO gives the user a new PIN; unlocks a locked one" },
	{ "audit status", "[LOG]", 0, 1, OPT_OFFICER, verb_audit_status,
	  "where an audit log stands; LOG: a partition, or device (auditor, officer, SO)" },
	{ "audit show", "[LOG]", 0, 1, OPT_OFFICER | OPT_FROM, verb_audit_show,
	  "records of an audit log (auditor, officer, SO)" },
	{ "audit export", "FILE [LOG]", 1, 2, OPT_OFFICER | OPT_FROM | OPT_NONCE | OPT_FORMAT,
	  verb_audit_export, "... into a file that hsm-verify checks (auditor, officer, SO)" },
	{ "audit release", "N [LOG]", 1, 2, OPT_OFFICER, verb_audit_release,
	  "let go of records up to number N, which were exported (auditor)" },
	{ "attest device", "FILE", 1, 1, OPT_PARTITION | OPT_ATTEST, verb_attest_device,
	  "evidence of the device, signed" },
	{ "attest partition", "FILE", 1, 1, OPT_PARTITION | OPT_ATTEST, verb_attest_partition,
	  "evidence of a partition and its policy" },
	{ "attest key", "FILE", 1, 1, OPT_PARTITION | OPT_ATTEST | OPT_KEY | OPT_USER | OPT_PIN,
	  verb_attest_key, "evidence of a key: what it is, and where it comes from" },
	{ "device certificate", "FILE", 1, 1, OPT_PARTITION | OPT_ML_DSA | OPT_CHAIN,
	  verb_device_certificate, "the device's certificate, or a partition's chain up to it" },
	{ "device csr", "FILE", 1, 1, OPT_ML_DSA, verb_device_csr,
	  "request for a certificate of the device's key" },
	{ "device install-certificate", "[FILE]", 0, 1, OPT_ML_DSA | OPT_PIN, verb_device_install,
	  "install the vendor's certificate (officer); no FILE: take it away" },
	{ "device show", "", 0, 0, 0, verb_device_show,
	  "what happened to the board in its life, and its sensors" },
	{ "device statement", "FILE", 1, 1, OPT_ATTEST, verb_device_statement,
	  "the same, signed: after decommissioning, the certificate of the erase" },
	{ "device lifecycle", "STATE", 1, 1, OPT_OFFICER | OPT_YES | OPT_APPROVAL,
	  verb_device_lifecycle,
	  "erase all and go to production, returned or decommissioned (officer)" },
	{ "device recover", "[PARTITION-ID]", 0, 1, OPT_OFFICER | OPT_YES | OPT_APPROVAL,
	  verb_device_recover,
	  "go on after tampering, or with an old copy of the state (officer)" },
	{ "export keys", "DIRECTORY", 1, 1, OPT_PARTITION | OPT_EXPORT | OPT_PIN, verb_export_keys,
	  "wrap all keys that may leave under a public key, with the device's receipt (user)" },
	{ "export trust", "KEY", 1, 1, OPT_PARTITION | OPT_LABEL | OPT_PIN, verb_export_trust,
	  "put a public key to wrap under into the token, trusted (SO)" },
	{ "migrate-softhsm", "TOKEN", 1, 1, OPT_SOFTHSM | OPT_PARTITION | OPT_USER | OPT_PIN,
	  verb_migrate_softhsm, "import the keys of a SoftHSM 2 token (user)" },
	{ "schema", "", 0, 0, 0, verb_schema,
	  "the JSON Schema of what the verbs print with --json" },
	{ "bmc", "COMMAND [ARGUMENT...]", 1, 3, OPT_SIDEBAND | OPT_YES, verb_bmc,
	  "over the sideband: inventory, health, sensors, zeroize, inject" },
	{ "firmware status", "", 0, 0, 0, verb_firmware_status, "firmware that the board knows" },
	{ "firmware stage", "IMAGE", 1, 1, OPT_OFFICER, verb_firmware_stage,
	  "take an image in, without running it (officer)" },
	{ "firmware activate", "[WHICH]", 0, 1, OPT_OFFICER | OPT_APPROVAL, verb_firmware_activate,
	  "run what is staged, or a place or measurement of the status (officer)" },
	{ "firmware update", "IMAGE", 1, 1, OPT_OFFICER | OPT_APPROVAL, verb_firmware_update,
	  "both in one (officer)" },
	{ "firmware minimum", "VERSION", 1, 1, OPT_OFFICER | OPT_YES | OPT_APPROVAL,
	  verb_firmware_minimum, "refuse firmware of lower security versions for ever (officer)" },
	{ "driver status", "[FILE]", 0, 1, 0, verb_driver_status,
	  "the kernel module, and the functions that it drives" },
	{ "driver load", "[FILE]", 0, 1, 0, verb_driver_load, "load the kernel module" },
	{ "driver unload", "", 0, 0, 0, verb_driver_unload, "unload it" },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Long options, in the order of their help. Values from 256 on have no letter. */
enum {
	O_YES = 256,
	O_JSON,
	O_PARTITION,
	O_ROLE,
	O_LABEL,
	O_FUNCTION,
	O_PROFILE,
	O_MECHANISMS,
	O_MECHANISMS_FILE,
	O_MIGRATION_ROOTS,
	O_ROOT,
	O_MIGRATION_MEASUREMENTS,
	O_CLIENT_ROOTS,
	O_NAME,
	O_RELAX,
	O_USER,
	O_AS,
	O_CHAIN,
	O_ML_DSA,
	O_NONCE,
	O_FROM,
	O_FORMAT,
	O_BINDING,
	O_KEY_LABEL,
	O_KEY_ID,
	O_KEY_CLASS,
	O_REQUEST,
	O_APPROVAL,
	O_OPENING,
	O_CERTIFICATES,
	O_KEY,
	O_OUTPUT,
	O_TO,
	O_THRESHOLD,
	O_BLOB, /* and as many as a policy has of them */
	O_BLOB_LAST = O_BLOB + HSM_POLICY_BLOBS - 1,
	O_POLICY, /* and as many as a policy has values */
	O_POLICY_LAST = O_POLICY + HSM_POLICY_VALUES - 1,
	O_PIN_FILE,
	O_PIN_FD,
	O_PIN_CREDENTIAL,
	O_NEW_PIN_FILE,
	O_NEW_PIN_FD,
	O_NEW_PIN_CREDENTIAL,
	O_CODE_FILE,
	O_CODE_FD,
	O_CODE_CREDENTIAL,
	O_SIDEBAND,
	O_TOKEN_PIN_FILE,
	O_TOKEN_PIN_FD,
	O_TOKEN_PIN_CREDENTIAL,
	O_DRY_RUN,
	O_NO_WRAP,
	O_COLOR,
	O_DEEP,
	O_HTTP,
	O_ONCE,
	O_BATCH,
	O_INTERVAL,
};

#define POLICY_ROW(name, field, order, least, largest, compatible, strict, legacy, option, \
		   meaning)                                                                \
	{ option, O_POLICY + HSM_POLICY_##name, OPT_POLICY, "N", meaning },

#define LIST_ROW(name, stricter, arg, option, meaning) \
	{ option, O_##name, OPT_POLICY, arg, meaning },

#define BLOB_ROW(name, field, free, option, meaning) \
	{ option, O_BLOB + HSM_POLICY_BLOB_##name, OPT_POLICY, "FILE", meaning },

static const struct option_row rows[] = {
	{ "device", 'd', 0, "NAME",
	  "device: vhsm:DIR, vhsm:DIR,function=N, vfio-user:SOCKET, /dev/ihsmN" },
	{ "json", O_JSON, 0, NULL, "print JSON" },
	{ "color", O_COLOR, 0, "WHEN", "auto (default): on a terminal; always; never" },
	{ "help", 'h', 0, NULL, "print help, for a verb when one is given" },
	{ "version", 'V', 0, NULL, "print the version" },
	{ "yes", O_YES, OPT_YES, NULL, "do not ask before something is destroyed" },
	{ "partition", O_PARTITION, OPT_PARTITION, "NAME",
	  "name, slot number or id of the partition" },
	{ "role", O_ROLE, OPT_ROLE, "ROLE",
	  "of a PIN: user (default), so, officer; of a user: user (default), manager, read-only; "
	  "of the device: officer (default), auditor" },
	{ "user", O_USER, OPT_USER, "NAME", "a user with that name" },
	{ "as", O_AS, OPT_AS, "NAME",
	  "log in as the manager, or the officer, with that name, not as the SO or the first officer" },
	{ "label", O_LABEL, OPT_LABEL, "TEXT", "label of the token, at most 32 bytes" },
	{ "function", O_FUNCTION, OPT_FUNCTION, "N", "function that gets the partition" },
	{ "profile", O_PROFILE, OPT_PROFILE, "P",
	  "strict, compatible with common tools, or legacy" },
	HSM_POLICY_TABLE(POLICY_ROW) HSM_POLICY_BLOB_TABLE(BLOB_ROW){
		"mechanisms", O_MECHANISMS, OPT_POLICY, "LIST",
		"allowed mechanisms, with commas; all: those of the profile" },
	{ "mechanisms-file", O_MECHANISMS_FILE, OPT_POLICY, "FILE", "... as lines of a file" },
	{ "root", O_ROOT, OPT_ROOTS, "FILE,...", "root certificates of boards that you believe" },
	HSM_POLICY_LIST_TABLE(LIST_ROW){ "request", O_REQUEST, OPT_APPROVAL, "FILE",
					 "do nothing, but write what has to be approved" },
	{ "approval", O_APPROVAL, OPT_APPROVAL, "FILE",
	  "an approval of exactly this command, from hsmctl approve; once for each" },
	{ "certificates", O_CERTIFICATES, OPT_CERTIFICATES, "FILE,...",
	  "roots of the policy that the offer's chains do not hold themselves" },
	{ "opening", O_OPENING, OPT_OPENING, "FILE",
	  "what --request wrote beside the request: opens the commitment to the PIN" },
	{ "key", O_KEY, OPT_SIGNER, "KEY", "private key to sign with, a file or a URI" },
	{ "to", O_TO, OPT_EXPORT, "KEY", "the customer's RSA public key" },
	{ "output", O_OUTPUT, OPT_OUTPUT, "FILE", "file to write" },
	{ "threshold", O_THRESHOLD, OPT_THRESHOLD, "N", "custodians that it takes to restore" },
	{ "name", O_NAME, OPT_CHANGE, "NAME", "new name of the partition" },
	{ "relax", O_RELAX, OPT_CHANGE, NULL, "let the policy become less strict" },
	{ "ml-dsa", O_ML_DSA, OPT_ML_DSA, NULL, "of the ML-DSA-87 key; default: P-384" },
	{ "chain", O_CHAIN, OPT_CHAIN, NULL, "all certificates, from the partition's own" },
	{ "nonce", O_NONCE, OPT_NONCE, "HEX", "nonce of whoever will verify it, 8 to 64 bytes" },
	{ "binding", O_BINDING, OPT_BINDING, "HEX", "1 to 64 bytes to be bound to the evidence" },
	{ "from", O_FROM, OPT_FROM, "N", "number of the first record, the oldest one there is" },
	{ "format", O_FORMAT, OPT_FORMAT, "F",
	  "json (default, can be verified), syslog (RFC 5424) or journald (its export format)" },
	{ "key-label", O_KEY_LABEL, OPT_KEY, "TEXT", "label of the key" },
	{ "key-id", O_KEY_ID, OPT_KEY, "HEX", "CKA_ID of the key" },
	{ "key-class", O_KEY_CLASS, OPT_KEY, "CLASS", "private, secret, public or otp" },
	{ "pin-file", O_PIN_FILE, OPT_PIN, "FILE", "the PIN is the file's first line" },
	{ "pin-fd", O_PIN_FD, OPT_PIN, "N", "... the next line from an open descriptor" },
	{ "pin-credential", O_PIN_CREDENTIAL, OPT_PIN, "NAME", "... in a systemd credential" },
	{ "new-pin-file", O_NEW_PIN_FILE, OPT_NEW_PIN, "FILE", "the new PIN, likewise" },
	{ "new-pin-fd", O_NEW_PIN_FD, OPT_NEW_PIN, "N", NULL },
	{ "new-pin-credential", O_NEW_PIN_CREDENTIAL, OPT_NEW_PIN, "NAME", NULL },
	{ "code-file", O_CODE_FILE, OPT_CODE, "FILE", "the claim code, likewise" },
	{ "code-fd", O_CODE_FD, OPT_CODE, "N", NULL },
	{ "code-credential", O_CODE_CREDENTIAL, OPT_CODE, "NAME", NULL },
	{ "token-pin-file", O_TOKEN_PIN_FILE, OPT_SOFTHSM, "FILE",
	  "the user PIN of the SoftHSM token, likewise" },
	{ "token-pin-fd", O_TOKEN_PIN_FD, OPT_SOFTHSM, "N", NULL },
	{ "token-pin-credential", O_TOKEN_PIN_CREDENTIAL, OPT_SOFTHSM, "NAME", NULL },
	{ "dry-run", O_DRY_RUN, OPT_SOFTHSM, NULL,
	  "import nothing, but tell what would become of it" },
	{ "no-wrap", O_NO_WRAP, OPT_SOFTHSM, NULL,
	  "import keys without CKA_WRAP and CKA_UNWRAP, as strict partitions want it" },
	{ "sideband", O_SIDEBAND, OPT_SIDEBAND, "SOCKET", "the board's socket for a controller" },
	{ "interval", O_INTERVAL, OPT_WATCH, "SECONDS", "of top: between two looks, default 2" },
	{ "batch", O_BATCH, OPT_WATCH, "N", "of top: so many looks, one after the other" },
	{ "once", O_ONCE, OPT_WATCH, NULL, "of top: one look" },
	{ "http", O_HTTP, OPT_WATCH, NULL,
	  "of metrics: answer the HTTP request on standard input" },
	{ "deep", O_DEEP, OPT_DEEP, NULL, "make a signature too, with a key that goes afterwards" },
};

#define N_OPTIONS (sizeof(rows) / sizeof(rows[0]))

static const struct option_table options = { rows, N_OPTIONS };

#define EXIT_ROW(name, number, meaning) "  " #number "  " meaning "\n"

static void help_all(void)
{
	static const char exits[] = CTL_EXITS(EXIT_ROW);
	char left[64];

	printf("usage: hsmctl [OPTION]... VERB [ARGUMENT]...\n\n");
	for (size_t i = 0; i < N_VERBS; i++) {
		snprintf(left, sizeof(left), "%s %s", verbs[i].words, verbs[i].args);
		printf("  %-36s %s\n", left, verbs[i].help);
	}
	printf("\n");
	options_print(&options, 0);
	printf("\nhsmctl VERB --help tells a verb's own options. Without -d the first device of HSM_DEVICE\n"
	       "or hsm.conf is used. PINs come from a prompt, a file, a descriptor or a systemd credential.\n\n"
	       "exit status:\n%s",
	       exits);
}

static void help_verb(const struct verb *verb)
{
	printf("usage: hsmctl [OPTION]... %s%s%s\n%s\n\n", verb->words, *verb->args ? " " : "",
	       verb->args, verb->help);
	options_print(&options, verb->options);
}

/* Does the row's first, or first two, words stand at the head of @words? Return: how many, 0: no */
static int verb_match(const struct verb *verb, int count, char **words)
{
	const char *space = strchr(verb->words, ' ');
	size_t first = space ? (size_t)(space - verb->words) : strlen(verb->words);

	if (count < 1 || strlen(words[0]) != first || strncmp(words[0], verb->words, first))
		return 0;
	if (!space)
		return 1;
	return count >= 2 && !strcmp(words[1], space + 1) ? 2 : 0;
}

static const struct verb *find_verb(int count, char **words, int *used)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		*used = verb_match(&verbs[i], count, words);
		if (*used)
			return &verbs[i];
	}
	return NULL;
}

/* The words that may follow the first one; none: it is no first word */
static void second_words(const char *word, char *more, size_t size)
{
	size_t used = 0, length = strlen(word);

	*more = '\0';
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strncmp(verbs[i].words, word, length) && verbs[i].words[length] == ' ' &&
		    used < size)
			used += (size_t)snprintf(more + used, size - used, "%s%s", used ? ", " : "",
						 verbs[i].words + length + 1);
}

/* By one word and by two, in either order: "create partition" is meant well. */
static void nearest_verb(int count, char **words, struct nearest *best)
{
	struct nearest other;
	char two[2][2 * NEAREST_MAX];

	nearest_begin(best, words[0]);
	for (size_t i = 0; i < N_VERBS; i++)
		nearest_try(best, verbs[i].words);
	for (int swapped = 0; count > 1 && swapped < 2; swapped++) {
		snprintf(two[swapped], sizeof(two[0]), "%s %s", words[swapped], words[!swapped]);
		nearest_begin(&other, two[swapped]);
		for (size_t i = 0; i < N_VERBS; i++)
			nearest_try(&other, verbs[i].words);
		/* Both in the wrong order and misspelled is a guess too far. */
		if (other.distance <= best->distance && nearest_word(&other) &&
		    other.distance <= (swapped ? 1 : other.distance))
			*best = other;
	}
}

/* The nearest first word, when it is that that is wrong */
static void nearest_first(const char *word, struct nearest *nearest)
{
	char first[NEAREST_MAX];

	nearest_begin(nearest, word);
	for (size_t i = 0; i < N_VERBS; i++) {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(verbs[i].words, " "),
			 verbs[i].words);
		nearest_try(nearest, first);
	}
}

/* Verbs that have the word in them */
static void alike(const char *word, char *more, size_t size)
{
	size_t used = 0;

	*more = '\0';
	for (size_t i = 0; i < N_VERBS && strlen(word) > 2; i++)
		if (strstr(verbs[i].words, word) && used < size)
			used += (size_t)snprintf(more + used, size - used, "%s%s", used ? ", " : "",
						 verbs[i].words);
}

static int no_verb(struct ctl *ctl, int count, char **words)
{
	struct nearest nearest;
	char more[512];

	second_words(words[0], more, sizeof(more));
	if (*more && count < 2)
		return fail(ctl, CTL_USAGE, "which '%s'? %s", words[0], more);
	nearest_verb(count, words, &nearest);
	if (!nearest_word(&nearest) && !*more)
		nearest_first(words[0], &nearest);
	if (nearest_word(&nearest))
		return fail(ctl, CTL_USAGE, "no verb '%s%s%s'; did you mean 'hsmctl %s'?", words[0],
			    count > 1 && strchr(nearest.best, ' ') ? " " : "",
			    count > 1 && strchr(nearest.best, ' ') ? words[1] : "", nearest.best);
	if (*more)
		return fail(ctl, CTL_USAGE, "which '%s'? %s", words[0], more);
	alike(words[0], more, sizeof(more));
	/* cppcheck-suppress identicalConditionAfterEarlyExit ; alike() has written it anew */
	if (*more)
		return fail(ctl, CTL_USAGE, "no verb '%s'; there are: %s", words[0], more);
	return fail(ctl, CTL_USAGE, "no verb '%s'; hsmctl --help lists them", words[0]);
}

/* Where the argument of an option goes; NULL for one without argument */
static const char **option_target(struct ctl *ctl, int value)
{
	if (value >= O_POLICY && value <= O_POLICY_LAST)
		return &ctl->policy[value - O_POLICY];
	if (value >= O_BLOB && value <= O_BLOB_LAST)
		return &ctl->blob[value - O_BLOB];
	switch (value) {
	case 'd':
		return &ctl->device;
	case O_PARTITION:
		return &ctl->partition;
	case O_ROLE:
		return &ctl->role;
	case O_LABEL:
		return &ctl->label;
	case O_FUNCTION:
		return &ctl->function;
	case O_PROFILE:
		return &ctl->profile;
	case O_MECHANISMS:
		return &ctl->mechanisms;
	case O_MECHANISMS_FILE:
		return &ctl->mechanisms_file;
	case O_ROOT:
	case O_MIGRATION_ROOTS:
		return &ctl->migration_roots;
	case O_MIGRATION_MEASUREMENTS:
		return &ctl->migration_measurements;
	case O_CLIENT_ROOTS:
		return &ctl->client_roots;
	case O_REQUEST:
		return &ctl->request;
	case O_CERTIFICATES:
		return &ctl->certificates;
	case O_OPENING:
		return &ctl->opening;
	case O_APPROVAL:
		/* One too many lands in the place beyond the last, and is reported. */
		return &ctl->approval[ctl->approvals <= HSM_APPROVALS_MAX ? ctl->approvals
									  : HSM_APPROVALS_MAX];
	case O_KEY:
		return &ctl->key;
	case O_THRESHOLD:
		return &ctl->threshold;
	case O_OUTPUT:
		return &ctl->output;
	case O_TO:
		return &ctl->to;
	case O_NAME:
		return &ctl->name;
	case O_USER:
		return &ctl->user;
	case O_AS:
		return &ctl->as;
	case O_NONCE:
		return &ctl->nonce;
	case O_FROM:
		return &ctl->from;
	case O_FORMAT:
		return &ctl->format;
	case O_BINDING:
		return &ctl->binding;
	case O_KEY_LABEL:
		return &ctl->key_label;
	case O_KEY_ID:
		return &ctl->key_id;
	case O_KEY_CLASS:
		return &ctl->key_class;
	case O_PIN_FILE:
		return &ctl->pin.file;
	case O_PIN_FD:
		return &ctl->pin.fd;
	case O_PIN_CREDENTIAL:
		return &ctl->pin.credential;
	case O_NEW_PIN_FILE:
		return &ctl->new_pin.file;
	case O_NEW_PIN_FD:
		return &ctl->new_pin.fd;
	case O_NEW_PIN_CREDENTIAL:
		return &ctl->new_pin.credential;
	case O_CODE_FILE:
		return &ctl->code.file;
	case O_CODE_FD:
		return &ctl->code.fd;
	case O_CODE_CREDENTIAL:
		return &ctl->code.credential;
	case O_TOKEN_PIN_FILE:
		return &ctl->token_pin.file;
	case O_TOKEN_PIN_FD:
		return &ctl->token_pin.fd;
	case O_TOKEN_PIN_CREDENTIAL:
		return &ctl->token_pin.credential;
	case O_COLOR:
		return &ctl->color;
	case O_SIDEBAND:
		return &ctl->sideband;
	case O_BATCH:
		return &ctl->batch;
	case O_INTERVAL:
		return &ctl->interval;
	default:
		return NULL;
	}
}

struct parsed {
	unsigned int needs; /* OPT_ bits of the options that were given */
	bool help;
	bool version;
};

static void take_option(struct ctl *ctl, struct parsed *parsed, int value)
{
	const char **target = option_target(ctl, value);

	parsed->needs |= options_needs(&options, value);
	if (target)
		*target = optarg;
	ctl->approvals += value == O_APPROVAL;
	ctl->json |= value == O_JSON;
	ctl->yes |= value == O_YES;
	ctl->relax |= value == O_RELAX;
	ctl->deep |= value == O_DEEP;
	ctl->http |= value == O_HTTP;
	ctl->once |= value == O_ONCE;
	ctl->chain |= value == O_CHAIN;
	ctl->ml_dsa |= value == O_ML_DSA;
	ctl->dry_run |= value == O_DRY_RUN;
	ctl->no_wrap |= value == O_NO_WRAP;
	parsed->help |= value == 'h';
	parsed->version |= value == 'V';
}

/* The options may be wrong, and the error is to be JSON all the same. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}

static int parse_options(struct ctl *ctl, struct parsed *parsed, int argc, char **argv)
{
	struct option table[N_OPTIONS + 1];
	char text[512];
	int value;

	options_long(&options, table);
	opterr = 0;
	while ((value = getopt_long(argc, argv, ":d:hV", table, NULL)) != -1) {
		if (value == '?' || value == ':') {
			options_wrong(&options, value, argv, text, sizeof(text));
			return fail(ctl, CTL_USAGE, "%s", text);
		}
		take_option(ctl, parsed, value);
	}
	return CTL_OK;
}

/* Two sources for one secret would leave open which counts. */
static bool one_source(const struct secret_source *source)
{
	return !!source->file + !!source->fd + !!source->credential <= 1;
}

static int check_usage(struct ctl *ctl, const struct verb *verb, const struct parsed *parsed,
		       int count)
{
	const struct secret_source *sources[] = { &ctl->pin, &ctl->new_pin, &ctl->code,
						  &ctl->token_pin };
	const char *stray = options_stray(&options, parsed->needs, verb->options);

	if (ctl->color && !colours_when(ctl->color))
		return fail(ctl, CTL_USAGE, "--color: '%s' is none of auto, always, never",
			    ctl->color);
	if (count < verb->least || count > verb->most)
		return fail(ctl, CTL_USAGE, "usage: hsmctl %s%s%s", verb->words,
			    *verb->args ? " " : "", verb->args);
	if (stray)
		return fail(
			ctl, CTL_USAGE,
			"%s takes no option like --%s; hsmctl %s --help lists those that it takes",
			verb->words, stray, verb->words);
	if (ctl->approvals > HSM_APPROVALS_MAX)
		return fail(ctl, CTL_USAGE, "at most %d approvals", HSM_APPROVALS_MAX);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (!one_source(sources[i]))
			return fail(ctl, CTL_USAGE,
				    "give only one of --%s-file, --%s-fd and --%s-credential",
				    sources[i]->option, sources[i]->option, sources[i]->option);
	return CTL_OK;
}

/* The result, with --json also that of a mistake; then the exit status is in it. */
static int finish(struct ctl *ctl, int code)
{
	struct json_object *error = json_object_object_get(ctl->result, "error");

	if (error)
		json_object_object_add(error, "exit", json_object_new_int(code));
	if ((code == CTL_OK && !ctl->shown) || json_object_object_length(ctl->result))
		code = output(ctl) ?: code;
	json_object_put(ctl->result);
	return code;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct parsed parsed = { 0 };
	const struct verb *verb;
	int used, count;
	int code = parse_options(ctl, &parsed, argc, argv);

	if (code)
		return finish(ctl, code);
	if (parsed.version) {
		printf("hsmctl %s\n", HSM_VERSION);
		return CTL_OK;
	}
	count = argc - optind;
	verb = find_verb(count, argv + optind, &used);
	if (parsed.help || (count && !strcmp(argv[optind], "help"))) {
		if (!parsed.help)
			verb = find_verb(count - 1, argv + optind + 1, &used);
		verb ? help_verb(verb) : help_all();
		return CTL_OK;
	}
	if (!count && !ctl->json) {
		help_all();
		return CTL_USAGE;
	}
	if (!count)
		code = fail(ctl, CTL_USAGE, "no verb; hsmctl --help lists them");
	else if (!verb)
		code = no_verb(ctl, count, argv + optind);
	else
		code = check_usage(ctl, verb, &parsed, count - used);
	return finish(ctl, code ?: verb->run(ctl, argv + optind + used));
}

int main(int argc, char **argv)
{
	struct ctl ctl = {
		.pin = { .prompt = "PIN", .option = "pin" },
		.new_pin = { .prompt = "New PIN", .option = "new-pin", .confirm = true },
		.code = { .prompt = "Claim code", .option = "code" },
		.token_pin = { .prompt = "User PIN of the SoftHSM token", .option = "token-pin" },
		.json = wants_json(argc, argv),
	};

	/* A PIN must not end in a core file. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	ctl.result = json_object_new_object();
	if (!ctl.result)
		return fail(&ctl, CTL_DEVICE, "out of memory");
	return run(&ctl, argc, argv);
}

/* ---- schema ---- */

int verb_schema(struct ctl *ctl, char **args)
{
	struct json_object *defs = json_object_new_object();

	(void)args;
	ctl->json = true; /* nothing else would be of use */
	for (size_t i = 0; i < N_VERBS; i++)
		json_object_object_add(defs, verbs[i].words,
				       schema_of_verb(verbs[i].words,
						      verbs[i].options & OPT_APPROVAL));
	json_object_object_add(defs, "error", schema_of_error());
	put_string(ctl->result, "$schema", "https://json-schema.org/draft/2020-12/schema");
	put_string(ctl->result, "title", "hsmctl --json " HSM_VERSION);
	json_object_object_add(ctl->result, "$defs", defs);
	return CTL_OK;
}
