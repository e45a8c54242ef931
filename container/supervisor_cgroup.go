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
	if !ok || !s.plan.Options.KeepUnit {
		return nil
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
	var pids []int
	for _, process := range processes {
		pids = append(pids, process.PID)
	}
	err := machined.Client{}.StartScope(ctx, machined.Scope{
		Machine: s.plan.Settings.Machine, Slice: s.plan.Options.Slice, PIDs: pids,
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
	for _, process := range processes {
		if err := payload.Take(process); err != nil {
			return err
		}
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
