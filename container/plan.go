package container

import (
	"nspawnkit/container/capability"
	"nspawnkit/network"
	"nspawnkit/settings"
)

// Host is what [Decide] must know of the host and of the root directory.
type Host struct {
	MachineID      string            // of the host, 32 hexadecimal digits; empty if it has none
	OSRelease      map[string]string // os-release(5) of the host
	Term           string            // $TERM of the supervisor
	LastCapability int               // highest capability of the kernel
	Architecture   string            // GOARCH
	Interactive    bool              // standard input and output are terminals
	HasNetworkd    bool              // networkd-lite or systemd-networkd runs
	Limits         map[string]settings.Limit
	Timezone       string // "Europe/Berlin"; empty if /etc/localtime is not a link into the zone database
	ResolvConf     []byte // the host's /etc/resolv.conf

	Root Root
}

// Root is what was found in the container's root directory.
type Root struct {
	OwnerUID, OwnerGID uint32
	HasOSRelease       bool
	HasUsr             bool
	MachineID          string // the valid content of etc/machine-id, or empty
	HasZone            bool   // usr/share/zoneinfo has the host's time zone
}

// Users is the choice of the container's users.
type Users struct {
	Namespace bool
	Start     uint32 // the host's user that is the container's root
	Count     uint32
	MapRoot   bool // the root directory is owned by user 0 and appears shifted
	Pick      bool // Start is a candidate: take the first free range from there on
}

// Plan is everything the start sequence does, decided.
type Plan struct {
	Settings settings.Settings
	Options  Options
	Users    Users
	Inside   Inside
	Machine  network.Machine // what networkd-lite is told
	Limits   map[string]settings.Limit
	UUID     string // the container's machine ID
	Record   settings.Record
	Warnings []string
}

// Options are the options of the command line that have no key in a file.
type Options struct {
	KeepUnit bool
	// HasSystemd says that systemd is the host's init, so that there are units.
	HasSystemd bool
	Register   string // "yes", "no" or "auto"
	Console    string // "interactive", "read-only", "passive", "pipe"
	Slice      string
}

// Inside is the part of the plan that the container's first process carries out.
type Inside struct {
	Machine        string
	Hostname       string
	UUID           string
	UserNamespace  bool
	PrivateNetwork bool
	ReadOnly       bool
	Console        bool // a terminal of its own at /dev/console
	Controlling    bool // that terminal controls the payload's session
	Boot           bool

	ResolvConf *ResolvConf
	Timezone   *Timezone

	Candidates       []string // programs to execute, the first that exists
	Arguments        []string
	Environment      []string
	WorkingDirectory string
	Capabilities     capability.Set
	NoNewPrivileges  bool
	Filter           []byte // seccomp program, struct sock_filter in native byte order
}

// TreeMount is a mount that the supervisor made and the first process puts into its place.
type TreeMount struct {
	Destination  string
	Origin       string // FILE:LINE of the setting behind it
	Inaccessible bool   // cover what is there; there is no tree
}

// ResolvConf says what happens to /etc/resolv.conf.
type ResolvConf struct {
	Content   []byte
	Overwrite bool // also an existing file, but never through a link
}

// Timezone says what happens to /etc/localtime.
type Timezone struct {
	Zone string // make it a link to this zone
}
