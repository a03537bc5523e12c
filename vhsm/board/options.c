// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of vhsm(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "tamper.h"

#define EMBEDDED_IDLE 60 /* seconds */
/* Microseconds: where idle processors are halted, a client takes 50 to 100 of them to wake up. */
#define DEFAULT_SPIN  200

enum option_id {
	OPTION_STATE = 256,
	OPTION_FUSES,
	OPTION_RUN,
	OPTION_FUNCTIONS,
	OPTION_IDLE_EXIT,
	OPTION_READY_FD,
	OPTION_DMA_BITS,
	OPTION_QUEUES,
	OPTION_SPIN,
	OPTION_EMBEDDED,
	OPTION_FIPS,
	OPTION_MODE,
	OPTION_GROUP,
	OPTION_FIRMWARE,
	OPTION_VENDOR_HASH,
	OPTION_LOG,
	OPTION_VALIDATION,
	OPTION_ZEROIZE,
	OPTION_LIFECYCLE,
	OPTION_RECOVER,
	OPTION_SENSOR,
	OPTION_LIMITS,
	OPTION_INJECT,
	OPTION_SIDEBAND,
	OPTION_PRESENCE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "fuses", required_argument, NULL, OPTION_FUSES },
	{ "run", required_argument, NULL, OPTION_RUN },
	{ "functions", required_argument, NULL, OPTION_FUNCTIONS },
	{ "idle-exit", required_argument, NULL, OPTION_IDLE_EXIT },
	{ "ready-fd", required_argument, NULL, OPTION_READY_FD },
	{ "dma-bits", required_argument, NULL, OPTION_DMA_BITS },
	{ "queues", required_argument, NULL, OPTION_QUEUES },
	{ "spin", required_argument, NULL, OPTION_SPIN },
	{ "embedded", no_argument, NULL, OPTION_EMBEDDED },
	{ "fips", no_argument, NULL, OPTION_FIPS },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "group", required_argument, NULL, OPTION_GROUP },
	{ "firmware", required_argument, NULL, OPTION_FIRMWARE },
	{ "vendor-hash", required_argument, NULL, OPTION_VENDOR_HASH },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "validation", required_argument, NULL, OPTION_VALIDATION },
	{ "zeroize", no_argument, NULL, OPTION_ZEROIZE },
	{ "lifecycle", required_argument, NULL, OPTION_LIFECYCLE },
	{ "recover", no_argument, NULL, OPTION_RECOVER },
	{ "sensor", required_argument, NULL, OPTION_SENSOR },
	{ "limits", required_argument, NULL, OPTION_LIMITS },
	{ "inject-sensors", no_argument, NULL, OPTION_INJECT },
	{ "sideband", required_argument, NULL, OPTION_SIDEBAND },
	{ "presence", required_argument, NULL, OPTION_PRESENCE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 }
};

