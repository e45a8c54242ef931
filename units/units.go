package units

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// Container is one container with the settings of its trusted files.
type Container struct {
	Name     string // machine name, the instance of systemd-nspawn@.service; empty: all that no file describes
	Source   string // absolute path of its .nspawn file, written as SourcePath= (systemd.unit(5))
	Settings *settings.Settings
}

// Host is what Generate must know of the host.
type Host struct {
	// Root is the host's root directory, looked at for device nodes behind Bind=. With nil none are looked for.
	Root fs.FS
	// Template is the absolute path of the systemd-nspawn@.service that [Install] links point at; see [FindTemplate].
	Template string
	// Specifier returns the value of %H, %v or %m in [Install], by letter; elsewhere systemd itself expands them. With nil
	// none is known.
	Specifier func(letter byte) (value string, ok bool)
}

// Output is a set of files and links below a folder of unit files, for instance the first argument of a generator. The
// order is fixed by the input, so that the same settings always give the same bytes.
type Output struct {
	Files []File
	Links []Link
}

// File is a text file; Path is relative to the folder of unit files.
type File struct {
	Path string
	Text string
}

// Link is a symbolic link; Path is relative to the folder of unit files, Target is what the link says.
type Link struct {
	Path, Target string
}

// Append adds the files and links of other.
func (o *Output) Append(other Output) {
	o.Files = append(o.Files, other.Files...)
	o.Links = append(o.Links, other.Links...)
}

// Generate returns the drop-in and the links that make systemd-nspawn@NAME.service follow the container's settings, and
// what had to be left out of them. An error among the problems means that the container must not start as it is.
func Generate(c Container, host Host) (Output, []settings.Problem) {
	g := generate(c, host)
	if !g.named {
		return Output{}, g.problems
	}
	return Output{
		Files: []File{{Path: DropIn(c.Name), Text: g.text()}},
		Links: g.links,
	}, g.problems
}

// Lines returns the lines that the unit gets of a container's settings, each with the line of the .nspawn file that asks for
// it: those of the drop-in, and those of [Install], one for each link.
func Lines(c Container, host Host) []settings.Statement {
	g := generate(c, host)
	return slices.Concat(g.unit.lines, g.service.lines, g.install.lines)
}

// DropIn returns the path of the drop-in of a container, relative to the folder of unit files. It comes before all those
// of an administrator, but for those that are named to come before. Without a machine it is that of the template.
func DropIn(machine string) string {
	if machine == "" {
		return ServiceName("") + ".d/" + sharedDropIn
	}
	return ServiceName(machine) + ".d/05-" + machine + ".nspawn.conf"
}

// sharedDropIn is the name of the template's drop-in, made of the drop-ins for all containers.
const sharedDropIn = "05-nspawn.d.conf"

// WithoutShared returns the link that keeps the template's drop-in from a container whose own has the same lines: systemd would
// add up lists such as ExecStartPre=.
func WithoutShared(machine string) Link {
	return Link{Path: ServiceName(machine) + ".d/" + sharedDropIn, Target: "/dev/null"}
}

// Check returns what Generate has to say about a container's settings, without the output: nspawn-exec, which reads the
// files again at start, refuses to start a container with an error among it. root is the host's root directory.
func Check(c Container, root fs.FS) []settings.Problem {
	return generate(c, Host{Root: root, Specifier: SpecifierOf(root)}).problems
}

// generation is the state of one call of Generate.
type generation struct {
	container Container
	host      Host
	named     bool // a machine can have the container's name
	unit      section
	service   section
	install   section // what the links say
	links     []Link
	problems  []settings.Problem
}

// generate makes the lines. The user's own follow ours, so that the user can reset our lists.
func generate(c Container, host Host) *generation {
	g := &generation{
		container: c, host: host, named: c.Name == "" || settings.ValidMachineName(c.Name),
		unit: section{name: "Unit"}, service: section{name: "Service"}, install: section{name: "Install"},
	}
	if !g.named {
		g.errorf(settings.Origin{File: c.Source}, "%q is not a machine name: letters, digits, '-' and '.' only, at most 64", c.Name)
		return g
	}
	g.unit.add(settings.Origin{File: c.Source}, "SourcePath", escapeSpecifiers(c.Source))
	g.mounts()
	g.devicesOfLinks()
	g.passThrough(c.Settings.Unit, &g.unit)
	g.deviceAllow()
	g.passThrough(c.Settings.Service, &g.service)
	if c.Name != "" { // links are for containers that a file describes
		g.makeLinks()
	}
	return g
}

func (g *generation) errorf(origin settings.Origin, format string, args ...any) {
	g.report(origin, settings.Error, format, args...)
}

func (g *generation) warnf(origin settings.Origin, format string, args ...any) {
	g.report(origin, settings.Warning, format, args...)
}

func (g *generation) report(origin settings.Origin, severity settings.Severity, format string, args ...any) {
	g.problems = append(g.problems, settings.Problem{Origin: origin, Severity: severity, Text: fmt.Sprintf(format, args...)})
}

// text returns the text of the drop-in.
func (g *generation) text() string {
	var b strings.Builder
	b.Grow(512)
	b.WriteString("# Written by nspawn-generator from " + comment(g.container.Source) + ".\n")
	b.WriteString("# Do not edit: the next daemon-reload writes this file anew. Use \"systemctl edit\" instead.\n")
	g.unit.writeTo(&b)
	g.service.writeTo(&b)
	return b.String()
}
