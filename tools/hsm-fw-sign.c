// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-fw-sign is the firmware vendor's tool: it makes the vendor's two keys, signs a directory of files
 * as a firmware bundle, packs that into one image, and shows and verifies either. Manual: hsm-fw-sign(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "hsm-fw-sign.h"

struct subcommand {
	const char *name;
	const char *args;
	int count; /* of arguments */
	int (*run)(const struct fw_options *options, char **args);
	const char *help;
};

static const struct subcommand subcommands[] = {
	{ "keygen", "DIR", 1, fw_keygen, "make the vendor's keys in a new directory" },
	{ "vendor-hash", "", 0, fw_vendor_hash, "print the hash that the fuses of a board hold" },
	{ "sign", "DIR ROLE=FILE...", -1, fw_sign, "write DIR/manifest for files of DIR" },
	{ "image", "DIR IMAGE", 2, fw_image, "pack a signed directory into one file" },
	{ "inspect", "PATH", 1, fw_inspect, "show the manifest of a directory or image" },
	{ "verify", "PATH", 1, fw_verify, "verify a directory or image, every byte of it" },
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static const char help[] =
	"\n"
	"  --keys DIR             directory with es384.pem and ml-dsa-87.pem\n"
	"  --es384 URI            ... or the keys by file name or URI (pkcs11:...)\n"
	"  --ml-dsa-87 URI\n"
	"  --development          keygen: keys that no board in production takes\n"
	"  --firmware-version V   sign: version, for people\n"
	"  --security-version N   sign: security version, 1 to 255\n"
	"  --vendor-hash HEX      verify: the vendor, instead of --keys\n"
	"  --help, --version\n";

static void print_help(void)
{
	size_t i;

	puts("usage: hsm-fw-sign SUBCOMMAND [OPTION]... [ARGUMENT]...\n");
	for (i = 0; i < SUBCOMMANDS; i++)
		printf("  %-11s %-17s %s\n", subcommands[i].name, subcommands[i].args,
		       subcommands[i].help);
	fputs(help, stdout);
}

enum {
	O_KEYS = 256,
	O_ES384,
	O_ML_DSA,
	O_DEVELOPMENT,
	O_VERSION_TEXT,
	O_SECURITY,
	O_VENDOR,
};

static const struct option long_options[] = {
	{ "keys", required_argument, NULL, O_KEYS },
	{ "es384", required_argument, NULL, O_ES384 },
	{ "ml-dsa-87", required_argument, NULL, O_ML_DSA },
	{ "development", no_argument, NULL, O_DEVELOPMENT },
	{ "firmware-version", required_argument, NULL, O_VERSION_TEXT },
	{ "security-version", required_argument, NULL, O_SECURITY },
	{ "vendor-hash", required_argument, NULL, O_VENDOR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int take_option(struct fw_options *options, int value)
{
	switch (value) {
	case O_KEYS:
		options->keys = optarg;
		return 0;
	case O_ES384:
		options->key[HSM_FW_ES384] = optarg;
		return 0;
	case O_ML_DSA:
		options->key[HSM_FW_ML_DSA_87] = optarg;
		return 0;
	case O_DEVELOPMENT:
		options->development = true;
		return 0;
	case O_VERSION_TEXT:
		options->version = optarg;
		return 0;
	case O_SECURITY:
		options->security_version = optarg;
		return 0;
	case O_VENDOR:
		options->vendor = optarg;
		return 0;
	case 'h':
		print_help();
		exit(FW_OK);
	case 'V':
		puts("hsm-fw-sign " HSM_VERSION);
		exit(FW_OK);
	default:
		return FW_USAGE;
	}
}

static const struct subcommand *find(const char *name)
{
	size_t i;

	for (i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };
	struct fw_options options = { 0 };
	const struct subcommand *sub;
	int value, count;

	/* A vendor's key belongs in no core dump and in no file that others can read. */
	setrlimit(RLIMIT_CORE, &none);
	umask(077);
	while ((value = getopt_long(argc, argv, "hV", long_options, NULL)) != -1)
		if (take_option(&options, value))
			return FW_USAGE;
	sub = optind < argc ? find(argv[optind]) : NULL;
	count = argc - optind - 1;
	if (!sub || (sub->count >= 0 && count != sub->count) || (sub->count < 0 && count < 2)) {
		fputs("hsm-fw-sign: see hsm-fw-sign --help\n", stderr);
		return FW_USAGE;
	}
	return sub->run(&options, argv + optind + 1);
}
