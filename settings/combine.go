package settings

import (
	"fmt"
	"slices"
	"strings"

	"nspawnkit/container/capability"
)

// Combine makes the effective settings of a container of its command line and its file (nil: none): the defaults, then
// the weaker of both, then the stronger as --settings= says. Keys of one kind go together: setting one of the link keys of
// [Network] on the stronger side replaces all links of the weaker, and so do mounts. A problem of severity Error means that
// the container must not be started with what was returned.
func Combine(cmd CommandLine, file *File) (Settings, []Problem) {
	c := combination{settings: defaults()}
	if file == nil || cmd.Settings == SettingsNo {
		file = &File{}
	}
	c.settings.Unit, c.settings.Service, c.settings.Install = file.Unit, file.Service, file.Install
	c.settings.Machine, c.settings.Directory = cmd.MachineName(), cmd.Directory
	if !ValidMachineName(c.settings.Machine) {
		c.refuse(Origin{Option: "--machine"}, "no valid container name")
	}
	for _, a := range effective(cmd, file) {
		c.apply(a)
	}
	if len(cmd.Parameters) > 0 && !(cmd.Settings == SettingsOverride && file.starts()) {
		c.settings.Exec.Parameters = cmd.Parameters
		c.settings.Set["Exec.Parameters"] = Origin{Option: "arguments"}
	}
	c.complete()
	if cmd.Settings == SettingsOverride {
		c.addCapabilities(&cmd.scratch.Exec, file)
	}
	c.check()
	return c.settings, c.problems
}

// defaults are the settings of a container without command line and file (systemd-nspawn(1)).
func defaults() Settings {
	return Settings{
		Exec: Exec{
			LinkJournal:  LinkJournal{Mode: "auto"},
			PrivateUsers: PrivateUsers{Mode: UsersNo},
			ResolvConf:   "auto",
			Timezone:     "auto",
		},
		Files:   Files{Volatile: "no", BindUserShell: "no", IDMapBinds: "no"},
		Network: Network{DHCP: "auto"},
		Set:     make(map[string]Origin),
	}
}

// combination is the work of [Combine].
type combination struct {
	settings Settings
	problems []Problem
}

// effective returns the assignments that count in the order in which they apply: what the stronger side leaves of the
// weaker one, then the stronger. The arguments of the command line and Boot= and Parameters= of the file say what runs:
// one of both, as a whole.
func effective(cmd CommandLine, file *File) []assignment {
	fileWins := cmd.Settings == SettingsOverride
	weaker, stronger := file.assignments, cmd.assignments
	if fileWins {
		weaker, stronger = stronger, weaker
	} else if len(cmd.Parameters) > 0 {
		weaker = without(weaker, startGroup)
	}
	list := make([]assignment, 0, len(weaker)+len(stronger))
	for _, a := range weaker {
		if !replaced(a, stronger, fileWins) {
			list = append(list, a)
		}
	}
	return append(list, stronger...)
}

// starts reports whether the file says what runs.
func (f *File) starts() bool {
	return slices.ContainsFunc(f.assignments, func(a assignment) bool { return a.key.group == startGroup })
}

// replaced reports whether one of the stronger assignments takes the place of a. Capabilities of a file that wins add up
// with those of the command line, and an untrusted file never removes what it could not set.
func replaced(a assignment, stronger []assignment, fileWins bool) bool {
	for _, b := range stronger {
		switch {
		case !b.key.replaces(a.key):
		case fileWins && a.key.group == capabilityGroup:
		case !b.trusted && a.key.Privileged:
		default:
			return true
		}
	}
	return false
}

// apply stores one assignment.
func (c *combination) apply(a assignment) {
	if err := a.key.set(&c.settings, a.value); err != nil {
		c.refuse(a.value.origin, fmt.Sprintf("%s=%s: %v", a.key.Name, printable(a.value.text), err))
		return
	}
	c.settings.Set[a.key.String()] = a.value.origin
}

// without returns list without the assignments of the group.
func without(list []assignment, g group) []assignment {
	return slices.DeleteFunc(slices.Clone(list), func(a assignment) bool { return a.key.group == g })
}

