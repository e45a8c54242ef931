package settings

import (
	"fmt"
	"slices"
	"strings"
)

// File is what the .nspawn file of a container and its drop-ins say, checked line by line.
type File struct {
	Path    string   // the main file as the user knows it; empty when there is none
	Trusted bool     // of the main file; drop-ins are always trusted
	DropIns []string // in the order in which they were read

	// Unit, Service and Install are the lines of the sections of ours that were accepted.
	Unit, Service, Install []Assignment

	assignments []assignment
}

// assignment is an accepted value of a key.
type assignment struct {
	key     *Key
	value   value
	trusted bool
}

// reader adds files to a [File].
type reader struct {
	file     *File
	machine  string
	problems []Problem
	scratch  Settings // checks lines against those before, such as ports that are used twice
	starts   *Key     // what is on in the file that is being read, Boot= or ProcessTwo=; nil: neither
}

// Parse reads the text of one trusted file as the main file of machine, without drop-ins; name is what problems call it.
func Parse(name, machine string, data []byte) (*File, []Problem) {
	r := reader{file: &File{Path: name, Trusted: true}, machine: machine}
	r.read(name, data, true)
	return r.file, r.problems
}

// read adds the statements of one file.
func (r *reader) read(name string, data []byte, trusted bool) {
	statements, problems, err := Statements(name, data)
	r.problems = append(r.problems, problems...)
	if err != nil {
		r.problems = append(r.problems, err.(*refusal).problem())
		return
	}
	r.starts = nil
	before := len(r.problems)
	warned := "" // the unknown section that was last warned about
	for _, st := range statements {
		if len(r.problems)-before > maxProblems {
			r.add(st.Origin, Error, "too many problems, rest of the file not read")
			return
		}
		switch {
		case strings.HasPrefix(st.Section, "X-") || strings.HasPrefix(st.Key, "X-"):
		case isPassThrough(st.Section):
			r.passThrough(st, trusted)
		case st.Section == "Exec" || st.Section == "Files" || st.Section == "Network":
			r.assign(st, trusted)
		case st.Section != warned:
			warned = st.Section
			r.add(st.Origin, Warning, unknownSection(st.Section))
		}
	}
}

// assign takes one line of [Exec], [Files] or [Network].
func (r *reader) assign(st Statement, trusted bool) {
	key := lookup(st.Section, st.Key)
	switch {
	case key == nil:
		r.add(st.Origin, Warning, unknownKey(st.Key, st.Section))
		return
	case !trusted && !key.allowedUntrusted(st.Value):
		r.add(st.Origin, Warning, fmt.Sprintf("%s= is ignored, the file is not trusted", st.Key))
		return
	case st.Value == "" && key.Empty == EmptyIgnored:
		return
	case st.Value == "" && key.Empty == EmptyResets:
		r.reset(key)
		return
	}
	v := value{st.Value, st.Origin}
	err := key.check(&r.scratch, v)
	if (err == nil || isUnsupported(err)) && r.contradicts(key, st.Value) {
		err = ignoredError(fmt.Sprintf("%s=%s: Boot= or ProcessTwo= of the same file says otherwise, ignored", st.Key, st.Value))
	}
	if err != nil {
		r.reject(st, err, key.Strict)
		if err != key.unsupported() { // a good value, which others want to see
			return
		}
	}
	r.file.assignments = append(r.file.assignments, assignment{key, v, trusted})
}

// contradicts reports whether the file has already said how the container starts. Then the first line counts, as with
// systemd-nspawn.
func (r *reader) contradicts(key *Key, text string) bool {
	if key.group != startGroup || key.Type != "BOOL" {
		return false
	}
	on, _ := parseBool(text)
	if on && r.starts == nil {
		r.starts = key
	}
	return on && r.starts != key || !on && r.starts == key
}

// reset takes back what lines before assigned to the key.
func (r *reader) reset(key *Key) {
	r.file.assignments = slices.DeleteFunc(r.file.assignments, func(a assignment) bool { return a.key == key })
}

// passThrough takes one line of [Unit], [Service] or [Install].
func (r *reader) passThrough(st Statement, trusted bool) {
	if !trusted {
		r.add(st.Origin, Warning, fmt.Sprintf("%s= in section [%s] is ignored, the file is not trusted", printable(st.Key), st.Section))
		return
	}
	if err := checkPassThrough(st, r.machine); err != nil {
		r.reject(st, err, true)
		return
	}
	line := Assignment{st.Origin, st.Key, st.Value}
	switch st.Section {
	case "Unit":
		r.file.Unit = append(r.file.Unit, line)
	case "Service":
		r.file.Service = append(r.file.Service, line)
	case "Install":
		r.file.Install = append(r.file.Install, line)
	}
	if text := doubtful(st); text != "" {
		r.add(st.Origin, Warning, text)
	}
}

// reject says why a line is left out.
func (r *reader) reject(st Statement, err error, strict bool) {
	text := fmt.Sprintf("%s=%s: %v", printable(st.Key), printable(st.Value), err)
	switch err := err.(type) {
	case ignoredError:
		r.add(st.Origin, Warning, err.Error())
	case unsupported:
		if strings.HasPrefix(string(err), st.Key+"=") {
			text = err.Error()
		}
		r.add(st.Origin, Error, text)
	default:
		if strict {
			r.add(st.Origin, Error, text)
		} else {
			r.add(st.Origin, Warning, text+", ignored")
		}
	}
}

func (r *reader) add(o Origin, s Severity, text string) {
	r.problems = append(r.problems, Problem{o, s, text})
}

// allowedUntrusted reports whether a file beside an image may set the key to text: what takes rights away from the
// container is allowed, what grants some is not.
func (k *Key) allowedUntrusted(text string) bool {
	return !k.Privileged || k.Name == "SystemCallFilter" && strings.HasPrefix(text, "~")
}
