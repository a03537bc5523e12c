/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhsm for C++17: owners of what hsm/hsm.h opens, and its errors as exceptions. Nothing but this header;
 * link with -lhsm. Threads and fork are as libhsm(3) says; a channel must not outlive its device, nor a
 * request its channel.
 */
#ifndef HSM_HSM_HPP
#define HSM_HSM_HPP

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <hsm/hsm.h>

namespace hsm {

/* What went wrong; code() is positive, as errno is. */
class error : public std::runtime_error {
public:
	error(int result, const hsm_error &e)
		: std::runtime_error(e.text[0] ? e.text : "libhsm"), result_(result), error_(e)
	{
	}

	int code() const noexcept { return -result_; }
	hsm_layer layer() const noexcept { return static_cast<hsm_layer>(error_.layer); }
	std::uint64_t rv() const noexcept { return error_.rv; }

private:
	int result_;
	hsm_error error_;
};

namespace detail {

inline int check(int result, const hsm_error &e)
{
	if (result < 0)
		throw error(result, e);
	return result;
}

template <typename T, void (*Free)(T *)> struct release {
	void operator()(T *p) const noexcept { Free(p); }
};

template <typename T, void (*Free)(T *)> using owner = std::unique_ptr<T, release<T, Free>>;

} // namespace detail

using partition_id = std::array<std::uint8_t, HSM_PARTITION_ID_SIZE>;

/* One command and its answer */
class request {
public:
	request(hsm_channel *channel, hsm_operation operation, std::uint32_t session = 0)
		: request_(hsm_request_new(channel, operation, session))
	{
		if (!request_)
			throw std::bad_alloc();
	}

	request &put(hsm_field_tag tag, std::uint64_t value)
	{
		hsm_put_number(hsm_request_writer(get()), tag, value);
		return *this;
	}

	request &put(hsm_field_tag tag, const void *data, std::size_t length)
	{
		hsm_put_bytes(hsm_request_writer(get()), tag, data, length);
		return *this;
	}

	request &put(hsm_field_tag tag, const std::string &text) { return put(tag, text.data(), text.size()); }

	/* Send it and wait. Return: the CKR_ number of the answer */
	std::uint64_t call()
	{
		hsm_error e{};

		detail::check(hsm_call(get(), &e), e);
		return rv();
	}

	void submit()
	{
		hsm_error e{};

		detail::check(hsm_submit(get(), &e), e);
	}

	std::uint64_t wait()
	{
		hsm_error e{};

		detail::check(hsm_wait(get(), &e), e);
		return rv();
	}

	bool ended() { return detail::check(hsm_poll(get()), hsm_error{}) == 1; }
	std::uint64_t rv() const noexcept { return hsm_request_rv(get()); }
	std::uint32_t session() const noexcept { return hsm_request_session(get()); }
	bool approved() const noexcept { return hsm_request_approved(get()); }

	std::uint64_t number(hsm_field_tag tag, std::uint64_t absent = 0) const noexcept
	{
		return hsm_fields_u64(hsm_request_fields(get()), tag, absent);
	}

	/* A copy: the field's own bytes go with the request. */
	std::vector<std::uint8_t> bytes(hsm_field_tag tag) const
	{
		std::size_t length = 0;
		const std::uint8_t *data = hsm_fields_bytes(hsm_request_fields(get()), tag, &length);

		return data ? std::vector<std::uint8_t>(data, data + length) : std::vector<std::uint8_t>();
	}

	hsm_request *get() const noexcept { return request_.get(); }

private:
	detail::owner<hsm_request, hsm_request_free> request_;
};

/* The way to a partition */
class channel {
public:
	channel(hsm_device *device, const partition_id &id)
	{
		hsm_channel *opened = nullptr;
		hsm_error e{};

		detail::check(hsm_connect(device, id.data(), &opened, &e), e);
		channel_.reset(opened);
	}

	request make(hsm_operation operation, std::uint32_t session = 0) const
	{
		return request(get(), operation, session);
	}

	unsigned int generation() const noexcept { return hsm_channel_generation(get()); }

	std::array<std::uint8_t, HSM_IDENTITY_SIZE> identity() const
	{
		std::array<std::uint8_t, HSM_IDENTITY_SIZE> id{};

		detail::check(hsm_channel_identity(get(), id.data()), hsm_error{});
		return id;
	}

	std::vector<std::uint8_t> attest(const hsm_attest_request &what) const
	{
		std::vector<std::uint8_t> evidence(HSM_EVIDENCE_ROOM);
		std::size_t length = evidence.size();
		hsm_error e{};

		detail::check(hsm_attest(get(), &what, evidence.data(), &length, &e), e);
		evidence.resize(length);
		return evidence;
	}

	hsm_channel *get() const noexcept { return channel_.get(); }

private:
	detail::owner<hsm_channel, hsm_disconnect> channel_;
};

class device {
public:
	/* Without a name: the first one of HSM_DEVICE or hsm.conf */
	explicit device(const char *name = nullptr, unsigned int flags = 0)
	{
		hsm_device *opened = nullptr;
		hsm_error e{};

		detail::check(hsm_open(name, flags, &opened, &e), e);
		device_.reset(opened);
	}

	struct ::hsm_device_info info() const
	{
		struct ::hsm_device_info info{};
		hsm_error e{};

		detail::check(hsm_device_info(get(), &info, &e), e);
		return info;
	}

	std::vector<hsm_partition_info> partitions() const
	{
		std::vector<hsm_partition_info> list;
		std::size_t count = 0;
		hsm_error e{};
		int result;

		/* There may be more of them by the time that there is room. */
		do {
			list.resize(count);
			result = hsm_partitions(get(), list.data(), &count, &e);
		} while (result == -ENOSPC || (result >= 0 && count > list.size()));
		detail::check(result, e);
		list.resize(count);
		return list;
	}

	channel connect(const partition_id &id) const { return channel(get(), id); }

	channel connect(const hsm_partition_info &partition) const
	{
		partition_id id;

		std::copy(std::begin(partition.id), std::end(partition.id), id.begin());
		return connect(id);
	}

	hsm_device *get() const noexcept { return device_.get(); }

private:
	detail::owner<hsm_device, hsm_close> device_;
};

/* Names of the devices to use when nobody names one */
inline std::vector<std::string> devices()
{
	char **names = nullptr;
	hsm_error e{};
	int count = detail::check(hsm_default_devices(&names, &e), e);
	std::vector<std::string> list(names, names + count);

	hsm_free_names(names);
	return list;
}

} // namespace hsm

#endif /* HSM_HSM_HPP */
