package generator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// Edit is one line of a container's files that says something else than what systemd has loaded, or than what the
// container was started with.
type Edit struct {
	Origin string       `json:"origin"` // FILE:LINE; FILE if the line is gone
	Key    string       `json:"key"`    // "Section.Key", of the file or of the unit
	Old    *string      `json:"old"`    // null: there was no such line
	New    *string      `json:"new"`    // null: the line is gone
	Effect units.Effect `json:"effect"`
	Reload bool         `json:"reload"` // systemd must load it first
	Reason string       `json:"reason"`
}

// Difference is what was edited of one container.
type Difference struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	Edits   []Edit `json:"edits"`
	// Errors are FILE:LINE and text of what keeps the container from its next start.
	Errors []string `json:"errors"`
	// Commands, to be typed in this order, make the edits count. There are none as long as there are errors, or if somebody
	// started the container by hand.
	Commands []string `json:"commands"`
}

// Reload is the command that makes systemd call the generator and load what it wrote.
const Reload = "systemctl daemon-reload"

// Diff compares the files of the named containers, or of all if none is named, with what the last daemon-reload has loaded
// and with what running containers were started with. Containers without a difference are left out.
func Diff(host Host, names ...string) ([]Difference, []settings.Problem) {
	d := differ{host: host, folders: settings.Scan(host.Root), facts: host.facts()}
	known, problems := d.machines()
	if len(names) == 0 {
		names = known
	}
	var list []Difference
	for _, name := range names {
		if !slices.Contains(known, name) {
			problems = append(problems, problem(name, "no trusted .nspawn file, no drop-in and no running container has this name"))
			continue
		}
		c, err := d.compare(name)
		if err != nil {
			problems = append(problems, problem(settings.RecordFile(name), err.Error()))
		}
		if len(c.Edits)+len(c.Errors) > 0 {
			list = append(list, c)
		}
	}
	return list, problems
}

func problem(file, text string) settings.Problem {
	return settings.Problem{Origin: settings.Origin{File: file}, Severity: settings.Error, Text: text}
}

// differ is what the comparisons of all containers share.
type differ struct {
	host    Host
	folders *settings.Folders
	facts   units.Host
	links   units.Links

	described map[string]bool // by a file or a drop-in of its own
}

// machines returns the names of all containers that have a file, something in the generator's folder, or a record.
func (d *differ) machines() ([]string, []settings.Problem) {
	found, problems := d.folders.Containers()
	var loaded []string
	d.links, loaded = units.LoadedLinks(d.host.Root)
	d.described = map[string]bool{}
	for _, f := range found {
		d.described[f.Name] = true
	}
	names := maps.Clone(d.described)
	for _, name := range loaded {
		names[name] = true
	}
	records, _ := fs.Glob(d.host.Root, settings.RecordsDirectory[1:]+"/*.json")
	for _, file := range records {
		names[strings.TrimSuffix(path.Base(file), ".json")] = true
	}
	return slices.Sorted(maps.Keys(names)), slices.DeleteFunc(problems, func(p settings.Problem) bool { return p.Severity != settings.Error })
}

// compare returns what was edited of one container. The error is about its record, without which it counts as one that
// does not run.
func (d *differ) compare(name string) (Difference, error) {
	record, err := d.record(name)
	static := commandLine()
	file, _ := d.folders.Load(name, "")
	container, _ := combine(static, name, file)
	c := comparison{name: name, source: container.Source, overrides: units.Overrides(d.host.Root, name)}
	c.loaded = assignments(slices.Concat(units.Loaded(d.host.Root, name), d.links[name]))
	if !d.described[name] {
		container.Name = "" // it goes by the template's drop-in
	}
	if container.Source != "" {
		c.now = assignments(units.Lines(container, d.facts))
	}
	out := Difference{Name: name, Running: record != nil, Edits: []Edit{}, Errors: []string{}, Commands: []string{}}
	cmd := static
	if record != nil {
		if cmd, err = settings.ParseCommandLine(record.Arguments); err != nil {
			return out, fmt.Errorf("arguments: %w", err)
		}
		cmd.Directory = record.Directory
		c.start(record, cmd.KeepUnit)
	}
	next, _, problems := load(d.host, d.folders, cmd, name)
	cmd.Machine = name
	c.unitEdits()
	if record != nil {
		c.startEdits(settings.Effective(cmd, next))
	}
	out.Edits = append(out.Edits, c.edits...)
	for _, p := range problems {
		if p.Severity == settings.Error {
			out.Errors = append(out.Errors, p.String())
		}
	}
	if len(out.Errors) == 0 {
		out.Commands = append(out.Commands, c.commands()...)
	}
	return out, err
}

// record reads the record of a container; nil if the container does not run.
func (d *differ) record(name string) (*settings.Record, error) {
	data, err := fs.ReadFile(d.host.Root, settings.RecordFile(name)[1:])
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var record settings.Record
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, err
	}
	if record.Version != settings.RecordVersion {
		return nil, fmt.Errorf("version %d of the record is not known here", record.Version)
	}
	if _, err := fs.Stat(d.host.Root, fmt.Sprintf("proc/%d", record.Supervisor)); err != nil {
		return nil, nil // killed; the next start or --cleanup clears its record
	}
	return &record, nil
}

// assignments writes the section in front of the key.
func assignments(lines []settings.Statement) []settings.Assignment {
	list := make([]settings.Assignment, 0, len(lines))
	for _, l := range lines {
		list = append(list, settings.Assignment{Origin: l.Origin, Key: l.Section + "." + l.Key, Value: l.Value})
	}
	return list
}
