package container

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"strings"

	"nspawnkit/container/kernel"
)

// resolvConfBegins is the first line of what we write.
const resolvConfBegins = "# Written by nspawn-exec at the start of the container.\n"

// resolvConf is a resolv.conf(5) with these name servers, empty without any, and the domains that are searched.
func resolvConf(servers []netip.Addr, search ...string) string {
	if len(servers) == 0 {
		return ""
	}
	text := resolvConfBegins
	for _, server := range servers {
		text += "nameserver " + server.String() + "\n"
	}
	if len(search) > 0 {
		text += "search " + strings.Join(search, " ") + "\n"
	}
	return text
}

// goMessage lets the payload go, with the name servers that it is to use.
func goMessage(resolvConf string) []byte {
	if resolvConf == "" {
		return []byte(messageGo)
	}
	return []byte(messageGo + "\n" + resolvConf)
}

const containerResolvConf = "/etc/resolv.conf"

// setNameServers writes resolv.conf. That of an image for systemd-resolved is a link to a file that would be made in /run: it stays a
// link, and the file is made. Over one that cannot be written to another file is mounted. That there is none is no reason not to start.
func (f *first) setNameServers() error {
	if f.servers == "" {
		return nil
	}
	err := writeResolvConf(f.root, f.servers, f.plan.KeepNameServers)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, kernel.ErrReadOnlyFileSystem) {
		err = f.cover(containerResolvConf, kernel.Node{Mode: kernel.Regular | 0o644, Data: f.servers}, noSUIDDevExec|kernel.ReadOnly)
	}
	if err != nil {
		return f.channel.Send([]byte(fmt.Sprintf("%s\ncannot set name servers, ignoring: %v", messageWarn, err)))
	}
	return nil
}

// writeResolvConf writes the file inside of a root directory; keep: unless there is one with name servers that are of use.
func writeResolvConf(root *kernel.Root, text string, keep bool) error {
	if keep {
		if present, err := root.ReadFile(containerResolvConf, maxSmallFile); err == nil && hasNameServers(string(present)) {
			return nil
		}
	}
	err := root.WriteFile(containerResolvConf, []byte(text))
	if errors.Is(err, os.ErrNotExist) {
		if err = makeResolvConf(root); err == nil {
			err = root.WriteFile(containerResolvConf, []byte(text))
		}
	}
	return err
}

// hasNameServers reports whether a resolv.conf(5) that is not ours has name servers that can be reached from a network namespace of its
// own. What a tool that made the image has left of its host mostly has none: 127.0.0.53.
func hasNameServers(text string) bool {
	if strings.HasPrefix(text, resolvConfBegins) {
		return false
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil && !address.IsLoopback() {
			return true
		}
	}
	return false
}

// makeResolvConf makes the directory, in /run, that the link at resolv.conf leads to.
func makeResolvConf(root *kernel.Root) error {
	etc, err := root.OpenDir("/etc")
	if err != nil {
		return err
	}
	defer etc.Close()
	target := etc.Readlink("resolv.conf")
	if !path.IsAbs(target) {
		target = path.Join("/etc", target)
	}
	if !strings.HasPrefix(path.Clean(target), "/run/") {
		return fmt.Errorf("%s leads to nothing: %w", containerResolvConf, os.ErrNotExist)
	}
	directory, err := root.MakeDirectories(path.Dir(path.Clean(target)), 0o755, 0, 0)
	if err != nil {
		return err
	}
	return directory.Close()
}
