package container

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"path"

	"nspawnkit/container/capability"
	"nspawnkit/container/seccomp"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// Decide makes the plan. The error is for the user and names the setting with its origin.
func Decide(s settings.Settings, options Options, host Host) (*Plan, error) {
	plan := &Plan{Settings: s, Options: options, Watchdog: host.Watchdog}
	steps := []func(*Plan, *Host) error{
		checkRoot, decideStack, decidePivotRoot, decideReadOnly, decideVolatile, decideConsole, decideUsers, decideNested, decideNesting, decideBindUsers,
		decideIdentity, decideCapabilities, decideFilter, decideSELinux,
		decideNetwork, decideEnvironment, decideMounts, decideFiles, decideLimits, decideProcess, decidePersonality, decidePayload, warnOfScope,
	}
	for _, step := range steps {
		if err := step(plan, &host); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func (p *Plan) warn(format string, arguments ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, arguments...))
}

// at prefixes an error with the origin of a setting.
func at(s *settings.Settings, key string, err error) error {
	return fmt.Errorf("%s: %w", s.Origin(key), err)
}

func checkRoot(p *Plan, host *Host) error {
	directory := p.place()
	switch {
	case p.Settings.Exec.Ephemeral && p.Options.Template != "":
		return at(&p.Settings, "Exec.Ephemeral", errors.New("may not be combined with --template"))
	case path.Clean(directory) == "/" && !p.Settings.Exec.Ephemeral && p.Settings.Files.Volatile != "yes" && p.Settings.Files.Volatile != "state":
		return errors.New("the host's root directory cannot be the container's, but for --ephemeral, --volatile=yes and --volatile=state: both would write to the same /var")
	case p.Settings.Exec.Boot && !host.Root.HasOSRelease && !p.Options.Environment.AnyTree:
		return fmt.Errorf("directory %s doesn't look like it has an OS tree (os-release file is missing), refusing", directory)
	case !p.Settings.Exec.Boot && !host.Root.HasUsr:
		return fmt.Errorf("directory %s doesn't look like it has an OS tree (/usr/ directory is missing), refusing", directory)
	case host.Root.MachineIDProblem != "":
		return fmt.Errorf("directory %s: %s", directory, host.Root.MachineIDProblem)
	}
	if p.Settings.Exec.Boot && !host.Root.HasOSRelease {
		p.warn("directory %s is missing an os-release file, continuing anyway", directory)
	}
	if p.Settings.Exec.Boot {
		for _, problem := range host.Root.LoginProblems {
			p.warn("directory %s: %s", directory, problem)
		}
	}
	return nil
}

// decideReadOnly implies --read-only for what is marked read-only, see there in systemd-nspawn(1).
func decideReadOnly(p *Plan, host *Host) error {
	if host.Root.ReadOnly && p.Options.Stack == nil && (!p.Settings.Exec.Ephemeral || p.Options.Image != "") && !p.Options.Populate {
		p.Settings.Files.ReadOnly = true
	}
	return nil
}

// place returns what the container runs from, for people: a directory or a disk image.
func (p *Plan) place() string {
	if p.Options.Image != "" {
		return p.Options.Image
	}
	return p.Settings.Directory
}

func decideConsole(p *Plan, host *Host) error {
	interactive := host.Terminal.Input && host.Terminal.Output
	switch p.Options.Console {
	case "":
		p.Options.Console = "read-only"
		if interactive {
			p.Options.Console = "interactive"
		}
	case "autopipe":
		p.Options.Console = "pipe"
		if interactive {
			p.Options.Console = "interactive"
		}
	case "pipe":
		if interactive && !p.Options.Quiet {
			p.warn("--console=pipe gives the container this terminal, and no job control; --console=interactive gives it one of its own")
		}
	}
	p.Inside.Console = p.Options.Console != "pipe"
	p.Inside.Controlling = p.Inside.Console && !p.Settings.Exec.Boot
	decideDisplay(p, host)
	return nil
}

