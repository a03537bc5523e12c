// SPDX-License-Identifier: Apache-2.0
/*
 * The first and only program of a small guest: looks at the function that QEMU attached, compares it with
 * the hardware document (by its header), starts the controller and asks it who it is, resets it, and
 * speaks TAP on the console. All by sysfs and mapped registers: the guest has no driver.
 */
#include <endian.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/pci_regs.h>
#include <linux/reboot.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/ihsm_hw.h>

#define DEVICES "/sys/bus/pci/devices"
#define PAGE	4096

static unsigned int tests;
static char device[300];
static uint8_t config[PCI_CFG_SPACE_EXP_SIZE];
static volatile uint8_t *regs;

static void check(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++tests, what);
}

static void equal(uint64_t seen, uint64_t wanted, const char *what)
{
	check(seen == wanted, what);
	if (seen != wanted)
		printf("# %s: the guest sees %#llx, the document says %#llx\n", what,
		       (unsigned long long)seen, (unsigned long long)wanted);
}

/* ---- files of the device ---- */

static int open_file(const char *name, int flags)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", device, name);
	return open(path, flags);
}

static bool write_file(const char *name, const char *text)
{
	int fd = open_file(name, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static unsigned long long read_number(const char *name)
{
	char text[32] = "";
	int fd = open_file(name, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 ? strtoull(text, NULL, 0) : 0;
}

static bool find_device(void)
{
	glob_t all;

	if (glob(DEVICES "/*", 0, NULL, &all))
		return false;
	for (size_t i = 0; i < all.gl_pathc; i++) {
		snprintf(device, sizeof(device), "%.200s", all.gl_pathv[i]);
		if (read_number("vendor") == IHSM_PCI_VENDOR_ID &&
		    read_number("device") == IHSM_PCI_DEVICE_ID_VF)
			return true;
	}
	return false;
}

static uint32_t get(unsigned int at, unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, config + at, size);
	return le32toh(value);
}

/* ---- configuration space ---- */

static unsigned int capability(uint8_t id)
{
	unsigned int at = config[PCI_CAPABILITY_LIST], steps = 0;

	while (at && config[at] != id && ++steps < 48)
		at = config[at + 1];
	return steps < 48 ? at : 0;
}

static unsigned int extended(uint16_t id)
{
	unsigned int at = PCI_CFG_SPACE_SIZE, steps = 0;

	while (at && get(at, 2) != id && ++steps < 48)
		at = get(at, 4) >> 20;
	return steps < 48 ? at : 0;
}

static void check_config(void)
{
	int fd = open_file("config", O_RDONLY);
	ssize_t got = fd < 0 ? -1 : pread(fd, config, sizeof(config), 0);
	unsigned int express, msix;

	close(fd);
	equal((uint64_t)got, sizeof(config), "bytes of configuration space");
	equal(get(PCI_VENDOR_ID, 2), IHSM_PCI_VENDOR_ID, "vendor");
	equal(get(PCI_DEVICE_ID, 2), IHSM_PCI_DEVICE_ID_VF, "device");
	equal(get(PCI_CLASS_REVISION, 4), IHSM_PCI_CLASS << 8 | IHSM_PCI_REVISION,
	      "class and revision");
	express = capability(PCI_CAP_ID_EXP);
	msix = capability(PCI_CAP_ID_MSIX);
	check(capability(PCI_CAP_ID_PM), "power management capability");
	check(express && get(express + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR,
	      "PCI Express capability with function-level reset");
	check(express && get(express + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_RBER,
	      "role-based error reporting");
	equal(msix ? (get(msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1 : 0,
	      IHSM_MAX_VECTORS, "MSI-X vectors");
	equal(msix ? get(msix + PCI_MSIX_TABLE, 4) : 0, IHSM_MSIX_TABLE_OFFSET | IHSM_BAR_MSIX,
	      "place of the MSI-X table");
	equal(msix ? get(msix + PCI_MSIX_PBA, 4) : 0, IHSM_MSIX_PBA_OFFSET | IHSM_BAR_MSIX,
	      "place of the pending bits");
	check(extended(PCI_EXT_CAP_ID_ERR), "advanced error reporting capability");
	check(extended(PCI_EXT_CAP_ID_DSN), "device serial number capability");
}

static void check_bars(void)
{
	int fd = open_file("resource", O_RDONLY);
	unsigned long long start, end, flags;
	uint64_t size[6] = { 0 };
	char text[2048] = "", *at = text;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		at = NULL;
	for (unsigned int i = 0; at && i < 6; i++) {
		if (sscanf(at, "%llx %llx %llx", &start, &end, &flags) == 3 && end)
			size[i] = end - start + 1;
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	close(fd);
	equal(size[IHSM_BAR_REGS], IHSM_BAR_REGS_SIZE, "size of the registers' BAR");
	equal(size[IHSM_BAR_MSIX], IHSM_BAR_MSIX_SIZE, "size of the MSI-X BAR");
	equal(size[4] + size[5], 0, "no other BAR");
}

/* ---- registers ---- */

static uint32_t read_reg(unsigned int at)
{
	return le32toh(*(volatile uint32_t *)(regs + at));
}

static void write_reg(unsigned int at, uint32_t value)
{
	*(volatile uint32_t *)(regs + at) = htole32(value);
}

static void write_address(unsigned int at, uint64_t value)
{
	write_reg(at, (uint32_t)value);
	write_reg(at + 4, (uint32_t)(value >> 32));
}

/* Memory space and bus master. */
static bool enable_function(void)
{
	const uint16_t command = htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	int fd = open_file("config", O_RDWR);
	bool done = fd >= 0 &&
		    pwrite(fd, &command, sizeof(command), PCI_COMMAND) == sizeof(command);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool map_registers(void)
{
	int fd = open_file("resource0", O_RDWR);

	if (fd < 0)
		return false;
	regs = mmap(NULL, IHSM_BAR_REGS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return regs != MAP_FAILED;
}

static void check_registers(void)
{
	uint64_t cap = read_reg(IHSM_REG_CAP) | (uint64_t)read_reg(IHSM_REG_CAP + 4) << 32;

	equal(read_reg(IHSM_REG_VERSION), IHSM_VERSION, "VERSION");
	equal(cap >> IHSM_CAP_VECTORS_SHIFT & IHSM_CAP_VECTORS_MASK, IHSM_MAX_VECTORS,
	      "CAP.VECTORS");
	equal(cap >> IHSM_CAP_MAX_ENTRIES_SHIFT & IHSM_CAP_MAX_ENTRIES_MASK, IHSM_MAX_ENTRIES_LOG2,
	      "CAP.MAX_ENTRIES");
	equal(cap & (IHSM_CAP_SHADOW | IHSM_CAP_VF | IHSM_CAP_VIRTUAL),
	      IHSM_CAP_SHADOW | IHSM_CAP_VF | IHSM_CAP_VIRTUAL,
	      "CAP: shadow doorbells, tenant, virtual");
	equal(read_reg(IHSM_REG_STATUS) & 0xff, 0, "STATUS before enabling");
	equal(read_reg(IHSM_REG_END), 0, "what is no register reads as zero");
}

/* ---- rings in the guest's memory ---- */

/* A page of our own and its physical address, which is the bus address in a guest without an IOMMU. */
static void *dma_page(uint64_t *address)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (page == MAP_FAILED || fd < 0 ||
	    pread(fd, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) != 8 || !(entry >> 63)) {
		printf("Bail out! no physical addresses\n");
		exit(1);
	}
	close(fd);
	memset(page, 0, PAGE);
	*address = (entry & ((1ULL << 55) - 1)) * PAGE;
	return page;
}

static bool wait_status(uint32_t mask, uint32_t value)
{
	time_t end = time(NULL) + 20;

	while ((read_reg(IHSM_REG_STATUS) & mask) != value)
		if (time(NULL) > end)
			return false;
	return true;
}

static void check_rings(void)
{
	uint64_t sq_address, cq_address, data_address;
	struct ihsm_sqe *sq = dma_page(&sq_address);
	volatile struct ihsm_cqe *cq = dma_page(&cq_address);
	struct ihsm_identify *identify = dma_page(&data_address);
	time_t end = time(NULL) + 20;

	write_reg(IHSM_REG_ADMIN_ATTR,
		  4 << IHSM_ADMIN_ATTR_SQ_SHIFT | 4 << IHSM_ADMIN_ATTR_CQ_SHIFT);
	write_address(IHSM_REG_ADMIN_SQ, sq_address);
	write_address(IHSM_REG_ADMIN_CQ, cq_address);
	write_reg(IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE);
	check(wait_status(IHSM_STATUS_READY | IHSM_STATUS_FATAL, IHSM_STATUS_READY),
	      "the controller starts");
	sq[0] = (struct ihsm_sqe){ .opcode = IHSM_ADMIN_IDENTIFY,
				   .cid = htole16(7),
				   .out_addr = htole64(data_address),
				   .out_len = htole32(PAGE) };
	__sync_synchronize();
	write_reg(IHSM_DOORBELL_SQ(0), 1);
	while (!(le16toh(cq[0].status) & IHSM_CQE_PHASE) && time(NULL) <= end)
		;
	__sync_synchronize();
	equal(le16toh(cq[0].status), IHSM_CQE_PHASE, "status of IDENTIFY, by DMA");
	equal(le16toh(cq[0].cid), 7, "its command identifier");
	equal(le32toh(identify->version), IHSM_VERSION, "version in IDENTIFY");
	equal(le32toh(identify->epoch), read_reg(IHSM_REG_EPOCH), "epoch in IDENTIFY and EPOCH");
	check(!strncmp(identify->model, "Virtual HSM", 12), "model in IDENTIFY");
}

static void check_resets(void)
{
	uint32_t epoch = read_reg(IHSM_REG_EPOCH), second;

	write_reg(IHSM_REG_RESET, IHSM_RESET_MAGIC);
	second = read_reg(IHSM_REG_EPOCH);
	check(second != epoch, "a controller reset changes the epoch");
	check(wait_status(0xff, 0), "STATUS after a controller reset");
	check(write_file("reset_method", "flr"), "the kernel offers function-level reset");
	check(write_file("reset", "1") && enable_function(), "function-level reset");
	check(read_reg(IHSM_REG_EPOCH) != second, "a function-level reset changes the epoch");
	equal(read_reg(IHSM_REG_VERSION), IHSM_VERSION, "VERSION afterwards");
}

static void run(void)
{
	bool found = find_device();

	check(found, "the function is on the bus");
	if (!found)
		return;
	check_config();
	check_bars();
	check(enable_function() && map_registers(), "registers can be mapped");
	check_registers();
	check_rings();
	check_resets();
}

int main(void)
{
	mkdir("/sys", 0755);
	mkdir("/proc", 0755);
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) || mount("proc", "/proc", "proc", 0, NULL))
		printf("Bail out! no sysfs\n");
	else
		run();
	printf("1..%u\n", tests);
	fflush(stdout);
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
