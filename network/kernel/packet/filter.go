package packet

import (
	"golang.org/x/net/bpf"

	"nspawnkit/network/kernel/datagram"
)

// What a DHCP request looks like from the start of its UDP header, where the filter of a UDP socket begins to count.
const (
	udpHeader    = datagram.UDPHeader
	opOffset     = udpHeader
	cookieOffset = udpHeader + 236
	bootRequest  = 1
	magicCookie  = 0x63825363 // RFC 2131, section 3
)

// requestFilter lets only DHCP requests through: the rest does not even wake the server. A load beyond the end of the packet drops it.
func requestFilter() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: opOffset, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: bootRequest, SkipFalse: 3},
		bpf.LoadAbsolute{Off: cookieOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: magicCookie, SkipFalse: 1},
		bpf.RetConstant{Val: 1<<16 - 1},
		bpf.RetConstant{Val: 0},
	}
}
