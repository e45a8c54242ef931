package container

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// maxSmallFile bounds what is read of files in an image.
const maxSmallFile = 64 << 10

// Gather finds out what [Decide] needs to know of the host and of the root directory, which is that of the settings or the
// template that it will be made from, or a mount stack's, whose disk images are open.
func Gather(s *settings.Settings, directory string, stack *image.Stack, images *Images) (Host, error) {
	host := Host{
		MachineID:    readMachineID("/etc/machine-id"),
		Terminal:     gatherTerminal(kernel.IsTerminal(os.Stdin), kernel.IsTerminal(os.Stdout)),
		Architecture: runtime.GOARCH,
		Limits:       make(map[string]settings.Limit),
		Localtime:    gatherLocaltime(),
	}
	host.HasNetworkd, host.HasNetworkdLite = networkServed()
	_, err := os.Stat(networkdLinks)
	host.HasNetworkdLink = err == nil
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, err := os.ReadFile(path); err == nil {
			host.OSRelease = ParseOSRelease(data)
			break
		}
	}
	if _, err := os.Stat("/proc/self/uid_map"); errors.Is(err, os.ErrNotExist) {
		host.NoUserNamespaces = true
	}
	if interval, ok := machined.Watchdog(os.Getenv, os.Getpid()); ok {
		host.Watchdog = 2 * interval
	}
	host.Users = kernel.OwnUsers()
	host.InUserNamespace = kernel.InUserNamespace(host.Users)
	host.NoSELinux = gatherSELinux()
	host.HasResolvConf, host.HasStubResolver = gatherResolvers()
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return host, err
	}
	if host.LastCapability, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
		return host, fmt.Errorf("read cap_last_cap: %w", err)
	}
	for _, name := range []string{"NPROC", "SIGPENDING"} {
		soft, hard, err := kernel.InitResourceLimit(name)
		if err != nil {
			return host, err
		}
		host.Limits[name] = settings.Limit{Soft: soft, Hard: hard}
	}
	host.Root, err = gatherRoot(s, directory, stack, images)
	return host, err
}

func gatherRoot(s *settings.Settings, directory string, stack *image.Stack, images *Images) (root Root, err error) {
	if stack != nil {
		err = gatherStack(stack, images, func(opened *kernel.Root) error {
			root, err = lookInto(s, directory, opened)
			return err
		})
		if err != nil {
			err = fmt.Errorf("--mstack=%s: %w", directory, err)
		}
		return root, err
	}
	opened, err := kernel.OpenRoot(directory)
	if err != nil {
		return root, err
	}
	defer opened.Close()
	return lookInto(s, directory, opened)
}

// lookInto finds out about a root directory.
func lookInto(s *settings.Settings, directory string, image *kernel.Root) (root Root, err error) {
	if root.OwnerUID, root.OwnerGID, err = kernel.Owner(image.File()); err != nil {
		return root, err
	}
	opened, err := image.OpenDirectory(path.Join("/", s.Exec.PivotRoot.New))
	if err != nil {
		return root, fmt.Errorf("%s: %s: %w", s.Origin("Exec.PivotRoot"), directory, err)
	}
	defer opened.Close()
	root.HasOSRelease = opened.Exists("etc/os-release") || opened.Exists("usr/lib/os-release")
	if usr, err := opened.OpenDirectory("usr"); err == nil {
		root.HasUsr = true
		usr.Close()
	}
	root.ReadOnly = kernel.MarkedReadOnly(directory)
	if mode, found, err := opened.Type("bin"); err == nil && found {
		root.Bin = &mode
	}
	root.LoginProblems, root.KnowsColors = loginProblems(opened), knowsColors(opened)
	data, err := opened.ReadFile("etc/machine-id", maxSmallFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		root.MachineIDProblem = err.Error()
	case !unsetMachineID(data):
		if root.MachineID = parseMachineID(data); root.MachineID == "" {
			root.MachineIDProblem = "read etc/machine-id: not a machine ID of 32 hexadecimal digits"
		}
	}
	return root, nil
}

func readMachineID(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return parseMachineID(data)
}

// unsetMachineID reports whether the file is that of an image that is to get its ID at first boot, see machine-id(5).
func unsetMachineID(data []byte) bool {
	return len(data) == 0 || string(data) == "uninitialized\n" || string(data) == "uninitialized"
}

// parseMachineID returns the ID of machine-id(5), or nothing if the file has something else.
func parseMachineID(data []byte) string {
	id := strings.TrimSuffix(string(data), "\n")
	if decoded, err := hex.DecodeString(id); err != nil || len(decoded) != 16 || strings.Trim(id, "0") == "" {
		return ""
	}
	return strings.ToLower(id)
}

// RandomID returns a machine ID for a container that has none, as systemd makes them: a random UUID (RFC 9562, version 4).
func RandomID() string {
	id := kernel.Random(16)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return hex.EncodeToString(id)
}

func gatherLocaltime() Localtime {
	target, err := os.Readlink(hostLocaltime)
	return Localtime{Exists: !errors.Is(err, os.ErrNotExist), Link: err == nil, Zone: zoneOf(target)}
}

func gatherResolvers() (file, stub bool) {
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	if exists(stubResolvConf) {
		table, _ := os.ReadFile("/proc/net/udp")
		stub = stubListens(table)
	}
	return exists(hostResolvConf), stub
}

// networkdLiteLock is what networkd-lite holds locked while it runs.
const networkdLiteLock = "/run/nspawnkit/network/lock"

// networkServed reports whether somebody gives addresses to the links of containers, and whether that is networkd-lite.
func networkServed() (served, lite bool) {
	_, err := os.Stat("/run/systemd/netif/state") // of systemd-networkd
	lite = kernel.LockHeld(networkdLiteLock)
	return err == nil || lite, lite
}
