package dhcp

import "math/bits"

// bitmap is a set of the numbers below size.
type bitmap struct {
	words []uint64
	size  uint32
}

func newBitmap(size uint32) bitmap {
	b := bitmap{words: make([]uint64, (uint64(size)+63)/64), size: size}
	if rest := size % 64; rest != 0 { // numbers beyond size count as members: nextClear never finds them
		b.words[len(b.words)-1] = ^uint64(0) << rest
	}
	return b
}

func (b bitmap) set(n uint32)      { b.words[n/64] |= 1 << (n % 64) }
func (b bitmap) clear(n uint32)    { b.words[n/64] &^= 1 << (n % 64) }
func (b bitmap) has(n uint32) bool { return b.words[n/64]&(1<<(n%64)) != 0 }

// nextClear returns the first number from the given one on, round the end, that is not a member.
func (b bitmap) nextClear(from uint32) (n uint32, ok bool) {
	at := int(from / 64)
	word := b.words[at] | (1<<(from%64) - 1)
	for range len(b.words) + 1 {
		if word != ^uint64(0) {
			return uint32(at*64 + bits.TrailingZeros64(^word)), true
		}
		at = (at + 1) % len(b.words)
		word = b.words[at]
	}
	return 0, false
}
