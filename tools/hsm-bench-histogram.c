// SPDX-License-Identifier: Apache-2.0
/*
 * Latency histogram of hsm-bench: fixed size and no allocation, so that adding a sample costs
 * a few nanoseconds however long a run is.
 */
#include "hsm-bench.h"

static unsigned int cell_of(uint64_t value)
{
	unsigned int shift;

	if (value < 2 * HISTOGRAM_HALF)
		return (unsigned int)value;
	/* The highest bit that is set says the power of two, the next ones the part of it. */
	shift = 63U - (unsigned int)__builtin_clzll(value) - (HISTOGRAM_BITS - 1);
	return (shift + 1) * HISTOGRAM_HALF + (unsigned int)(value >> shift) - HISTOGRAM_HALF;
}

/* The largest value of a cell */
static uint64_t cell_end(unsigned int cell)
{
	unsigned int shift;

	if (cell < 2 * HISTOGRAM_HALF)
		return cell;
	shift = cell / HISTOGRAM_HALF - 1;
	return (((uint64_t)(cell % HISTOGRAM_HALF + HISTOGRAM_HALF) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->cell[cell_of(value)]++;
	if (!histogram->count || value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
	histogram->count++;
	histogram->sum += value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (!from->count)
		return;
	for (unsigned int i = 0; i < HISTOGRAM_CELLS; i++)
		into->cell[i] += from->cell[i];
	if (!into->count || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum += from->sum;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
	double wanted = (double)histogram->count * percent / 100.0;
	uint64_t seen = 0;

	if (!histogram->count)
		return 0;
	for (unsigned int i = 0; i < HISTOGRAM_CELLS; i++) {
		seen += histogram->cell[i];
		if (seen && (double)seen >= wanted) {
			uint64_t end = cell_end(i);

			return end < histogram->max ? end : histogram->max;
		}
	}
	return histogram->max;
}
