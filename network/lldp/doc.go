// Package lldp tells neighbours on a link who is at its end (IEEE 802.1AB-2016): what an LLDPDU says, and when it is sent.
package lldp
