package container

import (
	"context"

	"nspawnkit/machined"
	"nspawnkit/network/kernel/link"
	"nspawnkit/settings"
)

// Close takes the steps of the close list, all of them: what fails is a warning. It may be called at any time after
// [NewSupervisor].
func (s *Supervisor) Close() {
	halt := newHalt()
	for _, step := range closing() {
		if step.when != nil && !step.when(&s.plan.Inside) {
			continue
		}
		if err := step.do(s); err != nil {
			s.log(Warning, err.Error())
		}
		halt("close", step.name)
	}
}

// endFirst ends the first process of a start that failed: what it uses can be removed only then.
func (s *Supervisor) endFirst() error {
	if s.child != nil {
		s.child.End()
	}
	return nil
}

// closeNotify lets go of the network namespace, which links are waited for to go with. Otherwise the end of the program is early enough.
func (s *Supervisor) closeNotify() error {
	if s.notify != nil && len(s.plan.Machine.Links) > 0 {
		s.notify.Close()
	}
	return nil
}

// unregister fails where systemd-machined saw the end itself.
func (s *Supervisor) unregister() error {
	if s.registered {
		ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
		defer cancel()
		_ = machined.Client{}.Unregister(ctx, s.plan.Settings.Machine)
	}
	return nil
}

func (s *Supervisor) removeLinks() error {
	if !s.machineFile {
		return nil
	}
	for _, l := range s.plan.Machine.Links {
		if !link.WaitGone(l.Host) {
			break
		}
	}
	return removeLinks(s.plan.Machine)
}

func (s *Supervisor) removeMachine() error {
	if !s.machineFile {
		return nil
	}
	return removeMissingOk(machineFile(s.plan.Settings.Machine))
}

func (s *Supervisor) removeSettings() error {
	if !s.recorded {
		return nil
	}
	return removeMissingOk(settings.RecordFile(s.plan.Settings.Machine))
}

func (s *Supervisor) endControlGroup() error {
	if s.group == nil {
		return nil
	}
	return s.group.Kill()
}

func (s *Supervisor) stopReceiver() error {
	if s.receiver == nil {
		return nil
	}
	return s.receiver.stop()
}

func (s *Supervisor) removeShared() error {
	if !s.made {
		return nil
	}
	return removeSharedDirectories(s.plan.Settings.Machine, s.onHost)
}

// removeCopy removes the copy that an ephemeral container ran from, or the half of a copy of a start that failed.
func (s *Supervisor) removeCopy() error {
	if s.copy == "" {
		return nil
	}
	return removeTree(s.copy)
}

// giveUsersBack ends the user namespaces that systemd-nsresourced watches.
func (s *Supervisor) giveUsersBack() error {
	for _, userns := range s.reserved {
		userns.Close()
	}
	return nil
}

func (s *Supervisor) closeImages() error {
	if s.images == nil {
		return nil
	}
	s.closeMounts()
	return s.images.Close()
}

func (s *Supervisor) unlock() error {
	for _, lock := range s.locks {
		lock.Release()
	}
	if s.unit != nil {
		return s.unit.Close()
	}
	return nil
}
