package settings

import (
	"fmt"
	"strings"
	"testing"
)

// ports writes the Port= lines of a file as they were understood, and what was wrong.
func ports(t *testing.T, lines string) string {
	t.Helper()
	text := "[Network]\nPrivate=yes\n"
	for line := range strings.FieldsSeq(lines) {
		text += "Port=" + line + "\n"
	}
	s, problems := combined(t, text)
	var got []string
	for _, p := range s.Network.Ports {
		address := ""
		if p.Address.IsValid() {
			address = p.Address.String()
		}
		got = append(got, fmt.Sprintf("%s/%s/%d>%d+%d", p.Protocol, address, p.Host, p.Container, p.Count))
	}
	for _, p := range problems {
		got = append(got, p.Text)
	}
	return strings.Join(got, " ")
}

func TestPorts(t *testing.T) {
	const badAddress = "an address of the host is written 192.0.2.1:PORT or [2001:db8::1]:PORT, ignored"
	for lines, want := range map[string]string{
		"80":                           "tcp//80>80+1",
		"udp:53:5353":                  "udp//53>5353+1",
		"sctp:9":                       "sctp//9>9+1",
		"tcp:20000-39999:20000-39999":  "tcp//20000>20000+20000",
		"1-65535":                      "tcp//1>1+65535",
		"8000-8009:9000-9009":          "tcp//8000>9000+10",
		"tcp:192.0.2.1:8080:80":        "tcp/192.0.2.1/8080>80+1",
		"0.0.0.0:80":                   "tcp/0.0.0.0/80>80+1",
		"[2001:db8::1]:8080:80":        "tcp/2001:db8::1/8080>80+1",
		"udp:[::]:53-54":               "udp/::/53>53+2",
		"10.0.0.1:80 10.0.0.2:80":      "tcp/10.0.0.1/80>80+1 tcp/10.0.0.2/80>80+1",
		"0.0.0.0:80 [::]:80 udp:80":    "tcp/0.0.0.0/80>80+1 tcp/::/80>80+1 udp//80>80+1",
		"80-89 90":                     "tcp//80>80+10 tcp//90>90+1",
		"80-89 10.0.0.1:89":            "tcp//80>80+10 Port=10.0.0.1:89: host port tcp:89 is already used at FILE:3, ignored",
		"0.0.0.0:80-89 10.0.0.1:70-80": "tcp/0.0.0.0/80>80+10 Port=10.0.0.1:70-80: host port tcp:80 is already used at FILE:3, ignored",
		"80-90:80":                     "Port=80-90:80: 11 ports of the host for 1 of the container, ignored",
		"90-80":                        "Port=90-80: port 80 comes before 90, ignored",
		"1-2000:2001-4000":             "Port=1-2000:2001-4000: a range of more than 1024 ports must have the same numbers on both sides, ignored",
		"80-":                          `Port=80-:  is not a port from 1 to 65535, ignored`,
		"127.0.0.1":                    "Port=127.0.0.1: " + badAddress,
		"192.0.2.1:":                   "Port=192.0.2.1::  is not a port from 1 to 65535, ignored",
		"300.0.0.1:80":                 "Port=300.0.0.1:80: " + badAddress,
		"[127.0.0.1]:80":               "Port=[127.0.0.1]:80: " + badAddress,
		"[::ffff:10.0.0.1]:80":         "Port=[::ffff:10.0.0.1]:80: " + badAddress,
		"[fe80::1%eth0]:80":            "Port=[fe80::1%eth0]:80: " + badAddress,
		"[]:80":                        "Port=[]:80: " + badAddress,
		"[::1":                         "Port=[::1: " + badAddress,
		"127.0.0.2:80":                 "tcp/127.0.0.2/80>80+1",
		"[::1]:80":                     "tcp/::1/80>80+1",
		"sctp:[::1]:80":                "Port=sctp:[::1]:80: a port of sctp cannot be published on ::1, of the loopback link, ignored",
		"[fe80::1]:80":                 "Port=[fe80::1]:80: nothing can be published on fe80::1, ignored",
		"224.0.0.1:80":                 "Port=224.0.0.1:80: nothing can be published on 224.0.0.1, ignored",
		"255.255.255.255:80":           "Port=255.255.255.255:80: nothing can be published on 255.255.255.255, ignored",
		"2001:db8::1:80":               "Port=2001:db8::1:80: db8::1:80 is not a port from 1 to 65535, ignored",
		"tcp:192.0.2.1:8080:80:1":      "Port=tcp:192.0.2.1:8080:80:1: 80:1 is not a port from 1 to 65535, ignored",
	} {
		got := strings.ReplaceAll(ports(t, lines), "/etc/systemd/nspawn/web.nspawn", "FILE")
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", lines, got, want)
		}
	}
}
