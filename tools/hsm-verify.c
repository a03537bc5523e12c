// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify checks what an integrated HSM has signed, without the HSM: the table of subcommands,
 * the options, and help, which is made from both. Manual: hsm-verify(1).
 */
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "hsm-verify.h"
#include "tool-options.h"

/* One bit for each option that belongs to some subcommands only */
enum {
	OPT_TRUST = 1 << 0,
	OPT_NONCE = 1 << 1,
	OPT_BINDING = 1 << 2,
	OPT_PUBLIC = 1 << 3,
};

/**
 * struct verb - one row of the table
 * @args: what follows the name, for help
 * @least: number of arguments that must be there
 * @most: number that may be there
 * @options: OPT_ bits
 */
struct verb {
	const char *name;
	const char *args;
	int least, most;
	unsigned int options;
	int (*run)(struct verify *verify, char **args);
	const char *help;
};

static const struct verb verbs[] = {
	{ "evidence", "FILE", 1, 1, OPT_TRUST | OPT_NONCE | OPT_BINDING | OPT_PUBLIC,
	  verify_evidence, "evidence of a device, a partition or a key" },
	{ "statement", "FILE", 1, 1, OPT_TRUST | OPT_NONCE, verify_statement,
	  "a board's statement of its own life, or of its erase" },
	{ "receipt", "FILE [DIRECTORY]", 1, 2, OPT_TRUST | OPT_NONCE, verify_receipt,
	  "what a device has exported, and whether these are the files" },
	{ "migration", "FILE [OTHER]", 1, 2, OPT_TRUST, verify_migration,
	  "a receipt or another document of a migration or backup, and what it answers" },
	{ "audit", "FILE", 1, 1, OPT_TRUST | OPT_NONCE, verify_audit,
	  "an export of an audit log, by hsmctl audit export" },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Long options, in the order of their help. Values from 256 on have no letter. */
enum {
	O_ROOT = 256,
	O_POLICY,
	O_NONCE,
	O_BINDING,
	O_PUBLIC,
	O_JSON,
};

static const struct option_row rows[] = {
	{ "root", O_ROOT, OPT_TRUST, "FILE", "root certificates, PEM; may be given again" },
	{ "policy", O_POLICY, OPT_TRUST, "FILE", "what must be so, JSON" },
	{ "nonce", O_NONCE, OPT_NONCE, "HEX", "the nonce that was asked with" },
	{ "binding", O_BINDING, OPT_BINDING, "HEX", "the bytes that must be bound to it" },
	{ "public-key", O_PUBLIC, OPT_PUBLIC, "FILE", "write the key's public part there, PEM" },
	{ "json", O_JSON, 0, NULL, "print JSON" },
	{ "help", 'h', 0, NULL, "print help, for a subcommand when one is given" },
	{ "version", 'V', 0, NULL, "print the version" },
};

#define N_OPTIONS (sizeof(rows) / sizeof(rows[0]))

static const struct option_table options = { rows, N_OPTIONS };

/* ---- help ---- */

static void help_all(void)
{
	char left[64];

	printf("usage: hsm-verify [OPTION]... SUBCOMMAND [ARGUMENT]...\n\n");
	for (size_t i = 0; i < N_VERBS; i++) {
		snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].args);
		printf("  %-36s %s\n", left, verbs[i].help);
	}
	printf("\n");
	options_print(&options, 0);
	printf("\nhsm-verify SUBCOMMAND --help tells a subcommand's own options. A file named - is "
	       "standard input.\n");
}

static void help_verb(const struct verb *verb)
{
	printf("usage: hsm-verify [OPTION]... %s %s\n%s\n\n", verb->name, verb->args, verb->help);
	options_print(&options, verb->options);
}

/* ---- command line ---- */

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

struct parsed {
	unsigned int needs; /* OPT_ bits of the options that were given */
	bool help;
	bool version;
};

static int take_option(struct verify *verify, struct parsed *parsed, int value)
{
	parsed->needs |= options_needs(&options, value);
	switch (value) {
	case O_ROOT:
		if (verify->roots == VERIFY_ROOTS)
			return fail(verify, VERIFY_USAGE, "more than %d times --root",
				    VERIFY_ROOTS);
		verify->root[verify->roots++] = optarg;
		break;
	case O_POLICY:
		verify->policy = optarg;
		break;
	case O_NONCE:
		verify->nonce = optarg;
		break;
	case O_BINDING:
		verify->binding = optarg;
		break;
	case O_PUBLIC:
		verify->public_key = optarg;
		break;
	}
	verify->json |= value == O_JSON;
	parsed->help |= value == 'h';
	parsed->version |= value == 'V';
	return VERIFY_OK;
}

/* Return: VERIFY_OK, or VERIFY_USAGE when it has been said what is wrong */
static int parse_options(struct verify *verify, struct parsed *parsed, int argc, char **argv)
{
	struct option table[N_OPTIONS + 1];
	int value;

	options_long(&options, table);
	while ((value = getopt_long(argc, argv, "hV", table, NULL)) != -1)
		if (value == '?' || take_option(verify, parsed, value))
			return VERIFY_USAGE;
	return VERIFY_OK;
}

static int check_usage(struct verify *verify, const struct verb *verb, const struct parsed *parsed,
		       int count)
{
	const char *stray = options_stray(&options, parsed->needs, verb->options);

	if (count < verb->least || count > verb->most)
		return fail(verify, VERIFY_USAGE, "usage: hsm-verify %s %s", verb->name,
			    verb->args);
	if (stray)
		return fail(verify, VERIFY_USAGE, "%s takes no option like --%s", verb->name,
			    stray);
	return VERIFY_OK;
}

static int run_verb(struct verify *verify, const struct verb *verb, char **args)
{
	int code;

	verify->result = json_object_new_object();
	verify->libctx = OSSL_LIB_CTX_new();
	if (!verify->result || !verify->libctx)
		code = fail(verify, VERIFY_SYSTEM, "out of memory");
	else
		code = verb->options & OPT_TRUST ? trust_load(verify) : VERIFY_OK;
	if (!code)
		code = verb->run(verify, args);
	trust_free(verify);
	if (verify->result && (code == VERIFY_OK || json_object_object_length(verify->result)) &&
	    output_result("hsm-verify", verify->result, verify->json) < 0)
		code = VERIFY_SYSTEM;
	json_object_put(verify->result);
	OSSL_LIB_CTX_free(verify->libctx);
	return code;
}

int main(int argc, char **argv)
{
	struct verify verify = { 0 };
	struct parsed parsed = { 0 };
	const struct verb *verb;
	int code;

	/* What is believed depends on no file that OpenSSL reads by itself. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	code = parse_options(&verify, &parsed, argc, argv);
	if (code)
		return code;
	if (parsed.version) {
		printf("hsm-verify %s\n", HSM_VERSION);
		return VERIFY_OK;
	}
	verb = find_verb(argv[optind]);
	if (parsed.help || optind == argc) {
		if (verb)
			help_verb(verb);
		else
			help_all();
		return parsed.help ? VERIFY_OK : VERIFY_USAGE;
	}
	if (!verb)
		return fail(&verify, VERIFY_USAGE,
			    "no subcommand '%s'; hsm-verify --help lists them", argv[optind]);
	code = check_usage(&verify, verb, &parsed, argc - optind - 1);
	if (code)
		return code;
	return run_verb(&verify, verb, argv + optind + 1);
}
