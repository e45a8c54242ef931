// Package firewall decides what is to be added to the packet filters of others, and taken out of them, so that containers have
// their network on hosts that drop what they do not know. It reads and writes text: that of iptables-save(8) and iptables-restore(8).
package firewall
