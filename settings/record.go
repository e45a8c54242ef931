package settings

import (
	"path"
)

// RecordsDirectory holds one NAME.json for each running container.
const RecordsDirectory = "/run/nspawnkit/settings"

// RecordVersion is the version of the format of [Record]. Fields may be added without a new one.
const RecordVersion = 1

// Record is what nspawn-exec keeps of the settings that a running container was started with, so that "nspawn-generator
// diff" can say what has changed since. It may hold secrets: Environment=.
type Record struct {
	Version    int          `json:"version"`
	Name       string       `json:"name"`       // of the machine
	Supervisor int          `json:"supervisor"` // process ID of nspawn-exec; the record of a killed one counts for nothing
	Directory  string       `json:"directory"`  // the container's root
	Arguments  []string     `json:"arguments"`  // of nspawn-exec, without --set-credential=
	Lines      []RecordLine `json:"lines"`      // of [Exec], [Files] and [Network] that counted, in the order in which they applied
	Unit       []RecordLine `json:"unit"`       // of the generated drop-in of its unit; none without --keep-unit
}

// RecordLine is one line of a file, or one option.
type RecordLine struct {
	Key     string `json:"key"` // "Section.Key"
	Value   string `json:"value"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Option  string `json:"option,omitempty"`
}

// NewRecord returns the record of a container that is started with these arguments, read as cmd, and this file. Supervisor
// and Unit are left to the caller.
func NewRecord(arguments []string, cmd CommandLine, file *File) Record {
	r := Record{
		Version: RecordVersion, Name: cmd.MachineName(), Directory: cmd.place(), Arguments: withoutSecrets(arguments),
		Lines: []RecordLine{}, Unit: []RecordLine{},
	}
	for _, a := range Effective(cmd, file) {
		r.Lines = append(r.Lines, RecordLine{a.Key, a.Value, a.Origin.File, a.Origin.Line, a.Origin.Pointer, a.Origin.Option})
	}
	return r
}

// Assignment returns the line with "Section.Key" as its key.
func (l *RecordLine) Assignment() Assignment {
	return Assignment{Origin: Origin{File: l.File, Line: l.Line, Pointer: l.Pointer, Option: l.Option}, Key: l.Key, Value: l.Value}
}

// RecordFile returns the path of the record of a machine.
func RecordFile(machine string) string { return path.Join(RecordsDirectory, machine+".json") }
