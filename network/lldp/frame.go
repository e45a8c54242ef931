package lldp

import (
	"encoding/binary"
)

// Group is the Ethernet address that LLDPDUs go to: it says how far bridges let them (IEEE 802.1AB-2016, table 7-1).
type Group [6]byte

// The groups by their names in systemd.network(5).
var (
	NearestBridge  = Group{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
	NonTPMRBridge  = Group{0x01, 0x80, 0xc2, 0x00, 0x00, 0x03}
	CustomerBridge = Group{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}
)

// Station is what the host says of itself on all links. Text is UTF-8; what is empty is not said, and what is too long is cut.
type Station struct {
	MachineID string // machine-id(5), 32 hexadecimal digits
	Name      string // of the host
	Pretty    string // PRETTY_HOSTNAME= of machine-info(5)
	Router    bool   // the host forwards
}

// Port is what is said on one link.
type Port struct {
	Group       Group
	Source      [6]byte // hardware address of the link
	Name        string  // of the link
	Description string
	MUDURL      string // RFC 8520
}

// Frame returns the Ethernet frame of a station's LLDPDU on a port, with the TLVs that systemd-networkd sends.
func Frame(s Station, p Port) []byte {
	b := append(append(p.Group[:], p.Source[:]...), etherType>>8, etherType&0xff)
	b = appendTLV(b, chassisID, append([]byte{chassisLocal}, s.MachineID...))
	b = appendTLV(b, portID, append([]byte{portInterfaceName}, p.Name...))
	b = appendTLV(b, timeToLive, binary.BigEndian.AppendUint16(nil, lifetime))
	b = appendText(b, portDescription, p.Description)
	b = appendText(b, systemName, s.Name)
	b = appendText(b, systemDescription, s.Pretty)
	if p.MUDURL != "" {
		b = appendTLV(b, organization, append([]byte{0x00, 0x00, 0x5e, subtypeMUDURL}, p.MUDURL...))
	}
	enabled := uint16(capableStation)
	if s.Router {
		enabled = capableRouter
	}
	capabilities := binary.BigEndian.AppendUint16(nil, capableBridge|capableRouter|capableStation)
	b = appendTLV(b, systemCapabilities, binary.BigEndian.AppendUint16(capabilities, enabled))
	return appendTLV(b, end, nil)
}

const etherType = 0x88cc

// The types of TLVs (IEEE 802.1AB-2016, table 8-1) and what is in them.
const (
	end                = 0
	chassisID          = 1
	portID             = 2
	timeToLive         = 3
	portDescription    = 4
	systemName         = 5
	systemDescription  = 6
	systemCapabilities = 7
	organization       = 127

	chassisLocal      = 7   // table 8-2: locally assigned
	portInterfaceName = 5   // table 8-3
	lifetime          = 121 // seconds: 4 intervals and one (clause 9.2.5.22)
	subtypeMUDURL     = 1   // RFC 8520, section 10

	capableBridge, capableRouter, capableStation = 1 << 2, 1 << 4, 1 << 7 // table 8-4
)

// maxText is what a text may have, in bytes (clauses 8.5.5 to 8.5.7).
const maxText = 255

func appendText(b []byte, kind uint16, text string) []byte {
	if text == "" {
		return b
	}
	return appendTLV(b, kind, []byte(text))
}

// appendTLV appends a value after its type, in 7 bits, and its length, in 9.
func appendTLV(b []byte, kind uint16, value []byte) []byte {
	value = value[:min(len(value), maxText)]
	return append(binary.BigEndian.AppendUint16(b, kind<<9|uint16(len(value))), value...)
}
