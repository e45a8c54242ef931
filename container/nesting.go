package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"nspawnkit/container/kernel"
)

// wholeDirectory is where a container with Nesting= has a /proc and a /sys of which nothing is hidden. The kernel permits a new
// one in a user namespace only if the mount namespace has such a one; nobody needs to reach it, so it is covered
// (docs/nesting.md).
const wholeDirectory = "/dev/.nesting"

// placedTree is a tree and where it is attached.
type placedTree struct {
	tree   kernel.Tree
	target string
}

// decideNested is about a container inside another.
func decideNested(p *Plan, host *Host) error {
	p.Inside.BoundDevices = host.InUserNamespace
	first, last := uint64(p.Users.Start), uint64(p.Users.Start)+uint64(p.Users.Count)
	reached := len(host.Users) == 0 || slices.ContainsFunc(host.Users, func(e kernel.IDExtent) bool {
		return first >= uint64(e.From) && last <= uint64(e.From)+uint64(e.Count)
	})
	if p.Users.Namespace && !p.Users.Managed && !reached {
		return at(&p.Settings, "Exec.PrivateUsers", fmt.Errorf("there are no users %d to %d on this host, which is a container itself; "+
			"write --private-users=identity, or UID:COUNT of its own users", first, last-1))
	}
	return nil
}

// decideNesting refuses Nesting= where it would hand out the host.
func decideNesting(p *Plan, _ *Host) error {
	s := &p.Settings
	if !s.Exec.Nesting {
		return nil
	}
	if p.Users.Start == 0 {
		return at(s, "Exec.Nesting", errors.New("needs a user namespace whose root is not the host's, as with PrivateUsers=pick: "+
			"containers inside get a /proc and a /sys without protections, whose files belong to the host's root"))
	}
	p.Inside.Nesting = true
	return nil
}

// wholeTrees are new file systems, not copies of those the container uses: those get covered. What a new sysfs shows is of the
// container's own network.
func wholeTrees(in *Inside) []mount {
	if !in.Nesting {
		return nil
	}
	trees := []mount{{target: wholeDirectory + "/proc", fstype: "proc", attributes: noSUIDDevExec}}
	if in.PrivateNetwork { // the host's sysfs is whole, and a new one is not permitted
		trees = append(trees, mount{target: wholeDirectory + "/sys", fstype: "sysfs", attributes: noSUIDDevExec})
	}
	return trees
}

func wholeNodes() []kernel.Node {
	name := path.Base(wholeDirectory)
	return []kernel.Node{
		{Path: name, Mode: kernel.Directory | 0o700},
		{Path: name + "/proc", Mode: kernel.Directory | 0o555}, {Path: name + "/sys", Mode: kernel.Directory | 0o555},
	}
}

func (f *first) layByKernelTrees() error {
	for _, whole := range f.whole {
		if err := f.attachFile(whole.tree, whole.target); err != nil {
			return err
		}
	}
	return nil
}

// nestingModules are the parts of the kernel that container runtimes use and cannot load from inside; the kernel itself loads
// some of the others when they are first used.
func nestingModules() []string {
	return []string{
		"overlay", "fuse", "tun", "veth", "bridge", "br_netfilter", "nf_tables", "nft_chain_nat", "nft_compat",
		"xt_addrtype", "xt_conntrack", "xt_MASQUERADE", "xt_nat",
	}
}

func (s *Supervisor) loadModules() error {
	for _, problem := range kernel.LoadModules(nestingModules()) {
		s.log(Warning, fmt.Sprintf("%s: containers inside may lack something: %v", s.plan.Settings.Origin("Exec.Nesting"), problem))
	}
	return nil
}

// cloneDevices takes the device nodes of a host that may not make any: it is a container itself.
func (f *first) cloneDevices() error {
	for _, device := range usualDevices() {
		path := "/dev/" + device.path
		tree, err := kernel.CloneTree(path, false)
		if device.optional && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		f.devices = append(f.devices, placedTree{tree, path})
	}
	return nil
}

func (f *first) bindDevices() error {
	for _, device := range f.devices {
		if err := f.attachCustom(device.tree, device.target); err != nil {
			return err
		}
	}
	return nil
}
