package dhcp

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// identifiers are clients with every way to be kept: one that follows from the hardware address, one that looks like another's, short,
// longest, with and without a name.
func identifiers(n int) []entry {
	hardware := mac(n)
	return []entry{
		{client: clientOf(hardware)},
		{client: clientOf(hardware), hostName: "web"},
		{client: clientOf(mac(n + 1000))},
		{client: "\xff" + string(hardware[:]), hostName: strings.Repeat("a", maxHostName)},
		{client: strings.Repeat("x", maxClientIdentifier-len(hardware)) + string(hardware[:]), hostName: "b"},
	}
}

// What was put last into a table comes out of it, by address and by client, while it grows and shrinks.
func TestTable(t *testing.T) {
	const first, size = 0x0a000001, 500
	random := rand.New(rand.NewPCG(1, 2))
	table := newTable(first, size)
	want := map[uint32]entry{}
	forget := func(same func(entry) bool) {
		for address, e := range want {
			if same(e) {
				delete(want, address)
			}
		}
	}
	for step := range 20_000 {
		address := first + random.Uint32N(size)
		kinds := identifiers(random.IntN(size))
		e := kinds[random.IntN(len(kinds))]
		e.address, e.hardware = address, mac(random.IntN(size))
		forget(func(other entry) bool { return other.address == address })
		switch random.IntN(4) {
		case 0:
			table.remove(address)
		case 1:
			table.decline(e, int64(step))
			want[address] = entry{address: address, hardware: e.hardware, state: declined, deadline: int64(step)}
		default:
			forget(func(other entry) bool { return other.client == e.client })
			want[address] = table.put(e, []state{offered, bound}[random.IntN(2)], int64(random.IntN(20_000)))
		}
	}
	for address := range uint32(size) {
		if got := table.at(first + address); got != want[first+address] {
			t.Errorf("%d: %+v, want %+v", address, got, want[first+address])
		}
	}
	checkTable(t, table)
}
