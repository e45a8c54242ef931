// Command nspawn-exec runs a whole operating system in a container: a drop-in for systemd-nspawn(1).
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"nspawnkit/container"
	"nspawnkit/container/capability"
	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/machined"
	"nspawnkit/settings"
	"nspawnkit/units"
)

// version is set by the build.
var version = "unknown"

func init() {
	// The container's first process dies with the thread that started it, and executes the payload from the thread that
	// changed its namespaces: both must be the main thread, which only init can be sure to run on.
	runtime.LockOSThread()
}

func main() {
	if os.Args[0] == kernel.StageName {
		_ = container.RunFirst() // the supervisor was told
		os.Exit(1)
	}
	os.Exit(run())
}

// run returns the exit status: the payload's, or 1 if there was none (systemd-nspawn(1), "EXIT STATUS").
func run() int {
	log := newLogger()
	notifier, err := machined.NewNotifier(os.Getenv)
	if err != nil {
		log.print(container.Warning, err.Error())
	}
	fail := func(err error) int {
		log.print(container.Error, err.Error())
		_ = notifier.Notify(machined.Status(err.Error()))
		return 1
	}
	cmd, err := settings.ParseCommandLine(os.Args[1:], os.Environ()...)
	if err != nil {
		return fail(err)
	}
	log.quiet = cmd.Quiet
	switch {
	case cmd.Help:
		fmt.Print(settings.Help("nspawn-exec"))
		return 0
	case cmd.Version:
		fmt.Println("nspawnkit", version)
		return 0
	case cmd.ListCapabilities:
		for number := range capability.LastKnown + 1 {
			fmt.Println(capability.Name(number))
		}
		return 0
	case os.Geteuid() != 0:
		return fail(errors.New("needs to be run as root"))
	case cmd.Cleanup:
		place, _ := placeOf(&cmd)
		if err := container.Cleanup(cmd.MachineName(), treeOf(place)); err != nil {
			return fail(err)
		}
		return 0
	}
	plan, image, err := makePlan(&cmd, notifier, log)
	if err != nil || cmd.DryRun {
		err = errors.Join(err, closeImage(image))
	}
	if err != nil {
		return fail(err)
	}
	if cmd.DryRun {
		printSteps(plan)
		return 0
	}
	status, err := runContainer(plan, image, notifier, log)
	if err != nil {
		return max(fail(err), status)
	}
	return status
}

// placeOf finds the container's root: --directory=, --image=, the machine's image, or the working directory. A disk image
// becomes that of the command line.
func placeOf(cmd *settings.CommandLine) (place string, err error) {
	switch {
	case cmd.Image.Path != "":
		if place, err = resolve(cmd.Image.Path); err != nil {
			return "", fmt.Errorf("--image: %w", err)
		}
		cmd.Image.Path = place
		return place, nil
	case cmd.Directory != "":
		directory, err := resolve(cmd.Directory)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			parent, err := resolve(filepath.Dir(cmd.Directory))
			return filepath.Join(parent, filepath.Base(cmd.Directory)), err
		}
		return directory, err
	case cmd.Machine != "":
		place, isDisk, err := image.Find(os.DirFS("/"), cmd.Machine)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			return image.New(cmd.Machine), nil
		}
		if isDisk {
			cmd.Image.Path = place
		}
		return place, err
	}
	return os.Getwd()
}

// mayBeMissing reports whether the root directory may be missing: it is made from a template, or its left-over copies are
// looked for.
func mayBeMissing(cmd *settings.CommandLine) bool { return cmd.Template != "" || cmd.Cleanup }

// resolve returns the absolute path without links.
func resolve(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}

// treeOf returns the directory that a path leads to, or the path if nothing is there.
func treeOf(directory string) string {
	if resolved, err := filepath.EvalSymlinks(directory); err == nil {
		return resolved
	}
	return directory
}

// findTemplate returns the template, or nothing if none was asked for. missing says that it is needed.
func findTemplate(cmd *settings.CommandLine, directory string) (template string, missing bool, err error) {
	if cmd.Template == "" {
		return "", false, nil
	}
	if template, err = resolve(cmd.Template); err != nil {
		return "", false, fmt.Errorf("--template: %w", err)
	}
	_, err = os.Lstat(directory)
	return template, errors.Is(err, fs.ErrNotExist), nil
}

// makePlan decides what to do. A disk image is open then, also after an error.
func makePlan(cmd *settings.CommandLine, notifier machined.Notifier, log *logger) (*container.Plan, *container.Image, error) {
	r, err := readRequest(cmd, log)
	if err != nil {
		return nil, nil, err
	}
	image, err := r.openImage(notifier, log)
	if err != nil {
		return nil, image, err
	}
	plan, err := r.decide(image, log)
	return plan, image, err
}

// request is what the command line and the settings ask for.
type request struct {
	cmd      *settings.CommandLine
	settings settings.Settings
	record   settings.Record
	place    string // the directory or disk image, without links
	suffix   string // of the copy of an ephemeral container
}

