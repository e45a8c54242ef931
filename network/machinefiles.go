package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// machinesPath is [MachinesDirectory] in an [fs.FS] of the root directory.
const machinesPath = "run/nspawnkit/machines"

// maxMachineFile is the largest machine file that is read, in bytes: one with 20,000 ports of its own has less.
const maxMachineFile = 4 << 20

// MachineFiles reads what nspawn-exec says of running containers in [MachinesDirectory]. A file is read again only when it was
// replaced, so that a look costs the same with many containers. Its methods are for one goroutine.
type MachineFiles struct {
	Root fs.FS // of the host

	read map[string]machineFile // by name of the file
}

// machineFile is what was read from a file.
type machineFile struct {
	info    fs.FileInfo
	machine Machine
	err     error
}

// Read returns the running containers with a private network by name, and why others are left out. A directory that does not exist
// is one without containers.
func (f *MachineFiles) Read() (Machines, []error) {
	entries, err := fs.ReadDir(f.Root, machinesPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, []error{err}
	}
	var machines Machines
	var problems []error
	now := make(map[string]machineFile, len(entries))
	for _, entry := range entries {
		name, isMachine := strings.CutSuffix(entry.Name(), ".json")
		if !isMachine || strings.HasPrefix(name, ".") {
			continue // a file that is still being written begins with a dot
		}
		file, found := f.readFile(name)
		switch {
		case !found:
			continue
		case file.err != nil:
			problems = append(problems, fmt.Errorf("%s/%s: %w", MachinesDirectory, entry.Name(), file.err))
		default:
			machines = append(machines, file.machine)
		}
		now[name] = file
	}
	f.read = now
	return machines, problems
}

// readFile reads the file of a machine, unless it is the one that was read last. A machine may end at any moment.
func (f *MachineFiles) readFile(name string) (file machineFile, found bool) {
	place := path.Join(machinesPath, name+".json")
	info, err := fs.Stat(f.Root, place)
	if errors.Is(err, fs.ErrNotExist) {
		return machineFile{}, false
	}
	if err != nil {
		return machineFile{err: err}, true
	}
	if last, known := f.read[name]; known && last.info != nil && sameFile(last.info, info) {
		return last, true
	}
	if info.Size() > maxMachineFile {
		return machineFile{info: info, err: fmt.Errorf("larger than %d bytes", maxMachineFile)}, true
	}
	data, err := fs.ReadFile(f.Root, place)
	if errors.Is(err, fs.ErrNotExist) {
		return machineFile{}, false
	}
	file = machineFile{info: info, err: err}
	if err == nil {
		file.machine, file.err = parseMachine(name, data)
	}
	return file, true
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// parseMachine reads the file of the machine called name.
func parseMachine(name string, data []byte) (Machine, error) {
	var m Machine
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	switch {
	case m.Version != MachineVersion:
		return m, fmt.Errorf("version %d, not %d", m.Version, MachineVersion)
	case m.Name != name:
		return m, fmt.Errorf("is about %q", m.Name)
	}
	for _, l := range m.Links {
		if err := ValidInterfaceName(l.Host); err != nil {
			return m, err
		}
		if l.ContainerMAC == "" {
			continue
		}
		if _, err := ParseHardwareAddr(l.ContainerMAC); err != nil {
			return m, fmt.Errorf("%s: %w", l.Host, err)
		}
	}
	for _, p := range m.Ports {
		if err := p.check(); err != nil {
			return m, err
		}
	}
	return m, m.checkAccess()
}

// Machines are running containers by name.
type Machines []Machine

// OfLink returns the machine that the link with the given name is the host side of, and the link as the machine has it; nil if there
// is none.
func (m Machines) OfLink(host string) (*Machine, *MachineLink) {
	for i := range m {
		for j := range m[i].Links {
			if m[i].Links[j].Host == host {
				return &m[i], &m[i].Links[j]
			}
		}
	}
	return nil, nil
}
