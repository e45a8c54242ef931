package container

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// usersDirectory has the locks of user ranges.
const usersDirectory = "/run/systemd/nspawn-uid"

// RandomSuffix returns what tells the copies of one directory, and the machines that run from them, apart.
func RandomSuffix() string {
	return hex.EncodeToString(kernel.Random(8))
}

// MachineName returns the name of a machine that runs from a directory and was not given one, as of --machine= in
// systemd-nspawn(1): the last component, or the host's name for its own root.
func MachineName(directory string) string {
	if directory == "/" {
		name, _ := os.Hostname()
		return name
	}
	if info, err := os.Stat(directory); err == nil && !info.IsDir() { // a disk image
		return (&settings.CommandLine{Image: settings.DiskImage{Path: directory}}).MachineName()
	}
	return (&settings.CommandLine{Directory: directory}).MachineName()
}

// EphemeralMachine returns the name of a machine that runs from the copy with a suffix and was not given one: so that many can
// run from one image (systemd-nspawn(1), --machine=).
func EphemeralMachine(base, suffix string) string {
	base = base[:min(len(base), 64-len(suffix)-1)] // 64 is the length of a host name
	return strings.TrimRight(base, "-.") + "-" + suffix
}

// copiesOf returns where the temporary copies of the directory are.
func copiesOf(directory string) (image.Copies, error) {
	place, err := os.OpenFile(directory, kernel.PathOnly, 0)
	if errors.Is(err, os.ErrNotExist) { // it is still to be made, from a template
		return image.CopiesOf(directory, false), nil
	}
	if err != nil {
		return image.Copies{}, err
	}
	defer place.Close()
	return image.CopiesOf(directory, kernel.IsMountPoint(place)), nil
}

// lockCopy takes a name for the copy. Whoever holds its lock is using it.
func (s *Supervisor) lockCopy() error {
	copies, err := copiesOf(s.plan.Settings.Directory)
	if err != nil {
		return err
	}
	name := copies.Name(s.plan.Options.Suffix)
	lock, err := kernel.LockFile(filepath.Join(copies.Parent, ".#"+name+".lck"), false)
	if err != nil {
		return err
	}
	s.Locks = append(s.Locks, lock)
	s.Copy = filepath.Join(copies.Parent, name)
	return nil
}

// copyTree makes the copy that the container runs from.
func (s *Supervisor) copyTree() error {
	source := s.plan.Settings.Directory
	copies, err := copiesOf(source)
	if err != nil {
		return err
	}
	if err := s.populate(source, s.Copy, copies.Skip); err != nil {
		return fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.Ephemeral"), err)
	}
	s.plan.Settings.Directory = s.Copy
	return nil
}

// populate makes a new directory from another: a snapshot, or else a copy.
func (s *Supervisor) populate(source, target string, skip func(string) bool) error {
	parent, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	defer parent.Close()
	opened, err := os.Open(source)
	if err != nil {
		return err
	}
	defer opened.Close()
	name := filepath.Base(target)
	if kernel.IsSubvolume(opened) {
		err := kernel.Snapshot(opened, parent, name, skip)
		if !errors.Is(err, kernel.ErrOtherFileSystem) {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	progress := newProgress("Copying "+source, s.plan.Options.Quiet, s.tell)
	if err := kernel.CopyTree(ctx, source, parent, name, skip, progress.report); err != nil {
		progress.end()
		return fmt.Errorf("copy %s: %w", source, err)
	}
	progress.end()
	s.log(Info, fmt.Sprintf("Copied %s to %s: %s.", source, target, progress.text()))
	return nil
}

// progress shows how far a long operation is: on a terminal in one line, and to the service manager, which also waits longer.
type progress struct {
	doing    string
	tell     func(lines ...string)
	terminal bool
	begun    time.Time
	told     time.Time
	done     kernel.Copied
	shown    bool
}

func newProgress(doing string, quiet bool, tell func(lines ...string)) *progress {
	now := time.Now()
	return &progress{doing: doing, tell: tell, terminal: !quiet && kernel.IsTerminal(os.Stderr), begun: now, told: now}
}

// report takes what was done so far, and shows it once a second.
func (p *progress) report(done kernel.Copied) {
	p.done = done
	if now := time.Now(); now.Sub(p.told) >= time.Second {
		p.told = now
		text := fmt.Sprintf("%s: %s", p.doing, p.text())
		p.tell(machined.Status(text), machined.ExtendTimeout(30*time.Second))
		if p.terminal {
			p.shown = true
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s", text)
		}
	}
}

// end clears the line of the terminal.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func (p *progress) text() string {
	if p.done.Bytes == 0 {
		return fmt.Sprintf("%d files in %.1f s", p.done.Files, time.Since(p.begun).Seconds())
	}
	return fmt.Sprintf("%d files, %.1f MiB in %.1f s", p.done.Files, float64(p.done.Bytes)/(1<<20), time.Since(p.begun).Seconds())
}

// removeTree removes a directory by a path without links: a container that exchanges a directory of its image for a link leads it
// nowhere.
func removeTree(name string) error {
	root, err := kernel.OpenRoot("/")
	if err != nil {
		return err
	}
	defer root.Close()
	parent, err := root.OpenPlain(filepath.Dir(name), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer parent.Close()
	return kernel.RemoveTree(parent, filepath.Base(name))
}

// sweepCopies removes the copies of a directory whose containers were killed together with their supervisors, and what else is
// left of these containers. Copies in use are locked.
func sweepCopies(directory string) error {
	copies, err := copiesOf(directory)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(copies.Parent)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var problems []error
	seen := make(map[string]bool)
	for _, entry := range entries {
		copy, suffix, ok := copies.Copy(entry.Name())
		if !ok || seen[copy] {
			continue
		}
		seen[copy] = true
		problems = append(problems, sweepCopy(filepath.Join(copies.Parent, copy), EphemeralMachine(MachineName(directory), suffix)))
	}
	return errors.Join(problems...)
}

func sweepCopy(name, machine string) error {
	lock, err := kernel.LockFile(filepath.Join(filepath.Dir(name), ".#"+filepath.Base(name)+".lck"), false)
	if errors.Is(err, kernel.ErrBusy) || errors.Is(err, kernel.ErrReadOnlyFileSystem) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	err = removeTree(name)
	if settings.ValidMachineName(machine) {
		err = errors.Join(err, cleanMachine(machine))
	}
	return errors.Join(err, kernel.RemoveStaleLocks(usersDirectory))
}