func decideIdentity(p *Plan, host *Host) error {
	s := &p.Settings
	p.Inside.Boot, p.Inside.ProcessTwo = s.Exec.Boot, s.Exec.ProcessTwo
	if p.Inside.HostRelease = host.OSRelease != nil; !p.Inside.HostRelease {
		p.warn("the host has no os-release file, so there is none in /run/host: ignoring")
	}
	p.Inside.ForwardJournal = p.Options.ForwardJournal.Path != ""
	p.Inside.Credentials = len(p.Options.Credentials) > 0
	p.Inside.Ephemeral, p.Inside.Populate = s.Exec.Ephemeral, p.Options.Populate
	p.Inside.Images = p.Options.Image != "" || p.Options.Stack != nil && len(p.Options.Stack.Disks) > 0
	p.Inside.Machine = s.Machine
	p.Inside.Hostname = s.Exec.Hostname
	if p.Inside.Hostname == "" {
		p.Inside.Hostname = s.Machine
	}
	// The image's own ID counts; MachineID= and --uuid= are for an image that has none yet.
	p.UUID = host.Root.MachineID
	if p.UUID == "" {
		p.UUID = s.Exec.MachineID
	}
	if p.UUID != "" && p.UUID == host.MachineID && s.Exec.LinkJournal.Mode != "no" {
		if !s.Exec.LinkJournal.Try && s.Exec.LinkJournal.Mode != "auto" {
			return at(s, "Exec.LinkJournal", errors.New("host and container machine ids are equal, refusing to link journals"))
		}
		p.warn("%s: host and container machine ids are equal, journals are not linked", p.place())
		s.Exec.LinkJournal.Mode = "no"
	}
	return nil
}

func decideCapabilities(p *Plan, host *Host) error {
	s := &p.Settings
	retained, err := capability.Retained(capability.Options{
		Add:            s.Exec.Capability,
		Drop:           s.Exec.DropCapability,
		PrivateNetwork: s.Network.Private,
		ShiftedUsers:   p.Users.Namespace && p.Users.Start != 0,
		Last:           host.LastCapability,
	})
	if err != nil {
		return at(s, "Exec.Capability", err)
	}
	p.Inside.Capabilities = retained
	p.Inside.NoNewPrivileges = s.Exec.NoNewPrivileges
	return nil
}

func decideFilter(p *Plan, host *Host) error {
	if p.Options.Environment.NoFilter {
		p.warn("$SYSTEMD_SECCOMP=0: system calls are not filtered")
		return nil
	}
	filter := p.Settings.Exec.SystemCallFilter
	program, err := seccomp.Program(seccomp.Policy{
		Capabilities: p.Inside.Capabilities, Keyring: p.Users.Namespace, Filter: filter, Architecture: host.Architecture,
		AddressFamilies: p.Settings.Exec.RestrictAddressFamilies, SuppressSync: p.Settings.Exec.SuppressSync,
	})
	if err != nil {
		return at(&p.Settings, "Exec.SystemCallFilter", err)
	}
	for _, word := range seccomp.Unknown(filter) {
		p.warn("%s: unknown system call %s, ignoring", p.Settings.Origin("Exec.SystemCallFilter"), word)
	}
	p.Inside.Filter = encodeFilter(program)
	return nil
}

// encodeFilter turns a program into bytes, for the plan that is passed on as JSON.
func encodeFilter(program []seccomp.Instruction) []byte {
	data := make([]byte, 0, 8*len(program))
	for _, i := range program {
		data = binary.NativeEndian.AppendUint16(data, i.Code)
		data = append(data, i.JT, i.JF)
		data = binary.NativeEndian.AppendUint32(data, i.K)
	}
	return data
}

func decodeFilter(data []byte) []seccomp.Instruction {
	program := make([]seccomp.Instruction, 0, len(data)/8)
	for ; len(data) >= 8; data = data[8:] {
		program = append(program, seccomp.Instruction{
			Code: binary.NativeEndian.Uint16(data), JT: data[2], JF: data[3], K: binary.NativeEndian.Uint32(data[4:]),
		})
	}
	return program
}