// complete fills in what one setting implies for another.
func (c *combination) complete() {
	e, n := &c.settings.Exec, &c.settings.Network
	if e.Boot && e.KillSignal == 0 {
		e.KillSignal = signalRTMin + 3
	}
	switch users := &e.PrivateUsers; {
	case users.Mode == UsersNo:
		*users = PrivateUsers{Mode: UsersNo, Ownership: "off"}
	case users.Ownership == "" && (users.Mode == UsersPick || users.Mode == UsersManaged):
		users.Ownership = "auto"
	case users.Ownership == "":
		users.Ownership = "off"
	}
	n.VirtualEthernet = n.VirtualEthernet || n.Bridge != "" || n.Zone != ""
	n.Private = n.Private || n.hasLinks()
}

// hasLinks reports whether the container gets links of its own.
func (n *Network) hasLinks() bool {
	return n.VirtualEthernet || len(n.VirtualEthernetExtra)+len(n.Interfaces)+len(n.MACVLAN)+len(n.IPVLAN) > 0
}

// addCapabilities makes a file that wins add to what the command line left: a capability that the file asks for, or that comes
// with its links, stays although the command line drops it; and with links of its own that are the host's, CAP_NET_ADMIN goes
// although the command line asks for it.
func (c *combination) addCapabilities(cmd *Exec, file *File) {
	parse := func(words []string) capability.Set {
		set, _ := capability.Parse(words) // each was checked when it was read
		return set
	}
	e := &c.settings.Exec
	var own Settings // what the file says of capabilities by itself
	for _, a := range file.assignments {
		if a.key.group == capabilityGroup {
			_ = a.key.set(&own, a.value) // checked when it was read
		}
	}
	added, dropped := parse(own.Exec.Capability), parse(cmd.DropCapability)
	hasLinks := slices.ContainsFunc(file.assignments, func(a assignment) bool { return a.key.group == linkGroup })
	switch {
	case hasLinks && c.settings.Network.Private:
		added = added.With(capability.NET_ADMIN)
	case hasLinks && !added.Has(capability.NET_ADMIN) && parse(cmd.Capability).Has(capability.NET_ADMIN):
		dropped = dropped.With(capability.NET_ADMIN)
	}
	if rest := dropped &^ added; rest != parse(cmd.DropCapability) {
		e.DropCapability = append(strings.Fields(rest.String()), own.Exec.DropCapability...)
	}
}

// check refuses settings that cannot go together.
func (c *combination) check() {
	n := &c.settings.Network
	if ambient := c.settings.Exec.AmbientCapability; len(ambient) > 0 {
		if origin := c.settings.Origin("Exec.AmbientCapability"); c.settings.Exec.Boot {
			c.refuse(origin, "AmbientCapability= has no meaning with Boot=yes")
		} else if slices.Contains(ambient, "all") {
			c.refuse(origin, "AmbientCapability=: all may not be given, name the capabilities")
		}
	}
	if n.Bridge != "" && n.Zone != "" {
		c.refuse(c.settings.Origin("Network.Zone"), "Bridge= and Zone= may not be combined")
	}
	if n.NamespacePath != "" && n.hasLinks() {
		c.refuse(c.settings.Origin("Network.NamespacePath"), "NamespacePath= may not be combined with links")
	}
	const noLink = "= needs VirtualEthernet=, Bridge= or Zone=: without there is no host0"
	if len(n.Address) > 0 && !n.VirtualEthernet {
		c.refuse(c.settings.Origin("Network.Address"), "Address"+noLink)
	}
	if n.MACAddress != "" && !n.VirtualEthernet {
		c.refuse(c.settings.Origin("Network.MACAddress"), "MACAddress"+noLink)
	}
	switch origin := c.settings.Origin("Network.DHCP"); {
	case n.DHCP != "yes":
	case !n.VirtualEthernet && len(n.MACVLAN)+len(n.IPVLAN) == 0:
		c.refuse(origin, "DHCP=yes needs VirtualEthernet=, Bridge=, Zone=, MACVLAN= or IPVLAN=: without there is no link to ask on")
	case len(n.Address) > 0:
		c.refuse(origin, "DHCP=yes and Address= may not be combined")
	}
	if len(n.Ports) > 0 && !n.Private {
		c.refuse(n.Ports[0].Origin, "Port= cannot be used without private networking")
	}
}

func (c *combination) refuse(o Origin, text string) {
	c.problems = append(c.problems, Problem{o, Error, text})
}
