package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// splitControlGroup makes room for the payload: the supervisor sits in "supervisor", the payload in "payload", as the
// "no internal processes" rule of cgroup v2 demands.
func (s *Supervisor) splitControlGroup() error {
	own, ok := kernel.OwnControlGroup()
	switch {
	case !ok:
		return nil
	case !s.plan.Options.KeepUnit && !s.plan.Options.HasSystemd:
		return s.makeControlGroup()
	case !s.plan.Options.KeepUnit:
		return nil // there will be a scope
	}
	unit := own.Parent()
	if own.Name() != "supervisor" { // the service manager has done it where it knows DelegateSubgroup= (systemd 254)
		unit = own
		group, err := own.Child("supervisor")
		if err != nil {
			return err
		}
		if err := group.Enter(); err != nil {
			return err
		}
	}
	payload, err := s.payloadGroup(unit)
	if err != nil {
		return err
	}
	s.Group = &payload
	return unit.EnableControllers()
}

// payloadGroup makes the payload's control group. Whose the unit is, for as long as it runs, has "payload"; another container that was
// started in the same unit has one of its own name, or the end of one would be that of both. What a killed container has left there
// goes: it would keep processes out.
func (s *Supervisor) payloadGroup(unit kernel.ControlGroup) (kernel.ControlGroup, error) {
	name := "payload"
	locked, err := unit.Lock()
	if err == nil {
		s.Unit = &kernel.File{File: locked}
	}
	if err != nil && !errors.Is(err, kernel.ErrBusy) {
		return unit, err
	}
	if err != nil || unit.Below(name).Populated() {
		name += "-" + s.plan.Settings.Machine
	}
	if err := unit.Below(name).Kill(); err != nil {
		return unit, err
	}
	return unit.Child(name)
}

// machineGroup names the control group of a container on a host without units. It is below the root, where "--cleanup" finds it: who
// manages control groups there leaves them alone that it did not make.
func machineGroup(machine string) string { return "machine-" + machine }

// makeControlGroup gives the payload a control group of its own, so that a systemd inside has something to divide. A host that
// does not let us, as a container may not, is no reason not to start.
func (s *Supervisor) makeControlGroup() error {
	root := kernel.RootControlGroup()
	name := machineGroup(s.plan.Settings.Machine)
	err := root.Below(name).Kill() // what a killed container has left
	var group kernel.ControlGroup
	if err == nil {
		group, err = root.Child(name)
	}
	if err != nil {
		s.log(Debug, fmt.Sprintf("cannot make a control group, ignoring: %v", err))
		return nil
	}
	s.Group = &group
	if err := root.EnableControllers(); err != nil { // processes beside it keep controllers from being handed down
		s.log(Debug, fmt.Sprintf("cannot hand down controllers, ignoring: %v", err))
	}
	return nil
}

// startScope puts a container that does not run in a unit of its own into one: a scope of machine.slice, or of --slice=. A
// host without systemd has no units.
func (s *Supervisor) startScope() error {
	if s.plan.Options.KeepUnit || !s.plan.Options.HasSystemd {
		return nil
	}
	if err := s.findSecond(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
	defer cancel()
	processes := []*kernel.Child{s.child}
	if s.second != nil {
		processes = append(processes, s.second)
	}
	if err := (machined.Client{}).StartScope(ctx, s.scope(processes)); err != nil {
		return err
	}
	scope, ok := s.child.ControlGroup()
	if !ok {
		return fmt.Errorf("process %d is in no control group of the unified hierarchy", s.child.PID)
	}
	payload, err := scope.Child("payload")
	if err != nil {
		return err
	}
	for _, process := range processes {
		if err := payload.Take(process); err != nil {
			return err
		}
	}
	s.Group = &payload
	return scope.EnableControllers()
}

func (s *Supervisor) scope(processes []*kernel.Child) machined.Scope {
	scope := machined.Scope{
		Machine: s.plan.Settings.Machine, Slice: s.plan.Options.Slice,
		KillSignal: s.plan.Settings.Exec.KillSignal, Devices: allowedDevices(s.plan.Settings.Files.Binds),
	}
	for _, process := range processes {
		scope.PIDs = append(scope.PIDs, process.PID)
	}
	for _, property := range s.plan.Options.Properties {
		scope.Properties = append(scope.Properties, machined.Property(property))
	}
	return scope
}

// allowedDevices are the device nodes that a container gets of the host, for DeviceAllow= (systemd.resource-control(5)).
func allowedDevices(binds []settings.Bind) (devices []machined.Device) {
	for _, bind := range binds {
		info, err := os.Stat(bind.Source)
		if err != nil || !path.IsAbs(bind.Source) || info.Mode()&os.ModeDevice == 0 {
			continue
		}
		access := "rw"
		if bind.ReadOnly {
			access = "r"
		}
		devices = append(devices, machined.Device{Node: bind.Source, Access: access})
	}
	return devices
}

// warnOfScope says of options for the scope when there is none.
func warnOfScope(p *Plan, _ *Host) error {
	if p.Options.Slice == "" && len(p.Options.Properties) == 0 {
		return nil
	}
	switch {
	case p.Options.KeepUnit:
		p.warn("--slice= and --property= have no effect with --keep-unit")
	case !p.Options.HasSystemd:
		p.warn("--slice= and --property= have no effect: systemd does not run on this host")
	}
	return nil
}

func (s *Supervisor) delegateControlGroup() error {
	if s.Group == nil {
		return nil
	}
	return s.Group.Delegate(int(s.plan.Users.Start), int(s.plan.Users.Start))
}
