package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/network"
	"nspawnkit/network/kernel/link"
	"nspawnkit/settings"
)

// Supervisor starts one container.
type Supervisor struct {
	Running
	plan *Plan

	dev, run    kernel.Tree
	shared      sharedDirectories
	users       []*boundUser
	services    []service // of the host, shown inside
	delegated   []uint32  // first users of the ranges for containers inside
	credentials *kernel.Tree
	root        kernel.Tree
	stack       openedStack // that root is made of
	stackPlace  string      // of the workshop where it is once it is put together
	custom      []openedMount
	late        []TreeMount // what of custom the first process mounts, and the trees of it
	lateTrees   []kernel.Tree
	channel     *kernel.Channel
	program     *os.File
	interfaces  []int // indices of the host's links to the container, for machined
}

// NewSupervisor prepares for a plan. images are the disk images that the container has, nil if there are none; they are closed at
// the end. log takes a syslog(3) priority.
func NewSupervisor(plan *Plan, images *Images, notifier machined.Notifier, log func(priority int, text string)) *Supervisor {
	s := &Supervisor{plan: plan}
	s.begin(notifier, log)
	s.machine, s.watchdog.Limit, s.starting = plan.Settings.Machine, plan.Watchdog, plan.Settings.Exec.NotifyReady
	s.watching = watching{
		Mode: plan.Options.Console, Display: plan.Display, NotifyReady: plan.Settings.Exec.NotifyReady,
		KillSignal: plan.Settings.Exec.KillSignal, Quiet: plan.Options.Quiet,
	}
	s.Images = images
	s.Again = Again{
		Itself: !plan.Options.KeepUnit, Suffix: plan.Options.Suffix, Sockets: plan.Options.Sockets.Count, Environment: os.Environ(),
	}
	return s
}

// Start takes the steps of the supervisor and outer lists. What a failed start has made is removed by [Running.Close].
func (s *Supervisor) Start() (*Running, error) {
	err := s.takeSteps()
	if s.Images != nil {
		s.closeMounts()
		err = errors.Join(err, s.Images.leave())
	}
	return &s.Running, err
}

func (s *Supervisor) takeSteps() error {
	halt := newHalt()
	for _, list := range []struct {
		name  string
		steps []step[*Supervisor]
	}{{"supervisor", supervisor()}, {"outer", outer()}} {
		for _, step := range list.steps {
			if step.when != nil && !step.when(&s.plan.Inside) {
				continue
			}
			if err := step.do(s); err != nil {
				var inside insideError
				if errors.As(err, &inside) {
					return inside
				}
				return s.explain(named(step.name, err))
			}
			halt(list.name, step.name)
		}
	}
	return nil
}

// insideError is what the first process said of a step of its own that failed.
type insideError string

func (e insideError) Error() string { return string(e) }

// explain prefers what the first process said over the supervisor's own error: if it gave up, that is why.
func (s *Supervisor) explain(err error) error {
	if s.child == nil || s.channel == nil {
		return err
	}
	_ = s.child.Signal(kernel.Kill)
	for {
		message, files, receiveErr := s.channel.Receive()
		for _, file := range files {
			file.Close()
		}
		if receiveErr != nil {
			return err
		}
		if _, ready := cutReady(string(message)); !ready && string(message) != messageHere {
			return insideError(message)
		}
	}
}

func (s *Supervisor) lockTree() error {
	if s.plan.Options.Environment.NoLock {
		return nil
	}
	if s.plan.Options.Image != "" {
		return nil // its steps have locked it
	}
	if s.plan.Inside.Ephemeral {
		return s.lockCopy()
	}
	if s.plan.Options.Populate {
		return s.lockTemplate()
	}
	if s.plan.Settings.Directory == "/" {
		return nil // the host runs from it; the container, which is volatile then, only reads
	}
	locks, err := lockPlace(s.plan.Settings.Directory, s.plan.Inside.ReadOnly || isVolatile(&s.plan.Settings))
	s.Locks = append(s.Locks, locks...)
	return err
}

// lockPlace takes the locks of a directory tree or a disk image.
func lockPlace(place string, shared bool) (locks []*kernel.Lock, err error) {
	byName, byInode, err := kernel.TreeLocks(place)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{byName, byInode} {
		if path == "" {
			continue
		}
		lock, err := lockSoon(path, shared)
		switch {
		case errors.Is(err, kernel.ErrBusy):
			return locks, fmt.Errorf("directory tree %s is currently busy: %s runs from it", place, placeHolder(place))
		case errors.Is(err, kernel.ErrReadOnlyFileSystem):
			continue // nobody can have it there either
		case err != nil:
			return locks, err
		}
		locks = append(locks, lock)
	}
	return locks, nil
}

