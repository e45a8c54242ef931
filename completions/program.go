// Package completions writes what shells need to complete the command lines of the three programs, from the tables that --help is
// made of. Its test keeps the files beside it current: go test ./completions -update writes them.
package completions

import (
	"slices"
	"strings"

	"nspawnkit/container/capability"
	"nspawnkit/settings"
)

// Program is a program whose command line is completed.
type Program struct {
	Name    string
	Verbs   []Verb
	Options []Option
}

// Verb is a verb, or an option in the place of one.
type Verb struct {
	Name, Help string
	Operands   Value
	JSON       bool // takes --json
}

// Option is an option that stands anywhere before operands.
type Option struct {
	Long, Short string // with dashes; one may be empty
	Help        string
	Argument    settings.Argument
	Value       Value
}

// forms returns the option as it can be written.
func (o *Option) forms() []string {
	return slices.DeleteFunc([]string{o.Short, o.Long}, func(form string) bool { return form == "" })
}

// Value says what an argument can be: some words, and things that the shell finds.
type Value struct {
	Name  string // for people: "PATH"
	Words []string
	Kind  Kind
}

// Kind is a kind of things that a shell finds.
type Kind int

const (
	Nothing     Kind = iota // only the words
	Machines                // containers that there are
	Files                   // also directories
	Directories             // of the host
	Interfaces              // network links of the host
	Users                   // of the host
	Slices                  // slices of the service manager
)

// kinds are those of options whose argument is more than words.
var kinds = map[string]Kind{
	"machine": Machines, "hostname": Machines,
	"directory": Directories, "template": Directories, "mstack": Directories, "oci-bundle": Directories,
	"image": Files, "root-hash-sig": Files, "verity-data": Files, "network-namespace-path": Files, "forward-journal": Files,
	"bind": Files, "bind-ro": Files, "overlay": Files, "overlay-ro": Files,
	"network-interface": Interfaces, "network-macvlan": Interfaces, "network-ipvlan": Interfaces, "network-bridge": Interfaces,
	"uid": Users, "bind-user": Users, "slice": Slices,
}

// moreWords are those of options whose table has none, because they depend on the machine or stand for the beginning of a value.
func moreWords(option string) []string {
	switch option {
	case "capability", "drop-capability", "ambient-capability":
		words := []string{"all"}
		for number := range capability.LastKnown + 1 {
			words = append(words, capability.Name(number))
		}
		return words
	case "kill-signal":
		return strings.Fields("SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGTERM SIGWINCH SIGPWR SIGRTMIN+3 SIGRTMIN+4")
	case "personality":
		return strings.Fields("x86-64 x86 arm64 arm")
	case "property":
		var words []string
		for _, name := range settings.PropertyNames() {
			words = append(words, name+"=")
		}
		return words
	case "rlimit":
		var words []string
		for _, key := range settings.Keys() {
			if name, limit := strings.CutPrefix(key.Name, "Limit"); limit {
				words = append(words, name+"=")
			}
		}
		return words
	}
	return nil
}

// NspawnExec returns nspawn-exec, from the table of its options.
func NspawnExec() Program {
	program := Program{Name: "nspawn-exec"}
	for _, o := range settings.Options() {
		if !o.Supported || o.Help == "" {
			continue
		}
		option := Option{Help: o.Help, Argument: o.Argument}
		if o.Long != "" {
			option.Long = "--" + o.Long
		}
		if o.Short != 0 {
			option.Short = "-" + string(rune(o.Short))
		}
		if o.Argument != settings.NoArgument {
			option.Value = Value{strings.TrimSuffix(o.Value, "…"), slices.Concat(o.Words, moreWords(o.Long)), kinds[o.Long]}
		}
		program.Options = append(program.Options, option)
	}
	return program
}

// OfUsage returns a program that has verbs, from its help text: lines of two columns below "Verbs:" and "Options:".
func OfUsage(name, text string) Program {
	program := Program{Name: name}
	section, help := "", new(string)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, strings.Repeat(" ", 10)) { // the rest of a description
			*help += " " + strings.TrimSpace(line)
			continue
		}
		left, right, _ := strings.Cut(strings.TrimSpace(line), "  ")
		words, description := strings.Fields(left), strings.TrimSpace(right)
		switch {
		case !strings.HasPrefix(line, "  "):
			section = line
		case section == "Verbs:" || section == "Options:" && len(words) > 1 && words[0] == "--dry-run":
			program.Verbs = append(program.Verbs, verbOf(words, description))
			help = &program.Verbs[len(program.Verbs)-1].Help
		case section == "Options:" && words[len(words)-1] != "--json":
			option := Option{Long: words[len(words)-1], Help: description, Argument: settings.NoArgument}
			if len(words) > 1 {
				option.Short = words[0]
			}
			program.Options = append(program.Options, option)
			help = &program.Options[len(program.Options)-1].Help
		}
	}
	return program
}

// verbOf reads "show NAME [--json]".
func verbOf(words []string, help string) Verb {
	verb := Verb{Name: words[0], Help: help}
	for _, word := range words[1:] {
		switch name := strings.Trim(word, "[]."); name {
		case "--json":
			verb.JSON = true
		case "NAME":
			verb.Operands = Value{Name: name, Kind: Machines}
		case "FILE":
			verb.Operands = Value{Name: name, Kind: Files}
		case "LINK":
			verb.Operands = Value{Name: name, Kind: Interfaces}
		}
	}
	return verb
}

// machineFolders are the places that names of containers are found in: settings, images, running ones. In all of them what stands
// behind the name is left out.
var machineFolders = []string{
	"/etc/nspawnkit/*.nspawn", "/etc/systemd/nspawn/*.nspawn", "/run/systemd/nspawn/*.nspawn", "/usr/local/lib/systemd/nspawn/*.nspawn",
	"/usr/lib/systemd/nspawn/*.nspawn", "/var/lib/machines/*", "/run/systemd/machines/*", "/run/nspawnkit/machines/*.json",
}

// machineSuffixes are what is left out.
var machineSuffixes = []string{".nspawn", ".json", ".raw", ".mstack", ".v"}
