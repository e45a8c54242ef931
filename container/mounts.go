package container

import (
	"fmt"
	"slices"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// mount is one line of the tables below: a file system at a path of the container.
type mount struct {
	target     string
	fstype     string // a new instance of this type, or
	from       string // a copy of the mount at this path of the container
	attributes uint64 // kernel.ReadOnly and so on
	options    []kernel.Option
	recursive  bool // with what is mounted below it
	optional   bool // skipped if from or target is not there: it depends on the kernel's configuration
}

const (
	noSUIDDev     = kernel.NoSUID | kernel.NoDev
	noSUIDDevExec = noSUIDDev | kernel.NoExec
)

func options(pairs ...string) []kernel.Option {
	var list []kernel.Option
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, kernel.Option{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// The mounts that the supervisor makes, because they hold device nodes that a user namespace could not make; the sizes are
// systemd-nspawn's. Both belong to the container's root.
func hostTrees(in *Inside) (dev, run mount) {
	return mount{target: "/dev", fstype: "tmpfs", attributes: kernel.NoSUID | kernel.StrictAccessTime,
			options: labeled(options("mode", "0755", "size", "4m", "nr_inodes", "64k"), in.FileContext)},
		mount{target: "/run", fstype: "tmpfs", attributes: noSUIDDev | kernel.StrictAccessTime,
			options: labeled(options("mode", "0755", "size", "20%", "nr_inodes", "800k"), in.FileContext)}
}

// kernelTrees are the file systems that show the kernel. They must be made while the host's own are still in sight: inside a
// user namespace the kernel permits a new proc or sysfs only beside one that hides nothing.
func kernelTrees(in *Inside) []mount {
	trees := []mount{{target: "/proc", fstype: "proc", attributes: noSUIDDevExec}}
	if in.PrivateNetwork || !in.UserNamespace {
		trees = append(trees, mount{target: "/sys", fstype: "sysfs", attributes: readOnlyAPI(in)})
	}
	return append(trees, wholeTrees(in)...)
}

// readOnlyAPI are the attributes of what shows the kernel.
func readOnlyAPI(in *Inside) uint64 {
	if in.WritableAPI {
		return noSUIDDevExec
	}
	return noSUIDDevExec | kernel.ReadOnly
}

// innerTrees are made inside, in this order.
func innerTrees(in *Inside) []mount {
	mounts := []mount{
		{target: "/tmp", fstype: "tmpfs", attributes: noSUIDDev | kernel.StrictAccessTime,
			options: labeled(options("mode", "01777", "size", "10%", "nr_inodes", "400k"), in.FileContext)},
		{target: "/dev/shm", fstype: "tmpfs", attributes: noSUIDDev | kernel.StrictAccessTime,
			options: labeled(options("mode", "01777", "size", "10%", "nr_inodes", "400k"), in.FileContext)},
		{target: "/dev/pts", fstype: "devpts", attributes: kernel.NoSUID | kernel.NoExec,
			options: labeled(options("mode", "620", "ptmxmode", "0666", "gid", "5"), in.FileContext)},
		{target: "/dev/mqueue", fstype: "mqueue", attributes: noSUIDDevExec},
		{target: "/sys/fs/cgroup", fstype: "cgroup2", attributes: noSUIDDevExec},
	}
	if in.ImageTmp {
		return mounts[1:]
	}
	return mounts
}

// sysDirectories are what the container sees of sysfs when it has a network of its own; the rest of /sys is empty.
func sysDirectories() []string {
	return []string{"block", "bus", "class", "dev", "devices", "kernel"}
}

// sysNodes are the directories of that /sys.
func sysNodes() (nodes []kernel.Node) {
	for _, name := range append(sysDirectories(), "fs", "fs/cgroup") {
		nodes = append(nodes, kernel.Node{Path: name, Mode: kernel.Directory | 0o755})
	}
	return nodes
}

// procMounts protect what procfs shows of the host. They are no boundary (the user namespace is): the payload's root may
// unmount them.
func procMounts(in *Inside) []mount {
	const readOnly = noSUIDDevExec | kernel.ReadOnly
	if in.WritableAPI {
		return hiddenFiles()
	}
	mounts := []mount{{target: "/proc/sys", from: "/proc/sys", attributes: readOnly}}
	if in.NetworkAPI {
		mounts = append([]mount{{target: "/proc/sys/net", from: "/proc/sys/net", attributes: noSUIDDevExec}}, mounts...)
	}
	mounts = append(mounts, hiddenFiles()...)
	for _, directory := range []string{"acpi", "apm", "asound", "bus", "fs", "irq", "scsi"} {
		path := "/proc/" + directory
		mounts = append(mounts, mount{target: path, from: path, attributes: readOnly, optional: true})
	}
	if in.Nesting {
		mounts = append(mounts, mount{target: wholeDirectory, from: inaccessible + "/dir", attributes: readOnly})
	}
	return mounts
}

// hiddenFiles tell about the host, or drive it.
func hiddenFiles() (mounts []mount) {
	for _, file := range []string{"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list"} {
		mounts = append(mounts, mount{target: "/proc/" + file, from: inaccessibleFile, attributes: noSUIDDevExec | kernel.ReadOnly, optional: true})
	}
	return mounts
}

const (
	inaccessible     = "/run/host/inaccessible"
	inaccessibleFile = inaccessible + "/reg"
)

// deviceNodes are the files of /dev that do not depend on mounts.
func deviceNodes(in *Inside) []kernel.Node {
	nodes := []kernel.Node{
		{Path: "pts", Mode: kernel.Directory | 0o755}, {Path: "shm", Mode: kernel.Directory | 0o755},
		{Path: "mqueue", Mode: kernel.Directory | 0o755}, {Path: "net", Mode: kernel.Directory | 0o755},
		{Path: "ptmx", Mode: kernel.Link, Link: "pts/ptmx"}, {Path: "core", Mode: kernel.Link, Link: "/proc/kcore"}, {Path: "fd", Mode: kernel.Link, Link: "/proc/self/fd"},
		{Path: "stdin", Mode: kernel.Link, Link: "/proc/self/fd/0"}, {Path: "stdout", Mode: kernel.Link, Link: "/proc/self/fd/1"}, {Path: "stderr", Mode: kernel.Link, Link: "/proc/self/fd/2"},
		{Path: "char", Mode: kernel.Directory | 0o755},
	}
	if in.Nesting {
		nodes = append(nodes, wholeNodes()...)
	}
	if in.Console {
		nodes = append(nodes, kernel.Node{Path: "console", Mode: kernel.Link, Link: "pts/0"})
	}
	for _, device := range usualDevices() {
		if !in.BoundDevices {
			nodes = append(nodes, kernel.Node{
				Path: device.path, Mode: kernel.Character | 0o666, Major: device.major, Minor: device.minor, Optional: device.optional,
			})
		}
		nodes = append(nodes, kernel.Node{Path: charLink(device.major, device.minor), Mode: kernel.Link, Link: "../" + device.path})
	}
	return nodes
}

// usualDevice is a device node that every container has.
type usualDevice struct {
	path         string // below /dev
	major, minor uint32
	optional     bool // the device policy of the unit may not permit it
}

func usualDevices() []usualDevice {
	return []usualDevice{
		{"null", 1, 3, false}, {"zero", 1, 5, false}, {"full", 1, 7, false}, {"random", 1, 8, false},
		{"urandom", 1, 9, false}, {"tty", 5, 0, false}, {"fuse", 10, 229, true}, {"net/tun", 10, 200, true},
	}
}

// extraNodes are the devices that a bundle asks for, but for those that every container has.
func extraNodes(devices []settings.Device) []kernel.Node {
	var nodes []kernel.Node
	for _, device := range devices {
		if isUsual := slices.ContainsFunc(deviceNodes(&Inside{Console: true}), func(n kernel.Node) bool { return n.Path == device.Name }); isUsual {
			continue
		}
		kind := map[byte]uint32{'c': kernel.Character, 'b': kernel.Block, 'p': kernel.FIFO}[device.Type]
		nodes = append(nodes, kernel.Node{Path: device.Name, Mode: kind | device.Mode, Major: device.Major, Minor: device.Minor})
	}
	return nodes
}

// runNodes are the files of /run that the Container Interface promises.
func runNodes(in *Inside) []kernel.Node {
	nodes := []kernel.Node{
		{Path: "host", Mode: kernel.Directory | 0o755},
		{Path: "host/incoming", Mode: kernel.Directory | 0o600}, {Path: "host/unix-export", Mode: kernel.Directory | 0o755},
		{Path: "host/container-manager", Mode: kernel.Regular | 0o444, Data: in.Service + "\n"},
		{Path: "host/container-uuid", Mode: kernel.Regular | 0o444, Data: in.UUID + "\n"},
		{Path: "host/inaccessible", Mode: kernel.Directory | 0o555},
	}
	if in.HostRelease {
		nodes = append(nodes, kernel.Node{Path: "host/os-release", Mode: kernel.Regular | 0o644})
	}
	if in.ForwardJournal {
		nodes = append(nodes, kernel.Node{Path: "host/journal", Mode: kernel.Directory | 0o755}, kernel.Node{Path: "host/journal/socket", Mode: kernel.Regular})
	}
	if in.Credentials {
		nodes = append(nodes, kernel.Node{Path: "host/credentials", Mode: kernel.Directory | 0o700})
	}
	if in.LoginTerminal {
		nodes = append(nodes, loginNodes()...)
	}
	return append(nodes, inaccessibleNodes("host/inaccessible/")...)
}

// inaccessibleNodes are files of every type that cover others.
func inaccessibleNodes(prefix string) []kernel.Node {
	return []kernel.Node{
		{Path: prefix + "reg", Mode: kernel.Regular}, {Path: prefix + "dir", Mode: kernel.Directory},
		{Path: prefix + "fifo", Mode: kernel.FIFO}, {Path: prefix + "sock", Mode: kernel.Socket},
		{Path: prefix + "chr", Mode: kernel.Character, Optional: true}, {Path: prefix + "blk", Mode: kernel.Block, Optional: true},
	}
}

// charLink is the link of /dev/char for a device.
func charLink(major, minor uint32) string { return fmt.Sprintf("char/%d:%d", major, minor) }
