package container

import (
	"errors"
	"fmt"
	"strings"

	"nspawnkit/container/capability"
	"nspawnkit/container/kernel"
)

// decideProcess decides whom the payload runs as: the container's root, but for what an OCI bundle says.
func decideProcess(p *Plan, _ *Host) error {
	s := &p.Settings
	p.Inside.Domainname, p.Inside.Sysctl, p.Inside.Protected = s.Exec.Domainname, s.Exec.Sysctl, s.Files.Protected
	process := Process{UID: s.Exec.Process.UID, GID: s.Exec.Process.GID, Groups: s.Exec.Process.Groups, Umask: s.Exec.Process.Umask}
	for _, id := range append([]uint32{process.UID, process.GID}, process.Groups...) {
		if p.Users.Namespace && id >= p.Users.Count {
			return fmt.Errorf("%s: %d is not a user or group of the container, which has %d", s.Exec.Process.Origin, id, p.Users.Count)
		}
	}
	var err error
	if process.Ambient, err = capability.Parse(s.Exec.AmbientCapability); err != nil {
		return at(s, "Exec.AmbientCapability", err)
	}
	if process.Inheritable, err = capability.Parse(s.Exec.Process.Inheritable); err != nil {
		return at(s, "Exec.AmbientCapability", err)
	}
	if missing := (process.Ambient | process.Inheritable) &^ p.Inside.Capabilities; missing != 0 {
		return at(s, "Exec.AmbientCapability", fmt.Errorf("the container does not keep %s", missing))
	}
	isRoot := process.UID == 0 && process.GID == 0 && len(process.Groups) == 0 && process.Umask == nil
	if !isRoot || process.Ambient|process.Inheritable != 0 {
		p.Inside.Process = &process
	}
	return nil
}

// becomeUser is the last step, so that the payload's user can do nothing to this process.
func (f *first) becomeUser() error {
	p := f.plan.Process
	if p.Umask != nil {
		kernel.SetUmask(*p.Umask)
	}
	if f.plan.Console {
		if err := kernel.GiveConsole(int(p.UID)); err != nil {
			return err
		}
	}
	groups := make([]int, len(p.Groups))
	for i, group := range p.Groups {
		groups[i] = int(group)
	}
	if err := kernel.BecomeUser(int(p.UID), int(p.GID), groups, p.Inheritable, p.Ambient); err != nil {
		return err
	}
	return kernel.DieWithParent() // changing users takes that back
}

// setSysctl sets parameters of the kernel that belong to the container's namespaces.
func (f *first) setSysctl() error {
	for _, parameter := range f.plan.Sysctl {
		file, err := f.root.OpenPlain("/proc/sys/"+strings.ReplaceAll(parameter.Name, ".", "/"), kernel.WriteOnly)
		if err == nil {
			_, err = file.WriteString(parameter.Value)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", parameter.Origin, err)
		}
	}
	return nil
}
