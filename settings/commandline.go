package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Mode is the mode of --settings=: whether a .nspawn file is read and which side wins.
type Mode string

// The modes of --settings=.
const (
	SettingsYes      Mode = "yes"      // the command line wins; the default
	SettingsNo       Mode = "no"       // no file is read
	SettingsOverride Mode = "override" // the file wins, as in the unit
	SettingsTrusted  Mode = "trusted"  // the command line wins, a file beside the image is trusted
)

// CommandLine is what the command line of systemd-nspawn(1) says. What a key of the .nspawn file says too is inside and
// comes out of [Combine].
type CommandLine struct {
	Help             bool   // --help: print [Help]
	Topic            string // --help=: of what
	Version          bool   // --version
	ListCapabilities bool   // --capability=help: print the known capabilities
	ListConsoles     bool   // --console=help: print the modes
	DryRun           bool   // --dry-run: print the steps, start nothing
	Cleanup          bool   // --cleanup: remove what an earlier run left behind, start nothing

	Machine       string // --machine=, a valid machine name, or empty
	Directory     string // --directory=, possibly relative to the working directory, or empty
	Template      string // --template=, possibly relative to the working directory, or empty
	Stack         string // --mstack=, possibly relative to the working directory, or empty
	Bundle        string // --oci-bundle=, possibly relative to the working directory, or empty
	Image         DiskImage
	Settings      Mode       // --settings=
	Quiet         bool       // --quiet
	KeepUnit      bool       // --keep-unit
	Register      string     // --register=: "yes", "no" or "auto"
	Slice         string     // --slice=, or empty: machine.slice
	Properties    []Property // --property=, in their order
	NoAskPassword bool       // --no-ask-password
	Console       string     // --console=: "interactive", "read-only", "passive", "pipe", "autopipe", or empty: by the terminal
	Background    *string    // --background=: parameters of SGR, or nil: by the terminal

	BindUserGroups []string // --bind-user-group=, each once

	SELinuxContext      string // --selinux-context=, or empty
	SELinuxAPIFSContext string // --selinux-apifs-context=, or empty

	ForwardJournal ForwardJournal // --forward-journal=, --forward-journal-max-use=, …

	Environment Environment // of nspawn-exec itself

	Credentials []Credential // --set-credential=, --load-credential=, each ID once

	// Parameters are the arguments behind the options: the command, or with --boot the arguments of init.
	Parameters []string

	assignments []assignment
	scratch     Settings // checks options against those before
	environ     []string // of the program, for --setenv=NAME
	processTwo  bool     // -a was given
}

// MachineName returns the name of the container: that of --machine=, or one made of the last component of Directory
// or the image, or nothing if there is neither (then the working directory is meant) or the directory is "/".
func (c *CommandLine) MachineName() string {
	if c.Machine != "" {
		return c.Machine
	}
	return c.placeName()
}

// machinesDirectory is where machinectl(1) keeps images.
const machinesDirectory = "/var/lib/machines"

// Load reads the .nspawn file of the container as --settings= says; [SettingsNo] gives an empty File. An absolute
// Directory or image tells where the file beside the image is, /var/lib/machines without it.
func (c *CommandLine) Load(fsys fs.FS) (*File, []Problem) {
	if c.Settings == SettingsNo {
		return &File{}, nil
	}
	return c.LoadFrom(Scan(fsys))
}

// LoadFrom is [CommandLine.Load] for trusted folders that were read already.
func (c *CommandLine) LoadFrom(folders *Folders) (*File, []Problem) {
	if c.Settings == SettingsNo {
		return &File{}, nil
	}
	imageDir := machinesDirectory
	if place := c.place(); path.IsAbs(place) {
		imageDir = path.Dir(path.Clean(place))
	}
	return folders.load(c.MachineName(), imageDir, c.Settings == SettingsTrusted)
}

