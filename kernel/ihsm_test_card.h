/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A card that is made up, for KUnit suites under user-mode Linux: the only function of a PCI bus of
 * its own. Its configuration space and registers are functions here, so that the driver runs as it
 * is, from probe to remove. It does what Documentation/hardware.rst says, and wrong what is wanted.
 */
#ifndef IHSM_TEST_CARD_H
#define IHSM_TEST_CARD_H

#include <kunit/test.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/ihsm_hw.h>

#define CARD_QUEUES	1	/* user-mode Linux has one processor */
#define CARD_CONTEXT	0x700000000ULL	/* ids of contexts begin here */
#define CARD_MESSAGE	SZ_64K	/* its largest */
#define CARD_TEXT	"a board\n"	/* its model, as it says */
#define CARD_STATE	(IHSM_STATE_OPERATIONAL << IHSM_STATUS_STATE_SHIFT)

/* A ring pair as the card sees it */
struct card_ring {
	bool there;
	u8 sq_log2;
	u8 cq_log2;
	u16 vector;
	u64 sq;		/* bus addresses */
	u64 cq;
	u32 sq_head;
	u32 cq_tail;
};

/* What the card does wrong */
struct card_faults {
	bool gone;		/* all reads give ones */
	bool never_ready;	/* enabling has no end */
	bool never_resets;
	bool no_irq;		/* completions come without interrupts */
	bool late;		/* admin commands are executed a moment later */
	bool holds;		/* messages are not answered */
	u8 refuses;		/* commands with this code are answered by @status */
	u16 status;
	u8 drops;		/* commands with this code are not answered */
	unsigned int bad_starts; /* so many times from now on enabling has a bad end */
};

/**
 * struct card - the card
 * @bridge: what its bus hangs on, while it is plugged in
 * @pdev: the function, likewise
 * @lock: of all that follows
 * @config: its configuration space
 * @msix: its table of vectors
 * @cap: registers, as the next ones
 * @identify: what it says of itself
 * @sensors: and of its sensors
 * @faults: what it does wrong
 * @contexts: that are open
 * @random: asked for so often
 * @staged: bytes of a firmware image that came
 * @large: messages that came or went by lists of segments
 * @resets: of the controller
 * @held: the message that was not answered, and what is known of it
 * @then: runs when a message has come that is not answered; may be NULL
 * @late: the admin command that is executed later
 * @events: requests for events
 */
struct card {
	struct pci_host_bridge *bridge;
	struct pci_dev *pdev;
	spinlock_t lock; /* of all that follows */
	u8 config[256];
	u32 bar_size[PCI_STD_NUM_BARS];
	u8 msix[IHSM_BAR_MSIX_SIZE];
	u64 cap;
	u32 version;
	u32 status;
	u32 epoch;
	u32 attr;
	u32 enabled;
	u64 admin_sq;
	u64 admin_cq;
	struct card_ring ring[1 + CARD_QUEUES];
	struct ihsm_shadow_host *shadow_host;
	struct ihsm_shadow_device *shadow_device;
	struct ihsm_identify identify;
	struct ihsm_sensors sensors;
	struct card_faults faults;
	unsigned int contexts;
	unsigned int random;
	unsigned int staged;
	unsigned int large;
	unsigned int resets;
	bool held;
	u16 held_cid;
	struct work_struct *then;
	struct ihsm_sqe late;
	struct work_struct late_work;
	u16 events[IHSM_MAX_ASYNC_EVENTS];
	unsigned int event_count;
	unsigned long irqs;
	struct work_struct irq_work;
};

struct card *card_new(struct kunit *test);
int card_plug(struct card *card);
void card_unplug(struct card *card);
struct ihsm_device *card_driven(struct card *card);
void card_event(struct card *card, u32 event);
void card_answer(struct card *card);
int reset_now(struct ihsm_device *ihsm);

#endif /* IHSM_TEST_CARD_H */
