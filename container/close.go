package container

import (
	"context"
	"os"

	"nspawnkit/machined"
	"nspawnkit/network/kernel/link"
	"nspawnkit/settings"
)

// Close takes the steps of the close list, all of them: what is not there needs none, and what fails is a warning. It may be called
// at any time after [NewSupervisor].
func (r *Running) Close() {
	if err := r.takeRemains(); err != nil {
		r.log(Error, err.Error()) // --cleanup and the next start remove the rest
	}
	halt := newHalt()
	for _, step := range closing() {
		if err := step.do(r); err != nil {
			r.log(Warning, err.Error())
		}
		halt("close", step.name)
	}
}

// endFirst ends the first process of a start that failed: what it uses can be removed only then.
func (r *Running) endFirst() error {
	if r.child != nil {
		r.child.End()
	}
	return nil
}

// closeNotify lets go of the network namespace, which links are waited for to go with. Otherwise the end of the program is early enough.
func (r *Running) closeNotify() error {
	if r.notify != nil && r.Links != nil && len(r.Links.Links)+len(r.Links.Interfaces) > 0 {
		r.notify.Close()
	}
	return nil
}

// unregister fails where systemd-machined saw the end itself.
func (r *Running) unregister() error {
	if r.Registered {
		ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
		defer cancel()
		_ = machined.Client{}.Unregister(ctx, r.machine)
	}
	return nil
}

func (r *Running) removeLinks() error {
	if r.Links == nil {
		return nil
	}
	for _, l := range r.Links.Links {
		if !link.WaitGone(l.Host) {
			break
		}
	}
	return removeLinks(*r.Links)
}

func (r *Running) removeMachine() error {
	if r.Links == nil {
		return nil
	}
	if len(r.Links.Interfaces) > 0 {
		if _, err := os.Stat(keptNetwork(r.machine)); err == nil {
			return nil // there is something to give back still, and the file says what
		}
	}
	return removeMissingOk(machineFile(r.machine))
}

func (r *Running) removeSettings() error {
	if !r.Recorded {
		return nil
	}
	return removeMissingOk(settings.RecordFile(r.machine))
}

func (r *Running) endControlGroup() error {
	if r.Group == nil {
		return nil
	}
	return r.Group.Kill()
}

func (r *Running) stopReceiver() error {
	if r.receiver == nil {
		return nil
	}
	return r.receiver.stop()
}

func (r *Running) removeShared() error {
	if !r.Made {
		return nil
	}
	return removeSharedDirectories(r.machine)
}

// removeCopy removes the copy that an ephemeral container ran from, or the half of a copy of a start that failed.
func (r *Running) removeCopy() error {
	if r.Copy == "" {
		return nil
	}
	return removeTree(r.Copy)
}

// giveUsersBack ends the user namespaces that systemd-nsresourced watches.
func (r *Running) giveUsersBack() error {
	for _, userns := range r.Reserved {
		userns.Close()
	}
	return nil
}

func (r *Running) closeImages() error {
	if r.Images == nil {
		return nil
	}
	return r.Images.Close()
}

func (r *Running) unlock() error {
	for _, lock := range r.Locks {
		lock.Release()
	}
	if r.Unit != nil {
		return r.Unit.Close()
	}
	return nil
}
