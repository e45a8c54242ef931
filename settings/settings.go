package settings

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Origin is the place a value comes from. The zero Origin means the built-in default.
type Origin struct {
	File    string // path of the file as the user knows it
	Line    int    // line in File, counted from 1; 0 stands for the file as a whole
	Pointer string `json:",omitempty"` // where in a File of JSON: "process.env[3]"
	Option  string // "--network-veth" for a value from the command line
}

// String returns "FILE:LINE", "FILE: POINTER", "FILE", "--option" or "default".
func (o Origin) String() string {
	switch {
	case o.Option != "":
		return o.Option
	case o.File == "":
		return "default"
	case o.Pointer != "":
		return o.File + ": " + o.Pointer
	case o.Line == 0:
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Severity says what a [Problem] means for the container.
type Severity int

const (
	// Warning: the line is ignored and the container starts, as with systemd-nspawn.
	Warning Severity = iota
	// Error: starting without the line would be unsafe or not what was asked for; nspawn-exec refuses.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Problem is something wrong with one line of a file or one option.
type Problem struct {
	Origin   Origin
	Severity Severity
	Text     string
}

// String returns "FILE:LINE: error: text".
func (p Problem) String() string {
	return fmt.Sprintf("%s: %s: %s", p.Origin, p.Severity, p.Text)
}

// Settings is what a container is to be, after defaults, file, drop-ins and command line were combined.
type Settings struct {
	Machine   string // --machine=, or the last component of the root directory
	Directory string // --directory=; empty: /var/lib/machines/MACHINE

	Exec    Exec
	Files   Files
	Network Network

	// Unit, Service and Install are the lines of the sections of ours that nspawn-generator passes on to the unit.
	Unit, Service, Install []Assignment

	// Set holds the origin of every key that was set, by "Section.Key".
	Set map[string]Origin
}

// Origin returns where the value of "Section.Key" comes from.
func (s *Settings) Origin(key string) Origin { return s.Set[key] }

// Assignment is one KEY=VALUE line of a section that is passed through.
type Assignment struct {
	Origin     Origin
	Key, Value string
}

// Exec is the [Exec] section.
type Exec struct {
	Boot             bool     // Boot=, --boot
	Ephemeral        bool     // run from a copy that is removed afterwards
	ProcessTwo       bool     // --as-pid2: a stub init is PID 1, the command PID 2
	Parameters       []string // Parameters=, or the arguments of the command line
	Environment      []string // NAME=VALUE, in order, later ones win
	User             string   // name or UID in the container; empty: root
	WorkingDirectory string   // absolute path inside the container
	PivotRoot        PivotRoot
	KillSignal       syscall.Signal // 0: none, the container is killed at once
	NotifyReady      bool
	Hostname         string
	MachineID        string // 32 lower-case hexadecimal digits, or empty
	Capability       []string
	DropCapability   []string // "CAP_SYS_PTRACE", or "all"

	AmbientCapability       []string // as Capability, without "all"
	NoNewPrivileges         bool
	SystemCallFilter        []string // in order; "~name" and "~@group" take away
	RestrictAddressFamilies []string // "AF_INET", "~AF_PACKET", whatever the order; "none" first: nothing else
	Personality             string   // "x86", "x86-64", "arm64", …; empty: the machine's own

	Limits         map[string]Limit // by name without prefix: "NOFILE"
	OOMScoreAdjust *int
	LinkJournal    LinkJournal
	CPUAffinity    []int // sorted numbers of CPUs; nil: all
	SuppressSync   bool
	PrivateUsers   PrivateUsers
	Nesting        bool   // Nesting=: containers inside
	ResolvConf     string // one of the modes of --resolv-conf=
	Timezone       string // one of the modes of --timezone=

	// What only an OCI bundle says.
	Process    Process
	Domainname string // of the NIS domain
	Sysctl     []Sysctl
}

// PivotRoot is PivotRoot=: absolute, clean paths in the container, or both empty.
type PivotRoot struct {
	New string // becomes the root directory
	Old string // where the old root directory goes; empty: nowhere, it is unmounted
}

// Limit is a resource limit; [Infinity] means none.
type Limit struct{ Soft, Hard uint64 }

// Infinity is RLIM_INFINITY.
const Infinity = ^uint64(0)

// LinkJournal is the mode of --link-journal=.
type LinkJournal struct {
	Mode string // "no", "host", "guest", "auto"
	Try  bool   // "try-host", "try-guest": a failure is not an error
}

// UserMode is the mode of PrivateUsers=.
type UserMode string

// The modes of PrivateUsers= and --private-users=.
const (
	UsersNo       UserMode = "no"       // no user namespace
	UsersFixed    UserMode = "fixed"    // START[:COUNT]
	UsersPick     UserMode = "pick"     // a free range
	UsersYes      UserMode = "yes"      // the owner of the root directory
	UsersIdentity UserMode = "identity" // 0:0:65536
	UsersManaged  UserMode = "managed"  // a range of systemd-nsresourced(8)
)

// PrivateUsers is PrivateUsers= together with PrivateUsersOwnership=.
type PrivateUsers struct {
	Mode      UserMode
	Start     uint32
	Count     uint32 // 65536 unless given
	Ownership string // "off", "map", "chown", "foreign", "auto"
	Delegate  uint   // PrivateUsersDelegate=: further ranges of 65536 for containers inside
}

// Files is the [Files] section.
type Files struct {
	ReadOnly            bool
	Volatile            string // "no", "yes", "state", "overlay"
	Binds               []Bind
	BindUser            []BindUser
	BindUserShell       string // "no": the container's default; "yes": as on the host; or an absolute path
	TemporaryFileSystem []TemporaryFileSystem
	Inaccessible        []Inaccessible
	Overlays            []Overlay
	IDMapBinds          string // what a bind without mapping option gets: "no", "owner", "root"

	// What only an OCI bundle says.
	Devices   []Device
	Protected []ProtectedPath
}

// Bind is one Bind= or BindReadOnly= line.
type Bind struct {
	Origin      Origin
	Source      string // on the host; a leading "+" means relative to the container's root; empty: a temporary directory
	Destination string // absolute path inside the container
	ReadOnly    bool
	Recursive   bool // rbind, the default
	NoSUID      bool
	NoDev       bool
	NoExec      bool
	IDMap       string // "noidmap", "idmap", "rootidmap", "owneridmap"; empty: as IDMapBinds= says
}

// TemporaryFileSystem is one TemporaryFileSystem= line.
type TemporaryFileSystem struct {
	Origin  Origin
	Path    string
	Options string
}

// BindUser is one BindUser= line.
type BindUser struct {
	Origin Origin
	Name   string // of a user of the host
}

// Inaccessible is one Inaccessible= line.
type Inaccessible struct {
	Origin Origin
	Path   string // absolute path inside the container
	// Optional: there need not be anything at the path.
	Optional bool
}

// Overlay is one Overlay= or OverlayReadOnly= line.
type Overlay struct {
	Origin      Origin
	Lower       []string // on the host, lowest first; a leading "+" means relative to the container's root
	Upper       string   // as Lower; the one that is written to; empty: a temporary directory
	Destination string   // absolute path inside the container
	ReadOnly    bool
}

// Network is the [Network] section. The link keys describe the container's links as a whole.
type Network struct {
	Private              bool // own network namespace; implied by every link key
	VirtualEthernet      bool
	VirtualEthernetExtra []InterfacePair
	NamespacePath        string          // of a network namespace to enter; excludes the other link keys
	Interfaces           []InterfacePair // Interface=: move an interface of the host
	MACVLAN              []InterfacePair
	IPVLAN               []InterfacePair
	Bridge               string // name of an existing bridge; implies VirtualEthernet
	Zone                 string // without the "vz-" prefix; implies VirtualEthernet
	Ports                []Port

	Address    []netip.Prefix // Address= of host0; none: as networkd-lite hands out
	MACAddress string         // MACAddress= of host0, "02:00:5e:10:00:01"; empty: made of the machine's name
	DNS        []netip.Addr   // DNS=; none: as networkd-lite hands out
	DHCP       string         // DHCP=: "yes", "no", "auto"
	HostAccess HostAccess     // which services of the host the container reaches
	ZoneAccess []string       // zones whose containers it reaches, besides its own
}

// InterfacePair is one HOST[:CONTAINER] of VirtualEthernetExtra=, Interface=, MACVLAN= or IPVLAN=.
type InterfacePair struct {
	Origin          Origin
	Host, Container string // interface names; no Container: made of Host behind "mv-" (MACVLAN=) or "iv-" (IPVLAN=)
}

// Port is one Port= line.
type Port struct {
	Origin          Origin
	Protocol        string     // "tcp", "udp" or "sctp"
	Address         netip.Addr // of the host; zero: all of IPv4 and IPv6
	Host, Container uint16     // the first of each
	Count           uint16     // number of ports, 1 without a range
}
