// SPDX-License-Identifier: Apache-2.0
/*
 * Approved mode: OpenSSL's FIPS provider in place of the default one. These are approved algorithms in an unvalidated
 * build, and nothing here says more than that. The provider wants its module as a file, to load it and to check its MAC,
 * and its configuration as another: both come as sealed descriptors from the board (Documentation/board.rst).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/provider.h>
#include "mech_private.h"

#define CONFIG_MAX 8192

static const char head[] = "openssl_conf = init\n"
			   "[init]\n"
			   "providers = providers\n"
			   "[providers]\n"
			   "base = base_sect\n"
			   "fips = fips_sect\n"
			   "[base_sect]\n"
			   "activate = 1\n";

/* One for the process, set before the library context is made. */
static struct {
	bool on;
	int module;
	int config;
} approved;

void mech_approve(int module, int config)
{
	approved.on = true;
	approved.module = module;
	approved.config = config;
}

bool mech_approved_mode(void)
{
	return approved.on;
}

bool mech_approved(const struct hsm_mechanism_info *info, uint64_t use)
{
	return approved.on && info && (info->approved & use) == use;
}

/* What `openssl fipsinstall -pedantic` wrote ends with the provider's section; the path of the module goes there. */
static int write_config(int to)
{
	char text[CONFIG_MAX], line[64];
	ssize_t length = pread(approved.config, text, sizeof(text), 0);
	int n;

	if (length <= 0 || length == sizeof(text))
		return -EBADMSG;
	n = snprintf(line, sizeof(line), "\nmodule = /proc/self/fd/%d\n", approved.module);
	if (write(to, head, sizeof(head) - 1) != (ssize_t)sizeof(head) - 1 ||
	    write(to, text, (size_t)length) != length || write(to, line, (size_t)n) != n)
		return -EIO;
	return 0;
}

static int load(OSSL_LIB_CTX *ctx, int file)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (OSSL_LIB_CTX_load_config(ctx, path) <= 0 || !OSSL_PROVIDER_available(ctx, "fips") ||
	    !OSSL_PROVIDER_available(ctx, "base"))
		return -EIO;
	/* From here on nothing is fetched that the provider does not call approved. */
	return EVP_set_default_properties(ctx, "fips=yes") > 0 ? 0 : -EIO;
}

int mech_load_provider(OSSL_LIB_CTX *ctx, OSSL_PROVIDER **provider)
{
	int file, ret;

	*provider = NULL;
	if (!approved.on) {
		*provider = OSSL_PROVIDER_load(ctx, "default");
		return *provider ? 0 : -EIO;
	}
	file = memfd_create("openssl.cnf", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	ret = write_config(file);
	if (!ret)
		ret = load(ctx, file);
	close(file);
	return ret;
}
