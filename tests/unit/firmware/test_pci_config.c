// SPDX-License-Identifier: Apache-2.0
/*
 * PCI configuration space against Documentation/hardware.rst: identity, sizes, capabilities, what can be
 * written, and what a successor takes over.
 */
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <endian.h>
#include <string.h>
#include <cmocka.h>

#include "transport.h"

static const struct board_hello pf = { .function = 0, .board_id = { 9, 8, 7, 6, 5, 4, 3, 2 } };
static uint8_t config[PCI_CONFIG_SIZE];

static uint32_t get(unsigned int at, unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, config + at, size);
	return le32toh(value);
}

static unsigned int put(unsigned int at, uint32_t value, unsigned int size)
{
	value = htole32(value);
	return pci_config_write(config, at, (const uint8_t *)&value, size);
}

static int setup(void **state)
{
	(void)state;
	pci_config_init(config, &pf);
	return 0;
}

static unsigned int find_capability(uint8_t id)
{
	unsigned int at = config[PCI_CAPABILITY_LIST], steps = 0;

	while (at && config[at] != id) {
		assert_true(++steps < 16);
		at = config[at + 1];
	}
	return at;
}

static unsigned int find_extended(uint16_t id)
{
	unsigned int at = 0x100, steps = 0;

	while (at && get(at, 2) != id) {
		assert_true(++steps < 16);
		at = get(at, 4) >> 20;
	}
	return at;
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(get(PCI_VENDOR_ID, 2), IHSM_PCI_VENDOR_ID);
	assert_int_equal(get(PCI_DEVICE_ID, 2), IHSM_PCI_DEVICE_ID_PF);
	assert_int_equal(get(PCI_CLASS_REVISION, 4) >> 8, IHSM_PCI_CLASS);
	assert_int_equal(get(PCI_CLASS_REVISION, 1), IHSM_PCI_REVISION);
	assert_int_equal(get(PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(get(PCI_COMMAND, 2), 0);
	/* What is read-only stays. */
	put(PCI_VENDOR_ID, 0xdeadbeef, 4);
	put(PCI_CLASS_REVISION, 0, 4);
	assert_int_equal(get(PCI_VENDOR_ID, 2), IHSM_PCI_VENDOR_ID);
	assert_int_equal(get(PCI_CLASS_REVISION, 4) >> 8, IHSM_PCI_CLASS);
}

static uint64_t bar_size(unsigned int bar)
{
	unsigned int at = PCI_BASE_ADDRESS_0 + bar * 4;
	uint64_t mask;

	put(at, 0xffffffff, 4);
	put(at + 4, 0xffffffff, 4);
	mask = get(at, 4) & ~0xfU;
	mask |= (uint64_t)get(at + 4, 4) << 32;
	return ~mask + 1;
}

static void test_bars(void **state)
{
	(void)state;
	assert_int_equal(bar_size(IHSM_BAR_REGS), IHSM_BAR_REGS_SIZE);
	assert_int_equal(bar_size(IHSM_BAR_MSIX), IHSM_BAR_MSIX_SIZE);
	assert_int_equal(get(PCI_BASE_ADDRESS_0, 4) & 0xf, PCI_BASE_ADDRESS_MEM_TYPE_64);
	put(PCI_BASE_ADDRESS_4, 0xffffffff, 4);
	assert_int_equal(get(PCI_BASE_ADDRESS_4, 4), 0);
	/* A partial write touches its bytes alone. */
	put(PCI_BASE_ADDRESS_0, 0, 4);
	put(PCI_BASE_ADDRESS_0 + 3, 0xfe, 1);
	assert_int_equal(get(PCI_BASE_ADDRESS_0, 4) & ~0xfU, 0xfe000000U);
}

static void test_capabilities(void **state)
{
	unsigned int exp = find_capability(PCI_CAP_ID_EXP), msix = find_capability(PCI_CAP_ID_MSIX);
	unsigned int dsn = find_extended(PCI_EXT_CAP_ID_DSN);

	(void)state;
	assert_true(get(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	assert_true(find_capability(PCI_CAP_ID_PM));
	assert_true(find_extended(PCI_EXT_CAP_ID_ERR));
	assert_true(exp && msix && dsn);
	assert_true(get(exp + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	assert_true(get(exp + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_RBER);
	assert_int_equal((get(exp + PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_TYPE) >> 4,
			 PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal((get(msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1,
			 IHSM_MAX_VECTORS);
	assert_int_equal(get(msix + PCI_MSIX_TABLE, 4), IHSM_MSIX_TABLE_OFFSET | IHSM_BAR_MSIX);
	assert_int_equal(get(msix + PCI_MSIX_PBA, 4), IHSM_MSIX_PBA_OFFSET | IHSM_BAR_MSIX);
	assert_memory_equal(config + dsn + 4, pf.board_id, 8);
}

static void test_flr(void **state)
{
	unsigned int devctl = find_capability(PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	(void)state;
	assert_int_equal(put(devctl, PCI_EXP_DEVCTL_BCR_FLR, 2), PCI_ACTION_FLR);
	assert_int_equal(get(devctl, 2) & PCI_EXP_DEVCTL_BCR_FLR, 0);
	assert_int_equal(put(devctl + 1, 0x80, 1), PCI_ACTION_FLR);
	assert_int_equal(put(devctl, 0x80, 1), 0);
	assert_int_equal(put(devctl - 4, 0xffffffff, 4), 0);
	assert_int_equal(put(devctl + 2, 0xffff, 2), 0);
}

static void test_power_and_command(void **state)
{
	unsigned int pmcsr = find_capability(PCI_CAP_ID_PM) + PCI_PM_CTRL;

	(void)state;
	assert_false(pci_config_memory_enabled(config));
	assert_false(pci_config_bus_master(config));
	put(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	assert_true(pci_config_memory_enabled(config));
	assert_true(pci_config_bus_master(config));
	put(pmcsr, 3, 2);
	assert_false(pci_config_memory_enabled(config));
	assert_false(pci_config_bus_master(config));
	put(pmcsr, 0, 2);
	assert_true(pci_config_bus_master(config));
	put(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_false(pci_config_bus_master(config));
}

/* A broken predecessor may have written anything into the page. */
static void test_adopt_keeps_only_what_software_writes(void **state)
{
	(void)state;
	memset(config, 0xff, sizeof(config));
	pci_config_adopt(config, &pf);
	assert_int_equal(get(PCI_VENDOR_ID, 2), IHSM_PCI_VENDOR_ID);
	assert_int_equal(get(PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(bar_size(IHSM_BAR_REGS), IHSM_BAR_REGS_SIZE);
	assert_true(get(PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	assert_int_equal(get(PCI_COMMAND, 2) & PCI_COMMAND_IO, 0);
	assert_int_equal(config[PCI_CONFIG_SIZE - 1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_bars, setup),
		cmocka_unit_test_setup(test_capabilities, setup),
		cmocka_unit_test_setup(test_flr, setup),
		cmocka_unit_test_setup(test_power_and_command, setup),
		cmocka_unit_test_setup(test_adopt_keeps_only_what_software_writes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
