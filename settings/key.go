package settings

import (
	"reflect"
	"strings"
)

// Argument says whether an option of the command line takes an argument.
type Argument int

// The kinds of getopt_long(3).
const (
	RequiredArgument Argument = iota // "--opt=VALUE" or "--opt VALUE"
	NoArgument                       // the option alone means "yes"
	OptionalArgument                 // "--opt" or "--opt=VALUE"
	NextArgument                     // the same, or "--opt VALUE" if that is no option: --user of systemd-nspawn(1)
)

// Key is one row of the table of keys: everything there is to know about one key of a .nspawn file and the option of
// systemd-nspawn(1) that does the same. Parser, command line, help and documentation come from it.
type Key struct {
	Section, Name string
	Type          string   // what its value is, for people: "BOOL", "PATH"
	Default       string   // the value in force when nobody sets the key, as one would write it; empty: nothing
	Privileged    bool     // has no effect in an untrusted file
	Live          bool     // a change takes effect in a running container; otherwise at its next start
	Since         int      // version of systemd that added it; 0: a key of ours
	Option        string   // long option without dashes, or empty
	Short         byte     // its one-letter form, or 0
	Argument      Argument // of the option
	Help          string   // one line
	topic         string   // of --help=TOPIC; empty without option
	words         string   // words that a value can be, with spaces between, beside those of Type

	// Strict: a bad value refuses the container, because going on without it would isolate less or grant less than asked.
	Strict bool
	// Empty says what an empty value does.
	Empty Empty

	group   group
	follows bool                         // goes with its group, but replaces only itself
	set     func(*Settings, value) error // checks and stores a value
	pending bool                         // nspawn-exec does not honour it yet: only its default can be had
}

// Supported reports whether the container gets what the key asks for. Setting another one to anything but its default is an
// error.
func (k *Key) Supported() bool { return !k.pending }

// String returns "Section.Key", the index of [Settings.Set].
func (k *Key) String() string { return k.Section + "." + k.Name }

// Empty is the meaning of an empty value. systemd-nspawn is not regular here; these are its choices, tried on 252.
type Empty int

const (
	EmptyRefused Empty = iota // a bad value like any other
	EmptyResets               // takes back what was set before
	EmptyIgnored              // adds nothing
)

// group ties keys together that the stronger of file and command line replaces as a whole.
type group int

const (
	alone      group = iota // only the key itself
	startGroup              // what runs: Boot=, ProcessTwo=, Parameters=
	linkGroup               // the container's network links
	mountGroup              // all mounts
	capabilityGroup
	usersGroup // the user namespace
)

// Keys returns the table of keys in the order of systemd.nspawn(5).
func Keys() []Key { return keys[:] }

// lookup returns the row of a key, or nil.
func lookup(section, name string) *Key {
	for i := range keys {
		if keys[i].Name == name && keys[i].Section == section {
			return &keys[i]
		}
	}
	return nil
}

// replaces reports whether setting k on the stronger side takes back what the weaker side says about other.
func (k *Key) replaces(other *Key) bool {
	return k.Section == other.Section && k.Name == other.Name || !k.follows && k.group != alone && k.group == other.group
}

// check parses text for the key without keeping it anywhere but in scratch.
func (k *Key) check(scratch *Settings, v value) error {
	if hasControl(strings.ReplaceAll(v.text, "\t", "")) {
		return errControl
	}
	err := k.set(scratch, v)
	if err == nil && k.pending && !k.isDefault(v) {
		return k.unsupported()
	}
	return err
}

// unsupported is the error of a value that nspawn-exec does not honour yet.
func (k *Key) unsupported() unsupported { return unsupported(k.Name + "=") }

// isDefault reports whether a good value asks for what is so without it.
func (k *Key) isDefault(v value) bool {
	s := defaults()
	return k.set(&s, v) == nil && reflect.DeepEqual(s, defaults())
}
