package machined

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoMachined says that this host has no systemd-machined, or no way to reach it.
	ErrNoMachined = errors.New("systemd-machined is not available")
	// ErrMachineExists says that a machine of this name is registered already.
	ErrMachineExists = errors.New("machine exists")
	// ErrNoSuchMachine says that no machine of this name is registered.
	ErrNoSuchMachine = errors.New("no such machine")
)

// Client calls systemd-machined. The zero Client calls the one of this host. Its methods end with the context at the latest;
// starting systemd-machined over D-Bus may take seconds on a busy host.
type Client struct {
	Socket string // Varlink socket; empty: /run/systemd/machine/io.systemd.Machine
	Bus    string // D-Bus address; such as $DBUS_SYSTEM_BUS_ADDRESS; empty: the system bus
}

// Service is the service to register a container under: systemd-nspawn's own name. machinectl prints it, and programs that
// ask which machines are containers of /etc/systemd/nspawn look for it.
const Service = "systemd-nspawn"

// ClassContainer is the class of containers, as opposed to "vm".
const ClassContainer = "container"

// Registration describes a machine to systemd-machined (org.freedesktop.machine1(5), RegisterMachineWithNetwork()).
type Registration struct {
	Name          string   // a host name
	ID            [16]byte // machine ID of the container; zero: unknown
	Service       string   // program that runs the machine; see [Service]
	Class         string   // see [ClassContainer]
	Leader        int      // PID of the container's init on the host
	RootDirectory string   // absolute path on the host; empty: unknown
	Interfaces    []int    // interface indices of the host's links to the machine: its veth, or the bridge that is on
}

// Register registers the machine with the unit that its leader runs in now, as systemd-nspawn --keep-unit does: the leader
// must be in its final control group.
func (c Client) Register(ctx context.Context, r Registration) error {
	err := c.callVarlink(ctx, "io.systemd.Machine.Register", registerParameters(r), nil)
	if fallBack(err) {
		// Not RegisterMachineEx(): where it exists (259) systemd listens on the Varlink socket too.
		err = c.callMachine(ctx, "RegisterMachineWithNetwork", nil,
			r.Name, r.ID[:], r.Service, r.Class, uint32(r.Leader), r.RootDirectory, indices(r.Interfaces))
	}
	return wrap("register", r.Name, err)
}

// registerParameters returns the parameters of the Varlink call. All versions have them; "networkInterfaces", which
// systemd-nspawn 262 sends itself, is not among them.
func registerParameters(r Registration) map[string]any {
	parameters := map[string]any{"name": r.Name, "service": r.Service, "class": r.Class, "leader": r.Leader}
	if r.ID != [16]byte{} {
		parameters["id"] = hex.EncodeToString(r.ID[:])
	}
	if r.RootDirectory != "" {
		parameters["rootDirectory"] = r.RootDirectory
	}
	if len(r.Interfaces) > 0 {
		parameters["ifIndices"] = r.Interfaces
	}
	return parameters
}

func indices(interfaces []int) []int32 {
	result := make([]int32, len(interfaces))
	for i, index := range interfaces {
		result[i] = int32(index)
	}
	return result
}

// Unregister removes a machine from systemd-machined's list without touching its processes. When it returns the name is free.
func (c Client) Unregister(ctx context.Context, name string) error {
	err := c.callVarlink(ctx, "io.systemd.Machine.Unregister", map[string]any{"name": name}, nil)
	if fallBack(err) {
		err = c.callMachine(ctx, "UnregisterMachine", nil, name)
	}
	if err == nil {
		err = c.waitGone(ctx, name)
	}
	return wrap("unregister", name, err)
}

// waitGone waits until no machine of this name is listed: systemd 257 to 262 answer a moment before they have removed it, and
// registering it anew fails until then.
func (c Client) waitGone(ctx context.Context, name string) error {
	for {
		_, err := c.leader(ctx, name)
		switch {
		case errors.Is(err, ErrNoSuchMachine):
			return nil
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Leader returns the PID of the init of a registered machine. The process may be dead: after a supervisor was killed its
// machine can stay registered, and must be unregistered before the next start.
func (c Client) Leader(ctx context.Context, name string) (pid int, err error) {
	pid, err = c.leader(ctx, name)
	return pid, wrap("find leader of", name, err)
}

func (c Client) leader(ctx context.Context, name string) (int, error) {
	var reply struct {
		Leader varlinkPID `json:"leader"`
	}
	err := c.callVarlink(ctx, "io.systemd.Machine.List", map[string]any{"name": name}, &reply)
	if fallBack(err) {
		return c.busLeader(ctx, name)
	}
	return int(reply.Leader), err
}

// fallBack says whether a Varlink call failed in a way that D-Bus may not.
func fallBack(err error) bool { return errors.Is(err, errNoVarlink) }

func wrap(step, machine string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s machine %s: %w", step, machine, err)
}