// ParseCommandLine reads the arguments of systemd-nspawn(1) without the name of the program, with the habits of
// getopt_long(3): abbreviated long options, short options in one word, and everything from the first argument that is no
// option on belongs to the container. environ is the environment of the program as of os.Environ; "--setenv=NAME" takes
// the value from there. The error is for people and names the option.
func ParseCommandLine(args []string, environ ...string) (CommandLine, error) {
	c := CommandLine{Settings: SettingsYes, Register: "auto", environ: environ}
	environmentErr := c.takeEnvironment()
	g := getopt{args: args}
	for {
		o, argument, err := g.next()
		if err == nil && o == nil {
			break
		}
		if err == nil {
			err = c.take(o, argument)
		}
		if err != nil {
			return CommandLine{}, usageError(o, err)
		}
		if c.Help || c.Version || c.ListCapabilities || c.ListConsoles {
			return c, nil // the rest is not looked at, as in systemd-nspawn
		}
	}
	c.Parameters = g.args
	if err := c.check(); err != nil {
		return c, err
	}
	if environmentErr != nil && !c.Cleanup {
		return c, environmentErr
	}
	return c, c.finishForwardJournal()
}

// UsageError is a mistake in one option.
type UsageError struct {
	err error
	See string // what describes the option, such as "Zone= in nspawnkit.nspawn(5)"
}

func (e *UsageError) Error() string { return e.err.Error() }

func (e *UsageError) Unwrap() error { return e.err }

// usageError adds where to read about an option. Without one it is not known which was meant.
func usageError(o *option, err error) error {
	switch {
	case isUnsupported(err):
		return err
	case o == nil:
		return &UsageError{err, "nspawn-exec --help=all"}
	case o.key != nil:
		return &UsageError{err, o.key.Name + "= in nspawnkit.nspawn(5)"}
	}
	return &UsageError{err, o.String() + " in nspawn-exec(1)"}
}

// take stores one option.
func (c *CommandLine) take(o *option, argument string) error {
	origin := Origin{Option: o.String()}
	if o.key == nil {
		if o.set == nil {
			return unsupported(o.String())
		}
		if err := o.set(c, value{argument, origin}); err != nil {
			if o.secret || o.arg == NextArgument && argument == "" {
				return fmt.Errorf("%s: %w", o, err)
			}
			return optionError(o.String(), argument, err)
		}
		return nil
	}
	switch o.key.Name {
	case "ProcessTwo":
		c.processTwo = true
	case "Environment":
		argument = c.completeVariable(argument)
	case "Capability", "DropCapability", "AmbientCapability":
		c.ListCapabilities = c.ListCapabilities || argument == "help"
	}
	if c.ListCapabilities {
		return nil
	}
	return c.assign(o.key, value{argument, origin})
}

// assign keeps the value of a key's own option.
func (c *CommandLine) assign(key *Key, v value) error {
	err := c.add(key, v)
	switch {
	case err == nil:
		return nil
	case err == key.unsupported():
		return unsupported(v.origin.Option)
	}
	return optionError(v.origin.Option, v.text, err)
}

// add checks and keeps a value of a key.
func (c *CommandLine) add(key *Key, v value) error {
	if v.text == "" && key.Empty == EmptyIgnored {
		return nil
	}
	if err := key.check(&c.scratch, v); err != nil {
		return err
	}
	c.assignments = append(c.assignments, assignment{key, v, true})
	return nil
}

// completeVariable adds the value of the program's own environment to a NAME without one.
func (c *CommandLine) completeVariable(argument string) string {
	if strings.Contains(argument, "=") {
		return argument
	}
	for _, variable := range c.environ {
		if strings.HasPrefix(variable, argument+"=") {
			return variable
		}
	}
	return argument + "="
}

// check refuses options that cannot go together.
func (c *CommandLine) check() error {
	boot := false
	for _, a := range c.assignments {
		boot = boot || a.key.Name == "Boot"
	}
	switch {
	case boot && c.processTwo:
		return errors.New("--boot and --as-pid2 may not be combined")
	case c.places() > 1:
		return errors.New("--directory, --image, --mstack and --oci-bundle may not be combined")
	case c.Template != "" && (c.Image.Path != "" || c.Stack != "" || c.Bundle != ""):
		return errors.New("--template makes a directory: it may not be combined with --image, --mstack or --oci-bundle")
	case c.Template != "" && c.Machine == "" && c.Directory == "":
		return errors.New("--template needs --directory= or --machine=")
	case c.Cleanup && c.Machine == "" && c.place() == "":
		return errors.New("--cleanup needs --machine=, --directory=, --image=, --mstack= or --oci-bundle=")
	}
	return nil
}

// optionError names the option and its argument.
func optionError(option, argument string, err error) error {
	return fmt.Errorf("%s=%s: %w", option, printable(argument), err)
}