// lockSoon is [kernel.LockFile] with some patience: a child of a supervisor that was killed has its locks until it is dead, too.
func lockSoon(path string, shared bool) (lock *kernel.Lock, err error) {
	for range 20 {
		if lock, err = kernel.LockFile(path, shared); !errors.Is(err, kernel.ErrBusy) {
			return lock, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return lock, err
}

func (s *Supervisor) writeMachine() error {
	data, err := json.MarshalIndent(s.plan.Machine, "", "  ")
	if err != nil {
		return err
	}
	s.Links = &s.plan.Machine
	return writeAtomically(machineFile(s.plan.Settings.Machine), append(data, '\n'), 0o644)
}

func machineFile(machine string) string {
	return filepath.Join(network.MachinesDirectory, machine+".json")
}

// recordSettings writes down what the container is started with, readable by root only: Environment= may hold secrets. Nobody
// needs it to run a container, so a failure is a warning.
func (s *Supervisor) recordSettings() error {
	record := s.plan.Record
	record.Supervisor = os.Getpid()
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	if err := writeAtomically(settings.RecordFile(s.plan.Settings.Machine), append(data, '\n'), 0o600); err != nil {
		s.log(Warning, fmt.Sprintf("cannot record settings, ignoring: %v", err))
		return nil
	}
	s.Recorded = true
	return nil
}

// partSuffix ends the name of a file that is being written; who is killed then leaves it to --cleanup and to the next start.
const partSuffix = ".new"

// writeAtomically lets nobody see a file that is not whole, or that is not yet of its mode.
func writeAtomically(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := path + partSuffix
	if err := os.WriteFile(temporary, data, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func (s *Supervisor) makeHostTrees() (err error) {
	dev, run := hostTrees(&s.plan.Inside)
	nodes := append(deviceNodes(&s.plan.Inside), extraNodes(s.plan.Settings.Files.Devices)...)
	if s.dev, err = s.hostTree(dev, nodes); err != nil {
		if context := s.plan.Inside.FileContext; context != "" { // which is the first that may be wrong
			err = fmt.Errorf("--selinux-apifs-context=%s: %w", context, err)
		}
		return err
	}
	s.run, err = s.hostTree(run, slices.Concat(runNodes(&s.plan.Inside), s.userNodes(), s.serviceNodes()))
	return err
}

func (s *Supervisor) hostTree(m mount, nodes []kernel.Node) (kernel.Tree, error) {
	tree, err := s.newTemporary(m.attributes, m.options...)
	if err != nil {
		return tree, err
	}
	owner := int(s.plan.Users.Start)
	return tree, tree.MakeNodes(nodes, owner, owner)
}

func (s *Supervisor) startFirst() error {
	file, err := kernel.NewSealedFile("plan", pack(s.plan.Inside))
	if err != nil {
		return err
	}
	defer file.Close()
	err = s.onHost(func() error {
		s.program, err = kernel.OwnProgram()
		return err
	})
	if err != nil {
		return err
	}
	ours, theirs, err := kernel.NewChannel()
	if err != nil {
		return err
	}
	defer theirs.Close()
	s.channel = ours
	var group *os.File
	if s.Group != nil {
		if group, err = s.Group.Open(); err != nil {
			return err
		}
		defer group.Close()
	}
	stage := kernel.Stage{
		Namespaces: s.namespaces(), Program: s.program, Group: group, Stdio: s.stdio(), Sockets: s.plan.Options.Sockets.Count, Channel: theirs, Plan: file,
	}
	if s.plan.Inside.ProcessTwo {
		stage.Stub = s.stub()
		if err := ours.AskSender(); err != nil {
			return err
		}
	}
	s.child, err = stage.Start()
	return err
}

// findSecond takes note of the payload's process with --as-pid2, whose number only the kernel knows here.
func (s *Supervisor) findSecond() error {
	if !s.plan.Inside.ProcessTwo || s.second != nil {
		return nil
	}
	pid, err := s.channel.ReceiveSender()
	if errors.Is(err, io.EOF) {
		return errors.New("the container's stub init cannot start process 2")
	}
	if err == nil {
		s.second, err = kernel.ChildOf(pid)
	}
	return err
}

// stub is process 1 of --as-pid2. Programs look for its environment, see the Container Interface.
func (s *Supervisor) stub() *kernel.Stub {
	return &kernel.Stub{
		Capabilities: s.plan.Inside.Capabilities,
		Environment:  []string{"container=systemd-nspawn", "container_uuid=" + s.plan.Inside.UUID},
	}
}

func (s *Supervisor) namespaces() kernel.Namespaces {
	namespaces := kernel.Namespaces{
		Network: s.plan.Inside.PrivateNetwork, UserStart: s.plan.Users.Start, UserCount: s.plan.Users.Count,
	}
	if s.plan.Users.Delegate > 0 { // to this very namespace
		namespaces.Users = s.Reserved[len(s.Reserved)-1].File
	}
	return namespaces
}

// stdio is what the first process inherits: the payload's own with --console=pipe, otherwise it opens its console later.
func (s *Supervisor) stdio() [3]*os.File {
	return [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
}

func (s *Supervisor) passTrees() error {
	files := []*os.File{s.root.File(), s.dev.File(), s.run.File(), s.shared.incoming.File(), s.shared.export.File()}
	if !s.plan.Inside.PrivateNetwork && s.plan.Inside.UserNamespace {
		sys, err := kernel.CloneTree("/sys", false)
		if err != nil {
			return err
		}
		if err := sys.SetAttributes(noSUIDDevExec|kernel.ReadOnly, false); err != nil {
			return err
		}
		files = append(files, sys.File())
	}
	if s.credentials != nil {
		files = append(files, s.credentials.File())
	}
	for _, tree := range s.lateTrees {
		files = append(files, tree.File())
	}
	err := s.channel.Send(s.lateMessage(), files...)
	for _, file := range files {
		file.Close()
	}
	return err
}

func (s *Supervisor) createLinks() error {
	if len(s.plan.Machine.Links) == 0 {
		return nil
	}
	conn, err := link.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, l := range s.plan.Machine.Links {
		veth, err := vethFor(l, s.child.PID)
		if err != nil {
			return err
		}
		index, bridge, err := conn.CreateVeth(veth)
		if err != nil {
			return err
		}
		if bridge != 0 {
			s.interfaces = append(s.interfaces, bridge) // where the container's addresses are
		} else {
			s.interfaces = append(s.interfaces, index)
		}
		if l.HostAltName == "" {
			continue
		}
		switch err := conn.AddAltName(index, l.HostAltName); {
		case errors.Is(err, link.ErrNoDevice), err != nil && !errors.Is(err, fs.ErrExist) && link.WaitGone(l.Host):
			return fmt.Errorf("add alternative name %s: %w", l.HostAltName, link.ErrNoDevice) // it went with the first process
		case err != nil:
			s.log(Warning, err.Error())
		}
	}
	return nil
}

func (s *Supervisor) setLimits() error {
	if err := s.findSecond(); err != nil {
		return err
	}
	for name, limit := range s.plan.Limits {
		if err := s.payload().SetResourceLimit(name, limit.Soft, limit.Hard); err != nil {
			return fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.Limit"+name), err)
		}
	}
	if cpus := s.plan.Settings.Exec.CPUAffinity; len(cpus) > 0 {
		if err := s.payload().SetCPUAffinity(cpus); err != nil {
			return at(&s.plan.Settings, "Exec.CPUAffinity", err)
		}
	}
	if adjust := s.plan.Settings.Exec.OOMScoreAdjust; adjust != nil {
		return s.payload().SetOOMScoreAdjust(*adjust)
	}
	return nil
}

// waitReady takes what the first process made for the supervisor.
func (s *Supervisor) waitReady() error {
	s.program.Close() // only here, where there is time: the kernel waits for RCU until it forgets the mount
	message, files, err := s.channel.Receive()
	if errors.Is(err, io.EOF) {
		return errors.New("the container's first process died")
	}
	if err != nil {
		return err
	}
	warnings, ready := cutReady(string(message))
	if !ready {
		return insideError(message)
	}
	for _, warning := range warnings {
		s.log(Warning, warning)
	}
	if s.plan.Inside.Console && len(files) > 0 {
		if s.console, err = kernel.Polled(files[0]); err != nil {
			return err
		}
		files = files[1:]
		s.resizeConsole()
	}
	if len(files) != 1 {
		return fmt.Errorf("the container's first process sent %d files", len(files))
	}
	s.notify, err = kernel.NotifySocketFrom(files[0])
	return err
}

// letGo waits until the payload was executed: the channel closes then.
func (s *Supervisor) letGo() error {
	if err := s.channel.Send([]byte(messageGo)); err != nil {
		return err
	}
	message, _, err := s.channel.Receive()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return insideError(message)
}
