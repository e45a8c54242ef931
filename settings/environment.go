package settings

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Environment is what the environment of the program asks for: the variables of systemd-nspawn in systemd's ENVIRONMENT.md. The
// zero Environment is that of a program without any of them.
type Environment struct {
	NoLock   bool     // SYSTEMD_NSPAWN_LOCK=0: images are not locked
	AnyTree  bool     // SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0: what boots needs no os-release file
	ImageTmp bool     // SYSTEMD_NSPAWN_TMPFS_TMP=0: /tmp is that of the image
	HostView bool     // SYSTEMD_NSPAWN_USE_CGNS=0: the control groups of the host are in sight
	NoFilter bool     // SYSTEMD_SECCOMP=0: system calls are not filtered
	Writable Mode     // SYSTEMD_NSPAWN_API_VFS_WRITABLE: "yes", "network", or empty for "no"
	Service  string   // SYSTEMD_NSPAWN_CONTAINER_SERVICE: the name of the container manager, empty: systemd-nspawn
	MAC      string   // SYSTEMD_NSPAWN_NETWORK_MAC: hardware address of the container's end of its veth
	Warnings []string // of variables without effect
}

// What can be written to in /sys and /proc/sys.
const (
	WritableYes     Mode = "yes"
	WritableNetwork Mode = "network" // only what concerns the network
)

// variable is one of [Environment]. An error of take refuses the container.
type variable struct {
	name string
	take func(e *Environment, text string) error
}

// variables have, beside what is honoured, what cannot be: nothing is ignored silently.
var variables = [...]variable{
	{"SYSTEMD_NSPAWN_LOCK", func(e *Environment, text string) error { return e.takeOff(&e.NoLock, text) }},
	{"SYSTEMD_NSPAWN_CHECK_OS_RELEASE", func(e *Environment, text string) error { return e.takeOff(&e.AnyTree, text) }},
	{"SYSTEMD_NSPAWN_TMPFS_TMP", func(e *Environment, text string) error { return setOff(&e.ImageTmp, text) }},
	{"SYSTEMD_SECCOMP", func(e *Environment, text string) error { return e.takeOff(&e.NoFilter, text) }},
	{"SYSTEMD_NSPAWN_API_VFS_WRITABLE", takeWritable},
	{"SYSTEMD_NSPAWN_CONTAINER_SERVICE", takeService},
	{"SYSTEMD_NSPAWN_NETWORK_MAC", takeMAC},
	{"SYSTEMD_NSPAWN_USE_CGNS", func(e *Environment, text string) error { return e.takeOff(&e.HostView, text) }},
	{"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", refuseLegacy},
	{"UNIFIED_CGROUP_HIERARCHY", refuseLegacy},
	{"SYSTEMD_NSPAWN_SHARE_NS_IPC", refuseSharing},
	{"SYSTEMD_NSPAWN_SHARE_NS_PID", refuseSharing},
	{"SYSTEMD_NSPAWN_SHARE_NS_UTS", refuseSharing},
	{"SYSTEMD_NSPAWN_SHARE_SYSTEM", refuseSharing},
	{"SYSTEMD_LOG_SECCOMP", func(e *Environment, text string) error {
		if enabled, err := parseBool(text); err == nil && !enabled {
			return nil
		}
		return errIgnored
	}},
}

// errIgnored makes a warning of a variable.
var errIgnored = errors.New("has no effect here, ignoring")

// ParseEnvironment reads the environment of the program, as of os.Environ. The error names the variable.
func ParseEnvironment(environ []string) (Environment, error) {
	var e Environment
	for _, assignment := range environ {
		name, text, _ := strings.Cut(assignment, "=")
		i := slices.IndexFunc(variables[:], func(v variable) bool { return v.name == name })
		if i < 0 {
			continue
		}
		err := variables[i].take(&e, text)
		switch {
		case errors.Is(err, errIgnored):
			e.Warnings = append(e.Warnings, fmt.Sprintf("$%s=%s: %v", name, printable(text), err))
		case err != nil:
			return e, fmt.Errorf("$%s=%s: %w", name, printable(text), err)
		}
	}
	return e, nil
}

// takeEnvironment reads the environment of the program. $SYSTEMD_SUPPRESS_SYNC is an option before all others.
func (c *CommandLine) takeEnvironment() (err error) {
	const suppressSync = "SYSTEMD_SUPPRESS_SYNC"
	if c.Environment, err = ParseEnvironment(c.environ); err != nil {
		return err
	}
	text, found := strings.CutPrefix(c.completeVariable(suppressSync), suppressSync+"=")
	if _, err := parseBool(text); !found || text == "" {
		return nil
	} else if err != nil {
		c.Environment.Warnings = append(c.Environment.Warnings, fmt.Sprintf("$%s=%s: %v: %v", suppressSync, printable(text), err, errIgnored))
		return nil
	}
	return c.assign(lookup("Exec", "SuppressSync"), value{text, Origin{Option: "$" + suppressSync}})
}

// takeOff stores that something is off; what is no boolean has no effect, as in systemd-nspawn.
func (e *Environment) takeOff(off *bool, text string) error {
	if err := setOff(off, text); err != nil {
		return fmt.Errorf("%w: %w", err, errIgnored)
	}
	return nil
}

func setOff(off *bool, text string) error {
	on, err := parseBool(text)
	*off = err == nil && !on
	return err
}

func takeWritable(e *Environment, text string) error {
	if text == string(WritableNetwork) {
		e.Writable = WritableNetwork
		return nil
	}
	writable, err := parseBool(text)
	if err != nil {
		return errors.New("not a boolean or network")
	}
	if writable {
		e.Writable = WritableYes
	}
	return nil
}

// takeService takes a name that is safe in a line of a file.
func takeService(e *Environment, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("not a name")
	}
	e.Service = text
	return nil
}

func takeMAC(e *Environment, text string) error {
	e.MAC = strings.ToLower(text)
	groups := strings.Split(text, ":")
	for _, group := range groups {
		if digits, err := hex.DecodeString(group); err != nil || len(digits) != 1 {
			groups = nil
		}
	}
	if first, _ := hex.DecodeString(text[:min(2, len(text))]); len(groups) != 6 || first[0]&1 != 0 { // odd: of many
		return errors.New("not the hardware address of a link, such as 12:34:56:78:90:ab")
	}
	return nil
}

// refuse accepts a variable only if it asks for nothing: it is a boolean, but not bad.
func refuse(text string, bad bool, why string) error {
	value, err := parseBool(text)
	if err == nil && value == bad {
		err = fmt.Errorf("not supported: %s", why)
	}
	return err
}

func refuseLegacy(_ *Environment, text string) error {
	return refuse(text, false, "containers have the unified hierarchy of control groups")
}

func refuseSharing(_ *Environment, text string) error {
	return refuse(text, true, "the container would share a namespace of the host")
}
