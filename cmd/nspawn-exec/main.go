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
		tree := treeToClean(&cmd)
		if err := container.Cleanup(cmd.MachineName(), tree); err != nil {
			return fail(err)
		}
		return 0
	}
	plan, err := makePlan(&cmd, log)
	if err != nil {
		return fail(err)
	}
	if cmd.DryRun {
		printSteps(plan)
		return 0
	}
	status, err := runContainer(plan, notifier, log)
	if err != nil {
		return max(fail(err), status)
	}
	return status
}

// directoryOf finds the container's root: --directory=, --mstack=, the machine's image, or the working directory. A mount stack
// becomes that of the command line.
func directoryOf(cmd *settings.CommandLine) (string, error) {
	switch {
	case cmd.Directory != "":
		directory, err := resolve(cmd.Directory)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			parent, err := resolve(filepath.Dir(cmd.Directory))
			return filepath.Join(parent, filepath.Base(cmd.Directory)), err
		}
		return directory, err
	case cmd.Bundle != "":
		return "", fmt.Errorf("--oci-bundle=%s: there is no root directory", cmd.Bundle) // or it would be that of --directory=
	case cmd.Stack != "":
		stack, err := resolve(cmd.Stack)
		if err != nil {
			return "", fmt.Errorf("--mstack: %w", err)
		}
		cmd.Stack = stack
		return stack, nil
	case cmd.Machine != "":
		found, err := image.Find(os.DirFS("/"), cmd.Machine)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			return image.New(cmd.Machine), nil
		}
		if found.Stack {
			cmd.Stack = found.Path
		}
		return found.Path, err
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

func makePlan(cmd *settings.CommandLine, log *logger) (*container.Plan, error) {
	if err := pickVersions(cmd); err != nil {
		return nil, err
	}
	bundle, bundleProblems, err := readBundle(cmd)
	if err != nil {
		return nil, err
	}
	directory, directoryErr := directoryOf(cmd)
	named := cmd.Machine != ""
	if directoryErr == nil {
		cmd.Directory = directory
		if !named && directory == "/" {
			cmd.Machine = container.MachineName(directory)
		}
	}
	file, problems := bundle.File, bundleProblems
	if file == nil {
		file, problems = cmd.Load(readRoot())
	}
	record := settings.NewRecord(os.Args[1:], *cmd, file)
	if cmd.KeepUnit {
		record.Unit = units.Recorded(units.Loaded(readRoot(), record.Name))
	}
	effective, more := settings.Combine(*cmd, file)
	problems = append(problems, more...)
	// The generator has left these lines out of the unit; the container must not run as if they were not there.
	unit := units.Container{Name: effective.Machine, Source: file.Path, Settings: &effective}
	if cmd.Bundle == "" {
		problems = append(problems, units.Check(unit, readRoot())...)
	}
	if kernel.HasSystemd() && cmd.Bundle == "" {
		problems = append(problems, units.NotInForce(unit, readRoot(), cmd.KeepUnit)...)
	}
	if err := log.problems(problems); err != nil {
		return nil, err
	}
	if directoryErr != nil {
		return nil, directoryErr
	}
	directory = treeOf(directory) // a machine may be a link; its file is beside the link, its lock beside the tree
	effective.Directory = directory
	suffix := copySuffix()
	if !named && effective.Exec.Ephemeral && effective.Origin("Exec.Ephemeral").Option != "" {
		effective.Machine = container.EphemeralMachine(effective.Machine, suffix)
		record.Name = effective.Machine
	}
	template, missing, err := findTemplate(cmd, directory)
	if err != nil {
		return nil, err
	}
	source := directory
	if missing {
		source = template
	} else if template != "" {
		log.print(container.Info, fmt.Sprintf("Directory %s already exists, not populating from template %s.", directory, template))
	}
	stack, err := readStack(cmd)
	if err != nil {
		return nil, err
	}
	host, err := container.Gather(&effective, source, stack)
	if err != nil {
		return nil, err
	}
	options := container.Options{
		KeepUnit: cmd.KeepUnit, Register: cmd.Register, Console: cmd.Console, Slice: cmd.Slice,
		HasSystemd: kernel.HasSystemd(), Quiet: cmd.Quiet, Suffix: suffix, Template: template, Populate: missing,
		Stack: stack, Credentials: cmd.Credentials,
	}
	if cmd.Console == "" {
		options.Console = bundle.Console
	}
	plan, err := container.Decide(effective, options, host)
	if err != nil {
		return nil, err
	}
	plan.Record = record
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

func runContainer(plan *container.Plan, notifier machined.Notifier, log *logger) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGWINCH)
	signal.Ignore(syscall.SIGPIPE)
	supervisor := container.NewSupervisor(plan, notifier, log.print)
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
	supervisor, outer, inner := plan.Steps()
	for _, list := range []struct {
		title string
		names []string
	}{{"supervisor", supervisor}, {"outer", outer}, {"inner", inner}} {
		for _, name := range list.names {
			fmt.Printf("%-10s %s\n", list.title, name)
		}
	}
}
