package dhcp

import (
	"encoding/binary"
	"math/bits"
)

// The key with which networkd hashes client identifiers: with the same key (and a pool of the same shape) a client keeps its address
// when a host changes from one server to the other. It is public and protects against nothing.
const (
	hashKey0 = 0xb3bd24f1bdfe1d0d
	hashKey1 = 0x309321736eddf147
)

// clientHash is SipHash-2-4 (Aumasson and Bernstein, 2012) over the identifier's length and bytes.
func clientHash(identifier string) uint64 {
	message := binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(len(identifier)))
	message = append(message, identifier...)
	length := len(message)
	for len(message)%8 != 7 {
		message = append(message, 0)
	}
	message = append(message, byte(length))

	v := sipState{hashKey0 ^ 0x736f6d6570736575, hashKey1 ^ 0x646f72616e646f6d, hashKey0 ^ 0x6c7967656e657261, hashKey1 ^ 0x7465646279746573}
	for ; len(message) > 0; message = message[8:] {
		word := binary.LittleEndian.Uint64(message)
		v[3] ^= word
		v.rounds(2)
		v[0] ^= word
	}
	v[2] ^= 0xff
	v.rounds(4)
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

type sipState [4]uint64

func (v *sipState) rounds(n int) {
	for range n {
		v[0] += v[1]
		v[2] += v[3]
		v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
		v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[1]
		v[0] += v[3]
		v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
		v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
}
