package container

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
)

// registerTimeout bounds a call to systemd-machined, which may have to be started first.
const registerTimeout = 25 * time.Second

// clearRecord drops the machine from systemd-machined's list if its leader is gone, and fails if that is alive.
func clearRecord(machine string) error {
	ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
	defer cancel()
	client := machined.Client{}
	leader, err := client.Leader(ctx, machine)
	if err != nil {
		return nil // there is no such machine, or nobody knows
	}
	for range 20 { // that of a supervisor that was killed dies at the same moment
		if !kernel.ProcessExists(leader) {
			_ = client.Unregister(ctx, machine)
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("machine %s is running already: systemd-machined knows it with process %d", machine, leader)
}

func (s *Supervisor) register() error {
	if s.plan.Options.Register == "no" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), registerTimeout)
	defer cancel()
	err := registerMachine(ctx, s.registration())
	switch {
	case err == nil:
		s.Registered = true
	case s.plan.Options.Register == "auto":
		priority := Warning
		if errors.Is(err, machined.ErrNoMachined) {
			priority = Debug
		}
		s.log(priority, fmt.Sprintf("cannot register with systemd-machined, ignoring: %v", err))
	default:
		return err
	}
	return nil
}

// registerMachine waits for a systemd-machined that keeps the name of a machine that has ended, as it does for a while on a busy
// host (systemd issues 2809 and 24045).
func registerMachine(ctx context.Context, r machined.Registration) error {
	client := machined.Client{}
	for {
		err := client.Register(ctx, r)
		if !errors.Is(err, machined.ErrMachineExists) {
			return err
		}
		leader, leaderErr := client.Leader(ctx, r.Name)
		switch {
		case errors.Is(leaderErr, machined.ErrNoSuchMachine): // it was removed just now
		case leaderErr != nil:
			return err
		case kernel.ProcessExists(leader):
			return fmt.Errorf("%w, with process %d", err, leader)
		default:
			_ = client.Unregister(ctx, r.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, though its processes have ended: systemd-machined did not remove it in %s", err, registerTimeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Supervisor) registration() machined.Registration {
	r := machined.Registration{
		Name: s.plan.Settings.Machine, Service: s.plan.Inside.Service, Class: machined.ClassContainer, Leader: s.child.PID,
		RootDirectory: s.plan.Settings.Directory, Interfaces: s.interfaces,
	}
	if s.Images.root() != nil || !utf8.ValidString(r.RootDirectory) {
		r.RootDirectory = "" // only this process sees it, or it cannot be said: both ways to systemd-machined take UTF-8
	}
	_, _ = hex.Decode(r.ID[:], []byte(s.plan.UUID))
	return r
}
