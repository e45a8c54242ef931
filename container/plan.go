package container

import (
	"io/fs"
	"time"

	"nspawnkit/container/capability"
	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/network"
	"nspawnkit/settings"
)

// Host is what [Decide] must know of the host and of the root directory.
type Host struct {
	MachineID       string            // of the host, 32 hexadecimal digits; empty if it has none
	OSRelease       map[string]string // os-release(5) of the host
	Terminal        Terminal
	LastCapability  int    // highest capability of the kernel
	Architecture    string // GOARCH
	HasNetworkd     bool   // networkd-lite or systemd-networkd runs
	HasNetworkdLite bool
	HasNetworkdLink bool // systemd-networkd has written down what it does about links
	Limits          map[string]settings.Limit
	Localtime       Localtime
	HasResolvConf   bool // there is an /etc/resolv.conf
	HasStubResolver bool // systemd-resolved answers on 127.0.0.53, and says so in its own resolv.conf
	// NoUserNamespaces says that the kernel was built without.
	NoUserNamespaces bool
	Watchdog         time.Duration     // how long the service manager waits for a sign of life; 0: for ever
	NoSELinux        string            // why there are no SELinux contexts; empty: there are
	InUserNamespace  bool              // the host is a container with users of its own:
	Users            []kernel.IDExtent // those that there are; nil: all

	Root Root
}

// Root is what was found in the container's root directory.
type Root struct {
	OwnerUID, OwnerGID uint32
	HasOSRelease       bool
	HasUsr             bool         // a directory
	ReadOnly           bool         // nothing can be written to it, or it is marked so
	Bin                *fs.FileMode // type and mode of bin, or nil if it is missing
	MachineID          string       // the valid content of etc/machine-id, or empty
	MachineIDProblem   string       // what is wrong with it
	LoginProblems      []string     // why somebody may fail to log in
	KnowsColors        bool         // there is a terminfo(5) entry for [loginTerminal]
}

// Users is the choice of the container's users.
type Users struct {
	Namespace bool
	Start     uint32 // the host's user that is the container's root
	Count     uint32
	Owner     uint32 // the range that the root directory was found to belong to
	OnDisk    uint32 // whom the root directory belongs to; other than Start: it is id-mapped
	Pick      bool   // Start is a candidate
	Managed   bool   // Start comes from systemd-nsresourced(8)
	Delegate  uint   // ranges that come from there, too, for containers inside
}

// mapped reports whether the files of the root directory belong to others on disk than inside.
func (u Users) mapped() bool { return u.OnDisk != u.Start }

// Plan is everything the start sequence does, decided.
type Plan struct {
	Settings settings.Settings
	Options  Options
	Users    Users
	Inside   Inside
	Machine  network.Machine // what networkd-lite is told
	uppers   []upper         // links on top of those of the host
	dhcp     *dhcpPlan       // nil: no address is asked for
	Limits   map[string]settings.Limit
	UUID     string        // the container's machine ID
	Watchdog time.Duration // how long the service manager waits for a sign of life; 0: for ever
	Display                // of the console
	Record   settings.Record
	Warnings []string
}

// Display is how the supervisor shows the container's console.
type Display struct {
	Rows, Columns uint16 // of the console if no terminal shows it
	Fixed         bool   // it has this size also on a terminal
	Terminal      bool   // a terminal shows it
	Decorated     bool   // with color or title, and as it was afterwards
	Background    string // color: parameters of SGR (ECMA-48, 8.3.117); empty: the terminal's own
	Tint          bool   // a shade of blue that suits the terminal's own
	Title         string // of the terminal; empty: none
}