func decideNetwork(p *Plan, host *Host) error {
	s := &p.Settings
	p.Inside.JoinedNetwork = s.Network.NamespacePath != ""
	p.Inside.PrivateNetwork = s.Network.Private && !p.Inside.JoinedNetwork
	machine, uppers, err := describeMachine(s, host.MachineID)
	if err != nil {
		return at(s, "Network.Zone", err)
	}
	if mac := p.Options.Environment.MAC; mac != "" && s.Network.MACAddress != "" {
		p.warn("%s: MACAddress= counts, not $SYSTEMD_NSPAWN_NETWORK_MAC", s.Origin("Network.MACAddress"))
	} else if mac != "" && s.Network.VirtualEthernet {
		machine.Links[0].ContainerMAC = mac
	} else if mac != "" {
		p.warn("$SYSTEMD_NSPAWN_NETWORK_MAC has no effect without --network-veth")
	}
	p.Machine, p.uppers = machine, uppers
	p.Inside.FixedAddresses = len(s.Network.Address) > 0
	p.Inside.NameServers = len(s.Network.DNS) > 0 && ours(s.Exec.ResolvConf)
	if len(s.Network.DNS) > 0 && !p.Inside.NameServers {
		p.warn("%s: ResolvConf=%s counts, not DNS=", s.Origin("Network.DNS"), s.Exec.ResolvConf)
	}
	p.decideDHCP(host)
	p.Inside.UpperLinks, p.Inside.MovedInterfaces = len(uppers) > 0, len(machine.Interfaces) > 0
	p.Inside.PublishedPorts = len(machine.Ports) > 0
	p.warnOfNetwork(host)
	return decideAccess(p, host)
}

// warnOfNetwork says what nobody does for the container's links.
func (p *Plan) warnOfNetwork(host *Host) {
	start := "start networkd-lite"
	if p.Options.HasSystemd {
		start = "systemctl " + start
	}
	ports := p.Settings.Network.Ports
	switch {
	case len(ports) > 0 && len(p.Machine.Links) == 0:
		p.warn("%s: Port= needs a virtual Ethernet link, none of the container's links leads to the host", ports[0].Origin)
	case len(ports) > 0 && !host.HasNetworkdLite:
		p.warn("%s: networkd-lite does not run, so no ports are published: %s", ports[0].Origin, start)
	}
	if len(p.Machine.Links) > 0 && !host.HasNetworkd {
		p.warn("neither networkd-lite nor systemd-networkd runs, so the container gets no address: %s", start)
	}
}

// decideEnvironment refuses what the user namespace does not allow: sysfs, procfs and the control groups belong to the host's.
func decideEnvironment(p *Plan, _ *Host) error {
	e, in := p.Options.Environment, &p.Inside
	in.WritableAPI, in.NetworkAPI = e.Writable == settings.WritableYes, in.PrivateNetwork || e.Writable == settings.WritableNetwork
	in.HostGroups, in.ImageTmp, in.Service = e.HostView, e.ImageTmp, cmp.Or(e.Service, machined.Service)
	switch {
	case in.HostGroups && p.Users.Namespace:
		return errors.New("$SYSTEMD_NSPAWN_USE_CGNS=0 may not be combined with --private-users: write PrivateUsers=no, or Nesting=yes instead of both")
	case in.WritableAPI && p.Users.Namespace:
		return errors.New("$SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 may not be combined with --private-users")
	case e.Writable == settings.WritableNetwork && p.Users.Namespace && !in.PrivateNetwork:
		return errors.New("$SYSTEMD_NSPAWN_API_VFS_WRITABLE=network with --private-users needs --private-network")
	}
	return nil
}

func decideLimits(p *Plan, host *Host) error {
	p.Limits = make(map[string]settings.Limit)
	for name, limit := range host.Limits {
		p.Limits[name] = limit
	}
	for name, limit := range defaultLimits() {
		p.Limits[name] = limit
	}
	for name, limit := range p.Settings.Exec.Limits {
		p.Limits[name] = limit
	}
	return nil
}

// defaultLimits are the kernel's defaults, as systemd-nspawn(1) sets them: the container's limits do not depend on the
// service manager's. NPROC and SIGPENDING, which the kernel computes, are those of the host's process 1.
func defaultLimits() map[string]settings.Limit {
	const infinity = settings.Infinity
	return map[string]settings.Limit{
		"AS": {Soft: infinity, Hard: infinity}, "CORE": {Soft: 0, Hard: infinity}, "CPU": {Soft: infinity, Hard: infinity},
		"DATA": {Soft: infinity, Hard: infinity}, "FSIZE": {Soft: infinity, Hard: infinity},
		"LOCKS": {Soft: infinity, Hard: infinity}, "MEMLOCK": {Soft: 8 << 20, Hard: 8 << 20},
		"MSGQUEUE": {Soft: 819200, Hard: 819200}, "NICE": {}, "NOFILE": {Soft: 1024, Hard: 524288},
		"RSS": {Soft: infinity, Hard: infinity}, "RTPRIO": {}, "RTTIME": {Soft: infinity, Hard: infinity},
		"STACK": {Soft: 8 << 20, Hard: infinity},
	}
}
