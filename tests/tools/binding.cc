// SPDX-License-Identifier: Apache-2.0
// The header for C++, as a program uses it: TAP points on the device of HSM_DEVICE.
#include <cstdio>
#include <utility>
#include <hsm/hsm.hpp>

static int points, bad;

static void point(const char *name, bool good)
{
	std::printf("%sok %d - C++: %s\n", good ? "" : "not ", ++points, name);
	bad += !good;
}

static bool refused()
{
	try {
		hsm::device nothing("vfio-user:/nonexistent/socket");
	} catch (const hsm::error &e) {
		return e.code() == ENOENT || e.code() == ENODEV || e.code() == ECONNREFUSED;
	}
	return false;
}

int main()
{
	hsm::device device;
	auto list = device.partitions();
	auto channel = device.connect(list.at(0));
	auto moved = std::move(channel);
	auto open = moved.make(HSM_OP_SESSION_OPEN);
	auto name = hsm::devices();

	point("the device's name", name.size() == 1 && std::string(device.info().name) == name[0]);
	point("a session", open.put(HSM_FIELD_FLAGS, 4).call() == 0 && open.session() != 0);
	auto random = moved.make(HSM_OP_RANDOM, open.session());
	random.put(HSM_FIELD_LENGTH, 24).submit();
	point("random bytes, by submitting", random.wait() == 0 && random.bytes(HSM_FIELD_DATA).size() == 24);
	auto info = moved.make(HSM_OP_TOKEN_INFO);
	point("a field that is a number", info.call() == 0 && info.number(HSM_FIELD_MAX) > 0);
	auto nop = moved.make(HSM_OP_NOP);
	point("text there and back", nop.put(HSM_FIELD_DATA, "hello").call() == 0 && nop.bytes(HSM_FIELD_DATA).size() == 5);
	hsm_attest_request what{};
	what.kind = HSM_EVIDENCE_PARTITION;
	what.nonce = "12345678";
	what.nonce_length = 8;
	point("evidence", moved.attest(what).size() > 1000);
	point("an error is an exception", refused());
	return bad != 0;
}
