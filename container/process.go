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
	if _, set := s.Set["Exec.User"]; set { // of the command line, for a bundle
		process.UID, process.GID, process.Groups = 0, 0, nil
	}
	if s.Exec.User != "" {
		process.User = &UserName{Name: s.Exec.User, Origin: s.Origin("Exec.User").String(), Count: p.Users.Count}
		process.User.Home = !s.Exec.Boot && len(s.Exec.Parameters) == 0 && s.Exec.WorkingDirectory == ""
	}
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
	isRoot := process.User == nil && process.UID == 0 && process.GID == 0 && len(process.Groups) == 0 && process.Umask == nil
	if !isRoot || process.Ambient|process.Inheritable != 0 {
		p.Inside.Process = &process
	}
	if p.Inside.Credentials && p.unprivileged() && !p.credentialsForAll() {
		p.warn("%s: without --no-new-privileges=yes the credentials can be read by root only, not by the command", s.Origin("Exec.User"))
	}
	return nil
}

// unprivileged reports whether the payload runs as another user than root, as far as that is known.
func (p *Plan) unprivileged() bool {
	process := p.Inside.Process
	return process != nil && (process.UID != 0 || process.User != nil)
}

// credentialsForAll reports whether all users of the container may read its credentials: so may the one that the payload runs as, and
// without new privileges there is no other (systemd-nspawn(1), --uid=).
func (p *Plan) credentialsForAll() bool {
	return p.unprivileged() && p.Inside.NoNewPrivileges && !p.Settings.Exec.Boot
}

// decidePersonality decides what uname(2) reports: the architecture of the machine, or the 32-bit one beside it.
func decidePersonality(p *Plan, host *Host) error {
	var personality uint32
	switch wanted := p.Settings.Exec.Personality; wanted {
	case "":
		return nil
	case map[string]string{"amd64": "x86", "arm64": "arm", "s390x": "s390", "ppc64le": "ppc-le"}[host.Architecture]:
		personality = kernel.PersonalityLinux32
	default: // that of the machine: there is no other that settings lets through
		personality = kernel.PersonalityLinux
	}
	p.Inside.Personality = &personality
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
