package container

import (
	"context"
	"fmt"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
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
	payload, err := unit.Child("payload")
	if err != nil {
		return err
	}
	s.group = &payload
	return unit.EnableControllers()
}

// machineGroup names the control group of a container on a host without units. It is below the root, where "--cleanup" finds it: who
// manages control groups there leaves them alone that it did not make.
func machineGroup(machine string) string { return "machine-" + machine }

// makeControlGroup gives the payload a control group of its own, so that a systemd inside has something to divide. A host that
// does not let us, as a container may not, is no reason not to start.
func (s *Supervisor) makeControlGroup() error {
	root := kernel.RootControlGroup()
	group, err := root.Child(machineGroup(s.plan.Settings.Machine))
	if err != nil {
		s.log(Debug, fmt.Sprintf("cannot make a control group, ignoring: %v", err))
		return nil
	}
	s.group = &group
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
	ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
	defer cancel()
	err := machined.Client{}.StartScope(ctx, machined.Scope{
		Machine: s.plan.Settings.Machine, Slice: s.plan.Options.Slice, PIDs: []int{s.child.PID},
		KillSignal: s.plan.Settings.Exec.KillSignal,
	})
	if err != nil {
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
	if err := payload.Take(s.child); err != nil {
		return err
	}
	s.group = &payload
	return scope.EnableControllers()
}

func (s *Supervisor) delegateControlGroup() error {
	if s.group == nil {
		return nil
	}
	return s.group.Delegate(int(s.plan.Users.Start), int(s.plan.Users.Start))
}
