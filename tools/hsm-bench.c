// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench measures a PKCS#11 module, libcrypto itself, or the empty command of an integrated HSM:
 * options, and the list of runs that follows from them. Manual: hsm-bench(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "hsm-bench.h"

#define PIN_MAX	    256
#define RUNS_MAX    256U
#define THREADS_MAX 16U
#define ROUNDS_MAX  99U

enum {
	O_MODULE = 256,
	O_TOKEN,
	O_SLOT,
	O_PIN_FILE,
	O_PIN_FD,
	O_RAW,
	O_LIBHSM,
	O_WARMUP,
	O_PAUSE,
	O_JSON,
	O_ROUNDS,
};

static const struct option long_options[] = {
	{ "module", required_argument, NULL, O_MODULE },
	{ "token-label", required_argument, NULL, O_TOKEN },
	{ "slot", required_argument, NULL, O_SLOT },
	{ "pin-file", required_argument, NULL, O_PIN_FILE },
	{ "pin-fd", required_argument, NULL, O_PIN_FD },
	{ "raw", no_argument, NULL, O_RAW },
	{ "libhsm", required_argument, NULL, O_LIBHSM },
	{ "op", required_argument, NULL, 'o' },
	{ "threads", required_argument, NULL, 't' },
	{ "seconds", required_argument, NULL, 's' },
	{ "warmup", required_argument, NULL, O_WARMUP },
	{ "pause-us", required_argument, NULL, O_PAUSE },
	{ "json", no_argument, NULL, O_JSON },
	{ "rounds", required_argument, NULL, O_ROUNDS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/**
 * struct bench - what the command line asks for
 * @targets: how many of --module, --raw and --libhsm were given
 * @rounds: how often each is measured, all of them in turn
 */
struct bench {
	const struct target_ops *ops;
	struct target_config config;
	unsigned int targets;
	const char *pin_file;
	const char *pin_fd;
	struct operation operations[RUNS_MAX];
	size_t operation_count;
	unsigned int threads[THREADS_MAX];
	size_t thread_count;
	struct load load;
	unsigned long rounds;
	bool json;
	bool help;
	bool version;
	char pin[PIN_MAX];
};

void complain(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "hsm-bench: %s\n", text);
}

static void help(void)
{
	printf("usage: hsm-bench TARGET [OPTION]...\n"
	       "       hsm-bench compare [--threshold PERCENT] [--json] OLD NEW\n\n"
	       "  --module PATH        a PKCS#11 module\n"
	       "    --token-label L    its token with this label\n"
	       "    --slot N           the token in this slot; without both, the first token\n"
	       "    --pin-file FILE    log in; the PIN is the file's first line\n"
	       "    --pin-fd N         ... the next line from an open descriptor\n"
	       "  --raw                libcrypto itself\n"
	       "  --libhsm DEVICE      the sealed empty command of an integrated HSM\n\n"
	       "  -o, --op LIST        operations, separated by commas; may be given again\n"
	       "  -t, --threads LIST   numbers of threads (default 1)\n"
	       "  -s, --seconds S      measure each for so long (default 2)\n"
	       "  --warmup S           run each for so long before (default 0.2)\n"
	       "  --pause-us N         sleep so long before each operation\n"
	       "  --rounds N           measure all of it so often (default 1)\n"
	       "  --json               print JSON instead of a Markdown table\n"
	       "  -h, --help; -V, --version\n\n"
	       "Operations:\n");
	operation_list();
}

/* ---- options ---- */

static int parse_unsigned(const char *text, unsigned long most, unsigned long *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno || *end || *value > most ? -EINVAL : 0;
}

/* An hour is enough for anybody, and nanoseconds do not overflow. */
static int parse_seconds(const char *text, double *value)
{
	char *end;

	if ((*text < '0' || *text > '9') && *text != '.')
		return -EINVAL;
	*value = strtod(text, &end);
	return *end || !(*value >= 0 && *value <= 3600) ? -EINVAL : 0;
}

static int add_operation(struct bench *bench, const char *word)
{
	if (bench->operation_count == RUNS_MAX ||
	    operation_parse(word, &bench->operations[bench->operation_count]))
		return -EINVAL;
	bench->operation_count++;
	return 0;
}

static int add_threads(struct bench *bench, const char *word)
{
	unsigned long value;

	if (bench->thread_count == THREADS_MAX || parse_unsigned(word, BENCH_THREADS, &value) ||
	    !value)
		return -EINVAL;
	bench->threads[bench->thread_count++] = (unsigned int)value;
	return 0;
}

static int for_each_word(struct bench *bench, char *list, int (*add)(struct bench *, const char *))
{
	char *rest = NULL;
	int ret = 0;

	for (char *word = strtok_r(list, ",", &rest); word && !ret;
	     word = strtok_r(NULL, ",", &rest))
		ret = add(bench, word);
	return ret;
}

static void choose(struct bench *bench, const struct target_ops *ops)
{
	bench->ops = ops;
	bench->targets++;
}

/* Return: 0 or -EINVAL */
static int take_option(struct bench *bench, int option)
{
	switch (option) {
	case O_MODULE:
		choose(bench, &target_pkcs11);
		bench->config.module = optarg;
		return 0;
	case O_RAW:
		choose(bench, &target_raw);
		return 0;
	case O_LIBHSM:
		choose(bench, &target_libhsm);
		bench->config.device = optarg;
		return 0;
	case O_TOKEN:
		bench->config.token = optarg;
		return 0;
	case O_SLOT:
		bench->config.slot = optarg;
		return 0;
	case O_PIN_FILE:
		bench->pin_file = optarg;
		return 0;
	case O_PIN_FD:
		bench->pin_fd = optarg;
		return 0;
	case 'o':
		return for_each_word(bench, optarg, add_operation);
	case 't':
		return for_each_word(bench, optarg, add_threads);
	case 's':
		return parse_seconds(optarg, &bench->load.seconds);
	case O_WARMUP:
		return parse_seconds(optarg, &bench->load.warmup);
	case O_PAUSE:
		return parse_unsigned(optarg, 60000000, &bench->load.pause_us);
	case O_ROUNDS:
		return parse_unsigned(optarg, ROUNDS_MAX, &bench->rounds) || !bench->rounds
			       ? -EINVAL
			       : 0;
	case O_JSON:
		bench->json = true;
		return 0;
	case 'h':
		bench->help = true;
		return 0;
	case 'V':
		bench->version = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_options(struct bench *bench, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:t:s:hV", long_options, NULL)) != -1) {
		if (option == '?')
			return -EINVAL;
		if (take_option(bench, option)) {
			complain("'%s' is not understood; --help tells what is", optarg);
			return -EINVAL;
		}
	}
	if (bench->help || bench->version)
		return 0;
	if (optind != argc || bench->targets != 1) {
		complain("give one of --module, --raw and --libhsm; --help tells more");
		return -EINVAL;
	}
	if (!bench->operation_count) {
		complain("give operations by --op; --help lists them");
		return -EINVAL;
	}
	if (!bench->thread_count)
		bench->threads[bench->thread_count++] = 1;
	return 0;
}

/* ---- PIN ---- */

/* Byte by byte: what follows the line on a descriptor is somebody else's. */
static int read_line(int fd, struct bench *bench)
{
	size_t length = 0;
	char c = 0;

	while (read(fd, &c, 1) == 1 && c != '\n') {
		if (length == sizeof(bench->pin))
			return -EINVAL;
		bench->pin[length++] = c;
	}
	OPENSSL_cleanse(&c, sizeof(c));
	if (!length)
		return -EINVAL;
	bench->config.pin = bench->pin;
	bench->config.pin_length = length;
	return 0;
}

static int read_pin(struct bench *bench)
{
	unsigned long number;
	int fd, ret;

	if (bench->pin_file) {
		fd = open(bench->pin_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	} else if (bench->pin_fd) {
		if (parse_unsigned(bench->pin_fd, 1 << 20, &number)) {
			complain("--pin-fd: '%s' is no descriptor number", bench->pin_fd);
			return -EINVAL;
		}
		fd = (int)number;
	} else {
		return 0;
	}
	ret = fd < 0 ? -errno : read_line(fd, bench);
	if (fd >= 0)
		close(fd);
	if (ret)
		complain("cannot read the PIN: %s", strerror(-ret));
	return ret;
}

/* ---- runs ---- */

/* What a target does not have is left out of the report, with a line that says so. */
static int run_once(struct bench *bench, struct target *target, struct result *results,
		    size_t *count)
{
	int ret;

	for (size_t i = 0; i < bench->operation_count; i++) {
		for (size_t j = 0; j < bench->thread_count; j++) {
			const struct operation *operation = &bench->operations[i];

			bench->load.threads = bench->threads[j];
			ret = load_run(bench->ops, target, operation, &bench->load,
				       &results[*count]);
			if (!ret)
				(*count)++;
			else if (ret == -ENOTSUP)
				complain("%s has no %s", bench->ops->kind, operation->name);
			else
				return ret;
		}
	}
	return 0;
}

/* A round takes them in turn, so that what else the machine does in one moment counts for all. */
static int run_all(struct bench *bench, struct target *target, struct result *results,
		   size_t *count)
{
	int ret = 0;

	for (unsigned long round = 0; round < bench->rounds && !ret; round++)
		ret = run_once(bench, target, results, count);
	return ret;
}

static int report(const struct bench *bench, struct target *target, uint64_t open_ns,
		  const struct result *results, size_t count)
{
	const struct target_config *config = &bench->config;
	struct report out = {
		.ops = bench->ops,
		.name = config->module	 ? config->module
			: config->device ? config->device
					 : "",
		.description = bench->ops->describe(target),
		.open_ns = open_ns,
		.results = results,
		.count = count,
	};

	return bench->json ? report_json(&out) : report_markdown(&out);
}

static int measure(struct bench *bench)
{
	struct result *results;
	struct target *target;
	uint64_t start, open_ns;
	size_t count = 0;
	int code = BENCH_TARGET;

	results = calloc(bench->operation_count * bench->thread_count * bench->rounds,
			 sizeof(*results));
	if (!results)
		return BENCH_FAILED;
	start = now_ns();
	if (!bench->ops->open(&bench->config, &target)) {
		open_ns = now_ns() - start;
		code = run_all(bench, target, results, &count) ? BENCH_FAILED : BENCH_OK;
		if (report(bench, target, open_ns, results, count) || !count)
			code = BENCH_FAILED;
		bench->ops->close(target);
	}
	free(results);
	return code;
}

int main(int argc, char **argv)
{
	struct bench bench = { .load = { .seconds = 2, .warmup = 0.2 }, .rounds = 1 };
	int code;

	/* A PIN must not end in a core file. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	if (argc > 1 && !strcmp(argv[1], "compare"))
		return bench_compare(argc - 1, argv + 1);
	if (parse_options(&bench, argc, argv))
		return BENCH_USAGE;
	if (bench.version) {
		printf("hsm-bench %s\n", HSM_VERSION);
		return BENCH_OK;
	}
	if (bench.help) {
		help();
		return BENCH_OK;
	}
	if (read_pin(&bench))
		return BENCH_USAGE;
	code = measure(&bench);
	OPENSSL_cleanse(&bench.pin, sizeof(bench.pin));
	return code;
}