// Options are the options of the command line that have no key in a file.
type Options struct {
	KeepUnit bool
	// HasSystemd says that systemd is the host's init, so that there are units.
	HasSystemd  bool
	Register    string               // "yes", "no" or "auto"
	Console     string               // "interactive", "read-only", "passive", "pipe"
	Background  *string              // of --background=; nil: it suits the terminal
	ConsoleSize settings.ConsoleSize // zero: that of the terminal
	Properties  []settings.Property  // of --property=, of the scope
	Slice       string
	Quiet       bool
	Image       string // the disk image that is mounted at the root directory; empty: there is none
	Suffix      string // of the copy that an ephemeral container runs from
	Template    string // that the root directory is made from if it is missing
	Populate    bool   // it is missing

	Stack         *image.Stack // --mstack=; nil: the root directory is a directory
	StackReadOnly bool         // all of it, not only what has no writable layer

	ForwardJournal settings.ForwardJournal
	BindUserGroups []string // of --bind-user-group=: groups that bound users are members of

	Sockets     Sockets
	Environment settings.Environment // of nspawn-exec itself

	Credentials []settings.Credential // of --load-credential= and --set-credential=

	SELinuxContext, SELinuxAPIFSContext string // of --selinux-context= and --selinux-apifs-context=, or empty
}

// Sockets are the descriptors that the service manager passed on, for the payload (sd_listen_fds(3)).
type Sockets struct {
	Count int    // from 3 on
	Names string // with colons between; empty: they have none
}

// Inside is the part of the plan that the container's first process carries out.
type Inside struct {
	Machine        string
	Hostname       string
	UUID           string
	UserNamespace  bool
	PrivateNetwork bool
	Nesting        bool   // container runtimes run inside
	BoundDevices   bool   // device nodes are the host's
	WritableAPI    bool   // /sys, /proc/sys and so on can be written to
	NetworkAPI     bool   // /proc/sys/net can, and of /sys there is what does not configure the host
	HostGroups     bool   // the control groups of the host are in sight
	ImageTmp       bool   // /tmp is that of the image
	Service        string // the name of the container manager
	ReadOnly       bool
	Ephemeral      bool // runs from a copy
	Images         bool // disk images are mounted, the one it runs from or those of its mount stack
	Populate       bool // runs from a directory that is made first
	Console        bool // a terminal of its own at /dev/console
	Controlling    bool // that terminal controls the payload's session
	Boot           bool
	ProcessTwo     bool // a stub is process 1, the payload process 2
	Credentials    bool // at [credentialsDirectory]
	HostRelease    bool // the host has an os-release file, for /run/host
	ForwardJournal bool // to [settings.ForwardJournalSocket]
	BoundUsers     bool // users of the host are known in the container
	LoginTerminal  bool // "machinectl login" is told that its terminal is a [loginTerminal]
	Delegated      bool // containers inside get users of the host

	FixedAddresses  bool // of host0
	DHCP            bool // a link has an address from a DHCP server
	KeepNameServers bool // that the image has
	NameServers     bool // come with [messageGo]
	UpperLinks      bool // links on top of those of the host
	MovedInterfaces bool // interfaces of the host
	PublishedPorts  bool // Port= lines
	JoinedNetwork   bool // the network namespace was there

	Domainname string
	Sysctl     []settings.Sysctl
	Protected  []settings.ProtectedPath
	Process    *Process // nil: the container's root

	ResolvConf *EtcFile
	Timezone   *EtcFile

	Candidates       []string // programs to execute, the first that exists
	Arguments        []string
	Environment      []string
	WorkingDirectory string
	Capabilities     capability.Set
	NoNewPrivileges  bool
	Personality      *uint32 // of personality(2); nil: as it is
	Filter           []byte  // seccomp program, struct sock_filter in native byte order
	ProcessContext   string  // of SELinux, for the payload; empty: the kernel decides
	FileContext      string  // of SELinux, for the files of temporary file systems; empty: the same
}

// Process says whom the payload runs as.
type Process struct {
	User                 *UserName // looked up in the container, for what follows; nil: that is known
	UID, GID             uint32    // in the container
	Groups               []uint32
	Umask                *uint32 // nil: 022
	Inheritable, Ambient capability.Set
}

// UserName is a user of the container's own database.
type UserName struct {
	Name   string // or number
	Origin string // of the setting
	Count  uint32 // of users that the container has; 0: all
	Home   bool   // start in its home directory
}

// TreeMount is a mount that the supervisor made and the first process puts into its place.
type TreeMount struct {
	Destination  string
	Origin       string // FILE:LINE of the setting behind it
	Inaccessible bool   // cover what is there; there is no tree
	Optional     bool   // if there is something
}
