package main

import (
	"fmt"
	"io/fs"
	"os"

	"nspawnkit/container"
	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/machined"
	"nspawnkit/settings"
	"nspawnkit/units"
)

// openRequest finds out what is asked for. Disk images are open then, also after an error.
func openRequest(cmd *settings.CommandLine, notifier machined.Notifier, log *logger) (*request, *container.Images, error) {
	sockets, names, err := kernel.InheritedSockets(os.Getenv) // before any program is started, which would inherit them, too
	if err != nil {
		return nil, nil, err
	}
	for _, warning := range cmd.Environment.Warnings {
		log.print(container.Warning, warning)
	}
	r, err := readRequest(cmd, log)
	if err != nil {
		return nil, nil, err
	}
	r.sockets = container.Sockets{Count: sockets, Names: names}
	if r.stack, err = readStack(cmd); err != nil {
		return nil, nil, err
	}
	images, err := r.openImages(notifier, log)
	return r, images, err
}

// request is what the command line and the settings ask for.
type request struct {
	cmd      *settings.CommandLine
	bundle   *settings.Bundle
	settings settings.Settings
	record   settings.Record
	place    string       // the directory, disk image or mount stack, without links
	stack    *image.Stack // nil: it is none
	sockets  container.Sockets
	suffix   string // of the copy of an ephemeral container
}

func readRequest(cmd *settings.CommandLine, log *logger) (*request, error) {
	if err := pickVersions(cmd); err != nil {
		return nil, err
	}
	bundle, problems, err := readBundle(cmd)
	if err != nil {
		return nil, err
	}
	place, placeErr := placeOf(cmd)
	named := cmd.Machine != ""
	if placeErr == nil && cmd.Image.Path == "" && cmd.Stack == "" {
		cmd.Directory = place
		if !named && place == "/" {
			cmd.Machine = container.MachineName(place)
		}
	}
	r := &request{cmd: cmd, bundle: bundle, suffix: copySuffix()}
	if err := log.problems(append(problems, r.readSettings()...)); err != nil {
		return nil, err
	}
	if placeErr != nil {
		return nil, placeErr
	}
	r.place = treeOf(place) // a machine may be a link; its file is beside the link, its lock beside the tree
	if !named && r.settings.Exec.Ephemeral && r.settings.Origin("Exec.Ephemeral").Option != "" {
		r.settings.Machine = container.EphemeralMachine(r.settings.Machine, r.suffix)
		r.record.Name = r.settings.Machine
	}
	return r, nil
}

// readSettings reads the .nspawn file, if there is no bundle, and combines it with the command line.
func (r *request) readSettings() (problems []settings.Problem) {
	file := r.bundle.File
	if file == nil {
		file, problems = r.cmd.Load(readRoot())
	}
	r.record = settings.NewRecord(os.Args[1:], *r.cmd, file)
	if r.cmd.KeepUnit {
		r.record.Unit = units.Recorded(units.Loaded(readRoot(), r.record.Name))
	}
	effective, more := settings.Combine(*r.cmd, file)
	r.settings = effective
	problems = append(problems, more...)
	if r.bundle.File != nil {
		return problems
	}
	// The generator has left these lines out of the unit; the container must not run as if they were not there.
	unit := units.Container{Name: effective.Machine, Source: file.Path, Settings: &effective}
	problems = append(problems, units.Check(unit, readRoot())...)
	if kernel.HasSystemd() {
		problems = append(problems, units.NotInForce(unit, readRoot(), r.cmd.KeepUnit)...)
	}
	return problems
}

// openImages opens the disk image that the container runs from, or those of its mount stack, if it does.
func (r *request) openImages(notifier machined.Notifier, log *logger) (*container.Images, error) {
	line := r.cmd.Image
	isStack := r.stack != nil && len(r.stack.Disks) > 0
	if isStack {
		line.Policy = "" // which is for each of them
	}
	if option := line.Option(); option != "" && line.Path == "" {
		return nil, fmt.Errorf("%s is for disk images, but %s is none", option, r.place)
	}
	if line.Path == "" && !isStack {
		return nil, nil
	}
	volatile := r.settings.Files.Volatile
	options := container.ImageOptions{
		Path: r.place, Line: r.cmd.Image, ReadOnly: r.settings.Files.ReadOnly || volatile != "" && volatile != "no",
		Ephemeral: r.settings.Exec.Ephemeral, DryRun: r.cmd.DryRun, Quiet: r.cmd.Quiet, Suffix: r.suffix, AskNobody: r.cmd.NoAskPassword,
		NoLock: r.cmd.Environment.NoLock,
	}
	tell := func(lines ...string) {
		if err := notifier.Notify(lines...); err != nil {
			log.print(container.Warning, err.Error())
		}
	}
	if isStack {
		return container.OpenStackImages(r.stack, options, log.print, tell)
	}
	return container.OpenImage(options, log.print, tell)
}

func (r *request) decide(images *container.Images, log *logger) (*container.Plan, error) {
	cmd := r.cmd
	options := container.Options{
		KeepUnit: cmd.KeepUnit, Register: cmd.Register, Console: cmd.Console, Background: cmd.Background, Slice: cmd.Slice, Properties: cmd.Properties,
		HasSystemd: kernel.HasSystemd(), Quiet: cmd.Quiet, Suffix: r.suffix, Credentials: cmd.Credentials,
		Environment: cmd.Environment, BindUserGroups: cmd.BindUserGroups, ForwardJournal: cmd.ForwardJournal, Sockets: r.sockets,
		SELinuxContext: cmd.SELinuxContext, SELinuxAPIFSContext: cmd.SELinuxAPIFSContext,
	}
	if cmd.Console == "" {
		options.Console = r.bundle.Console
	}
	options.ConsoleSize = r.bundle.ConsoleSize
	r.settings.Directory = r.place
	if directory := images.Directory(); directory != "" {
		options.Image, r.settings.Directory = r.place, directory
	}
	source := r.settings.Directory
	options.Stack = r.stack
	var err error
	if options.Template, options.Populate, err = findTemplate(cmd, source); err != nil {
		return nil, err
	}
	if options.Populate {
		source = options.Template
	} else if options.Template != "" {
		log.print(container.Info, fmt.Sprintf("%s already exists, not populating from template %s.", r.place, options.Template))
	}
	host, err := container.Gather(&r.settings, source, options.Stack, images)
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
