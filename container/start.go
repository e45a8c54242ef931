package container

import (
	"fmt"
	"slices"

	"nspawnkit/container/kernel"
)

// step is one named step of the start sequence. It is left out unless when holds (nil: always).
type step[State any] struct {
	name string
	when func(*Inside) bool
	do   func(State) error
}

func named(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// imageSteps run in the host's namespaces, but from "mount" on in a mount namespace of their own, before anything is decided: what is
// in a disk image counts for that.
func imageSteps() []step[*Image] {
	return []step[*Image]{
		{"lock image", nil, (*Image).lock},
		{"open image", nil, (*Image).open},
		{"copy image", ephemeral, (*Image).copy},
		{"read partition table", nil, (*Image).dissect},
		{"attach partitions", nil, (*Image).attach},
		{"open verified and encrypted partitions", nil, (*Image).unlock},
		{"check file systems", nil, (*Image).repair},
		{"mount partitions", nil, (*Image).mount},
	}
}

// supervisor runs in the host's namespaces, before there is a container.
func supervisor() []step[*Supervisor] {
	return []step[*Supervisor]{
		{"lock directory tree", nil, (*Supervisor).lockTree},
		{"lock name", nil, (*Supervisor).lockName},
		{"pick user range", userNamespace, (*Supervisor).pickUsers},
		{"load credentials", credentials, (*Supervisor).loadCredentials},
		{"clear what a killed container left", nil, (*Supervisor).clearStale},
		{"make directory tree from template", func(in *Inside) bool { return in.Populate }, (*Supervisor).populateTree},
		{"copy directory tree", copied, (*Supervisor).copyTree},
		{"adjust owners of directory tree", userNamespace, (*Supervisor).adjustOwners},
		{"find interfaces of the host", movedInterfaces, (*Supervisor).findInterfaces},
		{"open network namespace", joinedNetwork, (*Supervisor).openNetwork},
		{"load kernel modules", nesting, (*Supervisor).loadModules},
		{"split control group", nil, (*Supervisor).splitControlGroup},
		{"read resolv.conf and time zone of the host", etcFiles, (*Supervisor).readEtcFiles},
		{"start first process", nil, (*Supervisor).startFirst},
	}
}

// outer runs in the host's namespaces too, on a container whose namespaces exist and whose first process comes up meanwhile.
func outer() []step[*Supervisor] {
	return []step[*Supervisor]{
		{"start scope", nil, (*Supervisor).startScope},
		{"delegate control group", nil, (*Supervisor).delegateControlGroup},
		{"write machine state", privateNetwork, (*Supervisor).writeMachine},
		{"claim ports", publishedPorts, (*Supervisor).claimPorts},
		{"link journals", nil, (*Supervisor).linkJournals},
		{"look up users to be bound", boundUsers, (*Supervisor).bindUsers},
		{"open sockets of services for containers inside", delegated, (*Supervisor).openServices},
		{"make /dev and /run", nil, (*Supervisor).makeHostTrees},
		{"make directories shared with the host", nil, (*Supervisor).makeSharedDirectories},
		{"forward journal", forwardJournal, (*Supervisor).forwardJournal},
		{"open sources of mounts", nil, (*Supervisor).openMounts},
		{"id-map root directory", nil, (*Supervisor).openRootTree},
		{"put root directory and mounts together", nil, (*Supervisor).assemble},
		{"pass mounts", nil, (*Supervisor).passTrees}, // barrier 1
		{"create links", privateNetwork, (*Supervisor).createLinks},
		{"set fixed addresses", fixedAddresses, (*Supervisor).setAddresses},
		{"create links on top of those of the host", upperLinks, (*Supervisor).createUppers},
		{"bring up link for DHCP", leased, (*Supervisor).prepareLease},
		{"move interfaces of the host", movedInterfaces, (*Supervisor).moveInterfaces},
		{"set resource limits", nil, (*Supervisor).setLimits},
		{"record settings", nil, (*Supervisor).recordSettings}, // while the first process is busy
		{"wait for set-up", nil, (*Supervisor).waitReady},      // barrier 2
		{"register with machined", nil, (*Supervisor).register},
		{"get address by DHCP", leased, (*Supervisor).obtainLease},
		{"let payload go", nil, (*Supervisor).letGo}, // barrier 3
	}
}

// inner runs as process 1 of the container's PID, mount, UTS, IPC, user and network namespaces, with all capabilities in
// them, and ends as the payload.
func inner() []step[*first] {
	return []step[*first]{
		{"leave host mounts", nil, func(*first) error { return kernel.LeaveHostMounts() }},
		{"join new session keyring", nil, func(*first) error { return kernel.NewSessionKeyring() }},
		{"reset signals", nil, func(*first) error { return kernel.ResetSignals() }},
		{"reset umask", nil, func(*first) error { kernel.ResetUmask(); return nil }},
		{"make /proc and /sys", nil, (*first).makeKernelTrees},
		{"open device nodes of the host", boundDevices, (*first).cloneDevices},
		{"open os-release of the host", hostRelease, (*first).cloneHostFiles},
		{"open resolv.conf and time zone of the host", etcFiles, (*first).cloneEtcFiles},
		{"receive mounts", nil, (*first).receiveTrees}, // barrier 1
		{"join new control group namespace", func(in *Inside) bool { return !in.HostGroups }, func(*first) error { return kernel.NewControlGroupNamespace() }},
		{"pivot root", nil, (*first).pivotRoot},
		{"mount API file systems", nil, (*first).mountAPI},
		{"protect control groups of the host", func(in *Inside) bool { return in.HostGroups }, (*first).protectControlGroups},
		{"set kernel parameters", func(in *Inside) bool { return len(in.Sysctl) > 0 }, (*first).setSysctl}, // before anything is mounted on /proc
		{"bind device nodes of the host", boundDevices, (*first).bindDevices},
		{"lay by a whole /proc and /sys", nesting, (*first).layByKernelTrees},
		{"make console", func(in *Inside) bool { return in.Console }, (*first).makeConsole},
		{"listen for notifications", nil, (*first).listenNotify},
		{"make /run/host read-only", nil, (*first).sealRunHost},
		{"mount files of the host in /run/host", nil, (*first).mountHostFiles},
		{"mount files and directories below API file systems", nil, (*first).mountLate},
		{"make root read-only", func(in *Inside) bool { return in.ReadOnly }, func(*first) error { return kernel.SetRootReadOnly() }},
		{"set up resolv.conf and time zone", etcFiles, (*first).changeEtcFiles},
		{"look up user", func(in *Inside) bool { return in.Process != nil && in.Process.User != nil }, (*first).lookUpUser},
		{"hide kernel log and boot ID", nil, (*first).hideHost},
		{"protect /proc", nil, (*first).protectProc},
		{"share mounts", nil, func(*first) error { return shareMounts() }}, // last: before, mounts would appear twice
		{"set host name", nil, func(f *first) error { return kernel.SetHostname(f.plan.Hostname) }},
		{"set NIS domain name", func(in *Inside) bool { return in.Domainname != "" }, func(f *first) error { return kernel.SetDomainname(f.plan.Domainname) }},
		{"bring up loopback", privateNetwork, func(*first) error { return kernel.LoopbackUp() }},
		{"report set-up", nil, (*first).reportReady},         // barrier 2
		{"wait for the supervisor", nil, (*first).waitForGo}, // barrier 3
		{"set name servers", nameServers, (*first).setNameServers},
		{"let stub init give up its privileges", func(in *Inside) bool { return in.ProcessTwo }, func(f *first) error { return f.stage.ReleaseStub() }},
		{"use console", func(in *Inside) bool { return in.Console }, func(f *first) error { return kernel.UseConsole(f.console, f.plan.Controlling) }},
		{"die with the supervisor", nil, func(*first) error { return kernel.DieWithParent() }},
		{"close descriptors", nil, func(f *first) error { return f.stage.CloseDescriptors() }},
		{"set personality", func(in *Inside) bool { return in.Personality != nil }, func(f *first) error { return kernel.SetPersonality(*f.plan.Personality) }},
		{"set SELinux context", func(in *Inside) bool { return in.ProcessContext != "" }, (*first).setContext},
		{"set no_new_privs", func(in *Inside) bool { return in.NoNewPrivileges }, func(*first) error { return kernel.SetNoNewPrivileges() }},
		{"limit capabilities", nil, func(f *first) error { return kernel.LimitCapabilities(f.plan.Capabilities) }},
		{"filter system calls", func(in *Inside) bool { return len(in.Filter) > 0 }, func(f *first) error { return kernel.LoadFilter(decodeFilter(f.plan.Filter)) }},
		{"become user", func(in *Inside) bool { return in.Process != nil }, (*first).becomeUser},
		{"execute payload", nil, (*first).execute},
	}
}

// closing runs in the host's namespaces when the container has ended or its start has failed. Each step removes what is there of it,
// so all are taken, also by a program that took the container over and knows no plan: when is for [Plan.Steps] alone.
func closing() []step[*Running] {
	return []step[*Running]{
		{"end first process", nil, (*Running).endFirst},
		{"end DHCP client", leased, (*Running).endLease},
		{"close notification socket", nil, (*Running).closeNotify},
		{"unregister from machined", nil, (*Running).unregister},
		{"remove record of settings", nil, (*Running).removeSettings},
		{"end control group", nil, (*Running).endControlGroup},
		{"stop forwarding journal", forwardJournal, (*Running).stopReceiver},
		{"remove directories shared with the host", nil, (*Running).removeShared},
		{"remove copy of directory tree", func(in *Inside) bool { return copied(in) || in.Populate }, (*Running).removeCopy},
		{"remove temporary directories", nil, func(r *Running) error { return r.Temporaries.remove() }},
		{"give interfaces back", movedInterfaces, (*Running).giveInterfacesBack},
		{"remove links", privateNetwork, (*Running).removeLinks},           // late: the kernel needs time for it
		{"remove machine state", privateNetwork, (*Running).removeMachine}, // names the links
		{"give users back", userNamespace, (*Running).giveUsersBack},
		{"close images", func(in *Inside) bool { return in.Images }, (*Running).closeImages},
		{"unlock", nil, (*Running).unlock}, // last: who has the locks next finds nothing
	}
}

func privateNetwork(in *Inside) bool { return in.PrivateNetwork }
func publishedPorts(in *Inside) bool { return in.PublishedPorts }
func credentials(in *Inside) bool    { return in.Credentials }
func boundUsers(in *Inside) bool     { return in.BoundUsers }
func forwardJournal(in *Inside) bool { return in.ForwardJournal }
func hostRelease(in *Inside) bool    { return in.HostRelease }
func ephemeral(in *Inside) bool      { return in.Ephemeral }
func copied(in *Inside) bool         { return in.Ephemeral && !in.Images }
func etcFiles(in *Inside) bool       { return in.ResolvConf != nil || in.Timezone != nil }
func nesting(in *Inside) bool        { return in.Nesting }
func boundDevices(in *Inside) bool   { return in.BoundDevices }
func userNamespace(in *Inside) bool  { return in.UserNamespace }
func delegated(in *Inside) bool      { return in.Delegated }

func fixedAddresses(in *Inside) bool  { return in.FixedAddresses }
func leased(in *Inside) bool          { return in.DHCP }
func nameServers(in *Inside) bool     { return in.NameServers }
func upperLinks(in *Inside) bool      { return in.UpperLinks }
func movedInterfaces(in *Inside) bool { return in.MovedInterfaces }
func joinedNetwork(in *Inside) bool   { return in.JoinedNetwork }

// StepList is one of the lists of steps.
type StepList struct {
	Name  string // by the process that takes them, or "close"
	Steps []string
}

// Steps returns the names of the steps that start this container and, in the last list, remove it: for --dry-run.
func (p *Plan) Steps() []StepList {
	lists := []StepList{
		{"supervisor", stepNames(supervisor(), &p.Inside)},
		{"outer", stepNames(outer(), &p.Inside)},
		{"inner", stepNames(inner(), &p.Inside)},
		{"watch", p.handOverSteps()},
		{"close", stepNames(closing(), &p.Inside)},
	}
	if p.Inside.Images {
		lists = slices.Insert(lists, 0, StepList{"image", stepNames(imageSteps(), &p.Inside)})
	}
	return lists
}

func stepNames[State any](steps []step[State], in *Inside) []string {
	var names []string
	for _, step := range steps {
		if step.when == nil || step.when(in) {
			names = append(names, step.name)
		}
	}
	return names
}
