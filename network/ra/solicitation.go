package ra

import (
	"errors"
	"fmt"
	"net/netip"
)

// HopLimit is that of all messages of neighbour discovery: no router has forwarded them (RFC 4861, section 6.1.1).
const HopLimit = 255

const (
	solicitation       = 133 // ICMPv6 type (RFC 4861, section 4.1)
	solicitationHeader = 8   // bytes before the options
	sourceLinkLayer    = 1   // Source Link-Layer Address option
)

// checkSolicitation says whether an ICMPv6 message is a router solicitation that counts (RFC 4861, section 6.1.1). The kernel has checked
// the checksum, the socket the hop limit.
func checkSolicitation(message []byte, source netip.Addr) error {
	switch {
	case len(message) < solicitationHeader:
		return errors.New("shorter than a router solicitation")
	case message[0] != solicitation:
		return fmt.Errorf("ICMPv6 type %d, not a router solicitation", message[0])
	case message[1] != 0:
		return fmt.Errorf("code %d", message[1])
	}
	for options := message[solicitationHeader:]; len(options) > 0; {
		if len(options) < 2 || options[1] == 0 || int(options[1])*8 > len(options) {
			return errors.New("an option of a wrong length")
		}
		if options[0] == sourceLinkLayer && source.IsUnspecified() {
			return errors.New("a link-layer address without an address")
		}
		options = options[int(options[1])*8:]
	}
	return nil
}