static const char help[] =
	"usage: vhsm --state DIR [options]\n"
	"The board of a virtual HSM: keeps its state in DIR and serves its functions on sockets.\n"
	"\n"
	"  --state DIR        state directory, made when missing\n"
	"  --fuses FILE       the fuses, default DIR/fuses; elsewhere they reveal an old copy of DIR;\n"
	"                     tpm:TCTI[,index=N][,auth=FILE]: in a TPM\n"
	"  --run DIR          directory of the sockets fn0.sock ..., default DIR/run of the state\n"
	"  --embedded         DIR is the caller's own (0700): its owner is the officer\n"
	"  --fips             make DIR for approved mode: approved algorithms in an unvalidated\n"
	"                     build; a state that was made so is always used so\n"
	"  --functions N      functions, function 0 included, default 8\n"
	"  --idle-exit SEC    end after SEC seconds without a connection; 0: never\n"
	"                     (default 0, with --embedded 60)\n"
	"  --ready-fd FD      write a line `ready`, `busy: ...` or `error: ...` there, then close it\n"
	"  --mode MODE        permissions of the sockets, octal, default 0600\n"
	"  --group GROUP      group of the sockets\n"
	"  --firmware DIR     firmware bundle, default the installed one\n"
	"  --vendor-hash HEX  whose firmware a new board takes, see hsm-fw-sign(1); default this build's\n"
	"  --log FILE         log, `-`: standard error (default, with --embedded DIR/vhsm.log)\n"
	"  --dma-bits N       width of bus addresses, 32 to 64, default 64\n"
	"  --queues N         I/O queue pairs of a controller, 1 to 63, default 8\n"
	"  --spin USEC        bound of spinning after a command, default 200, 0: never\n"
	"  --validation FILE  a validation certificate of this board, for the tokens to show\n"
	"  --lifecycle WORD   of a new board: development (default) or production\n"
	"  --sensor KIND=FILE read a sensor there: temperature (m\302\260C), voltage (mV), clock (ppm),\n"
	"                     enclosure (0: closed); outside of its limits all partitions go\n"
	"  --limits KIND=A:B  least and largest value of a sensor\n"
	"  --inject-sensors   take values from the sideband: for tests, in development alone\n"
	"  --sideband SOCKET  a socket for a management controller\n"
	"  --presence FILE    whoever makes it say 1 is at the machine: the sideband may zeroize\n"
	"  --recover          start with an old copy of the state too, for officers to accept it\n"
	"  --zeroize          destroy all keys and data of the state, then end\n"
	"  --help, --version\n";

static int bad_value(const char *name, const char *value, const char *expected)
{
	fprintf(stderr, "vhsm: --%s %s: %s expected\n", name, value, expected);
	return EXIT_BOARD_USAGE;
}

static int number(const char *name, const char *text, int base, long least, long most, long *value)
{
	char expected[64], *end;

	*value = strtol(text, &end, base);
	if (*text >= '0' && *text <= '9' && !*end && *value >= least && *value <= most)
		return 0;
	snprintf(expected, sizeof(expected),
		 base == 8 ? "an octal number from %lo to %lo" : "a number from %ld to %ld", least,
		 most);
	return bad_value(name, text, expected);
}

static int set_number(int id, const char *name, const char *text, struct board_options *options)
{
	long value = 0;
	int ret;

	switch (id) {
	case OPTION_FUNCTIONS:
		ret = number(name, text, 10, 2, BOARD_MAX_FUNCTIONS, &value);
		options->functions = (unsigned int)value;
		return ret;
	case OPTION_IDLE_EXIT:
		return number(name, text, 10, 0, 1000000, &options->idle_exit);
	case OPTION_READY_FD:
		ret = number(name, text, 10, 0, 65535, &value);
		options->ready_fd = (int)value;
		return ret;
	case OPTION_DMA_BITS:
		ret = number(name, text, 10, 32, 64, &value);
		options->dma_bits = (unsigned int)value;
		return ret;
	case OPTION_QUEUES:
		ret = number(name, text, 10, 1, 63, &value);
		options->queues = (unsigned int)value;
		return ret;
	case OPTION_SPIN:
		ret = number(name, text, 10, 0, 1000000, &value);
		options->spin_us = (unsigned int)value;
		return ret;
	default:
		ret = number(name, text, 8, 0, 0777, &value);
		options->mode = (mode_t)value;
		return ret;
	}
}

static int set_vendor(const char *name, const char *text, struct board_options *options)
{
	size_t length;

	if (OPENSSL_hexstr2buf_ex(options->vendor, sizeof(options->vendor), &length, text, '\0') !=
		    1 ||
	    length != sizeof(options->vendor))
		return bad_value(name, text, "96 hexadecimal digits");
	options->vendor_given = true;
	return 0;
}

static int set_lifecycle(const char *name, const char *word, struct board_options *options)
{
	if (!strcmp(word, "development"))
		options->lifecycle = HSM_LIFECYCLE_DEVELOPMENT;
	else if (!strcmp(word, "production"))
		options->lifecycle = HSM_LIFECYCLE_PRODUCTION;
	else
		return bad_value(name, word, "development or production");
	return 0;
}

