// SPDX-License-Identifier: Apache-2.0
/*
 * PCI configuration space: 4096 bytes with the capabilities of Documentation/hardware.rst, and for
 * each bit whether software may write it, or clear it by writing one.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

#define CAP_PM	 0x40
#define CAP_EXP	 0x50
#define CAP_MSIX 0x90
#define EXT_AER	 0x100
#define EXT_DSN	 0x150

/* The three faces of configuration space. */
struct layout {
	uint8_t value[PCI_CONFIG_SIZE]; /* after reset */
	uint8_t writable[PCI_CONFIG_SIZE];
	uint8_t clearable[PCI_CONFIG_SIZE]; /* by writing ones */
};

static void put16(uint8_t *bytes, unsigned int at, uint16_t value)
{
	value = htole16(value);
	memcpy(bytes + at, &value, sizeof(value));
}

static void put32(uint8_t *bytes, unsigned int at, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes + at, &value, sizeof(value));
}

static uint16_t get16(const uint8_t *bytes, unsigned int at)
{
	uint16_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return le16toh(value);
}

/* A 64-bit memory BAR: the bits above its size can be written. */
static void add_bar(struct layout *layout, unsigned int bar, uint32_t size)
{
	unsigned int at = PCI_BASE_ADDRESS_0 + bar * 4;

	put32(layout->value, at, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64);
	put32(layout->writable, at, ~(size - 1));
	put32(layout->writable, at + 4, 0xffffffffU);
}

static void add_header(struct layout *layout, const struct board_hello *hello)
{
	uint16_t device = hello->function ? IHSM_PCI_DEVICE_ID_VF : IHSM_PCI_DEVICE_ID_PF;

	put16(layout->value, PCI_VENDOR_ID, IHSM_PCI_VENDOR_ID);
	put16(layout->value, PCI_DEVICE_ID, device);
	put16(layout->writable, PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		      PCI_COMMAND_INTX_DISABLE);
	put16(layout->value, PCI_STATUS, PCI_STATUS_CAP_LIST);
	put16(layout->clearable, PCI_STATUS,
	      PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
		      PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
		      PCI_STATUS_DETECTED_PARITY);
	put32(layout->value, PCI_CLASS_REVISION, IHSM_PCI_CLASS << 8 | IHSM_PCI_REVISION);
	layout->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	put16(layout->value, PCI_SUBSYSTEM_VENDOR_ID, IHSM_PCI_VENDOR_ID);
	put16(layout->value, PCI_SUBSYSTEM_ID, device);
	layout->value[PCI_CAPABILITY_LIST] = CAP_PM;
	layout->writable[PCI_INTERRUPT_LINE] = 0xff;
	add_bar(layout, IHSM_BAR_REGS, IHSM_BAR_REGS_SIZE);
	add_bar(layout, IHSM_BAR_MSIX, IHSM_BAR_MSIX_SIZE);
}

static void add_capability(struct layout *layout, unsigned int at, uint8_t id, uint8_t next)
{
	layout->value[at] = id;
	layout->value[at + 1] = next;
}

