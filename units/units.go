package units

import (
	"fmt"
	"io/fs"
	"strings"

	"nspawnkit/settings"
)

// Container is one container with the settings of its trusted files.
type Container struct {
	Name     string // machine name, the instance of systemd-nspawn@.service
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
	g := generation{container: c, host: host}
	if !settings.ValidMachineName(c.Name) {
		g.errorf(settings.Origin{File: c.Source}, "%q is not a machine name: letters, digits, '-' and '.' only, at most 64", c.Name)
		return Output{}, g.problems
	}
	text := g.dropIn()
	g.install()
	g.out.Files = append(g.out.Files, File{
		Path: ServiceName(c.Name) + ".d/05-" + c.Name + ".nspawn.conf",
		Text: text,
	})
	return g.out, g.problems
}

// Check returns what Generate has to say about a container's settings, without the output: nspawn-exec, which reads the
// files again at start, refuses to start a container with an error among it. root is the host's root directory.
func Check(c Container, root fs.FS) []settings.Problem {
	_, problems := Generate(c, Host{Root: root, Specifier: SpecifierOf(root)})
	return problems
}

// generation is the state of one call of Generate.
type generation struct {
	container Container
	host      Host
	out       Output
	problems  []settings.Problem
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

// dropIn returns the text of the drop-in. The user's own lines follow ours, so that the user can reset our lists.
func (g *generation) dropIn() string {
	var b strings.Builder
	b.Grow(512)
	fmt.Fprintf(&b, "# Written by nspawn-generator from %s.\n", comment(g.container.Source))
	b.WriteString("# Do not edit: the next daemon-reload writes this file anew. Use \"systemctl edit\" instead.\n")

	var unit section
	unit.add("SourcePath", escapeSpecifiers(g.container.Source))
	g.mounts(&unit)
	g.devicesOfLinks(&unit)
	g.passThrough("Unit", g.container.Settings.Unit, &unit)
	unit.writeTo(&b, "Unit")

	var service section
	g.deviceAllow(&service)
	g.passThrough("Service", g.container.Settings.Service, &service)
	service.writeTo(&b, "Service")
	return b.String()
}