/* Sensors, life and sideband of the board */
static int set_board(int id, const char *name, struct board_options *options)
{
	switch (id) {
	case OPTION_LIFECYCLE:
		return set_lifecycle(name, optarg, options);
	case OPTION_SENSOR:
		return tamper_source(options->tamper, optarg)
			       ? bad_value(name, optarg, "SENSOR=FILE")
			       : 0;
	case OPTION_LIMITS:
		return tamper_limits(options->tamper, optarg)
			       ? bad_value(name, optarg, "SENSOR=LEAST:LARGEST")
			       : 0;
	case OPTION_RECOVER:
		options->recover = true;
		return 0;
	case OPTION_INJECT:
		options->inject = true;
		return 0;
	case OPTION_SIDEBAND:
		options->sideband = optarg;
		return 0;
	case OPTION_PRESENCE:
		options->presence = optarg;
		return 0;
	default:
		return set_number(id, name, optarg, options);
	}
}

static int set_option(int id, const char *name, struct board_options *options)
{
	switch (id) {
	case OPTION_STATE:
		options->state = optarg;
		return 0;
	case OPTION_FUSES:
		options->fuses = optarg;
		return 0;
	case OPTION_RUN:
		options->run = optarg;
		return 0;
	case OPTION_GROUP:
		options->group = optarg;
		return 0;
	case OPTION_FIRMWARE:
		options->firmware = optarg;
		return 0;
	case OPTION_VENDOR_HASH:
		return set_vendor(name, optarg, options);
	case OPTION_VALIDATION:
		options->validation = optarg;
		return 0;
	case OPTION_LOG:
		options->log = optarg;
		return 0;
	case OPTION_EMBEDDED:
		options->embedded = true;
		return 0;
	case OPTION_FIPS:
		options->fips = true;
		return 0;
	case OPTION_ZEROIZE:
		options->zeroize = true;
		return 0;
	case OPTION_HELP:
		fputs(help, stdout);
		return -1;
	case OPTION_VERSION:
		puts("vhsm " HSM_VERSION);
		return -1;
	case '?':
		fputs("vhsm: see vhsm --help\n", stderr);
		return EXIT_BOARD_USAGE;
	default:
		return set_board(id, name, options);
	}
}

static int check_options(const struct board_options *options)
{
	const char *wrong = NULL;

	if (!options->state)
		wrong = "--state DIR is missing";
	else if (options->embedded && options->fuses)
		wrong = "--embedded keeps the fuses in the state directory, leave --fuses out";
	else if (options->embedded && (options->group || options->mode & 077))
		wrong = "--embedded is for one user, leave --group and --mode out";
	if (!wrong)
		return 0;
	fprintf(stderr, "vhsm: %s; see vhsm --help\n", wrong);
	return EXIT_BOARD_USAGE;
}

int options_parse(int argc, char **argv, struct board_options *options)
{
	struct tamper *tamper = options->tamper;
	int id, index = 0, ret;

	memset(options, 0, sizeof(*options));
	options->tamper = tamper;
	tamper_init(tamper);
	options->functions = 8;
	options->idle_exit = -1;
	options->ready_fd = -1;
	options->dma_bits = 64;
	options->queues = 8;
	options->spin_us = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? DEFAULT_SPIN : 0;
	options->mode = 0600;
	while ((id = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		ret = set_option(id, long_options[index].name, options);
		if (ret)
			return ret;
	}
	if (optind != argc) {
		fprintf(stderr, "vhsm: unexpected argument %s; see vhsm --help\n", argv[optind]);
		return EXIT_BOARD_USAGE;
	}
	if (options->idle_exit < 0)
		options->idle_exit = options->embedded ? EMBEDDED_IDLE : 0;
	return check_options(options);
}
