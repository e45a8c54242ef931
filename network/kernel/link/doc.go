// Package link creates and removes the links of containers: pairs of virtual Ethernet devices and the bridges of zones.
//
// nspawn-exec calls it, so it does without nftables and D-Bus; what links are called is decided by package network, and
// addresses, DHCP and NAT are the business of networkd-lite.
package link
