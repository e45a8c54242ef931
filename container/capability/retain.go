package capability

import "fmt"

// Default is what every container keeps: the list of --capability= in systemd-nspawn(1).
const Default Set = 1<<AUDIT_CONTROL | 1<<AUDIT_WRITE | 1<<CHOWN | 1<<DAC_OVERRIDE | 1<<DAC_READ_SEARCH | 1<<FOWNER |
	1<<FSETID | 1<<IPC_OWNER | 1<<KILL | 1<<LEASE | 1<<LINUX_IMMUTABLE | 1<<MKNOD | 1<<NET_BIND_SERVICE |
	1<<NET_BROADCAST | 1<<NET_RAW | 1<<SETFCAP | 1<<SETGID | 1<<SETPCAP | 1<<SETUID | 1<<SYS_ADMIN | 1<<SYS_BOOT |
	1<<SYS_CHROOT | 1<<SYS_NICE | 1<<SYS_PTRACE | 1<<SYS_RESOURCE | 1<<SYS_TTY_CONFIG

// Options are what the capabilities of a container depend on.
type Options struct {
	Add  []string // Capability=: names, or "all"
	Drop []string // DropCapability=: names, or "all"; wins over Add

	PrivateNetwork bool // the container has a network namespace of its own
	ShiftedUsers   bool // it has a user namespace whose root is not the host's root

	Last int // the kernel's highest capability, /proc/sys/kernel/cap_last_cap
}

// Retained returns the bounding set of the container, as --capability= and --drop-capability= of systemd-nspawn(1)
// describe it. It never holds a capability above o.Last. The error names the word of Add or Drop that is no capability,
// or a Last out of range.
func Retained(o Options) (Set, error) {
	if o.Last < 0 || o.Last > Limit {
		return 0, fmt.Errorf("highest capability of the kernel: %d is not between 0 and %d", o.Last, Limit)
	}
	add, err := Parse(o.Add)
	if err != nil {
		return 0, fmt.Errorf("Capability=: %w", err)
	}
	drop, err := Parse(o.Drop)
	if err != nil {
		return 0, fmt.Errorf("DropCapability=: %w", err)
	}
	kept := Default | add
	if o.PrivateNetwork {
		kept = kept.With(NET_ADMIN)
	}
	kept &^= drop
	// The host's network namespace belongs to the host's user namespace: binding a low port would fail all the same,
	// and programs look at the capability to know.
	if o.ShiftedUsers && !o.PrivateNetwork {
		kept = kept.Without(NET_BIND_SERVICE)
	}
	return kept & All(o.Last), nil
}

// Parse returns the capabilities that the words of Capability= or DropCapability= name; "all" stands for every one.
// The error names the first word that [Number] does not know.
func Parse(words []string) (Set, error) {
	var set Set
	for _, word := range words {
		if word == "all" {
			set |= All(Limit)
			continue
		}
		number, ok := Number(word)
		if !ok {
			return 0, fmt.Errorf("%q is not a capability", word)
		}
		set = set.With(number)
	}
	return set, nil
}
