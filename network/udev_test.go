package network

import "testing"

func TestUdevSettled(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                      false,
		"E:ID_NET_NAME=eth1\n":                  false,
		"I:1234\nE:ID_NET_NAME=eth1\n":          true,
		"I:1234\nE:ID_RENAMING=1\n":             false,
		"E:ID_RENAMING=1\nI:1234":               false,
		"I:1234\nE:ID_RENAMING=10\nG:systemd":   true,
		"S:xI:1234\nE:SYSTEMD_ALIAS=I:1\nV:1\n": false,
	} {
		if got := UdevSettled([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
