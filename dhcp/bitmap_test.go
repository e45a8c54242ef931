package dhcp

import "testing"

func TestNextClear(t *testing.T) {
	for _, size := range []uint32{1, 13, 63, 64, 65, 130} {
		b := newBitmap(size)
		for n := range size {
			if got, ok := b.nextClear(n); !ok || got != n {
				t.Errorf("size %d: from %d: %d, %v", size, n, got, ok)
			}
		}
		for n := range size {
			b.set(n)
		}
		for free := range size {
			b.clear(free)
			for from := range size {
				if got, ok := b.nextClear(from); !ok || got != free {
					t.Errorf("size %d, only %d free: from %d: %d, %v", size, free, from, got, ok)
				}
			}
			b.set(free)
		}
		if got, ok := b.nextClear(0); ok {
			t.Errorf("size %d, full: %d", size, got)
		}
	}
}