static void add_pm(struct layout *layout)
{
	add_capability(layout, CAP_PM, PCI_CAP_ID_PM, CAP_EXP);
	put16(layout->value, CAP_PM + PCI_PM_PMC, 3);
	put16(layout->value, CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	put16(layout->writable, CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
}

static void add_express(struct layout *layout)
{
	const uint16_t link = PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1;

	add_capability(layout, CAP_EXP, PCI_CAP_ID_EXP, CAP_MSIX);
	put16(layout->value, CAP_EXP + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	put32(layout->value, CAP_EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	/* The bit that starts a function-level reset reads as zero. */
	put16(layout->writable, CAP_EXP + PCI_EXP_DEVCTL, 0x7fff & ~PCI_EXP_DEVCTL_AUX_PME);
	put16(layout->value, CAP_EXP + PCI_EXP_DEVCTL,
	      PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B);
	put16(layout->clearable, CAP_EXP + PCI_EXP_DEVSTA,
	      PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
	put32(layout->value, CAP_EXP + PCI_EXP_LNKCAP, link);
	put16(layout->writable, CAP_EXP + PCI_EXP_LNKCTL,
	      PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	put16(layout->value, CAP_EXP + PCI_EXP_LNKSTA, link);
	put32(layout->value, CAP_EXP + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	put16(layout->writable, CAP_EXP + PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	put32(layout->value, CAP_EXP + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB);
	put16(layout->value, CAP_EXP + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT);
}

static void add_msix(struct layout *layout)
{
	add_capability(layout, CAP_MSIX, PCI_CAP_ID_MSIX, 0);
	put16(layout->value, CAP_MSIX + PCI_MSIX_FLAGS, IHSM_MAX_VECTORS - 1);
	put16(layout->writable, CAP_MSIX + PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	put32(layout->value, CAP_MSIX + PCI_MSIX_TABLE, IHSM_MSIX_TABLE_OFFSET | IHSM_BAR_MSIX);
	put32(layout->value, CAP_MSIX + PCI_MSIX_PBA, IHSM_MSIX_PBA_OFFSET | IHSM_BAR_MSIX);
}

static void add_aer(struct layout *layout)
{
	const uint32_t fatal = PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP |
			       PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_INTN;
	const uint32_t all = fatal | PCI_ERR_UNC_POISON_TLP | PCI_ERR_UNC_COMP_TIME |
			     PCI_ERR_UNC_COMP_ABORT | PCI_ERR_UNC_UNX_COMP | PCI_ERR_UNC_ECRC |
			     PCI_ERR_UNC_UNSUP;
	const uint32_t correctable = PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP |
				     PCI_ERR_COR_REP_ROLL | PCI_ERR_COR_REP_TIMER |
				     PCI_ERR_COR_ADV_NFAT;

	put32(layout->value, EXT_AER, PCI_EXT_CAP_ID_ERR | 2 << 16 | EXT_DSN << 20);
	put32(layout->clearable, EXT_AER + PCI_ERR_UNCOR_STATUS, all);
	put32(layout->writable, EXT_AER + PCI_ERR_UNCOR_MASK, all);
	put32(layout->value, EXT_AER + PCI_ERR_UNCOR_SEVER, fatal);
	put32(layout->writable, EXT_AER + PCI_ERR_UNCOR_SEVER, all);
	put32(layout->clearable, EXT_AER + PCI_ERR_COR_STATUS, correctable);
	put32(layout->value, EXT_AER + PCI_ERR_COR_MASK, PCI_ERR_COR_ADV_NFAT);
	put32(layout->writable, EXT_AER + PCI_ERR_COR_MASK, correctable);
}

/* The board's identity and the function's number, so that no two functions are alike. */
static void add_serial(struct layout *layout, const struct board_hello *hello)
{
	uint8_t *serial = layout->value + EXT_DSN + 4;

	put32(layout->value, EXT_DSN, PCI_EXT_CAP_ID_DSN | 1 << 16);
	memcpy(serial, hello->board_id, 8);
	serial[0] ^= (uint8_t)hello->function;
	serial[1] ^= (uint8_t)(hello->function >> 8);
}

static struct layout *layout_create(const struct board_hello *hello)
{
	struct layout *layout = calloc(1, sizeof(*layout));

	if (!layout)
		return NULL;
	add_header(layout, hello);
	add_pm(layout);
	add_express(layout);
	add_msix(layout);
	add_aer(layout);
	add_serial(layout, hello);
	return layout;
}

/* The same for every connection of the process; made once, never changed. */
static struct layout *the_layout;

static const struct layout *layout_get(const struct board_hello *hello)
{
	if (!the_layout)
		the_layout = layout_create(hello);
	if (!the_layout)
		abort();
	return the_layout;
}

/**
 * pci_config_init - configuration space as it is after reset
 * @config: PCI_CONFIG_SIZE bytes
 * @hello: the board's
 */
void pci_config_init(uint8_t *config, const struct board_hello *hello)
{
	memcpy(config, layout_get(hello)->value, PCI_CONFIG_SIZE);
}

/**
 * pci_config_adopt - go on with a predecessor's configuration space
 * @config: as the predecessor left it, untrusted: only what software may write is kept
 * @hello: the board's
 */
void pci_config_adopt(uint8_t *config, const struct board_hello *hello)
{
	const struct layout *layout = layout_get(hello);

	for (unsigned int i = 0; i < PCI_CONFIG_SIZE; i++)
		config[i] = (uint8_t)((config[i] & layout->writable[i]) |
				      (layout->value[i] & ~layout->writable[i]));
}

/* Did the write set the bit that starts a function-level reset? */
static bool starts_flr(uint32_t offset, const uint8_t *data, uint32_t length)
{
	const uint32_t at = CAP_EXP + PCI_EXP_DEVCTL + 1;

	return offset <= at && at - offset < length &&
	       data[at - offset] & (PCI_EXP_DEVCTL_BCR_FLR >> 8);
}

/**
 * pci_config_write - write to configuration space
 * @config: of the connection, made by pci_config_init()
 * @offset: first byte
 * @data: to be written
 * @length: bytes; offset + length is at most PCI_CONFIG_SIZE
 *
 * Return: PCI_ACTION_* that the caller must carry out.
 */
unsigned int pci_config_write(uint8_t *config, uint32_t offset, const uint8_t *data,
			      uint32_t length)
{
	const struct layout *layout = the_layout;

	for (uint32_t i = 0; i < length; i++) {
		uint8_t writable = layout->writable[offset + i];
		uint8_t cleared = layout->clearable[offset + i] & data[i];
		uint8_t old = config[offset + i];

		config[offset + i] =
			(uint8_t)(((old & ~writable) | (data[i] & writable)) & ~cleared);
	}
	return starts_flr(offset, data, length) ? PCI_ACTION_FLR : 0;
}

static bool in_d0(const uint8_t *config)
{
	return !(get16(config, CAP_PM + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK);
}

/* pci_config_memory_enabled - do the BARs answer? */
bool pci_config_memory_enabled(const uint8_t *config)
{
	return in_d0(config) && get16(config, PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

/* pci_config_bus_master - may the function read and write memory, and raise interrupts? */
bool pci_config_bus_master(const uint8_t *config)
{
	return in_d0(config) && get16(config, PCI_COMMAND) & PCI_COMMAND_MASTER;
}
