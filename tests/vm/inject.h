/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How failures of memory are asked for, in a guest of the debug kernel, and which places of the driver
 * were met. Part of failnth.c.
 */
#ifndef INJECT_H
#define INJECT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUG	 "/sys/kernel/debug/"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int fail_fd, kmsg_fd;

/* ---- files ---- */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

static ssize_t get(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, room - 1);
	if (len < 0)
		len = -errno;
	text[len > 0 ? len : 0] = 0;
	close(fd);
	return len;
}

static void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* ---- where failures are wanted: in what the driver calls ---- */

static const char *const attributes[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static void set_all(const char *name, const char *value)
{
	char path[128];

	for (unsigned int i = 0; i < COUNT(attributes); i++) {
		snprintf(path, sizeof(path), DEBUG "%s/%s", attributes[i], name);
		put(path, value);
	}
}

static void set_range(const char *what, unsigned long from, unsigned long to)
{
	char name[32], value[32];

	snprintf(name, sizeof(name), "%s-start", what);
	snprintf(value, sizeof(value), "%#lx", from);
	set_all(name, value);
	snprintf(name, sizeof(name), "%s-end", what);
	snprintf(value, sizeof(value), "%#lx", to);
	set_all(name, value);
}

/*
 * Only calls with a function of the driver on the stack count. Checks of DMA switch themselves off
 * when they have no memory, so theirs do not.
 */
static void aim(void)
{
	unsigned long first = ~0UL, last = 0, checks = ~0UL, checks_end = 0, at;
	char line[512], name[128];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char type;

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%lx %c %127s", &at, &type, name) != 3 || (type | 32) != 't')
			continue;
		if (strstr(line, "[ihsm]")) {
			first = at < first ? at : first;
			last = at > last ? at : last;
		}
		/* Parts that the compiler has put elsewhere have a dot. */
		if (!strchr(name, '.') && !strncmp(name, "debug_dma_", 10)) {
			checks = at < checks ? at : checks;
			checks_end = at > checks_end ? at : checks_end;
		}
	}
	if (symbols)
		fclose(symbols);
	set_range("require", first, last + 4096);
	set_range("reject", checks, checks_end + 1);
}

/*
 * Only one call of the driver counts: the place is named as a stack trace does, "FUNCTION+OFFSET". Return:
 * whether it is known.
 */
static bool aim_at(const char *site)
{
	const char *plus = strchr(site, '+');
	unsigned long at, start = 0;
	char line[512], name[128];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char type;

	while (symbols && plus && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%lx %c %127s", &at, &type, name) == 3 && strstr(line, "[ihsm]") &&
		    strlen(name) == (size_t)(plus - site) && !strncmp(name, site, strlen(name)))
			start = at + strtoul(plus + 1, NULL, 16);
	if (symbols)
		fclose(symbols);
	if (start)
		set_range("require", start, start + 1);
	return start;
}

/* While the module is loaded its addresses are not known, but who calls it is. */
static void aim_at_loading(void)
{
	unsigned long start = 0, end = ~0UL, at;
	char line[512], name[128];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char type;

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%lx %c %127s", &at, &type, name) != 3)
			continue;
		if (!strcmp(name, "do_one_initcall"))
			start = at;
		else if (start && at > start && at < end)
			end = at;
	}
	if (symbols)
		fclose(symbols);
	set_range("require", start, end);
}

static void prepare_injection(void)
{
	put(DEBUG "failslab/ignore-gfp-wait", "N");
	put(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	put(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	put(DEBUG "fail_page_alloc/min-order", "0");
	set_all("stacktrace-depth", "32");
	set_all("verbose", "2");
	set_all("verbose_ratelimit_interval_ms", "0");
	set_all("probability", "0");
	set_all("times", "-1");
	aim();
}

static void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_fd, text, (size_t)len, 0) != len)
		perror("fail-nth");
}

/* Return: whether the failure came to pass; none is wanted any more. */
static bool failure_came(void)
{
	char text[16] = "";

	if (pread(fail_fd, text, sizeof(text) - 1, 0) < 0)
		perror("fail-nth");
	fail_nth(0);
	return atoi(text) == 0;
}

/*
 * The same in the kernel's own threads, of which any may run the driver's work: one of so many calls
 * fails, whoever makes it. Which it is moves on from round to round.
 */
static void one_in_calls(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	set_all("interval", text);
	set_all("times", "1");
	set_all("probability", "100");
}

/* Has the failure that was asked for come? */
static bool spent(void)
{
	char path[128], text[16];

	for (unsigned int i = 0; i < COUNT(attributes); i++) {
		snprintf(path, sizeof(path), DEBUG "%s/times", attributes[i]);
		if (get(path, text, sizeof(text)) > 0 && atoi(text) == 0)
			return true;
	}
	return false;
}

static void no_calls(void)
{
	set_all("probability", "0");
	set_all("times", "-1");
	set_all("interval", "1");
}

/* ---- which places of the driver were met ---- */

static char sites[512][96];
static unsigned int site_count, complaints;

/* What no failure is an excuse for */
static bool complaint(const char *text)
{
	static const char *const words[] = {
		"BUG:",	      "WARNING:",	    "KASAN",
		"UBSAN",      "possible circular",  "DMA-API:",
		"ODEBUG:",    "recursive",	    "inconsistent lock",
		"refcount_t", "general protection", "blocked for more than",
		"corruption",
	};

	/* The kernel's own: files of an interrupt in /proc that could not be made are removed as well. */
	if (strstr(text, "remove_proc_entry"))
		return false;
	for (unsigned int i = 0; i < COUNT(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static bool met(const char *site)
{
	for (unsigned int i = 0; i < site_count; i++)
		if (!strcmp(sites[i], site))
			return true;
	return false;
}

static void note_site(const char *site)
{
	if (!met(site) && site_count < COUNT(sites))
		snprintf(sites[site_count++], sizeof(sites[0]), "%s", site);
}

/*
 * A trace's first line of the driver is the place; what runs in a workqueue says so before, with the name
 * of the driver's function, but without a place in it. Return: how many failures there were.
 */
static unsigned int read_sites(void)
{
	unsigned int failures = 0;
	static bool wanted;
	char line[8192], name[96];
	ssize_t len;

	while ((len = read(kmsg_fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		char *text;

		if (len < 0)
			continue;
		line[len] = 0;
		text = strchr(line, ';');
		if (!text)
			continue;
		if (complaint(text)) {
			fprintf(stderr, "%s", text + 1);
			complaints++;
		}
		if (strstr(text, "FAULT_INJECTION")) {
			wanted = true;
			failures++;
		}
		if (!wanted || !strstr(text, "[ihsm]") || strstr(text, " ? "))
			continue;
		if (sscanf(text + 1, " %95[^ /]", name) != 1 || !strchr(name, '+'))
			continue;
		note_site(name);
		wanted = false;
	}
	return failures;
}

#endif /* INJECT_H */