func readRequest(cmd *settings.CommandLine, log *logger) (*request, error) {
	place, placeErr := placeOf(cmd)
	named := cmd.Machine != ""
	if placeErr == nil && cmd.Image.Path == "" {
		cmd.Directory = place
		if !named && place == "/" {
			cmd.Machine = container.MachineName(place)
		}
	}
	file, problems := cmd.Load(readRoot())
	record := settings.NewRecord(os.Args[1:], *cmd, file)
	if cmd.KeepUnit {
		record.Unit = units.Recorded(units.Loaded(readRoot(), record.Name))
	}
	effective, more := settings.Combine(*cmd, file)
	problems = append(problems, more...)
	// The generator has left these lines out of the unit; the container must not run as if they were not there.
	unit := units.Container{Name: effective.Machine, Source: file.Path, Settings: &effective}
	problems = append(problems, units.Check(unit, readRoot())...)
	if kernel.HasSystemd() {
		problems = append(problems, units.NotInForce(unit, readRoot(), cmd.KeepUnit)...)
	}
	if err := log.problems(problems); err != nil {
		return nil, err
	}
	if placeErr != nil {
		return nil, placeErr
	}
	// A machine may be a link; its file is beside the link, its lock beside the tree.
	r := &request{cmd: cmd, settings: effective, record: record, place: treeOf(place), suffix: copySuffix()}
	if !named && effective.Exec.Ephemeral && effective.Origin("Exec.Ephemeral").Option != "" {
		r.settings.Machine = container.EphemeralMachine(effective.Machine, r.suffix)
		r.record.Name = r.settings.Machine
	}
	return r, nil
}

// openImage opens the disk image that the container runs from, if it does.
func (r *request) openImage(notifier machined.Notifier, log *logger) (*container.Image, error) {
	if r.cmd.Image.Path == "" {
		if option := r.cmd.Image.Option(); option != "" {
			return nil, fmt.Errorf("%s is for disk images, but %s is a directory", option, r.place)
		}
		return nil, nil
	}
	volatile := r.settings.Files.Volatile
	return container.OpenImage(container.ImageOptions{
		Path: r.place, Line: r.cmd.Image, ReadOnly: r.settings.Files.ReadOnly || volatile != "" && volatile != "no",
		Ephemeral: r.settings.Exec.Ephemeral, DryRun: r.cmd.DryRun, Quiet: r.cmd.Quiet, Suffix: r.suffix, AskNobody: r.cmd.NoAskPassword,
	}, log.print, func(lines ...string) {
		if err := notifier.Notify(lines...); err != nil {
			log.print(container.Warning, err.Error())
		}
	})
}

func closeImage(image *container.Image) error {
	if image == nil {
		return nil
	}
	return image.Close()
}

func (r *request) decide(image *container.Image, log *logger) (*container.Plan, error) {
	cmd := r.cmd
	options := container.Options{
		KeepUnit: cmd.KeepUnit, Register: cmd.Register, Console: cmd.Console, Slice: cmd.Slice,
		HasSystemd: kernel.HasSystemd(), Quiet: cmd.Quiet, Suffix: r.suffix, Credentials: cmd.Credentials,
	}
	r.settings.Directory = r.place
	if image != nil {
		options.Image, r.settings.Directory = r.place, image.Directory()
	}
	source := r.settings.Directory
	var err error
	if options.Template, options.Populate, err = findTemplate(cmd, source); err != nil {
		return nil, err
	}
	if options.Populate {
		source = options.Template
	} else if options.Template != "" {
		log.print(container.Info, fmt.Sprintf("%s already exists, not populating from template %s.", r.place, options.Template))
	}
	host, err := container.Gather(&r.settings, source)
	if err != nil {
		return nil, err
	}
	plan, err := container.Decide(r.settings, options, host)
	if err != nil {
		return nil, err
	}
	plan.Record = r.record
	for _, warning := range plan.Warnings {
		log.print(container.Warning, warning)
	}
	if plan.UUID == "" {
		plan.UUID = container.RandomID()
	}
	plan.Identify(plan.UUID)
	return plan, nil
}

// suffixVariable keeps the name of an ephemeral machine over its reboots.
const suffixVariable = "NSPAWNKIT_EPHEMERAL_SUFFIX"

// copySuffix returns the suffix of the copy that an ephemeral container runs from, at a reboot the same again.
func copySuffix() string {
	if suffix := os.Getenv(suffixVariable); image.ValidSuffix(suffix) {
		return suffix
	}
	return container.RandomSuffix()
}

// readRoot is where files of the host are read: tests and images built offline put something before it.
func readRoot() fs.FS {
	if root := os.Getenv("NSPAWNKIT_ROOT"); root != "" {
		return os.DirFS(root)
	}
	return os.DirFS("/")
}

func runContainer(plan *container.Plan, image *container.Image, notifier machined.Notifier, log *logger) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGWINCH)
	signal.Ignore(syscall.SIGPIPE)
	supervisor := container.NewSupervisor(plan, image, notifier, log.print)
	if err := supervisor.Start(); err != nil {
		supervisor.Close()
		return 1, err
	}
	watchdog, _ := machined.Watchdog(os.Getenv, os.Getpid())
	end, err := supervisor.Watch(signals, watchdog)
	supervisor.Close()
	if err == nil && end.Reboot && !plan.Options.KeepUnit {
		// A fresh program is a fresh start: nothing of the old container can be left over.
		_ = os.Setenv(suffixVariable, plan.Options.Suffix)
		err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	return end.Status, err
}

func printSteps(plan *container.Plan) {
	image, supervisor, outer, inner := plan.Steps()
	for _, list := range []struct {
		title string
		names []string
	}{{"image", image}, {"supervisor", supervisor}, {"outer", outer}, {"inner", inner}} {
		for _, name := range list.names {
			fmt.Printf("%-10s %s\n", list.title, name)
		}
	}
}
