package capability

import (
	"math/bits"
	"strconv"
	"strings"
)

// The capabilities of include/uapi/linux/capability.h, as bit numbers of a [Set].
const (
	CHOWN = iota
	DAC_OVERRIDE
	DAC_READ_SEARCH
	FOWNER
	FSETID
	KILL
	SETGID
	SETUID
	SETPCAP
	LINUX_IMMUTABLE
	NET_BIND_SERVICE
	NET_BROADCAST
	NET_ADMIN
	NET_RAW
	IPC_LOCK
	IPC_OWNER
	SYS_MODULE
	SYS_RAWIO
	SYS_CHROOT
	SYS_PTRACE
	SYS_PACCT
	SYS_ADMIN
	SYS_BOOT
	SYS_NICE
	SYS_RESOURCE
	SYS_TIME
	SYS_TTY_CONFIG
	MKNOD
	LEASE
	AUDIT_WRITE
	AUDIT_CONTROL
	SETFCAP
	MAC_OVERRIDE
	MAC_ADMIN
	SYSLOG
	WAKE_ALARM
	BLOCK_SUSPEND
	AUDIT_READ
	PERFMON
	BPF
	CHECKPOINT_RESTORE

	// LastKnown is the highest capability that has a name here. The running kernel may have fewer or more:
	// /proc/sys/kernel/cap_last_cap.
	LastKnown = CHECKPOINT_RESTORE
)

// Limit is the highest number that systemd accepts for a capability: bit 63 stays free, so that a mask of all ones
// can mean "unset".
const Limit = 62

const prefix = "CAP_"

// names holds the names without prefix, by number.
var names = [...]string{
	CHOWN:              "CHOWN",
	DAC_OVERRIDE:       "DAC_OVERRIDE",
	DAC_READ_SEARCH:    "DAC_READ_SEARCH",
	FOWNER:             "FOWNER",
	FSETID:             "FSETID",
	KILL:               "KILL",
	SETGID:             "SETGID",
	SETUID:             "SETUID",
	SETPCAP:            "SETPCAP",
	LINUX_IMMUTABLE:    "LINUX_IMMUTABLE",
	NET_BIND_SERVICE:   "NET_BIND_SERVICE",
	NET_BROADCAST:      "NET_BROADCAST",
	NET_ADMIN:          "NET_ADMIN",
	NET_RAW:            "NET_RAW",
	IPC_LOCK:           "IPC_LOCK",
	IPC_OWNER:          "IPC_OWNER",
	SYS_MODULE:         "SYS_MODULE",
	SYS_RAWIO:          "SYS_RAWIO",
	SYS_CHROOT:         "SYS_CHROOT",
	SYS_PTRACE:         "SYS_PTRACE",
	SYS_PACCT:          "SYS_PACCT",
	SYS_ADMIN:          "SYS_ADMIN",
	SYS_BOOT:           "SYS_BOOT",
	SYS_NICE:           "SYS_NICE",
	SYS_RESOURCE:       "SYS_RESOURCE",
	SYS_TIME:           "SYS_TIME",
	SYS_TTY_CONFIG:     "SYS_TTY_CONFIG",
	MKNOD:              "MKNOD",
	LEASE:              "LEASE",
	AUDIT_WRITE:        "AUDIT_WRITE",
	AUDIT_CONTROL:      "AUDIT_CONTROL",
	SETFCAP:            "SETFCAP",
	MAC_OVERRIDE:       "MAC_OVERRIDE",
	MAC_ADMIN:          "MAC_ADMIN",
	SYSLOG:             "SYSLOG",
	WAKE_ALARM:         "WAKE_ALARM",
	BLOCK_SUSPEND:      "BLOCK_SUSPEND",
	AUDIT_READ:         "AUDIT_READ",
	PERFMON:            "PERFMON",
	BPF:                "BPF",
	CHECKPOINT_RESTORE: "CHECKPOINT_RESTORE",
}

// Number returns the number of a capability. Like systemd it takes "CAP_SYS_ADMIN" in any case, the prefix included,
// and plain numbers ("21", "0x15") up to [Limit], so that a capability newer than this package can be named.
func Number(name string) (int, bool) {
	if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
		for number, known := range names {
			if strings.EqualFold(name[len(prefix):], known) {
				return number, true
			}
		}
		return 0, false
	}
	number, err := strconv.ParseUint(name, 0, 8)
	if err != nil || number > Limit || strings.Contains(name, "_") {
		return 0, false
	}
	return int(number), true
}

// Name returns the name of a capability, "CAP_SYS_ADMIN", or its number, "0x29", if it has none here.
func Name(number int) string {
	if number >= 0 && number < len(names) {
		return prefix + names[number]
	}
	return "0x" + strconv.FormatInt(int64(number), 16)
}

// Set is a set of capabilities, bit N standing for capability N, as in the Cap lines of /proc/PID/status.
type Set uint64

// Of returns the set of the given capabilities.
func Of(numbers ...int) Set { return Set(0).With(numbers...) }

// All returns the capabilities 0 to last, both included; last is what /proc/sys/kernel/cap_last_cap says.
func All(last int) Set { return 1<<(last+1) - 1 }

// Has reports whether s holds the capability.
func (s Set) Has(number int) bool { return s&(1<<number) != 0 }

// With returns s and the given capabilities.
func (s Set) With(numbers ...int) Set {
	for _, number := range numbers {
		s |= 1 << number
	}
	return s
}

// Without returns s less the given capabilities.
func (s Set) Without(numbers ...int) Set {
	for _, number := range numbers {
		s &^= 1 << number
	}
	return s
}

// Numbers returns the capabilities of s in rising order.
func (s Set) Numbers() []int {
	numbers := make([]int, 0, bits.OnesCount64(uint64(s)))
	for ; s != 0; s &= s - 1 {
		numbers = append(numbers, bits.TrailingZeros64(uint64(s)))
	}
	return numbers
}

// String returns the names of s separated by spaces, as Capability= takes them; each name is understood by [Number].
func (s Set) String() string {
	var words []string
	for _, number := range s.Numbers() {
		words = append(words, Name(number))
	}
	return strings.Join(words, " ")
}
