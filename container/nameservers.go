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

// resolvConf is a resolv.conf(5) with these name servers, empty without any. domain is searched; empty: none.
func resolvConf(servers []netip.Addr, domain string) string {
	if len(servers) == 0 {
		return ""
	}
	text := "# Written by nspawn-exec at the start of the container.\n"
	for _, server := range servers {
		text += "nameserver " + server.String() + "\n"
	}
	if domain != "" {
		text += "search " + domain + "\n"
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
	err := f.root.WriteFile(containerResolvConf, []byte(f.servers))
	if errors.Is(err, os.ErrNotExist) {
		if err = f.makeResolvConf(); err == nil {
			err = f.root.WriteFile(containerResolvConf, []byte(f.servers))
		}
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, kernel.ErrReadOnlyFileSystem) {
		err = f.cover(containerResolvConf, kernel.Node{Mode: kernel.Regular | 0o644, Data: f.servers}, noSUIDDevExec|kernel.ReadOnly)
	}
	if err != nil {
		return f.channel.Send([]byte(fmt.Sprintf("%s\ncannot set name servers, ignoring: %v", messageWarn, err)))
	}
	return nil
}

// makeResolvConf makes the directory, in /run, that the link at resolv.conf leads to.
func (f *first) makeResolvConf() error {
	etc, err := f.root.OpenDir("/etc")
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
	directory, err := f.root.MakeDirectories(path.Dir(path.Clean(target)), 0o755, 0, 0)
	if err != nil {
		return err
	}
	return directory.Close()
}
